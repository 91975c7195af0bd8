#include "config/options_table.h"

#include <stdio.h>
#include <string.h>

#include "base/nearest.h"

#define KIB    INT64_C(1024)
#define MIB    (KIB * 1024)
#define GIB    (MIB * 1024)
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

static const char *const role_names[] = {"all", "server", "trainer", NULL};
static const char *const format_names[] = {"logfmt", "json", NULL};
static const char *const switch_names[] = {"no", "yes", NULL};
static const char *const level_names[] = {"debug", "info", "warning", "error", NULL};

static bool is_listen(const char *text)
{
    char host[256];
    int port;

    if (options_listen_path(text) != NULL)
        return true;
    return options_split_listen(text, host, sizeof(host), &port, NULL) == ERR_OK;
}

#define AT(field) offsetof(struct options, field)

const struct option_row option_rows[] = {
    {.name = "dsn",
     .type = OPTION_TEXT,
     .offset = AT(dsn),
     .fallback = "",
     .placeholder = "CONNINFO",
     .fallback_help = "the PG* variables",
     .help = "database of the catalog, as libpq's connection string or URI",
     .secret = true,
     .credential = true},
    {.name = "read_dsn",
     .type = OPTION_TEXT,
     .offset = AT(read_dsn),
     .fallback = "",
     .placeholder = "CONNINFO",
     .fallback_help = "dsn",
     .help = "where relations are read, such as a replica, by a role that can only read",
     .secret = true,
     .credential = true},
    {.name = "listen",
     .type = OPTION_TEXT,
     .offset = AT(listen),
     .fallback = "127.0.0.1:8080",
     .valid = is_listen,
     .placeholder = "ADDRESS:PORT",
     .help = "where HTTP is served: port 0 takes any free one, unix:/PATH a Unix socket"},
    {.name = "state_dir",
     .type = OPTION_TEXT,
     .offset = AT(state_dir),
     .fallback = "",
     .placeholder = "DIR",
     .fallback_help = "$STATE_DIRECTORY, else ~/.local/state/pgboost",
     .help = "folder for files of its own: live models, what training spills"},
    {.name = "worker",
     .type = OPTION_TEXT,
     .offset = AT(worker),
     .fallback = "",
     .placeholder = "FILE",
     .fallback_help = "pgboost-worker beside pgboostd",
     .help = "the program that trains"},
    {.name = "threads",
     .type = OPTION_INT,
     .offset = AT(threads),
     .fallback = "0",
     .high = 256,
     .placeholder = "N",
     .fallback_help = "one a core",
     .help = "threads that serve HTTP"},
    {.name = "workers",
     .type = OPTION_INT,
     .offset = AT(workers),
     .fallback = "1",
     .low = 1,
     .high = 64,
     .placeholder = "N",
     .help = "runs trained at the same time"},
    {.name = "worker_memory",
     .type = OPTION_BYTES,
     .offset = AT(worker_memory),
     .fallback = "0",
     .high = 1024 * GIB,
     .placeholder = "SIZE",
     .fallback_help = "no limit",
     .help = "memory of one worker: a run that needs more fails, and says so"},
    {.name = "role",
     .type = OPTION_CHOICE,
     .offset = AT(role),
     .fallback = "all",
     .names = role_names,
     .placeholder = "ROLE",
     .help = "all; server starts no training; trainer answers no predictions"},
    {.name = "body_limit",
     .type = OPTION_BYTES,
     .offset = AT(body_limit_bytes),
     .fallback = "16 MiB",
     .low = KIB,
     .high = GIB,
     .placeholder = "SIZE",
     .help = "largest body of a request",
     .reloads = true},
    {.name = "rows_limit",
     .type = OPTION_INT,
     .offset = AT(rows_limit),
     .fallback = "10000",
     .low = 1,
     .high = 1000000,
     .placeholder = "N",
     .help = "most rows of a request",
     .reloads = true},
    {.name = "lookup_pool_size",
     .type = OPTION_INT,
     .offset = AT(lookup_pool_size),
     .fallback = "4",
     .low = 1,
     .high = 256,
     .placeholder = "N",
     .help = "connections to read_dsn that look rows up by key, opened when they are needed"},
    {.name = "lookup_queue",
     .type = OPTION_INT,
     .offset = AT(lookup_queue),
     .fallback = "1000",
     .low = 1,
     .high = 1000000,
     .placeholder = "N",
     .help = "requests that may wait for these connections; one more is told to come back"},
    {.name = "lookup_timeout",
     .type = OPTION_DURATION,
     .offset = AT(lookup_timeout_ms),
     .fallback = "2 s",
     .low = 10,
     .high = HOUR,
     .placeholder = "TIME",
     .help = "how long a look-up may take in all: its wait for a connection, Postgres, what is "
             "tried again"},
    {.name = "lookup_cache",
     .type = OPTION_BYTES,
     .offset = AT(lookup_cache_bytes),
     .fallback = "64 MiB",
     .low = KIB,
     .high = 1024 * GIB,
     .placeholder = "SIZE",
     .help = "memory for rows of projects with cache_seconds; the one not asked for longest goes"},
    {.name = "tokens",
     .type = OPTION_TEXT,
     .offset = AT(tokens),
     .fallback = "",
     .placeholder = "FILE",
     .fallback_help = "none, and anybody may ask",
     .help = "tokens that requests need, a line each as \"pgboost token\" makes them",
     .reloads = true,
     .credential = true},
    {.name = "tls_cert",
     .type = OPTION_TEXT,
     .offset = AT(tls_cert),
     .fallback = "",
     .placeholder = "FILE",
     .fallback_help = "none, and HTTP is plain",
     .help = "certificate of HTTPS with its chain, as PEM; a reload reads the file again",
     .reloads = true,
     .credential = true},
    {.name = "tls_key",
     .type = OPTION_TEXT,
     .offset = AT(tls_key),
     .fallback = "",
     .placeholder = "FILE",
     .fallback_help = "none",
     .help = "its key, which nobody else may read",
     .reloads = true,
     .credential = true},
    {.name = "protected_mode",
     .type = OPTION_CHOICE,
     .offset = AT(protected_mode),
     .fallback = "yes",
     .names = switch_names,
     .placeholder = "YES|NO",
     .help = "yes refuses to listen beyond this machine without tokens and tls_cert; no is for "
             "networks where others see to that"},
    {.name = "hosts",
     .type = OPTION_TEXT,
     .offset = AT(hosts),
     .fallback = "",
     .placeholder = "NAME,…",
     .fallback_help = "addresses, localhost, and names without a dot",
     .help = "more names that this server is called by, for a request's Host; * is any",
     .reloads = true},
    {.name = "origins",
     .type = OPTION_TEXT,
     .offset = AT(origins),
     .fallback = "",
     .placeholder = "URL,…",
     .fallback_help = "none",
     .help = "sites whose pages may ask from a browser, as https://app.example.com",
     .reloads = true},
    {.name = "connections",
     .type = OPTION_INT,
     .offset = AT(connections),
     .fallback = "4096",
     .low = 1,
     .high = 60000,
     .placeholder = "N",
     .help = "most connections at once; beyond, the longest idle one makes room, or the new one "
             "is turned away"},
    {.name = "connections_per_address",
     .type = OPTION_INT,
     .offset = AT(connections_per_address),
     .fallback = "1024",
     .high = 60000,
     .placeholder = "N",
     .help = "most of them from one address, or IPv6 network of 64 bits; 0: no limit, as behind a "
             "proxy",
     .reloads = true},
    {.name = "head_timeout",
     .type = OPTION_DURATION,
     .offset = AT(head_timeout_ms),
     .fallback = "8 s",
     .low = SECOND,
     .high = HOUR,
     .placeholder = "TIME",
     .help = "time for a request's head, from its first byte on",
     .reloads = true},
    {.name = "body_timeout",
     .type = OPTION_DURATION,
     .offset = AT(body_timeout_ms),
     .fallback = "8 s",
     .low = SECOND,
     .high = HOUR,
     .placeholder = "TIME",
     .help = "time in which a body must bring another 64 KiB a second of it, or its end",
     .reloads = true},
    {.name = "reply_timeout",
     .type = OPTION_DURATION,
     .offset = AT(reply_timeout_ms),
     .fallback = "8 s",
     .low = SECOND,
     .high = HOUR,
     .placeholder = "TIME",
     .help = "time the same for a client that reads an answer",
     .reloads = true},
    {.name = "idle_timeout",
     .type = OPTION_DURATION,
     .offset = AT(idle_timeout_ms),
     .fallback = "30 s",
     .low = SECOND,
     .high = HOUR,
     .placeholder = "TIME",
     .help = "time for a connection between requests",
     .reloads = true},
    {.name = "spill_above",
     .type = OPTION_BYTES,
     .offset = AT(spill_above),
     .fallback = "64 MiB",
     .low = KIB,
     .high = 1024 * GIB,
     .placeholder = "SIZE",
     .help = "a run's rows and its encoded matrix, beyond this each, go to a file in state_dir"},
    {.name = "keep_runs",
     .type = OPTION_DURATION,
     .offset = AT(keep_runs_ms),
     .fallback = "90 d",
     .low = SECOND,
     .high = 36500 * 24 * HOUR,
     .placeholder = "TIME",
     .help = "runs that ended longer ago are deleted, unless their models are still there",
     .reloads = true},
    {.name = "poll",
     .type = OPTION_DURATION,
     .offset = AT(poll_ms),
     .fallback = "2 s",
     .low = 100,
     .high = HOUR,
     .placeholder = "TIME",
     .help = "how often the catalog is asked for news, where NOTIFY does not reach",
     .reloads = true},
    {.name = "slow_request",
     .type = OPTION_DURATION,
     .offset = AT(slow_request_ms),
     .fallback = "1 s",
     .high = HOUR,
     .placeholder = "TIME",
     .help = "requests that take so long or longer are logged; 0: none is",
     .reloads = true},
    {.name = "log_format",
     .type = OPTION_CHOICE,
     .offset = AT(log_format),
     .fallback = "logfmt",
     .names = format_names,
     .placeholder = "FORMAT",
     .help = "logfmt or json, a line an event",
     .reloads = true},
    {.name = "log_level",
     .type = OPTION_CHOICE,
     .offset = AT(log_level),
     .fallback = "info",
     .names = level_names,
     .placeholder = "LEVEL",
     .help = "debug, info, warning or error",
     .reloads = true},
};

