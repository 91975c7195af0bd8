"""Weights, groups, twins and times: which rows train, validate and test, worked out in SQL as
models/README.md documents it, and what cannot be learnt from."""

import numpy as np
import pytest
import xgboost
from sklearn import metrics as skm

import oracle

RELATION = """
CREATE TABLE public.s AS
SELECT i AS id, x, y, colour, customer, at, day,
       (3 * x + CASE colour WHEN 'red' THEN 5 WHEN 'blue' THEN -5 ELSE 0 END + noise)::float8
           AS amount,
       x + noise > 0 AS answer,
       (ARRAY['low', 'mid', 'high'])[1 + CASE WHEN x + noise > 0.7 THEN 2 WHEN x > -0.7 THEN 1
                                              ELSE 0 END] AS grade,
       CASE i % 6 WHEN 0 THEN 0 WHEN 1 THEN 0.25 WHEN 2 THEN 3 ELSE 1 + (i % 11) / 16.0 END AS w
FROM (SELECT i, sin(i * 12.9898)::float8 * 2 AS x, cos(i * 78.233)::float4 AS y,
             (ARRAY['red', 'green', 'blue', NULL])[1 + (i * 7919) % 4] AS colour,
             CASE WHEN i % 20 <> 0 THEN 'c' || (i * 7919 % 1300) % 130 END AS customer,
             timestamp '2020-01-01' + (i / 3) * interval '1 hour' AS at,
             date '2020-01-01' + i / 40 AS day,
             sin(i * 4.1414)::float8 AS noise
      FROM generate_series(1, 2400) i) s
"""

LOOKED_AT = ("x", "y", "colour")


@pytest.fixture(scope="module")
def rows(catalog):
    catalog.sql(RELATION)
    return catalog


def train(cli, definition, **keys):
    """The run's model, its stats and what was printed."""
    defaults = {"relation": "public.s", "key": ["id"], "search": {"strategy": "none"},
                "include": list(LOOKED_AT), "hyperparams": {"n_estimators": 30}}
    cli.ok("apply", definition(**{**defaults, **keys}))
    out = cli.ok("train", keys["project"], "--here").out
    db = cli.db
    model_id, stats = db.sql(
        "SELECT r.model_id, r.stats FROM pgboost.runs r JOIN pgboost.projects p"
        " ON p.id = r.project_id WHERE p.name = %s ORDER BY r.id DESC LIMIT 1",
        keys["project"])[0]
    return oracle.StoredModel(db, model_id), stats, out


def share(n):
    """Of validation rows, while one setting is tried."""
    return min(max(500 / n, 0.1), 0.2) if n < 5000 else min(max(2500 / n, 0.01), 0.1)


def sides(db, places, size=0.2):
    """(id, place) of every row → the ids of each side, as the README says it of a split by hash.
    Rows of one place stay together; the first and the last are never alone with nothing."""
    places = sorted(((place, ident) for ident, place in places))
    test = [p for p in places if p[0] < size] or [p for p in places if p[0] == places[0][0]]
    rest = places[len(test):]
    n_valid = int(np.floor(share(len(rest)) * len(rest) + 0.5))
    border = len(rest) - n_valid
    while 0 < border < len(rest) and rest[border][0] == rest[border - 1][0]:
        border += 1
    if border == len(rest):
        border = min(i for i, p in enumerate(rest) if p[0] == rest[-1][0])
    return {"test": {p[1] for p in test}, "valid": {p[1] for p in rest[border:]},
            "train": {p[1] for p in rest[:border]}}


def check_sides(parts, stats):
    assert {name: len(ids) for name, ids in parts.items()} == \
        {name: stats[name] for name in parts}


def asked(daemon, project, items, model):
    """Predictions for rows, by bits those of python3-xgboost on the stored model."""
    daemon.wait_live(project, model.id)
    features = [{name: item[name] for name in LOOKED_AT} for item in items]
    answers = daemon.predict(project, features, encoded=True)["predictions"]
    encoded = [answer["encoded"] for answer in answers]
    margins = model.margins(encoded)
    assert (oracle.bits([a["margin"] for a in answers]) == oracle.bits(margins)).all()
    return answers, encoded


