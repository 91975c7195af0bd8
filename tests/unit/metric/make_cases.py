#!/usr/bin/env python3
"""Inputs and what the oracle makes of them, for the tests of lib/metric.

The oracle is scikit-learn where it has the metric, functions of numpy and scipy, or a definition
followed literally: every order of a tie, every pair of rows.

    make_cases.py metrics     every metric of the table
    make_cases.py reports     exact curves and quantiles

Prints, for each case:
    case NAME ROWS CLASSES              (CLASSES 0: no classification)
    array NAME LENGTH VALUE …           a member of struct metric_input, or of the oracle's answer
    scalar NAME VALUE                   likewise
    metric NAME VALUE …                 NaN where the metric is not defined
Numbers are hexadecimal floats.

Rows of weight 0 are taken away before the oracle sees them: they are as if they were not there.
"""
import decimal
import itertools
import math
import sys
import warnings

import numpy as np
from scipy import stats
from sklearn import metrics as m

warnings.simplefilter("ignore")


def value_or_nan(function, *args, **kwargs):
    try:
        return float(function(*args, **kwargs))
    except ValueError:
        return float("nan")


def emit(name, n_rows, n_classes, arrays, scalars, results):
    print("case", name, n_rows, n_classes)
    for key, values in arrays.items():
        if values is not None:
            flat = np.ravel(values)
            print("array", key, len(flat), *(float(v).hex() for v in flat))
    for key, value in scalars.items():
        print("scalar", key, float(value).hex())
    print("metric", *(f"{key} {float(value).hex()}" for key, value in results.items()))


def weighing(w, *arrays):
    """The rows of a weight."""
    if w is None:
        return (None,) + arrays
    keep = w > 0
    return (w[keep],) + tuple(a[keep] for a in arrays)


def weightings(rng, n):
    """No weights; real ones; whole ones, some of them 0."""
    return {"": None, "_real": rng.uniform(.1, 3, n), "_whole": np.float64(rng.integers(0, 4, n))}


# ---- regression

def median_error(y, p, w):
    if w is None:
        return m.median_absolute_error(y, p)
    if np.all(w == np.floor(w)):  # rows that stand several times
        return np.median(np.repeat(np.abs(y - p), w.astype(int)))
    return m.median_absolute_error(y, p, sample_weight=w)


def exact_deviance(y, p, power):
    """The mean in 60 digits."""
    decimal.getcontext().prec = 60
    power, total = decimal.Decimal(power), 0
    for y_row, p_row in zip(map(decimal.Decimal, y), map(decimal.Decimal, p)):
        if power == 1:
            total += y_row * (y_row / p_row).ln() - y_row + p_row
        elif power == 2:
            total += (p_row / y_row).ln() + y_row / p_row - 1
        else:
            a, b = 1 - power, 2 - power
            total += y_row ** b / (a * b) - y_row * p_row ** a / a + p_row ** b / b
    return float(2 * total / len(y))


def exact_log_error(y, p):
    decimal.getcontext().prec = 60
    errors = [(1 + decimal.Decimal(a)).ln() - (1 + decimal.Decimal(b)).ln() for a, b in zip(y, p)]
    return float((sum(e * e for e in errors) / len(y)).sqrt())


