/*
 * A small model made by hand, for the tests of what stands on models: a frame of ten flights, the
 * encoder fitted on it, and a forest of a few splits written as XGBoost writes UBJSON. Every leaf
 * and base margin is a sum of powers of two, so that margins can be worked out on paper.
 *
 *   column         type         features
 *   distance       float8       0
 *   carrier        text         1        UA 1, AA 2, q"\ 3, Ünï 4; others 0
 *   scheduled at   timestamptz  2 days, 3 month, 4 day, 5 weekday, 6 hour; from 2013-01-01 05:00
 * UTC on/off~        bool         7 seats          int4         8 ratio          float4       9
 *   price          numeric      10
 *   delay, id      float8, int8: not features
 */
#ifndef PGBOOST_TEST_TINY_MODEL_H
#define PGBOOST_TEST_TINY_MODEL_H

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "model/model.h"

#define TINY_N_COLUMNS  9
#define TINY_N_FEATURES 11
#define TINY_N_ROWS     10

enum tiny_kind { TINY_REGRESSION, TINY_BINARY, TINY_MULTICLASS };

struct tiny {
    struct frame *frame;
    struct encoder *encoder;
    struct forest *forest;
    struct buf bytes, encoder_json, golden, labels;
    char sha256[SHA256_HEX_SIZE];
    struct model_row row; /* points at the above */
};

static inline void tiny_must(enum err_code code, const struct err *err)
{
    if (code == ERR_OK)
        return;
    fprintf(stderr, "fixture: %s\n", err->message);
    abort();
}

/* The frame ----------------------------------------------------------------------------------- */

static const char *const tiny_names[TINY_N_COLUMNS] = {
    "distance", "carrier", "scheduled at", "on/off~", "seats", "ratio", "price", "delay", "id"};
static const enum pg_type tiny_types[TINY_N_COLUMNS] = {PG_FLOAT8,  PG_TEXT_TYPE, PG_TIMESTAMPTZ,
                                                        PG_BOOL,    PG_INT4,      PG_FLOAT4,
                                                        PG_NUMERIC, PG_FLOAT8,    PG_INT8};

/* 2013-01-01 05:00 UTC, in microseconds since 2000 */
static inline int64_t tiny_start_us(void)
{
    return days_from_civil(2013, 1, 1) * USECS_PER_DAY + INT64_C(5) * 3600 * 1000000;
}

static inline struct frame *tiny_frame(void)
{
    static const char *const carriers[TINY_N_ROWS] = {"UA", "UA",    "UA",    "UA",  "AA",
                                                      "AA", "q\"\\", "q\"\\", "Ünï", "Ünï"};
    struct frame *frame = NULL;
    struct err err;

    tiny_must(frame_new(tiny_names, tiny_types, TINY_N_COLUMNS, &frame, &err), &err);
    for (int row = 0; row < TINY_N_ROWS; row++) {
        struct cell cells[TINY_N_COLUMNS] = {
            {.kind = CELL_DOUBLE, .double_value = row * 250.5},
            {.kind = CELL_TEXT, .text = carriers[row], .n_bytes = strlen(carriers[row])},
            {.kind = CELL_TIMESTAMP, .int_value = tiny_start_us() + row * INT64_C(31234567890)},
            {.kind = CELL_BOOL, .bool_value = row % 2 == 1},
            {.kind = CELL_INT, .int_value = 100 - row},
            {.kind = CELL_FLOAT4, .float_value = 0.1F * (float)row},
            {.kind = CELL_DOUBLE, .double_value = 1.1 * row},
            {.kind = CELL_DOUBLE, .double_value = row},
            {.kind = CELL_INT, .int_value = row},
        };

        for (int i = 0; i < 7; i++) /* one missing value in each feature but the timestamp */
            cells[i].is_null = i != 2 && row == i + 2;
        tiny_must(frame_append(frame, cells, &err), &err);
    }
    return frame;
}

