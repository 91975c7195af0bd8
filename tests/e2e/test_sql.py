"""The project's life in psql alone: train, compare, deploy, roll back; who may, what is refused."""

import json
import subprocess

import psycopg2
import pytest

from conftest import heard_only, wait_for


class Psql:
    """Statements through psql, as a role: rows of texts, or what it printed as an error."""

    def __init__(self, db, role=None):
        self.db, self.role = db, role

    def __call__(self, sql):
        options = {"PGOPTIONS": f"-c role={self.role}"} if self.role else {}
        return subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql], text=True,
                              env={**self.db.direct_env, **options}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)

    def ok(self, sql):
        result = self(sql)
        assert result.returncode == 0, f"{sql}\n{result.stderr}"
        return [line.split("|") for line in result.stdout.splitlines()]

    def value(self, sql):
        return self.ok(sql)[0][0]

    def error(self, sql):
        result = self(sql)
        assert result.returncode != 0, f"{sql}: was taken\n{result.stdout}"
        return result.stderr

    def ended(self, run_id):
        """The run's row, once it has ended."""
        return wait_for(lambda: self.ok(f"SELECT status, model_id, error FROM pgboost.runs WHERE id"
                                        f" = {run_id} AND finished_at IS NOT NULL"), 60,
                        f"the end of run {run_id}")[0]


@pytest.fixture(scope="module")
def psql(catalog):
    catalog.sql("""
        CREATE TABLE public.t AS
        SELECT i AS id, sin(i * 12.9898) AS x, cos(i * 78.233) AS y,
               (ARRAY['red', 'green', 'blue'])[1 + (i * 7919) % 3] AS colour,
               2 * sin(i * 12.9898) + 0.1 * sin(i * 4.1414) AS amount,
               CASE WHEN sin(i * 12.9898) > 0 THEN 'yes' ELSE 'no' END AS answer
        FROM generate_series(1, 600) i;
        CREATE VIEW public.answers AS SELECT x, y, colour, answer FROM public.t;
        CREATE VIEW public.amounts AS SELECT x, y, colour, amount FROM public.t""")
    return Psql(catalog)


@pytest.fixture(scope="module")
def daemon(catalog, daemon_factory):
    return daemon_factory(*heard_only())


def test_a_session(psql, daemon):
    """As PostgresML's tutorial goes, with another schema."""
    first = psql.value("""SELECT * FROM pgboost.train('amount', 'regression', 'public.amounts',
        'amount', algorithm => 'xgboost', hyperparams => '{"n_estimators": 3}')""")
    status, bad, error = psql.ended(first)
    assert status == "succeeded", error
    daemon.wait_live("amount", int(bad))
    row = {"x": 0.25, "y": 0.5, "colour": "red"}
    of_bad = daemon.predict("amount", row)

    second = psql.value("""SELECT pgboost.train('amount',
        hyperparams => '{"n_estimators": 200, "max_depth": 3}', automatic_deploy => false)""")
    third = psql.value("SELECT pgboost.train('amount', algorithm => 'linear')")
    assert len({first, second, third}) == 3
    good, linear = psql.ended(second)[1], psql.ended(third)[1]
    daemon.wait_live("amount", int(linear))  # better than three trees; the best was not to go live
    board = psql.ok("SELECT rank, model_id, algorithm, live FROM pgboost.leaderboard"
                    " WHERE project = 'amount' ORDER BY rank")
    assert board[0] == ["1", good, "xgboost", "f"]
    assert {row[1] for row in board} == {bad, good, linear}
    assert psql.ok("SELECT model_id, hyperparams ->> 'n_estimators' IS NOT NULL FROM"
                   " pgboost.trained_models WHERE algorithm = 'xgboost' ORDER BY 1")[0] == \
        [bad, "t"]

    # what a call gives holds for its run; the project is what the first one defined
    assert json.loads(psql.value("SELECT definition FROM pgboost.projects")) == {
        "project": "amount", "relation": "public.amounts", "target": "amount",
        "task": "regression", "algorithms": ["xgboost"], "hyperparams": {"n_estimators": 3}}

    psql.ok("SELECT pgboost.deploy('amount', 'rollback')")
    assert psql.value("SELECT model_id FROM pgboost.deployed_models") == bad
    daemon.wait_live("amount", int(bad))
    assert daemon.predict("amount", row) == of_bad
    assert psql.ok("SELECT project, deployed_strategy, model_id, run_id FROM"
                   " pgboost.deploy('amount', 'most_recent')") == [
        ["amount", "most_recent", linear, ""]]
    psql.ok(f"SELECT pgboost.deploy({bad})")
    daemon.wait_live("amount", int(bad))
    assert psql.value("SELECT strategy FROM pgboost.deployed_models") == "specific"

    contest = psql.value("SELECT run_id FROM pgboost.deploy('amount', 'best_score')")
    assert psql.ended(contest)[:2] == ["succeeded", good]
    daemon.wait_live("amount", int(good))
    strategy, reason = psql.ok("SELECT strategy, reason FROM pgboost.deployed_models")[0]
    assert strategy == "best_score" and "the best of 3 on the same" in reason
    assert psql.ok("SELECT live_model_id, models, last_run_id FROM pgboost.overview") == [
        [good, "3", contest]]


