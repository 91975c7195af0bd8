#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static atomic_int minimum_level = LOG_INFO;
static const char *const level_names[] = {"debug", "info", "warning", "error"};

void log_set_level(enum log_level level)
{
    atomic_store(&minimum_level, (int)level);
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

void log_write(enum log_level level, const char *message, const char *pairs_format, ...)
{
    char line[2048], quoted[512];
    size_t at;
    va_list args;

    if ((int)level < atomic_load(&minimum_level))
        return;
    at = format_time(line, sizeof(line));
    at += (size_t)snprintf(line + at, sizeof(line) - at, " level=%s msg=%s", level_names[level],
                           log_text(message, quoted, sizeof(quoted)));
    if (pairs_format != NULL && pairs_format[0] != '\0') {
        int n;

        line[at++] = ' ';
        va_start(args, pairs_format);
        n = vsnprintf(line + at, sizeof(line) - at - 1, pairs_format, args);
        va_end(args);
        if (n > 0)
            at += (size_t)n < sizeof(line) - at - 1 ? (size_t)n : sizeof(line) - at - 2;
    }
    for (size_t i = 0; i < at; i++)
        if (line[i] == '\n' || line[i] == '\r')
            line[i] = ' ';
    line[at++] = '\n';
    if (write(STDERR_FILENO, line, at) < 0)
        return; /* there is nowhere left to say so */
}

void log_err(enum log_level level, const char *message, const struct err *err)
{
    char error[768], hint[512];

    log_write(level, message, "error=%s code=%s%s%s%s%s",
              log_text(err->message, error, sizeof(error)), log_text(err_name(err->code), hint, 32),
              err->sqlstate[0] ? " sqlstate=" : "", err->sqlstate, err->hint[0] ? " hint=" : "",
              err->hint[0] ? log_text(err->hint, hint + 32, sizeof(hint) - 32) : "");
}
