#include "base/nearest.h"

#include <stddef.h>
#include <string.h>

#define MAX_LENGTH 64 /* longer names get no suggestion */

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (unsigned char)c;
}

/* Levenshtein's distance by dynamic programming (Wagner and Fischer 1974), one row at a time. */
static int edit_distance(const char *a, int a_length, const char *b, int b_length)
{
    int row[MAX_LENGTH + 1];

    for (int j = 0; j <= b_length; j++)
        row[j] = j;
    for (int i = 1; i <= a_length; i++) {
        int diagonal = row[0];

        row[0] = i;
        for (int j = 1; j <= b_length; j++) {
            int best = diagonal + (lower(a[i - 1]) != lower(b[j - 1]));

            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b_length];
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
