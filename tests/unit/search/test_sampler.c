#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "recorded.h" /* Optuna's */
#include "search/sampler.h"
#include "search/tpe.h"

#define TRIALS_MAX 200

static struct trial_record trials[TRIALS_MAX];

static struct project *project_of(const char *keys)
{
    CLEANUP(buf_release) struct buf text = {0};
    struct project *project = NULL;
    struct err err = {0};

    buf_printf(&text, "{\"project\":\"p\",\"relation\":\"r\",\"target\":\"t\"%s}", keys);
    if (project_parse(text.data, text.length, "p", &project, &err) != ERR_OK)
        fail_msg("%s", err.message);
    return project;
}

static void init(struct sampler *sampler, const char *keys)
{
    CLEANUP(project_freep) struct project *project = project_of(keys);
    struct err err = {0};

    if (sampler_init(sampler, project, false, false, &err) != ERR_OK)
        fail_msg("%s", err.message);
}

static struct suggestion suggest(const struct sampler *sampler, int number,
                                 const struct history *history)
{
    struct suggestion suggestion;

    assert_int_equal(sampler_suggest(sampler, number, history, &suggestion, NULL), ERR_OK);
    return suggestion;
}

static double get(const struct setting *setting, const char *name, double fallback)
{
    return hyperparams_get(&setting->params, name, fallback);
}

/* A score on the scale of five of xgboost's dimensions, best at 0: three of them in decades. */
static double quadratic(const struct setting *setting)
{
    double depth = (get(setting, "max_depth", 6) - 8) / 7;
    double subsample = (get(setting, "subsample", 1) - 0.7) * 2;
    double child = log10(get(setting, "min_child_weight", 1) / 0.05) / 5;
    double lambda = log10(get(setting, "lambda", 1) / 10) / 5;
    double alpha = log10(get(setting, "alpha", 1e-4) / 0.1 + 1e-9) / 5;

    return depth * depth + subsample * subsample + child * child + lambda * lambda + alpha * alpha;
}

/* Those five and no others: random searches what it is given, tpe what is not set. */
static const char five[] =
    ",\"search\":{\"strategy\":\"%s\",\"params\":{\"max_depth\":{\"low\":3,\"high\":10},"
    "\"subsample\":{\"low\":0.5,\"high\":1},"
    "\"min_child_weight\":{\"low\":0.001,\"high\":100,\"log\":true},"
    "\"lambda\":{\"low\":0.001,\"high\":100,\"log\":true},"
    "\"alpha\":{\"low\":0.0001,\"high\":10,\"log\":true}}},"
    "\"hyperparams\":{\"colsample_bytree\":1,\"colsample_bynode\":1,"
    "\"gamma\":0,\"grow_policy\":\"depthwise\"},\"seed\":%d";

/* Runs n trials one after the other; returns the best score. */
static double run(const struct sampler *sampler, int n, double (*score)(const struct setting *))
{
    struct history history = {.trials = trials};
    double best = INFINITY;

    for (int i = 0; i < n; i++) {
        trials[i] = (struct trial_record){.number = i, .state = TRIAL_COMPLETED};
        trials[i].setting = suggest(sampler, i, &history).setting;
        trials[i].score = score(&trials[i].setting);
        best = fmin(best, trials[i].score);
        history.n = i + 1;
    }
    return best;
}

static int compare_doubles(const void *a, const void *b)
{
    double one = *(const double *)a, other = *(const double *)b;

    return one < other ? -1 : one > other;
}

static double median_of_20_seeds(const char *strategy)
{
    double best[20];

    for (int seed = 0; seed < 20; seed++) {
        CLEANUP(sampler_release) struct sampler sampler = {0};
        char keys[1024];

        snprintf(keys, sizeof(keys), five, strategy, seed);
        init(&sampler, keys);
        assert_int_equal(sampler.spaces[ALGORITHM_XGBOOST].n, 5);
        best[seed] = run(&sampler, 60, quadratic);
    }
    qsort(best, 20, sizeof(*best), compare_doubles);
    return (best[9] + best[10]) / 2;
}

static void test_tpe_beats_random(void **state)
{
    double tpe = median_of_20_seeds("tpe"), drawn = median_of_20_seeds("random");

    (void)state;
    print_message("median of the best of 60 trials: tpe %.4f, random %.4f\n", tpe, drawn);
    assert_true(tpe < drawn / 2);
}

