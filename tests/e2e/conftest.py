"""Real Postgres, real programs: a private cluster for the session, a fresh database a module.

`BUILD` names the build folder (make sets it). Tests poll with a deadline and never sleep blindly.
With --pooler the programs reach Postgres through a pgbouncer in transaction mode, the tests' own
statements directly; what cannot be so behind one is marked `direct` and left out.
pytest-xdist gives each of its workers whole files, and so a cluster of its own; a test that
measures time is marked `alone`, and no other runs beside it.
"""

import contextlib
import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import psycopg2
import pytest
import requests

from pooler import Pooler

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("BUILD", ROOT / "build")).resolve() / "bin"

# The files that take longest, in the order in which they start: none is left to run alone at the
# end.
LONG_FIRST = ("test_demo", "test_algorithms", "test_soak", "test_calibration", "test_cli",
              "test_reference_encoder", "test_spill", "test_sql", "test_export", "test_evaluate",
              "test_daemon", "test_bench_serve", "test_search", "test_bench_search")


def pytest_addoption(parser):
    parser.addoption("--pooler", action="store_true",
                     help="put a pgbouncer in transaction mode between the programs and Postgres")


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: measures time; no other test runs beside it")
    config.addinivalue_line("markers", "direct: of what does not pass a pooler, or is not behind one")
    Cluster.pooled = config.getoption("--pooler")
    # Threads of OpenMP that wait for each other in a loop take the processor from other tests.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--pooler"):
        for item in items:
            if mark := item.get_closest_marker("direct"):
                item.add_marker(pytest.mark.skip(reason=mark.args[0]))

    def place(item):
        name = item.path.stem
        return LONG_FIRST.index(name) if name in LONG_FIRST else len(LONG_FIRST)

    items.sort(key=place)


def heard_only():
    """For a daemon that asks for nothing as long as a test waits, but hears of it; where it cannot
    hear, it asks."""
    return "--poll", "200 ms" if Cluster.pooled else "60 s"


@contextlib.contextmanager
def file_lock(path, how):
    """Held until the end of the block, or of the process."""
    with open(path, "w") as file:
        fcntl.flock(file, how)
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """Tests beside each other share a lock, and one that is marked `alone` has it for itself. All
    pass the gate to it, so that who waits for the lock at the gate waits for those inside only."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    alone = item.get_closest_marker("alone")
    folder = item.config._tmp_path_factory.getbasetemp().parent  # of all workers
    with contextlib.ExitStack() as inside:
        with file_lock(folder / "gate", fcntl.LOCK_EX):
            inside.enter_context(
                file_lock(folder / "room", fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
        yield


def wait_for(condition, seconds=30, what="condition"):
    """The first true value of condition(); fails the test after a deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)


class Cluster:
    """A cluster of its own by scripts/cluster, in a folder that is removed afterwards, and a
    pgbouncer before it where the tests run with one. `env` is the server's; `public_address` says
    where the programs find it instead."""

    pooled = False

    def __init__(self):
        self.dir = Path(tempfile.mkdtemp(prefix="pgboost-e2e-", dir="/tmp"))
        self.dir.chmod(0o755)
        self.run("start")
        words = shlex.split(self.run("env"))
        self.env = dict(word.split("=", 1) for word in words if "=" in word)
        # each module has a database of its own: its sessions do not stay
        self.pooler = Pooler(self.env, size=20, idle_s=10) if self.pooled else None
        self.public_address = self.pooler.address if self.pooler else {}

    def run(self, verb, *args):
        return subprocess.run(
            [ROOT / "scripts/cluster", verb, self.dir / "pg", *args],
            check=True, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
        ).stdout

    def stop(self):
        self.run("stop")

    def start(self):
        self.run("start")

    def remove(self):
        if self.pooler:
            self.pooler.stop()
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def connect(self, database="postgres"):
        connection = psycopg2.connect(
            host=self.env["PGHOST"], port=self.env["PGPORT"], user=self.env["PGUSER"],
            dbname=database,
        )
        connection.autocommit = True
        return connection


class Database:
    """Another encoding than the cluster's goes with the locale C alone."""

    def __init__(self, cluster, encoding="UTF8"):
        self.cluster = cluster
        self.name = "t_" + uuid.uuid4().hex[:12]
        locale = "" if encoding == "UTF8" else "LOCALE 'C'"
        with_server = cluster.connect()
        with_server.cursor().execute(
            f"CREATE DATABASE {self.name} ENCODING '{encoding}' {locale} TEMPLATE template0")
        with_server.close()
        self.direct_env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("PG", "PGBOOST_"))},
            **cluster.env, "PGDATABASE": self.name,
        }
        self.env = {**self.direct_env, **cluster.public_address}
        self.dsn = (
            f"host={self.env['PGHOST']} port={self.env['PGPORT']}"
            f" user={self.env['PGUSER']} dbname={self.name}"
        )
        self.connection = cluster.connect(self.name)

    def reconnect(self):
        self.connection = self.cluster.connect(self.name)

    def sql(self, query, *params):
        """Rows as tuples; [] for statements without rows."""
        with self.connection.cursor() as cursor:
            cursor.execute(query, params or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, query, *params):
        return self.sql(query, *params)[0][0]


