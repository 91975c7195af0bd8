"""A relation's predictions in a table: the same bits as by request, upserts, kills in the middle,
full disks, schedules, and what is refused."""

import json
import os
import shutil
import signal
import subprocess

import pytest

import oracle
from conftest import BIN, wait_for

N = 2000
LONG = 240000
TARGETS = ("amount", "answer", "truth", "grade")
KEYS = {"amount": ["id"], "answer": ["shop", "day"], "truth": ["token"], "grade": ["id"]}


@pytest.fixture(scope="module")
def mixed(catalog, cli, tmp_path_factory):
    """A table of many types, and a project for each kind of target, with keys of each kind."""
    catalog.sql("CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy')")
    catalog.sql(f"""
        CREATE TABLE public.mixed AS
        SELECT 9007199254740993 + i AS id, 'shop ' || i % 7 || ' ''"ü' AS shop,
               date '2020-01-01' + i AS day, md5(i::text)::uuid AS token, x,
               CASE WHEN i % 7 = 0 THEN NULL ELSE cos(i * 78.2)::float4 END AS y,
               (x * 1000)::numeric(12, 4) AS z, i % 5 AS small, i % 3 = 0 AS flag,
               (ARRAY['red', 'green', 'blü', NULL])[1 + i % 4] AS colour,
               (ARRAY['sad', 'ok', 'happy'])[1 + i % 3]::public.mood AS mood,
               timestamptz '2020-01-01 00:00+00' + i * interval '77 minutes' AS at,
               make_interval(mins => i % 100) AS span, i::numeric::money AS price,
               ARRAY[i, i / 3.0, NULL]::float8[] AS list, ARRAY['a', 'tag' || i % 3] AS tags,
               jsonb_build_object('n', i % 11, 's', 'v' || i % 3) AS doc,
               int4range(i % 9, 10 + i % 9) AS part, ('10.0.' || i % 250 || '.1')::inet AS address,
               (3 * x + (i % 3) + 0.1 * sin(i * 4.1))::float8 AS amount,
               CASE WHEN x + sin(i) > 0 THEN 'yes' ELSE 'nö' END AS answer,
               x + 0.3 * sin(i) > 0 AS truth,
               CASE WHEN i % 3 = 0 THEN 7 WHEN x > 0.5 THEN -1 ELSE 3 END AS grade
        FROM (SELECT i, sin(i * 12.9898) * 2 AS x FROM generate_series(1, {N}) i) s""")
    folder = tmp_path_factory.mktemp("scored")
    for target in TARGETS:
        path = folder / f"{target}.json"
        path.write_text(json.dumps({
            "project": target, "relation": "public.mixed", "target": target, "key": KEYS[target],
            "task": "regression" if target == "amount" else "classification",
            "exclude": sorted({"id", "shop", "day", "token", *TARGETS} - {target, *KEYS[target]}),
            "search": {"strategy": "none"}, "threads": 1, "hyperparams": {"n_estimators": 20}}))
        cli.ok("apply", path)
        cli.ok("train", target, "--here")
    return catalog


def requested(db, target):
    """The rows as a request has them, by key."""
    rows = oracle.rows_as_json(
        db, f"SELECT * FROM public.mixed ORDER BY {', '.join(KEYS[target])}")
    left_out = {"id", "shop", "day", "token", *TARGETS}
    return [{k: v for k, v in row.items() if k not in left_out} for row in rows]


