/*
 * The log: one logfmt line an event on standard error.
 *
 *     log_info("worker started", "run=%ld pid=%d", run_id, pid);
 *     → time=2026-01-31T03:00:00.123Z level=info msg="worker started" run=7 pid=4711
 *
 * For daemons and workers; libraries return errors instead, commands print to people. Never a row's
 * values, a token or a connection string. `log_text` quotes a value that may hold anything.
 * Thread-safe: a line is one write.
 */
#ifndef PGBOOST_BASE_LOG_H
#define PGBOOST_BASE_LOG_H

#include "base/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

void log_set_level(enum log_level level);
void log_write(enum log_level level, const char *message, const char *pairs_format, ...)
    PRINTF_LIKE(3, 4);

/* The error with its code, SQLSTATE and hint as pairs. */
void log_err(enum log_level level, const char *message, const struct err *err);

#define log_debug(...)   log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)    log_write(LOG_INFO, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_error(...)   log_write(LOG_ERROR, __VA_ARGS__)

/* Quotes text for logfmt into out (cut to its size); returns out. */
const char *log_text(const char *text, char *out, size_t size);

#endif
