#include "frame/frame.h"

#include <string.h>

#include "frame/internal.h"

/* Rows are numbered by uint32 from here on. */
#define ROWS_MAX   UINT32_MAX
#define ROWS_FIRST 1024 /* a multiple of 64: whole words of nulls */

static const uint8_t widths[] = {
    [CELL_BOOL] = sizeof(uint8_t),  [CELL_INT] = sizeof(int64_t),
    [CELL_FLOAT4] = sizeof(float),  [CELL_DOUBLE] = sizeof(double),
    [CELL_TEXT] = sizeof(uint32_t), [CELL_TIMESTAMP] = sizeof(int64_t),
    [CELL_LIST] = sizeof(uint64_t), [CELL_TEXTS] = sizeof(uint64_t),
    [CELL_JSON] = sizeof(uint32_t),
};

/* Of one element of a list; 0: no list. */
static const uint8_t element_widths[] = {
    [CELL_LIST] = sizeof(double),
    [CELL_TEXTS] = sizeof(struct cell_string),
    [CELL_JSON] = 0,
};

#define ELEMENTS_FIRST 1024

enum err_code frame_new(const char *const *names, const enum pg_type *types, int n_columns,
                        struct frame **ret_frame, struct err *err)
{
    CLEANUP(frame_freep) struct frame *frame = calloc(1, sizeof(*frame));

    if (frame == NULL)
        return err_nomem(err);
    frame->columns = arena_alloc_array(&frame->arena, (size_t)n_columns, sizeof(*frame->columns));
    if (frame->columns == NULL)
        return err_nomem(err);
    frame->n_columns = n_columns;
    for (int i = 0; i < n_columns; i++) {
        struct column *column = &frame->columns[i];

        column->name = arena_strdup(&frame->arena, names[i]);
        column->type = types[i];
        column->kind = cell_kind_of(types[i]);
        if (column->name == NULL)
            return err_nomem(err);
    }
    *ret_frame = TAKE_PTR(frame);
    return ERR_OK;
}

void frame_free(struct frame *frame)
{
    if (frame == NULL)
        return;
    for (int i = 0; i < frame->n_columns; i++) {
        free(frame->columns[i].nulls);
        free(frame->columns[i].data);
        free(frame->columns[i].elements);
        strmap_release(&frame->columns[i].dictionary);
    }
    arena_release(&frame->arena);
    free(frame);
}

int frame_find(const struct frame *frame, const char *name)
{
    for (int i = 0; i < frame->n_columns; i++)
        if (strcmp(frame->columns[i].name, name) == 0)
            return i;
    return -1;
}

static size_t dictionary_bytes(const struct strmap *map)
{
    return map->texts.n_bytes + map->keys_capacity * sizeof(*map->keys) +
           map->n_slots * sizeof(*map->slots);
}

static size_t bytes_at(const struct frame *frame, size_t capacity)
{
    size_t n_bytes = 0;

    for (int i = 0; i < frame->n_columns; i++) {
        const struct column *column = &frame->columns[i];

        n_bytes += capacity * widths[column->kind] + capacity / 8 +
                   column->elements_capacity * element_widths[column->kind] +
                   dictionary_bytes(&column->dictionary);
    }
    return n_bytes;
}

size_t frame_bytes(const struct frame *frame)
{
    return bytes_at(frame, frame->capacity);
}

enum err_code frame_too_large(const struct frame *frame, size_t max_bytes, struct err *err)
{
    err_set(err, ERR_LIMIT, "%zu rows of %d columns need more than %zu MiB of memory",
            frame->n_rows, frame->n_columns, max_bytes >> 20);
    return err_hint(err, "leave out columns or rows, or raise the limit");
}