def regression(name, y, p, w=None, quantile=None, power=None):
    y, p = np.asarray(y, dtype=float), np.asarray(p, dtype=float)
    scalars = {}
    if quantile is not None:
        scalars["quantile"] = quantile
    if power is not None:
        scalars["variance_power"] = power
    sw, sy, sp = weighing(w, y, p)
    weighted = dict(sample_weight=sw)
    size = np.abs(sy) + np.abs(sp)
    results = {
        "rmse": value_or_nan(m.mean_squared_error, sy, sp, squared=False, **weighted),
        "mae": value_or_nan(m.mean_absolute_error, sy, sp, **weighted),
        "medae": value_or_nan(median_error, sy, sp, sw),
        "mape": value_or_nan(m.mean_absolute_percentage_error, sy, sp, **weighted),
        "smape": np.average(np.where(size == 0, 0, 2 * np.abs(sy - sp) / np.where(
            size == 0, 1, size)), weights=sw),
        "rmsle": value_or_nan(m.mean_squared_log_error, sy, sp, squared=False, **weighted),
        "r2": value_or_nan(m.r2_score, sy, sp, **weighted),
        "bias": np.average(sp - sy, weights=sw),
        "pinball": value_or_nan(m.mean_pinball_loss, sy, sp, alpha=quantile or .5, **weighted),
        "poisson_deviance": value_or_nan(m.mean_poisson_deviance, sy, sp, **weighted),
        "gamma_deviance": value_or_nan(m.mean_gamma_deviance, sy, sp, **weighted),
        "tweedie_deviance": value_or_nan(m.mean_tweedie_deviance, sy, sp,
                                         power=power or 1.5, **weighted),
    }
    if name == "far_from_zero":  # scikit-learn's formulas have few digits left here, or none
        results["rmsle"] = exact_log_error(y, p)
        for key, of in ("poisson", 1), ("gamma", 2), ("tweedie", 1.5):
            results[f"{key}_deviance"] = exact_deviance(y, p, of)
    emit(name, len(y), 0, dict(y=y, predictions=p, weights=w), scalars, results)


def regressions(rng):
    regression("plain", [3, -0.5, 2, 7], [2.5, 0.0, 2, 8])
    regression("perfect", [1.5, 2.5, 4], [1.5, 2.5, 4])
    regression("constant_perfect", [2, 2, 2], [2, 2, 2])
    regression("constant_missed", [2, 2, 2], [2, 2, 3])
    regression("one_row", [1], [3])
    regression("zeros", [0, 0, 1], [0, 2, 0])
    regression("far_from_zero", 1e9 + rng.normal(size=500), 1e9 + rng.normal(size=500))
    regression("overflow", [1e200, 2], [-1e200, 2])
    regression("counts", rng.poisson(2, 300), rng.gamma(2, 1, 300))  # a y of 0: no gamma
    for n in (2, 3, 17, 5000):
        y = rng.normal(size=n) * 10
        p = np.float32(y + rng.normal(size=n))
        for kind, w in weightings(rng, n).items():
            if w is None or n > 2:
                w = w if w is None or n > 3 else np.array([1., 0, 2])
                regression(f"random_{n}{kind}", y, p, w, quantile=[None, .9, .1][n % 3])
                regression(f"positive_{n}{kind}", np.exp(y / 10), np.exp(p / 10), w,
                           power=[None, 1.1, 3, -1, 2, 1][(n + len(kind)) % 6])
    for power in (.5, 1, 1.5, 2, 3, -2):
        regression(f"power_{power}", [0, 1, 2.5, 3], [.5, 1, 2, 4], power=power)
        regression(f"power_positive_{power}", [.2, 1, 2.5, 3], [.5, 1, 2, 4], power=power)


# ---- classification

def expected_calibration_error(truth, p, w):
    w = np.ones(len(p)) if w is None else w
    bins = np.clip(np.ceil(p * 10) - 1, 0, 9)
    total = 0
    for b in set(bins):
        rows = bins == b
        gap = np.average(truth[rows], weights=w[rows]) - np.average(p[rows], weights=w[rows])
        total += w[rows].sum() / w.sum() * abs(gap)
    return total


def gains_at(truth, p, w, share):
    """The share of positives captured: the curve through the ends of ties, read between them."""
    w = np.ones(len(p)) if w is None else w
    order = np.argsort(-p)
    ends = np.flatnonzero(np.diff(p[order], append=np.nan) != 0)
    passed = np.append(0, np.cumsum(w[order])[ends])
    captured = np.append(0, np.cumsum((w * (truth == 1))[order])[ends])
    return np.interp(share * w.sum(), passed, captured) / w[truth == 1].sum()


