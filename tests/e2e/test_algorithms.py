"""Every algorithm: trained, served bit for bit, repeatable, and one among several."""

import json

import numpy as np
import pytest

import oracle
from test_train import rows  # noqa: F401

ALGORITHMS = {  # with the booster and the rounds that XGBoost finds in their models
    "xgboost": ("gbtree", None),
    "dart": ("dart", None),
    "random_forest": ("gbtree", 1),
    "linear": ("gblinear", None),
}
# what each may be told; the others must not mind
HYPERPARAMS = {"n_estimators": 30, "max_depth": 4, "rate_drop": 0.2, "num_parallel_tree": 3}
TARGETS = {"amount": 1, "truth": 1, "grade": 3}  # with the margins of a row
EXCLUDE = ["amount", "answer", "truth", "grade", "strange"]
HAS = {
    "xgboost": ["n_estimators", "max_depth", "num_parallel_tree"],
    "dart": ["n_estimators", "max_depth", "rate_drop", "num_parallel_tree"],
    "random_forest": ["max_depth", "num_parallel_tree"],
    "linear": ["n_estimators"],
}


def apply(cli, definition, project, target, algorithms, **keys):
    defaults = {
        "relation": "public.t", "key": ["id"], "search": {"strategy": "none"}, "deploy": "always",
        "threads": 1,  # threads that wait for each other on a busy machine take longer than one
        "task": "regression" if target == "amount" else "classification",
        "exclude": [name for name in EXCLUDE if name != target],
        "hyperparams": {name: value for name, value in HYPERPARAMS.items()
                        if any(name in HAS[a] for a in algorithms)},
    }
    cli.ok("apply", definition(**{**defaults, "project": project, "target": target,
                                  "algorithms": algorithms, **keys}))


def train(cli, project):
    cli.ok("train", project, "--here")
    return cli.json("show", project)["project"]["live_model_id"]


def live(db, model_id):
    """Algorithm and hyperparameters of a model, and what XGBoost finds in it."""
    algorithm, hyperparams = db.sql(
        "SELECT algorithm, hyperparams FROM pgboost.models WHERE id = %s", model_id)[0]
    model = oracle.StoredModel(db, model_id)
    booster = json.loads(model.booster.save_config())["learner"]["gradient_booster"]["name"]
    return algorithm, hyperparams, model, booster


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_served_as_xgboost_has_it(rows, cli, definition, daemon, algorithm, target):  # noqa: F811
    project = f"{algorithm}_{target}"
    apply(cli, definition, project, target, [algorithm])
    model_id = train(cli, project)
    daemon.wait_live(project, model_id)
    name, hyperparams, model, booster = live(rows, model_id)
    assert (name, booster) == (algorithm, ALGORITHMS[algorithm][0])
    for given in HAS[algorithm]:
        if given != "n_estimators":
            assert hyperparams[given] == HYPERPARAMS[given]
    rounds = ALGORITHMS[algorithm][1] or hyperparams["n_estimators"]
    assert model.booster.num_boosted_rounds() == rounds <= HYPERPARAMS["n_estimators"]
    assert ("n_estimators" in hyperparams) == (algorithm != "random_forest")
    model.check_golden()

    asked = oracle.rows_as_json(
        rows, f"SELECT * FROM public.t WHERE {oracle.row_hash('id')} < 0.2 ORDER BY id")
    assert len(asked) > 300 and any(r["colour"] is None and r["y"] is None for r in asked)
    asked += [{}, {"colour": "never seen"}, {"colour": "never seen", "x": 1e30, "flag": True},
              {"x": None, "at": "1900-01-01"}]
    items = daemon.predict(project, asked, encoded=True, explain=True)["predictions"]
    margins = np.array([i["margin"] for i in items], dtype=np.float32).reshape(len(asked), -1)
    expected = model.margins([i["encoded"] for i in items]).reshape(margins.shape)
    assert margins.shape[1] == TARGETS[target]
    assert (oracle.bits(margins) == oracle.bits(expected)).all()
    assert len(np.unique(margins)) > 5

    # what each column added, and what stood before any of them
    told = np.array([np.add(i["explanation"]["bias"],
                            np.sum(list(i["explanation"]["columns"].values()), axis=0))
                     for i in items[:-2]]).reshape(len(asked) - 2, -1)
    assert np.allclose(told, margins[:-2], rtol=1e-4, atol=1e-4)

    metric = "rmse" if target == "amount" else "log_loss"
    assert model.metrics[metric] < 0.8 * model.metrics["baseline"][metric], model.metrics


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_same_seed_makes_the_same_model(rows, cli, definition, algorithm):  # noqa: F811
    shas = {}
    for seed in (5, 5, 6):
        project = f"again_{algorithm}_{len(shas)}"
        apply(cli, definition, project, "amount", [algorithm], seed=seed)
        shas.setdefault(seed, []).append(rows.value(
            "SELECT sha256 FROM pgboost.models WHERE id = %s", train(cli, project)))
    assert shas[5][0] == shas[5][1] != shas[6][0]


