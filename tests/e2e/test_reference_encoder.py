"""The encoder against another one, written from models/README.md alone (reference_encoder.py):
every type and option, each feature of every row by its float32 bits, in both forms of a request.

Relations hold what hurts: NULL, NaN, infinities, -0, numbers beyond 2^53 and beyond float32, empty
texts, lists and documents, quotes, four-byte UTF-8, nested arrays, lists and JSON that change."""

import json
import random

import numpy as np
import psycopg2.extras
import pytest
import xgboost

import oracle
from reference_encoder import Encoder, read_json, read_table

# ---------------------------------------------------------------- relations

TYPES = """
    CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy', 'never');
    CREATE DOMAIN public.positive AS int CHECK (VALUE > 0);
    CREATE DOMAIN public.small_positive AS positive;
    CREATE DOMAIN public.readings AS float8[]"""

# One row an i; r and r2 are random. Every column is taken in turn from its list or worked out.
SCALARS = """
    CASE WHEN r < .1 THEN NULL ELSE r < .5 END AS b,
    (ARRAY[-32768, 32767, 0, 17, NULL])[1 + i % 5]::int2 AS i2,
    (ARRAY[-2147483648, 16777217, 33554435, NULL, 5])[1 + i % 5]::int4 AS i4,
    (ARRAY[9007199254740993, -9223372036854775808, 9223372036854775807, NULL, 1])[1 + i % 5] AS i8,
    (ARRAY['0.1', '3.4028235e38', '-0', '1e-45', 'Infinity', 'NaN', NULL, '16777217',
           '1.17549435e-38'])[1 + i % 9]::float4 AS f4,
    (ARRAY['0.1', '1e300', '-0', '-1e300', '-Infinity', 'NaN', NULL, '5e-324',
           '1.00000005960464484', '3.4028235677973366e38'])[1 + i % 10]::float8 AS f8,
    (ARRAY['0.1', '1e400', '-1e400', 'Infinity', '-Infinity', 'NaN', NULL, '9007199254740993',
           '1e-400', '1.000000059604644775390625'])[1 + i % 10]::numeric AS n,
    ((r - .5) * 1000)::numeric(10, 2) AS two_digits, ((r - .5) * 1e6)::numeric::money AS price,
    CASE i % 7 WHEN 0 THEN NULL WHEN 1 THEN '-1 year -1 mon -1 day -00:00:00.000001'
         WHEN 2 THEN '178000000 years'
         ELSE make_interval(months => i % 40 - 20, days => i % 50 - 25, secs => (r - .5) * 1e5)
    END AS span,
    CASE i % 9 WHEN 0 THEN '24:00' ELSE time '00:00' + r * interval '23:59:59' END AS clock,
    (i % 7 + 1)::small_positive AS dom, NULL::int AS nothing, 7 AS konst,
    (ARRAY['sad', 'ok', 'happy', NULL])[1 + i % 4]::mood AS mood,
    (ARRAY['red', '', 'naïve 🐘', 'a"b\\c', NULL, 'once ' || i])[1 + i % 6] AS colour,
    CASE WHEN r < .5 THEN 'x' ELSE 'x ' END::char(4) AS padded,
    CASE WHEN r < .5 THEN 'x' ELSE 'x ' END::varchar(4) AS not_padded,
    'q'::"char" AS one_byte, ('n' || i % 3)::name AS identifier,
    gen_random_uuid() AS id_like, '1.2.3.4'::inet AS address, '10.0.0.0/8'::cidr AS network,
    '\\x00ff'::bytea AS bytes, '<(1,2),3>'::circle AS other"""

