#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int exit_status;
    int http_status;
} codes[ERR_CODES] = {
    [ERR_OK] = {"ok", 0, 200},
    [ERR_FAILED] = {"failed", 1, 500},
    [ERR_USAGE] = {"usage", 2, 400},
    [ERR_CONFIG] = {"configuration", 78, 422},
    [ERR_INVALID] = {"invalid", 1, 400},
    [ERR_DATA] = {"data", 1, 422},
    [ERR_NOT_FOUND] = {"not found", 1, 404},
    [ERR_CONFLICT] = {"conflict", 1, 409},
    [ERR_LIMIT] = {"limit", 1, 413},
    [ERR_NOMEM] = {"out of memory", 1, 503},
    [ERR_IO] = {"input/output", 1, 500},
    [ERR_SQL] = {"sql", 1, 500},
    [ERR_UNREACHABLE] = {"unreachable", 69, 503},
    [ERR_DENIED] = {"permission denied", 1, 403},
    [ERR_TIMEOUT] = {"timeout", 1, 504},
    [ERR_CORRUPT] = {"corrupt", 1, 500},
    [ERR_CANCELLED] = {"cancelled", 1, 409},
};

/* vsnprintf cuts at a byte; step back to the start of a character that was cut. The text is made
 * aside, as an argument may be the very text that it replaces. */
static void format_cut(char *out, size_t size, const char *format, va_list args)
{
    char text[sizeof(((struct err *)NULL)->message)];
    int length = vsnprintf(text, size, format, args);
    size_t end = length < 0 ? 0 : (size_t)length;

    if (end >= size) {
        end = size - 1;
        while (end > 0 && (text[end - 1] & 0xc0) == 0x80)
            end--;
        if (end > 0 && (text[end - 1] & 0x80))
            end--;
    }
    memcpy(out, text, end);
    out[end] = '\0';
}

/* Of the last err_set on this thread: what a hint added to no err returns. */
static _Thread_local enum err_code last_code = ERR_FAILED;

static enum err_code set_message(struct err *err, enum err_code code, const char *format,
                                 va_list args)
{
    last_code = code;
    if (err != NULL) {
        format_cut(err->message, sizeof(err->message), format, args);
        err->code = code;
        err->sqlstate[0] = err->field[0] = err->hint[0] = '\0';
    }
    return code;
}

enum err_code err_set(struct err *err, enum err_code code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    set_message(err, code, format, args);
    va_end(args);
    return code;
}

enum err_code err_hint(struct err *err, const char *format, ...)
{
    va_list args;

    if (err == NULL)
        return last_code;
    va_start(args, format);
    format_cut(err->hint, sizeof(err->hint), format, args);
    va_end(args);
    return err->code;
}

enum err_code err_field(struct err *err, const char *format, ...)
{
    va_list args;

    if (err == NULL)
        return last_code;
    va_start(args, format);
    format_cut(err->field, sizeof(err->field), format, args);
    va_end(args);
    return err->code;
}

PRINTF_LIKE(3, 4)
static void append_message(struct err *err, size_t at, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    format_cut(err->message + at, sizeof(err->message) - at, format, args);
    va_end(args);
}

enum err_code err_prefix(struct err *err, const char *format, ...)
{
    char prefix[sizeof(err->message)], rest[sizeof(err->message)];
    va_list args;

    if (err == NULL)
        return last_code;
    va_start(args, format);
    format_cut(prefix, sizeof(prefix), format, args);
    va_end(args);
    memcpy(rest, err->message, sizeof(rest));
    append_message(err, 0, "%s", prefix);
    append_message(err, strlen(err->message), ": %s", rest);
    return err->code;
}

enum err_code err_nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory");
}

enum err_code err_errno(struct err *err, int error_number, const char *format, ...)
{
    char reason[128];
    va_list args;

    va_start(args, format);
    set_message(err, ERR_IO, format, args);
    va_end(args);
    if (err != NULL)
        append_message(err, strlen(err->message), ": %s",
                       strerror_r(error_number, reason, sizeof(reason)));
    return ERR_IO;
}

const char *err_name(enum err_code code)
{
    return (unsigned)code < ERR_CODES ? codes[code].name : "unknown";
}

int err_exit_status(enum err_code code)
{
    return (unsigned)code < ERR_CODES ? codes[code].exit_status : 1;
}

int err_http_status(enum err_code code)
{
    return (unsigned)code < ERR_CODES ? codes[code].http_status : 500;
}
