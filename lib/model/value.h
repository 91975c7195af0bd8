/*
 * From one JSON value to a column's features: what requests and golden rows share.
 *
 * In the way of the data: HTTP bytes → cell → encode_cell → feature vector. Whatever a golden row
 * proves of a model's encoder it therefore proves of requests. Allocates nothing but what the
 * caller's scratch grows by.
 */
#ifndef PGBOOST_MODEL_VALUE_H
#define PGBOOST_MODEL_VALUE_H

#include "base/json.h"
#include "feature/encoder.h"

/* Decodes the value whose first token was just returned (see cell_from_json) and encodes it into
 * the row's features. The message says what was expected and shows what was found, for the client
 * who sent it; the caller adds where. */
MUST_CHECK enum err_code value_decode(const struct encoder *encoder,
                                      const struct encoder_column *column,
                                      struct json_reader *reader, enum json_token token,
                                      struct cell_scratch *scratch, float *features,
                                      struct err *err);

/* The code of the error that a JSON_ERROR has set. */
enum err_code value_error(const struct err *err);

/* Turns an error met in a stored document into ERR_CORRUPT: whatever is wrong there, the stored
 * bytes are at fault. Memory running out stays what it is. Returns the code. */
enum err_code value_corrupt(enum err_code code, struct err *err);

/* Names that clients send may be of any length. How much of one a message shows: at most
 * NAME_SHOWN_MAX bytes, whole characters. */
#define NAME_SHOWN_MAX 127
int value_name_length(const char *name, size_t length);

/* Appends "/name", as far as it is shown, to a JSON pointer. */
void value_pointer_append(struct buf *pointer, const char *name, size_t length);

/* The one of names that such a name may have meant, for a hint, or NULL. */
const char *value_nearest(const char *name, size_t length, const char *const *names, int n_names);

#endif
