"""pgboostd's life: start and its errors, signals, Postgres coming and going, workers that die."""

import os
import re
import signal
import socket
import subprocess
import time

import pytest
import requests

from conftest import BIN, Daemon, Database, wait_for
from test_http import add_project, padded


def run(db, state, *args, env=None):
    """pgboostd to its end: for starts that fail."""
    return subprocess.run(
        [BIN / "pgboostd", "--listen", "127.0.0.1:0", "--state-dir", str(state), *map(str, args)],
        env={**db.env, **(env or {})}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, timeout=60)


def assert_error(result, code, *texts):
    assert result.returncode == code, result.stderr
    assert result.stdout == ""
    for text in texts:
        assert text in result.stderr, result.stderr
    assert "hint: " in result.stderr


# Starts that fail --------------------------------------------------------------------------------


def test_unmigrated_catalog(cluster, tmp_path):
    database = Database(cluster)
    assert_error(run(database, tmp_path), 1, "no pgboost catalog", "pgboost migrate")
    database.connection.close()


def test_newer_catalog(catalog, tmp_path):
    catalog.sql("INSERT INTO pgboost.schema_migrations (source, name, sha256)"
                " VALUES ('pgboost', '9999_from_the_future.sql', 'x')")
    try:
        assert_error(run(catalog, tmp_path), 1, "newer")
    finally:
        catalog.sql("DELETE FROM pgboost.schema_migrations WHERE name LIKE '9999%'")


def test_server_down(catalog, tmp_path):
    assert_error(run(catalog, tmp_path, env={"PGHOST": str(tmp_path)}), 69, "cannot reach Postgres")


@pytest.mark.direct("pgbouncer gives each refusal the same SQLSTATE")
def test_unknown_database(catalog, tmp_path):
    result = run(catalog, tmp_path, env={"PGDATABASE": "nobody_has_this"})
    assert_error(result, 1, "nobody_has_this")


@pytest.mark.direct("pgbouncer gives each refusal the same SQLSTATE")
def test_wrong_password(catalog, tmp_path):
    rules = catalog.value("SHOW hba_file")
    before = open(rules).read()
    catalog.sql("CREATE ROLE guarded LOGIN PASSWORD 'right'")
    try:
        with open(rules, "w") as file:
            file.write("local all guarded scram-sha-256\n" + before)
        catalog.sql("SELECT pg_reload_conf()")

        def refused():
            result = run(catalog, tmp_path, env={"PGUSER": "guarded", "PGPASSWORD": "wrong-secret"})
            return result if "password" in result.stderr else None

        result = wait_for(refused, what="the new rules")
        assert_error(result, 1, "guarded")
        assert "wrong-secret" not in result.stderr
    finally:
        with open(rules, "w") as file:
            file.write(before)
        catalog.sql("SELECT pg_reload_conf()")
        catalog.sql("DROP ROLE guarded")


def test_port_in_use(catalog, tmp_path, daemon):
    result = run(catalog, tmp_path, "--listen", f"127.0.0.1:{daemon.port}")
    assert_error(result, 1, f"127.0.0.1:{daemon.port}", "Address already in use")


def test_state_dir_that_cannot_be(catalog, tmp_path):
    (tmp_path / "file").write_text("")
    result = run(catalog, tmp_path / "file" / "below")
    assert_error(result, 1, "file", "--state-dir")


def test_check_config(catalog, tmp_path):
    path = tmp_path / "pgboostd.conf"
    path.write_text("[pgboostd]\nthreads = 2\n")
    result = run(catalog, tmp_path, "--config", path, "--check-config")
    assert (result.returncode, result.stdout) == (0, "configuration is fine\n")
    path.write_text("[pgboostd]\nthreads = 2\nbody_limit = much\n")
    result = run(catalog, tmp_path, "--config", path, "--check-config")
    assert result.returncode == 78 and f"{path}" in result.stderr and "3" in result.stderr
    assert run(catalog, tmp_path, "--config", path).returncode == 78


@pytest.mark.parametrize("option, value", [
    ("listen", "unix:/" + 200 * "a"), ("worker", "/nowhere"), ("worker", "/etc"),
    ("worker", "/etc/passwd"), ("state-dir", "/etc/passwd")])
def test_check_config_of_what_cannot_be(catalog, tmp_path, option, value):
    result = run(catalog, tmp_path, f"--{option}", value, "--check-config")
    assert result.returncode == 78 and result.stdout == ""
    assert value in result.stderr or "107 bytes" in result.stderr


