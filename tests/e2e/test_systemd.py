"""What systemd and the daemon tell each other; the unit files."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from conftest import BIN, ROOT

UNITS = ROOT / "packaging/systemd"


@pytest.fixture(scope="module")
def project(catalog, cli, tmp_path_factory):
    catalog.sql("CREATE TABLE public.seen AS SELECT id, id % 7 AS a, (id % 7) * 2.0 AS y"
                " FROM generate_series(1, 200) AS id")
    path = tmp_path_factory.mktemp("seen") / "seen.json"
    path.write_text(json.dumps({
        "project": "seen", "relation": "public.seen", "target": "y", "key": ["id"],
        "search": {"strategy": "none"}, "hyperparams": {"n_estimators": 2}}))
    cli.ok("apply", path)
    cli.ok("train", "seen", "--here")


def test_notifications(project, daemon_factory, tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(path))
        ear.settimeout(30)
        began = time.monotonic()
        heard = lambda: ear.recv(1000).decode().split("\n")
        daemon = daemon_factory("--role", "server", env={
            "NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "400000"})

        def next_but_watchdog():
            while (state := heard()) == ["WATCHDOG=1"]:
                pass
            return state

        assert next_but_watchdog() == ["READY=1", f"STATUS=listening on {daemon.url}"]
        for _ in range(20):
            assert heard() == ["WATCHDOG=1"]
        assert time.monotonic() - began > 1.8  # four in a period of 400 ms, not all the time
        os.kill(daemon.proc.pid, signal.SIGHUP)
        reloading = next_but_watchdog()
        assert reloading[0] == "RELOADING=1"
        assert re.fullmatch(r"MONOTONIC_USEC=\d+", reloading[1])
        assert next_but_watchdog() == ["READY=1"]
        os.kill(daemon.proc.pid, signal.SIGTERM)
        assert next_but_watchdog()[0] == "STOPPING=1"
        assert daemon.proc.wait(30) == 0


@pytest.fixture(scope="module")
def units(tmp_path_factory):
    """The units as they are installed; templates with an instance."""
    folder = tmp_path_factory.mktemp("units")
    for source in UNITS.iterdir():
        name = source.name.replace("@.", "@seen.")
        (folder / name).write_text(source.read_text().replace("@bindir@", str(BIN)))
    return folder


SERVICES = sorted(p.name for p in UNITS.glob("*.service"))
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None,
                                   reason="systemd-analyze is not installed")


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_exposure(units, name):
    path = units / name.replace("@.", "@seen.")
    # The threshold is in tenths: the exit status says whether the exposure is above it.
    result = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=15",
                             path],
                            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert result.returncode == 0, result.stdout
    exposure = re.search(r"Overall exposure level for .*: ([\d.]+)", result.stdout).group(1)
    assert float(exposure) <= 1.5


@pytest.mark.parametrize("name", SERVICES)
def test_every_directive_is_explained(name):
    """Each directive stands below a comment, or in a group that begins with one."""
    explained = False
    section = None
    for line in (UNITS / name).read_text().splitlines():
        if line.startswith("["):
            section = line
        explained = line.startswith("#") or (explained and line != "")
        if "=" in line and not line.startswith("#") and section == "[Service]":
            plain = line.split("=")[0] in {"Type", "User", "Group", "ExecStart", "Restart"}
            assert explained or plain, line


@needs_systemd
def test_units_are_sound(units):
    """What systemd would say when it loads them: nothing."""
    files = sorted(path for path in units.iterdir())
    result = subprocess.run(["systemd-analyze", "verify", "--man=no", *files], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    ours = [line for line in result.stdout.splitlines() if "pgboost" in line]
    assert ours == []
