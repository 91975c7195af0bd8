#include "train/learning.h"

#include "base/cleanup.h"
#include "base/json.h"

/* Every other point goes. */
static void thin(struct learning *learning)
{
    int n = 0;

    for (int i = 0; i < learning->n; i += 2)
        learning->points[n++] = learning->points[i];
    learning->n = n;
    learning->stride *= 2;
}

void learning_add(struct learning *learning, int round, double loss, bool best)
{
    const struct learning_point point = {round, loss};

    if (learning->stride == 0)
        learning->stride = 1;
    learning->last = point;
    if (best)
        learning->best = point;
    if ((round - 1) % learning->stride != 0)
        return;
    if (learning->n == (int)N_ELEMENTS(learning->points))
        thin(learning);
    if ((round - 1) % learning->stride == 0)
        learning->points[learning->n++] = point;
}

/* The points that stay, with the best and the last where they belong. */
static int merge(const struct learning *learning, struct learning_point *ret_points)
{
    int n = 0, i = 0;

    while (i < learning->n && learning->points[i].round < learning->best.round)
        ret_points[n++] = learning->points[i++];
    if (learning->best.round > 0)
        ret_points[n++] = learning->best;
    while (i < learning->n) {
        if (learning->points[i].round != learning->best.round)
            ret_points[n++] = learning->points[i];
        i++;
    }
    if (n > 0 && ret_points[n - 1].round != learning->last.round)
        ret_points[n++] = learning->last;
    return n;
}

void learning_put(const struct learning *learning, const char *metric, struct buf *json)
{
    struct learning_point points[LEARNING_POINTS_MAX];
    int n = merge(learning, points);

    buf_printf(json, "{\"metric\":\"%s\",\"rounds\":[", metric);
    for (int i = 0; i < n; i++)
        buf_printf(json, "%s%d", i > 0 ? "," : "", points[i].round);
    buf_puts(json, "],\"valid\":[");
    for (int i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(json, ',');
        json_put_double(json, points[i].loss);
    }
    buf_puts(json, "]}");
}
