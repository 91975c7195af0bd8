/*
 * Migrations: files of SQL, each applied in a transaction that also remembers it.
 *
 * Every transaction takes the same advisory lock before it looks, so that two that migrate at once
 * do each file once; a lock of the transaction, not of the session, also holds behind a pooler.
 */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "catalog/catalog.h"
#include "catalog/folder.h"

#define SERVER_VERSION_MIN 120000
#define NUMBER_LENGTH      4                     /* of "0009_add_upgrades.sql" */
#define DEADLOCKS_MAX      3                     /* of one file */
#define OLDEST_PROGRAM     "-- oldest program: " /* as a file's first line begins that has it */

/* One file on its way into the database. */
struct script {
    const char *source; /* "pgboost", or "user" for those of a folder */
    const char *name, *sql;
    size_t n_bytes;
    bool repeatable;
};

/* Which version is the catalog? -----------------------------------------------------------------
 */

struct version {
    bool present;        /* is there a catalog at all */
    const char *missing; /* the first of our migrations that it lacks; NULL: none */
    char unknown[128];   /* one of its migrations that we do not know; "" for none */
    char beyond[128];    /* one of those that does not let programs like this one go on; "" */
};

static bool is_embedded(const char *name)
{
    for (int i = 0; i < n_embedded_migrations; i++)
        if (strcmp(embedded_migrations[i].name, name) == 0)
            return true;
    return false;
}

static bool has_name(const struct pg_table *table, const char *name)
{
    for (int i = 0; i < table->n_rows; i++)
        if (strcmp(pg_get_text(table, i, 0), name) == 0)
            return true;
    return false;
}

/* Not by to_regclass: it may answer from a cache that is older than a lock we have waited for. */
static enum err_code find_catalog(struct pg *pg, bool *ret_present, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};

    TRY(pg_row(pg,
               "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
               " WHERE n.nspname = 'pgboost' AND c.relname = 'schema_migrations')",
               0, NULL, &table, err));
    *ret_present = pg_get_bool(&table, 0, 0);
    return ERR_OK;
}

/* May this program go on with a catalog that has a migration which it does not know? `oldest` is
 * what that migration says, "0009"; NULL: nothing. */
static bool goes_on(const char *oldest)
{
    return oldest != NULL &&
           strncmp(embedded_migrations[n_embedded_migrations - 1].name, oldest, NUMBER_LENGTH) >= 0;
}

/* Through jsonb, since a catalog that is older lacks the column. */
static enum err_code read_names(struct pg *pg, struct pg_table *ret_table, struct err *err)
{
    enum err_code code =
        pg_rows(pg,
                "SELECT name, to_jsonb(m) ->> 'oldest_program' FROM pgboost.schema_migrations m"
                " WHERE source = 'pgboost' ORDER BY name",
                0, NULL, ret_table, err);

    if (code == ERR_DENIED)
        err_hint(err, "log in as the owner of the schema pgboost");
    return code;
}

static void note_unknown(struct version *version, const char *name, const char *oldest)
{
    if (is_embedded(name))
        return;
    snprintf(version->unknown, sizeof(version->unknown), "%s", name);
    if (!goes_on(oldest))
        snprintf(version->beyond, sizeof(version->beyond), "%s", name);
}

static enum err_code read_version(struct pg *pg, struct version *ret_version, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    struct version version = {0};

    TRY(find_catalog(pg, &version.present, err));
    if (version.present)
        TRY(read_names(pg, &table, err));
    for (int i = n_embedded_migrations - 1; i >= 0; i--)
        if (!has_name(&table, embedded_migrations[i].name))
            version.missing = embedded_migrations[i].name;
    for (int i = 0; i < table.n_rows; i++)
        note_unknown(&version, pg_get_text(&table, i, 0), pg_get_text(&table, i, 1));
    *ret_version = version;
    return ERR_OK;
}

