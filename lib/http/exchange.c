#include "http/exchange.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "http/access.h"
#include "http/pack.h"
#include "http/routes.h"
#include "http/seeking.h"

/* A body over the limit is read on and thrown away up to this many bytes, since a client that still
 * sends when the connection closes never sees why. */
#define DISCARD_MAX ((uint64_t)64 << 20)
#define PIECES_MAX  65536              /* chunks of one body */
#define KEEP_MAX    ((size_t)64 << 10) /* memory that an idle connection may hold on to, each way */

/* Bodies beyond this are large: a hundred rows or so, which take longer than handing them over. All
 * large ones together may take so many times the limit of one. */
#define LARGE_MIN  ((size_t)16 << 10)
#define LARGE_MANY 8

/* Connections --------------------------------------------------------------------------------- */

static struct exchange *welcome(struct http_service *service, struct MHD_Connection *connection)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));
    const union MHD_ConnectionInfo *socket, *address;

    if (exchange == NULL)
        return NULL;
    exchange->service = service;
    exchange->connection = connection;
    socket = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    address = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    exchange->admission = connections_add(service->connections, &exchange->link, socket->connect_fd,
                                          address != NULL ? address->client_addr : NULL);
    return exchange;
}

void exchange_connection(void *cls, struct MHD_Connection *connection, void **context,
                         enum MHD_ConnectionNotificationCode what)
{
    struct http_service *service = cls;
    struct exchange *exchange = *context;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        atomic_fetch_add(&service->n_connections, 1);
        *context = welcome(service, connection); /* NULL: the first request is not answered */
        return;
    }
    atomic_fetch_sub(&service->n_connections, 1);
    if (exchange == NULL)
        return;
    connections_remove(&exchange->link);
    guard_pass_release(&exchange->pass);
    buf_release(&exchange->body);
    buf_release(&exchange->reply.body);
    free(exchange);
    *context = NULL;
}

static void shrink(struct buf *buf)
{
    if (buf->capacity > KEEP_MAX)
        buf_release(buf);
    buf_clear(buf);
}

/* The service's count of what bodies hold, once this one's is gone. */
static void let_go(struct exchange *exchange)
{
    if (exchange->n_held_bytes == 0)
        return;
    atomic_fetch_sub(&exchange->service->n_held_bytes, exchange->n_held_bytes);
    exchange->n_held_bytes = 0;
}

void exchange_completed(void *cls, struct MHD_Connection *connection, void **state,
                        enum MHD_RequestTerminationCode why)
{
    struct http_service *service = cls;
    struct exchange *exchange = *state;

    (void)connection;
    (void)why;
    if (exchange == NULL)
        return;
    *state = NULL;
    if (!exchange->has_begun)
        return;
    exchange->has_begun = false;
    (void)connection_enter(&exchange->link, CONNECTION_IDLE);
    let_go(exchange);
    shrink(&exchange->body);
    shrink(&exchange->reply.body);
    atomic_fetch_sub(&service->n_requests, 1);
}

/* The head ------------------------------------------------------------------------------------ */

static void refuse(struct exchange *exchange, int status)
{
    exchange->refusal = status;
}

static void reset(struct exchange *exchange)
{
    buf_clear(&exchange->body);
    reply_clear(&exchange->reply);
    exchange->route = NULL;
    exchange->token = NULL;
    exchange->argument[0] = '\0';
    exchange->n_body_bytes = 0;
    exchange->n_pieces = 0;
    exchange->chunked = false;
    exchange->is_csv = false;
    exchange->is_handed_over = false;
    exchange->seeking = NULL;
    exchange->request_id[0] = '\0';
    exchange->refusal = 0;
    exchange->err.code = ERR_OK;
    access_begin(exchange);
}

static enum MHD_Result note_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    (void)kind;
    head_add(cls, name, value);
    return MHD_YES;
}

