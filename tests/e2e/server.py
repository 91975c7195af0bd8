"""What is done to a Postgres server: it is frozen, it is replicated."""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path


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

    def __init__(self, data):
        self.data = Path(data)
        self.pids = []

    def send(self, pids, sent):
        for pid in pids:
            with suppress(ProcessLookupError):  # it has ended
                os.kill(pid, sent)

    def __enter__(self):
        self.send(processes(self.data)[:1], signal.SIGSTOP)  # which starts the others
        self.pids = processes(self.data)
        self.send(self.pids, signal.SIGSTOP)

    def __exit__(self, *_):
        self.send(self.pids, signal.SIGCONT)


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

    def start(self, *settings):
        options = [f"unix_socket_directories='{self.home}'", "listen_addresses=''", *settings]
        self.run(self.bin / "pg_ctl", "start", "-w", "-s", "-D", self.home / "data", "-l",
                 self.home / "log", "-o", " ".join(f"-c {option}" for option in options))

    def promote(self):
        self.run(self.bin / "pg_ctl", "promote", "-w", "-s", "-D", self.home / "data")

    def stop(self, how):
        self.run(self.bin / "pg_ctl", "stop", "-w", "-s", "-m", how, "-D", self.home / "data")

    def remove(self):
        self.stop("immediate")
        shutil.rmtree(self.home)
