#include "base/strmap.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define FIRST_CAPACITY 16u
#define MAX_KEYS       (UINT32_C(1) << 30) /* twice as many slots still fit in 32 bits */

void strmap_release(struct strmap *map)
{
    free(map->keys);
    free(map->slots);
    arena_release(&map->texts);
    *map = (struct strmap){0};
}

/* The slot that holds the key or, if it is not there, the free slot where it belongs. */
static uint32_t find_slot(const struct strmap *map, const char *text, size_t length, uint32_t hash)
{
    uint32_t mask = map->n_slots - 1;
    uint32_t slot = hash & mask;

    for (; map->slots[slot] != 0; slot = (slot + 1) & mask) {
        const struct strmap_key *key = &map->keys[map->slots[slot] - 1];

        if (key->hash == hash && key->length == length && memcmp(key->text, text, length) == 0)
            break;
    }
    return slot;
}

uint32_t strmap_find(const struct strmap *map, const char *text, size_t length)
{
    uint32_t slot;

    if (map->n_slots == 0)
        return STRMAP_NONE;
    slot = find_slot(map, text, length, (uint32_t)hash64(text, length));
    return map->slots[slot] == 0 ? STRMAP_NONE : map->slots[slot] - 1;
}

/* Room for one more key: twice the keys, and slots for a load of at most one half. */
static bool grow(struct strmap *map)
{
    uint32_t capacity = map->keys_capacity == 0 ? FIRST_CAPACITY : 2 * map->keys_capacity;
    uint32_t mask = 2 * capacity - 1;
    struct strmap_key *keys;
    uint32_t *slots;

    if (capacity > MAX_KEYS)
        return false;
    keys = reallocarray(map->keys, capacity, sizeof(*keys));
    if (keys == NULL)
        return false;
    map->keys = keys;
    slots = calloc(2 * (size_t)capacity, sizeof(*slots));
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < map->n_keys; i++) {
        uint32_t slot = keys[i].hash & mask;

        while (slots[slot] != 0)
            slot = (slot + 1) & mask;
        slots[slot] = i + 1;
    }
    free(map->slots);
    map->slots = slots;
    map->n_slots = 2 * capacity;
    map->keys_capacity = capacity;
    return true;
}

uint32_t strmap_add(struct strmap *map, const char *text, size_t length)
{
    uint32_t hash = (uint32_t)hash64(text, length);
    uint32_t slot;
    char *copy;

    if (map->n_slots > 0) {
        slot = find_slot(map, text, length, hash);
        if (map->slots[slot] != 0)
            return map->slots[slot] - 1;
    }
    if (length > UINT32_MAX || (map->n_keys == map->keys_capacity && !grow(map)))
        return STRMAP_NONE;
    copy = arena_strndup(&map->texts, text, length);
    if (copy == NULL)
        return STRMAP_NONE;
    slot = find_slot(map, text, length, hash); /* growing moves slots */
    map->keys[map->n_keys] = (struct strmap_key){copy, (uint32_t)length, hash};
    map->slots[slot] = ++map->n_keys;
    return map->n_keys - 1;
}
