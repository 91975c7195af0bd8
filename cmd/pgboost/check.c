#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "catalog/catalog.h"
#include "cli.h"
#include "config/options.h"
#include "definition.h"
#include "list.h"
#include "model/drift.h"

enum finding_level { FINDING_OK, FINDING_WARN, FINDING_FAIL };

static const char *const level_names[] = {"ok", "warn", "fail"};

struct finding {
    const char *status; /* of level_names */
    const char *what, *detail, *hint;
};

struct findings {
    int n, capacity;
    struct finding *items;
    int n_failed;
    bool failed; /* memory ran out */
    struct arena arena;
};

static void findings_release(struct findings *findings)
{
    free(findings->items);
    arena_release(&findings->arena);
}

static void add(struct findings *findings, enum finding_level level, const char *what,
                const char *detail, const char *hint)
{
    struct finding finding = {.status = level_names[level]};

    if (findings->n == findings->capacity) {
        int capacity = findings->capacity == 0 ? 16 : 2 * findings->capacity;
        struct finding *items = realloc(findings->items, (size_t)capacity * sizeof(*items));

        findings->failed = findings->failed || items == NULL;
        if (items == NULL)
            return;
        findings->items = items;
        findings->capacity = capacity;
    }
    finding.what = arena_strdup(&findings->arena, what);
    finding.detail = arena_strdup(&findings->arena, detail);
    finding.hint = arena_strdup(&findings->arena, hint);
    if (finding.what == NULL || finding.detail == NULL || finding.hint == NULL) {
        findings->failed = true;
        return;
    }
    findings->items[findings->n++] = finding;
    findings->n_failed += level == FINDING_FAIL;
}

static void add_err(struct findings *findings, const char *what, const struct err *err)
{
    add(findings, FINDING_FAIL, what, err->message, err->hint);
}

/* What stands without a project ------------------------------------------------------------------
 */

static void check_configuration(struct findings *findings)
{
    char *arguments[] = {"pgboostd", NULL};
    struct options options = {0};
    enum options_action action;
    struct err err = {0};

    if (options_load(1, arguments, &options, &action, &err) != ERR_OK)
        add_err(findings, "configuration", &err);
    else
        add(findings, FINDING_OK, "configuration", "of pgboostd, as its file and PGBOOST_* say",
            "");
    options_release(&options);
}

static enum err_code check_connection(struct findings *findings, const char *what, const char *dsn,
                                      bool read_only, struct pg **ret_pg)
{
    const struct pg_options options = {
        .dsn = dsn, .application_name = "pgboost check", .read_only = read_only};
    struct err err = {0};
    enum err_code code = pg_connect(&options, ret_pg, &err);
    char detail[512];

    if (code != ERR_OK) {
        add_err(findings, what, &err);
        return code;
    }
    snprintf(detail, sizeof(detail), "%s, Postgres %d.%d", pg_describe(*ret_pg),
             pg_server_version(*ret_pg) / 10000, pg_server_version(*ret_pg) % 10000);
    add(findings, FINDING_OK, what, detail, "");
    return ERR_OK;
}

static enum err_code check_catalog(struct findings *findings, struct pg *pg)
{
    struct err err = {0};
    enum err_code code = catalog_check_version(pg, &err);
    char detail[160];

    if (code != ERR_OK) {
        add_err(findings, "catalog", &err);
        return code;
    }
    snprintf(detail, sizeof(detail), "up to date with %s",
             embedded_migrations[n_embedded_migrations - 1].name);
    add(findings, FINDING_OK, "catalog", detail, "");
    return ERR_OK;
}

static void check_privileges(struct findings *findings, struct pg *pg)
{
    struct err err = {0};

    if (catalog_check_privileges(pg, &err) != ERR_OK)
        add_err(findings, "privileges", &err);
    else
        add(findings, FINDING_OK, "privileges", "to read and write the catalog", "");
}

/* Projects ---------------------------------------------------------------------------------------
 */

static void add_relation(struct findings *findings, const char *what,
                         const struct definition *definition)
{
    char detail[256];

    snprintf(detail, sizeof(detail), "%s: %d features, key metric %s", definition->relation->name,
             definition->schema->n_features, definition->metric->name);
    add(findings, FINDING_OK, what, detail, "");
}

/* By key: what clients would find out else. */
static void check_look_ups(struct findings *findings, const struct project_row *row,
                           const struct definition *definition, struct pg *reader)
{
    const struct project *project = definition->project;
    struct err fault = {0};
    char what[160], detail[256];

    if (project->key.n == 0)
        return;
    snprintf(what, sizeof(what), "%s: look-ups", row->name);
    if (definition_foresee_look_ups(definition, reader, &fault) != ERR_OK) {
        add(findings, FINDING_WARN, what, fault.message, fault.hint);
        return;
    }
    snprintf(detail, sizeof(detail), "by key in %s",
             project->serving != NULL ? project->serving : definition->relation->name);
    add(findings, FINDING_OK, what, detail, "");
}

/* The relation as the definition wants it. ret_relation: as far as there is one. */
static void check_definition(struct findings *findings, const char *what,
                             const struct project_row *row, struct pg *reader,
                             struct relation **ret_relation)
{
    CLEANUP(definition_release) struct definition definition = {0};
    struct project *project;
    struct err err = {0};
    enum err_code code =
        project_parse(row->definition, strlen(row->definition), row->name, &project, &err);