TIMES = """
    CASE WHEN i % 17 = 0 THEN 'infinity' WHEN i % 19 = 0 THEN '-infinity' WHEN i % 23 = 0 THEN NULL
         WHEN i % 29 = 0 THEN '4713-01-01 00:00:00 BC'
         WHEN i % 31 = 0 THEN '294276-12-31 23:59:59.999999'
         ELSE (timestamp '1970-01-01' + (r - .5) * interval '4000 years')::text
    END::timestamp AS ts,
    CASE WHEN i % 17 = 0 THEN 'infinity' WHEN i % 19 = 0 THEN '-infinity' WHEN i % 23 = 0 THEN NULL
         WHEN i % 29 = 0 THEN '4712-01-01 00:00:00+00 BC'
         WHEN i % 31 = 0 THEN '294276-12-30 23:59:59.999999+00'
         ELSE (timestamptz '1970-01-01 00:00+00' + (r - .5) * interval '2000 years')::text
    END::timestamptz AS tz,
    timestamptz '2021-10-30 23:00+00' + i * interval '1 minute' AS clock_change,
    CASE WHEN i % 17 = 0 THEN 'infinity' WHEN i % 19 = 0 THEN '-infinity' WHEN i % 23 = 0 THEN NULL
         WHEN i % 29 = 0 THEN '4713-01-01 BC' WHEN i % 31 = 0 THEN '5874897-12-31'
         ELSE (date '1970-01-01' + (r * 1000000)::int - 500000)::text END::date AS d,
    'infinity'::date AS always_infinite, NULL::timestamptz AS nothing,
    CASE i % 5 WHEN 0 THEN '(,)' WHEN 1 THEN 'empty' WHEN 2 THEN '[-infinity,2020-01-01]'
         ELSE '[2019-01-01,2030-05-05 01:02:03.000001]' END::tsrange AS moments,
    tstzrange(timestamptz '2020-01-01 00:00+00' + r * interval '30 days', NULL) AS since,
    daterange(date '2020-01-01' + i, date '2020-03-01' + i, '(]') AS days,
    'empty'::daterange AS never"""

LISTS = """
    ARRAY[r, NULL, 'NaN', 1e300, '-0']::float8[] AS fixed, ARRAY[i % 2 = 0, NULL] AS flags,
    (SELECT array_agg(CASE WHEN k = 2 THEN NULL ELSE k * r END)
     FROM generate_series(1, i % 4) k)::float4[] AS loose,
    CASE WHEN i % 5 = 0 THEN '{}' WHEN i % 7 = 0 THEN '{{1,2},{3,4}}' WHEN i % 6 = 0 THEN '{NULL}'
         WHEN i % 11 = 0 THEN '[3:4]={5,6}' ELSE '{1,2,3,Infinity,NaN}' END::numeric[] AS messy,
    CASE WHEN i % 3 = 0 THEN '{{1,2},{3,4}}' ELSE '{9007199254740993,NULL}' END::int8[]
        AS part_nested,
    '{{1},{2}}'::int2[] AS always_nested, NULL::float8[] AS no_list, '{}'::int[] AS always_empty,
    ARRAY[1.0, r]::readings AS dom_list, ARRAY[i % 3 + 1]::positive[] AS list_of_domain,
    ARRAY[date '2020-01-01'] AS list_of_dates,
    (i % 16)::bit(4) AS bits, repeat('01', i % 3)::varbit AS more_bits, ''::varbit AS no_bits,
    (ARRAY['a', 'b', NULL, repeat('z', 256), repeat('z', 257), 'A', '"', ',', 'é🐘', ''])
        [i % 4 : i % 9 + 1] AS tags,
    array_fill('m' || i % 100, ARRAY[3]) || ARRAY['n' || i % 31] AS many_tags,
    ARRAY[(ARRAY['sad', 'ok'])[1 + i % 2], 'happy']::mood[] AS moods,
    '{}'::text[] AS no_tags, NULL::text[] AS no_text_list, '{{a},{b}}'::varchar[] AS nested_tags,
    point('Infinity', CASE WHEN i % 3 = 0 THEN 'NaN' ELSE '-0' END::float8) AS spot,
    CASE i % 5 WHEN 0 THEN 'empty' WHEN 1 THEN int4range(i, NULL)
         WHEN 2 THEN int4range(NULL, i, '[]') ELSE int4range(i, i + 5, '(]') END AS whole,
    CASE i % 4 WHEN 0 THEN '(,)' WHEN 1 THEN 'empty' WHEN 2 THEN '[-Infinity,1e300]'
         ELSE '[0.1,1e400)' END::numrange AS part, '{[1,2)}'::int4multirange AS multirange"""

