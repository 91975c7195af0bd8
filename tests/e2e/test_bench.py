"""What tests/bench/bench-load reads out of the worker's log."""

import sys

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests/bench/load"))
import steps  # noqa: E402

LINE = ('time=2026-01-31T03:00:00.123Z level=info msg="step done" run=7 step={} seconds={}'
        " peak_mib={}\n")
LOG = ('time=2026-01-31T03:00:00.000Z level=info msg="run claimed" run=7 attempt=1\n'
       + LINE.format("read", "7.12", 310) + LINE.format("split", "0.5", 400)
       + LINE.format("encode", "2", 612.5) + LINE.format("matrix", "1.25", 900)
       + 'time=2026-01-31T03:00:09.000Z level=warning msg="a \\"step done\\"" step=read\n')


def test_a_real_line(catalog, cli):
    """The worker's own words, as lib/base/log.c writes them."""
    result = cli("--run", 999999, program="pgboost-worker")
    pairs = steps.parse_line(result.err.splitlines()[-1])
    assert pairs["level"] in ("info", "error") and pairs["time"].endswith("Z")
    assert " " in pairs["msg"]


def test_steps():
    found = steps.parse_steps(LOG)
    assert list(found) == ["read", "split", "encode", "matrix"]
    assert found["encode"] == {"seconds": 2, "peak_mib": 612.5}
    assert steps.loading_seconds(found) == pytest.approx(9.62)


@pytest.mark.parametrize("line, pairs", [
    ('a=1 b="two words" c=', {"a": "1", "b": "two words", "c": ""}),
    (r'msg="a \"b\" \\ c" d=2', {"msg": 'a "b" \\ c', "d": "2"}),
    ("terminate called after throwing", None),
    ('a="open', None),
    ("", None),
])
def test_lines(line, pairs):
    assert steps.parse_line(line) == pairs


def test_loaded_once_all_lines_are_whole():
    ends = [i + 1 for i, c in enumerate(LOG) if c == "\n"]
    assert [steps.is_loaded(LOG[:end]) for end in ends] == [False, False, False, True, True, True]
    assert not steps.is_loaded(LOG[:ends[3] - 1])


@pytest.mark.parametrize("log, says", [
    ("", "no \"step done\" line for read, split, encode"),
    (LOG.replace("step=split", "step=spill"), "no \"step done\" line for split"),
    (LOG + LINE.format("encode", 3, 700), "step encode ended twice"),
    (LOG.replace("seconds=0.5", "seconds=fast"), "lacks step, seconds or peak_mib"),
    (LOG.replace(" peak_mib=400", ""), "lacks step, seconds or peak_mib"),
])
def test_what_is_not_a_run(log, says):
    with pytest.raises(steps.LogError, match=says):
        steps.parse_steps(log)