static void find_route(struct exchange *exchange, const struct head *head, const char *path)
{
    const char *segment = NULL;
    size_t length = 0;

    exchange->route = route_find(head->method, path, &segment, &length, &exchange->reply.allow);
    exchange->reply.plain_errors = exchange->route != NULL
                                       ? route_answers_plain_errors(exchange->route)
                                       : routes_answer_plain_errors(path);
    if (exchange->route == NULL && exchange->reply.allow != NULL) {
        err_set(&exchange->err, ERR_INVALID, "this path does not answer to that method");
        err_hint(&exchange->err, "it answers to %s", exchange->reply.allow);
        refuse(exchange, 405);
    } else if (exchange->route == NULL) {
        err_set(&exchange->err, ERR_NOT_FOUND, "there is nothing at this path");
        err_hint(&exchange->err, "GET / lists what there is");
        refuse(exchange, 404);
    } else if (segment != NULL &&
               target_decode(segment, length, exchange->argument, &exchange->err) != ERR_OK) {
        refuse(exchange, err_http_status(exchange->err.code));
    } else if (route_changes(exchange->route)) {
        refuse(exchange, head_check_change(head, &exchange->err));
    } else if (route_reads_json(exchange->route)) {
        bool takes_csv = route_reads_csv(exchange->route);

        exchange->is_csv = takes_csv && head_is_csv(head);
        refuse(exchange, head_check_type(head, takes_csv, &exchange->err));
    }
}

/* A token of some projects asks for what belongs to one of them, or is the same for all. */
static void check_projects(struct exchange *exchange)
{
    const struct token *token = exchange->token;
    const char *name = exchange->argument;
    bool sees = route_is_by_project(exchange->route) &&
                (name[0] == '\0' || token_sees(token, name, strlen(name)));

    if (token->n_projects == 0 || sees)
        return;
    err_set(&exchange->err, ERR_DENIED, "the token is not good for this project");
    refuse(exchange, 403);
}

/* Of a path that is not there, too, only who has a token hears. */
static void check_rights(struct exchange *exchange, const struct guard *guard,
                         const struct head *head)
{
    const struct route *route = exchange->route;
    unsigned scopes = route != NULL ? route_scopes(route) : TOKEN_PREDICT | TOKEN_ADMIN;
    struct token *token = NULL;
    struct err err;
    int status;

    if (!guard_has_tokens(guard) || (route != NULL && route_is_open(route)))
        return;
    status = guard_authorize(guard, &exchange->pass, head, scopes, &token, &err);
    if (status != 0) {
        exchange->err = err;
        refuse(exchange, status);
        return;
    }
    exchange->token = token;
    if (route != NULL && exchange->refusal == 0)
        check_projects(exchange);
}

/* Of whose path it is counted; a body's project is found with its model. */
static void note_project(struct exchange *exchange)
{
    const struct registry_project *project;

    if (exchange->refusal != 0 || !route_names_project(exchange->route))
        return;
    project = registry_find(registry_read_lock(exchange->service->registry), exchange->argument,
                            strlen(exchange->argument));
    exchange->project_id = project != NULL ? project->id : 0;
    registry_read_unlock();
}

static void refuse_length(struct exchange *exchange)
{
    size_t limit = atomic_load(&exchange->service->body_limit_bytes);

    err_set(&exchange->err, ERR_LIMIT, "the body is larger than %zu bytes", limit);
    err_hint(&exchange->err, "send fewer rows at once, or raise the option \"body_limit\"");
    refuse(exchange, 413);
}

/* Errors have an id, so that whoever reports one and whoever reads the log speak of the same; what
 * went well has one where the client gave it. */
static void name_request(struct exchange *exchange)
{
    struct http_service *service = exchange->service;

    if (exchange->request_id[0] == '\0')
        snprintf(exchange->request_id, sizeof(exchange->request_id), "%016llx",
                 (unsigned long long)(service->request_id_base +
                                      atomic_fetch_add(&service->n_request_ids, 1)));
}

static enum MHD_Result send_reply(struct exchange *exchange, struct MHD_Connection *connection)
{
    if (!connection_enter(&exchange->link, CONNECTION_REPLY))
        return MHD_NO;
    if (atomic_load(&exchange->service->draining))
        exchange->reply.close = true;
    if (exchange->refusal != 0)
        name_request(exchange);
    if (exchange->request_id[0] != '\0')
        exchange->reply.request_id = exchange->request_id;
    access_note(exchange);
    return reply_send(&exchange->reply, connection);
}

/* Answers a refusal before the body, which ends the connection. */
static enum MHD_Result send_refusal(struct exchange *exchange, struct MHD_Connection *connection)
{
    exchange->reply.close = true;
    reply_problem(&exchange->reply, exchange->refusal, &exchange->err);
    return send_reply(exchange, connection);
}

static void turn_away(struct exchange *exchange)
{
    bool is_full = exchange->admission == CONNECTION_ADDRESS_IS_FULL;

    err_set(&exchange->err, ERR_LIMIT,
            is_full ? "too many connections from this address" : "too many connections");
    err_hint(&exchange->err, is_full ? "the option \"connections_per_address\" says how many"
                                     : "the option \"connections\" says how many");
    refuse(exchange, is_full ? 429 : 503);
}

