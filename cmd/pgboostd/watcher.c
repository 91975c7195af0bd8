#include "watcher.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "catalog/catalog.h"
#include "pg/relation.h"

#define CONNECT_TIMEOUT_MS 5000
#define COUNT_TIMEOUT_MS   300000
#define PAUSE_FACTOR       20 /* times as long as the count took, until the next */

struct watcher {
    const char *dsn, *read_dsn;
    int64_t poll_ms;
    struct pg *pg;     /* NULL: not connected */
    char failure[640]; /* as last logged */
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ending;
    int reader_fd; /* -1: nothing is read */
};

/* The reader is broken off when the watcher ends. */
static bool set_reader(struct watcher *watcher, int fd)
{
    bool ending;

    pthread_mutex_lock(&watcher->lock);
    ending = watcher->ending;
    watcher->reader_fd = ending ? -1 : fd;
    pthread_mutex_unlock(&watcher->lock);
    return !ending;
}

static enum err_code count(struct watcher *watcher, const char *name, int64_t *ret_n,
                           struct err *err)
{
    const struct pg_options options = {
        .dsn = watcher->read_dsn,
        .application_name = "pgboostd (count)",
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .statement_timeout_ms = COUNT_TIMEOUT_MS,
        .read_only = true,
    };
    CLEANUP(pg_closep) struct pg *pg = NULL;
    CLEANUP(relation_freep) struct relation *relation = NULL;
    CLEANUP(pg_table_release) struct pg_table table = {0};
    CLEANUP(buf_release) struct buf sql = {0};
    enum err_code code;

    TRY(pg_connect(&options, &pg, err));
    TRY(relation_open(pg, name, &relation, err));
    buf_printf(&sql, "SELECT count(*) FROM %s", relation->name); /* quoted by Postgres */
    TRY(buf_check(&sql, err));
    if (!set_reader(watcher, pg_socket(pg)))
        return err_set(err, ERR_CANCELLED, "the daemon stops");
    code = pg_row(pg, buf_text(&sql), 0, NULL, &table, err);
    set_reader(watcher, -1);
    TRY(code);
    *ret_n = pg_get_int64(&table, 0, 0);
    return ERR_OK;
}

static enum err_code connect_catalog(struct watcher *watcher, struct err *err)
{
    const struct pg_options options = {
        .dsn = watcher->dsn,
        .application_name = "pgboostd (watch)",
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
    };

    if (watcher->pg != NULL && !pg_broken(watcher->pg))
        return ERR_OK;
    pg_close(TAKE_PTR(watcher->pg));
    TRY(pg_connect(&options, &watcher->pg, err));
    return catalog_check_version(watcher->pg, err);
}

/* The next project whose turn it is; *ret_more false: there is none. */
static enum err_code look(struct watcher *watcher, bool *ret_more, struct err *err)
{
    CLEANUP(count_rows_release) struct count_rows rows = {0};
    int64_t started_ms = clock_ms(), n_rows = 0, run_id = 0;
    char project[160];

    TRY(connect_catalog(watcher, err));
    TRY(catalog_claim_count(watcher->pg, &rows, err));
    *ret_more = rows.n > 0;
    if (rows.n == 0)
        return ERR_OK;
    TRY(count(watcher, rows.items[0].relation, &n_rows, err));
    TRY(catalog_note_count(watcher->pg, &rows.items[0], n_rows,
                           (double)(clock_ms() - started_ms) * PAUSE_FACTOR / 1000, &run_id, err));
    if (run_id != 0)
        log_info("new rows make a run",
                 "project=%s run=%" PRId64 " rows=%" PRId64 " before=%" PRId64,
                 log_text(rows.items[0].project, project, sizeof(project)), run_id, n_rows,
                 rows.items[0].base_rows);
    return ERR_OK;
}

/* The same failure is logged once. Without Postgres the control loop says so. */
static void say(struct watcher *watcher, const struct err *err)
{
    if (err->code == ERR_CANCELLED || err->code == ERR_UNREACHABLE ||
        strcmp(watcher->failure, err->message) == 0)
        return;
    memcpy(watcher->failure, err->message, sizeof(watcher->failure));
    log_err(LOG_WARNING, "new rows cannot be counted", err);
}

/* False: the watcher ends. */
static bool rest(struct watcher *watcher)
{
    struct timespec until;
    bool ending;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += watcher->poll_ms / 1000;
    until.tv_nsec += watcher->poll_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&watcher->lock);
    while (!watcher->ending &&
           pthread_cond_timedwait(&watcher->changed, &watcher->lock, &until) == 0)
        ;
    ending = watcher->ending;
    pthread_mutex_unlock(&watcher->lock);
    return !ending;
}

static void *watch(void *cls)
{
    struct watcher *watcher = cls;
    struct err err;

    do {
        bool more = true;

        while (more && set_reader(watcher, -1)) {
            if (look(watcher, &more, &err) == ERR_OK)
                continue;
            say(watcher, &err);
            break;
        }
    } while (rest(watcher));
    return NULL;
}

enum err_code watcher_start(const char *dsn, const char *read_dsn, int64_t poll_ms,
                            struct watcher **ret_watcher, struct err *err)
{
    struct watcher *watcher = calloc(1, sizeof(*watcher));
    pthread_condattr_t attributes;
    int failure;

    if (watcher == NULL)
        return err_nomem(err);
    *watcher =
        (struct watcher){.dsn = dsn, .read_dsn = read_dsn, .poll_ms = poll_ms, .reader_fd = -1};
    pthread_mutex_init(&watcher->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&watcher->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    failure = pthread_create(&watcher->thread, NULL, watch, watcher);
    watcher->has_thread = failure == 0;
    if (failure != 0) {
        watcher_free(watcher);
        return err_errno(err, failure, "cannot start the thread that counts rows");
    }
    *ret_watcher = watcher;
    return ERR_OK;
}

void watcher_free(struct watcher *watcher)
{
    if (watcher == NULL)
        return;
    pthread_mutex_lock(&watcher->lock);
    watcher->ending = true;
    if (watcher->reader_fd >= 0)
        shutdown(watcher->reader_fd, SHUT_RDWR);
    pthread_cond_signal(&watcher->changed);
    pthread_mutex_unlock(&watcher->lock);
    if (watcher->has_thread)
        pthread_join(watcher->thread, NULL);
    pg_close(watcher->pg);
    pthread_cond_destroy(&watcher->changed);
    pthread_mutex_destroy(&watcher->lock);
    free(watcher);
}
