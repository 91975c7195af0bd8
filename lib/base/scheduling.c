#include "base/scheduling.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define QUICK_NS     100000 /* the least that the kernel takes */
#define NICENESS_MAX 19

/* sched_setattr(2) in its first version; the C library knows the call from glibc 2.41 on only. */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t niceness;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns; /* runtime of a fair policy: its turns; 0: usual */
};
_Static_assert(sizeof(struct attributes) == 48, "the kernel's layout");

static bool set(int policy, int nicer_by, uint64_t turn_ns)
{
    struct attributes attributes = {
        .size = sizeof(attributes), .policy = (uint32_t)policy, .runtime_ns = turn_ns};

    errno = 0;
    attributes.niceness = getpriority(PRIO_PROCESS, 0) + nicer_by;
    if (errno != 0)
        return false;
    if (attributes.niceness > NICENESS_MAX)
        attributes.niceness = NICENESS_MAX;
    return syscall(SYS_sched_setattr, 0, &attributes, 0) == 0;
}

bool scheduling_be_quick(void)
{
    return sched_getscheduler(0) == SCHED_OTHER && set(SCHED_OTHER, 0, QUICK_NS);
}

bool scheduling_be_patient(int niceness)
{
    return set(SCHED_BATCH, niceness, 0);
}
