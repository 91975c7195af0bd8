"""The worker's log: one logfmt line a step of a run.

    time=… level=info msg="step done" run=7 step=read seconds=7.12 peak_mib=310
"""

import re

PAIR = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)=("(?:[^"\\]|\\.)*"|[^ "]*)(?: |$)')

# relation → encoded float32 matrix; what XGBoost builds of it is the step "matrix".
LOADING = ("read", "split", "encode")


class LogError(Exception):
    pass


def parse_line(line):
    """The pairs of one line; None when it is not logfmt."""
    pairs, at = {}, 0
    line = line.rstrip("\n")
    while at < len(line):
        match = PAIR.match(line, at)
        if match is None:
            return None
        value = match[2]
        pairs[match[1]] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value[:1] == '"' else value
        at = match.end()
    return pairs or None


def find_steps(log):
    """{step: {"seconds": float, "peak_mib": float}} in the log's order."""
    steps = {}
    for line in log.splitlines():
        pairs = parse_line(line)
        if pairs is None or pairs.get("msg") != "step done":
            continue
        try:
            name = pairs["step"]
            step = {key: float(pairs[key]) for key in ("seconds", "peak_mib")}
        except (KeyError, ValueError):
            raise LogError(f"this line lacks step, seconds or peak_mib: {line}") from None
        if name in steps:
            raise LogError(f"step {name} ended twice in one run")
        steps[name] = step
    return steps


def is_loaded(log):
    """Whether the rows are encoded; a last line that is still being written does not count."""
    steps = find_steps(log[:log.rfind("\n") + 1])
    return all(name in steps for name in LOADING)


def parse_steps(log):
    """The steps of a run, of which those of LOADING have to be there."""
    steps = find_steps(log)
    missing = [name for name in LOADING if name not in steps]
    if missing:
        raise LogError(f'no "step done" line for {", ".join(missing)}:'
                       " this pgboost-worker does not log its steps at level info")
    return steps


def loading_seconds(steps):
    return sum(steps[name]["seconds"] for name in LOADING)
