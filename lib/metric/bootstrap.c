#include "metric/bootstrap.h"

#include <string.h>

#include "base/random.h"
#include "metric/metric_internal.h"

#define N_REPLICATES_MIN 200
#define N_REPLICATES_MAX 1000
#define ROWS_BUDGET      ((size_t)50 * 1000 * 1000)

/* What is drawn at once: a row, or the rows of a group. */
struct unit {
    size_t begin, end;
};

struct bootstrap {
    const struct metric *metric;
    struct metric_input a, b;  /* under the weights of a replicate */
    const double *own_weights; /* [n_rows] or NULL */
    struct unit *units;        /* [n_units] those of a weight */
    size_t n_units;
    uint32_t *counts; /* [n_units] how often each was drawn */
    double *weights;  /* [n_rows] of a replicate */
    uint32_t *falling_a, *falling_b;
    struct weighted *differences; /* [n_replicates] those that are defined */
    struct weighted *skills;      /* [n_replicates] */
    size_t n_differences, n_skills;
    double n_better;
};

static void bootstrap_release(struct bootstrap *bootstrap)
{
    free(bootstrap->units);
    free(bootstrap->counts);
    free(bootstrap->weights);
    free(bootstrap->falling_a);
    free(bootstrap->falling_b);
    free(bootstrap->differences);
    free(bootstrap->skills);
}

static size_t replicates_of(const struct bootstrap_plan *plan, size_t n_rows)
{
    size_t n = n_rows == 0 ? 0 : ROWS_BUDGET / n_rows;

    if (plan->n_replicates > 0)
        return plan->n_replicates;
    if (n < N_REPLICATES_MIN)
        return N_REPLICATES_MIN;
    return n < N_REPLICATES_MAX ? n : N_REPLICATES_MAX;
}

static void find_units(struct bootstrap *bootstrap, const struct metric_input *input)
{
    for (size_t begin = 0, end; begin < input->n_rows; begin = end) {
        bool weighs = metric_weight(input, begin) > 0;

        for (end = begin + 1; input->groups != NULL && end < input->n_rows &&
                              input->groups[end] == input->groups[begin];
             end++)
            weighs |= metric_weight(input, end) > 0;
        if (weighs)
            bootstrap->units[bootstrap->n_units++] = (struct unit){begin, end};
    }
}

/* The order of rows by probability is the same in all replicates. */
static enum err_code sort_once(struct metric_input *input, uint32_t **ret_falling, struct err *err)
{
    if (input->falling != NULL || input->probabilities == NULL || input->n_classes != 2 ||
        input->n_rows > UINT32_MAX)
        return ERR_OK;
    *ret_falling = calloc(input->n_rows + 1, sizeof(**ret_falling));
    if (*ret_falling == NULL)
        return err_nomem(err);
    TRY(steps_order(input, *ret_falling, err));
    input->falling = *ret_falling;
    return ERR_OK;
}

static enum err_code bootstrap_init(struct bootstrap *bootstrap, const struct metric *metric,
                                    const struct metric_input *a, const struct metric_input *b,
                                    size_t n_replicates, struct err *err)
{
    *bootstrap = (struct bootstrap){.metric = metric, .a = *a, .b = *b, .own_weights = a->weights};
    bootstrap->units = calloc(a->n_rows + 1, sizeof(struct unit));
    bootstrap->counts = calloc(a->n_rows + 1, sizeof(*bootstrap->counts));
    bootstrap->weights = calloc(a->n_rows + 1, sizeof(double));
    bootstrap->differences = calloc(n_replicates, sizeof(struct weighted));
    bootstrap->skills = calloc(n_replicates, sizeof(struct weighted));
    if (bootstrap->units == NULL || bootstrap->counts == NULL || bootstrap->weights == NULL ||
        bootstrap->differences == NULL || bootstrap->skills == NULL)
        return err_nomem(err);
    find_units(bootstrap, a);
    TRY(sort_once(&bootstrap->a, &bootstrap->falling_a, err));
    return sort_once(&bootstrap->b, &bootstrap->falling_b, err);
}

/* Counts first: they are small enough to stay near the processor while rows are drawn at random. */
static void draw(struct bootstrap *bootstrap, struct rng *rng)
{
    memset(bootstrap->counts, 0, bootstrap->n_units * sizeof(*bootstrap->counts));
    for (size_t i = 0; i < bootstrap->n_units; i++)
        bootstrap->counts[rng_below(rng, bootstrap->n_units)]++;
    for (size_t i = 0; i < bootstrap->n_units; i++) {
        double count = bootstrap->counts[i];

        for (size_t row = bootstrap->units[i].begin; row < bootstrap->units[i].end; row++)
            bootstrap->weights[row] =
                bootstrap->own_weights == NULL ? count : count * bootstrap->own_weights[row];
    }
}

static enum err_code measure(struct bootstrap *bootstrap, double *ret_a, double *ret_b,
                             struct err *err)
{
    TRY(bootstrap->metric->compute(&bootstrap->a, ret_a, err));
    return bootstrap->metric->compute(&bootstrap->b, ret_b, err);
}

