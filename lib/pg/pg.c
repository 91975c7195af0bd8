#include "pg/internal.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define CONNECT_TIMEOUT_MS   10000
#define STATEMENT_TIMEOUT_MS 60000

static void ignore_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

/* In a URI like u:p@ss@host or u:p/ss@host libpq takes a piece of the password for the host or the
 * database, and would name it in its messages. */
static bool uri_is_ambiguous(const char *dsn)
{
    const char *authority = strstr(dsn, "://");
    size_t length, path_length;
    const char *first_at;

    if (authority == NULL || strncmp(dsn, "postgres", 8) != 0)
        return false;
    authority += 3;
    length = strcspn(authority, "/?");
    path_length = strcspn(authority + length, "?");
    if (memchr(authority + length, '@', path_length) != NULL)
        return true;
    first_at = memchr(authority, '@', length);
    return first_at != NULL &&
           memchr(first_at + 1, '@', length - (size_t)(first_at + 1 - authority)) != NULL;
}

/* libpq's own message quotes the part it did not understand, which may be a password. */
static enum err_code check_dsn(const char *dsn, struct err *err)
{
    PQconninfoOption *parsed;

    if (dsn == NULL || dsn[0] == '\0')
        return ERR_OK;
    if (uri_is_ambiguous(dsn)) {
        err_set(err, ERR_CONFIG, "cannot parse the connection string: an \"@\" too many");
        return err_hint(err, "in a URI write @ as %%40, / as %%2F and : as %%3A inside user and "
                             "password");
    }
    parsed = PQconninfoParse(dsn, NULL);
    if (parsed == NULL) {
        err_set(err, ERR_CONFIG, "cannot parse the connection string");
        return err_hint(err, "give postgresql://user@host:5432/database or \"host=… port=… "
                             "dbname=… user=…\"; libpq's documentation lists the keywords");
    }
    PQconninfoFree(parsed);
    return ERR_OK;
}

/* What the connection string may override stands before dbname, what it may not stands after. */
static PGconn *start_connection(const struct pg_options *options)
{
    const char *application =
        options->application_name != NULL ? options->application_name : "pgboost";
    const char *keywords[] = {"fallback_application_name",
                              "keepalives_idle",
                              "keepalives_interval",
                              "keepalives_count",
                              "dbname",
                              "client_encoding",
                              NULL};
    const char *values[] = {application, "30", "10", "3", options->dsn, "UTF8", NULL};

    return PQconnectStartParams(keywords, values, 1);
}

/* "host:port", or the socket's path; with several hosts the one that libpq is at. */
static enum err_code set_address(struct pg *pg, struct err *err)
{
    const char *host = PQhost(pg->conn), *port = PQport(pg->conn);
    char *address;

    host = host != NULL && host[0] != '\0' ? host : "localhost";
    port = port != NULL && port[0] != '\0' ? port : "5432";
    if (asprintf(&address, host[0] == '/' ? "%s/.s.PGSQL.%s" : "%s:%s", host, port) < 0)
        return err_nomem(err);
    free(pg->address);
    pg->address = address;
    return ERR_OK;
}

static char *description_of(const PGconn *conn)
{
    char *description = NULL;

    if (asprintf(&description, "host=%s port=%s dbname=%s user=%s", PQhost(conn), PQport(conn),
                 PQdb(conn), PQuser(conn)) < 0)
        return NULL;
    return description;
}

/* PQconnectPoll leaves connect_timeout (dsn, PGCONNECT_TIMEOUT) to its caller: the caller's own
 * bound, then the user's, then ours. */
static int connect_timeout_ms(const struct pg_options *options, PGconn *conn)
{
    PQconninfoOption *settings;
    long seconds = 0;

    if (options->connect_timeout_ms != 0)
        return options->connect_timeout_ms;
    settings = PQconninfo(conn);
    for (PQconninfoOption *o = settings; o != NULL && o->keyword != NULL; o++)
        if (strcmp(o->keyword, "connect_timeout") == 0 && o->val != NULL)
            seconds = strtol(o->val, NULL, 10);
    PQconninfoFree(settings);
    return seconds > 0 && seconds < 86400 ? (int)seconds * 1000 : CONNECT_TIMEOUT_MS;
}

