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

/* Where a prediction looks for its model: the registry's view that the request holds. */
struct model_finder {
    const struct registry_view *view;
    const struct token *token; /* NULL: any project */
    struct exchange *exchange; /* where it is noted who was asked; NULL: nowhere */
};

/* A struct model_source's find; context is a struct model_finder. */
MUST_CHECK enum err_code handlers_find_model(void *context, const char *name, size_t length,
                                             int64_t model_id, const struct model **ret_model,
                                             struct err *err);

/* What POST /predict does with a JSON body, appended to reply; the caller holds the view's lock. */
MUST_CHECK enum err_code handlers_predict(struct exchange *exchange,
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