def test_casts_and_words_of_postgresml(psql, daemon):
    """Every parameter by its name and in its place, and words that pgboost has others for."""
    run_id = psql.value("""SELECT pgboost.train('answer', 'classification'::pgboost.task,
        'answers', 'answer', 'ridge'::pgboost.algorithm, '{"lambda": 1}', NULL, '{}', '{}', 0.3,
        'random'::pgboost.sampling, 'rust'::pgboost.runtime, true, true,
        '{"colour": {"encode": "one_hot"}, "x": {"impute": "error", "scale": "preserve"},
          "y": {"impute": "mean", "scale": "standard"}}')""")
    status, _, error = psql.ended(run_id)
    assert status == "succeeded", error
    assert json.loads(psql.value("SELECT definition FROM pgboost.projects"
                                 " WHERE name = 'answer'")) == {
        "project": "answer", "relation": "public.answers", "target": "answer",
        "task": "classification", "algorithms": ["linear"], "hyperparams": {"lambda": 1},
        "test": {"size": 0.3, "by": "random"}, "deploy": "if_better", "snapshot": "table",
        "columns": {"colour": {"encode": "onehot"}, "x": {"impute": "none", "scale": "none"},
                    "y": {"impute": "mean", "scale": "standard"}}}
    # a search is written as a definition writes it
    assert json.loads(psql.value("""SELECT pgboost.search_of('random',
        '{"max_depth": [2, 3]}', '{"n_iter": 5, "cv": 3}')""")) == {
        "strategy": "random", "params": {"max_depth": [2, 3]}, "trials": 5, "folds": 3}
    for call, search in [("'random', '{}', '{}'", {"strategy": "random", "trials": 10, "folds": 5}),
                         ("'grid', '{}', '{\"cv\": 2}'", {"strategy": "grid", "folds": 2}),
                         ("'tpe', '{}', '{}'", {"strategy": "tpe"}), ("NULL, '{}', '{}'", {})]:
        assert json.loads(psql.value(f"SELECT pgboost.search_of({call})")) == search


def test_a_search(psql, daemon):
    """PostgresML's search: that many settings, each in that many folds; the rows do not stay."""
    run_id = psql.value("""SELECT pgboost.train('searched', 'regression', 'amounts', 'amount',
        hyperparams => '{"n_estimators": 5}', search => 'grid',
        search_params => '{"max_depth": [2, 3]}', search_args => '{"cv": 3}',
        materialize_snapshot => true)""")
    status, _, error = psql.ended(run_id)
    assert status == "succeeded", error
    assert psql.ok("SELECT status, origin, hyperparams ->> 'max_depth',"
                   " jsonb_array_length(fold_scores)"
                   f" FROM pgboost.trials WHERE run_id = {run_id} ORDER BY number") == [
        ["completed", "grid", "2", "3"], ["completed", "grid", "3", "3"]]
    assert psql.ok(f"SELECT rows_in_table FROM pgboost.runs WHERE id = {run_id}") == [["t"]]
    assert psql.value("SELECT count(*) FROM pgboost.run_rows") == "0"


