"""Models leave and enter: exported ones are XGBoost's, imported ones predict XGBoost's bits."""

import hashlib
import os
import pty
import subprocess

import numpy as np
import pytest
import xgboost

import oracle
from conftest import BIN
from test_train import rows, train  # noqa: F401

TARGETS = ["amount", "answer", "truth", "grade", "strange"]
FEATURES = ["y", "flag", "x"]  # not in the relation's order


@pytest.fixture(scope="module")
def projects(rows, cli, tmp_path_factory):  # noqa: F811
    """A project for each kind of target, none trained."""
    folder = tmp_path_factory.mktemp("projects")
    for target in TARGETS:
        task = "regression" if target == "amount" else "classification"
        (folder / f"{target}.json").write_text(oracle.dumps({
            "project": f"in_{target}", "relation": "public.t", "target": target, "task": task,
            "key": ["id"], "exclude": ["y"]}))
    cli.ok("apply", folder)
    return rows


def data(db, features, target):
    table = db.sql(f"SELECT {', '.join(features)}, {target} FROM public.t ORDER BY id")
    x = np.array([[np.nan if v is None else v for v in row[:-1]] for row in table],
                 dtype=np.float32)
    labels = [row[-1] for row in table]
    if target == "amount":
        return x, np.array(labels)
    return x, np.array([sorted(set(labels)).index(v) for v in labels])


def trained(db, features=FEATURES, target="amount", names=None, rounds=20, types=None, **params):
    x, y = data(db, features, target)
    matrix = xgboost.DMatrix(x, label=y, feature_names=names or features, feature_types=types,
                             enable_categorical=True)
    return xgboost.train({"tree_method": "hist", "max_depth": 4, "verbosity": 0, **params}, matrix,
                         rounds)


def n_models(db):
    return db.value("SELECT count(*) FROM pgboost.models")


@pytest.fixture
def refused(projects, cli, tmp_path):
    """A file that is refused, with these words, and leaves nothing behind."""

    def check(content, *words, project="in_amount", code=1):
        path = tmp_path / "model.ubj"
        if isinstance(content, xgboost.Booster):
            content = content.save_raw("ubj")
        path.write_bytes(content)
        before = n_models(projects)
        result = cli("import", project, path, "--deploy")
        assert result.code == code, result.err
        assert result.out == ""
        for word in words:
            assert word in result.err, result.err
        assert n_models(projects) == before
        return result.err

    return check


# Export ------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def exported(rows, cli, tmp_path_factory):  # noqa: F811
    path = tmp_path_factory.mktemp("d") / "amount.json"
    path.write_text(oracle.dumps({
        "project": "amount", "relation": "public.t", "target": "amount", "key": ["id"],
        "exclude": TARGETS[1:], "search": {"strategy": "none"},
        "hyperparams": {"n_estimators": 30}}))
    cli.ok("apply", path)
    return cli.json("train", "amount", "--here")["model_id"]


def test_an_exported_model_gives_the_same_bits(rows, cli, daemon, exported, tmp_path):  # noqa: F811
    path = tmp_path / "model.ubj"
    assert cli.ok("export", exported, "-o", path).out == ""
    stored = oracle.StoredModel(rows, exported)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == stored.sha256
    stored.booster = xgboost.Booster(model_file=str(path))
    assert stored.booster.feature_names == stored.names
    assert stored.booster.feature_types == stored.types
    daemon.wait_live("amount", exported)
    asked = oracle.rows_as_json(rows, "SELECT * FROM public.t ORDER BY id LIMIT 100")
    items = daemon.predict("amount", asked, encoded=True)["predictions"]
    margins = stored.margins([item["encoded"] for item in items])
    assert (oracle.bits([item["margin"] for item in items]) == oracle.bits(margins)).all()


def test_export_to_standard_output(rows, cli, exported, tmp_path):  # noqa: F811
    path = tmp_path / "model.ubj"
    cli.ok("export", exported, "--output", path)
    for arguments in ([], ["-o", "-"]):
        done = subprocess.run([BIN / "pgboost", "export", str(exported), *arguments],
                              env=cli.db.env, stdout=subprocess.PIPE, check=True)
        assert done.stdout == path.read_bytes()


def test_a_terminal_gets_no_bytes(cli, exported):
    ours, theirs = pty.openpty()
    done = subprocess.run([BIN / "pgboost", "export", str(exported)], env=cli.db.env,
                          stdout=theirs, stderr=subprocess.PIPE, text=True)
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 2 and "terminal" in done.stderr and "-o model.ubj" in done.stderr


