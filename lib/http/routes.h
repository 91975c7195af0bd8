/*
 * The table of routes: what is answered where. `GET /` prints it.
 */
#ifndef PGBOOST_HTTP_ROUTES_H
#define PGBOOST_HTTP_ROUTES_H

#include "http/exchange.h"

struct route;

/* The route of a method ("HEAD" finds GET's) and a path as it was sent; the undecoded segment of a
 * "{name}" in its pattern. NULL: none. *ret_allow lists the methods that a path answers to which
 * has no such method, or which OPTIONS asks about; it is untouched when there is no such path. */
const struct route *route_find(const char *method, const char *path, const char **ret_segment,
                               size_t *ret_length, const char **ret_allow);

bool route_reads_json(const struct route *route);
bool route_reads_csv(const struct route *route);     /* as well */
bool route_changes(const struct route *route);       /* and so wants a JSON content type */
bool route_takes_long(const struct route *route);    /* and is no work for a serving thread */
bool route_is_open(const struct route *route);       /* to who has no token */
bool route_names_project(const struct route *route); /* its path does */
bool route_is_by_project(const struct route *route); /* it heeds a token's projects by itself */
unsigned route_scopes(const struct route *route);    /* one of which a token must have */
bool route_asks(const struct route *route); /* route_ask on the desk's thread, else route_handle */
MUST_CHECK enum err_code route_ask(const struct route *route, struct exchange *exchange,
                                   struct pg *pg, struct err *err);
MUST_CHECK enum err_code route_handle(const struct route *route, struct exchange *exchange,
                                      struct err *err);

bool route_answers_plain_errors(const struct route *route);
bool routes_answer_plain_errors(const char *path);   /* those of this path, whatever the method */
bool route_answers_text(const struct route *route);  /* rather than JSON */
bool route_tells_ready(const struct route *route);   /* its 503 is an answer, no error */
bool route_needs_project(const struct route *route); /* in the query */
const struct route *route_at(size_t i);              /* NULL: there are no more */
const char *route_help(const struct route *route);
const char *route_method(const struct route *route);
const char *route_path(const struct route *route); /* its pattern */

/* One line a route, for people. */
void routes_list(struct buf *text);

#endif
