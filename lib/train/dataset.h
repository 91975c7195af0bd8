/*
 * What a run learns from: the relation's rows with their target, split into parts.
 *
 * In the way of the data: relation → frame → dataset (this) → features. Read once, in one snapshot;
 * afterwards the database is not asked again. Immutable once made.
 */
#ifndef PGBOOST_TRAIN_DATASET_H
#define PGBOOST_TRAIN_DATASET_H

#include "feature/encoder.h"
#include "metric/metric.h"
#include "model/model.h"
#include "split/split.h"
#include "split/twins.h"

struct dataset {
    const struct schema *schema; /* the caller's */
    struct frame *frame;         /* columns in the order of schema->read: the target is column 0 */
    size_t n_without_target;     /* rows left out: NULL, or NaN in a regression */
    enum metric_task task;
    struct labels labels; /* classification */
    double *y;            /* [frame rows]: the target, or the class as a number */
    double *weights;      /* [frame rows]: of rows with a target finite and ≥ 0; NULL: 1 each */
    const char *weight;   /* their column */
    const char **output_labels; /* [n classes], multiclass only */
    uint32_t *lists; /* [frame rows] ranking: the list of a row, from 0 as the frame has them; those
                        of one list are in one part, and stand together in it */
    const char *group; /* their column */
    /* Survival: the event came between y and upper ([frame rows], INFINITY: no one knows when). */
    double *upper;
    uint32_t *seen;      /* [frame rows] 1: it came, 0: censored */
    bool hazards;        /* the project's models answer hazard ratios, else times */
    enum metric_aft aft; /* the noise that likelihoods are by, and its scale */
    double aft_scale;
    enum split_by split_by;
    bool together;      /* the split's places are those of twins */
    struct twins twins; /* without places: the split is made */
    struct split *split;
};

static inline double dataset_weight(const struct dataset *dataset, uint32_t row)
{
    return dataset->weights == NULL ? 1 : dataset->weights[row];
}

/* Takes the frame over when it succeeds. ERR_DATA: no rows, no target, one class, an infinite
 * target, weights that are NULL, negative, infinite or all 0, too few rows, training rows whose
 * target is always the same; a row without a list, weights that differ within a list, a part whose
 * lists have no order; times that are 0 or negative or end before they begin, no event; each with
 * numbers and a hint. */
MUST_CHECK enum err_code dataset_new(const struct project *project, const struct schema *schema,
                                     struct frame *frame, struct dataset **ret_dataset,
                                     struct err *err);

/* Rows that a model is measured on without being trained beside them: no schema, no split. The
 * project says which columns beside the target an answer is made of. Classes
 * are the model's in its order (the dataset keeps its strings: it must outlive it), then labels
 * that it never saw. ret_rows, which the caller releases: those with a target. Takes the frame over
 * when it succeeds. The project's weight may be in the frame. ERR_DATA: no rows, no target, an
 * infinite one, weights, lists and times as above. */
MUST_CHECK enum err_code dataset_labelled(const struct model *model, const struct project *project,
                                          struct frame *frame, struct dataset **ret_dataset,
                                          struct rows *ret_rows, struct err *err);
void dataset_free(struct dataset *dataset);
DEFINE_FREEP(struct dataset *, dataset_free)

int dataset_n_classes(const struct dataset *dataset); /* 0: its target is a number */
enum task dataset_task(const struct dataset *dataset);

/* Ranking: the end of the list that begins there, among rows that stand by list. */
size_t dataset_list_end(const struct dataset *dataset, const struct rows *rows, size_t begin);

/* Survival: Cox's time, negative where the row is censored; and the rows' median time by Kaplan and
 * Meier, times between two ends in their middle: the last time where more than half outlive it. */
double dataset_signed_time(const struct dataset *dataset, uint32_t row);
MUST_CHECK enum err_code dataset_median_time(const struct dataset *dataset, const struct rows *rows,
                                             double *ret_median, struct err *err);

/* The frame's column of a column of the schema; -1 for -1. */
int dataset_column(const struct dataset *dataset, int column);

/* How target means see the target. */
struct encoder_target dataset_encoder_target(const struct dataset *dataset);

/* All rows but the test rows: those that train in the last fold, then those that validate in it.
 * with_test: the test rows behind them. Lists stand together here too, as each is in one part. The
 * caller releases. */
MUST_CHECK enum err_code dataset_training_rows(const struct dataset *dataset, bool with_test,
                                               struct rows *ret_rows, struct err *err);
/* The validation rows of each fold, one fold behind the other. The caller releases. */
MUST_CHECK enum err_code dataset_validation_rows(const struct dataset *dataset,
                                                 struct rows *ret_rows, struct err *err);
void rows_release(struct rows *rows);

/* Numbers rows by their group, from 0 in the order they come: [rows], the caller frees. A NULL is a
 * group of its own. */
MUST_CHECK enum err_code dataset_group_numbers(const struct dataset *dataset,
                                               const struct rows *rows, uint32_t **ret_numbers,
                                               struct err *err);

/* How test rows are chosen, as a JSON object: models with the same rule have never trained on each
 * other's test rows. Where rows have twins that says by which features: other features, other
 * twins. */
void dataset_split_rule(const struct dataset *dataset, const struct project *project,
                        struct buf *json);

/* Are two such rules the same? */
MUST_CHECK enum err_code split_rules_equal(const char *a, const char *b, bool *ret_equal,
                                           struct err *err);

/* JSON for runs.stats: counts, the frame's fingerprint, the split, left-out columns, warnings: the
 * caller's (JSON strings with commas between them) and the dataset's own. */
MUST_CHECK enum err_code dataset_stats(const struct dataset *dataset, const struct project *project,
                                       const char *fingerprint, const struct buf *warnings,
                                       struct buf *json, struct err *err);

#endif
