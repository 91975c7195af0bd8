#include "forest/ubjson.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Bytes of a scalar's payload after its marker; NOT_SCALAR for everything else. */
#define NOT_SCALAR (-1)

static int payload_bytes(uint8_t marker)
{
    switch (marker) {
    case 'Z': /* null */
    case 'N': /* no-op */
    case 'T':
    case 'F':
        return 0;
    case 'i':
    case 'U':
    case 'C':
        return 1;
    case 'I':
        return 2;
    case 'l':
    case 'd':
        return 4;
    case 'L':
    case 'D':
        return 8;
    default:
        return NOT_SCALAR;
    }
}

void ubj_reader_init(struct ubj_reader *reader, const void *bytes, size_t n_bytes)
{
    reader->start = reader->at = bytes;
    reader->end = reader->start + n_bytes;
    reader->depth = 0;
}

bool ubj_at_end(const struct ubj_reader *reader)
{
    return reader->at == reader->end;
}

bool ubj_text_is(struct ubj_text text, const char *expected)
{
    return text.length == strlen(expected) && memcmp(text.text, expected, text.length) == 0;
}

enum err_code ubj_error(const struct ubj_reader *reader, struct err *err, const char *format, ...)
{
    char what[256];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    return err_set(err, ERR_CORRUPT, "model cannot be read: %s, at byte %zu", what,
                   (size_t)(reader->at - reader->start));
}

