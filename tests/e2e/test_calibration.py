"""Calibrated probabilities, thresholds and intervals: fitted, measured, stored, answered."""

import json
import math

import numpy as np
import pytest
from scipy import special
from sklearn import metrics as skm

import oracle


@pytest.fixture(scope="module")
def rows(catalog):
    """A number with a known signal and noise; classes whose probabilities are known, one of them
    rare. h(i, k) is uniform."""
    catalog.sql("""
        CREATE FUNCTION public.h(i int, k int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
            $$ SELECT ('x' || left(md5(i || '/' || k), 12))::bit(48)::bigint / 2.0^48 $$;
        CREATE TABLE public.c AS
        SELECT i AS id, x, z, 3 * x + noise AS amount,
               u < 1 / (1 + exp(-2 * x - z)) AS answer,
               u < 1 / (1 + exp(4.5 - 2 * x)) AS rare,
               CASE WHEN u < 0.5 / (1 + exp(-2 * x)) THEN 'a'
                    WHEN u < 1 / (1 + exp(-2 * x)) THEN 'b' ELSE 'c' END AS kind
        FROM (SELECT i, h(i, 1) * 4 - 2 AS x, h(i, 2) * 2 - 1 AS z, h(i, 3) AS u,
                     sqrt(-2 * ln(h(i, 4) + 1e-12)) * cos(2 * pi() * h(i, 5)) AS noise
              FROM generate_series(1, 16000) i) s;
        ALTER TABLE public.c ADD PRIMARY KEY (id)""")
    return catalog


TARGETS = ["amount", "answer", "rare", "kind"]

# Far too few rounds for their rate: every probability is too near to the mean.
TIMID = {"n_estimators": 12, "eta": 0.05, "max_depth": 3}


@pytest.fixture(scope="module")
def trained(rows, cli, daemon, tmp_path_factory):
    """Trains a project and gives its model; once for each definition."""
    known = {}

    def train(name, target, relation="public.c", **keys):
        if name in known:
            return known[name]
        path = tmp_path_factory.mktemp("definitions") / "p.json"
        path.write_text(json.dumps({
            "project": name, "relation": relation, "target": target, "key": ["id"],
            "exclude": [t for t in TARGETS if t != target], "search": {"strategy": "none"},
            **keys}))
        cli.ok("apply", path)
        cli.ok("train", name, "--here")
        model_id = cli.json("show", name)["project"]["live_model_id"]
        daemon.wait_live(name, model_id)
        known[name] = oracle.StoredModel(rows, model_id)
        return known[name]

    return train


def held_out(rows, target="answer"):
    """By the stratified split, at test.size 0.2."""
    return oracle.rows_as_json(rows, f"""
        SELECT c.* FROM (SELECT *, row_number() OVER (PARTITION BY {target}
                                ORDER BY {oracle.row_hash('id')}) AS place,
                                count(*) OVER (PARTITION BY {target}) AS n FROM public.c) s
        JOIN public.c USING (id) WHERE place <= round(0.2 * n) ORDER BY id""")


def ask(daemon, project, asked, **members):
    items = []
    for at in range(0, len(asked), 1000):
        items += daemon.predict(project, asked[at:at + 1000], encoded=True,
                                **members)["predictions"]
    return items


# Probabilities -------------------------------------------------------------------------------


@pytest.mark.parametrize("choice, method", [
    ("auto", None), ("platt", "platt"), ("isotonic", "isotonic"), ("none", None)])
