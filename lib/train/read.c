#include "train/read.h"

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

enum err_code read_rows(struct pg *reader, const struct relation *relation,
                        const struct schema *schema, const struct model *const *models,
                        int n_models, frame_progress_fn progress, void *context,
                        struct frame **ret_frame, struct err *err)
{
    const struct frame_limits limits = {0};
    CLEANUP(free_ptr) int *columns = calloc((size_t)relation->n_columns + 1, sizeof(*columns));
    enum err_code code;
    int n = 0;

    if (columns == NULL)
        return err_nomem(err);
    for (int i = 0; i < schema->n_read; i++)
        columns[n++] = schema->columns[schema->read[i]].relation_index;
    for (int i = 0; i < n_models; i++)
        add_columns_of(models[i], relation, columns, &n);
    code = frame_read(reader, relation, columns, n, &limits, progress, context, ret_frame, err);
    if (code == ERR_SQL) {
        err_prefix(err, "reading relation \"%s\"", relation->name);
        if (err != NULL && err->hint[0] == '\0')
            err_hint(err,
                     "an expression of the view failed on some row: SELECT * FROM %s in psql "
                     "shows it",
                     relation->name);
    }
    return code;
}
