#include "train/calibration_fit.h"

#include <math.h>

static bool is_used(const struct calibration_rows *rows, size_t row)
{
    return rows->left_out < 0 || calibration_fold(rows, row) != (uint32_t)rows->left_out;
}

/* Platt ---------------------------------------------------------------------------------------- */

/* The loss of a line at some point, with its derivatives by slope and intercept. */
struct platt_point {
    double loss, by_slope, by_intercept;
    double slope_slope, slope_intercept, intercept_intercept;
};

struct platt_targets {
    double positive, negative;
};

static struct platt_targets platt_targets(const struct calibration_rows *rows)
{
    double n_positive = 0, n_negative = 0;

    for (size_t i = 0; i < rows->n; i++) {
        if (!is_used(rows, i))
            continue;
        *(rows->classes[i] == 1 ? &n_positive : &n_negative) += calibration_weight(rows, i);
    }
    return (struct platt_targets){(n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2)};
}

static struct platt_point platt_at(const struct calibration_rows *rows,
                                   const struct platt_targets *targets, double slope,
                                   double intercept)
{
    struct platt_point at = {0};

    for (size_t i = 0; i < rows->n; i++) {
        double margin = (double)rows->margins[i], z = slope * margin + intercept;
        double target = rows->classes[i] == 1 ? targets->positive : targets->negative;
        double e = exp(-fabs(z)), p = z >= 0 ? 1 / (1 + e) : e / (1 + e);

        double weight = calibration_weight(rows, i), slack = weight * (p - target),
               hessian = weight * p * (1 - p);

        if (!is_used(rows, i))
            continue;
        at.loss += weight * (log1p(e) + (z >= 0 ? (1 - target) * z : -target * z));
        at.by_slope += margin * slack;
        at.by_intercept += slack;
        at.slope_slope += margin * margin * hessian;
        at.slope_intercept += margin * hessian;
        at.intercept_intercept += hessian;
    }
    return at;
}

#define PLATT_STEPS_MAX 100
#define PLATT_STEP_MIN  1e-10
#define PLATT_ROUNDING  1e-14 /* of the loss: what differs by less is the same */
#define PLATT_RIDGE     1e-12 /* keeps the matrix invertible */

/* Newton's direction from a point. */
static void platt_direction(const struct platt_point *at, double *ret_slope, double *ret_intercept)
{
    double a = at->slope_slope + PLATT_RIDGE, b = at->slope_intercept;
    double d = at->intercept_intercept + PLATT_RIDGE, determinant = a * d - b * b;

    *ret_slope = -(d * at->by_slope - b * at->by_intercept) / determinant;
    *ret_intercept = -(a * at->by_intercept - b * at->by_slope) / determinant;
}

enum err_code platt_fit(const struct calibration_rows *rows, struct arena *arena,
                        struct calibration *ret_calibration, struct err *err)
{
    struct platt_targets targets = platt_targets(rows);
    double slope = 1, intercept = 0; /* what the objective itself would do */
    struct platt_point at = platt_at(rows, &targets, slope, intercept);

    (void)arena;
    (void)err;
    for (int i = 0; i < PLATT_STEPS_MAX; i++) {
        double to_slope, to_intercept, step;
        struct platt_point next = at;

        platt_direction(&at, &to_slope, &to_intercept);
        for (step = 1; step > PLATT_STEP_MIN; step /= 2) {
            next =
                platt_at(rows, &targets, slope + step * to_slope, intercept + step * to_intercept);
            if (next.loss <= at.loss * (1 + PLATT_ROUNDING))
                break;
        }
        if (step <= PLATT_STEP_MIN)
            break;
        slope += step * to_slope;
        intercept += step * to_intercept;
        at = next;
        if (fabs(to_slope) + fabs(to_intercept) < PLATT_STEP_MIN)
            break;
    }
    *ret_calibration = (struct calibration){0};
    if (slope > 0 && isfinite(slope) && isfinite(intercept))
        *ret_calibration = (struct calibration){
            .method = CALIBRATION_PLATT, .slope = slope, .intercept = intercept};
    return ERR_OK;
}

/* Isotonic ------------------------------------------------------------------------------------- */

/* Neighbouring rows of one level. Without weights whole numbers in double: products are exact. */
struct pool {
    double first, last; /* probabilities */
    double n, n_positive;
};

static struct pool pooled(const struct pool *a, const struct pool *b)
{
    return (struct pool){a->first, b->last, a->n + b->n, a->n_positive + b->n_positive};
}

/* Is the later one not above the earlier? */
static bool violates(const struct pool *earlier, const struct pool *later)
{
    return earlier->n_positive * later->n >= later->n_positive * earlier->n;
}

/* Puts a pool behind the others, and pools for as long as levels do not rise. */
static void push(struct pool *pools, size_t *n_pools, struct pool pool)
{
    while (*n_pools > 0 && violates(&pools[*n_pools - 1], &pool))
        pool = pooled(&pools[--*n_pools], &pool);
    pools[(*n_pools)++] = pool;
}

