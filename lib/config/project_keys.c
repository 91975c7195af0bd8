#include "config/project_keys.h"

#include <string.h>

#include "base/nearest.h"
#include "config/project.h"

const struct choice task_choices[] = {
    {"regression", TASK_REGRESSION},
    {"classification", TASK_CLASSIFICATION},
    {"ranking", TASK_RANKING},
    {"survival", TASK_SURVIVAL},
    {NULL, 0},
};

const struct choice test_by_choices[] = {
    {"random", TEST_BY_RANDOM},
    {"stratified", TEST_BY_STRATIFIED},
    {"time", TEST_BY_TIME},
    {"group", TEST_BY_GROUP},
    {NULL, 0},
};

const struct choice search_choices[] = {
    {"auto", SEARCH_AUTO},     {"none", SEARCH_NONE}, {"grid", SEARCH_GRID},
    {"random", SEARCH_RANDOM}, {"tpe", SEARCH_TPE},   {NULL, 0},
};

const struct choice snapshot_choices[] = {
    {"file", SNAPSHOT_FILE},
    {"table", SNAPSHOT_TABLE},
    {"none", SNAPSHOT_NONE},
    {NULL, 0},
};

const struct choice on_cancel_choices[] = {
    {"discard", CANCEL_DISCARDS},
    {"finish", CANCEL_FINISHES},
    {NULL, 0},
};

const struct choice deploy_choices[] = {
    {"if_better", DEPLOY_IF_BETTER},
    {"always", DEPLOY_ALWAYS},
    {"never", DEPLOY_NEVER},
    {NULL, 0},
};

const struct choice column_as_choices[] = {
    {"number", AS_NUMBER}, {"category", AS_CATEGORY}, {"timestamp", AS_TIMESTAMP},
    {"text", AS_TEXT},     {"ignore", AS_IGNORE},     {NULL, 0},
};

const struct choice column_impute_choices[] = {
    {"none", IMPUTE_NONE}, {"mean", IMPUTE_MEAN},     {"median", IMPUTE_MEDIAN},
    {"mode", IMPUTE_MODE}, {"min", IMPUTE_MIN},       {"max", IMPUTE_MAX},
    {"zero", IMPUTE_ZERO}, {"random", IMPUTE_RANDOM}, {NULL, 0},
};

/* The fifth is an object that holds the list: {"ordinal": [...]}. */
const struct choice column_encode_choices[] = {
    {"native", COLUMN_NATIVE},
    {"onehot", COLUMN_ONEHOT},
    {"target", COLUMN_TARGET_MEANS},
    {"frequency", COLUMN_FREQUENCY},
    {NULL, 0},
};

const struct choice column_scale_choices[] = {
    {"none", SCALE_NONE},       {"standard", SCALE_STANDARD}, {"min_max", SCALE_MIN_MAX},
    {"max_abs", SCALE_MAX_ABS}, {"robust", SCALE_ROBUST},     {NULL, 0},
};

const struct choice algorithm_choices[] = {
    {"xgboost", ALGORITHM_XGBOOST},
    {"dart", ALGORITHM_DART},
    {"random_forest", ALGORITHM_RANDOM_FOREST},
    {"linear", ALGORITHM_LINEAR},
    {NULL, 0},
};

const struct choice refit_choices[] = {
    {"train", REFIT_TRAIN},
    {"all", REFIT_ALL},
    {NULL, 0},
};

const struct choice calibration_choices[] = {
    {"auto", CALIBRATE_AUTO},
    {"none", CALIBRATE_NONE},
    {"platt", CALIBRATE_PLATT},
    {"isotonic", CALIBRATE_ISOTONIC},
    {"temperature", CALIBRATE_TEMPERATURE},
    {NULL, 0},
};

/* Those of metric/threshold.h; a value is the place in this list. */
const struct choice threshold_choices[] = {
    {"none", 0}, {"f1", 1},    {"f1_macro", 2}, {"f1_weighted", 3}, {"balanced_accuracy", 4},
    {"mcc", 5},  {"kappa", 6}, {"accuracy", 7}, {NULL, 0},
};

const struct choice catch_up_choices[] = {
    {"once", CATCH_UP_ONCE},
    {"none", CATCH_UP_NONE},
    {NULL, 0},
};

#define AT(field) offsetof(struct project, field)
#define TEXT      .type = KEY_TEXT, .expected = "a text that is not empty"
#define BOOL      .type = KEY_BOOL, .expected = "true or false"
#define LIST      .type = KEY_LIST, .expected = "a column's name or a list of them"

