/*
 * What each route does: reads the exchange's body and argument, writes its reply. A handler that
 * fails leaves the error to the exchange, which words it as problem+json.
 */
#ifndef PGBOOST_HTTP_HANDLERS_H
#define PGBOOST_HTTP_HANDLERS_H

#include "http/exchange.h"

/* Makes and removes what the handlers keep for each serving thread; the threads end before. */
MUST_CHECK enum err_code handlers_init(struct http_service *service, struct err *err);
void handlers_release(struct http_service *service);

/* This thread's buffers; NULL when memory ran out. handlers_shrink gives back what a large request
 * has made of them. */
struct predict_scratch *handlers_scratch(const struct http_service *service);
void handlers_shrink(struct predict_scratch *scratch);

/* A project's live model, valid while the view's lock is held; model_id 0: whichever it is. */
MUST_CHECK enum err_code handlers_find_model(struct exchange *exchange,
                                             const struct registry_view *view, const char *name,
                                             size_t length, int64_t model_id,
                                             const struct model **ret_model, struct err *err);

/* predict_start or rank_start. */
typedef enum err_code (*handlers_start_fn)(const char *body, size_t length,
                                           const struct model_source *source,
                                           const struct predict_limits *limits,
                                           struct predict_scratch *scratch, struct buf *reply,
                                           struct predict_waiting **ret_waiting, struct err *err);

/* What POST /predict or /rank does with a JSON body: the answer, appended to reply, or where rows
 * have to be looked up first, a note of it in the exchange (seeking.h). The caller holds the view's
 * lock. */
MUST_CHECK enum err_code handlers_predict(struct exchange *exchange, handlers_start_fn start,
                                          const struct registry_view *view, const struct buf *body,
                                          struct buf *reply, struct err *err);

MUST_CHECK enum err_code handle_predict(struct exchange *exchange, struct err *err);
MUST_CHECK enum err_code handle_rank(struct exchange *exchange, struct err *err);
MUST_CHECK enum err_code handle_projects(struct exchange *exchange, struct err *err);
MUST_CHECK enum err_code handle_project(struct exchange *exchange, struct err *err);
MUST_CHECK enum err_code handle_healthz(struct exchange *exchange, struct err *err);
MUST_CHECK enum err_code handle_options(struct exchange *exchange, struct err *err);
MUST_CHECK enum err_code handle_root(struct exchange *exchange, struct err *err);

#endif
