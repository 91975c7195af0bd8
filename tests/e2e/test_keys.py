"""Predictions by key: the row is read from the relation when it is asked for, with the bits that
the same values have as features."""

import json
import re

import pytest

import oracle
from conftest import Daemon, wait_for

N = 400
COLUMNS = """
    id bigint PRIMARY KEY, y float8, num numeric, small real, flag boolean, word varchar(8),
    mood shop.mood, day date, at timestamptz, span interval, price money, tags text[],
    list float8[], doc jsonb, spot point, part int4range"""


@pytest.fixture(scope="module")
def served(catalog, cli, daemon, tmp_path_factory):
    catalog.sql("CREATE SCHEMA shop; CREATE TYPE shop.mood AS ENUM ('sad', 'ok')")
    catalog.sql(f"CREATE TABLE shop.every ({COLUMNS})")
    catalog.sql(f"""
        INSERT INTO shop.every
        SELECT 9007199254740993 + i, sin(i), i / 7.0, i / 3.0, i % 2 = 0, 'w' || i % 5,
               (ARRAY['sad', 'ok'])[1 + i % 2]::shop.mood, date '2020-01-01' + i,
               timestamptz '2024-01-01 00:00+00' + i * interval '1 hour',
               i * interval '7 minutes', (i * 1.5)::numeric::money, ARRAY['a', 't' || i % 3],
               ARRAY[i / 3.0, NULL], jsonb_build_object('n', i, 's', 'v' || i % 3),
               point(i, -i / 3.0), int4range(i, i + 5)
        FROM generate_series(1, {N}) i""")
    for name in ("num", "small", "flag", "word", "mood", "day", "span", "tags", "doc"):
        catalog.sql(f"UPDATE shop.every SET {name} = NULL WHERE id % 13 = {len(name)}")
    train(cli, tmp_path_factory, "every", relation="shop.every", target="y", key=["id"], time="at")
    catalog.sql("""
        CREATE TABLE shop.pairs (shop text, day date, code uuid, amount numeric(6,2), sold int,
                                 y text);
        INSERT INTO shop.pairs
        SELECT 'shop "' || i % 4 || '", \\{}', date '2024-01-01' + i / 4,
               md5(i::text)::uuid, i / 4.0, i, CASE WHEN i % 3 = 0 THEN 'yes' ELSE 'no' END
        FROM generate_series(1, 300) i""")
    train(cli, tmp_path_factory, "pairs", relation="shop.pairs", target="y",
          key=["shop", "day"], exclude=["code"])
    daemon.wait_live("every")
    daemon.wait_live("pairs")
    return daemon


def train(cli, tmp_path_factory, project, **definition):
    path = tmp_path_factory.mktemp("d") / f"{project}.json"
    path.write_text(json.dumps({
        "project": project, "search": {"strategy": "none"}, "deploy": "always",
        "hyperparams": {"n_estimators": 20}, "threads": 1, **definition}))
    cli.ok("apply", path)
    cli.ok("train", project, "--here")


def ask(daemon, project, **members):
    return daemon.post("/predict", {"project": project, **members})


def found(daemon, project, **members):
    answer = ask(daemon, project, **members)
    assert answer.status_code == 200, answer.text
    return answer.json()


def without_age(item):
    return {name: value for name, value in item.items() if name != "row_age_seconds"}


def test_the_same_bits_by_key_and_by_features(catalog, served):
    catalog.sql("SET timezone = 'UTC'; SET intervalstyle = 'postgres'")
    rows = oracle.rows_as_json(catalog, "SELECT * FROM shop.every ORDER BY id")
    by_features = found(served, "every", features=rows, encoded=True)["predictions"]
    by_keys = found(served, "every", keys=[{"id": row["id"]} for row in rows],
                    encoded=True)["predictions"]
    assert [without_age(item) for item in by_keys] == by_features
    for row, expected in list(zip(rows, by_features))[::40]:
        one = found(served, "every", key={"id": row["id"]}, encoded=True)
        assert without_age({k: one[k] for k in one if k not in ("project", "model_id")}) == expected


