"""A pgbouncer in transaction mode, before a server that listens in a Unix socket's folder."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg2

PORT = "6432"  # of a Unix socket: it names a file alone


class Pooler:
    """Runs until stop(), with at most `size` sessions of Postgres for each database and user,
    which end when nobody has used them for so long;
    `address` is where to find it."""

    def __init__(self, server_env, size, idle_s=600):
        # none of pytest's folders, which are for this user alone
        self.folder = Path(tempfile.mkdtemp(prefix="pgboost-pooler-", dir="/tmp"))
        self.address = {"PGHOST": str(self.folder), "PGPORT": PORT}
        self.user = server_env["PGUSER"]
        owner = pwd.getpwuid(os.stat(server_env["PGHOST"]).st_uid)
        (self.folder / "users").write_text(f'"{self.user}" ""\n')
        (self.folder / "pgbouncer.ini").write_text(f"""
            [databases]
            * = host={server_env['PGHOST']} port={server_env['PGPORT']}
            [pgbouncer]
            listen_port = {PORT}
            unix_socket_dir = {self.folder}
            auth_type = trust
            auth_file = {self.folder}/users
            auth_user = {self.user}
            pool_mode = transaction
            default_pool_size = {size}
            server_idle_timeout = {idle_s}
            max_client_conn = 1000
            server_login_retry = 0.2
            """.replace("\n            ", "\n"))
        for path in [self.folder, *self.folder.iterdir()]:
            shutil.chown(path, owner.pw_uid)
        as_owner = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}",
                    "--init-groups"]
        self.proc = subprocess.Popen(
            [*(as_owner if os.geteuid() != owner.pw_uid else []),
             shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin"), "-q",
             self.folder / "pgbouncer.ini"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not self.answers():
            assert time.monotonic() < deadline, "pgbouncer does not answer"
            time.sleep(0.02)

    def dsn(self, database):
        return (f"host={self.folder} port={PORT} user={self.user} dbname={database}")

    def answers(self):
        try:
            psycopg2.connect(self.dsn("postgres")).close()
            return True
        except psycopg2.OperationalError:
            return False

    def stop(self):
        self.proc.terminate()
        self.proc.wait(10)
        shutil.rmtree(self.folder)