def test_they_take_turns_and_the_best_is_kept(rows, cli, definition):  # noqa: F811
    algorithms = list(ALGORITHMS)
    apply(cli, definition, "turns", "amount", algorithms[::-1],
          search={"strategy": "auto", "trials": len(algorithms) + 1})
    model_id = train(cli, "turns")
    trials = rows.sql("""
        SELECT t.algorithm, t.hyperparams, t.score, t.status, t.id FROM pgboost.trials t
        JOIN pgboost.models m ON m.run_id = t.run_id WHERE m.id = %s ORDER BY t.number""", model_id)
    assert [t[0] for t in trials] == [*algorithms, algorithms[0]]
    for algorithm, hyperparams, _, status, _ in trials:
        assert status == "completed"
        assert {n: v for n, v in hyperparams.items() if n in HYPERPARAMS} == {
            n: v for n, v in HYPERPARAMS.items() if n in HAS[algorithm]}
    best = min(trials, key=lambda t: t[2])
    assert rows.sql("SELECT algorithm, trial_id FROM pgboost.models WHERE id = %s", model_id) == [
        (best[0], best[4])]
    assert rows.sql("SELECT algorithm FROM pgboost.leaderboard"
                    " WHERE project = 'turns' AND live") == [
        (best[0],)]


def test_without_a_search_one_setting_of_each(rows, cli, definition):  # noqa: F811
    apply(cli, definition, "one_each", "amount", list(ALGORITHMS))
    model_id = train(cli, "one_each")
    assert rows.value("""
        SELECT array_agg(t.algorithm ORDER BY t.number) FROM pgboost.trials t
        JOIN pgboost.models m ON m.run_id = t.run_id WHERE m.id = %s""",
                      model_id) == list(ALGORITHMS)


def test_a_random_forest_is_one_round(rows, cli, definition):  # noqa: F811
    apply(cli, definition, "wood", "grade", ["random_forest"], hyperparams={"num_parallel_tree": 7})
    _, _, model, _ = live(rows, train(cli, "wood"))
    assert len(model.booster.get_dump()) == 7 * 3
    assert model.metrics["rounds"] == 1


@pytest.mark.parametrize("objective", ["reg:absoluteerror", "reg:pseudohubererror"])
def test_no_forest_of_absolute_errors(rows, cli, definition, objective):  # noqa: F811
    result = cli("apply", definition(project="refused", relation="public.t", target="amount",
                                     algorithms=["xgboost", "random_forest"], objective=objective))
    assert result.code == 78 and "random_forest" in result.err and objective in result.err


