#include "offline.h"

#include <stdlib.h>
#include <time.h>

#include "base/log.h"

/* All that says to libpq which database is meant; a password may change. */
static const char *const variables[] = {"PGHOST",     "PGHOSTADDR", "PGPORT",
                                        "PGDATABASE", "PGSERVICE",  "PGSERVICEFILE"};

enum err_code offline_prepare(struct registry *registry, const struct options *options,
                              struct err *err)
{
    CLEANUP(buf_release) struct buf catalog = {0};

    buf_puts(&catalog, options->dsn);
    for (size_t i = 0; i < N_ELEMENTS(variables); i++) {
        const char *value = getenv(variables[i]);

        buf_printf(&catalog, "\n%s=%s", variables[i], value != NULL ? value : "");
    }
    TRY(buf_check(&catalog, err));
    return registry_keep_cache(registry, options->state_dir, buf_text(&catalog), err);
}

enum err_code offline_start(struct registry *registry, const struct err *why, bool awaits_migration,
                            char ret_moment[OFFLINE_MOMENT_MAX])
{
    struct err failure;
    int64_t saved_at;
    time_t seconds;
    struct tm tm;
    enum err_code code;

    if (why->code != ERR_UNREACHABLE && why->code != ERR_TIMEOUT && !awaits_migration)
        return why->code;
    code = registry_load_cache(registry, &saved_at, &failure);
    if (code != ERR_OK && code != ERR_NOT_FOUND)
        log_err(LOG_ERROR, "the cached models cannot be served", &failure);
    if (code != ERR_OK)
        return why->code;
    seconds = saved_at;
    gmtime_r(&seconds, &tm);
    strftime(ret_moment, OFFLINE_MOMENT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
    log_warning("serving models from the cache", "of=%s", ret_moment);
    return ERR_OK;
}
