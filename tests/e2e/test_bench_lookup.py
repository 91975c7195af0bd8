"""The short form of bench-lookup: does it run, are the answers right, does it print a table?

What it measures in a second on a busy machine proves nothing, and nothing is asserted of it.
"""

import json
import os
import subprocess

import pytest

from conftest import BIN, ROOT

TABLE = ("16 connections: look-ups, pgbench a second", "64 connections: look-ups, pgbench a second",
         "features alone, 1000 a second: p99 in µs", "/rank of 1000, Python: ms")


@pytest.fixture(scope="module")
def result():
    done = subprocess.run(
        [ROOT / "tests/bench/bench-lookup", "--short", "--json", "--daemon",
         "--lookup-timeout 60s"],  # a busy machine is no broken one
        text=True, timeout=600, env={**os.environ, "BUILD": str(BIN.parent)},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_answers_are_checked(result):
    assert "200 predictions by key are those by features" in result[1]
    assert "the best 10 of 1000 are Python's" in result[1]


def test_all_of_it_was_measured(result):
    for kind in ("lookup", "pgbench"):
        assert set(result[0][kind]) == {"16", "64"}
        assert all(turn["rate"] > 0 for turns in result[0][kind].values() for turn in turns)
    for kind in ("calm", "frozen"):
        assert result[0][kind][0]["requests"] > 0
    for kind in ("rank_ms", "python_ms"):
        assert len(result[0][kind]) == 1 and result[0][kind][0] > 0


def test_the_table(result):
    assert set(TABLE) <= {row[0] for row in result[0]["rows"]}