/* name: of a migration; "" for none. */
static enum err_code refuse_newer(const char *name, struct err *err)
{
    if (name[0] == '\0')
        return ERR_OK;
    err_set(err, ERR_CONFLICT, "the catalog is newer than this program: it has \"%s\"", name);
    err_hint(err, "this is pgboost %s: upgrade it to the version that migrated the catalog",
             PGBOOST_VERSION);
    return ERR_CONFLICT;
}

enum err_code catalog_check_version(struct pg *pg, struct err *err)
{
    struct version version;

    TRY(read_version(pg, &version, err));
    TRY(refuse_newer(version.beyond, err));
    if (version.missing == NULL)
        return ERR_OK;
    if (!version.present)
        err_set(err, ERR_CONFLICT, "this database has no pgboost catalog");
    else
        err_set(err, ERR_CONFLICT, "the catalog is older than this program: it lacks \"%s\"",
                version.missing);
    err_hint(err, "run \"pgboost migrate\"");
    return ERR_CONFLICT;
}

bool catalog_awaits_migration(struct pg *pg)
{
    struct version version;

    return read_version(pg, &version, NULL) == ERR_OK && version.present &&
           version.beyond[0] == '\0' && version.missing != NULL;
}

/* One file --------------------------------------------------------------------------------------
 */

static enum err_code lock_catalog(struct pg *pg, struct err *err)
{
    enum err_code code;

    TRY(pg_exec(pg, "SET LOCAL lock_timeout = '30s'", 0, NULL, NULL, err));
    /* the lock's number is "pgboost" in ASCII */
    code =
        pg_exec(pg, "SELECT pg_advisory_xact_lock(x'7067626f6f7374'::bigint)", 0, NULL, NULL, err);
    if (code == ERR_CONFLICT) {
        err_set(err, ERR_CONFLICT, "another \"pgboost migrate\" has been at work for 30 s");
        err_hint(err, "wait for it to end; pg_stat_activity shows what it does");
    }
    if (code != ERR_OK)
        return code;
    return pg_exec(pg, "SET LOCAL lock_timeout TO DEFAULT", 0, NULL, NULL, err);
}

enum standing { IS_NEW, IS_APPLIED, IS_CHANGED };

static enum err_code look_up(struct pg *pg, const struct script *script, const char *sha256,
                             enum standing *ret_standing, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    bool present;

    TRY(find_catalog(pg, &present, err));
    if (present)
        TRY(pg_rows(
            pg,
            "SELECT sha256 = $3 FROM pgboost.schema_migrations"
            " WHERE source = $1 AND name = $2",
            3, (struct pg_param[]){PG_TEXT(script->source), PG_TEXT(script->name), PG_TEXT(sha256)},
            &table, err));
    if (table.n_rows == 0)
        *ret_standing = IS_NEW;
    else
        *ret_standing = pg_get_bool(&table, 0, 0) ? IS_APPLIED : IS_CHANGED;
    return ERR_OK;
}

static enum err_code transaction_id(struct pg *pg, int64_t *ret_id, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};

    TRY(pg_row(pg, "SELECT txid_current()", 0, NULL, &table, err));
    *ret_id = pg_get_int64(&table, 0, 0);
    return ERR_OK;
}

static enum err_code refuse_commit(struct err *err)
{
    err_set(err, ERR_INVALID, "the file ends the transaction it runs in");
    err_hint(err, "each file runs in a transaction of its own: take COMMIT and ROLLBACK out of it; "
                  "what stands before the first COMMIT has been applied");
    return ERR_INVALID;
}

/* Beyond ASCII they hold comments only, which a database of another encoding may not take as they
 * are. Whoever waits for a table's lock holds up all who come after, the heartbeats of runs among
 * them: rather not long. What a user's own file waits for is the user's to say. */
static enum err_code run_own_script(struct pg *pg, const struct script *script, struct err *err)
{
    CLEANUP(buf_release) struct buf plain = {0};
    const char *sql = pg_plain(pg, script->sql, &plain);
    enum err_code code;

