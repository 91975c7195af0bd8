#include "forest/objective.h"

#include <math.h>
#include <string.h>

/* ---- links: ProbToMargin of each objective ---- */

static enum err_code link_identity(float base_score, float *ret_margin, struct err *err)
{
    (void)err;
    *ret_margin = base_score;
    return ERR_OK;
}

static enum err_code link_logit(float base_score, float *ret_margin, struct err *err)
{
    if (!(base_score > 0.0f && base_score < 1.0f))
        return err_set(err, ERR_CORRUPT, "base_score %g is not between 0 and 1",
                       (double)base_score);
    *ret_margin = -logf(1.0f / base_score - 1.0f);
    return ERR_OK;
}

static enum err_code link_log(float base_score, float *ret_margin, struct err *err)
{
    if (!(base_score > 0.0f))
        return err_set(err, ERR_CORRUPT, "base_score %g is not positive", (double)base_score);
    *ret_margin = logf(base_score);
    return ERR_OK;
}

/* ---- transforms: PredTransform of each objective ---- */

static void transform_identity(float *values, int n)
{
    (void)values;
    (void)n;
}

/* common::Sigmoid: clamped so that expf stays finite, 1e-16 against a division by zero. */
static void transform_sigmoid(float *values, int n)
{
    for (int i = 0; i < n; i++) {
        float x = -values[i];
        float denominator = expf(x < 88.7f ? x : 88.7f) + 1.0f + 1e-16f;

        values[i] = 1.0f / denominator;
    }
}

static void transform_exp(float *values, int n)
{
    for (int i = 0; i < n; i++)
        values[i] = expf(values[i]);
}

/* survival:aft alone calls the exp of doubles. */
static void transform_exp_double(float *values, int n)
{
    for (int i = 0; i < n; i++)
        values[i] = (float)exp((double)values[i]);
}

static void transform_hinge(float *values, int n)
{
    for (int i = 0; i < n; i++)
        values[i] = values[i] > 0.0f ? 1.0f : 0.0f;
}

/* common::Softmax: the sum is a double, but what divides is its float. */
static void transform_softprob(float *values, int n)
{
    float largest = values[0];
    double sum = 0;

    for (int i = 1; i < n; i++)
        largest = fmaxf(values[i], largest);
    for (int i = 0; i < n; i++) {
        values[i] = expf(values[i] - largest);
        sum += (double)values[i];
    }
    for (int i = 0; i < n; i++)
        values[i] /= (float)sum;
}

/* common::FindMaxIndex: the first of equals. The class index goes to values[0]. */
static void transform_softmax(float *values, int n)
{
    int best = 0;

    for (int i = 1; i < n; i++)
        if (values[i] > values[best])
            best = i;
    values[0] = (float)best;
}

static const struct objective objectives[] = {
    {"reg:squarederror", link_identity, transform_identity},
    {"reg:linear", link_identity, transform_identity}, /* squarederror's name before 1.0 */
    {"reg:squaredlogerror", link_identity, transform_identity},
    {"reg:pseudohubererror", link_identity, transform_identity},
    {"reg:absoluteerror", link_identity, transform_identity},
    {"reg:logistic", link_logit, transform_sigmoid},
    {"reg:gamma", link_log, transform_exp},
    {"reg:tweedie", link_log, transform_exp},
    {"count:poisson", link_log, transform_exp},
    {"binary:logistic", link_logit, transform_sigmoid},
    {"binary:logitraw", link_identity, transform_identity},
    {"binary:hinge", link_identity, transform_hinge},
    {"multi:softmax", link_identity, transform_softmax},
    {"multi:softprob", link_identity, transform_softprob},
    {"rank:pairwise", link_identity, transform_identity},
    {"rank:ndcg", link_identity, transform_identity},
    {"rank:map", link_identity, transform_identity},
    {"survival:cox", link_log, transform_exp},
    {"survival:aft", link_log, transform_exp_double},
};

enum err_code objective_find(const char *name, size_t length,
                             const struct objective **ret_objective, struct err *err)
{
    for (size_t i = 0; i < N_ELEMENTS(objectives); i++) {
        if (strlen(objectives[i].name) == length && memcmp(objectives[i].name, name, length) == 0) {
            *ret_objective = &objectives[i];
            return ERR_OK;
        }
    }
    return err_set(err, ERR_INVALID, "objective \"%.*s\" is not supported",
                   length < 64 ? (int)length : 64, name);
}
