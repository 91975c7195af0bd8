/*
 * The classes of a target column.
 */
#include <string.h>

#include "model/members.h"
#include "model/model.h"
#include "model/value.h"

/* Distinct values, sorted. Few enough to insert into a plain array. */
struct classes {
    struct cell *cells; /* [n], room for MODEL_OUTPUTS_MAX */
    uint32_t n;
};

static int compare_text(const struct cell *a, const struct cell *b)
{
    size_t n_bytes = a->n_bytes < b->n_bytes ? a->n_bytes : b->n_bytes;
    int order = n_bytes > 0 ? memcmp(a->text, b->text, n_bytes) : 0;

    return order != 0 ? order : (a->n_bytes > b->n_bytes) - (a->n_bytes < b->n_bytes);
}

/* Two values of one column, neither null nor NaN. */
static int compare_cells(const struct cell *a, const struct cell *b)
{
    switch (a->kind) {
    case CELL_BOOL:
        return a->bool_value - b->bool_value;
    case CELL_INT:
    case CELL_TIMESTAMP:
        return (a->int_value > b->int_value) - (a->int_value < b->int_value);
    case CELL_FLOAT4:
        return (a->float_value > b->float_value) - (a->float_value < b->float_value);
    case CELL_DOUBLE:
        return (a->double_value > b->double_value) - (a->double_value < b->double_value);
    case CELL_TEXT:
        return compare_text(a, b);
    case CELL_LIST:
    case CELL_TEXTS:
    case CELL_JSON:
        break; /* no target has them */
    }
    return 0;
}

/* -0 and +0 are one class, written as 0. */
static void drop_sign_of_zero(struct cell *cell)
{
    if (cell->kind == CELL_FLOAT4 && cell->float_value == 0)
        cell->float_value = 0;
    if (cell->kind == CELL_DOUBLE && cell->double_value == 0)
        cell->double_value = 0;
}

/* The index of a value, or where it belongs. */
static uint32_t classes_find(const struct classes *classes, const struct cell *cell,
                             bool *ret_found)
{
    uint32_t low = 0, high = classes->n;

    *ret_found = false;
    while (low < high && !*ret_found) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_cells(&classes->cells[middle], cell);

        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
            *ret_found = order == 0;
        }
    }
    return high;
}

static enum err_code classes_collect(struct classes *classes, const struct frame *frame,
                                     const struct column *column, struct err *err)
{
    for (size_t row = 0; row < frame->n_rows; row++) {
        struct cell cell;
        uint32_t at;
        bool found;

        column_cell(column, row, &cell);
        if (cell.is_null)
            continue;
        at = classes_find(classes, &cell, &found);
        if (found)
            continue;
        if (classes->n == MODEL_OUTPUTS_MAX) {
            err_set(err, ERR_DATA, "target \"%s\" has more than %d distinct values", column->name,
                    MODEL_OUTPUTS_MAX);
            err_hint(err, "a number is predicted with \"task\": \"regression\"; many labels need "
                          "grouping in the relation");
            return ERR_DATA;
        }
        drop_sign_of_zero(&cell);
        memmove(&classes->cells[at + 1], &classes->cells[at],
                (classes->n - at) * sizeof(*classes->cells));
        classes->cells[at] = cell;
        classes->n++;
    }
    return ERR_OK;
}

/* Text and the form for keys; json is the caller's. */
static enum err_code label_texts(struct arena *arena, const char *text, size_t length,
                                 struct buf *scratch, struct label *label, struct err *err)
{
    label->text = arena_strndup(arena, text, length);
    buf_clear(scratch);
    json_put_string(scratch, text, length);
    TRY(buf_check(scratch, err));
    label->json_key = arena_strndup(arena, scratch->data, scratch->length);
    return label->text != NULL && label->json_key != NULL ? ERR_OK : err_nomem(err);
}

static enum err_code labels_write(struct labels *labels, const struct classes *classes,
                                  enum pg_type type, struct err *err)
{
    CLEANUP(buf_release) struct buf text = {0};
    CLEANUP(buf_release) struct buf scratch = {0};

    labels->items = arena_alloc_array(&labels->arena, classes->n, sizeof(*labels->items));
    if (labels->items == NULL)
        return err_nomem(err);
    for (; labels->n < classes->n; labels->n++) {
        struct label *label = &labels->items[labels->n];

        buf_clear(&text);
        cell_to_text(type, &classes->cells[labels->n], &text);
        TRY(buf_check(&text, err));
        TRY(label_texts(&labels->arena, buf_text(&text), text.length, &scratch, label, err));
        buf_clear(&text);
        cell_to_json(type, &classes->cells[labels->n], &text);
        TRY(buf_check(&text, err));
        label->json = arena_strndup(&labels->arena, buf_text(&text), text.length);
        if (label->json == NULL)
            return err_nomem(err);
    }
    return ERR_OK;
}

static enum err_code labels_classify(struct labels *labels, const struct classes *classes,
                                     const struct frame *frame, const struct column *column,
                                     struct err *err)
{
    labels->classes = arena_alloc_array(&labels->arena, frame->n_rows, sizeof(*labels->classes));
    if (labels->classes == NULL)
        return err_nomem(err);
    for (size_t row = 0; row < frame->n_rows; row++) {
        struct cell cell;
        bool found = false;
        uint32_t class;

        column_cell(column, row, &cell);
        class = cell.is_null ? UINT32_MAX : classes_find(classes, &cell, &found);
        labels->classes[row] = found ? class : UINT32_MAX;
    }
    return frame_check(frame, err);
}