    TRY(buf_check(&plain, err));
    TRY(pg_exec(pg, "SET LOCAL lock_timeout = '5s'", 0, NULL, NULL, err));
    code = pg_script(pg, sql, err);
    if (code == ERR_CONFLICT && err != NULL && strcmp(err->sqlstate, "55P03") == 0)
        err_hint(err, "another session has used the table for 5 s, as pg_dump does; nothing was "
                      "changed: run \"pgboost migrate\" again when it is done");
    return code;
}

static enum err_code run_user_script(struct pg *pg, const struct script *script, struct err *err)
{
    TRY(pg_exec(pg, "SET LOCAL search_path TO DEFAULT", 0, NULL, NULL, err));
    return pg_script(pg, script->sql, err);
}

/* Runs the text as psql would, and sees to it that it is still in the transaction it began in: a
 * file with a COMMIT in it would be remembered even if its end had failed. */
static enum err_code run_script(struct pg *pg, const struct script *script, struct err *err)
{
    int64_t before, after;
    enum err_code code;

    TRY(transaction_id(pg, &before, err));
    code = strcmp(script->source, "user") == 0 ? run_user_script(pg, script, err)
                                               : run_own_script(pg, script, err);
    /* A transaction that failed answers no query: this one has been left before the failure. */
    if (code != ERR_OK)
        return transaction_id(pg, &after, NULL) == ERR_OK && after != before ? refuse_commit(err)
                                                                             : code;
    /* What the file may have set for the whole session must not reach what follows. */
    TRY(pg_restore_session(pg, err));
    TRY(transaction_id(pg, &after, err));
    return before == after ? ERR_OK : refuse_commit(err);
}

static enum err_code remember(struct pg *pg, const struct script *script, const char *sha256,
                              struct err *err)
{
    return pg_exec(
        pg,
        "INSERT INTO pgboost.schema_migrations (source, name, sha256)"
        " VALUES ($1, $2, $3)"
        " ON CONFLICT (source, name) DO UPDATE SET sha256 = excluded.sha256,"
        "  applied_at = clock_timestamp()",
        3, (struct pg_param[]){PG_TEXT(script->source), PG_TEXT(script->name), PG_TEXT(sha256)},
        NULL, err);
}

/* What the file's first line says, see migrations/0009_add_upgrades.sql. */
static enum err_code remember_oldest(struct pg *pg, const struct script *script, struct err *err)
{
    char number[NUMBER_LENGTH + 1];

    if (strcmp(script->source, "pgboost") != 0 ||
        strncmp(script->sql, OLDEST_PROGRAM, strlen(OLDEST_PROGRAM)) != 0)
        return ERR_OK;
    snprintf(number, sizeof(number), "%s", script->sql + strlen(OLDEST_PROGRAM));
    return pg_exec(pg,
                   "UPDATE pgboost.schema_migrations SET oldest_program = $2"
                   " WHERE source = 'pgboost' AND name = $1",
                   2, (struct pg_param[]){PG_TEXT(script->name), PG_TEXT(number)}, NULL, err);
}

static enum err_code refuse_changed(struct err *err)
{
    err_set(err, ERR_CONFLICT, "the file changed after it was applied");
    err_hint(err, "put it back as it was and write the change as a file with a higher number; "
                  "R_name.sql is for files that may change");
    return ERR_CONFLICT;
}

/* Inside a transaction. *ret_what: what was done, NULL for nothing. */
static enum err_code apply_locked(struct pg *pg, const struct script *script, const char **ret_what,
                                  struct err *err)
{
    char sha256[SHA256_HEX_SIZE];
    enum standing standing;

    TRY(lock_catalog(pg, err));
    TRY(sha256_hex(script->sql, script->n_bytes, sha256, err));
    TRY(look_up(pg, script, sha256, &standing, err));
    *ret_what = NULL;
    if (standing == IS_APPLIED)
        return ERR_OK;
    if (standing == IS_CHANGED && !script->repeatable)
        return refuse_changed(err);
    TRY(run_script(pg, script, err));
    *ret_what = standing == IS_NEW ? "applied" : "applied again";
    TRY(remember(pg, script, sha256, err));
    return remember_oldest(pg, script, err);
}

