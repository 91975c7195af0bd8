/*
 * A model, a relation and a table brought together: what is read, and what is written of it.
 */
#ifndef PGBOOST_SCORE_PLAN_H
#define PGBOOST_SCORE_PLAN_H

#include "pg/relation.h"
#include "pg/target.h"
#include "score/score.h"

/* A label as a field of COPY: its length and its bytes. */
struct label_field {
    const char *bytes;
    size_t n_bytes;
};

/* What stands behind the keys and the prediction in a row of the table, in this order. */
enum extra {
    EXTRA_PROBABILITIES,
    EXTRA_MODEL_ID,
    EXTRA_SCORED_AT,
    EXTRA_EXPLANATION,
    N_EXTRAS,
};

struct score_plan {
    const struct model *model;
    struct relation *relation;
    int n_keys, n_columns;      /* of the relation: keys first, then the encoder's, in its order */
    int *read;                  /* [n_keys + n_columns] indices into relation->columns */
    struct target target;       /* what the rows are written to */
    bool has[N_EXTRAS];         /* whether its rows have it */
    struct label_field *labels; /* [model->n_labels] */
    size_t n_shap;              /* doubles that an explanation is made in */
    int64_t scored_us;
    struct arena arena;
};

/* scored_us is the caller's to set. Errors as of score_run. */
MUST_CHECK enum err_code plan_init(struct score_plan *plan, struct pg *reader, struct pg *writer,
                                   const struct score_request *request, struct err *err);
void plan_release(struct score_plan *plan);

/* The type of the relation's key column i, as SQL. */
const char *plan_key_type(const struct score_plan *plan, int i);

#endif
