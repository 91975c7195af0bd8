"""The main job on small tables: train, deploy, predict; labels, NULLs, unseen categories."""

import math

import numpy as np
import pytest

import oracle


@pytest.fixture(scope="module")
def rows(catalog):
    """A table with a known signal: numbers, a category, a flag, a time; targets of each kind."""
    catalog.sql("""
        CREATE TABLE public.t AS
        SELECT i AS id, x, y, colour, flag, at,
               (3 * x + CASE colour WHEN 'red' THEN 5 WHEN 'blue' THEN -5 ELSE 0 END
                + CASE WHEN flag THEN 2 ELSE 0 END + 0.3 * noise)::float8 AS amount,
               CASE WHEN x + 0.3 * noise > 0 THEN 'yes' ELSE 'no' END AS answer,
               (x + 0.3 * noise > 0) AS truth,
               CASE WHEN colour = 'red' THEN 7 WHEN x > 0.5 THEN -1 ELSE 3 END AS grade,
               CASE WHEN colour = 'red' THEN '"quoted"' WHEN x > 0 THEN 'naïve 🐘' ELSE '' END
                   AS strange
        FROM (SELECT i, sin(i * 12.9898)::float8 * 2 AS x,
                     CASE WHEN i % 7 = 0 THEN NULL ELSE cos(i * 78.233)::float4 END AS y,
                     (ARRAY['red', 'green', 'blue', NULL])[1 + (i * 7919) % 4] AS colour,
                     (i * 31) % 3 = 0 AS flag,
                     timestamp '2020-01-01' + i * interval '1 hour' AS at,
                     sin(i * 4.1414)::float8 AS noise
              FROM generate_series(1, 2000) i) s;
        ALTER TABLE public.t ADD PRIMARY KEY (id)""")
    return catalog


def train(cli, definition, **keys):
    defaults = {"relation": "public.t", "key": ["id"], "search": {"strategy": "none"},
                "hyperparams": {"n_estimators": 60}}
    cli.ok("apply", definition(**{**defaults, **keys}))
    cli.ok("train", keys["project"], "--here")
    shown = cli.json("show", keys["project"])
    return shown["project"]["live_model_id"]


def test_regression_equals_xgboost_and_sklearn(rows, cli, definition, daemon):
    model_id = train(cli, definition, project="amount", target="amount",
                     exclude=["answer", "truth", "grade", "strange"])
    daemon.wait_live("amount", model_id)
    test = oracle.rows_as_json(
        rows, f"SELECT * FROM public.t WHERE {oracle.row_hash('id')} < 0.2 ORDER BY id")
    assert 300 < len(test) < 500
    answer = daemon.predict("amount", test, encoded=True)
    assert answer["model_id"] == model_id
    items = answer["predictions"]
    model = oracle.StoredModel(rows, model_id)
    model.check_golden()
    encoded = [item["encoded"] for item in items]
    assert (oracle.bits([i["margin"] for i in items]) == oracle.bits(model.margins(encoded))).all()
    assert (oracle.bits([i["prediction"] for i in items])
            == oracle.bits(model.predictions(encoded))).all()
    predictions = np.array([i["prediction"] for i in items], dtype=np.float32).astype(float)
    y = np.array([r["amount"] for r in test])
    oracle.assert_metrics(model.metrics, oracle.regression_metrics(y, predictions))
    assert model.metrics["rows"] == len(test)
    training_mean = rows.value(
        f"SELECT avg(amount) FROM public.t WHERE NOT {oracle.row_hash('id')} < 0.2")
    oracle.assert_metrics(model.metrics["baseline"],
                          oracle.regression_metrics(y, np.full(len(y), training_mean)))
    assert model.metrics["rmse"] < 0.5 * model.metrics["baseline"]["rmse"]


