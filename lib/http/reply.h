/*
 * Answers: the body a handler wrote, or an error as problem+json (RFC 9457), with the headers that
 * every answer carries.
 */
#ifndef PGBOOST_HTTP_REPLY_H
#define PGBOOST_HTTP_REPLY_H

#include <microhttpd.h>
#include <stdbool.h>

#include "base/buf.h"

/* Zeroed memory is a valid reply: 200, JSON, an empty body. */
struct reply {
    int status;               /* 0: 200 */
    const char *content_type; /* NULL: application/json */
    const char *allow;        /* of a 405; NULL: none */
    bool plain_errors;        /* {"error": "…"}, as the Open Inference Protocol has them */
    const char *request_id;   /* NULL: none */
    const char *origin;       /* of another site, whose pages may read it; NULL: none */
    bool packed;              /* the body is gzip */
    bool close;               /* the connection ends with this answer */
    bool to_post;             /* of a request that nothing caches or embeds */
    struct buf body;
};

/* Empties it for the next answer, keeping the body's memory. */
void reply_clear(struct reply *reply);

/* Replaces what was written with the error: its message and hint as detail, its field in errors. */
void reply_problem(struct reply *reply, int status, const struct err *err);

/* Queues the answer. The body is borrowed: the reply must stay as it is until the request has
 * completed. */
enum MHD_Result reply_send(struct reply *reply, struct MHD_Connection *connection);

#endif