@pytest.mark.parametrize("target", TARGETS)
def test_same_bits_as_requests(mixed, cli, daemon, target):
    key = ", ".join(KEYS[target])
    result = cli.json("score", target, "--from", "public.mixed", "--into", f"public.s_{target}",
                      "--explain")
    assert result["rows"] == N and result["resumed_rows"] == 0
    daemon.wait_live(target, result["model_id"])
    features = requested(mixed, target)
    answers = daemon.predict(target, features, explain=True)["predictions"]
    here = json.loads(cli.ok("predict", target, "-", "--explain",
                             input=oracle.dumps(features)).out)["predictions"]
    assert here == answers
    probabilities = ", probabilities" if target != "amount" else ""
    mixed.sql("SET extra_float_digits = 3")
    table = mixed.sql(f"SELECT prediction, explanation{probabilities} FROM public.s_{target}"
                      f" ORDER BY {key}")
    assert [row[0] for row in table] == [answer["prediction"] for answer in answers]
    assert [row[1] for row in table] == [answer["explanation"] for answer in answers]
    if probabilities:
        assert [row[2] for row in table] == [answer["probabilities"] for answer in answers]
    types = dict(mixed.sql("SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
                           " WHERE attrelid = %s::regclass AND attnum > 0", f"public.s_{target}"))
    own = dict(mixed.sql("SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
                         " WHERE attrelid = 'public.mixed'::regclass AND attnum > 0"))
    assert all(types[column] == own[column] for column in KEYS[target])
    assert types["prediction"] == {"amount": "real", "answer": "text", "truth": "boolean",
                                   "grade": "bigint"}[target]
    assert mixed.sql(f"SELECT count(*), count(DISTINCT ({key})), min(model_id), max(model_id),"
                     f" count(DISTINCT scored_at) FROM public.s_{target}") == [
        (N, N, result["model_id"], result["model_id"], 1)]
    assert mixed.sql(f"SELECT count(*) FROM public.s_{target} JOIN public.mixed USING ({key})"
                     ) == [(N,)]


def test_upsert_into_a_table_of_ones_own(mixed, cli):
    """Other types, other columns, fewer of ours; rows that are not scored stay as they are."""
    mixed.sql("""CREATE TABLE public.own (
                     note text DEFAULT 'new', prediction numeric(10, 2), scored_at timestamptz,
                     id numeric UNIQUE)""")
    mixed.sql("INSERT INTO public.own (note, prediction, id) VALUES ('other', 1, -1)")
    mixed.sql("INSERT INTO public.own (note, prediction, id) SELECT 'kept', 0, id"
              " FROM public.mixed ORDER BY id LIMIT 700")
    cli.ok("score", "amount", "--from", "public.mixed", "--into", "own")
    assert mixed.sql("SELECT note, count(*), count(scored_at) FROM public.own GROUP BY 1"
                     " ORDER BY 1") == [("kept", 700, 700), ("new", 1300, 1300), ("other", 1, 0)]
    cli.ok("score", "amount", "--from", "public.mixed", "--into", "public.s_amount")
    assert mixed.value("SELECT count(*) FROM public.own o JOIN public.s_amount s USING (id)"
                       " WHERE o.prediction = s.prediction::numeric(10, 2)") == N
    mixed.sql("CREATE VIEW public.fewer AS SELECT * FROM public.mixed ORDER BY id LIMIT 10")
    before = mixed.value("SELECT max(scored_at) FROM public.own")
    cli.ok("score", "amount", "--from", "public.fewer", "--into", "public.own")
    assert mixed.sql("SELECT count(*), count(*) FILTER (WHERE scored_at > %s) FROM public.own",
                     before) == [(N + 1, 10)]


# Long scores ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def long(mixed, cli, tmp_path_factory):
    """240,000 rows, which come up to one that waits for a lock of the test's."""
    mixed.sql(f"CREATE TABLE public.long (id int PRIMARY KEY, x float8, y float8);"
              f"INSERT INTO public.long SELECT i, sin(i), sin(i) * 2 FROM"
              f" generate_series(1, {LONG}) i; ANALYZE public.long")
    mixed.sql("CREATE FUNCTION public.gate() RETURNS float8 LANGUAGE sql STABLE AS"
              " 'SELECT 0::float8 FROM pg_advisory_xact_lock_shared(7)'")
    mixed.sql("CREATE VIEW public.gated AS SELECT id, y,"
              " x + CASE WHEN id = 210000 THEN public.gate() ELSE 0 END AS x FROM public.long")
    # rows come as the index has them
    mixed.sql(f"ALTER DATABASE {mixed.name} SET enable_sort = off")
    path = tmp_path_factory.mktemp("long") / "long.json"
    path.write_text(json.dumps({
        "project": "long", "relation": "public.sample", "target": "y", "key": ["id"],
        "search": {"strategy": "none"}, "threads": 1, "hyperparams": {"n_estimators": 5}}))
    mixed.sql("CREATE VIEW public.sample AS SELECT * FROM public.long WHERE id <= 500")
    cli.ok("apply", path)
    cli.ok("train", "long", "--here")
    cli.ok("score", "long", "--from", "public.long", "--into", "public.whole")
    return mixed


