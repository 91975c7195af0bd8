"""Standbys: one breaks off what it is asked, and takes over when the primary is lost. Until then it
is as good as away for what has to be written: predictions go on, and all goes on by itself once it
is promoted."""

import json
from concurrent.futures import ThreadPoolExecutor

import psycopg2
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


def definition(folder, **names):
    path = folder / "project.json"
    path.write_text(json.dumps({
        **names, "target": "y", "key": "id", "threads": 1, "search": {"strategy": "none"},
        "hyperparams": {"n_estimators": 3}}))
    return path


@pytest.fixture(scope="module")
def standby(db, tmp_path_factory):
    """Of a database with a project that has a live model."""
    db.sql("CREATE TABLE public.t AS SELECT id, id % 7 AS a, id % 7 * 1.5 AS y"
           " FROM generate_series(1, 200) AS id")
    cli = Cli(db)
    cli.ok("migrate")
    cli.ok("apply", definition(tmp_path_factory.mktemp("project"), project="p",
                               relation="public.t"))
    cli.ok("train", "p", "--here")
    replica = Standby(db)
    replica.start("max_standby_streaming_delay=0")
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


@pytest.fixture
def start(db, tmp_path):
    daemons = []

    def one(*args):
        daemons.append(Daemon(db, tmp_path / "state", *args))
        return daemons[-1]

    yield one
    for daemon in daemons:
        if daemon.proc.poll() is None:
            daemon.stop()


class Gate:
    """Who reads public.gated on the standby waits until it is opened."""

    def __init__(self, dsn):
        self.connection = psycopg2.connect(dsn)
        self.connection.autocommit = True
        self.value("SELECT pg_advisory_lock(1)")

    def value(self, query):
        with self.connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()[0]

    def wait_for_reader(self):
        wait_for(lambda: self.value("SELECT count(*) FROM pg_locks WHERE NOT granted"),
                 what="who reads")

    def n_cancelled(self):
        return self.value("SELECT sum(confl_snapshot) FROM pg_stat_database_conflicts")

    def open(self):
        self.connection.close()


def break_off(db, gate):
    """Who waits at the gate sees a row that is gone: the standby cancels it to follow."""
    n = gate.n_cancelled()
    db.sql("DELETE FROM public.t WHERE id = (SELECT max(id) FROM public.t)")
    db.sql("VACUUM public.t")
    wait_for(lambda: gate.n_cancelled() > n, what="a cancelled query")


def test_what_is_broken_off_is_asked_again(db, standby, cli, start, tmp_path):
    db.sql("""CREATE FUNCTION public.gate() RETURNS boolean LANGUAGE plpgsql AS
                  'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN true; END';
              CREATE VIEW public.gated AS SELECT * FROM public.t WHERE public.gate()""")
    cli.ok("apply", definition(tmp_path, project="gated", relation="public.gated"))
    cli.ok("train", "gated", "--here")
    read_dsn = dsn(db, standby, ["standby"])
    daemon = start("--read-dsn", read_dsn, "--lookup-timeout", "60 s")
    daemon.wait_live("gated")

    gate = Gate(read_dsn)
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(daemon.post, "/predict", {"project": "gated", "key": 3})
        gate.wait_for_reader()
        break_off(db, gate)
        gate.open()
        found = answer.result().json()
    assert found == daemon.predict("gated", {"a": 3})
    assert "pgboost_lookup_retries_total 1\n" in daemon.get("/metrics").text

    gate = Gate(read_dsn)
    run_id = daemon.post("/projects/gated/train", {}).json()["run_id"]
    gate.wait_for_reader()
    break_off(db, gate)
    gate.open()
    wait_for(lambda: daemon.get(f"/runs/{run_id}").json()["status"] == "succeeded", 60, "the run")
    assert f"run={run_id} attempt=2" in daemon.log
    assert daemon.stop() == 0, daemon.log


def test_a_standby_takes_over(db, standby, start, tmp_path):
    daemon = start("--dsn", dsn(db, standby, ["primary", "standby"]))
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
    daemon = start("--dsn", dsn(db, standby, ["primary", "standby"]))
    assert daemon.predict("p", {"a": 3}) == expected
    assert "serving the models of 20" in daemon.get("/readyz").json()["degraded"]

    standby.promote()
    wait_for(lambda: daemon.get("/readyz").json()["degraded"] is None, what="the new primary")
    assert daemon.get("/projects/p").json()["live_model_id"] == state["live_model_id"]
    run_id = daemon.post("/projects/p/train", {}).json()["run_id"]
    wait_for(lambda: daemon.get(f"/runs/{run_id}").json()["status"] == "succeeded", 60, "the run")
    assert daemon.stop() == 0, daemon.log
