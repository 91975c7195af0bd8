"""Mistakes that PostgresML made, each with a test that pgboost does not make it. Three more are in
tests/unit/metric/test_rules.c: metrics from hard labels, precision and recall swapped, a class that
is never predicted."""

import numpy as np
import pytest

import oracle


@pytest.fixture(scope="module")
def rows(catalog):
    catalog.sql("""
        CREATE TABLE public.m AS
        SELECT i AS id, sin(i * 12.9898)::float8 AS x,
               CASE WHEN i % 9 <> 0 THEN cos(i * 78.233)::float8 END AS y,
               (ARRAY['red', 'green', 'blue', NULL])[1 + (i * 7919) % 4] AS colour,
               (10 * sin(i * 12.9898) + ((i * 7919) % 4))::float8 AS amount,
               CASE WHEN sin(i * 12.9898) > 0.8 THEN 'rare' ELSE 'common' END AS kind,
               CASE WHEN sin(i * 12.9898) > 0.3 THEN 'high' WHEN sin(i * 12.9898) < -0.3
                    THEN 'low' ELSE 'middle' END AS level
        FROM generate_series(1, 1500) AS i""")
    return catalog


TARGETS = {"amount", "kind", "level"}


@pytest.fixture(scope="module")
def train(rows, cli, tmp_path_factory):
    """Each project once."""
    done = {}
    folder = tmp_path_factory.mktemp("mistakes")

    def go(project, target, **keys):
        if project in done:
            return done[project]
        definition = {"project": project, "relation": "public.m", "target": target, "key": ["id"],
                      "exclude": sorted(TARGETS - {target}), "search": {"strategy": "none"},
                      "hyperparams": {"n_estimators": 40}, **keys}
        path = folder / f"{project}.json"
        path.write_text(oracle.dumps(definition))
        cli.ok("apply", path)
        cli.ok("train", project, "--here")
        done[project] = cli.json("show", project)["project"]["live_model_id"]
        return done[project]

    return go


def all_rows(db):
    return oracle.rows_as_json(db, "SELECT * FROM public.m ORDER BY id")


def test_stratified_means_by_class(rows, train):
    """Theirs partitioned by all columns."""
    train("stratified", "kind", test={"by": "stratified", "size": 0.2})
    stats = rows.value("SELECT stats FROM pgboost.runs ORDER BY id DESC LIMIT 1")
    counts = dict(rows.sql("SELECT kind, count(*) FROM public.m GROUP BY 1"))
    model = oracle.StoredModel(rows, train("stratified", "kind"))
    in_test = np.array(model.metrics["reports"]["confusion"]["counts"]).sum(axis=1)
    assert stats["test"] == sum(in_test)
    for label, n in zip(sorted(counts), in_test):
        assert n == round(0.2 * counts[label])


def test_the_final_model_is_trained_on_all_rows_but_the_test_rows(rows, train):
    """Theirs kept the luckiest fold's model. The root's cover of a squared error is its rows."""
    model = oracle.StoredModel(rows, train("refitted", "amount"))
    root = next(line for line in model.booster.get_dump(with_stats=True)[0].splitlines()
                if line.lstrip().startswith("0:"))
    cover = float(root.split("cover=")[1])
    assert cover == 1500 - model.metrics["rows"]


def test_scores_are_compared_as_numbers(rows, train):
    """Theirs sorted '9.5' behind '10.2'."""
    train("refitted", "amount")
    project = rows.value("SELECT id FROM pgboost.projects WHERE name = 'refitted'")
    ids = [rows.value(
        "INSERT INTO pgboost.models (project_id, task, relation, target, split, algorithm,"
        " hyperparams, metric, score, metrics, encoder, model, sha256, base_margin_bits, golden,"
        " xgboost_version) SELECT project_id, task, relation, target, split, algorithm,"
        " hyperparams, metric, %s, jsonb_build_object('rmse', %s), encoder, model, sha256,"
        " base_margin_bits, golden, xgboost_version FROM pgboost.models"
        " WHERE project_id = %s ORDER BY id LIMIT 1 RETURNING id", score, score, project)
        for score in (10.2, 9.5, 100.0)]
    ranked = [row[0] for row in rows.sql(
        "SELECT model_id FROM pgboost.leaderboard WHERE project = 'refitted' AND model_id = ANY(%s)"
        " ORDER BY rank", ids)]
    assert ranked == [ids[1], ids[0], ids[2]]
    rows.sql("DELETE FROM pgboost.models WHERE id = ANY(%s)", ids)


