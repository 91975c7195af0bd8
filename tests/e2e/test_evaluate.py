"""pgboost evaluate: a model measured on relations it was not made for."""

import json
import os
import subprocess

import numpy as np
import pytest
from sklearn import metrics as skm

import oracle
from conftest import BIN
from test_train import rows, train  # noqa: F401

TARGETS = {"amount", "answer", "truth", "grade", "strange"}
NEW_ROWS = 700


@pytest.fixture(scope="module")
def models(rows, cli, tmp_path_factory):  # noqa: F811
    """A project for each kind of target, and rows that no model has seen: no key, no time, other
    columns in another order."""
    folder = tmp_path_factory.mktemp("evaluated")

    def define(**keys):
        path = folder / f"{keys['project']}.json"
        path.write_text(oracle.dumps(keys))
        return path

    for target in sorted(TARGETS):
        train(cli, define, project=f"e_{target}", target=target,
              task="regression" if target == "amount" else "classification",
              exclude=sorted((TARGETS | {"at"}) - {target}))
    rows.sql(f"""
        CREATE VIEW public.fresh AS
        SELECT 'row ' || i AS extra, truth, answer, grade, strange, amount, flag, colour, y, x
        FROM (SELECT i, x, y, colour, flag,
                     (3 * x + CASE colour WHEN 'red' THEN 5 ELSE -1 END + noise)::float8 AS amount,
                     CASE WHEN x + noise > 0 THEN 'yes' ELSE 'no' END AS answer,
                     (x + noise > 0) AS truth,
                     CASE WHEN colour = 'red' THEN 7 WHEN x > 0.5 THEN -1 ELSE 3 END AS grade,
                     CASE WHEN colour = 'red' THEN '"quoted"' WHEN x > 0 THEN 'naïve 🐘' ELSE '' END
                         AS strange
              FROM (SELECT i, sin(i * 3.7)::float8 * 2 AS x, cos(i * 1.3)::float4 AS y,
                           (ARRAY['red', 'green', 'violet', NULL])[1 + i % 4] AS colour,
                           i % 3 = 0 AS flag, sin(i * 2.2)::float8 AS noise
                    FROM generate_series(1, {NEW_ROWS}) i) s) t""")
    return rows


def text_of(label):
    return str(label).lower() if isinstance(label, bool) else str(label)


def predicted(daemon, db, target, relation="public.fresh"):
    """Truth and POST /predict's answer for the rows of a relation that have a target."""
    found = oracle.rows_as_json(
        db, f"SELECT * FROM {relation} WHERE {target} IS NOT NULL ORDER BY x, y")
    known = [{k: row[k] for k in ("x", "y", "colour", "flag")} for row in found]
    daemon.wait_live(f"e_{target}")
    items = daemon.predict(f"e_{target}", known)["predictions"]
    return [row[target] for row in found], items


def expected_classification(daemon, db, target, labels, relation="public.fresh"):
    """By scikit-learn, over the model's labels and then those it never saw."""
    truth, items = predicted(daemon, db, target, relation)
    texts = [text_of(label) for label in labels]
    known = list(items[0]["probabilities"])
    # a binary model has one output, the rest is 1 - p
    shown = [[np.float32(i["probabilities"][k]) for k in known] for i in items]
    p = np.array(shown, dtype=float)
    if len(known) == 2:
        p[:, 0] = 1 - p[:, 1]
    p = np.column_stack([p, np.zeros((len(p), len(texts) - len(known)))])
    y = np.array([texts.index(text_of(t)) for t in truth])
    chosen = p.argmax(axis=1)
    expected = {
        "accuracy": skm.accuracy_score(y, chosen),
        "f1_macro": skm.f1_score(y, chosen, average="macro", zero_division=0),
        "f1_weighted": skm.f1_score(y, chosen, average="weighted", zero_division=0),
        "mcc": skm.matthews_corrcoef(y, chosen),
        "kappa": skm.cohen_kappa_score(y, chosen),
    }
    if len(set(y)) == len(texts):
        expected.update(oracle.classification_metrics(y, p, len(texts)))
    return expected


def evaluate(cli, project, relation="public.fresh", *more):
    return cli.json("evaluate", project, "--from", relation, *more)