def values(answers):
    return np.array([a["prediction"] for a in answers], dtype=np.float32).astype(float)


def rows_of(db, ids, relation="public.s", target="amount"):
    found = oracle.rows_as_json(
        db, f"SELECT * FROM {relation} WHERE id = ANY(ARRAY{sorted(ids)}) ORDER BY id")
    return found, np.array([row[target] for row in found])


# ---------------------------------------------------------------- groups


@pytest.mark.parametrize("keys", [
    {"group": "customer"},
    {"group": "customer", "time": "at", "test": {"by": "group"}},
    {"group": "customer", "key": ["customer", "id"], "test": {"by": "group", "size": 0.35}},
], ids=["by_default", "despite_a_time", "part_of_the_key"])
def test_no_group_is_on_two_sides(rows, cli, definition, daemon, request, keys):
    name = "g_" + request.node.callspec.id
    model, stats, _ = train(cli, definition, project=name, target="amount", **keys)
    own = "coalesce(customer, '') || '|' || id" if len(keys.get("key", [])) == 2 else "id"
    places = rows.sql(f"""
        SELECT id, CASE WHEN customer IS NULL THEN {oracle.row_hash('(' + own + ')')}
                   ELSE {oracle.row_hash('customer')} END FROM public.s""")
    parts = sides(rows, places, keys.get("test", {}).get("size", 0.2))
    check_sides(parts, stats)
    assert stats["split"]["by"] == "group" and stats["split"]["group"] == "customer"
    customers = dict(rows.sql("SELECT id, customer FROM public.s"))
    seen = {side: {customers[i] for i in ids} - {None} for side, ids in parts.items()}
    assert not seen["test"] & seen["train"] and not seen["test"] & seen["valid"]
    assert not seen["train"] & seen["valid"] and all(len(s) > 5 for s in seen.values())
    assert stats["split"]["groups"] == len(set().union(*seen.values())) + sum(
        c is None for c in customers.values())
    # measured on just these rows
    items, y = rows_of(rows, parts["test"])
    answers, _ = asked(daemon, name, items, model)
    oracle.assert_metrics(model.metrics, oracle.regression_metrics(y, values(answers)))
    assert "customer" not in model.names and not any("customer" in n for n in model.names)


def test_time_goes_before_group(rows, cli, definition):
    _, stats, _ = train(cli, definition, project="both", target="amount", time="at",
                        group="customer")
    assert stats["split"]["by"] == "time"


# ---------------------------------------------------------------- time


@pytest.mark.parametrize("column", ["at", "day"])
def test_no_training_row_is_newer_than_a_test_row(rows, cli, definition, daemon, column):
    name = f"newer_{column}"
    rows.sql(f"""CREATE VIEW public.s_{column} AS SELECT id, x, y, colour, amount,
                 CASE WHEN id % 50 <> 0 THEN {column} END AS {column} FROM public.s""")
    model, stats, _ = train(cli, definition, project=name, relation=f"public.s_{column}",
                            target="amount", time=column)
    times = dict(rows.sql(f"SELECT id, {column}::timestamp FROM public.s_{column}"))
    n = len(times)
    border = min(t for t in times.values() if t is not None
                 and sum(u is not None and u >= t for u in times.values()) <= 0.2 * n)
    test = {i for i, t in times.items() if t is not None and t >= border}
    assert len(test) == stats["test"]
    older = [t for i, t in times.items() if i not in test and t is not None]
    assert max(older) < min(times[i] for i in test)
    assert stats["train"] + stats["valid"] == n - len(test)  # those without a time train
    items, y = rows_of(rows, test)
    answers, _ = asked(daemon, name, items, model)
    oracle.assert_metrics(model.metrics, oracle.regression_metrics(y, values(answers)))


# ---------------------------------------------------------------- twins

# A third of the rows has one to four twins of other keys, targets and classes; -0 is 0.
TWINS = """
CREATE TABLE public.twins AS
SELECT row_number() OVER (ORDER BY id, copy) AS id,
       CASE WHEN id % 97 = 0 THEN CASE copy % 2 WHEN 0 THEN 0 ELSE '-0'::float8 END ELSE x END AS x,
       y, colour, w, amount + copy AS amount,
       CASE WHEN copy % 3 = 2 THEN 'other' ELSE grade END AS grade
FROM public.s, generate_series(0, CASE WHEN id % 3 = 0 THEN 1 + id % 4 ELSE 0 END) AS copy
WHERE id <= 1500
"""