def test_a_binary_model_answers_once_for_each_row(rows, train, daemon):
    """Theirs took a logistic model's outputs for pairs."""
    daemon.wait_live("stratified", train("stratified", "kind"))
    sent = all_rows(rows)
    items = daemon.predict("stratified", sent)["predictions"]
    assert len(items) == len(sent)
    assert len({tuple(item["probabilities"].values()) for item in items}) > 4
    right = sum(item["prediction"] == row["kind"] for item, row in zip(items, sent))
    assert right > 0.97 * len(sent)


def test_a_restart_changes_no_answer(rows, train, daemon_factory):
    """Theirs read the softmax flag from another column when it loaded a model again."""
    model_id = train("classes", "level")
    sent = all_rows(rows)[:50]
    answers = []
    for _ in range(2):
        daemon = daemon_factory()
        daemon.wait_live("classes", model_id)
        answers.append(daemon.predict("classes", sent)["predictions"])
        daemon.stop()
    assert answers[0] == answers[1]
    for item in answers[0]:
        assert set(item["probabilities"]) == {"high", "low", "middle"}
        assert abs(sum(item["probabilities"].values()) - 1) < 1e-6


def test_one_hot_rows_are_as_wide_as_the_model(rows, train, daemon):
    """Theirs predicted with the width before encoding."""
    model_id = train("onehot", "amount", columns={"colour": {"encode": "onehot"}})
    daemon.wait_live("onehot", model_id)
    model = oracle.StoredModel(rows, model_id)
    assert sum(name.startswith("colour") for name in model.names) >= 3
    items = daemon.predict("onehot", all_rows(rows), encoded=True)["predictions"]
    margins = model.margins([item["encoded"] for item in items])
    assert (oracle.bits([item["margin"] for item in items]) == oracle.bits(margins)).all()


def test_a_class_that_the_test_rows_lack_is_no_error(rows, cli, train):
    """Theirs aborted."""
    rows.sql("""CREATE TABLE public.lacking AS
                SELECT id, x, CASE WHEN id <= 3 THEN 'seldom' ELSE level END AS level
                FROM public.m""")
    model_id = train("lacking", "level", relation="public.lacking", exclude=[],
                     test={"by": "random"})
    metrics = oracle.StoredModel(rows, model_id).metrics
    assert metrics["f1_macro"] is not None and metrics["log_loss"] is not None


def test_an_untrained_model_does_not_pass(rows, cli, train):
    """Theirs shipped boosters without a tree for six months: no test looked at a metric."""
    for project, target, metric in (("refitted", "amount", "rmse"),
                                    ("stratified", "kind", "log_loss"),
                                    ("classes", "level", "log_loss")):
        model = oracle.StoredModel(rows, train(project, target))
        assert len(model.booster.get_dump()) > 5
        assert model.metrics[metric] < 0.5 * model.metrics["baseline"][metric]
        assert model.metrics["skill"]["low"] > 0.3


def test_unseen_categories_arrays_and_nulls(rows, train, daemon):
    """Theirs: an error, skipped preprocessing, a crash."""
    daemon.wait_live("refitted", train("refitted", "amount"))
    sent = [{"x": 0.5, "y": None, "colour": "violet"}, {"x": None, "y": 1, "colour": None}, {}]
    items = daemon.predict("refitted", sent)["predictions"]
    assert all(np.isfinite(item["prediction"]) for item in items)
    table = daemon.post("/predict", {
        "project": "refitted", "columns": ["colour", "x", "y"],
        "rows": [[row.get("colour"), row.get("x"), row.get("y")] for row in sent]}).json()
    assert table["predictions"] == items


def test_the_same_seed_makes_the_same_model(rows, cli, train):
    """And the same metrics and decision, when everything is done twice."""
    train("refitted", "amount")
    seen = []
    for _ in range(2):
        cli.ok("train", "refitted", "--here")
        seen.append(rows.sql(
            "SELECT m.sha256, m.metrics, m.encoder, d.reason FROM pgboost.models m"
            " JOIN pgboost.deployments d ON d.model_id = m.id ORDER BY m.id DESC LIMIT 1")[0])
    assert seen[0][:3] == seen[1][:3]
    assert seen[0][3].split(":")[0] == seen[1][3].split(":")[0] == "not better"
