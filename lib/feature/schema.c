#include "feature/schema.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/nearest.h"
#include "feature/column_options.h"
#include "feature/types.h"

static const struct {
    unsigned as; /* of type_traits */
    const char *hint;
} as_hints[] = {
    {AS(AS_NUMBER) | AS(AS_CATEGORY), "\"as\" may be number, category or ignore"},
    {AS(AS_NUMBER), "\"as\" may be number or ignore; for categories, cast it to text in the view"},
    {AS(AS_CATEGORY), "\"as\" may be category or ignore; for another type, cast it in the view"},
    {AS(AS_CATEGORY) | AS(AS_TEXT),
     "\"as\" may be text, category or ignore; for another type, cast it in the view"},
    {AS(AS_TIMESTAMP), "\"as\" may be timestamp or ignore; for another type, cast it in the view"},
    {0, "\"as\" may be ignore; for another type, cast it in the view"},
};

/* Where a definition names a column. */
enum {
    NAMED_TARGET = 1,
    NAMED_KEY = 2,
    NAMED_TIME = 4,
    NAMED_EXCLUDE = 8,
    NAMED_INCLUDE = 16,
    NAMED_IGNORE = 32, /* in columns */
    NAMED_AS = 64,     /* in columns, with a type */
    NAMED_GROUP = 128,
    NAMED_WEIGHT = 256,
    NAMED_EVENT = 512,
    NAMED_UPPER = 1024,
};

/* What cannot be said of one column: found where it is said second. */
static const struct {
    unsigned named, before;
    const char *message, *hint;
} conflicts[] = {
    {NAMED_KEY, NAMED_TARGET, "is the target", "a key names rows; take the target out of it"},
    {NAMED_TIME, NAMED_TARGET, "is the target",
     "rows are ordered by a column that is known before"},
    {NAMED_GROUP, NAMED_TARGET, "is the target",
     "a group is what rows share beside their answer: a customer, a patient, a machine"},
    {NAMED_GROUP, NAMED_TIME, "is the time",
     "rows of one time stay together in a split by time: leave \"group\" out, or repeat the column "
     "under another name in the view"},
    {NAMED_WEIGHT, NAMED_TARGET, "is the target", "a weight is known beside the answer"},
    {NAMED_WEIGHT, NAMED_KEY, "is part of the key",
     "a key names rows, a weight says how much each counts"},
    {NAMED_WEIGHT, NAMED_TIME, "is the time",
     "to let new rows count more, compute a weight from the time in the view"},
    {NAMED_WEIGHT, NAMED_GROUP, "is the group",
     "a group says which rows belong together, a weight how much each counts"},
    {NAMED_EVENT, NAMED_TARGET, "is the target",
     "the target is when, the event whether: two columns"},
    {NAMED_EVENT, NAMED_KEY, "is part of the key", "a key names rows, an event says what came"},
    {NAMED_EVENT, NAMED_TIME, "is the time", "the event says whether: true, false, 1 or 0"},
    {NAMED_EVENT, NAMED_GROUP, "is the group", "a group says which rows belong together"},
    {NAMED_EVENT, NAMED_WEIGHT, "is the weight", "a weight says how much a row counts"},
    {NAMED_UPPER, NAMED_TARGET, "is the target",
     "where all times are known to their end, \"task\": \"regression\" predicts them"},
    {NAMED_UPPER, NAMED_KEY, "is part of the key", "a key names rows"},
    {NAMED_UPPER, NAMED_TIME, "is the time",
     "the target and its upper end are spans, not moments: subtract in the view"},
    {NAMED_UPPER, NAMED_GROUP, "is the group", "a group says which rows belong together"},
    {NAMED_UPPER, NAMED_WEIGHT, "is the weight", "a weight says how much a row counts"},
    {NAMED_INCLUDE, NAMED_EVENT, "is the event", "it is not known before the answer is"},
    {NAMED_AS, NAMED_EVENT, "is the event", "it is not known before the answer is"},
    {NAMED_INCLUDE, NAMED_UPPER, "is the target's upper end",
     "it is not known before the answer is"},
    {NAMED_AS, NAMED_UPPER, "is the target's upper end", "it is not known before the answer is"},
    {NAMED_EXCLUDE, NAMED_TARGET, "is the target",
     "the target is never a feature: no need to name it"},
    {NAMED_INCLUDE, NAMED_TARGET, "is the target", "the target cannot be a feature of itself"},
    {NAMED_IGNORE, NAMED_TARGET, "is the target",
     "the target is never a feature: no need to name it"},
    {NAMED_AS, NAMED_TARGET, "is the target", "\"task\" says what the target is"},
    {NAMED_INCLUDE, NAMED_KEY, "is part of the key",
     "a key is not a feature; repeat the column under another name in the view"},
    {NAMED_AS, NAMED_KEY, "is part of the key",
     "a key is not a feature; repeat the column under another name in the view"},
    {NAMED_INCLUDE, NAMED_GROUP, "is the group",
     "a group is not a feature; repeat the column under another name in the view"},
    {NAMED_AS, NAMED_GROUP, "is the group",
     "a group is not a feature; repeat the column under another name in the view"},
    {NAMED_INCLUDE, NAMED_WEIGHT, "is the weight",
     "a weight is not a feature; repeat the column under another name in the view"},
    {NAMED_AS, NAMED_WEIGHT, "is the weight",
     "a weight is not a feature; repeat the column under another name in the view"},
    {NAMED_INCLUDE, NAMED_EXCLUDE, "is in \"exclude\" too", "keep it in one of the two"},
    {NAMED_IGNORE, NAMED_INCLUDE, "is in \"include\" too", "keep it in one of the two"},
};

