/*
 * The log: one line an event on standard error, logfmt or JSON.
 *
 *     log_info("worker started", "run=%ld pid=%d", run_id, pid);
 *     → time=2026-01-31T03:00:00.123Z level=info msg="worker started" run=7 pid=4711
 *     → {"time":"2026-01-31T03:00:00.123Z","level":"info","msg":"worker
 * started","run":7,"pid":4711}
 *
 * For daemons and workers; libraries return errors instead, commands print to people. Never a row's
 * values, a token or a connection string. `log_text` quotes a value that may hold anything.
 * Thread-safe: a line is one write.
 */
#ifndef PGBOOST_BASE_LOG_H
#define PGBOOST_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

enum log_format { LOG_LOGFMT, LOG_JSON };

void log_set_level(enum log_level level);
void log_set_format(enum log_format format);

/* What the two were set to, and back: for a program that is to write into the same log. NULL, or a
 * name that is none, changes nothing. */
const char *log_format_name(void);
const char *log_level_name(void);
void log_set_by_names(const char *format, const char *level);

COLD void log_write(enum log_level level, const char *message, const char *pairs_format, ...)
    PRINTF_LIKE(3, 4);

/* The error with its code, SQLSTATE and hint as pairs, after others where there are some. */
COLD void log_err(enum log_level level, const char *message, const struct err *err);
COLD void log_err_with(enum log_level level, const char *message, const struct err *err,
                       const char *pairs_format, ...) PRINTF_LIKE(4, 5);

/* A line of logfmt as a JSON object: what is quoted is a string, of the rest what looks like a
 * number is one. Text that is not UTF-8 comes out as U+FFFD. */
void log_line_to_json(const char *line, size_t length, struct buf *json);

/* What others can make happen as often as they like is logged LOG_BURST times in LOG_BURST_MS, and
 * how often it was left out is said with the next one. Zeroed memory is a burst that has not begun;
 * any number of threads may share one. */
#define LOG_BURST    20
#define LOG_BURST_MS 10000
struct log_burst {
    _Atomic int64_t since_ms;
    _Atomic int n, n_left_out;
};
/* False: not now. *ret_n_left_out: how many were left out since the last line that was let through.
 */
bool log_burst_take(struct log_burst *burst, int64_t now_ms, int *ret_n_left_out);

#define log_debug(...)   log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)    log_write(LOG_INFO, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_error(...)   log_write(LOG_ERROR, __VA_ARGS__)

/* Quotes text for logfmt into out (cut to its size); returns out. */
const char *log_text(const char *text, char *out, size_t size);

#endif