WIDE_LISTS = """array_fill(r, ARRAY[2000]) AS widest, array_fill(r, ARRAY[2001]) AS too_wide,
    array_fill(r, ARRAY[1000 + i % 2]) AS almost_fixed"""

TEXTS = """
    CASE WHEN r < .05 THEN NULL WHEN r < .07 THEN '' ELSE
        (ARRAY['Good', 'bad', 'über', 'ÜBER', 'it''s', 'a', 'x2', '🐘', 'naïve—word', 'em*as*is'])
            [1 + (r * 9)::int] || ' thing ' || (ARRAY['alpha', 'beta', 'gamma'])[1 + (r2 * 2)::int]
        || E'\\n' || i || ' ' || i % 7 || CASE WHEN sin(i) > 0 THEN ' excellent' ELSE ' POOR' END
        || repeat('w', (i % 5) * 10) END AS review,
    CASE WHEN i % 3 = 0 THEN NULL ELSE 'always the same words here ' || i END AS constantly,
    CASE WHEN i % 5 < 3 THEN 'this is one of two frequent' ELSE 'rare words number ' || i END
        AS half,
    CASE WHEN i % 5 < 3 THEN 'this is one of two frequent' ELSE 'rare words number ' || i END
        AS told,
    'two words' || i AS two_words, 'c' || i % 3 AS declared, NULL::text AS nothing,
    'words that an option makes labels ' || i % 90 AS coded,
    CASE WHEN i % 100 = 0 THEN repeat('long ', 13105 + i / 100 % 5) || 'beyondword tail' || i % 3
    END AS long"""

# mid: a few hundred labels; many: more than a thousand
CATEGORIES = """
    CASE WHEN i % 11 = 0 THEN NULL ELSE 'm' || (r2 * r2 * 300)::int END AS mid,
    CASE WHEN i % 11 = 0 THEN NULL ELSE 'c' || (r * r * 1500)::int END AS many,
    'only ' || i AS distinct_text, NULL::text AS no_text,
    CASE WHEN r < .3 THEN NULL ELSE r2 END AS drawn"""


def table_sql(columns, n=700, y="(random() * 10)::float8 AS y"):
    return (f"SELECT setseed(.5); CREATE TABLE {{name}} AS SELECT i AS id, {y}, {columns}"
            f" FROM (SELECT i, random() r, random() r2 FROM generate_series(1, {n}) i) s")


