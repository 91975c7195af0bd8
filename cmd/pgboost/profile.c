#include "profile.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/utf8.h"
#include "list.h"
#include "text.h"

#define TEXT_SHOWN 19

struct profile_line {
    const char *column, *role, *type, *missing, *distinct, *low, *median, *high, *values;
};

static const struct list_column line_columns[] = {
    {"column", "column", LIST_TEXT, offsetof(struct profile_line, column)},
    {"role", "role", LIST_TEXT, offsetof(struct profile_line, role)},
    {"type", "type", LIST_TEXT, offsetof(struct profile_line, type)},
    {"missing", "missing", LIST_TEXT, offsetof(struct profile_line, missing)},
    {"distinct", "distinct", LIST_TEXT, offsetof(struct profile_line, distinct)},
    {"min", "min", LIST_TEXT, offsetof(struct profile_line, low)},
    {"median", "median", LIST_TEXT, offsetof(struct profile_line, median)},
    {"max", "max", LIST_TEXT, offsetof(struct profile_line, high)},
    {"values", "values", LIST_TEXT, offsetof(struct profile_line, values)},
};

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static double number_of(const cJSON *item)
{
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

/* The first characters: enough of a timestamp to the second. */
static void put_start(struct buf *text, const char *value)
{
    size_t length = strlen(value), at = 0;
    int n;

    while (at < length && (n = utf8_length(value + at, length - at)) > 0 &&
           at + (size_t)n <= TEXT_SHOWN)
        at += (size_t)n;
    buf_append(text, value, at);
    if (at < length)
        buf_puts(text, "…");
}

/* A scalar as text in the arena: numbers short, texts cut to their first characters. */
static const char *scalar(struct arena *arena, const cJSON *item)
{
    CLEANUP(buf_release) struct buf text = {0};

    if (cJSON_IsNumber(item))
        buf_printf(&text, "%.6g", item->valuedouble);
    else if (cJSON_IsString(item))
        put_start(&text, item->valuestring);
    else if (cJSON_IsBool(item))
        buf_puts(&text, cJSON_IsTrue(item) ? "true" : "false");
    return arena_strdup(arena, buf_text(&text));
}

static const char *share(struct arena *arena, double part, double whole)
{
    char text[16];

    snprintf(text, sizeof(text), part > 0 ? "%.1f %%" : "0", whole > 0 ? 100 * part / whole : 0);
    return arena_strdup(arena, text);
}

/* Bars of eighths: the fullest bin is a whole block. */
static void put_bars(struct buf *text, const cJSON *counts)
{
    static const char *const bars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    const cJSON *count;
    double most = 1;

    cJSON_ArrayForEach (count, counts)
        if (number_of(count) > most)
            most = number_of(count);
    cJSON_ArrayForEach (count, counts) {
        double n = number_of(count);

        buf_puts(text, bars[n > 0 ? 1 + (int)(7 * n / most) : 0]);
    }
}

/* The most frequent values with their counts, as many as make sense on a line. */
static void put_top(struct buf *text, const cJSON *top)
{
    const cJSON *item;
    int n = 0;

    cJSON_ArrayForEach (item, top) {
        CLEANUP(arena_release) struct arena arena = {0};
        const char *value = scalar(&arena, member(item, "value"));

        if (n++ == 4 || value == NULL)
            break;
        buf_printf(text, "%s%s (%.0f)", n > 1 ? ", " : "", value, number_of(member(item, "count")));
    }
}

static bool fill_line(struct arena *arena, const cJSON *item, struct profile_line *line)
{
    CLEANUP(buf_release) struct buf values = {0};
    const cJSON *histogram = member(item, "histogram");

    if (histogram != NULL)
        put_bars(&values, member(histogram, "counts"));
    else
        put_top(&values, member(item, "top"));
    *line = (struct profile_line){
        .column = cJSON_GetStringValue(member(item, "column")),
        .role = cJSON_GetStringValue(member(item, "role")),
        .type = cJSON_GetStringValue(member(item, "type")),
        .missing =
            share(arena, number_of(member(item, "missing")), number_of(member(item, "rows"))),
        .distinct = scalar(arena, member(item, "distinct")),
        .low = scalar(arena, member(item, "min")),
        .median = scalar(arena, member(item, "median")),
        .high = scalar(arena, member(item, "max")),
        .values = arena_strdup(arena, buf_text(&values)),
    };
    return line->column != NULL && line->role != NULL && line->type != NULL &&
           line->values != NULL && line->missing != NULL && line->distinct != NULL &&
           line->low != NULL && line->median != NULL && line->high != NULL;
}

enum err_code profile_put_table(struct buf *out, const char *json, bool colour, struct err *err)
{
    CLEANUP(cjson_delete_ptr) cJSON *root = NULL;
    CLEANUP(arena_release) struct arena arena = {0};
    struct {
        int n;
        struct profile_line *items;
    } lines = {0};
    const cJSON *item;

    TRY(json_parse(json, strlen(json), "the profile", &root, err));
    lines.items =
        arena_alloc_array(&arena, (size_t)cJSON_GetArraySize(root) + 1, sizeof(*lines.items));
    if (lines.items == NULL)
        return err_nomem(err);
    cJSON_ArrayForEach (item, root)
        if (fill_line(&arena, item, &lines.items[lines.n]))
            lines.n++;
    list_put_table(out, &(struct list)LIST(line_columns, lines, ""), colour);
    return ERR_OK;
}

void profile_put_warnings(struct buf *out, const char *stats)
{
    CLEANUP(cjson_delete_ptr) cJSON *root = NULL;
    const cJSON *warning;

    if (stats == NULL || json_parse(stats, strlen(stats), "stats", &root, NULL) != ERR_OK)
        return;
    cJSON_ArrayForEach (warning, member(root, "warnings")) {
        if (!cJSON_IsString(warning))
            continue;
        buf_puts(out, "warning: ");
        text_put_safe(out, warning->valuestring);
        buf_putc(out, '\n');
    }
}
