#include "search/space.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "search/space_params.h"

void space_release(struct space *space)
{
    arena_release(&space->arena);
    *space = (struct space){0};
}

static bool has_members(const cJSON *object)
{
    return object != NULL && object->child != NULL;
}

/* Does the search vary what "search.params" names and nothing else? */
static bool is_given_alone(const struct space_options *options)
{
    return options->strategy == SEARCH_GRID ||
           (options->strategy == SEARCH_RANDOM && has_members(options->params));
}

static void drop(struct space *space, int i)
{
    memmove(&space->dimensions[i], &space->dimensions[i + 1],
            sizeof(space->dimensions[0]) * (size_t)(space->n - i - 1));
    space->n--;
}

int space_dimension_of(const struct space *space, const struct hyperparam *param)
{
    for (int i = 0; i < space->n; i++)
        if (space->dimensions[i].param == param)
            return i;
    return -1;
}

/* A value that a row allows already. */
static void set_value(struct hyperparams *params, const struct hyperparam *param, double number,
                      const char *choice)
{
    enum err_code code = hyperparams_set(params, param->name, number,
                                         param->type == HYPERPARAM_CHOICE ? choice : NULL, NULL);

    (void)code;
}

static void copy_values(struct hyperparams *params, const struct hyperparams *from)
{
    for (int i = 0; i < from->n; i++)
        set_value(params, from->values[i].param, from->values[i].number, from->values[i].choice);
}

static bool grows_lossguide(const struct hyperparams *params)
{
    const struct hyperparam_value *policy =
        hyperparams_value(params, hyperparam_find("grow_policy"));

    return policy != NULL && strcmp(policy->choice, "lossguide") == 0;
}

/* What "hyperparams" sets is not searched. */
static enum err_code lay_hyperparams(struct space *space, const cJSON *object, struct err *err)
{
    TRY(hyperparams_overlay(&space->given, space->algorithm->id, object, err));
    for (int i = space->n - 1; i >= 0; i--)
        if (hyperparams_value(&space->given, space->dimensions[i].param) != NULL)
            drop(space, i);
    return ERR_OK;
}

/* max_leaves of the default space, where trees cannot grow by loss. */
static void drop_unreachable(struct space *space)
{
    const struct hyperparam *policy = hyperparam_find("grow_policy");
    int at = space_dimension_of(space, policy);
    bool reachable = at < 0 && grows_lossguide(&space->fixed);

    for (int k = 0; at >= 0 && k < space->dimensions[at].n_choices; k++)
        reachable = reachable || strcmp(space->dimensions[at].choices[k].text, "lossguide") == 0;
    for (int i = space->n - 1; !reachable && i >= 0; i--)
        if (space->dimensions[i].only_lossguide)
            drop(space, i);
}

static enum err_code lay_params(struct space *space, const cJSON *params, struct err *err)
{
    const cJSON *member;

    cJSON_ArrayForEach (member, params) {
        const struct hyperparam *param = hyperparam_find(member->string);
        struct dimension dimension;
        int at;

        if (param == NULL || !(param->algorithms & ALGORITHM_BIT(space->algorithm->id)))
            continue;
        TRY(space_read_member(member, &space->arena, &dimension, err));
        at = space_dimension_of(space, param);
        if (at >= 0 && dimension.n_choices == 1)
            drop(space, at);
        if (dimension.n_choices == 1)
            set_value(&space->given, param, dimension.choices[0].number, dimension.choices[0].text);
        else
            space->dimensions[at >= 0 ? at : space->n++] = dimension;
    }
    return ERR_OK;
}

enum err_code space_init(struct space *space, enum algorithm_id algorithm,
                         const struct space_options *options, struct err *err)
{
    CLEANUP(space_release) struct space built = {.algorithm = algorithm_of(algorithm)};
    struct setting first;

    if (is_given_alone(options)) {
        portfolio_get(algorithm, false, 0, &first);
        built.fixed = first.params;
    } else {
        space_add_defaults(&built, options->n_trials > 0 && options->n_trials < SPACE_TRIALS_FEW,
                           options->has_categories);
    }
    TRY(lay_hyperparams(&built, options->hyperparams, err));
    TRY(lay_params(&built, options->params, err));
    copy_values(&built.fixed, &built.given);
    drop_unreachable(&built);
    *space = built;
    built.arena = (struct arena){0};
    return ERR_OK;
}

