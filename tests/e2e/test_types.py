"""Every column a table can have: trained, then served from both forms a value can come in, beside
features worked out here from the rules of models/README.md."""

import math

import numpy as np
import pytest

import oracle

N = 600
COLUMNS = """
    id int PRIMARY KEY, y float8,
    span interval, clock time, price money, bits bit(4), spot point,
    whole int4range, part numrange, days daterange, moment tsrange, instant tstzrange,
    fixed float4[], fixed_int int8[], loose numeric[], flags boolean[], tags text[], moods mood[],
    doc jsonb, plain json, token uuid, address inet, bytes bytea,
    counted int GENERATED ALWAYS AS (id * 2) STORED, positive positive, "select" int, "new
line" int, "Twin" int, twin int, review text"""


@pytest.fixture(scope="module")
def served(catalog, cli, daemon, tmp_path_factory):
    catalog.sql("CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy')")
    catalog.sql("CREATE DOMAIN public.positive AS int CHECK (VALUE > 0)")
    catalog.sql(f"SET search_path = public; CREATE TABLE public.every ({COLUMNS})")
    catalog.sql(f"""
        INSERT INTO public.every
        SELECT i, sin(i),
               make_interval(months => i % 14, days => i % 40 - 20, secs => i * 1.25),
               time '00:00' + i * interval '7 minutes', (i * 1.5 - 300)::numeric::money,
               (i % 16)::bit(4), point(i, -i / 3.0),
               CASE i % 5 WHEN 0 THEN 'empty' WHEN 1 THEN int4range(i, NULL)
                    ELSE int4range(i, i + 5) END,
               numrange(i / 7.0, i), daterange(date '2020-01-01' + i, date '2020-02-01' + i),
               tsrange(timestamp '2020-01-01' + i * interval '1 hour', 'infinity'),
               tstzrange(timestamptz '2020-01-01 00:00+00' + i * interval '1 hour', NULL),
               ARRAY[i / 3.0, NULL, 0.1]::float4[], ARRAY[i, 9007199254740993 - i],
               (SELECT array_agg(k / 4.0) FROM generate_series(1, i % 4) k)::numeric[],
               ARRAY[i % 2 = 0, NULL], ARRAY['a', 'tag' || i % 3, NULL, 'once' || i],
               ARRAY['sad', 'happy']::mood[],
               jsonb_build_object('n', i,
                                  'deep', jsonb_build_object('b', i % 2 = 0, 's', 'v' || i % 3),
                                  'list', jsonb_build_array(1, 2)) || CASE WHEN i % 400 = 0
                   THEN '{{"rare": 1}}' ELSE '{{}}' END::jsonb,
               ('{{"x": ' || i || '.50, "x": ' || i % 7 || '}}')::json, gen_random_uuid(),
               ('10.0.' || i % 250 || '.1')::inet, decode(lpad(to_hex(i), 4, '0'), 'hex'),
               DEFAULT, i + 1, i % 5, i % 6, i % 7, i % 8,
               CASE WHEN sin(i) > 0 THEN 'really good stuff number '
                    ELSE 'quite awful thing number '
               END || i
        FROM generate_series(1, {N}) i""".replace("DEFAULT, i + 1", "i + 1").replace(
            "INSERT INTO public.every", "INSERT INTO public.every (" + ", ".join(names()) + ")"))
    for name in names()[2:]:
        catalog.sql(f"UPDATE public.every SET {name} = NULL WHERE id % 13 = {len(name) % 13}")
    path = tmp_path_factory.mktemp("d") / "every.json"
    path.write_text(oracle.dumps({
        "project": "every", "relation": "public.every", "target": "y", "key": ["id"],
        "search": {"strategy": "none"}, "hyperparams": {"n_estimators": 20}}))
    cli.ok("apply", path)
    cli.ok("train", "every", "--here")
    daemon.wait_live("every")
    return daemon


def names():
    """The columns that can be written, quoted."""
    import re
    found = re.findall(r'(?:^|,)\s*("[^"]+"|\w+) ', COLUMNS)
    return [name for name in found if name != "counted"]


def encode(daemon, rows):
    return [i["encoded"] for i in daemon.predict("every", rows, encoded=True)["predictions"]]


