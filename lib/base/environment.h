/*
 * The environment of a program that this one starts: this one's, but for some variables.
 */
#ifndef PGBOOST_BASE_ENVIRONMENT_H
#define PGBOOST_BASE_ENVIRONMENT_H

#include <stddef.h>

#include "base/arena.h"

struct variable {
    const char *name, *value; /* value NULL: it is not set */
};

/* For posix_spawn, in the arena, together with copies of all it holds; NULL: no memory. */
char **environment_with(struct arena *arena, const struct variable *variables, size_t n);

#endif