static inline struct encoder *tiny_encoder(const struct frame *frame)
{
    struct schema_column columns[TINY_N_COLUMNS];
    int features[7];
    uint32_t rows[TINY_N_ROWS];
    double y[TINY_N_ROWS];
    struct schema schema = {.n_columns = TINY_N_COLUMNS,
                            .columns = columns,
                            .target = 7,
                            .time = -1,
                            .n_features = 7,
                            .features = features,
                            .task = TASK_REGRESSION};
    struct project project = {.timezone = "UTC"};
    struct encoder_target target = {.n_outputs = 1, .values = y};
    struct encoder *encoder = NULL;
    struct err err;

    for (int i = 0; i < TINY_N_COLUMNS; i++)
        columns[i] = (struct schema_column){.name = tiny_names[i],
                                            .type = tiny_types[i],
                                            .relation_index = i,
                                            .roles = i < 7    ? COLUMN_FEATURE
                                                     : i == 7 ? COLUMN_TARGET
                                                              : COLUMN_KEY};
    for (int i = 0; i < 7; i++)
        features[i] = i;
    for (uint32_t i = 0; i < TINY_N_ROWS; i++) {
        rows[i] = i;
        y[i] = i;
    }
    tiny_must(encoder_fit(&schema, &project, frame, rows, TINY_N_ROWS, &target, &encoder, &err),
              &err);
    return encoder;
}

/* The forest, in UBJSON ----------------------------------------------------------------------- */

static inline void ubj_be(struct buf *out, uint64_t value, int n_bytes)
{
    for (int shift = (n_bytes - 1) * 8; shift >= 0; shift -= 8)
        buf_putc(out, (char)(value >> shift));
}

static inline void ubj_name(struct buf *out, const char *name)
{
    buf_putc(out, 'L');
    ubj_be(out, strlen(name), 8);
    buf_puts(out, name);
}

static inline void ubj_text(struct buf *out, const char *name, const char *text)
{
    ubj_name(out, name);
    buf_putc(out, 'S');
    ubj_name(out, text);
}

static inline void ubj_array(struct buf *out, const char *name, char marker, size_t n)
{
    ubj_name(out, name);
    buf_puts(out, "[$");
    buf_putc(out, marker);
    buf_puts(out, "#L");
    ubj_be(out, n, 8);
}

static inline void ubj_ints(struct buf *out, const char *name, const int *values, int n)
{
    ubj_array(out, name, 'l', (size_t)n);
    for (int i = 0; i < n; i++)
        ubj_be(out, (uint32_t)values[i], 4);
}

static inline void ubj_bytes(struct buf *out, const char *name, const int *values, int n)
{
    ubj_array(out, name, 'U', (size_t)n);
    for (int i = 0; i < n; i++)
        ubj_be(out, (uint8_t)values[i], 1);
}

static inline void ubj_floats(struct buf *out, const char *name, const float *values, int n)
{
    ubj_array(out, name, 'd', (size_t)n);
    for (int i = 0; i < n; i++) {
        uint32_t bits;

        memcpy(&bits, &values[i], sizeof(bits));
        ubj_be(out, bits, 4);
    }
}

struct tiny_tree {
    int n_nodes, left[5], right[5], feature[5], default_left[5], split_type[5];
    float condition[5]; /* of a leaf its value */
    float cover[5];     /* as XGBoost weighs training rows */
    int n_sets, set_node, set_size, categories[4];
};

/*
 * 0: distance < 1000 or missing ? 1 : carrier in {AA, Ünï} ? 4 : 2     (a missing carrier: 2)
 * 1: on/off~ < 0.5 ? 0.25 : -0.5                                        (missing: -0.5)
 * 2: hour < 12 or missing ? 0.125 : 8
 */