@pytest.fixture
def gate(long):
    """Shut, until it is closed."""
    connection = long.cluster.connect(long.name)
    connection.cursor().execute("SELECT pg_advisory_lock(7)")
    yield connection
    connection.close()


def start(db, *options, table="public.scores"):
    return subprocess.Popen(
        [BIN / "pgboost", "score", "long", "--from", "public.gated", "--into", table, *options],
        env=db.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True)


def written(db, table="public.scores"):
    found = db.sql("SELECT n_rows FROM pgboost.scores WHERE target = %s", table)
    return found[0][0] if found else 0


def expected(db, table="public.scores"):
    """Every row once, and each prediction the one that a score without an accident gives."""
    return db.value(f"SELECT count(*) FROM {table}"
                    " JOIN public.whole USING (id, prediction)") == LONG


def test_killed_and_gone_on_with(long, cli, gate):
    killed = start(long)
    wait_for(lambda: written(long) == 200000, what="two chunks")
    killed.kill()
    killed.communicate()
    gate.close()
    assert long.sql("SELECT count(*), max(id) FROM public.scores") == [(200000, 200000)]
    long.sql("DELETE FROM public.scores WHERE id = 7")  # what is done is not done again
    result = cli.json("score", "long", "--from", "public.gated", "--into", "public.scores")
    assert (result["rows"], result["resumed_rows"]) == (LONG, 200000)
    assert long.sql("SELECT count(*), count(DISTINCT scored_at) FROM public.scores") == [
        (LONG - 1, 1)]
    result = cli.json("score", "long", "--from", "public.gated", "--into", "public.scores")
    assert (result["rows"], result["resumed_rows"]) == (LONG, 0)
    assert expected(long)


def test_gone_on_with_behind_a_key_of_two_columns(mixed, cli):
    """As the relation sorts them: what stands up to the point is not done again, what stands behind
    it is."""
    def score():
        return cli.json("score", "answer", "--from", "public.mixed", "--into", "public.pairs")

    assert score()["rows"] == N
    whole = mixed.sql("SELECT shop, day, prediction FROM public.pairs ORDER BY shop, day")
    shop, day, _ = whole[699]
    mixed.sql("DELETE FROM public.pairs WHERE (shop, day) > (%s, %s)", shop, day)
    assert mixed.value("SELECT count(*) FROM public.pairs") == 700
    mixed.sql("UPDATE public.pairs SET prediction = 'before'")
    mixed.sql("UPDATE pgboost.scores SET finished_at = NULL, n_rows = 700, last_key = %s"
              " WHERE target = 'public.pairs'", [shop, str(day)])
    result = score()
    assert (result["rows"], result["resumed_rows"]) == (N, 700)
    assert mixed.sql("SELECT shop, day, prediction FROM public.pairs ORDER BY shop, day") == \
        [(*row[:2], "before") for row in whole[:700]] + whole[700:]


@pytest.mark.parametrize("n_rows", [100_000, 100_001])
def test_the_end_beside_the_end_of_a_chunk(long, cli, n_rows):
    """Of 100,000 rows, after which a score commits and notes its place."""
    long.sql(f"CREATE VIEW public.first_{n_rows} AS SELECT * FROM public.long WHERE id <= {n_rows}")
    result = cli.json("score", "long", "--from", f"public.first_{n_rows}", "--into",
                      f"public.of_{n_rows}")
    assert result["rows"] == n_rows
    assert long.sql("SELECT n_rows, last_key, finished_at IS NULL FROM pgboost.scores"
                    " WHERE target = %s", f"public.of_{n_rows}") == [(n_rows, None, False)]
    assert long.sql(f"SELECT count(*), max(id) FROM public.of_{n_rows}") == [(n_rows, n_rows)]
    assert long.value(f"SELECT count(*) FROM public.of_{n_rows} JOIN public.whole"
                      " USING (id, prediction)") == n_rows


