/*
 * What the files of lib/pg share: the connection's insides. For lib/pg only.
 */
#ifndef PGBOOST_PG_INTERNAL_H
#define PGBOOST_PG_INTERNAL_H

#include "pg/pg.h"

struct pg {
    PGconn *conn;
    bool broken;    /* timed out, cut, or left in the middle of something */
    bool copying;   /* a struct pg_copy is reading */
    bool read_only; /* as asked for */
    bool pooled;    /* the session is another one, or another's, after each transaction */
    int statement_timeout_ms;
    int64_t give_up_ms;         /* of any wait */
    const struct pg_stop *stop; /* NULL: none, or it has come */
    pg_notify_fn on_notify;
    void *notify_context;
    char *address; /* "127.0.0.1:5432", for messages */
    char *description;
};

/* errors.c ------------------------------------------------------------------------------------- */

/* The first line of libpq's message, without the place it connects to. */
const char *pg_first_line(const char *text, char *line, size_t size);

/* Marks the connection broken. ERR_UNREACHABLE with libpq's reason. */
enum err_code pg_lost(struct pg *pg, struct err *err);

/* A failed result, or (server_message) a connection that failed, as an error. */
enum err_code pg_result_error(struct pg *pg, const PGresult *result, struct err *err);
enum err_code pg_connect_error(struct pg *pg, struct err *err);

/* pg.c ----------------------------------------------------------------------------------------- */

/* ERR_UNREACHABLE when broken, ERR_CONFLICT while a COPY runs. */
MUST_CHECK enum err_code pg_check_usable(const struct pg *pg, struct err *err);

/* wait.c --------------------------------------------------------------------------------------- */

/* Marks the connection broken. ERR_TIMEOUT. */
enum err_code pg_timed_out(struct pg *pg, struct err *err);

/* Until the connection's socket has one of the events. A passed deadline: ERR_TIMEOUT, and the
 * connection is broken. */
MUST_CHECK enum err_code pg_wait_socket(struct pg *pg, short events, int64_t deadline_ms,
                                        struct err *err);

int64_t pg_deadline(const struct pg *pg); /* of a statement that starts now */

/* send.c --------------------------------------------------------------------------------------- */

/* A statement with its parameters goes out. */
MUST_CHECK enum err_code pg_send(struct pg *pg, const char *sql, int n_params,
                                 const struct pg_param *params, bool binary_results,
                                 int64_t deadline_ms, struct err *err);

/* Likewise of a prepared statement, for binary results. Parameters are taken to be small. */
MUST_CHECK enum err_code pg_send_prepared(struct pg *pg, const char *name, int n_params,
                                          const struct pg_param *params, int64_t deadline_ms,
                                          struct err *err);

/* Everything queued goes out. */
MUST_CHECK enum err_code pg_flush(struct pg *pg, int64_t deadline_ms, struct err *err);

/* session.c ------------------------------------------------------------------------------------ */

/* Finds out whether a pooler stands between us and the server, and sets what every statement relies
 * on: for the session, or, through a pooler, at the begin of each transaction. */
MUST_CHECK enum err_code pg_open_session(struct pg *pg, struct err *err);

/* A statement outside of a transaction, through a pooler: it needs one of its own. */
bool pg_needs_transaction(const struct pg *pg);

/* BEGIN with `mode` ("", "READ ONLY" …), and through a pooler what statements rely on. */
MUST_CHECK enum err_code pg_begin_as(struct pg *pg, const char *mode, struct err *err);

/* query.c -------------------------------------------------------------------------------------- */

/* How far a string of statements came. */
struct pg_progress {
    int n_done;   /* statements that succeeded */
    int position; /* of the error, in characters from 1; 0: the server named none */
};

/* Several statements without parameters, sent as one; progress may be NULL. */
MUST_CHECK enum err_code pg_run_script(struct pg *pg, const char *sql, struct pg_progress *progress,
                                       struct err *err);

/* The next result; NULL when there is no more. */
MUST_CHECK enum err_code pg_next_result(struct pg *pg, int64_t deadline_ms, PGresult **ret_result,
                                        struct err *err);

/* All results to the last: that one is returned (progress and ret_last may be NULL), the first
 * error wins. */
MUST_CHECK enum err_code pg_collect(struct pg *pg, int64_t deadline_ms, PGresult **ret_last,
                                    struct pg_progress *progress, struct err *err);

/* script.c ------------------------------------------------------------------------------------- */

/* Lines (from 1) of the character at `position` (from 1), and of the first word of statement
 * `index` (from 0). */
int script_line_of_position(const char *sql, int position);
int script_line_of_statement(const char *sql, int index);

/* relation_name.c ------------------------------------------------------------------------------ */

#define PG_IDENTIFIER_SIZE 64 /* NAMEDATALEN */

struct relation_name {
    char schema[PG_IDENTIFIER_SIZE]; /* "public" when the text names none */
    char name[PG_IDENTIFIER_SIZE];
};

/* Reads name, schema.name, with SQL's quoting and folding. ERR_INVALID says what is wrong. */
MUST_CHECK enum err_code relation_name_parse(const char *text, struct relation_name *ret_name,
                                             struct err *err);

#endif