static const struct tiny_tree tiny_trees[3] = {
    {.n_nodes = 5,
     .left = {1, -1, 3, -1, -1},
     .right = {2, -1, 4, -1, -1},
     .feature = {0, 0, 1, 0, 0},
     .default_left = {1, 0, 1, 0, 0},
     .split_type = {0, 0, 1, 0, 0},
     .condition = {1000, 1, 0, 2, 4},
     .cover = {4, 2, 2, 0.5F, 1.5F},
     .n_sets = 1,
     .set_node = 2,
     .set_size = 2,
     .categories = {2, 4}},
    {.n_nodes = 3,
     .left = {1, -1, -1},
     .right = {2, -1, -1},
     .feature = {7},
     .condition = {0.5F, 0.25F, -0.5F},
     .cover = {4, 1, 3}},
    {.n_nodes = 3,
     .left = {1, -1, -1},
     .right = {2, -1, -1},
     .feature = {6},
     .default_left = {1},
     .condition = {12, 0.125F, 8},
     .cover = {2, 1, 1}},
};

static inline void tiny_put_tree(struct buf *out, const struct tiny_tree *tree, int id)
{
    char number[16];
    int begin = 0;

    buf_putc(out, '{');
    ubj_ints(out, "categories", tree->categories, tree->n_sets * tree->set_size);
    ubj_ints(out, "categories_nodes", &tree->set_node, tree->n_sets);
    ubj_array(out, "categories_segments", 'L', (size_t)tree->n_sets);
    for (int i = 0; i < tree->n_sets; i++)
        ubj_be(out, (uint64_t)begin, 8);
    ubj_array(out, "categories_sizes", 'L', (size_t)tree->n_sets);
    for (int i = 0; i < tree->n_sets; i++)
        ubj_be(out, (uint64_t)tree->set_size, 8);
    ubj_bytes(out, "default_left", tree->default_left, tree->n_nodes);
    ubj_name(out, "id");
    buf_putc(out, 'l');
    ubj_be(out, (uint64_t)id, 4);
    ubj_ints(out, "left_children", tree->left, tree->n_nodes);
    ubj_ints(out, "right_children", tree->right, tree->n_nodes);
    ubj_floats(out, "split_conditions", tree->condition, tree->n_nodes);
    ubj_ints(out, "split_indices", tree->feature, tree->n_nodes);
    ubj_bytes(out, "split_type", tree->split_type, tree->n_nodes);
    ubj_floats(out, "sum_hessian", tree->cover, tree->n_nodes);
    ubj_name(out, "tree_param");
    snprintf(number, sizeof(number), "%d", tree->n_nodes);
    buf_putc(out, '{');
    ubj_text(out, "num_nodes", number);
    ubj_text(out, "size_leaf_vector", "0");
    buf_puts(out, "}}");
}

static inline void tiny_put_learner(struct buf *out, enum tiny_kind kind)
{
    static const char *const objectives[] = {"reg:squarederror", "binary:logistic",
                                             "multi:softprob"};
    static const int outputs[2][3] = {{0, 0, 0}, {0, 1, 2}};

    ubj_name(out, "gradient_booster");
    buf_putc(out, '{');
    ubj_name(out, "model");
    buf_putc(out, '{');
    ubj_name(out, "gbtree_model_param");
    buf_putc(out, '{');
    ubj_text(out, "num_trees", "3");
    buf_putc(out, '}');
    ubj_ints(out, "tree_info", outputs[kind == TINY_MULTICLASS], 3);
    ubj_name(out, "trees");
    buf_puts(out, "[#L");
    ubj_be(out, 3, 8);
    for (int i = 0; i < 3; i++)
        tiny_put_tree(out, &tiny_trees[i], i);
    buf_putc(out, '}');
    ubj_text(out, "name", "gbtree");
    buf_putc(out, '}');
    ubj_name(out, "learner_model_param");
    buf_putc(out, '{');
    ubj_text(out, "base_score", "5E-1");
    ubj_text(out, "num_class", kind == TINY_MULTICLASS ? "3" : "0");
    ubj_text(out, "num_feature", "11");
    buf_putc(out, '}');
    ubj_name(out, "objective");
    buf_putc(out, '{');
    ubj_text(out, "name", objectives[kind]);
    buf_putc(out, '}');
}

