"""The search: strategies, workers that share it, and one that dies in the middle of it."""

import hashlib
import itertools
import json
import os
import random
import signal
import subprocess
import time

import pytest

from conftest import BIN, wait_for

KEYS = {"relation": "public.searched", "target": "y", "key": ["id"]}
SMALL = {"n_estimators": 30, "early_stopping_rounds": 5}


@pytest.fixture(scope="module")
def db_rows(catalog):
    catalog.sql("""
        CREATE TABLE public.searched AS
        SELECT i AS id, a, b, c,
               (3 * a - 2 * b + CASE c WHEN 'x' THEN 1 ELSE 0 END + 0.5 * noise)::float8
                   AS y,
               CASE WHEN a + 0.3 * noise > 0 THEN 'yes' ELSE 'no' END AS answer
        FROM (SELECT i, sin(i * 12.9898)::float8 AS a, cos(i * 78.233)::float8 AS b,
                     (ARRAY['x', 'y', 'z'])[1 + i % 3] AS c, sin(i * 4.1414)::float8 AS noise
              FROM generate_series(1, 1500) i) s""")
    return catalog


def apply(cli, definition, project, search, **keys):
    cli.ok("apply", definition(**{**KEYS, "exclude": ["answer"], "hyperparams": SMALL, **keys,
                                  "project": project, "search": {"folds": 1, **search}}))


def queue(cli, project):
    return int(cli.ok("train", project, "--no-wait").out.split()[-1])


