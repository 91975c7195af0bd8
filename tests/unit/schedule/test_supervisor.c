/* Real child processes: shell scripts in place of the worker. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "schedule/supervisor.h"

#define LIMIT_MS 20000

static char folder[] = "/tmp/pgboost-supervisor-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

static const char *in_folder(const char *name, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", folder, name);
    return path;
}

/* A supervisor whose worker is a shell script with this body, run in the test's folder. */
static struct supervisor *supervisor_of(const char *script, int n_workers)
{
    static int n_scripts;
    char name[32], path[128];
    struct supervisor_options options = {.worker = path,
                                         .dsn = "host=db password='x y'",
                                         .read_dsn = "",
                                         .state_dir = folder,
                                         .n_workers = n_workers,
                                         .n_threads = 3};
    struct supervisor *supervisor = NULL;
    struct err err;
    FILE *file;

    snprintf(name, sizeof(name), "worker%d", ++n_scripts);
    file = fopen(in_folder(name, path, sizeof(path)), "w");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\ncd %s\n%s\n", folder, script);
    fclose(file);
    chmod(path, 0755);
    if (supervisor_new(&options, &supervisor, &err) != ERR_OK)
        fail_msg("%s", err.message);
    return supervisor;
}

static void pause_ms(int ms)
{
    const struct timespec pause = {.tv_nsec = ms * 1000000L};

    nanosleep(&pause, NULL);
}

static struct worker_end wait_end(struct supervisor *supervisor)
{
    int64_t deadline_ms = deadline_in(LIMIT_MS);
    struct worker_end end;

    while (!supervisor_ended(supervisor, &end)) {
        if (deadline_left_ms(deadline_ms) == 0)
            fail_msg("the worker did not end");
        pause_ms(2);
    }
    return end;
}

static void start(struct supervisor *supervisor, int64_t run_id)
{
    struct err err;

    if (supervisor_start(supervisor, run_id, &err) != ERR_OK)
        fail_msg("%s", err.message);
}

static void read_output(const char *name, struct buf *text)
{
    char path[128];
    struct err err;

    if (buf_read_file(text, in_folder(name, path, sizeof(path)), 1 << 20, &err) != ERR_OK)
        fail_msg("%s", err.message);
}

static void wait_file(const char *name)
{
    int64_t deadline_ms = deadline_in(LIMIT_MS);
    char path[128];

    while (access(in_folder(name, path, sizeof(path)), F_OK) != 0) {
        if (deadline_left_ms(deadline_ms) == 0)
            fail_msg("\"%s\" did not appear", name);
        pause_ms(2);
    }
}

static bool has_run(struct supervisor *supervisor, int64_t run_id)
{
    int n;
    const int64_t *runs = supervisor_runs(supervisor, &n);

    for (int i = 0; i < n; i++)
        if (runs[i] == run_id)
            return true;
    return false;
}

/* The reason, and the most memory it had after it. */
static void assert_reason(struct worker_end end, const char *expected)
{
    size_t length = strlen(expected);
    int mib = -1;

    if (strncmp(end.reason, expected, length) != 0 ||
        sscanf(end.reason + length, " at %d MiB", &mib) != 1)
        fail_msg("\"%s\" is not \"%s at N MiB\"", end.reason, expected);
    assert_in_range(mib, 0, 64);
}

