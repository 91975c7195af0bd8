"""What a model looks at: against python3-xgboost on the stored bytes, and worked out anew here."""

import math
import re

import numpy as np
import pytest
import xgboost

import oracle
from test_train import rows, train  # noqa: F401

TARGETS = {"amount", "answer", "truth", "grade", "strange"}


@pytest.fixture(scope="module")
def noisy(rows, cli, tmp_path_factory):  # noqa: F811
    """Rows with a column of noise and one that says nothing; a project for three of the targets,
    each with a live model."""
    folder = tmp_path_factory.mktemp("noisy")
    rows.sql("CREATE VIEW public.noisy AS SELECT *, cos(id * 55.55)::float8 AS noise, 1 AS same,"
             " CASE WHEN x > 0 THEN ARRAY['a', colour] ELSE ARRAY['b'] END AS tags FROM public.t")

    def define(**keys):
        path = folder / f"{keys['project']}.json"
        path.write_text(oracle.dumps(keys))
        return path

    for target in ("amount", "answer", "grade"):
        importance(cli, define, target)
    return rows


def importance(cli, define, target, **keys):
    """The live model's id, of a project trained for the target."""
    task = "regression" if target == "amount" else "classification"
    return train(cli, define, **{
        "project": f"i_{target}", "relation": "public.noisy", "target": target, "task": task,
        "exclude": sorted(TARGETS - {target}), **keys})


def live_model(db, cli, target):
    return oracle.StoredModel(db, cli.json("show", f"i_{target}")["project"]["live_model_id"])


def columns_of(model):
    """{column: indices of its features}"""
    return {column["name"]: [i for i, name in enumerate(model.names)
                             if name == column["name"] or name.startswith(column["name"] + ".")]
            for column in model.encoder["columns"]}


def test_rows(db, target, by_class):
    """The run's test rows by hash, as it works them out."""
    if not by_class:
        return oracle.rows_as_json(db, f"SELECT * FROM public.noisy WHERE {oracle.row_hash('id')}"
                                       f" < 0.2 ORDER BY {oracle.row_hash('id')}")
    return oracle.rows_as_json(db, f"""
        SELECT t.* FROM (SELECT id, {oracle.row_hash('id')} AS hash, row_number() OVER (
                             PARTITION BY {target} ORDER BY {oracle.row_hash('id')}) AS place,
                             count(*) OVER (PARTITION BY {target}) AS n FROM public.noisy) s
        JOIN public.noisy t USING (id) WHERE place <= floor(0.2 * n + 0.5) ORDER BY hash""")


test_rows.__test__ = False


class SplitMix:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        mask = (1 << 64) - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        z = self.state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
        return z ^ (z >> 31)

    def below(self, bound):
        """Lemire's: the high half of a product, without the few that would bias it."""
        while True:
            product = self.next() * bound
            if product % (1 << 64) >= (1 << 64) % bound:
                return product >> 64


def loss(y, outputs):
    if outputs.ndim == 1:
        outputs = outputs.astype(float)
        if set(y) <= {0, 1}:
            outputs = np.column_stack([1 - outputs, outputs])
        else:
            return math.sqrt(np.mean((y - outputs) ** 2))
    p = np.clip(outputs.astype(float), np.finfo(float).eps, 1 - np.finfo(float).eps)
    return -np.mean(np.log(p[np.arange(len(y)), np.asarray(y, int)] / p.sum(axis=1)))


@pytest.mark.parametrize("target", ["amount", "answer", "grade"])
def test_as_xgboost_says(noisy, cli, daemon, target):
    model = live_model(noisy, cli, target)
    daemon.wait_live(f"i_{target}", model.id)
    mine = model.metrics["importance"]
    # gain, cover and weight: exactly get_score's
    for kind in ("weight", "gain", "cover"):
        assert mine[kind] == model.booster.get_score(importance_type=kind) != {}
    # mean |SHAP| by column over all test rows (fewer than a thousand)
    found = test_rows(noisy, target, target != "amount")
    assert model.metrics["rows"] == len(found)
    assert len(found) == mine["rows"]["shap"] == mine["rows"]["permutation"]
    encoded = [i["encoded"] for i in
               daemon.predict(f"i_{target}", found, encoded=True)["predictions"]]
    shap = model.booster.predict(model.matrix(encoded), pred_contribs=True).astype(float)
    shap = shap.reshape(len(found), -1, len(model.names) + 1)
    columns = columns_of(model)
    assert set(mine["shap"]) == set(columns)
    for name, own in columns.items():
        expected = np.abs(shap[:, :, own].sum(axis=2)).mean()
        assert abs(mine["shap"][name] - expected) <= 1e-5, name
    assert mine["shap"]["same"] == 0
    first = max(mine["shap"], key=mine["shap"].get)
    assert first in {"amount": "x", "answer": ("x", "tags"), "grade": ("colour", "tags")}[target]


