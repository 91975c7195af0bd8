"""Triggers beside time: new rows, and relations that are said to be refreshed."""

import json

import pytest

from conftest import Cli, Daemon, Database, wait_for


@pytest.fixture
def fresh(cluster):
    database = Database(cluster)
    Cli(database).ok("migrate")
    database.sql("CREATE TABLE t AS SELECT i AS id, i % 7 AS x, i * 1.5 AS y"
                 " FROM generate_series(1, 100) i")
    database.sql("CREATE VIEW v AS SELECT * FROM t")
    yield database
    database.connection.close()


@pytest.fixture
def daemons(fresh, tmp_path):
    started = []

    def start(*args, env=None):
        started.append(Daemon(fresh, tmp_path / str(len(started)), "--poll", "100 ms", *args,
                              env=env))
        return started[-1]

    yield start
    for daemon in started:
        if daemon.proc.poll() is None:
            daemon.stop()


def apply(fresh, definition, **keys):
    Cli(fresh).ok("apply", definition(**{
        "project": "p", "relation": "v", "target": "y", "search": {"strategy": "none"},
        "hyperparams": {"n_estimators": 3}, **keys}))


def runs(fresh):
    return fresh.sql("SELECT trigger, status, (stats ->> 'rows')::int FROM pgboost.runs"
                     " ORDER BY id")


def counted(fresh):
    """The project's turn comes now and not in a minute; returns after it."""
    fresh.sql("UPDATE pgboost.projects SET count_rows_at = NULL")
    wait_for(lambda: fresh.value("SELECT count_rows_at IS NOT NULL FROM pgboost.projects"),
             what="the count to be claimed")
    wait_for(lambda: fresh.value("SELECT count(*) FROM pg_stat_activity WHERE application_name ="
                                 " 'pgboostd (count)' AND datname = current_database()") == 0,
             what="the count to end")
    wait_for(lambda: not fresh.value("SELECT count(*) FROM pgboost.runs WHERE finished_at IS NULL"),
             60, "the runs to end")


def test_after_so_many_rows(fresh, daemons, definition):
    apply(fresh, definition, retrain={"after_rows": 50})
    fresh.sql("UPDATE pgboost.projects SET count_rows_at = now() + interval '1 hour'")
    daemons()
    wait_for(lambda: not runs(fresh), what="nothing")
    counted(fresh)  # never trained, and enough rows
    wait_for(lambda: runs(fresh) == [("rows", "succeeded", 100)], what="the first run")
    fresh.sql("INSERT INTO t SELECT i, 1, i FROM generate_series(101, 149) i")
    counted(fresh)
    counted(fresh)
    assert len(runs(fresh)) == 1
    fresh.sql("INSERT INTO t VALUES (150, 1, 150)")
    counted(fresh)
    wait_for(lambda: runs(fresh)[1:] == [("rows", "succeeded", 150)], what="the second run")
    fresh.sql("DELETE FROM t WHERE id > 100")  # fewer rows: new ones count from there
    counted(fresh)
    wait_for(lambda: fresh.value("SELECT rows_seen FROM pgboost.projects") == 100, what="the count")
    fresh.sql("INSERT INTO t SELECT i, 1, i FROM generate_series(101, 150) i")
    counted(fresh)
    wait_for(lambda: runs(fresh)[2:] == [("rows", "succeeded", 150)], what="the third run")
    fresh.sql("INSERT INTO t SELECT i, 1, i FROM generate_series(151, 199) i")
    Cli(fresh).ok("train", "p")  # a run by hand has read them: they are not new any more
    fresh.sql("INSERT INTO t SELECT i, 1, i FROM generate_series(200, 240) i")
    counted(fresh)
    counted(fresh)
    assert [row[0] for row in runs(fresh)] == ["rows"] * 3 + ["command"]


