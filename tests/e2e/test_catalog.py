"""The catalog: its migrations and a user's own, and what the schema itself refuses."""

import contextlib
import subprocess
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import psycopg2.errors
import pytest

from conftest import BIN, ROOT, Cli, Database, wait_for

OWN = sorted(path.name for path in (ROOT / "migrations").glob("*.sql"))


@pytest.fixture
def fresh(cluster):
    """A database of the test's own, without a catalog."""
    database = Database(cluster)
    yield database
    database.connection.close()


@pytest.fixture
def folder(tmp_path):
    """Writes files of a folder views/; None removes one."""
    path = tmp_path / "views"
    path.mkdir()

    def write(**files):
        for name, text in files.items():
            file = path / f"{name}.sql"
            file.unlink() if text is None else file.write_text(text)
        return path

    return write


def number(n, name):
    return f"{n:04}_{name}"


# The catalog's own ------------------------------------------------------------------------------


def test_migrate_twice(fresh):
    cli = Cli(fresh)
    assert cli.ok("migrate").out.split("\n")[:-1] == [f"{name}: applied" for name in OWN]
    assert cli.ok("migrate").out == "everything is up to date\n"
    assert cli.json("migrate") == {"items": [], "next": None}
    assert fresh.sql("SELECT name FROM pgboost.schema_migrations ORDER BY name") == [
        (name,) for name in OWN]


def test_checksums_are_of_the_bytes(fresh):
    Cli(fresh).ok("migrate")
    for name, sha256 in fresh.sql("SELECT name, sha256 FROM pgboost.schema_migrations"):
        printed = subprocess.check_output(["sha256sum", ROOT / "migrations" / name], text=True)
        assert printed.split()[0] == sha256