def test_rows_of_one_key_in_two_windows(long, cli):
    """The last row of one, of 4,000, and the first of the next."""
    long.sql("CREATE VIEW public.beside AS SELECT * FROM public.long WHERE id <= 9000 UNION ALL"
             " SELECT * FROM public.long WHERE id = 4000")
    failed = cli("score", "long", "--from", "public.beside", "--into", "public.no_beside")
    assert failed.code == 1 and "several rows of one key" in failed.err


def test_hostile_names(mixed, cli, definition):
    """Of the relation, its columns, the key's two, the table, and its schema."""
    quote = lambda name: '"' + name.replace('"', '""') + '"'
    schema, relation, table = 'sc"he.ma', "r'el; --", 'ta"b\\le%s $1'
    shop, day, x = 'the "shop"', "{day},$2", "x) y\\"
    mixed.sql(f"CREATE SCHEMA {quote(schema)}")
    names = ", ".join(map(quote, (shop, day, x)))
    name = lambda of: f"{quote(schema)}.{quote(of)}"
    mixed.sql(f"CREATE VIEW {name(relation)} ({names}, y) AS"
              " SELECT shop, day, x, amount FROM public.mixed")
    cli.ok("apply", definition(project="hostile", relation=name(relation), target="y", threads=1,
                               key=[shop, day], search={"strategy": "none"},
                               hyperparams={"n_estimators": 3}))
    cli.ok("train", "hostile", "--here")
    for _ in range(2):  # into a table that is made, and into one that is there
        result = cli.json("score", "hostile", "--from", name(relation), "--into", name(table))
        assert result["rows"] == N
    assert mixed.sql(f"SELECT count(*), count(prediction) FROM {name(table)} t JOIN public.mixed m"
                     f" ON m.shop = t.{quote(shop)} AND m.day = t.{quote(day)}") == [(N, N)]


def test_what_is_gone_on_with(long, cli, gate):
    """Not with --restart, and not when someone has emptied the table."""
    for table, options in (("public.again", ["--restart"]), ("public.emptied", [])):
        killed = start(long, table=table)
        wait_for(lambda: written(long, table) == 200000, what="two chunks")
        killed.kill()
        killed.communicate()
    long.sql("TRUNCATE public.emptied")
    gate.close()
    for table, options in (("public.again", ["--restart"]), ("public.emptied", [])):
        result = cli.json("score", "long", "--from", "public.gated", "--into", table, *options)
        assert (result["rows"], result["resumed_rows"]) == (LONG, 0)
        assert expected(long, table)


def test_the_second_takes_over(long, cli, gate):
    first = start(long, table="public.shared")
    wait_for(lambda: written(long, "public.shared") == 200000, what="two chunks")
    second = start(long, table="public.shared")
    wait_for(lambda: long.value("SELECT epoch FROM pgboost.scores WHERE target = 'public.shared'")
             == 2, what="the second")
    gate.close()
    out, err = first.communicate(timeout=60)
    assert first.returncode == 1 and "another score into public.shared has begun" in err
    out, err = second.communicate(timeout=60)
    assert second.returncode == 0, err
    assert expected(long, "public.shared")


def test_atomic_is_all_or_nothing(long, cli, gate):
    killed = start(long, "--atomic", table="public.atomic")
    wait_for(lambda: long.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
                                " AND NOT granted") == 1, what="the gate")
    killed.kill()
    killed.communicate()
    wait_for(lambda: long.value("SELECT count(*) FROM pg_stat_activity WHERE application_name ="
                                " 'pgboost score'") == 0, what="the end of its connection")
    assert long.value("SELECT to_regclass('public.atomic')") is None
    gate.close()
    result = cli.json("score", "long", "--from", "public.gated", "--into", "public.atomic",
                      "--atomic")
    assert (result["rows"], result["resumed_rows"]) == (LONG, 0)
    long.sql("UPDATE public.atomic SET prediction = -1")
    long.sql("CREATE VIEW public.late_fault AS SELECT id, y, 1 / (id - 205000) + x AS x"
             " FROM public.long")
    failed = cli("score", "long", "--from", "public.late_fault", "--into", "public.atomic",
                 "--atomic")
    assert failed.code == 1 and "division by zero" in failed.err
    assert "nothing was written to public.atomic" in failed.err
    assert long.value("SELECT count(*) FROM public.atomic WHERE prediction = -1") == LONG
    failed = cli("score", "long", "--from", "public.late_fault", "--into", "public.parts")
    assert failed.code == 1 and "division by zero" in failed.err
    assert f"{written(long, 'public.parts')} rows are in public.parts and stay" in failed.err
    assert long.value("SELECT max(id) FROM public.parts") in (100000, 200000)
    cli.ok("score", "long", "--from", "public.long", "--into", "public.atomic", "--atomic")
    assert expected(long, "public.atomic")