const int n_option_rows = N_ELEMENTS(option_rows);

static bool same_name(const char *name, const char *text, size_t length)
{
    if (strlen(name) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((text[i] == '-' ? '_' : text[i]) != name[i])
            return false;
    return true;
}

const struct option_row *option_find(const char *name, size_t length)
{
    for (int i = 0; i < n_option_rows; i++)
        if (same_name(option_rows[i].name, name, length))
            return &option_rows[i];
    return NULL;
}

const char *option_nearest(const char *name)
{
    const char *names[N_ELEMENTS(option_rows)];

    for (int i = 0; i < n_option_rows; i++)
        names[i] = option_rows[i].name;
    return nearest_name(name, names, n_option_rows);
}

/* Largest first within a kind, so that a bound is printed in the unit that suits it. As in
 * Postgres, kB, MB and GB count in 1024s. */
static const struct unit {
    const char *name;
    enum option_type type;
    int64_t factor;
} units[] = {
    {"GiB", OPTION_BYTES, GIB},     {"MiB", OPTION_BYTES, MIB},
    {"KiB", OPTION_BYTES, KIB},     {"GB", OPTION_BYTES, GIB},
    {"MB", OPTION_BYTES, MIB},      {"kB", OPTION_BYTES, KIB},
    {"B", OPTION_BYTES, 1},         {"d", OPTION_DURATION, 24 * HOUR},
    {"h", OPTION_DURATION, HOUR},   {"min", OPTION_DURATION, MINUTE},
    {"s", OPTION_DURATION, SECOND}, {"ms", OPTION_DURATION, 1},
};

static const struct unit *find_unit(enum option_type type, const char *name)
{
    for (size_t i = 0; i < N_ELEMENTS(units); i++)
        if (units[i].type == type && strcmp(units[i].name, name) == 0)
            return &units[i];
    return NULL;
}

/* "64 MiB": digits, spaces, a unit where the type has units. Zero needs none. */
static bool parse_amount(enum option_type type, const char *text, int64_t *ret_amount)
{
    int64_t amount = 0;
    const struct unit *unit;
    const char *at = text;

    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(amount, 10, &amount) ||
            __builtin_add_overflow(amount, *at - '0', &amount))
            return false;
    if (at == text)
        return false;
    at += strspn(at, " \t");
    if (*at != '\0') {
        unit = find_unit(type, at);
        if (unit == NULL || __builtin_mul_overflow(amount, unit->factor, &amount))
            return false;
    } else if (type != OPTION_INT && amount != 0) {
        return false;
    }
    *ret_amount = amount;
    return true;
}

