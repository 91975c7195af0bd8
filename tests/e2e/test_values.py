"""A value means the same, to the bit, however it comes: from the relation, as to_jsonb writes it,
or as the text Postgres prints. The expected features are worked out here, independently."""

import datetime
import math
from decimal import Decimal

import numpy as np
import pytest

import oracle

FLT_MAX = float(np.finfo(np.float32).max)

# column type, values as SQL literals: each row of the table takes one of each
TYPES = {
    "b": ("boolean", ["true", "false"]),
    "i2": ("int2", ["-32768", "32767", "0", "17"]),
    "i4": ("int4", ["-2147483648", "16777217", "33554435", "5"]),
    "i8": ("int8", ["9007199254740993", "-9223372036854775808", "9223372036854775807", "1"]),
    "f4": ("float4", ["0.1", "3.4028235e38", "'-0'", "1e-45", "'Infinity'", "'NaN'"]),
    "f8": ("float8", ["0.1", "1e300", "-1e300", "'-Infinity'", "'NaN'", "1.00000005960464484",
                      "5e-324"]),
    "n": ("numeric", ["0.1", "123456789012345678901234567890.12345", "1e400", "-1e400", "'NaN'",
                      "'Infinity'", "9007199254740993", "1e-400", "1.000000059604644775390625"]),
    "nt": ("numeric(10,2)", ["12.50", "-0.05", "99999999.99"]),
    "t": ("text", ["'red'", "'naïve 🐘'", "''", "'a\"b\\c'"]),
    "v": ("varchar(20)", ["'red '", "'red'", "'x'"]),
    "c": ("char(6)", ["'red'", "'red  '", "'blue'"]),
    "e": ("mood", ["'sad'", "'ok'", "'happy'"]),
    "d": ("date", ["'2013-01-01'", "'1969-12-31'", "'infinity'", "'2024-02-29'", "'0044-03-15 BC'",
                   "'12345-06-07'"]),
    "ts": ("timestamp", ["'2013-01-01 05:00'", "'1999-12-31 23:59:59.999999'", "'-infinity'",
                         "'0044-03-15 01:02:03 BC'", "'2020-02-29 12:34:56.5'"]),
    "tz": ("timestamptz", ["'2013-01-01 05:00+00'", "'2021-03-28 00:59:59.75+00'",
                           "'2021-03-28 01:00:00+00'", "'2021-10-31 00:30:00+00'",
                           "'2021-10-31 01:30:00+00'", "'infinity'", "'1850-01-01 00:00+00'"]),
}
N_ROWS = 420


@pytest.fixture(scope="module")
def served(catalog, cli, daemon, tmp_path_factory):
    catalog.sql("CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy')")
    columns = ", ".join(f"{name} {type_}" for name, (type_, _) in TYPES.items())
    catalog.sql(f"CREATE TABLE public.v (id int PRIMARY KEY, y float8, {columns})"
                .replace(" mood", " public.mood"))
    for i in range(N_ROWS):
        values = [values[i % len(values)] if i % 11 else "NULL" for _, values in TYPES.values()]
        catalog.sql(f"INSERT INTO public.v VALUES ({i}, {math.sin(i)}, {', '.join(values)})")
    path = tmp_path_factory.mktemp("d") / "v.json"
    path.write_text(oracle.dumps({
        "project": "v", "relation": "public.v", "target": "y", "key": ["id"],
        "timezone": "Europe/Zurich", "search": {"strategy": "none"},
        "hyperparams": {"n_estimators": 20}}))
    cli.ok("apply", path)
    cli.ok("train", "v", "--here")
    daemon.wait_live("v")
    return daemon


def encode(daemon, rows):
    answer = daemon.predict("v", rows, encoded=True)
    return [item["encoded"] for item in answer["predictions"]]


def text_rows(db):
    """Every value as ::text under ISO settings, in the project's time zone."""
    db.sql("SET timezone = 'Europe/Zurich'")
    names = ", ".join(f"{name}::text AS {name}" for name in TYPES)
    return oracle.rows_as_json(db, f"SELECT {names} FROM public.v ORDER BY id")


def json_rows(db, query="SELECT * FROM public.v ORDER BY id"):
    """As to_jsonb writes them; a number beyond double, which JSON readers refuse, as its text."""
    rows = oracle.rows_as_json(db, query)
    for row in rows:
        if isinstance(row["n"], int) and abs(row["n"]) > 10 ** 308:
            row["n"] = str(row["n"])
    return rows


def test_json_and_text_mean_the_same(catalog, served):
    as_json = encode(served, json_rows(catalog))
    as_text = encode(served, text_rows(catalog))
    assert len(as_json) == N_ROWS
    for row, (a, b) in enumerate(zip(as_json, as_text)):
        assert a == b, row


