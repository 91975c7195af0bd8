"""HAProxy, configured as the README says, before two daemons under load: one that is stopped is
missed by nobody, one that is killed only by those whose requests it had."""

import contextlib
import csv
import os
import re
import shutil
import socket
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from conftest import ROOT, Daemon, wait_for
from load import Load
from test_soak import rounds
from test_systemd import project  # noqa: F401

HAPROXY = shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin")
pytestmark = pytest.mark.skipif(HAPROXY is None, reason="haproxy is not installed")

BODY = b'{"project": "seen", "features": {"a": 3}}'


def configuration(port, daemons):
    """The README's, at the addresses of this machine."""
    text = re.search(r"```haproxy\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[1]
    for name, daemon in daemons.items():
        text, n = re.subn(rf"(server {name}) \S+", rf"\1 {daemon.address}", text)
        assert n == 1
    text, n = re.subn(r"bind \S+", f"bind 127.0.0.1:{port}", text)
    assert n == 1
    return text


class Server:
    """A daemon that comes back at the same address: one of its own, which no connection on its way
    out can have taken meanwhile."""

    def __init__(self, db, folder, host):
        self.db, self.folder, self.address = db, folder, f"{host}:0"
        self.start()

    def start(self):
        self.daemon = Daemon(self.db, self.folder, "--role", "server", "--listen", self.address)
        self.address = f"{self.daemon.host}:{self.daemon.port}"
        self.daemon.wait_live("seen")

    def restart(self, number):
        code = self.daemon.stop(number)
        self.start()
        return code


class Proxy:
    def __init__(self, folder, servers):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.address = listening.getsockname()
        self.admin = folder / "admin"
        path = folder / "haproxy.cfg"
        path.write_text(f"global\n    stats socket {self.admin} level admin\n\n"
                        + configuration(self.address[1], servers))
        self.proc = subprocess.Popen([HAPROXY, "-db", "-f", path], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def tell(self, command):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.admin))
            connection.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def row(self, name):
        """What HAProxy counts of a server; of all as "BACKEND"."""
        rows = csv.DictReader(self.tell("show stat").removeprefix("# ").splitlines())
        return next(row for row in rows if row["pxname"] == "pgboost" and row["svname"] == name)

    def wait_up(self, *names):
        for name in names:
            wait_for(lambda: self.row(name)["status"] == "UP", 30, f"server {name} to be up")

    @contextlib.contextmanager
    def frozen(self):
        self.proc.send_signal(signal.SIGSTOP)
        yield
        self.proc.send_signal(signal.SIGCONT)

    def stop(self):
        self.proc.terminate()
        self.proc.wait(30)


@pytest.fixture
def servers(project, db, tmp_path):  # noqa: F811
    servers = {name: Server(db, tmp_path / name, host)
               for name, host in (("a", "127.0.0.2"), ("b", "127.0.0.3"))}
    yield servers
    for server in servers.values():
        if server.daemon.proc.poll() is None:
            server.daemon.stop()


@pytest.fixture
def proxy(servers):
    with tempfile.TemporaryDirectory(prefix="pgboost-proxy-", dir="/tmp") as folder:
        proxy = Proxy(Path(folder), servers)
        try:
            wait_for(lambda: proxy.admin.exists() and proxy.proc.poll() is None, what="HAProxy")
            proxy.wait_up("a", "b")
            yield proxy
        finally:
            proxy.stop()


def n_connections_to(daemon):
    """That are established, as the kernel has it."""
    address, port = socket.inet_aton(daemon.host)[::-1].hex().upper(), f"{daemon.port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2] == f"{address}:{port}" and row[3] == "01" for row in rows)


def wait_served_by(proxy, name):
    """It is up, and asked by clients."""
    proxy.wait_up("a", "b")
    n = int(proxy.row(name)["stot"])
    wait_for(lambda: int(proxy.row(name)["stot"]) > n + 20, 60, f"requests to {name}")


def test_a_stop_is_missed_by_nobody(proxy, servers):
    n = rounds(4, 100)
    with Load(proxy.address, BODY) as kept, Load(proxy.address, BODY, keep_alive=False) as fresh:
        for i in range(n):
            name = "ab"[i % 2]
            wait_served_by(proxy, name)
            assert servers[name].restart(signal.SIGTERM) == 0
        wait_served_by(proxy, name)
    all_of_them = proxy.row("BACKEND")
    print(f"\n{n} stops, {kept.n_answers() + fresh.n_answers()} answers,"
          f" {kept.n_failed() + fresh.n_failed()} failed; {all_of_them['wredis']} sent to the other")
    kept.check()
    fresh.check()


def test_a_kill_is_felt_by_those_it_served(proxy, servers):
    """HAProxy sends no request twice: as many fail at most as it had connections to the daemon."""
    n_failed = n_held = 0
    with Load(proxy.address, BODY, n_clients=8) as load:
        for i in range(rounds(4, 100)):
            name = "ab"[i % 2]
            wait_served_by(proxy, name)
            before = load.n_failed()
            with proxy.frozen():
                held = n_connections_to(servers[name].daemon)
                servers[name].daemon.stop(signal.SIGKILL)
            load.wait_for_more(200)
            failed = load.n_failed() - before
            assert failed <= held
            n_failed, n_held = n_failed + failed, n_held + held
            servers[name].start()
        wait_served_by(proxy, name)
    print(f"\n{i + 1} kills, {load.n_answers()} answers, {n_failed} failed,"
          f" of {n_held} connections that were cut")
    assert n_failed == load.n_failed(), "some failed while nobody was killed"
