/*
 * The one cleanup idiom: a local that owns something says so where it is declared.
 *
 *     CLEANUP(buf_release) struct buf text = {0};
 *     CLEANUP(frame_freep) struct frame *frame = NULL;
 *     …
 *     *ret_frame = TAKE_PTR(frame);      ownership moves, the local becomes NULL
 *
 * Four verbs, everywhere: init/release for objects the caller holds by value, new/free for
 * objects behind a pointer. Both destructors accept a zeroed, NULL or half-built object.
 * DEFINE_FREEP(type, fn) makes the `fnp` that CLEANUP wants from a `fn(struct type *)`.
 */
#ifndef PGBOOST_BASE_CLEANUP_H
#define PGBOOST_BASE_CLEANUP_H

#include <stdlib.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))

#define TAKE_PTR(pointer)                                                                          \
    ({                                                                                             \
        __typeof__(pointer) taken_ = (pointer);                                                    \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    })

#define DEFINE_FREEP(type, fn)                                                                     \
    static inline void fn##p(type *pointer)                                                        \
    {                                                                                              \
        fn(*pointer);                                                                              \
        *pointer = NULL;                                                                           \
    }

/* free() for CLEANUP, for any pointer obtained from malloc. */
static inline void free_ptr(void *pointer)
{
    free(*(void **)pointer);
}

/* close() for CLEANUP, of a descriptor that may be -1. */
void close_fd(const int *fd);

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define MUST_CHECK             __attribute__((warn_unused_result))
#define CACHE_LINE             64 /* bytes that processors pass between them as one */
#define COLD                   __attribute__((cold)) /* what leads here is unlikely: kept apart */

#endif