/* pools[rows->n]; returns how many there are. */
static size_t make_pools(const struct calibration_rows *rows, struct pool *pools)
{
    size_t n_pools = 0;
    struct pool tie = {0}; /* rows of one probability */

    for (size_t i = 0; i < rows->n; i++) {
        uint32_t row = rows->rising[i];
        double p = (double)rows->positive[row], weight = calibration_weight(rows, row);

        if (!is_used(rows, row) || !(weight > 0))
            continue;
        if (tie.n > 0 && p != tie.first) {
            push(pools, &n_pools, tie);
            tie.n = tie.n_positive = 0;
        }
        tie.first = tie.last = p;
        tie.n += weight;
        tie.n_positive += rows->classes[row] == 1 ? weight : 0;
    }
    if (tie.n > 0)
        push(pools, &n_pools, tie);
    while (n_pools > CALIBRATION_POINTS_MAX / 2) { /* each has two points */
        for (size_t i = 0; 2 * i < n_pools; i++)
            pools[i] =
                2 * i + 1 < n_pools ? pooled(&pools[2 * i], &pools[2 * i + 1]) : pools[2 * i];
        n_pools = (n_pools + 1) / 2;
    }
    return n_pools;
}

/* The ends of each pool; one point where they are the same. */
static void put_points(const struct pool *pools, size_t n_pools, struct calibration *calibration)
{
    double n = 0, least;

    for (size_t i = 0; i < n_pools; i++)
        n += pools[i].n;
    least = 1 / (n + 2);
    for (size_t i = 0; i < n_pools; i++) {
        double level = fmin(fmax(pools[i].n_positive / pools[i].n, least), 1 - least);

        calibration->from[calibration->n_points] = pools[i].first;
        calibration->to[calibration->n_points++] = level;
        if (pools[i].last == pools[i].first)
            continue;
        calibration->from[calibration->n_points] = pools[i].last;
        calibration->to[calibration->n_points++] = level;
    }
}

enum err_code isotonic_fit(const struct calibration_rows *rows, struct arena *arena,
                           struct calibration *ret_calibration, struct err *err)
{
    CLEANUP(free_ptr) struct pool *pools = calloc(rows->n + 1, sizeof(*pools));
    struct calibration calibration = {.method = CALIBRATION_ISOTONIC};
    size_t n_pools;

    if (pools == NULL)
        return err_nomem(err);
    n_pools = make_pools(rows, pools);
    calibration.from = arena_alloc_array(arena, 2 * n_pools + 1, sizeof(double));
    calibration.to = arena_alloc_array(arena, 2 * n_pools + 1, sizeof(double));
    if (calibration.from == NULL || calibration.to == NULL)
        return err_nomem(err);
    put_points(pools, n_pools, &calibration);
    *ret_calibration = (struct calibration){0};
    if (n_pools > 1) /* one level tells no row from another */
        *ret_calibration = calibration;
    return ERR_OK;
}

/* Temperature ---------------------------------------------------------------------------------- */

/* The first and second derivative of a row's log loss by 1 ÷ temperature: the margin that is
 * expected less that of the truth, and the margins' variance. */
static void soft_row(const float *margins, int n, uint32_t truth, double sharpness,
                     double *ret_first, double *ret_second)
{
    double largest = (double)margins[0], sum = 0, mean = 0, squares = 0;

    for (int k = 1; k < n; k++)
        largest = fmax(largest, (double)margins[k]);
    for (int k = 0; k < n; k++) {
        double distance = (double)margins[k] - largest, e = exp(sharpness * distance);

        sum += e;
        mean += e * distance;
        squares += e * distance * distance;
    }
    mean /= sum;
    *ret_first = mean - ((double)margins[truth] - largest);
    *ret_second = squares / sum - mean * mean;
}

static void soft_rows(const struct calibration_rows *rows, double sharpness, double *ret_first,
                      double *ret_second)
{
    double first = 0, second = 0;

    for (size_t i = 0; i < rows->n; i++) {
        double row_first, row_second;

        if (!is_used(rows, i))
            continue;
        soft_row(rows->margins + i * (size_t)rows->n_outputs, rows->n_outputs, rows->classes[i],
                 sharpness, &row_first, &row_second);
        first += calibration_weight(rows, i) * row_first;
        second += calibration_weight(rows, i) * row_second;
    }
    *ret_first = first;
    *ret_second = second;
}

/* Where every row is predicted rightly the loss falls without end: these say where it stops. */
#define SHARPNESS_MIN 0.05
#define SHARPNESS_MAX 20

/* Newton's method, kept between bounds that the first derivative's sign moves together. */
enum err_code temperature_fit(const struct calibration_rows *rows, struct arena *arena,
                              struct calibration *ret_calibration, struct err *err)
{
    double low = SHARPNESS_MIN, high = SHARPNESS_MAX, sharpness = 1;

    (void)arena;
    (void)err;
    for (int i = 0; i < 100 && high - low > 1e-12 * low; i++) {
        double first, second, next;

        soft_rows(rows, sharpness, &first, &second);
        if (first > 0)
            high = sharpness;
        else
            low = sharpness;
        next = sharpness - first / second;
        if (!(next > low && next < high))
            next = sqrt(low * high);
        if (fabs(next - sharpness) <= 1e-13 * sharpness)
            break;
        sharpness = next;
    }
    *ret_calibration =
        (struct calibration){.method = CALIBRATION_TEMPERATURE, .temperature = 1 / sharpness};
    return ERR_OK;
}
