#include "predict/csv.h"

#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

struct csv {
    const char *at, *end;
    size_t line; /* from 1 */
    struct buf *json;
    struct buf value; /* one in quotes, without them */
};

static void csv_release(struct csv *csv)
{
    buf_release(&csv->value);
}

static enum err_code refuse(const struct csv *csv, const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID, "the body is not CSV: line %zu: %s", csv->line, what);
}

static bool at_line_end(const struct csv *csv)
{
    return csv->at == csv->end || *csv->at == '\n' ||
           (*csv->at == '\r' && csv->end - csv->at > 1 && csv->at[1] == '\n');
}

/* Steps over a line's end. */
static void end_line(struct csv *csv)
{
    csv->at += csv->at < csv->end && *csv->at == '\r';
    csv->at += csv->at < csv->end;
    csv->line++;
}

/* The value whose quote was just read. */
static enum err_code read_quoted(struct csv *csv, struct err *err)
{
    buf_clear(&csv->value);
    for (;;) {
        const char *quote = memchr(csv->at, '"', (size_t)(csv->end - csv->at));

        if (quote == NULL)
            return refuse(csv, "a quote that is not closed", err);
        for (const char *c = csv->at; c < quote; c++)
            csv->line += *c == '\n';
        buf_append(&csv->value, csv->at, (size_t)(quote - csv->at));
        csv->at = quote + 1;
        if (csv->at == csv->end || *csv->at != '"')
            break;
        buf_putc(&csv->value, '"');
        csv->at++;
    }
    if (!at_line_end(csv) && *csv->at != ',')
        return refuse(csv, "expected a comma or the end of the line behind a closing quote", err);
    json_put_string(csv->json, buf_text(&csv->value), csv->value.length);
    return buf_check(&csv->value, err);
}

static enum err_code read_plain(struct csv *csv, struct err *err)
{
    const char *first = csv->at;

    while (!at_line_end(csv) && *csv->at != ',') {
        if (*csv->at == '"')
            return refuse(csv, "a quote inside of a value that does not begin with one", err);
        csv->at++;
    }
    if (csv->at == first)
        buf_puts(csv->json, "null");
    else
        json_put_string(csv->json, first, (size_t)(csv->at - first));
    return ERR_OK;
}

/* One line, which may go on in quotes, as an array. */
static enum err_code read_line(struct csv *csv, struct err *err)
{
    buf_putc(csv->json, '[');
    for (;;) {
        if (csv->at < csv->end && *csv->at == '"') {
            csv->at++;
            TRY(read_quoted(csv, err));
        } else {
            TRY(read_plain(csv, err));
        }
        if (at_line_end(csv))
            break;
        csv->at++;
        buf_putc(csv->json, ',');
    }
    end_line(csv);
    buf_putc(csv->json, ']');
    return ERR_OK;
}

enum err_code csv_to_table(const char *text, size_t length, size_t max_rows, struct buf *json,
                           struct err *err)
{
    CLEANUP(csv_release)
    struct csv csv = {.at = text, .end = text + length, .line = 1, .json = json};

    if (!utf8_valid(text, length))
        return err_set(err, ERR_INVALID, "the body is not UTF-8");
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        csv.at += 3;
    if (csv.at == csv.end) {
        err_set(err, ERR_INVALID, "the body is empty");
        return err_hint(err, "the first line of CSV names the columns");
    }
    buf_puts(json, "\"columns\":");
    TRY(read_line(&csv, err));
    buf_puts(json, ",\"rows\":[");
    for (size_t row = 0; csv.at < csv.end && row <= max_rows; row++) {
        if (row > 0)
            buf_putc(json, ',');
        TRY(read_line(&csv, err));
    }
    buf_putc(json, ']');
    return buf_check(json, err);
}
