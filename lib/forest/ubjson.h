/*
 * A pull reader of UBJSON, the part of it that XGBoost writes.
 *
 * Reads bytes in memory, copies only numbers, and trusts nothing: every length is checked against
 * the bytes that are left before it is used, nesting is bounded, and an error names the byte. An
 * object is read by a table of its members; members not in the table are skipped, a member of the
 * table that comes twice is an error.
 *
 * XGBoost's dialect (src/common/json.cc): big-endian; 'd' is float32; objects are never counted;
 * arrays may have a count ("[#L…") and a type ("[$d#L…").
 *
 * Every error is ERR_CORRUPT (ERR_NOMEM aside). No global state; a reader belongs to one thread.
 */
#ifndef PGBOOST_FOREST_UBJSON_H
#define PGBOOST_FOREST_UBJSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

#define UBJ_DEPTH_MAX 32

struct ubj_reader {
    const uint8_t *start, *at, *end;
    int depth;
};

/* Points into the bytes; not NUL-terminated, any bytes. */
struct ubj_text {
    const char *text;
    size_t length;
};

/* Numbers of an array, in an arena. */
struct ubj_ints {
    int32_t *items;
    size_t n;
};

struct ubj_floats {
    float *items;
    size_t n;
};

/* A row of the table that reads an object: `read` is called when the member comes. */
struct ubj_member {
    const char *name;
    enum err_code (*read)(struct ubj_reader *reader, const struct ubj_member *member, void *context,
                          struct err *err);
    bool required;
    size_t offset; /* for `read`: where in the context its result goes */
};

/* n_members is at most 64. */
MUST_CHECK enum err_code ubj_read_object(struct ubj_reader *reader,
                                         const struct ubj_member *members, int n_members,
                                         void *context, struct err *err);

/* Calls read_item for each element of an array. */
MUST_CHECK enum err_code ubj_read_array(struct ubj_reader *reader,
                                        enum err_code (*read_item)(struct ubj_reader *reader,
                                                                   void *context, struct err *err),
                                        void *context, struct err *err);

MUST_CHECK enum err_code ubj_read_text(struct ubj_reader *reader, struct ubj_text *ret_text,
                                       struct err *err);

/* An integer of any width; one array of integers that fit 32 bits; one array of floats. */
MUST_CHECK enum err_code ubj_read_int(struct ubj_reader *reader, int64_t *ret_value,
                                      struct err *err);
MUST_CHECK enum err_code ubj_read_ints(struct ubj_reader *reader, struct arena *arena,
                                       struct ubj_ints *ret_ints, struct err *err);
MUST_CHECK enum err_code ubj_read_floats(struct ubj_reader *reader, struct arena *arena,
                                         struct ubj_floats *ret_floats, struct err *err);

/* Skips one value, whatever it is. */
MUST_CHECK enum err_code ubj_skip(struct ubj_reader *reader, struct err *err);

void ubj_reader_init(struct ubj_reader *reader, const void *bytes, size_t n_bytes);
bool ubj_at_end(const struct ubj_reader *reader);
bool ubj_text_is(struct ubj_text text, const char *expected);

/* "not a model that can be read: …, at byte N": how every error of the reader's users reads too. */
enum err_code ubj_error(const struct ubj_reader *reader, struct err *err, const char *format, ...)
    PRINTF_LIKE(3, 4);

#endif
