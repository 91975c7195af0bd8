"""The encoder over again, in Python, from models/README.md alone: the raw text of a relation's rows
and a definition in, the float32 features that the model must see out.

It shares nothing with the C encoder: no code, no stored state, no reader of values. Where the two
differ, one of them or the documentation is wrong.

    table = read_table(db, "public.t")    # columns with their types, values as Postgres prints them
    encoder = Encoder(table, definition)  # works out the split, fits on the training rows
    encoder.names, encoder.encode(table.rows[0]), encoder.training_matrix()
"""

import datetime
import hashlib
import io
import json
import math
import re
import zoneinfo
from collections import Counter
from fractions import Fraction

import numpy as np

FLT_MAX = float(np.finfo(np.float32).max)
MISSING = math.nan
DAY_US = 86400 * 10 ** 6
CYCLE_DAYS = 146097  # the calendar repeats every 400 years
CYCLE_US = CYCLE_DAYS * DAY_US
EPOCH = datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc)


# ---------------------------------------------------------------- relations


class Column:
    """type: the name in pg_type; element: that of an array's, else None; both without domains."""

    def __init__(self, name, type_, element, is_enum):
        self.name, self.type, self.element, self.is_enum = name, type_, element, is_enum


class Table:
    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows  # rows: {column: text or None}


BASE_TYPE = """
    WITH RECURSIVE base AS (
        SELECT a.attnum, t.oid, t.typtype, t.typbasetype, t.typname, t.typelem, t.typcategory
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT b.attnum, t.oid, t.typtype, t.typbasetype, t.typname, t.typelem, t.typcategory
        FROM base b JOIN pg_type t ON t.oid = b.typbasetype WHERE b.typtype = 'd')
    SELECT a.attname, b.typname, CASE WHEN b.typcategory = 'A' THEN e.typname END,
           coalesce(CASE WHEN b.typcategory = 'A' THEN e.typtype END, b.typtype) = 'e'
    FROM base b JOIN pg_attribute a ON a.attrelid = %s::regclass AND a.attnum = b.attnum
    LEFT JOIN pg_type e ON e.oid = b.typelem WHERE b.typtype <> 'd' ORDER BY a.attnum"""

ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def copy_field(text):
    if text == "\\N":
        return None
    return re.sub(r"\\(.)", lambda m: ESCAPES.get(m[1], m[1]), text, flags=re.S)


def read_table(db, relation, order="id"):
    """All rows in the order of a column, each value as its type's output function writes it."""
    columns = [Column(*row) for row in db.sql(BASE_TYPE, relation, relation)]
    db.sql("SET timezone = 'UTC'; SET intervalstyle = 'postgres'; SET datestyle = 'ISO';"
           "SET extra_float_digits = 1; SET lc_monetary = 'C'; SET bytea_output = 'hex'")
    out = io.StringIO()
    with db.connection.cursor() as cursor:
        cursor.copy_expert(f"COPY (SELECT * FROM {relation} ORDER BY {order}) TO STDOUT", out)
    names = [c.name for c in columns]
    rows = [dict(zip(names, map(copy_field, line.split("\t"))))
            for line in out.getvalue().split("\n")[:-1]]
    return Table(columns, rows)


# ---------------------------------------------------------------- values from their text


def to_float32(text):
    """Decimal to float32 in one rounding, as a double."""
    value = float(text)
    if not math.isfinite(value) or value == 0:
        return value
    exact = Fraction(text)
    with np.errstate(over="ignore"):
        near = np.float32(value)
        around = [np.nextafter(near, np.float32(s)) for s in (-math.inf, math.inf)] + [near]
    finite = [c for c in around if np.isfinite(c)]
    if abs(exact) >= Fraction(FLT_MAX) + Fraction(2) ** 103:
        return math.copysign(math.inf, value)
    even = lambda c: int(c.view(np.uint32)) & 1
    return float(min(finite, key=lambda c: (abs(Fraction(float(c)) - exact), even(c))))


def read_bool(text):
    return {"t": 1.0, "f": 0.0, "true": 1.0, "false": 0.0}[text]


