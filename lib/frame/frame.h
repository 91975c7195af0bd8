/*
 * A relation's rows as typed columns with null bitmaps, filled from COPY binary.
 *
 * In the way of the data: relation → frame → split → features. Refuses: knowing what a feature is,
 * reading anything but columns it was asked for.
 *
 * Invariants: every column has n_rows values; a null has its bit set in `nulls` and an unspecified
 * value; text is dictionary-coded (a code per row, each distinct text once, in order of first
 * appearance). The elements of lists and the bytes of documents lie behind one another, row after
 * row, and a row says where its own end; elements that are texts point into the dictionary.
 *
 * Rows may be put into an order of the caller's (struct frame_order): the same rows are then in the
 * same places, however the relation sent them. Values beyond a bound go to a file: sorted runs,
 * merged as they are read. In such a frame the arrays of a column hold a window of its rows, which
 * column_cell, column_is_null and column_at move where they are asked: readers that go through the
 * rows in order, column by column, cost one pass over the file. Dictionaries stay in memory.
 *
 * A frame that is finished may be read by many threads when it is in memory, by one when it is not.
 */
#ifndef PGBOOST_FRAME_FRAME_H
#define PGBOOST_FRAME_FRAME_H

#include "base/spill.h"
#include "base/strmap.h"
#include "frame/cell.h"
#include "pg/relation.h"

struct column {
    const char *name; /* in the frame's arena */
    enum pg_type type;
    enum cell_kind kind;
    uint64_t *nulls; /* bit row % 64 of word row / 64 */
    size_t n_nulls;
    union {
        uint8_t *bools;
        int64_t *ints; /* CELL_INT, CELL_TIMESTAMP */
        float *floats;
        double *doubles;
        uint32_t *codes; /* CELL_TEXT: index into dictionary */
        uint64_t *ends;  /* CELL_LIST, CELL_TEXTS, CELL_JSON: elements of this row and those before
                            it in the arrays */
        void *data;
    };
    union {
        double *items;             /* CELL_LIST */
        struct cell_string *texts; /* CELL_TEXTS */
        char *bytes;               /* CELL_JSON */
        void *elements;
    };
    size_t elements_capacity;
    struct strmap dictionary; /* CELL_TEXT, CELL_TEXTS */
    /* The rows that the arrays hold: first … first + n_here - 1; all of them unless spilled. */
    size_t first, n_here;
    struct frame *frame;
};

/* Rows are sorted by a key, those of the same key in the order they came. */
struct frame_order {
    enum err_code (*key)(void *context, const struct cell *cells, uint64_t *ret_key,
                         struct err *err);
    void *context;
};

struct frame_options {
    const struct frame_order *order; /* NULL: as they come */
    struct spill_rule spill;         /* of values: dictionaries stay in memory */
    /* What keeps the rows that frame_read reads, or has them already (next is set): then they come
     * from there in place of the relation. NULL: neither. */
    const struct pg_copy_tape *tape;
};

struct frame {
    size_t n_rows, capacity;
    int n_columns;
    struct column *columns;
    uint64_t *keys; /* [n_rows] of the order; NULL where there is none */
    struct frame_options options;
    struct frame_spill *spilled; /* NULL: all rows are in memory */
    size_t n_spilled;            /* rows that were written to it */
    size_t n_element_bytes;      /* of lists and documents in memory */
    struct arena arena;
};

/* An empty frame of named, typed columns. */
MUST_CHECK enum err_code frame_new(const char *const *names, const enum pg_type *types,
                                   int n_columns, struct frame **ret_frame, struct err *err);
void frame_free(struct frame *frame);
DEFINE_FREEP(struct frame *, frame_free)

/* Before the first row; what options points to outlives the frame's filling. */
void frame_set_options(struct frame *frame, const struct frame_options *options);

/* Appends one row; cells[n_columns] of the columns' kinds. */
MUST_CHECK enum err_code frame_append(struct frame *frame, const struct cell *cells,
                                      struct err *err);

/* After the last row of a frame with options: puts the rows into order. Rows are not looked at
 * before. */
MUST_CHECK enum err_code frame_finish(struct frame *frame, struct err *err);

/* Whether every window could be read. One that could not was read as nulls: whoever makes something
 * of a frame's rows asks before it hands it out. */
MUST_CHECK enum err_code frame_check(const struct frame *frame, struct err *err);

/* Reads columns (indices into relation->columns) of a relation. progress (may be NULL) is called
 * every 10,000 rows; its failure stops the read. The connection is used up by the read,
 * and may be NULL where options->tape has the rows. */
typedef enum err_code (*frame_progress_fn)(void *context, size_t n_rows, struct err *err);
MUST_CHECK enum err_code frame_read(struct pg *pg, const struct relation *relation,
                                    const int *columns, int n_columns,
                                    const struct frame_options *options, frame_progress_fn progress,
                                    void *context, struct frame **ret_frame, struct err *err);

int frame_find(const struct frame *frame, const char *name); /* column index, or -1 */
size_t frame_bytes(const struct frame *frame);               /* in memory */

/* Reads the window of a column that has the row. */
void column_load(const struct column *column, size_t row);

/* The row's place in the column's arrays. */
static inline size_t column_at(const struct column *column, size_t row)
{
    if (row - column->first >= column->n_here)
        column_load(column, row);
    return row - column->first;
}

static inline bool column_is_null(const struct column *column, size_t row)
{
    size_t at = column_at(column, row);

    return column->nulls[at / 64] >> (at % 64) & 1;
}

/* One value; text points into the dictionary. Lists and documents point into the column, until
 * another of its rows is asked for. */
void column_cell(const struct column *column, size_t row, struct cell *ret_cell);

#endif