static enum err_code finish_connection(struct pg *pg, int timeout_ms, struct err *err)
{
    int64_t deadline_ms = deadline_in(timeout_ms);
    PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;

    while (PQstatus(pg->conn) != CONNECTION_BAD && wanted != PGRES_POLLING_OK) {
        short events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        enum err_code code = pg_wait_socket(pg, events, deadline_ms, err);

        if (code == ERR_TIMEOUT) {
            TRY(set_address(pg, err));
            err_set(err, ERR_UNREACHABLE, "no answer from Postgres at %s within %d s", pg->address,
                    (timeout_ms + 999) / 1000);
            return err_hint(err, "is the server running and reachable? see PGHOST, PGPORT or the "
                                 "dsn");
        }
        if (code != ERR_OK)
            return code;
        wanted = PQconnectPoll(pg->conn);
    }
    TRY(set_address(pg, err));
    return PQstatus(pg->conn) == CONNECTION_OK ? ERR_OK : pg_connect_error(pg, err);
}

/* It let us in, and that was all. */
static enum err_code says_nothing(const struct pg *pg, struct err *err)
{
    err_set(err, ERR_UNREACHABLE, "Postgres at %s accepts connections but does not answer",
            pg->address);
    return err_hint(err, "is it overloaded or stopped, or a pooler that cannot reach its server?");
}

enum err_code pg_connect(const struct pg_options *options, struct pg **ret_pg, struct err *err)
{
    CLEANUP(pg_closep) struct pg *pg = calloc(1, sizeof(*pg));
    enum err_code code;

    if (pg == NULL)
        return err_nomem(err);
    pg->read_only = options->read_only;
    pg->give_up_ms = options->give_up_ms != 0 ? options->give_up_ms : DEADLINE_NEVER;
    pg->stop = options->stop;
    pg->statement_timeout_ms =
        options->statement_timeout_ms != 0 ? options->statement_timeout_ms : STATEMENT_TIMEOUT_MS;
    TRY(check_dsn(options->dsn, err));
    pg->conn = start_connection(options);
    if (pg->conn == NULL)
        return err_nomem(err);
    TRY(set_address(pg, err));
    PQsetNoticeReceiver(pg->conn, ignore_notice, NULL);
    /* A failed connection gives its SQLSTATE only inside a verbose message. */
    PQsetErrorVerbosity(pg->conn, PQERRORS_VERBOSE);
    TRY(finish_connection(pg, connect_timeout_ms(options, pg->conn), err));
    PQsetErrorVerbosity(pg->conn, PQERRORS_DEFAULT);
    pg->description = description_of(pg->conn);
    if (pg->description == NULL || PQsetnonblocking(pg->conn, 1) != 0)
        return err_nomem(err);
    code = pg_open_session(pg, err);
    if (code != ERR_OK)
        return code == ERR_TIMEOUT ? says_nothing(pg, err) : code;
    *ret_pg = TAKE_PTR(pg);
    return ERR_OK;
}

void pg_close(struct pg *pg)
{
    if (pg == NULL)
        return;
    PQfinish(pg->conn);
    free(pg->address);
    free(pg->description);
    free(pg);
}

bool pg_broken(const struct pg *pg)
{
    return pg->broken;
}

int pg_socket(const struct pg *pg)
{
    return PQsocket(pg->conn);
}

int pg_server_version(const struct pg *pg)
{
    return PQserverVersion(pg->conn);
}

const char *pg_describe(const struct pg *pg)
{
    return pg->description;
}

enum err_code pg_check_usable(const struct pg *pg, struct err *err)
{
    if (pg->broken)
        return err_set(err, ERR_UNREACHABLE, "the connection to Postgres at %s is broken",
                       pg->address);
    if (pg->copying)
        return err_set(err, ERR_CONFLICT, "a COPY is still running on this connection");
    return ERR_OK;
}
