#include "train/read.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/json.h"
#include "split/split.h"

#define MISSING_BYTES_MAX 480 /* of an error's message: then it says how many more there are */

static bool contains(const int *columns, int n, int column)
{
    for (int i = 0; i < n; i++)
        if (columns[i] == column)
            return true;
    return false;
}

static void add_columns_of(const struct model *model, const struct relation *relation, int *columns,
                           int *n)
{
    for (int i = 0; i < model->encoder->n_columns; i++) {
        const struct encoder_column *column = &model->encoder->columns[i];
        int index = relation_find(relation, column->name);

        if (index >= 0 && relation->columns[index].type == column->type &&
            !contains(columns, *n, index))
            columns[(*n)++] = index;
    }
}

/* The split's key among the columns that are read: the project's, or the whole row as its
 * definition reads it, without what was read for other models. */
static enum err_code find_key(const struct read_request *request, int *columns, enum pg_type *types,
                              struct split_key *ret_key, struct err *err)
{
    const struct schema *schema = request->schema;
    int n = schema->n_keys > 0 ? schema->n_keys : schema->n_read;

    for (int i = 0; i < n; i++) {
        int wanted = schema->n_keys > 0 ? schema->keys[i] : schema->read[i];

        columns[i] = 0;
        while (columns[i] < schema->n_read && schema->read[columns[i]] != wanted)
            columns[i]++;
        if (columns[i] == schema->n_read)
            return err_set(err, ERR_CONFIG, "key \"%s\" is not among the columns that are read",
                           schema->columns[wanted].name);
        types[i] = schema->columns[wanted].type;
    }
    *ret_key = (struct split_key){
        .seed = request->project->seed, .n_columns = n, .columns = columns, .types = types};
    return ERR_OK;
}

static void key_release(struct split_key *key)
{
    buf_release(&key->text);
}

/* A ranking's rows by the hash of their list, then by their own: lists lie together, and what goes
 * through them list by list goes through the frame in order. */
struct list_key {
    struct split_key group;
    struct split_key *row; /* the caller's */
};

static void list_key_release(struct list_key *key)
{
    key_release(&key->group);
}

static enum err_code list_key_hash(void *context, const struct cell *cells, uint64_t *ret_hash,
                                   struct err *err)
{
    struct list_key *key = context;
    uint64_t group, row;

    TRY(split_key_hash(&key->group, cells, &group, err));
    TRY(split_key_hash(key->row, cells, &row, err));
    *ret_hash = group >> (SPLIT_HASH_BITS - 32) << 32 | row >> (SPLIT_HASH_BITS - 32);
    return ERR_OK;
}

/* place: of the group among the cells. */
static void find_group(const struct read_request *request, struct split_key *key, int *place,
                       enum pg_type *type, struct list_key *ret_key)
{
    const struct schema *schema = request->schema;

    *place = 0;
    while (schema->read[*place] != schema->group)
        ++*place;
    *type = schema->columns[schema->group].type;
    *ret_key = (struct list_key){
        .group = {.seed = request->project->seed, .n_columns = 1, .columns = place, .types = type},
        .row = key};
}

static enum err_code explain(enum err_code code, const struct relation *relation, struct err *err)
{
    if (code != ERR_SQL)
        return code;
    err_prefix(err, "reading relation \"%s\"", relation->name);
    if (err != NULL && strcmp(err->sqlstate, "22021") == 0)
        err_hint(err, "a text there is in another encoding: convert it in the view, or \"exclude\" "
                      "its column");
    else if (err != NULL && err->hint[0] == '\0')
        err_hint(err,
                 "an expression of the view failed on some row: SELECT * FROM %s in psql shows it",
                 relation->name);
    return code;
}

/* schema->read's columns, then those of the models, as indices into the relation's. */
static enum err_code find_columns(const struct read_request *request, int **ret_columns, int *ret_n,
                                  struct err *err)
{
    const struct schema *schema = request->schema;
    int *columns = calloc((size_t)request->relation->n_columns + 1, sizeof(*columns));
    int n = 0;

    if (columns == NULL)
        return err_nomem(err);
    for (int i = 0; i < schema->n_read; i++)
        columns[n++] = schema->columns[schema->read[i]].relation_index;
    for (int i = 0; i < request->n_models; i++)
        add_columns_of(request->models[i], request->relation, columns, &n);
    *ret_columns = columns;
    *ret_n = n;
    return ERR_OK;
}

enum err_code read_columns(const struct read_request *request, struct buf *text, struct err *err)
{
    CLEANUP(free_ptr) int *columns = NULL;
    int n;

    TRY(find_columns(request, &columns, &n, err));
    buf_printf(text, "%s\n", request->relation->name);
    for (int i = 0; i < n; i++) {
        const struct relation_column *column = &request->relation->columns[columns[i]];

        json_put_text(text, column->name);
        buf_printf(text, " %s %s\n", pg_type_name(column->type), column->type_name);
    }
    return buf_check(text, err);
}

enum err_code read_rows(struct pg *reader, const struct read_request *request,
                        struct frame **ret_frame, struct err *err)
{
    const struct relation *relation = request->relation;
    size_t n_most = (size_t)relation->n_columns + 1;
    CLEANUP(free_ptr) int *columns = NULL;
    CLEANUP(free_ptr) int *key_columns = calloc(n_most, sizeof(*key_columns));
    CLEANUP(free_ptr) enum pg_type *key_types = calloc(n_most, sizeof(*key_types));
    CLEANUP(key_release) struct split_key key = {0};
    CLEANUP(list_key_release) struct list_key list = {0};
    struct frame_order order = {split_key_hash, &key};
    const struct frame_options options = {
        .order = &order, .spill = request->spill, .tape = request->tape};
    enum pg_type group_type;
    int n, group;

