/*
 * The one door to Postgres: a connection with deadlines.
 *
 * Every wait is libpq's asynchronous interface with poll() and a deadline, so that a stopped server
 * costs a bounded time. A connection that timed out or broke is `broken`: every later call answers
 * ERR_UNREACHABLE at once, and the owner closes it. Statements and parameters are separate, always
 * (PQsendQueryParams; nothing is pasted into SQL but identifiers through pg_quote_identifier).
 * One thread at a time per connection; pg_wait's interrupt_fd lets another thread wake it.
 *
 * Through a pooler (pgbouncer) every statement is a transaction of its own, and nothing is set
 * for, kept in or heard by a session: see session.c.
 *
 * In the way of the data: first. Refuses: knowing what a run or a model is (catalog does).
 */
#ifndef PGBOOST_PG_PG_H
#define PGBOOST_PG_PG_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct pg;

/* Ends waits early, from another thread: once it is raised, for good, a connection waits no longer
 * than so many milliseconds more, all in all, and is then broken. */
struct pg_stop {
    int grace_ms;
    int fd; /* readable once raised */
    bool is_open;
};
MUST_CHECK enum err_code pg_stop_open(struct pg_stop *stop, int grace_ms, struct err *err);
void pg_stop_raise(const struct pg_stop *stop);
void pg_stop_close(struct pg_stop *stop); /* of zeroed memory: nothing */

struct pg_options {
    const char *dsn;              /* conninfo or URI; NULL or "": libpq's own defaults and PG* */
    const char *application_name; /* shown in pg_stat_activity */
    int connect_timeout_ms;       /* 0: the dsn's or PGCONNECT_TIMEOUT, else 10 s */
    int64_t give_up_ms;       /* 0: never; else as pg_give_up_at, for what opens the session too */
    int statement_timeout_ms; /* of one statement; 0: 60 s, <0: none. The server's own
                                 statement_timeout too, so that it stops what nobody awaits;
                                 the client gives up 1 s later. In a COPY: the longest silence */
    bool read_only;           /* default_transaction_read_only */
    const struct pg_stop *stop; /* outlives the connection; NULL: none */
};

/* Errors: ERR_UNREACHABLE (server down, wrong host, timeout), ERR_DENIED (password, role, no
 * CONNECT privilege), ERR_NOT_FOUND (no such database), ERR_CONFIG (conninfo cannot be parsed);
 * each with a hint. The password never shows. Sets search_path = pg_catalog, DateStyle ISO,
 * IntervalStyle postgres, TimeZone UTC, client_encoding UTF8, extra_float_digits 3. Notices are
 * dropped. */
MUST_CHECK enum err_code pg_connect(const struct pg_options *options, struct pg **ret_pg,
                                    struct err *err);
void pg_close(struct pg *pg);
DEFINE_FREEP(struct pg *, pg_close)

/* Another statement timeout than that of pg_options, above 0, for what comes. */
MUST_CHECK enum err_code pg_set_statement_timeout(struct pg *pg, int timeout_ms, struct err *err);
/* The client waits for nothing beyond this point, whatever the statement's timeout is, until it is
 * set again: the connection is then broken. Takes the place of a stop, come or not. */
void pg_give_up_at(struct pg *pg, int64_t deadline_ms);

bool pg_broken(const struct pg *pg);
bool pg_pooled(const struct pg *pg);
int pg_socket(const struct pg *pg);
int pg_server_version(const struct pg *pg);   /* 150020 */
const char *pg_describe(const struct pg *pg); /* "host=… port=… dbname=… user=…" for people */

/* A parameter. Text unless n_bytes says binary. value NULL is SQL's NULL. */
struct pg_param {
    const char *value;
    size_t n_bytes; /* binary only */
    bool binary;
};

#define PG_TEXT(text)                                                                              \
    (struct pg_param)                                                                              \
    {                                                                                              \
        .value = (text)                                                                            \
    }
#define PG_BYTES(data, size)                                                                       \
    (struct pg_param)                                                                              \
    {                                                                                              \
        .value = (const char *)(data), .n_bytes = (size), .binary = true                           \
    }

