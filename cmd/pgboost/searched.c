#include "searched.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "config/project.h"
#include "metric/metric.h"
#include "search/effects.h"
#include "search/sampler.h"
#include "text.h"

#define TRIALS_SHOWN  10
#define EFFECTS_SHOWN 6
#define EFFECT_LEAST  0.01

static const struct list_column columns[] = {
    {"trial", "number", LIST_COUNT, offsetof(struct trial_row, number)},
    {"algorithm", "algorithm", LIST_TEXT, offsetof(struct trial_row, algorithm)},
    {"status", "status", LIST_TEXT, offsetof(struct trial_row, status)},
    {"score", "score", LIST_NUMBER, offsetof(struct trial_row, score)},
    {"rounds", "rounds", LIST_COUNT, offsetof(struct trial_row, rounds)},
    {"fit", "seconds", LIST_SECONDS, offsetof(struct trial_row, seconds)},
    {"µs a row", "predict_us", LIST_NUMBER, offsetof(struct trial_row, predict_us)},
    {"from", "origin", LIST_TEXT, offsetof(struct trial_row, origin)},
    {"hyperparams", "hyperparams", LIST_JSON, offsetof(struct trial_row, hyperparams)},
    {NULL, "fold_scores", LIST_JSON, offsetof(struct trial_row, fold_scores)},
    {NULL, "steps", LIST_JSON, offsetof(struct trial_row, steps)},
    {NULL, "worker", LIST_TEXT, offsetof(struct trial_row, worker)},
    {NULL, "error", LIST_TEXT, offsetof(struct trial_row, error)},
};

void ranked_release(struct ranked *ranked)
{
    free(ranked->items);
    *ranked = (struct ranked){0};
}

enum err_code ranked_init(struct ranked *ranked, const struct trials *trials, bool higher_is_better,
                          struct err *err)
{
    const struct history history = trials_all(trials, higher_is_better);
    CLEANUP(free_ptr) int *order = NULL;

    TRY(history_rank(&history, NULL, &order, &ranked->n, err));
    ranked->items = calloc((size_t)ranked->n + 1, sizeof(*ranked->items));
    if (ranked->items == NULL)
        return err_nomem(err);
    for (int i = 0; i < ranked->n; i++)
        ranked->items[i] = trials->rows.items[order[i]];
    return ERR_OK;
}

struct list list_of_trials(const struct ranked *ranked)
{
    return (struct list)LIST(columns, *ranked, "the run has no trials");
}

static void put_counts(struct buf *out, const struct trials *trials)
{
    static const struct {
        enum trial_state state;
        const char *name;
    } states[] = {{TRIAL_COMPLETED, "completed"},
                  {TRIAL_PRUNED, "pruned"},
                  {TRIAL_FAILED, "failed"},
                  {TRIAL_RUNNING, "under way"}};
    const char *separator = "";

    for (size_t i = 0; i < N_ELEMENTS(states); i++) {
        int n = trials_count(trials, states[i].state);

        if (n == 0)
            continue;
        buf_printf(out, "%s%d %s", separator, n, states[i].name);
        separator = ", ";
    }
}

static void put_error(struct buf *out, const struct trials *trials)
{
    int n = 0;
    const char *error = trials_commonest_error(trials, &n);

    if (error == NULL)
        return;
    buf_printf(out, "%d failed because ", n);
    text_put_safe(out, error);
    buf_putc(out, '\n');
}

static void put_effects(struct buf *out, const struct space *space, const double *effects)
{
    CLEANUP(buf_release) struct buf line = {0};
    bool shown[HYPERPARAMS_MAX] = {false};

    for (int k = 0; k < EFFECTS_SHOWN; k++) {
        int best = -1;

        for (int i = 0; i < space->n; i++)
            if (!shown[i] && (best < 0 || effects[i] > effects[best]))
                best = i;
        if (best < 0 || effects[best] < EFFECT_LEAST)
            break;
        shown[best] = true;
        buf_printf(&line, "%s%s %.0f %%", k > 0 ? ", " : "", space->dimensions[best].param->name,
                   100 * effects[best]);
    }
    if (line.length > 0)
        buf_printf(out, "\nWhat mattered, as the share of the score's variance: %s\n",
                   buf_text(&line));
}

static void put_choice(struct buf *out, const struct dimension_choice *choice)
{
    if (choice->text[0] != '\0')
        buf_puts(out, choice->text);
    else
        buf_printf(out, "%g", choice->number);
}

static void put_outlook(struct buf *out, const struct dimension *dimension,
                        const struct outlook *outlook)
{
    buf_printf(out, "%s ", dimension->param->name);
    if (dimension->n_choices > 0)
        put_choice(out, &dimension->choices[outlook->choice]);
    else if (outlook->zero_share > 0.5)
        buf_puts(out, "0");
    else
        buf_printf(out, "%.3g–%.3g", outlook->low, outlook->high);
}

static enum err_code put_space(struct buf *out, const struct space *space,
                               const struct history *history, uint64_t seed, struct err *err)
{
    CLEANUP(free_ptr) double *effects = calloc((size_t)space->n + 1, sizeof(*effects));
    CLEANUP(free_ptr) struct outlook *outlooks = calloc((size_t)space->n + 1, sizeof(*outlooks));

    if (effects == NULL || outlooks == NULL)
        return err_nomem(err);
    if (effects_of(space, history, seed, effects, NULL) != ERR_OK)
        return ERR_OK; /* too few trials to tell */
    put_effects(out, space, effects);
    TRY(outlook_of(space, history, outlooks, err));
    for (int i = 0; i < space->n; i++) {
        buf_puts(out, i == 0 ? "The next hour would try " : ", ");
        put_outlook(out, &space->dimensions[i], &outlooks[i]);
    }
    buf_puts(out, space->n > 0 ? "\n" : "");
    return ERR_OK;
}

/* Of the best trial's algorithm. */
static enum err_code put_insight(struct buf *out, const struct trials *trials,
                                 const struct project_row *row, bool higher_is_better,
                                 struct err *err)
{
    const struct history history = trials_all(trials, higher_is_better);
    const struct trial_record *best = history_best(&history);
    CLEANUP(project_freep) struct project *project = NULL;
    CLEANUP(sampler_release) struct sampler sampler = {0};

    if (best == NULL ||
        project_parse(row->definition, strlen(row->definition), row->name, &project, NULL) !=
            ERR_OK ||
        sampler_init(&sampler, project, strcmp(row->task, "classification") == 0, true, NULL) !=
            ERR_OK)
        return ERR_OK; /* of another version */
    return put_space(out, &sampler.spaces[best->setting.algorithm->id], &history,
                     (uint64_t)project->seed, err);
}

enum err_code searched_put(struct buf *out, const struct trials *trials, int64_t run_id,
                           const struct project_row *project, bool colour, struct err *err)
{
    const struct metric *metric = metric_find(project->metric);
    bool higher_is_better = metric != NULL && metric->higher_is_better;
    CLEANUP(ranked_release) struct ranked ranked = {0};
    struct list list;

    if (trials->rows.n == 0)
        return ERR_OK;
    TRY(ranked_init(&ranked, trials, higher_is_better, err));
    if (ranked.n > TRIALS_SHOWN)
        ranked.n = TRIALS_SHOWN;
    list = list_of_trials(&ranked);
    buf_printf(out,
               "\nTrials of run %" PRId64 " by %s on the validation rows, best first: ", run_id,
               project->metric);
    put_counts(out, trials);
    buf_putc(out, '\n');
    list_put_table(out, &list, colour);
    put_error(out, trials);
    return put_insight(out, trials, project, higher_is_better, err);
}
