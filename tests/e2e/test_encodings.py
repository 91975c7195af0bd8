"""Databases in other encodings than UTF-8: texts are the same characters to clients, and what cannot
be one of theirs is told."""

import json

import pytest

from conftest import Cli, Daemon, Database

# a letter of theirs as a client writes it, and as it is stored
LETTERS = {"LATIN1": ("é", r"\xe9"), "WIN1251": ("й", r"\xe9"), "EUC_JP": ("あ", r"\xa4a2")}


@pytest.fixture(params=LETTERS)
def encoded(cluster, request):
    """A migrated database of the encoding, and its letter in a text and in a label."""
    letter, stored = LETTERS[request.param]
    database = Database(cluster, encoding=request.param)
    Cli(database).ok("migrate")
    database.sql(f"""CREATE TABLE public.t AS
                     SELECT 'key ' || i || l AS id, CASE WHEN i % 3 = 0 THEN 'x' || l ELSE 'b' END AS c,
                            CASE WHEN i % 3 = 0 THEN 'is ' || l ELSE 'not' END AS y, nullif(i, 300) AS part
                     FROM generate_series(1, 300) i,
                          convert_from('{stored}', '{request.param}') AS l""")
    yield database, letter
    database.connection.close()


def define(db, folder, **more):
    path = folder / "p.json"
    path.write_text(json.dumps({
        "project": "p", "relation": "public.t", "target": "y", "key": "id", "exclude": ["part"],
        "search": {"strategy": "none"}, "hyperparams": {"n_estimators": 5}, "threads": 1, **more}))
    Cli(db).ok("apply", path)


@pytest.fixture
def daemon(encoded, tmp_path):
    db, _ = encoded
    define(db, tmp_path)
    Cli(db).ok("train", "p", "--here")
    daemon = Daemon(db, tmp_path / "state", "--role", "server")
    daemon.wait_live("p")
    yield daemon
    assert daemon.stop() == 0


def test_same_characters(encoded, daemon):
    db, letter = encoded
    answer = daemon.predict("p", {"c": "x" + letter}, encoded=True)
    assert answer["prediction"] == "is " + letter
    by_key = daemon.post("/predict", {"project": "p", "key": f"key 3{letter}", "encoded": True})
    assert by_key.json() == answer
    # what the encoding does not have is a text as any other that was not seen, and no row's key
    unseen = daemon.predict("p", {"c": "x€→"}, encoded=True)
    assert unseen["encoded"] == daemon.predict("p", {"c": "unseen"}, encoded=True)["encoded"]
    refused = daemon.post("/predict", {"project": "p", "key": "key 3😀"})
    assert refused.status_code == 400 and "has no equivalent in encoding" in refused.text
    Cli(db).ok("score", "p", "--from", "public.t", "--into", "public.s")
    assert db.sql("SELECT prediction, count(*) FROM public.s GROUP BY 1 ORDER BY 2") == [
        ("is " + letter, 100), ("not", 200)]


def test_errors_are_written(encoded, tmp_path):
    """Our own words hold characters that the encoding may lack."""
    db, _ = encoded
    define(db, tmp_path, weight="part", exclude=[])
    refused = Cli(db)("train", "p", "--here")
    assert refused.code == 1 and 'coalesce(..., 1)' in refused.err, refused.err
    assert db.sql("SELECT status, hint LIKE '%%...%%' FROM pgboost.runs") == [("failed", True)]


def test_a_text_that_is_none(cluster, tmp_path):
    """SQL_ASCII takes any bytes, and says nothing of what they are."""
    db = Database(cluster, encoding="SQL_ASCII")
    Cli(db).ok("migrate")
    db.sql(r"""CREATE TABLE public.t AS SELECT i AS id, i % 5 AS x, i % 5 AS y,
                   convert_from('\xe9', 'SQL_ASCII') AS part FROM generate_series(1, 100) i""")
    define(db, tmp_path, exclude=[])
    refused = Cli(db)("train", "p", "--here")
    assert refused.code == 1 and 'invalid byte sequence for encoding "UTF8": 0xe9' in refused.err
    assert 'or "exclude" its column' in refused.err
    define(db, tmp_path)
    Cli(db).ok("train", "p", "--here")