def worker(db, run_id, folder, threads=1, name=None, **options):
    return subprocess.Popen(
        [BIN / "pgboost-worker", "--run", str(run_id), "--threads", str(threads), "--nice", "0",
         "--state-dir", folder, *(["--name", name] if name else [])],
        env=db.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def run(db, cli, project, folder, **options):
    run_id = queue(cli, project)
    process = worker(db, run_id, folder, **options)
    _, log = process.communicate(timeout=120)
    assert process.returncode == 0, log
    return run_id


def trials(db, run_id):
    return db.sql("SELECT number, status, origin, hyperparams, score, rounds, algorithm"
                  " FROM pgboost.trials WHERE run_id = %s ORDER BY number", run_id)


def digest(db, run_id):
    model = db.value("SELECT model FROM pgboost.models WHERE run_id = %s", run_id)
    return hashlib.sha256(bytes(model)).hexdigest()


def test_a_grid_is_every_combination(db_rows, cli, definition, tmp_path):
    # in the order of jsonb's names: shorter ones first
    params = {"eta": [0.1, 0.3, 0.5], "max_depth": [2, 4], "subsample": [0.6, 1]}
    apply(cli, definition, "grid", {"strategy": "grid", "params": params})
    found = trials(db_rows, run(db_rows, cli, "grid", tmp_path))
    tried = [tuple(float(t[3][name]) for name in params) for t in found]
    assert tried == [tuple(map(float, c)) for c in itertools.product(*params.values())]
    assert {t[1] for t in found} == {"completed"} and {t[2] for t in found} == {"grid"}
    scores = [t[4] for t in found]
    best = found[scores.index(min(scores))]
    assert db_rows.value("SELECT t.number FROM pgboost.models m JOIN pgboost.trials t"
                         " ON t.id = m.trial_id JOIN pgboost.projects p ON p.id = m.project_id"
                         " WHERE p.name = 'grid'") == best[0]


@pytest.mark.parametrize("strategy, origins", [
    ("random", {"random"}), ("tpe", {"random", "tpe"}), ("auto", {"portfolio", "tpe", "polish"})])
def test_strategies(db_rows, cli, definition, tmp_path, strategy, origins):
    apply(cli, definition, strategy, {"strategy": strategy, "trials": 16},
          hyperparams={"n_estimators": 500, "early_stopping_rounds": 5})  # a polish needs some left
    run_id = run(db_rows, cli, strategy, tmp_path)
    found = trials(db_rows, run_id)
    assert len(found) == 16 and {t[2] for t in found} == origins
    assert not {t[1] for t in found} - {"completed", "pruned"}
    settings = [(t[6], json.dumps(t[3], sort_keys=True)) for t in found if t[2] != "polish"]
    assert len(set(settings)) == len(settings)  # nothing is tried twice
    listed = cli.json("trials", run_id)["items"]
    scores = [t["score"] for t in listed if t["status"] == "completed"]
    assert scores == sorted(scores) and scores[0] == min(t[4] for t in found if t[4] is not None)
    assert all(t["predict_us"] > 0 and t["seconds"] >= 0 for t in listed
               if t["status"] == "completed")
    again = run(db_rows, cli, strategy, tmp_path)
    assert trials(db_rows, again) == found and digest(db_rows, again) == digest(db_rows, run_id)


def test_algorithms_compete(db_rows, cli, definition, tmp_path):
    apply(cli, definition, "compete", {"strategy": "tpe", "trials": 16},
          algorithms=["xgboost", "dart", "random_forest", "linear"])
    found = trials(db_rows, run(db_rows, cli, "compete", tmp_path))
    assert len({t[6] for t in found}) >= 3 and len(found) == 16
    assert "Trials of run" in cli.ok("show", "compete").out


def test_what_mattered_is_shown(db_rows, cli, definition, tmp_path):
    apply(cli, definition, "effects", {"strategy": "random", "trials": 50,
                                       "params": {"max_depth": [1, 2, 3, 4, 5, 6],
                                                  "subsample": {"low": 0.5, "high": 1}}})
    run(db_rows, cli, "effects", tmp_path)
    shown = cli.ok("show", "effects").out
    assert "What mattered" in shown and "max_depth" in shown and "The next hour would try" in shown


def test_several_workers_try_the_same_trials(db_rows, cli, definition, tmp_path):
    """With the same search.parallel the trials do not depend on who runs them."""
    search = {"strategy": "tpe", "trials": 14, "parallel": 4}
    apply(cli, definition, "shared", search)
    alone = run(db_rows, cli, "shared", tmp_path)
    run_id = queue(cli, "shared")
    holder = worker(db_rows, run_id, tmp_path, name="holder")
    wait_for(lambda: trials(db_rows, run_id), 30, "the first trial")
    helpers = [subprocess.Popen(
        [BIN / "pgboost-worker", "--help-run", str(run_id), "--threads", "1", "--nice", "0",
         "--state-dir", tmp_path, "--name", f"helper {i}"], env=db_rows.env,
        stderr=subprocess.PIPE, text=True) for i in range(2)]
    for process in [holder, *helpers]:
        _, log = process.communicate(timeout=120)
        assert process.returncode == 0, log
    assert trials(db_rows, run_id) == trials(db_rows, alone)
    assert digest(db_rows, run_id) == digest(db_rows, alone)
    workers = {w for (w,) in db_rows.sql("SELECT worker FROM pgboost.trials WHERE run_id = %s",
                                         run_id)}
    assert "holder" in workers and workers <= {"holder", "helper 0", "helper 1"}


def test_a_helper_elsewhere_needs_the_snapshot_table(db_rows, cli, definition, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir(), there.mkdir()
    apply(cli, definition, "tabled", {"strategy": "tpe", "trials": 30, "parallel": 4},
          snapshot="table", hyperparams={"n_estimators": 300, "early_stopping_rounds": 300})
    run_id = queue(cli, "tabled")
    holder = worker(db_rows, run_id, here, name="holder")
    wait_for(lambda: trials(db_rows, run_id), 30, "the first trial")
    assert db_rows.value("SELECT count(*) FROM pgboost.run_rows WHERE run_id = %s", run_id) > 0
    helper = worker(db_rows, run_id, there, name="helper")
    for process in (holder, helper):
        _, log = process.communicate(timeout=120)
        assert process.returncode == 0, log
    assert db_rows.value("SELECT count(*) FROM pgboost.trials WHERE run_id = %s"
                         " AND worker = 'helper'", run_id) > 0
    assert db_rows.value("SELECT count(*) FROM pgboost.run_rows") == 0  # the run is over
    assert not list(here.iterdir()) and not list(there.iterdir())


def expire(db, run_id):
    """The leases of a worker that was killed: as if half a minute had passed."""
    db.sql("UPDATE pgboost.runs SET lease_until = clock_timestamp() WHERE id = %s", run_id)
    db.sql("UPDATE pgboost.trials SET lease_until = clock_timestamp()"
           " WHERE run_id = %s AND status = 'running'", run_id)


def begun(db, run_id):
    return db.value("SELECT max(started_at) FROM pgboost.trials WHERE run_id = %s", run_id)


def wait_to_kill(db, run_id, process, last, rng, usual):
    """Some time after a trial has begun: mostly before it can have ended, by the seconds that it
    usually takes; none dies so often that it is given up, or the run, whose deaths are its own
    until a trial has ended. At most until the next one begins."""
    wait_for(lambda: process.poll() is not None or begun(db, run_id) != last, 60,
             "a trial to begin")
    number, deaths, at = db.sql("SELECT number, lease_epoch, started_at FROM pgboost.trials"
                                " WHERE run_id = %s ORDER BY started_at DESC LIMIT 1", run_id)[0]
    may_die = deaths < (1 if number == 0 else 4)
    until = time.monotonic() + (rng.uniform(0, 0.8) if may_die else 20) * usual[number]
    while time.monotonic() < until and process.poll() is None and begun(db, run_id) == at:
        time.sleep(0.005)


def kill_and_go_on(db, cli, project, folder, n_kills, seed, usual):
    """One run whose worker is killed again and again."""
    rng = random.Random(seed)
    run_id = queue(cli, project)
    seen, n_hit = {}, 0
    for _ in range(n_kills):
        last = begun(db, run_id)
        process = worker(db, run_id, folder)
        wait_to_kill(db, run_id, process, last, rng, usual)
        n_hit += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        done = db.sql("SELECT number, id, ended_at FROM pgboost.trials WHERE run_id = %s"
                      " AND status IN ('completed', 'pruned') ORDER BY number", run_id)
        for number, *rest in done:
            assert seen.setdefault(number, rest) == rest  # done once, and not again
        assert set(seen) == {d[0] for d in done}  # none is lost
        if db.value("SELECT status FROM pgboost.runs WHERE id = %s", run_id) != "running":
            break
        expire(db, run_id)
    status = db.value("SELECT status FROM pgboost.runs WHERE id = %s", run_id)
    if status != "succeeded":
        process = worker(db, run_id, folder)
        _, log = process.communicate(timeout=120)
        assert process.returncode == 0, log
    return run_id, n_hit


def test_kill_9_loses_at_most_the_trial_under_way(db_rows, cli, definition, tmp_path):
    n_kills = int(os.environ.get("SEARCH_KILLS", "4"))
    # so long that the kills hit it: nothing stops early
    rounds = 100 if n_kills < 10 else 400
    apply(cli, definition, "killed", {"strategy": "auto", "trials": 12 if n_kills < 10 else 30},
          hyperparams={"n_estimators": rounds, "early_stopping_rounds": rounds})
    whole = run(db_rows, cli, "killed", tmp_path)
    usual = dict(db_rows.sql("SELECT number, seconds FROM pgboost.trials WHERE run_id = %s", whole))
    broken, n_hit = kill_and_go_on(db_rows, cli, "killed", tmp_path, n_kills, 7, usual)
    print(f"\n{n_hit} kills, {sum(usual.values()):.0f} s of trials,",
          db_rows.value("SELECT sum(lease_epoch) FROM pgboost.trials WHERE run_id = %s", broken),
          "of them begun anew")
    assert n_hit >= (2 if n_kills < 10 else n_kills)
    assert trials(db_rows, broken) == trials(db_rows, whole)
    assert digest(db_rows, broken) == digest(db_rows, whole)
    assert not list(tmp_path.glob("rows-*"))


def test_the_rows_outlive_the_relation(db_rows, cli, definition, tmp_path):
    """A run that goes on sees what it has read, not what the relation has become."""
    db_rows.sql("CREATE TABLE public.moving AS SELECT * FROM public.searched")
    apply(cli, definition, "moving", {"strategy": "random", "trials": 8},
          relation="public.moving", hyperparams={"n_estimators": 200, "early_stopping_rounds": 200})
    whole = run(db_rows, cli, "moving", tmp_path)

    def interrupted():
        run_id = queue(cli, "moving")
        process = worker(db_rows, run_id, tmp_path)
        wait_for(lambda: len(trials(db_rows, run_id)) >= 3, 60, "three trials")
        process.kill()
        process.communicate(timeout=30)
        expire(db_rows, run_id)
        return run_id

    first = interrupted()
    db_rows.sql("DELETE FROM public.moving WHERE id % 10 = 0")
    process = worker(db_rows, first, tmp_path)
    _, log = process.communicate(timeout=120)
    assert process.returncode == 0 and "earlier attempt has read" in log, log
    assert digest(db_rows, first) == digest(db_rows, whole)

    second = interrupted()
    for kept in tmp_path.glob("rows-*"):
        kept.unlink()
    db_rows.sql("DELETE FROM public.moving WHERE id % 10 = 1")
    process = worker(db_rows, second, tmp_path)
    _, log = process.communicate(timeout=120)
    assert process.returncode == 0 and "the run starts over" in log, log
    assert len(trials(db_rows, second)) == 8


def test_rows_that_nobody_asked_for_go(db_rows, cli, definition, tmp_path):
    """Of runs that were deleted, say: a week after the last worker looked at them."""
    for name, days in (("rows-forgotten", 8), ("rows-younger", 6), ("another", 8)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - days * 86400,) * 2)
    apply(cli, definition, "tidy", {"strategy": "none"})
    run(db_rows, cli, "tidy", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".json") == [
        "another", "rows-younger"]


def interrupted_in_search(db, cli, project, folder, name):
    run_id = queue(cli, project)
    process = worker(db, run_id, folder, name=name)
    wait_for(lambda: len(trials(db, run_id)) >= 3, 60, "three trials")
    process.kill()
    process.communicate(timeout=30)
    return run_id


def test_a_worker_of_the_same_name_goes_on(db_rows, cli, definition, tmp_path):
    """Its namesake's trial is nobody's: it is not kept up by who has the name now."""
    apply(cli, definition, "namesake", {"strategy": "random", "trials": 6},
          hyperparams={"n_estimators": 200, "early_stopping_rounds": 200})
    run_id = interrupted_in_search(db_rows, cli, "namesake", tmp_path, "box:1")
    db_rows.sql("UPDATE pgboost.runs SET lease_until = clock_timestamp() WHERE id = %s", run_id)
    process = worker(db_rows, run_id, tmp_path, name="box:1")
    _, log = process.communicate(timeout=60)
    assert process.returncode == 0 and len(trials(db_rows, run_id)) == 6, log


def test_another_definition_reads_its_own_rows(db_rows, cli, definition, tmp_path):
    db_rows.sql("CREATE TABLE public.fewer AS SELECT * FROM public.searched WHERE id <= 1200")
    search = {"strategy": "random", "trials": 5}
    apply(cli, definition, "redefined", search)
    run_id = interrupted_in_search(db_rows, cli, "redefined", tmp_path, "w")
    db_rows.sql("UPDATE pgboost.runs SET status = 'queued', worker = NULL, lease_until = NULL"
                " WHERE id = %s", run_id)
    apply(cli, definition, "redefined", search, relation="public.fewer")
    assert run(db_rows, cli, "redefined", tmp_path) == run_id
    assert db_rows.value("SELECT (stats ->> 'rows')::int FROM pgboost.runs WHERE id = %s",
                         run_id) == 1200


def test_time_does_not_begin_again(db_rows, cli, definition, tmp_path):
    """A worker that died behind the search leaves it as it was."""
    apply(cli, definition, "timed", {"strategy": "random", "minutes": 0.03})
    whole = run(db_rows, cli, "timed", tmp_path)
    n = len(trials(db_rows, whole))
    db_rows.sql("UPDATE pgboost.runs SET status = 'queued', worker = NULL, lease_until = NULL,"
                " finished_at = NULL, model_id = NULL WHERE id = %s", whole)
    process = worker(db_rows, whole, tmp_path)
    _, log = process.communicate(timeout=60)
    assert process.returncode == 0 and len(trials(db_rows, whole)) == n, log


@pytest.mark.parametrize("on_cancel, status", [("finish", "succeeded"), ("discard", "cancelled")])
def test_cancel_with_the_best_so_far(db_rows, cli, definition, tmp_path, on_cancel, status):
    apply(cli, definition, "stopped", {"strategy": "random", "trials": 500, "on_cancel": on_cancel},
          hyperparams={"n_estimators": 300, "early_stopping_rounds": 300})
    run_id = queue(cli, "stopped")
    process = worker(db_rows, run_id, tmp_path)
    wait_for(lambda: any(t[1] == "completed" for t in trials(db_rows, run_id)), 60, "a trial")
    cli.ok("cancel", run_id)
    process.communicate(timeout=60)
    assert db_rows.value("SELECT status FROM pgboost.runs WHERE id = %s", run_id) == status
    assert db_rows.value("SELECT count(*) FROM pgboost.models WHERE run_id = %s",
                         run_id) == (status == "succeeded")
    assert not {t[1] for t in trials(db_rows, run_id)} & {"running"}
    assert not list(tmp_path.glob("rows-*"))


@pytest.mark.direct("a wish to cancel is heard late")
def test_cancelled_twice(db_rows, cli, definition, tmp_path):
    """The first wish is granted with the best so far, the second one ends the refit as well."""
    apply(cli, definition, "twice", {"strategy": "random", "trials": 500, "on_cancel": "finish"},
          hyperparams={"n_estimators": 3000, "early_stopping_rounds": 3000}, refit="all")
    run_id = queue(cli, "twice")
    process = worker(db_rows, run_id, tmp_path)
    wait_for(lambda: any(t[1] == "completed" for t in trials(db_rows, run_id)), 60, "a trial")
    cli.ok("cancel", run_id)
    wait_for(lambda: db_rows.value("SELECT search ->> 'closed' FROM pgboost.runs WHERE id = %s",
                                   run_id), 30, "the search to end")
    cli.ok("cancel", run_id)
    _, log = process.communicate(timeout=60)
    assert "step=search" in log and "step=finish" not in log, log
    assert db_rows.value("SELECT status FROM pgboost.runs WHERE id = %s", run_id) == "cancelled"
    assert db_rows.value("SELECT count(*) FROM pgboost.models WHERE run_id = %s", run_id) == 0


def test_a_trial_that_fails_is_one_of_many(db_rows, cli, definition, tmp_path):
    """A metric that is not defined on the validation rows fails every trial, and says why."""
    db_rows.sql("CREATE TABLE public.flat AS SELECT *, CASE WHEN id % 50 = 0 THEN 'a' ELSE 'b' END"
                " AS rare FROM public.searched WHERE id <= 1000")
    apply(cli, definition, "flat", {"strategy": "random", "trials": 3}, relation="public.flat",
          target="y", objective="reg:squarederror",
          hyperparams={**SMALL, "max_delta_step": 0.0001, "eta": 0.001}, metric="rmsle")
    run_id = queue(cli, "flat")
    process = worker(db_rows, run_id, tmp_path)
    process.communicate(timeout=60)
    status, error = db_rows.sql("SELECT status, error FROM pgboost.runs WHERE id = %s", run_id)[0]
    assert status == "failed" and "all 3 trials failed" in error and "rmsle" in error, error


@pytest.mark.parametrize("search, words", [
    ({"strategy": "random", "params": {"eta": {"low": 0.3, "high": 0.1}}}, "upside down"),
    ({"strategy": "random", "params": {"max_dept": [1, 2]}}, "max_depth"),
    ({"strategy": "grid", "params": {"max_depth": [1, "deep"]}}, "max_depth"),
    ({"strategy": "grid"}, "search.params"),
    ({"strategy": "random", "params": {"eta": []}}, "eta"),
    ({"strategy": "random", "params": {"gamma": {"low": 0, "high": 1, "log": True}}}, "log"),
    ({"trials": 0}, "trials"), ({"minutes": 0}, "minutes"), ({"parallel": 0}, "parallel")])
def test_what_cannot_be_searched(db_rows, cli, definition, search, words):
    refused = cli("apply", definition(**KEYS, project="wrong", search=search))
    assert refused.code != 0 and words in refused.err, refused.err
    assert db_rows.value("SELECT count(*) FROM pgboost.projects WHERE name = 'wrong'") == 0