    if (code == ERR_OK)
        code = definition_check(project, reader, &definition, &err);
    if (code == ERR_OK) {
        add_relation(findings, what, &definition);
        check_look_ups(findings, row, &definition, reader);
        *ret_relation = TAKE_PTR(definition.relation);
        return;
    }
    add_err(findings, what, &err);
    if (relation_open(reader, row->relation, ret_relation, NULL) != ERR_OK)
        *ret_relation = NULL; /* that is the error already */
}

static void compare_columns(struct findings *findings, const char *what, const struct model *model,
                            const struct relation *relation)
{
    CLEANUP(drift_release) struct drift drift = {0};
    CLEANUP(buf_release) struct buf detail = {0};

    if (drift_find(model, relation, &drift, NULL) != ERR_OK) {
        findings->failed = true;
        return;
    }
    buf_printf(&detail, "model %" PRId64 ": ", model->id);
    if (drift.n_broken > 0) {
        buf_puts(&detail, buf_text(&drift.broken));
        add(findings, FINDING_FAIL, what, buf_text(&detail),
            "give the relation its columns back, or train again");
        return;
    }
    if (drift.n_new_labels > 0) {
        buf_puts(&detail, buf_text(&drift.new_labels));
        add(findings, FINDING_WARN, what, buf_text(&detail),
            "the model takes them for rare ones until the next training");
        return;
    }
    buf_printf(&detail, "verified, and the relation has its %d columns", model->encoder->n_columns);
    add(findings, FINDING_OK, what, buf_text(&detail), "");
}

static void check_model(struct findings *findings, const char *what, const struct project_row *row,
                        const struct relation *relation, struct pg *pg)
{
    CLEANUP(model_freep) struct model *model = NULL;
    struct err err = {0};

    if (row->live_model_id == 0)
        add(findings, FINDING_WARN, what, "no model is live yet", "run \"pgboost train\"");
    else if (model_load(pg, row->live_model_id, &model, &err) != ERR_OK)
        add_err(findings, what, &err);
    else if (relation != NULL)
        compare_columns(findings, what, model, relation);
}

static void check_project(struct findings *findings, const struct project_row *row, struct pg *pg,
                          struct pg *reader)
{
    CLEANUP(relation_freep) struct relation *relation = NULL;
    CLEANUP(buf_release) struct buf what = {0};

    buf_printf(&what, "%s: relation", row->name);
    check_definition(findings, buf_text(&what), row, reader, &relation);
    buf_clear(&what);
    buf_printf(&what, "%s: live model", row->name);
    check_model(findings, buf_text(&what), row, relation, pg);
}

static void check_projects(struct findings *findings, struct pg *pg, struct pg *reader)
{
    CLEANUP(project_rows_release) struct project_rows rows = {0};
    struct err err = {0};

    if (catalog_projects(pg, NULL, &rows, &err) != ERR_OK)
        add_err(findings, "projects", &err);
    for (int i = 0; i < rows.n; i++)
        check_project(findings, &rows.items[i], pg, reader);
}

/* Each step needs those before it: the code of the one that stopped it. */
static enum err_code check_all(const struct cli *cli, struct findings *findings)
{
    CLEANUP(pg_closep) struct pg *pg = NULL;
    CLEANUP(pg_closep) struct pg *reader = NULL;

    check_configuration(findings);
    TRY(check_connection(findings, "database (dsn)", cli->dsn, false, &pg));
    TRY(check_connection(findings, "database (read_dsn)", cli->read_dsn, true, &reader));
    TRY(check_catalog(findings, pg));
    check_privileges(findings, pg);
    check_projects(findings, pg, reader);
    return ERR_OK;
}

static void print_hints(const struct findings *findings)
{
    for (int i = 0; i < findings->n; i++)
        if (findings->items[i].hint[0] != '\0')
            fprintf(stderr, "hint: %s: %s\n", findings->items[i].what, findings->items[i].hint);
}

static enum err_code run_check(struct cli *cli, struct err *err)
{
    static const struct list_column columns[] = {
        {"status", "status", LIST_TEXT, offsetof(struct finding, status)},
        {"check", "check", LIST_TEXT, offsetof(struct finding, what)},
        {"finding", "detail", LIST_TEXT, offsetof(struct finding, detail)},
        {NULL, "hint", LIST_TEXT, offsetof(struct finding, hint)},
    };
    CLEANUP(findings_release) struct findings findings = {0};
    enum err_code code = check_all(cli, &findings);

    if (findings.failed)
        return err_nomem(err);
    TRY(list_print(cli, &(struct list)LIST(columns, findings, ""), err));
    fflush(stdout);
    if (!cli->json)
        print_hints(&findings);
    if (findings.n_failed == 0)
        return ERR_OK;
    return err_set(err, code == ERR_UNREACHABLE ? code : ERR_FAILED, "%d check%s failed",
                   findings.n_failed, findings.n_failed == 1 ? "" : "s");
}

const struct command command_check = {
    .name = "check",
    .arguments = "",
    .summary = "check configuration, connections, privileges, catalog and projects",
    .description =
        "Checks what a working pgboost needs: the daemon's configuration, both connections, the\n"
        "catalog and the privileges on it, and for each project that its relation still is what "
        "the\n"
        "definition and the live model want (columns that are gone or changed their type are "
        "named),\n"
        "and that the live model passes its own tests. Exit status 1 when a check fails.",
    .example = "pgboost check\npgboost check --json | jq '.items[] | select(.status != \"ok\")'",
    .run = run_check,
};
