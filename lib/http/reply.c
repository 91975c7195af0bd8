#include "http/reply.h"

#include <stdio.h>

#include "base/json.h"

/* Sent when not even an error can be written. */
static const char out_of_memory[] = "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\","
                                    "\"status\":503,\"detail\":\"out of memory\",\"errors\":[]}";

/* Nothing of an answer is a page that loads or frames anything. */
#define POLICY "default-src 'none'; frame-ancestors 'none'"

#define PROBLEM_TYPE "application/problem+json"

void reply_clear(struct reply *reply)
{
    struct buf body = reply->body;

    buf_clear(&body);
    *reply = (struct reply){.body = body};
}

static void put_errors(struct buf *body, const struct err *err)
{
    if (err->field[0] == '\0') {
        buf_puts(body, "[]");
        return;
    }
    buf_puts(body, "[{\"field\":");
    json_put_text(body, err->field);
    buf_puts(body, ",\"reason\":");
    json_put_text(body, err->message);
    buf_puts(body, "}]");
}

/* place: a text before it; "" for none. */
static void put_detail(struct buf *body, const char *place, const struct err *err)
{
    char detail[sizeof(err->field) + sizeof(err->message) + sizeof(err->hint) + 8];
    bool has_hint = err->hint[0] != '\0';

    snprintf(detail, sizeof(detail), "%s%s%s%s%s%s", place, place[0] != '\0' ? ": " : "",
             err->message, has_hint ? " (" : "", err->hint, has_hint ? ")" : "");
    json_put_text(body, detail);
}

static void put_plain_error(struct buf *body, const struct err *err)
{
    buf_puts(body, "{\"error\":");
    put_detail(body, err->field, err);
    buf_putc(body, '}');
}

void reply_problem(struct reply *reply, int status, const struct err *err)
{
    struct buf *body = &reply->body;

    reply->status = status;
    buf_clear(body);
    if (reply->plain_errors) {
        put_plain_error(body, err);
        return;
    }
    reply->content_type = PROBLEM_TYPE;
    buf_puts(body, "{\"type\":\"about:blank\",\"title\":");
    json_put_text(body, MHD_get_reason_phrase_for((unsigned)status));
    buf_printf(body, ",\"status\":%d,\"detail\":", status);
    put_detail(body, "", err);
    buf_puts(body, ",\"errors\":");
    put_errors(body, err);
    buf_putc(body, '}');
}

static void keep_body(void *body)
{
    (void)body; /* the reply's owner reuses it */
}

static struct MHD_Response *make_response(struct reply *reply)
{
    if (reply->body.failed) {
        reply->status = 503;
        reply->content_type = PROBLEM_TYPE;
        return MHD_create_response_from_buffer(sizeof(out_of_memory) - 1, (void *)out_of_memory,
                                               MHD_RESPMEM_PERSISTENT);
    }
    return MHD_create_response_from_buffer_with_free_callback(reply->body.length, reply->body.data,
                                                              keep_body);
}

/* What answers a POST is not stored by anyone who was not told to, and no page can embed it: the
 * busiest route does without two headers that the library would copy. */
static bool add_headers(const struct reply *reply, struct MHD_Response *response)
{
    bool guarded = !reply->to_post || reply->status != 0;
    bool asks = reply->origin != NULL && reply->status == 204; /* a page, what it may send */
    const struct {
        const char *name, *value;
    } headers[] = {
        {"Content-Type", reply->status == 204          ? NULL
                         : reply->content_type != NULL ? reply->content_type
                                                       : "application/json"},
        {"Content-Encoding", reply->packed ? "gzip" : NULL},
        {"Vary", reply->origin != NULL ? "Origin, Accept-Encoding"
                 : reply->packed       ? "Accept-Encoding"
                                       : NULL},
        {"X-Request-ID", reply->request_id},
        {"Cache-Control", guarded ? "no-store" : NULL},
        {"X-Content-Type-Options", guarded ? "nosniff" : NULL},
        {"Content-Security-Policy", guarded ? POLICY : NULL},
        {"Referrer-Policy", guarded ? "no-referrer" : NULL},
        {"Allow", reply->allow},
        {"WWW-Authenticate", reply->status == 401 ? "Bearer" : NULL},
        {"Access-Control-Allow-Origin", reply->origin},
        {"Access-Control-Allow-Methods", asks ? reply->allow : NULL},
        {"Access-Control-Allow-Headers", asks ? "Authorization, Content-Type, X-Request-ID" : NULL},
        {"Access-Control-Max-Age", asks ? "600" : NULL},
        {"Retry-After", reply->status == 503 || reply->status == 429 ? "1" : NULL},
        {"Connection", reply->close ? "close" : NULL},
    };

    for (size_t i = 0; i < N_ELEMENTS(headers); i++)
        if (headers[i].value != NULL &&
            MHD_add_response_header(response, headers[i].name, headers[i].value) == MHD_NO)
            return false;
    return true;
}

enum MHD_Result reply_send(struct reply *reply, struct MHD_Connection *connection)
{
    struct MHD_Response *response = make_response(reply);
    enum MHD_Result queued = MHD_NO;

    if (response == NULL)
        return MHD_NO; /* out of memory: the library closes the connection */
    if (add_headers(reply, response))
        queued = MHD_queue_response(
            connection, reply->status != 0 ? (unsigned)reply->status : MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return queued;
}