    if (key_columns == NULL || key_types == NULL)
        return err_nomem(err);
    TRY(find_columns(request, &columns, &n, err));
    TRY(find_key(request, key_columns, key_types, &key, err));
    if (request->schema->task == TASK_RANKING) {
        find_group(request, &key, &group, &group_type, &list);
        order = (struct frame_order){list_key_hash, &list};
    }
    return explain(frame_read(reader, relation, columns, n, &options, request->progress,
                              request->context, ret_frame, err),
                   relation, err);
}

/* What a relation lacks that a model needs. */
struct lack {
    int n, n_named;
    struct buf text;
};

static void lack_release(struct lack *lack)
{
    buf_release(&lack->text);
}

PRINTF_LIKE(3, 4)
static void add_lack(struct lack *lack, const char *column, const char *format, ...)
{
    CLEANUP(buf_release) struct buf item = {0};
    va_list args;
    char what[160];

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    buf_printf(&item, "%s\"%s\" %s", lack->n > 0 ? ", " : "", column, what);
    lack->n++;
    if (lack->n_named + 1 < lack->n || lack->text.length + item.length > MISSING_BYTES_MAX)
        return; /* the first that finds no room ends the list */
    lack->n_named++;
    buf_append(&lack->text, buf_text(&item), item.length);
}

static void check_target(const struct relation *relation, const struct model *model,
                         const char *target, struct lack *lack)
{
    int index = relation_find(relation, target);

    if (index < 0)
        add_lack(lack, target, "(the target) is not there");
    else if (!schema_may_predict(relation->columns[index].type, model->task))
        add_lack(lack, target, "(the target) is of type %s and %s",
                 relation->columns[index].type_name,
                 model->task == TASK_CLASSIFICATION ? "no class" : "no number");
}

/* The column that an answer of this task is made of beside the target; NULL: none. */
static const char *beside_target(const struct project *project, enum task task)
{
    if (task == TASK_RANKING)
        return project->group;
    if (task != TASK_SURVIVAL)
        return NULL;
    return project->event != NULL ? project->event : project->target_upper;
}

static void check_beside(const struct relation *relation, const struct project *project,
                         enum task task, struct lack *lack)
{
    const char *name = beside_target(project, task);
    int index = name != NULL ? relation_find(relation, name) : -1;
    enum pg_type type;

    if (name == NULL) {
        if (task == TASK_RANKING || task == TASK_SURVIVAL)
            add_lack(lack, project->target, "is of another task in the project's definition");
        return;
    }
    if (index < 0) {
        add_lack(lack, name, "(%s) is not there",
                 task == TASK_RANKING     ? "the group"
                 : project->event != NULL ? "the event"
                                          : "the target's upper end");
        return;
    }
    type = relation->columns[index].type;
    if (task == TASK_SURVIVAL && !schema_may_predict(type, task) &&
        !(project->event != NULL && type == PG_BOOL))
        add_lack(lack, name, "is of type %s and no number", relation->columns[index].type_name);
}

static void check_column(const struct relation *relation, const struct encoder_column *column,
                         struct lack *lack)
{
    int index = relation_find(relation, column->name);

    if (index < 0)
        add_lack(lack, column->name, "is not there");
    else if (relation->columns[index].type != column->type)
        add_lack(lack, column->name, "is %s in place of %s",
                 pg_type_name(relation->columns[index].type), pg_type_name(column->type));
}

static enum err_code check_labelled(const struct read_request *request, const char *target,
                                    struct err *err)
{
    const struct relation *relation = request->relation;
    const struct model *model = request->models[0];
    CLEANUP(lack_release) struct lack lack = {0};

    check_target(relation, model, target, &lack);
    check_beside(relation, request->project, model->task, &lack);
    for (int i = 0; i < model->encoder->n_columns; i++)
        check_column(relation, &model->encoder->columns[i], &lack);
    if (lack.n == 0)
        return ERR_OK;
    if (lack.n_named < lack.n)
        buf_printf(&lack.text, " and %d more", lack.n - lack.n_named);
    TRY(buf_check(&lack.text, err));
    err_set(err, ERR_CONFLICT, "model %lld cannot be measured on relation %s: %s",
            (long long)model->id, relation->name, buf_text(&lack.text));
    return err_hint(err, "a view can name and cast columns as the model has them");
}

enum err_code read_labelled(struct pg *reader, const struct read_request *request,
                            const char *target, struct frame **ret_frame, struct err *err)
{
    const struct relation *relation = request->relation;
    const char *beside = beside_target(request->project, request->models[0]->task);
    CLEANUP(free_ptr) int *columns = calloc((size_t)relation->n_columns + 1, sizeof(*columns));
    const char *weight = request->project->weight;
    CLEANUP(key_release) struct split_key key = {.n_columns = 1};
    const struct frame_order by_list = {split_key_hash, &key};
    struct frame_options options = {.spill = request->spill};
    int n = 1, place, index;

    if (columns == NULL)
        return err_nomem(err);
    TRY(check_labelled(request, target, err));
    columns[0] = relation_find(relation, target);
    if (beside != NULL && !contains(columns, n, relation_find(relation, beside)))
        columns[n++] = relation_find(relation, beside);
    if (request->models[0]->task == TASK_RANKING) {
        place = n - 1;
        key.columns = &place;
        key.types = &relation->columns[columns[place]].type;
        options.order = &by_list;
    }
    add_columns_of(request->models[0], relation, columns, &n);
    index = weight != NULL ? relation_find(relation, weight) : -1;
    if (index >= 0 && !contains(columns, n, index))
        columns[n++] = index;
    return explain(frame_read(reader, relation, columns, n, &options, request->progress,
                              request->context, ret_frame, err),
                   relation, err);
}