def test_help_and_version(catalog, tmp_path):
    text = run(catalog, tmp_path, "--help")
    assert text.returncode == 0 and "--state-dir" in text.stdout
    assert re.fullmatch(r"pgboostd \d+\.\d+\.\d+\n", run(catalog, tmp_path, "--version").stdout)
    assert run(catalog, tmp_path, "--nonsense").returncode == 2


def test_no_xgboost_in_the_daemon():
    linked = subprocess.run(["ldd", BIN / "pgboostd"], stdout=subprocess.PIPE, text=True).stdout
    assert "libpq" in linked and "xgboost" not in linked and "gomp" not in linked


# Signals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_on(catalog, daemon_factory, number):
    assert daemon_factory().stop(number) == 0


def hold_request(daemon, size=100):
    """A connection in the middle of a request's body, whose head has been read."""
    connection = socket.create_connection((daemon.host, daemon.port), timeout=10)
    head = (f"POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n"
            "Expect: 100-continue\r\n\r\n")
    connection.sendall(head.encode())
    assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sendall(padded(size)[:10])
    return connection


def refuses(daemon):
    try:
        socket.create_connection((daemon.host, daemon.port), timeout=1).close()
        return False
    except OSError:
        return True


def test_drain_answers_what_is_under_way(catalog, daemon_factory):
    daemon = daemon_factory()
    connection = hold_request(daemon)
    daemon.proc.send_signal(signal.SIGTERM)
    wait_for(lambda: refuses(daemon), what="the end of accepting")
    assert daemon.proc.poll() is None
    connection.sendall(padded(100)[10:])
    answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 404 ") and b"Connection: close" in answer
    connection.close()
    assert daemon.proc.wait(20) == 0


def test_second_sigterm_stops_at_once(catalog, daemon_factory):
    daemon = daemon_factory()
    connection = hold_request(daemon)
    daemon.proc.send_signal(signal.SIGTERM)
    wait_for(lambda: refuses(daemon), what="the end of accepting")
    assert daemon.proc.poll() is None
    daemon.proc.send_signal(signal.SIGTERM)
    assert daemon.proc.wait(20) == 128 + signal.SIGTERM  # one that drained would end with 0
    connection.close()


def test_reload(catalog, daemon_factory, tmp_path):
    path = tmp_path / "pgboostd.conf"
    path.write_text("body_limit = 4 KiB\n")
    daemon = daemon_factory("--config", str(path))

    def status_of(size):
        answer = daemon.session.post(daemon.url + "/predict", data=padded(size), timeout=10)
        return answer.status_code

    assert (status_of(4096), status_of(4097)) == (404, 413)
    path.write_text("body_limit = 8 KiB\nthreads = 3\n")
    daemon.proc.send_signal(signal.SIGHUP)
    wait_for(lambda: status_of(8192) == 404, what="the new limit")
    assert status_of(8193) == 413
    assert "option=threads" in daemon.log
    path.write_text("body_limit = much\n")
    daemon.proc.send_signal(signal.SIGHUP)
    wait_for(lambda: "the old ones stay" in daemon.log, what="the log of a bad file")
    assert (status_of(8192), status_of(8193)) == (404, 413)
    assert daemon.stop() == 0


def test_listens_on_ipv6(catalog, daemon_factory):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    daemon = daemon_factory("--listen", "[::1]:0")
    assert re.fullmatch(r"http://\[::1\]:\d+", daemon.url)
    assert daemon.get("/healthz").status_code == 200


# News from the catalog ---------------------------------------------------------------------------


@pytest.mark.direct("notifications do not pass it")
def test_notify_and_poll(catalog, daemon_factory):
    notified = daemon_factory("--poll", "60 s")
    polling = daemon_factory("--poll", "200 ms")
    add_project(catalog, "notified")
    for daemon in (notified, polling):
        wait_for(lambda: daemon.get("/projects/notified").status_code == 200, what="the news")
    catalog.sql("UPDATE pgboost.projects SET relation = 'public.other' WHERE name = 'notified'")
    wait_for(lambda: polling.get("/projects/notified").json()["relation"] == "public.other",
             what="the poll")
    assert notified.get("/projects/notified").json()["relation"] == "public.r"


def add_damaged_model(db, project):
    """A model row whose checksum is right and whose bytes are no model; live at once."""
    return db.value(
        "INSERT INTO pgboost.models (project_id, algorithm, hyperparams, metric, metrics, encoder,"
        " model, sha256, base_margin_bits, golden, xgboost_version, task, relation, target, split)"
        " SELECT id, 'xgboost', '{}', 'rmse', '{}', '{}', '\\x7b7d',"
        " encode(sha256('\\x7b7d'), 'hex'), 0, '{}', '0', task, relation, target, '{}'"
        " FROM pgboost.projects WHERE name = %s RETURNING id", project)


