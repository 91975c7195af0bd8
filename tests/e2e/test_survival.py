"""Survival: times and hazards, censored on either side, served bit for bit; concordance and
likelihoods worked out by hand."""

import json

import numpy as np
import pytest
import xgboost
from scipy import stats

import oracle

EXCLUDE = ["event_time", "died", "died_as_int", "earliest", "latest", "weight", "ward", "seen_at"]


@pytest.fixture(scope="module")
def rows(catalog):
    """Patients whose time is exp(x + treatment + noise), observed for some time only. `earliest`
    and `latest` bound the same times: between two visits, after the last one, before the first."""
    catalog.sql("""
        CREATE TABLE public.patients AS
        SELECT id, x, treatment, noise_only, ward, weight, seen_at,
               least(t, c) AS event_time, t <= c AS died, (t <= c)::int AS died_as_int,
               CASE WHEN t < 0.25 THEN 0 WHEN t > 8 THEN 8 WHEN id % 3 = 0 THEN t
                    ELSE floor(t * 4) / 4 END AS earliest,
               CASE WHEN t < 0.25 THEN 0.25 WHEN t > 8 THEN NULL WHEN id % 3 = 0 THEN t
                    ELSE floor(t * 4) / 4 + 0.25 END AS latest
        FROM (SELECT id, x, treatment, cos(id * 7.7)::float8 AS noise_only, id % 40 AS ward,
                     1 + id % 3 AS weight, date '2020-01-01' + id % 500 AS seen_at,
                     exp(x + (treatment = 'drug')::int + 0.3 * noise) AS t,
                     exp(1.3 + sin(id * 3.3)) AS c
              FROM (SELECT id, 1.2 * sin(id * 12.9898)::float8 AS x,
                           (ARRAY['drug', 'none', 'none'])[1 + (id * 7919) % 3] AS treatment,
                           sin(id * 4.1414) + cos(id * 1.7) AS noise
                    FROM generate_series(1, 900) id) a) b""")
    return catalog


def define(definition, project, **keys):
    defaults = {
        "project": project, "relation": "public.patients", "key": ["id"], "target": "event_time",
        "task": "survival", "event": "died", "threads": 1, "search": {"strategy": "none"},
        "hyperparams": {"n_estimators": 80, "aft_loss_distribution_scale": 0.5}}
    keys = {**defaults, **keys}
    named = [v for v in keys.values() if isinstance(v, str)]
    keys.setdefault("exclude", [c for c in EXCLUDE if c not in named])
    return definition(**{k: v for k, v in keys.items() if v is not None})


def train(cli, definition, project, **keys):
    cli.ok("apply", define(definition, project, **keys))
    cli.ok("train", project, "--here")
    return cli.json("show", project)["project"]["live_model_id"]


def held_out(db, event="died"):
    """The stratified split: in each of those who died and those who did not."""
    return oracle.rows_as_json(db, f"""
        SELECT p.* FROM (SELECT *, row_number() OVER (PARTITION BY {event} ORDER BY hash) AS place,
                                count(*) OVER (PARTITION BY {event}) AS n
                         FROM (SELECT *, {oracle.row_hash('id')} AS hash FROM public.patients) h) s
        JOIN public.patients p USING (id) WHERE place <= round(0.2 * n) ORDER BY id""")


def bounds(asked, interval=False):
    if interval:
        return (np.array([r["earliest"] for r in asked], dtype=float),
                np.array([np.inf if r["latest"] is None else r["latest"] for r in asked]))
    lower = np.array([r["event_time"] for r in asked], dtype=float)
    return lower, np.where([r["died"] for r in asked], lower, np.inf)


def concordance(lower, upper, time):
    """Harrell: of the pairs of which one surely came first, the share predicted so."""
    right = pairs = 0.0
    for i in range(len(lower)):
        later = (lower > upper[i]) | ((lower == upper[i]) & (upper > lower))
        right += (time[later] > time[i]).sum() + 0.5 * (time[later] == time[i]).sum()
        pairs += later.sum()
    return right / pairs


