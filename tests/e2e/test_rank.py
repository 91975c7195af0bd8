"""POST /rank: candidates as features, by key, or by what their columns are, best first."""

import itertools
import json

import pytest

from conftest import Daemon

N_SHOPS, N_ITEMS = 8, 60


@pytest.fixture(scope="module")
def served(catalog, cli, daemon, tmp_path_factory):
    catalog.sql(f"""
        CREATE TABLE public.offers AS
        SELECT i AS item, s AS shop, date '2024-01-01' + s AS day, (i * 37 % 11) AS heat,
               i % 3 AS kind, (i * 37 % 11) * 1.5 + s AS clicks, i * 37 % 11 > 5 AS bought,
               (ARRAY['low', 'mid', 'high'])[1 + (i * 37 % 11) / 4] AS level,
               (i * 37 % 11) / 3 AS grade
        FROM generate_series(1, {N_ITEMS}) i, generate_series(1, {N_SHOPS}) s;
        ALTER TABLE public.offers ADD PRIMARY KEY (shop, item)""")
    targets = {"clicks": {}, "bought": {}, "level": {}, "grade": {"task": "ranking",
                                                                    "group": "shop"}}
    for target, more in targets.items():
        others = [name for name in targets if name != target] + ["day"]
        path = tmp_path_factory.mktemp("d") / "p.json"
        path.write_text(json.dumps({
            "project": f"by_{target}", "relation": "offers", "target": target, "threads": 1,
            "key": ["shop", "item"], "exclude": others, "search": {"strategy": "none"},
            "deploy": "always", "hyperparams": {"n_estimators": 20}, **more}))
        cli.ok("apply", path)
        cli.ok("train", f"by_{target}", "--here")
        daemon.wait_live(f"by_{target}")
    return daemon


def rank(daemon, project, **members):
    answer = daemon.post("/rank", {"project": project, **members})
    assert answer.status_code == 200, answer.text
    return answer.json()


def rows_of(db, where):
    return [dict(zip(("shop", "item", "heat", "kind"), row)) for row in db.sql(
        f"SELECT shop, item, heat, kind FROM offers WHERE {where} ORDER BY shop, item")]


def score(daemon, project, rows, label=None):
    items = daemon.predict(project, rows)["predictions"]
    return [item["prediction"] if label is None else item["probabilities"][label]
            for item in items]


def expected(rows, scores):
    """Best first, equals as they came."""
    order = sorted(range(len(rows)), key=lambda i: -scores[i])
    return [(rows[i]["shop"], rows[i]["item"], scores[i]) for i in order]


CASES = [("by_clicks", None, {}), ("by_grade", None, {}), ("by_bought", "true", {}),
         ("by_bought", "false", {"label": False}), ("by_level", "mid", {"label": "mid"})]


@pytest.mark.parametrize("project, label, members", CASES, ids=lambda v: str(v))
def test_the_order_is_that_of_the_predictions(catalog, served, project, label, members):
    rows = rows_of(catalog, "shop = 3")
    by_score = expected(rows, score(served, project, rows, label))
    assert len({s for *_, s in by_score}) < len(rows), "there are equals, which keep their order"
    keys = [{"shop": row["shop"], "item": row["item"]} for row in rows]
    for source in ({"where": {"shop": 3}}, {"keys": keys}):
        answer = rank(served, project, **source, **members)
        got = [(c["key"]["shop"], c["key"]["item"], c["score"]) for c in answer["candidates"]]
        assert got == by_score
        assert [c["rank"] for c in answer["candidates"]] == list(range(1, len(rows) + 1))
    answer = rank(served, project, candidates=rows, **members)
    got = [(3, rows[c["index"]]["item"], c["score"]) for c in answer["candidates"]]
    assert got == by_score


def test_the_best_alone(catalog, served):
    whole = rank(served, "by_clicks", where={"shop": 2, "kind": 1})
    best = rank(served, "by_clicks", where={"shop": 2, "kind": 1}, top=5)
    assert best["candidates"] == whole["candidates"][:5]
    assert len(whole["candidates"]) == catalog.value(
        "SELECT count(*) FROM offers WHERE shop = 2 AND kind = 1")
    assert rank(served, "by_clicks", where={"shop": 999})["candidates"] == []
    assert rank(served, "by_clicks", candidates=[])["candidates"] == []
    by_day = rank(served, "by_clicks", where={"day": "2024-01-03", "kind": "1"})
    assert by_day["candidates"] == whole["candidates"]


def test_features_beside_the_rows(served):
    plain = rank(served, "by_clicks", where={"shop": 2}, top=1)["candidates"][0]
    same = rank(served, "by_clicks", where={"shop": 2}, features={"heat": 0})["candidates"]
    assert same[0]["score"] < plain["score"]


