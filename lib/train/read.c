#include "train/read.h"

#include "split/split.h"

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

static enum err_code explain(enum err_code code, const struct relation *relation, struct err *err)
{
    if (code != ERR_SQL)
        return code;
    err_prefix(err, "reading relation \"%s\"", relation->name);
    if (err != NULL && err->hint[0] == '\0')
        err_hint(err,
                 "an expression of the view failed on some row: SELECT * FROM %s in psql shows it",
                 relation->name);
    return code;
}

enum err_code read_rows(struct pg *reader, const struct read_request *request,
                        struct frame **ret_frame, struct err *err)
{
    const struct relation *relation = request->relation;
    const struct schema *schema = request->schema;
    size_t n_most = (size_t)relation->n_columns + 1;
    CLEANUP(free_ptr) int *columns = calloc(n_most, sizeof(*columns));
    CLEANUP(free_ptr) int *key_columns = calloc(n_most, sizeof(*key_columns));
    CLEANUP(free_ptr) enum pg_type *key_types = calloc(n_most, sizeof(*key_types));
    CLEANUP(key_release) struct split_key key = {0};
    const struct frame_order order = {split_key_hash, &key};
    const struct frame_options options = {.order = &order, .spill = request->spill};
    int n = 0;

    if (columns == NULL || key_columns == NULL || key_types == NULL)
        return err_nomem(err);
    for (int i = 0; i < schema->n_read; i++)
        columns[n++] = schema->columns[schema->read[i]].relation_index;
    for (int i = 0; i < request->n_models; i++)
        add_columns_of(request->models[i], relation, columns, &n);
    TRY(find_key(request, key_columns, key_types, &key, err));
    return explain(frame_read(reader, relation, columns, n, &options, request->progress,
                              request->context, ret_frame, err),
                   relation, err);
}
