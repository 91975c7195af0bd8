"""tests/bench/bench-search in small: the split that it works out is pgboost's, row by row, what it
reads out of the trials, and a whole measurement of one data set."""

import importlib.machinery
import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import oracle
from conftest import BIN, ROOT

PACKAGES = ("optuna", "pandas", "sqlalchemy")
if any(importlib.util.find_spec(name) is None for name in PACKAGES):
    pytest.skip("python3-optuna, -pandas or -sqlalchemy is not installed; scripts/install-deps"
                " --bench installs them", allow_module_level=True)

sys.path.insert(0, str(ROOT / "tests/bench/search"))
import parts  # noqa: E402
import programs  # noqa: E402
import score  # noqa: E402

PROGRAM = ROOT / "tests/bench/bench-search"
LOADER = importlib.machinery.SourceFileLoader("bench_search", str(PROGRAM))
SPEC = importlib.util.spec_from_loader("bench_search", LOADER)
bench_search = importlib.util.module_from_spec(SPEC)
LOADER.exec_module(bench_search)


class Read:
    """A test's database as the bench's cluster."""

    columns = programs.Cluster.columns

    def __init__(self, db):
        self.db, self.env = db, db.env

    def sql(self, query, params=None):
        return self.db.sql(query, *(params or ()))


# Twins, some of them of two classes; times that many rows share, and none where it is not known.
TABLE = """
CREATE TABLE public.b AS
SELECT i AS id, (i % 700)::float8 - 350 AS x, CASE WHEN i % 13 <> 0 THEN 'c' || i % 7 END AS colour,
       timestamp '2020-01-01' + (i / 9) * interval '1 hour' AS at,
       sin(i * 12.9898)::float8 * 100 AS amount,
       (ARRAY['low', 'mid', 'high'])[1 + (i * 7919 / 3) % 3] AS grade
FROM generate_series(1, 3000) i
"""


@pytest.fixture(scope="module")
def table(catalog):
    catalog.sql(TABLE)
    return catalog


def train(cli, folder, **keys):
    """Two settings that learn next to nothing: what they say is where boosting starts, the mean of
    the training rows."""
    keys = {"relation": "public.b", "key": ["id"], "seed": 42, **keys}
    programs.Pgboost(Read(cli.db), folder).define(
        {**keys, "hyperparams": {"n_estimators": 1, "eta": 1e-6}},
        {"strategy": "auto", "trials": 2})
    cli.ok("train", keys["project"], "--here")
    stats, model_id = cli.db.sql(
        "SELECT r.stats, r.model_id FROM pgboost.runs r JOIN pgboost.projects p"
        " ON p.id = r.project_id WHERE p.name = %s", keys["project"])[0]
    found = parts.parts_of(Read(cli.db), keys)
    bench_search.check_parts(stats, found)
    return found, oracle.StoredModel(cli.db, model_id)


@pytest.mark.parametrize("keys", [
    {"exclude": ["at", "grade"], "test": {"size": 0.2, "by": "random"}},
    {"time": "at", "exclude": ["grade"], "test": {"size": 0.3, "by": "time"}},
], ids=["random", "time"])
def test_the_split_is_pgboosts(table, cli, tmp_path, request, keys):
    """Its residuals of the validation rows tell which these are, and which rows trained."""
    found, model = train(cli, tmp_path, project=request.node.callspec.id, target="amount",
                         task="regression", **keys)
    y = dict(table.sql("SELECT id, amount FROM public.b"))
    of = {part: np.array([y[key] for key in keys]) for part, keys in found.items()}
    residuals = np.sort(np.abs(of["valid"] - of["train"].mean()))
    stored = model.calibration["residuals"]
    assert stored["rows"] == len(residuals) <= 1024
    assert np.abs(np.array(stored["values"]) - residuals).max() < 1e-3
    trained = np.concatenate([of["train"], of["valid"]]).mean()
    assert abs(model.metrics["rmse"] - np.sqrt(np.mean((of["test"] - trained) ** 2))) < 1e-3


def test_a_stratified_split_is_pgboosts(table, cli, tmp_path):
    keys = {"exclude": ["at", "amount"], "test": {"size": 0.2, "by": "stratified"}}
    found, _ = train(cli, tmp_path, project="strata", target="grade", task="classification",
                     **keys)
    alike, places = {}, []
    for row in parts.read_rows(Read(table), {"relation": "public.b", "target": "grade", "seed": 42,
                                             "key": ["id"], **keys}):
        alike.setdefault(row.alike, set()).add(row.key)
        places.append(row)
    assert any(len(keys) > 1 for keys in alike.values())
    assert set(found["test"]) == oracle.stratified_test(
        [(row.key, row.feature_hash if len(alike[row.alike]) > 1 else row.hash, row.hash, row.label,
          row.alike) for row in places], 0.2)
    side = {key: part for part, keys in found.items() for key in keys}
    assert all(len({side[key] for key in keys}) == 1 for keys in alike.values())


