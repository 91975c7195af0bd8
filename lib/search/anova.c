#include "search/anova.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/random.h"

#define N_TREES 64

/* A tree on its way, and the boxes of its leaves. */
struct growth {
    const double *points, *values;
    int n_dimensions;
    int *rows; /* the sample, parted by nodes as the tree grows */
    struct key *keys;
    int n_leaves;
    double *boxes; /* [n_leaves × n_dimensions × 2] low and high */
    double *means; /* [n_leaves] */
};

static void growth_release(struct growth *growth)
{
    free(growth->rows);
    free(growth->keys);
    free(growth->boxes);
    free(growth->means);
}

struct key {
    double x, y;
};

static int compare_keys(const void *a, const void *b)
{
    const struct key *one = a, *other = b;

    return one->x < other->x ? -1 : one->x > other->x;
}

static double coordinate(const struct growth *growth, int row, int dimension)
{
    return growth->points[(size_t)row * (size_t)growth->n_dimensions + (size_t)dimension];
}

struct split {
    int dimension; /* −1: none */
    double at;     /* smaller goes left */
    double gain;   /* of squares */
};

/* The best split along a dimension: of squares, the gain is what the sums' squares gain. */
static void try_dimension(struct growth *growth, int begin, int end, int dimension,
                          struct split *best)
{
    struct key *keys = growth->keys;
    int n = end - begin;
    double sum = 0, left = 0;

    for (int i = 0; i < n; i++) {
        int row = growth->rows[begin + i];

        keys[i] = (struct key){coordinate(growth, row, dimension), growth->values[row]};
        sum += keys[i].y;
    }
    qsort(keys, (size_t)n, sizeof(*keys), compare_keys);
    for (int i = 1; i < n; i++) {
        double gain;

        left += keys[i - 1].y;
        if (keys[i].x == keys[i - 1].x)
            continue;
        gain = left * left / i + (sum - left) * (sum - left) / (n - i) - sum * sum / n;
        if (gain > best->gain)
            *best = (struct split){dimension, (keys[i - 1].x + keys[i].x) / 2, gain};
    }
}

/* Rows of the left side first; returns where the right side begins. */
static int part(struct growth *growth, int begin, int end, const struct split *split)
{
    int middle = begin;

    for (int i = begin; i < end; i++) {
        int row = growth->rows[i];

        if (!(coordinate(growth, row, split->dimension) < split->at))
            continue;
        growth->rows[i] = growth->rows[middle];
        growth->rows[middle++] = row;
    }
    return middle;
}

static void add_leaf(struct growth *growth, int begin, int end, const double *box)
{
    size_t box_size = 2 * (size_t)growth->n_dimensions;
    double sum = 0;

    for (int i = begin; i < end; i++)
        sum += growth->values[growth->rows[i]];
    memcpy(growth->boxes + (size_t)growth->n_leaves * box_size, box, box_size * sizeof(*box));
    growth->means[growth->n_leaves++] = sum / (end - begin);
}

/* The box is that of the node, and again so on return. */
static void grow(struct growth *growth, int begin, int end, double *box)
{
    struct split best = {.dimension = -1, .gain = 1e-12};
    double *low, *high, was;
    int middle;

    for (int d = 0; d < growth->n_dimensions; d++)
        try_dimension(growth, begin, end, d, &best);
    if (best.dimension < 0) {
        add_leaf(growth, begin, end, box);
        return;
    }
    low = &box[2 * best.dimension];
    high = low + 1;
    middle = part(growth, begin, end, &best);
    was = *high;
    *high = best.at;
    grow(growth, begin, middle, box);
    *high = was;
    was = *low;
    *low = best.at;
    grow(growth, middle, end, box);
    *low = was;
}

/* A leaf's share of the cube but for a dimension (−1: of the whole cube). */
static double volume(const struct growth *growth, int leaf, int but)
{
    const double *box = growth->boxes + 2 * (size_t)leaf * (size_t)growth->n_dimensions;
    double product = 1;

    for (int d = 0; d < growth->n_dimensions; d++)
        product *= d == but ? 1 : box[2 * d + 1] - box[2 * d];
    return product;
}

