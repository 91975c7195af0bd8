/*
 * GET /openapi.json: the table of routes as an OpenAPI 3.0 document.
 */
#ifndef PGBOOST_HTTP_OPENAPI_H
#define PGBOOST_HTTP_OPENAPI_H

#include "http/exchange.h"

MUST_CHECK enum err_code handle_openapi(struct exchange *exchange, struct err *err);

#endif