NUMBER_COLUMNS = {
    "a": "CASE WHEN r < .1 THEN NULL WHEN r < .12 THEN 'NaN' ELSE (r - .3) * 1000 END::float8",
    "k": "CASE WHEN r2 < .2 THEN NULL ELSE (r2 * 20)::int END",
    "b": "CASE WHEN r2 < .05 THEN NULL ELSE r < .3 END",
    "span": "make_interval(secs => r * 1000)",
    "f4": "CASE WHEN i % 10 = 0 THEN NULL ELSE r * 5 END::float4",
    "none": "NULL::int", "konst": "3.5",
    "big": "CASE WHEN r < .05 THEN NULL ELSE 9007199254740993 + i END",
    "tiny": "1e-42 * i::float8",
}
IMPUTES = ["none", "mean", "median", "mode", "min", "max", "zero", "random", 7.25, 3e38]
SCALES = ["none", "standard", "min_max", "max_abs", "robust"]
LABEL_COLUMNS = {
    "grade": ("""CASE WHEN r < .1 THEN NULL WHEN r < .5 THEN 'low' WHEN r < .7 THEN 'mid "q"'
                 WHEN r < .9 THEN 'naïve 🐘' ELSE 'rare' || i END""",
              ["none", "mode", "low", "unseen"]),
    "mid": ("CASE WHEN r2 < .1 THEN NULL ELSE 'm' || (r2 * r2 * 300)::int END",
            ["none", "mode", "m7"]),
    "flag": ("CASE WHEN r2 < .05 THEN NULL ELSE r < .3 END", ["none", "mode", "false"]),
    "wide": ("i", ["none", "3"]), "empty": ("NULL::text", ["none", "mode", "x"]),
    "token": ("CASE WHEN i % 9 > 0 THEN ('00000000-0000-0000-0000-00000000000' || i % 5)::uuid END",
              ["none", "mode"]),
    "host": ("('10.0.0.' || i % 4)::inet", ["none"]),
    "raw": ("decode('0' || i % 6, 'hex')", ["none"]),
}
ENCODES = ["native", "onehot", "target", "frequency", {"ordinal": ["low", "x", "true", "3", "m7"]}]


def number_options():
    cells = [(c, i, s) for c in NUMBER_COLUMNS for i in IMPUTES for s in SCALES]
    columns = ", ".join(f'{NUMBER_COLUMNS[c]} AS "{c} {i} {s}"' for c, i, s in cells)
    return columns, {f"{c} {i} {s}": {"impute": i, "scale": s} for c, i, s in cells}


def label_options():
    cells = [(c, i, e) for c, (_, imputes) in LABEL_COLUMNS.items() for i in imputes
             for e in ENCODES]
    named = {f"{c} {i} {'ordinal' if isinstance(e, dict) else e}": (c, i, e) for c, i, e in cells}
    columns = ", ".join(f'{LABEL_COLUMNS[c][0]} AS "{name}"' for name, (c, _, _) in named.items())
    return columns, {name: {"as": "category", "impute": i, "encode": e}
                     for name, (_, i, e) in named.items()}


NUMBER_SQL, NUMBER_OPTIONS = number_options()
LABEL_SQL, LABEL_OPTIONS = label_options()
TEXT_OPTIONS = {"told": {"as": "text"}, "declared": {"as": "text"}, "nothing": {"as": "text"},
                "two_words": {"as": "text"}, "long": {"as": "text"}, "coded": {"impute": "mode"}}
TWO, FIVE, MANY = ("(ARRAY['no', 'yes'])[1 + (r2 * r * 30)::int % 2] AS y",
                   "'k' || (r2 * 4)::int AS y", "'k' || (r * 30)::int AS y")
NAMES = """1 AS "select", 2 AS "new\nline", 3 AS new_line, 4 AS "a[1]", 5 AS "a<1]", i AS "Twin",
    -i AS twin, i % 3 AS "quo""te", i % 4 AS "it's", i % 5 AS "it.s/~", i AS "🐘", i AS " ",
    'c' || i % 3 AS "from", 1.5 AS "d.days", date '2020-01-01' + i AS d, 2.5 AS "d.day",
    3 AS "d.day_2", ARRAY[chr(1 + i % 100)] AS tags, chr(1 + i % 127) || 'x' AS "order" """