@pytest.fixture
def small_disk(cluster):
    """A tablespace on a file system of 12 MiB."""
    folder = cluster.dir / "small"
    folder.mkdir()
    if os.getuid() != 0 or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", folder],
            stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("mounting a file system needs privileges that are not there")
    server = os.stat(f"/proc/{server_pid(cluster)}")
    shutil.chown(folder, server.st_uid, server.st_gid)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def server_pid(cluster):
    connection = cluster.connect()
    cursor = connection.cursor()
    cursor.execute("SELECT pg_backend_pid()")
    return cursor.fetchone()[0]


def test_a_disk_that_fills_half_way(long, cli, small_disk):
    long.sql(f"CREATE TABLESPACE small LOCATION '{small_disk}'")
    try:
        long.sql("CREATE TABLE public.tight (id int PRIMARY KEY USING INDEX TABLESPACE small,"
                 " prediction real, scored_at timestamptz) TABLESPACE small")
        failed = cli("score", "long", "--from", "public.long", "--into", "public.tight")
        assert failed.code != 0 and "No space left on device" in failed.err
        stopped_at = written(long, "public.tight")
        assert stopped_at in (100000, 200000)
        assert f"{stopped_at} rows are in public.tight and stay" in failed.err
        assert long.sql("SELECT count(*), max(id) FROM public.tight") == [(stopped_at,) * 2]
        subprocess.run(["mount", "-o", "remount,size=200m", small_disk], check=True)
        result = cli.json("score", "long", "--from", "public.long", "--into", "public.tight")
        assert (result["rows"], result["resumed_rows"]) == (LONG, stopped_at)
        assert expected(long, "public.tight")
    finally:
        long.sql("DROP TABLE public.tight")
        long.sql("DROP TABLESPACE small")


# Runs -------------------------------------------------------------------------------------------


def run_of(db, run_id, status="succeeded"):
    def ended():
        row = db.sql("SELECT status, error, kind, trigger FROM pgboost.runs WHERE id = %s"
                     " AND finished_at IS NOT NULL", run_id)
        return row and row[0]

    row = wait_for(ended, 60, f"the end of run {run_id}")
    assert row[0] == status, row
    return row


def test_by_http(mixed, cli, daemon):
    cli.ok("score", "truth", "--from", "public.mixed", "--into", "public.by_command")
    answer = daemon.post("/projects/truth/score", {"from": "public.mixed", "into": "by_http"})
    assert answer.status_code == 202, answer.text
    run_id = answer.json()["run_id"]
    assert run_of(mixed, run_id)[2:] == ("score", "http")
    run = daemon.get(f"/runs/{run_id}").json()
    assert (run["kind"], run["progress"]["done"]) == ("score", N)
    assert mixed.value("SELECT count(*) FROM public.by_http JOIN public.by_command"
                       " USING (token, prediction, probabilities, model_id)") == N
    answer = daemon.post("/projects/truth/score", {"into": "public.explained", "explain": True,
                                                   "atomic": True})
    run_of(mixed, answer.json()["run_id"])
    assert mixed.value("SELECT count(explanation) FROM public.explained") == N


@pytest.mark.parametrize("body, status, word", [
    ({}, 400, "into"), ({"from": "public.mixed"}, 400, "into"), ({"into": ""}, 400, "into"),
    ({"into": "x", "from": 3}, 400, "from"), ({"into": "x", "explain": "yes"}, 400, "explain"),
    ({"into": "x", "where": "id = 1"}, 400, "where")])
