#include "search/space_params.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/nearest.h"

#define LIST_MAX  1000
#define STEPS_MAX 1e6 /* a cell of a range is still more than the noise of its density */

enum err_code space_field(const char *name, const char *part, struct err *err)
{
    CLEANUP(buf_release) struct buf pointer = {0};

    buf_puts(&pointer, "/search/params");
    json_pointer_append(&pointer, name);
    if (part != NULL)
        json_pointer_append(&pointer, part);
    return err_field(err, "%s", buf_text(&pointer));
}

PRINTF_LIKE(4, 5)
static enum err_code refuse(const char *name, const char *part, struct err *err, const char *format,
                            ...)
{
    char reason[400];
    va_list args;

    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    err_set(err, ERR_CONFIG, "hyperparameter \"%s\": %s", name, reason);
    return space_field(name, part, err);
}

/* One value, held against the hyperparameter's own row. */
static enum err_code read_value(const char *name, const char *part, const cJSON *value,
                                struct dimension_choice *ret_choice, struct err *err)
{
    struct hyperparams scratch = {0};
    double number = cJSON_IsNumber(value) ? value->valuedouble : (double)NAN;
    const char *text = cJSON_IsString(value) ? value->valuestring : NULL;
    enum err_code code = hyperparams_set(&scratch, name, number, text, err);

    if (code != ERR_OK) {
        space_field(name, part, err);
        return code;
    }
    *ret_choice = (struct dimension_choice){.number = scratch.values[0].number};
    memcpy(ret_choice->text, scratch.values[0].choice, sizeof(ret_choice->text));
    return ERR_OK;
}

static bool same_value(const struct dimension_choice *a, const struct dimension_choice *b)
{
    return a->number == b->number && strcmp(a->text, b->text) == 0;
}

static enum err_code read_list(const cJSON *member, struct arena *arena,
                               struct dimension *dimension, struct err *err)
{
    int n = cJSON_GetArraySize(member), i = 0;
    struct dimension_choice *choices;
    const cJSON *item;

    if (n == 0)
        return refuse(member->string, NULL, err, "the list is empty");
    if (n > LIST_MAX)
        return refuse(member->string, NULL, err, "the list has %d values, at most %d are searched",
                      n, LIST_MAX);
    choices = arena_alloc_array(arena, (size_t)n, sizeof(*choices));
    if (choices == NULL)
        return err_nomem(err);
    cJSON_ArrayForEach (item, member) {
        char part[16];

        snprintf(part, sizeof(part), "%d", i);
        if ((item->type & 0xff) != (member->child->type & 0xff))
            return refuse(member->string, part, err, "the list mixes types of values");
        TRY(read_value(member->string, part, item, &choices[i], err));
        for (int k = 0; k < i; k++)
            if (same_value(&choices[k], &choices[i]))
                return refuse(member->string, part, err, "a value that is listed twice");
        i++;
    }
    dimension->choices = choices;
    dimension->n_choices = n;
    return ERR_OK;
}

/* The members of a range. */
static enum err_code check_keys(const cJSON *member, struct err *err)
{
    static const char *const keys[] = {"low", "high", "log", "step"};
    const cJSON *item;

    cJSON_ArrayForEach (item, member) {
        const char *nearest = nearest_name(item->string, keys, (int)N_ELEMENTS(keys));
        bool known = false;

        for (size_t i = 0; i < N_ELEMENTS(keys); i++)
            known = known || strcmp(keys[i], item->string) == 0;
        if (known)
            continue;
        refuse(member->string, item->string, err, "a range has no \"%s\"", item->string);
        return nearest != NULL ? err_hint(err, "did you mean \"%s\"?", nearest)
                               : err_hint(err, "it has \"low\", \"high\", \"log\" and \"step\"");
    }
    return ERR_OK;
}

static enum err_code read_end(const cJSON *member, const char *key, double *ret_end,
                              struct err *err)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(member, key);
    struct dimension_choice end;

    if (value == NULL)
        return refuse(member->string, NULL, err, "a range needs \"%s\"", key);
    TRY(read_value(member->string, key, value, &end, err));
    *ret_end = end.number;
    return ERR_OK;
}

