"""Backups are pg_dump's: the catalog comes back from one as it was, into another database or under
a daemon that serves."""

import json
import subprocess

import pytest

from conftest import wait_for


def define(cli, folder, name):
    path = folder / f"{name}.json"
    path.write_text(json.dumps({
        "project": name, "relation": "public.t", "target": "y", "key": "id", "threads": 1,
        "search": {"strategy": "none"}, "hyperparams": {"n_estimators": 3}, "deploy": "always"}))
    cli.ok("apply", path)


def train(catalog, cli, factor):
    catalog.sql(f"UPDATE public.t SET y = a * {factor}")
    cli.ok("train", "p", "--here")


def run(catalog, *command, database=None):
    env = {**catalog.direct_env, "PGDATABASE": database or catalog.name}
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def backup(catalog, cli, tmp_path):
    """Of a database with a model of y = a, which is deployment 1."""
    catalog.sql("CREATE TABLE public.t AS SELECT id, id % 7 AS a, 0.0 AS y"
                " FROM generate_series(1, 200) AS id")
    define(cli, tmp_path, "p")
    train(catalog, cli, 1)
    run(catalog, "pg_dump", "-Fp", "-f", tmp_path / "dump.sql")
    return tmp_path / "dump.sql"


def restore(catalog, backup, database=None):
    run(catalog, "psql", "-qX", "-v", "ON_ERROR_STOP=1", "-f", backup, database=database)


def test_a_backup_returns(catalog, cli, daemon, backup):
    small = cli.ok("predict", "p", '{"a": 3}').out
    catalog.sql("CREATE DATABASE " + (other := catalog.name + "_other"))
    restore(catalog, backup, other)
    assert cli.ok("predict", "p", '{"a": 3}', env={"PGDATABASE": other}).out == small
    cli.ok("check", env={"PGDATABASE": other})
    assert "deployed" in cli.ok("train", "p", "--here", env={"PGDATABASE": other}).out

    # Under a daemon: it does not go back by itself, and says so.
    train(catalog, cli, 10)
    daemon.wait_live("p", 2)
    large = daemon.predict("p", {"a": 3})
    catalog.sql("DROP TABLE public.t; DROP SCHEMA pgboost CASCADE")
    restore(catalog, backup)
    wait_for(lambda: "went back to deployment 1" in
             (daemon.get("/projects/p").json()["problem"] or ""), what="the daemon to notice")
    assert daemon.predict("p", {"a": 3}) == large

    # Another model with the number of the one that is live.
    train(catalog, cli, 100)
    wait_for(lambda: daemon.get("/projects/p").json()["problem"] is None, what="the new model")
    answer = daemon.predict("p", {"a": 3})
    assert answer == json.loads(cli.ok("predict", "p", '{"a": 3}').out)
    assert answer["model_id"] == large["model_id"] == 2
    assert answer["prediction"] > 5 * large["prediction"]