class Cli:
    def __init__(self, db):
        self.db = db

    def __call__(self, *args, env=None, input=None, timeout=120, program="pgboost"):
        result = subprocess.run(
            [BIN / program, *map(str, args)], env={**self.db.env, **(env or {})}, text=True,
            input=input, stdin=subprocess.DEVNULL if input is None else None,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
        )
        result.out, result.err, result.code = result.stdout, result.stderr, result.returncode
        return result

    def ok(self, *args, **options):
        result = self(*args, **options)
        assert result.code == 0, f"pgboost {' '.join(map(str, args))}\n{result.out}\n{result.err}"
        return result

    def json(self, *args, **options):
        return json.loads(self.ok(*args, "--json", **options).out)


class Daemon:
    """pgboostd on a free port; `shell` runs before it, in its process."""

    def __init__(self, db, state_dir, *args, env=None, scheme="http", shell=":"):
        self.log_path = Path(state_dir) / "pgboostd.log"
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        self.log_file = open(self.log_path, "w")
        self.proc = subprocess.Popen(
            ["sh", "-c", f'{shell}; exec "$0" "$@"', BIN / "pgboostd", "--listen", "127.0.0.1:0",
             "--state-dir", str(state_dir), *args],
            env={**db.env, **(env or {})}, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=self.log_file,
        )
        first = self.proc.stdout.readline()
        assert first.startswith(f"listening on {scheme}://"), f"{first!r}\n{self.log}"
        self.url = first.split()[-1]
        self.host, port = self.url.removeprefix(f"{scheme}://").rsplit(":", 1)
        self.port = int(port)
        self.session = requests.Session()

    @property
    def log(self):
        return self.log_path.read_text()

    def get(self, path, **options):
        return self.session.get(self.url + path, timeout=30, **options)

    def post(self, path, body, **options):
        return self.session.post(self.url + path, json=body, timeout=60, **options)

    def predict(self, project, features, **members):
        answer = self.post("/predict", {"project": project, "features": features, **members})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait_live(self, project, model_id=None, seconds=30):
        """Waits until the project's live model (this one, when given) answers."""

        def live():
            answer = self.get("/projects/" + requests.utils.quote(project, safe=""))
            if answer.status_code != 200:
                return None
            item = answer.json()
            found = item.get("live_model_id")
            return item if found and (model_id is None or found == model_id) else None

        return wait_for(live, seconds, f"a live model of {project}")

    def stop(self, sig=signal.SIGTERM):
        if self.proc.poll() is None:
            self.proc.send_signal(sig)
        try:
            code = self.proc.wait(60)
        finally:
            if self.proc.poll() is None:
                self.proc.kill()
                self.proc.wait()
            self.proc.stdout.close()
            self.log_file.close()
        return code


@pytest.fixture(scope="session")
def cluster():
    cluster = Cluster()
    yield cluster
    cluster.remove()


@pytest.fixture(scope="module")
def db(cluster):
    """A fresh database of the module, without a catalog."""
    database = Database(cluster)
    yield database
    database.connection.close()


@pytest.fixture(scope="module")
def catalog(db):
    """The same database, migrated."""
    Cli(db).ok("migrate")
    return db


@pytest.fixture(scope="module")
def cli(db):
    return Cli(db)


@pytest.fixture(scope="module")
def daemon_factory(db, tmp_path_factory):
    daemons = []

    def start(*args, env=None, state_dir=None):
        daemon = Daemon(db, state_dir or tmp_path_factory.mktemp("state"), *args, env=env)
        daemons.append(daemon)
        return daemon

    yield start
    for daemon in daemons:
        if daemon.proc.poll() is None:
            daemon.stop()


@pytest.fixture(scope="module")
def daemon(catalog, daemon_factory):
    """pgboostd on the module's migrated database."""
    return daemon_factory("--lookup-timeout", "60 s")  # a busy machine is no broken one


@pytest.fixture
def definition(tmp_path):
    """Writes a definition and gives its path."""

    def write(**keys):
        path = tmp_path / f"{uuid.uuid4().hex[:8]}.json"
        path.write_text(json.dumps(keys))
        return path

    return write