FEATURES_HASH = oracle.row_hash(
    "((x + 0)::text || '|' || y || '|' || coalesce(colour, ''))")


@pytest.fixture(scope="module")
def twins(rows):
    rows.sql(TWINS)
    return rows


def placed_twins(db):
    return db.sql(f"""
        SELECT id, CASE WHEN count(*) OVER (PARTITION BY x, y, colour) > 1 THEN {FEATURES_HASH}
                   ELSE {oracle.row_hash('id')} END AS place,
               {oracle.row_hash('id')}, grade,
               dense_rank() OVER (ORDER BY x, y, colour) FROM public.twins""")


def assert_together(parts, alike):
    seen = {side: {alike[i] for i in ids} for side, ids in parts.items()}
    assert not seen["test"] & seen["train"] and not seen["test"] & seen["valid"]
    assert not seen["train"] & seen["valid"]


def test_twins_stay_together(twins, cli, definition, daemon):
    model, stats, _ = train(cli, definition, project="twins", relation="public.twins",
                            target="amount")
    found = placed_twins(twins)
    parts = sides(twins, [row[:2] for row in found])
    check_sides(parts, stats)
    alike = {row[0]: row[4] for row in found}
    assert_together(parts, alike)
    n = len(found)
    assert 0.16 * n < stats["test"] < 0.24 * n
    assert stats["split"]["distinct"] == len(set(alike.values())) == 1500
    assert stats["split"]["twins"] == sum(list(alike.values()).count(a) > 1 for a in alike.values())
    assert stats["split"]["together"] == list(LOOKED_AT)
    items, y = rows_of(twins, parts["test"], "public.twins")
    answers, _ = asked(daemon, "twins", items, model)
    oracle.assert_metrics(model.metrics, oracle.regression_metrics(y, values(answers)))


def test_twins_of_several_classes(twins, cli, definition, daemon):
    model, stats, _ = train(cli, definition, project="twin_classes", relation="public.twins",
                            target="grade", test={"size": 0.25}, calibration="none")
    found = placed_twins(twins)
    test = oracle.stratified_test(found, 0.25)
    assert len(test) == stats["test"]
    items, y = rows_of(twins, test, "public.twins", "grade")
    answers, encoded = asked(daemon, "twin_classes", items, model)
    labels = [label["text"] if isinstance(label, dict) else label for label in model.labels]
    p = model.predictions(encoded).astype(float)
    oracle.assert_metrics(model.metrics, oracle.classification_metrics(
        np.array([labels.index(v) for v in y]), p, len(labels)))


def test_the_rule_says_when_features_decide(twins, cli, definition):
    """A live model of other features is compared with as long as no row has a twin."""
    keys = dict(project="rule", target="amount")
    train(cli, definition, **keys)
    _, stats, out = train(cli, definition, include=["x", "y"], **keys)
    assert "together" not in stats["split"] and "split by another rule" not in out
    keys = dict(project="rule_twins", target="amount", relation="public.twins")
    train(cli, definition, **keys)
    assert "split by another rule" in train(cli, definition, include=["x", "y"], **keys)[2]


def test_coarse_features_repeat_by_nature(rows, cli, definition):
    _, stats, out = train(cli, definition, project="coarse", target="amount", include=["colour"])
    assert "only 4 different ones" in out and stats["split"]["distinct"] == 4
    check_sides(sides(rows, rows.sql(f"SELECT id, {oracle.row_hash('id')} FROM public.s")), stats)


# ---------------------------------------------------------------- weights