static void put_amount(enum option_type type, int64_t amount, struct buf *text)
{
    for (size_t i = 0; i < N_ELEMENTS(units); i++) {
        if (units[i].type == type && amount != 0 && amount % units[i].factor == 0) {
            buf_printf(text, "%lld %s", (long long)(amount / units[i].factor), units[i].name);
            return;
        }
    }
    buf_printf(text, "%lld", (long long)amount);
}

void option_put_range(const struct option_row *row, struct buf *text)
{
    static const char *const nouns[] = {
        [OPTION_INT] = "a whole number", [OPTION_BYTES] = "a size", [OPTION_DURATION] = "a time"};

    if (row->type == OPTION_TEXT) {
        buf_puts(text, row->placeholder);
        return;
    }
    if (row->type == OPTION_CHOICE) {
        buf_puts(text, "one of ");
        for (int i = 0; row->names[i] != NULL; i++)
            buf_printf(text, "%s\"%s\"", i > 0 ? ", " : "", row->names[i]);
        return;
    }
    buf_printf(text, "%s between ", nouns[row->type]);
    put_amount(row->type, row->low, text);
    buf_puts(text, " and ");
    put_amount(row->type, row->high, text);
}

/* "a size between 1 KiB and 1 GiB with its unit, such as "16 MiB"" */
static void put_expected(const struct option_row *row, struct buf *text)
{
    option_put_range(row, text);
    if (row->type == OPTION_TEXT)
        buf_printf(text, ", such as \"%s\"",
                   row->fallback[0] != '\0' ? row->fallback : row->fallback_help);
    else if (row->type == OPTION_BYTES || row->type == OPTION_DURATION)
        buf_printf(text, " with its unit, such as \"%s\"", row->fallback);
}

