"""What the night may bring beside kills: a full disk, no connection left, clocks that are wrong, a
catalog that was migrated by a newer version, a daemon that was stopped; and the way back by
rollback. Predictions go on, runs end, and the log says it once."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg2
import pytest

from conftest import BIN, Cli, Cluster, Daemon, Database, heard_only, wait_for
from test_worker import children

LONG = float(os.environ.get("SOAK", 0))
ROWS = ("CREATE TABLE public.t AS SELECT i AS id, sin(i * 12.9898) AS x,"
        " 2 * sin(i * 12.9898) + 0.1 * sin(i * 4.1414) AS y FROM generate_series(1, 500) i")


@pytest.fixture
def fresh(cluster, request):
    """A catalog with a project that deploys every model; in a tablespace where one is named."""
    database = Database(cluster)
    if getattr(request, "param", None):
        request.getfixturevalue(request.param)(database)
    Cli(database).ok("migrate")
    database.sql(ROWS)
    yield database
    database.connection.close()


@pytest.fixture
def start(fresh, tmp_path):
    daemons = []

    def one(*args, **options):
        daemons.append(Daemon(fresh, tmp_path / f"state{len(daemons)}", *args, **options))
        return daemons[-1]

    yield one
    for daemon in daemons:
        daemon.proc.send_signal(signal.SIGCONT)
        if daemon.proc.poll() is None:
            daemon.stop()


def apply(db, definition, **keys):
    Cli(db).ok("apply", definition(**{
        "project": "p", "relation": "t", "target": "y", "key": ["id"], "deploy": "always",
        "threads": 1, "search": {"strategy": "none"}, "hyperparams": {"n_estimators": 20}, **keys}))


def queue(db):
    return db.value("SELECT pgboost.train('p')")


def run_of(db, run_id):
    return db.sql("SELECT status, error, model_id FROM pgboost.runs WHERE id = %s", run_id)[0]


def wait_run(db, run_id, seconds=60):
    return wait_for(lambda: (lambda run: run if run[0] not in ("queued", "running") else None)(
        run_of(db, run_id)), seconds, f"the end of run {run_id}")


def train(db):
    status, error, model_id = wait_run(db, queue(db))
    assert status == "succeeded", error
    return model_id


def said(daemon, *levels):
    """Lines of the log that somebody has to read."""
    return [line for line in daemon.log.splitlines()
            if any(f"level={level}" in line for level in levels or ("warning", "error"))]


# The way back ------------------------------------------------------------------------------------

@pytest.mark.alone
def test_rollback_everywhere(fresh, start, definition):
    """Within a second on every daemon, as they hear of it, and to the bits of before."""
    apply(fresh, definition)
    daemons = [start(*heard_only()) for _ in range(3)]
    rows = [{"x": i / 7 - 1} for i in range(15)]

    def answers(model_id):
        for daemon in daemons:
            daemon.wait_live("p", model_id)
        texts = {daemon.post("/predict", {"project": "p", "features": rows}).text
                 for daemon in daemons}
        assert len(texts) == 1
        return texts.pop()

    first = train(fresh)
    before = answers(first)
    apply(fresh, definition, hyperparams={"n_estimators": 7})
    second = train(fresh)
    assert second != first and answers(second) != before
    seconds = []
    for back in (True, False, True, False, True):
        began = time.monotonic()
        fresh.sql("SELECT pgboost.deploy('p', 'rollback')" if back else
                  f"SELECT pgboost.deploy({second})")
        for daemon in daemons:
            daemon.wait_live("p", first if back else second)
        seconds.append(time.monotonic() - began)
        assert (answers(first if back else second) == before) == back
    print(f"\nrollback on 3 daemons: {max(seconds) * 1000:.0f} ms at most")
    assert sorted(seconds)[1] < 1  # but for what else the machine does


# Workers that share a run ------------------------------------------------------------------------

@pytest.mark.parametrize("who", ["holder", "helper"])
def test_a_death_frees_its_own_trial_alone(fresh, start, definition, who):
    """At once, and what the other is at is not begun anew."""
    apply(fresh, definition, snapshot="table",
          search={"strategy": "random", "trials": 4, "parallel": 2},
          hyperparams={"n_estimators": 600, "early_stopping_rounds": 600})
    fresh.sql("CREATE TABLE freed (number integer)")
    fresh.sql("CREATE FUNCTION note_freed() RETURNS trigger LANGUAGE plpgsql AS"
              " 'BEGIN INSERT INTO public.freed VALUES (NEW.number); RETURN NULL; END'")
    fresh.sql("CREATE TRIGGER note_freed AFTER UPDATE ON pgboost.trials FOR EACH ROW WHEN"
              " (NEW.status = 'running' AND NEW.lease_until <= clock_timestamp())"
              " EXECUTE FUNCTION note_freed()")
    daemons = {str(daemon.proc.pid): daemon
               for daemon in (start("--poll", "100 ms"), start("--poll", "100 ms"))}
    run_id = queue(fresh)

    def both():
        held = fresh.sql("SELECT t.number, t.worker, t.worker = r.worker FROM pgboost.trials t"
                         " JOIN pgboost.runs r ON r.id = t.run_id WHERE r.id = %s"
                         " AND t.status = 'running' AND t.lease_epoch = 0 ORDER BY 3", run_id)
        return held if [is_holder for _, _, is_holder in held] == [False, True] else None

    helper, holder = wait_for(both, 60, "a trial of each")
    dies, lives = (holder, helper) if who == "holder" else (helper, holder)
    os.kill(children(daemons[dies[1].split(":")[1]])[0], signal.SIGKILL)
    wait_for(lambda: fresh.sql("SELECT number FROM freed"), 15, "its trial")
    assert wait_run(fresh, run_id)[0] == "succeeded"
    assert fresh.sql("SELECT number FROM freed") == [(dies[0],)]
    assert fresh.sql("SELECT worker, lease_epoch, status FROM pgboost.trials WHERE run_id = %s"
                     " AND number = %s", run_id, lives[0])[0] == (lives[1], 0, "completed")


# A full disk -------------------------------------------------------------------------------------

@pytest.fixture
def tiny(cluster):
    """Puts a database into a tablespace on a disk of 32 MiB."""
    with contextlib.ExitStack() as stack:
        def use(database):
            folder = Path(tempfile.mkdtemp(prefix="pgboost-tiny-", dir="/tmp"))
            stack.callback(folder.rmdir)
            mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", folder],
                                     stderr=subprocess.PIPE, text=True)
            if mounted.returncode != 0:
                pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
            stack.callback(subprocess.run, ["umount", "-l", folder], check=True)
            owner = os.stat(database.env["PGHOST"])
            os.chown(folder, owner.st_uid, owner.st_gid)
            name = "tiny_" + database.name
            server = database.cluster.connect()
            stack.callback(server.close)
            server.cursor().execute(f"CREATE TABLESPACE {name} LOCATION '{folder}'")
            stack.callback(server.cursor().execute, f"DROP TABLESPACE {name}")
            database.connection.close()
            server.cursor().execute(f"ALTER DATABASE {database.name} SET TABLESPACE {name}")
            stack.callback(drop, server, database.name)
            database.reconnect()
        yield use


def drop(server, name):
    server.cursor().execute(f"DROP DATABASE {name} WITH (FORCE)")


def fill(db):
    """Until no table can grow by a page."""
    db.sql("CREATE TABLE filler (x text)")
    db.sql("ALTER TABLE filler ALTER x SET STORAGE PLAIN")
    for n in (512, 64, 8, 1):
        with contextlib.suppress(psycopg2.errors.DiskFull):
            while True:
                db.sql("INSERT INTO filler SELECT repeat('x', 7000) FROM generate_series(1, %s)", n)


@pytest.mark.parametrize("fresh", ["tiny"], indirect=True)
def test_full_disk(fresh, start, definition):
    apply(fresh, definition)
    server = start("--poll", "200 ms")
    first = train(fresh)
    server.wait_live("p", first)
    assert server.stop() == 0
    server = start("--role", "server", "--poll", "200 ms")
    # so large a model that no page that is there already has room for it
    apply(fresh, definition, hyperparams={"n_estimators": 300})
    run_id = queue(fresh)
    fill(fresh)
    trainer = start("--role", "trainer", "--poll", "200 ms")
    wait_for(lambda: "No space left on device" in trainer.log, 60, "the disk to be full")
    for _ in range(20):
        assert server.predict("p", {"x": 0.5})["model_id"] == first
        time.sleep(0.05)
    assert fresh.value("SELECT count(*) FROM pgboost.models") == 1
    fresh.sql("DROP TABLE filler")
    status, error, _ = wait_run(fresh, run_id)
    assert status == "succeeded" or "No space left" in error
    model_id = train(fresh)
    server.wait_live("p", model_id)
    assert fresh.value("SELECT count(*) FROM pgboost.models m WHERE NOT EXISTS (SELECT FROM"
                       " pgboost.deployments d WHERE d.model_id = m.id)") == 0
    assert len(said(trainer)) < 25 and said(server) == []


# No connection left ------------------------------------------------------------------------------

def outages(daemon):
    return [line for line in said(daemon) if "the catalog cannot be reached" in line]


def take_all_connections(db):
    taken = []
    with contextlib.suppress(psycopg2.OperationalError):
        while True:
            taken.append(psycopg2.connect(db.dsn))
    assert taken
    return taken


@pytest.mark.direct("it waits for a connection instead")
def test_max_connections(fresh, start, definition):
    apply(fresh, definition)
    daemon = start("--poll", "100 ms")
    first = train(fresh)
    daemon.wait_live("p", first)
    taken = take_all_connections(fresh)
    run_id = queue(fresh)
    wait_for(lambda: "too many clients" in daemon.log, 30, "the worker to be refused")

    def is_shut_out():
        """Its place is free for a moment, for whoever is first."""
        fresh.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ="
                  " 'pgboostd' AND datname = current_database()")
        with contextlib.suppress(AssertionError):
            taken.extend(take_all_connections(fresh))
        return "too many clients" in (daemon.get("/readyz").json()["degraded"] or "")

    wait_for(is_shut_out, what="the daemon to be shut out")
    n_said = len(outages(daemon))
    assert daemon.predict("p", {"x": 0.5})["model_id"] == first
    time.sleep(3)  # many tries
    assert "too many clients" in daemon.get("/readyz").json()["degraded"]
    assert len(outages(daemon)) == n_said
    assert len(said(daemon)) - n_said < 15
    for connection in taken:
        connection.close()
    assert wait_run(fresh, run_id)[0] == "succeeded"
    wait_for(lambda: daemon.get("/readyz").json()["degraded"] is None)


# Clocks ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("clock", ["+400d", "-400d", "+30d x20"])
def test_wrong_clock(fresh, start, definition, tmp_path, clock):
    """Of a worker: time is the database's. The model is the one of a right clock."""
    apply(fresh, definition, search={"strategy": "random", "trials": 3, "minutes": 5})
    script = tmp_path / "worker"
    script.write_text(f"#!/bin/sh\nexec faketime -f '{clock}' {BIN}/pgboost-worker \"$@\"\n")
    script.chmod(0o755)
    before = fresh.value("SELECT clock_timestamp()")
    runs = []
    for options in (["--worker", script], []):
        daemon = start("--poll", "200 ms", *options)
        runs.append(queue(fresh))
        assert wait_run(fresh, runs[-1])[0] == "succeeded"
        assert daemon.stop() == 0
    assert fresh.value("SELECT count(DISTINCT sha256) FROM pgboost.models") == 1
    assert fresh.value("SELECT count(*) FROM pgboost.runs WHERE attempts = 1 AND lease_epoch = 1"
                       " AND started_at BETWEEN %s AND finished_at"
                       " AND finished_at < clock_timestamp()", before) == 2
    assert fresh.value("SELECT count(*) FROM pgboost.trials"
                       " WHERE started_at BETWEEN %s AND ended_at"
                       " AND ended_at < clock_timestamp()", before) == 6


