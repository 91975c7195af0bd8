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

#define COLUMNS_MAX 32

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
    fixture->overrides[fixture->project.n_overrides++] =
        (struct column_override){.column = name, .as = as};
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

/* The first n rows as they are trained on. */
static inline enum err_code fixture_apply_training(const struct fixture *fixture,
                                                   const struct encoder *encoder, size_t n,
                                                   const struct encoder_target *target,
                                                   float *matrix, struct err *err)
{
    CLEANUP(encoder_folds_freep) struct encoder_folds *folds = NULL;

    TRY(encoder_folds_new(encoder, fixture->frame, fixture->rows, n, target, &folds, err));
    return encoder_apply_folds(folds, 0, n, matrix, err);
}

/* One column x of these values beside a target y, and what is said of it (its name is filled in).
 */
static inline struct encoder *fixture_fit_one(struct fixture *fixture, enum pg_type type,
                                              struct column_override how, const struct cell *cells,
                                              size_t n, const struct encoder_target *target)
{
    fixture_column(fixture, "y", PG_INT4);
    fixture_column(fixture, "x", type);
    how.column = "x";
    fixture->overrides[fixture->project.n_overrides++] = how;
    fixture_ready(fixture);
    for (size_t i = 0; i < n; i++)
        fixture_row(fixture, (struct cell[]){{.kind = CELL_INT, .int_value = 0}, cells[i]});
    return fixture_fit(fixture, n, target);
}

/* The encoder after a round trip through JSON, which must be the same bytes the second time. */
static inline struct encoder *reloaded(struct encoder *encoder)
{
    struct buf json = {0}, again = {0};
    struct encoder *loaded = NULL;
    struct err err;

    OK(encoder_to_json(encoder, &json, &err));
    OK(encoder_from_json(json.data, json.length, &loaded, &err));
    OK(encoder_to_json(loaded, &again, &err));
    assert_string_equal(again.data, json.data);
    buf_release(&json);
    buf_release(&again);
    encoder_free(encoder);
    return loaded;
}

/* All names, with a space between, and all types. */
static inline void check_features_are(const struct encoder *encoder, const char *names,
                                      const char *types)
{
    struct buf all = {0}, of = {0};

    for (int i = 0; i < encoder->n_features; i++) {
        buf_printf(&all, "%s%s", i == 0 ? "" : " ", encoder->feature_names[i]);
        buf_puts(&of, encoder->feature_types[i]);
    }
    assert_string_equal(buf_text(&all), names);
    assert_string_equal(buf_text(&of), types);
    buf_release(&all);
    buf_release(&of);
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

#define LIST_CELL(...)                                                                             \
    {                                                                                              \
        .kind = CELL_LIST, .items = (const double[]){__VA_ARGS__},                                 \
        .n_items = sizeof((const double[]){__VA_ARGS__}) / sizeof(double)                          \
    }
#define EMPTY_LIST                                                                                 \
    {                                                                                              \
        .kind = CELL_LIST                                                                          \
    }

static inline struct cell json_cell(const char *text)
{
    return (struct cell){.kind = CELL_JSON, .text = text, .n_bytes = strlen(text)};
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

/* What the encoder's only column makes of a cell. */
static inline void check_cell(const struct encoder *encoder, const struct cell *cell,
                              const float *expected, const char *what)
{
    float features[300];

    assert_int_equal(encoder->n_columns, 1);
    assert_true(encoder->n_features <= 300);
    encode_cell(encoder, &encoder->columns[0], cell, features);
    for (int i = 0; i < encoder->n_features; i++) {
        char which[200];

        snprintf(which, sizeof(which), "%s: %s", what, encoder->feature_names[i]);
        check_float(features[i], expected[i], which);
    }
}

#endif