def test_the_task_follows_from_the_column(psql):
    for column, task, metric in [("answer", "classification", "log_loss"),
                                 ("amount", "regression", "rmse")]:
        psql.ok(f"SELECT pgboost.cancel(pgboost.train('by {column}', NULL, 't', '{column}'))")
        assert psql.ok(f"SELECT task, metric, definition -> 'task' FROM pgboost.projects"
                       f" WHERE name = 'by {column}'") == [[task, metric, ""]]


def test_the_metric_is_the_one_of_apply(psql, cli, definition):
    """What a project that SQL defines is measured by, beside one of a definition."""
    for task, target, keys in [("regression", "amount", {}), ("classification", "answer", {}),
                               ("ranking", "amount", {"group": "answer"}),
                               ("survival", "amount", {"target_upper": "id"})]:
        psql.ok(f"SELECT pgboost.cancel(pgboost.train('sql {task}', '{task}', 't', '{target}'))")
        cli.ok("apply", definition(project=f"file {task}", relation="t", target=target, task=task,
                                   **keys))
        rows = psql.ok("SELECT DISTINCT task, metric, higher_is_better FROM pgboost.projects"
                       f" WHERE name IN ('sql {task}', 'file {task}')")
        assert len(rows) == 1 and rows[0][0] == task, rows


def test_refused(psql):
    n_projects = psql.value("SELECT count(*) FROM pgboost.projects")
    n_runs = psql.value("SELECT count(*) FROM pgboost.runs")
    for call, text in [
            ("train('nobody')", 'project "nobody" does not exist'),
            ("train(NULL)", "project_name is missing"),
            ("train('a/b', NULL, 't', 'amount')", "is no name for a project"),
            ("train('q', NULL, 'nothing', 'amount')", 'relation "nothing" does not exist'),
            ("train('q', NULL, 't', 'nothing')", 'has no column "nothing"'),
            ("train('q', 'clustering', 't', 'amount')", 'task "clustering" does not exist'),
            ("train('q', NULL, 't', 'amount', 'kmeans')", 'algorithm "kmeans" does not exist'),
            ("train('q', NULL, 't', 'amount', test_size => 50)", "test_size 50 is no share"),
            ("train('q', NULL, 't', 'amount', test_sampling => 'last')", '"by": "time"'),
            ("train('amount', search => 'bayes')", 'search "bayes" does not exist'),
            ("train('amount', search_args => '{\"n\": 1}')", '"n" is none of the search_args'),
            ("train('amount', search_args => '{\"cv\": 1.5}')", '"cv": 1.5 of search_args'),
            ("train('amount', search_args => '{\"cv\": \"5\"}')", '"cv": "5" of search_args'),
            ("train('amount', 'classification')", 'project "amount" is a regression'),
            ("train('amount', y_column_name => 'x')", 'is a regression of "amount"'),
            ("train('amount', relation_name => 't')", "in public.amounts"),
            ("deploy('amount', 'best')", 'strategy "best" does not exist'),
            ("deploy('amount', 'best_score', 'linear')", "is of all algorithms"),
            ("deploy('nobody', 'rollback')", 'project "nobody" does not exist'),
            ("deploy('answer', 'rollback')", "no model that rollback could mean"),
            ("deploy(999999)", "model 999999 does not exist"),
            ("cancel(999999)", "run 999999 does not exist"),
            ("cancel(1)", "run 1 has ended already: it is succeeded")]:
        error = psql.error(f"SELECT pgboost.{call}")
        assert text in error and "CONTEXT:  PL/pgSQL function pgboost." in error, error
    assert psql.value("SELECT count(*) FROM pgboost.projects") == n_projects
    assert psql.value("SELECT count(*) FROM pgboost.runs") == n_runs


def test_one_run_waits_for_each_that_differs(psql, catalog):
    catalog.sql("BEGIN")  # nobody claims what is not committed
    try:
        def ask(arguments):
            return catalog.value(f"SELECT pgboost.train('amount'{arguments})")

        plain, linear = ask(""), ask(", algorithm => 'linear'")
        assert ask("") == plain and ask(", algorithm => 'linear'") == linear != plain
        assert ask(", algorithm => 'xgboost'") == plain  # as the project is defined
        assert catalog.value("SELECT definition -> 'algorithms' FROM pgboost.runs WHERE id = %s",
                             linear) == ["linear"]
        assert catalog.value("SELECT run_id FROM pgboost.deploy('amount', 'best_score')") not in (
            plain, linear)
    finally:
        catalog.sql("ROLLBACK")