/* What this is all about, and whether it is one request, the same to everyone who reads it. */
static void read_head(struct exchange *exchange, struct head *head, uint64_t *ret_length)
{
    const union MHD_ConnectionInfo *size;

    head->bad_target = exchange->bad_target;
    if (exchange->service->reads_in_place)
        head_begin(head, exchange->target, exchange->n_target);
    MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, note_header, head);
    size = MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (size != NULL)
        head_end(head, size->header_size);
    if (head->value[HEAD_REQUEST_ID] != NULL &&
        head_request_id_is_sound(head->value[HEAD_REQUEST_ID]))
        memcpy(exchange->request_id, head->value[HEAD_REQUEST_ID],
               strlen(head->value[HEAD_REQUEST_ID]) + 1);
    refuse(exchange, head_check(head, ret_length, &exchange->err));
    if (exchange->refusal == 0)
        refuse(exchange, head_check_accept(head, &exchange->err));
}

/* The first call of a request, with its head and no body yet. */
static enum MHD_Result begin(struct exchange *exchange, struct MHD_Connection *connection,
                             const char *path, const char *method, const char *version)
{
    struct head head = {.method = method, .version = version};
    uint64_t length = 0, limit = atomic_load(&exchange->service->body_limit_bytes);
    const struct guard *guard = guard_pass_renew(&exchange->pass, &exchange->service->guard);
    bool asks_first;

    reset(exchange);
    exchange->reply.to_post = strcmp(method, "POST") == 0;
    read_head(exchange, &head, &length);
    if (exchange->refusal == 0)
        refuse(exchange,
               guard_admit(guard, &exchange->pass, &head, &exchange->reply.origin, &exchange->err));
    if (exchange->refusal == 0 && exchange->admission != CONNECTION_ADMITTED)
        turn_away(exchange);
    if (exchange->refusal != 0) {
        exchange->reply.plain_errors = routes_answer_plain_errors(path);
        return send_refusal(exchange, connection);
    }
    if (length > 0 && !connection_enter(&exchange->link, CONNECTION_BODY))
        return MHD_NO;
    find_route(exchange, &head, path);
    check_rights(exchange, guard, &head);
    note_project(exchange);
    exchange->chunked = length == UINT64_MAX;
    exchange->reply.close = exchange->chunked; /* where its chunks end, others may see elsewhere */
    if (exchange->refusal == 0 && !exchange->chunked && length > limit)
        refuse_length(exchange);
    if (exchange->refusal == 0)
        return MHD_YES;
    asks_first =
        head.value[HEAD_EXPECT] != NULL && strcasecmp(head.value[HEAD_EXPECT], "100-continue") == 0;
    if (asks_first || (!exchange->chunked && length > limit + DISCARD_MAX))
        return send_refusal(exchange, connection);
    return MHD_YES;
}

/* The body and the answer --------------------------------------------------------------------- */

/* Counts what large bodies hold of memory, so that many of them at once are refused in time. */
static void hold(struct exchange *exchange)
{
    struct http_service *service = exchange->service;
    size_t n_new = exchange->body.length - exchange->n_held_bytes;
    size_t limit = LARGE_MANY * atomic_load(&service->body_limit_bytes);

    if (exchange->body.length <= LARGE_MIN)
        return;
    exchange->n_held_bytes += n_new;
    if (atomic_fetch_add(&service->n_held_bytes, n_new) + n_new <= limit)
        return;
    err_set(&exchange->err, ERR_LIMIT, "too many large bodies at once");
    err_hint(&exchange->err, "send it again in a moment");
    refuse(exchange, 503);
}

static enum MHD_Result receive(struct exchange *exchange, const char *data, size_t n_bytes)
{
    uint64_t limit = atomic_load(&exchange->service->body_limit_bytes);

    exchange->n_body_bytes += n_bytes;
    if (exchange->n_body_bytes > limit && exchange->refusal == 0)
        refuse_length(exchange);
    if (exchange->refusal == 0) {
        buf_append(&exchange->body, data, n_bytes);
        hold(exchange);
    } else {
        buf_release(&exchange->body);
    }
    if (exchange->n_body_bytes > limit + DISCARD_MAX ||
        (exchange->chunked && ++exchange->n_pieces > PIECES_MAX))
        return MHD_NO; /* closes the connection: no answer can be sent amid a body */
    return MHD_YES;
}