struct builder {
    const struct project *project;
    const struct relation *relation;
    struct schema *schema;
    unsigned *named; /* [relation's columns] */
};

void schema_free(struct schema *schema)
{
    if (schema == NULL)
        return;
    arena_release(&schema->arena);
    free(schema);
}

/* The nearest name, or else all there are. */
static enum err_code hint_columns(const struct relation *relation, const char *name,
                                  struct err *err)
{
    CLEANUP(free_ptr) const char **names = NULL;
    CLEANUP(buf_release) struct buf list = {0};
    const char *nearest;

    names = calloc((size_t)relation->n_columns + 1, sizeof(*names));
    if (names == NULL)
        return ERR_CONFIG; /* an error without a hint is still the right one */
    for (int i = 0; i < relation->n_columns; i++) {
        names[i] = relation->columns[i].name;
        buf_printf(&list, "%s\"%s\"", i == 0 ? "" : ", ", names[i]);
    }
    nearest = nearest_name(name, names, relation->n_columns);
    if (nearest != NULL)
        err_hint(err, "did you mean \"%s\"?", nearest);
    else
        err_hint(err, "its columns are %s", buf_text(&list));
    return ERR_CONFIG;
}

/* Finds a column that the definition names at pointer, and marks it. key is the definition's. */
static enum err_code name_column(struct builder *builder, unsigned named, const char *key,
                                 const char *pointer, const char *name, int *ret_index,
                                 struct err *err)
{
    int index = relation_find(builder->relation, name);

    if (index < 0) {
        err_set(err, ERR_CONFIG, "key \"%s\": relation %s has no column \"%s\"", key,
                builder->relation->name, name);
        err_field(err, "%s", pointer);
        return hint_columns(builder->relation, name, err);
    }
    for (size_t i = 0; i < N_ELEMENTS(conflicts); i++) {
        if (conflicts[i].named != named || !(builder->named[index] & conflicts[i].before))
            continue;
        err_set(err, ERR_CONFIG, "key \"%s\": column \"%s\" %s", key, name, conflicts[i].message);
        err_field(err, "%s", pointer);
        err_hint(err, "%s", conflicts[i].hint);
        return ERR_CONFIG;
    }
    if (builder->named[index] & named) {
        err_set(err, ERR_CONFIG, "key \"%s\": column \"%s\" is named twice", key, name);
        err_field(err, "%s", pointer);
        return ERR_CONFIG;
    }
    builder->named[index] |= named;
    *ret_index = index;
    return ERR_OK;
}

