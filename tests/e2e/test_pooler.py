"""Behind pgbouncer in transaction mode: nothing is set for a session or heard by one, and what
others have set for theirs changes nothing."""

import contextlib
import subprocess

import psycopg2
import pytest

from conftest import BIN, Cli, Daemon, Database, wait_for
from pooler import Pooler

POOL = 4
# what pgboost sets for the sessions that are its own
SETTINGS = ["search_path", "DateStyle", "IntervalStyle", "TimeZone", "extra_float_digits",
            "statement_timeout", "default_transaction_read_only", "role"]
RUDE = ["SET search_path = nowhere", "SET DateStyle = 'German'",
        "SET IntervalStyle = 'sql_standard'",
        "SET extra_float_digits = -10", "SET default_transaction_read_only = on"]


class Pooled:
    """A database through a pgbouncer of its own; sql() goes directly."""

    def __init__(self, database):
        self.pooler = Pooler(database.cluster.env, POOL)
        self.env = {**database.direct_env, **self.pooler.address}
        self.dsn = self.pooler.dsn(database.name)
        self.direct, self.sql, self.value = database, database.sql, database.value

    def on_all_sessions(self, *statements):
        """Runs them in every session of the pool, all at the same time; the last one's rows."""
        clients, rows = [psycopg2.connect(self.dsn) for _ in range(POOL)], []
        for client in clients:
            with client.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                rows.append(cursor.fetchall() if cursor.description else [])
        for client in clients:
            client.commit()
            client.close()
        return rows

    def sessions(self):
        shown = ", ".join(f"current_setting('{name}')" for name in SETTINGS)
        return self.on_all_sessions(f"SELECT {shown}, ARRAY(SELECT pg_listening_channels())")


@pytest.fixture
def pooled(cluster):
    database = Database(cluster)
    pooled = Pooled(database)
    yield pooled
    pooled.pooler.stop()
    database.connection.close()


def make_table(db):
    db.sql("CREATE TABLE public.t AS SELECT i AS id, sin(i * 12.9898) AS x,"
           " 2 * sin(i * 12.9898) + 0.1 * sin(i * 4.1414) AS y,"
           " timestamp '2020-01-01' + i * interval '1 hour' AS at, i * interval '1 minute' AS took"
           " FROM generate_series(1, 500) i")


def define(db, definition):
    make_table(db)
    return definition(project="p", relation="t", target="y", key=["id"],
                      search={"strategy": "none"},
                      hyperparams={"n_estimators": 20}, deploy="always", threads=1)


def model(db, run_id):
    return db.sql("SELECT id, sha256 FROM pgboost.models WHERE run_id = %s", run_id)


def run_of(result):
    return int(result.out.split()[-1])


@pytest.fixture
def start(tmp_path):
    with contextlib.ExitStack() as stack:
        def one(db):
            daemon = Daemon(db, tmp_path / "state", "--lookup-timeout", "60 s",
                            "--lookup-pool-size", "1")
            stack.callback(daemon.stop)
            return daemon
        yield one


def test_pooled(pooled, definition, start, tmp_path):
    cli, before = Cli(pooled), pooled.sessions()
    folder = tmp_path / "views"
    folder.mkdir()
    (folder / "0001_view.sql").write_text("CREATE VIEW v AS SELECT * FROM t")
    path = define(pooled, definition)
    cli.ok("migrate", folder)
    cli.ok("apply", path)
    daemon = start(pooled)
    assert "behind a pooler" in daemon.log
    run_id = run_of(cli.ok("train", "p", "--no-wait"))
    (first, _), = wait_for(lambda: model(pooled, run_id), 30, "a model")
    daemon.wait_live("p", first)
    assert daemon.predict("p", {"x": 0.5})["model_id"] == first
    x = pooled.value("SELECT x FROM t WHERE id = 3")
    ask = {"project": "p", "key": 3, "features": {"at": None, "took": None}}
    by_key = daemon.post("/predict", ask)
    assert by_key.json()["prediction"] == daemon.predict("p", {"x": x})["prediction"], by_key.text
    # which a prepared statement would tell
    pooled.sql("DROP VIEW v; ALTER TABLE t ALTER x TYPE bigint")
    by_key = daemon.post("/predict", ask)
    assert by_key.status_code == 409 and "is of type bigint" in by_key.text, by_key.text
    pooled.sql("DROP TABLE t")
    make_table(pooled)
    cli.ok("show", "p"), cli.ok("check")
    # found by polling, and a wish to cancel by the heartbeat
    run_id = pooled.value("SELECT pgboost.train('p')")
    (second, _), = wait_for(lambda: model(pooled, run_id), 30, "a second model")
    daemon.wait_live("p", second)
    assert pooled.value("SELECT model_id FROM pgboost.deploy('p', 'rollback')") == first
    daemon.wait_live("p", first)
    pooled.sql("""SELECT pgboost.train('p', hyperparams =>
                  '{"n_estimators": 100000, "eta": 0.00001, "early_stopping_rounds": 100000}')""")
    wait_for(lambda: pooled.sql("SELECT id FROM pgboost.runs WHERE status = 'running'"
                                " AND progress IS NOT NULL"), 30, "a run to cancel")
    cli.ok("cancel", pooled.value("SELECT max(id) FROM pgboost.runs"))
    wait_for(lambda: pooled.value("SELECT status FROM pgboost.runs ORDER BY id DESC LIMIT 1")
             == "cancelled", 30, "the run to end")
    assert daemon.stop() == 0
    assert "WARN" not in daemon.log and "ERROR" not in daemon.log, daemon.log
    assert pooled.sessions() == before


def test_rude_neighbours(pooled, definition, tmp_path):
    """What others have set for the sessions of the pool: the same model as without."""
    direct, path = Cli(pooled.direct), define(pooled, definition)
    direct.ok("migrate")
    direct.ok("apply", path)
    runs = []
    for db in (pooled.direct, pooled):
        if db is pooled:
            pooled.on_all_sessions(*RUDE)
            assert {rows[0][0] for rows in pooled.sessions()} == {"nowhere"}
        runs.append(run_of(Cli(db).ok("train", "p", "--no-wait")))
        worker = subprocess.run([BIN / "pgboost-worker", "--run", str(runs[-1]), "--threads", "1"],
                                env=db.env, stderr=subprocess.PIPE, text=True, timeout=60)
        assert worker.returncode == 0, worker.stderr
    (_, one), = model(pooled, runs[0])
    (_, other), = model(pooled, runs[1])
    assert one == other
    assert {rows[0][0] for rows in pooled.sessions()} == {"nowhere"}
