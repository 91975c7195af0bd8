/*
 * A bump allocator: many small objects that live and die together.
 *
 * Zeroed memory is a valid empty arena. Memory is aligned to 16 bytes and zeroed. NULL when memory
 * ran out; earlier pieces stay valid. Not thread-safe.
 */
#ifndef PGBOOST_BASE_ARENA_H
#define PGBOOST_BASE_ARENA_H

#include <stddef.h>

#include "base/cleanup.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t n_bytes;             /* handed out so far */
};

void arena_release(struct arena *arena);
MUST_CHECK void *arena_alloc(struct arena *arena, size_t n_bytes);
MUST_CHECK void *arena_alloc_array(struct arena *arena, size_t n,
                                   size_t size); /* checks n × size */
MUST_CHECK char *arena_strdup(struct arena *arena, const char *text);
MUST_CHECK char *arena_strndup(struct arena *arena, const char *text, size_t length);

#endif