/* Words of ours that the server must be able to store: `text` as it is where its encoding holds
 * every character, and elsewhere in ASCII, in `storage`, with "?" for what is lost. What users name
 * is sent as it is. */
const char *pg_plain(const struct pg *pg, const char *text, struct buf *storage);

/* A parameter from an int64; the text lives in the caller's struct. */
struct pg_int {
    char text[24];
};
struct pg_param pg_param_int(struct pg_int *storage, int64_t value);

/* One statement; results as text (binary_results: binary). The caller states the shape once:
 *   pg_exec  anything; ret_n_rows (may be NULL): rows affected
 *   pg_rows  any number of rows
 *   pg_row   exactly one: none is ERR_NOT_FOUND, more is ERR_FAILED
 * Errors of the server: code by SQLSTATE (42501 and 28xxx ERR_DENIED, 42P01/42703/3F000
 * ERR_NOT_FOUND, 57014 ERR_TIMEOUT, 53xxx and 57Pxx/08xxx ERR_UNREACHABLE, 54xxx ERR_LIMIT, 40001,
 * 40P01, 23505 and 55P03 ERR_CONFLICT, others ERR_SQL) with sqlstate set and the server's primary
 * message and hint; DETAIL is left out, it holds rows. What a standby refuses or breaks off (25006
 * where the connection is to write, 40xxx where it reads only) is ERR_UNREACHABLE, and the
 * connection broken: another one may find the primary, or do better. */
struct pg_table {
    PGresult *result;
    int n_rows, n_columns;
};
void pg_table_release(struct pg_table *table);

MUST_CHECK enum err_code pg_exec(struct pg *pg, const char *sql, int n_params,
                                 const struct pg_param *params, int64_t *ret_n_rows,
                                 struct err *err);
MUST_CHECK enum err_code pg_rows(struct pg *pg, const char *sql, int n_params,
                                 const struct pg_param *params, struct pg_table *ret_table,
                                 struct err *err);
MUST_CHECK enum err_code pg_row(struct pg *pg, const char *sql, int n_params,
                                const struct pg_param *params, struct pg_table *ret_table,
                                struct err *err);
/* Like pg_rows with binary results: for bytea. */
MUST_CHECK enum err_code pg_rows_binary(struct pg *pg, const char *sql, int n_params,
                                        const struct pg_param *params, struct pg_table *ret_table,
                                        struct err *err);

/* A statement that the server reads and plans once, under a name that is the connection's. Then
 * like pg_rows_binary. Of pgbouncer only pools by session have such statements. */
MUST_CHECK enum err_code pg_prepare(struct pg *pg, const char *name, const char *sql,
                                    struct err *err);
MUST_CHECK enum err_code pg_rows_prepared(struct pg *pg, const char *name, int n_params,
                                          const struct pg_param *params, struct pg_table *ret_table,
                                          struct err *err);

/* Several statements in one string, without parameters, in one implicit or explicit transaction:
 * migrations only. On failure err's message starts with the line of the text ("line 12: …"). */
MUST_CHECK enum err_code pg_script(struct pg *pg, const char *sql, struct err *err);

/* Cells. NULL → NULL, 0, false. Text cells are NUL-terminated. */
const char *pg_get_text(const struct pg_table *table, int row, int column);
bool pg_is_null(const struct pg_table *table, int row, int column);
int64_t pg_get_int64(const struct pg_table *table, int row, int column);
double pg_get_double(const struct pg_table *table, int row, int column);
bool pg_get_bool(const struct pg_table *table, int row, int column);
/* Bytes of a binary cell, owned by the result. */
const uint8_t *pg_get_bytes(const struct pg_table *table, int row, int column, size_t *ret_n_bytes);

/* Transactions. pg_rollback is silent: it is for cleanup. pg_end commits where the code, of what
 * was done in the transaction, is ERR_OK; rolls back otherwise, and where the commit fails. Gives
 * what became of it: the code, or that of the commit. */
