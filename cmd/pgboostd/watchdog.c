#include "watchdog.h"

#include <pthread.h>
#include <time.h>

#include "base/log.h"
#include "base/systemd.h"

#define TIMES 4 /* as often as systemd wants to hear */

struct watchdog {
    struct http_server *server;
    int64_t period_ms;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ending;
};

static void look(struct watchdog *watchdog, unsigned turn)
{
    struct err err;

    if (http_server_probe(watchdog->server, turn, (int)(watchdog->period_ms * TIMES / 2), &err) ==
        ERR_OK)
        systemd_notify("WATCHDOG=1");
    else
        log_err(LOG_ERROR, "the watchdog's prediction failed", &err);
}

/* False: it ends. */
static bool rest(struct watchdog *watchdog)
{
    struct timespec until;
    bool ending;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += watchdog->period_ms % 1000 * 1000000;
    until.tv_sec += watchdog->period_ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&watchdog->lock);
    while (!watchdog->ending &&
           pthread_cond_timedwait(&watchdog->changed, &watchdog->lock, &until) == 0)
        ;
    ending = watchdog->ending;
    pthread_mutex_unlock(&watchdog->lock);
    return !ending;
}

static void *watch(void *cls)
{
    struct watchdog *watchdog = cls;
    unsigned turn = 0;

    do
        look(watchdog, turn++);
    while (rest(watchdog));
    return NULL;
}

enum err_code watchdog_start(struct http_server *server, struct watchdog **ret_watchdog,
                             struct err *err)
{
    int64_t wanted_ms = systemd_watchdog_ms();
    struct watchdog *watchdog;
    pthread_condattr_t attributes;
    int failure;

    *ret_watchdog = NULL;
    if (wanted_ms == 0)
        return ERR_OK;
    watchdog = calloc(1, sizeof(*watchdog));
    if (watchdog == NULL)
        return err_nomem(err);
    watchdog->server = server;
    watchdog->period_ms = wanted_ms / TIMES > 0 ? wanted_ms / TIMES : 1;
    pthread_mutex_init(&watchdog->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watchdog->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    failure = pthread_create(&watchdog->thread, NULL, watch, watchdog);
    watchdog->has_thread = failure == 0;
    if (failure != 0) {
        watchdog_free(watchdog);
        return err_errno(err, failure, "cannot start the watchdog's thread");
    }
    *ret_watchdog = watchdog;
    return ERR_OK;
}

void watchdog_free(struct watchdog *watchdog)
{
    if (watchdog == NULL)
        return;
    pthread_mutex_lock(&watchdog->lock);
    watchdog->ending = true;
    pthread_cond_signal(&watchdog->changed);
    pthread_mutex_unlock(&watchdog->lock);
    if (watchdog->has_thread)
        pthread_join(watchdog->thread, NULL);
    pthread_cond_destroy(&watchdog->changed);
    pthread_mutex_destroy(&watchdog->lock);
    free(watchdog);
}
