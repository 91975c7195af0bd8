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
    """One that trains in a moment and always deploys: four trials that several workers may share, a
    model that has learnt from all rows, and the twin that measures it."""
    catalog.sql("""CREATE TABLE public.t AS SELECT i AS id, sin(i * 12.9898) AS x,
                   2 * sin(i * 12.9898) + 0.1 * sin(i * 4.1414) AS y
                   FROM generate_series(1, 10000) i""")
    path = tmp_path_factory.mktemp("models") / "p.json"
    path.write_text('{"project": "p", "relation": "t", "target": "y", "key": ["id"], "keep": 1000,'
                    ' "threads": 1, "deploy": "always", "refit": "all", "snapshot": "table",'
                    ' "search": {"trials": 4, "parallel": 2},'
                    ' "hyperparams": {"n_estimators": 60, "early_stopping_rounds": 60}}')
    cli.ok("apply", path)
    return catalog


def queue(db):
    return db.value("SELECT run_id FROM pgboost.projects p,"
                    " pgboost.queue_run(p.id, 'test', 'training', NULL, NULL)")


def status(db, run_id):
    return db.value("SELECT status FROM pgboost.runs WHERE id = %s", run_id)


def wait_end(db, run_id, seconds=300 if LONG else 120):
    return wait_for(lambda: (lambda s: s if s in ("succeeded", "failed", "cancelled") else None)(
        status(db, run_id)), seconds, f"the end of run {run_id}")


def expire(db, run_id, whose="%"):
    """What a worker that is gone or stopped holds of the run is free now and not in half a
    minute; whose: of workers whose name is like that."""
    for table, column in (("runs", "id"), ("trials", "run_id")):
        db.sql(f"UPDATE pgboost.{table} SET lease_until = clock_timestamp() - interval '1 ms'"
               f" WHERE {column} = %s AND status = 'running' AND worker LIKE %s", run_id, whose)


class Ledger:
    """What was committed once stays; what there is fits together. All runs learn from the same rows
    by the same definition: whoever did which part of them, they come to the same trials and the
    same model."""

    def __init__(self, db):
        self.db, self.models, self.trials, self.ended = db, set(), set(), {}

    def keep(self, name, now):
        assert getattr(self, name) <= now, f"of the {name} one is lost, or another"
        setattr(self, name, now)

    def check(self):
        db = self.db
        self.keep("models", set(db.sql("SELECT id, run_id, twin_of, sha256 FROM pgboost.models")))
        self.keep("trials", set(db.sql("SELECT id, run_id, number, score, worker, ended_at"
                                       " FROM pgboost.trials WHERE status = 'completed'")))
        ended = dict(db.sql("SELECT id, (status, model_id)::text FROM pgboost.runs"
                            " WHERE finished_at IS NOT NULL"))
        assert self.ended.items() <= ended.items(), "a run that had ended is another now"
        self.ended = ended
        # a run has one model when it succeeded, which is its own, and its twin; else none
        assert db.sql("SELECT r.id FROM pgboost.runs r WHERE (SELECT count(*) FROM pgboost.models"
                      " WHERE run_id = r.id) <> 2 * (r.status = 'succeeded')::int") == []
        assert db.sql("SELECT r.id FROM pgboost.runs r JOIN pgboost.models m ON m.run_id = r.id"
                      " WHERE coalesce(m.twin_of, m.id) <> r.model_id") == []
        # trials are done, or there for others while their run is under way
        assert db.sql("SELECT r.id FROM pgboost.runs r WHERE r.status = 'succeeded' AND"
                      " (SELECT array_agg(t.number || t.status ORDER BY t.number)"
                      "  FROM pgboost.trials t WHERE t.run_id = r.id) IS DISTINCT FROM ARRAY["
                      "'0completed', '1completed', '2completed', '3completed']") == []
        assert db.sql("SELECT t.id FROM pgboost.trials t JOIN pgboost.runs r ON r.id = t.run_id"
                      " WHERE r.finished_at IS NOT NULL AND t.status = 'running'") == []
        assert db.value("SELECT count(DISTINCT (number, score, algorithm, hyperparams))"
                        " - count(DISTINCT number) FROM pgboost.trials WHERE status = 'completed'"
                        ) == 0, "the same trial came to another result"
        assert db.value("SELECT count(DISTINCT (t.number, twin_of IS NULL, sha256))"
                        " - count(DISTINCT twin_of IS NULL) FROM pgboost.models m"
                        " JOIN pgboost.trials t ON t.id = m.trial_id") == 0, "another model"
        # every model went live once, in one order, and the last one is live; twins never
        deployed = db.sql("SELECT model_id, version FROM pgboost.deployments WHERE NOT refused"
                          " ORDER BY version")
        assert [version for _, version in deployed] == list(range(1, len(deployed) + 1))
        assert sorted(model for model, _ in deployed) == sorted(
            model for model, _, twin_of, _ in self.models if twin_of is None)
        if deployed:
            assert db.sql("SELECT live_model_id, deploy_version FROM pgboost.projects") == [
                deployed[-1]]


@pytest.fixture
def ledger(project):
    ledger = Ledger(project)
    yield ledger
    ledger.check()


