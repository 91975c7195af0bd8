#include "base/clock.h"

#include <limits.h>
#include <time.h>

int64_t clock_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_ms(void)
{
    return clock_us() / 1000;
}

int64_t deadline_in(int64_t timeout_ms)
{
    int64_t deadline_ms;

    if (timeout_ms < 0 || __builtin_add_overflow(clock_ms(), timeout_ms, &deadline_ms))
        return DEADLINE_NEVER;
    return deadline_ms;
}

int deadline_left_ms(int64_t deadline_ms)
{
    int64_t left_ms;

    if (deadline_ms == DEADLINE_NEVER)
        return -1;
    if (__builtin_sub_overflow(deadline_ms, clock_ms(), &left_ms) || left_ms <= 0)
        return 0;
    return left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}
