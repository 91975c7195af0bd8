/*
 * What the encoder's tests share: a relation, a definition and a frame made by hand.
 */
#ifndef PGBOOST_TESTS_FEATURE_FIXTURE_H
#define PGBOOST_TESTS_FEATURE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h> /* wants the above before it */

#include "feature/encoder.h"

#define COLUMNS_MAX 16

/* Fails with err's message when the call does. */
#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != ERR_OK)                                                                      \
            fail_msg("%s: %s", #call, err.message);                                                \
    } while (0)

/* The columns of a relation and, by the same names, of a frame. The first is the target. */
struct fixture {
    struct relation_column columns[COLUMNS_MAX];
    struct relation relation;
    struct column_override overrides[COLUMNS_MAX];
    struct project project;
    struct schema *schema;
    struct frame *frame;
    uint32_t *rows; /* 0, 1, 2 … of the frame */
};

static inline void fixture_column(struct fixture *fixture, const char *name, enum pg_type type)
{
    int n = fixture->relation.n_columns++;

    assert_true(n < COLUMNS_MAX);
    fixture->columns[n] = (struct relation_column){
        .name = name, .type = type, .type_name = type == PG_OTHER ? "uuid" : pg_type_name(type)};
    fixture->relation.name = "demo.x";
    fixture->relation.columns = fixture->columns;
}

static inline void fixture_as(struct fixture *fixture, const char *name, enum column_as as)
{
    fixture->overrides[fixture->project.n_overrides++] = (struct column_override){name, as};
}

/* After the columns: the schema and an empty frame of all of them. */
static inline void fixture_ready(struct fixture *fixture)
{
    const char *names[COLUMNS_MAX];
    enum pg_type types[COLUMNS_MAX];
    struct err err;

    for (int i = 0; i < fixture->relation.n_columns; i++) {
        names[i] = fixture->columns[i].name;
        types[i] = fixture->columns[i].type;
    }
    fixture->project.target = names[0];
    fixture->project.overrides = fixture->overrides;
    if (fixture->project.timezone == NULL)
        fixture->project.timezone = "UTC";
    OK(schema_new(&fixture->project, &fixture->relation, &fixture->schema, &err));
    OK(frame_new(names, types, fixture->relation.n_columns, &fixture->frame, &err));
}

static inline void fixture_release(struct fixture *fixture)
{
    schema_free(fixture->schema);
    frame_free(fixture->frame);
    free(fixture->rows);
}

static inline void fixture_row(struct fixture *fixture, const struct cell *cells)
{
    struct err err;

    OK(frame_append(fixture->frame, cells, &err));
}

/* Fits on the first n_rows rows. */
static inline struct encoder *fixture_fit(struct fixture *fixture, size_t n_rows,
                                          const struct encoder_target *target)
{
    struct encoder *encoder = NULL;
    struct err err;

    free(fixture->rows);
    fixture->rows = calloc(fixture->frame->n_rows + 1, sizeof(uint32_t));
    assert_non_null(fixture->rows);
    for (size_t i = 0; i < fixture->frame->n_rows; i++)
        fixture->rows[i] = (uint32_t)i;
    OK(encoder_fit(fixture->schema, &fixture->project, fixture->frame, fixture->rows, n_rows,
                   target, &encoder, &err));
    return encoder;
}

static inline struct cell null_of(enum pg_type type)
{
    return (struct cell){.kind = cell_kind_of(type), .is_null = true};
}

static inline struct cell bool_cell(bool value)
{
    return (struct cell){.kind = CELL_BOOL, .bool_value = value};
}

static inline struct cell int_cell(int64_t value)
{
    return (struct cell){.kind = CELL_INT, .int_value = value};
}

static inline struct cell float_cell(float value)
{
    return (struct cell){.kind = CELL_FLOAT4, .float_value = value};
}

static inline struct cell double_cell(double value)
{
    return (struct cell){.kind = CELL_DOUBLE, .double_value = value};
}

static inline struct cell text_cell(const char *text)
{
    return (struct cell){.kind = CELL_TEXT, .text = text, .n_bytes = strlen(text)};
}

static inline struct cell time_cell(int64_t us)
{
    return (struct cell){.kind = CELL_TIMESTAMP, .int_value = us};
}

static inline uint32_t float_bits(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* Equal to the bit; NaN equals NaN. */
static inline void check_float(float actual, float expected, const char *what)
{
    if (actual != actual && expected != expected)
        return;
    if (float_bits(actual) != float_bits(expected))
        fail_msg("%s: %.9g (%08x), expected %.9g (%08x)", what, (double)actual, float_bits(actual),
                 (double)expected, float_bits(expected));
}

#endif