static void test_says_why_a_worker_ended(void **state)
{
    const struct {
        const char *script;
        bool well;
        const char *reason;
    } rows[] = {
        {"exit 0", true, "worker exited with status 0"},
        {"exit 3", false, "worker exited with status 3"},
        {"kill -9 $$", false, "worker was killed by signal 9 (SIGKILL)"},
        {"kill -SEGV $$", false, "worker was killed by signal 11 (SIGSEGV)"},
        {"exec /nonexistent/program 2>/dev/null", false, "worker exited with status 127"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        CLEANUP(supervisor_freep) struct supervisor *supervisor = supervisor_of(rows[i].script, 1);
        struct worker_end end;

        start(supervisor, 41 + (int64_t)i);
        assert_true(has_run(supervisor, 41 + (int64_t)i));
        end = wait_end(supervisor);
        assert_int_equal(end.run_id, 41 + (int64_t)i);
        assert_int_equal(end.well, rows[i].well);
        assert_reason(end, rows[i].reason);
    }
}

/* An ended worker is told of again and again, and keeps its place, until it is forgotten. */
static void test_ended_stays_until_forgotten(void **state)
{
    CLEANUP(supervisor_freep) struct supervisor *supervisor = supervisor_of("exit 0", 1);
    struct worker_end first, again;

    (void)state;
    start(supervisor, 5);
    first = wait_end(supervisor);
    again = wait_end(supervisor);
    assert_string_equal(first.name, again.name);
    assert_int_equal(supervisor_n_running(supervisor), 0);
    assert_false(supervisor_has_room(supervisor, clock_ms()));
    assert_true(has_run(supervisor, 5));
    supervisor_forget(supervisor, "somebody:1:1", true);
    assert_true(has_run(supervisor, 5));
    supervisor_forget(supervisor, first.name, true);
    assert_false(has_run(supervisor, 5));
    assert_true(supervisor_has_room(supervisor, clock_ms()));
    assert_false(supervisor_ended(supervisor, &again));
}

static void test_at_most_so_many_at_once(void **state)
{
    CLEANUP(supervisor_freep) struct supervisor *supervisor = supervisor_of("exec sleep 60", 2);
    struct err err;

    (void)state;
    start(supervisor, 1);
    assert_true(supervisor_has_room(supervisor, clock_ms()));
    start(supervisor, 2);
    assert_false(supervisor_has_room(supervisor, clock_ms()));
    assert_int_equal(supervisor_start(supervisor, 3, &err), ERR_CONFLICT);
    assert_int_equal(supervisor_n_running(supervisor), 2);
    supervisor_signal(supervisor, SIGKILL);
    assert_reason(wait_end(supervisor), "worker was killed by signal 9 (SIGKILL)");
}

static void test_death_makes_the_next_wait(void **state)
{
    CLEANUP(supervisor_freep) struct supervisor *supervisor = supervisor_of("exit 1", 1);
    struct worker_end end;
    int64_t now_ms;

    (void)state;
    start(supervisor, 1);
    end = wait_end(supervisor);
    supervisor_forget(supervisor, end.name, end.well);
    now_ms = clock_ms();
    assert_false(supervisor_has_room(supervisor, now_ms));
    assert_in_range(supervisor_backs_off_ms(supervisor, now_ms), 1, 1000); /* the first step */
    now_ms += supervisor_backs_off_ms(supervisor, now_ms);
    assert_true(supervisor_has_room(supervisor, now_ms));
    assert_int_equal(supervisor_backs_off_ms(supervisor, now_ms + 5), 0);
}

/* A worker that says all is well though its run is there again must not be started in a circle. */
static void test_same_run_again_makes_the_next_wait(void **state)
{
    CLEANUP(supervisor_freep) struct supervisor *supervisor = supervisor_of("exit 0", 1);
    const struct {
        int64_t run_id;
        bool room_at_once;
    } rows[] = {{1, true}, {2, true}, {2, false}};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        struct worker_end end;

        start(supervisor, rows[i].run_id);
        end = wait_end(supervisor);
        supervisor_forget(supervisor, end.name, end.well);
        assert_int_equal(supervisor_has_room(supervisor, clock_ms()), rows[i].room_at_once);
    }
}

static void test_missing_worker_is_an_error_with_a_hint(void **state)
{
    struct supervisor_options options = {.worker = "/nonexistent/worker",
                                         .dsn = "",
                                         .read_dsn = "",
                                         .state_dir = "/",
                                         .n_workers = 1};
    CLEANUP(supervisor_freep) struct supervisor *supervisor = NULL;
    struct err err;

    (void)state;
    assert_int_equal(supervisor_new(&options, &supervisor, &err), ERR_OK);
    assert_int_equal(supervisor_start(supervisor, 1, &err), ERR_IO);
    assert_string_equal(
        err.message, "cannot start the worker \"/nonexistent/worker\": No such file or directory");
    assert_string_not_equal(err.hint, "");
    assert_false(has_run(supervisor, 1));
    assert_false(supervisor_has_room(supervisor, clock_ms()));
    assert_int_equal(supervisor_start(supervisor, 1, &err), ERR_CONFLICT);
}

static void test_arguments_and_environment(void **state)
{
    CLEANUP(supervisor_freep) struct supervisor *supervisor = NULL;
    CLEANUP(buf_release) struct buf text = {0};
    char expected[512];
    struct worker_end end;

    (void)state;
    setenv("PGBOOST_DSN", "somewhere else", 1);
    setenv("OMP_WAIT_POLICY", "active", 1);
    unsetenv("OMP_NUM_THREADS");
    supervisor = supervisor_of("echo \"$@\" > env\n"
                               "echo \"$PGBOOST_DSN|$PGBOOST_READ_DSN|$PGBOOST_STATE_DIR|"
                               "$OMP_NUM_THREADS|$OMP_WAIT_POLICY|$HOME\" >> env",
                               1);
    start(supervisor, 17);
    end = wait_end(supervisor);
    assert_true(end.well);
    read_output("env", &text);
    snprintf(expected, sizeof(expected),
             "--run 17 --name %s --die-with-parent=%d\nhost=db password='x y'||%s|3|active|%s\n",
             end.name, (int)getpid(), folder, getenv("HOME") != NULL ? getenv("HOME") : "");
    assert_string_equal(buf_text(&text), expected);
}

