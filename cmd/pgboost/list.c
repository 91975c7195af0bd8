#include "list.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "text.h"

#define GAP "  "

static const void *member_of(const struct list *list, int item, int column)
{
    return (const char *)list->items + (size_t)item * list->item_size +
           list->columns[column].offset;
}

static const char *text_of(const void *member)
{
    return *(const char *const *)member;
}

/* JSON ----------------------------------------------------------------------------------------- */

/* Text that holds a number: null when it is not one that JSON has. */
static void put_number(struct buf *json, const char *text)
{
    if (text != NULL)
        json_put_double(json, strtod(text, NULL));
    else
        buf_puts(json, "null");
}

static void put_value(struct buf *json, enum list_kind kind, const void *member)
{
    switch (kind) {
    case LIST_TEXT:
    case LIST_TIME:
        json_put_text(json, text_of(member));
        break;
    case LIST_NUMBER:
        put_number(json, text_of(member));
        break;
    case LIST_JSON:
        buf_puts(json, text_of(member) != NULL ? text_of(member) : "null");
        break;
    case LIST_ID:
        if (*(const int64_t *)member == 0) {
            buf_puts(json, "null");
            break;
        }
        /* fall through */
    case LIST_VERSION:
        buf_printf(json, "%" PRId64, *(const int64_t *)member);
        break;
    case LIST_COUNT:
        buf_printf(json, "%d", *(const int *)member);
        break;
    case LIST_SECONDS:
        json_put_double(json, *(const double *)member);
        break;
    case LIST_FLAG:
        json_put_bool(json, *(const bool *)member);
        break;
    }
}

void list_put_object(struct buf *json, const struct list *list, int item)
{
    for (int i = 0; i < list->n_columns; i++) {
        buf_putc(json, i == 0 ? '{' : ',');
        json_put_text(json, list->columns[i].key);
        buf_putc(json, ':');
        put_value(json, list->columns[i].kind, member_of(list, item, i));
    }
    buf_putc(json, '}');
}

void list_put_array(struct buf *json, const struct list *list)
{
    buf_putc(json, '[');
    for (int i = 0; i < list->n_items; i++) {
        if (i > 0)
            buf_putc(json, ',');
        list_put_object(json, list, i);
    }
    buf_putc(json, ']');
}

/* Table ---------------------------------------------------------------------------------------- */

static void put_time(struct buf *cell, const char *time)
{
    const char *t = strchr(time, 'T');

    if (t == NULL || strlen(t) < 9)
        text_put_safe(cell, time);
    else
        buf_printf(cell, "%.*s %.8s", (int)(t - time), time, t + 1);
}

static void put_cell(struct buf *cell, enum list_kind kind, const void *member)
{
    switch (kind) {
    case LIST_TEXT:
    case LIST_JSON:
        text_put_safe(cell, text_of(member) != NULL ? text_of(member) : "-");
        break;
    case LIST_TIME:
        put_time(cell, text_of(member) != NULL ? text_of(member) : "-");
        break;
    case LIST_NUMBER:
        if (text_of(member) != NULL)
            buf_printf(cell, "%.6g", strtod(text_of(member), NULL));
        else
            buf_putc(cell, '-');
        break;
    case LIST_ID:
        if (*(const int64_t *)member == 0) {
            buf_putc(cell, '-');
            break;
        }
        /* fall through */
    case LIST_VERSION:
        buf_printf(cell, "%" PRId64, *(const int64_t *)member);
        break;
    case LIST_COUNT:
        buf_printf(cell, "%d", *(const int *)member);
        break;
    case LIST_SECONDS:
        buf_printf(cell, "%.1f s", *(const double *)member);
        break;
    case LIST_FLAG:
        buf_puts(cell, *(const bool *)member ? "yes" : "");
        break;
    }
}

static bool is_right_aligned(enum list_kind kind)
{
    return kind != LIST_TEXT && kind != LIST_JSON && kind != LIST_TIME && kind != LIST_FLAG;
}

/* The widest of a column's title and cells. */
static int column_width(const struct list *list, int column)
{
    CLEANUP(buf_release) struct buf cell = {0};
    int width = text_width(list->columns[column].title);

    for (int i = 0; i < list->n_items; i++) {
        buf_clear(&cell);
        put_cell(&cell, list->columns[column].kind, member_of(list, i, column));
        if (text_width(buf_text(&cell)) > width)
            width = text_width(buf_text(&cell));
    }
    return width;
}

/* One cell, padded to the column's width; the last of a line is not padded on its right. */
static void put_padded(struct buf *out, const char *cell, int width, bool right, bool last)
{
    int padding = width - text_width(cell);

    if (right)
        buf_printf(out, "%*s", padding, "");
    buf_puts(out, cell);
    if (!right && !last)
        buf_printf(out, "%*s", padding, "");
    if (!last)
        buf_puts(out, GAP);
}

/* Line `item` of the table, or its titles (-1). */
static void put_line(struct buf *out, const struct list *list, const int *widths, int item)
{
    CLEANUP(buf_release) struct buf cell = {0};
    int last = list->n_columns - 1;

    while (last > 0 && list->columns[last].title == NULL)
        last--;
    for (int i = 0; i <= last; i++) {
        const struct list_column *column = &list->columns[i];

        if (column->title == NULL)
            continue;
        buf_clear(&cell);
        if (item < 0)
            buf_puts(&cell, column->title);
        else
            put_cell(&cell, column->kind, member_of(list, item, i));
        put_padded(out, buf_text(&cell), widths[i], is_right_aligned(column->kind), i == last);
    }
}

void list_put_table(struct buf *out, const struct list *list, bool colour)
{
    CLEANUP(free_ptr) int *widths = calloc((size_t)list->n_columns + 1, sizeof(*widths));

    if (widths == NULL) {
        out->failed = true;
        return;
    }
    for (int i = 0; i < list->n_columns; i++)
        if (list->columns[i].title != NULL)
            widths[i] = column_width(list, i);
    buf_puts(out, cli_style(colour, STYLE_BOLD));
    put_line(out, list, widths, -1);
    buf_printf(out, "%s\n", cli_style(colour, STYLE_PLAIN));
    for (int i = 0; i < list->n_items; i++) {
        put_line(out, list, widths, i);
        buf_putc(out, '\n');
    }
}

enum err_code list_print(const struct cli *cli, const struct list *list, struct err *err)
{
    CLEANUP(buf_release) struct buf out = {0};

    if (cli->json) {
        buf_puts(&out, "{\"items\":");
        list_put_array(&out, list);
        buf_puts(&out, ",\"next\":null}\n");
    } else if (list->n_items == 0) {
        fprintf(stderr, "%s\n", list->empty);
    } else {
        list_put_table(&out, list, cli->colour);
    }
    TRY(buf_check(&out, err));
    fputs(buf_text(&out), stdout);
    return ERR_OK;
}