def number(value):
    """Exact value to the nearest double, one cast to float32; the contract's special cases."""
    if value is None:
        return None
    text = str(value)
    if text == "NaN":
        return None
    as_float = float(Decimal(text)) if "Inf" not in text else float(text)
    if abs(as_float) > FLT_MAX:
        with np.errstate(over="ignore"):
            cast = np.float32(as_float)
        return math.copysign(FLT_MAX, as_float) if np.isinf(cast) else float(cast)
    return float(np.float32(as_float)) + 0.0


def test_numbers_by_an_independent_encoder(catalog, served):
    rows = text_rows(catalog)
    for encoded, row in zip(encode(served, rows), rows):
        for name in ("i2", "i4", "i8", "f8", "n", "nt"):
            expected = number(row[name])
            got = encoded[name]
            assert (got is None) == (expected is None), (name, row[name])
            if expected is not None:
                assert np.float32(got) == np.float32(expected), (name, row[name])
        f4 = row["f4"]
        if f4 is None or f4 == "NaN":
            assert encoded["f4"] is None
        elif "Inf" in f4:
            assert np.float32(encoded["f4"]) == np.float32(FLT_MAX)
        else:
            assert np.float32(encoded["f4"]) == np.float32(f4)
        assert encoded["b"] == {None: None, "true": 1, "false": 0}[row["b"]]


def test_timestamps_by_an_independent_encoder(catalog, served):
    import zoneinfo
    zurich = zoneinfo.ZoneInfo("Europe/Zurich")
    rows = catalog.sql("""
        SELECT CASE WHEN isfinite(tz) AND tz > '1900-01-01' THEN tz END,
               CASE WHEN isfinite(ts) AND ts > '1900-01-01' THEN ts END
        FROM public.v whole ORDER BY id""")
    checked = 0
    for encoded, (tz, ts) in zip(encode(served, json_rows(catalog)), rows):
        for name, when in (("tz", tz and tz.astimezone(zurich)), ("ts", ts)):
            if when is None:
                continue
            checked += 1
            us = ((when.hour * 60 + when.minute) * 60 + when.second) * 1000000 + when.microsecond
            expected = {"month": when.month, "day": when.day, "weekday": when.isoweekday(),
                        "hour": us / 3.6e9}
            for part, value in expected.items():
                assert np.float32(encoded[f"{name}.{part}"]) == np.float32(value), (when, part)
    assert checked > 300
    infinite = encode(served, [{"ts": "infinity", "tz": "-infinity", "d": "infinity"}])[0]
    assert all(v is None for k, v in infinite.items() if k.split(".")[0] in ("ts", "tz", "d"))


def test_categories(catalog, served):
    padded, plain, other = encode(served, [{"c": "red   "}, {"c": "red"}, {"c": "reddish"}])
    assert padded["c"] == plain["c"] > 0 and other["c"] == 0
    a, b = encode(served, [{"v": "red"}, {"v": "red "}])
    assert a["v"] != b["v"] and a["v"] > 0 and b["v"] > 0


# features, the pointer of the error
WRONG = [
    ({"i4": "five"}, "/features/i4"), ({"i4": True}, "/features/i4"), ({"i4": []}, "/features/i4"),
    ({"i2": 70000}, "/features/i2"), ({"i4": "0x10"}, "/features/i4"),
    ({"f8": "one"}, "/features/f8"), ({"f8": {}}, "/features/f8"), ({"n": "1,5"}, "/features/n"),
    ({"b": "maybe"}, "/features/b"), ({"b": 1}, "/features/b"),
    ({"t": 5}, "/features/t"), ({"t": False}, "/features/t"),
    ({"d": "yesterday"}, "/features/d"), ({"ts": "2013-13-01"}, "/features/ts"),
    ({"ts": "2013-02-29"}, "/features/ts"), ({"tz": 5}, "/features/tz"),
    ({"nope": 1}, "/features/nope"), ({"a/b~c": 1}, "/features/a~1b~0c"),
]


@pytest.mark.parametrize("features, pointer", WRONG, ids=lambda v: str(v)[:30])
def test_wrong_values_are_named(served, features, pointer):
    answer = served.post("/predict", {"project": "v", "features": features})
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = answer.json()
    assert problem["status"] == 400 and problem["title"] and problem["detail"]
    assert problem["errors"][0]["field"] == pointer
    many = served.post("/predict", {"project": "v", "features": [{}, features]})
    assert many.status_code == 400
    assert many.json()["errors"][0]["field"] == pointer.replace("/features/", "/features/1/")


def test_a_number_beyond_double_is_refused(served):
    answer = served.session.post(served.url + "/predict",
                                 data='{"project": "v", "features": {"n": 1e400}}')
    assert answer.status_code == 400 and "/features/n" in answer.text
    accepted = served.session.post(served.url + "/predict",
                                   data='{"project": "v", "features": {"n": "1e400"},'
                                        ' "encoded": true}').json()
    assert np.float32(accepted["encoded"]["n"]) == np.float32(FLT_MAX)