enum err_code labels_new(const struct frame *frame, int target, struct labels *ret_labels,
                         struct err *err)
{
    CLEANUP(labels_release) struct labels labels = {0};
    CLEANUP(free_ptr) struct cell *cells = calloc(MODEL_OUTPUTS_MAX, sizeof(*cells));
    const struct column *column = &frame->columns[target];
    struct classes classes = {.cells = cells};

    if (cells == NULL)
        return err_nomem(err);
    TRY(classes_collect(&classes, frame, column, err));
    TRY(labels_write(&labels, &classes, column->type, err));
    TRY(labels_classify(&labels, &classes, frame, column, err));
    *ret_labels = labels;
    labels = (struct labels){0};
    return ERR_OK;
}

void labels_release(struct labels *labels)
{
    arena_release(&labels->arena);
    *labels = (struct labels){0};
}

enum err_code labels_to_json(const struct label *labels, int n, struct buf *json, struct err *err)
{
    buf_putc(json, '[');
    for (int i = 0; i < n; i++) {
        buf_puts(json, i > 0 ? ",{\"text\":" : "{\"text\":");
        buf_puts(json, labels[i].json_key);
        buf_puts(json, ",\"json\":");
        buf_puts(json, labels[i].json);
        buf_putc(json, '}');
    }
    buf_putc(json, ']');
    return buf_check(json, err);
}

/* The scalar as it is written. */
static enum err_code read_json_form(struct member *member, struct arena *arena,
                                    const char **ret_json, struct err *err)
{
    struct json_reader *reader = &member->value;

    switch (member->token) {
    case JSON_STRING:
        json_next(reader, err);
        *ret_json = arena_strndup(arena, reader->text - 1, reader->length + 2);
        break;
    case JSON_NUMBER:
        json_next(reader, err);
        *ret_json = arena_strndup(arena, reader->text, reader->length);
        break;
    case JSON_TRUE:
        *ret_json = "true";
        break;
    case JSON_FALSE:
        *ret_json = "false";
        break;
    default:
        return err_set(err, ERR_CORRUPT, "a label's \"json\" is not a string, number or boolean");
    }
    return *ret_json != NULL ? ERR_OK : err_nomem(err);
}

static enum err_code read_label(struct json_reader *reader, struct arena *arena,
                                struct label *label, struct err *err)
{
    CLEANUP(buf_release) struct buf text = {0};
    CLEANUP(buf_release) struct buf scratch = {0};
    struct member members[] = {{.name = "text"}, {.name = "json"}};
    const char *bytes;
    size_t length;

    TRY(members_read(reader, members, N_ELEMENTS(members), IGNORE_UNKNOWN, &scratch, err));
    if (members[0].token != JSON_STRING)
        return err_set(err, ERR_CORRUPT, "a label's \"text\" is not a string");
    json_next(&members[0].value, err);
    TRY(json_text(&members[0].value, &text, &bytes, &length, err));
    TRY(label_texts(arena, bytes, length, &scratch, label, err));
    return read_json_form(&members[1], arena, &label->json, err);
}

/* Into labels[MODEL_OUTPUTS_MAX]. */
static enum err_code read_labels(struct json_reader *reader, struct arena *arena,
                                 struct label *labels, int *ret_n, struct err *err)
{
    enum json_token token;
    int n = 0;

    if (json_next(reader, err) != JSON_ARRAY_BEGIN)
        return err_set(err, ERR_CORRUPT, "not an array");
    while ((token = json_next(reader, err)) == JSON_OBJECT_BEGIN) {
        if (n == MODEL_OUTPUTS_MAX)
            return err_set(err, ERR_CORRUPT, "more than %d labels", MODEL_OUTPUTS_MAX);
        TRY(read_label(reader, arena, &labels[n++], err));
    }
    if (token != JSON_ARRAY_END || json_next(reader, err) != JSON_END)
        return err_set(err, ERR_CORRUPT, "not an array of objects");
    *ret_n = n;
    return ERR_OK;
}

enum err_code labels_from_json(const char *json, size_t length, struct arena *arena,
                               struct label **ret_labels, int *ret_n, struct err *err)
{
    CLEANUP(free_ptr) struct label *labels = calloc(MODEL_OUTPUTS_MAX, sizeof(*labels));
    struct json_reader reader;
    struct label *kept;
    enum err_code code;
    int n = 0;

    if (labels == NULL)
        return err_nomem(err);
    json_reader_init(&reader, json, length);
    code = read_labels(&reader, arena, labels, &n, err);
    if (code != ERR_OK)
        return value_corrupt(code, err);
    kept = arena_alloc_array(arena, (size_t)n, sizeof(*kept));
    if (kept == NULL)
        return err_nomem(err);
    memcpy(kept, labels, (size_t)n * sizeof(*kept));
    *ret_labels = kept;
    *ret_n = n;
    return ERR_OK;
}