static enum err_code check_member(const struct space_options *options, unsigned algorithms,
                                  const cJSON *member, struct hyperparams *seen, struct err *err)
{
    CLEANUP(arena_release) struct arena arena = {0};
    struct dimension dimension;
    const cJSON *item;

    TRY(space_read_member(member, &arena, &dimension, err));
    if (!(dimension.param->algorithms & algorithms)) {
        err_set(err, ERR_CONFIG, "none of the \"algorithms\" has a hyperparameter \"%s\"",
                member->string);
        return space_field(member->string, NULL, err);
    }
    if (hyperparams_value(seen, dimension.param) != NULL) {
        err_set(err, ERR_CONFIG, "hyperparameter \"%s\" is searched twice, as \"%s\" and \"%s\"",
                dimension.param->name, dimension.param->name, member->string);
        return space_field(member->string, NULL, err);
    }
    seen->values[seen->n++].param = dimension.param;
    cJSON_ArrayForEach (item, options->hyperparams) {
        if (hyperparam_find(item->string) != dimension.param)
            continue;
        err_set(err, ERR_CONFIG, "hyperparameter \"%s\" is both searched and set", member->string);
        space_field(member->string, NULL, err);
        return err_hint(err, "take it out of \"search.params\" or out of \"hyperparams\"");
    }
    return ERR_OK;
}

enum err_code space_check(const struct space_options *options, unsigned algorithms, struct err *err)
{
    struct hyperparams seen = {0};
    const cJSON *member;

    TRY(hyperparams_check(options->hyperparams, algorithms, err));
    cJSON_ArrayForEach (member, options->params)
        TRY(check_member(options, algorithms, member, &seen, err));
    if (options->strategy == SEARCH_GRID && !has_members(options->params)) {
        err_set(err, ERR_CONFIG, "a grid needs \"search.params\"");
        err_field(err, "/search/params");
        return err_hint(err, "such as {\"max_depth\": [3, 6, 9]}");
    }
    if (options->strategy == SEARCH_NONE && has_members(options->params)) {
        err_set(err, ERR_CONFIG, "the strategy \"none\" searches nothing");
        err_field(err, "/search/params");
        return err_hint(err, "leave \"search.params\" out or choose another strategy");
    }
    return ERR_OK;
}

/* A range's share of [0, 1), from its first value on; whole numbers and steps in equal cells. */
static double at_share(const struct dimension *d, double u)
{
    double low = d->low, high = d->high;
    bool whole = d->param->type == HYPERPARAM_INT;

    if (d->step > 0)
        return low + floor(u * (floor((high - low) / d->step + 0.5) + 1)) * d->step;
    if (!d->log)
        return low + u * (high - low);
    if (!whole)
        return exp(log(low) + u * (log(high) - log(low)));
    low = log(low - 0.5);
    high = log(high + 0.5);
    return fmin(fmax(round(exp(low + u * (high - low))), d->low), d->high);
}

static double share_of(const struct dimension *d, double value)
{
    double low = d->low, high = d->high;

    if (d->step > 0)
        return ((value - low) / d->step + 0.5) / (floor((high - low) / d->step + 0.5) + 1);
    if (!d->log)
        return (value - low) / (high - low);
    if (d->param->type == HYPERPARAM_INT) {
        low -= 0.5;
        high += 0.5;
    }
    return (log(value) - log(low)) / (log(high) - log(low));
}

void space_draw(const struct space *space, struct rng *rng, double *ret_point)
{
    for (int i = 0; i < space->n; i++) {
        const struct dimension *d = &space->dimensions[i];
        double u = rng_uniform(rng);

        if (d->n_choices > 0)
            ret_point[i] = floor(u * d->n_choices);
        else if (!d->or_zero)
            ret_point[i] = at_share(d, u);
        else
            ret_point[i] = u < 0.5 ? 0 : at_share(d, 2 * u - 1);
    }
    space_settle(space, ret_point);
}

void space_unit(const struct space *space, const double *point, double *ret_unit)
{
    for (int i = 0; i < space->n; i++) {
        const struct dimension *d = &space->dimensions[i];

        if (isnan(point[i]))
            ret_unit[i] = 0.5;
        else if (d->n_choices > 0)
            ret_unit[i] = (point[i] + 0.5) / d->n_choices;
        else if (!d->or_zero)
            ret_unit[i] = share_of(d, point[i]);
        else
            ret_unit[i] = point[i] == 0 ? 0.25 : 0.5 + share_of(d, point[i]) / 2;
    }
}

static double index_of(const struct dimension *d, double number, const char *choice)
{
    for (int k = 0; k < d->n_choices; k++) {
        if (d->param->type == HYPERPARAM_CHOICE ? strcmp(d->choices[k].text, choice) == 0
                                                : d->choices[k].number == number)
            return k;
    }
    return NAN;
}

/* The place on a range that is nearest to a number; a number that is not there stays so. */
static double nearest_on_range(const struct dimension *d, double number)
{
    if (isnan(number) || (d->or_zero && number <= 0))
        return number <= 0 ? 0 : number;
    number = fmin(fmax(number, d->low), d->high);
    if (d->step > 0)
        return d->low + round((number - d->low) / d->step) * d->step;
    return d->param->type == HYPERPARAM_INT ? round(number) : number;
}

