"""Bad input: a clear error that names the thing and says what to do; nothing half-written."""

import json

import pytest


@pytest.fixture(scope="module")
def tables(catalog):
    catalog.sql("""
        CREATE SCHEMA shop;
        CREATE TABLE shop.good AS
            SELECT i AS id, i % 17 AS a, (i % 5)::text AS b, i * 0.5 AS y,
                   CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END AS label,
                   now() AS at, gen_random_uuid() AS token
            FROM generate_series(1, 300) i;
        CREATE TABLE shop.empty AS SELECT * FROM shop.good LIMIT 0;
        CREATE TABLE shop.few AS SELECT * FROM shop.good LIMIT 3;
        CREATE TABLE shop.no_target AS SELECT id, a, b, NULL::float8 AS y FROM shop.good;
        CREATE TABLE shop.one_class AS SELECT id, a, b, 'same'::text AS label FROM shop.good;
        CREATE TABLE shop.infinite AS
            SELECT id, a, CASE WHEN id = 7 THEN 'Infinity'::float8 ELSE y::float8 END AS y
            FROM shop.good;
        CREATE VIEW shop.failing AS SELECT id, a, 1 / (id - 200) AS y FROM shop.good;
        CREATE TABLE shop."T""; drop table x" AS SELECT id AS "i""d", a AS "a b", y FROM shop.good;
        CREATE ROLE nobody_may LOGIN""")
    yield catalog
    catalog.sql("DROP OWNED BY nobody_may; DROP ROLE nobody_may")


def base(**keys):
    return {"project": "p", "relation": "shop.good", "target": "y", **keys}


# definition, what the error must name, what the hint must hold ("" for none)
REFUSED = [
    (base(relation="shop.gone"), "gone", ""),
    (base(relation="shop.goood"), "goood", "good"),
    (base(relation="nowhere.good"), "nowhere", ""),
    (base(target="why"), "why", ""),
    (base(target="labell"), "labell", "label"),
    (base(exclude=["y"]), "y", ""),
    (base(exclude=["nope"]), "nope", ""),
    (base(key=["idd"]), "idd", "id"),
    (base(target="token"), "token", ""),
    (base(target="label", task="regression"), "label", ""),
    (base(test={"by": "time"}), "time", ""),
    (base(time="a2"), "a2", ""),
    (base(include=["token"]), "token", ""),
    (base(columns={"b": {"as": "number"}}), "b", ""),
    (base(metric="rsme"), "rsme", "rmse"),
    (base(metric="log_loss"), "log_loss", "rmse"),
    (base(objective="reg:nonsense"), "reg:nonsense", "reg:squarederror"),
    (base(hyperparams={"max_dept": 3}), "max_dept", "max_depth"),
    (base(hyperparams={"max_depth": "deep"}), "max_depth", ""),
    (base(hyperparams={"eta": -1}), "eta", ""),
    (base(algorithms=["forest of doom"]), "forest of doom", "xgboost"),
    (base(tset={"size": 0.2}), "tset", "test"),
    (base(test={"size": 2}), "size", ""),
    (base(test={"size": "big"}), "size", ""),
    (base(timezone="Mars/Olympus"), "Mars/Olympus", ""),
    (base(seed="x"), "seed", ""),
    (base(project=""), "project", ""),
    (base(project="a/b"), '"/"', ""),
    ({"project": "p", "relation": "shop.good"}, "target", ""),
    ([1, 2], "object", ""),
]


@pytest.mark.parametrize("keys, named, hint", REFUSED, ids=lambda v: str(v)[:40])
def test_a_definition_that_does_not_fit(tables, cli, tmp_path, keys, named, hint):
    path = tmp_path / "p.json"
    path.write_text(json.dumps(keys))
    result = cli("apply", path)
    assert result.code in (1, 78), result
    assert named in result.err and hint in result.err, result.err
    assert "p.json" in result.err or "shop" in result.err or "nowhere" in result.err, result.err
    assert tables.value("SELECT count(*) FROM pgboost.projects") == 0


