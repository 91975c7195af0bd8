"""Runs and deployments under kill -9, SIGSTOP, restarts of Postgres and cut links: nothing lost,
nothing twice, nothing half. A few rounds of each; `make soak` does as many as SOAK says (long)."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from conftest import BIN, Daemon, wait_for
from test_schedule import daemons, fire_many, fresh  # noqa: F401
from test_worker import children

LONG = float(os.environ.get("SOAK", 0))  # 1: the whole of it; 0.1: a tenth


def rounds(short, long):
    return max(short, int(long * LONG))


@pytest.fixture(scope="module")
def project(catalog, cli, tmp_path_factory):
    """One that trains in a moment, four trials, and always deploys."""
    catalog.sql("""CREATE TABLE public.t AS SELECT i AS id, sin(i * 12.9898) AS x,
                   2 * sin(i * 12.9898) + 0.1 * sin(i * 4.1414) AS y
                   FROM generate_series(1, 2000) i""")
    path = tmp_path_factory.mktemp("models") / "p.json"
    path.write_text('{"project": "p", "relation": "t", "target": "y", "key": ["id"], "keep": 1000,'
                    ' "threads": 1,'
                    ' "deploy": "always", "search": {"trials": 4},'
                    ' "hyperparams": {"n_estimators": 40, "early_stopping_rounds": 40}}')
    cli.ok("apply", path)
    return catalog


def queue(db):
    return db.value("SELECT run_id FROM pgboost.projects p,"
                    " pgboost.queue_run(p.id, 'test', 'training', NULL, NULL)")


def status(db, run_id):
    return db.value("SELECT status FROM pgboost.runs WHERE id = %s", run_id)


def wait_end(db, run_id, seconds=60):
    return wait_for(lambda: (lambda s: s if s in ("succeeded", "failed", "cancelled") else None)(
        status(db, run_id)), seconds, f"the end of run {run_id}")


def expire(db, run_id):
    """The lease of a run whose worker is gone or stopped ends now and not in half a minute."""
    db.sql("UPDATE pgboost.runs SET lease_until = clock_timestamp() - interval '1 ms'"
           " WHERE id = %s AND status = 'running'", run_id)


class Ledger:
    """What was committed once stays; what there is fits together."""

    def __init__(self, db):
        self.db, self.models, self.ended = db, set(), {}

    def check(self):
        db = self.db
        models = set(db.sql("SELECT id, run_id, sha256 FROM pgboost.models"))
        assert self.models <= models, "a model is lost or another"
        ended = dict(db.sql("SELECT id, (status, model_id)::text FROM pgboost.runs"
                            " WHERE finished_at IS NOT NULL"))
        assert self.ended.items() <= ended.items(), "a run that had ended is another now"
        self.models, self.ended = models, ended
        # a run has one model when it succeeded, which is its own, else none
        assert db.sql("SELECT r.id FROM pgboost.runs r WHERE (SELECT count(*) FROM pgboost.models"
                      " WHERE run_id = r.id) <> (r.status = 'succeeded')::int") == []
        assert db.sql("SELECT r.id FROM pgboost.runs r JOIN pgboost.models m ON m.run_id = r.id"
                      " WHERE m.id <> r.model_id") == []
        assert db.sql("SELECT r.id FROM pgboost.runs r WHERE r.status = 'succeeded' AND"
                      " (SELECT count(*) FROM pgboost.trials WHERE run_id = r.id"
                      "  AND status = 'completed') <> 4") == []
        # every model went live once, in one order, and the last one is live
        deployed = db.sql("SELECT model_id, version FROM pgboost.deployments WHERE NOT refused"
                          " ORDER BY version")
        assert [version for _, version in deployed] == list(range(1, len(deployed) + 1))
        assert {model for model, _ in deployed} == {model[0] for model in models}
        assert len(deployed) == len(models)
        if deployed:
            assert db.sql("SELECT live_model_id, deploy_version FROM pgboost.projects") == [
                deployed[-1]]


@pytest.fixture
def ledger(project):
    ledger = Ledger(project)
    yield ledger
    ledger.check()


def start(db, tmp_path, i):
    return Daemon(db, tmp_path / f"state{i}", "--poll", "200 ms")


def test_kill_9(project, ledger, tmp_path):
    """Worker or daemon, at any moment of training and deployment; every run ends."""
    chance = random.Random(1)
    daemon = start(project, tmp_path, 0)
    run_id, attempts = queue(project), 0
    for i in range(rounds(5, 500)):
        wait_for(lambda: status(project, run_id) != "queued", 90, "the run to be claimed")
        time.sleep(chance.random() * 1.2)
        workers = children(daemon)
        if chance.random() < 0.3:
            daemon.proc.kill()
            daemon.stop()
            for pid in workers:
                wait_for(lambda: not os.path.exists(f"/proc/{pid}"), 10, "the worker to die too")
            expire(project, run_id)
            daemon = start(project, tmp_path, i + 1)
        elif workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(workers[0], signal.SIGKILL)
        attempts += 1
        if attempts == 2 or status(project, run_id) not in ("queued", "running"):
            assert wait_end(project, run_id, 120) == "succeeded"
            ledger.check()
            run_id, attempts = queue(project), 0
    assert wait_end(project, run_id, 120) == "succeeded"
    assert daemon.stop() == 0


def snapshot(db, run_id):
    return db.sql("SELECT status, model_id, worker, lease_epoch, error, stats, finished_at"
                  " FROM pgboost.runs WHERE id = %s", run_id) + db.sql(
        "SELECT t.* FROM pgboost.trials t WHERE run_id = %s ORDER BY id", run_id) + db.sql(
        "SELECT id, run_id FROM pgboost.models ORDER BY id")


def test_stopped_beyond_the_lease(project, ledger, tmp_path):
    """A daemon and its worker under SIGSTOP, another that takes the run, then SIGCONT."""
    both = [start(project, tmp_path, i) for i in range(2)]
    chance = random.Random(2)
    for i in range(rounds(2, 100)):
        first, second = both[i % 2], both[1 - i % 2]
        second.proc.send_signal(signal.SIGSTOP)
        run_id = queue(project)
        worker = wait_for(lambda: (children(first) or [None])[0] if status(project, run_id)
                          == "running" else None, 60, "a worker")
        time.sleep(chance.random() * 0.5)
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGSTOP)
        first.proc.send_signal(signal.SIGSTOP)
        expire(project, run_id)
        second.proc.send_signal(signal.SIGCONT)
        assert wait_end(project, run_id, 120) == "succeeded"
        before = snapshot(project, run_id)
        first.proc.send_signal(signal.SIGCONT)
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGCONT)
        wait_for(lambda: worker not in children(first), 60, "the stale worker to stop itself")
        assert snapshot(project, run_id) == before, "a stale worker wrote"
        ledger.check()
    assert [daemon.stop() for daemon in both] == [0, 0]


def test_postgres_restarts(project, ledger, cluster, tmp_path):
    """Fast and immediate, while runs are under way: all of them finish."""
    daemon = start(project, tmp_path, 0)
    chance = random.Random(3)
    for i in range(rounds(2, 50)):
        run_id = queue(project)
        wait_for(lambda: status(project, run_id) != "queued", 60, "the run to be claimed")
        time.sleep(chance.random() * 1.2)
        pid_file = Path(project.value("SHOW data_directory")) / "postmaster.pid"
        pid = int(pid_file.read_text().split()[0])
        os.kill(pid, [signal.SIGINT, signal.SIGQUIT][i % 2])
        wait_for(lambda: not os.path.exists(f"/proc/{pid}"), 30, "Postgres to stop")
        cluster.start()
        project.reconnect()
        assert wait_end(project, run_id, 120) == "succeeded"
        ledger.check()
    assert daemon.stop() == 0


class Cutter:
    """Between a worker and Postgres: cuts the link at its next COMMIT, before the server sees it or
    before the worker sees the answer."""

    def __init__(self, db):
        self.server = f"{db.env['PGHOST']}/.s.PGSQL.{db.env['PGPORT']}"
        self.tcp = None if self.server.startswith("/") else (db.env["PGHOST"], int(db.env["PGPORT"]))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.armed, self.n_cut = None, 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.tcp:
                server = socket.create_connection(self.tcp)
            else:
                server = socket.socket(socket.AF_UNIX)
                server.connect(self.server)
            threading.Thread(target=self.forward, args=(client, server), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client), daemon=True).start()

    def pump(self, source, sink):
        with contextlib.suppress(OSError):
            while piece := source.recv(1 << 16):
                if getattr(self, "deaf", None) is source:
                    continue  # the answer that nobody gets
                sink.sendall(piece)
        self.cut(source, sink)

    def forward(self, client, server):
        with contextlib.suppress(OSError):
            while piece := client.recv(1 << 16):
                when = self.armed
                if when and b"COMMIT" in piece:
                    self.armed = None
                    self.n_cut += 1
                    if when == "after":
                        self.deaf = server
                        server.sendall(piece)
                        time.sleep(0.2)  # it commits, and answers to nobody
                    break
                server.sendall(piece)
        self.cut(client, server)

    @staticmethod
    def cut(*sockets):
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def test_link_cut_at_commit(project, ledger):
    cutter = Cutter(project)
    env = {**project.env, "OMP_WAIT_POLICY": "passive", "PGBOOST_READ_DSN": project.dsn, "PGBOOST_DSN":
           project.dsn.replace(f"host={project.env['PGHOST']}", "host=127.0.0.1").replace(
               f"port={project.env['PGPORT']}", f"port={cutter.port} sslmode=disable"
               " gssencmode=disable")}
    n = rounds(2, 200)
    for i in range(n):
        run_id = queue(project)
        cutter.armed = ["before", "after"][i % 2]
        for _ in range(3):
            subprocess.run([BIN / "pgboost-worker", "--run", str(run_id)], env=env, timeout=120,
                           stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if status(project, run_id) == "succeeded":
                break
            expire(project, run_id)
        assert status(project, run_id) == "succeeded"
        ledger.check()
    assert cutter.n_cut == n
    cutter.listener.close()


@pytest.mark.skipif(LONG == 0, reason="the short form stands in test_schedule.py")
def test_due_times(fresh, daemons):  # noqa: F811
    """Five daemons, a clock that runs twenty times as fast: as many runs as due times."""
    assert fire_many(fresh, daemons, n_daemons=5, n_projects=20, n_due=rounds(5, 50), speed=20) == 0
