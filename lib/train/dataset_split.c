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

/* Whole lists go by the time of their newest row: none in training is newer than one in the test.
 */
static enum err_code split_by_time(struct dataset *dataset, const struct rows *rows,
                                   struct split_options *options, struct err *err)
{
    CLEANUP(free_ptr) int64_t *times = NULL;

    if (dataset->lists != NULL)
        TRY(dataset_list_times(dataset, rows, &times, err));
    options->times = times;
    return split_new(dataset->frame, rows->items, rows->n, options, &dataset->split, err);
}

static enum err_code split_rows(const struct project *project, struct dataset *dataset,
                                const struct rows *rows, struct err *err)
{
    bool survives = dataset->task == METRIC_SURVIVAL;
    struct split_options options = {.by = choose_split(project, dataset),
                                    .test_size = project->test_size,
                                    .hashes = dataset->frame->keys,
                                    .time = dataset_column(dataset, dataset->schema->time),
                                    .classes = survives ? dataset->seen : dataset->labels.classes,
                                    .n_classes = survives ? 2 : dataset->labels.n,
                                    .searching = project->search_strategy != SEARCH_NONE};

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

enum err_code dataset_split_rows(const struct project *project, struct dataset *dataset,
                                 const struct rows *rows, struct err *err)
{
    TRY(split_rows(project, dataset, rows, err));
    TRY(dataset_gather_lists(dataset, &dataset->split->train, err));
    TRY(dataset_gather_lists(dataset, &dataset->split->valid, err));
    return dataset_gather_lists(dataset, &dataset->split->test, err);
}

/* What the split left to learn from. */
static enum err_code check_training(const struct dataset *dataset, struct err *err)
{
    const struct rows *train = &dataset->split->train;
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

enum err_code dataset_check_parts(const struct dataset *dataset, struct err *err)
{
    const struct split *split = dataset->split;
    const struct {
        const struct rows *rows;
        const char *name;
    } parts[] = {
        {&split->train, "training"}, {&split->valid, "validation"}, {&split->test, "test"}};

    for (size_t i = 0; i < N_ELEMENTS(parts); i++)
        TRY(dataset_check_weight(dataset, parts[i].rows, parts[i].name, err));
    TRY(check_training(dataset, err));
    for (size_t i = 0; i < N_ELEMENTS(parts); i++) {
        TRY(dataset_check_lists(dataset, parts[i].rows, parts[i].name, err));
        TRY(dataset_check_times(dataset, parts[i].rows, parts[i].name, err));
    }
    return ERR_OK;
}