static enum err_code apply_once(struct pg *pg, const struct script *script, const char **ret_what,
                                struct err *err)
{
    TRY(pg_begin(pg, err));
    return pg_end(pg, apply_locked(pg, script, ret_what, err), err);
}

/* Others may lock the same tables in another order; the one that Postgres breaks off has left
 * nothing behind. */
static enum err_code apply(struct pg *pg, const struct script *script, migrate_report_fn report,
                           void *context, struct err *err)
{
    const char *what = NULL;
    enum err_code code = apply_once(pg, script, &what, err);

    for (int i = 0; i < DEADLOCKS_MAX && code == ERR_CONFLICT && err != NULL &&
                    strcmp(err->sqlstate, "40P01") == 0;
         i++)
        code = apply_once(pg, script, &what, err);
    if (code != ERR_OK) {
        err_prefix(err, "%s", script->name);
        return code;
    }
    if (what != NULL && report != NULL)
        report(context, script->name, what);
    return ERR_OK;
}

/* All files -------------------------------------------------------------------------------------
 */

/* The schema is the owner's; whoever may not make it learns what to ask for. */
static enum err_code check_privilege(struct pg *pg, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};

    TRY(pg_row(
        pg,
        "SELECT CASE WHEN present THEN has_schema_privilege('pgboost', 'CREATE')"
        "  ELSE has_database_privilege(current_database(), 'CREATE') END,"
        " CASE WHEN present THEN format('ALTER SCHEMA pgboost OWNER TO %I', current_user)"
        "  ELSE format('GRANT CREATE ON DATABASE %I TO %I', current_database(),"
        "   current_user) END"
        " FROM (SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'pgboost') AS present)"
        "  AS schema",
        0, NULL, &table, err));
    if (pg_get_bool(&table, 0, 0))
        return ERR_OK;
    err_set(err, ERR_DENIED, "permission denied to create the catalog, the schema pgboost");
    err_hint(err, "run as an administrator: %s", pg_get_text(&table, 0, 1));
    return ERR_DENIED;
}

static enum err_code check_server(struct pg *pg, struct err *err)
{
    int version = pg_server_version(pg);

    if (version >= SERVER_VERSION_MIN)
        return ERR_OK;
    err_set(err, ERR_CONFLICT, "Postgres %d is too old", version / 10000);
    err_hint(err, "pgboost needs Postgres %d or newer", SERVER_VERSION_MIN / 10000);
    return ERR_CONFLICT;
}

enum err_code catalog_migrate(struct pg *pg, migrate_report_fn report, void *context,
                              struct err *err)
{
    struct version version;

    TRY(check_server(pg, err));
    TRY(read_version(pg, &version, err));
    TRY(refuse_newer(version.unknown, err));
    if (version.missing != NULL)
        TRY(check_privilege(pg, err));
    for (int i = 0; i < n_embedded_migrations; i++) {
        const struct migration *migration = &embedded_migrations[i];
        const struct script script = {.source = "pgboost",
                                      .name = migration->name,
                                      .sql = migration->sql,
                                      .n_bytes = strlen(migration->sql)};

        TRY(apply(pg, &script, report, context, err));
    }
    return ERR_OK;
}

enum err_code catalog_migrate_folder(struct pg *pg, const char *path, migrate_report_fn report,
                                     void *context, struct err *err)
{
    CLEANUP(migration_folder_release) struct migration_folder folder = {0};

    TRY(migration_folder_read(path, &folder, err));
    for (int i = 0; i < folder.n; i++) {
        const struct migration_file *file = &folder.items[i];
        const struct script script = {.source = "user",
                                      .name = file->name,
                                      .sql = file->sql,
                                      .n_bytes = file->n_bytes,
                                      .repeatable = file->repeatable};

        TRY(apply(pg, &script, report, context, err));
    }
    return ERR_OK;
}
