#!/usr/bin/env python3
"""Rows, and the maps that scikit-learn and scipy fit to them, for test_calibration_fit.c.

Prints, for each case, a line of its own for each of:
    METHOD ROWS OUTPUTS LEFT_OUT    (the fold that is not looked at, row number modulo 5; -1: none)
    the margins, row by row         float32
    the classes
    the answer: platt: slope and intercept; temperature: it alone; isotonic: its values at 201
    probabilities from 0 to 1, k / 200
Numbers are hexadecimal floats.
"""
import warnings

import numpy as np
from scipy import optimize, special
from sklearn.calibration import _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression

warnings.simplefilter("ignore")
rng = np.random.default_rng(11)


def emit(method, margins, classes, left_out, answer):
    margins = np.asarray(margins, dtype=np.float32)
    print(method, len(classes), 1 if margins.ndim == 1 else margins.shape[1], left_out)
    for values in (margins, classes, answer):
        print(*(float(v).hex() for v in np.ravel(values)))


def used(n, left_out):
    return np.ones(n, bool) if left_out < 0 else np.arange(n) % 5 != left_out


def platt(margins, classes):
    """Newton's method on Platt's loss, held against scikit-learn's own."""
    n1, n0 = classes.sum(), (classes == 0).sum()
    target = np.where(classes == 1, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))
    x = np.column_stack([margins, np.ones(len(margins))])

    def gradient(w):
        return x.T @ (special.expit(x @ w) - target)

    def hessian(w):
        p = special.expit(x @ w)
        return (x * (p * (1 - p))[:, None]).T @ x

    def loss(w):
        z = x @ w
        return np.sum(np.logaddexp(0, z) - target * z)

    w = optimize.minimize(loss, [1.0, 0.0], jac=gradient, hess=hessian, method="trust-exact",
                          options={"gtol": 1e-10}).x
    sklearn = _SigmoidCalibration().fit(margins, classes)
    np.testing.assert_allclose(w, [-sklearn.a_, -sklearn.b_], rtol=1e-3, atol=1e-3)
    assert np.abs(gradient(w)).max() < 1e-7
    return w


def emit_platt(n, slope, intercept, noise, left_out=-1):
    margins = np.float32(rng.normal(0, 2, n))
    classes = np.int64(rng.uniform(size=n) < special.expit(
        slope * margins + intercept + noise * rng.normal(size=n)))
    keep = used(n, left_out)
    emit("platt", margins, classes, left_out, platt(margins[keep].astype(float), classes[keep]))


def emit_isotonic(n, digits, left_out=-1):
    """digits: probabilities are rounded to so many, which makes ties."""
    margins = np.float32(rng.normal(0, 2, n))
    if digits:
        margins = np.float32(np.round(margins, digits))
    classes = np.int64(rng.uniform(size=n) < special.expit(.5 * margins - .7))
    keep = used(n, left_out)
    # probabilities as the test makes them of margins: exact in float32
    p = ((margins.astype(float) + 16) / 32).astype(np.float32).astype(float)
    least = 1 / (keep.sum() + 2)
    fit = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip")
    fit.fit(p[keep], classes[keep])
    emit("isotonic", margins, classes, left_out, fit.predict(np.arange(201) / 200))


def emit_temperature(n, k, sharpness, left_out=-1):
    margins = np.float32(rng.normal(0, 1.5, (n, k)))
    p = special.softmax(sharpness * margins.astype(float), axis=1)
    classes = np.array([rng.choice(k, p=row) for row in p])
    keep = used(n, left_out)
    m, c = margins[keep].astype(float), classes[keep]

    def slope(beta):
        return np.sum((special.softmax(beta * m, axis=1) * m).sum(axis=1)
                      - m[np.arange(len(c)), c])

    emit("temperature", margins, classes, left_out,
         [1 / optimize.brentq(slope, .05, 20, xtol=1e-14, rtol=1e-14)])


emit_platt(400, .5, 1, .5)
emit_platt(1000, 2, -3, 0)
emit_platt(257, 1, 0, 0, left_out=3)
emit_platt(60, 1, -4, 0)
margins = np.float32(np.linspace(-1, 1, 50))  # nothing but the targets keeps the slope finite
emit("platt", margins, np.int64(margins > 0), -1,
     platt(margins.astype(float), np.int64(margins > 0)))
emit_isotonic(50, None)
emit_isotonic(500, 1)
emit_isotonic(2000, None)
emit_isotonic(999, 1, left_out=0)
emit_temperature(300, 3, .6)
emit_temperature(500, 12, 1.8)
emit_temperature(333, 4, 1, left_out=4)