def test_many_at_once_apply_once(fresh):
    """Each of eight either does a file or waits for it; none fails."""
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(Cli(fresh)("migrate"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.code for result in results] == [0] * 8, [result.err for result in results]
    lines = [line for result in results for line in result.out.split("\n") if "applied" in line]
    assert sorted(lines) == [f"{name}: applied" for name in OWN]


def test_older_and_newer_catalogs_say_what_to_do(fresh):
    cli = Cli(fresh)
    result = cli("projects")
    assert result.code == 1
    assert "no pgboost catalog" in result.err and "pgboost migrate" in result.err
    cli.ok("migrate")
    fresh.sql("INSERT INTO pgboost.schema_migrations VALUES ('pgboost', '0999_later.sql', 'x')")
    for command in ("projects", "migrate"):
        result = cli(command)
        assert result.code == 1 and "0999_later.sql" in result.err and "upgrade" in result.err
    fresh.sql("DELETE FROM pgboost.schema_migrations WHERE name = ANY(%s)",
              ["0999_later.sql", OWN[-1]])
    result = cli("projects")
    assert result.code == 1 and OWN[-1] in result.err and "pgboost migrate" in result.err


def test_a_lock_is_not_waited_for_long(fresh):
    """Of a table that somebody reads, as pg_dump does; behind who waits, all others would."""
    cli = Cli(fresh)
    cli.ok("migrate")
    fresh.sql("ALTER TABLE pgboost.schema_migrations DROP COLUMN oldest_program")
    fresh.sql("DELETE FROM pgboost.schema_migrations WHERE name = '0009_add_upgrades.sql'")
    reader = fresh.cluster.connect(fresh.name)
    reader.autocommit = False
    reader.cursor().execute("SELECT FROM pgboost.schema_migrations")
    try:
        result = cli("migrate")
        assert result.code == 1 and "lock timeout" in result.err, result.err
        assert "0009_add_upgrades.sql" in result.err and "pg_dump" in result.err
    finally:
        reader.close()
    assert cli.ok("migrate").out == "0009_add_upgrades.sql: applied\n"


def test_a_deadlock_is_tried_again(fresh, tmp_path):
    Cli(fresh).ok("migrate")
    fresh.sql("CREATE TABLE public.a (); CREATE TABLE public.b ()")
    (tmp_path / "0001_c.sql").write_text(
        "LOCK TABLE public.a; LOCK TABLE public.b; CREATE TABLE public.c ();")
    with contextlib.closing(fresh.cluster.connect(fresh.name)) as other, \
            ThreadPoolExecutor(1) as threads:
        other.autocommit = False
        other.cursor().execute("SET LOCAL deadlock_timeout = '1 min'; LOCK TABLE public.b")
        migrate = threads.submit(Cli(fresh), "migrate", tmp_path)
        wait_for(lambda: fresh.value("SELECT count(*) FROM pg_locks WHERE NOT granted"),
                 what="the file's second lock")
        other.cursor().execute("LOCK TABLE public.a")  # which Postgres breaks migrate off for
        other.commit()
        assert migrate.result().code == 0, migrate.result().err
    assert fresh.value("SELECT to_regclass('public.c')") == "c"


def test_privileges(fresh):
    role = "r_" + uuid.uuid4().hex[:8]
    fresh.sql(f"CREATE ROLE {role} LOGIN")
    cli = Cli(fresh)
    result = cli("migrate", env={"PGUSER": role})
    grant = f"GRANT CREATE ON DATABASE {fresh.name} TO {role}"
    assert result.code == 1 and grant in result.err
    assert fresh.value("SELECT to_regnamespace('pgboost')") is None
    fresh.sql(grant)
    cli.ok("migrate", env={"PGUSER": role})
    assert cli("projects", env={"PGUSER": role}).code == 0
    fresh.sql(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_schema_made_for_the_role_is_enough(fresh):
    role = "r_" + uuid.uuid4().hex[:8]
    fresh.sql(f"CREATE ROLE {role} LOGIN; CREATE SCHEMA pgboost AUTHORIZATION {role}")
    Cli(fresh).ok("migrate", env={"PGUSER": role})
    fresh.sql(f"DROP OWNED BY {role}; DROP ROLE {role}")


# A user's own -----------------------------------------------------------------------------------


def test_files_run_once_in_order(fresh, folder):
    cli = Cli(fresh)
    path = folder(R_view="CREATE OR REPLACE VIEW v AS SELECT b FROM t",
                  **{number(10, "b"): "ALTER TABLE t ADD b int",
                     number(2, "a"): "CREATE TABLE t (a int); INSERT INTO t VALUES (1)"})
    lines = cli.ok("migrate", path).out.split("\n")[len(OWN):-1]
    assert lines == ["views/0002_a.sql: applied", "views/0010_b.sql: applied",
                     "views/R_view.sql: applied"]
    assert cli.ok("migrate", path).out == "everything is up to date\n"
    assert fresh.sql("SELECT * FROM public.t") == [(1, None)]
    folder(R_view="CREATE OR REPLACE VIEW v AS SELECT b, a FROM t")
    assert cli.ok("migrate", path).out == "views/R_view.sql: applied again\n"
    assert fresh.sql("SELECT * FROM public.v") == [(None, 1)]


def test_a_changed_file_is_refused(fresh, folder):
    cli = Cli(fresh)
    path = folder(**{number(1, "t"): "CREATE TABLE t (a int)"})
    cli.ok("migrate", path)
    folder(**{number(1, "t"): "CREATE TABLE t (a int) ", number(2, "u"): "CREATE TABLE u ()"})
    result = cli("migrate", path)
    assert result.code == 1 and "views/0001_t.sql" in result.err and "changed" in result.err
    assert fresh.value("SELECT to_regclass('public.u')") is None


def test_an_error_names_file_and_line_and_leaves_nothing(fresh, folder):
    cli = Cli(fresh)
    path = folder(**{number(1, "t"): "CREATE TABLE t (a int)",
                     number(2, "x"): "CREATE TABLE half ();\n\n-- é\nSELECT foo FROM t;\n"})
    result = cli("migrate", path)
    assert result.code == 1
    assert 'views/0002_x.sql: line 4: column "foo" does not exist' in result.err
    assert fresh.value("SELECT to_regclass('public.half')") is None
    folder(**{number(2, "x"): "CREATE TABLE half ();"})
    assert cli.ok("migrate", path).out == "views/0002_x.sql: applied\n"


@pytest.mark.parametrize("text", [
    "CREATE TABLE a (); COMMIT; CREATE TABLE public.b ();",
    "CREATE TABLE a (); COMMIT; SELECT nonsense",
    "BEGIN; CREATE TABLE a (); COMMIT;",
    "ROLLBACK",
    "COMMIT; BEGIN;",
])
def test_a_file_cannot_leave_its_transaction(fresh, folder, text):
    cli = Cli(fresh)
    path = folder(**{number(1, "x"): text})
    result = cli("migrate", path)
    assert result.code == 1 and "ends the transaction" in result.err and "COMMIT" in result.err
    assert fresh.sql("SELECT name FROM pgboost.schema_migrations WHERE source = 'user'") == []


def test_what_a_file_sets_ends_with_it(fresh, folder):
    """search_path and role as pg_dump and people set them; and the defaults psql would have."""
    cli = Cli(fresh)
    fresh.sql(f"CREATE SCHEMA mine; ALTER DATABASE {fresh.name} SET search_path = mine, public")
    path = folder(**{number(1, "x"): "SELECT pg_catalog.set_config('search_path', '', false);"
                                     " SET ROLE pg_monitor;",
                     number(2, "x"): "CREATE TABLE t ()"})
    cli.ok("migrate", path)
    assert fresh.value("SELECT to_regclass('mine.t')") is not None


def test_functions_with_semicolons_and_quotes(fresh, folder):
    path = folder(R_f="""
        CREATE OR REPLACE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $body$
        BEGIN
            RETURN 'it''s; "fine" \\ 😀';
        END $body$;""")
    Cli(fresh).ok("migrate", path)
    assert fresh.value("SELECT public.f()") == "it's; \"fine\" \\ \U0001f600"


@pytest.mark.parametrize("name", ["x", "1_x", "0001", "r_x"])
def test_other_names_are_refused_before_anything_runs(fresh, folder, name):
    path = folder(**{number(1, "t"): "CREATE TABLE t ()", name: "SELECT 1"})
    result = Cli(fresh)("migrate", path)
    assert result.code == 1 and f'"{name}.sql"' in result.err
    assert "NNNN_name.sql" in result.err and "R_name.sql" in result.err
    assert fresh.value("SELECT to_regclass('public.t')") is None


def test_a_missing_folder(fresh):
    result = Cli(fresh)("migrate", "/nonexistent/views")
    assert result.code == 1 and "/nonexistent/views" in result.err


# The schema -------------------------------------------------------------------------------------

MODEL = """
    INSERT INTO pgboost.models (project_id, algorithm, hyperparams, metric, metrics, encoder, model,
        sha256, base_margin_bits, golden, xgboost_version, task, relation, target, split)
    VALUES (%s, 'xgboost', '{}', 'rmse', %s, '{}', 'bytes', encode(sha256(%s), 'hex'), 0, '{}', '1',
        'regression', 'public.t', 'y', '{}')
    RETURNING id"""


@pytest.fixture(scope="module")
def rows(catalog):
    """Two projects with a model each."""
    names = ["one", "two"]
    projects = [catalog.value(
        "INSERT INTO pgboost.projects (name, definition, relation, target, task, metric,"
        " higher_is_better) VALUES (%s, '{}', 'r', 't', 'regression', 'rmse', false)"
        " RETURNING id", name) for name in names]
    models = [catalog.value(MODEL, project, '{"rmse": %d}' % i, "bytes")
              for i, project in enumerate(projects)]
    catalog.projects, catalog.models = projects, models
    return catalog


def test_bytes_that_do_not_match_their_checksum_are_refused(rows):
    with pytest.raises(psycopg2.errors.CheckViolation):
        rows.sql(MODEL, rows.projects[0], "{}", "other bytes")


def test_a_live_model_is_of_its_project_and_stays(rows):
    live = "UPDATE pgboost.projects SET live_model_id = %s WHERE id = %s"
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        rows.sql(live, rows.models[1], rows.projects[0])
    rows.sql(live, rows.models[0], rows.projects[0])
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        rows.sql("DELETE FROM pgboost.models WHERE id = %s", rows.models[0])


@pytest.mark.parametrize("columns, values", [
    ("status", "'done'"),
    ("status", "'running'"),                       # without a worker and its lease
    ("status", "'failed'"),                        # without an end
    ("status, finished_at", "'queued', now()"),
])
def test_runs_that_cannot_be(rows, columns, values):
    with pytest.raises(psycopg2.errors.CheckViolation):
        rows.sql(f"INSERT INTO pgboost.runs (project_id, trigger, definition, {columns})"
                 f" VALUES (%s, 'test', '{{}}', {values})", rows.projects[0])


def test_views(rows):
    """The leaderboard ranks by number, in the metric's direction, unknown scores last."""
    project = rows.projects[1]
    for metrics in ('{"rmse": 10, "baseline": {"rmse": 20}}', '{"rmse": 9}', '{"rmse": null}',
                    '{}'):
        rows.sql(MODEL, project, metrics, "bytes")
    ranked = "SELECT score FROM pgboost.leaderboard WHERE project = 'two' ORDER BY rank, model_id"
    assert [score for (score,) in rows.sql(ranked)] == [1, 9, 10, None, None]
    rows.sql("UPDATE pgboost.projects SET higher_is_better = true WHERE id = %s", project)
    assert [score for (score,) in rows.sql(ranked)] == [10, 9, 1, None, None]
    assert rows.value("SELECT baseline FROM pgboost.leaderboard WHERE score = 10") == 20
    assert rows.value("SELECT count(*) FROM pgboost.trained_models WHERE project = 'two'") == 5
    assert rows.sql("SELECT project, models FROM pgboost.overview ORDER BY project") == [
        ("one", 1), ("two", 5)]
    for view in ("overview", "trained_models", "deployed_models", "leaderboard"):
        assert rows.value("SELECT obj_description(%s::regclass)", f"pgboost.{view}")


def test_every_table_says_what_it_is(rows):
    assert rows.sql(
        "SELECT relname FROM pg_class WHERE relnamespace = 'pgboost'::regnamespace"
        " AND relkind IN ('r', 'v') AND obj_description(oid, 'pg_class') IS NULL") == []


def test_the_programs_carry_the_migrations():
    """Without the source beside them."""
    assert (BIN / "pgboost").exists()
    text = (BIN / "pgboost").read_bytes()
    for name in OWN:
        assert name.encode() in text


def test_a_queued_run_takes_the_present_definition(catalog, cli, definition):
    catalog.sql("CREATE TABLE public.queued AS SELECT i AS id, i AS x, i AS amount"
                " FROM generate_series(1, 50) i")
    keys = dict(project="fresh", relation="public.queued", target="amount", key=["id"],
                search={"strategy": "none"})
    cli.ok("apply", definition(hyperparams={"n_estimators": 3}, **keys))
    run_id = cli.ok("train", "fresh", "--no-wait").out.strip()
    cli.ok("apply", definition(hyperparams={"n_estimators": 4}, **keys))
    assert cli.ok("train", "fresh", "--no-wait").out.strip() == run_id
    assert catalog.value("SELECT definition #>> '{hyperparams,n_estimators}' FROM pgboost.runs"
                      " WHERE id = %s", run_id) == "4"
    cli.ok("cancel", run_id)
