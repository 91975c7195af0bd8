#include "train/import.h"

#include <string.h>

#include "base/json.h"
#include "base/nearest.h"
#include "search/algorithm.h"
#include "train/candidate.h"
#include "train/objective.h"
#include "train/read.h"
#include "xgb/booster.h"

/* No rule of ours: nobody here knows which rows the model has learnt from, so that it is not
 * compared with others on rows it may have seen. */
#define SPLIT_ELSEWHERE "{\"by\": \"elsewhere\"}"

/* What an import has in hand; each step fills its part and the cleanup releases all. */
struct import {
    const struct train_options *options;
    const struct import_request *request;
    struct pg *pg; /* the catalog's */
    struct project_rows row;
    struct project *project, any; /* any: its features are whatever the model reads */
    struct saved_model saved;
    struct relation *relation;
    struct schema *schema;
    struct frame *frame; /* until the dataset takes it */
    struct dataset *dataset;
    struct rows training;
    struct encoder *encoder;
    const struct metric *metric;
    struct candidate candidate;
};

static void import_release(struct import *import)
{
    candidate_release(&import->candidate);
    encoder_free(import->encoder);
    rows_release(&import->training);
    dataset_free(import->dataset);
    frame_free(import->frame);
    schema_free(import->schema);
    relation_free(import->relation);
    saved_model_release(&import->saved);
    project_free(import->project);
    project_rows_release(&import->row);
    pg_close(import->pg);
}

/* The project ---------------------------------------------------------------------------------- */

static enum err_code step_project(struct import *import, struct err *err)
{
    const struct pg_options options = {.dsn = import->options->dsn,
                                       .application_name = "pgboost-worker"};
    const char *definition;

    TRY(pg_connect(&options, &import->pg, err));
    TRY(catalog_check_version(import->pg, err));
    TRY(catalog_projects(import->pg, import->request->project, &import->row, err));
    definition = import->row.items[0].definition;
    return project_parse(definition, strlen(definition), import->request->project, &import->project,
                         err);
}

/* The file ------------------------------------------------------------------------------------- */

static enum err_code step_file(struct import *import, struct err *err)
{
    CLEANUP(buf_release) struct buf file = {0};
    struct candidate *candidate = &import->candidate;
    enum err_code code;

    TRY(buf_read_file(&file, import->request->file, MODEL_BYTES_MAX, err));
    code = saved_model_read(file.data, file.length, &import->saved, &candidate->bytes, err);
    if (code != ERR_OK) {
        err_prefix(err, "\"%s\"", import->request->file);
        return code;
    }
    if (import->saved.names == NULL) {
        err_set(err, ERR_INVALID, "\"%s\": the model's features have no names",
                import->request->file);
        return err_hint(err, "train it on a pandas DataFrame, or set booster.feature_names to the "
                             "relation's columns before saving");
    }
    return ERR_OK;
}

/* Features and columns ------------------------------------------------------------------------- */

static enum err_code no_column(const struct import *import, const char *name, struct err *err)
{
    const struct relation *relation = import->relation;
    CLEANUP(free_ptr) const char **names = calloc((size_t)relation->n_columns + 1, sizeof(char *));
    const char *nearest = NULL;

    if (names == NULL)
        return err_nomem(err);
    for (int i = 0; i < relation->n_columns; i++)
        names[i] = relation->columns[i].name;
    nearest = nearest_name(name, names, relation->n_columns);
    err_set(err, ERR_CONFLICT,
            "the model reads a feature \"%s\", and relation %s has no such column", name,
            relation->name);
    if (nearest != NULL)
        return err_hint(err, "did it learn from \"%s\"?", nearest);
    return err_hint(err, "features must be named after columns");
}

/* Why a column cannot be the feature of its name; NULL when it can. */
static const char *why_no_feature(const struct schema_column *column)
{
    if (column->roles & COLUMN_TARGET)
        return "the column is the target";
    if (column->roles & COLUMN_KEY)
        return "the column is part of the key";
    if (column->roles & COLUMN_GROUP)
        return "the column is the group";
    if (column->roles & COLUMN_WEIGHT)
        return "the column is the weight";
    if (column->roles & (COLUMN_EVENT | COLUMN_UPPER))
        return "the column is a part of the answer";
    return column->roles & COLUMN_FEATURE ? NULL : column->why;
}

static enum err_code find_column(const struct import *import, int feature, int *columns,
                                 struct err *err)
{
    const char *name = import->saved.names[feature], *why;
    int index = relation_find(import->relation, name);

