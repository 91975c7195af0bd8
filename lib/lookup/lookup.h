/*
 * Rows of a relation by their key, read now: a pool of read connections, each on its own thread.
 *
 * In the way of a prediction by key: HTTP's thread puts an ask and goes on; a thread of the pool
 * takes it, with all others of the same plan that wait at that moment, sends their keys as one
 * prepared statement, and calls each ask's `done` with its rows, whose cells are the ones that
 * training reads (frame/cell.h). Nobody but the pool's threads waits for Postgres.
 *
 *   pool.c    the queue, and the threads
 *   link.c    a thread's connection, and the plans that are prepared on it
 *   servers.c which server is asked; hosts.c: those of a connection string, in their order
 *   plan.c    what is read of a relation, as a prepared statement
 *   keys.c    keys in JSON, checked against the types of the key's columns
 *   counts.c  what became of them, for /metrics
 *   batch.c   one statement for many keys, and again in halves where a row of them fails
 *   rows.c    what stands in a row that came back
 *   foresee.c what a definition's look-ups will meet, when it is applied
 *   cache.c   rows that may be answered again for a while, where a project says so
 *
 * Bounded: connections, how many asks wait, how long one takes, from the moment that it is put to
 * its answer, whatever is tried for it meanwhile. A connection that breaks is opened again and its
 * asks are read once more; a server that fails is left alone for a moment, and the next one of the
 * string is taken meanwhile.
 *
 * Refuses: SQL from clients (values are parameters, columns are found in the relation), knowing
 * what a model is.
 */
#ifndef PGBOOST_LOOKUP_LOOKUP_H
#define PGBOOST_LOOKUP_LOOKUP_H

#include "base/json.h"
#include "base/zone.h"
#include "lookup/counts.h"
#include "pg/relation.h"

#define LOOKUP_KEYS_MAX 32 /* columns of a key: as many as an index of Postgres has */

struct lookup;

struct lookup_options {
    const char *dsn;    /* several hosts: the first that answers */
    int n_connections;  /* at least 1 */
    int queue_max;      /* asks that may wait */
    size_t cache_bytes; /* of rows that are kept for asks with keep_ms */
    int64_t timeout_ms; /* of an ask: its wait, its statement and what is tried again, together */
};

struct lookup_column {
    const char *name;
    enum pg_type type; /* that it must still have */
};

/* What an ask wants of which relation. All of it lives in `arena`. */
struct lookup_spec {
    const char *relation, *timezone; /* the zone of times that name none */
    int n_columns;
    struct lookup_column *columns; /* to read */
    int n_keys;
    const char **keys; /* the columns that name a row */
    int n_where;
    const char **where;      /* of LOOKUP_WHERE: the columns that are compared */
    size_t max_rows;         /* likewise, as the ask has it */
    const char *time_column; /* the row's age goes by it; NULL: by none */
    struct arena arena;
};

/* A spec that met its relation: a prepared statement of one connection. */
struct lookup_plan {
    struct relation *relation;
    struct zone *zone;
    int n_columns, n_keys;  /* of the result: columns, and keys behind them */
    const char **key_names; /* [n_keys] */
    bool *key_is_int;       /* [n_keys] a whole number as it is; else JSON's text */
    bool sorts_here;        /* of is_where: all are, and Postgres need not sort whole rows */
    int n_params, *params;  /* the columns compared, indices into relation->columns */
    bool is_where;          /* compared with one value each, not with a list */
    bool has_age;           /* behind the keys: the time column, and the server's clock */
    enum pg_type time_type;
    int n_types; /* of the result's columns behind the first: pg_type's OIDs, as they were when */
    uint32_t *types; /* the relation was met */
    char name[24];   /* of the statement */
    const char *sql; /* which a pooler, that prepares nothing, gets each time */
    struct arena arena;
};

struct kept_row;

/* One key, or one row of LOOKUP_WHERE. */
struct lookup_row {
    const PGresult *result;      /* NULL: there is no row, and code says why */
    int row;                     /* of result */
    const struct kept_row *kept; /* stands in place of result; NULL: it was read now */
    enum err_code code;
    const char *problem, *field; /* field: a JSON pointer below the key; "": the key itself */
};

struct lookup_rows {
    const struct lookup_plan *plan; /* NULL: of a row that is kept */
    size_t n;
    const struct lookup_row *items;
};

/* The spec's i-th column of a row that is there; false: NULL. */
bool lookup_field(const struct lookup_row *row, int column, struct pg_field *ret_field);
/* Appends the column of the row's key as JSON. */
void lookup_put_key(const struct lookup_rows *rows, const struct lookup_row *row, int key,
                    struct buf *json);
/* How long ago, by the server's clock, the row's time column was; false: nobody can say. Of a row
 * that is kept: by now. */
bool lookup_age(const struct lookup_rows *rows, const struct lookup_row *row, double *ret_seconds);

enum lookup_form {
    LOOKUP_KEY,   /* one key, as JSON: its row */
    LOOKUP_KEYS,  /* an array of keys: a row each, or what is wrong with it */
    LOOKUP_WHERE, /* an object of columns and values: every row that has them, by key */
};

/* Lives in what it belongs to until done has been called. */
struct lookup_ask {
    enum lookup_form form;
    struct json_reader values; /* json_next gives the first token of the key, keys or where */
    size_t max_rows;           /* ERR_LIMIT beyond, of all but LOOKUP_KEY */
    const char *signature;     /* asks of the same one have the same spec */
    size_t signature_length;
    int64_t keep_ms; /* of LOOKUP_KEY: how old a row that was read before may be; 0: it is read */
    /* Fills the spec. On a thread of the pool, as done; seldom. A failure is this ask's alone. */
    enum err_code (*describe)(struct lookup_ask *ask, struct lookup_spec *spec, struct err *err);
    /* rows NULL: *err says why. It puts the ask again, whose time goes on, or ends it. */
    void (*done)(struct lookup_ask *ask, const struct lookup_rows *rows);
    struct err *err;
    int64_t began_us, deadline_ms; /* the pool's; 0 before the ask is put */
    enum lookup_result result;     /* likewise: what became of it */
    int64_t took_us;
    struct lookup_ask *next;
};

/* Connects when the first ask comes. ERR_CONFIG: dsn cannot be parsed. */
MUST_CHECK enum err_code lookup_new(const struct lookup_options *options,
                                    struct lookup **ret_lookup, struct err *err);

/* Any thread; done may be called before it returns. False: too many wait (*err, ERR_UNREACHABLE) or
 * the pool has stopped; the ask is the caller's still. */
bool lookup_put(struct lookup *lookup, struct lookup_ask *ask, struct err *err);

/* Counts what became of an ask that was put and is not put again: each once, before its client
 * hears of it. Any thread. */
void lookup_ended(struct lookup *lookup, const struct lookup_ask *ask);

/* As of now, since the start. Any thread. */
void lookup_count(struct lookup *lookup, struct lookup_counts *ret_counts);

/* Answers what waits with an error, after the statements under way, and takes nothing more. */
void lookup_stop(struct lookup *lookup);
void lookup_free(struct lookup *lookup);
DEFINE_FREEP(struct lookup *, lookup_free)

#endif
