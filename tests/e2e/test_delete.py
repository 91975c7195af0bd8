"""What is deleted, and what never is: models and projects by hand, runs by age."""

import threading

import psycopg2
import pytest

from conftest import Cli, Daemon, wait_for
from test_train import rows, train  # noqa: F401


@pytest.fixture(scope="module")
def two(rows, cli, tmp_path_factory):  # noqa: F811
    """A project with two models, the second of them live."""
    path = tmp_path_factory.mktemp("models") / "p.json"
    path.write_text('{"project": "p", "relation": "t", "target": "amount", "key": ["id"],'
                    ' "exclude": ["answer", "truth", "grade", "strange"], "deploy": "always",'
                    ' "search": {"strategy": "none"}, "hyperparams": {"n_estimators": 3}}')
    cli.ok("apply", path)
    cli.ok("train", "p", "--here")
    cli.ok("train", "p", "--here")
    return [row[0] for row in rows.sql("SELECT id FROM pgboost.models ORDER BY id")]


def test_a_live_model_stays(two, cli, rows):  # noqa: F811
    result = cli("delete", "--model", two[1])
    assert result.code == 1 and f"model {two[1]} is live" in result.err and "deploy" in result.err
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):  # not by SQL either
        rows.sql("DELETE FROM pgboost.models WHERE id = %s", two[1])
    result = cli("delete", "p")
    assert result.code == 1 and "is live" in result.err and "--live" in result.err
    assert rows.value("SELECT count(*) FROM pgboost.models") == 2
    for args, code in [(["delete"], 2), (["delete", "p", "--model", "1"], 2),
                       (["delete", "nobody"], 1), (["delete", "--model", "999999"], 1)]:
        assert cli(*args).code == code, args


def test_a_model(two, cli, rows):  # noqa: F811
    assert cli.ok("delete", "--model", two[0]).out == f"model {two[0]} is deleted\n"
    assert rows.sql("SELECT id FROM pgboost.models") == [(two[1],)]
    assert cli("deploy", "p", "--strategy", "rollback").code == 1
    assert rows.value("SELECT count(*) FROM pgboost.runs WHERE model_id = %s", two[0]) == 1


def test_a_twin_goes_with_its_model(two, cli, rows):  # noqa: F811
    """What measures a model is no model of its own: not deployed, not deleted, not counted."""
    rows.sql("""UPDATE pgboost.projects SET definition = definition || '{"refit": "all"}'""")
    cli.ok("train", "p", "--here")
    model, twin = rows.sql("SELECT twin_of, id FROM pgboost.models WHERE twin_of IS NOT NULL")[0]
    assert rows.value("SELECT models FROM pgboost.overview") == 2
    assert rows.value("SELECT pgboost.choose_model(id, 'most_recent')"
                      " FROM pgboost.projects") == model
    with pytest.raises(psycopg2.Error, match="is the twin that measures model"):
        rows.sql("SELECT pgboost.deploy(%s)", twin)
    for command in [["deploy", "p", "--model", twin], ["delete", "--model", twin]]:
        result = cli(*command)
        assert result.code == 1 and f"twin that measures model {model}" in result.err
    cli.ok("deploy", "p", "--model", two[1])
    cli.ok("delete", "--model", model)
    assert rows.sql("SELECT id FROM pgboost.models") == [(two[1],)]
    rows.sql("UPDATE pgboost.projects SET definition = definition - 'refit'")


def test_pinned_models_stay(two, cli, rows):  # noqa: F811
    rows.sql("UPDATE pgboost.models SET pinned = true WHERE id = %s", two[1])
    rows.sql("""UPDATE pgboost.projects SET definition = definition || '{"keep": 1}'""")
    for _ in range(3):
        cli.ok("train", "p", "--here")  # whose worker clears up when the run has ended

    def kept():
        return [row[0] for row in rows.sql("SELECT id FROM pgboost.models ORDER BY id")]

    # pinned, the one to roll back to, and the live one, which is the newest
    wait_for(lambda: len(kept()) == 3, what="the others to go")
    assert kept()[0] == two[1]
    rows.sql("UPDATE pgboost.models SET pinned = false")
    cli.ok("train", "p", "--here")
    wait_for(lambda: two[1] not in kept(), what="the one that was pinned to go")


