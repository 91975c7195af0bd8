"""The demo's two projects on the real flights: every test row bit for bit, metric for metric."""

import json
import subprocess

import numpy as np
import pytest

import oracle
from conftest import ROOT


@pytest.fixture(scope="module")
def flights(catalog, cli, daemon, tmp_path_factory):
    subprocess.run(["psql", "-q", "-X", "-f", "load.sql"], cwd=ROOT / "scripts/demo.d",
                   env=catalog.env, check=True, stdin=subprocess.DEVNULL)
    cli.ok("migrate", ROOT / "scripts/demo.d/views")
    cli.ok("apply", ROOT / "models")
    for project in ("flight_delay", "flight_late"):
        few = json.loads((ROOT / f"models/{project}.json").read_text())
        few["search"]["trials"] = 2  # however long it was sought for, a model is as right
        path = tmp_path_factory.mktemp("models") / f"{project}.json"
        path.write_text(json.dumps(few))
        cli.ok("apply", path)
        cli.ok("train", project, timeout=400)
        daemon.wait_live(project)
    return catalog


def ask(daemon, project, rows):
    """Predictions for every row, a thousand a request."""
    items = []
    for at in range(0, len(rows), 1000):
        items += daemon.predict(project, rows[at:at + 1000], encoded=True)["predictions"]
    return items


def test_flight_delay(flights, daemon):
    model_id = daemon.wait_live("flight_delay")["live_model_id"]
    stats = flights.value("SELECT r.stats FROM pgboost.runs r JOIN pgboost.models m"
                          " ON m.run_id = r.id WHERE m.id = %s", model_id)
    test = oracle.rows_as_json(flights, "SELECT * FROM demo.flight_features WHERE scheduled_at >="
                               f" '{stats['split']['test_from']}' AND arrival_delay IS NOT NULL")
    assert len(test) == stats["test"] > 3000
    items = ask(daemon, "flight_delay", test)
    model = oracle.StoredModel(flights, model_id)
    model.check_golden()
    encoded = [i["encoded"] for i in items]
    assert (oracle.bits([i["margin"] for i in items]) == oracle.bits(model.margins(encoded))).all()
    assert (oracle.bits([i["prediction"] for i in items])
            == oracle.bits(model.predictions(encoded))).all()
    y = np.array([r["arrival_delay"] for r in test], dtype=float)
    predictions = np.array([i["prediction"] for i in items], dtype=np.float32).astype(float)
    oracle.assert_metrics(model.metrics, oracle.regression_metrics(y, predictions))
    assert model.metrics["rmse"] < model.metrics["baseline"]["rmse"]
    for level in (0.5, 0.8, 0.9, 0.95):
        half_width = model.half_width(level)
        assert model.metrics["coverage"][str(level)]["half_width"] == half_width
        covered = np.mean(np.abs(y - predictions) <= half_width)
        assert abs(model.metrics["coverage"][str(level)]["covered"] - covered) < 1e-12
        assert abs(covered - level) < 0.05  # flights of later weeks
    # no training row is newer than a validation row, no validation row newer than a test row
    for part, low, high in (("train", "-infinity", stats["split"]["valid_from"]),
                            ("valid", stats["split"]["valid_from"], stats["split"]["test_from"])):
        assert stats[part] == flights.value(
            "SELECT count(*) FROM demo.flight_features WHERE arrival_delay IS NOT NULL"
            " AND scheduled_at >= %s::timestamp AND scheduled_at < %s::timestamp", low, high)


def test_flight_late(flights, daemon):
    model_id = daemon.wait_live("flight_late")["live_model_id"]
    stats = flights.value("SELECT r.stats FROM pgboost.runs r JOIN pgboost.models m"
                          " ON m.run_id = r.id WHERE m.id = %s", model_id)
    features = stats["split"]["together"]
    alike = ", ".join(features)
    joined = "concat_ws('|', " + ", ".join(f"coalesce({f}::text, '')" for f in features) + ")"
    found = flights.sql(f"""
        SELECT flight_id, CASE WHEN count(*) OVER (PARTITION BY {alike}) > 1
                          THEN {oracle.row_hash('(' + joined + ')')}
                          ELSE {oracle.row_hash('flight_id')} END,
               {oracle.row_hash('flight_id')}, late, dense_rank() OVER (ORDER BY {alike})
        FROM demo.flight_late WHERE late IS NOT NULL""")
    ids = oracle.stratified_test(found, 0.2)
    test = oracle.rows_as_json(flights, "SELECT * FROM demo.flight_late WHERE flight_id IN ("
                               + ", ".join(map(str, ids)) + ")")
    items = ask(daemon, "flight_late", test)
    model = oracle.StoredModel(flights, model_id)
    model.check_golden()
    assert model.metrics["rows"] == len(test) > 3000
    encoded = [i["encoded"] for i in items]
    assert (oracle.bits([i["margin"] for i in items]) == oracle.bits(model.margins(encoded))).all()
    p = model.check_probabilities(items)
    assert all(abs(sum(i["probabilities"].values()) - 1) < 1e-6 for i in items)
    assert {i["prediction"] for i in items} <= {"late", "on time"}
    y = np.array([["late", "on time"].index(r["late"]) for r in test])
    oracle.assert_metrics(model.metrics,
                          oracle.classification_metrics(y, p, 2))
    # a map is kept only where it surely helps
    calibration = model.metrics["calibration"]
    assert calibration["rows"] > 2000 and set(calibration["log_loss"]) == {"none", "platt",
                                                                           "isotonic"}
    if calibration["method"] != "none":
        assert model.metrics["log_loss"] < model.metrics["uncalibrated"]["log_loss"]
    assert model.metrics["log_loss"] < model.metrics["baseline"]["log_loss"]
    assert model.metrics["roc_auc"] > 0.55