static void pack_reply(struct exchange *exchange)
{
    if (exchange->reply.body.length >= PACK_MIN &&
        pack_is_taken(MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND,
                                                  MHD_HTTP_HEADER_ACCEPT_ENCODING)))
        exchange->reply.packed = pack(&exchange->reply.body);
}

void exchange_handled(struct exchange *exchange, enum err_code code)
{
    if (code == ERR_OK) {
        pack_reply(exchange);
        return;
    }
    refuse(exchange, err_http_status(code));
}

static void run_handler(struct exchange *exchange)
{
    enum err_code code = buf_check(&exchange->body, &exchange->err);

    if (code == ERR_OK)
        code = route_handle(exchange->route, exchange, &exchange->err);
    exchange_handled(exchange, code);
}

/* Of a connection that is suspended: the handler's work goes on when the rows are there. */
static void seek_rows(struct exchange *exchange)
{
    if (seeking_put(TAKE_PTR(exchange->seeking)))
        return;
    exchange_handled(exchange, exchange->err.code);
    MHD_resume_connection(exchange->connection);
}

/* The loop comes back to the connection once it is resumed, and finds it answered. */
static void run_job(struct bulk_job *job)
{
    struct exchange *exchange = (void *)((char *)job - offsetof(struct exchange, job));

    run_handler(exchange);
    if (exchange->seeking != NULL)
        seek_rows(exchange);
    else
        MHD_resume_connection(exchange->connection);
}

static void give_to_bulk(struct exchange *exchange)
{
    exchange->job.run = run_job;
    if (!bulk_submit(exchange->service->bulk, &exchange->job))
        run_job(&exchange->job); /* the server ends */
}

static void give_to_desk(struct exchange *exchange)
{
    if (desk_put(exchange->service->desk, exchange))
        return;
    err_set(&exchange->err, ERR_UNREACHABLE, "too many requests wait for the catalog");
    err_hint(&exchange->err, "come back in a moment");
    refuse(exchange, err_http_status(exchange->err.code));
    MHD_resume_connection(exchange->connection);
}

/* What takes long or waits for Postgres is no work for the loop. */
static bool hand_over(struct exchange *exchange)
{
    bool asks = route_asks(exchange->route);
    bool takes_long = exchange->body.length > LARGE_MIN || route_takes_long(exchange->route);

    if (exchange->body.failed || (!asks && !takes_long))
        return false;
    exchange->is_handed_over = true;
    MHD_suspend_connection(exchange->connection);
    if (asks)
        give_to_desk(exchange);
    else
        give_to_bulk(exchange);
    return true;
}

static enum MHD_Result answer(struct exchange *exchange, struct MHD_Connection *connection)
{
    if (!connection_enter(&exchange->link, CONNECTION_WORK))
        return MHD_NO;
    if (exchange->refusal == 0 && !exchange->is_handed_over) {
        if (hand_over(exchange))
            return MHD_YES;
        run_handler(exchange);
        if (exchange->seeking != NULL) {
            exchange->is_handed_over = true;
            MHD_suspend_connection(connection);
            seek_rows(exchange);
            return MHD_YES;
        }
    }
    if (exchange->refusal != 0)
        reply_problem(&exchange->reply, exchange->refusal, &exchange->err);
    return send_reply(exchange, connection);
}

void *exchange_target(void *cls, const char *target, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct exchange *exchange = info != NULL ? info->socket_context : NULL;

    (void)cls;
    if (exchange == NULL)
        return NULL;
    exchange->target = target != NULL ? target : "";
    exchange->n_target = strlen(exchange->target);
    exchange->bad_target = !head_target_is_sound(exchange->target, exchange->n_target);
    (void)connection_enter(&exchange->link, CONNECTION_HEAD);
    return exchange;
}

enum MHD_Result exchange_handle(void *cls, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *data,
                                size_t *n_bytes, void **state)
{
    struct http_service *service = cls;
    struct exchange *exchange = *state;

    if (exchange == NULL)
        return MHD_NO; /* there was no memory for it */
    if (*n_bytes > 0) {
        enum MHD_Result result = receive(exchange, data, *n_bytes);

        *n_bytes = 0;
        return result;
    }
    if (exchange->has_begun)
        return answer(exchange, connection);
    exchange->has_begun = true;
    atomic_fetch_add(&service->n_requests, 1);
    return begin(exchange, connection, url, method, version);
}
