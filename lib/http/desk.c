#include "http/desk.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "catalog/catalog.h"
#include "http/exchange.h"
#include "http/routes.h"

#define CONNECT_TIMEOUT_MS   5000
#define STATEMENT_TIMEOUT_MS 10000
#define WAIT_MAX_MS          8000 /* behind others */

struct place {
    struct exchange *exchange;
    int64_t since_ms;
};

struct desk {
    char *dsn;
    struct pg *pg;       /* of the thread; NULL: not connected */
    struct pg_stop stop; /* at once: who could be waited for was */
    pthread_mutex_t lock;
    pthread_cond_t came;
    pthread_t thread;
    bool has_thread, ending;
    int n, first; /* waiting: a ring */
    struct place waiting[DESK_MAX];
};

/* The catalog --------------------------------------------------------------------------------- */

static enum err_code connect_catalog(struct desk *desk, struct err *err)
{
    const struct pg_options options = {
        .dsn = desk->dsn,
        .application_name = "pgboostd (http)",
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .statement_timeout_ms = STATEMENT_TIMEOUT_MS,
        .stop = &desk->stop,
    };

    pg_close(TAKE_PTR(desk->pg));
    TRY(pg_connect(&options, &desk->pg, err));
    return catalog_check_version(desk->pg, err);
}

/* A connection that the server has closed meanwhile is noticed by asking for the version, before
 * anything is changed. */
static enum err_code be_connected(struct desk *desk, struct err *err)
{
    if (desk->pg != NULL && catalog_check_version(desk->pg, NULL) == ERR_OK)
        return ERR_OK;
    return connect_catalog(desk, err);
}

/* Where Postgres holds up each request as long as it may, the last of many would wait for minutes.
 */
static enum err_code check_wait(const struct place *place, struct err *err)
{
    if (clock_ms() - place->since_ms < WAIT_MAX_MS)
        return ERR_OK;
    err_set(err, ERR_UNREACHABLE, "the catalog is too busy, or too far away, to answer in time");
    return err_hint(err, "come back in a moment");
}

static void see_to(struct desk *desk, const struct place *place)
{
    struct exchange *exchange = place->exchange;
    struct err *err = &exchange->err;
    enum err_code code = check_wait(place, err);

    if (code == ERR_OK)
        code = be_connected(desk, err);
    if (code == ERR_OK)
        code = route_ask(exchange->route, exchange, desk->pg, err);
    exchange_handled(exchange, code);
}

/* The thread ---------------------------------------------------------------------------------- */

/* The next one, its exchange NULL: the desk ends. */
static struct place take(struct desk *desk)
{
    struct place place = {0};

    pthread_mutex_lock(&desk->lock);
    while (desk->n == 0 && !desk->ending)
        pthread_cond_wait(&desk->came, &desk->lock);
    if (!desk->ending) {
        place = desk->waiting[desk->first];
        desk->first = (desk->first + 1) % DESK_MAX;
        desk->n--;
    }
    pthread_mutex_unlock(&desk->lock);
    return place;
}

static void *work(void *cls)
{
    struct desk *desk = cls;
    struct place place;

    while ((place = take(desk)).exchange != NULL) {
        see_to(desk, &place);
        MHD_resume_connection(place.exchange->connection);
    }
    return NULL;
}

bool desk_put(struct desk *desk, struct exchange *exchange)
{
    bool taken;

    pthread_mutex_lock(&desk->lock);
    taken = desk->n < DESK_MAX && !desk->ending;
    if (taken) {
        desk->waiting[(desk->first + desk->n++) % DESK_MAX] = (struct place){exchange, clock_ms()};
        pthread_cond_signal(&desk->came);
    }
    pthread_mutex_unlock(&desk->lock);
    return taken;
}

/* Life ---------------------------------------------------------------------------------------- */

enum err_code desk_new(const char *dsn, struct desk **ret_desk, struct err *err)
{
    CLEANUP(desk_freep) struct desk *desk = calloc(1, sizeof(*desk));
    int failure;

    if (desk == NULL)
        return err_nomem(err);
    pthread_mutex_init(&desk->lock, NULL);
    pthread_cond_init(&desk->came, NULL);
    TRY(pg_stop_open(&desk->stop, 0, err));
    desk->dsn = strdup(dsn);
    if (desk->dsn == NULL)
        return err_nomem(err);
    failure = pthread_create(&desk->thread, NULL, work, desk);
    if (failure != 0)
        return err_errno(err, failure, "cannot start the catalog's thread");
    desk->has_thread = true;
    *ret_desk = TAKE_PTR(desk);
    return ERR_OK;
}

static void turn_away(struct exchange *exchange)
{
    err_set(&exchange->err, ERR_UNREACHABLE, "the daemon is stopping");
    exchange->refusal = err_http_status(ERR_UNREACHABLE);
    MHD_resume_connection(exchange->connection);
}

void desk_stop(struct desk *desk)
{
    if (desk == NULL)
        return;
    pg_stop_raise(&desk->stop);
    pthread_mutex_lock(&desk->lock);
    desk->ending = true;
    pthread_cond_signal(&desk->came);
    pthread_mutex_unlock(&desk->lock);
    if (desk->has_thread)
        pthread_join(desk->thread, NULL);
    desk->has_thread = false;
    for (; desk->n > 0; desk->n--, desk->first = (desk->first + 1) % DESK_MAX)
        turn_away(desk->waiting[desk->first].exchange);
}

void desk_free(struct desk *desk)
{
    if (desk == NULL)
        return;
    desk_stop(desk);
    pg_stop_close(&desk->stop);
    pg_close(desk->pg);
    pthread_cond_destroy(&desk->came);
    pthread_mutex_destroy(&desk->lock);
    free(desk->dsn);
    free(desk);
}