def test_bad_bodies(mixed, daemon, body, status, word):
    answer = daemon.post("/projects/amount/score", body)
    assert answer.status_code == status
    assert word in answer.json()["errors"][0]["field"], answer.text
    assert daemon.post("/projects/nobody/score", {"into": "x"}).status_code == 404


def test_a_run_that_fails_says_why(mixed, daemon):
    run_id = daemon.post("/projects/amount/score",
                         {"from": "public.nowhere", "into": "x"}).json()["run_id"]
    assert 'no relation "nowhere"' in run_of(mixed, run_id, "failed")[1]


def test_after_training_and_by_schedule(mixed, cli, daemon, definition):
    keys = {"project": "nightly", "relation": "public.mixed", "target": "amount", "key": ["id"],
            "exclude": ["answer", "truth", "grade", "shop", "day", "token"], "deploy": "always",
            "search": {"strategy": "none"}, "threads": 1, "hyperparams": {"n_estimators": 3}}
    cli.ok("apply", definition(**keys, score={"into": "public.nightly", "after": "train"}))
    cli.ok("train", "nightly", "--here")
    model_id = cli.json("show", "nightly")["project"]["live_model_id"]
    wait_for(lambda: mixed.value("SELECT to_regclass('public.nightly')") and mixed.sql(
        "SELECT count(*), min(model_id) FROM public.nightly") == [(N, model_id)], 60, "the scores")
    assert mixed.sql("SELECT kind, trigger FROM pgboost.runs r JOIN pgboost.projects p"
                     " ON p.id = project_id WHERE p.name = 'nightly' ORDER BY r.id") == [
        ("training", "command"), ("score", "train")]
    cli.ok("apply", definition(**keys, schedule="@yearly",
                               score={"into": "public.nightly", "after": "* * * * *"}))
    shown = cli.json("show", "nightly")
    assert shown["schedule"]["cron"] == "@yearly"
    assert shown["score_schedule"]["cron"] == "* * * * *"
    before = mixed.value("SELECT max(scored_at) FROM public.nightly")
    mixed.sql("UPDATE pgboost.projects SET scores_since = scores_since - interval '2 minutes'"
              " WHERE name = 'nightly'")
    wait_for(lambda: mixed.value("SELECT min(scored_at) FROM public.nightly") > before, 60,
             "the scheduled score")
    cli.ok("apply", definition(**keys))
    assert {row[0] for row in mixed.sql(
        "SELECT d.kind FROM pgboost.due_times d JOIN pgboost.projects p ON p.id = d.project_id"
        " WHERE p.name = 'nightly'")} == {"score"}