static inline void tiny_put_forest(struct buf *out, enum tiny_kind kind)
{
    buf_putc(out, '{');
    ubj_name(out, "learner");
    buf_putc(out, '{');
    tiny_put_learner(out, kind);
    buf_puts(out, "}}");
}

/* The row ------------------------------------------------------------------------------------- */

/* Two or three of them; each is a nuisance in JSON. */
static const struct label tiny_labels[3] = {
    {"on \"time\"", "\"on \\\"time\\\"\"", "\"on \\\"time\\\"\""},
    {"\xf0\x9f\x9b\xab\\", "\"\xf0\x9f\x9b\xab\\\\\"", "\"\xf0\x9f\x9b\xab\\\\\""},
    {"", "\"\"", "\"\""},
};

static inline void tiny_put_golden(struct tiny *tiny)
{
    uint32_t rows[TINY_N_ROWS];
    float inputs[TINY_N_ROWS * TINY_N_FEATURES], margins[TINY_N_ROWS * 3];
    struct err err;

    for (uint32_t i = 0; i < TINY_N_ROWS; i++)
        rows[i] = i;
    tiny_must(encoder_apply(tiny->encoder, tiny->frame, rows, TINY_N_ROWS, inputs, &err), &err);
    forest_margins(tiny->forest, inputs, TINY_N_ROWS, margins);
    tiny_must(golden_write(tiny->encoder, inputs, margins, TINY_N_ROWS,
                           forest_n_outputs(tiny->forest), tiny->frame, rows, TINY_N_ROWS,
                           &tiny->golden, &err),
              &err);
}

/* base_margin: whatever the base_score says, the stored bits win. */
static inline void tiny_make(struct tiny *tiny, enum tiny_kind kind, float base_margin)
{
    uint32_t bits;
    struct err err;

    *tiny = (struct tiny){0};
    memcpy(&bits, &base_margin, sizeof(bits));
    tiny->frame = tiny_frame();
    tiny->encoder = tiny_encoder(tiny->frame);
    tiny_put_forest(&tiny->bytes, kind);
    tiny_must(
        forest_load((const uint8_t *)tiny->bytes.data, tiny->bytes.length, &tiny->forest, &err),
        &err);
    forest_set_base_margin(tiny->forest, base_margin);
    tiny_must(encoder_to_json(tiny->encoder, &tiny->encoder_json, &err), &err);
    tiny_put_golden(tiny);
    if (kind != TINY_REGRESSION)
        tiny_must(labels_to_json(tiny_labels, kind == TINY_BINARY ? 2 : 3, &tiny->labels, &err),
                  &err);
    tiny_must(sha256_hex(tiny->bytes.data, tiny->bytes.length, tiny->sha256, &err), &err);
    tiny->row = (struct model_row){
        .id = 7,
        .project_id = 3,
        .project = "tiny \"p\"",
        .algorithm = "xgboost",
        .task = kind == TINY_REGRESSION ? "regression" : "classification",
        .metric = "rmse",
        .encoder = buf_text(&tiny->encoder_json),
        .golden = buf_text(&tiny->golden),
        .labels = kind == TINY_REGRESSION ? NULL : buf_text(&tiny->labels),
        .base_margin_bits = bits,
        .bytes = (const uint8_t *)tiny->bytes.data,
        .n_bytes = tiny->bytes.length,
        .sha256 = tiny->sha256,
    };
}

static inline void tiny_release(struct tiny *tiny)
{
    frame_free(tiny->frame);
    encoder_free(tiny->encoder);
    forest_free(tiny->forest);
    buf_release(&tiny->bytes);
    buf_release(&tiny->encoder_json);
    buf_release(&tiny->golden);
    buf_release(&tiny->labels);
}

#endif