def test_a_miscalibrated_model_is_put_right(rows, daemon, trained, choice, method):
    model = trained(f"timid_{choice}", "answer", calibration=choice, hyperparams=TIMID)
    report = model.metrics["calibration"]
    kept = model.calibration.get("method")
    assert report["method"] == (kept or "none")
    asked = held_out(rows)
    items = ask(daemon, f"timid_{choice}", asked)
    p = model.check_probabilities(items)
    y = np.array([row["answer"] for row in asked], dtype=int)
    oracle.assert_metrics(model.metrics, oracle.classification_metrics(y, p, 2))
    for item, row in zip(items, p):
        assert item["prediction"] == (row[1] > row[0])
    if choice == "none":
        assert kept is None and "uncalibrated" not in model.metrics
        assert report["why"] == "the definition says so" and "log_loss" not in report
        return
    assert kept == method if method else kept in ("platt", "isotonic")
    # measured against XGBoost's own probabilities of the same rows
    raw = model.predictions([i["encoded"] for i in items]).astype(float)
    raw = np.column_stack([1 - raw, raw])
    oracle.assert_metrics(model.metrics["uncalibrated"], oracle.classification_metrics(y, raw, 2))
    assert model.metrics["log_loss"] < model.metrics["uncalibrated"]["log_loss"] - 0.05
    assert model.metrics["ece"] < 0.5 * model.metrics["uncalibrated"]["ece"]
    # and against the truth that made the rows
    known = special.expit([2 * row["x"] + row["z"] for row in asked])
    assert np.abs(p[:, 1] - known).mean() < 0.5 * np.abs(raw[:, 1] - known).mean()
    if choice == "auto":
        assert report["p_better"] >= 0.95
        assert min(report["log_loss"], key=report["log_loss"].get) == kept
        assert report["log_loss"]["none"] > report["log_loss"][kept] + 0.05


def test_a_calibrated_model_is_left_alone_or_better(trained):
    """Boosted until its validation rows said so, by their log loss: little is left to gain."""
    model = trained("sound", "answer", hyperparams={"eta": 0.1, "max_depth": 4})
    report = model.metrics["calibration"]
    assert set(report["log_loss"]) == {"none", "platt", "isotonic"}
    if report["method"] == "none":
        assert model.calibration == {} and report["p_better"] < 0.95
        assert "not surely better" in report["why"]
    else:
        assert model.metrics["log_loss"] <= model.metrics["uncalibrated"]["log_loss"]


@pytest.mark.parametrize("choice", ["auto", "temperature"])
def test_more_than_two_classes(rows, daemon, trained, choice):
    model = trained(f"kinds_{choice}", "kind", calibration=choice, hyperparams=TIMID)
    assert model.calibration["method"] == "temperature"
    assert model.calibration["temperature"] < 0.8
    asked = held_out(rows, "kind")
    items = ask(daemon, f"kinds_{choice}", asked)
    p = model.check_probabilities(items)
    labels = ["a", "b", "c"]
    y = np.array([labels.index(row["kind"]) for row in asked])
    oracle.assert_metrics(model.metrics, oracle.classification_metrics(y, p, 3))
    assert [i["prediction"] for i in items] == [labels[k] for k in p.argmax(axis=1)]
    assert model.metrics["log_loss"] < model.metrics["uncalibrated"]["log_loss"] - 0.02


def test_explanations_and_margins_are_the_trees_own(rows, daemon, trained):
    model = trained("timid_platt", "answer", calibration="platt", hyperparams=TIMID)
    items = ask(daemon, "timid_platt", held_out(rows)[:50], explain=True)
    margins = model.margins([i["encoded"] for i in items])
    for item, margin in zip(items, margins):
        assert np.float32(item["margin"]) == margin
        total = item["explanation"]["bias"] + sum(item["explanation"]["columns"].values())
        assert abs(total - margin) < 1e-6


def test_too_few_rows_are_left_alone(rows, trained):
    rows.sql("CREATE VIEW public.few AS SELECT * FROM public.c WHERE id <= 230")
    rows.sql("CREATE VIEW public.uneven AS SELECT * FROM public.c"
             " WHERE NOT answer AND id <= 4000 OR answer AND id <= 100")
    few = trained("few", "answer", relation="public.few", calibration="platt", threshold="f1")
    assert few.calibration == {}
    n = few.metrics["calibration"]["rows"]
    assert few.metrics["calibration"] == {
        "method": "none", "rows": n, "why": f"{n} validation rows are fewer than 200",
        "log_loss": few.metrics["calibration"]["log_loss"], "p_better": None}
    assert n < 200 and few.metrics["threshold"] == {
        "by": "f1", "value": None, "validation": None,
        "why": f"{n} validation rows are fewer than 200"}
    uneven = trained("uneven", "answer", relation="public.uneven", threshold="mcc")
    assert uneven.calibration == {}
    assert uneven.metrics["calibration"]["why"].endswith(
        " validation rows of one class are fewer than 20")
    assert uneven.metrics["threshold"]["value"] is None


