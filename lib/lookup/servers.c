#include "lookup/servers.h"

#include "base/clock.h"
#include "base/log.h"

enum err_code servers_init(struct servers *servers, const char *dsn, struct err *err)
{
    *servers = (struct servers){0};
    pthread_mutex_init(&servers->lock, NULL);
    rng_init(&servers->rng, (uint64_t)clock_us());
    TRY(hosts_split(dsn, &servers->hosts, err));
    servers->states = calloc((size_t)servers->hosts.n, sizeof(*servers->states));
    if (servers->states == NULL)
        return err_nomem(err);
    for (int i = 0; i < servers->hosts.n; i++)
        servers->states[i].backoff = (struct backoff){.first_ms = 100, .most_ms = 5000};
    return ERR_OK;
}

void servers_release(struct servers *servers)
{
    pthread_mutex_destroy(&servers->lock);
    hosts_release(&servers->hosts);
    free(TAKE_PTR(servers->states));
}

int servers_next(struct servers *servers, int from, struct err *err)
{
    int64_t now_ms = clock_ms();
    int found = -1;

    pthread_mutex_lock(&servers->lock);
    for (int i = from; i < servers->hosts.n && found < 0; i++)
        if (servers->states[i].retry_at_ms <= now_ms)
            found = i;
    if (found < 0)
        *err = servers->failure;
    pthread_mutex_unlock(&servers->lock);
    return found;
}

void servers_failed(struct servers *servers, int server, const struct err *err)
{
    struct server *state = &servers->states[server];
    int64_t delay_ms;
    bool news;

    pthread_mutex_lock(&servers->lock);
    news = state->backoff.n_failures == 0;
    delay_ms = backoff_fail(&state->backoff, &servers->rng);
    state->retry_at_ms = news ? 0 : clock_ms() + delay_ms;
    servers->failure = *err;
    pthread_mutex_unlock(&servers->lock);
    if (news)
        log_err(LOG_WARNING, "a server cannot be asked for rows", err);
}

void servers_answered(struct servers *servers, int server)
{
    pthread_mutex_lock(&servers->lock);
    backoff_succeed(&servers->states[server].backoff);
    pthread_mutex_unlock(&servers->lock);
}