/* ret_indices: [list->n], or NULL when the marks are enough. */
static enum err_code name_list(struct builder *builder, unsigned named, const char *key,
                               const struct string_list *list, int *ret_indices, struct err *err)
{
    for (int i = 0; i < list->n; i++) {
        char pointer[64];
        int index;

        snprintf(pointer, sizeof(pointer), "/%s/%d", key, i);
        TRY(name_column(builder, named, key, pointer, list->items[i], &index, err));
        if (ret_indices != NULL)
            ret_indices[i] = index;
    }
    return ERR_OK;
}

/* Is the column a feature where nothing else is said against it? */
static bool is_usable(const struct builder *builder, int index)
{
    enum type_use use = type_traits(builder->relation->columns[index].type)->use;

    return use == USE_FEATURE ||
           (use == USE_ID && builder->schema->columns[index].as == AS_CATEGORY);
}

/* A column that is asked for by name is not left out silently. */
static enum err_code check_included(const struct builder *builder, struct err *err)
{
    const struct string_list *include = &builder->project->include;

    for (int i = 0; i < include->n; i++) {
        int index = relation_find(builder->relation, include->items[i]);
        const struct relation_column *column = &builder->relation->columns[index];

        if (is_usable(builder, index))
            continue;
        err_set(err, ERR_CONFIG,
                "key \"include\": column \"%s\" is of type %s, which is not used as a feature",
                column->name, column->type_name);
        err_field(err, "/include/%d", i);
        if (type_traits(column->type)->use == USE_ID)
            err_hint(err, "an id tells rows apart; {\"as\": \"category\"} in \"columns\" "
                          "makes it a feature");
        else
            err_hint(err, "convert it in the view, for example to a number or to text");
        return ERR_CONFIG;
    }
    return ERR_OK;
}

static enum err_code refuse_override(const struct relation_column *column, enum column_as as,
                                     const char *pointer, struct err *err)
{
    err_set(err, ERR_CONFIG, "key \"columns\": column \"%s\" is of type %s, which cannot be a %s",
            column->name, column->type_name, column_as_name(as));
    err_field(err, "%s", pointer);
    for (size_t i = 0; i < N_ELEMENTS(as_hints); i++)
        if (as_hints[i].as == type_traits(column->type)->as)
            err_hint(err, "%s", as_hints[i].hint);
    return ERR_CONFIG;
}

static enum err_code name_overrides(struct builder *builder, struct err *err)
{
    for (int i = 0; i < builder->project->n_overrides; i++) {
        const struct column_override *override = &builder->project->overrides[i];
        const struct relation_column *column;
        unsigned named = override->as == AS_IGNORE ? NAMED_IGNORE : NAMED_AS;
        CLEANUP(buf_release) struct buf path = {0};
        const char *pointer;
        int index;

        json_pointer_append(&path, "columns");
        json_pointer_append(&path, override->column);
        TRY(buf_check(&path, err));
        pointer = buf_text(&path);
        TRY(name_column(builder, named, "columns", pointer, override->column, &index, err));
        column = &builder->relation->columns[index];
        if (override->as != AS_IGNORE && override->as != AS_AUTO &&
            !(type_traits(column->type)->as & AS(override->as)))
            return refuse_override(column, override->as, pointer, err);
        TRY(check_options(column, override, pointer, err));
        builder->schema->columns[index].as = override->as;
        builder->schema->columns[index].override = override;
    }
    return ERR_OK;
}

/* A group of the whole key holds one row each. */
static enum err_code name_group(struct builder *builder, struct err *err)
{
    const char *name = builder->project->group;
    struct schema *schema = builder->schema;

    if (name == NULL)
        return ERR_OK;
    TRY(name_column(builder, NAMED_GROUP, "group", "/group", name, &schema->group, err));
    if (schema->n_keys != 1 || schema->keys[0] != schema->group)
        return ERR_OK;
    err_set(err, ERR_CONFIG, "key \"group\": column \"%s\" is the key", name);
    err_field(err, "/group");
    err_hint(err, "every row would be a group of its own: name what several rows share");
    return ERR_CONFIG;
}