@pytest.mark.parametrize("algorithms, hyperparams, said", [
    (["xgboost"], {"rate_drop": 0.1}, ["rate_drop", "it is one of dart"]),
    (["random_forest"], {"n_estimators": 5}, ["n_estimators", "xgboost"]),
    (["dart", "random_forest"], {"rate_drop": 2}, ["rate_drop", "from 0 to 1"]),
    (["random_forest"], {"sample_type": "weighted"}, ["sample_type", "it is one of dart"]),
])
def test_a_hyperparameter_that_none_has(rows, cli, definition, algorithms,  # noqa: F811
                                        hyperparams, said):
    path = definition(project="refused", relation="public.t", target="amount",
                      algorithms=algorithms, hyperparams=hyperparams)
    result = cli("apply", path)
    assert result.code == 78, result.err
    for words in said:
        assert words in result.err


# Several ----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def signals(rows):  # noqa: F811
    """Targets that a line, or steps alone, can tell; and columns of many kinds."""
    rows.sql("""
        CREATE TABLE public.signals AS
        SELECT i AS id, a, b, c,
               (7 * a - 3 * b + 0.5 * c + 100 + 0.2 * noise)::float8 AS line,
               (CASE WHEN (a > 0) <> (b > 0) THEN 10 ELSE 0 END + 0.2 * noise)::float8 AS steps,
               CASE WHEN i % 9 <> 0 THEN jsonb_build_object(
                   'size', a * 1000, 'kind', (ARRAY['p', 'q', 'r'])[1 + i % 3], 'big', a > 0) END
                   AS doc,
               CASE WHEN i % 11 <> 0 THEN ARRAY[a, b] END AS pair,
               CASE WHEN i % 13 <> 0 THEN ARRAY[(ARRAY['u', 'v', 'w'])[1 + i % 3]] END AS tags,
               CASE WHEN i % 17 <> 0 THEN 'some words and the number ' || i END AS note,
               'shop ' || i % 300 AS shop, (i % 4)::int2 AS grade, NULL::float8 AS nothing
        FROM (SELECT i, random() * 2 - 1 AS a, random() * 2 - 1 AS b, random() * 50 AS c,
                     random() - 0.5 AS noise
              FROM generate_series(1, 1200) i, (SELECT setseed(0.5)) s) t""")
    return rows


def compete(cli, definition, project, target, **keys):
    cli.ok("apply", definition(**{**dict(
        project=project, relation="public.signals", target=target, key=["id"],
        include=["a", "b", "c"],
        algorithms=["xgboost", "linear"], search={"strategy": "none"}, threads=1, task="regression",
        hyperparams={"n_estimators": 100}), **keys}))
    return train(cli, project)


@pytest.mark.parametrize("target, winner", [("line", "linear"), ("steps", "xgboost")])
def test_the_one_that_fits_wins(signals, cli, definition, daemon, target, winner):
    project = f"best_{target}"
    model_id = compete(cli, definition, project, target)
    daemon.wait_live(project, model_id)
    algorithm, _, model, booster = live(signals, model_id)
    assert (algorithm, booster) == (winner, ALGORITHMS[winner][0])
    scores = dict(signals.sql("""
        SELECT t.algorithm, t.score
        FROM pgboost.trials t JOIN pgboost.models m ON m.run_id = t.run_id
        WHERE m.id = %s""", model_id))
    loser = min(set(scores) - {winner})
    assert scores[winner] < 0.5 * scores[loser], scores
    # the winner's own encoding serves
    asked = oracle.rows_as_json(signals, "SELECT a, b, c FROM public.signals ORDER BY id LIMIT 50")
    items = daemon.predict(project, asked, encoded=True)["predictions"]
    assert (oracle.bits([i["margin"] for i in items])
            == oracle.bits(model.margins([i["encoded"] for i in items]))).all()
    assert (items[0]["encoded"]["a"] == pytest.approx(asked[0]["a"])) == (winner == "xgboost")


@pytest.mark.parametrize("objective", [
    "reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:squaredlogerror",
    "count:poisson", "reg:gamma", "reg:tweedie"])  # of a target above 0