def test_a_bigint_is_all_its_digits(catalog, served):
    at = 9007199254740993 + 17
    for key in ({"id": at}, {"id": str(at)}, at, [at]):
        assert found(served, "every", key=key, encoded=True)["encoded"]["doc.n"] == 17
    assert found(served, "every", key=at + 1, encoded=True)["encoded"]["doc.n"] == 18


def test_the_row_is_read_now(catalog, served):
    key = {"id": 9007199254740993 + 20}
    before = found(served, "every", key=key, encoded=True)["encoded"]
    catalog.sql("UPDATE shop.every SET num = 77.25 WHERE id = %s", key["id"])
    after = found(served, "every", key=key, encoded=True)["encoded"]
    assert after["num"] == 77.25 and {**after, "num": before["num"]} == before


def test_features_beside_the_key_override_columns(served):
    first, second = ({"id": 9007199254740993 + i} for i in (30, 31))
    encoded = found(served, "every", key=first, features={"num": 5, "word": None}, encoded=True)
    assert encoded["encoded"]["num"] == 5 and encoded["encoded"]["word"] is None
    plain = found(served, "every", key=first, encoded=True)["encoded"]
    assert {**encoded["encoded"], "num": plain["num"], "word": plain["word"]} == plain
    both = found(served, "every", keys=[first, second], features={"num": 6}, encoded=True)
    assert [item["encoded"]["num"] for item in both["predictions"]] == [6, 6]
    each = found(served, "every", keys=[first, second], features=[{"num": 1}, {}], encoded=True)
    assert each["predictions"][0]["encoded"]["num"] == 1
    assert each["predictions"][1]["encoded"]["num"] != 1


def test_how_old_the_row_is(catalog, served):
    at = 9007199254740993 + 40
    age = found(served, "every", key=at)["row_age_seconds"]
    now = catalog.value("SELECT extract(epoch FROM now() - at)::float8 FROM shop.every"
                        " WHERE id = %s",
                        at)
    assert 0 <= now - age < 30
    assert "row_age_seconds" not in found(served, "pairs", key=pair(9))


def pair(i):
    return {"day": f"2024-01-{1 + i // 4:02}", "shop": f'shop "{i % 4}", \\{{}}'}


def test_composite_keys(catalog, served):
    for i in (4, 17, 63):
        answer = found(served, "pairs", key=pair(i), encoded=True)
        assert answer["encoded"]["sold"] == i
        as_array = [pair(i)["shop"], pair(i)["day"]]
        assert found(served, "pairs", key=as_array, encoded=True) == answer


@pytest.mark.parametrize("column, value, other", [
    ("code", "c4ca4238-a0b9-2382-0dcc-509a6f75849b", "c4ca4238-a0b9-2382-0dcc-509a6f758490"),
    ("amount", 2.25, 2.251), ("amount", "2.25", "2.2500001"), ("sold", 9, 10_000),
])
def test_keys_of_other_types(catalog, served, cli, tmp_path_factory, column, value, other):
    """A value is not cut to the column's length or scale on its way."""
    project = f"by_{column}"
    if not catalog.sql("SELECT 1 FROM pgboost.projects WHERE name = %s", project):
        train(cli, tmp_path_factory, project, relation="shop.pairs", target="y", key=column,
              exclude=["code"])
        served.wait_live(project)
    assert found(served, project, key={column: value})["prediction"] in ("yes", "no")
    answer = ask(served, project, key={column: other})
    assert answer.status_code == 404 and column in answer.json()["detail"]