def test_broken_json_names_file_and_line(tables, cli, tmp_path):
    path = tmp_path / "broken.json"
    path.write_text('{\n  "project": "p",\n  "relation": "shop.good"\n  "target": "y"\n}\n')
    result = cli("apply", path)
    assert result.code == 78 and "broken.json" in result.err and "line 4" in result.err


def test_one_bad_file_writes_none(tables, cli, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(base(project="fine")))
    (tmp_path / "b.json").write_text(json.dumps(base(project="bad", target="nope")))
    assert cli("apply", tmp_path).code != 0
    assert tables.value("SELECT count(*) FROM pgboost.projects") == 0


FAILING_RUNS = [
    ("empty", dict(relation="shop.empty"), "no rows"),
    ("few", dict(relation="shop.few"), "3"),
    ("no_target", dict(relation="shop.no_target"), "NULL"),
    ("one_class", dict(relation="shop.one_class", target="label"), "only one class"),
    ("infinite", dict(relation="shop.infinite"), "infinite"),
    ("failing", dict(relation="shop.failing"), "division by zero"),
]


@pytest.mark.parametrize("name, keys, said", FAILING_RUNS, ids=[r[0] for r in FAILING_RUNS])
def test_a_run_that_cannot_work(tables, cli, definition, name, keys, said):
    cli.ok("apply", definition(**base(project=name, search={"strategy": "none"}, **keys)))
    result = cli("train", name, "--here")
    assert result.code == 1 and said in result.out + result.err, result.out + result.err
    status, error, hint = tables.sql(
        "SELECT r.status, r.error, r.hint FROM pgboost.runs r JOIN pgboost.projects p"
        " ON p.id = r.project_id WHERE p.name = %s", name)[0]
    assert status == "failed" and said in error
    assert hint or name in ("failing",)
    assert tables.value("SELECT count(*) FROM pgboost.models") == 0


def test_hostile_names_work(tables, cli, definition, daemon):
    name = '";drop table pgboost.models; --\u2603'
    cli.ok("apply", definition(
        project=name, relation='shop."T""; drop table x"', target="y", key=['i"d'],
        search={"strategy": "none"}, hyperparams={"n_estimators": 10}))
    cli.ok("train", name, "--here")
    daemon.wait_live(name)
    answer = daemon.predict(name, {"a b": 3})
    assert answer["project"] == name and isinstance(answer["prediction"], float | int)
    assert name in cli.ok("projects").out
    assert len(cli.json("models", name)["items"]) == 1


@pytest.fixture(scope="module")
def grown(tables, cli, daemon, tmp_path_factory):
    """A model, and its view with a column that is newer."""
    tables.sql("CREATE VIEW shop.grown AS SELECT id, a, b, at, y FROM shop.good")
    path = tmp_path_factory.mktemp("d") / "grown.json"
    path.write_text(json.dumps({
        "project": "grown", "relation": "shop.grown", "target": "y", "key": ["id"],
        "search": {"strategy": "none"}, "hyperparams": {"n_estimators": 5}}))
    cli.ok("apply", path)
    cli.ok("train", "grown", "--here")
    daemon.wait_live("grown")
    tables.sql("CREATE OR REPLACE VIEW shop.grown AS"
               " SELECT id, a, b, at, y, a * 2 AS doubled FROM shop.good")
    return daemon


