/*
 * Routes that read or change the catalog. They run on the desk's thread (desk.h).
 */
#ifndef PGBOOST_HTTP_ADMIN_H
#define PGBOOST_HTTP_ADMIN_H

#include "catalog/catalog.h"
#include "http/exchange.h"

/* POST /projects/{name}/train: 202 {"run_id": n}. */
MUST_CHECK enum err_code ask_train(struct exchange *exchange, struct pg *pg, struct err *err);

/* POST /projects/{name}/score {"into": "table", "from": "relation", "explain", "atomic"}, or {}
 * where the definition says so: 202 {"run_id": n}. */
MUST_CHECK enum err_code ask_score(struct exchange *exchange, struct pg *pg, struct err *err);

/* POST /projects/{name}/deploy {"model_id": n} or {"strategy": "rollback"}: the model that is live
 * then; of best_score, 202 and the run that measures. */
MUST_CHECK enum err_code ask_deploy(struct exchange *exchange, struct pg *pg, struct err *err);

/* POST /runs/{id}/cancel: 202 {"run_id": n, "status": …}. */
MUST_CHECK enum err_code ask_cancel(struct exchange *exchange, struct pg *pg, struct err *err);

/* GET /runs/{id} */
MUST_CHECK enum err_code ask_run(struct exchange *exchange, struct pg *pg, struct err *err);

#endif