def unfinished(catalog, status):
    """A run whose worker is gone, with a trial under way and rows in the catalog."""
    return catalog.value("""
        WITH r AS (
            INSERT INTO pgboost.runs (project_id, trigger, definition, status, worker,
                started_at, lease_until, rows_key, rows_in_table, rows_fingerprint, search)
            SELECT id, 'test', definition, %s, 'w', clock_timestamp(),
                clock_timestamp() + CASE %s WHEN 'queued'
                THEN interval '1 hour' ELSE interval '-1 hour' END, 'k', true, 'f', '{"trials": 9}'
            FROM pgboost.projects WHERE name = 'amount' RETURNING id),
        w AS (INSERT INTO pgboost.run_rows SELECT id, 0, 'x' FROM r),
        t AS (INSERT INTO pgboost.trials (run_id, number, status, algorithm, hyperparams)
              SELECT id, 0, 'running', 'xgboost', '{}' FROM r)
        SELECT id FROM r""", status, status)


def test_a_cancelled_run_leaves_nothing_under_way(psql, catalog):
    for status in ["queued", "running"]:
        catalog.sql("BEGIN")  # nobody claims what is not committed
        try:
            run_id = unfinished(catalog, status)
            assert catalog.value("SELECT pgboost.cancel(%s)", run_id) == "cancelled"
            assert catalog.sql("SELECT status, error, ended_at IS NOT NULL FROM pgboost.trials"
                               " WHERE run_id = %s", run_id) == [
                ("failed", "the run ended before the trial", True)]
            assert catalog.value("SELECT count(*) FROM pgboost.run_rows") == 0
        finally:
            catalog.sql("ROLLBACK")


def test_trials_of_another_definition_are_void(psql, catalog):
    """A run that goes on keeps its trials; asked for again with another definition it does not."""
    catalog.sql("BEGIN")
    try:
        run_id = unfinished(catalog, "queued")
        ask = "SELECT run_id FROM pgboost.queue_run((SELECT id FROM pgboost.projects WHERE" \
              " name = 'amount'), 'test', 'training', NULL, NULL)"
        state = "SELECT rows_fingerprint, search, rows_key FROM pgboost.runs WHERE id = %s"
        assert catalog.value(ask) == run_id
        assert catalog.sql(state, run_id) == [("f", {"trials": 9}, "k")]
        catalog.sql("""UPDATE pgboost.projects SET definition = definition || '{"seed": 7}'""")
        assert catalog.value(ask) == run_id
        assert catalog.sql(state, run_id) == [(None, None, None)]
        assert catalog.value("SELECT count(*) FROM pgboost.run_rows WHERE run_id = %s",
                             run_id) == 0
    finally:
        catalog.sql("ROLLBACK")


def test_a_refreshed_view(psql, catalog):
    catalog.sql("CREATE MATERIALIZED VIEW public.mv AS SELECT x, y, amount FROM public.t")
    psql.ok("""SELECT pgboost.cancel(pgboost.train('from mv', 'regression', 'mv', 'amount',
        search => 'none'))""")
    catalog.sql("""UPDATE pgboost.projects SET definition = definition
                   || '{"retrain": {"on_refresh": ["mv", "public.other"]}}'
                    WHERE name = 'from mv'""")
    assert psql.ok("BEGIN; REFRESH MATERIALIZED VIEW mv;"
                   " SELECT pgboost.refreshed('mv'); COMMIT") == [
        ["1"]]
    assert psql.value("SELECT pgboost.refreshed('public.t')") == "0"
    assert psql.ok("SELECT trigger, created_by FROM pgboost.runs WHERE status <> 'cancelled' AND"
                   " project_id = (SELECT id FROM pgboost.projects WHERE name = 'from mv')") == [
        ["refresh", catalog.value("SELECT current_user")]]