def read_money(text):
    sign = -1 if text.startswith(("-", "(")) else 1
    return sign * float(re.sub(r"[^0-9.]", "", text))


def clock_us(text):
    """[-]HH:MM:SS[.ffffff] in microseconds."""
    sign, hour, minute, second, fraction = re.fullmatch(
        r"([-+]?)(\d+):(\d+):(\d+)(?:\.(\d+))?", text).groups()
    us = ((int(hour) * 60 + int(minute)) * 60 + int(second)) * 10 ** 6
    us += int((fraction or "0").ljust(6, "0"))
    return -us if sign == "-" else us


def read_time(text):
    return float(Fraction(clock_us(text), 10 ** 6))


def read_interval(text):
    """As extract(epoch …): 365.25 days a year, 30 a month that is left."""
    months = days = us = 0
    for number, unit in re.findall(r"([-+]?\d+) (year|mon|day)", text):
        if unit == "day":
            days += int(number)
        else:
            months += int(number) * (12 if unit == "year" else 1)
    clock = re.search(r"[-+]?\d+:\d+:\d+(\.\d+)?", text)
    if clock:
        us = clock_us(clock[0])
    years = abs(months) // 12 * (1 if months >= 0 else -1)
    us += (years * Fraction("365.25") + (months - 12 * years) * 30 + days) * DAY_US
    return float(Fraction(us) / 10 ** 6)


def days_from_civil(year, month, day):
    """Days since 2000-01-01 of the proleptic Gregorian calendar; year 0 is 1 BC."""
    shift = year // 400
    return (datetime.date(year - 400 * shift + 400, month, day)
            - datetime.date(2000, 1, 1)).days + (shift - 1) * CYCLE_DAYS


def civil_from_days(days):
    shift, rest = divmod(days, CYCLE_DAYS)
    date = datetime.date(2000, 1, 1) + datetime.timedelta(rest)
    return date.year + 400 * shift, date.month, date.day, date.isoweekday()


def read_timestamp(text):
    """Microseconds since 2000-01-01 of its clock (UTC where there is a zone); None: infinite, or a
    date beyond the last timestamp."""
    if text in ("infinity", "-infinity"):
        return None
    year, month, day, clock, bc = re.fullmatch(
        r"(\d+)-(\d+)-(\d+)(?: ([\d:.]+)(?:\+00)?)?( BC)?", text).groups()
    year = 1 - int(year) if bc else int(year)
    if year > 294276:
        return None
    return days_from_civil(year, int(month), int(day)) * DAY_US + (clock_us(clock) if clock else 0)


def read_array(text):
    """A list of element texts (None: NULL); None: more than one dimension."""
    text = re.sub(r"^\[-?\d+:-?\d+\]=", "", text)
    if text.startswith("["):
        return None
    assert text[0] == "{" and text[-1] == "}", text
    items, i = [], 1
    if text == "{}":
        return items
    while True:
        if text[i] == "{":
            return None
        if text[i] == '"':
            item, i = "", i + 1
            while text[i] != '"':
                i += text[i] == "\\"
                item += text[i]
                i += 1
            i += 1
        else:
            end = re.compile("[,}]").search(text, i).start()
            item, i = text[i:end], end
            item = None if item == "NULL" else item
        items.append(item)
        if text[i] == "}":
            return items
        i += 1


def read_range(text):
    """(lower, upper) texts, None where there is no bound."""
    if text == "empty":
        return None, None
    parts = re.fullmatch(r'[\[(](?:"([^"]*)"|([^",]*)),(?:"([^"]*)"|([^",]*))[\])]', text, re.S)
    return parts[1] or parts[2] or None, parts[3] or parts[4] or None


NUMBERS = {
    "bool": read_bool, "int2": float, "int4": float, "int8": float, "float4": to_float32,
    "float8": float, "numeric": float, "money": read_money, "time": read_time,
    "interval": read_interval,
}
NUMBER_ELEMENTS = {"bool", "int2", "int4", "int8", "float4", "float8", "numeric"}
TEXT_TYPES = {"text", "varchar", "bpchar", "name", "char"}
TEXT_ELEMENTS = {"text", "varchar", "bpchar"}
IDS = {"uuid", "inet", "bytea"}
TIMES = {"date", "timestamp", "timestamptz"}
NUMBER_RANGES = {"int4range", "int8range", "numrange"}
TIME_RANGES = {"daterange", "tsrange", "tstzrange"}