@pytest.mark.parametrize("members, status, field, said", [
    ({"key": {"id": 1}}, 404, "/key", "shop.every has no row with id 1"),
    ({"key": {"id": None}}, 400, "/key/id", "null"),
    ({"key": {"id": "one"}}, 400, "/key/id", "expected a whole number"),
    ({"key": {"id": 1.5}}, 400, "/key/id", "expected a whole number"),
    ({"key": {"id": 2 ** 63}}, 400, "/key/id", "expected a whole number"),
    ({"key": {"ident": 1}}, 400, "/key/ident", 'it is of "id"'),
    ({"key": {}}, 400, "/key/id", "missing"),
    ({"key": {"id": [1]}}, 400, "/key/id", "expected a whole number"),
    ({"keys": {"id": 1}}, 400, "/keys", "expected an array"),
    ({"key": 1, "keys": [1]}, 400, "/keys", "exclude each other"),
    ({"key": 1, "columns": ["num"], "rows": [[1]]}, 400, "/columns", "exclude each other"),
    ({"key": 9007199254741003, "features": {"nmu": 1}}, 400, "/features/nmu", "num"),
    ({"keys": [9007199254741003], "features": [{}, {}]}, 400, "/features/1", "found more"),
    ({"key": 1, "top": 3}, 400, "/top", "POST /predict has no member"),
])
def test_keys_that_cannot_be(served, members, status, field, said):
    answer = ask(served, "every", **members)
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert problem["errors"][0]["field"] == field and said in problem["detail"]


def test_each_of_many_has_its_own_error(served):
    good = 9007199254740993 + 50
    items = found(served, "every", keys=[good, 1, {"id": "x"}, None, good])["predictions"]
    assert items[0]["prediction"] == items[4]["prediction"]
    assert [item["error"]["status"] for item in items[1:4]] == [404, 400, 400]
    assert items[2]["error"]["field"] == "/keys/2/id"
    assert found(served, "every", keys=[])["predictions"] == []


def test_ten_thousand_keys(served):
    keys = [9007199254740993 + 1 + i % N for i in range(10_000)]
    items = found(served, "every", keys=keys)["predictions"]
    assert len(items) == 10_000 and items[0] == {**items[N], "row_age_seconds":
                                                 items[0]["row_age_seconds"]}
    answer = ask(served, "every", keys=keys + [1])
    assert answer.status_code == 413, answer.text


def test_a_relation_at_fault(catalog, cli, served, tmp_path_factory):
    catalog.sql("""
        CREATE TABLE shop.base AS SELECT i AS id, i % 7 AS x, sin(i) AS y
            FROM generate_series(1, 300) i;
        CREATE VIEW shop.faulty AS SELECT id, 10 / x AS x, y FROM shop.base WHERE x <> 0""")
    train(cli, tmp_path_factory, "faulty", relation="shop.faulty", target="y", key=["id"])
    served.wait_live("faulty")
    assert "prediction" in found(served, "faulty", key=1)

    catalog.sql("INSERT INTO shop.base VALUES (1, 1, 0)")
    answer = ask(served, "faulty", key=1)
    assert answer.status_code == 422 and "shop.faulty has several rows with id 1" in answer.text

    catalog.sql("CREATE OR REPLACE VIEW shop.faulty AS SELECT id, 10 / x AS x, y FROM shop.base")
    items = found(served, "faulty", keys=[2, 7, 3, 14, 4])["predictions"]
    assert ["error" in item for item in items] == [False, True, False, True, False]
    assert "division by zero" in items[1]["error"]["detail"]

    catalog.sql("DROP VIEW shop.faulty")
    answer = ask(served, "faulty", key=2)
    assert answer.status_code == 409 and "faulty" in answer.json()["detail"]
    catalog.sql("CREATE VIEW shop.faulty AS SELECT id, x::text AS x, y FROM shop.base")
    answer = ask(served, "faulty", key=2)
    assert answer.status_code == 409 and "is of type text" in answer.json()["detail"]
    catalog.sql("""DROP VIEW shop.faulty;
                   CREATE VIEW shop.faulty AS SELECT y, x, id, 1 AS more FROM shop.base""")
    assert "prediction" in found(served, "faulty", key=2)


