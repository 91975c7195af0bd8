/* Reads what make_cases.py prints: inputs of metrics, and what the oracle makes of them. */
#ifndef PGBOOST_TESTS_METRIC_CASES_H
#define PGBOOST_TESTS_METRIC_CASES_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metric/metric.h"

#define TOLERANCE 1e-9

struct array {
    char name[32];
    size_t n;
    double *values;
    uint32_t *integers; /* the same */
};

struct case_data {
    char name[64];
    struct array arrays[16];
    int n_arrays;
    struct metric_input input;
};

static inline void case_release(struct case_data *data)
{
    for (int i = 0; i < data->n_arrays; i++) {
        free(data->arrays[i].values);
        free(data->arrays[i].integers);
    }
}

static inline double read_number(FILE *in)
{
    char word[64];

    assert_int_equal(fscanf(in, "%63s", word), 1);
    return strtod(word, NULL);
}

static inline const struct array *array_find(const struct case_data *data, const char *name)
{
    for (int i = 0; i < data->n_arrays; i++)
        if (strcmp(data->arrays[i].name, name) == 0)
            return &data->arrays[i];
    return NULL;
}

static inline void read_array(FILE *in, struct case_data *data)
{
    struct array *array = &data->arrays[data->n_arrays++];

    assert_true(data->n_arrays <= (int)N_ELEMENTS(data->arrays));
    assert_int_equal(fscanf(in, "%31s %zu", array->name, &array->n), 2);
    array->values = calloc(array->n + 1, sizeof(double));
    array->integers = calloc(array->n + 1, sizeof(uint32_t));
    for (size_t i = 0; i < array->n; i++) {
        array->values[i] = read_number(in);
        if (array->values[i] >= 0 && array->values[i] < UINT32_MAX)
            array->integers[i] = (uint32_t)array->values[i];
    }
}

static inline void read_scalar(FILE *in, struct metric_input *input)
{
    char name[32];
    double value;

    assert_int_equal(fscanf(in, "%31s", name), 1);
    value = read_number(in);
    if (strcmp(name, "k") == 0)
        input->k = (size_t)value;
    else if (strcmp(name, "quantile") == 0)
        input->quantile = value;
    else if (strcmp(name, "variance_power") == 0)
        input->variance_power = value;
    else if (strcmp(name, "hazards") == 0)
        input->hazards = value != 0;
    else if (strcmp(name, "aft") == 0)
        input->aft = (enum metric_aft)value;
    else if (strcmp(name, "aft_scale") == 0)
        input->aft_scale = value;
    else
        fail_msg("scalar %s", name);
}

static inline const double *values_of(const struct case_data *data, const char *name)
{
    const struct array *array = array_find(data, name);

    return array == NULL ? NULL : array->values;
}

static inline const uint32_t *integers_of(const struct case_data *data, const char *name)
{
    const struct array *array = array_find(data, name);

    return array == NULL ? NULL : array->integers;
}

static inline void fill_input(struct case_data *data)
{
    struct metric_input *input = &data->input;

    input->y = values_of(data, "y");
    input->predictions = values_of(data, "predictions");
    input->classes = integers_of(data, "classes");
    input->chosen = integers_of(data, "chosen");
    input->probabilities = values_of(data, "probabilities");
    input->weights = values_of(data, "weights");
    input->groups = integers_of(data, "groups");
    input->lower = values_of(data, "lower");
    input->upper = values_of(data, "upper");
}

/* The next case, up to its "metric" line, whose first word is read; false at the end. */
static inline bool read_case(FILE *in, struct case_data *data)
{
    char word[32];

    *data = (struct case_data){0};
    if (fscanf(in, " case %63s %zu %d", data->name, &data->input.n_rows, &data->input.n_classes) !=
        3)
        return false;
    while (assert_int_equal(fscanf(in, "%31s", word), 1), strcmp(word, "metric") != 0) {
        if (strcmp(word, "array") == 0)
            read_array(in, data);
        else if (strcmp(word, "scalar") == 0)
            read_scalar(in, &data->input);
        else
            fail_msg("word %s", word);
    }
    fill_input(data);
    return true;
}

/* make_cases.py WHAT, from the project's folder. */
static inline FILE *open_cases(const char *what)
{
    const char *python = getenv("PYTHON");
    char command[512];
    FILE *in;

    snprintf(command, sizeof(command), "%s tests/unit/metric/make_cases.py %s",
             python != NULL ? python : "/usr/bin/python3", what);
    in = popen(command, "r");
    assert_non_null(in);
    return in;
}

static inline void close_cases(FILE *in)
{
    if (pclose(in) != 0)
        fail_msg("make_cases.py failed: run in the project's folder, with python3-sklearn "
                 "installed (scripts/install-deps --test)");
}

static inline double compute(const char *name, const struct metric_input *input)
{
    const struct metric *metric = metric_find(name);
    struct err err = {0};
    double value = 12345;

    assert_non_null(metric);
    assert_int_equal(metric->compute(input, &value, &err), ERR_OK);
    return value;
}

/* Within 1e-9, relative; where one is 0, within the rounding of 1. */
static inline bool close_enough(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    if (isinf(a) || isinf(b))
        return a == b;
    if (a == 0 || b == 0)
        return fabs(a - b) < 1e-15;
    return fabs(a - b) <= TOLERANCE * fmax(fabs(a), fabs(b));
}

#endif