static size_t bytes_left(const struct ubj_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

static enum err_code need(const struct ubj_reader *reader, size_t n_bytes, struct err *err)
{
    if (bytes_left(reader) < n_bytes)
        return ubj_error(reader, err, "it ends early");
    return ERR_OK;
}

/* Consumes the next byte when it is the marker. */
static bool accept(struct ubj_reader *reader, uint8_t marker)
{
    if (ubj_at_end(reader) || *reader->at != marker)
        return false;
    reader->at++;
    return true;
}

static enum err_code expect(struct ubj_reader *reader, uint8_t marker, const char *what,
                            struct err *err)
{
    TRY(need(reader, 1, err));
    if (!accept(reader, marker))
        return ubj_error(reader, err, "expected %s", what);
    return ERR_OK;
}

static enum err_code take_marker(struct ubj_reader *reader, uint8_t *ret_marker, struct err *err)
{
    TRY(need(reader, 1, err));
    *ret_marker = *reader->at++;
    return ERR_OK;
}

static enum err_code descend(struct ubj_reader *reader, struct err *err)
{
    if (reader->depth == UBJ_DEPTH_MAX)
        return ubj_error(reader, err, "it is nested deeper than %d levels", UBJ_DEPTH_MAX);
    reader->depth++;
    return ERR_OK;
}

static uint64_t big_endian(const uint8_t *bytes, int n_bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < n_bytes; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* The payload of an integer marker; the bytes are known to be there. */
static bool decode_int(uint8_t marker, const uint8_t *bytes, int64_t *ret_value)
{
    switch (marker) {
    case 'i':
        *ret_value = (int8_t)bytes[0];
        return true;
    case 'U':
    case 'C':
        *ret_value = bytes[0];
        return true;
    case 'I':
        *ret_value = (int16_t)big_endian(bytes, 2);
        return true;
    case 'l':
        *ret_value = (int32_t)big_endian(bytes, 4);
        return true;
    case 'L':
        *ret_value = (int64_t)big_endian(bytes, 8);
        return true;
    default:
        return false;
    }
}

static bool decode_float(uint8_t marker, const uint8_t *bytes, float *ret_value)
{
    if (marker == 'd') {
        uint32_t bits = (uint32_t)big_endian(bytes, 4);

        memcpy(ret_value, &bits, sizeof(bits));
        return true;
    }
    if (marker == 'D') {
        uint64_t bits = big_endian(bytes, 8);
        double value;

        memcpy(&value, &bits, sizeof(bits));
        *ret_value = (float)value;
        return true;
    }
    return false;
}

/* Takes the payload of a scalar of this marker. */
static enum err_code take_payload(struct ubj_reader *reader, uint8_t marker,
                                  const uint8_t **ret_bytes, struct err *err)
{
    int n_bytes = payload_bytes(marker);

    if (n_bytes == NOT_SCALAR)
        return ubj_error(reader, err, "expected a number");
    TRY(need(reader, (size_t)n_bytes, err));
    *ret_bytes = reader->at;
    reader->at += n_bytes;
    return ERR_OK;
}

enum err_code ubj_read_int(struct ubj_reader *reader, int64_t *ret_value, struct err *err)
{
    const uint8_t *bytes = NULL;
    uint8_t marker = 0;

    TRY(take_marker(reader, &marker, err));
    TRY(take_payload(reader, marker, &bytes, err));
    if (!decode_int(marker, bytes, ret_value))
        return ubj_error(reader, err, "expected an integer");
    return ERR_OK;
}

/* A length of text or an array: an integer that the bytes left can hold, item_bytes for each. */
static enum err_code read_length(struct ubj_reader *reader, size_t item_bytes, size_t *ret_length,
                                 struct err *err)
{
    int64_t length = 0;

    TRY(ubj_read_int(reader, &length, err));
    if (length < 0 || (uint64_t)length > bytes_left(reader) / item_bytes)
        return ubj_error(reader, err, "it ends early (a length of %lld)", (long long)length);
    *ret_length = (size_t)length;
    return ERR_OK;
}

/* Text without its 'S': as keys are written. */
static enum err_code read_bare_text(struct ubj_reader *reader, struct ubj_text *ret_text,
                                    struct err *err)
{
    size_t length = 0;

    TRY(read_length(reader, 1, &length, err));
    ret_text->text = (const char *)reader->at;
    ret_text->length = length;
    reader->at += length;
    return ERR_OK;
}

enum err_code ubj_read_text(struct ubj_reader *reader, struct ubj_text *ret_text, struct err *err)
{
    TRY(expect(reader, 'S', "text", err));
    return read_bare_text(reader, ret_text, err);
}

/* ---- objects ---- */

static int find_member(const struct ubj_member *members, int n_members, struct ubj_text key)
{
    for (int i = 0; i < n_members; i++)
        if (ubj_text_is(key, members[i].name))
            return i;
    return -1;
}

static enum err_code check_required(const struct ubj_reader *reader,
                                    const struct ubj_member *members, int n_members, uint64_t seen,
                                    struct err *err)
{
    for (int i = 0; i < n_members; i++)
        if (members[i].required && !(seen & UINT64_C(1) << i))
            return ubj_error(reader, err, "\"%s\" is missing", members[i].name);
    return ERR_OK;
}

enum err_code ubj_read_object(struct ubj_reader *reader, const struct ubj_member *members,
                              int n_members, void *context, struct err *err)
{
    uint64_t seen = 0;

    TRY(expect(reader, '{', "an object", err));
    TRY(descend(reader, err));
    while (!accept(reader, '}')) {
        struct ubj_text key = {0};

        TRY(read_bare_text(reader, &key, err));
        int i = find_member(members, n_members, key);

        if (i < 0) {
            TRY(ubj_skip(reader, err));
            continue;
        }
        if (seen & UINT64_C(1) << i)
            return ubj_error(reader, err, "\"%s\" comes twice", members[i].name);
        seen |= UINT64_C(1) << i;
        TRY(members[i].read(reader, &members[i], context, err));
    }
    reader->depth--;
    return check_required(reader, members, n_members, seen, err);
}

/* ---- arrays ---- */

struct array {
    uint8_t type; /* of all elements, whose markers are left out; 0: each has its own */
    bool counted;
    size_t left; /* when counted */
};

static enum err_code array_begin(struct ubj_reader *reader, struct array *ret_array,
                                 struct err *err)
{
    struct array array = {0};
    size_t item_bytes = 1;

    TRY(expect(reader, '[', "an array", err));
    TRY(descend(reader, err));
    if (accept(reader, '$')) {
        TRY(take_marker(reader, &array.type, err));
        /* Elements without bytes would allow a count without bound. */
        if (payload_bytes(array.type) <= 0)
            return ubj_error(reader, err, "an array of an unsupported type");
        item_bytes = (size_t)payload_bytes(array.type);
        array.counted = true;
        TRY(expect(reader, '#', "the count of a typed array", err));
    } else {
        array.counted = accept(reader, '#');
    }
    if (array.counted)
        TRY(read_length(reader, item_bytes, &array.left, err));
    *ret_array = array;
    return ERR_OK;
}

/* Is there another element? Leaves the array when there is none. */
static bool array_next(struct ubj_reader *reader, struct array *array)
{
    bool more = array->counted ? array->left > 0 : !accept(reader, ']');

    if (array->counted && more)
        array->left--;
    if (!more)
        reader->depth--;
    return more;
}

enum err_code ubj_read_array(struct ubj_reader *reader,
                             enum err_code (*read_item)(struct ubj_reader *reader, void *context,
                                                        struct err *err),
                             void *context, struct err *err)
{
    struct array array = {0};

    TRY(array_begin(reader, &array, err));
    if (array.type != 0)
        return ubj_error(reader, err, "an array of numbers where another was expected");
    while (array_next(reader, &array))
        TRY(read_item(reader, context, err));
    return ERR_OK;
}

/* Elements of an array of numbers, found without moving the caller's reader. */
static enum err_code count_numbers(struct ubj_reader reader, struct array array, size_t *ret_n,
                                   struct err *err)
{
    size_t n = 0;

    if (array.counted) {
        *ret_n = array.left;
        return ERR_OK;
    }
    for (; array_next(&reader, &array); n++)
        TRY(ubj_skip(&reader, err));
    *ret_n = n;
    return ERR_OK;
}

static enum err_code take_number(struct ubj_reader *reader, const struct array *array,
                                 uint8_t *ret_marker, const uint8_t **ret_bytes, struct err *err)
{
    *ret_marker = array->type;
    if (array->type == 0)
        TRY(take_marker(reader, ret_marker, err));
    return take_payload(reader, *ret_marker, ret_bytes, err);
}

enum err_code ubj_read_ints(struct ubj_reader *reader, struct arena *arena,
                            struct ubj_ints *ret_ints, struct err *err)
{
    struct array array = {0};
    struct ubj_ints ints = {0};

    TRY(array_begin(reader, &array, err));
    TRY(count_numbers(*reader, array, &ints.n, err));
    ints.items = arena_alloc_array(arena, ints.n, sizeof(*ints.items));
    if (ints.items == NULL && ints.n > 0)
        return err_nomem(err);
    for (size_t i = 0; array_next(reader, &array); i++) {
        const uint8_t *bytes = NULL;
        uint8_t marker = 0;
        int64_t value = 0;

        TRY(take_number(reader, &array, &marker, &bytes, err));
        if (!decode_int(marker, bytes, &value) || value < INT32_MIN || value > INT32_MAX)
            return ubj_error(reader, err, "expected integers of 32 bits");
        ints.items[i] = (int32_t)value;
    }
    *ret_ints = ints;
    return ERR_OK;
}

enum err_code ubj_read_floats(struct ubj_reader *reader, struct arena *arena,
                              struct ubj_floats *ret_floats, struct err *err)
{
    struct array array = {0};
    struct ubj_floats floats = {0};

    TRY(array_begin(reader, &array, err));
    TRY(count_numbers(*reader, array, &floats.n, err));
    floats.items = arena_alloc_array(arena, floats.n, sizeof(*floats.items));
    if (floats.items == NULL && floats.n > 0)
        return err_nomem(err);
    for (size_t i = 0; array_next(reader, &array); i++) {
        const uint8_t *bytes = NULL;
        uint8_t marker = 0;

        TRY(take_number(reader, &array, &marker, &bytes, err));
        if (!decode_float(marker, bytes, &floats.items[i]))
            return ubj_error(reader, err, "expected floating-point numbers");
    }
    *ret_floats = floats;
    return ERR_OK;
}

/* ---- what nobody asked for ---- */

static enum err_code skip_array(struct ubj_reader *reader, struct err *err)
{
    struct array array = {0};

    TRY(array_begin(reader, &array, err));
    if (array.type != 0) {
        reader->at += array.left * (size_t)payload_bytes(array.type);
        reader->depth--;
        return ERR_OK;
    }
    while (array_next(reader, &array))
        TRY(ubj_skip(reader, err));
    return ERR_OK;
}

enum err_code ubj_skip(struct ubj_reader *reader, struct err *err)
{
    struct ubj_text text;
    const uint8_t *bytes;
    uint8_t marker = 0;

    TRY(need(reader, 1, err));
    if (*reader->at == '{')
        return ubj_read_object(reader, NULL, 0, NULL, err);
    if (*reader->at == '[')
        return skip_array(reader, err);
    TRY(take_marker(reader, &marker, err));
    if (marker == 'S' || marker == 'H')
        return read_bare_text(reader, &text, err);
    return take_payload(reader, marker, &bytes, err);
}