/* The same seed, number and history, whoever asks; other seeds and numbers, other trials. */
static void test_function_of_seed_number_and_history(void **state)
{
    static const char keys[] = ",\"search\":{\"strategy\":\"tpe\"},\"seed\":%d";
    CLEANUP(sampler_release) struct sampler one = {0};
    CLEANUP(sampler_release) struct sampler same = {0};
    CLEANUP(sampler_release) struct sampler other = {0};
    char text[96];
    struct setting first[40];

    (void)state;
    snprintf(text, sizeof(text), keys, 1);
    init(&one, text);
    init(&same, text);
    snprintf(text, sizeof(text), keys, 2);
    init(&other, text);
    run(&one, 40, quadratic);
    for (int i = 0; i < 40; i++)
        first[i] = trials[i].setting;
    run(&same, 40, quadratic);
    for (int i = 0; i < 40; i++)
        assert_true(setting_equal(&first[i], &trials[i].setting));
    for (int n = 39; n >= 0; n--) { /* taken up again at any trial, by anyone */
        struct history history = {.trials = trials, .n = n};
        struct setting setting = suggest(&same, n, &history).setting;

        assert_true(setting_equal(&first[n], &setting));
        setting = suggest(&other, n, &history).setting;
        assert_false(setting_equal(&first[n], &setting));
        setting = suggest(&same, n + 1, &history).setting;
        assert_false(setting_equal(&first[n], &setting));
    }
}

/* Workers who ask while others run try something else, even where they would agree. */
static void test_running_trials_are_avoided(void **state)
{
    CLEANUP(sampler_release) struct sampler sampler = {0};
    struct history history = {.trials = trials};

    (void)state;
    init(&sampler, ",\"search\":{\"strategy\":\"tpe\",\"params\":{\"max_depth\":[3,4,5]}},"
                   "\"hyperparams\":{\"subsample\":1,\"colsample_bytree\":1,\"lambda\":1,"
                   "\"min_child_weight\":1,\"colsample_bynode\":1,\"alpha\":0,\"gamma\":0,"
                   "\"grow_policy\":\"depthwise\"}");
    assert_int_equal(sampler.spaces[ALGORITHM_XGBOOST].n, 1);
    for (int i = 0; i < 3; i++) {
        trials[i] = (struct trial_record){.number = i, .state = TRIAL_RUNNING};
        trials[i].setting = suggest(&sampler, i, &history).setting;
        history.n = i;
        assert_false(history_has(&history, &trials[i].setting));
        history.n = i + 1;
    }
    suggest(&sampler, 3, &history); /* all three are tried: one of them again */
}

/* What runs counts among the rest, and only there. */
static void test_liar(void **state)
{
    CLEANUP(sampler_release) struct sampler sampler = {0};
    struct history history = {.trials = trials, .n = 20};
    struct tpe tpe;

    (void)state;
    init(&sampler, ",\"search\":{\"strategy\":\"tpe\"}");
    run(&sampler, 20, quadratic);
    for (int i = 15; i < 20; i++)
        trials[i].state = i < 18 ? TRIAL_RUNNING : TRIAL_FAILED;
    assert_int_equal(tpe_init(&tpe, &sampler.spaces[ALGORITHM_XGBOOST], &history, NULL), ERR_OK);
    assert_int_equal(tpe.below.n_kernels, 2 + 1); /* of 15 that finished, and the prior */
    assert_int_equal(tpe.above.n_kernels, 18 + 1);
    tpe_release(&tpe);
}

static void test_ranks_as_optuna(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(recorded_splits); i++) {
        const struct recorded_split *r = &recorded_splits[i];
        struct history history = {.trials = trials, .n = r->n};
        CLEANUP(free_ptr) int *ranked = NULL;
        bool is_below[TRIALS_MAX] = {false};
        struct trial_step steps[TRIALS_MAX];
        int n;

        for (int k = 0; k < r->n; k++) {
            bool pruned = r->trials[k].pruned;

            steps[k] = (struct trial_step){r->trials[k].step, r->trials[k].score};
            trials[k] = (struct trial_record){.number = k,
                                              .state = pruned ? TRIAL_PRUNED : TRIAL_COMPLETED,
                                              .score = r->trials[k].score,
                                              .steps = &steps[k],
                                              .n_steps = pruned};
        }
        assert_int_equal(history_rank(&history, NULL, &ranked, &n, NULL), ERR_OK);
        assert_int_equal(n, r->n);
        assert_int_equal(tpe_n_below(history_n_finished(&history, NULL)), r->n_default);
        for (int k = 0; k < r->n_below; k++)
            is_below[ranked[k]] = true;
        for (int k = 0; k < r->n_below; k++)
            assert_true(is_below[r->below[k]]);
    }
    assert_int_equal(tpe_n_below(0), 0);
    assert_int_equal(tpe_n_below(1000), 25);
}

