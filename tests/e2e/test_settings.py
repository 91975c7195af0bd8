"""What others have set as defaults of the database changes nothing."""

import json
import subprocess

import pytest

from conftest import BIN, wait_for

DEFAULTS = {
    "DateStyle": "'SQL, DMY'", "IntervalStyle": "iso_8601", "TimeZone": "'Asia/Kolkata'",
    "extra_float_digits": "-15", "bytea_output": "escape", "standard_conforming_strings": "off",
    "array_nulls": "off", "transform_null_equals": "on", "quote_all_identifiers": "on",
    "default_transaction_isolation": "serializable", "default_transaction_read_only": "on",
    "client_encoding": "LATIN1", "search_path": "nowhere", "statement_timeout": "'1 min'",
}


@pytest.fixture(scope="module")
def strange(catalog, cli, tmp_path_factory):
    catalog.sql("""CREATE TABLE public."Strange" AS
                   SELECT i AS id, timestamp '2020-02-01 03:04:05' + i * interval '1 hour' AS at,
                          date '2020-02-01' + i AS day, i * interval '1 day 2 hours' AS every,
                          0.1234567890123456::float8 * i AS part,
                          (ARRAY['Žofie''s \\', 'ß', NULL])[1 + i % 3] AS name,
                          ARRAY['a', NULL, (i % 5)::text] AS several,
                          i % 7 * 1.5 AS y
                   FROM generate_series(1, 300) AS i""")
    for name, value in DEFAULTS.items():
        catalog.sql(f"ALTER DATABASE {catalog.name} SET {name} = {value}")
    path = tmp_path_factory.mktemp("project") / "p.json"
    path.write_text(json.dumps({
        "project": "p", "relation": 'public."Strange"', "target": "y", "key": "id", "threads": 1,
        "search": {"strategy": "none"}, "hyperparams": {"n_estimators": 3}, "time": "at"}))
    cli.ok("apply", path)
    cli.ok("train", "p", "--here")
    return catalog


def test_values_are_read_as_ever(strange, daemon):
    daemon.wait_live("p")
    rows = strange.sql("""SELECT to_jsonb(s) - 'id' - 'y' FROM public."Strange" s ORDER BY id""")
    for key in (1, 2, 150, 300):
        by_key = daemon.post("/predict", {"project": "p", "key": key, "encoded": True}).json()
        by_row = daemon.predict("p", rows[key - 1][0], encoded=True)
        assert by_key["encoded"] == by_row["encoded"] and by_key["margin"] == by_row["margin"]


def test_many_write_at_once(strange):
    """Each sees what the one before it has written, as by default."""
    strange.sql("BEGIN; SELECT FROM pgboost.projects FOR NO KEY UPDATE")
    trains = [subprocess.Popen([BIN / "pgboost", "train", "p", "--no-wait"], env=strange.env,
                               stdout=subprocess.PIPE, text=True) for _ in range(8)]
    wait_for(lambda: strange.value("SELECT count(*) FROM pg_locks WHERE NOT granted") == 8,
             what="all of them")
    strange.sql("COMMIT")
    runs = [train.communicate()[0] for train in trains]
    assert [train.returncode for train in trains] == [0] * 8 and all(int(run) for run in runs)


def test_names_are_as_ever(strange, cli):
    assert 'public."Strange": 6 features' in cli.ok("check").out
