/*
 * What the kernel says of a thread after each call, and of a thread it starts. Each test is a
 * process of its own: niceness only goes up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scheduling.h"

#define REFUSED 77 /* the exit status where a sandbox does not let us */

/* As sched_getattr(2) has it. */
struct found {
    uint32_t size, policy;
    uint64_t flags;
    int32_t niceness;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

static void *look(void *found)
{
    *(struct found *)found = (struct found){0};
    syscall(SYS_sched_getattr, 0, found, sizeof(struct found), 0);
    return NULL;
}

static struct found look_in_thread(void)
{
    struct found found = {0};
    pthread_t thread;

    if (pthread_create(&thread, NULL, look, &found) == 0)
        pthread_join(thread, NULL);
    return found;
}

static void run_apart(int (*run)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(run());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == REFUSED)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Kernels before 6.12 take the length of a turn and tell none. */
static int be_quick(void)
{
    int niceness = getpriority(PRIO_PROCESS, 0);
    struct found found;

    if (sched_getscheduler(0) != SCHED_OTHER || !scheduling_be_quick())
        return REFUSED;
    found = look_in_thread();
    if (found.policy != SCHED_OTHER || found.niceness != niceness)
        return 1;
    return found.runtime_ns == 0 || found.runtime_ns == 100000 ? 0 : 2;
}

static int be_patient_after_quick(void)
{
    int niceness = getpriority(PRIO_PROCESS, 0) + 3;
    struct found usual, found;

    look(&usual);
    scheduling_be_quick();
    if (!scheduling_be_patient(3))
        return REFUSED;
    found = look_in_thread();
    if (found.policy != SCHED_BATCH || found.niceness != (niceness < 19 ? niceness : 19))
        return 1;
    return found.runtime_ns == usual.runtime_ns ? 0 : 2;
}

/* Whoever is not like others by an operator's wish stays so. */
static int keep_another_policy(void)
{
    const struct sched_param none = {0};

    if (sched_setscheduler(0, SCHED_BATCH, &none) != 0)
        return REFUSED;
    return !scheduling_be_quick() && sched_getscheduler(0) == SCHED_BATCH ? 0 : 1;
}

static void test_quick(void **state)
{
    (void)state;
    run_apart(be_quick);
}

static void test_patient(void **state)
{
    (void)state;
    run_apart(be_patient_after_quick);
}

static void test_another_policy(void **state)
{
    (void)state;
    run_apart(keep_another_policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quick),
        cmocka_unit_test(test_patient),
        cmocka_unit_test(test_another_policy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
