#include "lookup/link.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define LIFETIME_MS (10 * 60 * 1000)
#define AWAY_MS     (30 * 1000) /* of one that is not to the first server: back when that is */
#define FRESH_MS    5000
/* How much later than the server the client gives up, so that the server's word comes first. */
#define GRACE_MS 100
/* A statement's timeout is set in steps, so that it is seldom set. */
#define STEPS 8

void link_init(struct link *link, struct servers *servers, int64_t timeout_ms)
{
    *link = (struct link){.servers = servers, .timeout_ms = timeout_ms};
}

/* Plans --------------------------------------------------------------------------------------- */

static void release_plan(struct link_plan *plan)
{
    free(plan->signature);
    plan_free(plan->plan);
    *plan = (struct link_plan){0};
}

struct link_plan *link_find(struct link *link, const char *signature, size_t length)
{
    for (int i = 0; i < link->n_plans; i++) {
        struct link_plan *plan = &link->plans[i];

        if (plan->signature_length != length || memcmp(plan->signature, signature, length) != 0)
            continue;
        plan->used = ++link->n_used;
        return plan;
    }
    return NULL;
}

void link_forget(struct link *link, struct link_plan *plan)
{
    plan_deallocate(link->pg, plan->plan);
    release_plan(plan);
    *plan = link->plans[--link->n_plans];
    link->plans[link->n_plans] = (struct link_plan){0};
}

static void make_room(struct link *link)
{
    struct link_plan *oldest = &link->plans[0];

    if (link->n_plans < LINK_PLANS_MAX)
        return;
    for (int i = 1; i < link->n_plans; i++)
        if (link->plans[i].used < oldest->used)
            oldest = &link->plans[i];
    link_forget(link, oldest);
}

enum err_code link_make(struct link *link, const char *signature, size_t length,
                        const struct lookup_spec *spec, bool is_where, struct link_plan **ret_plan,
                        struct err *err)
{
    struct link_plan plan = {.signature_length = length, .made_ms = clock_ms()};

    make_room(link);
    plan.signature = malloc(length + 1);
    if (plan.signature == NULL)
        return err_nomem(err);
    memcpy(plan.signature, signature, length);
    if (plan_new(link->pg, spec, is_where, link->n_made++, &plan.plan, err) != ERR_OK) {
        free(plan.signature);
        return err->code;
    }
    plan.used = ++link->n_used;
    *ret_plan = &link->plans[link->n_plans++];
    **ret_plan = plan;
    return ERR_OK;
}

bool link_is_fresh(const struct link_plan *plan)
{
    return clock_ms() - plan->made_ms < FRESH_MS;
}

/* The connection ------------------------------------------------------------------------------ */

void link_close(struct link *link)
{
    while (link->n_plans > 0)
        release_plan(&link->plans[--link->n_plans]);
    pg_close(TAKE_PTR(link->pg));
    link->n_made = 0;
}

/* One plan for all parameters alike, since a statement is there for many of them; nothing that pays
 * for long statements alone. */
static enum err_code prepare_connection(struct pg *pg, struct err *err)
{
    return pg_exec(pg,
                   "SELECT pg_catalog.set_config(name, value, false) FROM (VALUES "
                   "('plan_cache_mode', 'force_generic_plan'), ('jit', 'off'), "
                   "('max_parallel_workers_per_gather', '0'), ('bytea_output', 'hex')) "
                   "AS setting(name, value)",
                   0, NULL, NULL, err);
}

/* Servers that may be tried after this one leave it their share of the time. */
static enum err_code open_server(struct link *link, int server, int64_t deadline_ms,
                                 struct err *err)
{
    int n_left = link->servers->hosts.n - server;
    int share_ms = deadline_left_ms(deadline_ms) / n_left;
    int timeout_ms = share_ms > 0 ? share_ms : 1;
    const struct pg_options options = {
        .dsn = link->servers->hosts.dsns[server],
        .application_name = "pgboostd (look-ups)",
        .connect_timeout_ms = timeout_ms,
        .give_up_ms = deadline_in(timeout_ms), /* one that lets in and then says nothing, too */
        .statement_timeout_ms = (int)link->timeout_ms,
        .read_only = true,
    };
    CLEANUP(pg_closep) struct pg *pg = NULL;

    TRY(pg_connect(&options, &pg, err));
    pg_give_up_at(pg, deadline_ms + GRACE_MS);
    if (!pg_pooled(pg)) /* whose sessions are everybody's */
        TRY(prepare_connection(pg, err));
    link->pg = TAKE_PTR(pg);
    link->server = server;
    link->opened_ms = clock_ms();
    link->statement_ms = options.statement_timeout_ms;
    return ERR_OK;
}

static bool is_usable(const struct link *link)
{
    int64_t age_ms = clock_ms() - link->opened_ms;

    return link->pg != NULL && !pg_broken(link->pg) &&
           age_ms < (link->server > 0 ? AWAY_MS : LIFETIME_MS);
}

static enum err_code connect_first(struct link *link, int64_t deadline_ms, struct err *err)
{
    struct servers *servers = link->servers;

    link_close(link);
    for (int i = servers_next(servers, 0, err); i >= 0; i = servers_next(servers, i + 1, err)) {
        if (open_server(link, i, deadline_ms, err) == ERR_OK) {
            servers_answered(servers, i);
            return ERR_OK;
        }
        servers_failed(servers, i, err);
    }
    err->code = ERR_UNREACHABLE;
    return ERR_UNREACHABLE;
}

/* What is left of the time, so that the server itself stops a statement that nobody waits for. */
static int statement_ms(const struct link *link, int64_t deadline_ms)
{
    int64_t left_ms = deadline_left_ms(deadline_ms), step_ms = link->timeout_ms / STEPS;

    if (step_ms == 0 || left_ms >= link->timeout_ms - GRACE_MS / 2)
        return (int)link->timeout_ms;
    return (int)(left_ms < step_ms ? step_ms : left_ms / step_ms * step_ms);
}

enum err_code link_open(struct link *link, int64_t deadline_ms, struct err *err)
{
    int timeout_ms;

    if (!is_usable(link))
        TRY(connect_first(link, deadline_ms, err));
    pg_give_up_at(link->pg, deadline_ms + GRACE_MS);
    timeout_ms = statement_ms(link, deadline_ms);
    if (timeout_ms == link->statement_ms)
        return ERR_OK;
    TRY(pg_set_statement_timeout(link->pg, timeout_ms, err));
    link->statement_ms = timeout_ms;
    return ERR_OK;
}