# name: the relation's SQL, what the definition says beside relation and target
CASES = {
    "scalars": (table_sql(SCALARS), {"columns": {"padded": {"encode": "onehot"}}}),
    "scalars_as_categories": (table_sql(SCALARS), {
        "columns": {c: {"as": "category"} for c in
                    ("b", "i2", "i8", "id_like", "address", "network", "bytes")},
        "include": ["b", "i2", "i8", "id_like", "address", "network", "bytes"]}),
    "times_utc": (table_sql(TIMES), {}),
    "times_zurich": (table_sql(TIMES), {"timezone": "Europe/Zurich"}),
    "times_kathmandu": (table_sql(TIMES), {"timezone": "Asia/Kathmandu", "seed": 7}),
    "lists": (table_sql(LISTS, n=300), {}),
    "wide_lists": (table_sql(WIDE_LISTS, n=24), {}),
    "texts_regression": (table_sql(TEXTS), {"columns": TEXT_OPTIONS}),
    "texts_two_classes": (table_sql(TEXTS, y=TWO), {"columns": TEXT_OPTIONS}),
    "texts_five_classes": (table_sql(TEXTS, y=FIVE), {"columns": TEXT_OPTIONS}),
    "texts_many_classes": (table_sql(TEXTS, y=MANY), {"columns": TEXT_OPTIONS}),
    "numbers_with_options": (table_sql(NUMBER_SQL, n=150), {"columns": NUMBER_OPTIONS}),
    "labels_regression": (table_sql(LABEL_SQL, n=500), {"columns": LABEL_OPTIONS}),
    "labels_two_classes": (table_sql(LABEL_SQL, n=400, y=TWO), {"columns": LABEL_OPTIONS}),
    "labels_five_classes": (table_sql(LABEL_SQL, n=300, y=FIVE), {"columns": LABEL_OPTIONS}),
    "names": (table_sql(NAMES, n=600), {"columns": {"order": {"encode": "onehot"}}}),
}


def create(db, name, sql):
    db.sql("SET timezone = 'UTC'; SET intervalstyle = 'postgres'; SET search_path = public")
    db.sql(sql.replace("{name}", name))


# ---------------------------------------------------------------- comparing


@pytest.fixture(scope="module")
def types(catalog):
    catalog.sql("SET search_path = public; " + TYPES)
    return catalog


def train(db, cli, daemon, definition, name, **keys):
    """Trains and serves project `name` of relation `name`; the definition it got."""
    keys = {"project": name, "relation": f"public.{name}", "target": "y", "key": ["id"],
            "search": {"strategy": "none"}, "hyperparams": {"n_estimators": 1}, "threads": 1,
            **keys}
    cli.ok("apply", definition(**keys))
    cli.ok("train", name, "--here")
    daemon.wait_live(name)
    return keys


def loads(text):
    """JSON's -0 is -0, which no feature may be."""
    return json.loads(text, parse_int=lambda digits: -0.0 if digits == "-0" else int(digits))