static enum err_code name_weight(struct builder *builder, struct err *err)
{
    const char *name = builder->project->weight;
    const struct relation_column *column;

    if (name == NULL)
        return ERR_OK;
    TRY(name_column(builder, NAMED_WEIGHT, "weight", "/weight", name, &builder->schema->weight,
                    err));
    column = &builder->relation->columns[builder->schema->weight];
    if (type_traits(column->type)->is_number)
        return ERR_OK;
    err_set(err, ERR_CONFIG, "key \"weight\": column \"%s\" is of type %s, which is not a number",
            name, column->type_name);
    err_field(err, "/weight");
    err_hint(err, "a weight is 0 or more: cast the column in the view");
    return ERR_CONFIG;
}

/* What a survival's answers need beside the target; -1 where the definition does not name it. */
static enum err_code name_end(struct builder *builder, unsigned named, const char *key,
                              const char *name, bool may_be_bool, int *ret_index, struct err *err)
{
    const struct relation_column *column;
    char pointer[32];

    if (name == NULL)
        return ERR_OK;
    snprintf(pointer, sizeof(pointer), "/%s", key);
    TRY(name_column(builder, named, key, pointer, name, ret_index, err));
    column = &builder->relation->columns[*ret_index];
    if (type_traits(column->type)->is_number || (may_be_bool && column->type == PG_BOOL))
        return ERR_OK;
    err_set(err, ERR_CONFIG, "key \"%s\": column \"%s\" is of type %s, which is not a %s", key,
            name, column->type_name, may_be_bool ? "boolean" : "number");
    err_field(err, "%s", pointer);
    err_hint(err, may_be_bool ? "true or 1 where the event came, false or 0 where it was not seen: "
                                "compute it in the view"
                              : "the latest time at which the event may have come, in the unit of "
                                "the target: cast it in the view");
    return ERR_CONFIG;
}

static enum err_code name_columns(struct builder *builder, struct err *err)
{
    const struct project *project = builder->project;
    struct schema *schema = builder->schema;

    TRY(name_column(builder, NAMED_TARGET, "target", "/target", project->target, &schema->target,
                    err));
    TRY(name_list(builder, NAMED_KEY, "key", &project->key, schema->keys, err));
    schema->n_keys = project->key.n;
    if (project->time != NULL)
        TRY(name_column(builder, NAMED_TIME, "time", "/time", project->time, &schema->time, err));
    TRY(name_group(builder, err));
    TRY(name_weight(builder, err));
    TRY(name_end(builder, NAMED_EVENT, "event", project->event, true, &schema->event, err));
    TRY(name_end(builder, NAMED_UPPER, "target_upper", project->target_upper, false, &schema->upper,
                 err));
    TRY(name_list(builder, NAMED_EXCLUDE, "exclude", &project->exclude, NULL, err));
    TRY(name_list(builder, NAMED_INCLUDE, "include", &project->include, NULL, err));
    TRY(name_overrides(builder, err));
    return check_included(builder, err);
}

bool schema_may_predict(enum pg_type type, enum task task)
{
    return task == TASK_CLASSIFICATION ? type_traits(type)->is_class : type_traits(type)->is_number;
}

/* The task, from the definition or the target's type. */
static enum err_code choose_task(struct builder *builder, struct err *err)
{
    const struct relation_column *target = &builder->relation->columns[builder->schema->target];
    bool is_class = type_traits(target->type)->is_class,
         is_number = type_traits(target->type)->is_number;
    enum task task = builder->project->task;

