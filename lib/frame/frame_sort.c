/* The rows of a frame in memory, put into order: column by column, by one permutation. */
#include <string.h>

#include "base/radix.h"
#include "frame/internal.h"

/* One loop for each width, so that a value is one move. */
#define MOVE(type, to, from, rows, n)                                                              \
    do {                                                                                           \
        type *to_ = (to);                                                                          \
        const type *from_ = (from);                                                                \
        for (size_t i_ = 0; i_ < (n); i_++)                                                        \
            to_[i_] = from_[(rows)[i_]];                                                           \
    } while (0)

static void move_values(void *to, const void *from, const uint32_t *rows, size_t n, size_t width)
{
    if (width == 8)
        MOVE(uint64_t, to, from, rows, n);
    else if (width == 4)
        MOVE(uint32_t, to, from, rows, n);
    else
        MOVE(uint8_t, to, from, rows, n);
}

static void move_nulls(uint64_t *to, const uint64_t *from, const uint32_t *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t is_null = from[rows[i] / 64] >> (rows[i] % 64) & 1;

        to[i / 64] |= is_null << (i % 64);
    }
}

/* Lists and documents: ends[] grows in the new order, elements follow. */
static void move_lists(const struct column *from, uint64_t *ends, char *elements,
                       const uint32_t *rows, size_t n)
{
    size_t width = element_widths[from->kind];
    uint64_t end = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t first = first_element(from, rows[i]);
        uint64_t n_elements = from->ends[rows[i]] - first;

        memcpy(elements + end * width, (const char *)from->elements + first * width,
               n_elements * width);
        end += n_elements;
        ends[i] = end;
    }
}

static enum err_code move_elements(struct column *column, uint64_t *ends, const uint32_t *rows,
                                   size_t n, struct err *err)
{
    char *elements = malloc(column->elements_capacity * element_widths[column->kind] + 1);

    if (elements == NULL)
        return err_nomem(err);
    move_lists(column, ends, elements, rows, n);
    free(column->elements);
    column->elements = elements;
    return ERR_OK;
}

enum err_code column_permute(struct column *column, const uint32_t *rows, size_t n, size_t capacity,
                             struct err *err)
{
    size_t width = cell_widths[column->kind];
    CLEANUP(free_ptr) void *data = malloc(capacity * width + 1);
    CLEANUP(free_ptr) uint64_t *nulls = calloc(capacity / 64 + 1, sizeof(*nulls));

    if (data == NULL || nulls == NULL)
        return err_nomem(err);
    if (column->n_nulls > 0)
        move_nulls(nulls, column->nulls, rows, n);
    if (column->elements != NULL)
        TRY(move_elements(column, data, rows, n, err));
    else
        move_values(data, column->data, rows, n, width);
    free(column->data);
    free(column->nulls);
    column->data = TAKE_PTR(data);
    column->nulls = TAKE_PTR(nulls);
    return ERR_OK;
}

/* keys[n] in order, and which row comes to each place. The caller frees. */
static enum err_code sort_keys(uint64_t *keys, size_t n, uint32_t **ret_rows, struct err *err)
{
    CLEANUP(free_ptr) struct radix_item *items = malloc((n + 1) * sizeof(*items));
    CLEANUP(free_ptr) struct radix_item *room = malloc((n + 1) * sizeof(*room));
    uint32_t *rows = malloc((n + 1) * sizeof(*rows));
    const struct radix_item *sorted;

    if (items == NULL || room == NULL || rows == NULL) {
        free(rows);
        return err_nomem(err);
    }
    for (size_t i = 0; i < n; i++)
        items[i] = (struct radix_item){keys[i], (uint32_t)i};
    sorted = radix_sort(items, room, n);
    for (size_t i = 0; i < n; i++) {
        keys[i] = sorted[i].key;
        rows[i] = sorted[i].index;
    }
    *ret_rows = rows;
    return ERR_OK;
}

enum err_code frame_sort(struct frame *frame, struct err *err)
{
    size_t n = frame->n_rows - frame->n_spilled;
    CLEANUP(free_ptr) uint32_t *rows = NULL;

    if (frame->options.order == NULL || n == 0)
        return ERR_OK;
    TRY(sort_keys(frame->keys, n, &rows, err));
    for (int i = 0; i < frame->n_columns; i++)
        TRY(column_permute(&frame->columns[i], rows, n, frame->capacity, err));
    return ERR_OK;
}