NOISES = {"normal": stats.norm, "logistic": stats.logistic, "extreme": stats.gumbel_l}


def aft_nloglik(lower, upper, time, noise, scale, weights=None):
    with np.errstate(divide="ignore"):
        low, high = ((np.log(end) - np.log(time)) / scale for end in (lower, upper))
    likelihood = np.where(lower == upper, noise.pdf(low) / (scale * np.maximum(lower, 1e-300)),
                          noise.cdf(high) - noise.cdf(low))
    return np.average(-np.log(np.maximum(likelihood, 1e-12)), weights=weights)


def cox_nloglik(lower, upper, hazard):
    died = lower == upper
    at_risk = np.array([hazard[lower >= t].sum() for t in lower[died]])
    return np.mean(np.log(at_risk) - np.log(hazard[died]))


def served(daemon, db, project, asked):
    """The model and its answers, the bits of XGBoost's."""
    answer = daemon.predict(project, asked, encoded=True, explain=True)
    model = oracle.StoredModel(db, answer["model_id"])
    items = answer["predictions"]
    encoded = [i["encoded"] for i in items]
    margins = model.margins(encoded)
    assert (oracle.bits([i["margin"] for i in items]) == oracle.bits(margins)).all()
    assert (oracle.bits([i["prediction"] for i in items])
            == oracle.bits(model.predictions(encoded))).all()
    told = [i["explanation"]["bias"] + sum(i["explanation"]["columns"].values()) for i in items]
    assert np.allclose(told, margins, rtol=1e-4, atol=1e-4)
    model.check_golden()
    assert model.labels is None and not model.calibration
    assert model.metrics["rows"] == len(asked)
    return model, np.array([np.float32(i["prediction"]) for i in items], dtype=float)


@pytest.mark.parametrize("noise", NOISES)
def test_times(rows, cli, definition, daemon, noise):
    hyperparams = {"n_estimators": 80, "aft_loss_distribution": noise,
                   "aft_loss_distribution_scale": 0.4}
    daemon.wait_live("s_" + noise, train(cli, definition, "s_" + noise, hyperparams=hyperparams,
                                         event="died" if noise == "normal" else "died_as_int"))
    asked = held_out(rows)
    model, times = served(daemon, rows, "s_" + noise, asked)
    aft = json.loads(model.booster.save_config())["learner"]["objective"]["aft_loss_param"]
    assert aft["aft_loss_distribution"] == noise
    assert abs(float(aft["aft_loss_distribution_scale"]) - 0.4) < 1e-6
    lower, upper = bounds(asked)
    assert 0.2 < np.isinf(upper).mean() < 0.8
    oracle.assert_metrics(model.metrics, {
        "concordance": concordance(lower, upper, times),
        "aft_nloglik": aft_nloglik(lower, upper, times, NOISES[noise], 0.4)})
    assert model.metrics["cox_nloglik"] is None
    assert model.metrics["concordance"] > 0.85
    baseline = model.metrics["baseline"]
    assert baseline["kind"] == "kaplan_meier" and baseline["concordance"] == 0.5
    assert model.metrics["aft_nloglik"] < baseline["aft_nloglik"] - 0.4
    assert model.metrics["skill"]["low"] > 0.5
    assert abs(model.metrics["skill"]["value"] - (2 * model.metrics["concordance"] - 1)) < 1e-9
    # the times themselves are right: the truth is exp(x + treatment) but for a noise of mean 0
    truth = [np.exp(r["x"] + (r["treatment"] == "drug")) for r in asked]
    assert np.abs(np.log(times) - np.log(truth)).mean() < 0.35
    shap = model.metrics["importance"]["permutation"]
    assert shap["x"] > shap["treatment"] > abs(shap["noise_only"])