def rows_both_ways(db):
    db.sql("SET timezone = 'UTC'; SET intervalstyle = 'postgres'; SET search_path = public")
    texts = ", ".join(f"{name}::text AS {name}" for name in [*names(), "counted"])
    order = "ORDER BY every.id"
    return (oracle.rows_as_json(db, f"SELECT * FROM public.every {order}"),
            oracle.rows_as_json(db, f"SELECT {texts} FROM public.every {order}"))


def test_both_forms_mean_the_same(catalog, served):
    as_json, as_text = rows_both_ways(catalog)
    for a, b in zip(encode(served, as_json), encode(served, as_text)):
        assert a == b


def test_margins_equal_xgboost(catalog, served):
    as_json, _ = rows_both_ways(catalog)
    answer = served.predict("every", as_json, encoded=True)
    model = oracle.StoredModel(catalog, answer["model_id"])
    items = answer["predictions"]
    margins = model.margins([i["encoded"] for i in items])
    assert (oracle.bits([i["margin"] for i in items]) == oracle.bits(margins)).all()


def same(got, expected):
    if expected is None or (isinstance(expected, float) and math.isnan(expected)):
        return got is None
    return got is not None and np.float32(got) == np.float32(expected)


def test_features_by_an_independent_encoder(catalog, served):
    """Values by SQL's own arithmetic."""
    expected = catalog.sql("""
        SELECT extract(epoch FROM span)::float8, extract(epoch FROM clock)::float8,
               price::numeric::float8, get_bit(bits, 0), get_bit(bits, 3), spot[0], spot[1],
               lower(whole)::float8, upper(whole)::float8, lower(part)::float8,
               fixed[1]::float8, fixed[2]::float8, fixed_int[2]::float8,
               coalesce(array_length(loose, 1), CASE WHEN loose IS NOT NULL THEN 0 END),
               (SELECT avg(v) FROM unnest(loose) v)::float8,
               CASE WHEN tags IS NOT NULL THEN coalesce('tag1' = ANY(tags), false)::int END,
               (doc ->> 'n')::float8, ((doc -> 'deep' ->> 'b')::boolean)::int,
               (plain::jsonb ->> 'x')::float8, counted, positive, "select", "Twin", twin
        FROM public.every ORDER BY id""")
    features = ["span", "clock", "price", "bits.1", "bits.4", "spot.x", "spot.y", "whole.lower",
                "whole.upper", "part.lower", "fixed.1", "fixed.2", "fixed_int.2", "loose.len",
                "loose.mean", "tags.has.tag1", "doc.n", "doc.deep.b", "plain.x", "counted",
                "positive", "select", "Twin", "twin"]
    as_json, _ = rows_both_ways(catalog)
    checked = 0
    for encoded, row in zip(encode(served, as_json), expected):
        for feature, value in zip(features, row):
            assert feature in encoded, (feature, list(encoded))
            assert same(encoded[feature], value), (feature, encoded[feature], value)
            checked += value is not None
    assert checked > N * 15


def test_ids_are_left_out_with_a_notice(catalog, cli, served):
    stats = catalog.value("SELECT stats FROM pgboost.runs ORDER BY id DESC LIMIT 1")
    left = {item["column"]: item["why"] for item in stats["left_out"]}
    assert {"token", "address", "bytes"} <= set(left)
    names = encode(served, [{}])[0]
    assert not any(name.split(".")[0] in left for name in names)


@pytest.mark.parametrize("features, pointer", [
    ({"fixed": "{1,2"}, "/features/fixed"), ({"fixed": [1, "x"]}, "/features/fixed/1"),
    ({"spot": "(1)"}, "/features/spot"), ({"whole": "[1,x)"}, "/features/whole"),
    ({"bits": "012"}, "/features/bits"), ({"span": "a while"}, "/features/span"),
    ({"clock": "25:00"}, "/features/clock"), ({"tags": [1]}, "/features/tags/0"),
    ({"price": "1 euro"}, "/features/price"),
])
def test_wrong_values_are_named(served, features, pointer):
    answer = served.post("/predict", {"project": "every", "features": features})
    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"][0]["field"].startswith("/".join(pointer.split("/")[:3]))