# The threshold -------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["f1", "balanced_accuracy", "mcc"])
def test_a_threshold_finds_the_rare(rows, daemon, trained, metric):
    model = trained(f"rare_{metric}", "rare", threshold=metric, calibration="platt")
    threshold = model.calibration["threshold"]
    assert model.metrics["threshold"]["value"] == threshold < 0.45
    assert model.metrics["threshold"]["by"] == metric
    asked = held_out(rows, "rare")
    items = ask(daemon, f"rare_{metric}", asked)
    p = model.check_probabilities(items)
    chosen = p[:, 1] >= threshold
    assert [i["prediction"] for i in items] == list(chosen)
    # the label is not the most probable one, as documented
    assert (chosen & (p[:, 1] < 0.5)).sum() > 50
    y = np.array([row["rare"] for row in asked])
    score = {"f1": skm.f1_score, "balanced_accuracy": skm.balanced_accuracy_score,
             "mcc": skm.matthews_corrcoef}[metric]
    assert abs(model.metrics[metric] - score(y, chosen)) < 1e-9
    assert abs(model.metrics["uncalibrated"][metric]
               - score(y, model.predictions([i["encoded"] for i in items]) > 0.5)) < 1e-9
    assert model.metrics[metric] > model.metrics["uncalibrated"][metric] + 0.02
    # probabilities stay what they are
    assert abs(p[:, 1].mean() - y.mean()) < 0.02


def test_a_number_is_taken_as_it_is(rows, daemon, trained):
    model = trained("at_02", "answer", threshold=0.2, calibration="none")
    assert model.calibration == {"threshold": 0.2}
    assert model.metrics["threshold"] == {"by": "number", "value": 0.2}
    items = ask(daemon, "at_02", held_out(rows))
    p = model.check_probabilities(items)
    assert [i["prediction"] for i in items] == list(p[:, 1] >= 0.2)


@pytest.mark.parametrize("target, keys, field", [
    ("amount", {"calibration": "platt"}, "calibration"),
    ("amount", {"threshold": 0.5}, "threshold"),
])
def test_apply_refuses_what_does_not_fit(rows, cli, definition, target, keys, field):
    result = cli("apply", definition(project="wrong", relation="public.c", target=target, **keys))
    assert result.code == 78 and f'"{field}": a regression has no probabilities' in result.err


@pytest.mark.parametrize("target, keys, reason", [
    ("kind", {"calibration": "isotonic"}, '"platt" and "isotonic" are for two classes'),
    ("answer", {"calibration": "temperature"}, '"temperature" is for more than two classes'),
    ("kind", {"threshold": "f1"}, "a threshold is for two classes"),
])
def test_a_run_refuses_what_does_not_fit(rows, cli, definition, target, keys, reason):
    cli.ok("apply", definition(project="unfit", relation="public.c", target=target, **keys))
    result = cli("train", "unfit", "--here")
    assert result.code != 0 and reason in result.err


# Intervals -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def amount(trained):
    return trained("amount", "amount", hyperparams={"eta": 0.1, "max_depth": 4})


def test_intervals_cover_what_they_promise(rows, daemon, amount):
    asked = oracle.rows_as_json(
        rows, f"SELECT * FROM public.c WHERE {oracle.row_hash('id')} < 0.2 ORDER BY id")
    residuals = amount.calibration["residuals"]
    stats = rows.value("SELECT r.stats FROM pgboost.runs r JOIN pgboost.models m"
                       " ON m.run_id = r.id WHERE m.id = %s", amount.id)
    assert residuals["rows"] == stats["valid"] > 1000
    y = np.array([row["amount"] for row in asked])
    for level in (0.5, 0.8, 0.9, 0.95, 0.99, 0.637):
        items = ask(daemon, "amount", asked, interval=level)
        predictions = np.array([i["prediction"] for i in items], dtype=np.float32).astype(float)
        low = np.array([i["interval"]["low"] for i in items])
        high = np.array([i["interval"]["high"] for i in items])
        assert np.abs(low - (predictions - amount.half_width(level))).max() < 1e-12
        assert np.abs(high - (predictions + amount.half_width(level))).max() < 1e-12
        covered = np.mean((low <= y) & (y <= high))
        assert abs(covered - level) < 0.02 + 0.02 * (level < 0.9), (level, covered)
        if level in (0.5, 0.8, 0.9, 0.95):
            assert amount.metrics["coverage"][str(level)] == {
                "covered": pytest.approx(covered, abs=1e-12),
                "half_width": amount.half_width(level)}