def test_what_cannot_be_exported(cli, exported, tmp_path):
    assert cli("export").code == 2
    assert cli("export", "x").code == 2
    assert cli("export", exported, "-o").code == 2
    missing = cli("export", 999999, "-o", tmp_path / "none")
    assert missing.code == 1 and "model 999999 does not exist" in missing.err
    assert not (tmp_path / "none").exists()
    nowhere = cli("export", exported, "-o", tmp_path / "no" / "folder")
    assert nowhere.code == 1 and "cannot write" in nowhere.err
    full = cli("export", exported, "-o", "/dev/full")
    assert full.code == 1 and "cannot write" in full.err and os.path.exists("/dev/full")


def test_damaged_bytes_are_not_exported(rows, cli, exported, tmp_path):  # noqa: F811
    rows.sql("ALTER TABLE pgboost.models DROP CONSTRAINT models_sha256_matches")
    rows.sql("UPDATE pgboost.models SET model = set_byte(model, 50, 0) WHERE id = %s", exported)
    result = cli("export", exported, "-o", tmp_path / "model.ubj")
    assert result.code == 1 and "not those that were stored" in result.err
    assert not (tmp_path / "model.ubj").exists()
    rows.sql("DELETE FROM pgboost.deployments WHERE model_id = %s", exported)


# Import ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("form", ["ubj", "json"])
def test_an_imported_regression_gives_the_same_bits(projects, cli, daemon, tmp_path, form):
    booster = trained(projects, base_score=1.25)
    path = tmp_path / f"model.{form}"
    booster.save_model(path)
    result = cli.json("import", "in_amount", path)
    model_id = result["model_id"]
    assert result["deployed"] is False and result["metric"] == "rmse"
    asked = oracle.rows_as_json(projects, f"SELECT {', '.join(FEATURES)} FROM public.t ORDER BY id")
    cli.ok("deploy", "in_amount", "--model", model_id)
    daemon.wait_live("in_amount", model_id)
    answer = daemon.predict("in_amount", asked[:1000], encoded=True)
    assert answer["model_id"] == model_id
    x, _ = data(projects, FEATURES, "amount")
    margins = booster.inplace_predict(x[:1000], predict_type="margin")
    items = answer["predictions"]
    assert list(items[0]["encoded"]) == FEATURES
    assert (oracle.bits([i["margin"] for i in items]) == oracle.bits(margins)).all()
    # measured on the test rows of the project's split
    model = oracle.StoredModel(projects, model_id)
    model.check_golden()
    x_test = np.array([[np.nan if v is None else v for v in row] for row in projects.sql(
        f"SELECT {', '.join(FEATURES)} FROM public.t WHERE {oracle.row_hash('id')} < 0.2"
        " ORDER BY id")], dtype=np.float32)
    y_test = [row[0] for row in projects.sql(
        f"SELECT amount FROM public.t WHERE {oracle.row_hash('id')} < 0.2 ORDER BY id")]
    assert model.metrics["rows"] == len(y_test)
    oracle.assert_metrics(model.metrics, oracle.regression_metrics(
        y_test, booster.inplace_predict(x_test).astype(float)))
    assert projects.sql("SELECT run_id, trial_id, algorithm, hyperparams FROM pgboost.models"
                        " WHERE id = %s", model_id)[0] == (
        None, None, "xgboost", {"objective": "reg:squarederror", "n_estimators": 20})
    assert model.metrics["baseline"]["kind"] == "mean"


@pytest.mark.parametrize("target, params", [
    ("answer", {"objective": "binary:logistic"}),
    ("truth", {"objective": "binary:logistic", "base_score": 0.3}),
    ("grade", {"objective": "multi:softprob", "num_class": 3}),
    ("strange", {"objective": "multi:softprob", "num_class": 3, "num_parallel_tree": 2}),
])
def test_an_imported_classifier_is_deployed(projects, cli, daemon, tmp_path, target, params):
    project = f"in_{target}"
    booster = trained(projects, target=target, **params)
    path = tmp_path / "model.json"
    booster.save_model(path)
    model_id = cli.json("import", project, path, "--deploy")["model_id"]
    daemon.wait_live(project, model_id)
    asked = oracle.rows_as_json(projects, "SELECT * FROM public.t ORDER BY id LIMIT 300")
    items = daemon.predict(project, asked, encoded=True)["predictions"]
    x, y = data(projects, FEATURES, target)
    expected = booster.inplace_predict(x[:300]).reshape(300, -1)
    shown = np.array([list(i["probabilities"].values()) for i in items], dtype=np.float32)
    assert (oracle.bits(shown[:, -expected.shape[1]:]) == oracle.bits(expected)).all()
    # the labels are the column's own
    right = [i["prediction"] == row[target] for i, row in zip(items, asked)]
    assert np.mean(right) > (0.9 if target in ("answer", "truth") else 0.4)
    decision = cli.json("deployments", project)["items"][0]
    assert decision["model_id"] == model_id and decision["live"]