@pytest.mark.parametrize("target, labels", [
    ("answer", ["no", "yes"]),
    ("truth", [False, True]),
    ("grade", [-1, 3, 7]),
    ("strange", ["", '"quoted"', "naïve 🐘"]),
])
def test_labels_come_back_as_the_column_has_them(rows, cli, definition, daemon, target, labels):
    others = {"amount", "answer", "truth", "grade", "strange"} - {target}
    model_id = train(cli, definition, project=f"p_{target}", target=target, task="classification",
                     exclude=sorted(others), test={"by": "stratified", "size": 0.25})
    daemon.wait_live(f"p_{target}", model_id)
    # stratified: within each class, the round(size × n) rows of the smallest hash
    test = oracle.rows_as_json(rows, f"""
        SELECT t.* FROM (SELECT *, row_number() OVER (PARTITION BY {target}
                                ORDER BY {oracle.row_hash('id')}) AS place,
                                count(*) OVER (PARTITION BY {target}) AS n FROM public.t) s
        JOIN public.t USING (id) WHERE place <= round(0.25 * n)
        ORDER BY id""")
    items = daemon.predict(f"p_{target}", test, encoded=True)["predictions"]
    model = oracle.StoredModel(rows, model_id)
    assert model.metrics["rows"] == len(test)
    encoded = [item["encoded"] for item in items]
    assert (oracle.bits([i["margin"] for i in items]) == oracle.bits(model.margins(encoded))).all()
    texts = [str(l).lower() if isinstance(l, bool) else str(l) for l in labels]
    for item in items:
        assert list(item["probabilities"]) == texts
        assert abs(sum(item["probabilities"].values()) - 1) < 1e-6
        best = max(item["probabilities"], key=item["probabilities"].get)
        assert item["prediction"] == labels[texts.index(best)]
        assert type(item["prediction"]) is type(labels[0])
    p = model.check_probabilities(items)
    y = np.array([labels.index(r[target]) for r in test])
    oracle.assert_metrics(model.metrics, oracle.classification_metrics(y, p, len(labels)))
    assert model.metrics["log_loss"] < model.metrics["baseline"]["log_loss"]


def test_missing_null_and_unseen_are_answered(rows, cli, definition, daemon):
    train(cli, definition, project="gaps", target="amount",
          exclude=["answer", "truth", "grade", "strange"])
    daemon.wait_live("gaps")
    full = {"x": 0.5, "y": 0.25, "colour": "red", "flag": True, "at": "2020-02-01T00:00:00"}
    empty = daemon.predict("gaps", {})["prediction"]
    nulls = daemon.predict("gaps", {name: None for name in full})["prediction"]
    assert math.isfinite(empty) and empty == nulls
    unseen = daemon.predict("gaps", {**full, "colour": "ultraviolet"}, encoded=True)
    assert unseen["encoded"]["colour"] == 0
    known = daemon.predict("gaps", full, encoded=True)
    assert known["encoded"]["colour"] > 0 and known["prediction"] != unseen["prediction"]
    # the relation's other columns are ignored
    ignored = daemon.predict("gaps", {**full, "id": "any", "amount": [1], "grade": None})
    assert ignored["prediction"] == known["prediction"]
    # columns and rows say the same
    table = daemon.post("/predict", {"project": "gaps", "columns": list(full),
                                     "rows": [list(full.values())]}).json()
    assert table["predictions"][0]["prediction"] == known["prediction"]


def test_the_command_line_answers_as_the_daemon(rows, cli, definition, daemon):
    train(cli, definition, project="both", target="answer",
          exclude=["amount", "truth", "grade", "strange"])
    daemon.wait_live("both")
    features = '{"x": 1.25, "colour": "green", "flag": false}'
    printed = cli.ok("predict", "both", features).out
    asked = daemon.session.post(
        daemon.url + "/predict", data=f'{{"project": "both", "features": {features}}}').text
    assert printed.strip() == asked.strip()


