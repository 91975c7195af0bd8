"""The primary is lost and a standby takes over. What only reads is as good as away: predictions go
on, nothing is written, and all of it goes on by itself once the standby is promoted."""

import json

import pytest

from conftest import Cli, Cluster, Daemon, Database, wait_for
from server import Standby

pytestmark = pytest.mark.direct("a pooler has one server")


@pytest.fixture(scope="module")
def db():
    """A cluster of this module: its primary does not come back."""
    cluster = Cluster()
    try:
        yield Database(cluster)
    finally:
        cluster.remove()


@pytest.fixture(scope="module")
def standby(db, tmp_path_factory):
    """Of a database with a project that has a live model."""
    path = tmp_path_factory.mktemp("project") / "p.json"
    path.write_text(json.dumps({
        "project": "p", "relation": "public.t", "target": "y", "key": "id", "threads": 1,
        "search": {"strategy": "none"}, "hyperparams": {"n_estimators": 3}}))
    db.sql("CREATE TABLE public.t AS SELECT id, id % 7 AS a, id % 7 * 1.5 AS y"
           " FROM generate_series(1, 200) AS id")
    cli = Cli(db)
    cli.ok("migrate")
    cli.ok("apply", path)
    cli.ok("train", "p", "--here")
    replica = Standby(db)
    replica.start()
    yield replica
    replica.remove()


def dsn(db, standby, hosts):
    """For a string of "primary" and "standby"."""
    places = {"primary": db.env["PGHOST"], "standby": str(standby.home)}
    return (f"host={','.join(places[host] for host in hosts)} port={standby.port}"
            f" user={db.env['PGUSER']} dbname={db.name}")


@pytest.mark.parametrize("verb", [["train", "p", "--no-wait"], ["cancel", "1"], ["deploy", "p"],
                                  ["delete", "p"], ["check"],
                                  ["score", "p", "--from", "public.t", "--into", "public.s"]])
def test_what_writes_says_that_a_standby_cannot(db, standby, cli, verb):
    answer = cli(*verb, "--dsn", dsn(db, standby, ["standby"]))
    assert answer.code == (1 if verb == ["check"] else 69), answer.err
    said = answer.out + answer.err
    assert "only reads: cannot execute" in said and "target_session_attrs=read-write" in said


def test_what_reads_does_not_mind(db, standby, cli):
    where = "--dsn", dsn(db, standby, ["standby"])
    assert cli.ok("projects", *where).out == cli.ok("projects").out
    assert cli.ok("predict", "p", '{"a": 3}', *where).out == cli.ok("predict", "p", '{"a": 3}').out
    assert cli.ok("evaluate", "p", "--from", "public.t", *where)


def test_trained_from_a_standby(db, standby, cli):
    read_dsn = dsn(db, standby, ["standby"])
    assert "trained model" in cli.ok("train", "p", "--here", "--read-dsn", read_dsn).out
    scored = cli.ok("score", "p", "--from", "public.t", "--into", "public.s", "--read-dsn", read_dsn)
    assert "scored 200 rows" in scored.out
    assert db.value("SELECT count(*) FROM public.s") == 200


def test_a_standby_takes_over(db, standby, tmp_path):
    daemon = Daemon(db, tmp_path / "state", "--dsn", dsn(db, standby, ["primary", "standby"]))
    state = daemon.wait_live("p")
    expected = daemon.predict("p", {"a": 3})
    wait_for(lambda: list((tmp_path / "state").glob("live-*/live")), what="the cache")

    db.connection.close()
    db.cluster.stop()
    wait_for(lambda: "only reads" in (daemon.get("/readyz").json()["degraded"] or ""),
             what="the standby to be found")
    assert daemon.predict("p", {"a": 3}) == expected
    refused = daemon.post("/projects/p/train", {})
    assert refused.status_code == 503 and refused.headers["Retry-After"], refused.text
    run = daemon.get("/runs/1")
    assert run.status_code == 200 and run.json()["status"] == "succeeded", run.text

    # One that starts now serves from the cache.
    assert daemon.stop() == 0, daemon.log
    daemon = Daemon(db, tmp_path / "state", "--dsn", dsn(db, standby, ["primary", "standby"]))
    assert daemon.predict("p", {"a": 3}) == expected
    assert "serving the models of 20" in daemon.get("/readyz").json()["degraded"]

    standby.promote()
    wait_for(lambda: daemon.get("/readyz").json()["degraded"] is None, what="the new primary")
    assert daemon.get("/projects/p").json()["live_model_id"] == state["live_model_id"]
    run_id = daemon.post("/projects/p/train", {}).json()["run_id"]
    wait_for(lambda: daemon.get(f"/runs/{run_id}").json()["status"] == "succeeded", 60, "the run")
    assert daemon.stop() == 0, daemon.log
