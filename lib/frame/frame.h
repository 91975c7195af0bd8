/*
 * A relation's rows in memory: typed columns with null bitmaps, filled from COPY binary.
 *
 * In the way of the data: relation → frame → split → features. Refuses: knowing what a feature is,
 * reading anything but columns it was asked for.
 *
 * Invariants: every column has n_rows values; a null has its bit set in `nulls` and an unspecified
 * value; text and documents are dictionary-coded (a code per row, each distinct text once, in order
 * of first appearance). The elements of lists lie behind one another, row after row, and a row says
 * where its own end; elements that are texts point into the dictionary. A filled frame may be read
 * by many threads.
 */
#ifndef PGBOOST_FRAME_FRAME_H
#define PGBOOST_FRAME_FRAME_H

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
        uint32_t *codes; /* CELL_TEXT, CELL_JSON: index into dictionary */
        uint64_t *ends;  /* CELL_LIST, CELL_TEXTS: elements of this row and all before it */
        void *data;
    };
    union {
        double *items;             /* CELL_LIST */
        struct cell_string *texts; /* CELL_TEXTS */
        void *elements;
    };
    size_t elements_capacity;
    struct strmap dictionary;
};

struct frame {
    size_t n_rows, capacity;
    int n_columns;
    struct column *columns;
    struct arena arena;
};

struct frame_limits {
    size_t max_bytes; /* of all columns; 0: no bound. Beyond: ERR_LIMIT */
    size_t max_rows;  /* 0: no bound */
};

/* An empty frame of named, typed columns. */
MUST_CHECK enum err_code frame_new(const char *const *names, const enum pg_type *types,
                                   int n_columns, struct frame **ret_frame, struct err *err);
void frame_free(struct frame *frame);
DEFINE_FREEP(struct frame *, frame_free)

/* Appends one row; cells[n_columns] of the columns' kinds. */
MUST_CHECK enum err_code frame_append(struct frame *frame, const struct cell *cells,
                                      struct err *err);

/* Reads columns (indices into relation->columns) of a relation. progress (may be NULL) is called
 * every 10,000 rows; its failure stops the read. The connection is used up by the read. */
typedef enum err_code (*frame_progress_fn)(void *context, size_t n_rows, struct err *err);
MUST_CHECK enum err_code frame_read(struct pg *pg, const struct relation *relation,
                                    const int *columns, int n_columns,
                                    const struct frame_limits *limits, frame_progress_fn progress,
                                    void *context, struct frame **ret_frame, struct err *err);

int frame_find(const struct frame *frame, const char *name); /* column index, or -1 */
size_t frame_bytes(const struct frame *frame);

static inline bool column_is_null(const struct column *column, size_t row)
{
    return column->nulls[row / 64] >> (row % 64) & 1;
}

/* One value; text points into the dictionary, lists into the column. */
void column_cell(const struct column *column, size_t row, struct cell *ret_cell);

#endif