    if (index < 0)
        return no_column(import, name, err);
    why = why_no_feature(&import->schema->columns[index]);
    for (int i = 0; i < feature && why == NULL; i++)
        if (columns[i] == index)
            why = "the model has it twice";
    if (why != NULL)
        return err_set(err, ERR_CONFLICT, "the model reads a feature \"%s\": %s", name, why);
    columns[feature] = index;
    return ERR_OK;
}

/* The definition's choice of features is for training here: a model that is there reads what it
 * reads. */
static enum err_code step_columns(struct import *import, struct err *err)
{
    int n = import->saved.n_features;
    CLEANUP(free_ptr) int *columns = NULL;

    import->any = *import->project;
    import->any.include.n = import->any.exclude.n = import->any.n_overrides = 0;
    TRY(schema_new(&import->any, import->relation, &import->schema, err));
    /* enough for any number of features: one more than there are columns is there twice */
    columns = calloc((size_t)import->relation->n_columns + 1, sizeof(*columns));
    if (columns == NULL)
        return err_nomem(err);
    for (int i = 0; i < n; i++)
        TRY(find_column(import, i, columns, err));
    schema_use(import->schema, columns, n, "the imported model does not read it");
    return ERR_OK;
}

/* Rows ----------------------------------------------------------------------------------------- */

static enum err_code step_rows(struct import *import, struct err *err)
{
    const struct pg_options options = {
        .dsn = import->options->read_dsn,
        .application_name = "pgboost-worker (read)",
        .statement_timeout_ms = READ_SILENCE_MS,
        .read_only = true,
    };
    struct read_request request = {.project = import->project, .spill = import->options->spill};
    CLEANUP(pg_closep) struct pg *pg = NULL;

    TRY(pg_connect(&options, &pg, err));
    TRY(relation_open(pg, import->project->relation, &import->relation, err));
    TRY(step_columns(import, err));
    request.relation = import->relation;
    request.schema = import->schema;
    TRY(read_rows(pg, &request, &import->frame, err));
    TRY(dataset_new(import->project, import->schema, import->frame, &import->dataset, err));
    import->frame = NULL;
    return dataset_training_rows(import->dataset, false, &import->training, err);
}

/* One number a column, or the file's author alone knows what the feature means. */
static enum err_code check_feature(const struct import *import, const struct encoder_column *column,
                                   int feature, struct err *err)
{
    const char *const *types = import->saved.types;

    if (types != NULL && strcmp(types[feature], "c") == 0) {
        err_set(err, ERR_CONFLICT,
                "the model reads feature \"%s\" as a category, and the file does not say which "
                "code is which",
                column->name);
        return err_hint(err, "train it on columns of numbers and booleans; a view can make them");
    }
    if (column->n_features == 1 &&
        (column->encoding == ENCODE_BOOL || column->encoding == ENCODE_NUMBER))
        return ERR_OK;
    err_set(err, ERR_CONFLICT,
            "the model reads feature \"%s\", and the column of type %s is not one number",
            column->name, pg_type_name(column->type));
    return err_hint(err, "columns of numbers and booleans can be read; a view can make them");
}

static enum err_code step_encoder(struct import *import, struct err *err)
{
    struct encoder_target target = dataset_encoder_target(import->dataset);
    const struct encoder *encoder;

    TRY(encoder_fit(import->schema, &import->any, import->dataset->frame, import->training.items,
                    import->training.n, &target, &import->encoder, err));
    encoder = import->encoder;
    for (int i = 0; i < encoder->n_columns; i++)
        TRY(check_feature(import, &encoder->columns[i], i, err));
    return encoder_to_json(encoder, &import->candidate.encoder, err);
}

/* The model ------------------------------------------------------------------------------------ */

/* As if it had been trained here: a model of one round with many trees is a random forest. */
static const char *algorithm_of_model(const struct import *import, const struct forest *forest)
{
    bool is_one_round =
        import->saved.n_rounds == 1 && forest_n_trees(forest) > forest_n_outputs(forest);

    return algorithm_name(algorithm_of_booster(forest_booster(forest), is_one_round)->id);
}

static void put_hyperparams(const struct import *import, const struct forest *forest,
                            struct buf *json)
{
    buf_puts(json, "{\"objective\":");
    json_put_text(json, forest_objective(forest));
    buf_printf(json, ",\"n_estimators\":%d}", import->saved.n_rounds);
}