def test_a_worker_that_is_killed(long, gate, daemon, cli):
    """Another attempt of the same run goes on."""
    run_id = daemon.post("/projects/long/score",
                         {"from": "public.gated", "into": "public.by_run"}).json()["run_id"]
    wait_for(lambda: written(long, "public.by_run") == 200000, 60, "two chunks")
    workers = subprocess.run(["pgrep", "-P", str(daemon.proc.pid), "pgboost-worker"],
                             stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    assert len(workers) == 1
    os.kill(int(workers[0]), signal.SIGKILL)
    gate.close()
    run_of(long, run_id)
    assert long.value("SELECT lease_epoch FROM pgboost.runs WHERE id = %s", run_id) == 2
    assert long.value("SELECT count(DISTINCT scored_at) FROM public.by_run") == 1
    assert expected(long, "public.by_run")


def test_a_run_that_is_cancelled(long, gate, daemon):
    """Though its relation is silent; what is written stays."""
    run_id = daemon.post("/projects/long/score",
                         {"from": "public.gated", "into": "public.cancelled"}).json()["run_id"]
    wait_for(lambda: written(long, "public.cancelled") == 200000, 60, "two chunks")
    answer = daemon.post(f"/runs/{run_id}/cancel", {})
    assert answer.status_code == 202
    run_of(long, run_id, "cancelled")
    assert long.value("SELECT count(*) FROM public.cancelled") == 200000


# What is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize("make, relation, table, message, hint", [
    ("CREATE TABLE public.keyless (id bigint, prediction real)", "mixed", "keyless",
     "table public.keyless has no unique key of", "ADD PRIMARY KEY"),
    ("CREATE TABLE public.other_key (number bigint PRIMARY KEY, prediction real)", "mixed",
     "other_key", 'has no column "id"', "ADD COLUMN"),
    ("CREATE TABLE public.bare (id bigint PRIMARY KEY)", "mixed", "bare",
     'has no column "prediction"', "ADD COLUMN"),
    ("CREATE VIEW public.no_table AS SELECT 1 AS id", "mixed", "no_table", "is no table", ""),
    ("", "mixed", "nowhere.scores", 'schema "nowhere" does not exist', ""),
    ("", "nothing", "x", "nothing", ""),
    ("CREATE VIEW public.narrow AS SELECT id, x::text AS x FROM public.mixed", "narrow", "x",
     '"x" is text in place of float8', "a view can"),
    ("CREATE VIEW public.unnamed AS SELECT x, y FROM public.mixed", "unnamed", "x",
     'has no column "id"', "a view can"),
    ("CREATE VIEW public.twice AS SELECT * FROM public.mixed UNION ALL SELECT * FROM"
     " public.mixed WHERE small = 1", "twice", "t_twice", "several rows of one key", "GROUP BY"),
    ("CREATE VIEW public.nulls AS SELECT nullif(id, 9007199254741000) AS id, x, y, z, small, flag,"
     " colour, mood, at, span, price, list, tags, doc, part, address FROM public.mixed", "nulls",
     "t_nulls", 'whose key "id" is NULL', "leave it out"),
], ids=lambda value: value if value and " " not in value else "")
def test_refused(mixed, cli, make, relation, table, message, hint):
    if make:
        mixed.sql(make)
    for _ in range(2 if "t_" in table else 1):  # nothing goes on behind rows that are at fault
        failed = cli("score", "amount", "--from", f"public.{relation}", "--into", table)
        assert failed.code != 0
        assert message in failed.err and hint in failed.err, failed.err
    assert "9007199254741000" not in failed.err


def test_refused_without_a_key(mixed, cli, definition):
    cli.ok("apply", definition(project="keyless", relation="public.mixed", target="amount"))
    failed = cli("score", "keyless", "--from", "public.mixed", "--into", "x")
    assert "no live model" in failed.err
    failed = cli("score", "amount", "--from", "public.mixed")
    assert failed.code == 2 and "--into" in failed.err
    for score, word in (({"after": "train"}, "into"),
                        ({"into": "x", "after": "sometimes"}, "train"),
                        ({"into": "x"}, "key")):
        keys = {} if word == "key" else {"key": ["id"]}
        failed = cli("apply", definition(project="k", relation="public.mixed", target="amount",
                                         score=score, **keys))
        assert failed.code == 78 and word in failed.err, failed.err


def test_without_privileges(mixed, cli):
    mixed.sql("CREATE ROLE scorer LOGIN; GRANT USAGE ON SCHEMA pgboost TO scorer;"
              "GRANT ALL ON ALL TABLES IN SCHEMA pgboost TO scorer;"
              "GRANT SELECT ON public.mixed TO scorer; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    try:
        failed = cli("score", "amount", "--from", "public.mixed", "--into", "public.not_mine",
                     env={"PGUSER": "scorer"})
        assert failed.code != 0 and "permission denied for schema public" in failed.err
        mixed.sql("CREATE TABLE public.theirs (id bigint PRIMARY KEY, prediction real);"
                  "GRANT SELECT ON public.theirs TO scorer")
        failed = cli("score", "amount", "--from", "public.mixed", "--into", "public.theirs",
                     env={"PGUSER": "scorer"})
        assert failed.code != 0 and "permission denied for table theirs" in failed.err
    finally:
        mixed.sql("GRANT CREATE ON SCHEMA public TO PUBLIC; DROP OWNED BY scorer; DROP ROLE scorer")


def test_an_empty_relation(mixed, cli):
    mixed.sql("CREATE VIEW public.empty AS SELECT * FROM public.mixed WHERE false")
    for options in ([], ["--atomic"]):
        result = cli.json("score", "amount", "--from", "public.empty", "--into",
                          f"public.none{len(options)}", *options)
        assert result["rows"] == 0
        assert mixed.value(f"SELECT count(*) FROM public.none{len(options)}") == 0
