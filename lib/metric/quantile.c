#include "metric/metric_internal.h"

static int compare_values(const void *a, const void *b)
{
    double left = ((const struct weighted *)a)->value, right = ((const struct weighted *)b)->value;

    return (left > right) - (left < right);
}

size_t weighted_sort(struct weighted *values, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        if (values[i].weight > 0)
            values[kept++] = values[i];
    qsort(values, kept, sizeof(*values), compare_values);
    return kept;
}

/* Compared as 100 × weight with percent × total: exact where weights are whole numbers. */
double weighted_quantile(const struct weighted *values, size_t n, double percent)
{
    struct sum total = {0}, below = {0};
    double target;

    if (n == 0)
        return NAN;
    for (size_t i = 0; i < n; i++)
        sum_add(&total, values[i].weight);
    target = percent * sum_value(&total);
    for (size_t i = 0; i + 1 < n; i++) {
        double reached;

        sum_add(&below, values[i].weight);
        reached = 100 * sum_value(&below);
        if (reached == target)
            return values[i].value / 2 + values[i + 1].value / 2;
        if (reached > target)
            return values[i].value;
    }
    return values[n - 1].value;
}