# body without the project, status, field, what the detail must hold
ASKED = [
    ({"features": {"doubled": 4}}, 400, "/features/doubled",
     ['was trained without a column "doubled"', "pgboost train grown"]),
    ({"features": [{"a": 1}, {"aa": 1}]}, 400, "/features/1/aa",
     ['without a column "aa"', 'did you mean "a"?', "pgboost train grown"]),
    ({"features": {"a": "1,5"}}, 400, "/features/a", ['found the string "1,5"']),
    ({"features": {"a": 1.5}}, 400, "/features/a", ["a whole number", "found 1.5"]),
    ({"features": {"at": 1577836800}}, 400, "/features/at", ["found a number", "as a string"]),
    ({"columns": ["a"], "rows": [{"a": 1}]}, 400, "/rows/0", ['one for each of "columns"']),
    ({"rows": [[1]]}, 400, "/columns", ['"columns" is missing', '"rows": [[value, …], …]']),
    ({"a": 1}, 400, "/a", ['unknown member "a"', '"features": {"column": value']),
    ({"features": {}, "model_id": 999999}, 404, "/model_id", ["is not live", "live is model"]),
]


@pytest.mark.parametrize("body, status, field, held", ASKED)
def test_a_request_that_does_not_fit(grown, body, status, field, held):
    answer = grown.post("/predict", {"project": "grown", **body})
    problem = answer.json()
    assert answer.status_code == problem["status"] == status
    assert [error["field"] for error in problem["errors"]] == [field]
    for words in held:
        assert words in problem["detail"]


@pytest.mark.parametrize("body, held", [
    (b"", "the body is empty"), (b"a=1&b=2", "the body is not JSON: line 1, column 1"),
    (b'{"project":"grown","features":{"a":NaN}}', "JSON has no NaN"),
])
def test_a_body_that_is_not_json(grown, body, held):
    answer = grown.session.post(grown.url + "/predict", data=body, timeout=10)
    assert answer.status_code == 400 and held in answer.json()["detail"]


def test_no_select_privilege(tables, cli, definition):
    # the catalog as its owner, the relation as a role that may not read it
    env = {"PGBOOST_READ_DSN": tables.dsn.replace("user=postgres", "user=nobody_may")}
    path = definition(**base(project="locked"))
    for grant in ("GRANT USAGE ON SCHEMA shop TO nobody_may",
                  "GRANT SELECT ON shop.good TO nobody_may"):
        result = cli("apply", path, env=env)
        assert result.code == 1 and "privilege" in result.err and grant in result.err, result.err
        tables.sql(grant)
    cli.ok("apply", path, env=env)


def test_server_down(tables, cli):
    result = cli("projects", env={"PGHOST": "127.0.0.1", "PGPORT": "1"})
    assert result.code == 69 and "127.0.0.1" in result.err


def test_no_such_database(tables, cli):
    result = cli("projects", env={"PGDATABASE": "not_there"})
    assert result.code != 0 and "not_there" in result.err


def test_unmigrated_catalog_says_what_to_run(tables, cli):
    result = cli("projects", env={"PGDATABASE": "postgres"})
    assert result.code != 0 and "pgboost migrate" in result.err


def test_unknown_project_and_command(tables, cli):
    result = cli("train", "no such project")
    assert result.code == 1 and "no such project" in result.err
    result = cli("trian")
    assert result.code == 2 and "train" in result.err


@pytest.mark.direct("pgbouncer gives each refusal the same SQLSTATE")
def test_wrong_password(tables, cli, cluster):
    """A role with a password, asked for over TCP by scram."""
    tables.sql("CREATE ROLE secretive LOGIN PASSWORD 'right'")
    hba = tables.value("SHOW hba_file")
    with open(hba) as file:
        before = file.read()
    try:
        with open(hba, "w") as file:
            file.write("local all secretive scram-sha-256\n" + before)
        tables.sql("SELECT pg_reload_conf()")
        result = cli("projects", env={"PGUSER": "secretive", "PGPASSWORD": "wrong-wrong"})
        assert result.code == 1 and "password" in result.err and "secretive" in result.err
        assert "wrong-wrong" not in result.err
    finally:
        with open(hba, "w") as file:
            file.write(before)
        tables.sql("SELECT pg_reload_conf()")
        tables.sql("DROP ROLE secretive")
