/*
 * A map from byte strings to small integers: names of columns, categories, dictionaries.
 *
 * Keys are copied into the map's own arena and keep their address for its life. Values are the
 * order of insertion, 0, 1, 2, …, so that arrays beside the map hold what belongs to a key.
 * Zeroed memory is a valid empty map. A finished map may be read by many threads.
 */
#ifndef PGBOOST_BASE_STRMAP_H
#define PGBOOST_BASE_STRMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

#define STRMAP_NONE UINT32_MAX

struct strmap_key {
    const char *text; /* NUL-terminated as well */
    uint32_t length;
    uint32_t hash;
};

struct strmap {
    struct strmap_key *keys; /* by index */
    uint32_t *slots;         /* open addressing: index + 1, 0 is free */
    uint32_t n_keys, keys_capacity, n_slots;
    struct arena texts;
};

void strmap_release(struct strmap *map);
uint32_t strmap_find(const struct strmap *map, const char *text,
                     size_t length); /* or STRMAP_NONE */

/* The key's index, inserting it when new. STRMAP_NONE when memory ran out. */
MUST_CHECK uint32_t strmap_add(struct strmap *map, const char *text, size_t length);

#endif
