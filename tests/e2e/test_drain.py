"""Daemons that stop and start under load, and Postgres that is gone meanwhile: no client of features
alone has a request that fails. A few rounds of each; `make soak` does as many as SOAK says."""

import signal
import socket
import subprocess
import time

import pytest
import requests

from conftest import BIN, Daemon, wait_for
from load import Load
from server import Frozen
from test_soak import LONG, rounds
from test_systemd import project  # noqa: F401

BODY = b'{"project": "seen", "features": {"a": 3}}'


def start_on(listening, db, state_dir, **env):
    """As systemd does: the socket is descriptor 3, and the process knows that it is meant."""
    script = 'exec 3<&"$0"; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"'
    proc = subprocess.Popen(
        ["bash", "-c", script, str(listening.fileno()), BIN / "pgboostd", "--role", "server",
         "--state-dir", str(state_dir), "--listen", "127.0.0.1:1"],
        env={**db.env, **env}, pass_fds=[listening.fileno()], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    line = proc.stdout.readline()
    assert line == f"listening on http://127.0.0.1:{listening.getsockname()[1]}\n"
    return proc


class Restarted:
    """Daemons one after the other on a socket that stays."""

    def __init__(self, db, folder):
        self.db, self.folder = db, folder
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.address = self.listening.getsockname()
        self.proc = start_on(self.listening, db, folder)

    def stop(self):
        self.proc.send_signal(signal.SIGTERM)
        code = self.proc.wait(60)
        self.proc.stdout.close()
        return code

    def restart(self, **env):
        assert self.stop() == 0
        self.proc = start_on(self.listening, self.db, self.folder, **env)

    def get(self, path):
        return requests.get("http://{}:{}{}".format(*self.address, path), timeout=30)


@pytest.fixture
def restarted(project, db, tmp_path):  # noqa: F811
    restarted = Restarted(db, tmp_path / "state")
    yield restarted
    if restarted.proc.poll() is None:
        restarted.stop()
    restarted.listening.close()


def test_a_stop_is_announced(project, db, tmp_path):  # noqa: F811
    """Each client has all its answers, and hears with one of them that its connection ends."""
    n_closed = 0
    for i in range(rounds(3, 100)):
        daemon = Daemon(db, tmp_path / "state", "--role", "server")
        daemon.wait_live("seen")
        with Load((daemon.host, daemon.port), BODY, until_closed=True) as load:
            load.wait_for_more()
            assert daemon.stop() == 0
        load.check()
        n_closed += load.n_closed
    print(f"\n{i + 1} stops, {n_closed} of {4 * (i + 1)} clients were told in time")
    assert n_closed > 0  # others were not asking when there was time to tell them


def test_restarts_refuse_nobody(restarted):
    """Clients that keep their connections, and clients that open one a request."""
    n = rounds(3, 100)
    with Load(restarted.address, BODY) as kept, \
            Load(restarted.address, BODY, keep_alive=False) as fresh:
        for _ in range(n):
            kept.wait_for_more()
            fresh.wait_for_more()
            restarted.restart()
        kept.wait_for_more()
        fresh.wait_for_more()
    print(f"\n{n} restarts, {kept.n_answers() + fresh.n_answers()} answers,"
          f" {kept.n_failed() + fresh.n_failed()} failed")
    kept.check()
    fresh.check()


class Stopped:
    def __init__(self, db):
        self.db = db

    def __enter__(self):
        self.db.cluster.stop()

    def __exit__(self, *_):
        self.db.cluster.start()
        self.db.reconnect()


@pytest.mark.parametrize("how", ["stopped", "frozen"])
def test_postgres_away_under_load(restarted, db, how):
    """Features alone need no Postgres, and a daemon that starts meanwhile has its models cached."""
    data = db.value("SHOW data_directory")
    wait_for(lambda: list((restarted.folder).glob("live-*/live")), what="the cache")
    with Load(restarted.address, BODY) as load:
        load.wait_for_more()
        with Stopped(db) if how == "stopped" else Frozen(data):
            until = time.monotonic() + max(3, 60 * LONG)
            load.wait_for_more()
            restarted.restart(PGCONNECT_TIMEOUT="2")
            assert "serving the models of 20" in restarted.get("/readyz").json()["degraded"]
            load.wait_for_more()
            wait_for(lambda: time.monotonic() > until, 90, "the end of the outage")
        wait_for(lambda: restarted.get("/readyz").json()["degraded"] is None, 60, "the return")
        load.wait_for_more()
    print(f"\nPostgres {how}: {load.n_answers()} answers, {load.n_failed()} failed")
    load.check()