def binary_results(truth, chosen, p, w):
    weighted = dict(sample_weight=w)
    both = len(set(truth)) == 2
    results = {
        "roc_auc": value_or_nan(m.roc_auc_score, truth, p, **weighted),
        "pr_auc": m.average_precision_score(truth, p, **weighted) if 1 in truth else math.nan,
        "brier": np.average((truth - p) ** 2, weights=w),
        "ece": expected_calibration_error(truth, p, w),
        "f1": m.f1_score(truth, chosen, zero_division=0, **weighted),
        "precision": m.precision_score(truth, chosen, zero_division=0, **weighted),
        "recall": m.recall_score(truth, chosen, zero_division=0, **weighted),
        "ks": math.nan,
        "lift": gains_at(truth, p, w, .1) / .1 if 1 in truth else math.nan,
    }
    if both:
        results["brier"] = m.brier_score_loss(truth, p, **weighted)
        fpr, tpr, _ = m.roc_curve(truth, p, drop_intermediate=False, **weighted)
        results["ks"] = np.max(tpr - fpr)
    return results


def multiclass_results(truth, p, w, top):
    k = p.shape[1]
    one_hot = np.eye(k)[truth]
    return {
        "roc_auc": value_or_nan(m.roc_auc_score, truth, p, multi_class="ovr", average="macro",
                                sample_weight=w),
        "brier": np.average(((one_hot - p) ** 2).sum(axis=1), weights=w),
        # of equal probabilities scikit-learn takes the last, we the first
        "top_k_accuracy": m.top_k_accuracy_score(k - 1 - truth, p[:, ::-1], k=top or 3,
                                                 labels=range(k), sample_weight=w),
    }


def classification(name, classes, chosen, probabilities, w=None, top=None):
    classes, chosen = np.asarray(classes), np.asarray(chosen)
    probabilities = np.asarray(probabilities, dtype=float)
    k = probabilities.shape[1]
    sw, truth, choice, p = weighing(w, classes, chosen, probabilities)
    weighted = dict(sample_weight=sw)
    macro = dict(average="macro", zero_division=0, **weighted)
    results = {
        "log_loss": value_or_nan(m.log_loss, truth, p, labels=range(k), **weighted),
        "accuracy": value_or_nan(m.accuracy_score, truth, choice, **weighted),
        "balanced_accuracy": value_or_nan(m.balanced_accuracy_score, truth, choice, **weighted),
        "f1_macro": value_or_nan(m.f1_score, truth, choice, **macro),
        "f1_weighted": value_or_nan(m.f1_score, truth, choice, average="weighted",
                                    zero_division=0, **weighted),
        "precision_macro": value_or_nan(m.precision_score, truth, choice, **macro),
        "recall_macro": value_or_nan(m.recall_score, truth, choice, **macro),
        "mcc": value_or_nan(m.matthews_corrcoef, truth, choice, **weighted),
        "kappa": value_or_nan(m.cohen_kappa_score, truth, choice, **weighted),
    }
    results.update(binary_results(truth, choice, p[:, 1], sw) if k == 2 else
                   multiclass_results(truth, p, sw, top))
    emit(name, len(classes), k,
         dict(classes=classes, chosen=chosen, probabilities=probabilities, weights=w),
         {} if top is None else {"k": top}, results)


