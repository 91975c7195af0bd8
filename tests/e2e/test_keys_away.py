"""Look-ups when Postgres does not behave: backends that are killed, a server that is frozen, a
replica that stops. Others wait for none of it."""

import json
import os
import random
import shutil
import statistics
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from conftest import Cli, Cluster, Daemon, Database, wait_for

SOAK = float(os.environ.get("SOAK", "0"))
N = 500


@pytest.fixture(scope="module")
def away(tmp_path_factory):
    """A cluster of this module, with a project whose prediction tells rows apart."""
    cluster = Cluster()
    db = Database(cluster)
    cli = Cli(db)
    try:
        cli.ok("migrate")
        db.sql(f"""CREATE TABLE public.t AS SELECT i AS id, i AS x, i * 1.5 AS y
                   FROM generate_series(1, {N}) i;
                   ALTER TABLE public.t ADD PRIMARY KEY (id)""")
        path = tmp_path_factory.mktemp("d") / "t.json"
        path.write_text(json.dumps({
            "project": "t", "relation": "public.t", "target": "y", "key": "id", "threads": 1,
            "search": {"strategy": "none"}, "hyperparams": {"n_estimators": 10}}))
        cli.ok("apply", path)
        cli.ok("train", "t", "--here")
        yield db
    finally:
        cluster.stop()
        shutil.rmtree(cluster.dir, ignore_errors=True)


@pytest.fixture
def serve(away, tmp_path):
    """Starts a daemon with these options."""
    started = []

    def start(*options):
        daemon = Daemon(away, tmp_path / str(len(started)), "--role", "server", *options)
        started.append(daemon)
        daemon.wait_live("t")
        return daemon

    yield start
    for daemon in started:
        assert daemon.stop() == 0, daemon.log


def by_key(daemon, key, session=requests, timeout=30):
    return session.post(f"{daemon.url}/predict", timeout=timeout,
                        json={"project": "t", "key": key, "encoded": True})


def look_up_many(daemon, n, expected, statuses):
    """Adds the statuses of n look-ups; a row that comes is the right one."""
    session = requests.Session()
    for _ in range(n):
        key = random.randrange(1, N + 1)
        answer = by_key(daemon, key, session)
        statuses.append(answer.status_code)
        if answer.status_code == 200:
            assert answer.json()["encoded"] == {"x": key}
            assert answer.json()["prediction"] == expected[key - 1]
        else:
            assert answer.status_code == 503 and answer.headers["Retry-After"]


def backends(db, verb="count(*)"):
    return db.value(f"""SELECT {verb} FROM pg_stat_activity
                        WHERE application_name = 'pgboostd (look-ups)'""")


def test_backends_are_killed(away, serve):
    daemon = serve("--lookup-timeout", "20 s")  # a busy machine is no broken one
    rows = [{"x": i} for i in range(1, N + 1)]
    expected = [item["prediction"] for item in daemon.predict("t", rows)["predictions"]]
    statuses, kills, killed_at = [], 0, 0
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(look_up_many, daemon, int(max(150, 12_500 * SOAK)), expected,
                                statuses) for _ in range(8)]
        while not all(one.done() for one in asked):
            time.sleep(0.01)
            if len(statuses) - killed_at < 30:  # kills in proportion to answers, however quick
                continue
            killed_at = len(statuses)
            kills += backends(away, "count(pg_terminate_backend(pid)) FILTER (WHERE random() < .3)")
    assert [one.result() for one in asked] == [None] * 8
    assert kills > 5
    assert statuses.count(200) > len(statuses) * 0.9, statuses
    assert by_key(daemon, 7).status_code == 200
    assert backends(away) <= 4, "none is left over"


def processes(data):
    postmaster = int((data / "postmaster.pid").read_text().split()[0])
    found = [postmaster]
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rsplit(")", 1)[1].split()[1]) == postmaster:
                found.append(int(path.parent.name))
        except OSError:
            continue  # it has ended
    return found


class Frozen:
    """The server's processes stop, as on a machine that hangs: nothing is closed, nothing said."""

    def __init__(self, db):
        self.pids = processes(Path(db.value("SHOW data_directory")))

    def __enter__(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)

    def __exit__(self, *_):
        for pid in self.pids:
            os.kill(pid, signal.SIGCONT)


def test_a_frozen_server_delays_look_ups_alone(away, serve):
    daemon = serve("--lookup-timeout", "300 ms", "--lookup-queue", "5", "--lookup-pool-size", "2")
    assert by_key(daemon, 1).status_code == 200
    with ThreadPoolExecutor(20) as threads, Frozen(away):
        began = time.monotonic()
        waiting = [threads.submit(by_key, daemon, 1) for _ in range(20)]
        seconds = []
        while not all(f.done() for f in waiting) or len(seconds) < 50:
            at = time.monotonic()
            assert daemon.predict("t", {"x": 5})["prediction"] is not None
            seconds.append(time.monotonic() - at)
        took = time.monotonic() - began
        statuses = [f.result().status_code for f in waiting]
        refused = [f.result() for f in waiting if f.result().status_code == 503]
        assert set(statuses) <= {503, 504} and refused, statuses
        assert all(answer.headers["Retry-After"] for answer in refused)
        assert any("too many requests wait" in answer.text for answer in refused)
        assert took < 60
        assert statistics.median(seconds) < 0.25, "who brings the features waits for nothing"
    wait_for(lambda: by_key(daemon, 1).status_code == 200, 20, "look-ups to come back")


class Standby:
    """A streaming replica of the cluster, by pg_basebackup, run by the cluster's own user."""

    def __init__(self, db):
        self.data = Path(db.value("SHOW data_directory"))
        self.bin = Path(os.readlink(f"/proc/{processes(self.data)[0]}/exe")).parent
        self.home = self.data.parent / "standby"
        self.port = db.cluster.env["PGPORT"]
        self.run("mkdir", "-m", "700", self.home)
        self.run(self.bin / "pg_basebackup", "-h", db.cluster.env["PGHOST"], "-p", self.port,
                 "-U", db.cluster.env["PGUSER"], "-D", self.home / "data", "-R", "-c", "fast")

    def run(self, *argv):
        owner = self.data.stat()
        subprocess.run(list(map(str, argv)), check=True, user=owner.st_uid, group=owner.st_gid,
                       cwd="/", stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    def start(self):
        self.run(self.bin / "pg_ctl", "start", "-w", "-s", "-D", self.home / "data", "-l",
                 self.home / "log", "-o",
                 f"-c listen_addresses='' -c unix_socket_directories='{self.home}'")

    def stop(self, how):
        self.run(self.bin / "pg_ctl", "stop", "-w", "-s", "-m", how, "-D", self.home / "data")


def test_a_replica_stops_and_the_primary_goes_on(away, serve):
    standby = Standby(away)
    standby.start()
    try:
        env = away.cluster.env
        daemon = serve("--read-dsn", f"host={standby.home},{env['PGHOST']} port={standby.port}"
                                     f" user={env['PGUSER']} dbname={away.name}")
        assert by_key(daemon, 3).status_code == 200
        assert backends(away) == 0, "the first server of the string is asked"
    finally:
        standby.stop("immediate")
    statuses = {by_key(daemon, 1 + i % N).status_code for i in range(30)}
    assert statuses == {200}
    assert backends(away) > 0
