#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "recorded.h" /* Optuna's and SciPy's */
#include "search/pruner.h"
#include "search/race.h"

#define TRIALS_MAX 64

/* Trials as events make them. */
static struct trial_step steps[TRIALS_MAX][16];
static struct trial_record trials[TRIALS_MAX];

static struct history begin(int n)
{
    for (int i = 0; i < n; i++)
        trials[i] = (struct trial_record){.number = i, .state = TRIAL_RUNNING, .steps = steps[i]};
    return (struct history){.n = n, .trials = trials};
}

static void report(int number, int step, double loss)
{
    steps[number][trials[number].n_steps++] = (struct trial_step){step, loss};
}

static bool median_of_5(const struct history *history, const struct trial_record *trial)
{
    return median_allows(history, trial, 5);
}

static void replay(const struct recorded_event *events, size_t n, size_t n_refused,
                   bool (*allows)(const struct history *, const struct trial_record *))
{
    struct history history = begin(TRIALS_MAX);
    size_t refused = 0;

    for (size_t i = 0; i < n; i++) {
        struct trial_record *trial = &trials[events[i].number];

        if (events[i].step == 0) {
            trial->state = TRIAL_COMPLETED;
            continue;
        }
        report(trial->number, events[i].step, events[i].loss);
        assert_int_equal(allows(&history, trial), events[i].goes_on);
        if (!events[i].goes_on) {
            trial->state = TRIAL_PRUNED;
            refused++;
        }
    }
    assert_int_equal(refused, n_refused);
}

/* 40 trials of three workers at the same time. */
static void test_halving_decides_as_optuna(void **state)
{
    (void)state;
    replay(recorded_halving, N_ELEMENTS(recorded_halving), REFUSED_BY_HALVING, halving_allows);
}

static void test_median_decides_as_optuna(void **state)
{
    (void)state;
    replay(recorded_median, N_ELEMENTS(recorded_median), REFUSED_BY_MEDIAN, median_of_5);
}

static void test_steps_and_rounds(void **state)
{
    static const int expected[] = {10, 20, 30, 60, 90, 180, 270, 540, 810};

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(expected); i++)
        assert_int_equal(pruner_step((int)i), expected[i]);
    assert_int_equal(pruner_round(30, 0.1), 30);
    assert_int_equal(pruner_round(30, 0.05), 60);
    assert_int_equal(pruner_round(270, 0.3), 90);
    assert_int_equal(pruner_round(30, 0.018), 167);
    assert_int_equal(pruner_round(10, 1), 1);
    assert_int_equal(pruner_round(30, 0.3), 10);
}

/* Six trials that completed with losses of 1 to 6 at 30, 90 and 270; the last ones belong to
 * another algorithm where it is said so. */
static struct history six(bool others)
{
    struct history history = begin(7);

    for (int i = 0; i < 6; i++) {
        report(i, 30, 1 + i);
        report(i, 90, 1 + i);
        report(i, 270, 1 + i);
        trials[i].state = TRIAL_COMPLETED;
        trials[i].setting.algorithm = algorithm_of(others ? ALGORITHM_DART : ALGORITHM_XGBOOST);
    }
    trials[6].setting.algorithm = algorithm_of(ALGORITHM_XGBOOST);
    return history;
}

