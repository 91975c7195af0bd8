#!/usr/bin/env python3
"""Models by python3-xgboost and what it answers, for test_forest: the oracle.

    make_models.py DIRECTORY [GRID_ROWS [ROWS]]

For each model, NAME.ubj holds its bytes and NAME.rows what XGBoost predicts: int32 rows, features,
outputs, predicted; then as float32, row by row, the features, the margins [rows × outputs] and the
predictions [rows × predicted]. Boosters gbtree predict in place, which takes infinities; the others
cannot, or (dart) do so with other bits, and predict a DMatrix. ROWS is 1001 where it is not given.

With GRID_ROWS there are also hand-made models, large ones among them, and a model for every
objective, algorithm and kind of data, named OBJECTIVE.ALGORITHM.DATA (":" as "_"), all of which
predict a DMatrix of so many rows.

NAME.shap holds what pred_contribs=True gives: int32 rows, features, outputs; then as float32 the
features, and the contributions [rows × outputs × (features + 1)].

OBJECTIVE.transform (":" as "_") has margins of every size and the predictions XGBoost makes of
them: int32 rows, outputs, predicted; then as float32 the margins and the predictions.
"""
import json
import os
import re
import sys

import numpy as np
import xgboost as xgb

FEATURES = 6
ROWS = 1001
CATEGORIES = {1: 3, 4: 100}  # feature → number of categories
CLASSES = 4
SHAP_ROWS = 200
FLT_MAX = np.finfo(np.float32).max
ODD_NUMBERS = [np.nan, FLT_MAX, -FLT_MAX, np.inf, -np.inf, 1e-45, -1e-45, 1e-38, 0.0, -0.0]
ODD_CODES = [np.nan, -1, -0.5, -0.0, 0.5, 1.5, 2.9999998, 31, 32, 63.5, 64, 99, 100, 127, 128, 1e6,
             16777215, 16777216, 2147483648, FLT_MAX, -FLT_MAX, np.inf, -np.inf, 1e-45]


def training_data(rng, n, categorical, missing):
    x = rng.normal(size=(n, FEATURES)).astype(np.float32)
    for f, k in CATEGORIES.items():
        x[:, f] = rng.integers(0, k, n)
    signal = x[:, 0] * 2 + np.sin(x[:, 2] * 3) + (x[:, 1] == 1) * 2 + (x[:, 4] * 7 % 11) / 5
    if missing:
        x[rng.random(x.shape) < 0.1] = np.nan
    types = ["c" if f in CATEGORIES and categorical else "q" for f in range(FEATURES)]
    return x, signal + rng.normal(size=n) * 0.3, types


def odd_rows(rng, x, thresholds, n):
    """Rows to predict: training rows, a third of whose values are odd or sit on a threshold."""
    rows = x[rng.integers(0, len(x), n)].copy()
    for f in range(FEATURES):
        odd = ODD_CODES if f in CATEGORIES else ODD_NUMBERS
        choice = np.array(odd, dtype=np.float32)[rng.integers(0, len(odd), n)]
        rows[:, f] = np.where(rng.random(n) < 0.2, choice, rows[:, f])
        if len(thresholds[f]):
            exact = thresholds[f][rng.integers(0, len(thresholds[f]), n)]
            rows[:, f] = np.where(rng.random(n) < 0.2, exact, rows[:, f])
    return rows


def thresholds_of(booster):
    """The numerical conditions of each feature, and their neighbours."""
    name = json.loads(booster.save_config())["learner"]["gradient_booster"]["name"]
    dump = "".join(booster.get_dump()) if name != "gblinear" else ""  # crashes if not trained
    splits = re.findall(r"\[f(\d+)<([^\]]+)\]", dump)
    found = {}
    for f in range(FEATURES):
        exact = np.array([float(value) for i, value in splits if int(i) == f], dtype=np.float32)
        found[f] = np.concatenate([exact, np.nextafter(exact, np.float32(np.inf)),
                                   np.nextafter(exact, np.float32(-np.inf))])
    return found


def label_of(objective, y):
    if objective.startswith(("binary:", "reg:logistic")):
        return (y > np.median(y)).astype(np.float32)
    if objective.startswith("multi:"):
        return np.digitize(y, np.quantile(y, [0.3, 0.6, 0.8])).astype(np.float32)
    if objective.startswith("rank:"):
        return np.digitize(y, np.quantile(y, [0.5, 0.8])).astype(np.float32)
    if objective.startswith(("count:", "reg:gamma", "reg:tweedie", "reg:squaredlog", "survival:")):
        return np.exp(np.clip(y, -3, 3)).astype(np.float32)
    return y.astype(np.float32)