def test_regression_equals_sklearn_on_new_rows(models, cli, daemon):
    result = evaluate(cli, "e_amount")
    assert {"project", "model_id", "rows", "metrics"} <= set(result)
    assert result["project"] == "e_amount" and result["rows"] == NEW_ROWS
    assert result["model_id"] == cli.json("show", "e_amount")["project"]["live_model_id"]
    y, items = predicted(daemon, models, "amount")
    p = np.array([i["prediction"] for i in items], dtype=np.float32).astype(float)
    expected = oracle.regression_metrics(np.array(y), p)
    expected["medae"] = skm.median_absolute_error(y, p)
    expected["mape"] = skm.mean_absolute_percentage_error(y, p)
    expected["bias"] = float(np.mean(p - np.array(y)))
    oracle.assert_metrics(result["metrics"], expected)
    # the table has the same numbers, the key metric first, its unit beside it
    page = cli.ok("evaluate", "e_amount", "--from", "public.fresh").out
    lines = page.split("\n")
    assert lines[0] == f"e_amount: model {result['model_id']} on {NEW_ROWS} rows of public.fresh"
    assert lines[3].split()[:2] == ["rmse", f"{result['metrics']['rmse']:.6g}"]
    assert lines[3].endswith("root mean squared error, in units of amount")
    assert "Left out" not in page and "Never predicted" not in page


@pytest.mark.parametrize("target, labels", [
    ("answer", ["no", "yes"]),
    ("truth", [False, True]),
    ("grade", [-1, 3, 7]),
    ("strange", ["", '"quoted"', "naïve 🐘"]),
])
def test_classification_equals_sklearn_on_new_rows(models, cli, daemon, target, labels):
    result = evaluate(cli, f"e_{target}")
    assert result["rows"] == NEW_ROWS and result["unknown_labels"]["rows"] == 0
    oracle.assert_metrics(result["metrics"],
                          expected_classification(daemon, models, target, labels))


def test_another_model_of_the_project(models, cli):
    cli.ok("train", "e_amount", "--here")
    ids = [item["id"] for item in cli.json("models", "e_amount")["items"]]
    assert len(ids) == 2
    for model_id in ids:
        found = evaluate(cli, "e_amount", "public.fresh", "--model", model_id)
        assert found["model_id"] == model_id
    other = cli.json("models", "e_grade")["items"][0]["id"]
    result = cli("evaluate", "e_amount", "--from", "public.fresh", "--model", other)
    assert result.code == 1 and f"model {other} is not one of project" in result.err


def test_rows_without_a_target_are_left_out_and_counted(models, cli, daemon):
    models.sql("""CREATE VIEW public.gaps AS SELECT x, y, colour, flag,
                  CASE WHEN y > 0.2 THEN 'NaN' WHEN x > 0 THEN amount END AS amount,
                  CASE WHEN x > 0 THEN answer END AS answer FROM public.fresh""")
    n = models.value("SELECT count(*) FROM public.fresh WHERE x > 0 AND NOT y > 0.2")
    result = evaluate(cli, "e_amount", "public.gaps")
    assert (result["rows"], result["rows_without_target"]) == (n, NEW_ROWS - n)
    page = cli.ok("evaluate", "e_amount", "--from", "public.gaps").out
    assert f"\nLeft out: {NEW_ROWS - n} rows without amount\n" in page
    result = evaluate(cli, "e_answer", "public.gaps")
    assert result["rows"] == models.value("SELECT count(answer) FROM public.gaps")
    oracle.assert_metrics(result["metrics"], expected_classification(
        daemon, models, "answer", ["no", "yes"], "public.gaps"))


