"""Routes that change something: train, deploy and cancel over HTTP, beside predictions."""

import concurrent.futures
import signal
import time

import pytest
import requests

from conftest import Daemon, heard_only, wait_for
from test_http import problem


@pytest.fixture(scope="module")
def daemon(catalog, daemon_factory):
    return daemon_factory(*heard_only())


@pytest.fixture(scope="module")
def trained(catalog, cli, daemon, tmp_path_factory):
    """A project with a live model, and a daemon that serves and trains it."""
    catalog.sql("""CREATE TABLE public.t AS SELECT i AS id, sin(i * 12.9898) AS x,
                   2 * sin(i * 12.9898) + 0.1 * sin(i * 4.1414) AS amount
                   FROM generate_series(1, 400) i""")
    path = tmp_path_factory.mktemp("models") / "p.json"
    path.write_text('{"project": "p", "relation": "t", "target": "amount", "key": ["id"],'
                    ' "deploy": "always", "search": {"strategy": "none"},'
                    ' "hyperparams": {"n_estimators": 5}}')
    cli.ok("apply", path)
    cli.ok("train", "p")
    daemon.wait_live("p")
    return daemon


def ended(daemon, run_id):
    def look():
        run = daemon.get(f"/runs/{run_id}").json()
        return run if run["finished_at"] else None

    return wait_for(look, 60, f"the end of run {run_id}")


def test_train_deploy_roll_back(trained):
    daemon = trained
    before = daemon.predict("p", {"x": 0.5})
    answer = daemon.post("/projects/p/train", {})
    assert answer.status_code == 202, answer.text
    run = ended(daemon, answer.json()["run_id"])
    assert (run["status"], run["project"], run["trigger"], run["error"]) == (
        "succeeded", "p", "http", None)
    daemon.wait_live("p", run["model_id"])

    answer = daemon.post("/projects/p/deploy", {"strategy": "rollback"})
    assert (answer.status_code, answer.json()) == (
        200, {"model_id": before["model_id"], "changed": True})
    daemon.wait_live("p", before["model_id"])
    assert daemon.predict("p", {"x": 0.5}) == before
    assert run["kind"] == "training"
    deploy = {"model_id": run["model_id"]}
    assert daemon.post("/projects/p/deploy", deploy).json()["changed"] is True
    assert daemon.post("/projects/p/deploy", deploy).json()["changed"] is False
    answer = daemon.post("/projects/p/deploy", {"strategy": "best_score"})
    assert answer.status_code == 202
    contest = ended(daemon, answer.json()["run_id"])
    assert (contest["status"], contest["kind"]) == ("succeeded", "contest")


def test_cancel(trained, catalog):
    run_id = catalog.value("""INSERT INTO pgboost.runs
                                  (project_id, trigger, definition, lease_until)
        SELECT id, 'test', definition, clock_timestamp() + interval '1 hour' FROM pgboost.projects
        RETURNING id""")  # reserved: no worker takes it
    answer = trained.post(f"/runs/{run_id}/cancel", {})
    assert (answer.status_code, answer.json()) == (202, {"run_id": run_id, "status": "cancelled"})
    assert "ended already" in problem(trained.post(f"/runs/{run_id}/cancel", {}), 409)["detail"]


@pytest.mark.parametrize("path, body, status, text", [
    ("/projects/q/train", {}, 404, 'project \\"q\\" does not exist'),
    ("/projects/p/train", {"minutes": 3}, 400, "/minutes"),
    ("/projects/p/train", [], 400, "expected an object"),
    ("/projects/p/deploy", {}, 400, "either"),
    ("/projects/p/deploy", {"model_id": 1, "strategy": "rollback"}, 400, "either"),
    ("/projects/p/deploy", {"model_id": "1"}, 400, "/model_id"),
    ("/projects/p/deploy", {"strategy": "best"}, 400, "strategy"),
    ("/projects/p/deploy", {"model_id": 999999}, 404, "999999"),
    ("/projects/q/deploy", {"strategy": "best_score"}, 404, "q"),
    ("/runs/999999/cancel", {}, 404, "999999"),
    ("/runs/x/cancel", {}, 404, "x"),
    ("/runs/99999999999999999999/cancel", {}, 404, "does not exist"),
])
def test_refused(trained, path, body, status, text):
    answer = trained.post(path, body)
    problem(answer, status)
    assert text in answer.text