def test_a_weighted_model_is_xgboosts(rows, cli, definition, daemon):
    """Trained again by python3-xgboost on the same rows with the same weights: the same margins by
    bits. Where boosting starts is the weighted mean."""
    model, stats, _ = train(cli, definition, project="weighted", target="amount", weight="w",
                            include=["x", "y"], threads=1)
    ordered = rows.sql(f"""SELECT id, {oracle.row_hash('id')} AS h, x, y, amount, w::float8
                           FROM public.s ORDER BY h""")
    test = [row for row in ordered if row[1] < 0.2]
    learnt = [row for row in ordered if row[1] >= 0.2]
    assert stats["test"] == len(test)
    y, w = (np.array([row[k] for row in learnt]) for k in (4, 5))
    assert (w == 0).any() and w.max() == 3
    params = {k: v for k, v in cli.db.value(
        "SELECT hyperparams FROM pgboost.models WHERE id = %s", model.id).items()
        if k not in ("n_estimators", "early_stopping_rounds")}
    assert "w" not in model.names
    features = np.array([row[2:4] for row in learnt], dtype=np.float32)
    matrix = xgboost.QuantileDMatrix(features, label=y.astype(np.float32),
                                     weight=w.astype(np.float32), feature_names=model.names,
                                     feature_types=model.types, missing=np.nan)
    mean, total = 0.0, 0.0
    for value, weight in zip(y, w):
        total += weight
        mean += (value - mean) * weight / total if weight > 0 else 0
    assert abs(mean - np.average(y, weights=w)) < 1e-12
    again = xgboost.train(
        {**params, "objective": "reg:squarederror", "tree_method": "hist", "nthread": 1,
         "seed": 42, "seed_per_iteration": True, "base_score": mean},
        matrix, num_boost_round=model.metrics["rounds"])
    asked_of = xgboost.DMatrix(np.array([row[2:4] for row in test], dtype=np.float32),
                               feature_names=model.names, feature_types=model.types)
    margins = model.booster.predict(asked_of, output_margin=True)
    assert (oracle.bits(margins) == oracle.bits(again.predict(asked_of, output_margin=True))).all()
    # without the weights it is another model
    matrix.set_weight(np.ones(len(w)))
    other = xgboost.train({**params, "tree_method": "hist", "base_score": mean}, matrix, 5)
    assert (oracle.bits(margins) != oracle.bits(other.predict(asked_of))).any()


def weighted_regression(y, predictions, w):
    return {
        "rmse": float(np.sqrt(skm.mean_squared_error(y, predictions, sample_weight=w))),
        "mae": float(skm.mean_absolute_error(y, predictions, sample_weight=w)),
        "r2": float(skm.r2_score(y, predictions, sample_weight=w)),
        "bias": float(np.average(predictions - y, weights=w)),
    }


def weighted_quantile(y, w):
    order = np.argsort(y)
    y, w = y[order][w[order] > 0], w[order][w[order] > 0]
    below = np.cumsum(w)
    return y[np.searchsorted(2 * below, below[-1])]


def test_weighted_metrics_of_a_regression(rows, cli, definition, daemon):
    model, stats, _ = train(cli, definition, project="weighed", target="amount", weight="w",
                            objective="reg:absoluteerror")
    parts = sides(rows, rows.sql(f"SELECT id, {oracle.row_hash('id')} FROM public.s"))
    check_sides(parts, stats)
    items, y = rows_of(rows, parts["test"])
    w = np.array([row["w"] for row in items], dtype=float)
    answers, _ = asked(daemon, "weighed", items, model)
    oracle.assert_metrics(model.metrics, weighted_regression(y, values(answers), w))
    assert abs(model.metrics["rmse"] - oracle.regression_metrics(y, values(answers))["rmse"]) > 1e-3
    others, y_train = rows_of(rows, parts["train"] | parts["valid"])
    w_train = np.array([row["w"] for row in others], dtype=float)
    mean = np.full(len(y), np.average(y_train, weights=w_train))
    oracle.assert_metrics(model.metrics["baseline"], weighted_regression(y, mean, w))
    median = np.full(len(y), weighted_quantile(y_train, w_train))
    oracle.assert_metrics(model.metrics["baselines"]["median"], weighted_regression(y, median, w))
    # evaluate weighs as well, where the relation has the column
    rows.sql("CREATE VIEW public.s_tested AS SELECT x, y, colour, amount, w FROM public.s"
             " WHERE id = ANY(ARRAY%s)" % sorted(parts["test"]))
    rows.sql("CREATE VIEW public.s_plain AS SELECT x, y, colour, amount FROM public.s_tested")
    rows.sql("CREATE VIEW public.s_below AS SELECT x, y, colour, amount, w - 1 AS w FROM public.s")
    again = cli.json("evaluate", "weighed", "--from", "public.s_tested")
    assert again["weight"] == "w" and again["metrics"]["rmse"] == model.metrics["rmse"]
    assert "counts by its w" in cli.ok("evaluate", "weighed", "--from", "public.s_tested").out
    plain = cli.json("evaluate", "weighed", "--from", "public.s_plain")
    assert plain["weight"] is None
    oracle.assert_metrics(plain["metrics"], oracle.regression_metrics(y, values(answers)))
    refused = cli("evaluate", "weighed", "--from", "public.s_below")
    assert refused.code == 1 and 'weight "w" is negative in' in refused.err
    # and so do intervals: the share of the weight that they cover
    stored = rows.value("SELECT calibration FROM pgboost.models WHERE id = %s", model.id)
    covered = model.metrics["coverage"]["0.8"]
    inside = np.abs(y - values(answers)) <= covered["half_width"]
    assert abs(np.average(inside, weights=w) - covered["covered"]) < 1e-12
    _, w_valid = rows_of(rows, parts["valid"], target="w")
    assert stored["residuals"]["rows"] == (w_valid > 0).sum() < len(w_valid)
    base = float(cli.db.value("SELECT metrics -> 'baselines' -> 'median' ->> 'mae'"
                              " FROM pgboost.models WHERE id = %s", model.id))
    assert model.metrics["mae"] < base


