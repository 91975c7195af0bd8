#include "train/dataset_internal.h"

#include <string.h>

static enum split_by choose_split(const struct project *project, const struct dataset *dataset)
{
    /* of classes, and of who is censored */
    enum split_by by_hash = dataset->task == METRIC_REGRESSION ? SPLIT_RANDOM : SPLIT_STRATIFIED;

    switch (project->test_by) {
    case TEST_BY_RANDOM:
        return SPLIT_RANDOM;
    case TEST_BY_STRATIFIED:
        return by_hash;
    case TEST_BY_TIME:
        return SPLIT_TIME;
    case TEST_BY_GROUP:
        return SPLIT_GROUP;
    case TEST_BY_AUTO:
        break;
    }
    if (dataset->schema->time >= 0)
        return SPLIT_TIME;
    if (dataset->schema->group >= 0)
        return SPLIT_GROUP;
    return by_hash;
}

static enum err_code find_twins(const struct project *project, struct dataset *dataset,
                                const struct rows *rows, struct err *err)
{
    const struct schema *schema = dataset->schema;
    CLEANUP(free_ptr) int *columns = calloc((size_t)schema->n_features + 1, sizeof(*columns));

    if (columns == NULL)
        return err_nomem(err);
    for (int i = 0; i < schema->n_features; i++)
        columns[i] = dataset_column(dataset, schema->features[i]);
    return twins_find(dataset->frame, columns, schema->n_features, rows->items, rows->n,
                      project->seed, dataset->frame->keys, &dataset->twins, err);
}

/* By hash: twins together. Where they leave nothing for one of the parts, each goes its own way. */
static enum err_code split_by_hash(const struct project *project, struct dataset *dataset,
                                   const struct rows *rows, struct split_options *options,
                                   struct err *err)
{
    enum err_code code;

    TRY(find_twins(project, dataset, rows, err));
    options->places = dataset->twins.places;
    code = split_new(dataset->frame, rows->items, rows->n, options, &dataset->split, err);
    dataset->together = code == ERR_OK && options->places != NULL;
    if (code == ERR_DATA && options->places != NULL) {
        options->places = NULL;
        code = split_new(dataset->frame, rows->items, rows->n, options, &dataset->split, err);
    }
    free(dataset->twins.places);
    dataset->twins.places = NULL;
    return code;
}

static enum err_code split_by_group(const struct project *project, struct dataset *dataset,
                                    const struct rows *rows, struct split_options *options,
                                    struct err *err)
{
    const struct frame *frame = dataset->frame;
    CLEANUP(free_ptr) uint64_t *places = NULL;

    TRY(split_group_places(&frame->columns[dataset_column(dataset, dataset->schema->group)],
                           project->seed, frame->keys, frame->n_rows, &places, err));
    options->places = places;
    return split_new(frame, rows->items, rows->n, options, &dataset->split, err);
}

/* Whole lists go by the time of their newest row: none that trains is newer than one that validates
 * or tests. */
static enum err_code split_by_time(struct dataset *dataset, const struct rows *rows,
                                   struct split_options *options, struct err *err)
{
    CLEANUP(free_ptr) int64_t *times = NULL;

    if (dataset->lists != NULL)
        TRY(dataset_list_times(dataset, rows, &times, err));
    options->times = times;
    return split_new(dataset->frame, rows->items, rows->n, options, &dataset->split, err);
}

/* Few rows: a hold-out of them would be a matter of luck, and several fits take no time. */
#define FOLDS_ROWS  1000
#define FOLDS_CELLS 100000
#define FOLDS_FEW   5

static int n_folds_of(const struct project *project, const struct dataset *dataset,
                      const struct rows *rows)
{
    size_t n_features = (size_t)dataset->schema->n_features;

    if (project->search_folds > 0)
        return project->search_folds;
    return rows->n < FOLDS_ROWS && rows->n * n_features <= FOLDS_CELLS ? FOLDS_FEW : 1;
}

/* What the split left a fold to learn from. */
static enum err_code check_training(const struct dataset *dataset, const struct rows *train,
                                    struct err *err)
{
    const char *target = dataset->frame->columns[0].name;
    double first = dataset->y[train->items[0]];