def test_keys_that_are_not_there(served):
    answer = rank(served, "by_clicks", keys=[[1, 1], [1, 9999], [2, 1]])
    assert sorted(c["key"]["shop"] for c in answer["candidates"]) == [1, 2]
    assert [(e["index"], e["status"]) for e in answer["errors"]] == [(1, 404)]


@pytest.mark.parametrize("members, status, field, said", [
    ({}, 400, "/candidates", "missing"),
    ({"where": {"shop": 1}, "keys": []}, 400, "/where", "exclude each other"),
    ({"candidates": [], "features": {}}, 400, "/features", "exclude each other"),
    ({"candidates": {}}, 400, "/candidates", "expected an array"),
    ({"where": "shop = 1 OR true"}, 400, "/where", "expected an object"),
    ({"where": {"shpo": 1}}, 400, "/where/shpo", 'did you mean "shop"?'),
    ({"where": {"shop = 1 OR true --": 1}}, 400, "/where/shop = 1 OR true --", "no column"),
    ({"where": {"shop": "1 OR true"}}, 400, "/where/shop", "expected a whole number"),
    ({"where": {"shop": None}}, 400, "/where/shop", "null"),
    ({"where": {"shop": [1, 2]}}, 400, "/where/shop", "expected a whole number"),
    ({"candidates": [], "top": 0}, 400, "/top", "whole number above 0"),
    ({"candidates": [], "label": "x"}, 400, "/label", "no labels"),
    ({"candidates": [], "encoded": True}, 400, "/encoded", "POST /rank has no member"),
    ({"candidates": [{"heat": "hot"}]}, 400, "/candidates/0/heat", "expected a whole number"),
])
def test_what_cannot_be_ranked(served, members, status, field, said):
    answer = served.post("/rank", {"project": "by_clicks", **members})
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert problem["errors"][0]["field"] == field and said in problem["detail"], problem


def test_labels(served):
    answer = served.post("/rank", {"project": "by_level", "candidates": []})
    assert answer.status_code == 400 and '"high"' in answer.json()["detail"]
    answer = served.post("/rank", {"project": "by_level", "candidates": [], "label": "none"})
    assert answer.status_code == 400 and "no such label" in answer.json()["detail"]


def test_more_rows_than_a_request_may_have(catalog, cli, served, tmp_path):
    from conftest import Daemon
    other = Daemon(catalog, tmp_path, "--rows-limit", "59")
    try:
        other.wait_live("by_clicks")
        answer = other.post("/rank", {"project": "by_clicks", "where": {"shop": 1}})
        assert answer.status_code == 413 and "more than 59 rows" in answer.json()["detail"]
    finally:
        assert other.stop() == 0


@pytest.fixture
def with_one_connection(catalog, served, tmp_path):
    daemon = Daemon(catalog, tmp_path, "--role", "server", "--lookup-pool-size", "1",
                    "--lookup-timeout", "60 s")
    daemon.wait_live("by_clicks")
    yield daemon
    assert daemon.stop() == 0, daemon.log


@pytest.mark.direct("whose sessions are everybody's")
def test_columns_in_any_order_and_number(catalog, with_one_connection):
    """More sets of columns than a connection keeps statements for, and one of them in every order:
    on the connection that there is."""
    daemon = with_one_connection
    row = {"shop": 3, "item": 7, "heat": 6, "kind": 1, "clicks": 12, "bought": True,
           "level": "mid", "grade": 2, "day": "2024-01-04"}

    def started():
        return set(catalog.sql("""SELECT pid, backend_start FROM pg_stat_activity
            WHERE application_name = 'pgboostd (look-ups)' AND datname = current_database()"""))

    answer = rank(daemon, "by_clicks", where=row)
    assert [item["key"] for item in answer["candidates"]] == [{"shop": 3, "item": 7}]
    before = started()
    for names in itertools.permutations(("shop", "item", "heat", "kind")):
        assert rank(daemon, "by_clicks", where={name: row[name] for name in names}) == answer
    others = [name for name in row if name not in ("shop", "item")]
    for n in range(len(others) + 1):
        for names in itertools.combinations(others, n):
            where = {name: row[name] for name in ("shop", "item", *names)}
            assert rank(daemon, "by_clicks", where=where) == answer
    assert before and before <= started(), "no connection was opened anew"


def test_the_first_ones_are_those_of_all(served):
    """Of 160 candidates with many equal scores, in whatever way they are chosen."""
    every = rank(served, "by_clicks", where={"kind": 1})["candidates"]
    assert len(every) == 160 and len({item["score"] for item in every}) < 100
    for top in (1, 2, 10, 63, 64, 65, 159, 160, 1000):
        assert rank(served, "by_clicks", where={"kind": 1}, top=top)["candidates"] == every[:top]
