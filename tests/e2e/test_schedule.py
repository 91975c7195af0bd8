"""Schedules: due times on a clock that runs fast, daemons side by side, outages, what show says."""

import datetime
import json

import pytest

from conftest import Daemon, Database, Cli, wait_for
from test_http import add_project

UTC = datetime.timezone.utc


def schedule_project(db, name, schedule, **keys):
    """A project by SQL, without a relation: what is due is looked at, nothing is trained."""
    add_project(db, name)
    db.sql("UPDATE pgboost.projects SET definition = %s WHERE name = %s",
           json.dumps({"project": name, "schedule": schedule, **keys}), name)


def run_clock(db, start, speed):
    """pgboost.schedule_clock() from `start` on, `speed` times as fast as the real one."""
    db.sql(f"CREATE OR REPLACE FUNCTION pgboost.schedule_clock() RETURNS timestamptz LANGUAGE sql"
           f" VOLATILE AS $$ SELECT timestamptz '{start}' + (clock_timestamp() - timestamptz"
           f" '{db.value('SELECT clock_timestamp()')}') * {speed} $$")


def stop_clock(db):
    db.sql("CREATE OR REPLACE FUNCTION pgboost.schedule_clock() RETURNS timestamptz LANGUAGE sql"
           " VOLATILE AS 'SELECT clock_timestamp()'")


@pytest.fixture
def fresh(cluster):
    """A catalog of the test's own."""
    database = Database(cluster)
    Cli(database).ok("migrate")
    yield database
    database.connection.close()


@pytest.fixture
def daemons(fresh, tmp_path):
    """Starts daemons that fire schedules and train nothing."""
    started = []

    def start(n):
        for _ in range(n):
            started.append(Daemon(fresh, tmp_path / str(len(started)), "--role", "server",
                                  "--poll", "100 ms"))
        return started

    yield start
    for daemon in started:
        if daemon.proc.poll() is None:
            daemon.stop()


def end_runs_at_once(db):
    """Runs end in the transaction that queues them, so that each due time finds none waiting."""
    db.sql("CREATE FUNCTION end_run() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
           " UPDATE pgboost.runs SET status = 'succeeded', finished_at = now() WHERE id = NEW.id;"
           " RETURN NULL; END $$")
    db.sql("CREATE TRIGGER end_run AFTER INSERT ON pgboost.runs FOR EACH ROW"
           " EXECUTE FUNCTION end_run()")


def fire_many(db, start_daemons, n_daemons, n_projects, n_due, speed):
    """n_due minutes of n_projects; gives how many due times were missed, which a fast clock may."""
    first = datetime.datetime(2030, 3, 31, 0, 0, tzinfo=UTC)  # a night with a change of the clock
    run_clock(db, first.isoformat(), 0)
    for i in range(n_projects):
        schedule_project(db, f"p{i}", "* * * * *", timezone="Europe/Zurich")
    end_runs_at_once(db)
    start_daemons(n_daemons)
    run_clock(db, first.isoformat(), speed)
    last = first + datetime.timedelta(minutes=n_due)
    wait_for(lambda: db.value("SELECT count(*) FROM pgboost.projects p"
                              " WHERE NOT EXISTS (SELECT FROM"
                              " pgboost.due_times WHERE project_id = p.id AND due_at >= %s)", last)
             == 0, 60 + 180 * n_due / speed, "the due times")
    stop_clock(db)  # years before: nothing is due any more
    rows = db.sql("SELECT project_id, due_at, n_missed, run_id FROM pgboost.due_times"
                  " WHERE due_at <= %s ORDER BY 1, 2", last)
    runs = [row[3] for row in rows]
    assert None not in runs and len(set(runs)) == len(runs), "a run belongs to two due times"
    assert db.value("SELECT count(*) FROM pgboost.runs r WHERE NOT EXISTS (SELECT FROM"
                    " pgboost.due_times WHERE run_id = r.id)") == 0
    assert db.value("SELECT count(*) FROM pgboost.runs WHERE trigger <> 'schedule'") == 0
    for project in {row[0] for row in rows}:
        own = [row for row in rows if row[0] == project]
        assert len(own) + sum(row[2] for row in own) == n_due, "a due time came twice, or never"
    return sum(row[2] for row in rows)


def test_each_due_time_once(fresh, daemons):
    fire_many(fresh, daemons, n_daemons=5, n_projects=10, n_due=8, speed=60)


def fired(db, name):
    return db.sql("SELECT due_at, n_missed, run_id FROM pgboost.due_times d JOIN pgboost.projects p"
                  " ON p.id = d.project_id WHERE p.name = %s ORDER BY due_at", name)


def since(db, name, interval):
    db.sql("UPDATE pgboost.projects SET scheduled_since = scheduled_since - %s::interval"
           " WHERE name = %s", interval, name)