@pytest.mark.parametrize("target", ["amount", "answer"])
def test_permutation(noisy, cli, daemon, target):
    model = live_model(noisy, cli, target)
    daemon.wait_live(f"i_{target}", model.id)
    mine = model.metrics["importance"]["permutation"]
    found = test_rows(noisy, target, target != "amount")
    encoded = [i["encoded"] for i in
               daemon.predict(f"i_{target}", found, encoded=True)["predictions"]]
    matrix = np.array([[np.nan if v is None else np.float32(v) for v in e.values()]
                       for e in encoded], dtype=np.float32)
    y = np.array([r[target] if target == "amount" else ["no", "yes"].index(r[target])
                  for r in found])

    def loss_with(values):
        return loss(y, model.booster.predict(xgboost.DMatrix(
            values, feature_names=model.names, feature_types=model.types, enable_categorical=True)))

    n = len(found)
    rng, orders = SplitMix(42), []
    for _ in range(3):
        order = list(range(n))
        for i in range(n, 1, -1):
            other = rng.below(i)
            order[i - 1], order[other] = order[other], order[i - 1]
        orders.append(order)
    base = loss_with(matrix)
    assert abs(base - model.metrics["rmse" if target == "amount" else "log_loss"]) < 1e-9
    for name, own in columns_of(model).items():
        increases = []
        for order in orders:
            values = matrix.copy()
            values[:, own] = matrix[order][:, own]
            increases.append(loss_with(values) - base)
        assert abs(mine[name] - np.mean(increases)) < 1e-9, name
    # the signal stands out, noise does not
    assert abs(mine["noise"]) < 0.05 * max(mine.values()) and mine["same"] == 0
    assert max(mine, key=mine.get) == "x"


def test_show_says_what_the_model_looks_at(noisy, cli):
    page = cli.ok("show", "i_amount").out
    table = page.split("What model ")[1].split("\n\n")[0].strip().split("\n")
    shown = cli.json("show", "i_amount")
    live = shown["project"]["live_model_id"]
    assert table[0].startswith(f"{live} looks at")
    metrics = next(m["metrics"] for m in shown["models"] if m["id"] == live)
    shap = metrics["importance"]["shap"]
    names = [line.split()[0] for line in table[2:]]
    by_size = sorted(shap, key=lambda name: -shap[name])
    assert names == [name for name in by_size if shap[name] > 0][:10]
    assert re.search(rf"^{names[0]} +{shap[names[0]]:.4g}", table[2])


def test_learning_curve(noisy, cli, definition):
    model_id = importance(cli, definition, "answer", project="curve",
                          hyperparams={"n_estimators": 500, "early_stopping_rounds": 450})
    metrics = oracle.StoredModel(noisy, model_id).metrics
    curve = metrics["learning_curve"]
    assert curve["metric"] == "log_loss"
    assert curve["rounds"][0] == 1 and curve["rounds"] == sorted(set(curve["rounds"]))
    assert 100 <= len(curve["rounds"]) == len(curve["valid"]) <= 200
    assert min(curve["valid"]) == curve["valid"][curve["rounds"].index(metrics["rounds"])]
    assert min(curve["valid"]) == metrics["validation"]["log_loss"]  # the key metric here


def test_an_imported_linear_model(noisy, cli, tmp_path):
    """Only coefficients, an array of them for each of several outputs."""
    for target, objective in (("amount", "reg:squarederror"), ("grade", "multi:softprob")):
        table = noisy.sql(f"SELECT x, noise, {target} FROM public.noisy ORDER BY id")
        y = [r[2] if target == "amount" else [-1, 3, 7].index(r[2]) for r in table]
        params = {"booster": "gblinear", "objective": objective, "verbosity": 0,
                  **({"num_class": 3} if target == "grade" else {})}
        booster = xgboost.train(params, xgboost.DMatrix(
            np.array([r[:2] for r in table], dtype=np.float32), label=y,
            feature_names=["x", "noise"]), 10)
        path = tmp_path / f"{target}.ubj"
        booster.save_model(path)
        result = cli.json("import", f"i_{target}", path)
        mine = oracle.StoredModel(noisy, result["model_id"]).metrics["importance"]
        assert mine["weight"] == booster.get_score(importance_type="weight")
        assert isinstance(mine["weight"]["x"], list) == (target == "grade")
        assert "gain" not in mine and "cover" not in mine
        assert mine["shap"]["x"] > mine["shap"]["noise"] and mine["permutation"]["x"] > 0
