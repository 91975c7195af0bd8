/*
 * Routes that clients of other servers know: the Open Inference Protocol's, version 2, and
 * MLflow's.
 *
 * Bodies and answers are rewritten (predict/tensors.h) around what POST /predict does. Errors of
 * the protocol are {"error": …}, of MLflow's route problem+json as elsewhere.
 */
#ifndef PGBOOST_HTTP_PROTOCOLS_H
#define PGBOOST_HTTP_PROTOCOLS_H

#include "http/exchange.h"

MUST_CHECK enum err_code handle_v2(struct exchange *exchange, struct err *err);
MUST_CHECK enum err_code handle_v2_live(struct exchange *exchange, struct err *err);
MUST_CHECK enum err_code handle_v2_ready(struct exchange *exchange, struct err *err);
MUST_CHECK enum err_code handle_v2_model(struct exchange *exchange, struct err *err);
MUST_CHECK enum err_code handle_v2_model_ready(struct exchange *exchange, struct err *err);
MUST_CHECK enum err_code handle_v2_infer(struct exchange *exchange, struct err *err);
MUST_CHECK enum err_code handle_invocations(struct exchange *exchange, struct err *err);

#endif
