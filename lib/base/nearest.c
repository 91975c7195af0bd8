#include "base/nearest.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define MAX_LENGTH 64 /* longer names get no suggestion */

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c;
}

static bool same(char a, char b)
{
    return lower(a) == lower(b);
}

static int smallest(int a, int b, int c)
{
    int smaller = a < b ? a : b;

    return smaller < c ? smaller : c;
}

/* Edits between two names, where swapping two neighbours is one edit ("trian"): optimal string
 * alignment, by dynamic programming over the last three rows. */
static int edit_distance(const char *a, int a_length, const char *b, int b_length)
{
    int rows[3][MAX_LENGTH + 1];
    int *before = rows[0], *last = rows[1], *row = rows[2];

    for (int j = 0; j <= b_length; j++)
        last[j] = j;
    for (int i = 1; i <= a_length; i++) {
        int *reused = before;

        row[0] = i;
        for (int j = 1; j <= b_length; j++) {
            row[j] = smallest(last[j] + 1, row[j - 1] + 1, last[j - 1] + !same(a[i - 1], b[j - 1]));
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]) &&
                before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        before = last;
        last = row;
        row = reused;
    }
    return last[b_length];
}

const char *nearest_name(const char *name, const char *const *names, int n_names)
{
    size_t length = strlen(name);
    const char *nearest = NULL;
    int limit;

    if (length > MAX_LENGTH)
        return NULL;
    limit = (int)length / 3;
    limit = limit < 1 ? 1 : limit > 4 ? 4 : limit;
    for (int i = 0; i < n_names; i++) {
        size_t other = strlen(names[i]);
        int distance;

        if (other > MAX_LENGTH)
            continue;
        distance = edit_distance(name, (int)length, names[i], (int)other);
        if (distance <= limit) {
            nearest = names[i];
            limit = distance - 1; /* the first of equally near ones stays */
        }
    }
    return nearest;
}
