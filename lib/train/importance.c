#include "train/importance.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/random.h"
#include "xgb/booster.h"

#define WRITTEN_MAX  1000
#define PERMUTATIONS 3

#define SHAP_ROWS_MAX 1000
#define SHAP_ROWS_MIN 8
/* Bytes of the forest that are visited, all rows together, and of contributions that are cleared.
 */
#define SHAP_WORK 500000000.0

#define PERMUTED_ROWS_MAX    10000
#define PERMUTED_ROWS_ENOUGH 500 /* columns are left out before rows become fewer than this */
#define PERMUTED_ROWS_MIN    50
#define PERMUTED_COLUMNS_MIN 10
#define PERMUTED_BYTES       ((size_t)32 << 20) /* of encoded rows */
/* Trees that are gone through, all rows of all permutations together. */
#define PERMUTED_WORK 200000000.0

struct importance {
    const struct importance_request *request;
    const struct encoder *encoder;
    const struct forest *forest;
    bool linear;
    bool *used;          /* [columns]: by any split */
    double *shap;        /* [columns]; NULL: not defined */
    double *permutation; /* [columns] NaN: left out; NULL: not defined */
    size_t n_shap_rows, n_permuted_rows;
};

static void importance_release(struct importance *importance)
{
    free(importance->used);
    free(importance->shap);
    free(importance->permutation);
}

/* Writing -------------------------------------------------------------------------------------- */

/* Something to be written: where it stands, by how much. */
struct entry {
    double size;
    int index;
};

/* The largest first, equals in their order; what is not defined last. */
static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    double x = isnan(a->size) ? -1 : a->size, y = isnan(b->size) ? -1 : b->size;

    return x != y ? (x < y) - (x > y) : (a->index > b->index) - (a->index < b->index);
}

static void put_values(struct buf *json, const double *values, int n_outputs)
{
    if (n_outputs > 1)
        buf_putc(json, '[');
    for (int k = 0; k < n_outputs; k++) {
        if (k > 0)
            buf_putc(json, ',');
        json_put_double(json, values[k]);
    }
    if (n_outputs > 1)
        buf_putc(json, ']');
}

/* {name: value, …} of values[n × n_outputs], the largest first; those that are NaN are left out. */
static enum err_code put_named(struct buf *json, const char *const *names, size_t stride, int n,
                               const double *values, int n_outputs, struct err *err)
{
    CLEANUP(free_ptr) struct entry *entries = calloc((size_t)n + 1, sizeof(*entries));
    int n_entries = 0;

    if (entries == NULL)
        return err_nomem(err);
    for (int i = 0; i < n; i++) {
        double size = 0;

        for (int k = 0; k < n_outputs; k++)
            size += fabs(values[i * n_outputs + k]);
        if (!isnan(size))
            entries[n_entries++] = (struct entry){size, i};
    }
    qsort(entries, (size_t)n_entries, sizeof(*entries), compare_entries);
    buf_putc(json, '{');
    for (int i = 0; i < n_entries && i < WRITTEN_MAX; i++) {
        int index = entries[i].index;
        const char *const *name =
            (const char *const *)((const char *)names + (size_t)index * stride);

        if (i > 0)
            buf_putc(json, ',');
        json_put_text(json, *name);
        buf_putc(json, ':');
        put_values(json, values + index * n_outputs, n_outputs);
    }
    buf_putc(json, '}');
    return buf_check(json, err);
}

static enum err_code put_columns(struct buf *json, const struct encoder *encoder,
                                 const double *values, struct err *err)
{
    if (values == NULL) {
        buf_puts(json, "null");
        return ERR_OK;
    }
    return put_named(json, &encoder->columns[0].name, sizeof(encoder->columns[0]),
                     encoder->n_columns, values, 1, err);
}

/* XGBoost's own ------------------------------------------------------------------------------- */

static void mark_used(struct importance *importance, const double *weights, int n_outputs)
{
    for (int c = 0; c < importance->encoder->n_columns; c++) {
        const struct encoder_column *column = &importance->encoder->columns[c];
        const double *own = weights + column->first_feature * n_outputs;

        for (int i = 0; i < column->n_features * n_outputs; i++)
            if (!isnan(own[i]) && own[i] != 0)
                importance->used[c] = true;
    }
}

static enum err_code put_score(struct importance *importance, const char *kind, struct buf *json,
                               struct err *err)
{
    const struct encoder *encoder = importance->encoder;
    const struct buf *bytes = importance->request->bytes;
    CLEANUP(free_ptr) float *scores = NULL;
    CLEANUP(free_ptr) double *values = NULL;
    int n_outputs = 0;
    size_t n;

