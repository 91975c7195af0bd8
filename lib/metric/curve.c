#include "metric/curve.h"

#include <math.h>
#include <stdlib.h>

#define MAX_KEPT 200

/* Nearer to a line is on it. */
#define ON_LINE 1e-12

/* A line between two kept points, and the point between them that is farthest from it. */
struct segment {
    size_t begin, end;
    size_t farthest;
    double distance;
};

static double distance_from(const struct point *a, const struct point *b, const struct point *p)
{
    double x = b->x - a->x, y = b->y - a->y, length = hypot(x, y);

    if (length == 0)
        return hypot(p->x - a->x, p->y - a->y);
    return fabs(x * (p->y - a->y) - y * (p->x - a->x)) / length;
}

static struct segment segment_of(const struct point *points, size_t begin, size_t end)
{
    struct segment segment = {begin, end, begin, 0};

    for (size_t i = begin + 1; i < end; i++) {
        double distance = distance_from(&points[begin], &points[end], &points[i]);

        if (distance > segment.distance) {
            segment.distance = distance;
            segment.farthest = i;
        }
    }
    return segment;
}

static size_t worst_of(const struct segment *segments, size_t n)
{
    size_t worst = 0;

    for (size_t i = 1; i < n; i++)
        if (segments[i].distance > segments[worst].distance)
            worst = i;
    return worst;
}

static int compare_begins(const void *a, const void *b)
{
    size_t left = ((const struct segment *)a)->begin, right = ((const struct segment *)b)->begin;

    return (left > right) - (left < right);
}

size_t curve_thin(struct point *points, size_t n, size_t max, double *ret_distance)
{
    struct segment segments[MAX_KEPT];
    size_t n_segments = 0, worst;

    *ret_distance = 0;
    if (n <= 2)
        return n;
    segments[n_segments++] = segment_of(points, 0, n - 1);
    while ((worst = worst_of(segments, n_segments)),
           segments[worst].distance > ON_LINE && n_segments + 1 < max && n_segments < MAX_KEPT) {
        struct segment split = segments[worst];

        segments[worst] = segment_of(points, split.begin, split.farthest);
        segments[n_segments++] = segment_of(points, split.farthest, split.end);
    }
    *ret_distance = segments[worst].distance;
    qsort(segments, n_segments, sizeof(*segments), compare_begins);
    for (size_t i = 0; i < n_segments; i++)
        points[i] = points[segments[i].begin];
    points[n_segments] = points[n - 1];
    return n_segments + 1;
}