def classifications(rng):
    classification("perfect", [0, 1, 1, 0], [0, 1, 1, 0], [[1, 0], [0, 1], [0, 1], [1, 0]])
    classification("all_wrong", [0, 1], [1, 0], [[0, 1], [1, 0]])
    classification("one_row", [1], [1], [[.3, .7]])
    classification("one_class", [1, 1, 1], [1, 0, 1], [[.2, .8], [.6, .4], [.5, .5]])
    classification("no_positive", [0, 0, 0], [1, 0, 0], [[.2, .8], [.6, .4], [.5, .5]])
    classification("constant_choice", [0, 1, 0, 1], [0, 0, 0, 0], [[.7, .3]] * 4)
    classification("nothing_to_agree_on", [1, 1], [1, 1], [[.2, .8], [.4, .6]])
    classification("ties", [0, 1, 0, 1, 1, 0], [0, 0, 1, 1, 1, 0],
                   [[.5, .5], [.5, .5], [.4, .6], [.4, .6], [.1, .9], [.9, .1]])
    classification("upside_down", [0, 0, 1, 1], [1, 1, 0, 0],
                   [[.1, .9], [.2, .8], [.8, .2], [.9, .1]])
    classification("class_never_true", [0, 1, 0, 1], [0, 1, 2, 1], np.full((4, 3), 1 / 3))
    classification("class_never_chosen", [0, 1, 2, 1], [0, 1, 0, 1],
                   [[.8, .1, .1], [.1, .8, .1], [.6, .1, .3], [.2, .7, .1]])
    classification("class_nowhere", [0, 3, 0, 3], [0, 3, 3, 3], np.full((4, 4), .25))
    classification("not_scaled", [0, 1, 2], [0, 1, 2], [[.8, .1, .1], [0, 1, 0], [.3, .3, .4]])
    for n, k in ((9, 2), (37, 2), (3000, 2), (40, 3), (40, 4), (3000, 7)):
        scores = rng.normal(size=(n, k)).astype(np.float32)
        classes = rng.integers(0, k, n)
        classes[:k] = range(k)
        scores[np.arange(n), classes] += 1
        scores = np.round(scores, 1)  # ties
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        for kind, w in weightings(rng, n).items():
            if w is not None:
                w[:k] += 1  # every class weighs something
            classification(f"random_{n}_{k}{kind}", classes, p.argmax(axis=1),
                           np.float64(np.float32(p)), w, top=[None, 1, 2][n % 3])
    # one row in a thousand, and probabilities that reach 0 and 1
    truth = (np.arange(5000) % 1000 == 7).astype(int)
    p = np.clip(np.round(rng.normal(.1 + .7 * truth, .2), 2), 0, 1)
    for kind, w in weightings(rng, 5000).items():
        if w is not None:
            w[truth == 1] += 1
        classification(f"rare{kind}", truth, (p > .5).astype(int), np.stack([1 - p, p], 1), w)


# ---- ranking

def orders(scores):
    """Every order by falling score, each tie in all of its orders."""
    ties = [np.flatnonzero(scores == s) for s in np.unique(scores)[::-1]]
    for parts in itertools.product(*(itertools.permutations(tie) for tie in ties)):
        yield np.concatenate([np.array(part, dtype=int) for part in parts])


def average_precision(relevant, k):
    hits = [relevant[:i + 1].mean() for i in range(min(k, len(relevant))) if relevant[i]]
    return sum(hits) / min(k, relevant.sum())


def list_results(y, scores, k):
    relevant = y > 0
    mean = lambda f: np.mean([f(relevant[order]) for order in orders(scores)])
    results = {"precision_at_k": mean(lambda r: r[:k].mean())}
    if relevant.any():
        results["ndcg"] = m.ndcg_score([y], [scores], k=k) if len(y) > 1 else 1
        results["map"] = mean(lambda r: average_precision(r, k))
        results["mrr"] = mean(lambda r: 1 / (np.flatnonzero(r)[0] + 1))
    return results


def ranking(name, lists, k=None, weights=None):
    """lists: pairs of relevances and scores."""
    sums = {}
    for i, (y, scores) in enumerate(lists):
        w = 1 if weights is None else weights[i]
        results = list_results(np.asarray(y, float), np.asarray(scores, float), k or 10)
        for key, value in results.items() if w > 0 else ():
            total, weight = sums.get(key, (0, 0))
            sums[key] = (total + w * value, weight + w)
    flat = lambda values: [v for value in values for v in value]
    emit(name, sum(len(y) for y, _ in lists), 0, {
        "y": flat(y for y, _ in lists),
        "predictions": flat(s for _, s in lists),
        "groups": flat([i] * len(y) for i, (y, _) in enumerate(lists)),
        "weights": None if weights is None else
        flat([weights[i]] * len(y) for i, (y, _) in enumerate(lists)),
    }, {} if k is None else {"k": k}, {
        key: sums[key][0] / sums[key][1] if key in sums else math.nan
        for key in ("ndcg", "map", "mrr", "precision_at_k")})


