#!/usr/bin/env python3
"""Inputs and what scikit-learn's metrics make of them, for test_metric: the oracle.

Prints, for each case:
    case NAME ROWS CLASSES              (CLASSES 0: regression)
    values …                            regression: y, then predictions
                                        else: classes, then chosen, then probabilities row by row
    metric NAME VALUE …                 NaN where scikit-learn raises
Numbers are hexadecimal floats.
"""
import warnings

import numpy as np
from sklearn import metrics as m

warnings.simplefilter("ignore")


def value_or_nan(function, *args, **kwargs):
    try:
        return float(function(*args, **kwargs))
    except ValueError:
        return float("nan")


def emit(name, n_rows, n_classes, arrays, results):
    print("case", name, n_rows, n_classes)
    print("values", *(float(v).hex() for a in arrays for v in np.ravel(a)))
    print("metric", *(f"{key} {value.hex()}" for key, value in results.items()))


def regression(name, y, p):
    y, p = np.asarray(y, dtype=float), np.asarray(p, dtype=float)
    emit(name, len(y), 0, [y, p], {
        "rmse": value_or_nan(m.mean_squared_error, y, p, squared=False),
        "mae": value_or_nan(m.mean_absolute_error, y, p),
        "r2": value_or_nan(m.r2_score, y, p),
    })


def classification(name, classes, chosen, probabilities):
    classes, chosen = np.asarray(classes), np.asarray(chosen)
    probabilities = np.asarray(probabilities, dtype=float)
    k = probabilities.shape[1]
    macro = dict(average="macro", zero_division=0)
    results = {
        "log_loss": value_or_nan(m.log_loss, classes, probabilities, labels=range(k)),
        "accuracy": value_or_nan(m.accuracy_score, classes, chosen),
        "balanced_accuracy": value_or_nan(m.balanced_accuracy_score, classes, chosen),
        "f1_macro": value_or_nan(m.f1_score, classes, chosen, **macro),
        "precision_macro": value_or_nan(m.precision_score, classes, chosen, **macro),
        "recall_macro": value_or_nan(m.recall_score, classes, chosen, **macro),
        "mcc": value_or_nan(m.matthews_corrcoef, classes, chosen),
    }
    if k == 2:
        results["roc_auc"] = value_or_nan(m.roc_auc_score, classes, probabilities[:, 1])
        results["brier"] = float(np.mean((classes - probabilities[:, 1]) ** 2))
        if len(set(classes)) == 2:
            results["brier"] = m.brier_score_loss(classes, probabilities[:, 1])
    else:
        results["roc_auc"] = value_or_nan(m.roc_auc_score, classes, probabilities,
                                          multi_class="ovr", average="macro")
    emit(name, len(classes), k, [classes, chosen, probabilities], results)


def main():
    rng = np.random.default_rng(11)
    regression("plain", [3, -0.5, 2, 7], [2.5, 0.0, 2, 8])
    regression("perfect", [1.5, 2.5, 4], [1.5, 2.5, 4])
    regression("constant_perfect", [2, 2, 2], [2, 2, 2])
    regression("constant_missed", [2, 2, 2], [2, 2, 3])
    regression("one_row", [1], [3])
    regression("far_from_zero", 1e9 + rng.normal(size=500), 1e9 + rng.normal(size=500))
    for n in (2, 17, 5000):
        y = rng.normal(size=n) * 10
        regression(f"random_{n}", y, np.float32(y + rng.normal(size=n)))

    classification("perfect", [0, 1, 1, 0], [0, 1, 1, 0], [[1, 0], [0, 1], [0, 1], [1, 0]])
    classification("all_wrong", [0, 1], [1, 0], [[0, 1], [1, 0]])
    classification("one_class", [1, 1, 1], [1, 0, 1], [[.2, .8], [.6, .4], [.5, .5]])
    classification("constant_choice", [0, 1, 0, 1], [0, 0, 0, 0], [[.7, .3]] * 4)
    classification("ties", [0, 1, 0, 1, 1, 0], [0, 0, 1, 1, 1, 0],
                   [[.5, .5], [.5, .5], [.4, .6], [.4, .6], [.1, .9], [.9, .1]])
    classification("class_never_true", [0, 1, 0, 1], [0, 1, 2, 1], np.full((4, 3), 1 / 3))
    classification("class_never_chosen", [0, 1, 2, 1], [0, 1, 0, 1],
                   [[.8, .1, .1], [.1, .8, .1], [.6, .1, .3], [.2, .7, .1]])
    classification("class_nowhere", [0, 3, 0, 3], [0, 3, 3, 3], np.full((4, 4), .25))
    classification("not_scaled", [0, 1, 2], [0, 1, 2], [[.8, .1, .1], [0, 1, 0], [.3, .3, .4]])
    for n, k in ((9, 2), (3000, 2), (40, 3), (3000, 7)):
        scores = rng.normal(size=(n, k)).astype(np.float32)
        classes = rng.integers(0, k, n)
        classes[:k] = range(k)
        scores[np.arange(n), classes] += 1
        scores = np.round(scores, 1)  # ties
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        classification(f"random_{n}_{k}", classes, p.argmax(axis=1), np.float64(np.float32(p)))


if __name__ == "__main__":
    main()
