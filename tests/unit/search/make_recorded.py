#!/usr/bin/env python3
"""Prints recorded.h: what Optuna and SciPy say of histories, for the tests of lib/search.

Run by hand, with Debian 12's python3-optuna (3.1.0) and python3-scipy (1.10.1):

    make_recorded.py > recorded.h

Densities are those of Optuna's _ParzenEstimator, multivariate. Optuna 3.1.0 forgets to divide the
density of a truncated normal by its standard deviation (later versions divide), so that its
function truncnorm.logpdf is replaced by SciPy's of the same name. Where all axes come in steps or
are choices that function has no part, and Optuna is left as it is.
"""
import warnings

import numpy as np
import optuna
import scipy.stats
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers._tpe import parzen_estimator as pe
from optuna.samplers._tpe.sampler import _split_observation_pairs, default_gamma, default_weights
from optuna.trial import TrialState

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
assert optuna.__version__ == "3.1.0"

PARAMETERS = pe._ParzenEstimatorParameters(
    consider_prior=True, prior_weight=1.0, consider_magic_clip=True, consider_endpoints=False,
    weights=default_weights, multivariate=True)

# As lib/search names them: {choices, low, high, step, log, whole}
MIXED = {
    "a": FloatDistribution(0.5, 1), "b": FloatDistribution(1e-3, 100, log=True),
    "c": IntDistribution(3, 10), "d": IntDistribution(8, 1024, log=True),
    "e": CategoricalDistribution(range(3)), "f": FloatDistribution(0, 0.8, step=0.1),
    "g": IntDistribution(1, 9, step=2),
}
STEPS = {
    "a": IntDistribution(3, 10), "b": FloatDistribution(0, 0.8, step=0.1),
    "c": CategoricalDistribution(range(4)),
}
ONE = {"a": FloatDistribution(-2, 5)}


def axis(d):
    if isinstance(d, CategoricalDistribution):
        return f"{{{len(d.choices)}, 0, 0, 0}}"
    if d.log and isinstance(d, IntDistribution):
        return f"{{0, {np.log(d.low - .5)!r}, {np.log(d.high + .5)!r}, 0}}"
    if d.log:
        return f"{{0, {np.log(d.low)!r}, {np.log(d.high)!r}, 0}}"
    step = d.step or 0
    return f"{{0, {d.low - step / 2!r}, {d.high + step / 2!r}, {step!r}}}"


def draw(d, rng, n):
    if isinstance(d, CategoricalDistribution):
        return rng.randint(len(d.choices), size=n)
    if d.log:
        x = np.exp(rng.uniform(np.log(d.low), np.log(d.high), n))
        return np.round(x) if isinstance(d, IntDistribution) else x
    if d.step:
        return d.low + d.step * rng.randint(round((d.high - d.low) / d.step) + 1, size=n)
    return rng.uniform(d.low, d.high, n)


def numbers(values):
    return ", ".join(repr(float(v)) for v in values)


def inner(space, sample):
    """Rows of points as the axes have them."""
    columns = [np.log(sample[k]) if getattr(d, "log", False) else sample[k]
               for k, d in space.items()]
    return np.column_stack(columns).ravel()


def parzen(name, space, n, rng, n_asked=8):
    points = {k: draw(d, rng, n) for k, d in space.items()}
    asked = {k: draw(d, rng, n_asked) for k, d in space.items()}
    estimator = pe._ParzenEstimator(points, space, PARAMETERS)
    densities = estimator.log_pdf(asked)
    print(f"    {{\"{name}, {n}\", {len(space)}, {{{', '.join(map(axis, space.values()))}}},")
    print(f"     {n}, (const double[]){{{numbers(inner(space, points)) or 0}}},")
    print(f"     {n_asked}, (const double[]){{{numbers(inner(space, asked))}}},")
    print(f"     (const double[]){{{numbers(densities)}}}}},")


def densities(rng):
    print("static const struct recorded_density recorded_densities[] = {")
    for n in (0, 1, 9, 40):
        parzen("steps", STEPS, n, rng)
    theirs = pe.truncnorm.logpdf
    pe.truncnorm.logpdf = scipy.stats.truncnorm.logpdf
    for space, name in ((ONE, "one"), (MIXED, "mixed")):
        for n in (0, 1, 9, 25, 26, 60):
            parzen(name, space, n, rng)
    pe.truncnorm.logpdf = theirs
    print("};\n")