@pytest.mark.parametrize("target", ["answer", "grade"])
def test_weighted_metrics_of_a_classification(rows, cli, definition, daemon, target):
    name = f"weighed_{target}"
    model, stats, _ = train(cli, definition, project=name, target=target, weight="w",
                            test={"by": "random"}, search={"strategy": "auto", "trials": 2},
                            calibration="none")
    test = {i for i, h in rows.sql(f"SELECT id, {oracle.row_hash('id')} FROM public.s") if h < 0.2}
    assert len(test) == stats["test"]
    items, y = rows_of(rows, test, target=target)
    labels = [label["text"] if isinstance(label, dict) else label for label in model.labels]
    texts = [str(label).lower() for label in labels]
    y = np.array([texts.index(str(v).lower()) for v in y])
    w = np.array([row["w"] for row in items], dtype=float)
    _, encoded = asked(daemon, name, items, model)
    p = model.predictions(encoded).astype(float)
    p = np.column_stack([1 - p, p]) if len(labels) == 2 else p
    chosen = p.argmax(axis=1)
    expected = {
        "log_loss": skm.log_loss(y, p, labels=range(len(labels)), sample_weight=w),
        "accuracy": skm.accuracy_score(y, chosen, sample_weight=w),
        "f1_macro": skm.f1_score(y, chosen, average="macro", zero_division=0, sample_weight=w),
        "mcc": skm.matthews_corrcoef(y, chosen, sample_weight=w),
    }
    if len(labels) == 2:
        expected["roc_auc"] = skm.roc_auc_score(y, p[:, 1], sample_weight=w)
        expected["brier"] = skm.brier_score_loss(y, p[:, 1], sample_weight=w)
    oracle.assert_metrics(model.metrics, expected)
    left = rows.sql(f"SELECT lower({target}::text), sum(w::float8) FROM public.s WHERE NOT id ="
                    " ANY(%s) GROUP BY 1", list(test))
    shares = np.zeros(len(labels))
    for label, weight in left:
        shares[texts.index(label)] = weight
    prior = np.tile(shares / shares.sum(), (len(y), 1))
    oracle.assert_metrics(model.metrics["baseline"], {
        "log_loss": skm.log_loss(y, prior, labels=range(len(labels)), sample_weight=w)})


def test_weights_of_one_change_nothing(rows, cli, definition):
    rows.sql("CREATE VIEW public.s_one AS SELECT *, 1 AS one FROM public.s")
    shas = {train(cli, definition, project=f"one_{weight}", relation="public.s_one",
                  target="amount", weight=weight)[0].sha256 for weight in (None, "one")}
    assert len(shas) == 1


# ---------------------------------------------------------------- what cannot be learnt from

