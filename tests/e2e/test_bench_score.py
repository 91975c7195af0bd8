"""The bench of scores on few rows: every way runs, and all of them come to the same numbers."""

import subprocess
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import pytest

from conftest import ROOT

N = 3000


def load():
    loader = SourceFileLoader("bench_score", str(ROOT / "tests/bench/bench-score"))
    module = module_from_spec(spec_from_loader("bench_score", loader))
    loader.exec_module(module)
    return module


class Lab:
    """The tests' cluster as the bench has its own."""

    def __init__(self, db):
        self.env = {**db.env, "OMP_NUM_THREADS": "1"}

    def psql(self, *args):
        return subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *map(str, args)],
                              env=self.env, check=True, stdout=subprocess.PIPE, text=True,
                              stdin=subprocess.DEVNULL).stdout


@pytest.fixture(scope="module")
def measured(catalog, tmp_path_factory):
    pytest.importorskip("pandas")
    pytest.importorskip("sqlalchemy")
    bench_score = load()
    lab, folder = Lab(catalog), tmp_path_factory.mktemp("bench")
    lab.psql("-f", ROOT / "tests/bench/load/flights.sql")
    catalog.sql("INSERT INTO public.airports SELECT 'A' || i, 'Airport', 'City ' || i % 9, 'S',"
                " 'USA', i % 50, -i FROM generate_series(1, 40) i")
    catalog.sql(f"""INSERT INTO public.flights (departed_at, delay, distance, origin, destination)
                    SELECT timestamp '2001-01-01' + i * interval '9 minutes', i % 60 - 20 + i % 7,
                           100 + i * 37 % 2400, 'A' || 1 + i % 40, 'A' || 1 + i * 7 % 40
                    FROM generate_series(1, {N}) i""")
    lab.psql("-f", ROOT / "tests/bench/score/flights.sql")
    for project, relation in (("flights", "flight_features"), ("numbers", "flight_numbers")):
        bench_score.train(lab, folder, project, relation)
    bench = bench_score.Bench(lab, folder, N)
    live = catalog.value("SELECT live_model_id FROM pgboost.projects WHERE name = 'numbers'")
    bench_score.run(bench_score.BIN / "pgboost", "export", live, "-o", bench.model, env=lab.env)
    return bench_score, bench, bench.measure(1, None)


def test_all_ways_agree(measured, catalog):
    bench_score, bench, speeds = measured
    assert {"copy", "score", "atomic", "again", "numbers", "pandas"} <= set(speeds)
    bench.check(speeds)
    for table in ("copied", "scores", "scores_atomic", "scores_again", "by_pgboost", "by_pandas"):
        assert catalog.value(f"SELECT count(*) FROM public.{table}") == N
    catalog.sql("UPDATE public.by_pandas SET prediction = prediction + 1 WHERE id = 7")
    with pytest.raises(bench_score.Failure, match=f"agree on {N - 1} of {N}"):
        bench.check(speeds)


def test_what_is_said(measured, capsys):
    bench_score = measured[0]
    bench_score.report({"copy": [100.0, 200.0, 300.0], "score": [100.0], "numbers": [90.0],
                        "pandas": [10.0]})
    said = capsys.readouterr().out
    assert "0.50  ≥ 0.6  missed" in said and "9.00  ≥ 3  met" in said and "plpython" not in said
