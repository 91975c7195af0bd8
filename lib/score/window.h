/*
 * A window: some rows of the relation as they came, and the rows of the table that become of them.
 */
#ifndef PGBOOST_SCORE_WINDOW_H
#define PGBOOST_SCORE_WINDOW_H

#include "score/plan.h"

struct window {
    struct buf bytes; /* of the fields, one behind the other */
    struct piece {
        size_t at;
        uint32_t n_bytes;
        bool is_null;
    } * pieces;    /* [n_rows × n_fields] */
    size_t n_rows; /* at most n_most */
    size_t n_most;
    size_t n_fields;
    struct buf tuples; /* rows of the table in COPY's binary form */
};

/* Room for as many rows of the plan as are well held at a time. */
MUST_CHECK enum err_code window_init(struct window *window, const struct score_plan *plan,
                                     struct err *err);
void window_release(struct window *window);
void window_clear(struct window *window);
bool window_is_full(const struct window *window);

MUST_CHECK enum err_code window_add(struct window *window, const struct pg_field *fields,
                                    struct err *err);

/* A key column of a row. */
static inline const struct piece *window_key(const struct window *window, size_t row, int key)
{
    return &window->pieces[row * window->n_fields + (size_t)key];
}

/* What one thread predicts with. */
struct scorer {
    const struct score_plan *plan;
    float *features;       /* [rows of a window × n_features] */
    float *outputs;        /* [rows of a window × n_outputs], then room for one row's */
    double *probabilities; /* [n_labels] */
    double *shap;          /* [plan->n_shap] */
    struct cell_scratch cell;
    struct buf json;
};
MUST_CHECK enum err_code scorer_init(struct scorer *scorer, const struct score_plan *plan,
                                     struct err *err);
void scorer_release(struct scorer *scorer);

/* Rows → tuples. */
MUST_CHECK enum err_code scorer_predict(struct scorer *scorer, struct window *window,
                                        struct err *err);

#endif