static void test_higher_scores(void **state)
{
    struct history history = {.trials = trials, .n = 3, .higher_is_better = true};
    CLEANUP(free_ptr) int *ranked = NULL;
    int n;

    (void)state;
    for (int i = 0; i < 3; i++)
        trials[i] = (struct trial_record){.number = i, .state = TRIAL_COMPLETED};
    trials[0].score = NAN;
    trials[1].score = 0.5;
    trials[2].score = 0.75;
    assert_int_equal(history_rank(&history, NULL, &ranked, &n, NULL), ERR_OK);
    assert_int_equal(ranked[0], 2);
    assert_int_equal(ranked[1], 1);
    assert_int_equal(ranked[2], 0);
    assert_ptr_equal(history_best(&history), &trials[2]);
    history.higher_is_better = false;
    assert_ptr_equal(history_best(&history), &trials[1]);
}

static double linear_is_best(const struct setting *setting)
{
    return setting->algorithm->id == ALGORITHM_LINEAR ? 1 + quadratic(setting) / 10 : 9;
}

/* The portfolio first; then the algorithm that does best gets most trials, none is forgotten. */
static void test_auto_deals_by_success(void **state)
{
    CLEANUP(sampler_release) struct sampler sampler = {0};
    struct history history = {.trials = trials};
    int n_linear = 0, n_other = 0, at_14;

    (void)state;
    init(&sampler, ",\"algorithms\":[\"xgboost\",\"dart\",\"random_forest\",\"linear\"]");
    assert_int_equal(sampler.n_portfolio, 14);
    run(&sampler, 114, linear_is_best);
    for (int i = 0; i < 14; i++) {
        struct setting setting;

        portfolio_get_of(sampler.algorithms, false, i, &setting);
        assert_true(setting_equal(&setting, &trials[i].setting));
        history.n = i;
        assert_int_equal(suggest(&sampler, i, &history).origin, FROM_PORTFOLIO);
    }
    history.n = 14;
    at_14 = suggest(&sampler, 14, &history).origin;
    assert_int_equal(at_14, FROM_TPE); /* the portfolio is the start */
    for (int i = 14; i < 114; i++) {
        n_linear += trials[i].setting.algorithm->id == ALGORITHM_LINEAR;
        n_other += trials[i].setting.algorithm->id != ALGORITHM_LINEAR;
    }
    assert_true(n_linear > 70);
    assert_true(n_other > 3);
}

static void test_startup_is_random(void **state)
{
    CLEANUP(sampler_release) struct sampler sampler = {0};
    struct history history = {.trials = trials};

    (void)state;
    init(&sampler, ",\"search\":{\"strategy\":\"tpe\"}");
    run(&sampler, 12, quadratic);
    for (int i = 0; i <= 12; i++) {
        history.n = i;
        assert_int_equal(suggest(&sampler, i, &history).origin, i < 10 ? FROM_RANDOM : FROM_TPE);
    }
    trials[3].state = TRIAL_RUNNING; /* running trials do not count */
    history.n = 10;
    assert_int_equal(suggest(&sampler, 10, &history).origin, FROM_RANDOM);
}

static void test_none_and_grid(void **state)
{
    CLEANUP(sampler_release) struct sampler none = {0};
    CLEANUP(sampler_release) struct sampler grid = {0};
    struct history history = {0};

    (void)state;
    init(&none, ",\"search\":{\"strategy\":\"none\"},\"algorithms\":[\"dart\",\"linear\"]");
    assert_int_equal(none.n_portfolio, 2);
    assert_int_equal(suggest(&none, 1, &history).setting.algorithm->id, ALGORITHM_LINEAR);
    init(&grid, ",\"search\":{\"strategy\":\"grid\",\"params\":{\"max_depth\":[3,6],"
                "\"lambda\":[1,2,3]}},\"algorithms\":[\"xgboost\",\"linear\"]");
    assert_int_equal(grid.n_grid, 9); /* a linear model has no depth */
    for (int i = 0; i < 9; i++) {
        struct suggestion s = suggest(&grid, i, &history);

        assert_int_equal(s.origin, FROM_GRID);
        assert_int_equal(s.setting.algorithm->id, i < 6 ? ALGORITHM_XGBOOST : ALGORITHM_LINEAR);
        assert_true(get(&s.setting, "lambda", 0) == 1 + i % 3);
        assert_true(get(&s.setting, "max_depth", 0) == (i < 3 ? 3 : i < 6 ? 6 : 0));
    }
}

static bool polishes(const struct sampler *sampler, const struct history *history,
                     struct suggestion *ret_polish)
{
    bool found = false;