def test_labels_that_the_model_never_saw(models, cli, daemon):
    models.sql("""CREATE VIEW public.strangers AS SELECT x, y, colour, flag,
                  CASE WHEN y > 0.8 THEN 'maybe' WHEN y < -0.9 THEN 'a "second"' ELSE answer
                  END AS answer,
                  CASE WHEN y > 0.8 THEN 5.5 ELSE grade END AS grade FROM public.fresh""")
    n = models.value("SELECT count(*) FROM public.strangers WHERE answer NOT IN ('yes', 'no')")
    result = evaluate(cli, "e_answer", "public.strangers")
    assert result["unknown_labels"] == {"rows": n, "n": 2, "labels": ['a "second"', "maybe"]}
    oracle.assert_metrics(result["metrics"], expected_classification(
        daemon, models, "answer", ["no", "yes", 'a "second"', "maybe"], "public.strangers"))
    page = cli.ok("evaluate", "e_answer", "--from", "public.strangers").out
    assert f'Never predicted: {n} rows of labels that the model never saw: "a \\"second\\""' in page
    # numbers are the same label by their text, whatever their type: 7 is numeric here
    result = evaluate(cli, "e_grade", "public.strangers")
    assert result["unknown_labels"]["labels"] == ["5.5"]
    oracle.assert_metrics(result["metrics"], expected_classification(
        daemon, models, "grade", [-1, 3, 7, 5.5], "public.strangers"))


def test_more_labels_than_are_named(models, cli):
    models.sql("CREATE VIEW public.many AS SELECT x, y, colour, flag,"
               " 'label ' || row_number() OVER () AS answer FROM public.fresh LIMIT 30")
    unknown = evaluate(cli, "e_answer", "public.many")["unknown_labels"]
    assert (unknown["rows"], unknown["n"], len(unknown["labels"])) == (30, 30, 20)
    page = cli.ok("evaluate", "e_answer", "--from", "public.many").out
    assert page.endswith(", …\n")


def test_one_class_only(models, cli, daemon):
    models.sql("CREATE VIEW public.one AS SELECT * FROM public.fresh WHERE answer = 'yes'")
    result = evaluate(cli, "e_answer", "public.one")
    assert result["metrics"]["roc_auc"] is None
    y, items = predicted(daemon, models, "answer", "public.one")
    p = np.array([np.float32(i["probabilities"]["yes"]) for i in items], dtype=float)
    oracle.assert_metrics(result["metrics"], {
        "log_loss": skm.log_loss(np.ones(len(p)), np.column_stack([1 - p, p]), labels=[0, 1]),
        "accuracy": float(np.mean(p > 0.5)),
        "brier": float(np.mean((1 - p) ** 2)),
    })
    page = cli.ok("evaluate", "e_answer", "--from", "public.one").out
    assert "Not defined on these rows: " in page and "roc_auc" in page.split("rows: ")[1]


def refused(cli, project, relation, *words, **options):
    result = cli("evaluate", project, "--from", relation, **options)
    assert result.code == 1 and result.out == "", result.err
    for word in words:
        assert word in result.err, result.err
    return result.err


def test_all_that_is_missing_is_named(models, cli):
    models.sql("""CREATE VIEW public.lacking AS
                  SELECT x::text AS x, flag, answer AS amount FROM public.fresh""")
    refused(cli, "e_amount", "public.lacking", '"amount" (the target) is of type text',
            '"x" is text in place of float8', '"y" is not there', '"colour" is not there', "view")
    refused(cli, "e_answer", "public.lacking", '"answer" (the target) is not there')
    models.sql("CREATE VIEW public.timed AS SELECT x, y, colour, flag, now() AS answer"
               " FROM public.fresh")
    refused(cli, "e_answer", "public.timed", '"answer" (the target) is of type timestamp')


def test_more_columns_than_an_error_holds(models, cli, definition):
    names = [f"a_rather_long_name_of_a_column_{i}" for i in range(60)]
    columns = ", ".join(f"(i * {n + 1} % 17)::float8 AS {name}" for n, name in enumerate(names))
    models.sql(f"CREATE TABLE public.wide AS SELECT i % 5 + i / 100.0 AS y, {columns}"
               " FROM generate_series(1, 300) i")
    train(cli, definition, project="wide", relation="public.wide", target="y", key=[])
    models.sql("CREATE VIEW public.bare AS SELECT 1.5 AS y")
    said = refused(cli, "wide", "public.bare", f'"{names[0]}" is not there')
    named = said.count(" is not there")
    assert f" and {60 - named} more" in said


