#include "train/calibrate.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "metric/bootstrap.h"
#include "metric/threshold.h"
#include "train/calibration_fit.h"

#define ROWS_OF_CLASS_MIN 20 /* of two classes */
#define THRESHOLD_ROWS    200
#define SURE              0.95 /* of the replicates */

static const struct map {
    enum calibration_method method;
    enum calibration_choice choice;
    unsigned tasks;
    size_t n_rows_min;
    calibration_fit *fit;
} maps[] = {
    {CALIBRATION_PLATT, CALIBRATE_PLATT, METRIC_BINARY, 200, platt_fit},
    {CALIBRATION_ISOTONIC, CALIBRATE_ISOTONIC, METRIC_BINARY, 1000, isotonic_fit},
    {CALIBRATION_TEMPERATURE, CALIBRATE_TEMPERATURE, METRIC_MULTICLASS, 200, temperature_fit},
};
#define N_MAPS N_ELEMENTS(maps)

/* What a project may ask for ------------------------------------------------------------------- */

static enum err_code refuse(const char *key, const char *reason, const char *hint, struct err *err)
{
    err_set(err, ERR_CONFIG, "\"%s\": %s", key, reason);
    err_field(err, "/%s", key);
    return err_hint(err, "%s", hint);
}

enum err_code calibrate_check(const struct project *project, enum task task, int n_classes,
                              struct err *err)
{
    static const char leave_out[] = "leave the key out";
    bool has_none = task != TASK_CLASSIFICATION;
    enum calibration_choice choice = project->calibration;
    char reason[64];

    snprintf(reason, sizeof(reason), "%s%s has no probabilities", task == TASK_SURVIVAL ? "" : "a ",
             task_name(task));
    if (choice > CALIBRATE_NONE && has_none)
        return refuse("calibration", reason, leave_out, err);
    if (choice == CALIBRATE_TEMPERATURE && n_classes == 2)
        return refuse("calibration", "\"temperature\" is for more than two classes",
                      "use \"platt\" or \"isotonic\"", err);
    if ((choice == CALIBRATE_PLATT || choice == CALIBRATE_ISOTONIC) && n_classes > 2)
        return refuse("calibration", "\"platt\" and \"isotonic\" are for two classes",
                      "use \"temperature\"", err);
    if ((project->threshold.metric != NULL || project->threshold.number > 0) &&
        (has_none || n_classes > 2))
        return refuse("threshold", has_none ? reason : "a threshold is for two classes", leave_out,
                      err);
    return ERR_OK;
}

/* Rows ----------------------------------------------------------------------------------------- */

/* What is in hand; losses are by the place of a map, those without a map behind all. */
struct work {
    const struct calibrate_input *input;
    struct predictions predictions; /* the truth; of two classes the probabilities, at the end */
    struct calibration_rows rows;
    float *outputs; /* [n × outputs] transformed */
    uint32_t *rising;
    double *weights;            /* [n] as rows has them, or NULL */
    uint32_t *folds;            /* [n] likewise */
    double *soft;               /* [classes] room for one row */
    double *losses[N_MAPS + 1]; /* [n] cross-validated; NULL: not tried */
    double means[N_MAPS + 1];
    struct arena arena; /* of what is fitted */
    struct calibration calibration;
    struct buf *report;
};

static void work_release(struct work *work)
{
    predictions_release(&work->predictions);
    free(work->outputs);
    free(work->rising);
    free(work->weights);
    free(work->folds);
    free(work->soft);
    for (size_t i = 0; i <= N_MAPS; i++)
        free(work->losses[i]);
    arena_release(&work->arena);
}

struct scored {
    float score;
    uint32_t row;
};

