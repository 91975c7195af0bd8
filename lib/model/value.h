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
 * the row's features. The message says what was expected and never what the value was; the caller
 * adds where. */
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

/* err_hint "did you mean …?" when one of names is near a name that is not NUL-terminated. Returns
 * err's code, as err_hint. */
enum err_code value_hint_nearest(const char *name, size_t length, const char *const *names,
                                 int n_names, struct err *err);

/* Names that clients send may be of any length. How much of one a message shows: at most
 * NAME_SHOWN_MAX bytes, whole characters. */
#define NAME_SHOWN_MAX 127
int value_name_length(const char *name, size_t length);

/* A name, as far as it is shown, as a reference token of a JSON pointer (RFC 6901: ~ is ~0, / is
 * ~1); returns out. */
#define POINTER_TOKEN_MAX (2 * NAME_SHOWN_MAX + 1)
const char *value_pointer_token(const char *name, size_t length, char out[POINTER_TOKEN_MAX]);

#endif