def test_thinned_residuals_are_no_narrower(amount):
    residuals = amount.calibration["residuals"]
    ranks, n = residuals["ranks"], residuals["rows"]
    assert n > len(ranks) == len(residuals["values"]) == 1024
    assert ranks[-224:] == list(range(n - 223, n + 1))
    assert max(b - a for a, b in zip(ranks, ranks[1:])) <= -(-(n - 224) // 800)
    assert residuals["values"] == sorted(residuals["values"])


def test_more_than_there_are_rows_for(daemon, amount):
    n = amount.calibration["residuals"]["rows"]
    answer = daemon.post("/predict", {"project": "amount", "features": {}, "interval": 0.9999})
    assert answer.status_code == 400
    problem = answer.json()
    assert f"takes 9999 validation rows, and model {amount.id} had {n}" in problem["detail"]
    assert f"at most {math.floor(1e4 * n / (n + 1)) / 1e4:g}" in problem["detail"]
    assert problem["errors"][0]["field"] == "/interval"


@pytest.mark.parametrize("interval", [0, 1, -1, 2, "x", "0.9", True, [0.9], {}])
def test_bad_intervals(daemon, amount, interval):
    answer = daemon.post("/predict", {"project": "amount", "features": {}, "interval": interval})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == "/interval"
    assert "expected a number between 0 and 1" in answer.json()["detail"]


def test_a_classifier_has_none(daemon, trained):
    trained("timid_platt", "answer", calibration="platt", hyperparams=TIMID)
    answer = daemon.post("/predict", {"project": "timid_platt", "features": {}, "interval": 0.9})
    assert answer.status_code == 400
    assert "an interval is of a number" in answer.json()["detail"]


def test_the_command_line_has_them(daemon, cli, amount):
    printed = cli.ok("predict", "amount", '{"x": 1.5}', "--interval", "0.9").out
    asked = daemon.post("/predict", {"project": "amount", "features": {"x": 1.5}, "interval": 0.9})
    assert printed.strip() == asked.text.strip()
    result = cli("predict", "amount", "{}", "--interval", '0.9,"model_id":1')
    assert result.code == 2 and "--interval: expected a number" in result.err


# What is stored ------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [
    '{"method": "platt"}', '{"method": "splines"}', "[]", '{"residuals": {}}',
    '{"method": "isotonic", "from": [0.5, 0.1], "to": [0, 1]}',
])
def test_damage_is_not_served(rows, daemon, cli, trained, damage):
    """A damaged calibration is one of a damaged model."""
    model = trained("timid_platt", "answer", calibration="platt", hyperparams=TIMID)
    rows.sql("UPDATE pgboost.models SET calibration = %s WHERE id = %s", damage, model.id)
    try:
        result = cli("predict", "timid_platt", "{}")
        assert result.code == 1 and f"model {model.id}: calibration: " in result.err
    finally:
        rows.sql("UPDATE pgboost.models SET calibration = %s WHERE id = %s",
                 json.dumps(model.calibration), model.id)
    cli.ok("predict", "timid_platt", "{}")


def test_a_model_without_calibration_is_served(rows, cli, trained):
    """One of a version that had none."""
    model = trained("amount_old", "amount", hyperparams={"n_estimators": 5})
    rows.sql("UPDATE pgboost.models SET calibration = NULL WHERE id = %s", model.id)
    assert "prediction" in json.loads(cli.ok("predict", "amount_old", "{}").out)
    result = cli("predict", "amount_old", "{}", "--interval", "0.9")
    assert result.code == 1 and "has no intervals" in result.err and "train" in result.err
