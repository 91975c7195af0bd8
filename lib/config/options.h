/*
 * The daemon's options: one table row each with type, unit, range, default and help. The example
 * file, --help and the checks are made from it.
 *
 * Precedence: flags over PGBOOST_<OPTION> variables over the file (INI: `name = value`, # and ;
 * comments, one optional [pgboostd] section) over systemd's credentials over defaults. Values have
 * units: "10 s", "250 ms", "64 MiB". What is secret may stand in a file of its own, that
 * `NAME_file` names.
 */
#ifndef PGBOOST_CONFIG_OPTIONS_H
#define PGBOOST_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/spill.h"

enum role { ROLE_ALL, ROLE_SERVER, ROLE_TRAINER };

struct options {
    const char *dsn;       /* "": libpq's defaults */
    const char *read_dsn;  /* default: dsn */
    const char *listen;    /* "127.0.0.1:8080"; "[::1]:8080"; "unix:/run/pgboost/http" */
    const char *state_dir; /* default: $STATE_DIRECTORY, else $XDG_STATE_HOME/pgboost, else
                              ~/.local/state/pgboost */
    const char *worker;    /* "": beside pgboostd */
    int64_t threads;       /* HTTP; 0: one a core */
    int64_t workers;       /* runs trained at once; 1 */
    int64_t worker_memory; /* bytes of one; 0: no limit */
    enum role role;
    int64_t body_limit_bytes;                     /* of a request; 16 MiB */
    int64_t rows_limit;                           /* of a request; 10000 */
    int64_t connections, connections_per_address; /* 4096, 1024 */
    int64_t head_timeout_ms, body_timeout_ms, reply_timeout_ms, idle_timeout_ms; /* 8 s; 30 s */
    const char *tokens;             /* file; "": none is needed */
    const char *tls_cert, *tls_key; /* files; "": plain HTTP */
    const char *hosts, *origins;    /* lists, divided by commas */
    enum { OPTIONS_NO, OPTIONS_YES } protected_mode;
    int64_t lookup_pool_size;   /* connections that read rows by key; 4 */
    int64_t lookup_queue;       /* requests that may wait for them; 1000 */
    int64_t lookup_timeout_ms;  /* 2 s */
    int64_t lookup_cache_bytes; /* of rows that are kept; 64 MiB */
    int64_t spill_above;        /* bytes of a run in memory; 64 MiB */
    int64_t keep_runs_ms;       /* ended runs and their trials; 90 d */
    int64_t poll_ms;            /* where NOTIFY does not reach; 2 s */
    int64_t slow_request_ms;    /* requests that take so long are logged; 1 s; 0: none */
    enum { OPTIONS_LOG_LOGFMT, OPTIONS_LOG_JSON } log_format;
    enum { OPTIONS_LOG_DEBUG, OPTIONS_LOG_INFO, OPTIONS_LOG_WARNING, OPTIONS_LOG_ERROR } log_level;
    struct arena arena;
};

#define OPTIONS_DEFAULT_FILE "/etc/pgboost/pgboostd.conf"

/* Reads everything: argv (from argv[1]), environment, file (--config FILE or
 * $PGBOOST_CONFIG; the default file only when it exists). ERR_CONFIG with file and line for the
 * file, ERR_USAGE for flags. Flags: --option value, --option=value. Sets *ret_action. */
enum options_action { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_CHECK, OPTIONS_PRINT };
MUST_CHECK enum err_code options_load(int argc, char **argv, struct options *ret_options,
                                      enum options_action *ret_action, struct err *err);
void options_release(struct options *options);

/* Takes over into `current` what may change while the daemon runs. Calls `note` with each option
 * that differs: `taken` says whether it was taken over or needs a restart; a secret's values are
 * not shown. On ERR_NOMEM part of it was taken over, and may be again. */
struct option_change {
    const char *name, *before, *after;
    bool taken;
};
typedef void (*option_change_fn)(void *context, const struct option_change *change);
MUST_CHECK enum err_code options_reload(struct options *current, const struct options *fresh,
                                        option_change_fn note, void *context, struct err *err);

/* spill_above and the folder for programs that are not the daemon: by flags (NULL: not given), else
 * by variables (the daemon sets them for its workers); the folder is else $TMPDIR or /var/tmp. */
MUST_CHECK enum err_code options_spill(const char *above, const char *folder,
                                       struct spill_rule *ret_rule, struct err *err);

void options_help(struct buf *text);    /* the options part of --help */
void options_example(struct buf *text); /* a whole example file, every option commented */

/* The path of "unix:PATH", or NULL: an address and a port. */
const char *options_listen_path(const char *listen);

/* Host and port of `listen`. port -1 is an error; 0: any free one. */
MUST_CHECK enum err_code options_split_listen(const char *listen, char *host, size_t host_size,
                                              int *ret_port, struct err *err);

#endif
