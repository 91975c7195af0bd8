"""Explanations: what each column added to the margin, as python3-xgboost's pred_contribs says."""

import json

import numpy as np
import pytest

import oracle
from test_train import rows, train  # noqa: F401

TARGETS = ["amount", "answer", "truth", "grade", "strange"]
ALL = "SELECT * FROM public.t ORDER BY id LIMIT 200"


def contributions(model, item):
    """{"bias": [an output], "columns": {column: [an output]}} by XGBoost, from the encoded row."""
    values = model.booster.predict(model.matrix([item["encoded"]]), pred_contribs=True)
    values = values.reshape(-1, len(model.names) + 1).astype(float)
    columns = {}
    for column in model.encoder["columns"]:
        mine = [i for i, name in enumerate(model.names)
                if name == column["name"] or name.startswith(column["name"] + ".")]
        columns[column["name"]] = values[:, mine].sum(axis=1)
    return {"bias": values[:, -1], "columns": columns}


@pytest.mark.parametrize("target", ["amount", "answer", "grade"])
def test_as_pred_contribs_says(rows, cli, definition, daemon, target):  # noqa: F811
    task = "regression" if target == "amount" else "classification"
    model_id = train(cli, definition, project=f"why_{target}", target=target, task=task,
                     exclude=sorted(set(TARGETS) - {target}))
    daemon.wait_live(f"why_{target}", model_id)
    asked = oracle.rows_as_json(rows, ALL)
    for row in asked[::3]:
        row["colour"] = None
    items = daemon.predict(f"why_{target}", asked, encoded=True, explain=True)["predictions"]
    plain = daemon.predict(f"why_{target}", asked, encoded=True)["predictions"]
    model = oracle.StoredModel(rows, model_id)
    used = set()
    for item, without in zip(items, plain):
        explanation = item.pop("explanation")
        assert item == without
        margin = np.atleast_1d(item["margin"])
        assert isinstance(item["margin"], list) == isinstance(explanation["bias"], list)
        expected = contributions(model, item)
        assert list(explanation["columns"]) == list(expected["columns"])
        total = np.atleast_1d(explanation["bias"])
        np.testing.assert_allclose(total, expected["bias"], atol=1e-5)
        for name, value in explanation["columns"].items():
            np.testing.assert_allclose(np.atleast_1d(value), expected["columns"][name], atol=1e-5)
            total = total + np.atleast_1d(value)
            if np.any(value):
                used.add(name)
        np.testing.assert_allclose(total, margin, rtol=1e-6, atol=1e-6)
    assert {"x", "colour"} <= used


def test_one_row_and_the_command_line(rows, cli, daemon):  # noqa: F811
    features = '{"x": 1.25, "colour": "green", "flag": false}'
    printed = cli.ok("predict", "why_amount", features, "--explain").out
    asked = daemon.session.post(
        daemon.url + "/predict",
        data=f'{{"project": "why_amount", "explain": true, "features": {features}}}').text
    assert printed.strip() == asked.strip()
    answer = json.loads(asked)
    shares = answer["explanation"]["columns"]
    total = answer["explanation"]["bias"] + sum(shares.values())
    assert abs(total - answer["prediction"]) < 1e-6
    assert shares["x"] > 1  # amount is 3 x and more


def test_only_when_asked(rows, daemon):  # noqa: F811
    for value in (False, None):
        assert "explanation" not in daemon.predict("why_amount", {"x": 1}, explain=value)
    answer = daemon.post("/predict", {"project": "why_amount", "features": {}, "explain": "yes"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "/explain"
