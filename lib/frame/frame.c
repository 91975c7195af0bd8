#include "frame/frame.h"

#include <string.h>

#include "frame/internal.h"

/* Rows are numbered by uint32 from here on. */
#define ROWS_MAX       UINT32_MAX
#define ROWS_FIRST     1024 /* a multiple of 64: whole words of nulls */
#define ELEMENTS_FIRST 1024

const uint8_t cell_widths[] = {
    [CELL_BOOL] = sizeof(uint8_t),  [CELL_INT] = sizeof(int64_t),
    [CELL_FLOAT4] = sizeof(float),  [CELL_DOUBLE] = sizeof(double),
    [CELL_TEXT] = sizeof(uint32_t), [CELL_TIMESTAMP] = sizeof(int64_t),
    [CELL_LIST] = sizeof(uint64_t), [CELL_TEXTS] = sizeof(uint64_t),
    [CELL_JSON] = sizeof(uint64_t),
};

const uint8_t element_widths[] = {
    [CELL_LIST] = sizeof(double),
    [CELL_TEXTS] = sizeof(struct cell_string),
    [CELL_JSON] = sizeof(char),
};

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
        column->n_here = SIZE_MAX;
        column->frame = frame;
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
    free(frame->keys);
    frame_spill_free(frame->spilled);
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

void frame_set_options(struct frame *frame, const struct frame_options *options)
{
    frame->options = *options;
}

static size_t dictionary_bytes(const struct strmap *map)
{
    return map->texts.n_bytes + map->keys_capacity * sizeof(*map->keys) +
           map->n_slots * sizeof(*map->slots);
}

size_t frame_bytes(const struct frame *frame)
{
    size_t n_bytes = frame->capacity * frame_row_bytes(frame);

    for (int i = 0; i < frame->n_columns; i++) {
        const struct column *column = &frame->columns[i];

        n_bytes += column->elements_capacity * element_widths[column->kind] +
                   dictionary_bytes(&column->dictionary);
    }
    return n_bytes;
}

size_t frame_row_bytes(const struct frame *frame)
{
    size_t n_bytes = frame->options.order != NULL ? sizeof(*frame->keys) : 0; /* while it fills */

    for (int i = 0; i < frame->n_columns; i++)
        n_bytes += cell_widths[frame->columns[i].kind];
    return n_bytes + ((size_t)frame->n_columns + 7) / 8;
}

enum err_code column_reserve(struct column *column, size_t before, size_t capacity, struct err *err)
{
    size_t n_words = capacity / 64, n_words_before = before / 64;
    uint64_t *nulls = reallocarray(column->nulls, n_words, sizeof(*nulls));
    void *data;

    if (nulls == NULL)
        return err_nomem(err);
    memset(nulls + n_words_before, 0, (n_words - n_words_before) * sizeof(*nulls));
    column->nulls = nulls;
    data = reallocarray(column->data, capacity, cell_widths[column->kind]);
    if (data == NULL)
        return err_nomem(err);
    column->data = data;
    return ERR_OK;
}

/* A column that grew stays grown when a later one fails: `capacity` follows the smallest. */
static enum err_code grow(struct frame *frame, size_t capacity, struct err *err)
{
    for (int i = 0; i < frame->n_columns; i++)
        TRY(column_reserve(&frame->columns[i], frame->capacity, capacity, err));
    if (frame->options.order != NULL) {
        uint64_t *keys = reallocarray(frame->keys, capacity, sizeof(*keys));

        if (keys == NULL)
            return err_nomem(err);
        frame->keys = keys;
    }
    frame->capacity = capacity;
    return ERR_OK;
}

/* Rows that the bound allows in memory, whole words of nulls. */
static size_t rows_within(const struct frame *frame)
{
    size_t n = frame->options.spill.above / frame_row_bytes(frame) / 64 * 64;

    return n > ROWS_FIRST ? n : ROWS_FIRST;
}

/* Room for a row: more memory or, at the bound, a run on its way to the file. */
static enum err_code make_room(struct frame *frame, struct err *err)
{
    size_t capacity = frame->capacity == 0 ? ROWS_FIRST : frame->capacity * 2;

    if (frame->n_rows >= ROWS_MAX - 1) {
        err_set(err, ERR_LIMIT, "more than %zu rows", frame->n_rows);
        return err_hint(err, "train on a view that has a sample of the rows");
    }
    if (frame->options.spill.above != 0) {
        if (frame->n_element_bytes > frame->options.spill.above ||
            frame->capacity >= rows_within(frame))
            return frame_spill_run(frame, err);
        capacity = capacity < rows_within(frame) ? capacity : rows_within(frame);
    }
    return grow(frame, capacity, err);
}

enum err_code column_reserve_elements(struct column *column, size_t n_needed, struct err *err)
{
    size_t capacity = column->elements_capacity;
    void *elements;