void option_put_value(const struct option_row *row, const struct options *options, struct buf *text)
{
    const char *at = (const char *)options + row->offset;
    int64_t amount;
    int choice;

    if (row->secret) {
        buf_puts(text, "(secret)");
    } else if (row->type == OPTION_TEXT) {
        buf_puts(text, *(const char *const *)at);
    } else if (row->type == OPTION_CHOICE) {
        memcpy(&choice, at, sizeof(choice));
        buf_puts(text, row->names[choice]);
    } else {
        memcpy(&amount, at, sizeof(amount));
        put_amount(row->type, amount, text);
    }
}

/* Where a value stood, for messages. */
struct place {
    const char *subject;
    enum err_code code;
};

static enum err_code refuse(const struct option_row *row, const char *text,
                            const struct place *place, struct err *err)
{
    CLEANUP(buf_release) struct buf expected = {0};

    put_expected(row, &expected);
    err_set(err, place->code, "%s: expected %s, found \"%.60s\"", place->subject,
            buf_text(&expected), row->secret ? "…" : text);
    err_field(err, "%s", row->name);
    return place->code;
}

static enum err_code set_text(struct options *options, const struct option_row *row,
                              const char *text, const struct place *place, struct err *err)
{
    char *copy;

    if (row->valid != NULL && !row->valid(text))
        return refuse(row, text, place, err);
    copy = arena_strdup(&options->arena, text);
    if (copy == NULL)
        return err_nomem(err);
    *(const char **)((char *)options + row->offset) = copy;
    return ERR_OK;
}

static enum err_code set_choice(struct options *options, const struct option_row *row,
                                const char *text, const struct place *place, struct err *err)
{
    for (int i = 0; row->names[i] != NULL; i++) {
        if (strcmp(row->names[i], text) == 0) {
            memcpy((char *)options + row->offset, &i, sizeof(i)); /* gcc's enums are ints */
            return ERR_OK;
        }
    }
    return refuse(row, text, place, err);
}

enum err_code option_set(struct options *options, const struct option_row *row, const char *text,
                         const char *subject, enum err_code code, struct err *err)
{
    struct place place = {subject, code};
    int64_t amount;

    if (row->type == OPTION_TEXT)
        return set_text(options, row, text, &place, err);
    if (row->type == OPTION_CHOICE)
        return set_choice(options, row, text, &place, err);
    if (!parse_amount(row->type, text, &amount) || amount < row->low || amount > row->high)
        return refuse(row, text, &place, err);
    *(int64_t *)((char *)options + row->offset) = amount;
    return ERR_OK;
}
