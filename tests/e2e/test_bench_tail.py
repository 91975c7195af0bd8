"""The short form of bench-tail: does it run, is a run under way when it says so?

How long answers take on a busy machine proves nothing, and nothing is asserted of it.
"""

import json
import os
import subprocess

from conftest import BIN, ROOT


def test_measures_both():
    done = subprocess.run(
        [ROOT / "tests/bench/bench-tail", "--short", "--json"], text=True, timeout=300,
        env={**os.environ, "BUILD": str(BIN.parent)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for name in ("alone", "training"):
        (turn,) = found["turns"][name]
        assert turn["requests"] > 0 and turn["failed"] == 0
        assert 0 < turn["p50_us"] <= turn["p99_us"]
    alone, training = found["turns"]["alone"][0], found["turns"]["training"][0]
    assert found["ratios"]["p99_us"] == training["p99_us"] / alone["p99_us"]