def test_an_error_like_a_plans_is_one_rows(catalog, cli, served, tmp_path_factory):
    """XX000 or 42P01 may mean that what was prepared no longer fits, or be what a row's function
    says."""
    catalog.sql("""
        CREATE TABLE shop.inner AS SELECT i AS id, i % 7 AS x, sin(i) AS y
            FROM generate_series(1, 300) i;
        CREATE FUNCTION shop.inside(x int) RETURNS int LANGUAGE plpgsql AS $$
        BEGIN
            IF x = 5 THEN RAISE EXCEPTION 'inside' USING ERRCODE = '42P01'; END IF;
            IF x = 6 THEN RAISE EXCEPTION 'inside' USING ERRCODE = 'XX000'; END IF;
            RETURN x;
        END $$;
        CREATE VIEW shop.outer AS SELECT id, shop.inside(x) AS x, y FROM shop.inner WHERE x < 5""")
    train(cli, tmp_path_factory, "inside", relation="shop.outer", target="y", key=["id"],
          cache_seconds=3600)
    served.wait_live("inside")
    catalog.sql("""CREATE OR REPLACE VIEW shop.outer AS
                   SELECT id, shop.inside(x) AS x, y FROM shop.inner""")
    found(served, "inside", key=1)
    hits = counted(served, "hits_total")
    for _ in range(2):
        items = found(served, "inside", keys=[1, 6, 2, 12, 3])["predictions"]
        assert ["error" in item for item in items] == [False, True, False, True, False]
        for item in (items[1], items[3]):
            assert item["error"]["status"] == 500 and "inside" in item["error"]["detail"]
        found(served, "inside", key=1)
    assert counted(served, "hits_total") == hits + 2, "rows that are kept are no other ones for it"


def test_a_project_without_a_key(catalog, cli, served, tmp_path_factory):
    train(cli, tmp_path_factory, "keyless", relation="shop.base", target="y")
    served.wait_live("keyless")
    answer = ask(served, "keyless", key={"id": 1})
    assert answer.status_code == 409 and "has no key" in answer.json()["detail"]


def test_rows_of_another_relation(catalog, cli, served, tmp_path_factory):
    """"serving" names where rows are looked up; the daemon hears of it when it is applied."""
    catalog.sql("CREATE TABLE shop.fresh AS SELECT id, x + 100 AS x FROM shop.base WHERE id <> 1")
    train(cli, tmp_path_factory, "fresh", relation="shop.base", target="y", key="id",
          serving="shop.fresh", exclude=[])
    served.wait_live("fresh")
    assert found(served, "fresh", key=5, encoded=True)["encoded"]["x"] == 105


def counted(daemon, name, family="lookup_cache"):
    return int(re.search(rf"^pgboost_{family}_{name} (\d+)$", daemon.get("/metrics").text,
                         re.M)[1])


def answered_from_memory(daemon):
    return counted(daemon, r'total\{result="kept"\}', family="lookups")


def test_rows_that_are_kept(catalog, cli, served, tmp_path_factory):
    """Answered again without being read, with the age that they have by now, until the model or the
    definition is another."""
    catalog.sql("""CREATE TABLE shop.kept AS SELECT i AS id, i AS x, 'w' || i % 3 AS word,
                       now() - interval '1 day' - i * interval '1 second' AS at, i * 1.5 AS y
                   FROM generate_series(1, 300) i;
                   UPDATE shop.kept SET word = NULL WHERE id = 7; CREATE INDEX ON shop.kept (id)""")
    definition = {"relation": "shop.kept", "target": "y", "key": "id", "time": "at",
                  "cache_seconds": 3600}
    train(cli, tmp_path_factory, "kept", **definition)
    live = served.wait_live("kept")["live_model_id"]
    first = found(served, "kept", key=7, encoded=True)
    assert first["encoded"]["x"] == 7 and first["encoded"]["word"] is None
    hits, misses = counted(served, "hits_total"), counted(served, "misses_total")
    kept = answered_from_memory(served)
    catalog.sql("UPDATE shop.kept SET x = 1000, at = at + interval '1 day'")

    again = found(served, "kept", key=7, encoded=True)
    assert without_age(again) == without_age(first)
    assert 86400 < first["row_age_seconds"] < again["row_age_seconds"]
    overridden = found(served, "kept", key=7, features={"word": "w1"}, encoded=True)
    assert overridden["encoded"]["x"] == 7 and overridden["encoded"]["word"] is not None
    assert counted(served, "hits_total") == hits + 2
    assert counted(served, "misses_total") == misses
    assert answered_from_memory(served) == kept + 2
    assert found(served, "kept", key={"id": 7}, encoded=True)["encoded"]["x"] == 1000
    assert found(served, "kept", keys=[7], encoded=True)["predictions"][0]["encoded"]["x"] == 1000
    assert ask(served, "kept", key=7000).status_code == 404
    catalog.sql("INSERT INTO shop.kept VALUES (7000, 1, 'w1', now(), NULL)")
    assert found(served, "kept", key=7000, encoded=True)["encoded"]["x"] == 1
    assert counted(served, "rows") >= 3 and counted(served, "bytes") > 0

    train(cli, tmp_path_factory, "kept", **definition)
    wait_for(lambda: served.get("/projects/kept").json()["live_model_id"] != live)
    assert found(served, "kept", key=7, encoded=True)["encoded"]["x"] == 1000