    for (size_t i = 1; i < train->n; i++)
        if (dataset->y[train->items[i]] != first ||
            (dataset->upper != NULL &&
             dataset->upper[train->items[i]] != dataset->upper[train->items[0]]))
            return ERR_OK;
    if (dataset_n_classes(dataset) == 0)
        err_set(err, ERR_DATA, "target \"%s\" is %g in all %zu training rows", target, first,
                train->n);
    else
        err_set(err, ERR_DATA, "target \"%s\" is \"%s\" in all %zu training rows", target,
                dataset->labels.items[(int)first].text, train->n);
    if (dataset->split_by == SPLIT_TIME)
        return err_hint(err, "there is nothing to learn: what differs is newer; \"test\": {\"by\": "
                             "\"random\"} would mix old and new");
    return err_hint(err, "there is nothing to learn from an answer that is always the same");
}

/* Lists that have an order, times at which events came. */
static enum err_code check_answers(const struct dataset *dataset, const struct rows *rows,
                                   const char *name, struct err *err)
{
    TRY(dataset_check_lists(dataset, rows, name, err));
    return dataset_check_times(dataset, rows, name, err);
}

static enum err_code check_fold(const struct dataset *dataset, const struct fold *fold,
                                struct err *err)
{
    TRY(dataset_check_weight(dataset, &fold->train, "training", err));
    TRY(dataset_check_weight(dataset, &fold->valid, "validation", err));
    TRY(check_training(dataset, &fold->train, err));
    TRY(check_answers(dataset, &fold->train, "training", err));
    return check_answers(dataset, &fold->valid, "validation", err);
}

static enum err_code check_parts(const struct dataset *dataset, struct err *err)
{
    const struct split *split = dataset->split;

    TRY(dataset_check_weight(dataset, &split->test, "test", err));
    for (int k = 0; k < split->n_folds; k++) {
        enum err_code code = check_fold(dataset, &split->folds[k], err);

        if (code != ERR_OK && split->n_folds > 1)
            return err_prefix(err, "fold %d of %d", k + 1, split->n_folds);
        TRY(code);
    }
    return check_answers(dataset, &split->test, "test", err);
}

static enum err_code split_rows(const struct project *project, struct dataset *dataset,
                                const struct rows *rows, int n_folds, struct err *err)
{
    bool survives = dataset->task == METRIC_SURVIVAL;
    struct split_options options = {.by = choose_split(project, dataset),
                                    .test_size = project->test_size,
                                    .hashes = dataset->frame->keys,
                                    .time = dataset_column(dataset, dataset->schema->time),
                                    .classes = survives ? dataset->seen : dataset->labels.classes,
                                    .n_classes = survives ? 2 : dataset->labels.n,
                                    .searching = project->search_strategy != SEARCH_NONE,
                                    .n_folds = n_folds};

    dataset->split_by = options.by;
    switch (options.by) {
    case SPLIT_RANDOM:
    case SPLIT_STRATIFIED:
        return split_by_hash(project, dataset, rows, &options, err);
    case SPLIT_GROUP:
        return split_by_group(project, dataset, rows, &options, err);
    case SPLIT_TIME:
        break;
    }
    return split_by_time(dataset, rows, &options, err);
}

static enum err_code gather_lists(struct dataset *dataset, struct err *err)
{
    struct split *split = dataset->split;

    for (int k = 0; k < split->n_folds; k++) {
        TRY(dataset_gather_lists(dataset, &split->folds[k].train, err));
        TRY(dataset_gather_lists(dataset, &split->folds[k].valid, err));
    }
    return dataset_gather_lists(dataset, &split->test, err);
}

static enum err_code split_in_folds(const struct project *project, struct dataset *dataset,
                                    const struct rows *rows, int n_folds, struct err *err)
{
    TRY(split_rows(project, dataset, rows, n_folds, err));
    TRY(gather_lists(dataset, err));
    return check_parts(dataset, err);
}

/* Nobody asked for folds: where they leave one without something to learn, a hold-out it is. */
enum err_code dataset_split_rows(const struct project *project, struct dataset *dataset,
                                 const struct rows *rows, struct err *err)
{
    int n_folds = n_folds_of(project, dataset, rows);
    enum err_code code = split_in_folds(project, dataset, rows, n_folds, err);

    if (code != ERR_DATA || n_folds == 1 || project->search_folds > 0)
        return code;
    split_free(dataset->split);
    dataset->split = NULL;
    twins_release(&dataset->twins);
    return split_in_folds(project, dataset, rows, 1, err);
}
