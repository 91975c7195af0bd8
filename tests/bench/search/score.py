"""How both sides are measured: scikit-learn's metrics, and the paired bootstrap of a difference."""

import numpy as np
from sklearn import metrics as skm

METRICS = {"regression": "rmse", "classification": "log_loss"}  # less is better
DRAWS = 2000
LEVEL = 0.95


def loss(task, y, predictions):
    """y: numbers, or class numbers with predictions [rows × classes]."""
    predictions = np.asarray(predictions, dtype=float)
    if task == "regression":
        return float(np.sqrt(skm.mean_squared_error(y, predictions)))
    return float(skm.log_loss(y, predictions, labels=range(predictions.shape[1])))


def row_losses(task, y, predictions):
    """Those whose mean, through finish, is the loss."""
    y, predictions = np.asarray(y), np.asarray(predictions, dtype=float)
    if task == "regression":
        return (predictions - y) ** 2
    smallest = np.finfo(float).eps  # as scikit-learn has it
    predictions = np.clip(predictions, smallest, 1 - smallest)
    return -np.log(predictions[np.arange(len(y)), y] / predictions.sum(axis=1))


def finish(task, mean):
    return np.sqrt(mean) if task == "regression" else mean


def difference_draws(task, y, a, b, seed=0):
    """loss(a) - loss(b) on DRAWS resamples of the rows, the same for both."""
    a, b = row_losses(task, y, a), row_losses(task, y, b)
    random = np.random.default_rng(seed)
    draws = np.empty(DRAWS)
    for i in range(DRAWS):
        rows = random.integers(len(a), size=len(a))
        draws[i] = finish(task, a[rows].mean()) - finish(task, b[rows].mean())
    return draws


def interval(draws):
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