def test_an_error_where_the_split_is_another():
    with pytest.raises(programs.Failure, match="'train': 8.*'train': 7"):
        bench_search.check_parts({"train": 7, "valid": 2, "test": 1},
                                 {"train": [0] * 8, "valid": [0], "test": [0]})


def test_an_error_where_metrics_differ():
    definition = {"project": "p", "metric": "rmse"}
    bench_search.check_metric(definition, 2.0, 2.0 + 1e-10)
    with pytest.raises(programs.Failure, match="rmse is 2.0, scikit-learn's"):
        bench_search.check_metric(definition, 2.0, 2.00001)


def test_losses_of_rows():
    random = np.random.default_rng(1)
    y, p = random.normal(size=50), random.normal(size=50)
    assert score.finish("regression", score.row_losses("regression", y, p).mean()) == \
        pytest.approx(score.loss("regression", y, p), rel=1e-12)
    y, p = random.integers(3, size=50), random.dirichlet([1, 1, 1], size=50)
    p[0] = [1, 0, 0]
    y[0] = 2  # given no chance at all
    assert score.row_losses("classification", y, p).mean() == \
        pytest.approx(score.loss("classification", y, p), rel=1e-12)


def test_the_interval_of_a_difference():
    y = np.zeros(200)
    draws = score.difference_draws("regression", y, y + 3, y - 1)
    assert score.interval(draws) == (2, 2)  # on whichever rows
    noise = np.random.default_rng(2).normal(size=200)
    low, high = score.interval(score.difference_draws("regression", y, noise, noise[::-1]))
    assert low < 0 < high


def test_when_a_trial_was_as_good():
    trials = [{"status": status, "score": value, "ended": ended} for status, value, ended in (
        ("completed", 3.0, 1), ("pruned", 1.0, 2), ("failed", None, 3), ("completed", 2.0, 4),
        ("completed", 1.0, 5))]
    assert bench_search.first_to_reach(trials, 2.0) == 4
    assert bench_search.first_to_reach(trials, 0.5) is None
    assert bench_search.ratio(None, 3) == float("inf")


def test_the_verdict_of_two_rounds():
    side = {"score": 1, "seconds": 10, "test": 2}
    results = [{"dataset": "d", "metric": "rmse", "rows": {}, "ratio": ratio, "ratio_to_best": 1,
                "optuna": side, "pgboost": side, "difference": shift,
                "draws": np.linspace(shift - 1, shift + 1, 101)}
               for ratio, shift in ((0.2, 3), (float("inf"), -0.5))]
    both = bench_search.summary_of(results, "d")
    assert both["verdict"] == "worse" and both["difference"] == 1.25 and both["surely"]
    assert bench_search.summary_of(results[:1], "d")["verdict"] == "worse"
    assert bench_search.summary_of(results[1:], "d")["verdict"] == "better"
    assert [one["verdict"] for one in bench_search.search_figures(
        [bench_search.summary_of(results[1:], "d")])] == ["missed", "", "met", "met"]


def test_one_data_set():
    out = subprocess.run(
        [sys.executable, PROGRAM, "--datasets", "diabetes", "--trials", "3", "--minutes", "0.05",
         "--threads", "1", "--json"], text=True, timeout=120,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
        env={**os.environ, "BUILD": str(BIN.parent)})
    assert out.returncode == 0, out.stderr
    report = json.loads(out.stdout)
    (one,), (line,) = report["results"], report["datasets"]
    assert one["dataset"] == line["dataset"] == "diabetes" and one["metric"] == "rmse"
    assert sum(one["rows"].values()) == 442
    assert 1 <= one["optuna"]["trials"] <= 3  # as many as the time was enough for
    done = [t for t in one["pgboost"]["trials"] if t["status"] == "completed"]
    assert done and one["pgboost"]["score"] == min(t["score"] for t in done)
    assert all(0 < t["ended"] <= one["pgboost"]["seconds"] for t in done)
    reached = [t["ended"] for t in done if t["score"] <= one["optuna"]["score"]]
    assert one["pgboost"]["reached"] == min(reached, default=None)
    assert one["ratio"] == (reached and min(reached) / one["optuna"]["seconds"] or None)
    # the targets are between 25 and 346, spread by 77: both have learnt
    assert 40 < one["optuna"]["test"] < 77 and 40 < one["pgboost"]["test"] < 77
    assert line["interval"][0] <= line["interval"][1] and len(report["figures"]) == 4
