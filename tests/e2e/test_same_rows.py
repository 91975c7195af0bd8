"""The same rows by every way that leads to a prediction, and at every time: the same bits."""

import json
import subprocess

import pytest

from conftest import ROOT

N = 10_000


def train(cli, folder, definition):
    path = folder / f"{definition['project']}.json"
    path.write_text(json.dumps({**definition, "search": {"strategy": "none"}, "threads": 1,
                                "deploy": "always", "hyperparams": {"n_estimators": 30}}))
    cli.ok("apply", path)
    cli.ok("train", definition["project"], "--here")


@pytest.fixture(scope="module")
def flights(catalog, cli, daemon, tmp_path_factory):
    """The demo's view: texts, numbers, a timestamp, missing values."""
    subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-f", "load.sql"], env=catalog.env,
                   cwd=ROOT / "scripts/demo.d", check=True, stdin=subprocess.DEVNULL)
    cli.ok("migrate", ROOT / "scripts/demo.d/views")
    definition = json.loads((ROOT / "models/flight_delay.json").read_text())
    train(cli, tmp_path_factory.mktemp("flights"), {**definition, "exclude": []})
    daemon.wait_live("flight_delay")
    return daemon


def test_four_ways(catalog, cli, flights):
    catalog.sql("SET timezone = 'UTC'")
    rows = [row[0] for row in catalog.sql(f"""
        SELECT to_jsonb(f) FROM demo.flight_features f ORDER BY flight_id LIMIT {N}""")]
    assert len(rows) == N
    by_features = flights.predict("flight_delay", rows)["predictions"]
    by_key = flights.post("/predict", {"project": "flight_delay",
                                       "keys": [row["flight_id"] for row in rows]}).json()
    by_command = json.loads(cli.ok("predict", "flight_delay", "-", input=json.dumps(rows)).out)
    cli.ok("score", "flight_delay", "--from", "demo.flight_features", "--into", "public.scores")
    by_score = dict(catalog.sql("SELECT flight_id, prediction::text FROM public.scores"))

    expected = [item["prediction"] for item in by_features]
    assert len(set(expected)) > 1000
    assert [item["prediction"] for item in by_key["predictions"]] == expected
    assert [item["prediction"] for item in by_command["predictions"]] == expected
    # JSON and real print the shortest digits that read back as the same float
    assert [float(by_score[row["flight_id"]]) for row in rows] == expected


def test_a_row_says_later_what_it_said_at_training(catalog, cli, daemon, tmp_path):
    """A relation with a validity time that joins the state of the row's own time is read by key as
    it was trained with, whatever has become of the state since; one that joins the latest state is
    not, which is why the documentation warns of it."""
    catalog.sql("""
        CREATE TABLE public.states AS
            SELECT c AS customer,
                   timestamptz '2024-01-01 00:00+00' + m * interval '30 days' AS valid_from,
                   timestamptz '2024-01-01 00:00+00' + (m + 1) * interval '30 days' AS valid_to,
                   c * 10 + m AS points
            FROM generate_series(1, 20) c, generate_series(0, 9) m;
        CREATE TABLE public.orders AS
            SELECT i AS id, 1 + i % 20 AS customer,
                   timestamptz '2024-01-01 00:00+00' + i * interval '11 hours' AS at,
                   i % 13 AS amount
            FROM generate_series(1, 600) i;
        CREATE VIEW public.as_it_was AS
            SELECT o.id, o.at, o.amount, s.points, sin(o.amount) + s.points / 50.0 AS y
            FROM orders o LEFT JOIN states s
                ON s.customer = o.customer AND s.valid_from <= o.at AND o.at < s.valid_to;
        CREATE VIEW public.as_it_is AS
            SELECT o.id, o.at, o.amount, s.points, sin(o.amount) + s.points / 50.0 AS y
            FROM orders o LEFT JOIN LATERAL (SELECT points FROM states WHERE customer = o.customer
                                             ORDER BY valid_from DESC LIMIT 1) s ON true""")
    rows = dict(catalog.sql("SELECT id, points FROM as_it_was"))
    latest = dict(catalog.sql("SELECT id, points FROM as_it_is"))
    for project in ("as_it_was", "as_it_is"):
        train(cli, tmp_path, {"project": project, "relation": project, "target": "y", "key": "id",
                              "time": "at", "exclude": ["at"]})
        daemon.wait_live(project)

    def by_key(project, keys):
        answer = daemon.post("/predict", {"project": project, "keys": keys, "encoded": True}).json()
        return {key: item["encoded"]["points"] for key, item in zip(keys, answer["predictions"])}

    keys = list(rows)
    before = daemon.post("/predict", {"project": "as_it_was", "keys": keys}).json()["predictions"]
    assert by_key("as_it_was", keys) == rows and by_key("as_it_is", keys) == latest
    catalog.sql("""
        INSERT INTO states SELECT c, '2024-10-27 00:00+00', 'infinity', 1000 + c
            FROM generate_series(1, 20) c;
        INSERT INTO orders VALUES (601, 7, '2024-11-05 00:00+00', 5)""")
    after = daemon.post("/predict", {"project": "as_it_was", "keys": keys}).json()["predictions"]
    assert by_key("as_it_was", keys) == rows
    assert [item["prediction"] for item in after] == [item["prediction"] for item in before]
    assert by_key("as_it_was", [601]) == {601: 1007}, "a row of today has today's state"
    assert by_key("as_it_is", keys) != latest
