#include "lookup/foresee.h"

#include <string.h>

#include "lookup/plan.h"

/* In the planner's units, of which a page that is read takes one: about 5 MB, or 20,000 rows and
 * more. Of a smaller table Postgres itself may rather read all than use an index. */
#define LARGE_COST 800

/* The name of a table that is read from end to end; NULL: none. */
static const char *table_read_whole(const cJSON *node)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(node, "Node Type"), *child;
    const cJSON *cost = cJSON_GetObjectItemCaseSensitive(node, "Total Cost");
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(node, "Relation Name");

    if (cJSON_IsString(type) && strcmp(type->valuestring, "Seq Scan") == 0 &&
        cJSON_IsNumber(cost) && cost->valuedouble >= LARGE_COST && cJSON_IsString(name))
        return name->valuestring;
    cJSON_ArrayForEach (child, cJSON_GetObjectItemCaseSensitive(node, "Plans")) {
        const char *found = table_read_whole(child);

        if (found != NULL)
            return found;
    }
    return NULL;
}

static enum err_code judge(const char *json, const struct lookup_spec *spec,
                           const struct lookup_plan *plan, struct err *err)
{
    CLEANUP(cjson_delete_ptr) cJSON *root = NULL;
    const cJSON *first;
    const char *table;

    TRY(json_parse(json, strlen(json), "a plan", &root, err));
    first = cJSON_GetArrayItem(root, 0);
    table = table_read_whole(cJSON_GetObjectItemCaseSensitive(first, "Plan"));
    if (table == NULL)
        return ERR_OK;
    err_set(err, ERR_LIMIT, "each row of %s that is asked for by key costs reading all of \"%s\"",
            plan->relation->name, table);
    return err_hint(err,
                    "make an index on what \"%s\"%s there: see EXPLAIN SELECT * FROM %s WHERE …",
                    spec->keys[0], spec->n_keys > 1 ? " and the rest of the key are" : " is",
                    plan->relation->name);
}

/* How a row is read does not depend on the key's values: they come out of unnest(). */
static enum err_code explain(struct pg *reader, const struct lookup_spec *spec,
                             const struct lookup_plan *plan, struct err *err)
{
    CLEANUP(pg_table_release) struct pg_table table = {0};
    CLEANUP(buf_release) struct buf sql = {0};
    struct pg_param keys[LOOKUP_KEYS_MAX];

    for (int i = 0; i < plan->n_params; i++)
        keys[i] = PG_TEXT(NULL);
    buf_printf(&sql, "EXPLAIN (FORMAT JSON) %s", plan->sql);
    TRY(buf_check(&sql, err));
    TRY(pg_rows(reader, buf_text(&sql), plan->n_params, keys, &table, err));
    return table.n_rows == 1 ? judge(pg_get_text(&table, 0, 0), spec, plan, err) : ERR_OK;
}

enum err_code lookup_foresee(struct pg *reader, const struct lookup_spec *spec, struct err *err)
{
    CLEANUP(plan_freep) struct lookup_plan *plan = NULL;
    enum err_code code;

    TRY(plan_new(reader, spec, false, 0, &plan, err));
    code = explain(reader, spec, plan, err);
    plan_deallocate(reader, plan);
    return code;
}