def test_after_an_outage(fresh, daemons):
    """Three nights without a daemon, and three hours without one."""
    run_clock(fresh, "2030-06-10 12:30:00+00", 1)
    for name, schedule, keys, interval in [
            ("nightly", "0 3 * * *", {}, "3 days"),
            ("left out", "0 3 * * *", {"catch_up": "none"}, "3 days"),
            ("just now", "28 12 * * *", {"catch_up": "none"}, "3 days"),
            ("new", "0 3 * * *", {}, "0")]:
        schedule_project(fresh, name, schedule, **keys)
        since(fresh, name, interval)
    daemon, = daemons(1)
    wait_for(lambda: fired(fresh, "just now"), what="the last due time")
    (due, missed, run_id), = fired(fresh, "nightly")
    assert due == datetime.datetime(2030, 6, 10, 3, 0, tzinfo=UTC)
    assert missed == 2 and run_id is not None
    (due, missed, run_id), = fired(fresh, "left out")
    assert (due.day, missed, run_id) == (10, 2, None)
    (due, missed, run_id), = fired(fresh, "just now")
    assert (due.hour, due.minute, missed) == (12, 28, 2) and run_id is not None
    assert fired(fresh, "new") == []
    wait_for(lambda: daemon.log.count("a run is due") == 2, what="the log")  # after what it says
    assert daemon.log.count("a missed due time is left out") == 1


def test_one_run_while_one_is_queued(fresh, daemons):
    """Every minute, and nobody trains: one run waits, by whoever it was asked for."""
    run_clock(fresh, "2030-06-10 12:30:00+00", 0)
    schedule_project(fresh, "often", "* * * * *")
    asked = int(Cli(fresh).ok("train", "often", "--no-wait").out.split()[-1])
    daemons(2)
    run_clock(fresh, "2030-06-10 12:30:00+00", 60)
    wait_for(lambda: len(fired(fresh, "often")) >= 3, what="three due times")
    assert {row[2] for row in fired(fresh, "often")} == {asked}
    assert fresh.sql("SELECT id, trigger FROM pgboost.runs") == [(asked, "command")]


def test_a_new_schedule_forgets_the_past(fresh, daemons):
    run_clock(fresh, "2030-06-10 12:30:00+00", 0)
    schedule_project(fresh, "p", "0 3 * * *")
    since(fresh, "p", "1 day")
    fresh.sql("""UPDATE pgboost.projects SET definition = definition || '{"keep": 3}'""")
    daemons(1)
    wait_for(lambda: fired(fresh, "p"), what="the night's due time")
    since(fresh, "p", "1 day")
    fresh.sql("""UPDATE pgboost.projects
                 SET definition = definition || '{"schedule": "0 4 * * *"}'""")
    since_now = fresh.value("SELECT scheduled_since = pgboost.schedule_clock()"
                            " FROM pgboost.projects")
    assert since_now is True


def test_a_schedule_that_cannot_be_used_is_said_once(fresh, daemons):
    schedule_project(fresh, "lost", "0 3 * * *", timezone="Mars/Olympus")
    schedule_project(fresh, "none", "0 0 31 2 *")
    daemon, = daemons(1)
    wait_for(lambda: "never comes" in daemon.log, what="the log")
    schedule_project(fresh, "later", "* * * * *")
    since(fresh, "later", "5 minutes")
    wait_for(lambda: fired(fresh, "later"), what="what can be used")
    assert daemon.log.count("a schedule cannot be used") == 2
    assert daemon.log.count("Mars/Olympus") == 1


def test_apply_and_show(fresh, definition):
    fresh.sql("CREATE TABLE t AS SELECT i AS id, i % 7 AS x, i * 1.5 AS y"
              " FROM generate_series(1, 50) i")
    cli = Cli(fresh)
    keys = {"project": "p", "relation": "t", "target": "y"}
    for schedule, text in [("0 0 31 2 *", "never comes"), ("0 3 * *", "five fields, this one 4"),
                           ("61 3 * * *", "the minute \"61\""), ("@dayly", "@daily")]:
        result = cli("apply", definition(**keys, schedule=schedule))
        assert result.code == 78 and text in result.err and "schedule" in result.err, result.err
    result = cli("apply", definition(**keys, schedule="0 3 * * *", timezone="Mars/Olympus"))
    assert result.code == 78 and "Mars/Olympus" in result.err
    assert fresh.value("SELECT count(*) FROM pgboost.projects") == 0

    cli.ok("apply", definition(**keys, schedule="30 2 * * *", timezone="Europe/Zurich"))
    run_clock(fresh, "2030-03-30 12:00:00+00", 0)
    shown = cli.ok("show", "p").out
    assert ("schedule    30 2 * * *: 2030-03-31 03:00, 2030-04-01 02:30, 2030-04-02 02:30"
            " (Europe/Zurich)") in shown
    assert cli.json("show", "p")["schedule"] == {
        "cron": "30 2 * * *", "timezone": "Europe/Zurich",
        "next": ["2030-03-31T01:00:00Z", "2030-04-01T00:30:00Z", "2030-04-02T00:30:00Z"]}
    cli.ok("apply", definition(**keys))
    assert "schedule" not in cli.ok("show", "p").out
    assert cli.json("show", "p")["schedule"] is None
