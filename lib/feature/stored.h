/*
 * Reading the encoder's stored JSON, strictly: an object has the members that are listed, of these
 * types, and no other. Errors: ERR_CORRUPT. For lib/feature only.
 */
#ifndef PGBOOST_FEATURE_STORED_H
#define PGBOOST_FEATURE_STORED_H

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "base/strmap.h"

enum stored_type { STORED_STRING, STORED_NUMBER, STORED_BOOL, STORED_ARRAY };

struct stored_member {
    const char *name;
    enum stored_type type;
    bool optional;
};

struct stored_object {
    const cJSON *object;
    int n_read; /* members that were asked for and are there */
};

/* items[n_members]; NULL for an optional member that is not there. */
MUST_CHECK enum err_code stored_read(struct stored_object *from,
                                     const struct stored_member *members, int n_members,
                                     const cJSON **items, struct err *err);

/* After all that may be there was asked for: one more has no meaning here. */
MUST_CHECK enum err_code stored_end(const struct stored_object *from, struct err *err);

MUST_CHECK enum err_code stored_length(const cJSON *array, size_t n, struct err *err);
MUST_CHECK enum err_code stored_doubles(const cJSON *array, size_t n, double *values,
                                        struct err *err);
MUST_CHECK enum err_code stored_int64(const cJSON *text, int64_t *ret_value, struct err *err);
MUST_CHECK enum err_code stored_int(const cJSON *number, int low, int high, int *ret_value,
                                    struct err *err);

/* Texts that differ, in their order. */
MUST_CHECK enum err_code stored_names(const cJSON *array, struct strmap *names, struct err *err);

/* Writers of ',"name":[…]'. */
void stored_put_doubles(struct buf *json, const char *name, const double *values, size_t n);
void stored_put_names(struct buf *json, const char *name, const struct strmap *names);

/* jsonb writes numbers without an exponent, and 1e-300 so is longer than our JSON takes. What is
 * below FLT_MIN is nothing to a float32 feature anyway. */
double without_tiny(double value);

#endif