/* Twice the rows or, where the bound does not allow that, half as many more. */
static enum err_code next_capacity(const struct frame *frame, size_t max_bytes,
                                   size_t *ret_capacity, struct err *err)
{
    size_t capacity = frame->capacity == 0 ? ROWS_FIRST : frame->capacity * 2;

    if (frame->capacity >= ROWS_MAX / 2) {
        err_set(err, ERR_LIMIT, "more than %zu rows", frame->capacity);
        return err_hint(err, "train on a view that has a sample of the rows");
    }
    if (max_bytes != 0 && bytes_at(frame, capacity) > max_bytes)
        capacity = (frame->capacity + frame->capacity / 2) / 64 * 64;
    if (capacity <= frame->capacity || (max_bytes != 0 && bytes_at(frame, capacity) > max_bytes))
        return frame_too_large(frame, max_bytes, err);
    *ret_capacity = capacity;
    return ERR_OK;
}

/* A column that grew stays grown when a later one fails: `capacity` follows the smallest. */
static enum err_code grow(struct frame *frame, size_t max_bytes, struct err *err)
{
    size_t capacity = 0;

    TRY(next_capacity(frame, max_bytes, &capacity, err));
    for (int i = 0; i < frame->n_columns; i++) {
        struct column *column = &frame->columns[i];
        size_t n_words = capacity / 64, n_words_before = frame->capacity / 64;
        uint64_t *nulls = reallocarray(column->nulls, n_words, sizeof(*nulls));
        void *data;

        if (nulls == NULL)
            return err_nomem(err);
        memset(nulls + n_words_before, 0, (n_words - n_words_before) * sizeof(*nulls));
        column->nulls = nulls;
        data = reallocarray(column->data, capacity, widths[column->kind]);
        if (data == NULL)
            return err_nomem(err);
        column->data = data;
    }
    frame->capacity = capacity;
    return ERR_OK;
}

/* Twice the elements or, where the bound does not allow that, half as many more. */
static enum err_code grow_elements(const struct frame *frame, struct column *column,
                                   size_t n_needed, size_t max_bytes, struct err *err)
{
    size_t width = element_widths[column->kind], before = column->elements_capacity;
    size_t capacity = before == 0 ? ELEMENTS_FIRST : before * 2;
    size_t rest = max_bytes == 0 ? SIZE_MAX : max_bytes - frame_bytes(frame);
    void *elements;

    if (max_bytes != 0 && frame_bytes(frame) > max_bytes)
        return frame_too_large(frame, max_bytes, err);
    if ((capacity - before) > rest / width)
        capacity = before + before / 2;
    if (capacity < n_needed)
        capacity = n_needed;
    if ((capacity - before) > rest / width)
        return frame_too_large(frame, max_bytes, err);
    elements = reallocarray(column->elements, capacity, width);
    if (elements == NULL)
        return err_nomem(err);
    column->elements = elements;
    column->elements_capacity = capacity;
    return ERR_OK;
}

static enum err_code add_text(struct column *column, const char *text, size_t n_bytes,
                              uint32_t *ret_code, struct err *err)
{
    *ret_code = strmap_add(&column->dictionary, text, n_bytes);
    return *ret_code == STRMAP_NONE ? err_nomem(err) : ERR_OK;
}

static uint64_t first_element(const struct column *column, size_t row)
{
    return row == 0 ? 0 : column->ends[row - 1];
}

static enum err_code set_texts(struct column *column, uint64_t first, const struct cell *cell,
                               struct err *err)
{
    for (size_t i = 0; i < cell->n_items; i++) {
        struct cell_string string = cell->texts[i];
        uint32_t code;

        if (string.text != NULL) {
            TRY(add_text(column, string.text, string.n_bytes, &code, err));
            string.text = column->dictionary.keys[code].text;
        }
        column->texts[first + i] = string;
    }
    return ERR_OK;
}