def is_gone(pid):
    """Also where whoever should have collected it has not yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture
def start(project, tmp_path):
    daemons = []

    def one():
        daemons.append(Daemon(project, tmp_path / f"state{len(daemons)}", "--poll", "200 ms"))
        return daemons[-1]

    yield one
    for daemon in daemons:  # where the test has failed
        if daemon.proc.poll() is None:
            daemon.proc.send_signal(signal.SIGCONT)
            daemon.stop(signal.SIGKILL)


def n_shared(db):
    """Runs whose trials were done by workers of several daemons."""
    return db.value("SELECT count(*) FROM (SELECT FROM pgboost.trials WHERE status = 'completed'"
                    " GROUP BY run_id HAVING count(DISTINCT split_part(worker, ':', 2)) > 1) s")


def test_kill_9(project, ledger, start):
    """Workers of two daemons that share the trials, or a daemon with its worker, at any moment of
    training and deployment; every run ends."""
    chance = random.Random(1)
    daemons = [start() for _ in range(2)]
    run_id, attempts, n_hit, before = queue(project), 0, 0, n_shared(project)
    for i in range(rounds(6, 500)):
        wait_for(lambda: status(project, run_id) != "queued", 90, "the run to be claimed")
        time.sleep(chance.random() * 2)
        one = chance.randrange(2)
        workers = children(daemons[one]) or children(daemons[1 - one])
        if chance.random() < 0.3:
            workers = children(daemons[one])
            daemons[one].proc.kill()
            daemons[one].stop()
            n_hit += 1
            for pid in workers:
                wait_for(lambda: is_gone(pid), 10, "the worker to die too")
            expire(project, run_id, f"%:{daemons[one].proc.pid}:%")
            daemons[one] = start()
        elif workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(workers[0], signal.SIGKILL)
                n_hit += 1
        attempts += 1
        if attempts == 2 or status(project, run_id) not in ("queued", "running"):
            assert wait_end(project, run_id) == "succeeded"
            ledger.check()
            run_id, attempts = queue(project), 0
            if LONG and i % 10 == 0:
                print(f"{n_hit} kills so far", flush=True)
    assert wait_end(project, run_id) == "succeeded"
    print(f"\n{n_hit} kills, {n_shared(project) - before} runs with shared trials")
    assert n_shared(project) > before or not LONG  # of a few, none may last long enough
    assert [daemon.stop() for daemon in daemons] == [0, 0]


def snapshot(db, run_id):
    return db.sql("SELECT status, model_id, worker, lease_epoch, error, stats, finished_at"
                  " FROM pgboost.runs WHERE id = %s", run_id) + db.sql(
        "SELECT t.* FROM pgboost.trials t WHERE run_id = %s ORDER BY id", run_id) + db.sql(
        "SELECT id, run_id FROM pgboost.models ORDER BY id")


def test_stopped_beyond_the_lease(project, ledger, start):
    """A daemon and its worker under SIGSTOP, another that takes the run, then SIGCONT."""
    both = [start() for _ in range(2)]
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
        assert wait_end(project, run_id) == "succeeded"
        before = snapshot(project, run_id)
        first.proc.send_signal(signal.SIGCONT)
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGCONT)
        wait_for(lambda: worker not in children(first), 60, "the stale worker to stop itself")
        assert snapshot(project, run_id) == before, "a stale worker wrote"
        ledger.check()
    assert [daemon.stop() for daemon in both] == [0, 0]


def test_postgres_restarts(project, ledger, cluster, start):
    """Fast and immediate, while runs are under way: all of them finish."""
    daemon = start()
    chance = random.Random(3)
    for i in range(rounds(2, 50)):
        run_id = queue(project)
        wait_for(lambda: status(project, run_id) != "queued", 60, "the run to be claimed")
        time.sleep(chance.random() * 1.2)
        pid_file = Path(project.value("SHOW data_directory")) / "postmaster.pid"
        pid = int(pid_file.read_text().split()[0])
        os.kill(pid, [signal.SIGINT, signal.SIGQUIT][i % 2])
        wait_for(lambda: is_gone(pid), 30, "Postgres to stop")
        cluster.start()
        project.reconnect()
        assert wait_end(project, run_id) == "succeeded"
        ledger.check()
    assert daemon.stop() == 0


class Cutter:
    """Between a worker and Postgres: cuts the link at its next COMMIT, before the server sees it or
    before the worker sees the answer."""

    def __init__(self, db):
        self.server = f"{db.env['PGHOST']}/.s.PGSQL.{db.env['PGPORT']}"
        is_path = self.server.startswith("/")
        self.tcp = None if is_path else (db.env["PGHOST"], int(db.env["PGPORT"]))
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
    env = {**project.env, "OMP_WAIT_POLICY": "passive", "PGBOOST_READ_DSN": project.dsn,
           "PGBOOST_DSN":
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
    """Five daemons, a clock that runs ten times as fast: as many runs as due times."""
    assert fire_many(fresh, daemons, n_daemons=5, n_projects=20, n_due=rounds(5, 50), speed=10) == 0
