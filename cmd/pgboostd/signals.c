#include "signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"

#define SIGNAL_END SIGUSR2 /* from signals_free to the thread; ignored from anyone else */

struct signals {
    int event_fd;
    const struct pg_stop *stop;
    atomic_uint came;
    atomic_bool ending;
    sigset_t set;
    pthread_t thread;
    bool has_thread;
};

static const struct {
    int number;
    unsigned bit;
} taken[] = {
    {SIGTERM, SIGNALS_STOP},
    {SIGINT, SIGNALS_STOP},
    {SIGHUP, SIGNALS_RELOAD},
    {SIGCHLD, SIGNALS_CHILD},
};

static unsigned bit_of(int number)
{
    for (size_t i = 0; i < N_ELEMENTS(taken); i++)
        if (taken[i].number == number)
            return taken[i].bit;
    return 0;
}

static void *take_signals(void *cls)
{
    struct signals *signals = cls;
    const uint64_t one = 1;
    bool stopping = false;

    while (!atomic_load(&signals->ending)) {
        int number;
        unsigned bit;

        if (sigwait(&signals->set, &number) != 0)
            continue;
        bit = bit_of(number);
        if (bit == SIGNALS_STOP && stopping) {
            log_warning("stopped at once", "signal=%d", number);
            _exit(128 + number);
        }
        if (bit == 0)
            continue;
        atomic_fetch_or(&signals->came, bit);
        if (write(signals->event_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
            log_error("cannot wake the control loop", "errno=%d", errno);
        if (bit == SIGNALS_STOP)
            pg_stop_raise(signals->stop);
        stopping |= bit == SIGNALS_STOP;
    }
    return NULL;
}

enum err_code signals_new(const struct pg_stop *stop, struct signals **ret_signals, struct err *err)
{
    CLEANUP(signals_freep) struct signals *signals = calloc(1, sizeof(*signals));
    int failure;

    if (signals == NULL)
        return err_nomem(err);
    signals->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    signals->stop = stop;
    if (signals->event_fd < 0)
        return err_errno(err, errno, "cannot make an event descriptor");
    signal(SIGPIPE, SIG_IGN); /* a reader of standard output may go away */
    sigemptyset(&signals->set);
    for (size_t i = 0; i < N_ELEMENTS(taken); i++)
        sigaddset(&signals->set, taken[i].number);
    sigaddset(&signals->set, SIGNAL_END);
    pthread_sigmask(SIG_BLOCK, &signals->set, NULL);
    failure = pthread_create(&signals->thread, NULL, take_signals, signals);
    if (failure != 0)
        return err_errno(err, failure, "cannot start the signal thread");
    signals->has_thread = true;
    *ret_signals = TAKE_PTR(signals);
    return ERR_OK;
}

void signals_free(struct signals *signals)
{
    if (signals == NULL)
        return;
    if (signals->has_thread) {
        atomic_store(&signals->ending, true);
        pthread_kill(signals->thread, SIGNAL_END);
        pthread_join(signals->thread, NULL);
    }
    if (signals->event_fd >= 0)
        close(signals->event_fd);
    free(signals);
}

int signals_fd(const struct signals *signals)
{
    return signals->event_fd;
}

unsigned signals_take(struct signals *signals)
{
    uint64_t n;

    /* First the descriptor, then the bits: a signal between the two is taken now and wakes the loop
     * once for nothing; the other way round it could be left lying. */
    if (read(signals->event_fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
        log_error("cannot read the event descriptor", "errno=%d", errno);
    return atomic_exchange(&signals->came, 0);
}
