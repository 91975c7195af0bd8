/*
 * "Did you mean …?": the nearest of some names by edit distance (a swap is one edit, case ignored).
 */
#ifndef PGBOOST_BASE_NEAREST_H
#define PGBOOST_BASE_NEAREST_H

/* One of names, or NULL when none is within a third of name's length (at least 1, at most 4). */
const char *nearest_name(const char *name, const char *const *names, int n_names);

#endif