# A newer version ---------------------------------------------------------------------------------

def test_migrated_by_a_newer_version(fresh, start, definition):
    """Under a daemon that runs: it writes nothing any more, says so once, and predicts on."""
    apply(fresh, definition)
    daemon = start("--poll", "100 ms")
    first = train(fresh)
    daemon.wait_live("p", first)
    fresh.sql("INSERT INTO pgboost.schema_migrations (source, name, sha256)"
              " VALUES ('pgboost', '9999_from_the_future.sql', 'x')")
    run_id = queue(fresh)
    wait_for(lambda: "newer" in (daemon.get("/readyz").json()["degraded"] or ""), what="the news")
    time.sleep(2)
    assert daemon.predict("p", {"x": 0.5})["model_id"] == first
    assert run_of(fresh, run_id)[0] == "queued"
    assert len(outages(daemon)) == 1 and "upgrade" in outages(daemon)[0], daemon.log
    assert len(said(daemon)) <= 3, daemon.log  # a worker may have been on its way to the run
    fresh.sql("DELETE FROM pgboost.schema_migrations WHERE name LIKE '9999%'")
    assert wait_run(fresh, run_id)[0] == "succeeded"


# A daemon that was stopped ------------------------------------------------------------------------

@pytest.mark.direct("the connection that is cut is its own")
@pytest.mark.parametrize("shell", ["exec 2>&-", "exec <&- 2>&-", "ulimit -n 30", "umask 777"])
def test_what_it_is_started_with(fresh, start, definition, shell):
    """Standard error that is closed is no socket's number; few files are enough."""
    apply(fresh, definition)
    daemon = start(shell=shell)
    model_id = train(fresh)
    daemon.wait_live("p", model_id)
    assert daemon.predict("p", {"x": 0.5})["model_id"] == model_id
    assert daemon.stop() == 0


