#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static atomic_int minimum_level = LOG_INFO;
static atomic_int line_format = LOG_LOGFMT;
static const char *const level_names[] = {"debug", "info", "warning", "error"};
static const char *const format_names[] = {"logfmt", "json"};

void log_set_level(enum log_level level)
{
    atomic_store(&minimum_level, (int)level);
}

void log_set_format(enum log_format format)
{
    atomic_store(&line_format, (int)format);
}

const char *log_format_name(void)
{
    return format_names[atomic_load(&line_format)];
}

const char *log_level_name(void)
{
    return level_names[atomic_load(&minimum_level)];
}

void log_set_by_names(const char *format, const char *level)
{
    for (size_t i = 0; format != NULL && i < N_ELEMENTS(format_names); i++)
        if (strcmp(format, format_names[i]) == 0)
            log_set_format((enum log_format)i);
    for (size_t i = 0; level != NULL && i < N_ELEMENTS(level_names); i++)
        if (strcmp(level, level_names[i]) == 0)
            log_set_level((enum log_level)i);
}

const char *log_text(const char *text, char *out, size_t size)
{
    size_t at = 0;

    if (size < 3)
        return "";
    out[at++] = '"';
    for (; *text != '\0' && at + 3 < size; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\') {
            out[at++] = '\\';
            out[at++] = (char)c;
        } else {
            out[at++] = c < ' ' || c == 0x7f ? ' ' : (char)c;
        }
    }
    out[at++] = '"';
    out[at] = '\0';
    return out;
}

static size_t format_time(char *out, size_t size)
{
    struct timespec now;
    struct tm tm;
    size_t n;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    n = strftime(out, size, "time=%Y-%m-%dT%H:%M:%S", &tm);
    return n + (size_t)snprintf(out + n, size - n, ".%03ldZ", now.tv_nsec / 1000000);
}

/* One write, so that lines of several threads and processes do not mix. */
static void write_line(char *line, size_t length)
{
    CLEANUP(buf_release) struct buf json = {0};

    if (atomic_load(&line_format) == LOG_JSON) {
        log_line_to_json(line, length, &json);
        buf_putc(&json, '\n');
    }
    line[length++] = '\n';
    if (json.length > 0 && !json.failed ? write(STDERR_FILENO, json.data, json.length) < 0
                                        : write(STDERR_FILENO, line, length) < 0)
        return; /* there is nowhere left to say so */
}

PRINTF_LIKE(3, 0)
static void write_pairs(enum log_level level, const char *message, const char *pairs_format,
                        va_list args)
{
    char line[2048], quoted[512];
    size_t at = format_time(line, sizeof(line));

    at += (size_t)snprintf(line + at, sizeof(line) - at, " level=%s msg=%s", level_names[level],
                           log_text(message, quoted, sizeof(quoted)));
    if (pairs_format != NULL && pairs_format[0] != '\0') {
        int n;

        line[at++] = ' ';
        n = vsnprintf(line + at, sizeof(line) - at - 1, pairs_format, args);
        if (n > 0)
            at += (size_t)n < sizeof(line) - at - 1 ? (size_t)n : sizeof(line) - at - 2;
    }
    for (size_t i = 0; i < at; i++)
        if (line[i] == '\n' || line[i] == '\r')
            line[i] = ' ';
    write_line(line, at);
}

void log_write(enum log_level level, const char *message, const char *pairs_format, ...)
{
    va_list args;

    if ((int)level < atomic_load(&minimum_level))
        return;
    va_start(args, pairs_format);
    write_pairs(level, message, pairs_format, args);
    va_end(args);
}

void log_err_with(enum log_level level, const char *message, const struct err *err,
                  const char *pairs_format, ...)
{
    char pairs[768], error[768], code[32], hint[480];
    va_list args;

    va_start(args, pairs_format);
    vsnprintf(pairs, sizeof(pairs), pairs_format, args);
    va_end(args);
    log_write(level, message, "%s%serror=%s code=%s%s%s%s%s%s", pairs, pairs[0] != '\0' ? " " : "",
              log_text(err->message, error, sizeof(error)),
              log_text(err_name(err->code), code, sizeof(code)),
              err->sqlstate[0] ? " sqlstate=\"" : "", err->sqlstate, err->sqlstate[0] ? "\"" : "",
              err->hint[0] ? " hint=" : "",
              err->hint[0] ? log_text(err->hint, hint, sizeof(hint)) : "");
}

void log_err(enum log_level level, const char *message, const struct err *err)
{
    log_err_with(level, message, err, "%s", "");
}

bool log_burst_take(struct log_burst *burst, int64_t now_ms, int *ret_n_left_out)
{
    int64_t since_ms = atomic_load(&burst->since_ms);

    if ((since_ms == 0 || now_ms - since_ms >= LOG_BURST_MS) &&
        atomic_compare_exchange_strong(&burst->since_ms, &since_ms, now_ms))
        atomic_store(&burst->n, 0);
    if (atomic_fetch_add(&burst->n, 1) < LOG_BURST) {
        *ret_n_left_out = atomic_exchange(&burst->n_left_out, 0);
        return true;
    }
    atomic_fetch_add(&burst->n_left_out, 1);
    return false;
}