def test_old_runs_go(two, cli, rows, tmp_path):  # noqa: F811
    """300 old ones in batches, with their trials; the young and those with models stay."""
    rows.sql("""WITH r AS (INSERT INTO pgboost.runs (project_id, trigger, definition, status,
                    finished_at) SELECT p.id, 'test', '{}', 'failed', now() - interval '2 days'
                    FROM pgboost.projects p, generate_series(1, 300) RETURNING id)
                INSERT INTO pgboost.trials (run_id, number, status, algorithm, hyperparams)
                SELECT id, i, 'completed', 'xgboost', '{}' FROM r, generate_series(1, 5) i""")
    rows.sql("UPDATE pgboost.runs SET finished_at = finished_at - interval '2 days'"
             " WHERE model_id IS NOT NULL")
    rows.sql("INSERT INTO pgboost.due_times (project_id, due_at, seen_at) SELECT id,"
             " now() - i * interval '2 days', now() - i * interval '2 days'"
             " FROM pgboost.projects, generate_series(1, 50) i")
    young = rows.value("INSERT INTO pgboost.runs (project_id, trigger, definition, status,"
                       " finished_at) SELECT id, 'test', '{}', 'failed', now() FROM"
                       " pgboost.projects RETURNING id")
    daemon = Daemon(rows, tmp_path, "--role", "server", "--poll", "100 ms", "--keep-runs", "1 d")
    wait_for(lambda: rows.value("SELECT count(*) FROM pgboost.runs WHERE trigger = 'test'") == 1,
             what="the old runs to go")
    daemon.stop()
    assert daemon.log.count("old runs deleted") >= 6
    assert rows.value("SELECT id FROM pgboost.runs WHERE trigger = 'test'") == young
    assert rows.value("SELECT count(*) FROM pgboost.trials WHERE run_id NOT IN"
                      " (SELECT id FROM pgboost.runs)") == 0
    models = rows.value("SELECT count(*) FROM pgboost.models")
    assert rows.value("SELECT count(*) FROM pgboost.runs WHERE model_id IS NOT NULL") == models > 0
    # the last: it has been seen to
    assert rows.value("SELECT count(*) FROM pgboost.due_times") == 1


def test_a_project(two, cli, rows, daemon, tmp_path):  # noqa: F811
    """With everything that belongs to it, while others ask it to train; its neighbour stays."""
    path = tmp_path / "q.json"
    path.write_text('{"project": "q", "relation": "t", "target": "amount"}')
    cli.ok("apply", path)
    rows.sql("INSERT INTO pgboost.runs (project_id, trigger, definition, lease_until) SELECT id,"
             " 'test', definition, now() + interval '1 hour' FROM pgboost.projects")
    rows.sql("UPDATE pgboost.runs SET status = 'running', worker = 'w' WHERE status = 'queued'"
             " AND project_id = (SELECT id FROM pgboost.projects WHERE name = 'p')")
    result = cli("delete", "p", "--live")
    assert result.code == 1 and "is under way" in result.err and "pgboost cancel" in result.err
    rows.sql("UPDATE pgboost.runs SET lease_until = now() - interval '1 s' WHERE worker = 'w'")
    daemon.wait_live("p")
    assert cli.ok("delete", "p", "--live").out == "p: deleted\n"
    for table in ["runs", "models", "deployments", "due_times", "projects"]:
        column = "name" if table == "projects" else "project_id"
        left = rows.sql(f"SELECT DISTINCT {column} FROM pgboost.{table}")
        assert left in ([], [("q",)], rows.sql("SELECT id FROM pgboost.projects")), (table, left)
    assert rows.value("SELECT count(*) FROM pgboost.trials") == 0
    wait_for(lambda: daemon.get("/projects/p").status_code == 404, what="the daemon to know")
    assert daemon.get("/projects/q").status_code == 200
    assert cli.json("delete", "q") == {"project": "q", "deleted": True}


def test_deleted_while_it_is_asked_for(two, rows, cli, definition, catalog):  # noqa: F811
    """Triggers and the deletion at the same time: gone as a whole, or still there as a whole."""
    stop = threading.Event()
    connection = catalog.cluster.connect(catalog.name)

    def ask():
        with connection.cursor() as cursor:
            while not stop.is_set():
                cursor.execute("SELECT q.run_id FROM pgboost.projects p, pgboost.queue_run(p.id,"
                               " 'test', 'training', NULL, interval '1 hour') q")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for _ in range(10):
            cli.ok("apply", definition(project="busy", relation="t", target="amount"))
            cli.ok("delete", "busy")
            assert rows.sql("SELECT (SELECT count(*) FROM pgboost.projects),"
                            " (SELECT count(*) FROM pgboost.runs)") == [(0, 0)]
    finally:
        stop.set()
        thread.join()
        connection.close()
