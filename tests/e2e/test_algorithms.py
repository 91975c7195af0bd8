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
}
# what each may be told; the others must not mind
HYPERPARAMS = {"n_estimators": 30, "max_depth": 4, "rate_drop": 0.2, "num_parallel_tree": 3}
TARGETS = {"amount": 1, "truth": 1, "grade": 3}  # with the margins of a row
EXCLUDE = ["amount", "answer", "truth", "grade", "strange"]
HAS = {
    "xgboost": ["n_estimators", "max_depth", "num_parallel_tree"],
    "dart": ["n_estimators", "max_depth", "rate_drop", "num_parallel_tree"],
    "random_forest": ["max_depth", "num_parallel_tree"],
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
    assert rows.sql("SELECT algorithm FROM pgboost.leaderboard WHERE project = 'turns' AND live") == [
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