    if (!is_class && !is_number) {
        err_set(err, ERR_CONFIG,
                "key \"target\": column \"%s\" is of type %s, which cannot be predicted",
                target->name, target->type_name);
        err_field(err, "/target");
        err_hint(err, "a number, a text, a boolean or an enum can: convert it in the view");
        return ERR_CONFIG;
    }
    if (task == TASK_AUTO)
        task = is_number ? TASK_REGRESSION : TASK_CLASSIFICATION;
    if (task != TASK_CLASSIFICATION && !is_number) {
        err_set(err, ERR_CONFIG,
                "key \"task\": %s needs a number, and the target \"%s\" is of type %s",
                task_name(task), target->name, target->type_name);
        err_field(err, "/task");
        err_hint(err, "%s",
                 task == TASK_RANKING
                     ? "the target says how relevant a row is to its list: 0, 1, 2 …"
                 : task == TASK_SURVIVAL
                     ? "the target is the time until the event, as a number: extract(epoch from …)"
                     : "\"task\": \"classification\" predicts which value it is");
        return ERR_CONFIG;
    }
    builder->schema->task = task;
    return ERR_OK;
}

static enum err_code check_time(const struct builder *builder, struct err *err)
{
    const struct relation_column *time;

    if (builder->schema->time < 0) {
        if (builder->project->test_by != TEST_BY_TIME)
            return ERR_OK;
        err_set(err, ERR_CONFIG, "key \"test\": \"by\": \"time\" needs a time column");
        err_field(err, "/test/by");
        err_hint(err, "name the column that orders the rows in the key \"time\"");
        return ERR_CONFIG;
    }
    time = &builder->relation->columns[builder->schema->time];
    if (type_traits(time->type)->is_ordered)
        return ERR_OK;
    err_set(err, ERR_CONFIG,
            "key \"time\": column \"%s\" is of type %s, which does not order rows in time",
            time->name, time->type_name);
    err_field(err, "/time");
    err_hint(err, "a date, a timestamp or a number does");
    return ERR_CONFIG;
}

static enum err_code why_not_type(struct schema *schema, const struct relation_column *column,
                                  const char **ret_why, struct err *err)
{
    CLEANUP(buf_release) struct buf why = {0};

    if (type_traits(column->type)->use == USE_ID)
        buf_printf(&why, "its type %s is an id's; \"as\": \"category\" makes it a feature",
                   column->type_name);
    else
        buf_printf(&why, "its type %s is not used as a feature", column->type_name);
    *ret_why = arena_strdup(&schema->arena, buf_text(&why));
    if (why.failed || *ret_why == NULL)
        return err_nomem(err);
    return ERR_OK;
}

/* Why a column that has no other role is no feature; ret_why NULL when it is one. */
static enum err_code why_left_out(const struct builder *builder, int index, const char **ret_why,
                                  struct err *err)
{
    const struct relation_column *column = &builder->relation->columns[index];
    unsigned named = builder->named[index];

    *ret_why = NULL;
    if (named & NAMED_EXCLUDE)
        *ret_why = "excluded";
    else if (named & NAMED_IGNORE)
        *ret_why = "ignored";
    else if (builder->project->include.n > 0 && !(named & NAMED_INCLUDE))
        *ret_why = "not in include";
    else if (!is_usable(builder, index))
        return why_not_type(builder->schema, column, ret_why, err);
    return ERR_OK;
}

static enum err_code give_roles(struct builder *builder, struct err *err)
{
    struct schema *schema = builder->schema;

    for (int i = 0; i < schema->n_columns; i++) {
        struct schema_column *column = &schema->columns[i];
        unsigned named = builder->named[i];

        column->roles =
            (named & NAMED_TARGET ? COLUMN_TARGET : 0u) | (named & NAMED_KEY ? COLUMN_KEY : 0u) |
            (named & NAMED_TIME ? COLUMN_TIME : 0u) | (named & NAMED_GROUP ? COLUMN_GROUP : 0u) |
            (named & NAMED_WEIGHT ? COLUMN_WEIGHT : 0u) |
            (named & NAMED_EVENT ? COLUMN_EVENT : 0u) | (named & NAMED_UPPER ? COLUMN_UPPER : 0u);
        if (named &
            (NAMED_TARGET | NAMED_KEY | NAMED_GROUP | NAMED_WEIGHT | NAMED_EVENT | NAMED_UPPER))
            continue;
        TRY(why_left_out(builder, i, &column->why, err));
        column->roles |= column->why != NULL ? COLUMN_LEFT_OUT : COLUMN_FEATURE;
        if (column->why == NULL)
            schema->features[schema->n_features++] = i;
    }
    if (schema->n_features > 0)
        return ERR_OK;
    err_set(err, ERR_CONFIG, "relation %s has no column left to predict \"%s\" from",
            builder->relation->name, builder->project->target);
    err_field(err, builder->project->exclude.n > 0 ? "/exclude" : "/relation");
    err_hint(err, "beside the target, key, group, weight and what is left out there must be a "
                  "column of numbers, "
                  "text, booleans, dates or timestamps");
    return ERR_CONFIG;
}

