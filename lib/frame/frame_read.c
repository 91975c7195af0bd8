/* From a relation into a frame. */
#include "frame/internal.h"

#define PROGRESS_ROWS 10000

/* What one read needs at hand. */
struct reading {
    struct frame *frame;
    int n_columns;
    struct pg_field *fields;        /* [n_columns] */
    struct cell *cells;             /* [n_columns] */
    struct cell_scratch *scratches; /* [n_columns]: a row's lists are there at the same time */
};

static enum err_code new_frame(const struct relation *relation, const int *columns, int n_columns,
                               struct frame **ret_frame, struct err *err)
{
    CLEANUP(free_ptr) const char **names = calloc((size_t)n_columns + 1, sizeof(*names));
    CLEANUP(free_ptr) enum pg_type *types = calloc((size_t)n_columns + 1, sizeof(*types));

    if (names == NULL || types == NULL)
        return err_nomem(err);
    for (int i = 0; i < n_columns; i++) {
        names[i] = relation->columns[columns[i]].name;
        types[i] = relation->columns[columns[i]].type;
    }
    return frame_new(names, types, n_columns, ret_frame, err);
}

static enum err_code take_row(struct reading *reading, struct err *err)
{
    for (int i = 0; i < reading->frame->n_columns; i++) {
        const struct column *column = &reading->frame->columns[i];
        const struct pg_field *field = &reading->fields[i];
        enum err_code code = ERR_OK;

        if (field->data == NULL)
            reading->cells[i] = (struct cell){.kind = column->kind, .is_null = true};
        else
            code = cell_from_binary(column->type, field->data, field->n_bytes,
                                    &reading->scratches[i], &reading->cells[i], err);
        if (code != ERR_OK) {
            err_prefix(err, "column \"%s\"", column->name);
            return code;
        }
    }
    return frame_append(reading->frame, reading->cells, err);
}

static enum err_code take_rows(struct reading *reading, struct pg_copy *copy,
                               frame_progress_fn progress, void *context, struct err *err)
{
    for (;;) {
        bool done;

        TRY(pg_copy_next(copy, reading->fields, &done, err));
        if (done)
            return ERR_OK;
        TRY(take_row(reading, err));
        if (progress != NULL && reading->frame->n_rows % PROGRESS_ROWS == 0)
            TRY(progress(context, reading->frame->n_rows, err));
    }
}

static enum err_code reading_init(struct reading *reading, size_t n_columns, struct err *err)
{
    reading->fields = calloc(n_columns + 1, sizeof(*reading->fields));
    reading->cells = calloc(n_columns + 1, sizeof(*reading->cells));
    reading->scratches = calloc(n_columns + 1, sizeof(*reading->scratches));
    if (reading->fields == NULL || reading->cells == NULL || reading->scratches == NULL)
        return err_nomem(err);
    return ERR_OK;
}

static void reading_release(struct reading *reading)
{
    if (reading->scratches != NULL)
        for (int i = 0; i < reading->n_columns; i++)
            cell_scratch_release(&reading->scratches[i]);
    free(reading->fields);
    free(reading->cells);
    free(reading->scratches);
    frame_free(reading->frame);
}

static enum err_code open_copy(struct pg *pg, const struct relation *relation, const int *columns,
                               int n_columns, const struct pg_copy_tape *tape,
                               struct pg_copy **ret_copy, struct err *err)
{
    if (tape != NULL && tape->next != NULL)
        return pg_copy_replay(tape, n_columns, ret_copy, err);
    TRY(relation_copy(pg, relation, columns, n_columns, ret_copy, err));
    if (tape != NULL)
        pg_copy_keep(*ret_copy, tape);
    return ERR_OK;
}

enum err_code frame_read(struct pg *pg, const struct relation *relation, const int *columns,
                         int n_columns, const struct frame_options *options,
                         frame_progress_fn progress, void *context, struct frame **ret_frame,
                         struct err *err)
{
    CLEANUP(pg_copy_closep) struct pg_copy *copy = NULL;
    CLEANUP(reading_release) struct reading reading = {.n_columns = n_columns};

    TRY(reading_init(&reading, (size_t)n_columns, err));
    TRY(new_frame(relation, columns, n_columns, &reading.frame, err));
    if (options != NULL)
        frame_set_options(reading.frame, options);
    TRY(open_copy(pg, relation, columns, n_columns, options != NULL ? options->tape : NULL, &copy,
                  err));
    TRY(take_rows(&reading, copy, progress, context, err));
    if (pg != NULL)
        pg_rollback(pg); /* the snapshot need not outlive the rows */
    TRY(frame_finish(reading.frame, err));
    *ret_frame = TAKE_PTR(reading.frame);
    return ERR_OK;
}