MUST_CHECK enum err_code pg_begin(struct pg *pg, struct err *err);
MUST_CHECK enum err_code pg_commit(struct pg *pg, struct err *err);
void pg_rollback(struct pg *pg);
MUST_CHECK enum err_code pg_end(struct pg *pg, enum err_code code, struct err *err);

/* Inside a transaction, after statements of others: role and settings as pg_connect made them. */
MUST_CHECK enum err_code pg_restore_session(struct pg *pg, struct err *err);

/* LISTEN (through a pooler nothing: whoever waits must look by himself), and the wait: returns when
 * a notification arrived (*ret_notified), the timeout passed
 * (*ret_notified false), or interrupt_fd (>= 0) became readable. Notifications on all channels are
 * drained; the last payload is copied (cut to size). */
MUST_CHECK enum err_code pg_listen(struct pg *pg, const char *channel, struct err *err);
/* Every notification that arrives, one call each, from within pg_wait. fn NULL: none. */
typedef void (*pg_notify_fn)(void *context, const char *channel, const char *payload);
void pg_on_notify(struct pg *pg, pg_notify_fn fn, void *context);
MUST_CHECK enum err_code pg_wait(struct pg *pg, int timeout_ms, int interrupt_fd,
                                 bool *ret_notified, char *payload, size_t payload_size,
                                 struct err *err);

/* Appends the "quoted" identifier; ERR_INVALID for text that is not valid UTF-8. */
MUST_CHECK enum err_code pg_quote_identifier(struct pg *pg, struct buf *sql, const char *name,
                                             struct err *err);

/* COPY … TO STDOUT (FORMAT binary): rows as field views into libpq's buffer. */
struct pg_field {
    const uint8_t *data; /* NULL: SQL NULL */
    uint32_t n_bytes;
};
struct pg_copy;
MUST_CHECK enum err_code pg_copy_open(struct pg *pg, const char *sql, int n_columns,
                                      struct pg_copy **ret_copy, struct err *err);
/* The next row into fields[n_columns], valid until the next call; *ret_done at the end, after the
 * server confirmed that the COPY was complete. Malformed data: ERR_CORRUPT. */
MUST_CHECK enum err_code pg_copy_next(struct pg_copy *copy, struct pg_field *fields, bool *ret_done,
                                      struct err *err);
void pg_copy_close(struct pg_copy *copy); /* not at the end: the pg is then broken */
DEFINE_FREEP(struct pg_copy *, pg_copy_close)

/* A COPY's bytes can be kept as they come, and read again later in place of it. keep is called with
 * each message before its rows are handed out. next hands out what was kept, in pieces of any size,
 * *ret_n_bytes 0 at the end; a piece stays until the call after the one that gave it returned. */
struct pg_copy_tape {
    enum err_code (*keep)(void *context, const void *bytes, size_t n_bytes, struct err *err);
    enum err_code (*next)(void *context, const void **ret_bytes, size_t *ret_n_bytes,
                          struct err *err);
    void *context;
};
/* Before the first row. */
void pg_copy_keep(struct pg_copy *copy, const struct pg_copy_tape *tape);
/* Needs no connection. */
MUST_CHECK enum err_code pg_copy_replay(const struct pg_copy_tape *tape, int n_columns,
                                        struct pg_copy **ret_copy, struct err *err);

/* COPY … FROM STDIN (FORMAT binary), the other way: rows as the format has them, without its header
 * and trailer, which these functions write. Between begin and end the connection does nothing else.
 * What the server has to say of a row may come with a later piece, or at the end. n_bytes at most
 * INT_MAX. */
MUST_CHECK enum err_code pg_copy_in_begin(struct pg *pg, const char *sql, struct err *err);
MUST_CHECK enum err_code pg_copy_in_put(struct pg *pg, const void *bytes, size_t n_bytes,
                                        struct err *err);
MUST_CHECK enum err_code pg_copy_in_end(struct pg *pg, struct err *err);
/* Breaks it off, for cleanup: nothing of it stays. */
void pg_copy_in_stop(struct pg *pg);

#endif