static void test_both_rules(void **state)
{
    struct history history = six(false);

    (void)state;
    assert_true(pruner_allows(&history, &trials[6])); /* no step yet */
    report(6, 30, 2); /* of 7 the two best go on: 1 and, as it is no worse, 2 */
    assert_true(pruner_allows(&history, &trials[6]));
    report(6, 60, 9); /* no rung, and nobody's step */
    assert_true(pruner_allows(&history, &trials[6]));
    report(6, 90, 2.5); /* median 3.5, but third of 7, which counts later */
    assert_true(median_of_5(&history, &trials[6]));
    assert_false(halving_allows(&history, &trials[6]));
    assert_true(pruner_allows(&history, &trials[6]));
    report(6, 270, 2.5);
    assert_true(median_of_5(&history, &trials[6]));
    assert_false(halving_allows(&history, &trials[6]));
    assert_false(pruner_allows(&history, &trials[6]));

    history = six(false);
    report(6, 30, 4);
    assert_false(median_of_5(&history, &trials[6]));
    assert_true(pruner_allows(&history, &trials[6])); /* too early to judge */
    report(6, 90, 4);
    assert_false(pruner_allows(&history, &trials[6]));
    trials[0].state = trials[1].state = TRIAL_PRUNED; /* four completed are too few to judge */
    assert_true(pruner_allows(&history, &trials[6]));

    history = six(true); /* nobody to compare with */
    report(6, 90, 100);
    assert_true(pruner_allows(&history, &trials[6]));
    report(6, 180, NAN);
    assert_false(pruner_allows(&history, &trials[6]));
}

static void test_race_is_scipys(void **state)
{
    static const double best[20];

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(recorded_races); i++) {
        const struct recorded_race *r = &recorded_races[i];
        double negated[20];

        for (int k = 0; k < r->n; k++)
            negated[k] = -r->differences[k];
        assert_true(fabs(race_p_value(r->differences, best, r->n, false) - r->p) < 1e-12);
        assert_true(fabs(race_p_value(negated, best, r->n, true) - r->p) < 1e-12);
    }
}

/* The share of all 2^n ways to give the |differences| signs that are as bad; by hand of those with
 * ties and zeros. */
static double by_enumeration(const double *differences, int n)
{
    double rank[12], worse = 0;
    int as_bad = 0;

    for (int i = 0; i < n; i++) {
        rank[i] = 0.5;
        for (int k = 0; k < n; k++)
            rank[i] += fabs(differences[k]) < fabs(differences[i])    ? 1
                       : fabs(differences[k]) == fabs(differences[i]) ? 0.5
                                                                      : 0;
        worse += differences[i] > 0 ? rank[i] : differences[i] == 0 ? rank[i] / 2 : 0;
    }
    for (int signs = 0; signs < 1 << n; signs++) {
        double sum = 0;

        for (int i = 0; i < n; i++)
            sum += differences[i] == 0 ? rank[i] / 2 : signs >> i & 1 ? rank[i] : 0;
        as_bad += sum >= worse - 1e-9;
    }
    return (double)as_bad / (1 << n);
}

static void test_race_with_ties(void **state)
{
    static const double best[12];
    struct rng rng;

    (void)state;
    rng_init(&rng, 1);
    for (int i = 0; i < 200; i++) {
        int n = 1 + (int)rng_below(&rng, 12);
        double differences[12];

        for (int k = 0; k < n; k++)
            differences[k] = (double)rng_below(&rng, 7) - 3;
        assert_true(fabs(race_p_value(differences, best, n, false) -
                         by_enumeration(differences, n)) < 1e-12);
    }
}

static void test_race_stops(void **state)
{
    static const double best[] = {1, 1, 1, 1, 1}, worse[] = {2, 3, 4, 5, -3};

    (void)state;
    assert_true(race_allows(worse, best, 0, false));
    assert_true(race_allows(worse, best, 1, false));
    assert_true(race_allows(worse, best, 2, false)); /* p 1/4 */
    assert_true(race_allows(worse, best, 3, false));
    assert_false(race_allows(worse, best, 4, false)); /* p 1/16 */
    assert_true(race_allows(worse, best, 5, false));
    assert_true(race_allows(worse, best, 4, true)); /* where more is better */
    assert_true(race_allows(best, best, 5, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halving_decides_as_optuna),
        cmocka_unit_test(test_median_decides_as_optuna),
        cmocka_unit_test(test_steps_and_rounds),
        cmocka_unit_test(test_both_rules),
        cmocka_unit_test(test_race_is_scipys),
        cmocka_unit_test(test_race_with_ties),
        cmocka_unit_test(test_race_stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
