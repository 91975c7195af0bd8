/* What Postgres and libpq say of a failure, as our codes. */
#include <stdio.h>
#include <string.h>

#include "pg/internal.h"

/* By the longest prefix that stands first. */
static const struct {
    const char *prefix;
    enum err_code code;
} sqlstates[] = {
    {"08", ERR_UNREACHABLE},  /* connection exceptions */
    {"23505", ERR_CONFLICT},  /* unique_violation */
    {"28", ERR_DENIED},       /* password, role, pg_hba */
    {"3D000", ERR_NOT_FOUND}, /* database */
    {"3F000", ERR_NOT_FOUND}, /* schema */
    {"40001", ERR_CONFLICT},  /* serialization_failure */
    {"40P01", ERR_CONFLICT},  /* deadlock_detected */
    {"42501", ERR_DENIED},    /* insufficient_privilege */
    {"42703", ERR_NOT_FOUND}, /* column */
    {"42P01", ERR_NOT_FOUND}, /* relation */
    {"53", ERR_UNREACHABLE},  /* insufficient resources */
    {"54", ERR_LIMIT},        /* program limit exceeded */
    {"55P03", ERR_CONFLICT},  /* lock_not_available */
    {"57014", ERR_TIMEOUT},   /* query_canceled */
    {"57P", ERR_UNREACHABLE}, /* shutdown */
};

static enum err_code code_of(const char *sqlstate)
{
    for (size_t i = 0; i < N_ELEMENTS(sqlstates); i++)
        if (strncmp(sqlstate, sqlstates[i].prefix, strlen(sqlstates[i].prefix)) == 0)
            return sqlstates[i].code;
    return ERR_SQL;
}

static void set_sqlstate(struct err *err, const char *sqlstate)
{
    if (err != NULL)
        snprintf(err->sqlstate, sizeof(err->sqlstate), "%.5s", sqlstate);
}

const char *pg_first_line(const char *text, char *line, size_t size)
{
    const char *reason = strstr(text, " failed: ");
    size_t length;

    text = reason != NULL ? reason + strlen(" failed: ") : text;
    length = strcspn(text, "\n");
    snprintf(line, size, "%.*s", (int)(length < size ? length : size - 1), text);
    return line;
}

enum err_code pg_lost(struct pg *pg, struct err *err)
{
    char line[256];

    pg->broken = true;
    pg_first_line(PQerrorMessage(pg->conn), line, sizeof(line));
    err_set(err, ERR_UNREACHABLE, "lost the connection to Postgres at %s%s%s", pg->address,
            line[0] != '\0' ? ": " : "", line);
    return err_hint(err, "did the server stop or restart? try again");
}

/* What only reads was in the way: of a standby that follows its primary, or of who locks. That is
 * no fault of its own, and may go well at once on a new connection. */
static enum err_code was_in_the_way(struct pg *pg, const char *message, struct err *err)
{
    pg->broken = true;
    err_set(err, ERR_UNREACHABLE, "Postgres at %s broke off reading: %s", pg->address, message);
    return err_hint(err, "try again; a standby lets read for longer with hot_standby_feedback, or "
                         "with a longer max_standby_streaming_delay");
}

/* What was to be written finds no server for it, as if the primary were away: it became a standby,
 * or the string names one. A new connection may find the primary. */
static enum err_code only_reads(struct pg *pg, const char *message, struct err *err)
{
    pg->broken = true;
    err_set(err, ERR_UNREACHABLE, "Postgres at %s only reads: %s", pg->address, message);
    return err_hint(err, "is it a standby? the dsn must reach the primary: name its host, or all "
                         "hosts and target_session_attrs=read-write");
}

enum err_code pg_result_error(struct pg *pg, const PGresult *result, struct err *err)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    enum err_code code;

    if (sqlstate == NULL) /* libpq's own error, not the server's */
        return pg_lost(pg, err);
    if (PQstatus(pg->conn) == CONNECTION_BAD || strncmp(sqlstate, "08", 2) == 0 ||
        strncmp(sqlstate, "57P", 3) == 0)
        pg->broken = true;
    message = message != NULL ? message : "the statement failed";
    if (pg->read_only && strncmp(sqlstate, "40", 2) == 0)
        code = was_in_the_way(pg, message, err);
    else if (!pg->read_only && strcmp(sqlstate, "25006") == 0)
        code = only_reads(pg, message, err);
    else
        code = err_set(err, code_of(sqlstate), "%s", message);
    if (hint != NULL)
        err_hint(err, "%s", hint);
    set_sqlstate(err, sqlstate);
    return code;
}