MADE = {
    "one_class": "SELECT *, 'same' AS t FROM public.s",
    "single": "SELECT *, CASE WHEN id = 77 THEN 'rare' ELSE answer::text END AS t FROM public.s",
    "newest": "SELECT *, CASE WHEN id > 2300 THEN 'new' ELSE answer::text END AS t FROM public.s",
    "newest_of_two": "SELECT *, CASE WHEN id > 2300 THEN 'new' ELSE 'old' END AS t FROM public.s",
    "constant": "SELECT *, 5 AS t FROM public.s",
    "late_change": "SELECT *, CASE WHEN id > 2300 THEN 6 ELSE 5 END AS t FROM public.s",
    "ten": "SELECT *, amount AS t FROM public.s WHERE id <= 10",
    "nine": "SELECT *, amount AS t FROM public.s WHERE id <= 9",
    "pair": "SELECT *, amount AS t, CASE WHEN id = 5 THEN 'a' ELSE customer END AS g"
            " FROM public.s",
    "one_group": "SELECT *, amount AS t, 'all' AS g FROM public.s",
    "two_groups": "SELECT *, amount AS t, id % 2 AS g FROM public.s",
    "three_groups": "SELECT *, amount AS t, id % 3 AS g FROM public.s",
    "no_time": "SELECT *, amount AS t, NULL::timestamp AS z FROM public.s",
    "one_time": "SELECT *, amount AS t, timestamp '2020-01-01' AS z FROM public.s",
    "some_times": "SELECT *, amount AS t, CASE WHEN id % 2 = 0 THEN at END AS z FROM public.s",
    "null_weight": "SELECT *, amount AS t, CASE WHEN id % 100 > 0 THEN w END AS v FROM public.s",
    "nan_weight": "SELECT *, amount AS t, CASE WHEN id = 3 THEN 'NaN'::float8 ELSE 1 END AS v"
                  " FROM public.s",
    "negative": "SELECT *, amount AS t, CASE WHEN id < 3 THEN -1 ELSE 1 END AS v FROM public.s",
    "huge": "SELECT *, amount AS t, CASE WHEN id = 3 THEN 1e39 ELSE 1 END AS v FROM public.s",
    "infinite_weight": "SELECT *, amount AS t, CASE WHEN id = 3 THEN 'Infinity'::float8 ELSE 1 END"
                       " AS v FROM public.s",
    "zero": "SELECT *, amount AS t, 0 AS v FROM public.s",
    "old_zero": "SELECT *, amount AS t, CASE WHEN id > 2300 THEN 1 ELSE 0 END AS v FROM public.s",
    "untold": "SELECT *, CASE WHEN id % 2 = 0 THEN amount END AS t,"
              " CASE WHEN id % 2 = 0 THEN 1 ELSE -1 END AS v FROM public.s",
    "tiny": "SELECT *, amount AS t, 0.001 AS v FROM public.s",
    "nan_label": "SELECT *, CASE WHEN id % 7 = 0 THEN 'NaN'::float8 ELSE amount END AS t"
                 " FROM public.s",
    "infinite_label": "SELECT *, CASE WHEN id = 7 THEN '-Infinity'::float8 ELSE amount END AS t"
                      " FROM public.s",
}

REFUSED = [  # relation, keys, what the error must say
    ("one_class", {}, 'only one class, "same"'),
    ("newest_of_two", {"time": "at"}, 't" is "old" in all 1'),
    ("constant", {}, '"t" is 5 in all'),
    ("late_change", {"time": "at"}, '"t" is 5 in all'),
    ("nine", {}, "9 rows with a target"),
    ("ten", {"test": {"size": 0.99}}, "10 rows split into"),
    ("one_group", {"group": "g"}, "2400 rows are of 1 group:"),
    ("two_groups", {"group": "g"}, "2400 rows are of 2 groups:"),
    ("no_time", {"time": "z"}, "0 for the test"),
    ("one_time", {"time": "z"}, "0 for the test"),
    ("null_weight", {"weight": "v"}, 'weight "v" is NULL or NaN in 24 of 2400 rows'),
    ("nan_weight", {"weight": "v"}, 'weight "v" is NULL or NaN in 1 of 2400 rows'),
    ("negative", {"weight": "v"}, 'weight "v" is negative in 2 of 2400 rows'),
    ("huge", {"weight": "v"}, 'weight "v" is infinite as a float32 in 1 of 2400 rows'),
    ("infinite_weight", {"weight": "v"}, 'weight "v" is infinite as a float32 in 1 of 2400 rows'),
    ("zero", {"weight": "v"}, 'weight "v" is 0 in all'),
    ("old_zero", {"weight": "v", "time": "at"}, "training rows"),
    ("infinite_label", {}, "infinite"),
]

