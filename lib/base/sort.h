/*
 * Sorting numbers by value.
 */
#ifndef PGBOOST_BASE_SORT_H
#define PGBOOST_BASE_SORT_H

#include <stddef.h>

/* Rising; no NaN among them. */
void sort_doubles(double *values, size_t n);

#endif