def test_rows_without_target_are_left_out_and_counted(rows, cli, definition):
    rows.sql("""CREATE VIEW public.t_gaps AS
                SELECT *, CASE WHEN id % 10 = 0 THEN NULL WHEN id % 10 = 1 THEN 'NaN'::float8
                          ELSE amount END AS partly FROM public.t""")
    train(cli, definition, project="partly", relation="public.t_gaps", target="partly",
          exclude=["amount", "answer", "truth", "grade", "strange"])
    stats = rows.value("SELECT stats FROM pgboost.runs r JOIN pgboost.projects p"
                       " ON p.id = r.project_id WHERE p.name = 'partly'")
    assert stats["rows"] == 2000 and stats["without_target"] == 400
    assert stats["train"] + stats["valid"] + stats["test"] == 1600


def test_time_split_tests_on_the_newest(rows, cli, definition):
    train(cli, definition, project="timely", target="amount", time="at",
          exclude=["answer", "truth", "grade", "strange"], test={"by": "time", "size": 0.2})
    stats = rows.value("SELECT stats FROM pgboost.runs r JOIN pgboost.projects p"
                       " ON p.id = r.project_id WHERE p.name = 'timely'")
    split = stats["split"]
    assert split["by"] == "time"
    newest = rows.value("SELECT count(*) FROM public.t WHERE at >= %s::timestamp",
                        split["test_from"])
    assert newest == stats["test"] == 400
    assert split["valid_from"] < split["test_from"]


def test_same_data_same_seed_same_bytes(rows, cli, definition):
    ids = []
    for _ in range(2):
        ids.append(train(cli, definition, project="again", target="amount", deploy="always",
                         exclude=["answer", "truth", "grade", "strange"]))
    assert ids[0] != ids[1]
    shas = rows.sql("SELECT DISTINCT sha256 FROM pgboost.models WHERE id = ANY(%s)", ids)
    assert len(shas) == 1


def test_portfolio_keeps_the_best_trial(rows, cli, definition):
    train(cli, definition, project="searched", target="amount",
          exclude=["answer", "truth", "grade", "strange"],
          search={"strategy": "auto", "trials": 3}, hyperparams={"n_estimators": 40})
    trials = rows.sql("""
        SELECT t.id, t.status, t.score, m.trial_id FROM pgboost.trials t
        JOIN pgboost.runs r ON r.id = t.run_id JOIN pgboost.projects p ON p.id = r.project_id
        JOIN pgboost.models m ON m.run_id = r.id WHERE p.name = 'searched' ORDER BY t.number""")
    assert len(trials) == 3 and all(t[1] == "completed" for t in trials)
    assert min(trials, key=lambda t: t[2])[0] == trials[0][3]


def test_if_better_meets_the_live_model_on_the_same_rows(rows, cli, definition):
    keys = dict(target="amount", exclude=["answer", "truth", "grade", "strange"])
    first = train(cli, definition, project="champion", **keys)
    # a challenger that cannot be better: one round
    cli.ok("apply", definition(project="champion", relation="public.t", key=["id"],
                               search={"strategy": "none"}, hyperparams={"n_estimators": 1},
                               **keys))
    out = cli.ok("train", "champion", "--here").out
    assert cli.json("show", "champion")["project"]["live_model_id"] == first
    assert "not better" in out
    decisions = cli.json("deployments", "champion")["items"]
    assert len(decisions) == 2 and sum(d["refused"] for d in decisions) == 1