    TRY(saved_scores(bytes->data, bytes->length, kind, encoder->n_features, &scores, &n_outputs,
                     err));
    n = (size_t)encoder->n_features * (size_t)n_outputs;
    values = calloc(n + 1, sizeof(*values));
    if (values == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < n; i++)
        values[i] = scores[i];
    if (strcmp(kind, "weight") == 0)
        mark_used(importance, values, n_outputs);
    buf_printf(json, "\"%s\":", kind);
    TRY(put_named(json, encoder->feature_names, sizeof(char *), encoder->n_features, values,
                  n_outputs, err));
    buf_putc(json, ',');
    return ERR_OK;
}

static enum err_code put_scores(struct importance *importance, struct buf *json, struct err *err)
{
    static const char *const kinds[] = {"weight", "gain", "cover"};
    size_t n = importance->linear ? 1 : N_ELEMENTS(kinds);

    for (size_t i = 0; i < n; i++)
        TRY(put_score(importance, kinds[i], json, err));
    return ERR_OK;
}

/* Rows ----------------------------------------------------------------------------------------- */

/* n of the test rows, spread over all of them. */
static enum err_code spread_rows(const struct dataset *dataset, size_t n, struct rows *ret_rows,
                                 struct err *err)
{
    const struct rows *test = &dataset->split->test;
    uint32_t *items = calloc(n + 1, sizeof(*items));

    if (items == NULL)
        return err_nomem(err);
    /* of lists the first, whole but for the last: they stand in the order of their hashes */
    for (size_t i = 0; i < n; i++)
        items[i] = test->items[dataset->lists != NULL ? i : i * test->n / n];
    *ret_rows = (struct rows){.items = items, .n = n};
    return ERR_OK;
}

static size_t at_most(double n, size_t most)
{
    return n < (double)most ? (size_t)n : most;
}

/* SHAP ----------------------------------------------------------------------------------------- */

/* contributions[n_outputs × (n_features + 1)] of one row to the columns' sums. */
static void add_contributions(struct importance *importance, const double *contributions)
{
    const struct encoder *encoder = importance->encoder;
    size_t stride = (size_t)encoder->n_features + 1;
    int n_outputs = forest_n_outputs(importance->forest);

    for (int c = 0; c < encoder->n_columns; c++) {
        const struct encoder_column *column = &encoder->columns[c];

        for (int k = 0; k < n_outputs; k++) {
            const double *own = contributions + (size_t)k * stride + column->first_feature;
            double sum = 0;

            for (int i = 0; i < column->n_features; i++)
                sum += own[i];
            importance->shap[c] += fabs(sum);
        }
    }
}

static enum err_code explain_rows(struct importance *importance, const struct rows *rows,
                                  double *contributions, double *scratch, struct err *err)
{
    const struct frame *frame = importance->request->dataset->frame;
    size_t n_columns = (size_t)importance->encoder->n_columns;
    CLEANUP(free_ptr)
    float *features = calloc((size_t)importance->encoder->n_features + 1, sizeof(*features));
    double n = (double)rows->n * forest_n_outputs(importance->forest);

    importance->shap = calloc(n_columns + 1, sizeof(*importance->shap));
    if (features == NULL || importance->shap == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < rows->n; i++) {
        TRY(encoder_apply(importance->encoder, frame, &rows->items[i], 1, features, err));
        forest_shap(importance->forest, features, contributions, scratch);
        add_contributions(importance, contributions);
    }
    for (size_t c = 0; c < n_columns; c++)
        importance->shap[c] /= n;
    importance->n_shap_rows = rows->n;
    return ERR_OK;
}

static enum err_code measure_shap(struct importance *importance, struct err *err)
{
    const struct dataset *dataset = importance->request->dataset;
    const struct forest *forest = importance->forest;
    double n_contributions =
        (double)forest_n_outputs(forest) * (importance->encoder->n_features + 1.0);
    double work = (double)forest_bytes(forest) + n_contributions * sizeof(double);
    size_t n = at_most(SHAP_WORK / work, SHAP_ROWS_MAX);
    CLEANUP(free_ptr) double *contributions = NULL, *scratch = NULL;
    CLEANUP(rows_release) struct rows rows = {0};

    if (!forest_has_covers(forest) || n < SHAP_ROWS_MIN)
        return ERR_OK;
    TRY(spread_rows(dataset, n < dataset->split->test.n ? n : dataset->split->test.n, &rows, err));
    contributions = calloc((size_t)n_contributions + 1, sizeof(*contributions));
    scratch = calloc(forest_shap_scratch(forest) + 1, sizeof(*scratch));
    if (contributions == NULL || scratch == NULL)
        return err_nomem(err);
    return explain_rows(importance, &rows, contributions, scratch, err);
}

/* Permutation ---------------------------------------------------------------------------------- */