def test_only_json_changes_something(trained, catalog):
    """What a page of another site can send without asking its user does not."""
    n_runs = catalog.value("SELECT count(*) FROM pgboost.runs")
    for headers in [{}, {"Content-Type": "text/plain"},
                    {"Content-Type": "application/x-www-form-urlencoded"}]:
        answer = trained.session.post(trained.url + "/projects/p/train", headers=headers,
                                      timeout=10)
        assert "Content-Type: application/json" in problem(answer, 415)["detail"]
    assert trained.get("/projects/p/train").status_code == 405
    assert catalog.value("SELECT count(*) FROM pgboost.runs") == n_runs


@pytest.mark.alone
def test_many_at_once_make_one_run(trained, catalog, daemon_factory):
    """Also over two daemons; and predictions do not wait for any of it."""
    catalog.sql("UPDATE pgboost.runs SET status = 'cancelled', finished_at = now()"
                " WHERE status IN ('queued', 'running')")
    other = daemon_factory("--role", "server")

    def ask(i):
        url = (trained if i % 2 else other).url
        return requests.post(url + "/projects/p/train", json={}, timeout=30)

    # nobody can claim a run while its project is locked, and then all ask at once
    catalog.sql("BEGIN; SELECT FROM pgboost.projects FOR NO KEY UPDATE")
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(ask, i) for i in range(20)]
        started = time.monotonic()
        for _ in range(20):
            assert trained.predict("p", {"x": 0.1})
        assert time.monotonic() - started < 15  # who waits for the lock waits until it is refused
        assert not any(answer.done() for answer in answers)
        catalog.sql("COMMIT")
        results = [answer.result() for answer in answers]
    assert {r.status_code for r in results} == {202}
    runs = {r.json()["run_id"] for r in results}
    # a worker may have claimed the first before the last one asked
    assert len(runs) <= 2 and len(runs) == catalog.value(
        "SELECT count(*) FROM pgboost.runs WHERE trigger = 'http' AND id >= %s", min(runs))
    for run in runs:
        ended(trained, run)


def test_postgres_away(catalog, cluster, trained, daemon_factory):
    trained.post("/projects/q/train", {})  # so that it has a connection
    cluster.stop()
    try:
        problem(trained.post("/projects/p/train", {}), 503)
        assert trained.predict("p", {"x": 0.1})
    finally:
        cluster.start()
    catalog.reconnect()
    answer = wait_for(lambda: (lambda a: a if a.status_code == 202 else None)(
        trained.post("/projects/p/train", {})), 20, "Postgres to be back")
    assert ended(trained, answer.json()["run_id"])["status"] == "succeeded"


def test_nobody_waits_behind_many(catalog, daemon_factory):
    """Where Postgres holds up each request as long as it may, those behind it are not held up so
    often as there are before them."""
    daemon = daemon_factory("--role", "server")
    holder = catalog.cluster.connect(catalog.name)
    holder.autocommit = False
    holder.cursor().execute("LOCK TABLE pgboost.runs")
    try:
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            ask = lambda: requests.get(daemon.url + "/runs/1", timeout=60)
            answers = [answer.result() for answer in [pool.submit(ask) for _ in range(6)]]
    finally:
        holder.close()
    late = [answer for answer in answers if answer.status_code == 503]
    # the first is held up, and on a busy machine who came while it began; each for ten seconds
    assert len(late) >= 4, [answer.status_code for answer in answers]
    for answer in late:
        assert "too busy" in problem(answer, 503)["detail"]
        assert answer.headers["Retry-After"] == "1"
    assert daemon.get("/runs/999999").status_code == 404


def test_stop_while_one_waits(catalog, trained, tmp_path):
    """A request that waits for the catalog is answered, or told that the daemon stops."""
    daemon = Daemon(catalog, tmp_path / "state", "--role", "server")
    holder = catalog.cluster.connect(catalog.name)
    holder.autocommit = False
    holder.cursor().execute("SELECT FROM pgboost.projects FOR NO KEY UPDATE")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(daemon.post, "/projects/p/train", {})
        wait_for(lambda: catalog.value("SELECT count(*) FROM pg_stat_activity WHERE"
                                       " application_name = 'pgboostd (http)' AND"
                                       " wait_event_type = 'Lock'") > 0, what="it to wait")
        daemon.proc.send_signal(signal.SIGTERM)
        holder.commit()
        assert answer.result().status_code == 202
    holder.close()
    assert daemon.proc.wait(10) == 0
    daemon.stop()