def test_baseline_is_the_median_of_kaplan_and_meier(rows, daemon):
    """S halves where by hand it does, and boosting starts there."""
    model = oracle.StoredModel(rows, rows.value(
        "SELECT m.id FROM pgboost.models m JOIN pgboost.projects p ON p.id = m.project_id"
        " WHERE p.name = 's_normal'"))
    tested = {row["id"] for row in held_out(rows)}
    learnt = sorted((t, not died) for i, t, died in rows.sql(
        "SELECT id, event_time, died FROM public.patients") if i not in tested)
    surviving, median = 1.0, None
    for i, (t, censored) in enumerate(learnt):
        if not censored:
            surviving *= 1 - 1 / (len(learnt) - i)
        if surviving <= 0.5:
            median = t
            break
    config = json.loads(model.booster.save_config())["learner"]["learner_model_param"]
    assert abs(float(config["base_score"]) / median - 1) < 1e-5
    lower, upper = bounds(held_out(rows))
    oracle.assert_metrics(model.metrics["baseline"], {"aft_nloglik": aft_nloglik(
        lower, upper, np.full(len(lower), median), stats.norm, 0.4)})


def test_hazards(rows, cli, definition, daemon):
    daemon.wait_live("s_cox", train(cli, definition, "s_cox", objective="survival:cox",
                                    hyperparams={"n_estimators": 80}))
    asked = held_out(rows)
    model, hazards = served(daemon, rows, "s_cox", asked)
    lower, upper = bounds(asked)
    oracle.assert_metrics(model.metrics, {"concordance": concordance(lower, upper, -hazards),
                                          "cox_nloglik": cox_nloglik(lower, upper, hazards)})
    assert model.metrics["aft_nloglik"] is None and model.metrics["concordance"] > 0.85
    assert model.metrics["baseline"]["kind"] == "equal_hazards"
    oracle.assert_metrics(model.metrics["baseline"], {
        "concordance": 0.5, "cox_nloglik": cox_nloglik(lower, upper, np.ones(len(lower)))})
    assert model.metrics["cox_nloglik"] < model.metrics["baseline"]["cox_nloglik"] - 0.4
    assert model.metrics["skill"]["low"] > 0.5


@pytest.mark.parametrize("key", ["aft_nloglik", "concordance"])
def test_times_between_two_ends(rows, cli, definition, daemon, key):
    """Seen, between visits, before the first, after the last; a NULL end and an infinite one."""
    rows.sql("DROP VIEW IF EXISTS public.visits")
    rows.sql("CREATE VIEW public.visits AS SELECT id, x, treatment, noise_only, earliest,"
             " CASE WHEN latest IS NULL AND id % 2 = 0 THEN 'infinity' ELSE latest END AS latest"
             " FROM public.patients")
    project = "s_ends_" + key
    daemon.wait_live(project, train(
        cli, definition, project, relation="public.visits", target="earliest", event=None,
        target_upper="latest", metric=key, exclude=[],
        test={"by": "random"}))
    asked = oracle.rows_as_json(
        rows, f"SELECT * FROM public.patients WHERE {oracle.row_hash('id')} < 0.2 ORDER BY id")
    model, times = served(daemon, rows, project, [
        {k: row[k] for k in ("x", "treatment", "noise_only")} for row in asked])
    lower, upper = bounds(asked, interval=True)
    assert (lower == 0).any() and np.isinf(upper).any() and (lower == upper).any()
    oracle.assert_metrics(model.metrics, {
        "concordance": concordance(lower, upper, times),
        "aft_nloglik": aft_nloglik(lower, upper, times, stats.norm, 0.5)})
    assert model.metrics["concordance"] > 0.85
    assert model.metrics["skill"]["metric"] == "concordance"