void space_point(const struct space *space, const struct hyperparams *params, double *ret_point)
{
    for (int i = 0; i < space->n; i++) {
        const struct dimension *d = &space->dimensions[i];
        const struct hyperparam_value *value = hyperparams_value(params, d->param);
        const char *choice = "";
        double number;

        if (value == NULL)
            number = space_default_of(d->param->name, &choice);
        else
            number = value->number;
        if (value != NULL)
            choice = value->choice;
        ret_point[i] = d->n_choices > 0 ? index_of(d, number, choice) : nearest_on_range(d, number);
    }
    space_settle(space, ret_point);
}

void space_settle(const struct space *space, double *point)
{
    int at = space_dimension_of(space, hyperparam_find("grow_policy"));
    bool lossguide = grows_lossguide(&space->fixed);

    if (at >= 0)
        lossguide = !isnan(point[at]) &&
                    strcmp(space->dimensions[at].choices[(int)point[at]].text, "lossguide") == 0;
    for (int i = 0; !lossguide && i < space->n; i++)
        if (space->dimensions[i].only_lossguide)
            point[i] = NAN;
}

static double to_digits(double number, int digits)
{
    char text[32];

    snprintf(text, sizeof(text), "%.*g", digits, number);
    return strtod(text, NULL);
}

double space_round(double number)
{
    return to_digits(number, 4);
}

/* A number as settings have it, within the range: of steps such as 0.1 the noise is cut off. */
static double rounded(const struct dimension *d, double number)
{
    if (number == 0 || d->param->type == HYPERPARAM_INT)
        return number;
    return fmin(fmax(to_digits(number, d->step > 0 ? 12 : 4), d->low), d->high);
}

void space_setting(const struct space *space, const double *point, struct setting *ret_setting)
{
    *ret_setting = (struct setting){.algorithm = space->algorithm, .params = space->fixed};
    for (int i = 0; i < space->n; i++) {
        const struct dimension *d = &space->dimensions[i];

        if (isnan(point[i]))
            continue;
        if (d->n_choices == 0)
            set_value(&ret_setting->params, d->param, rounded(d, point[i]), NULL);
        else
            set_value(&ret_setting->params, d->param, d->choices[(int)point[i]].number,
                      d->choices[(int)point[i]].text);
    }
}

/* The value of a list that is nearest to a number; of texts the first. */
static int nearest_in_list(const struct dimension *d, double number)
{
    int best = 0;

    for (int k = 1; k < d->n_choices; k++)
        if (fabs(d->choices[k].number - number) < fabs(d->choices[best].number - number))
            best = k;
    return best;
}

void space_bring(const struct space *space, struct setting *setting)
{
    double point[HYPERPARAMS_MAX];

    copy_values(&setting->params, &space->given);
    space_point(space, &setting->params, point);
    for (int i = 0; i < space->n; i++) {
        const struct dimension *d = &space->dimensions[i];
        const struct hyperparam_value *value = hyperparams_value(&setting->params, d->param);
        const struct dimension_choice *choice;
        const char *text;

        if (!d->is_given)
            continue;
        if (d->n_choices == 0) {
            set_value(&setting->params, d->param, rounded(d, isnan(point[i]) ? d->low : point[i]),
                      NULL);
            continue;
        }
        if (isnan(point[i]))
            point[i] = nearest_in_list(d, value != NULL ? value->number
                                                        : space_default_of(d->param->name, &text));
        choice = &d->choices[(int)point[i]];
        set_value(&setting->params, d->param, choice->number, choice->text);
    }
}

/* How many values a grid has along a dimension; 0: they cannot be counted. */
static double grid_values(const struct dimension *d)
{
    if (d->n_choices > 0)
        return d->n_choices;
    return d->step > 0 ? floor((d->high - d->low) / d->step + 0.5) + 1 : 0;
}

enum err_code space_grid_size(const struct space *space, int *ret_n, struct err *err)
{
    double n = 1;

    for (int i = 0; i < space->n; i++) {
        const struct dimension *d = &space->dimensions[i];

        if (grid_values(d) == 0) {
            err_set(err, ERR_CONFIG,
                    "hyperparameter \"%s\": a grid needs a list, or a range with "
                    "a step and without \"log\"",
                    d->param->name);
            return space_field(d->param->name, NULL, err);
        }
        n *= grid_values(d);
    }
    if (n > GRID_MAX) {
        err_set(err, ERR_CONFIG, "the grid has %.15g settings, at most %d are tried", n, GRID_MAX);
        err_field(err, "/search/params");
        return err_hint(err, "shorten the lists, or choose the strategy \"random\" or \"tpe\"");
    }
    *ret_n = (int)n;
    return ERR_OK;
}

void space_grid_point(const struct space *space, int i, double *ret_point)
{
    for (int k = space->n - 1; k >= 0; k--) {
        const struct dimension *d = &space->dimensions[k];
        int n = (int)grid_values(d), at = i % n;

        ret_point[k] = d->n_choices > 0 ? at : d->low + at * d->step;
        i /= n;
    }
}
