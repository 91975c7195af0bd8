/*
 * The master copy of what a project definition may say: one row a key.
 *
 * The rows drive parsing, the check for unknown keys, defaults and error messages; a test holds
 * models/README.md against them. Private to lib/config and its tests.
 */
#ifndef PGBOOST_CONFIG_PROJECT_KEYS_H
#define PGBOOST_CONFIG_PROJECT_KEYS_H

#include <stdbool.h>
#include <stddef.h>

enum key_type {
    KEY_TEXT,      /* const char * */
    KEY_BOOL,      /* bool */
    KEY_LIST,      /* struct string_list; a single string counts as a list of one */
    KEY_CHOICE,    /* an enum, by `choices` */
    KEY_CHOICES,   /* unsigned: a bit, 1 << value, for each choice of a list */
    KEY_INT,       /* int */
    KEY_LONG,      /* int64_t */
    KEY_NUMBER,    /* double */
    KEY_OBJECT,    /* const cJSON *, looked into by its user */
    KEY_COLUMNS,   /* overrides */
    KEY_THRESHOLD, /* struct threshold; choices name its metrics */
    KEY_LATER,     /* known, and not available in this version */
};

/* A list of them ends with a NULL name. */
struct choice {
    const char *name;
    int value; /* CHOICE_LATER: known, and not available in this version */
};
#define CHOICE_LATER (-1)

struct project_key {
    const char *name; /* "test.size": size in the object test */
    enum key_type type;
    bool required;
    size_t offset; /* into struct project */
    const struct choice *choices;
    double low, high;     /* bounds of numbers, inclusive … */
    bool open;            /* … unless this is set */
    const char *expected; /* for messages: "a number between 0 and 1" */
    const char *fallback; /* the default as text; NULL: the field stays zero */
};

extern const struct project_key project_keys[];
extern const int n_project_keys;

extern const struct choice task_choices[], test_by_choices[], deploy_choices[], search_choices[],
    refit_choices[], snapshot_choices[], on_cancel_choices[], catch_up_choices[],
    column_as_choices[], column_impute_choices[], column_encode_choices[], column_scale_choices[],
    algorithm_choices[], calibration_choices[], threshold_choices[];

/* The row of a full name, or NULL. */
const struct project_key *project_key_find(const char *name);

/* Is the name that of an object which only groups keys ("test")? */
bool project_key_is_group(const char *name);

/* What someone who wrote this name may have meant, or NULL. */
const char *project_key_nearest(const char *name);

#endif
