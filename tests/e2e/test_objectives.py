"""Every regression objective: trained, served, the same bits as python3-xgboost's; its targets."""

import numpy as np
import pytest

import oracle

OBJECTIVES = {
    # objective: target, metric that must beat the best constant's
    "reg:squarederror": ("amount", "rmse"),
    "reg:absoluteerror": ("amount", "mae"),
    "reg:pseudohubererror": ("amount", "mae"),
    "reg:squaredlogerror": ("positive", "rmsle"),
    "reg:logistic": ("share", "rmse"),
    "count:poisson": ("counted", "poisson_deviance"),
    "reg:gamma": ("positive", "gamma_deviance"),
    "reg:tweedie": ("zeros", "tweedie_deviance"),
}
TARGETS = sorted({target for target, _ in OBJECTIVES.values()})


@pytest.fixture(scope="module")
def rows(catalog):
    catalog.sql("""
        CREATE TABLE public.objectives AS
        SELECT id, x, letter,
               100 * signal + noise AS amount,
               exp(signal + noise / 10) AS positive,
               1 / (1 + exp(-signal - noise / 4)) AS share,
               floor(exp(signal + noise / 4))::int AS counted,
               CASE WHEN id % 5 = 0 THEN 0 ELSE exp(signal + noise / 4) END AS zeros
        FROM (SELECT i AS id, sin(i * 12.9898)::float8 * 2 AS x,
                     (ARRAY['a', 'b', NULL, 'c'])[1 + (i * 7919) % 4] AS letter,
                     sin(i * 12.9898)::float8 * 1.5
                         + ((i * 7919) % 4 = 1)::int AS signal,
                     cos(i * 4.1414)::float8 AS noise
              FROM generate_series(1, 2000) AS i) AS s""")
    return catalog


def define(definition, objective, target, **keys):
    return definition(**{
        "project": "o_" + objective.replace(":", "_"), "relation": "public.objectives",
        "key": ["id"], "target": target, "task": "regression", "objective": objective,
        "exclude": [t for t in TARGETS if t != target], "search": {"strategy": "none"},
        "hyperparams": {"n_estimators": 80}, **keys})


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_objective(rows, cli, definition, daemon, objective):
    target, metric = OBJECTIVES[objective]
    cli.ok("apply", define(definition, objective, target, metric=metric))
    project = "o_" + objective.replace(":", "_")
    cli.ok("train", project, "--here")
    daemon.wait_live(project)
    test = oracle.rows_as_json(
        rows, f"SELECT * FROM public.objectives WHERE {oracle.row_hash('id')} < 0.2 ORDER BY id")
    answer = daemon.predict(project, test, encoded=True)
    model = oracle.StoredModel(rows, answer["model_id"])
    model.check_golden()
    assert objective in model.booster.save_config()
    items = answer["predictions"]
    encoded = [item["encoded"] for item in items]
    assert (oracle.bits([i["margin"] for i in items]) == oracle.bits(model.margins(encoded))).all()
    assert (oracle.bits([i["prediction"] for i in items])
            == oracle.bits(model.predictions(encoded))).all()
    y = np.array([float(row[target]) for row in test])
    predicted = np.array([i["prediction"] for i in items], dtype=np.float32).astype(float)
    oracle.assert_metrics(model.metrics, oracle.regression_metrics(y, predicted))
    baselines = [model.metrics["baseline"][metric]]
    baselines += [b[metric] for name, b in model.metrics["baselines"].items()
                  if name != "linear" and b[metric] is not None]  # as is the signal of these rows
    assert model.metrics[metric] < 0.8 * min(baselines), (model.metrics[metric], baselines)
    assert model.metrics["skill"]["low"] > 0


@pytest.mark.parametrize("objective, target, says", [
    ("count:poisson", "amount", "needs numbers of 0 or more"),
    ("reg:gamma", "zeros", "needs numbers above 0"),
    ("reg:logistic", "positive", "needs numbers from 0 to 1"),
    ("reg:squaredlogerror", "amount", "needs numbers above -1"),
])
def test_targets_outside_the_domain(rows, cli, definition, objective, target, says):
    path = define(definition, objective, target, project="outside")
    cli.ok("apply", path)
    result = cli("train", "outside", "--here")
    assert result.code == 1
    assert f'objective "{objective}" {says}' in result.err
    assert "leave such rows out in the view" in result.err
    assert rows.value("SELECT count(*) FROM pgboost.models JOIN pgboost.projects p"
                      " ON p.id = project_id WHERE name = 'outside'") == 0


def test_an_objective_of_another_task_is_refused(rows, cli, definition):
    result = cli("apply", define(definition, "binary:logistic", "amount"))
    assert result.code == 78
    assert "reg:squarederror" in result.err and "count:poisson" in result.err


def test_pseudo_huber_knows_the_targets_spread(rows, cli, definition, daemon):
    """With a slope of 1 on a target with a spread of 120 its gradients would all be about ±1: the
    model would not get off the ground."""
    model = rows.sql("SELECT m.id, m.metrics FROM pgboost.models m JOIN pgboost.projects p"
                     " ON p.id = m.project_id WHERE p.name = 'o_reg_pseudohubererror'")[0]
    config = oracle.StoredModel(rows, model[0]).booster.save_config()
    slope = float(config.split('"huber_slope":"')[1].split('"')[0])
    spread = rows.value(f"SELECT stddev_pop(amount) FROM public.objectives"
                        f" WHERE NOT {oracle.row_hash('id')} < 0.2")
    assert abs(slope / spread - 1) < 1e-6
