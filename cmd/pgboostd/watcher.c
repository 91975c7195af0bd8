#include "watcher.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

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
    struct pg *pg;       /* NULL: not connected */
    char failure[640];   /* as last logged */
    struct pg_stop stop; /* at once */
    pthread_t thread;
    bool has_thread;
};

static enum err_code count(struct watcher *watcher, const char *name, int64_t *ret_n,
                           struct err *err)
{
    const struct pg_options options = {
        .dsn = watcher->read_dsn,
        .application_name = "pgboostd (count)",
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .statement_timeout_ms = COUNT_TIMEOUT_MS,
        .read_only = true,
        .stop = &watcher->stop,
    };
    CLEANUP(pg_closep) struct pg *pg = NULL;
    CLEANUP(relation_freep) struct relation *relation = NULL;
    CLEANUP(pg_table_release) struct pg_table table = {0};
    CLEANUP(buf_release) struct buf sql = {0};

    TRY(pg_connect(&options, &pg, err));
    TRY(relation_open(pg, name, &relation, err));
    buf_printf(&sql, "SELECT count(*) FROM %s", relation->name); /* quoted by Postgres */
    TRY(buf_check(&sql, err));
    TRY(pg_row(pg, buf_text(&sql), 0, NULL, &table, err));
    *ret_n = pg_get_int64(&table, 0, 0);
    return ERR_OK;
}

static enum err_code connect_catalog(struct watcher *watcher, struct err *err)
{
    const struct pg_options options = {
        .dsn = watcher->dsn,
        .application_name = "pgboostd (watch)",
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .stop = &watcher->stop,
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
    if (err->code == ERR_UNREACHABLE || strcmp(watcher->failure, err->message) == 0)
        return;
    memcpy(watcher->failure, err->message, sizeof(watcher->failure));
    log_err(LOG_WARNING, "new rows cannot be counted", err);
}

/* False: the watcher ends. */
static bool rest(const struct watcher *watcher, int64_t ms)
{
    struct pollfd stop = {.fd = watcher->stop.fd, .events = POLLIN};
    int64_t deadline_ms = deadline_in(ms);
    int n;

    do
        n = poll(&stop, 1, deadline_left_ms(deadline_ms));
    while (n < 0 && errno == EINTR);
    return n == 0;
}

static void *watch(void *cls)
{
    struct watcher *watcher = cls;
    struct err err;

    do {
        bool more = true;

        while (more && rest(watcher, 0)) {
            if (look(watcher, &more, &err) == ERR_OK)
                continue;
            if (rest(watcher, 0))
                say(watcher, &err);
            break;
        }
    } while (rest(watcher, watcher->poll_ms));
    return NULL;
}

enum err_code watcher_start(const char *dsn, const char *read_dsn, int64_t poll_ms,
                            struct watcher **ret_watcher, struct err *err)
{
    CLEANUP(watcher_freep) struct watcher *watcher = calloc(1, sizeof(*watcher));
    int failure;

    if (watcher == NULL)
        return err_nomem(err);
    *watcher = (struct watcher){.dsn = dsn, .read_dsn = read_dsn, .poll_ms = poll_ms};
    TRY(pg_stop_open(&watcher->stop, 0, err));
    failure = pthread_create(&watcher->thread, NULL, watch, watcher);
    if (failure != 0)
        return err_errno(err, failure, "cannot start the thread that counts rows");
    watcher->has_thread = true;
    *ret_watcher = TAKE_PTR(watcher);
    return ERR_OK;
}

void watcher_free(struct watcher *watcher)
{
    if (watcher == NULL)
        return;
    pg_stop_raise(&watcher->stop);
    if (watcher->has_thread)
        pthread_join(watcher->thread, NULL);
    pg_stop_close(&watcher->stop);
    pg_close(watcher->pg);
    free(watcher);
}