/* Scores and times come from objectives of their own: rank:…, and the survival that the project's
 * metrics are for. */
static bool is_of_task(const char *objective, const struct dataset *dataset)
{
    if (dataset->task == METRIC_RANKING)
        return strncmp(objective, "rank:", 5) == 0;
    if (dataset->task == METRIC_SURVIVAL)
        return strcmp(objective, dataset->hazards ? "survival:cox" : "survival:aft") == 0;
    return true;
}

/* What the project's task can do with. */
static enum err_code check_task(const struct import *import, const struct forest *forest,
                                struct err *err)
{
    int n_classes = dataset_n_classes(import->dataset), n_outputs = forest_n_outputs(forest);
    const char *wanted = n_classes == 2 ? "binary:logistic" : "multi:softprob";

    if (n_outputs != (n_classes > 2 ? n_classes : 1))
        err_set(err, ERR_CONFLICT, "the model has %d output%s, and the target \"%s\" %s", n_outputs,
                n_outputs == 1 ? "" : "s", import->project->target,
                n_classes == 0 ? "is a number" : "has other classes");
    else if (!is_of_task(forest_objective(forest), import->dataset))
        err_set(err, ERR_CONFLICT, "the model's objective is %s, and the project's task is %s",
                forest_objective(forest), task_name(import->schema->task));
    else if (n_classes > 0 && strcmp(forest_objective(forest), wanted) != 0)
        err_set(err, ERR_CONFLICT, "the model's objective is %s, and %d classes need %s",
                forest_objective(forest), n_classes, wanted);
    else
        return ERR_OK;
    if (n_classes > 0)
        return err_hint(err, "the project's target has %d classes", n_classes);
    return err_hint(err, "the project's task is %s", task_name(import->schema->task));
}

static enum err_code step_model(struct import *import, struct err *err)
{
    const struct model_row about = {
        .project_id = import->row.items[0].id,
        .project = import->project->name,
        .task = task_name(import->schema->task),
        .metric = import->row.items[0].metric,
    };
    struct candidate *candidate = &import->candidate;
    CLEANUP(forest_freep) struct forest *forest = NULL;

    TRY(forest_load((const uint8_t *)candidate->bytes.data, candidate->bytes.length, &forest, err));
    TRY(check_task(import, forest, err));
    candidate->algorithm = algorithm_of_model(import, forest);
    put_hyperparams(import, forest, &candidate->hyperparams);
    TRY(buf_check(&candidate->hyperparams, err));
    TRY(candidate_prove(candidate, import->encoder, import->dataset, err));
    return candidate_open(candidate, import->dataset, &about, err);
}

static enum err_code step_measure(struct import *import, struct err *err)
{
    struct candidate *candidate = &import->candidate;

    TRY(key_metric_of(import->project, import->schema->task, dataset_n_classes(import->dataset),
                      &import->metric, err));
    TRY(candidate_measure(candidate, import->project, import->dataset, &import->training,
                          import->metric, err));
    buf_printf(&candidate->metrics, ",\"rounds\":%d}", import->saved.n_rounds);
    return buf_check(&candidate->metrics, err);
}

typedef enum err_code (*import_step_fn)(struct import *import, struct err *err);
static const import_step_fn import_steps[] = {
    step_project, step_file, step_rows, step_encoder, step_model, step_measure,
};

static enum err_code import_all(struct import *import, int64_t *ret_model_id, struct err *err)
{
    struct new_model row;
    int64_t model_id;
    bool changed;

    for (size_t i = 0; i < N_ELEMENTS(import_steps); i++)
        TRY(import_steps[i](import, err));
    row = candidate_row(&import->candidate, import->project, import->metric, SPLIT_ELSEWHERE);
    TRY(catalog_insert_model(import->pg, import->row.items[0].id, &row, &model_id, err));
    if (import->request->deploy && catalog_deploy(import->pg, import->project->name, model_id,
                                                  "import", NULL, &changed, err) != ERR_OK)
        return err_prefix(err, "model %lld was imported and is not live", (long long)model_id);
    *ret_model_id = model_id;
    return ERR_OK;
}

enum err_code train_import(const struct train_options *options,
                           const struct import_request *request, int64_t *ret_model_id,
                           struct err *err)
{
    struct import import = {.options = options, .request = request};
    enum err_code code = import_all(&import, ret_model_id, err);

    import_release(&import);
    return code;
}
