"""Which rows train, validate and test, worked out from what models/README.md says of it, so that
another program can learn from the very same rows.

Of the splits the data sets have: random and stratified with twins, and by time; in one hold-out, of
the size that validation rows have while settings compete.
"""

import math
from collections import namedtuple
from itertools import groupby

from programs import Failure

COARSE = 10  # rows for each that differs: twins by nature
PARTS = ("train", "valid", "test")

# alike: equal for rows that no feature tells apart
Row = namedtuple("Row", "key hash feature_hash alike label time")

HASH = ("(('x' || left(encode(sha256(convert_to({text}, 'UTF8')), 'hex'), 13))::bit(52)::bigint"
        " / 2.0^52)::float8")


def text_of(column, kind):
    """A feature's text; of -0 that of 0."""
    return f'("{column}" + 0)::text' if kind == "double precision" else f'"{column}"::text'


def read_rows(cluster, definition):
    """Every row that has a target, in no order."""
    relation, target, seed = definition["relation"], definition["target"], definition["seed"]
    (key,) = definition["key"]
    columns = cluster.columns(relation)
    features = [name for name in columns
                if name not in (target, key, *definition.get("exclude", ()))]
    texts = ", ".join(text_of(name, columns[name]) for name in features)
    quoted = ", ".join(f'"{name}"' for name in features)
    joined = f"{seed} || '|' || array_to_string(ARRAY[{texts}], '|', '')"
    own = f"{seed} || '|' || \"{key}\""
    time = f'"{definition["time"]}"' if "time" in definition else "NULL"
    return [Row(*row) for row in cluster.sql(
        f"""SELECT "{key}", {HASH.format(text=own)}, {HASH.format(text=joined)},
                   dense_rank() OVER (ORDER BY {quoted}), "{target}"::text, {time}
            FROM {relation} WHERE "{target}" IS NOT NULL""")]


def rounded(x):
    return math.floor(x + 0.5)


def validation_share(n):
    share = min(max(500 / n, 0.1), 0.2) if n < 5000 else min(max(2500 / n, 0.01), 0.1)
    return min(2 * share, 0.2)


def places_of(rows):
    """{key: place}: the hash of the key, of twins that of their features."""
    count = {}
    for row in rows:
        count[row.alike] = count.get(row.alike, 0) + 1
    if len(rows) >= COARSE * len(count):
        return {row.key: row.hash for row in rows}
    return {row.key: row.feature_hash if count[row.alike] > 1 else row.hash for row in rows}


def cut_at(order, n_wanted):
    """Where the last n_wanted start; later among equals, which stay on one side."""
    at = len(order) - n_wanted
    while 0 < at < len(order) and order[at] == order[at - 1]:
        at += 1
    return at


def split_by_time(rows, size):
    rows = sorted(rows, key=lambda row: row.time)
    times = [row.time for row in rows]
    test = cut_at(times, math.floor(size * len(rows) + 1e-9))
    valid = cut_at(times[:test], rounded(validation_share(test) * test))
    return {row.key: PARTS[(i >= valid) + (i >= test)] for i, row in enumerate(rows)}


def split_by_random(rows, size):
    places = places_of(rows)
    order = sorted((places[row.key], row.hash, row.key) for row in rows)
    n_test = sum(place < size for place, _, _ in order)
    n_rest = len(order) - n_test
    valid = n_test + cut_at([place for place, _, _ in order[n_test:]],
                            rounded(validation_share(n_rest) * n_rest))
    return {key: "test" if i < n_test else "train" if i < valid else "valid"
            for i, (_, _, key) in enumerate(order)}


def n_of_class(share, n):
    return 0 if n < 2 else min(max(rounded(share * n), 1), n - 1)


def settle(places, cut):
    """Equal places stay together: the cut moves up, or down where nothing would be above it."""
    up = cut
    while 0 < up < len(places) and places[up] == places[up - 1]:
        up += 1
    if up < len(places):
        return up
    while cut > 0 and places[cut] == places[cut - 1]:
        cut -= 1
    return cut


def split_stratified(rows, size):
    places = places_of(rows)
    classes = {}
    for place, own, key, label in sorted((places[r.key], r.hash, r.key, r.label) for r in rows):
        classes.setdefault(label, []).append((place, own, key))
    n_test = {label: settle([place for place, _, _ in order], n_of_class(size, len(order)))
              for label, order in classes.items()}
    share = validation_share(len(rows) - sum(n_test.values()))
    side = {}
    for label, order in classes.items():
        n_rest = len(order) - n_test[label]
        n_valid = n_of_class(share, n_rest)
        while 0 < n_valid < n_rest and order[-n_valid][0] == order[-n_valid - 1][0]:
            n_valid -= 1
        for i, (_, _, key) in enumerate(order):
            side[key] = ("test" if i < n_test[label] else
                         "train" if i < len(order) - n_valid else "valid")
    return join_classes(rows, places, side)


def join_classes(rows, places, side):
    """Those of one place and several classes go with the one of the smallest hash."""
    order = sorted((places[row.key], row.hash, row.key) for row in rows)
    return {key: side[group[0][2]]
            for _, group in groupby(order, key=lambda item: item[0])
            for group in [list(group)] for _, _, key in group}


def parts_of(cluster, definition):
    """{"train": keys, "valid": keys, "test": keys}, each in the order of the keys."""
    rows = read_rows(cluster, definition)
    by = definition["test"]["by"]
    split = {"time": split_by_time, "random": split_by_random, "stratified": split_stratified}[by]
    side = split(rows, definition["test"]["size"])
    parts = {part: sorted(key for key, found in side.items() if found == part) for part in PARTS}
    if not all(parts.values()):
        raise Failure(f"{definition['project']}: a part of the split has no rows")
    return parts
