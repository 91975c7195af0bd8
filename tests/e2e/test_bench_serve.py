"""The short form of bench-serve: does it run, are the answers XGBoost's, does it print a table?

What it measures in a second on a busy machine proves nothing, and nothing is asserted of it.
"""

import json
import os
import subprocess

import pytest

from conftest import BIN, ROOT

TABLE = ("pgboost: requests a second", "  processor time in floors", "floor: p50, p99",
         "pgboost: rows a second, 1000 a request")


@pytest.fixture(scope="module")
def result():
    done = subprocess.run(
        [ROOT / "tests/bench/bench-serve", "--short", "--json"], text=True, timeout=120,
        env={**os.environ, "BUILD": str(BIN.parent)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_answers_are_checked(result):
    assert "answers 1000 rows of trees100 as XGBoost, 100 trees" in result[1]


def test_every_server_was_asked(result):
    for kind, names in (("load", ("floor", "floor, each", "pgboost")),
                        ("pace", ("floor", "floor, each", "pgboost")), ("batch", ("pgboost",))):
        assert set(result[0][kind]) == set(names)
        for turns in result[0][kind].values():
            assert len(turns) == 1 and turns[0]["requests"] > 0


def test_the_table(result):
    assert set(TABLE) <= {row[0] for row in result[0]["rows"]}