static void moments(const struct growth *growth, double *ret_mean, double *ret_variance)
{
    double mean = 0, variance = 0;

    for (int i = 0; i < growth->n_leaves; i++)
        mean += volume(growth, i, -1) * growth->means[i];
    for (int i = 0; i < growth->n_leaves; i++)
        variance += volume(growth, i, -1) * pow(growth->means[i] - mean, 2);
    *ret_mean = mean;
    *ret_variance = variance;
}

/* The variance of the mean along a dimension, which changes where a leaf begins or ends. */
static double variance_along(struct growth *growth, int dimension, double mean)
{
    struct key *ends = growth->keys;
    double value = 0, variance = 0;
    int n = 0;

    for (int i = 0; i < growth->n_leaves; i++) {
        const double *box = growth->boxes + 2 * (size_t)i * (size_t)growth->n_dimensions;
        double part_of = volume(growth, i, dimension) * (growth->means[i] - mean);

        ends[n++] = (struct key){box[2 * dimension], part_of};
        ends[n++] = (struct key){box[2 * dimension + 1], -part_of};
    }
    qsort(ends, (size_t)n, sizeof(*ends), compare_keys);
    for (int i = 0; i + 1 < n; i++) {
        value += ends[i].y;
        variance += value * value * (ends[i + 1].x - ends[i].x);
    }
    return variance;
}

static enum err_code growth_init(struct growth *growth, int n_dimensions, int n, struct err *err)
{
    growth->n_dimensions = n_dimensions;
    growth->rows = calloc((size_t)n + 1, sizeof(*growth->rows));
    growth->keys = calloc(2 * (size_t)n + 1, sizeof(*growth->keys));
    growth->means = calloc((size_t)n + 1, sizeof(*growth->means));
    growth->boxes = calloc(2 * (size_t)n * (size_t)n_dimensions + 1, sizeof(*growth->boxes));
    if (growth->rows == NULL || growth->keys == NULL || growth->means == NULL ||
        growth->boxes == NULL)
        return err_nomem(err);
    return ERR_OK;
}

/* A tree of n of n_points, drawn with replacement; its effects are added. */
static void add_tree(struct growth *growth, int n, int n_points, double *box, struct rng *rng,
                     double *effects)
{
    double mean, variance;

    for (int i = 0; i < n; i++)
        growth->rows[i] = (int)rng_below(rng, (uint64_t)n_points);
    for (int d = 0; d < growth->n_dimensions; d++) {
        box[2 * d] = 0;
        box[2 * d + 1] = 1;
    }
    growth->n_leaves = 0;
    grow(growth, 0, n, box);
    moments(growth, &mean, &variance);
    for (int d = 0; variance > 0 && d < growth->n_dimensions; d++)
        effects[d] += variance_along(growth, d, mean) / variance / N_TREES;
}

/* The values, on a scale on which noise of their last digits is nothing. False: they are all one.
 */
static bool scaled(const double *values, int n, double *ret_values)
{
    double largest = 0;

    for (int i = 0; i < n; i++)
        largest = fmax(largest, fabs(values[i] - values[0]));
    for (int i = 0; i < n && largest > 0; i++)
        ret_values[i] = (values[i] - values[0]) / largest;
    return largest > 0;
}

enum err_code anova_effects(const double *points, const double *values, int n, int n_dimensions,
                            uint64_t seed, double *ret_effects, struct err *err)
{
    CLEANUP(growth_release) struct growth growth = {.points = points};
    CLEANUP(free_ptr) double *own_values = calloc((size_t)n + 1, sizeof(*own_values));
    CLEANUP(free_ptr) double *box = calloc(2 * (size_t)n_dimensions + 1, sizeof(*box));
    int n_drawn = n < ANOVA_POINTS_MAX ? n : ANOVA_POINTS_MAX;
    struct rng rng;

    if (box == NULL || own_values == NULL)
        return err_nomem(err);
    TRY(growth_init(&growth, n_dimensions, n_drawn, err));
    growth.values = own_values;
    memset(ret_effects, 0, (size_t)n_dimensions * sizeof(*ret_effects));
    if (n == 0 || !scaled(values, n, own_values))
        return ERR_OK;
    rng_init(&rng, seed);
    for (int i = 0; i < N_TREES; i++)
        add_tree(&growth, n_drawn, n, box, &rng, ret_effects);
    return ERR_OK;
}