ANSWERED = [  # relation, keys, what is printed, what the run's stats say
    ("single", {}, "", {}),
    ("newest", {"time": "at"}, 'class "new" is among the test rows alone', {}),
    ("ten", {}, "", {"test": 3}),
    ("ten", {"test": {"size": 0.01}}, "", {"test": 1}),  # none is below: the smallest
    ("pair", {"group": "g"}, "", {}),
    ("three_groups", {"group": "g"}, "", {"train": 800, "valid": 800, "test": 800}),
    ("some_times", {"time": "z"}, "", {"rows": 2400}),
    ("untold", {"weight": "v"}, "", {"without_target": 1200}),
    ("tiny", {"weight": "v"}, 'the mean of weight "v" is 0.001', {}),
    ("nan_label", {}, "", {"without_target": 342}),
]


@pytest.fixture(scope="module")
def made(rows):
    for name, query in MADE.items():
        rows.sql(f"CREATE VIEW public.made_{name} AS {query}")
    return rows


@pytest.mark.parametrize("name, keys, said", REFUSED, ids=[r[0] for r in REFUSED])
def test_refused_with_a_reason(made, cli, definition, name, keys, said):
    cli.ok("apply", definition(project=name, relation=f"public.made_{name}", target="t",
                               key=["id"], include=list(LOOKED_AT), **keys))
    result = cli("train", name, "--here")
    assert result.code == 1 and said in result.out + result.err, result.out + result.err
    status, error, hint, n = made.sql(
        "SELECT r.status, r.error, r.hint, (SELECT count(*) FROM pgboost.models m"
        " WHERE m.run_id = r.id) FROM pgboost.runs r JOIN pgboost.projects p"
        " ON p.id = r.project_id WHERE p.name = %s", name)[0]
    assert status == "failed" and said in error and hint and n == 0


@pytest.mark.parametrize("name, keys, said, counts", ANSWERED, ids=[r[0] for r in ANSWERED])
def test_answered_all_the_same(made, cli, definition, name, keys, said, counts):
    model, stats, out = train(cli, definition, project=name, relation=f"public.made_{name}",
                              target="t", **keys)
    assert said in out
    assert {key: stats[key] for key in counts} == counts
    used = stats["train"] + stats["valid"] + stats["test"]
    assert used == stats["rows"] - stats["without_target"]
    model.check_golden()


def test_a_class_of_one_row_trains(made, cli, definition):
    """It is neither measured nor validated on: the labels have it, the test rows do not."""
    model, stats, out = train(cli, definition, project="lonely", relation="public.made_single",
                              target="t")
    assert "rare" in str(model.labels) and "test rows alone" not in out
    counts = model.metrics["reports"]["confusion"]["counts"]
    labels = [label["text"] if isinstance(label, dict) else label for label in model.labels]
    assert sum(counts[labels.index("rare")]) == 0 and sum(map(sum, counts)) == stats["test"]


def test_definitions_that_do_not_fit(rows, cli, definition):
    for keys, said in [
        ({"test": {"by": "group"}}, 'needs the key "group"'),
        ({"group": "custommer"}, 'did you mean "customer"?'),
        ({"weight": "W"}, 'has no column "W"'),
        ({"weight": "colour"}, "which is not a number"),
        ({"weight": "amount"}, "is the target"),
        ({"group": "id"}, "is the key"),
        ({"group": "customer", "columns": {"customer": {"as": "category"}}}, "is the group"),
    ]:
        result = cli("apply", definition(project="no", relation="public.s", target="amount",
                                         key=["id"], **keys))
        assert result.code != 0 and said in result.err, result.err
