/*
 * A project definition: one prediction task, as models/NAME.json, SQL or HTTP declares it.
 *
 * The table of keys in project_keys.c is the master copy of every key: its type, values and
 * default. Refuses: looking at the relation (feature/schema does), defaults anywhere else.
 *
 * The stored form is JSON with only the keys the user gave, so that a later default reaches old
 * projects; project_parse fills in defaults.
 */
#ifndef PGBOOST_CONFIG_PROJECT_H
#define PGBOOST_CONFIG_PROJECT_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

enum task { TASK_AUTO, TASK_REGRESSION, TASK_CLASSIFICATION, TASK_RANKING, TASK_SURVIVAL };
#define TASK_LAST TASK_SURVIVAL
enum test_by { TEST_BY_AUTO, TEST_BY_RANDOM, TEST_BY_STRATIFIED, TEST_BY_TIME, TEST_BY_GROUP };
enum on_cancel { CANCEL_DISCARDS, CANCEL_FINISHES };
enum snapshot { SNAPSHOT_FILE, SNAPSHOT_TABLE, SNAPSHOT_NONE };
enum search_strategy { SEARCH_AUTO, SEARCH_NONE, SEARCH_GRID, SEARCH_RANDOM, SEARCH_TPE };
enum refit_rows { REFIT_TRAIN, REFIT_ALL }; /* all but the test rows, or all */
enum deploy_rule { DEPLOY_IF_BETTER, DEPLOY_ALWAYS, DEPLOY_NEVER };
enum catch_up { CATCH_UP_ONCE, CATCH_UP_NONE };
enum calibration_choice {
    CALIBRATE_AUTO,
    CALIBRATE_NONE,
    CALIBRATE_PLATT,
    CALIBRATE_ISOTONIC,
    CALIBRATE_TEMPERATURE,
};
/* Which algorithms compete, a bit each: ALGORITHM_BIT. */
enum algorithm_id {
    ALGORITHM_XGBOOST,
    ALGORITHM_DART,
    ALGORITHM_RANDOM_FOREST,
    ALGORITHM_LINEAR,
    N_ALGORITHMS
};
#define ALGORITHM_BIT(id) (1u << (id))
enum column_as { AS_AUTO, AS_NUMBER, AS_CATEGORY, AS_TIMESTAMP, AS_IGNORE, AS_TEXT };
enum column_impute {
    IMPUTE_NONE,
    IMPUTE_MEAN,
    IMPUTE_MEDIAN,
    IMPUTE_MODE,
    IMPUTE_MIN,
    IMPUTE_MAX,
    IMPUTE_ZERO,
    IMPUTE_RANDOM,
    IMPUTE_NUMBER, /* impute_number */
    IMPUTE_LABEL,  /* impute_label */
};
enum column_encode {
    COLUMN_NATIVE,
    COLUMN_ONEHOT,
    COLUMN_TARGET_MEANS,
    COLUMN_FREQUENCY,
    COLUMN_ORDINAL, /* ordinal */
};
enum column_scale { SCALE_NONE, SCALE_STANDARD, SCALE_MIN_MAX, SCALE_MAX_ABS, SCALE_ROBUST };

struct string_list {
    int n;
    const char **items;
};

struct column_override {
    const char *column;
    enum column_as as;
    enum column_impute impute;
    enum column_encode encode;
    enum column_scale scale;
    double impute_number;
    const char *impute_label;
    struct string_list ordinal; /* labels by position; not empty for COLUMN_ORDINAL */
};

/* The probability from which on the second label is chosen: a number, the best by a metric, or
 * neither. */
struct threshold {
    const char *metric; /* NULL: none */
    double number;      /* 0: none */
};

/* Predictions of a whole relation, into a table. */
struct score_definition {
    const char *from;  /* relation; NULL: the project's */
    const char *into;  /* table; NULL: there is no "score" */
    const char *after; /* "train", or schedule/cron.h in `timezone`; NULL: when it is asked for */
    bool explain, atomic;
};

struct project {
    const char *name;     /* "project": 1-63 bytes, no control characters, no "/" */
    const char *relation; /* as given */
    const char *target;
    enum task task;
    struct string_list key;
    const char *serving;               /* the relation that look-ups read; NULL: `relation` */
    double cache_seconds;              /* how long rows may be answered again; 0: they are not */
    const char *time, *group, *weight; /* columns; NULL: none */
    const char *event, *target_upper;  /* survival: columns, one of the two */
    struct string_list include;        /* empty: all */
    struct string_list exclude;
    int n_overrides;
    struct column_override *overrides;
    unsigned algorithms;   /* not 0 */
    const char *objective; /* NULL: by task */
    const char *metric;    /* NULL: by task; a key of lib/metric */
    double test_size;      /* 0.2 */
    enum test_by test_by;
    enum search_strategy search_strategy;
    int search_folds; /* 1: a hold-out; 0: by the number of rows */
    enum snapshot snapshot;
    int search_parallel; /* trials under way at once; 0: by their number */
    enum on_cancel on_cancel;
    int search_trials;          /* 0: no bound of its own */
    double search_minutes;      /* 0: no bound */
    const cJSON *search_params; /* object or NULL; owned by `json`; lib/search looks into it */
    const cJSON *hyperparams;   /* likewise */
    enum calibration_choice calibration;
    struct threshold threshold;
    enum refit_rows refit;
    enum deploy_rule deploy;
    int keep;             /* models; 10 */
    int64_t seed;         /* 42 */
    int threads;          /* 0: as the daemon or machine gives */
    const char *timezone; /* "UTC" */
    const char *schedule; /* schedule/cron.h, in `timezone`; NULL: none */
    enum catch_up catch_up;
    int64_t retrain_after_rows;            /* 0: not */
    struct string_list retrain_on_refresh; /* relations; empty: not */
    struct score_definition score;
    const char *json_text; /* the definition as compact JSON: what the catalog stores */
    cJSON *json;
    struct arena arena;
};

/* Parses and validates a definition. `what` names it in errors ("models/x.json"). Errors
 * ERR_CONFIG: message names file, line where known, and key; field is the JSON pointer. Unknown
 * keys get the nearest known one in the hint. A key or value that this version does not have is an
 * error. */
MUST_CHECK enum err_code project_parse(const char *text, size_t length, const char *what,
                                       struct project **ret_project, struct err *err);
void project_free(struct project *project);
DEFINE_FREEP(struct project *, project_free)

/* Reads a file (at most 1 MiB) and parses it. */
MUST_CHECK enum err_code project_load(const char *path, struct project **ret_project,
                                      struct err *err);

/* Is the text a project name? ERR_INVALID says why not. */
MUST_CHECK enum err_code project_check_name(const char *name, struct err *err);

const char *task_name(enum task task);
const char *algorithm_name(enum algorithm_id id); /* "dart" */
bool algorithm_find(const char *name, enum algorithm_id *ret_id);

/* "mean", "onehot", "robust" …: as a definition writes them. */
const char *column_as_name(enum column_as as);
const char *column_impute_name(enum column_impute impute);
const char *column_encode_name(enum column_encode encode);
const char *column_scale_name(enum column_scale scale);

#endif