def test_rows_are_kept_so_long(catalog, cli, served, tmp_path_factory):
    catalog.sql("""CREATE TABLE shop.brief AS SELECT i AS id, i AS x, i * 1.5 AS y
                   FROM generate_series(1, 300) i""")
    train(cli, tmp_path_factory, "brief", relation="shop.brief", target="y", key="id",
          cache_seconds=0.05)
    served.wait_live("brief")
    assert found(served, "brief", key=7, encoded=True)["encoded"]["x"] == 7
    catalog.sql("UPDATE shop.brief SET x = 8 WHERE id = 7")
    wait_for(lambda: found(served, "brief", key=7, encoded=True)["encoded"]["x"] == 8)


@pytest.fixture
def with_one_connection(catalog, tmp_path):
    daemon = Daemon(catalog, tmp_path, "--role", "server", "--lookup-pool-size", "1",
                    "--lookup-timeout", "60 s")
    yield daemon
    assert daemon.stop() == 0, daemon.log


def test_a_relation_that_changed_is_read_anew(catalog, cli, served, with_one_connection,
                                              tmp_path_factory):
    daemon = with_one_connection
    catalog.sql("""CREATE TABLE shop.turned AS SELECT i AS id, i AS x, i * 1.5 AS y
                   FROM generate_series(1, 300) i""")
    train(cli, tmp_path_factory, "turned", relation="shop.turned", target="y", key="id",
          cache_seconds=3600)
    daemon.wait_live("turned")
    for key in (1, 2, 1):
        assert found(daemon, "turned", key=key, encoded=True)["encoded"]["x"] == key
    catalog.sql("ALTER TABLE shop.turned ALTER id TYPE bigint; UPDATE shop.turned SET x = x + 100")
    assert [found(daemon, "turned", key=key, encoded=True)["encoded"]["x"]
            for key in (1, 3, 1)] == [1, 103, 101]


def test_what_look_ups_will_meet_is_said_when_it_is_applied(catalog, cli, served, tmp_path):
    catalog.sql("""
        CREATE TABLE shop.large AS
            SELECT i AS id, i % 7 AS x, repeat('-', 500) AS filler, sin(i) AS y
            FROM generate_series(1, 20000) i;
        ANALYZE shop.large;
        CREATE VIEW shop.behind AS SELECT id AS code, x, y FROM shop.large;
        CREATE TABLE shop.lacking AS SELECT id AS code FROM shop.large LIMIT 5""")

    def said(**more):
        path = tmp_path / "warned.json"
        path.write_text(json.dumps({"project": "warned", "relation": "shop.behind", "target": "y",
                                    "key": "code", **more}))
        applied = cli.ok("apply", path).err
        return applied, [(item["status"], item["detail"])
                         for item in json.loads(cli("check", "--json").out)["items"]
                         if item["check"] == "warned: look-ups"]

    applied, [(status, detail)] = said()
    assert 'costs reading all of "large"' in detail and status == "warn"
    assert f"warned: look-ups by key: {detail}\nhint: make an index" in applied
    catalog.sql("CREATE INDEX ON shop.large (id)")
    applied, [(status, detail)] = said()
    assert "look-ups" not in applied and status == "ok"
    applied, [(status, detail)] = said(serving="shop.nowhere")
    assert 'no relation "nowhere"' in detail and detail in applied and status == "warn"
    applied, [(status, detail)] = said(serving="shop.lacking")
    assert 'shop.lacking has no column "x"' in detail and detail in applied and status == "warn"
    assert said(key=None) == ("", [])