def test_trained_as_xgboost_trains_bounds(rows, cli, definition, daemon):
    hyperparams = {"n_estimators": 10, "max_depth": 3, "eta": 0.3, "min_child_weight": 0,
                   "subsample": 1, "colsample_bytree": 1, "colsample_bylevel": 1, "lambda": 1,
                   "aft_loss_distribution": "logistic", "aft_loss_distribution_scale": 0.7,
                   "early_stopping_rounds": 1000}
    daemon.wait_live("s_by_hand", train(
        cli, definition, "s_by_hand", target="earliest", event=None, target_upper="latest",
        test={"by": "random"}, weight="weight", hyperparams=hyperparams))
    learnt = oracle.rows_as_json(
        rows, f"SELECT * FROM public.patients WHERE NOT {oracle.row_hash('id')} < 0.2")
    answer = daemon.predict("s_by_hand", learnt, encoded=True)
    model = oracle.StoredModel(rows, answer["model_id"])
    matrix = model.matrix([item["encoded"] for item in answer["predictions"]])
    lower, upper = bounds(learnt, interval=True)
    matrix.set_float_info("label_lower_bound", lower)
    matrix.set_float_info("label_upper_bound", upper)
    matrix.set_weight([row["weight"] for row in learnt])
    config = json.loads(model.booster.save_config())["learner"]["learner_model_param"]
    by_hand = xgboost.train(
        {**{k: v for k, v in hyperparams.items() if k not in ("n_estimators",
                                                              "early_stopping_rounds")},
         "objective": "survival:aft", "base_score": float(config["base_score"]),
         "tree_method": "hist", "nthread": 1, "seed": 42, "seed_per_iteration": 1},
        matrix, model.booster.num_boosted_rounds())
    ours = model.margins([item["encoded"] for item in answer["predictions"]])
    assert np.abs(by_hand.predict(matrix, output_margin=True) - ours).max() < 1e-5
    assert np.std(ours) > 0.3


@pytest.mark.parametrize("algorithm, objective", [
    ("dart", "survival:aft"), ("dart", "survival:cox"), ("linear", "survival:aft"),
    ("linear", "survival:cox"), ("random_forest", "survival:aft")])
def test_algorithm(rows, cli, definition, daemon, algorithm, objective):
    project = f"s_{algorithm}_{objective[9:]}"
    hyperparams = {"max_depth": 6} if algorithm == "random_forest" else {"n_estimators": 30}
    if algorithm != "linear":
        hyperparams["num_parallel_tree"] = 30 if algorithm == "random_forest" else 1
    daemon.wait_live(project, train(cli, definition, project, algorithms=[algorithm],
                                    objective=objective, hyperparams=hyperparams))
    asked = held_out(rows)
    model, answers = served(daemon, rows, project, asked)
    sign = -1 if objective == "survival:cox" else 1
    oracle.assert_metrics(model.metrics, {
        "concordance": concordance(*bounds(asked), sign * answers)})
    assert model.metrics["concordance"] > 0.8, model.metrics["concordance"]
    likelihood = "cox_nloglik" if sign < 0 else "aft_nloglik"
    assert model.metrics[likelihood] < model.metrics["baseline"][likelihood] - 0.05


def test_weights_count_in_likelihoods(rows, cli, definition, daemon):
    daemon.wait_live("s_weight", train(cli, definition, "s_weight", weight="weight"))
    asked = held_out(rows)
    model, times = served(daemon, rows, "s_weight", asked)
    weights = [row["weight"] for row in asked]
    lower, upper = bounds(asked)
    oracle.assert_metrics(model.metrics, {
        "aft_nloglik": aft_nloglik(lower, upper, times, stats.norm, 0.5, weights)})


@pytest.mark.parametrize("keys, by", [({"group": "ward"}, "group"), ({"time": "seen_at"}, "time")])
def test_other_splits(rows, cli, definition, keys, by):
    model_id = train(cli, definition, "s_by_" + by, **keys)
    stats_ = rows.value("SELECT stats FROM pgboost.runs r JOIN pgboost.models m ON m.run_id = r.id"
                        " WHERE m.id = %s", model_id)
    assert stats_["split"]["by"] == by
    if by == "time":
        first = stats_["split"]["test_from"]
        assert stats_["test"] == rows.value(
            "SELECT count(*) FROM public.patients WHERE seen_at >= %s", first)