def test_damaged_model_is_not_served(catalog, daemon):
    add_project(catalog, "damaged")
    model_id = add_damaged_model(catalog, "damaged")
    catalog.sql("UPDATE pgboost.projects SET live_model_id = %s, deploy_version = 1"
                " WHERE name = 'damaged'", model_id)
    catalog.sql("NOTIFY pgboost, 'deploy'")

    def with_problem():
        found = daemon.get("/projects/damaged").json()
        return found if found.get("problem") else None

    item = wait_for(with_problem, what="the problem")
    assert item["live_model_id"] is None
    answer = daemon.post("/predict", {"project": "damaged", "features": {}})
    assert answer.status_code == 409 and item["problem"][:100] in answer.json()["detail"]
    assert daemon.get("/readyz").json()["problems"] == 1
    catalog.sql("NOTIFY pgboost, 'deploy'")
    add_project(catalog, "after_damaged")
    wait_for(lambda: daemon.get("/projects/after_damaged").status_code == 200, what="a refresh")
    assert daemon.log.count("model cannot go live") == 1


# Postgres away -----------------------------------------------------------------------------------


def control_pid(db):
    rows = db.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'pgboostd'"
                  " AND datname = current_database()")
    assert len(rows) == 1
    return rows[0][0]


@pytest.fixture
def alone(cluster, cli):
    """A database of its own, migrated, for a daemon that is the only one there."""
    database = Database(cluster)
    assert subprocess.run([BIN / "pgboost", "migrate"], env=database.env,
                          stdout=subprocess.DEVNULL).returncode == 0
    yield database
    database.connection.close()


@pytest.fixture
def sole(alone, tmp_path):
    daemon = Daemon(alone, tmp_path / "state", "--poll", "200 ms")
    yield daemon
    if daemon.proc.poll() is None:
        daemon.stop()


@pytest.mark.direct("the connection that is cut is its own")
def test_terminated_connection_comes_back(alone, sole):
    pid = control_pid(alone)
    alone.sql("SELECT pg_terminate_backend(%s)", pid)
    wait_for(lambda: "the catalog is back" in sole.log, what="the daemon's return")
    assert control_pid(alone) != pid
    assert sole.get("/readyz").json()["degraded"] is None
    add_project(alone, "later")
    wait_for(lambda: sole.get("/projects/later").status_code == 200, what="news")


@pytest.mark.direct("whose backends are everybody's")
@pytest.mark.alone
def test_frozen_backend_does_not_stop_answers(alone, sole):
    pid = control_pid(alone)
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(0.5)  # the control loop is in the middle of a statement now
        for _ in range(20):
            began = time.monotonic()
            assert sole.get("/projects").status_code == 200
            assert time.monotonic() - began < 10  # not the thirty seconds of the statement
    finally:
        os.kill(pid, signal.SIGCONT)
    assert sole.stop() == 0


def outages(daemon):
    """As many as the log has: one however long it is and in how many words Postgres is away."""
    return daemon.log.count("the catalog cannot be reached")


@pytest.mark.direct("a server that is away is a pooler that waits")
def test_postgres_stopped_and_started(cluster, db, alone, sole):
    add_project(alone, "steady")
    wait_for(lambda: sole.get("/projects/steady").status_code == 200, what="the project")
    cluster.stop()
    try:
        ready = wait_for(lambda: (found := sole.get("/readyz").json())["degraded"] and found,
                         what="the daemon to notice")
        assert ready["status"] == "degraded"
        assert sole.get("/readyz").status_code == 200
        assert sole.get("/projects/steady").status_code == 200
        assert sole.post("/predict", {"project": "steady", "features": {}}).status_code == 409
        wait_for(lambda: "cannot reach" in sole.get("/readyz").json()["degraded"],
                 what="a try after the connection was cut")
        time.sleep(1)  # several tries
        assert outages(sole) == 1
    finally:
        cluster.start()
        db.reconnect()
        alone.reconnect()
    wait_for(lambda: sole.get("/readyz").json()["degraded"] is None, what="the daemon's return")
    add_project(alone, "again")
    wait_for(lambda: sole.get("/projects/again").status_code == 200, what="news")
    assert outages(sole) == 1 and sole.log.count("the catalog is back") == 1
    assert sole.stop() == 0