static enum err_code read_log(const cJSON *member, struct dimension *dimension, struct err *err)
{
    const cJSON *log = cJSON_GetObjectItemCaseSensitive(member, "log");

    if (log != NULL && !cJSON_IsBool(log))
        return refuse(member->string, "log", err, "\"log\" must be true or false");
    dimension->log = cJSON_IsTrue(log);
    if (dimension->log && dimension->low <= 0) {
        refuse(member->string, "low", err, "a logarithmic range must begin above 0");
        return err_hint(err, "choose a small number, or leave \"log\" out");
    }
    return ERR_OK;
}

static enum err_code read_step(const cJSON *member, struct dimension *dimension, struct err *err)
{
    const cJSON *step = cJSON_GetObjectItemCaseSensitive(member, "step");
    bool whole = dimension->param->type == HYPERPARAM_INT;
    double number = step == NULL ? 1 : cJSON_IsNumber(step) ? step->valuedouble : (double)NAN;

    if (step == NULL && (!whole || dimension->log))
        return ERR_OK;
    if (dimension->log)
        return refuse(member->string, "step", err, "a logarithmic range has no step");
    if (!(number > 0) || (whole && number != floor(number)))
        return refuse(member->string, "step", err, "\"step\" must be a %snumber above 0",
                      whole ? "whole " : "");
    if ((dimension->high - dimension->low) / number > STEPS_MAX)
        return refuse(member->string, "step", err, "a range has at most %g steps", STEPS_MAX);
    dimension->step = number;
    /* the last value that steps from low reach; a hair for steps such as 0.1 */
    dimension->high =
        dimension->low + floor((dimension->high - dimension->low) / number + 1e-9) * number;
    return ERR_OK;
}

static enum err_code read_range(const cJSON *member, struct arena *arena,
                                struct dimension *dimension, struct err *err)
{
    if (dimension->param->type == HYPERPARAM_CHOICE)
        return refuse(member->string, NULL, err, "it takes a list, its values are %s",
                      dimension->param->choices);
    TRY(check_keys(member, err));
    TRY(read_end(member, "low", &dimension->low, err));
    TRY(read_end(member, "high", &dimension->high, err));
    if (dimension->low > dimension->high)
        return refuse(member->string, NULL, err, "the range is upside down, %g is above %g",
                      dimension->low, dimension->high);
    TRY(read_log(member, dimension, err));
    TRY(read_step(member, dimension, err));
    if (dimension->low == dimension->high) {
        struct dimension_choice *only = arena_alloc(arena, sizeof(*only));

        if (only == NULL)
            return err_nomem(err);
        only->number = dimension->low;
        dimension->choices = only;
        dimension->n_choices = 1;
    }
    return ERR_OK;
}

/* Its name alone: what hyperparams_set says of one that does not exist. */
static enum err_code refuse_name(const char *name, struct err *err)
{
    struct hyperparams scratch = {0};
    enum err_code code = hyperparams_set(&scratch, name, 0, NULL, err);

    space_field(name, NULL, err);
    return code;
}

enum err_code space_read_member(const cJSON *member, struct arena *arena,
                                struct dimension *ret_dimension, struct err *err)
{
    struct dimension dimension = {.param = hyperparam_find(member->string), .is_given = true};

    if (dimension.param == NULL)
        return refuse_name(member->string, err);
    if (strcmp(dimension.param->name, "max_bin") == 0) {
        refuse(member->string, NULL, err, "all trials of a run share their bins");
        return err_hint(err, "set it in \"hyperparams\"");
    }
    if (cJSON_IsArray(member)) {
        TRY(read_list(member, arena, &dimension, err));
    } else if (cJSON_IsObject(member)) {
        TRY(read_range(member, arena, &dimension, err));
    } else {
        refuse(member->string, NULL, err,
               "expected a list of values or a range such as {\"low\": 1, \"high\": 10}");
        return err_hint(err, "a value that is not searched belongs into \"hyperparams\"");
    }
    *ret_dimension = dimension;
    return ERR_OK;
}