const struct project_key project_keys[] = {
    {"project", TEXT, .required = true, .offset = AT(name)},
    {"relation", TEXT, .required = true, .offset = AT(relation)},
    {"target", TEXT, .required = true, .offset = AT(target)},
    {"task", KEY_CHOICE, .offset = AT(task), .choices = task_choices},
    {"key", LIST, .offset = AT(key)},
    {"serving", TEXT, .offset = AT(serving)},
    {"cache_seconds", KEY_NUMBER, .offset = AT(cache_seconds), .low = 0, .high = 86400,
     .open = true, .expected = "a number of seconds above 0, less than 86400"},
    {"time", TEXT, .offset = AT(time)},
    {"group", TEXT, .offset = AT(group)},
    {"weight", TEXT, .offset = AT(weight)},
    {"event", TEXT, .offset = AT(event)},
    {"target_upper", TEXT, .offset = AT(target_upper)},
    {"include", LIST, .offset = AT(include)},
    {"exclude", LIST, .offset = AT(exclude)},
    {"columns", KEY_COLUMNS, .offset = AT(overrides), .choices = column_as_choices,
     .expected = "an object such as {\"carrier\": {\"as\": \"category\"}}"},
    {"algorithms", KEY_CHOICES, .offset = AT(algorithms), .choices = algorithm_choices,
     .expected = "a list of algorithms", .fallback = "xgboost"},
    {"objective", TEXT, .offset = AT(objective)},
    {"metric", TEXT, .offset = AT(metric)},
    {"test.size", KEY_NUMBER, .offset = AT(test_size), .low = 0, .high = 1, .open = true,
     .expected = "a number between 0 and 1", .fallback = "0.2"},
    {"test.by", KEY_CHOICE, .offset = AT(test_by), .choices = test_by_choices},
    {"search.strategy", KEY_CHOICE, .offset = AT(search_strategy), .choices = search_choices,
     .fallback = "auto"},
    {"search.trials", KEY_INT, .offset = AT(search_trials), .low = 1, .high = 100000,
     .expected = "a whole number between 1 and 100000"},
    {"search.minutes", KEY_NUMBER, .offset = AT(search_minutes), .low = 0, .high = 1e6,
     .open = true, .expected = "a number of minutes above 0"},
    {"search.parallel", KEY_INT, .offset = AT(search_parallel), .low = 1, .high = 1000,
     .expected = "a whole number between 1 and 1000"},
    {"search.on_cancel", KEY_CHOICE, .offset = AT(on_cancel), .choices = on_cancel_choices,
     .fallback = "discard"},
    {"search.params", KEY_OBJECT, .offset = AT(search_params),
     .expected = "an object such as {\"max_depth\": [3, 6, 9]}"},
    {"search.folds", KEY_INT, .offset = AT(search_folds), .low = 1, .high = 100,
     .expected = "a whole number between 1 and 100"},
    {"hyperparams", KEY_OBJECT, .offset = AT(hyperparams),
     .expected = "an object such as {\"eta\": 0.1}"},
    {"calibration", KEY_CHOICE, .offset = AT(calibration), .choices = calibration_choices,
     .fallback = "auto"},
    {"threshold", KEY_THRESHOLD, .offset = AT(threshold), .choices = threshold_choices, .low = 0,
     .high = 1, .open = true, .expected = "a number between 0 and 1", .fallback = "none"},
    {"snapshot", KEY_CHOICE, .offset = AT(snapshot), .choices = snapshot_choices,
     .fallback = "file"},
    {"refit", KEY_CHOICE, .offset = AT(refit), .choices = refit_choices, .fallback = "train"},
    {"deploy", KEY_CHOICE, .offset = AT(deploy), .choices = deploy_choices,
     .fallback = "if_better"},
    {"keep", KEY_INT, .offset = AT(keep), .low = 1, .high = 1000,
     .expected = "a whole number between 1 and 1000", .fallback = "10"},
    {"seed", KEY_LONG, .offset = AT(seed), .low = 0, .high = 9007199254740991.0,
     .expected = "a whole number between 0 and 9007199254740991", .fallback = "42"},
    {"threads", KEY_INT, .offset = AT(threads), .low = 0, .high = 1024,
     .expected = "a whole number between 0 and 1024", .fallback = "0"},
    {"timezone", TEXT, .offset = AT(timezone), .fallback = "UTC"},
    {"schedule", TEXT, .offset = AT(schedule)},
    {"catch_up", KEY_CHOICE, .offset = AT(catch_up), .choices = catch_up_choices,
     .fallback = "once"},
    {"retrain.after_rows", KEY_LONG, .offset = AT(retrain_after_rows), .low = 1, .high = 1e15,
     .expected = "a whole number of rows, at least 1"},
    {"retrain.on_refresh", KEY_LIST, .offset = AT(retrain_on_refresh),
     .expected = "a relation's name or a list of them"},
    {"score.from", TEXT, .offset = AT(score.from)},
    {"score.into", TEXT, .offset = AT(score.into)},
    {"score.after", TEXT, .offset = AT(score.after)},
    {"score.explain", BOOL, .offset = AT(score.explain)},
    {"score.atomic", BOOL, .offset = AT(score.atomic)},
    {.name = "source", .type = KEY_LATER},
};

const int n_project_keys = N_ELEMENTS(project_keys);

const struct project_key *project_key_find(const char *name)
{
    for (int i = 0; i < n_project_keys; i++)
        if (strcmp(project_keys[i].name, name) == 0)
            return &project_keys[i];
    return NULL;
}

bool project_key_is_group(const char *name)
{
    size_t length = strlen(name);

    for (int i = 0; i < n_project_keys; i++)
        if (strncmp(project_keys[i].name, name, length) == 0 && project_keys[i].name[length] == '.')
            return true;
    return false;
}

const char *project_key_nearest(const char *name)
{
    const char *names[N_ELEMENTS(project_keys)];
    int n = 0;

    for (int i = 0; i < n_project_keys; i++) {
        const char *dot = strchr(project_keys[i].name, '.');

        if (project_keys[i].type == KEY_LATER)
            continue;
        if (dot != NULL && strcmp(dot + 1, name) == 0)
            return project_keys[i].name; /* the right key, outside of its object */
        names[n++] = project_keys[i].name;
    }
    return nearest_name(name, names, n);
}