def test_files_that_may_not_grow(fresh, start, definition):
    """What a full disk says, a limit says as well: the cache cannot be written, predictions go on."""
    apply(fresh, definition)
    daemon = start("--role", "server", shell="ulimit -f 0; exec 2>/dev/null")
    Cli(fresh).ok("train", "p", "--here")
    daemon.wait_live("p")
    assert daemon.predict("p", {"x": 0.5})["model_id"]
    assert daemon.stop() == 0


def test_stopped_daemon(fresh, start, definition):
    """SIGSTOP, its connections cut meanwhile; what came while it slept is there at once."""
    apply(fresh, definition)
    sleeper, other = start("--role", "server"), start()
    first = train(fresh)
    sleeper.wait_live("p", first)
    sleeper.proc.send_signal(signal.SIGSTOP)
    fresh.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ="
              " 'pgboostd' AND datname = current_database()")
    second = train(fresh)
    other.wait_live("p", second)
    time.sleep(120 if LONG else 1)
    sleeper.proc.send_signal(signal.SIGCONT)
    sleeper.wait_live("p", second)
    if Cluster.pooled:  # what was cut may have been anybody's, or nobody's
        return
    wait_for(lambda: "the catalog is back" in sleeper.log, what="the log to say so")
    assert len(outages(sleeper)) == 1, sleeper.log
