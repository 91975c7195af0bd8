#include "base/arena.h"

#include <stdint.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    _Alignas(16) char data[];
};

void arena_release(struct arena *arena)
{
    struct arena_block *block = arena->blocks;

    while (block != NULL) {
        struct arena_block *next = block->next;

        free(block);
        block = next;
    }
    *arena = (struct arena){0};
}

void *arena_alloc(struct arena *arena, size_t n_bytes)
{
    struct arena_block *block = arena->blocks;
    void *piece;

    if (n_bytes > SIZE_MAX / 2)
        return NULL;
    n_bytes = (n_bytes + 15) & ~(size_t)15;
    if (block == NULL || block->size - block->used < n_bytes) {
        size_t size = n_bytes > 16384 ? n_bytes : 16384;

        block = calloc(1, sizeof(*block) + size);
        if (block == NULL)
            return NULL;
        block->size = size;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    piece = block->data + block->used;
    block->used += n_bytes;
    arena->n_bytes += n_bytes;
    return piece;
}

void *arena_alloc_array(struct arena *arena, size_t n, size_t size)
{
    size_t n_bytes;

    if (__builtin_mul_overflow(n, size, &n_bytes))
        return NULL;
    return arena_alloc(arena, n_bytes);
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
    char *copy = length < SIZE_MAX ? arena_alloc(arena, length + 1) : NULL;

    if (copy != NULL)
        memcpy(copy, text, length); /* the NUL is there: memory comes zeroed */
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}