/* Test rows whose columns are dealt anew, one column at a time. */
struct permuting {
    struct importance *importance;
    const struct metric *loss;
    struct rows rows;
    float *matrix;    /* [n_rows × n_features] */
    float *kept;      /* [n_rows × n_features]: a column's features as they are */
    float *margins;   /* [n_rows × n_outputs] */
    uint32_t *orders; /* [PERMUTATIONS × n_rows] */
    struct predictions predictions;
};

static void permuting_release(struct permuting *permuting)
{
    rows_release(&permuting->rows);
    free(permuting->matrix);
    free(permuting->kept);
    free(permuting->margins);
    free(permuting->orders);
    predictions_release(&permuting->predictions);
}

/* Fisher and Yates. */
static void draw_orders(uint32_t *orders, size_t n, uint64_t seed)
{
    struct rng rng;

    rng_init(&rng, seed);
    for (int p = 0; p < PERMUTATIONS; p++, orders += n) {
        for (size_t i = 0; i < n; i++)
            orders[i] = (uint32_t)i;
        for (size_t i = n; i > 1; i--) {
            size_t other = rng_below(&rng, i);
            uint32_t order = orders[i - 1];

            orders[i - 1] = orders[other];
            orders[other] = order;
        }
    }
}

static enum err_code permuting_init(struct permuting *permuting, size_t n, struct err *err)
{
    const struct importance_request *request = permuting->importance->request;
    size_t n_features = (size_t)permuting->importance->encoder->n_features;

    TRY(spread_rows(request->dataset, n, &permuting->rows, err));
    permuting->matrix = calloc(n * n_features + 1, sizeof(float));
    permuting->kept = calloc(n * n_features + 1, sizeof(float));
    permuting->margins =
        calloc(n * (size_t)forest_n_outputs(request->model->forest) + 1, sizeof(float));
    permuting->orders = calloc(n * PERMUTATIONS + 1, sizeof(uint32_t));
    if (permuting->matrix == NULL || permuting->kept == NULL || permuting->margins == NULL ||
        permuting->orders == NULL)
        return err_nomem(err);
    draw_orders(permuting->orders, n, (uint64_t)request->seed);
    TRY(predictions_init(&permuting->predictions, request->dataset, &permuting->rows, err));
    permuting->predictions.hazards = model_answers_hazards(request->model);
    return encoder_apply(permuting->importance->encoder, request->dataset->frame,
                         permuting->rows.items, n, permuting->matrix, err);
}

/* The loss of the rows as the matrix has them. */
static enum err_code measure_loss_now(struct permuting *permuting, double *ret_loss,
                                      struct err *err)
{
    const struct forest *forest = permuting->importance->forest;
    size_t n_outputs = (size_t)forest_n_outputs(forest);
    struct metric_input input = predictions_input(&permuting->predictions);

    forest_margins(forest, permuting->matrix, permuting->rows.n, permuting->margins);
    for (size_t i = 0; i < permuting->rows.n; i++) {
        forest_transform(forest, permuting->margins + i * n_outputs);
        predictions_set(&permuting->predictions, i, permuting->margins + i * n_outputs);
    }
    TRY(permuting->loss->compute(&input, ret_loss, err));
    *ret_loss = measure_as_loss(permuting->loss, *ret_loss);
    return ERR_OK;
}

/* The column's features of each row; order NULL: of the row itself, kept until now. */
static void deal(struct permuting *permuting, const struct encoder_column *column,
                 const uint32_t *order)
{
    size_t n_features = (size_t)permuting->importance->encoder->n_features;
    size_t n_own = (size_t)column->n_features;
    float *to = permuting->matrix + column->first_feature;

    for (size_t i = 0; i < permuting->rows.n; i++, to += n_features)
        memcpy(to, permuting->kept + (order != NULL ? order[i] : i) * n_own, n_own * sizeof(float));
}

static void keep(struct permuting *permuting, const struct encoder_column *column)
{
    size_t n_features = (size_t)permuting->importance->encoder->n_features;
    size_t n_own = (size_t)column->n_features;

    for (size_t i = 0; i < permuting->rows.n; i++)
        memcpy(permuting->kept + i * n_own,
               permuting->matrix + i * n_features + column->first_feature, n_own * sizeof(float));
}

static enum err_code permute_column(struct permuting *permuting,
                                    const struct encoder_column *column, double loss,
                                    double *ret_increase, struct err *err)
{
    double sum = 0;

    keep(permuting, column);
    for (int p = 0; p < PERMUTATIONS; p++) {
        double permuted;

        deal(permuting, column, permuting->orders + (size_t)p * permuting->rows.n);
        TRY(measure_loss_now(permuting, &permuted, err));
        sum += permuted - loss;
    }
    deal(permuting, column, NULL);
    *ret_increase = sum / PERMUTATIONS;
    return ERR_OK;
}