static enum err_code set_list(const struct frame *frame, struct column *column, size_t row,
                              const struct cell *cell, size_t max_bytes, struct err *err)
{
    uint64_t first = first_element(column, row), end = first + cell->n_items;

    if (end > column->elements_capacity || column->elements == NULL)
        TRY(grow_elements(frame, column, end, max_bytes, err));
    if (column->kind == CELL_TEXTS)
        TRY(set_texts(column, first, cell, err));
    else if (cell->n_items > 0)
        memcpy(column->items + first, cell->items, cell->n_items * sizeof(double));
    column->ends[row] = end;
    return ERR_OK;
}

static enum err_code set_value(const struct frame *frame, struct column *column, size_t row,
                               const struct cell *cell, size_t max_bytes, struct err *err)
{
    switch (column->kind) {
    case CELL_BOOL:
        column->bools[row] = cell->bool_value;
        break;
    case CELL_INT:
    case CELL_TIMESTAMP:
        column->ints[row] = cell->int_value;
        break;
    case CELL_FLOAT4:
        column->floats[row] = cell->float_value;
        break;
    case CELL_DOUBLE:
        column->doubles[row] = cell->double_value;
        break;
    case CELL_TEXT:
    case CELL_JSON:
        return add_text(column, cell->text, cell->n_bytes, &column->codes[row], err);
    case CELL_LIST:
    case CELL_TEXTS:
        return set_list(frame, column, row, cell, max_bytes, err);
    }
    return ERR_OK;
}

/* What others look at without asking whether the row is null. */
static void set_null(struct column *column, size_t row)
{
    if (column->kind == CELL_TEXT || column->kind == CELL_JSON)
        column->codes[row] = 0;
    else if (element_widths[column->kind] != 0)
        column->ends[row] = first_element(column, row);
}

/* The row counts only once all its cells are there; null bits wait until then too. */
enum err_code frame_append_within(struct frame *frame, const struct cell *cells, size_t max_bytes,
                                  struct err *err)
{
    size_t row = frame->n_rows;

    if (row == frame->capacity)
        TRY(grow(frame, max_bytes, err));
    for (int i = 0; i < frame->n_columns; i++) {
        if (!cells[i].is_null)
            TRY(set_value(frame, &frame->columns[i], row, &cells[i], max_bytes, err));
        else
            set_null(&frame->columns[i], row);
    }
    for (int i = 0; i < frame->n_columns; i++) {
        if (!cells[i].is_null)
            continue;
        frame->columns[i].nulls[row / 64] |= UINT64_C(1) << (row % 64);
        frame->columns[i].n_nulls++;
    }
    frame->n_rows++;
    return ERR_OK;
}

enum err_code frame_append(struct frame *frame, const struct cell *cells, struct err *err)
{
    return frame_append_within(frame, cells, 0, err);
}

void column_cell(const struct column *column, size_t row, struct cell *ret_cell)
{
    *ret_cell = (struct cell){.kind = column->kind, .is_null = column_is_null(column, row)};
    if (ret_cell->is_null)
        return;
    switch (column->kind) {
    case CELL_BOOL:
        ret_cell->bool_value = column->bools[row] != 0;
        break;
    case CELL_INT:
    case CELL_TIMESTAMP:
        ret_cell->int_value = column->ints[row];
        break;
    case CELL_FLOAT4:
        ret_cell->float_value = column->floats[row];
        break;
    case CELL_DOUBLE:
        ret_cell->double_value = column->doubles[row];
        break;
    case CELL_TEXT:
    case CELL_JSON:
        ret_cell->text = column->dictionary.keys[column->codes[row]].text;
        ret_cell->n_bytes = column->dictionary.keys[column->codes[row]].length;
        break;
    case CELL_LIST:
        ret_cell->items = column->items + first_element(column, row);
        ret_cell->n_items = column->ends[row] - first_element(column, row);
        break;
    case CELL_TEXTS:
        ret_cell->texts = column->texts + first_element(column, row);
        ret_cell->n_items = column->ends[row] - first_element(column, row);
        break;
    }
}