def rankings(rng):
    ranking("perfect", [([3, 2, 0], [.9, .5, .1])])
    ranking("worst", [([0, 0, 1], [.9, .5, .1])])
    ranking("one_row", [([2], [.1])])
    ranking("nothing_relevant", [([0, 0], [.1, .2])])
    ranking("one_list_says_nothing", [([0, 0, 0], [.1, .2, .3]), ([1, 0, 0], [.1, .2, .3])])
    ranking("all_relevant", [([1, 1, 1], [.1, .2, .3])])
    ranking("all_tied", [([1, 0, 0, 1, 0], [.5] * 5)])
    ranking("cut_in_a_tie", [([1, 0, 2, 0, 1, 0], [.9, .5, .5, .5, .5, .1])], k=3)
    for i in range(12):
        lists = []
        for _ in range(rng.integers(1, 30)):
            n = rng.integers(2, 7)
            lists.append((rng.integers(0, 3, n), np.round(rng.normal(size=n), 0)))
        weights = [None, rng.uniform(.1, 2, len(lists)),
                   1 + np.float64(rng.integers(0, 3, len(lists)))][i % 3]
        if weights is not None and len(lists) > 1:
            weights[0] = 0
        ranking(f"random_{i}", lists, k=[None, 1, 2, 3, 4][i % 5], weights=weights)
    for k in (5, None, 1000):  # long lists, no ties
        ranking(f"long_{k}", [(rng.integers(0, 4, 300), rng.permutation(300)) for _ in range(3)], k)


# ---- survival

def before(upper_i, lower_j, upper_j):
    return upper_i < lower_j or (upper_i == lower_j and upper_j > lower_j)


def concordance(lower, upper, times, w):
    pairs = right = 0
    for i, j in itertools.permutations(range(len(lower)), 2):
        if before(upper[i], lower[j], upper[j]):
            pairs += w[i] * w[j]
            right += w[i] * w[j] * ((times[i] < times[j]) + (times[i] == times[j]) / 2)
    return right / pairs if pairs > 0 else math.nan


def cox_nloglik(lower, upper, hazards, w):
    if not np.all((upper == lower) | np.isinf(upper)):
        return math.nan
    loss = [np.log((w * hazards)[lower >= lower[i]].sum()) - np.log(hazards[i])
            for i in range(len(lower))]
    events = upper == lower
    return np.average(np.array(loss)[events], weights=w[events]) if events.any() else math.nan


def aft_nloglik(lower, upper, times, w, aft, sigma):
    noise = (stats.norm, stats.logistic, stats.gumbel_l)[aft]
    loss = []
    for low, high, time in zip(lower, upper, times):
        z_low = (np.log(low) - np.log(time)) / sigma if low > 0 else -np.inf
        z_high = (np.log(high) - np.log(time)) / sigma
        likelihood = (noise.pdf(z_low) / (sigma * low) if low == high else
                      noise.cdf(z_high) - noise.cdf(z_low) if z_low <= 0 else
                      noise.sf(z_low) - noise.sf(z_high))
        loss.append(-np.log(max(likelihood, 1e-12)))
    return np.average(loss, weights=w)


def survival(name, lower, upper, predictions, w=None, signed=False, hazards=False, aft=0,
             scale=None):
    lower, upper = np.asarray(lower, float), np.asarray(upper, float)
    predictions = np.asarray(predictions, float)
    sw, low, high, p = weighing(np.ones(len(lower)) if w is None else w, lower, upper, predictions)
    arrays = dict(predictions=predictions, weights=w)
    if signed:
        arrays["y"] = np.where(np.isinf(upper), -lower, lower)
    else:
        arrays.update(lower=lower, upper=upper)
    scalars = {"hazards": hazards, "aft": aft}
    if scale is not None:
        scalars["aft_scale"] = scale
    emit(name, len(lower), 0, arrays, scalars, {
        "concordance": concordance(low, high, -p if hazards else p, sw),
        "cox_nloglik": cox_nloglik(low, high, p, sw) if hazards else math.nan,
        "aft_nloglik":
        math.nan if hazards else aft_nloglik(low, high, p, sw, aft, scale or 1),
    })


