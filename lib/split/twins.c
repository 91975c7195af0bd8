#include "split/twins.h"

#include <string.h>

#include "split/split.h"

#define NULL_VALUE UINT64_C(0x6a09e667f3bcc908) /* a number that hardly any column holds */

/* What a row is among those of its features. */
enum mark { ALONE, FIRST, LATER };

void twins_release(struct twins *twins)
{
    free(twins->places);
    *twins = (struct twins){0};
}

static void without_sign_of_zero(struct cell *cell)
{
    if (cell->is_null)
        return;
    if (cell->kind == CELL_DOUBLE)
        cell->double_value += 0.0;
    else if (cell->kind == CELL_FLOAT4)
        cell->float_value += 0.0f;
}

/* The value as a number that equals that of another row exactly when the values are equal (lists
 * and documents: but for their hashes). Texts are told apart by their codes. */
static uint64_t value_at(const struct column *column, size_t row)
{
    size_t at = column_at(column, row);
    struct cell cell;
    uint64_t number;

    if (column_is_null(column, row))
        return NULL_VALUE;
    switch (column->kind) {
    case CELL_BOOL:
        return column->bools[at];
    case CELL_INT:
    case CELL_TIMESTAMP:
        return (uint64_t)column->ints[at];
    case CELL_TEXT:
        return column->codes[at];
    case CELL_DOUBLE: {
        double value = column->doubles[at] + 0.0;

        memcpy(&number, &value, sizeof(number));
        return number;
    }
    default:
        column_cell(column, row, &cell);
        without_sign_of_zero(&cell);
        return cell_hash(&cell);
    }
}

/* The finalizer of MurmurHash3 (Appleby), which is one to one. */
static uint64_t mix(uint64_t hash)
{
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ (hash >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ (hash >> 33);
}

static void print_rows(const struct frame *frame, const int *columns, int n_columns,
                       uint64_t *prints)
{
    memset(prints, 0, frame->n_rows * sizeof(*prints));
    for (int i = 0; i < n_columns; i++) {
        const struct column *column = &frame->columns[columns[i]];

        for (size_t row = 0; row < frame->n_rows; row++)
            prints[row] = mix(prints[row] ^ value_at(column, row));
    }
}

/* Slots of a table that is at most three quarters full. */
static size_t n_slots_for(size_t n_rows)
{
    size_t n_slots = 16;

    while (n_slots / 4 * 3 < n_rows)
        n_slots *= 2;
    return n_slots;
}

/* Marks the rows. The print of one that comes later becomes the number of the first. */
static enum err_code mark_rows(const uint32_t *rows, size_t n_rows, uint64_t *prints,
                               uint8_t *marks, struct twins *twins, struct err *err)
{
    size_t n_slots = n_slots_for(n_rows);
    CLEANUP(free_ptr) uint32_t *slots = calloc(n_slots, sizeof(*slots)); /* row + 1; 0: free */

    if (slots == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < n_rows; i++) {
        uint32_t row = rows[i];
        size_t at = prints[row] & (n_slots - 1);

        while (slots[at] != 0 && prints[slots[at] - 1] != prints[row])
            at = (at + 1) & (n_slots - 1);
        if (slots[at] == 0) {
            slots[at] = row + 1;
            twins->n_distinct++;
            continue;
        }
        twins->n_twins += marks[slots[at] - 1] == ALONE ? 2 : 1;
        marks[slots[at] - 1] = FIRST;
        marks[row] = LATER;
        prints[row] = slots[at] - 1;
    }
    return ERR_OK;
}

/* The rule's hash over a row's features. */
static enum err_code hash_features(const struct frame *frame, const int *columns, uint32_t row,
                                   struct split_key *key, struct cell *cells, uint64_t *ret_hash,
                                   struct err *err)
{
    for (int i = 0; i < key->n_columns; i++) {
        column_cell(&frame->columns[columns[i]], row, &cells[i]);
        without_sign_of_zero(&cells[i]);
    }
    return split_key_hash(key, cells, ret_hash, err);
}

/* From prints and marks to places. */
static enum err_code place_rows(const struct frame *frame, const int *columns,
                                struct split_key *key, struct cell *cells, const uint32_t *rows,
                                size_t n_rows, const uint64_t *hashes, const uint8_t *marks,
                                uint64_t *places, struct err *err)
{
    for (size_t i = 0; i < n_rows; i++) {
        uint32_t row = rows[i];

        if (marks[row] == FIRST)
            TRY(hash_features(frame, columns, row, key, cells, &places[row], err));
        else
            places[row] = marks[row] == LATER ? places[places[row]] : hashes[row];
    }
    return ERR_OK;
}

static enum err_code find_places(const struct frame *frame, const int *columns, int n_columns,
                                 int64_t seed, const uint32_t *rows, size_t n_rows,
                                 const uint64_t *hashes, const uint8_t *marks, uint64_t *places,
                                 struct err *err)
{
    CLEANUP(free_ptr) enum pg_type *types = calloc((size_t)n_columns + 1, sizeof(*types));
    CLEANUP(free_ptr) struct cell *cells = calloc((size_t)n_columns + 1, sizeof(*cells));
    struct split_key key = {.seed = seed, .n_columns = n_columns, .types = types};
    enum err_code code;

    if (types == NULL || cells == NULL)
        return err_nomem(err);
    for (int i = 0; i < n_columns; i++)
        types[i] = frame->columns[columns[i]].type;
    code = place_rows(frame, columns, &key, cells, rows, n_rows, hashes, marks, places, err);
    buf_release(&key.text);
    return code;
}

enum err_code twins_find(const struct frame *frame, const int *columns, int n_columns,
                         const uint32_t *rows, size_t n_rows, int64_t seed, const uint64_t *hashes,
                         struct twins *ret_twins, struct err *err)
{
    CLEANUP(free_ptr) uint64_t *prints = malloc(frame->n_rows * sizeof(*prints) + 1);
    CLEANUP(free_ptr) uint8_t *marks = calloc(frame->n_rows + 1, sizeof(*marks));
    struct twins twins = {0};

    if (prints == NULL || marks == NULL)
        return err_nomem(err);
    print_rows(frame, columns, n_columns, prints);
    TRY(mark_rows(rows, n_rows, prints, marks, &twins, err));
    twins.is_coarse = n_rows >= TWINS_COARSE * twins.n_distinct && twins.n_twins > 0;
    if (twins.n_twins > 0 && !twins.is_coarse) {
        TRY(find_places(frame, columns, n_columns, seed, rows, n_rows, hashes, marks, prints, err));
        twins.places = TAKE_PTR(prints);
    }
    *ret_twins = twins;
    return ERR_OK;
}