def served(daemon, project, rows, n_bytes=1 << 23):
    """Names, and [rows × features] as float32, of POST /predict."""
    size = max(1, min(1000, n_bytes * len(rows) // len(json.dumps(rows))))
    names, values = None, []
    for start in range(0, len(rows), size):
        answer = daemon.post("/predict", {"project": project, "encoded": True,
                                          "features": rows[start:start + size]})
        assert answer.status_code == 200, answer.text
        for item in loads(answer.text)["predictions"]:
            names = names or list(item["encoded"])
            assert list(item["encoded"]) == names
            values.append([np.nan if v is None else v for v in item["encoded"].values()])
    return names, np.array(values, dtype=np.float32)


def exact_bits(values):
    """float32 by their bits; every NaN is the missing value."""
    return np.where(np.isnan(values), np.uint32(0x7FC00000), values.view(np.uint32))


def json_rows(db, relation):
    """As to_jsonb writes them; a number that JSON readers refuse as its text."""
    rows = oracle.rows_as_json(db, f"SELECT * FROM {relation} ORDER BY id")
    for row in rows:
        for name, value in row.items():
            if isinstance(value, int) and abs(value) > 10 ** 308:
                row[name] = str(value)
    return rows


def assert_same_features(daemon, project, encoder, rows, expected):
    names, got = served(daemon, project, rows)
    assert names == encoder.names
    wrong = np.argwhere(exact_bits(got) != exact_bits(expected))
    shown = [(names[c], int(r), got[r, c], expected[r, c]) for r, c in wrong[:5]]
    assert not shown, (len(wrong), shown)


def assert_encoder(db, daemon, keys, text_form=True):
    encoder = Encoder(read_table(db, keys["relation"]), keys)
    expected = np.array([encoder.encode(row) for row in encoder.table.rows])
    assert expected.shape[1] > 0 and len(encoder.test) > 0
    as_json = json_rows(db, keys["relation"])
    assert_same_features(daemon, keys["project"], encoder, as_json, expected)
    if text_form:
        assert_same_features(daemon, keys["project"], encoder, encoder.table.rows, expected)
    return encoder, expected


@pytest.mark.parametrize("name", CASES)
def test_every_feature_by_its_bits(types, cli, daemon, definition, name):
    sql, extra = CASES[name]
    create(types, name, sql)
    keys = train(types, cli, daemon, definition, name, **extra)
    assert_encoder(types, daemon, keys)


def test_a_real_is_rounded_once(types, cli, daemon, definition):
    """From decimal to float32 directly: by way of a double, these would go to the neighbour."""
    create(types, "reals", table_sql("r::float4 AS f4", 100))
    keys = train(types, cli, daemon, definition, "reals")
    encoder = Encoder(read_table(types, "public.reals"), keys)
    texts = ["1.000000059604644775390625000000001", "1.000000178813934326171874999999999"]
    rows = [{"f4": text} for text in texts]
    expected = np.array([encoder.encode(row) for row in rows])
    assert (expected[:, 0] != np.array(texts, dtype=float).astype(np.float32)).all()
    assert_same_features(daemon, "reals", encoder, rows, expected)


# ---------------------------------------------------------------- JSON

DOCUMENTS = [
    '1', '"x"', 'true', 'null', '[1,2,3]', '"[1,2]"', '"{\\"a\\":1}"', '{}', '[]', '"{bad"',
    '{"a":1}', '{"a":"1"}', '{"a":1.0}', '{"a":1e2}', '{"a":true}', '{"a":null}',
    '{"a":[1,{"b":2}]}', '{"a":{"b":3}}', '{"a.b":4}', '{"a\\\\b":5}', '{"":6,"x":{"":7}}',
    '{"num":1e15}', '{"num":999999999999999}', '{"num":0.1}', '{"num":"0.1"}', '{"num":1e20}',
    '{"num":-0.0}', '{"num":123456789.123456789}', '{"num":1e-7}', '{"num":5e-324}',
    '{"num":1e308}', '{"b":true}', '{"b":false}', '{"b":1}', '{"s":"é🐘\\"\\n"}',
    '{"s":"' + "y" * 256 + '"}', '{"s":"' + "y" * 257 + '"}', '{"' + "k" * 256 + '":1}',
    '{"' + "k" * 257 + '":1}', '{"lst":[]}', '{"lst":[[1],[2]]}', '{"lst":"now text"}',
    '{"lst":{"len":9}}', '{"enc":"{\\"z\\":1}"}', '{"len":3}', '{"a.len":3}', '{"q\\"":1}',
    '{"n\\nl":1}', '{"d":' * 31 + "1" + "}" * 31, '{"d":' * 32 + "1" + "}" * 32,
    '{"d":' * 33 + "1" + "}" * 33, '"' + '{\\"d\\":' * 33 + "1" + "}" * 33 + '"',
    '{"dd":1,"ddd":' + "[" * 31 + "]" * 31 + "}",
    '{"dd":1,"ddd":' + "[" * 32 + "]" * 32 + "}",
]


def test_documents(types, cli, daemon, definition):
    chance = random.Random(3)
    rows = []
    for i in range(len(DOCUMENTS) * 15):
        doc = DOCUMENTS[i % len(DOCUMENTS)]
        many = {f"k{chance.randrange(70)}": chance.choice([1, 2.5, "t", True, None, [1]])
                for _ in range(6)}
        labels = {"c70": f"v{chance.randrange(70)}", "c600": f"w{int(chance.random() ** 2 * 600)}",
                  "u": i, "uu": f"u{i}", "mix": chance.choice(
                      [1, True, "1", "true", 1.5, "1.5", False, None, -0.0, 1e16])}
        number = chance.choice(['{"v":%d}' % i, '{"v":%r}' % chance.random(), '{"v":1e300}', "{}"])
        rows.append((i, chance.random(), doc, doc.replace('"a"', '"a":99, "a"'),
                     number if i < 700 else '{"v":true}', json.dumps(many), json.dumps(labels)))
    types.sql("""CREATE TABLE public.documents (id int, y float8, a jsonb, j json, num jsonb,
                     many jsonb, labels jsonb, never jsonb, nulls jsonb DEFAULT 'null')""")
    with types.connection.cursor() as cursor:
        psycopg2.extras.execute_values(
            cursor, "INSERT INTO public.documents (id, y, a, j, num, many, labels) VALUES %s", rows)
    keys = train(types, cli, daemon, definition, "documents", exclude=["never", "nulls"])
    # in a request a string is a string, unless it holds an object or a list that can be read
    encoder, expected = assert_encoder(types, daemon, keys, text_form=False)
    chosen = [i for i, row in enumerate(encoder.table.rows)
              if row["a"][0] in "{[" and read_json(row["a"]) is not None]
    assert_same_features(daemon, "documents", encoder, [encoder.table.rows[i] for i in chosen],
                         expected[chosen])


# ---------------------------------------------------------------- which rows teach


def test_only_training_rows_are_learnt_from(types, cli, daemon, definition):
    """Test rows are those of the SQL in models/README.md, and an encoder that had seen them as well
    would show."""
    numbers = "".join(f"r * {k} - r2 AS a{k}, " for k in range(1, 4))
    create(types, "taught", table_sql(numbers + "'c' || (r * 9)::int AS label", 500))
    keys = train(types, cli, daemon, definition, "taught", columns={
        "a1": {"scale": "standard"}, "a2": {"scale": "robust"}, "a3": {"scale": "none"},
        "label": {"encode": "target"}})
    encoder, _ = assert_encoder(types, daemon, keys)
    in_sql = {row[0] for row in types.sql(
        f"SELECT id FROM public.taught WHERE {oracle.row_hash('id')} < 0.2")}
    assert in_sql == {int(encoder.table.rows[i]["id"]) for i in encoder.test}
    _, got = served(daemon, "taught", encoder.table.rows)
    greedy = Encoder(encoder.table, keys, training=encoder.training + encoder.test)
    seen = np.array([greedy.encode(row) for row in greedy.table.rows])
    differ = (exact_bits(seen) != exact_bits(got)).any(axis=0)
    assert set(np.array(encoder.names)[differ]) == {"a1", "a2", "label.mean"}


SPLITS = {
    "random": ("(random() * 10)::float8 AS y", {}),
    "classes_at_random": (TWO, {"test": {"by": "random", "size": 0.3}}),
    "stratified": (TWO, {}),
    "stratified_five": (FIVE, {"seed": 9007199254740991}),
    "many_classes": (MANY, {"columns": {"drawn": {"impute": "random"}}}),
    "newest": ("(random() * 10)::float8 AS y", {"time": "at"}),
}


@pytest.mark.parametrize("name", SPLITS)
def test_trees_learnt_from_out_of_fold_means(types, cli, daemon, definition, name):
    """XGBoost, given the reference's training matrix, grows the very trees of the stored model;
    given the means of all training rows, it does not."""
    y, extra = SPLITS[name]
    create(types, f"s_{name}", table_sql(
        CATEGORIES + """, CASE WHEN i % 50 = 0 THEN NULL
            ELSE timestamp '2020-01-01' + (r * 700)::int * interval '1 day' END AS at""", 6000, y))
    columns = {"drawn": {"impute": "random"}, "mid": {"encode": "target", "impute": "m7"}}
    keys = train(types, cli, daemon, definition, f"s_{name}",
                 **{"columns": columns, "hyperparams": {"n_estimators": 3, "max_depth": 3},
                    **extra})
    encoder = Encoder(read_table(types, keys["relation"]), keys)
    model = oracle.StoredModel(types, daemon.wait_live(f"s_{name}")["live_model_id"])
    config = json.loads(model.booster.save_config())["learner"]
    params = types.value("SELECT hyperparams FROM pgboost.models WHERE id = %s", model.id)
    params = {k: v for k, v in params.items() if k not in ("n_estimators", "early_stopping_rounds")}
    params |= {"objective": config["objective"]["name"], "tree_method": "hist", "nthread": 1,
               "base_score": float(config["learner_model_param"]["base_score"])}
    if len(encoder.classes or []) > 2:
        params["num_class"] = len(encoder.classes)
    labels = np.array([encoder.y[i] for i in encoder.training], dtype=np.float32)

    def trees(matrix):
        data = xgboost.DMatrix(matrix, label=labels, feature_names=model.names,
                               feature_types=model.types, enable_categorical=True)
        grown = xgboost.train(params, data, model.booster.num_boosted_rounds())
        return grown.get_dump(with_stats=True, dump_format="json")

    stored = model.booster.get_dump(with_stats=True, dump_format="json")
    assert model.names == encoder.names and trees(encoder.training_matrix()) == stored
    if any(".mean" in n for n in encoder.names):
        in_fold = np.array([encoder.encode(encoder.table.rows[i]) for i in encoder.training])
        assert trees(in_fold) != stored


# ---------------------------------------------------------------- sizes


def test_a_value_of_ten_megabytes(types, cli, daemon, definition):
    create(types, "heavy", """CREATE TABLE {name} AS SELECT i AS id, sin(i) AS y,
        CASE WHEN i = 7 THEN repeat('heavy word é ', 780000) WHEN i % 10 = 8 THEN NULL
             ELSE 'a light text number ' || i END AS body,
        CASE WHEN i < 3 THEN repeat('x', 10000000) ELSE 'c' || i % 4 END AS label,
        CASE WHEN i = 9 THEN ARRAY[repeat('y', 10000000), 'a'] ELSE ARRAY['a', 'b' || i % 5] END
            AS tags
        FROM generate_series(1, 120) i""")
    keys = train(types, cli, daemon, definition, "heavy", columns={"body": {"as": "text"}})
    encoder = Encoder(read_table(types, "public.heavy"), keys)
    light = [row for row in encoder.table.rows if len(str(row)) < 10000]
    heavy = [{"body": encoder.table.rows[6]["body"]}, {"label": encoder.table.rows[0]["label"]},
             {"tags": encoder.table.rows[8]["tags"]}]
    for rows in (light, *([row] for row in heavy)):
        expected = np.array([encoder.encode(row) for row in rows])
        assert_same_features(daemon, "heavy", encoder, rows, expected)


def test_sixteen_hundred_columns(types, cli, daemon, definition):
    """As many as Postgres allows."""
    columns = ", ".join(f"(id * {k} % 97)::int2 AS c{k}" for k in range(1598))
    create(types, "broad", f"CREATE TABLE {{name}} AS SELECT id, sin(id)::float4 AS y, {columns}"
                           " FROM generate_series(1, 60) id")
    keys = train(types, cli, daemon, definition, "broad")
    encoder, _ = assert_encoder(types, daemon, keys, text_form=False)
    assert len(encoder.names) == 1598


def test_as_many_categories_as_rows(types, cli, daemon, definition):
    create(types, "crowd", """CREATE TABLE {name} AS SELECT i AS id, sin(i)::float8 AS y,
        'category ' || i AS c, 'pair ' || i / 2 AS pairs FROM generate_series(1, 20000) i""")
    keys = train(types, cli, daemon, definition, "crowd")
    assert_encoder(types, daemon, keys, text_form=False)
