"""Without Postgres: predictions go on, also over a restart, from the cache of live models."""

import json
import os
import shutil
import subprocess
import threading

import pytest
import requests

from conftest import BIN, Cli, Cluster, Daemon, Database, wait_for


@pytest.fixture(scope="module")
def own():
    """A cluster that nobody else needs."""
    cluster = Cluster()
    yield cluster
    cluster.remove()


def train(database, folder, name, factor):
    path = folder / f"{name}.json"
    database.sql(f"CREATE TABLE public.{name} AS SELECT id, id % 7 AS a,"
                 f" CASE WHEN id % 7 * {factor} > 3 THEN 'high' ELSE 'low' END AS y"
                 " FROM generate_series(1, 200) AS id")
    path.write_text(json.dumps({
        "project": name, "relation": f"public.{name}", "target": "y", "key": ["id"],
        "search": {"strategy": "none"}, "hyperparams": {"n_estimators": 3}}))
    cli = Cli(database)
    cli.ok("apply", path)
    cli.ok("train", name, "--here")


def run(database, state, *args):
    return subprocess.run([BIN / "pgboostd", "--listen", "127.0.0.1:0", "--state-dir", state,
                           *args],
                          env=database.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60)


def flip(path):
    """A bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def everything(daemon):
    return {name: daemon.predict(name, [{"a": i} for i in range(7)], encoded=True, explain=True)
            for name in ("first", "second")}


def test_restart_without_postgres(own, tmp_path):
    database = Database(own)
    Cli(database).ok("migrate")
    train(database, tmp_path, "first", 1)
    train(database, tmp_path, "second", 2)
    state = tmp_path / "state"
    daemon = Daemon(database, state, "--role", "server")
    daemon.wait_live("first"), daemon.wait_live("second")
    expected, listed = everything(daemon), daemon.get("/projects").json()
    by_key = {"project": "first", "key": 5}
    found = daemon.post("/predict", by_key).json()["prediction"]
    assert daemon.stop() == 0
    database.connection.close()
    own.stop()

    # From the cache: the same answers, and loudly so.
    daemon = Daemon(database, state)
    assert everything(daemon) == expected
    assert daemon.get("/projects").json() == listed
    ready = daemon.get("/readyz")
    assert ready.status_code == 200 and ready.json()["status"] == "degraded"
    assert ready.json()["degraded"].startswith("serving the models of 20")
    assert "the catalog cannot be reached" in daemon.log and "from the cache" in daemon.log
    assert "pgboost_catalog_up 0\n" in daemon.get("/metrics").text
    assert daemon.post("/projects/first/train", {}).status_code == 503
    assert daemon.post("/predict", by_key).status_code == 503  # its row is not to be had

    # Postgres comes back: news are heard and runs are made, without a restart.
    own.start()
    database.reconnect()
    wait_for(lambda: daemon.get("/readyz").json()["degraded"] is None, what="the daemon's return")
    assert daemon.log.count("model is live") == 2  # none was loaded again
    wait_for(lambda: daemon.post("/predict", by_key).status_code == 200, what="the look-ups")
    assert daemon.post("/predict", by_key).json()["prediction"] == found
    run_id = daemon.post("/projects/first/train", {}).json()["run_id"]
    wait_for(lambda: daemon.get(f"/runs/{run_id}").json()["status"] == "succeeded", 60, "the run")

    # Postgres goes and comes back under load: nobody notices.
    answers, over = [], threading.Event()

    def ask():
        with requests.Session() as session:
            while not over.is_set():
                answers.append(session.post(daemon.url + "/predict", timeout=30, json={
                    "project": "first", "features": {"a": 5}}).status_code)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        own.stop()
        wait_for(lambda: daemon.get("/readyz").json()["degraded"], what="the daemon to notice")
        own.start()
        wait_for(lambda: not daemon.get("/readyz").json()["degraded"], what="the daemon's return")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert len(answers) > 100 and set(answers) == {200}
    assert daemon.stop() == 0

    database.reconnect()

    # With Postgres, what the cache has as the catalog does is not read again: a file stays as is.
    # A row that was written again, and a file that is damaged, are read and kept anew.
    (folder,) = state.glob("live-*")
    ids = {name: answer["model_id"] for name, answer in expected.items()}
    paths = {name: folder / f"model-{model_id}" for name, model_id in ids.items()}

    def restart():
        before = {name: path.stat().st_ino for name, path in paths.items()}
        daemon = Daemon(database, state, "--role", "server")
        assert everything(daemon) == expected
        assert daemon.stop() == 0
        kept = [name for name, path in paths.items() if path.stat().st_ino == before[name]]
        return kept, daemon.log

    for name in paths:
        wait_for(paths[name].exists, what="the cache")
    assert restart()[0] == ["first", "second"]
    database.sql("UPDATE pgboost.models SET pinned = true WHERE id = %s", ids["first"])
    assert restart()[0] == ["second"]
    assert restart()[0] == ["first", "second"]
    flip(paths["first"])
    kept, log = restart()
    assert kept == ["second"] and "a cached model is read anew" in log

    # A damaged file is not served; the other one is. Another catalog's cache is not looked at.
    own.stop()
    files = sorted(folder.iterdir())
    assert [f.name for f in files if not f.name.startswith("model-")] == ["live"]
    assert len(files) == 3 and not any(f.stat().st_mode & 0o077 for f in files)
    flip(paths["second"])
    daemon = Daemon(database, state, "--role", "server")
    assert daemon.predict("first", {"a": 1})["prediction"] == "low"
    refused = daemon.post("/predict", {"project": "second", "features": {"a": 1}})
    assert refused.status_code == 409 and "is damaged" in refused.json()["detail"]
    reasons = [reason["about"] for reason in daemon.get("/readyz").json()["reasons"]]
    assert reasons == ["catalog", "project second"]
    own.start()
    database.reconnect()
    wait_for(lambda: daemon.get("/readyz").json()["problems"] == 0, what="the damaged model anew")
    assert everything(daemon) == expected
    assert daemon.stop() == 0
    own.stop()
    other = run(database, state, "--dsn", f"{database.dsn} application_name=other")
    assert other.returncode == 69
    assert "cannot reach Postgres" in other.stderr or "does not answer" in other.stderr
    trainer = run(database, state, "--role", "trainer")
    assert trainer.returncode == 69
    for content, text in ((b"pgboost cache 1\n", "is of another version of pgboost"),
                          ((folder / "live").read_bytes()[:-1], "is damaged"),
                          (b"", "is damaged")):
        (folder / "live").write_bytes(content)
        refused = run(database, state)
        assert refused.returncode == 69 and text in refused.stderr
    own.start()


def test_a_cache_of_others_is_not_read(own, tmp_path):
    """What others can write to may hold any model: neither a link, nor one that all may change."""
    database = Database(own)
    Cli(database).ok("migrate")
    state = tmp_path / "state"
    assert Daemon(database, state, "--role", "server").stop() == 0
    (folder,) = state.glob("live-*")

    def refuses():
        result = run(database, state)
        assert result.returncode == 78 and "others may write to the cache" in result.stderr

    folder.chmod(0o777)
    refuses()
    folder.chmod(0o700)
    elsewhere = folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(elsewhere)
    refuses()
    if os.geteuid() == 0:
        folder.unlink()
        elsewhere.rename(folder)
        os.chown(folder, 65534, 65534)
        refuses()
        shutil.rmtree(folder)
    else:
        folder.unlink()
    assert Daemon(database, state, "--role", "server").stop() == 0


def test_what_could_not_be_cached_is_later(own, tmp_path):
    """A model's file that cannot be written, like on a full disk, is when it can be."""
    database = Database(own)
    Cli(database).ok("migrate")
    train(database, tmp_path, "first", 1)
    state = tmp_path / "state"
    daemon = Daemon(database, state, "--role", "server", "--poll", "100 ms")
    model_id = daemon.wait_live("first")["live_model_id"]
    (folder,) = state.glob("live-*")
    assert daemon.stop() == 0

    model = folder / f"model-{model_id}"
    model.unlink()
    (model / "in the way").mkdir(parents=True)
    daemon = Daemon(database, state, "--role", "server", "--poll", "100 ms")
    expected = daemon.predict("first", {"a": 1})
    wait_for(lambda: "cannot be cached" in daemon.log, what="the line")
    (model / "in the way").rmdir()
    model.rmdir()
    wait_for(model.is_file, what="the model's file")
    wait_for(lambda: "are cached again" in daemon.log, what="the end of it")
    assert daemon.log.count("cannot be cached") == 1
    assert daemon.stop() == 0
    own.stop()
    try:
        daemon = Daemon(database, state, "--role", "server")
        assert daemon.predict("first", {"a": 1}) == expected
        assert daemon.stop() == 0
    finally:
        own.start()
