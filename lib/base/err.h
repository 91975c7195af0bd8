/*
 * Errors: a code to act on, a sentence to read, a hint that says what to do.
 *
 * Every function that can fail returns `enum err_code` and takes `struct err *err` last. On failure
 * the outputs are untouched and `err` is filled; on success `err` is untouched. `err` may be NULL
 * where only the code matters. Libraries return errors; commands, workers and the daemon log them,
 * once. A message never holds a row's values, a token or a password.
 *
 * Messages: lower case, no full stop, the error first, the subject in quotes.
 */
#ifndef PGBOOST_BASE_ERR_H
#define PGBOOST_BASE_ERR_H

#include "base/cleanup.h"

enum err_code {
    ERR_OK = 0,
    ERR_FAILED,      /* it did not work, and no code below says why */
    ERR_USAGE,       /* a command line that cannot be understood */
    ERR_CONFIG,      /* a configuration or definition that cannot be used */
    ERR_INVALID,     /* input that is malformed or of the wrong type */
    ERR_DATA,        /* the relation's rows do not allow what was asked */
    ERR_NOT_FOUND,   /* the named thing does not exist */
    ERR_CONFLICT,    /* the state does not allow it now */
    ERR_LIMIT,       /* larger than a bound */
    ERR_NOMEM,       /* memory ran out */
    ERR_IO,          /* a file or socket */
    ERR_SQL,         /* Postgres refused a statement: sqlstate says why */
    ERR_UNREACHABLE, /* Postgres or the daemon cannot be reached, or the link broke */
    ERR_DENIED,      /* privileges are missing */
    ERR_TIMEOUT,     /* a deadline passed */
    ERR_CORRUPT,     /* stored bytes that do not hold what they must */
    ERR_CANCELLED,   /* someone asked to stop */
    ERR_CODES
};

struct err {
    enum err_code code;
    char sqlstate[6]; /* of ERR_SQL and ERR_DENIED; empty otherwise */
    char field[256];  /* JSON pointer or option name of what was wrong; may be empty */
    char message[640];
    char hint[384]; /* what to do; may be empty */
};

/* Fills err (when not NULL), clearing field, hint and sqlstate. Returns code, so that a failing
 * function can end with `return err_set(…)`. Text beyond the bounds is cut at a character. */
COLD enum err_code err_set(struct err *err, enum err_code code, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Add to an error that is set. Both return err's code; where err is NULL, that of the thread's
 * last err_set. */
COLD enum err_code err_hint(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);
COLD enum err_code err_field(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Puts "what: " before the message, to say where it happened. Returns err's code. */
COLD enum err_code err_prefix(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

COLD enum err_code err_nomem(struct err *err);

/* ERR_IO with strerror(error_number) appended. */
COLD enum err_code err_errno(struct err *err, int error_number, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* The table behind the codes. exit status: 1 failed, 2 usage, 69 unreachable, 78 configuration. */
const char *err_name(enum err_code code);
int err_exit_status(enum err_code code);
int err_http_status(enum err_code code);

/* return on failure, for the plain chain of calls */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        enum err_code try_code_ = (call);                                                          \
        if (try_code_ != ERR_OK)                                                                   \
            return try_code_;                                                                      \
    } while (0)

#endif