@pytest.mark.direct("a server that is away is a pooler that waits")
def test_outage_of_another_kind(cluster, db, alone, sole):
    """Postgres is gone, comes back and refuses the daemon: two events, of one outage."""
    db.sql(f'ALTER DATABASE "{alone.name}" ALLOW_CONNECTIONS false')
    cluster.stop()
    try:
        wait_for(lambda: sole.get("/readyz").json()["degraded"], what="the daemon to notice")
    finally:
        cluster.start()
        db.reconnect()
    try:
        wait_for(lambda: "not currently accepting" in sole.get("/readyz").json()["degraded"],
                 what="the refusal")
        assert outages(sole) == 2
    finally:
        db.sql(f'ALTER DATABASE "{alone.name}" ALLOW_CONNECTIONS true')
        alone.reconnect()
    wait_for(lambda: sole.get("/readyz").json()["degraded"] is None, what="the daemon's return")
    assert outages(sole) == 2 and sole.log.count("the catalog is back") == 1


@pytest.mark.alone
def test_stops_while_postgres_is_away(cluster, db, alone, sole):
    cluster.stop()
    try:
        wait_for(lambda: sole.get("/readyz").json()["degraded"], what="the daemon to notice")
        began = time.monotonic()
        assert sole.stop() == 0
        assert time.monotonic() - began < 8
    finally:
        cluster.start()
        db.reconnect()
        alone.reconnect()


@pytest.mark.direct("whose backends are everybody's")
@pytest.mark.alone
def test_stops_while_postgres_is_frozen(alone, sole):
    """Each of its connections is in the middle of a statement."""

    def both():  # of the control loop, and of the one that counts rows
        pids = [pid for pid, in alone.sql(
            "SELECT pid FROM pg_stat_activity WHERE application_name ~ '^pgboostd'"
            " AND datname = current_database()")]
        return pids if len(pids) == 2 else None

    frozen = wait_for(both, what="its connections")
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(1)  # several polls
        began = time.monotonic()
        assert sole.stop() == 0
        assert time.monotonic() - began < 8
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)