static void test_names_are_unique(void **state)
{
    CLEANUP(supervisor_freep) struct supervisor *supervisor = supervisor_of("exit 0", 1);
    char names[3][WORKER_NAME_MAX];

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct worker_end end;

        start(supervisor, i + 1);
        end = wait_end(supervisor);
        memcpy(names[i], end.name, sizeof(end.name));
        supervisor_forget(supervisor, end.name, end.well);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(names[i], names[j]);
    }
}

static void check_line(const char *text, const char *line)
{
    if (strstr(text, line) == NULL)
        fail_msg("no \"%s\" in:\n%s", line, text);
}

/* The mask of a line of /proc/PID/status, without the two signals that belong to the C library. */
static unsigned long signal_mask(const char *text, const char *name)
{
    const char *line = strstr(text, name);

    assert_non_null(line);
    return strtoul(line + strlen(name), NULL, 16) & 0x7ffffffful;
}

/* Signals are as new, files are ours no more, and the group is the worker's own. */
static void test_clean_process(void **state)
{
    CLEANUP(supervisor_freep) struct supervisor *supervisor = NULL;
    CLEANUP(buf_release) struct buf text = {0};
    sigset_t blocked, before;
    int leak;

    (void)state;
    /* grep reads its own inherited masks: the shell blocks signals at times */
    supervisor = supervisor_of("ls /proc/self/fd | wc -l > clean\n"
                               "readlink /proc/$$/fd/0 >> clean\n"
                               "grep -E '^Sig(Blk|Ign)' /proc/self/status >> clean\n"
                               "awk '{print ($1 == $5) ? \"own group\" : \"not own group\"}' "
                               "/proc/$$/stat >> clean\n"
                               "echo done >> clean; mv clean clean.txt",
                               1);
    leak = dup(2); /* without O_CLOEXEC */
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    signal(SIGPIPE, SIG_IGN);
    start(supervisor, 1);
    wait_end(supervisor);
    signal(SIGPIPE, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(leak);
    read_output("clean.txt", &text);
    /* 0, 1, 2 and ls's own folder; a fifth would be the leak */
    check_line(buf_text(&text), "4\n/dev/null\n");
    assert_int_equal(signal_mask(buf_text(&text), "SigBlk:\t"), 0);
    assert_int_equal(signal_mask(buf_text(&text), "SigIgn:\t"), 0);
    check_line(buf_text(&text), "\nown group\n");
}

/* A signal reaches the worker's children as well. */
static void test_signal_reaches_the_group(void **state)
{
    CLEANUP(supervisor_freep)
    struct supervisor *supervisor =
        supervisor_of("sleep 60 & echo $! > child.tmp; mv child.tmp child; wait", 1);
    CLEANUP(buf_release) struct buf text = {0};
    int64_t deadline_ms = deadline_in(LIMIT_MS);
    pid_t child;

    (void)state;
    start(supervisor, 1);
    wait_file("child");
    read_output("child", &text);
    child = (pid_t)atoi(buf_text(&text));
    assert_true(child > 1);
    assert_int_equal(kill(child, 0), 0);
    supervisor_signal(supervisor, SIGTERM);
    assert_reason(wait_end(supervisor), "worker was killed by signal 15 (SIGTERM)");
    for (;;) { /* an orphan: gone, or a zombie where nobody collects orphans */
        CLEANUP(buf_release) struct buf stat = {0};
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)child);
        if (buf_read_file(&stat, path, 4096, NULL) != ERR_OK ||
            strstr(buf_text(&stat), ") Z ") != NULL)
            break;
        assert_true(deadline_left_ms(deadline_ms) > 0);
        pause_ms(2);
    }
}

static void test_free_kills_what_runs(void **state)
{
    struct supervisor *supervisor =
        supervisor_of("echo $$ > pid.tmp; mv pid.tmp pid; exec sleep 60", 1);
    CLEANUP(buf_release) struct buf text = {0};

    (void)state;
    start(supervisor, 1);
    wait_file("pid");
    supervisor_free(supervisor);
    read_output("pid", &text);
    assert_int_equal(kill((pid_t)atoi(buf_text(&text)), 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_says_why_a_worker_ended),
        cmocka_unit_test(test_ended_stays_until_forgotten),
        cmocka_unit_test(test_at_most_so_many_at_once),
        cmocka_unit_test(test_death_makes_the_next_wait),
        cmocka_unit_test(test_same_run_again_makes_the_next_wait),
        cmocka_unit_test(test_missing_worker_is_an_error_with_a_hint),
        cmocka_unit_test(test_arguments_and_environment),
        cmocka_unit_test(test_names_are_unique),
        cmocka_unit_test(test_clean_process),
        cmocka_unit_test(test_signal_reaches_the_group),
        cmocka_unit_test(test_free_kills_what_runs),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