def category_text(column, text):
    if column.type == "bool":
        return {"t": "true", "f": "false"}[text]
    return text.rstrip(" ") if column.type == "bpchar" else text


# ---------------------------------------------------------------- arithmetic


def within(value):
    """Brought within float32; NaN stays."""
    return math.copysign(FLT_MAX, value) if abs(value) > FLT_MAX else value


def features(values):
    """What the model sees: within float32, cast once, no -0."""
    doubles = np.clip(np.array(values, dtype=float), -FLT_MAX, FLT_MAX)
    return doubles.astype(np.float32) + np.float32(0)


def total(values):
    """In double, one after the other."""
    result = 0.0
    for value in values:
        result += value
    return result


def quantile(ordered, q):
    """numpy's default, on a sorted list."""
    return float(np.quantile(np.array(ordered, dtype=float), q))


def splitmix64(seed):
    mask = 2 ** 64 - 1
    z = (seed + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


# ---------------------------------------------------------------- what each kind of column becomes
#
# Each takes what it learns from when it is made, in the order of the training rows with None for
# NULL, and has names and encode(value) → a list of doubles. Encodings that look at the target have
# encode_fold(value, fold): what the training row itself gets.


class Target:
    """outputs: one list of doubles a mean (the target; the second of two classes; each class of
    3 to 16); labels: the classes of the outputs, for names."""

    def __init__(self, outputs, labels):
        self.outputs, self.labels = outputs, labels


class Number:
    def __init__(self, name, values, options, seed):
        self.names = [name]
        known = [v for v in values if v is not None and abs(v) <= FLT_MAX]
        self.fill = self.imputed(options.get("impute", "none"), known, seed)
        self.center, self.scale = self.scaling(options.get("scale", "none"), known)

    def imputed(self, rule, known, seed):
        if not isinstance(rule, str):
            return float(rule)
        if rule == "zero":
            return 0.0
        if rule == "none" or not known:
            return MISSING
        counts = Counter(known)
        return {
            "mean": lambda: total(known) / len(known),
            "median": lambda: quantile(sorted(known), 0.5),
            "mode": lambda: min(counts, key=lambda v: (-counts[v], v)),
            "min": lambda: min(known), "max": lambda: max(known),
            "random": lambda: known[splitmix64(seed) * len(known) >> 64],
        }[rule]()

    def scaling(self, rule, known):
        if rule == "none" or not known:
            return None, None
        if rule == "standard":
            mean = total(known) / len(known)
            return mean, math.sqrt(total((v - mean) * (v - mean) for v in known) / len(known))
        if rule == "min_max":
            return min(known), max(known) - min(known)
        if rule == "max_abs":
            return 0.0, max(map(abs, known))
        ordered = sorted(known)
        return (quantile(ordered, 0.5), quantile(ordered, 0.75) - quantile(ordered, 0.25))

    def encode(self, value):
        value = MISSING if value is None else within(value)
        if math.isnan(value):
            value = self.fill
        if self.scale is None or math.isnan(value):
            return [value]
        if self.scale < 1.17549435e-38:
            return [0.0]
        return [(value - self.center) / self.scale]


class Category:
    """native_to: the K up to which there is a code; beyond, there are means."""

    def __init__(self, name, values, options, target, limit=100000, native_to=1000):
        known = [v for v in values if v is not None]
        counts = Counter(known)
        ranked = sorted(counts, key=lambda v: (-counts[v], v.encode()))
        kept = [v for v in ranked if counts[v] >= 2] or ranked
        encode = options.get("encode", "native")
        kept = kept[:255 if encode == "onehot" else limit]
        self.kept, self.counts = kept, counts
        self.code = {v: i + 1 for i, v in enumerate(kept)}
        self.frequency = {v: counts[v] / len(known) for v in kept}
        self.fill = options.get("impute", "none")
        if self.fill == "mode":
            self.fill = ranked[0] if ranked else None
        elif self.fill == "none":
            self.fill = None
        means = encode == "target" or encode == "native" and len(kept) > native_to
        if means:
            # what is imputed counts in the means, and there alone
            imputed = [self.fill if v is None else v for v in values]
            self.means = [self.mean_of(imputed, output) for output in target.outputs]
            self.folds = [[self.mean_of(imputed, output, fold) for fold in range(5)]
                          for output in target.outputs]
        self.parts = []
        self.names = []
        if isinstance(encode, dict):
            order = {v: float(i) for i, v in enumerate(encode["ordinal"])}
            self.add(name, lambda v: order.get(v, -1.0))
        elif encode == "onehot":
            for label in kept:
                self.add(f"{name}.is.{label}", lambda v, label=label: float(v == label))
        else:
            if encode == "native" and len(kept) <= native_to:
                self.add(name, lambda v: float(self.code.get(v, 0)))
            if means:
                for i, label in enumerate(target.labels):
                    self.add(f"{name}.mean" if label is None else f"{name}.mean.{label}",
                             lambda v, i=i: self.means[i](v), mean=i)
            if encode == "frequency" or encode == "native" and len(kept) > 64:
                self.add(f"{name}.frequency", lambda v: self.frequency.get(v, 0.0))

    def add(self, name, function, mean=None):
        self.names.append(name)
        self.parts.append((function, mean))

    def mean_of(self, values, output, without=None):
        rows = [i for i in range(len(values)) if without is None or i % 5 != without]
        prior = total(output[i] for i in rows) / len(rows)
        sums, counts = {}, Counter()
        for i in rows:
            sums[values[i]] = sums.get(values[i], 0.0) + output[i]
            counts[values[i]] += 1
        return lambda v: ((sums.get(v, 0.0) + 20 * prior) / (counts[v] + 20)
                          if v in self.code else prior)

    def encode(self, value):
        value = self.fill if value is None else value
        return [MISSING if value is None else function(value) for function, _ in self.parts]

    def encode_fold(self, value, fold):
        value = self.fill if value is None else value
        return [MISSING if value is None else
                function(value) if mean is None else self.folds[mean][fold](value)
                for function, mean in self.parts]


class Timestamp:
    def __init__(self, name, values, type_, zone):
        known = [v for v in values if v is not None]
        self.zone = zone if type_ == "timestamptz" else None
        self.with_hour = type_ != "date"
        self.earliest = min(known, default=0)
        parts = ["days", "month", "day", "weekday"] + ["hour"] * self.with_hour
        self.names = [f"{name}.{part}" for part in parts]

    def wall(self, us):
        if self.zone is None:
            return us
        # datetime knows the years 1 to 9999: later ones go by the rules of 400 years before,
        # earlier ones by the zone's first offset
        cycles = max(0, (us - 7000 * 365 * DAY_US) // CYCLE_US)
        within_datetime = max(us - cycles * CYCLE_US, -1990 * 365 * DAY_US)
        moment = EPOCH + datetime.timedelta(microseconds=within_datetime)
        return us + moment.astimezone(self.zone).utcoffset() // datetime.timedelta(microseconds=1)

    def encode(self, value):
        if value is None:
            return [MISSING] * len(self.names)
        days, us = divmod(self.wall(value), DAY_US)
        _, month, day, weekday = civil_from_days(days)
        hour = [us / 3600e6] if self.with_hour else []
        return [(value - self.earliest) / 86400e6, month, day, weekday, *hour]


class NumberList:
    def __init__(self, name, values):
        lengths = {len(v) for v in values if v is not None}
        self.fixed = lengths.pop() if len(lengths) == 1 else None
        if self.fixed is not None and not 1 <= self.fixed <= 2000:
            self.fixed = None
        if self.fixed:
            self.names = [f"{name}.{i + 1}" for i in range(self.fixed)]
        else:
            parts = ("len", "mean", "min", "max", "first", "last")
            self.names = [f"{name}.{part}" for part in parts]

    def encode(self, value):
        if value is None:
            return [MISSING] * len(self.names)
        items = [MISSING if v is None else v for v in value]
        if self.fixed:
            return (items + [MISSING] * self.fixed)[:self.fixed]
        known = [within(v) for v in items if not math.isnan(v)]
        stats = [total(known) / len(known), min(known), max(known)] if known else [MISSING] * 3
        return [len(items), *stats, items[0] if items else MISSING, items[-1] if items else MISSING]


class Pair:
    """Points and ranges; of times in days since the earliest bound."""

    def __init__(self, name, parts, values, in_days=False):
        self.names = [f"{name}.{part}" for part in parts]
        self.in_days = in_days
        self.earliest = min((b for v in values if v is not None for b in v if b is not None),
                            default=0) if in_days else 0

    def encode(self, value):
        ends = (None, None) if value is None else value
        return [MISSING if v is None else (v - self.earliest) / 86400e6 if self.in_days else v
                for v in ends]


class TextList:
    def __init__(self, name, values):
        counts = Counter(item for v in values if v is not None
                         for item in set(v) if item is not None)
        ranked = sorted(counts, key=lambda item: (-counts[item], item.encode()))
        self.kept = [item for item in ranked
                     if counts[item] >= 2 and len(item.encode()) <= 256][:64]
        self.names = [f"{name}.has.{item}" for item in self.kept] + [f"{name}.len"]

    def encode(self, value):
        if value is None:
            return [MISSING] * len(self.names)
        return [float(item in value) for item in self.kept] + [len(value)]


WORD = re.compile(rb"[a-zA-Z0-9\x80-\xff]+")


def words(text):
    return WORD.findall(text.encode()[:65536])


def tokens(text):
    return {w.lower() for w in words(text) if 2 <= len(w) <= 32}  # of bytes: A–Z only


def is_free_text(values):
    known = [v for v in values if v is not None]
    counts = Counter(known)
    if len(counts) <= 64 or sum(len(words(v)) for v in known) < 3 * len(known):
        return False
    kept = [v for v in counts if counts[v] >= 2] or list(counts)
    return not (len(kept) <= 64 and 2 * sum(counts[v] for v in kept) >= len(known))


class FreeText:
    def __init__(self, name, values, target):
        rows = [i for i, v in enumerate(values) if v is not None]
        having = {}
        for i in rows:
            for token in tokens(values[i]):
                having.setdefault(token, []).append(i)
        self.target, self.rows = target, rows
        scores = {token: self.score(found) for token, found in having.items()
                  if len(found) >= 5 and len(found) >= 0.001 * len(values)}
        self.tokens = sorted(scores, key=lambda t: (-scores[t], t))[:64]
        self.names = [f"{name}.length", f"{name}.words"]
        self.names += [f"{name}.word.{token.decode('utf-8', 'surrogateescape')}"
                       for token in self.tokens]

    def score(self, found):
        total_rows, n = len(self.rows), len(found)
        if n == total_rows:
            return 0.0
        weight = n * (total_rows - n) / total_rows
        if not self.target.outputs:
            return weight
        best = 0.0
        for y in self.target.outputs:
            everything = total(y[i] for i in self.rows)
            mean = everything / total_rows
            deviation = math.sqrt(total((y[i] - mean) ** 2 for i in self.rows) / total_rows)
            inside = total(y[i] for i in found)
            gap = abs(inside / n - (everything - inside) / (total_rows - n))
            score = gap * math.sqrt(weight) / deviation if deviation else 0.0
            best = max(best, score if math.isfinite(score) else 0.0)
        return best

    def encode(self, value):
        if value is None:
            return [MISSING] * len(self.names)
        found = tokens(value)
        return [len(value), len(words(value)), *(float(t in found) for t in self.tokens)]


def read_json(text):
    """A document, or None when it is nested too deep. Whole numbers are doubles as well."""
    def load(text):
        return json.loads(text, parse_int=float, parse_float=float)

    value = load(text)
    if isinstance(value, str):
        try:
            inner = load(value)
        except ValueError:
            inner = None
        if isinstance(inner, (dict, list)) and depth(inner) <= 32:
            value = inner
    return None if depth(value) > 32 else value


def depth(value):
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


def json_paths(value, path=""):
    """{(path, is_length): scalar or length} of one document."""
    if isinstance(value, dict):
        found = {}
        for name, member in value.items():
            name = name.replace("\\", "\\\\").replace(".", "\\.")
            if name:
                found.update(json_paths(member, f"{path}.{name}" if path else name))
        return found
    if value is None or len(path.encode()) > 256:
        return {}
    return {(path, True): float(len(value))} if isinstance(value, list) else {(path, False): value}


def json_label(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return next(text for text in (f"{value:.{digits}g}" for digits in (15, 16, 17))
                if float(text) == value)


class JsonDocument:
    def __init__(self, name, values, target):
        documents = [{} if v is None else json_paths(v) for v in values]
        counts = Counter(path for found in documents for path in found)
        chosen = sorted((p for p in counts if counts[p] >= 0.01 * len(values)),
                        key=lambda p: (-counts[p], p[0].encode(), p[1]))[:50]
        self.parts, self.names = [], []
        for path, is_length in chosen:
            full = ".".join(filter(None, [name, path, "len" if is_length else ""]))
            found = [d.get((path, is_length)) for d in documents]
            kinds = {type(v) for v in found if v is not None}
            if kinds == {float}:
                self.add((path, is_length), float, [full], lambda v: [v])
            elif kinds == {bool}:
                self.add((path, is_length), bool, [full], lambda v: [float(v)])
            else:
                labels = [None if v is None else json_label(v) for v in found]
                short = [None if v is None else v if len(v.strip('"').encode()) <= 256 else None
                         for v in labels]
                category = Category(full, short, {}, None, limit=1000)
                n = sum(v is not None for v in labels)
                category.frequency = {v: category.counts[v] / n for v in category.kept}
                self.add((path, is_length), None, category.names,
                         lambda v, c=category: c.encode(json_label(v)))

    def add(self, path, kind, names, encode):
        self.parts.append((path, kind, len(names), encode))
        self.names += names

    def encode(self, value):
        found = {} if value is None else json_paths(value)
        result = []
        for path, kind, width, encode in self.parts:
            item = found.get(path)
            if item is None or kind is not None and type(item) is not kind:
                result += [MISSING] * width
            else:
                result += encode(item)
        return result


# ---------------------------------------------------------------- the split

IDS = ("uuid", "inet", "cidr", "bytea")  # features only where they are declared a category


def row_hash(seed, texts):
    digest = hashlib.sha256(f"{seed}|{'|'.join(texts)}".encode()).hexdigest()
    return int(digest[:13], 16) / 2 ** 52


def validation_share(n):
    """Of n rows that do not test, where no settings compete."""
    return min(max(500 / n, 0.1), 0.2) if n < 5000 else min(max(2500 / n, 0.01), 0.1)


def half_up(value):
    return math.floor(value + 0.5)


# ---------------------------------------------------------------- the whole


def plain(name):
    """Without what XGBoost's names may not hold."""
    return re.sub(r"[\[\]<\x00-\x1f\x7f]", "_", name)


def unique(names):
    taken = []
    for name in names:
        free = (f"{name}_{n}" for n in range(2, len(taken) + 3))
        taken.append(name if name not in taken else next(f for f in free if f not in taken))
    return taken


class Encoder:
    """definition: as in models/README.md, with a key. Fitted on all rows that do not test."""

    def __init__(self, table, definition, training=None):
        self.table, self.definition = table, definition
        self.seed = definition.get("seed", 42)
        self.zone = zoneinfo.ZoneInfo(definition.get("timezone", "UTC"))
        self.by_name = {c.name: c for c in table.columns}
        self.read_target()
        self.training, self.test = (training, None) if training else self.split()
        self.fit()

    def listed(self, key):
        value = self.definition.get(key, [])
        return [value] if isinstance(value, str) else value

    def read_target(self):
        column = self.by_name[self.definition["target"]]
        self.numeric_target = column.type in NUMBERS and column.type != "bool"
        by_type = "regression" if self.numeric_target else "classification"
        task = self.definition.get("task", by_type)
        texts = [row[column.name] for row in self.table.rows]
        if task == "regression":
            y = [MISSING if t is None else NUMBERS[column.type](t) for t in texts]
            self.usable = [i for i, v in enumerate(y) if not math.isnan(v)]
            self.y, self.classes = y, None
            return
        self.usable = [i for i, t in enumerate(texts) if t is not None]
        self.classes = sorted({texts[i] for i in self.usable},
                              key=float if self.numeric_target else str.encode)
        number = {label: i for i, label in enumerate(self.classes)}
        self.y = [None if t is None else number[t] for t in texts]

    def split(self):
        test = self.definition.get("test", {})
        size = test.get("size", 0.2)
        time = self.definition.get("time")
        by = test.get("by") or ("time" if time else "stratified" if self.classes else "random")
        keys = [self.by_name[k] for k in self.listed("key")]
        rows = self.table.rows
        hashes = {i: row_hash(self.seed, [self.key_text(k, rows[i][k.name]) for k in keys])
                  for i in self.usable}
        ordered = sorted(self.usable, key=lambda i: (hashes[i], i))
        places = self.twins(hashes) if by != "time" else hashes
        assert by != "stratified" or places == hashes, "twins of a stratified split"
        if by == "random":
            tests = {i for i in ordered if places[i] < size}
            assert tests
            rest = sorted((i for i in ordered if i not in tests),
                          key=lambda i: (places[i], hashes[i], i))
            start = len(rest) - half_up(validation_share(len(rest)) * len(rest))
            while places[rest[start]] == places[rest[start - 1]]:
                start += 1
            late = set(rest[start:])
        elif by == "stratified":
            tests, late = set(), set()
            for label in range(len(self.classes)):
                members = [i for i in ordered if self.y[i] == label]
                n = max(half_up(size * len(members)), 1 if len(members) > 1 else 0)
                tests |= set(members[:min(n, len(members) - 1)])
            rest = [i for i in ordered if i not in tests]
            share = validation_share(len(rest))
            for label in range(len(self.classes)):
                members = [i for i in rest if self.y[i] == label]
                n = half_up(share * len(members))
                late |= set(members[len(members) - n:])
        else:
            when = {i: self.time_value(time, rows[i][time]) for i in ordered}
            tests = self.newest(ordered, when, size)
            rest = [i for i in ordered if i not in tests]
            late = self.newest(rest, when, validation_share(len(rest)))
        rest = [i for i in ordered if i not in tests]
        return ([i for i in rest if i not in late] + [i for i in rest if i in late],
                [i for i in ordered if i in tests])

    def twins(self, hashes):
        """Where rows that agree in every feature fall: by the hash of their features."""
        columns = [c for c in self.table.columns if not self.is_left_out(c.name) and
                   (c.type not in IDS or self.as_(c.name) == "category")]
        alike = {}
        for i in self.usable:
            row = self.table.rows[i]
            alike.setdefault(tuple(self.twin_text(c, row[c.name]) for c in columns), []).append(i)
        places = dict(hashes)
        if len(self.usable) >= 10 * len(alike):
            return places
        for texts, rows in alike.items():
            if len(rows) > 1:
                place = row_hash(self.seed, [self.key_text(c, t) for c, t in zip(columns, texts)])
                places.update((i, place) for i in rows)
        return places

    @staticmethod
    def twin_text(column, text):
        if column.type in ("float4", "float8", "numeric"):
            return {"NaN": None, "-0": "0"}.get(text, text)
        return text

    def key_text(self, column, text):
        if text is None:
            return ""
        if column.type == "bool":
            return category_text(column, text)
        assert column.type in ("int2", "int4", "int8", "text", "varchar") or (
            column.element in ("text", "varchar")), column.type
        return text

    def as_(self, name):
        return self.definition.get("columns", {}).get(name, {}).get("as")

    def is_left_out(self, name):
        include = self.listed("include")
        return (name == self.definition["target"] or name in self.listed("key")
                or name in self.listed("exclude") or self.as_(name) == "ignore"
                or bool(include) and name not in include)

    def time_value(self, name, text):
        if text is None:
            return None
        column = self.by_name[name]
        return read_timestamp(text) if column.type in TIMES else int(text)

    @staticmethod
    def newest(rows, when, share):
        """Those at or after the smallest time such that at most `share` of the rows are."""
        times = sorted({when[i] for i in rows if when[i] is not None})
        for start in times:
            late = {i for i in rows if when[i] is not None and when[i] >= start}
            if len(late) <= share * len(rows):
                return late
        return set()

    def fit(self):
        y = [self.y[i] for i in self.training]
        if self.classes is None:
            target = Target([y], [None])
        elif len(self.classes) == 2:
            target = Target([[float(v) for v in y]], [None])
        elif len(self.classes) <= 16:
            target = Target([[float(v == k) for v in y] for k in range(len(self.classes))],
                            self.classes)
        else:
            target = Target([], [])
        self.parts = []
        for column in self.table.columns:
            part = self.make(column, target)
            if part:
                self.parts.append(part)
        self.names = unique(plain(name) for _, _, encoding in self.parts for name in encoding.names)

    def make(self, column, target):
        definition, name = self.definition, column.name
        options = definition.get("columns", {}).get(name, {})
        if self.is_left_out(name):
            return None
        texts = [self.table.rows[i][name] for i in self.training]
        kind = options.get("as")

        def made(read, make):
            values = [None if t is None else read(t) for t in texts]
            return name, read, make(values)

        as_category = lambda t: category_text(column, t)
        if kind == "category" or column.is_enum and not column.element:
            return made(as_category, lambda v: Category(name, v, options, target))
        if column.type in TEXT_TYPES:
            values = [None if t is None else as_category(t) for t in texts]
            said = {"impute", "encode"} & set(options)
            free = kind == "text" or kind is None and not said and is_free_text(values)
            return made(as_category, lambda v: FreeText(name, v, target) if free else
                        Category(name, v, options, target))
        if column.type in NUMBERS:
            return made(NUMBERS[column.type], lambda v: Number(name, v, options, self.seed))
        if column.type in TIMES:
            return made(read_timestamp, lambda v: Timestamp(name, v, column.type, self.zone))
        if column.element in NUMBER_ELEMENTS:
            item = NUMBERS[column.element]

            def read(text):
                items = read_array(text)
                return items and [None if t is None else item(t) for t in items]

            return made(read, lambda v: NumberList(name, v))
        if column.element in TEXT_ELEMENTS or column.element and column.is_enum:
            def read(text):
                items = read_array(text)
                if items and column.element == "bpchar":
                    items = [t if t is None else t.rstrip(" ") for t in items]
                return items

            return made(read, lambda v: TextList(name, v))
        if column.type in ("bit", "varbit"):
            return made(lambda t: [float(b) for b in t], lambda v: NumberList(name, v))
        if column.type == "point":
            return made(lambda t: tuple(map(float, t.strip("()").split(","))),
                        lambda v: Pair(name, "xy", v))
        if column.type in NUMBER_RANGES:
            return made(lambda t: tuple(b if b is None else float(b) for b in read_range(t)),
                        lambda v: Pair(name, ("lower", "upper"), v))
        if column.type in TIME_RANGES:
            return made(lambda t: tuple(b if b is None else read_timestamp(b)
                                        for b in read_range(t)),
                        lambda v: Pair(name, ("lower", "upper"), v, in_days=True))
        if column.type in ("json", "jsonb"):
            return made(read_json, lambda v: JsonDocument(name, v, target))
        return None

    def encode(self, row):
        """float32 features of a row of texts."""
        values = []
        for name, read, encoding in self.parts:
            text = row.get(name)
            values += encoding.encode(None if text is None else read(text))
        return features(values)

    def training_matrix(self):
        """What the trees learnt from: means of the target are out of fold."""
        matrix = []
        for place, i in enumerate(self.training):
            values = []
            for name, read, encoding in self.parts:
                text = self.table.rows[i][name]
                value = None if text is None else read(text)
                fold = getattr(encoding, "encode_fold", None)
                values += fold(value, place % 5) if fold else encoding.encode(value)
            matrix.append(features(values))
        return np.array(matrix)