def test_profile_and_warnings(rows, cli, definition):
    rows.sql("""CREATE VIEW public.t_suspicious AS
                SELECT id, x, colour, answer, amount + 0.001 * x AS leak, 1 AS constant,
                       NULL::int AS nothing, 1000000000 + id AS serial,
                       CASE WHEN answer = 'yes' THEN x END AS after, amount
                FROM public.t""")
    cli.ok("apply", definition(
        project="suspicious", relation="public.t_suspicious", target="amount", key=["id"],
        exclude=["answer", "after"], search={"strategy": "none"}, hyperparams={"n_estimators": 5}))
    out = cli.ok("train", "suspicious", "--here").out
    for said in ('"leak" alone predicts', '"constant" has one value', '"nothing" is NULL in every',
                 '"serial" looks like an id', '"serial" has whole numbers beyond'):
        assert said in out, (said, out)
    assert '"x" alone' not in out and '"colour" alone' not in out
    cli.ok("apply", definition(
        project="hindsight", relation="public.t_suspicious", target="answer", key=["id"],
        include=["after", "colour"], search={"strategy": "none"},
        hyperparams={"n_estimators": 5}))
    out = cli.ok("train", "hindsight", "--here").out
    assert '"after" has values only where the target is "yes"' in out
    shown = cli.json("show", "suspicious")
    profile = {column["column"]: column for column in shown["profile"]}
    assert profile["amount"]["role"] == "target" and profile["id"]["role"] == "key"
    for name in ("x", "amount"):
        low, high, mean, median = rows.sql(
            f"SELECT min({name}), max({name}), avg({name}),"
            f" percentile_cont(0.5) WITHIN GROUP (ORDER BY {name}) FROM public.t")[0]
        assert profile[name]["min"] == low and profile[name]["max"] == high
        assert math.isclose(profile[name]["mean"], mean, rel_tol=1e-9, abs_tol=1e-9)
        assert math.isclose(profile[name]["median"], median, rel_tol=1e-9)
        assert sum(profile[name]["histogram"]["counts"]) == 2000
    colours = dict(rows.sql("SELECT colour, count(*) FROM public.t WHERE colour IS NOT NULL"
                            " GROUP BY 1"))
    assert {t["value"]: t["count"] for t in profile["colour"]["top"]} == colours
    assert profile["colour"]["missing"] == 2000 - sum(colours.values())
    page = cli.ok("show", "suspicious").out
    assert "█" in page and "warning:" in page


def test_the_same_rows_have_the_same_fingerprint(rows, cli):
    def last():
        return rows.value("SELECT stats ->> 'fingerprint' FROM pgboost.runs"
                          " ORDER BY id DESC LIMIT 1")

    prints = []
    for change in (None, None, "UPDATE public.t SET x = x + 1 WHERE id = 77",
                   "UPDATE public.t SET x = x - 1 WHERE id = 77"):
        if change:
            rows.sql(change)
        cli.ok("train", "suspicious", "--here")
        prints.append(last())
    assert prints[0] == prints[1] == prints[3] != prints[2]


def test_best_score_measures_on_the_same_rows(rows, cli, definition):
    """A stored score from easy rows does not beat a better model on the rows as they are now."""
    rows.sql("CREATE TABLE public.moving AS SELECT id, x, x * 10 AS y FROM public.t")
    first = train(cli, definition, project="moving", relation="public.moving", target="y",
                  deploy="always")
    rows.sql("UPDATE public.moving SET y = -1000 * x")
    train(cli, definition, project="moving", relation="public.moving", target="y", deploy="never")
    second = max(m["id"] for m in cli.json("models", "moving")["items"])
    scores = dict(rows.sql("SELECT id, score FROM pgboost.models WHERE id IN (%s, %s)",
                           first, second))
    assert scores[first] < scores[second]
    out = cli.ok("deploy", "moving", "--strategy", "best_score").out
    assert f"model {second} is live" in out and "best of 2" in out
    assert f"model {first} is live" in cli.ok("deploy", "moving", "--strategy", "rollback").out


def test_a_live_model_the_relation_cannot_feed_loses(rows, cli, definition):
    rows.sql("CREATE TABLE public.shrinking AS SELECT id, x, y AS x2, amount FROM public.t")
    first = train(cli, definition, project="shrinking", relation="public.shrinking",
                  target="amount")
    rows.sql("ALTER TABLE public.shrinking DROP COLUMN x2")
    out = cli.ok("train", "shrinking", "--here").out
    live = cli.json("show", "shrinking")["project"]["live_model_id"]
    assert live != first and "can no longer feed" in out and '"x2"' in out


