#include "forest/objective.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
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

/* From 3.2 on: 0 and 1 are let in, and kept kRtEps away from. */
static enum err_code link_logit_bounded(float base_score, float *ret_margin, struct err *err)
{
    const float low = 1e-6f, high = 1.0f - low;

    if (base_score >= 0.0f && base_score < low)
        base_score = low;
    if (base_score > high && base_score <= 1.0f)
        base_score = high;
    return link_logit(base_score, ret_margin, err);
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

/* From 3.4 on quantiles may not cross: each row is sorted (by insertion, as there: a NaN stays). */
static void transform_ascending(float *values, int n)
{
    for (int i = 1; i < n; i++) {
        float value = values[i];
        int to = i;

        for (; to > 0 && values[to - 1] > value; to--)
            values[to] = values[to - 1];
        values[to] = value;
    }
}

/* Rows of one name stand from the oldest release to the newest. */
static const struct objective objectives[] = {
    {"reg:squarederror", 0, link_identity, transform_identity},
    {"reg:linear", 0, link_identity, transform_identity}, /* squarederror's name before 1.0 */
    {"reg:squaredlogerror", 0, link_identity, transform_identity},
    {"reg:pseudohubererror", 0, link_identity, transform_identity},
    {"reg:absoluteerror", 0, link_identity, transform_identity},
    {"reg:quantileerror", 0, link_identity, transform_identity},
    {"reg:quantileerror", XGBOOST_RELEASE(3, 4), link_identity, transform_ascending},
    {"reg:logistic", 0, link_logit, transform_sigmoid},
    {"reg:logistic", XGBOOST_RELEASE(3, 2), link_logit_bounded, transform_sigmoid},
    {"reg:gamma", 0, link_log, transform_exp},
    {"reg:tweedie", 0, link_log, transform_exp},
    {"count:poisson", 0, link_log, transform_exp},
    {"binary:logistic", 0, link_logit, transform_sigmoid},
    {"binary:logistic", XGBOOST_RELEASE(3, 2), link_logit_bounded, transform_sigmoid},
    {"binary:logitraw", 0, link_identity, transform_identity},
    {"binary:hinge", 0, link_identity, transform_hinge},
    {"multi:softmax", 0, link_identity, transform_softmax},
    {"multi:softprob", 0, link_identity, transform_softprob},
    {"rank:pairwise", 0, link_identity, transform_identity},
    {"rank:ndcg", 0, link_identity, transform_identity},
    {"rank:map", 0, link_identity, transform_identity},
    {"survival:cox", 0, link_log, transform_exp},
    {"survival:aft", 0, link_log, transform_exp_double},
};

enum err_code objective_find(const char *name, size_t length,
                             const struct objective **ret_objective, struct err *err)
{
    return objective_find_of_release(name, length, 0, ret_objective, err);
}

enum err_code objective_find_of_release(const char *name, size_t length, int release,
                                        const struct objective **ret_objective, struct err *err)
{
    const struct objective *found = NULL;

    for (size_t i = 0; i < N_ELEMENTS(objectives); i++)
        if (strlen(objectives[i].name) == length && objectives[i].since <= release &&
            memcmp(objectives[i].name, name, length) == 0)
            found = &objectives[i];
    if (found == NULL)
        return err_set(err, ERR_INVALID, "objective \"%.*s\" is not supported",
                       length < 64 ? (int)length : 64, name);
    *ret_objective = found;
    return ERR_OK;
}

/* ---- base score ---- */

static enum err_code no_score(struct err *err)
{
    return err_set(err, ERR_CORRUPT, "model cannot be read: base_score is not a number");
}

/* One number at text; moves *text behind it. */
static bool parse_score(const char **text, float *ret_score)
{
    char *end;

    *ret_score = strtof(*text, &end);
    if (end == *text || !isfinite(*ret_score))
        return false;
    *text = end;
    return true;
}

static enum err_code parse_base_scores(const char *text, float *ret_scores, int n_outputs,
                                       struct err *err)
{
    bool is_list = *text == '[';
    int n = 0;

    text += is_list;
    do {
        if (n == n_outputs)
            return err_set(err, ERR_CORRUPT, "base_score is of more than the model's %d outputs",
                           n_outputs);
        if (!parse_score(&text, &ret_scores[n++]))
            return no_score(err);
    } while (is_list && *text == ',' && text++);
    if (strcmp(text, is_list ? "]" : "") != 0)
        return no_score(err);
    if (n != 1 && n != n_outputs)
        return err_set(err, ERR_CORRUPT, "base_score is of %d of the model's %d outputs", n,
                       n_outputs);
    for (; n < n_outputs; n++)
        ret_scores[n] = ret_scores[0];
    return ERR_OK;
}

enum err_code objective_base_margins(const struct objective *objective, const char *base_score,
                                     float *ret_margins, int n_outputs, struct err *err)
{
    TRY(parse_base_scores(base_score, ret_margins, n_outputs, err));
    for (int k = 0; k < n_outputs; k++)
        TRY(objective->link(ret_margins[k], &ret_margins[k], err));
    return ERR_OK;
}