def test_a_count_that_fails_is_said_once_and_does_not_hold_up(fresh, daemons, definition):
    fresh.sql("CREATE VIEW bad AS SELECT id, x, y, 1 / (id - id) AS z FROM t"
              " WHERE 1 / (id - 7) < 9")
    apply(fresh, definition, project="bad", relation="bad", retrain={"after_rows": 1})
    daemon = daemons()
    for _ in range(3):
        fresh.sql("UPDATE pgboost.projects SET count_rows_at = NULL")
        wait_for(lambda: fresh.value("SELECT count_rows_at IS NOT NULL FROM pgboost.projects"),
                 what="the count")
    wait_for(lambda: "new rows cannot be counted" in daemon.log, what="the log")
    assert daemon.log.count("new rows cannot be counted") == 1
    fresh.sql("CREATE VIEW slow AS SELECT t.*, 1 AS z FROM t WHERE pg_sleep(30) IS NOT NULL")
    apply(fresh, definition, project="slow", relation="slow", retrain={"after_rows": 1})
    wait_for(lambda: fresh.value("SELECT count(*) FROM pg_stat_activity WHERE query LIKE"
                                 " 'SELECT count(*) FROM public.slow%%'") > 0, what="a slow count")
    apply(fresh, definition, project="seen")  # news go on
    wait_for(lambda: daemon.get("/projects/seen").status_code == 200, what="the project")
    assert daemon.stop() == 0  # and the end does not wait for it
    assert runs(fresh) == []


@pytest.mark.direct("notifications do not pass it")
def test_refreshed_by_notify(fresh, daemons, definition):
    """Two daemons hear it; one run waits. What is no relation, or nobody's, is nothing."""
    fresh.sql("CREATE MATERIALIZED VIEW mv AS SELECT * FROM t")
    apply(fresh, definition, relation="mv", retrain={"on_refresh": ["public.mv", "other"]})
    both = [daemons("--role", "server"), daemons("--role", "server")]
    for payload in ["public.t", "nothing", 'a "b', "x.y.z.w", "'; DROP TABLE t; --", ""]:
        fresh.sql("SELECT pg_notify('pgboost_refreshed', %s)", payload)
    fresh.sql("SELECT pg_notify('pgboost_refreshed', i::text) FROM generate_series(1, 1000) i")
    fresh.sql("REFRESH MATERIALIZED VIEW mv; NOTIFY pgboost_refreshed, 'mv'")
    wait_for(lambda: runs(fresh), what="the run")
    fresh.sql("NOTIFY pgboost_refreshed, 'public.mv'")
    # a later notification of another kind has been seen to, so this one has been too
    apply(fresh, definition, project="seen")
    for daemon in both:
        wait_for(lambda: daemon.get("/projects/seen").status_code == 200, what="news")
        assert "level=warning" not in daemon.log and "level=error" not in daemon.log
        assert daemon.get("/readyz").json()["degraded"] is None
    assert runs(fresh) == [("refresh", "queued", None)]


@pytest.mark.direct("notifications do not pass it")
def test_refreshed_amid_many(fresh, daemons, definition):
    """One of a thousand that are said at once, which is more than is remembered: not lost."""
    apply(fresh, definition, relation="v", retrain={"on_refresh": "t"})
    apply(fresh, definition, project="other", relation="v")
    daemon = daemons("--role", "server")
    fresh.sql("SELECT pg_notify('pgboost_refreshed', CASE i WHEN 900 THEN 't' ELSE i::text END)"
              " FROM generate_series(1, 1000) i ORDER BY i")
    wait_for(lambda: runs(fresh), what="the run")
    assert runs(fresh) == [("refresh", "queued", None)]
    assert 'relation="any"' in daemon.log


def test_definitions(fresh, definition):
    cli = Cli(fresh)
    for retrain, text in [({"after_rows": 0}, "at least 1"), ({"after_rows": 1.5}, "at least 1"),
                          ({"on_refresh": 3}, "relation's name"), ({"rows": 3}, "unknown key")]:
        result = cli("apply", definition(project="p", relation="v", target="y", retrain=retrain))
        assert result.code == 78 and text in result.err and "retrain" in result.err, result.err
    apply(fresh, definition, retrain={"after_rows": 1000000, "on_refresh": "mv"})
    assert json.loads(json.dumps(fresh.value("SELECT definition -> 'retrain' FROM"
                                             " pgboost.projects"))) == {
        "after_rows": 1000000, "on_refresh": "mv"}
