"""A newer version migrates the catalog while this one serves: it goes on, or says why it cannot."""

import json
import subprocess
import threading

import pytest
import requests

from conftest import BIN, ROOT, Cli, wait_for

NEWEST = max(path.name for path in (ROOT / "migrations").glob("*.sql"))[:4]
INSERT = ("INSERT INTO pgboost.schema_migrations (source, name, sha256, oldest_program)"
          " VALUES ('pgboost', %s, 'x', %s)")


@pytest.fixture(scope="module")
def served(catalog, cli, daemon_factory, tmp_path_factory):
    catalog.sql("CREATE TABLE public.seen AS SELECT id, id % 7 AS a, (id % 7) * 2.0 AS y"
                " FROM generate_series(1, 200) AS id")
    path = tmp_path_factory.mktemp("seen") / "seen.json"
    path.write_text(json.dumps({
        "project": "seen", "relation": "public.seen", "target": "y", "key": ["id"],
        "search": {"strategy": "none"}, "hyperparams": {"n_estimators": 2}}))
    cli.ok("apply", path)
    cli.ok("train", "seen", "--here")
    daemon = daemon_factory("--poll", "200 ms")
    daemon.wait_live("seen")
    return daemon


def cut(db):
    """Every connection of daemons and workers: what comes next looks at the catalog anew."""
    db.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
           " WHERE datname = current_database() AND application_name LIKE 'pgboost%%'")


def test_a_migration_that_lets_older_programs_go_on(catalog, cli, served, daemon_factory):
    answers, over = [], threading.Event()

    def ask():
        with requests.Session() as session:
            while not over.is_set():
                answers.append(session.post(served.url + "/predict", timeout=30, json={
                    "project": "seen", "features": {"a": 5}}).status_code)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        catalog.sql("ALTER TABLE pgboost.models ADD COLUMN future integer")
        catalog.sql("ALTER TABLE pgboost.runs ADD COLUMN future text DEFAULT 'x' NOT NULL")
        catalog.sql(INSERT, "9998_add_future.sql", NEWEST)
        cut(catalog)
        run_id = wait_for(lambda: served.post("/projects/seen/train", {}).json().get("run_id"),
                          what="a run to be queued")
        wait_for(lambda: served.get(f"/runs/{run_id}").json()["status"] == "succeeded", 60,
                 "the run")
        wait_for(lambda: served.get("/readyz").json()["degraded"] is None,
                 what="the daemon's return")
        assert daemon_factory("--role", "server").get("/readyz").json()["models"] == 1
        assert "seen" in cli.ok("projects").out
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert len(answers) > 50 and set(answers) == {200}
    # It is not this program's to migrate further.
    refused = cli("migrate")
    assert refused.code == 1 and '"9998_add_future.sql"' in refused.err


@pytest.mark.parametrize("oldest", [None, "9999"])
def test_a_migration_that_does_not(catalog, cli, served, tmp_path, oldest):
    text = 'the catalog is newer than this program: it has "9999_break.sql"'
    catalog.sql(INSERT, "9999_break.sql", oldest)
    try:
        wait_for(lambda: served.get("/readyz").json()["degraded"] == text,
                 what="the daemon to notice")
        assert served.predict("seen", {"a": 5})["prediction"] > 0
        train = served.post("/projects/seen/train", {})
        assert train.status_code == 409 and text in train.json()["detail"]
        assert "upgrade it to the version that migrated the catalog" in train.json()["detail"]
        start = subprocess.run([BIN / "pgboostd", "--listen", "127.0.0.1:0", "--state-dir",
                                tmp_path],
                               env=catalog.env, stdin=subprocess.DEVNULL, text=True, timeout=60,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        worker = Cli(catalog)(program="pgboost-worker")
        listing = cli("projects")
        for result in (start, worker, listing):
            assert result.returncode == 1, result.stderr
            assert text in result.stderr.replace('\\"', '"'), result.stderr
    finally:
        catalog.sql("DELETE FROM pgboost.schema_migrations WHERE name = '9999_break.sql'")
    wait_for(lambda: served.get("/readyz").json()["degraded"] is None, what="the daemon's return")


def test_every_migration_says_what_it_can(catalog):
    """What a file's first line says is what the catalog remembers of it."""
    for path in sorted((ROOT / "migrations").glob("*.sql")):
        first = path.read_text().split("\n")[0]
        said = first.removeprefix("-- oldest program: ") if "oldest program: " in first else None
        assert catalog.value("SELECT oldest_program FROM pgboost.schema_migrations WHERE name = %s",
                             path.name) == said


def test_a_newer_program_before_the_migration(catalog, cli, served, daemon_factory, tmp_path):
    """It serves the models that it has in files, if any, until the catalog is migrated."""
    folder = tmp_path / "state"
    daemon = daemon_factory("--role", "server", state_dir=folder)
    expected = daemon.predict("seen", {"a": 5})
    wait_for(lambda: list(folder.glob("live-*/live")), what="the cache")
    assert daemon.stop() == 0 and served.stop() == 0
    catalog.sql("DELETE FROM pgboost.schema_migrations WHERE name > '0009'")
    catalog.sql("ALTER TABLE pgboost.schema_migrations DROP COLUMN oldest_program")
    text = 'the catalog is older than this program: it lacks "0009_'
    daemon = daemon_factory("--poll", "200 ms", state_dir=folder)
    degraded = daemon.get("/readyz").json()["degraded"]
    assert degraded.startswith("serving the models of 20") and text in degraded
    assert daemon.predict("seen", {"a": 5}) == expected
    train = daemon.post("/projects/seen/train", {})
    assert train.status_code == 409
    assert 'run "pgboost migrate"' in train.json()["detail"]
    start = subprocess.run([BIN / "pgboostd", "--listen", "127.0.0.1:0", "--state-dir",
                            tmp_path / "without"],
                           env=catalog.env, stdin=subprocess.DEVNULL, text=True, timeout=60,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert start.returncode == 1 and text in start.stderr
    cli.ok("migrate")
    wait_for(lambda: daemon.get("/readyz").json()["degraded"] is None, what="the daemon's return")
    run_id = daemon.post("/projects/seen/train", {}).json()["run_id"]
    wait_for(lambda: daemon.get(f"/runs/{run_id}").json()["status"] == "succeeded", 60, "the run")
    assert len([line for line in daemon.log.splitlines() if text[:37] in line]) < 10