def test_every_objective_by_every_algorithm(signals, cli, definition, objective):
    """Each is tried and learns. A forest's one round is no way to the least absolute errors."""
    algorithms = [a for a in ALGORITHMS if a != "random_forest" or objective not in (
        "reg:absoluteerror", "reg:pseudohubererror")]
    project = "by_" + objective.split(":")[1]
    model_id = compete(cli, definition, project, "line", objective=objective, metric="mae",
                       algorithms=algorithms, hyperparams={
                           "max_depth": 4, "min_child_weight": 0, "lambda": 0, "n_estimators": 150})
    trials = dict(signals.sql("""
        SELECT t.algorithm, t.score
        FROM pgboost.trials t JOIN pgboost.models m ON m.run_id = t.run_id
        WHERE m.id = %s AND t.status = 'completed'""", model_id))
    baseline = oracle.StoredModel(signals, model_id).metrics["baseline"]["mae"]
    assert set(trials) == set(algorithms), trials
    for algorithm, score in trials.items():
        assert score < 0.9 * baseline, (algorithm, trials, baseline)


# Linear's encoding -------------------------------------------------------------------------------

def test_linear_encodes_for_itself(signals, cli, definition, daemon):
    """Numbers are imputed and scaled, categories one-hot, unless the definition says otherwise."""
    model_id = compete(
        cli, definition, "kinds", "line", algorithms=["linear"], include=[],
        exclude=["steps", "a"],
        columns={"grade": {"as": "category"}, "shop": {"encode": "target"},
                 "c": {"impute": "zero", "scale": "min_max"}})
    daemon.wait_live("kinds", model_id)
    _, _, model, _ = live(signals, model_id)
    assert "c" not in model.types
    train_rows = f"FROM public.signals WHERE NOT {oracle.row_hash('id')} < 0.2"
    mean, deviation, low, high = signals.sql(
        f"SELECT avg(b), stddev_pop(b), min(c), max(c) {train_rows}")[0]

    def encoded(**features):
        item = daemon.predict("kinds", [features], encoded=True)["predictions"][0]
        assert (oracle.bits([item["margin"]])
                == oracle.bits(model.margins([item["encoded"]]))).all()
        return item["encoded"]

    full = encoded(b=0.25, c=10, grade=2, shop="shop 7", nothing=1, tags=["u"], pair=[1, None],
                   doc={"size": 5, "kind": "q", "big": True}, note="some number")
    assert full["b"] == pytest.approx((0.25 - mean) / deviation, rel=1e-6)
    assert full["c"] == pytest.approx((10 - low) / (high - low), rel=1e-6)
    assert [full[f"grade.is.{g}"] for g in range(4)] == [0, 0, 1, 0]
    assert [full[f'doc.kind.is."{k}"'] for k in "pqr"] == [0, 1, 0]
    assert full["doc.size"] == 5 and full["doc.big"] == 1 and full["note.words"] == 2
    assert full["shop.mean"] == pytest.approx(97, abs=25) and "shop" not in full
    missing = encoded()
    assert missing["b"] == 0 and missing["c"] == pytest.approx(-low / (high - low), rel=1e-6)
    assert missing["grade.is.2"] is None and missing['doc.kind.is."q"'] is None
    # unseen is no category, missing is none either
    unseen = encoded(grade=77, doc={"kind": "z"}, shop="never")
    assert [unseen[f"grade.is.{g}"] for g in range(4)] == [0] * 4
    assert [unseen[f'doc.kind.is."{k}"'] for k in "pqr"] == [0] * 3
    margins = [daemon.predict("kinds", [f], encoded=True)["predictions"][0]["margin"]
               for f in ({"grade": 77}, {"grade": None}, {})]
    assert margins[0] == margins[1] == margins[2]


def test_linear_says_when_it_diverges(signals, cli, definition):
    signals.sql("""CREATE VIEW public.boundless AS SELECT id, line, b,
                   CASE WHEN id % 100 = 1 THEN 'Infinity'::float8 ELSE a END AS a
                   FROM public.signals""")
    cli.ok("apply", definition(project="boundless", relation="public.boundless", target="line",
                               key=["id"], algorithms=["linear"], threads=1))
    result = cli("train", "boundless", "--here")
    assert result.code == 1 and "diverged" in result.err + result.out, result.err