/* A verbose message reads "…: FATAL:  28P01: password authentication failed…", the severity in the
 * server's language. Returns where the text after the SQLSTATE starts, NULL when the server said
 * nothing. */
static const char *find_sqlstate(const char *message, char *ret_sqlstate)
{
    for (const char *at = message; (at = strstr(at, ":  ")) != NULL; at++) {
        const char *state = at + 3;

        if (strspn(state, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 &&
            strncmp(state + 5, ": ", 2) == 0) {
            snprintf(ret_sqlstate, 6, "%.5s", state);
            return state + 7;
        }
    }
    return NULL;
}

static enum err_code hint_for_refusal(const struct pg *pg, const char *sqlstate, struct err *err)
{
    const char *user = PQuser(pg->conn), *database = PQdb(pg->conn);

    if (strcmp(sqlstate, "28P01") == 0)
        return err_hint(err,
                        "give the password in PGPASSWORD, ~/.pgpass or the dsn; is \"%s\" the "
                        "right user?",
                        user);
    if (strncmp(sqlstate, "28", 2) == 0)
        return err_hint(err,
                        "does the role \"%s\" exist, and does pg_hba.conf on the server let it "
                        "in from here? see PGUSER or user= in the dsn",
                        user);
    if (strcmp(sqlstate, "3D000") == 0)
        return err_hint(err,
                        "create it (createdb \"%s\") or name another: PGDATABASE, or dbname= in "
                        "the dsn",
                        database);
    if (strcmp(sqlstate, "42501") == 0)
        return err_hint(err, "run as its owner: GRANT CONNECT ON DATABASE \"%s\" TO \"%s\"",
                        database, user);
    if (strcmp(sqlstate, "08P01") == 0) /* pgbouncer's, whatever it is */
        return err_hint(err, "a pooler says so: see its log, its users and its databases");
    if (strncmp(sqlstate, "53", 2) == 0)
        return err_hint(err, "close other connections, or raise max_connections on the server");
    return err_hint(err, "the server is starting or stopping: try again");
}

/* Settings that libpq refuses before it talks to anyone. It quotes the value: leave it out. */
static bool is_setting_error(const char *line)
{
    static const char *const starts[] = {
        "invalid ",         "definition of service ",
        "service file ",    "syntax error in service file ",
        "could not match ",
    };

    for (size_t i = 0; i < N_ELEMENTS(starts); i++)
        if (strncmp(line, starts[i], strlen(starts[i])) == 0)
            return true;
    return false;
}

static enum err_code setting_error(const char *line, struct err *err)
{
    size_t before = strcspn(line, "\"");
    const char *value_end = line[before] == '"' ? strchr(line + before + 1, '"') : NULL;

    err_set(err, ERR_CONFIG, "wrong connection settings: %.*s%s%s", (int)before, line,
            value_end != NULL ? "\"…" : "", value_end != NULL ? value_end : "");
    return err_hint(err, "check the dsn and the PG* variables");
}

enum err_code pg_connect_error(struct pg *pg, struct err *err)
{
    const char *message = PQerrorMessage(pg->conn);
    char sqlstate[6] = "", line[256];
    const char *refusal = find_sqlstate(message, sqlstate);

    if (refusal != NULL) {
        enum err_code code = code_of(sqlstate);

        err_set(err, code, "Postgres at %s refused the connection: %s", pg->address,
                pg_first_line(refusal, line, sizeof(line)));
        hint_for_refusal(pg, sqlstate, err);
        set_sqlstate(err, sqlstate);
        return code;
    }
    if (PQconnectionNeedsPassword(pg->conn)) {
        err_set(err, ERR_DENIED,
                "Postgres at %s wants a password for user \"%s\" and none was given", pg->address,
                PQuser(pg->conn));
        return err_hint(err, "give it in PGPASSWORD, ~/.pgpass or the dsn");
    }
    pg_first_line(message, line, sizeof(line));
    if (is_setting_error(line))
        return setting_error(line, err);
    err_set(err, ERR_UNREACHABLE, "cannot reach Postgres at %s: %s", pg->address, line);
    return err_hint(err, "is the server running there? see PGHOST, PGPORT or the dsn");
}
