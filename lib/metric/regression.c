#include "metric/metric_internal.h"

static double mean_squared_error(const struct metric_input *input)
{
    struct sum sum = {0};

    for (size_t i = 0; i < input->n_rows; i++) {
        double miss = input->y[i] - input->predictions[i];

        sum_add(&sum, miss * miss);
    }
    return sum_value(&sum) / (double)input->n_rows; /* no rows: 0/0, NaN */
}

enum err_code regression_rmse(const struct metric_input *input, double *ret_value, struct err *err)
{
    (void)err;
    *ret_value = sqrt(mean_squared_error(input));
    return ERR_OK;
}

enum err_code regression_mae(const struct metric_input *input, double *ret_value, struct err *err)
{
    struct sum sum = {0};

    (void)err;
    for (size_t i = 0; i < input->n_rows; i++)
        sum_add(&sum, fabs(input->y[i] - input->predictions[i]));
    *ret_value = sum_value(&sum) / (double)input->n_rows;
    return ERR_OK;
}

/* 1 − squared error / variance. Fewer than two rows: not defined. A constant y: 1 for a perfect
 * prediction, else 0, as r2_score's force_finite has it. */
enum err_code regression_r2(const struct metric_input *input, double *ret_value, struct err *err)
{
    double unexplained = mean_squared_error(input), mean, variance;
    struct sum sum = {0}, squares = {0};

    (void)err;
    for (size_t i = 0; i < input->n_rows; i++)
        sum_add(&sum, input->y[i]);
    mean = sum_value(&sum) / (double)input->n_rows;
    for (size_t i = 0; i < input->n_rows; i++)
        sum_add(&squares, (input->y[i] - mean) * (input->y[i] - mean));
    variance = sum_value(&squares) / (double)input->n_rows;
    if (input->n_rows < 2)
        *ret_value = NAN;
    else if (variance == 0)
        *ret_value = unexplained == 0 ? 1 : 0;
    else
        *ret_value = 1 - unexplained / variance;
    return ERR_OK;
}