def splits(rng):
    """Completed trials are ranked before pruned ones."""
    print("static const struct recorded_split recorded_splits[] = {")
    for n in (10, 11, 37):
        trials, pairs = [], []
        for _ in range(n):
            score, step, pruned = round(rng.normal(), 1), int(rng.choice([10, 30, 90])), \
                rng.uniform() < 0.4
            trials.append(f"{{{int(pruned)}, {step}, {score!r}}}")
            pairs.append((-step if pruned else -np.inf, [score]))
        for n_below in (default_gamma(n), n // 2):
            below, _ = _split_observation_pairs(pairs, n_below, None)
            print(f"    {{{n}, {{{', '.join(trials)}}},\n     {default_gamma(n)}, {n_below}, "
                  f"{{{', '.join(map(str, below))}}}}},")
    print("};\n")


STEP_LIST = [10, 20, 30, 60, 90, 180, 270, 540]


def pruner_events(name, pruner, rng, n_trials=40, n_workers=3):
    """Trials that several workers run at the same time; an event {trial, step, loss, goes on};
    step 0: the trial completed."""
    study = optuna.create_study(pruner=pruner)
    running, begun, refused = [], 0, 0
    print(f"static const struct recorded_event {name}[] = {{")
    while running or begun < n_trials:
        if begun < n_trials and len(running) < n_workers:
            final, speed = rng.uniform(), rng.uniform(0.2, 1)
            running.append([study.ask(), 0, final, speed, rng.randint(3, len(STEP_LIST) + 1)])
            begun += 1
            continue
        job = running[rng.randint(len(running))]
        trial, i, final, speed, last = job
        if i == last:
            study.tell(trial, final)
            print(f"    {{{trial.number}, 0, 0, true}},")
            running.remove(job)
            continue
        loss = round(final + 2 * STEP_LIST[i] ** -speed + 0.05 * rng.normal(), 2)
        trial.report(loss, STEP_LIST[i])
        prune = trial.should_prune()
        print(f"    {{{trial.number}, {STEP_LIST[i]}, {loss!r}, {'false' if prune else 'true'}}},")
        job[1] += 1
        refused += prune
        if prune:
            study.tell(trial, state=TrialState.PRUNED)
            running.remove(job)
    print("};")
    print(f"#define {name.replace('recorded', 'refused_by').upper()} {refused}\n")


def races(rng):
    """The trial's scores less the best one's, and SciPy's exact one-sided p."""
    print("static const struct recorded_race recorded_races[] = {")
    for n in (1, 2, 3, 4, 5, 8, 10, 20):
        for shift in (0.0, 0.7):
            differences = rng.normal(shift, 1, n).round(4)
            p = scipy.stats.wilcoxon(differences, alternative="greater", mode="exact").pvalue
            print(f"    {{{n}, {{{numbers(differences)}}}, {float(p)!r}}},")
    print("};\n")


def effects(rng):
    """Optuna's fANOVA of the same points; its forest draws otherwise."""
    space = {k: FloatDistribution(0, 1) for k in "abc"}
    study = optuna.create_study()
    n = 120
    points = rng.uniform(size=(n, 3)).round(4)
    values = (np.sin(5 * points[:, 0]) + points[:, 1] ** 2 + points[:, 0] * points[:, 2]).round(4)
    for point, value in zip(points, values):
        study.add_trial(optuna.trial.create_trial(
            params=dict(zip(space, point)), distributions=space, value=value))
    found = optuna.importance.FanovaImportanceEvaluator(seed=1).evaluate(study)
    print(f"#define RECORDED_POINTS {n}")
    print(f"static const double recorded_points[] = {{{numbers(points.ravel())}}};")
    print(f"static const double recorded_values[] = {{{numbers(values)}}};")
    print(f"static const double recorded_effects[] = {{{numbers(found[k] for k in space)}}};")


HEAD = """\
/* Made by make_recorded.py with Optuna 3.1.0 and SciPy 1.10.1; do not edit. */
/* clang-format off */
#ifndef PGBOOST_TESTS_SEARCH_RECORDED_H
#define PGBOOST_TESTS_SEARCH_RECORDED_H

#include <stdbool.h>

#include "search/parzen.h"

/* points and asked: [n × n_axes], as the axes have them; densities are logarithms [n_asked]. */
struct recorded_density {
    const char *name;
    int n_axes;
    struct parzen_axis axes[7];
    int n;
    const double *points;
    int n_asked;
    const double *asked, *densities;
};

struct recorded_split {
    int n;
    struct {
        int pruned, step;
        double score;
    } trials[37];
    int n_default, n_below; /* Optuna's for so many trials, and the one asked for */
    int below[18];          /* indexes, ascending */
};

struct recorded_event {
    int number, step;
    double loss;
    bool goes_on;
};

struct recorded_race {
    int n;
    double differences[20], p;
};
"""


def main():
    print(HEAD)
    densities(np.random.RandomState(1))
    splits(np.random.RandomState(2))
    pruner_events("recorded_halving", optuna.pruners.SuccessiveHalvingPruner(
        min_resource=30, reduction_factor=3, min_early_stopping_rate=0), np.random.RandomState(3))
    pruner_events("recorded_median", optuna.pruners.MedianPruner(n_startup_trials=5),
                  np.random.RandomState(5))
    races(np.random.RandomState(6))
    effects(np.random.RandomState(7))
    print("\n#endif")


if __name__ == "__main__":
    main()