def test_stops_while_it_starts(alone, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proc = subprocess.Popen(
            [BIN / "pgboostd", "--listen", "127.0.0.1:0", "--state-dir", tmp_path / "new",
             "--dsn", f"host=127.0.0.1 port={silent.getsockname()[1]} user=nobody"],
            env=alone.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)
        client, _ = silent.accept()  # which hears nothing
        proc.terminate()
        out, err = proc.communicate(timeout=30)
    client.close()
    assert proc.returncode == 0 and out == "" and "stopped while it started" in err, err


# Workers -----------------------------------------------------------------------------------------

CLAIM = """#!/bin/sh
# --run ID --name NAME, as pgboostd calls it: claims the run, then does as the test says
echo $$ >> "$PGBOOST_STATE_DIR/pids"
psql -qX -c "UPDATE pgboost.runs SET status = 'running', worker = '$4', attempts = attempts + 1,
    lease_epoch = lease_epoch + 1, lease_until = now() + interval '30 s', started_at = now()
    WHERE id = $2 AND status = 'queued'"
"""


@pytest.fixture
def trainer(alone, tmp_path):
    """Starts a daemon whose worker is a shell script, and queues a run."""
    daemons = []

    def start(script, *args):
        worker = tmp_path / "worker"
        worker.write_text(CLAIM + script)
        worker.chmod(0o755)
        daemon = Daemon(alone, tmp_path / "state", "--poll", "200 ms", "--worker", str(worker),
                        *args)
        daemons.append(daemon)
        add_project(alone, "p")
        run_id = alone.value("INSERT INTO pgboost.runs (project_id, trigger, definition)"
                             " SELECT id, 'manual', '{}' FROM pgboost.projects RETURNING id")
        alone.sql("NOTIFY pgboost, 'run'")
        return daemon, run_id

    yield start
    for daemon in daemons:
        if daemon.proc.poll() is None:
            daemon.stop()


def test_workers_log_as_the_daemon_does(alone, trainer, tmp_path):
    """Also after a reload."""
    config, seen = tmp_path / "pgboostd.conf", tmp_path / "seen"
    config.write_text("")
    daemon, _ = trainer(f'echo "$PGBOOST_LOG_FORMAT $PGBOOST_LOG_LEVEL" >> {seen}\n'
                             'exec sleep 0.1\n', "--config", str(config))
    wait_for(seen.exists, what="a worker")
    config.write_text("log_format = json\nlog_level = warning\n")
    daemon.proc.send_signal(signal.SIGHUP)
    wait_for(lambda: "an option changed" in daemon.log, what="the reload")
    add_project(alone, "q")
    alone.sql("INSERT INTO pgboost.runs (project_id, trigger, definition)"
              " SELECT id, 'manual', '{}' FROM pgboost.projects WHERE name = 'q'")
    wait_for(lambda: seen.read_text().splitlines()[-1] == "json warning", what="another worker")
    assert seen.read_text().splitlines()[0] == "logfmt info"


def status_of(db, run_id):
    return db.value("SELECT status FROM pgboost.runs WHERE id = %s", run_id)


def test_dying_workers_fail_the_run(alone, trainer, tmp_path):
    daemon, run_id = trainer("kill -9 $$\n")
    wait_for(lambda: status_of(alone, run_id) == "failed", 30, "the run to fail")
    attempts, error = alone.sql("SELECT attempts, error FROM pgboost.runs")[0]
    assert attempts == 3
    assert "killed by signal 9 (SIGKILL)" in error
    assert len((tmp_path / "state/pids").read_text().split()) == 3
    assert daemon.get("/healthz").status_code == 200


def test_stop_hands_the_run_back(alone, trainer):
    daemon, run_id = trainer("exec sleep 60\n")
    wait_for(lambda: status_of(alone, run_id) == "running", what="the claim")
    assert daemon.stop() == 0
    assert status_of(alone, run_id) == "queued"


def test_stop_kills_a_deaf_worker(alone, trainer, tmp_path):
    daemon, run_id = trainer("trap '' TERM\nsleep 60\n")
    wait_for(lambda: status_of(alone, run_id) == "running", what="the claim")
    assert daemon.stop() == 0
    assert status_of(alone, run_id) == "queued"
    pid = int((tmp_path / "state/pids").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_one_worker_a_run(alone, trainer, tmp_path):
    """A slow claim leaves the run queued: no second worker is started for it."""
    daemon, run_id = trainer("psql -qX -c \"UPDATE pgboost.runs SET status = 'succeeded',"
                             " finished_at = now() WHERE id = $2\"\n", "--workers", "3")
    wait_for(lambda: status_of(alone, run_id) == "succeeded", what="the run")
    wait_for(lambda: "worker ended" in daemon.log, what="the worker's end")
    assert len((tmp_path / "state/pids").read_text().split()) == 1


def test_server_role_starts_no_worker(alone, trainer, tmp_path):
    daemon, run_id = trainer("exit 0\n", "--role", "server")
    wait_for(lambda: daemon.get("/projects/p").status_code == 200, what="the project")
    time.sleep(0.5)  # two polls
    assert status_of(alone, run_id) == "queued"
    assert not (tmp_path / "state/pids").exists()


def test_trainer_role_does_not_predict(alone, trainer):
    daemon, run_id = trainer("psql -qX -c \"UPDATE pgboost.runs SET status = 'succeeded',"
                             " finished_at = now() WHERE id = $2\"\n", "--role", "trainer")
    answer = daemon.post("/predict", {"project": "p", "features": {}})
    assert answer.status_code == 404 and "role is trainer" in answer.json()["detail"]
    assert daemon.get("/healthz").status_code == 200
    wait_for(lambda: status_of(alone, run_id) == "succeeded", what="the run")


def test_memory_is_limited_and_told(alone, trainer):
    """What a worker asks for beyond its limit it does not get; its end says how much it had."""
    script = "exec /usr/bin/python3 -c 'bytearray({} << 20); import os; os.kill(os.getpid(), 9)'\n"
    daemon, run_id = trainer(script.format(300), "--worker-memory", "200 MiB")
    wait_for(lambda: status_of(alone, run_id) == "failed", 30, "the run to fail")
    assert "MemoryError" in daemon.log
    assert "worker exited with status 1 at " in alone.value("SELECT error FROM pgboost.runs")


def test_a_kill_says_how_much_memory_there_was(alone, trainer):
    daemon, run_id = trainer("exec /usr/bin/python3 -c"
                             " 'bytearray(300 << 20); import os; os.kill(os.getpid(), 9)'\n")
    wait_for(lambda: status_of(alone, run_id) == "failed", 30, "the run to fail")
    error = alone.value("SELECT error FROM pgboost.runs")
    mib = int(re.search(r"SIGKILL\) at (\d+) MiB; the system kills so", error)[1])
    assert 300 <= mib < 400


def test_missing_worker_is_said_and_survived(alone, trainer):
    daemon, run_id = trainer("", "--worker", "/nonexistent/worker")
    wait_for(lambda: "/nonexistent/worker" in daemon.log, what="the log")
    assert status_of(alone, run_id) == "queued"
    assert requests.get(daemon.url + "/healthz", timeout=10).status_code == 200
    assert daemon.log.count("cannot start the worker") <= 3