def test_models_meet_and_are_measured_elsewhere(rows, cli, definition, daemon):
    """Hazards and times answer the same question to concordance; a blind one stays out."""
    first = train(cli, definition, "s_meet", objective="survival:cox",
                  hyperparams={"n_estimators": 60})
    cli.ok("apply", define(definition, "s_meet", include=["noise_only"], exclude=[]))
    cli.ok("train", "s_meet", "--here")
    assert cli.json("show", "s_meet")["project"]["live_model_id"] == first
    reason, refused = rows.sql(
        "SELECT reason, refused FROM pgboost.deployments d JOIN pgboost.projects p"
        " ON p.id = d.project_id WHERE p.name = 's_meet' ORDER BY d.id")[-1]
    assert refused and "not better: concordance" in reason
    daemon.wait_live("s_meet")
    rows.sql("CREATE VIEW public.others AS SELECT x, treatment, noise_only, event_time, died"
             " FROM public.patients WHERE id % 4 = 1")
    found = oracle.rows_as_json(rows, "SELECT * FROM public.others")
    hazards = np.array([i["prediction"] for i in daemon.predict("s_meet", [
        {k: row[k] for k in ("x", "treatment", "noise_only")} for row in found])["predictions"]],
        dtype=np.float32).astype(float)
    measured = cli.json("evaluate", "s_meet", "--from", "public.others", "--model", first)
    oracle.assert_metrics(measured["metrics"], {"concordance": concordance(
        *bounds(found), -hazards)})
    rows.sql("CREATE VIEW public.unknown AS SELECT x, treatment, noise_only, event_time"
             " FROM public.patients")
    result = cli("evaluate", "s_meet", "--from", "public.unknown")
    assert result.code != 0 and '"died" (the event) is not there' in result.err


@pytest.mark.parametrize("keys", [
    {"objective": "survival:cox", "hyperparams": {"n_estimators": 20}},
    {"target": "earliest", "event": None, "target_upper": "latest", "weight": "weight"}])
def test_the_same_model_from_memory_and_disk(rows, cli, definition, tmp_path, keys):
    cli.ok("apply", define(definition, "s_spilled", deploy="never", **keys))
    found = []
    for above in ("1 GiB", "4 KiB"):
        cli.ok("train", "s_spilled", "--here",
               env={"PGBOOST_SPILL_ABOVE": above, "TMPDIR": str(tmp_path)})
        model, *rest = rows.sql(
            "SELECT model, encoder, metrics FROM pgboost.models m JOIN pgboost.projects p"
            " ON p.id = m.project_id WHERE p.name = 's_spilled' ORDER BY m.id DESC LIMIT 1")[0]
        found.append((bytes(model), rest))
    assert found[0] == found[1]


def test_out_and_in_again(rows, cli, definition, tmp_path):
    keys = {"include": ["x", "noise_only"], "exclude": []}
    model_id = train(cli, definition, "s_out", **keys)
    path = tmp_path / "times.ubj"
    cli.ok("export", model_id, "-o", path)
    again = cli.json("import", "s_out", path)["model_id"]
    assert oracle.StoredModel(rows, again).metrics["aft_nloglik"] == \
        oracle.StoredModel(rows, model_id).metrics["aft_nloglik"]
    cli.ok("apply", define(definition, "s_other", objective="survival:cox",
                           hyperparams={}, **keys))
    result = cli("import", "s_other", path)
    assert result.code != 0 and "the model's objective is survival:aft" in result.err