def train(rng, objective, rounds=12, categorical=False, missing=True, targets=1, n=1500, **params):
    x, y, types = training_data(rng, n, categorical, missing)
    label = label_of(objective, y)
    if targets > 1:
        label = np.column_stack([label, -label, label * 2][:targets])
    matrix = xgb.DMatrix(x, feature_types=types, enable_categorical=True)
    if objective == "survival:aft":
        matrix.set_float_info("label_lower_bound", label)
        matrix.set_float_info("label_upper_bound", label * 1.1)
    else:
        matrix.set_label(label)
    if objective.startswith("rank:"):
        matrix.set_group([50] * (n // 50))
    if objective.startswith("multi:"):
        params["num_class"] = CLASSES
    settings = {"tree_method": "hist", "max_depth": 5, "eta": 0.3, "nthread": 1, "seed": 7,
                "objective": objective, "verbosity": 0, **params}
    booster = xgb.train(settings, matrix, rounds)
    if settings.get("booster") == "dart" and rounds > 1:
        saved = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]
        weights = saved.get("weight_drop") or saved["model"]["weight_drop"]
        assert any(weight != 1 for weight in weights), "no tree was dropped"
    return booster, x, types


DART = {"booster": "dart", "rate_drop": 0.3, "one_drop": 1}
FOREST = {"num_parallel_tree": 3, "subsample": 0.6, "colsample_bynode": 0.7}
LINEAR = {"booster": "gblinear", "updater": "coord_descent"}  # shotgun differs from run to run

MODELS = {
    "squarederror": dict(objective="reg:squarederror", base_score=105.25),
    "no_missing": dict(objective="reg:squarederror", missing=False),
    "one_hot": dict(objective="reg:squarederror", categorical=True, max_cat_to_onehot=1000),
    "partition": dict(objective="reg:squarederror", categorical=True, max_cat_to_onehot=1),
    "partition_deep": dict(objective="binary:logistic", categorical=True, max_cat_to_onehot=2,
                           max_depth=9, base_score=0.2345678, rounds=30),
    "logistic": dict(objective="binary:logistic", base_score=0.3),
    "logistic_half": dict(objective="binary:logistic", rounds=1, gamma=1e9),
    "softprob": dict(objective="multi:softprob", categorical=True, rounds=9),
    "softmax": dict(objective="multi:softmax"),
    "forest": dict(objective="reg:squarederror", num_parallel_tree=3, subsample=0.5,
                   colsample_bynode=0.5),
    "forest_softprob": dict(objective="multi:softprob", num_parallel_tree=2, subsample=0.7),
    "one_leaf": dict(objective="reg:squarederror", gamma=1e9),
    "no_trees": dict(objective="reg:squarederror", rounds=0, base_score=3.5),
    "no_trees_softprob": dict(objective="multi:softprob", rounds=0),
    "lossguide": dict(objective="reg:squarederror", grow_policy="lossguide", max_depth=0,
                      max_leaves=200, min_child_weight=0.1),
    "pruned": dict(objective="reg:squarederror", tree_method="exact", gamma=3.0, max_depth=7),
    "two_targets": dict(objective="reg:squarederror", targets=2),
    "reg_logistic": dict(objective="reg:logistic"),
    "logitraw": dict(objective="binary:logitraw", base_score=0.7),
    "hinge": dict(objective="binary:hinge"),
    "poisson": dict(objective="count:poisson", base_score=1.7),
    "gamma": dict(objective="reg:gamma", base_score=0.1),
    "tweedie": dict(objective="reg:tweedie", base_score=2.5),
    "squaredlogerror": dict(objective="reg:squaredlogerror"),
    "pseudohuber": dict(objective="reg:pseudohubererror"),
    "absoluteerror": dict(objective="reg:absoluteerror"),
    "cox": dict(objective="survival:cox"),
    "aft": dict(objective="survival:aft", base_score=1.3),
    "pairwise": dict(objective="rank:pairwise"),
    "ndcg": dict(objective="rank:ndcg"),
    "map": dict(objective="rank:map"),
    "dart": dict(objective="reg:squarederror", base_score=-1.25, **DART),
    "dart_forest": dict(objective="multi:softprob", categorical=True, **DART, **FOREST),
    "dart_by_weight": dict(objective="binary:logistic", base_score=0.3, sample_type="weighted",
                           normalize_type="forest", **DART),
    "dart_half": dict(objective="binary:logistic", rounds=1, gamma=1e9, **DART),
    "dart_no_trees": dict(objective="reg:squarederror", rounds=0, **DART),
    "dart_two_targets": dict(objective="reg:squarederror", targets=2, **DART),
    "linear": dict(objective="reg:squarederror", base_score=105.25, **LINEAR),
    "linear_no_missing": dict(objective="reg:squarederror", missing=False, **LINEAR),
    "linear_softprob": dict(objective="multi:softprob", **LINEAR),
    "linear_logistic": dict(objective="binary:logistic", base_score=0.3, **LINEAR),
    "linear_not_trained": dict(objective="binary:logistic", rounds=0, **LINEAR),
}

# Every objective, with the settings that a model file carries.
OBJECTIVES = {
    "reg:squarederror": dict(base_score=-3.75),
    "reg:squaredlogerror": {},
    "reg:logistic": dict(base_score=0.35, scale_pos_weight=2),
    "reg:pseudohubererror": dict(huber_slope=1.5),
    "reg:absoluteerror": {},
    "reg:gamma": dict(base_score=1.7),
    "reg:tweedie": dict(base_score=0.9, tweedie_variance_power=1.3),
    "binary:logistic": dict(base_score=0.2345678, scale_pos_weight=0.5),
    "binary:logitraw": dict(base_score=0.7),
    "binary:hinge": {},
    "count:poisson": dict(base_score=2.2, max_delta_step=0.5),
    "survival:cox": {},
    "survival:aft": dict(base_score=1.3, aft_loss_distribution="logistic"),
    "multi:softmax": {},
    "multi:softprob": dict(base_score=0.25),
    "rank:pairwise": {},
    "rank:ndcg": {},
    "rank:map": dict(base_score=0.125),
}
ALGORITHMS = {"gbtree": {}, "dart": DART, "forest": FOREST, "dart_forest": {**DART, **FOREST},
              "gblinear": LINEAR}
DATA = {"plain": dict(missing=False), "missing": {},
        "categorical": dict(categorical=True, max_cat_to_onehot=4)}


def write_table(path, head, tables):
    with open(path, "wb") as f:
        f.write(np.array(head, dtype=np.int32).tobytes())
        for table in tables:
            f.write(np.ascontiguousarray(table, dtype=np.float32).tobytes())


def matrix_of(rows, types):
    return xgb.DMatrix(rows, feature_types=types, enable_categorical=True)


def finite(rows):
    """A DMatrix takes no infinity."""
    return np.where(np.isinf(rows), np.float32(np.nan), rows)


def write_model(directory, name, booster, rows, types=None):
    """What it predicts: of a DMatrix where types are given, else in place."""
    with open(os.path.join(directory, name + ".ubj"), "wb") as f:
        f.write(booster.save_raw("ubj"))  # first: predicting gives an untrained gblinear weights
    if types is None:
        margins = booster.inplace_predict(rows, predict_type="margin")
        values = booster.inplace_predict(rows, predict_type="value")
    else:
        matrix = matrix_of(rows, types)
        margins, values = booster.predict(matrix, output_margin=True), booster.predict(matrix)
    margins, values = margins.reshape(len(rows), -1), values.reshape(len(rows), -1)
    head = [*rows.shape, margins.shape[1], values.shape[1]]
    write_table(os.path.join(directory, name + ".rows"), head, [rows, margins, values])


def write_transform(directory, rng, objective, n=5000):
    """A booster without trees hands base margins on to its transform."""
    k = CLASSES if objective.startswith("multi:") else 1
    margins = (rng.normal(size=(n, k)) * rng.choice([0.01, 1, 10, 100], (n, 1))).astype(np.float32)
    booster, _, _ = train(rng, objective, rounds=0, n=100)
    matrix = xgb.DMatrix(np.zeros((n, FEATURES), dtype=np.float32), base_margin=margins,
                         feature_types=["q"] * FEATURES)
    values = booster.predict(matrix).reshape(n, -1)
    name = objective.replace(":", "_") + ".transform"
    write_table(os.path.join(directory, name), [n, k, values.shape[1]], [margins, values])


def write_shap(directory, name, booster, rows, types):
    rows = finite(rows)
    contributions = booster.predict(matrix_of(rows, types), pred_contribs=True)
    n_outputs = 1 if contributions.ndim == 2 else contributions.shape[1]
    write_table(os.path.join(directory, name + ".shap"), [*rows.shape, n_outputs],
                [rows, contributions])


def full_tree(number, depth, features, condition, leaf, further=0):
    """A tree whose splits down to `depth` are all there, and of the next level the first few."""
    n_splits = 2 ** depth - 1 + further
    n = 2 * n_splits + 1
    nodes = np.arange(n)
    is_split = nodes < n_splits
    values = [condition(i) if i < n_splits else leaf(i) for i in range(n)]

    def pick(of_splits, of_leaves):
        return np.where(is_split, of_splits, of_leaves).tolist()

    return {
        "id": number, "left_children": pick(2 * nodes + 1, -1),
        "right_children": pick(2 * nodes + 2, -1),
        "parents": [2147483647, *((nodes[1:] - 1) // 2).tolist()],
        "split_indices": pick((nodes + number) % features, 0),
        "split_conditions": np.array(values, dtype=np.float32).astype(float).tolist(),
        "default_left": pick(nodes // 3 % 2, 0), "split_type": [0] * n,
        "base_weights": [0.0] * n, "loss_changes": [1.0] * n,
        "sum_hessian": (1.0 + nodes[::-1]).tolist(),
        "categories": [], "categories_nodes": [], "categories_segments": [], "categories_sizes": [],
        "tree_param": {"num_deleted": "0", "num_feature": str(features), "num_nodes": str(n),
                       "size_leaf_vector": "0"},
    }


def planted(features, trees):
    """A booster of hand-made trees."""
    matrix = xgb.DMatrix(np.zeros((2, features), dtype=np.float32), label=[0, 1])
    booster = xgb.train({"base_score": 0.25, "verbosity": 0, "nthread": 1}, matrix, 0)
    model = json.loads(booster.save_raw("json"))
    forest = model["learner"]["gradient_booster"]["model"]
    forest["trees"] = trees
    forest["tree_info"] = [0] * len(trees)
    forest["gbtree_model_param"]["num_trees"] = str(len(trees))
    booster.load_model(bytearray(json.dumps(model).encode()))
    return booster


def write_large(directory, rng):
    """Beyond what nodes, or a row's codes, hold; and numbers that no training comes to."""
    numbers = rng.normal(size=1 << 18)
    for name, depth, further, features, n_rows in [("many_nodes", 16, 30000, 30, 300),
                                                   ("many_features", 14, 0, 16383, 64),
                                                   ("too_many_features", 16, 0, 65535, 16)]:
        tree = full_tree(0, depth, features, lambda i: numbers[i], lambda i: numbers[i], further)
        rows = rng.normal(size=(n_rows, features)).astype(np.float32)
        rows[rng.random(rows.shape) < 0.1] = np.nan
        write_model(directory, name, planted(features, [tree]), rows)
    odd = [np.nan, -np.inf, np.inf, 0.0, -0.0, 1e-45, -1e-45, FLT_MAX, -FLT_MAX, 1.0, -1e-38]
    trees = [full_tree(t, 4, FEATURES, lambda i: odd[(i + t) % len(odd)],
                       lambda i: odd[(i * 5 + t) % len(odd)] if t == 11 else i / 8)
             for t in range(12)]
    rows = rng.choice(np.array(odd, dtype=np.float32), (2000, FEATURES))
    write_model(directory, "odd_numbers", planted(FEATURES, trees), rows)


def wide(rng, n=1500, features=40):
    """Paths that ask many different features."""
    x = rng.normal(size=(n, features)).astype(np.float32)
    x[rng.random(x.shape) < 0.1] = np.nan
    y = np.nansum(x * rng.uniform(0.5, 1, features), axis=1)
    settings = {"tree_method": "hist", "grow_policy": "lossguide", "max_depth": 0, "nthread": 1,
                "max_leaves": 300, "min_child_weight": 0, "verbosity": 0}
    return xgb.train(settings, xgb.DMatrix(x, label=y), 4), x


def write_named(directory, rng, n_rows):
    for name, options in MODELS.items():
        booster, x, types = train(rng, **options)
        rows = odd_rows(rng, x, thresholds_of(booster), n_rows)
        if "booster" in options:
            rows = finite(rows)
            write_model(directory, name, booster, rows, types)
        else:
            write_model(directory, name, booster, rows)
        write_shap(directory, name, booster, rows[:SHAP_ROWS], types)


def write_grid(directory, rng, n_rows):
    for objective, of_objective in OBJECTIVES.items():
        for algorithm, of_algorithm in ALGORITHMS.items():
            for data, of_data in DATA.items():
                if algorithm == "gblinear" and data == "categorical":
                    continue
                booster, x, types = train(rng, objective, rounds=6, n=600, **of_objective,
                                          **of_algorithm, **of_data)
                rows = finite(odd_rows(rng, x, thresholds_of(booster), n_rows))
                if data == "plain":
                    rows = np.where(np.isnan(rows), np.float32(0.5), rows)
                name = f"{objective.replace(':', '_')}.{algorithm}.{data}"
                write_model(directory, name, booster, rows, types)


def main():
    directory = sys.argv[1]
    rng = np.random.default_rng(20240611)
    write_named(directory, rng, int(sys.argv[3]) if len(sys.argv) > 3 else ROWS)
    booster, x = wide(rng)
    with open(os.path.join(directory, "wide.ubj"), "wb") as f:
        f.write(booster.save_raw("ubj"))
    write_shap(directory, "wide", booster, x[:SHAP_ROWS], ["q"] * x.shape[1])
    for objective in OBJECTIVES:
        write_transform(directory, rng, objective)
    if len(sys.argv) > 2:
        write_large(directory, np.random.default_rng(20240612))
        write_grid(directory, rng, int(sys.argv[2]))


if __name__ == "__main__":
    main()