    assert_int_equal(sampler_polish(sampler, history, ret_polish, &found, NULL), ERR_OK);
    return found;
}

static double score_of(const struct setting *setting)
{
    for (int i = 0; i < 30; i++)
        if (setting_equal(&trials[i].setting, setting))
            return trials[i].score;
    fail_msg("no trial has the setting");
    return (double)NAN;
}

static void test_polish(void **state)
{
    CLEANUP(sampler_release) struct sampler sampler = {0};
    CLEANUP(sampler_release) struct sampler given = {0};
    CLEANUP(sampler_release) struct sampler searched = {0};
    struct history history = {.trials = trials};
    struct suggestion polish, next;
    const struct trial_record *best;
    struct setting back;
    int n_better = 0;

    (void)state;
    init(&sampler, "");
    init(&given, ",\"hyperparams\":{\"eta\":0.2}");
    init(&searched, ",\"search\":{\"params\":{\"eta\":[0.1,0.2]}}");
    assert_false(polishes(&sampler, &history, &polish)); /* nothing to polish */
    run(&sampler, 30, quadratic);
    history.n = 30;
    best = history_best(&history);
    assert_true(polishes(&sampler, &history, &polish));
    assert_int_equal(polish.origin, FROM_POLISH);
    assert_true(get(&polish.setting, "eta", 0) == 0.03333);
    assert_int_equal(polish.setting.params.n, best->setting.params.n);
    assert_false(polishes(&given, &history, &next));
    assert_false(polishes(&searched, &history, &next));

    /* another one while that one runs is the second best's; neither is polished once more */
    trials[30] = (struct trial_record){.number = 30, .setting = polish.setting};
    history.n = 31;
    assert_true(polishes(&sampler, &history, &next));
    assert_true(get(&next.setting, "eta", 0) == 0.03333);
    back = next.setting;
    assert_int_equal(hyperparams_set(&back.params, "eta", 0.1, NULL, NULL), ERR_OK);
    for (int i = 0; i < 30; i++) {
        n_better += trials[i].score < score_of(&back);
        assert_false(setting_equal(&trials[i].setting, &back) && &trials[i] == best);
    }
    assert_int_equal(n_better, 1);

    /* nor is one that had no more rounds to go; the next best is */
    assert_int_equal(
        hyperparams_set(&trials[best - trials].setting.params, "n_estimators", 100, NULL, NULL),
        ERR_OK);
    history.n = 30;
    for (int rounds = 99; rounds <= 100; rounds++) {
        trials[best - trials].rounds = rounds;
        assert_true(polishes(&sampler, &history, &polish));
        assert_int_equal(get(&polish.setting, "n_estimators", 0), rounds < 100 ? 100 : 0);
    }
    assert_true(setting_equal(&polish.setting, &next.setting));
    history.n = 31;

    trials[30].state = TRIAL_COMPLETED;
    trials[30].score = -1;
    assert_true(polishes(&sampler, &history, &polish));
    assert_true(setting_equal(&polish.setting, &next.setting));

    history.n = 1;
    assert_int_equal(hyperparams_set(&trials[0].setting.params, "eta", 0.005, NULL, NULL), ERR_OK);
    assert_false(polishes(&sampler, &history, &polish));
    trials[0].setting.algorithm = algorithm_of(ALGORITHM_RANDOM_FOREST);
    assert_false(polishes(&sampler, &history, &polish));
}

static void test_errors_pass_through(void **state)
{
    CLEANUP(project_freep)
    struct project *project =
        project_of(",\"search\":{\"strategy\":\"grid\",\"params\":{\"max_depth\":[3,99]}}");
    struct sampler sampler = {0};
    struct err err = {0};

    (void)state;
    assert_int_equal(sampler_init(&sampler, project, false, false, &err), ERR_CONFIG);
    assert_string_equal(err.field, "/search/params/max_depth/1");
    assert_int_equal(sampler.n_grid, 0); /* untouched */
    assert_int_equal(sampler_check(project, &err), ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tpe_beats_random),
        cmocka_unit_test(test_function_of_seed_number_and_history),
        cmocka_unit_test(test_running_trials_are_avoided),
        cmocka_unit_test(test_liar),
        cmocka_unit_test(test_ranks_as_optuna),
        cmocka_unit_test(test_higher_scores),
        cmocka_unit_test(test_auto_deals_by_success),
        cmocka_unit_test(test_startup_is_random),
        cmocka_unit_test(test_none_and_grid),
        cmocka_unit_test(test_polish),
        cmocka_unit_test(test_errors_pass_through),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