@pytest.mark.parametrize("keys, says", [
    ({"event": None}, 'survival takes one of the keys "event" and "target_upper"'),
    ({"target_upper": "latest"}, "not both"),
    ({"event": "treatment"}, 'column "treatment" is of type text, which is not a boolean'),
    ({"event": None, "target_upper": "died"}, "is of type boolean, which is not a number"),
    ({"event": "diet"}, 'did you mean "died"?'),
    ({"event": "event_time"}, "is the target"),
    ({"include": ["x", "died"], "exclude": []}, "is the event"),
    ({"objective": "survival:cox", "weight": "weight", "hyperparams": {}},
     'objective "survival:cox" cannot go with "weight"'),
    ({"objective": "survival:cox", "event": None, "target_upper": "latest", "hyperparams": {}},
     'objective "survival:cox" cannot go with "target_upper"'),
    ({"objective": "survival:cox", "metric": "aft_nloglik", "hyperparams": {}},
     'use "cox_nloglik" or "concordance"'),
    ({"objective": "survival:cox", "algorithms": ["random_forest"], "hyperparams": {}},
     'objective "survival:cox" cannot be trained by random_forest'),
    ({"metric": "cox_nloglik"}, 'use "aft_nloglik" or "concordance"'),
    ({"objective": "reg:gamma"}, "available: survival:aft, survival:cox"),
    ({"calibration": "isotonic"}, "survival has no probabilities"),
    ({"task": "regression"}, 'only "task": "survival" has it'),
    ({"hyperparams": {"aft_loss_distribution": "weibull"}},
     "must be one of normal,logistic,extreme"),
])
def test_definitions_that_cannot_be(rows, cli, definition, keys, says):
    result = cli("apply", define(definition, "s_refused", **keys))
    assert result.code == 78 and says in result.err, result.err


@pytest.mark.parametrize("change, keys, says", [
    ("event_time - 1 AS t", {}, 'target "t" is 0 or negative in'),
    ("event_time AS t, nullif(died, id % 50 = 0) AS e", {"event": "e"}, 'event "e" is NULL in'),
    ("event_time AS t, id % 3 AS e", {"event": "e"}, 'event "e" is neither 0 nor 1 in'),
    ("event_time AS t, false AS e", {"event": "e"}, "no event was seen"),
    ("event_time AS t, 1.0 AS u", {"event": None, "target_upper": "u"},
     'target_upper "u" is below the target, or 0, in'),
    ("-event_time AS t, 1.0 AS u", {"event": None, "target_upper": "u"},
     'target "t" is negative in 900 of 900'),
    ("0 AS t, 0 AS u", {"event": None, "target_upper": "u"}, "is below the target, or 0, in 900"),
    ("3 AS t, true AS e", {"event": "e"}, "in all"),
])
def test_rows_that_cannot_be_learnt(rows, cli, definition, change, keys, says):
    rows.sql("DROP VIEW IF EXISTS public.bad_patients")
    rows.sql(f"CREATE VIEW public.bad_patients AS SELECT *, {change} FROM public.patients")
    cli.ok("apply", define(definition, "s_bad", relation="public.bad_patients", target="t",
                           exclude=[c for c in EXCLUDE if c != "died" or "event" in keys], **keys))
    result = cli("train", "s_bad", "--here")
    assert result.code == 1 and says in result.err, result.err
    assert rows.value("SELECT count(*) FROM pgboost.models JOIN pgboost.projects p"
                      " ON p.id = project_id WHERE name = 's_bad'") == 0


def test_no_interval_of_a_survival(daemon):
    answer = daemon.post("/predict", {"project": "s_cox", "features": {}, "interval": 0.9})
    assert answer.status_code == 400 and "is survival" in answer.text


@pytest.mark.parametrize("metric", ["concordance", "aft_nloglik"])
def test_folds(rows, cli, definition, metric):
    """Few rows: five folds. What compares rows is the mean over folds, what adds up is by rows."""
    live = train(cli, definition, f"s_folds_{metric}", metric=metric, refit="all")
    score, scores = rows.sql(
        "SELECT t.score, t.fold_scores FROM pgboost.trials t JOIN pgboost.models m USING (run_id)"
        " WHERE m.id = %s", live)[0]
    assert len(scores) == 5
    if metric == "concordance":
        assert np.isclose(score, np.mean(scores), rtol=1e-9)
        assert all(0.7 < s < 1 for s in scores)
    else:
        assert min(scores) < score < max(scores)
    model = oracle.StoredModel(rows, live)
    assert model.metrics["refit"] == {"rows": 900}
    model.check_golden()
