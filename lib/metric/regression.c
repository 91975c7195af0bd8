/*
 * Metrics of predicted values but the deviances (deviance.c).
 */
#include <float.h>

#include "metric/metric_internal.h"

typedef double row_loss(double y, double prediction);

static double mean_loss(const struct metric_input *input, row_loss *loss)
{
    struct mean mean = {0};

    for (size_t i = 0; i < input->n_rows; i++)
        mean_add(&mean, loss(input->y[i], input->predictions[i]), metric_weight(input, i));
    return mean_value(&mean);
}

static double error_of(double y, double prediction)
{
    return prediction - y;
}

static double absolute_error(double y, double prediction)
{
    return fabs(y - prediction);
}

static double squared_error(double y, double prediction)
{
    return (y - prediction) * (y - prediction);
}

/* A y of 0 is taken for float64's ε. */
static double percentage_error(double y, double prediction)
{
    return fabs(y - prediction) / fmax(fabs(y), DBL_EPSILON);
}

/* 2 |y − p| / (|y| + |p|), from 0 to 2; a right 0 is 0. */
static double symmetric_percentage_error(double y, double prediction)
{
    double size = fabs(y) + fabs(prediction);

    return size == 0 ? 0 : 2 * fabs(y - prediction) / size;
}

/* (log(1 + y) − log(1 + p))²; close numbers by their difference, which the logarithms would round
 * off. Negative numbers are refused, though the logarithm would take those above −1. */
static double squared_log_error(double y, double prediction)
{
    double above = (y - prediction) / (1 + prediction), difference;

    if (y < 0 || prediction < 0)
        return NAN;
    difference = fabs(above) < .5 ? log1p(above) : log1p(y) - log1p(prediction);
    return difference * difference;
}

enum err_code regression_rmse(const struct metric_input *input, double *ret_value, struct err *err)
{
    (void)err;
    *ret_value = sqrt(mean_loss(input, squared_error));
    return ERR_OK;
}

enum err_code regression_mae(const struct metric_input *input, double *ret_value, struct err *err)
{
    (void)err;
    *ret_value = mean_loss(input, absolute_error);
    return ERR_OK;
}

enum err_code regression_mape(const struct metric_input *input, double *ret_value, struct err *err)
{
    (void)err;
    *ret_value = mean_loss(input, percentage_error);
    return ERR_OK;
}

enum err_code regression_smape(const struct metric_input *input, double *ret_value, struct err *err)
{
    (void)err;
    *ret_value = mean_loss(input, symmetric_percentage_error);
    return ERR_OK;
}

enum err_code regression_rmsle(const struct metric_input *input, double *ret_value, struct err *err)
{
    (void)err;
    *ret_value = sqrt(mean_loss(input, squared_log_error));
    return ERR_OK;
}

enum err_code regression_bias(const struct metric_input *input, double *ret_value, struct err *err)
{
    (void)err;
    *ret_value = mean_loss(input, error_of);
    return ERR_OK;
}

/* quantile × what a prediction is too low, (1 − quantile) × what it is too high: Koenker and
 * Bassett 1978. */
enum err_code regression_pinball(const struct metric_input *input, double *ret_value,
                                 struct err *err)
{
    double level = input->quantile == 0 ? .5 : input->quantile;
    struct mean mean = {0};

    (void)err;
    for (size_t i = 0; i < input->n_rows; i++) {
        double miss = input->y[i] - input->predictions[i];

        mean_add(&mean, miss < 0 ? (level - 1) * miss : level * miss, metric_weight(input, i));
    }
    *ret_value = level > 0 && level < 1 ? mean_value(&mean) : NAN;
    return ERR_OK;
}

enum err_code regression_medae(const struct metric_input *input, double *ret_value, struct err *err)
{
    CLEANUP(free_ptr) struct weighted *errors = calloc(input->n_rows + 1, sizeof(*errors));
    bool not_numbers = false;

    if (errors == NULL)
        return err_nomem(err);
    for (size_t i = 0; i < input->n_rows; i++) {
        errors[i].value = fabs(input->y[i] - input->predictions[i]);
        errors[i].weight = metric_weight(input, i);
        not_numbers |= isnan(errors[i].value) && errors[i].weight > 0;
    }
    *ret_value = NAN;
    if (!not_numbers)
        *ret_value = weighted_quantile(errors, weighted_sort(errors, input->n_rows), 50);
    return ERR_OK;
}

/* How many rows weigh something, and whether they all have the same y: what a rounded mean of y
 * cannot tell. */
static size_t count_rows(const struct metric_input *input, bool *ret_constant)
{
    size_t n = 0;
    double first = 0;

    *ret_constant = true;
    for (size_t i = 0; i < input->n_rows; i++) {
        if (!(metric_weight(input, i) > 0))
            continue;
        if (n++ == 0)
            first = input->y[i];
        else if (input->y[i] != first)
            *ret_constant = false;
    }
    return n;
}

/* 1 − squared error / variance. Fewer than two rows: not defined. A constant y: 1 for a perfect
 * prediction, else 0, as r2_score's force_finite has it. */
enum err_code regression_r2(const struct metric_input *input, double *ret_value, struct err *err)
{
    double unexplained = mean_loss(input, squared_error), mean_y;
    struct mean y = {0}, variance = {0};
    bool constant;

    (void)err;
    for (size_t i = 0; i < input->n_rows; i++)
        mean_add(&y, input->y[i], metric_weight(input, i));
    mean_y = mean_value(&y);
    for (size_t i = 0; i < input->n_rows; i++)
        mean_add(&variance, squared_error(input->y[i], mean_y), metric_weight(input, i));
    if (count_rows(input, &constant) < 2 || isnan(unexplained))
        *ret_value = NAN;
    else if (constant)
        *ret_value = unexplained == 0 ? 1 : 0;
    else
        *ret_value = 1 - unexplained / mean_value(&variance);
    return ERR_OK;
}