static void add_read(struct schema *schema, int index)
{
    for (int i = 0; i < schema->n_read; i++)
        if (schema->read[i] == index)
            return;
    schema->read[schema->n_read++] = index;
}

static void list_read(struct schema *schema)
{
    add_read(schema, schema->target);
    for (int i = 0; i < schema->n_keys; i++)
        add_read(schema, schema->keys[i]);
    if (schema->time >= 0)
        add_read(schema, schema->time);
    if (schema->group >= 0)
        add_read(schema, schema->group);
    if (schema->weight >= 0)
        add_read(schema, schema->weight);
    if (schema->event >= 0)
        add_read(schema, schema->event);
    if (schema->upper >= 0)
        add_read(schema, schema->upper);
    for (int i = 0; i < schema->n_features; i++)
        add_read(schema, schema->features[i]);
}

void schema_use(struct schema *schema, const int *columns, int n_columns, const char *why)
{
    for (int i = 0; i < schema->n_features; i++) {
        struct schema_column *column = &schema->columns[schema->features[i]];

        column->roles = (column->roles & ~(unsigned)COLUMN_FEATURE) | COLUMN_LEFT_OUT;
        column->why = why;
    }
    for (int i = 0; i < n_columns; i++) {
        struct schema_column *column = &schema->columns[columns[i]];

        column->roles = (column->roles & ~(unsigned)COLUMN_LEFT_OUT) | COLUMN_FEATURE;
        column->why = NULL;
        schema->features[i] = columns[i];
    }
    schema->n_features = n_columns;
    schema->n_read = 0;
    list_read(schema);
}

/* Room for as many as there can be, and the columns as the relation has them. */
static enum err_code schema_init(struct builder *builder, struct err *err)
{
    const struct relation *relation = builder->relation;
    struct schema *schema = builder->schema;
    size_t n = (size_t)relation->n_columns;

    schema->n_columns = relation->n_columns;
    schema->target = schema->time = schema->group = schema->weight = -1;
    schema->event = schema->upper = -1;
    schema->columns = arena_alloc_array(&schema->arena, n, sizeof(*schema->columns));
    schema->keys = arena_alloc_array(&schema->arena, (size_t)builder->project->key.n, sizeof(int));
    schema->features = arena_alloc_array(&schema->arena, n, sizeof(int));
    schema->read = arena_alloc_array(&schema->arena, n, sizeof(int));
    builder->named = arena_alloc_array(&schema->arena, n, sizeof(unsigned));
    if (schema->columns == NULL || schema->keys == NULL || schema->features == NULL ||
        schema->read == NULL || builder->named == NULL)
        return err_nomem(err);
    for (int i = 0; i < relation->n_columns; i++)
        schema->columns[i] = (struct schema_column){.name = relation->columns[i].name,
                                                    .type = relation->columns[i].type,
                                                    .relation_index = i};
    return ERR_OK;
}

enum err_code schema_new(const struct project *project, const struct relation *relation,
                         struct schema **ret_schema, struct err *err)
{
    CLEANUP(schema_freep) struct schema *schema = calloc(1, sizeof(*schema));
    struct builder builder = {.project = project, .relation = relation, .schema = schema};

    if (schema == NULL)
        return err_nomem(err);
    TRY(schema_init(&builder, err));
    TRY(name_columns(&builder, err));
    TRY(choose_task(&builder, err));
    TRY(check_time(&builder, err));
    TRY(give_roles(&builder, err));
    list_read(schema);
    *ret_schema = TAKE_PTR(schema);
    return ERR_OK;
}