    if (n_needed <= capacity && column->elements != NULL)
        return ERR_OK;
    capacity = capacity == 0 ? ELEMENTS_FIRST : capacity * 2;
    if (capacity < n_needed)
        capacity = n_needed;
    elements = reallocarray(column->elements, capacity, element_widths[column->kind]);
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

static enum err_code set_list(struct column *column, size_t row, const struct cell *cell,
                              struct err *err)
{
    bool is_document = column->kind == CELL_JSON;
    size_t n = is_document ? cell->n_bytes : cell->n_items, width = element_widths[column->kind];
    uint64_t first = first_element(column, row);

    TRY(column_reserve_elements(column, first + n, err));
    if (column->kind == CELL_TEXTS)
        TRY(set_texts(column, first, cell, err));
    else if (n > 0)
        memcpy((char *)column->elements + first * width,
               is_document ? (const void *)cell->text : cell->items, n * width);
    column->ends[row] = first + n;
    column->frame->n_element_bytes += n * width;
    return ERR_OK;
}

static enum err_code set_value(struct column *column, size_t row, const struct cell *cell,
                               struct err *err)
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
        return add_text(column, cell->text, cell->n_bytes, &column->codes[row], err);
    case CELL_LIST:
    case CELL_TEXTS:
    case CELL_JSON:
        return set_list(column, row, cell, err);
    }
    return ERR_OK;
}

/* What others look at without asking whether the row is null. */
static void set_null(struct column *column, size_t row)
{
    if (column->kind == CELL_TEXT)
        column->codes[row] = 0;
    else if (element_widths[column->kind] != 0)
        column->ends[row] = first_element(column, row);
}

static void mark_null(struct column *column, size_t row)
{
    column->nulls[row / 64] |= UINT64_C(1) << (row % 64);
    column->n_nulls++;
}

/* The row counts only once all its cells are there; null bits wait until then too. */
enum err_code frame_append(struct frame *frame, const struct cell *cells, struct err *err)
{
    const struct frame_order *order = frame->options.order;
    size_t row;

    if (frame->n_rows - frame->n_spilled == frame->capacity ||
        (frame->options.spill.above != 0 && frame->n_element_bytes > frame->options.spill.above))
        TRY(make_room(frame, err));
    row = frame->n_rows - frame->n_spilled;
    if (order != NULL)
        TRY(order->key(order->context, cells, &frame->keys[row], err));
    for (int i = 0; i < frame->n_columns; i++) {
        if (!cells[i].is_null)
            TRY(set_value(&frame->columns[i], row, &cells[i], err));
        else
            set_null(&frame->columns[i], row);
    }
    for (int i = 0; i < frame->n_columns; i++)
        if (cells[i].is_null)
            mark_null(&frame->columns[i], row);
    frame->n_rows++;
    return ERR_OK;
}

enum err_code frame_finish(struct frame *frame, struct err *err)
{
    if (frame->spilled != NULL)
        TRY(frame_merge_runs(frame, err));
    else
        TRY(frame_sort(frame, err));
    frame->options.order = NULL; /* the caller's, who may go now */
    return ERR_OK;
}

enum err_code frame_check(const struct frame *frame, struct err *err)
{
    return frame->spilled != NULL ? frame_spill_check(frame->spilled, err) : ERR_OK;
}

void column_load(const struct column *column, size_t row)
{
    frame_spill_load(column->frame->spilled, (struct column *)column, row);
}

void column_cell(const struct column *column, size_t row, struct cell *ret_cell)
{
    size_t at = column_at(column, row);

    *ret_cell = (struct cell){.kind = column->kind, .is_null = column_is_null(column, row)};
    if (ret_cell->is_null)
        return;
    switch (column->kind) {
    case CELL_BOOL:
        ret_cell->bool_value = column->bools[at] != 0;
        break;
    case CELL_INT:
    case CELL_TIMESTAMP:
        ret_cell->int_value = column->ints[at];
        break;
    case CELL_FLOAT4:
        ret_cell->float_value = column->floats[at];
        break;
    case CELL_DOUBLE:
        ret_cell->double_value = column->doubles[at];
        break;
    case CELL_TEXT:
        ret_cell->text = column->dictionary.keys[column->codes[at]].text;
        ret_cell->n_bytes = column->dictionary.keys[column->codes[at]].length;
        break;
    case CELL_LIST:
        ret_cell->items = column->items + first_element(column, at);
        ret_cell->n_items = column->ends[at] - first_element(column, at);
        break;
    case CELL_TEXTS:
        ret_cell->texts = column->texts + first_element(column, at);
        ret_cell->n_items = column->ends[at] - first_element(column, at);
        break;
    case CELL_JSON:
        ret_cell->text = column->bytes + first_element(column, at);
        ret_cell->n_bytes = column->ends[at] - first_element(column, at);
        break;
    }
}