# Who may -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def analyst(psql, catalog):
    """A role with what the README grants to train, deploy and read; dropped afterwards."""
    catalog.sql("""
        CREATE ROLE analyst; CREATE ROLE stranger;
        GRANT USAGE ON SCHEMA pgboost TO analyst, stranger;
        GRANT SELECT ON pgboost.overview, pgboost.trained_models, pgboost.deployed_models,
            pgboost.leaderboard TO analyst;
        GRANT EXECUTE ON FUNCTION pgboost.train, pgboost.cancel TO analyst;
        GRANT EXECUTE ON FUNCTION pgboost.deploy(text, text, text), pgboost.deploy(bigint)
            TO analyst;
        GRANT SELECT ON public.amounts TO analyst""")
    yield Psql(catalog, "analyst")
    catalog.sql("DROP OWNED BY analyst, stranger; DROP ROLE analyst, stranger")


def test_who_may(psql, analyst, catalog):
    stranger = Psql(catalog, "stranger")
    for call in ["train('amount')", "deploy('amount', 'most_recent')", "deploy(1)", "cancel(1)",
                 "refreshed('public.t')"]:
        assert "permission denied for function" in stranger.error(f"SELECT pgboost.{call}")
    assert "permission denied" in stranger.error("SELECT * FROM pgboost.overview")

    run_id = analyst.value(
        "SELECT pgboost.train('amount', algorithm => 'linear', search => 'none')")
    assert psql.value(f"SELECT created_by FROM pgboost.runs WHERE id = {run_id}") == "analyst"
    psql.ended(run_id)
    analyst.ok("SELECT pgboost.deploy('amount', 'rollback')")
    by = psql.value("SELECT created_by FROM pgboost.deployments ORDER BY id DESC LIMIT 1")
    assert by == "analyst"
    assert analyst.value("SELECT count(*) FROM pgboost.leaderboard") != "0"
    for table in ["models", "runs", "projects"]:
        assert "permission denied" in analyst.error(f"SELECT * FROM pgboost.{table}")
        assert "permission denied" in analyst.error(f"DELETE FROM pgboost.{table}")

    # a relation that the role may not read is not trained from with the daemon's rights
    error = analyst.error("SELECT pgboost.train('stolen', 'regression', 'public.t', 'amount')")
    assert "permission denied for relation" in error and "GRANT SELECT" in error
    assert "permission denied for relation" in analyst.error("SELECT pgboost.train('answer')")


def test_a_callers_names_are_not_the_functions(analyst, catalog):
    """Functions, operators and tables of the caller's own do not run with the owner's rights."""
    catalog.sql("CREATE SCHEMA evil; GRANT ALL ON SCHEMA evil TO analyst;"
                " CREATE TABLE loot (x text)")
    analyst.ok("""SET search_path = evil, pg_catalog, public;
        CREATE FUNCTION evil.format(text, text) RETURNS text LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO public.loot VALUES (current_user); RETURN $1; END $$;
        CREATE FUNCTION evil.pg_notify(text, text) RETURNS void LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO public.loot VALUES (current_user); END $$;
        CREATE TEMP TABLE projects (id bigint, name text);
        CREATE FUNCTION evil.equal(text, text) RETURNS boolean LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO public.loot VALUES (current_user); RETURN true; END $$;
        CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.equal);
        SELECT pgboost.cancel(pgboost.train('amount', hyperparams => '{"eta": 0.5}'))""")
    assert catalog.sql("SELECT * FROM loot") == []


def test_every_function_is_pinned(catalog):
    """With the owner's rights only on a fixed search_path, and for nobody until it is granted."""
    functions = catalog.sql("""
        SELECT p.proname, p.prosecdef, p.proconfig,
               has_function_privilege('public', p.oid, 'EXECUTE')
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'pgboost'""")
    assert {name for name, definer, _, _ in functions if definer} == {
        "train", "deploy", "cancel", "refreshed"}
    for name, definer, settings, everyone in functions:
        if definer:
            assert settings == ["search_path=pg_catalog, pg_temp"] and not everyone, name


def test_errors_have_codes(catalog):
    for call, code in [("deploy(999999)", "P0002"), ("train('nobody')", "22023"),
                       ("train('q', NULL, 'nothing', 'y')", "42P01")]:
        with pytest.raises(psycopg2.Error) as raised:
            catalog.sql(f"SELECT pgboost.{call}")
        assert raised.value.pgcode == code
