/*
 * Keys as JSON → texts for Postgres, checked against the types of the columns they are compared
 * with.
 *
 * A key is an object of its columns, {"flight_id": 17}; an array of their values in the
 * definition's order; or, of one column, the value itself. A value is what a request writes for a
 * column of that type (frame/cell.h), but exact: a bigint is all its digits, as a number or as a
 * string, a numeric what it says. Refused: null, which is equal to nothing; a text with U+0000.
 *
 * For lib/lookup only.
 */
#ifndef PGBOOST_LOOKUP_KEYS_H
#define PGBOOST_LOOKUP_KEYS_H

#include "frame/cell.h"
#include "lookup/lookup.h"

/* Values by column: the i-th of column c is texts[c].data[starts[i × n_params + c] …], and ends in
 * a NUL. Zeroed memory is valid. */
struct key_texts {
    struct buf texts[LOOKUP_KEYS_MAX];
    size_t *starts;
    size_t n, capacity;
    struct cell_scratch scratch;
};
void key_texts_clear(struct key_texts *texts);
void key_texts_release(struct key_texts *texts);
const char *key_text(const struct lookup_plan *plan, const struct key_texts *texts, size_t i,
                     int column);

/* Reads the key whose first token was just returned, to its end, whatever it holds: one more of
 * texts. ERR_INVALID with field a JSON pointer below the key: that one holds nothing usable. Other
 * errors are the reader's, or memory's. */
MUST_CHECK enum err_code key_read(const struct lookup_plan *plan, struct json_reader *reader,
                                  enum json_token token, struct key_texts *texts, struct err *err);

#endif
