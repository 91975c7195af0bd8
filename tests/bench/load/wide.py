"""Rows of 50 columns: one table of every sort, one of whole and real numbers like those alone."""

SORTS = (
    # name, how many, type, an expression of row i and column {k} from 0
    ("whole", 8, "integer", "(i * (7 + {k})) % 1000"),
    ("real", 8, "double precision", "sin(i * (1 + {k})) * 100"),
    ("exact", 2, "numeric(12,2)", "((i * (3 + {k})) % 99999) / 100.0"),
    ("flag", 6, "boolean", "(i / (1 + {k})) % 2 = 0"),
    ("class", 8, "text", "'class ' || (i * (5 + {k})) % (3 + {k})"),
    ("many", 2, "text", "'label ' || (i * (11 + {k})) % 500"),
    ("at", 3, "timestamp", "timestamp '2024-01-01' + i * (1 + {k}) * interval '17 minutes'"),
    ("instant", 1, "timestamptz", "timestamptz '2024-01-01 00:00+00' + i * interval '1 hour'"),
    ("day", 2, "date", "date '2020-01-01' + (i * (1 + {k})) % 1500"),
    ("words", 3, "text", "(ARRAY['good','late','blue','fast'])[1 + (i + {k}) % 4]"
     " || ' news of thing ' || i || ' and another'"),
    ("fixed", 2, "double precision[]", "ARRAY[i, i / 3.0, sin(i), i % (7 + {k})]"),
    ("loose", 1, "integer[]", "(SELECT array_agg(i % 9 + g) FROM generate_series(1, 1 + i % 5) g)"),
    ("tags", 2, "text[]", "ARRAY['tag ' || i % (5 + {k}), 'tag ' || i % 11]"),
    ("doc", 2, "jsonb", "jsonb_build_object('n', i % 100, 'ok', i % 2 = 0, 's', 'v' || i % 7,"
     " 'deep', jsonb_build_object('x', i / 8.0, 'list', jsonb_build_array(1, 2, {k})))"),
)
NUMBERS = tuple((name, 25, kind, text) for name, _, kind, text in SORTS[:2])


def table(name, sorts, n_rows):
    """Statements that make and fill public.NAME: id, y, and 50 columns."""
    columns = [(f"{sort}_{k + 1}", kind, text.format(k=k))
               for sort, n, kind, text in sorts for k in range(n)]
    assert len(columns) == 50
    definitions = ", ".join(f"{column} {kind}" for column, kind, _ in columns)
    values = ", ".join(f"({text})::{kind}" for _, kind, text in columns)
    return (f"CREATE TABLE public.{name} (id integer PRIMARY KEY, y double precision, {definitions});"
            f" INSERT INTO public.{name} SELECT i, sin(i) * 10 + i % 7, {values}"
            f" FROM generate_series(1, {n_rows}) i; ANALYZE public.{name};")
