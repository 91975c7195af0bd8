"""A worker that dies: the daemon keeps answering, the run ends or is retried, no half model."""

import os
import signal
import subprocess

from conftest import wait_for
from test_train import rows, train  # noqa: F401


def running(db):
    found = db.sql("SELECT id, worker, attempts FROM pgboost.runs WHERE status = 'running'"
                   " AND worker IS NOT NULL")
    return found[0] if found else None


def worker_pids():
    pids = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if file.read().split(b"\0")[0].endswith(b"pgboost-worker"):
                    pids.append(int(pid))
        except OSError:
            continue
    return pids


def children(daemon):
    def parent(pid):
        try:
            with open(f"/proc/{pid}/stat") as file:
                return int(file.read().rsplit(")", 1)[1].split()[1])
        except OSError:  # it has just ended
            return None

    return [pid for pid in worker_pids() if parent(pid) == daemon.proc.pid]


def test_kill_9_of_the_worker(rows, cli, definition, daemon):  # noqa: F811
    train(cli, definition, project="steady", target="amount",
          exclude=["answer", "truth", "grade", "strange"])
    daemon.wait_live("steady")
    cli.ok("apply", definition(
        project="slow", relation="public.t", key=["id"], target="amount",
        exclude=["answer", "truth", "grade", "strange"], search={"strategy": "none"},
        hyperparams={"n_estimators": 100000, "eta": 0.0001, "early_stopping_rounds": 100000}))
    run_id = int(cli.ok("train", "slow", "--no-wait").out.split()[-1])
    killed = set()
    for _ in range(10):
        def victim_or_end():
            status = rows.value("SELECT status FROM pgboost.runs WHERE id = %s", run_id)
            if status == "failed":
                return "failed"
            live = [pid for pid in children(daemon) if pid not in killed]
            return live[0] if status == "running" and live else None

        victim = wait_for(victim_or_end, 60, "a worker to kill, or the run's end")
        if victim == "failed":
            break
        os.kill(victim, signal.SIGKILL)
        killed.add(victim)
        assert daemon.predict("steady", {"x": 1.0})["prediction"] is not None
    status, error, attempts = rows.sql(
        "SELECT status, error, attempts FROM pgboost.runs WHERE id = %s", run_id)[0]
    assert status == "failed" and "signal 9" in error, (status, error)
    assert attempts == len(killed) == 3
    assert rows.value("SELECT count(*) FROM pgboost.models WHERE run_id = %s", run_id) == 0
    assert daemon.predict("steady", {"x": 1.0})["prediction"] is not None


def test_cancel_reaches_a_running_worker(rows, cli, daemon):  # noqa: F811
    run_id = int(cli.ok("train", "slow", "--no-wait").out.split()[-1])
    wait_for(lambda: running(rows) and running(rows)[0] == run_id, 60, "the run to be claimed")
    cli.ok("cancel", run_id)
    wait_for(lambda: rows.value("SELECT status FROM pgboost.runs WHERE id = %s", run_id)
             == "cancelled", 30, "the run to end as cancelled")


def test_whose_parent_is_gone_already(rows, cli, daemon):  # noqa: F811
    """A daemon may die while its worker starts, before that can ask to be told."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    result = cli("--run", "1", f"--die-with-parent={gone.pid}", program="pgboost-worker")
    assert result.code == 0 and "who started this worker has ended" in result.err, result.err


def test_nothing_is_left_after_sigterm(rows, cli, daemon):  # noqa: F811
    run_id = int(cli.ok("train", "slow", "--no-wait").out.split()[-1])
    wait_for(lambda: children(daemon), 60, "a worker")
    pids = children(daemon)
    assert daemon.stop() == 0
    for pid in pids:
        wait_for(lambda: not os.path.exists(f"/proc/{pid}"), 10, "the worker to end")
    status = rows.value("SELECT status FROM pgboost.runs WHERE id = %s", run_id)
    assert status in ("queued", "failed")