def test_relations_that_hold_nothing(models, cli):
    models.sql("CREATE VIEW public.empty AS SELECT * FROM public.fresh WHERE false")
    refused(cli, "e_amount", "public.empty", "public.empty: there are no rows")
    refused(cli, "e_answer", "public.empty", "public.empty: there are no rows")
    models.sql("CREATE VIEW public.unanswered AS SELECT x, y, colour, flag, NULL::float8 AS amount,"
               " NULL::text AS answer FROM public.fresh")
    for project in ("e_amount", "e_answer"):
        refused(cli, project, "public.unanswered", f"is NULL in all {NEW_ROWS} rows")
    models.sql("CREATE VIEW public.huge AS SELECT x, y, colour, flag, 1e300::float8 AS amount"
               " FROM public.fresh")
    refused(cli, "e_amount", "public.huge", "infinite as a float32")
    models.sql("CREATE VIEW public.fails AS SELECT x, y, colour, flag, 1 / (x - x) AS amount"
               " FROM public.fresh")
    refused(cli, "e_amount", "public.fails", "reading relation", "division by zero")
    refused(cli, "e_amount", "public.frech", 'did you mean "fresh"?')
    result = cli("evaluate", "e_amount", "--from", "a.b.c.d")
    assert result.code == 1 and "not the name of a relation" in result.err


def test_a_view_that_may_not_be_read(models, cli):
    models.sql("CREATE ROLE evaluates_nothing LOGIN")
    env = {"PGBOOST_READ_DSN": models.dsn.replace("user=postgres", "user=evaluates_nothing")}
    refused(cli, "e_amount", "public.fresh", "privilege", "GRANT SELECT ON public.fresh", env=env)
    models.sql("GRANT SELECT (x, y, colour, flag) ON public.fresh TO evaluates_nothing")
    refused(cli, "e_amount", "public.fresh", "amount", "GRANT SELECT", env=env)
    models.sql("GRANT SELECT (amount) ON public.fresh TO evaluates_nothing")
    cli.ok("evaluate", "e_amount", "--from", "public.fresh", env=env)


def test_a_damaged_model_and_none(models, cli, definition):
    cli.ok("train", "e_truth", "--here")
    model_id = cli.json("models", "e_truth")["items"][-1]["id"]
    models.sql("UPDATE pgboost.models SET golden = jsonb_set(golden, '{margins,0,0}', '77')"
               " WHERE id = %s", model_id)
    result = cli("evaluate", "e_truth", "--from", "public.fresh", "--model", model_id)
    assert result.code == 1 and f"model {model_id}" in result.err and result.out == ""
    cli.ok("apply", definition(project="untrained", relation="public.t", target="amount"))
    result = cli("evaluate", "untrained", "--from", "public.fresh")
    assert result.code == 1 and "no live model" in result.err
    result = cli("evaluate", "e_amont", "--from", "public.fresh")
    assert result.code == 1 and "e_amount" in result.err
    assert cli("evaluate", "e_amount").code == 2
    assert cli("evaluate", "e_amount", "--from", "public.fresh", "--model", "x").code == 2
    nowhere = {"PGBOOST_READ_DSN": "host=127.0.0.1 port=1"}
    assert cli("evaluate", "e_amount", "--from", "public.fresh", env=nowhere).code == 69


def test_rows_beyond_memory_give_the_same_metrics(models, cli, tmp_path):
    """Spilled rows, and a matrix that would not fit: 250,000 rows of it are several blocks."""
    models.sql("CREATE VIEW public.long AS SELECT x, y, colour, flag, amount, grade"
               " FROM public.fresh, generate_series(1, 360)")
    env = {**models.env, "PGBOOST_STATE_DIR": str(tmp_path)}

    def measured(above):
        done = subprocess.run(
            [BIN / "pgboost", "evaluate", "e_grade", "--from", "public.long", "--json"],
            env={**env, "PGBOOST_SPILL_ABOVE": above}, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    whole = measured("1 GiB")
    assert whole["rows"] == 360 * NEW_ROWS
    assert measured("256 KiB") == whole
    assert os.listdir(tmp_path) == []
    # every row 360 times is every row once
    oracle.assert_metrics(whole["metrics"], evaluate(cli, "e_grade")["metrics"])