def survivals(rng):
    inf = math.inf
    survival("all_seen", [1, 2, 3], [1, 2, 3], [1, 3, 2])
    survival("one_row", [1], [1], [1])
    survival("all_censored", [1, 2, 3], [inf] * 3, [1, 3, 2])
    survival("tied_times", [2, 2, 2, 3], [2, 2, inf, 3], [1, 1, 1, .5])
    survival("far_out", [1e-9, 1e9, 1], [1e-9, inf, 2], [1, 1, 1e30])
    for i, n in enumerate((5, 20, 90, 200)):
        time = np.ceil(rng.exponential(10, n))
        censored = rng.random(n) < .4
        censored[0] = False
        upper = np.where(censored, inf, time)
        p = np.float32(np.round(time * np.exp(rng.normal(0, .7, n)), 0) + .5)
        for kind, w in weightings(rng, n).items():
            if w is not None:
                w[0] += 1
            survival(f"right_{n}{kind}", time, upper, p, w, aft=i % 3, scale=[None, .7, 2][i % 3])
            survival(f"signed_{n}{kind}", time, upper, p, w, signed=True)
            survival(f"hazards_{n}{kind}", time, upper, 1 / p, w, signed=True, hazards=True)
            lower = np.where(rng.random(n) < .2, 0, time)  # before a time, or between two
            ends = np.where(rng.random(n) < .3, time + rng.integers(1, 5, n), upper)
            ends = np.where(lower == 0, time, ends)
            survival(f"spans_{n}{kind}", lower, ends, p, w, aft=(i + 1) % 3)
            survival(f"span_hazards_{n}{kind}", lower, ends, 1 / p, w, hazards=True)


# ---- reports

PERCENTS = [0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100]


def reports(rng):
    for n in (2, 5, 40, 300, 20000):
        truth = rng.integers(0, 2, n)
        truth[:2] = [0, 1]
        p = np.round(1 / (1 + np.exp(-rng.normal(truth * 1.5 - 1, 1.5))), 2 if n < 1000 else 5)
        for kind, w in weightings(rng, n).items():
            if w is not None:
                w[:2] += 1
            sw, t, s = weighing(w, truth, p)
            fpr, tpr, at = m.roc_curve(t, s, drop_intermediate=False, sample_weight=sw)
            precision, recall, pr_at = m.precision_recall_curve(t, s, sample_weight=sw)
            chosen = (p > .5).astype(int)
            residuals = truth - p
            repeated = residuals if w is None else np.repeat(residuals, w.astype(int))
            emit(f"report_{n}{kind}", n, 2, {
                "classes": truth, "chosen": chosen, "probabilities": np.stack([1 - p, p], 1),
                "y": truth, "predictions": p, "weights": w,
                "roc_x": fpr, "roc_y": tpr, "roc_threshold": np.append([math.nan], at[1:]),
                "pr_x": recall[::-1], "pr_y": precision[::-1],
                "pr_threshold": np.append([math.nan], pr_at[::-1]),
                "confusion": m.confusion_matrix(truth, chosen, sample_weight=w),
                "quantiles": np.quantile(repeated, np.array(PERCENTS) / 100,
                                         method="averaged_inverted_cdf")
                if kind != "_real" else None,
                "captured": [gains_at(t, s, sw, d / 10) for d in range(1, 11)],
            }, {}, {})


def main():
    rng = np.random.default_rng(11)
    if sys.argv[1] == "reports":
        reports(rng)
        return
    regressions(rng)
    classifications(rng)
    rankings(rng)
    survivals(rng)


if __name__ == "__main__":
    main()
