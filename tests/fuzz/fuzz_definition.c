/*
 * A project's definition: any text is refused with what is wrong and where, or is a project whose
 * values are within their bounds, whose stored form is read as the same one, and whose search has
 * settings that lie in its space.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/project.h"
#include "search/space.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DRAWS 3

static void check_refused(enum err_code code, const struct err *err)
{
    if (code == ERR_NOMEM)
        return;
    if (code != ERR_CONFIG || err->code != ERR_CONFIG || err->message[0] == '\0')
        abort();
}

static void check_list(const struct string_list *list)
{
    for (int i = 0; i < list->n; i++)
        if (list->items[i][0] == '\0')
            abort();
}

static void check_values(const struct project *project)
{
    if (project_check_name(project->name, NULL) != ERR_OK || project->relation[0] == '\0' ||
        project->target[0] == '\0')
        abort();
    check_list(&project->key);
    check_list(&project->include);
    check_list(&project->exclude);
    check_list(&project->retrain_on_refresh);
    if (!(project->test_size > 0 && project->test_size < 1) || project->keep < 1 ||
        project->seed < 0 || project->algorithms == 0 || project->algorithms >> N_ALGORITHMS != 0 ||
        !(project->search_minutes >= 0) || project->search_trials < 0)
        abort();
    for (int i = 0; i < project->n_overrides; i++)
        if (project->overrides[i].encode == COLUMN_ORDINAL && project->overrides[i].ordinal.n == 0)
            abort();
}

static void check_stored(const struct project *project)
{
    CLEANUP(project_freep) struct project *again = NULL;

    if (project_parse(project->json_text, strlen(project->json_text), "stored", &again, NULL) !=
        ERR_OK)
        abort();
    if (strcmp(project->json_text, again->json_text) != 0)
        abort();
}

static bool lies_in(const struct dimension *dimension, double value)
{
    if (isnan(value))
        return dimension->only_lossguide;
    if (dimension->n_choices > 0)
        return value >= 0 && value < dimension->n_choices && value == floor(value);
    return (dimension->or_zero && value == 0) ||
           (value >= dimension->low && value <= dimension->high);
}

static void check_draws(const struct space *space)
{
    struct rng rng;
    double point[HYPERPARAMS_MAX];

    rng_init(&rng, 42);
    for (int draw = 0; draw < DRAWS; draw++) {
        space_draw(space, &rng, point);
        for (int i = 0; i < space->n; i++)
            if (!lies_in(&space->dimensions[i], point[i]))
                abort();
    }
}

static void check_search(const struct project *project)
{
    struct space_options options = {
        .strategy = project->search_strategy,
        .n_trials = project->search_trials,
        .hyperparams = project->hyperparams,
        .params = project->search_params,
    };
    struct err err = {0};
    enum err_code code = space_check(&options, project->algorithms, &err);

    if (code != ERR_OK) {
        check_refused(code, &err);
        return;
    }
    for (int id = 0; id < N_ALGORITHMS; id++) {
        CLEANUP(space_release) struct space space = {0};

        if ((project->algorithms & ALGORITHM_BIT(id)) == 0)
            continue;
        code = space_init(&space, (enum algorithm_id)id, &options, &err);
        if (code == ERR_OK)
            check_draws(&space);
        else
            check_refused(code, &err);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(project_freep) struct project *project = NULL;
    struct err err = {0};
    enum err_code code = project_parse((const char *)data, size, "fuzz", &project, &err);

    if (code != ERR_OK) {
        check_refused(code, &err);
        return 0;
    }
    check_values(project);
    check_stored(project);
    check_search(project);
    return 0;
}