def algorithm(db, model_id):
    return db.value("SELECT algorithm FROM pgboost.models WHERE id = %s", model_id)


def test_an_imported_forest_of_one_round_is_a_random_forest(projects, cli, tmp_path):
    path = tmp_path / "forest.ubj"
    trained(projects, rounds=1, num_parallel_tree=9, subsample=0.8).save_model(path)
    model_id = cli.json("import", "in_amount", path)["model_id"]
    assert algorithm(projects, model_id) == "random_forest"


DART = {"booster": "dart", "rate_drop": 0.3, "one_drop": 1}
FOREST = {"num_parallel_tree": 4, "subsample": 0.7, "colsample_bynode": 0.7}
LINEAR = {"booster": "gblinear", "updater": "coord_descent"}


@pytest.mark.parametrize("form", ["ubj", "json"])
@pytest.mark.parametrize("target, params", [
    ("amount", {**DART, "base_score": 1.25}),
    ("amount", {**FOREST, "objective": "reg:pseudohubererror"}),
    ("amount", {**LINEAR, "base_score": 1.25}),
    ("truth", {**DART, "objective": "binary:logistic", "base_score": 0.3}),
    ("truth", {**LINEAR, "objective": "binary:logistic"}),
    ("grade", {**DART, **FOREST, "objective": "multi:softprob", "num_class": 3}),
    ("grade", {**LINEAR, "objective": "multi:softprob", "num_class": 3}),
])
def test_every_booster_is_served_and_explained(projects, cli, daemon, tmp_path, target, params,
                                               form):
    booster = trained(projects, target=target, rounds=8, **params)
    path = tmp_path / f"model.{form}"
    booster.save_model(path)
    model_id = cli.json("import", f"in_{target}", path, "--deploy")["model_id"]
    daemon.wait_live(f"in_{target}", model_id)
    asked = oracle.rows_as_json(projects, "SELECT * FROM public.t ORDER BY id LIMIT 300")
    items = daemon.predict(f"in_{target}", asked, encoded=True, explain=True)["predictions"]
    model = oracle.StoredModel(projects, model_id)
    model.check_golden()
    assert algorithm(projects, model_id) == {"dart": "dart", "gblinear": "linear"}.get(
        params.get("booster"), "xgboost")
    # by the booster that was trained, not by what was stored of it
    x, _ = data(projects, FEATURES, target)
    matrix = xgboost.DMatrix(x[:300], feature_names=FEATURES)
    margins = booster.predict(matrix, output_margin=True).reshape(300, -1)
    assert np.isnan(x[:300]).any() and len(np.unique(margins)) > 10
    shown = np.array([i["margin"] for i in items], dtype=np.float32).reshape(300, -1)
    assert (oracle.bits(shown) == oracle.bits(margins)).all()
    values = booster.predict(matrix).reshape(300, -1)
    if target == "amount":
        shown = np.array([i["prediction"] for i in items], dtype=np.float32).reshape(300, -1)
    else:
        shown = np.array([list(i["probabilities"].values()) for i in items], dtype=np.float32)
    assert (oracle.bits(shown[:, -values.shape[1]:]) == oracle.bits(values)).all()
    shares = booster.predict(matrix, pred_contribs=True).reshape(300, -1, len(FEATURES) + 1)
    for item, expected in zip(items, shares):
        columns = item["explanation"]["columns"]
        for i, name in enumerate(FEATURES):
            np.testing.assert_allclose(np.atleast_1d(columns[name]), expected[:, i], atol=1e-5)
        np.testing.assert_allclose(np.atleast_1d(item["explanation"]["bias"]), expected[:, -1],
                                   rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("objective", ["reg:squaredlogerror", "reg:gamma", "reg:tweedie",
                                       "count:poisson", "reg:absoluteerror"])
def test_a_regression_may_have_any_objective(projects, cli, daemon, tmp_path, objective):
    x, y = data(projects, FEATURES, "amount")
    matrix = xgboost.DMatrix(x, label=np.exp(y / np.abs(y).max()), feature_names=FEATURES)
    booster = xgboost.train({"tree_method": "hist", "objective": objective, "verbosity": 0},
                            matrix, 5)
    path = tmp_path / "model.ubj"
    booster.save_model(path)
    model_id = cli.json("import", "in_amount", path, "--deploy")["model_id"]
    daemon.wait_live("in_amount", model_id)
    asked = oracle.rows_as_json(projects, "SELECT * FROM public.t ORDER BY id LIMIT 300")
    items = daemon.predict("in_amount", asked)["predictions"]
    expected = booster.predict(matrix)[:300]
    assert (oracle.bits([i["prediction"] for i in items]) == oracle.bits(expected)).all()


def test_import_says_what_it_did(projects, cli, tmp_path):
    path = tmp_path / "model.ubj"
    trained(projects).save_model(path)
    out = cli.ok("import", "in_amount", path).out
    assert "imported model" in out and "rmse" in out and "not deployed" in out
    assert "deployed" in cli.ok("import", "in_amount", path, "--deploy").out.splitlines()[-1]


def test_what_was_exported_can_be_imported(projects, cli, tmp_path):
    first, second = tmp_path / "first.ubj", tmp_path / "second.ubj"
    trained(projects).save_model(first)
    model_id = cli.json("import", "in_amount", first)["model_id"]
    cli.ok("export", model_id, "-o", second)
    again = cli.json("import", "in_amount", second)["model_id"]
    assert projects.value("SELECT count(DISTINCT sha256) FROM pgboost.models WHERE id IN (%s, %s)",
                          model_id, again) == 1


def test_models_that_do_not_fit(projects, refused):
    refused(trained(projects, names=["y", "flag", "exx"]), 'feature "exx"', "no such column")
    refused(trained(projects, names=["y", "flag", "xx"]), 'did it learn from "x"?')
    refused(trained(projects, names=["y", "flag", "id"]), 'feature "id"', "part of the key")
    refused(trained(projects, names=["y", "flag", "amount"]), "is the target")
    refused(trained(projects, names=["y", "flag", "at"]), 'feature "at"', "not one number")
    refused(trained(projects, names=["y", "flag", "colour"]), 'feature "colour"', "not one number")
    refused(trained(projects, features=["x", "flag"], types=["q", "c"]), 'feature "flag"',
            "category")
    x, y = data(projects, FEATURES, "amount")
    refused(xgboost.train({}, xgboost.DMatrix(x, label=y), 2), "have no names", "feature_names")


def test_models_of_another_task(projects, refused):
    three = {"objective": "multi:softprob", "num_class": 3}
    refused(trained(projects, target="grade", **three), "3 outputs", "is a number")
    refused(trained(projects, target="grade", **three), "3 outputs", "2 classes",
            project="in_truth")
    refused(trained(projects), "reg:squarederror", "binary:logistic", project="in_truth")
    refused(trained(projects, target="grade", objective="multi:softmax", num_class=3),
            "multi:softmax", "multi:softprob", project="in_grade")
    refused(trained(projects), 'project "nowhere"', project="nowhere")


def test_files_that_are_no_model(projects, refused, cli, tmp_path):
    whole = bytes(trained(projects).save_raw("ubj"))
    text = bytes(trained(projects).save_raw("json"))
    refused(b"", "not a model")
    refused(b"PK\x03\x04", "not a model", "save_model")
    refused(b"{}")
    refused(b"{\"learner\": 1}")
    for part in (whole[:100], whole[:len(whole) // 2], whole[:-3], text[:len(text) // 2]):
        refused(part)
    missing = cli("import", "in_amount", tmp_path / "none.ubj")
    assert missing.code == 1 and "none.ubj" in missing.err
    folder = cli("import", "in_amount", tmp_path)
    assert folder.code == 1 and str(tmp_path) in folder.err
    with open(tmp_path / "huge.ubj", "wb") as file:
        file.truncate((256 << 20) + 1)
    huge = cli("import", "in_amount", tmp_path / "huge.ubj")
    assert huge.code == 1 and "huge.ubj" in huge.err


def test_damaged_bytes_never_leave_a_model(projects, cli, tmp_path):
    """Whatever XGBoost makes of them, crashes included: an error, or a model that was verified."""
    whole = bytearray(trained(projects, rounds=2).save_raw("ubj"))
    rng = np.random.default_rng(7)
    path = tmp_path / "model.ubj"
    refusals = 0
    for _ in range(25):
        broken = bytearray(whole)
        for at in rng.integers(1, len(broken), 3):
            broken[at] = rng.integers(0, 256)
        path.write_bytes(broken)
        before = n_models(projects)
        result = cli("import", "in_amount", path)
        assert result.code in (0, 1), result.err
        assert n_models(projects) == before + (result.code == 0)
        assert result.code == 0 or result.err.startswith("pgboost: ")
        refusals += result.code
    assert refusals > 5


def test_no_database_is_exit_status_69(projects, cli, tmp_path):
    path = tmp_path / "model.ubj"
    trained(projects).save_model(path)
    assert cli("import", "in_amount", path, env={"PGPORT": "1"}).code == 69