static double skill_of(const struct metric *metric, double a, double b)
{
    if (metric->higher_is_better && (metric->tasks & (METRIC_RANKING | METRIC_SURVIVAL))) {
        a = 1 - a;
        b = 1 - b;
    } else if (metric->higher_is_better || metric->toward_zero) {
        return NAN;
    }
    return b == 0 ? NAN : 1 - a / b;
}

static void note(struct bootstrap *bootstrap, double a, double b)
{
    const struct metric *metric = bootstrap->metric;
    double skill = skill_of(metric, a, b);

    if (isnan(a - b))
        return;
    bootstrap->differences[bootstrap->n_differences++] = (struct weighted){a - b, 1};
    bootstrap->n_better += metric_better(metric, a, b) ? 1 : metric_better(metric, b, a) ? 0 : .5;
    if (!isnan(skill))
        bootstrap->skills[bootstrap->n_skills++] = (struct weighted){skill, 1};
}

static struct bootstrap_interval interval_of(double value, struct weighted *values, size_t n,
                                             bool enough)
{
    size_t n_sorted = weighted_sort(values, n);

    if (!enough || isnan(value))
        return (struct bootstrap_interval){value, NAN, NAN};
    return (struct bootstrap_interval){value, weighted_quantile(values, n_sorted, 2.5),
                                       weighted_quantile(values, n_sorted, 97.5)};
}

/* a and b are of the rows as they are. */
static struct bootstrap_result summarise(struct bootstrap *bootstrap, double a, double b,
                                         size_t n_replicates)
{
    bool drawn = bootstrap->n_units >= 2;
    bool enough = drawn && bootstrap->n_differences * 2 >= n_replicates;

    return (struct bootstrap_result){
        .a = a,
        .b = b,
        .difference = interval_of(a - b, bootstrap->differences, bootstrap->n_differences, enough),
        .skill = interval_of(skill_of(bootstrap->metric, a, b), bootstrap->skills,
                             bootstrap->n_skills, drawn && bootstrap->n_skills * 2 >= n_replicates),
        .p_better = enough ? bootstrap->n_better / (double)bootstrap->n_differences : NAN,
        .n_defined = bootstrap->n_differences,
        .n_replicates = n_replicates,
    };
}

enum err_code bootstrap_compare(const struct metric *metric, const struct metric_input *a,
                                const struct metric_input *b, const struct bootstrap_plan *plan,
                                struct bootstrap_result *ret_result, struct err *err)
{
    CLEANUP(bootstrap_release) struct bootstrap bootstrap = {0};
    size_t n_replicates = replicates_of(plan, a->n_rows);
    double a_value, b_value, a_drawn, b_drawn;
    struct rng rng;

    if (a->n_rows != b->n_rows)
        return err_set(err, ERR_INVALID, "%zu rows cannot be compared with %zu", a->n_rows,
                       b->n_rows);
    TRY(bootstrap_init(&bootstrap, metric, a, b, n_replicates, err));
    bootstrap.b.weights = a->weights;
    bootstrap.b.groups = a->groups;
    TRY(measure(&bootstrap, &a_value, &b_value, err));
    bootstrap.a.weights = bootstrap.b.weights = bootstrap.weights;
    rng_init(&rng, plan->seed);
    for (size_t i = 0; i < n_replicates && bootstrap.n_units >= 2; i++) {
        draw(&bootstrap, &rng);
        TRY(measure(&bootstrap, &a_drawn, &b_drawn, err));
        note(&bootstrap, a_drawn, b_drawn);
    }
    *ret_result = summarise(&bootstrap, a_value, b_value, n_replicates);
    return ERR_OK;
}

/* The mean of what stands as predictions. */
static enum err_code mean_loss(const struct metric_input *input, double *ret_value, struct err *err)
{
    struct mean mean = {0};

    (void)err;
    for (size_t i = 0; i < input->n_rows; i++)
        mean_add(&mean, input->predictions[i], metric_weight(input, i));
    *ret_value = mean_value(&mean);
    return ERR_OK;
}

enum err_code bootstrap_losses(const double *a, const double *b, size_t n_rows,
                               const double *weights, const uint32_t *groups,
                               const struct bootstrap_plan *plan,
                               struct bootstrap_result *ret_result, struct err *err)
{
    static const struct metric metric = {.name = "loss", .compute = mean_loss};
    struct metric_input of_a = {
        .n_rows = n_rows, .predictions = a, .weights = weights, .groups = groups};
    struct metric_input of_b = of_a;

    of_b.predictions = b;
    return bootstrap_compare(&metric, &of_a, &of_b, plan, ret_result, err);
}

bool bootstrap_surely_better(const struct metric *metric, const struct bootstrap_result *result)
{
    return metric_better(metric, result->a, result->b) &&
           result->p_better >= BOOTSTRAP_SURE; /* false for NaN */
}