static int compare_scored(const void *left, const void *right)
{
    const struct scored *a = left, *b = right;

    if (a->score != b->score)
        return a->score < b->score ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static enum err_code sort_rows(struct work *work, struct err *err)
{
    size_t n = work->rows.n;
    CLEANUP(free_ptr) struct scored *scored = calloc(n + 1, sizeof(*scored));

    work->rising = calloc(n + 1, sizeof(*work->rising));
    if (scored == NULL || work->rising == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < n; i++)
        scored[i] = (struct scored){work->outputs[i], (uint32_t)i};
    qsort(scored, n, sizeof(*scored), compare_scored);
    for (size_t i = 0; i < n; i++)
        work->rising[i] = scored[i].row;
    work->rows.positive = work->outputs;
    work->rows.rising = work->rising;
    return ERR_OK;
}

/* Of mean 1, so that what is compared with numbers of rows keeps its meaning. */
static enum err_code take_weights(struct work *work, struct err *err)
{
    const double *weights = work->predictions.weights;
    size_t n = work->rows.n;
    double sum = 0;

    if (weights == NULL)
        return ERR_OK;
    work->weights = calloc(n + 1, sizeof(*work->weights));
    if (work->weights == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < n; i++)
        sum += weights[i];
    for (size_t i = 0; i < n; i++)
        work->weights[i] = weights[i] * ((double)n / sum);
    work->rows.weights = work->weights;
    return ERR_OK;
}

/* Groups stay together where the split keeps them so: dealt to folds as they come. */
static enum err_code take_folds(struct work *work, struct err *err)
{
    const struct calibrate_input *input = work->input;
    size_t n = work->rows.n;

    if (input->dataset->split_by != SPLIT_GROUP)
        return ERR_OK;
    TRY(dataset_group_numbers(input->dataset, input->rows, &work->folds, err));
    for (size_t i = 0; i < n; i++)
        work->folds[i] %= CALIBRATION_FOLDS;
    work->rows.folds = work->folds;
    return ERR_OK;
}

static enum err_code prepare(struct work *work, struct err *err)
{
    const struct calibrate_input *input = work->input;
    int n_classes = dataset_n_classes(input->dataset), n_outputs = n_classes > 2 ? n_classes : 1;
    size_t n = input->rows->n, n_cells;

    TRY(predictions_init(&work->predictions, input->dataset, input->rows, err));
    if (__builtin_mul_overflow(n, (size_t)n_outputs, &n_cells))
        return err_nomem(err);
    work->outputs = calloc(n_cells + 1, sizeof(*work->outputs));
    work->soft = calloc((size_t)n_outputs + 1, sizeof(*work->soft));
    if (work->outputs == NULL || work->soft == NULL)
        return err_nomem(err);
    memcpy(work->outputs, input->margins, n_cells * sizeof(*work->outputs));
    for (size_t i = 0; i < n; i++)
        input->objective->transform(work->outputs + i * (size_t)n_outputs, n_outputs);
    work->rows = (struct calibration_rows){
        .n = n,
        .n_outputs = n_outputs,
        .margins = input->margins,
        .classes = work->predictions.classes,
        .left_out = -1,
    };
    TRY(take_weights(work, err));
    TRY(take_folds(work, err));
    return n_classes == 2 ? sort_rows(work, err) : ERR_OK;
}

/* Maps ----------------------------------------------------------------------------------------- */

/* The probability that a map gives to a row's true class. */
static double of_truth(const struct work *work, const struct calibration *calibration, size_t row)
{
    const struct calibration_rows *rows = &work->rows;
    size_t first = row * (size_t)rows->n_outputs;
    uint32_t truth = rows->classes[row];

    if (rows->n_outputs == 1) {
        double p = calibration_positive(calibration, rows->margins[row], work->outputs[row]);

        return truth == 1 ? p : 1 - p;
    }
    if (calibration->method != CALIBRATION_TEMPERATURE)
        return (double)work->outputs[first + truth];
    calibration_soften(calibration, rows->margins + first, rows->n_outputs, work->soft);
    return work->soft[truth];
}

/* As the metric log_loss has it. */
static double loss_of(double p)
{
    return -log(fmin(fmax(p, DBL_EPSILON), 1 - DBL_EPSILON));
}

/* Each row's loss under the map that its own fold had no part in; NULL: without a map. */
static enum err_code cross_validate(struct work *work, const struct map *map, size_t place,
                                    struct err *err)
{
    size_t n = work->rows.n;
    double *losses = calloc(n + 1, sizeof(*losses)), sum = 0;

    work->losses[place] = losses;
    if (losses == NULL)
        return err_nomem(err);
    for (int fold = 0; fold < CALIBRATION_FOLDS; fold++) {
        CLEANUP(arena_release) struct arena arena = {0};
        struct calibration_rows rows = work->rows;
        struct calibration calibration = {0};

        rows.left_out = fold;
        if (map != NULL)
            TRY(map->fit(&rows, &arena, &calibration, err));
        for (size_t i = 0; i < n; i++) {
            if (calibration_fold(&rows, i) != (uint32_t)fold)
                continue;
            losses[i] = loss_of(of_truth(work, &calibration, i));
            sum += calibration_weight(&rows, i) * losses[i];
        }
    }
    work->means[place] = sum / (double)n;
    return ERR_OK;
}

static size_t smaller_class(const struct work *work)
{
    size_t n_positive = 0;

    for (size_t i = 0; i < work->rows.n; i++)
        n_positive += work->rows.classes[i] == 1;
    return n_positive < work->rows.n / 2 ? n_positive : work->rows.n - n_positive;
}

/* Why there are too few rows for something; "" where there are enough. */
static void too_few(const struct work *work, size_t n_rows_min, struct buf *why)
{
    size_t n = work->rows.n, n_smaller;

    if (n < n_rows_min) {
        buf_printf(why, "%zu validation rows are fewer than %zu", n, n_rows_min);
        return;
    }
    if (work->input->dataset->task != METRIC_BINARY)
        return;
    n_smaller = smaller_class(work);
    if (n_smaller < ROWS_OF_CLASS_MIN)
        buf_printf(why, "%zu validation rows of one class are fewer than %d", n_smaller,
                   ROWS_OF_CLASS_MIN);
}

/* The map to fit: the best in cross-validation, or the one that the project names. NULL: none is
 * left, and why says so. */
static enum err_code try_maps(struct work *work, const struct map **ret_best, struct buf *why,
                              struct err *err)
{
    enum calibration_choice choice = work->input->project->calibration;
    const struct map *best = NULL;

    TRY(cross_validate(work, NULL, N_MAPS, err));
    for (size_t i = 0; i < N_MAPS; i++) {
        CLEANUP(buf_release) struct buf few = {0};

        if (!(maps[i].tasks & work->input->dataset->task) ||
            (choice != CALIBRATE_AUTO && choice != maps[i].choice))
            continue;
        too_few(work, maps[i].n_rows_min, &few);
        if (few.length > 0) {
            if (why->length == 0)
                buf_puts(why, buf_text(&few));
            continue;
        }
        TRY(cross_validate(work, &maps[i], i, err));
        if (best == NULL || work->means[i] < work->means[best - maps])
            best = &maps[i];
    }
    if (best != NULL)
        buf_clear(why);
    *ret_best = best;
    return ERR_OK;
}

/* Is the map to be kept? */
static enum err_code judge(const struct work *work, const struct map *map, double *ret_p_better,
                           bool *ret_keep, struct buf *why, struct err *err)
{
    const struct bootstrap_plan plan = {.seed = (uint64_t)work->input->project->seed};
    const char *name = calibration_method_name(map->method);
    struct bootstrap_result result;

    TRY(bootstrap_losses(work->losses[map - maps], work->losses[N_MAPS], work->rows.n,
                         work->weights, NULL, &plan, &result, err));
    *ret_p_better = result.p_better;
    *ret_keep = true;
    if (work->input->project->calibration != CALIBRATE_AUTO) {
        buf_puts(why, "the definition says so");
        return ERR_OK;
    }
    *ret_keep = result.p_better >= SURE;
    buf_printf(why, "%s is %sbetter than none: by log loss in %.1f %% of %zu resamples", name,
               *ret_keep ? "" : "not surely ", result.p_better * 100, result.n_replicates);
    return ERR_OK;
}

static void put_calibration(const struct work *work, double p_better, const struct buf *why)
{
    struct buf *report = work->report;

    buf_printf(report, ",\"calibration\":{\"method\":\"%s\",\"rows\":%zu,\"why\":",
               calibration_method_name(work->calibration.method), work->rows.n);
    json_put_text(report, buf_text(why));
    if (work->losses[N_MAPS] != NULL) {
        buf_puts(report, ",\"log_loss\":{\"none\":");
        json_put_double(report, work->means[N_MAPS]);
        for (size_t i = 0; i < N_MAPS; i++) {
            if (work->losses[i] == NULL)
                continue;
            buf_printf(report, ",\"%s\":", calibration_method_name(maps[i].method));
            json_put_double(report, work->means[i]);
        }
        buf_puts(report, "},\"p_better\":");
        json_put_double(report, p_better);
    }
    buf_putc(report, '}');
}

static enum err_code fit_map(struct work *work, struct err *err)
{
    CLEANUP(buf_release) struct buf why = {0};
    const struct map *map = NULL;
    double p_better = NAN;
    bool keep = false;

    if (work->input->project->calibration == CALIBRATE_NONE)
        buf_puts(&why, "the definition says so");
    else
        TRY(try_maps(work, &map, &why, err));
    if (map != NULL)
        TRY(judge(work, map, &p_better, &keep, &why, err));
    if (keep)
        TRY(map->fit(&work->rows, &work->arena, &work->calibration, err));
    if (keep && work->calibration.method == CALIBRATION_NONE) {
        buf_clear(&why);
        buf_puts(&why, "the observed shares do not rise with the probabilities");
    }
    put_calibration(work, p_better, &why);
    return buf_check(&why, err);
}

/* The threshold -------------------------------------------------------------------------------- */

static enum err_code search_threshold(struct work *work, const char *metric, struct err *err)
{
    struct predictions *predictions = &work->predictions;
    CLEANUP(buf_release) struct buf why = {0};
    struct metric_input input = predictions_input(predictions);
    double threshold = NAN, value = NAN;

    too_few(work, THRESHOLD_ROWS, &why);
    for (size_t i = 0; i < work->rows.n; i++) {
        double *p = predictions->probabilities + 2 * i;

        p[1] = calibration_positive(&work->calibration, work->rows.margins[i], work->outputs[i]);
        p[0] = 1 - p[1];
    }
    if (why.length == 0)
        TRY(threshold_best(&input, metric_find(metric), &threshold, &value, err));
    buf_printf(work->report, ",\"threshold\":{\"by\":\"%s\",\"value\":", metric);
    json_put_double(work->report, threshold);
    buf_puts(work->report, ",\"validation\":");
    json_put_double(work->report, value);
    if (why.length > 0) {
        buf_puts(work->report, ",\"why\":");
        json_put_text(work->report, buf_text(&why));
    }
    buf_putc(work->report, '}');
    work->calibration.has_threshold = !isnan(threshold);
    work->calibration.threshold = threshold;
    return buf_check(&why, err);
}

static enum err_code fit_threshold(struct work *work, struct err *err)
{
    const struct threshold *threshold = &work->input->project->threshold;

    if (threshold->metric != NULL)
        return search_threshold(work, threshold->metric, err);
    if (threshold->number > 0) {
        work->calibration.has_threshold = true;
        work->calibration.threshold = threshold->number;
        buf_puts(work->report, ",\"threshold\":{\"by\":\"number\",\"value\":");
        json_put_double(work->report, threshold->number);
        buf_putc(work->report, '}');
    }
    return ERR_OK;
}

/* Residuals ------------------------------------------------------------------------------------ */

/* Of more residuals than are stored, the largest keep their ranks, for intervals that leave out
 * little; the rest is thinned evenly. */
#define N_LARGEST ((size_t)224)
#define N_THINNED (CALIBRATION_POINTS_MAX - N_LARGEST)

/* Outside of these jsonb writes more digits than are read back; nearer to 0 is rounded up. */
#define RESIDUAL_MIN 1e-30
#define RESIDUAL_MAX 1e40

#define RANK_ROUNDING 1e-12 /* what sums of weights lose */

/* The i-th rank (from 0) that is stored of n. */
static size_t stored_rank(size_t i, size_t n)
{
    if (n <= CALIBRATION_POINTS_MAX)
        return i + 1;
    if (i >= N_THINNED)
        return n - CALIBRATION_POINTS_MAX + i + 1;
    return ((i + 1) * (n - N_LARGEST) + N_THINNED - 1) / N_THINNED;
}

struct residual {
    double size, weight;
};

static int compare_residuals(const void *left, const void *right)
{
    const struct residual *a = left, *b = right;

    return (a->size > b->size) - (a->size < b->size);
}

/* Sizes by rank: the r-th of n is the smallest up to which r ÷ n of the weight lies. Rows of weight
 * 0 are not there. */
static enum err_code rank_residuals(const struct work *work, double *sizes, size_t *ret_n,
                                    struct err *err)
{
    CLEANUP(free_ptr)
    struct residual *residuals = calloc(work->rows.n + 1, sizeof(*residuals));
    double sum = 0, so_far = 0;
    size_t n = 0, at = 0;

    if (residuals == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < work->rows.n; i++) {
        double weight = calibration_weight(&work->rows, i);

        if (weight > 0)
            residuals[n++] =
                (struct residual){fabs(work->predictions.y[i] - (double)work->outputs[i]), weight};
        sum += weight;
    }
    qsort(residuals, n, sizeof(*residuals), compare_residuals);
    for (size_t i = 0; i < n; i++) {
        while (at < n && (at == 0 || so_far < (double)(i + 1) * (1 - RANK_ROUNDING)))
            so_far += residuals[at++].weight * ((double)n / sum);
        sizes[i] = residuals[at - 1].size;
    }
    *ret_n = n;
    return ERR_OK;
}

static enum err_code fit_residuals(struct work *work, struct err *err)
{
    struct calibration *calibration = &work->calibration;
    CLEANUP(free_ptr) double *residuals = calloc(work->rows.n + 1, sizeof(*residuals));
    size_t n = 0, n_stored;

    if (residuals == NULL)
        return err_nomem(err);
    TRY(rank_residuals(work, residuals, &n, err));
    n_stored = n < CALIBRATION_POINTS_MAX ? n : CALIBRATION_POINTS_MAX;
    calibration->ranks = arena_alloc_array(&work->arena, n_stored + 1, sizeof(double));
    calibration->residuals = arena_alloc_array(&work->arena, n_stored + 1, sizeof(double));
    if (calibration->ranks == NULL || calibration->residuals == NULL)
        return err_nomem(err);
    calibration->n_rows = (double)n;
    for (size_t i = 0; i < n_stored; i++) {
        size_t rank = stored_rank(i, n);
        double residual = residuals[rank - 1];

        if (residual > RESIDUAL_MAX)
            break;
        calibration->ranks[calibration->n_residuals] = (double)rank;
        calibration->residuals[calibration->n_residuals++] =
            residual > 0 && residual < RESIDUAL_MIN ? RESIDUAL_MIN : residual;
    }
    return ERR_OK;
}

void coverage_write(const struct calibration *calibration, const struct predictions *predictions,
                    struct buf *json)
{
    static const double levels[] = {.5, .8, .9, .95};

    if (calibration->n_rows == 0)
        return;
    for (size_t k = 0; k < N_ELEMENTS(levels); k++) {
        double half_width = calibration_half_width(calibration, levels[k]), covered = 0, sum = 0;

        buf_printf(json, k == 0 ? ",\"coverage\":{\"%g\":" : ",\"%g\":", levels[k]);
        if (!isfinite(half_width)) {
            buf_puts(json, "null");
            continue;
        }
        for (size_t i = 0; i < predictions->n_rows; i++) {
            double weight = predictions->weights != NULL ? predictions->weights[i] : 1;

            sum += weight;
            if (fabs(predictions->y[i] - predictions->values[i]) <= half_width)
                covered += weight;
        }
        buf_puts(json, "{\"covered\":");
        json_put_double(json, covered / sum);
        buf_puts(json, ",\"half_width\":");
        json_put_double(json, half_width);
        buf_putc(json, '}');
    }
    buf_putc(json, '}');
}

/* All together --------------------------------------------------------------------------------- */

enum err_code calibrate(const struct calibrate_input *input, struct buf *stored, struct buf *report,
                        struct err *err)
{
    CLEANUP(work_release) struct work work = {.input = input, .report = report};

    if (input->dataset->task & (METRIC_RANKING | METRIC_SURVIVAL))
        return ERR_OK; /* neither probabilities nor residuals */
    TRY(prepare(&work, err));
    if (input->dataset->task == METRIC_REGRESSION) {
        TRY(fit_residuals(&work, err));
    } else {
        TRY(fit_map(&work, err));
        if (input->dataset->task == METRIC_BINARY)
            TRY(fit_threshold(&work, err));
    }
    TRY(buf_check(report, err));
    return calibration_to_json(&work.calibration, stored, err);
}
