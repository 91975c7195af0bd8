/*
 * The pieces of predict_json, for its own files.
 *
 * request_read checks all of a body and notes where each member's value begins, so that "project"
 * may come last. Rows that come behind what names their model are decoded where they stand, so that
 * such a body is read once; others, and those that something is wrong with, when all of it has been
 * read.
 */
#ifndef PGBOOST_PREDICT_REQUEST_H
#define PGBOOST_PREDICT_REQUEST_H

#include "model/members.h"
#include "predict/predict.h"

enum request_member {
    REQUEST_PROJECT,
    REQUEST_FEATURES,
    REQUEST_COLUMNS,
    REQUEST_ROWS,
    REQUEST_MODEL_ID,
    REQUEST_ENCODED,
    REQUEST_EXPLAIN,
    REQUEST_INTERVAL,
    REQUEST_KEY,
    REQUEST_KEYS,
    REQUEST_CANDIDATES,
    REQUEST_WHERE,
    REQUEST_TOP,
    REQUEST_LABEL,
    REQUEST_MEMBERS
};

/* Which of them there are. */
enum request_form { REQUEST_OF_PREDICT, REQUEST_OF_RANK };

struct request {
    enum request_form form;
    struct member members[REQUEST_MEMBERS];
    int64_t model_id;  /* 0: the live one */
    bool encoded;      /* the answer shows what the model saw */
    bool explain;      /* and what each column added to the margin */
    double interval;   /* its level, in (0, 1); 0: none is wanted */
    double half_width; /* of the model's intervals of that level, set when it is known */
    int64_t top;       /* of a ranking: how many are wanted; 0: all */
};

static inline bool request_has(const struct request *request, enum request_member member)
{
    return request->members[member].token != JSON_NULL;
}

/* Called for every member whose value begins. True: it has read the value, to its end; false:
 * reader is as it was, and the value is stepped over. */
typedef bool (*request_take_fn)(void *context, struct request *request, enum request_member member,
                                struct json_reader *reader);

/* The whole body, strictly; options are checked, rows are not. */
MUST_CHECK enum err_code request_read(enum request_form form, const char *body, size_t length,
                                      struct buf *scratch, request_take_fn take, void *context,
                                      struct request *ret_request, struct err *err);

/* Are rows named, so that they must be read first? */
static inline bool request_names_rows(const struct request *request)
{
    return request_has(request, REQUEST_KEY) || request_has(request, REQUEST_KEYS) ||
           request_has(request, REQUEST_WHERE);
}

/* An error of a member's value: "expected …, found …" at its place. */
enum err_code request_wrong_type(const struct request *request, enum request_member member,
                                 const char *expected, struct err *err);

/* Reads "model_id" into request->model_id. */
MUST_CHECK enum err_code request_model_id(struct request *request, struct err *err);

/* The project's name, in the body or in scratch. */
MUST_CHECK enum err_code request_project(const struct request *request, struct buf *scratch,
                                         const char **ret_name, size_t *ret_length,
                                         struct err *err);

/* Decoded rows: scratch->features[n_rows × features]. */
struct rows {
    size_t n;
    bool single;                     /* "features" is one object, or "key" names it */
    const struct lookup_rows *found; /* where they were read from Postgres; NULL: nowhere */
    struct json_reader after;        /* what comes behind them */
};
MUST_CHECK enum err_code rows_decode(const struct request *request, const struct model *model,
                                     const struct predict_limits *limits,
                                     struct predict_scratch *scratch, struct rows *ret_rows,
                                     struct err *err);

/* The same from rows that were looked up; "features" beside them override columns: an object those
 * of all rows, an array of as many objects those of each. A row that is not there is all missing.
 */
MUST_CHECK enum err_code rows_from_found(const struct request *request, const struct model *model,
                                         const struct predict_limits *limits,
                                         const struct lookup_rows *found,
                                         struct predict_scratch *scratch, struct rows *ret_rows,
                                         struct err *err);

/* "features" beside n_rows rows that are decoded. */
MUST_CHECK enum err_code rows_override(const struct request *request, const struct model *model,
                                       const struct predict_limits *limits, size_t n_rows,
                                       struct predict_scratch *scratch, struct err *err);

/* The steps of a prediction that a ranking takes as well. */
MUST_CHECK enum err_code predict_find(const struct request *request,
                                      const struct model_source *source,
                                      struct predict_scratch *scratch,
                                      const struct model **ret_model, struct err *err);
/* Margins of all rows, with room behind them for one row's, and for its probabilities. */
MUST_CHECK enum err_code predict_evaluate(const struct model *model, const struct rows *rows,
                                          struct predict_scratch *scratch, struct err *err);
MUST_CHECK enum err_code predict_wait(const struct request *request, const struct model *model,
                                      struct predict_waiting **ret_waiting, struct err *err);

struct predict_waiting {
    struct predict_wanted wanted; /* first: what the caller sees of it */
    struct request request;
};

/* The end of rank_start and predict_finish: scores, in order. */
MUST_CHECK enum err_code rank_rows(const struct model *model, const struct request *request,
                                   const struct rows *rows, struct predict_scratch *scratch,
                                   struct buf *reply, struct err *err);

/* Either the whole answer or nothing of it: cuts the reply back to length where memory ran out. */
MUST_CHECK enum err_code predict_check(struct buf *reply, size_t length, struct err *err);

/* One of the scratch's arrays with room for n items; what is there is kept. NULL when memory ran
 * out: the array is then as it was. */
MUST_CHECK void *scratch_grow(void *array, size_t *capacity, size_t n, size_t size);

/* Appends the answer from scratch->features and scratch->outputs; scratch->shap has room for an
 * explanation when one is wanted. */
void reply_write(const struct model *model, const struct request *request, const struct rows *rows,
                 const struct predict_scratch *scratch, struct buf *reply);

#endif