/* Which rows and how many columns are affordable. */
struct budget {
    size_t n_rows;
    int n_columns;
};

static struct budget find_budget(const struct importance *importance, int n_used)
{
    const struct rows *test = &importance->request->dataset->split->test;
    size_t row_bytes = (size_t)importance->encoder->n_features * sizeof(float) + 1;
    size_t most = at_most((double)(PERMUTED_BYTES / row_bytes), PERMUTED_ROWS_MAX);
    /* a tree, a feature of the row, an output: about as long each */
    double row_work = PERMUTATIONS * ((double)forest_n_trees(importance->forest) +
                                      importance->encoder->n_features / 8.0 +
                                      4.0 * forest_n_outputs(importance->forest));
    double n_rows = PERMUTED_WORK / (row_work * (n_used > 0 ? n_used : 1));
    double n_columns = n_used;

    if (n_rows < PERMUTED_ROWS_ENOUGH) {
        n_columns = floor(PERMUTED_WORK / (row_work * PERMUTED_ROWS_ENOUGH));
        if (n_columns < PERMUTED_COLUMNS_MIN)
            n_columns = PERMUTED_COLUMNS_MIN;
        if (n_columns > n_used)
            n_columns = n_used;
        n_rows = PERMUTED_WORK / (row_work * (n_columns > 0 ? n_columns : 1));
    }
    most = test->n < most ? test->n : most;
    return (struct budget){at_most(n_rows, most), (int)n_columns};
}

/* The columns that a split asks for, those that shap puts first before others. */
static int rank_used(const struct importance *importance, struct entry *entries)
{
    int n = 0;

    for (int c = 0; c < importance->encoder->n_columns; c++)
        if (importance->used[c])
            entries[n++] = (struct entry){importance->shap != NULL ? importance->shap[c] : 0, c};
    qsort(entries, (size_t)n, sizeof(*entries), compare_entries);
    return n;
}

static enum err_code permute_columns(struct importance *importance, const struct entry *ranked,
                                     int n_used, const struct budget *budget, struct err *err)
{
    enum metric_task task = importance->request->dataset->task;
    CLEANUP(permuting_release)
    struct permuting permuting = {.importance = importance,
                                  .loss = measure_loss(importance->request->key, task)};
    double loss;

    TRY(permuting_init(&permuting, budget->n_rows, err));
    TRY(measure_loss_now(&permuting, &loss, err));
    for (int i = 0; i < n_used; i++)
        importance->permutation[ranked[i].index] = NAN;
    for (int i = 0; i < budget->n_columns; i++) {
        int c = ranked[i].index;

        TRY(permute_column(&permuting, &importance->encoder->columns[c], loss,
                           &importance->permutation[c], err));
    }
    importance->n_permuted_rows = budget->n_rows;
    return ERR_OK;
}

static enum err_code measure_permutation(struct importance *importance, struct err *err)
{
    size_t n_columns = (size_t)importance->encoder->n_columns;
    CLEANUP(free_ptr) struct entry *ranked = calloc(n_columns + 1, sizeof(*ranked));
    struct budget budget;
    int n_used;

    if (ranked == NULL)
        return err_nomem(err);
    n_used = rank_used(importance, ranked);
    budget = find_budget(importance, n_used);
    if (budget.n_rows < PERMUTED_ROWS_MIN &&
        budget.n_rows < importance->request->dataset->split->test.n)
        return ERR_OK; /* too large */
    importance->permutation = calloc(n_columns + 1, sizeof(*importance->permutation));
    if (importance->permutation == NULL)
        return err_nomem(err);
    return permute_columns(importance, ranked, n_used, &budget, err);
}

/* ---------------------------------------------------------------------------------------------- */

enum err_code importance_write(const struct importance_request *request, struct buf *json,
                               struct err *err)
{
    const struct model *model = request->model;
    CLEANUP(importance_release)
    struct importance importance = {
        .request = request,
        .encoder = model->encoder,
        .forest = model->forest,
        .linear = forest_n_trees(model->forest) == 0,
        .used = calloc((size_t)model->encoder->n_columns + 1, sizeof(bool)),
    };

    if (importance.used == NULL)
        return err_nomem(err);
    buf_putc(json, '{');
    TRY(put_scores(&importance, json, err));
    TRY(measure_shap(&importance, err));
    TRY(measure_permutation(&importance, err));
    buf_puts(json, "\"shap\":");
    TRY(put_columns(json, model->encoder, importance.shap, err));
    buf_puts(json, ",\"permutation\":");
    TRY(put_columns(json, model->encoder, importance.permutation, err));
    buf_printf(json, ",\"rows\":{\"shap\":%zu,\"permutation\":%zu}}", importance.n_shap_rows,
               importance.n_permuted_rows);
    return buf_check(json, err);
}
