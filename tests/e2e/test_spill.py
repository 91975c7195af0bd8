"""Rows beyond memory: the same model whether they were spilled or not, and a disk that is full."""

import hashlib
import os
import resource
import subprocess

import pytest

from conftest import BIN

RELATION = """
CREATE TABLE public.spilled AS
SELECT i AS id, md5(i::text) AS hash,
       ('{a,b,c,d}'::text[])[1 + i % 4] AS letter,
       CASE WHEN i % 11 <> 0 THEN (i * 7919 % 1000)::float8 / 10 END AS x,
       CASE WHEN i % 3 = 0 THEN ARRAY[i % 5, i % 7]::float8[] END AS pair,
       ARRAY['t' || i % 3, 't' || i % 5] AS tags,
       jsonb_build_object('k', i % 13, 's', 'v' || i % 4) AS doc,
       'c' || (i * 31 % 1500) AS city,
       timestamp '2020-01-01' + i * interval '1 hour' AS at,
       (i * 7919 % 1000)::float8 / 100 + i % 4 + (i * 31 % 1500) % 7 AS y
FROM generate_series(1, 30000) AS i
"""


@pytest.fixture(scope="module")
def project(catalog, cli, tmp_path_factory):
    catalog.sql(RELATION)
    path = tmp_path_factory.mktemp("spill") / "spilled.json"
    path.write_text('{"project": "spilled", "relation": "public.spilled", "target": "y",'
                    ' "key": "id", "exclude": ["hash"], "search": {"strategy": "none"},'
                    ' "hyperparams": {"n_estimators": 30}}')
    cli.ok("apply", path)
    return catalog


def work(db, cli, above, folder, project="spilled", **options):
    """One run, by a worker started by hand."""
    run_id = int(cli.ok("train", project, "--no-wait").out.split()[-1])
    done = subprocess.run(
        [BIN / "pgboost-worker", "--run", str(run_id), "--threads", "1",
         "--spill-above", above, "--state-dir", folder],
        env=db.env, capture_output=True, text=True, timeout=300,
        **options)
    return run_id, done


def model_of(db, run_id):
    return db.sql("SELECT model, encoder, metrics FROM pgboost.models WHERE run_id = %s",
                  run_id)[0]


def test_spilled_and_not_are_the_same_model(project, cli, tmp_path):
    whole = spilled = None
    for above in ("1 GiB", "64 KiB", "1 KiB"):
        run_id, done = work(project, cli, above, tmp_path)
        assert done.returncode == 0, done.stderr
        model, encoder, metrics = model_of(project, run_id)
        digest = hashlib.sha256(bytes(model)).hexdigest()
        if whole is None:
            whole = (digest, encoder, metrics)
        spilled = (digest, encoder, metrics)
        assert spilled == whole, above
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name, keys", [
    ("twins", {"key": "id", "include": ["letter", "x", "tags"]}),
    ("groups", {"key": "hash", "group": "city", "weight": "id", "include": ["x", "letter"]}),
], ids=["twins", "groups"])
def test_spilled_rows_are_split_alike(project, cli, definition, tmp_path, name, keys):
    cli.ok("apply", definition(project=name, relation="public.spilled", target="y",
                               search={"strategy": "none"}, hyperparams={"n_estimators": 10},
                               **keys))
    found = []
    for above in ("1 GiB", "64 KiB"):
        run_id, done = work(project, cli, above, tmp_path, project=name)
        assert done.returncode == 0, done.stderr
        split = project.value("SELECT stats -> 'split' FROM pgboost.runs WHERE id = %s", run_id)
        model, encoder, metrics = model_of(project, run_id)
        found.append((split, hashlib.sha256(bytes(model)).hexdigest(), encoder, metrics))
    assert found[0] == found[1]
    if name == "twins":
        assert found[0][0]["together"] == ["letter", "x", "tags"]
        assert found[0][0]["distinct"] < found[0][0]["twins"] <= 30000
    else:
        assert found[0][0]["groups"] == 1500


def test_order_of_the_relation_does_not_matter(project, cli, tmp_path):
    before = model_of(project, work(project, cli, "64 KiB", tmp_path)[0])
    project.sql("CREATE TABLE public.shuffled AS SELECT * FROM public.spilled ORDER BY hash")
    project.sql("DROP TABLE public.spilled")
    project.sql("ALTER TABLE public.shuffled RENAME TO spilled")
    assert model_of(project, work(project, cli, "64 KiB", tmp_path)[0]) == before


def test_a_full_disk_fails_the_run_with_a_hint(project, cli, tmp_path):
    """The bound on a file's size stands for the disk's: pwrite fails as it would there."""
    def bound():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200000, 200000))

    run_id, done = work(project, cli, "64 KiB", tmp_path, preexec_fn=bound)
    assert done.returncode == 1
    status, error, hint = project.sql(
        "SELECT status, error, hint FROM pgboost.runs WHERE id = %s", run_id)[0]
    assert status == "failed"
    assert f'cannot write to the spill file in "{tmp_path}"' in error
    assert "state_dir" in hint and "spill_above" in hint


def test_a_folder_that_is_not_there(project, cli):
    run_id, done = work(project, cli, "64 KiB", "/nonexistent/folder")
    assert done.returncode == 1
    error = project.value("SELECT error FROM pgboost.runs WHERE id = %s", run_id)
    assert 'cannot create a spill file in "/nonexistent/folder"' in error


def test_linear_beside_trees_on_disk(catalog, cli, definition, tmp_path):
    """Its matrix stays in memory; the rows and the trees' matrix go to a file."""
    catalog.sql("""CREATE TABLE public.lines AS SELECT i AS id, sin(i) AS a, cos(i * 1.7) AS b,
                   'c' || i % 5 AS c, 3 * sin(i) - cos(i * 1.7) AS line
                   FROM generate_series(1, 2000) i""")
    cli.ok("apply", definition(
        project="lines", relation="public.lines", target="line", key=["id"], deploy="always",
        algorithms=["xgboost", "linear"], search={"strategy": "none"},
        hyperparams={"n_estimators": 20}))
    models = []
    for above in ("1 GiB", "1 KiB"):
        run_id = cli.ok("train", "lines", "--no-wait").out.split()[-1]
        cli.ok("--run", run_id, "--threads", "1", "--spill-above", above, "--state-dir", tmp_path,
               program="pgboost-worker")
        models.append(catalog.sql(
            "SELECT sha256, algorithm FROM pgboost.models WHERE run_id = %s", run_id)[0])
    assert models[0] == models[1] and models[0][1] == "linear"
