#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "recorded.h" /* Optuna's */

/* Every density of the recorded points is Optuna's, to 1e-9 of the density. */
static void test_densities_are_optunas(void **state)
{
    double farthest = 0;
    int n = 0;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(recorded_densities); i++) {
        const struct recorded_density *r = &recorded_densities[i];
        CLEANUP(parzen_release) struct parzen parzen = {0};

        assert_int_equal(parzen_init(&parzen, r->axes, r->n_axes, r->points, r->n, NULL), ERR_OK);
        for (int k = 0; k < r->n_asked; k++, n++) {
            double ours = parzen_log_density(&parzen, r->asked + k * r->n_axes);
            double off = fabs(ours - r->densities[k]); /* of logarithms: relative */

            if (!(off < 1e-9))
                print_message("%s: %.15g, Optuna %.15g\n", r->name, ours, r->densities[k]);
            assert_true(off < 1e-9);
            farthest = fmax(farthest, off);
        }
    }
    assert_int_equal(n, 16 * 8);
    print_message("%d densities, farthest off by %.1e\n", n, farthest);
}

static const struct parzen_axis two[] = {{0, -1, 3, 0}, {3, 0, 0, 0}};
static const double few[] = {0.5, 2, -1, 0, 2.9, 2, NAN, NAN, 0.5, NAN};

/* The density sums to 1 over choices and numbers, whatever points lack. */
static void test_sums_to_one(void **state)
{
    CLEANUP(parzen_release) struct parzen parzen = {0};
    double sum = 0, numbers = 0;
    const int n = 4000;

    (void)state;
    assert_int_equal(parzen_init(&parzen, two, 2, few, 5, NULL), ERR_OK);
    for (int i = 0; i < n; i++) {
        double x = -1 + 4 * (i + 0.5) / n;

        for (int k = 0; k < 3; k++)
            sum += exp(parzen_log_density(&parzen, (double[]){x, k})) * 4 / n;
        numbers += exp(parzen_log_density(&parzen, (double[]){x, NAN})) * 4 / n;
    }
    assert_true(fabs(sum - 1) < 1e-5);
    assert_true(fabs(numbers - 1) < 1e-5); /* the axis that is lacking is left out */
    assert_true(isinf(parzen_log_density(&parzen, (double[]){3.1, 0})));
}

/* What is drawn falls as the masses say: within five standard deviations of the share. */
static void test_draws_follow_the_density(void **state)
{
    CLEANUP(parzen_release) struct parzen parzen = {0};
    int below_1 = 0, choice_2 = 0;
    const int n = 20000;
    struct rng rng;
    double mass;

    (void)state;
    assert_int_equal(parzen_init(&parzen, two, 2, few, 5, NULL), ERR_OK);
    rng_init(&rng, 7);
    for (int i = 0; i < n; i++) {
        double point[2];

        parzen_draw(&parzen, &rng, point);
        assert_true(point[0] >= -1 && point[0] <= 3);
        below_1 += point[0] < 1;
        choice_2 += point[1] == 2;
    }
    mass = parzen_mass_below(&parzen, 0, 1);
    assert_true(mass > 0.2 && mass < 0.8);
    assert_true(fabs((double)below_1 / n - mass) < 5 * sqrt(mass * (1 - mass) / n));
    mass = parzen_mass_of(&parzen, 1, 2);
    assert_true(mass > 1.0 / 3 && mass < 0.8);
    assert_true(fabs((double)choice_2 / n - mass) < 5 * sqrt(mass * (1 - mass) / n));
    assert_true(fabs(parzen_mass_below(&parzen, 0, -1)) < 1e-12);
    assert_true(fabs(parzen_mass_below(&parzen, 0, 3) - 1) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_densities_are_optunas),
        cmocka_unit_test(test_sums_to_one),
        cmocka_unit_test(test_draws_follow_the_density),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