def test_a_column_left_out_is_still_read_for_the_live_model(rows, cli, definition):
    keys = dict(project="dropped", target="amount")
    train(cli, definition, exclude=["answer", "truth", "grade", "strange"], **keys)
    cli.ok("apply", definition(relation="public.t", key=["id"], search={"strategy": "none"},
                               exclude=["answer", "truth", "grade", "strange", "x"], **keys))
    out = cli.ok("train", "dropped", "--here").out
    assert "not better" in out and "same" in out


def test_another_split_cannot_be_compared(rows, cli, definition):
    """The live model has trained on some of the new test rows: its score there means nothing."""
    keys = dict(project="reseeded", target="amount",
                exclude=["answer", "truth", "grade", "strange"])
    train(cli, definition, **keys)
    cli.ok("apply", definition(relation="public.t", key=["id"], search={"strategy": "none"},
                               hyperparams={"n_estimators": 60}, seed=7, **keys))
    out = cli.ok("train", "reseeded", "--here").out
    assert "split by another rule" in out and "deployed" in out


def test_another_target_is_another_question(rows, cli, definition, daemon):
    exclude = ["truth", "grade", "strange"]
    first = train(cli, definition, project="turned", target="answer",
                  exclude=[*exclude, "amount"])
    daemon.wait_live("turned", first)
    cli.ok("apply", definition(project="turned", relation="public.t", key=["id"], target="amount",
                               exclude=[*exclude, "answer"], search={"strategy": "none"},
                               hyperparams={"n_estimators": 20}))
    # until the first model of the new target, the old one answers what it was trained for
    assert daemon.predict("turned", {"x": 1})["prediction"] in ("yes", "no")
    out = cli.ok("train", "turned", "--here").out
    assert "predicts something else" in out
    refused = cli("deploy", "turned", "--model", first)
    assert refused.code == 1 and "answer" in refused.err


def test_keep_deletes_the_oldest(rows, cli, definition):
    ids = [train(cli, definition, project="kept", target="amount", keep=2, deploy="always",
                 hyperparams={"n_estimators": n}, exclude=["answer", "truth", "grade", "strange"])
           for n in (2, 3, 4, 5)]
    assert [m["id"] for m in cli.json("models", "kept")["items"]] == ids[:1:-1]
    assert rows.value("SELECT count(*) FROM pgboost.runs WHERE model_id = ANY(%s)", ids) == 4


def test_a_relation_that_changed_is_named(rows, cli, definition):
    rows.sql("""CREATE TYPE public.weather AS ENUM ('sun', 'rain');
                CREATE TABLE public.changing AS SELECT id, x, y AS z, amount,
                    CASE WHEN id % 2 = 0 THEN 'sun' ELSE 'rain' END::public.weather AS weather
                FROM public.t""")
    first = train(cli, definition, project="changing", relation="public.changing",
                  target="amount")

    def finding():
        items = cli("check", "--json").out
        return [i for i in oracle.loads(items)["items"] if f"model {first}:" in i["detail"]][0]

    assert finding()["status"] == "ok"
    rows.sql("ALTER TYPE public.weather ADD VALUE 'snow'")
    assert finding()["status"] == "warn" and '"snow"' in finding()["detail"]
    rows.sql("ALTER TABLE public.changing RENAME COLUMN x TO x_new;"
             "ALTER TABLE public.changing ALTER COLUMN z TYPE text")
    assert finding()["status"] == "fail"
    detail = finding()["detail"]
    assert '"x" is gone' in detail and '"z" was float4 and is text' in detail
    out = cli.ok("train", "changing", "--here").out
    assert "has changed since live model" in out and '"snow"' in out and "can no longer feed" in out
