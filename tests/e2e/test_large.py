"""Many rows in one request: as JSON and as CSV, without holding up anyone, in bounded memory."""

import csv
import http.client
import io
import json
import re
import socket
import threading
import time

import pytest

from conftest import wait_for

N = 10_000
COLUMNS = ("number", "share", "word", "seen", "amounts", "doc")
TABLE = """
    CREATE TABLE public.large AS
    SELECT id, id % 97 AS number, (id % 13) / 7.0::float4 AS share,
           CASE id % 5 WHEN 0 THEN 'a "b", c' WHEN 1 THEN E'two\\nlines' WHEN 2 THEN ''
                       WHEN 3 THEN NULL ELSE 'é' END AS word,
           timestamp '2013-01-01' + id * interval '1 hour' AS seen,
           CASE WHEN id % 7 > 0 THEN ARRAY[id % 3, NULL, id % 11] END AS amounts,
           jsonb_build_object('a', id % 5, 'b', 'x, "y"') AS doc,
           (id % 97) * 0.5 + (id % 13) * 2 + id % 5 AS y
    FROM generate_series(1, 10000) AS id"""
# What a request of a row asks beside it.
ROW = {"project": "large", "features": {"number": 7, "share": 0.5, "word": "é"}}


@pytest.fixture(scope="module")
def served(catalog, cli, daemon_factory, tmp_path_factory):
    """One event loop: whatever runs on it holds up everyone."""
    catalog.sql(TABLE)
    catalog.sql("CREATE VIEW public.some AS SELECT * FROM public.large WHERE id <= 1000")
    path = tmp_path_factory.mktemp("large") / "large.json"
    path.write_text(json.dumps({
        "project": "large", "relation": "public.some", "target": "y", "key": ["id"],
        "search": {"strategy": "none"}, "hyperparams": {"n_estimators": 8, "max_depth": 4}}))
    cli.ok("apply", path)
    cli.ok("train", "large", "--here")
    daemon = daemon_factory("--threads", "1", "--role", "server")
    daemon.wait_live("large")
    return daemon


@pytest.fixture(scope="module")
def rows(catalog, served):
    return catalog.value("SELECT jsonb_agg(to_jsonb(l) - 'id' - 'y' ORDER BY id)"
                         " FROM public.large l")


@pytest.fixture(scope="module")
def as_csv(catalog, served):
    """As Postgres itself writes it."""
    out = io.StringIO()
    with catalog.connection.cursor() as cursor:
        cursor.copy_expert(f"COPY (SELECT {', '.join(COLUMNS)} FROM public.large ORDER BY id)"
                           " TO STDOUT (FORMAT csv, HEADER)", out)
    return out.getvalue().encode()


def post_csv(served, body, query="?project=large"):
    return served.session.post(served.url + "/predict" + query, data=body, timeout=60,
                               headers={"Content-Type": "text/csv; charset=utf-8"})


def test_as_one_by_one(served, rows):
    """All at once, in the form of a table, and some of them alone: the same, to the bit."""
    together = served.predict("large", rows, encoded=True)["predictions"]
    assert len(together) == N
    table = served.post("/predict", {
        "project": "large", "encoded": True, "columns": list(COLUMNS),
        "rows": [[row[name] for name in COLUMNS] for row in rows]}).json()["predictions"]
    assert table == together
    for i in range(0, N, 499):
        alone = served.predict("large", rows[i], encoded=True)
        assert {key: alone[key] for key in together[i]} == together[i]


def test_csv_as_json(served, rows, as_csv):
    expected = served.predict("large", rows, encoded=True)
    answer = post_csv(served, as_csv, "?project=large&encoded=true")
    assert answer.status_code == 200, answer.text
    assert answer.json() == expected


def test_csv_with_line_ends_of_all_kinds(served, rows):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerows([("share", "number"), (0.25, 3), (-1e-3, 4)])
    expected = served.predict("large",
                              [{"share": 0.25, "number": 3}, {"share": -1e-3, "number": 4}])
    for body in (out.getvalue(), "\ufeff" + out.getvalue(), out.getvalue()[:-2],
                 out.getvalue().replace("\r\n", "\n").replace('"', "")):
        assert post_csv(served, body.encode()).json() == expected
    empty = post_csv(served, b"share,word\n,\n,\"\"\n").json()["predictions"]
    assert empty == served.predict("large", [{}, {"word": ""}])["predictions"]
    assert post_csv(served, b"share,word\n").json()["predictions"] == []


@pytest.mark.parametrize("query, body, status, field, says", [
    ("", "share\n1\n", 400, "/project", '"project" is missing'),
    ("?project=nobody", "share\n1\n", 404, None, 'no project "nobody"'),
    ("?projct=large", "share\n1\n", 400, "/projct", "unknown member"),
    ("?project=large&model_id=x", "share\n1\n", 400, "/model_id", "expected a model's number"),
    ("?project=large&model_id=77", "share\n1\n", 404, "/model_id", "model 77 is not live"),
    ("?project=large&encoded=yes", "share\n1\n", 400, "/encoded", "expected true or false"),
    ("?project=large", "", 400, None, "the body is empty"),
    ("?project=large", "shar\n1\n", 400, "/columns/0", "trained without a column"),
    ("?project=large", "share,share\n1,2\n", 400, "/columns/1", "given twice"),
    ("?project=large", "share,\n1,2\n", 400, "/columns/1", "expected a column's name"),
    ("?project=large", "share\n1\nx\n", 400, "/rows/1/0", "expected a number"),
    ("?project=large", "share,number\n1\n", 400, "/rows/0", "expected 2 values"),
    ("?project=large", "share,number\n1,2,3\n", 400, "/rows/0", "expected 2 values"),
    ("?project=large", 'share\n"1\n', 400, None, "line 2: a quote that is not closed"),
    ("?project=large", 'word\n"a"b\n', 400, None, "line 2: expected a comma"),
    ("?project=large", 'word\n"x\ny"\na"b"\n', 400, None, "line 4: a quote inside"),
    ("?project=large", b"word\n\xff\n", 400, None, "not UTF-8"),
    ("?project=large", "number\n" + "1\n" * (N + 1), 413, f"/rows/{N}", "more than 10000 rows"),
])
def test_refused_csv(served, query, body, status, field, says):
    answer = post_csv(served, body if isinstance(body, bytes) else body.encode(), query)
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert says in problem["detail"]
    assert [error["field"] for error in problem["errors"]] == ([field] if field else [])


class Timer(threading.Thread):
    """Asks the same again and again on a connection of its own: how long each time?"""

    def __init__(self, served, body, path="/predict"):
        super().__init__()
        self.connection = http.client.HTTPConnection(served.host, served.port, timeout=60)
        self.body, self.path = body, path
        self.stopping, self.seconds, self.failures = threading.Event(), [], 0

    def run(self):
        while not self.stopping.is_set():
            started = time.monotonic()
            self.connection.request("POST", self.path, self.body)
            answer = self.connection.getresponse()
            answer.read()
            self.failures += answer.status != 200
            self.seconds.append(time.monotonic() - started)

    def end(self):
        self.stopping.set()
        self.join()
        self.connection.close()
        assert self.failures == 0 and self.seconds


@pytest.mark.alone
def test_nobody_waits_for_a_large_one(served, rows):
    """While requests with explanations of 10,000 rows follow each other, all on one event loop."""
    small = Timer(served, json.dumps(ROW))
    large = Timer(served, json.dumps({"project": "large", "explain": True, "features": rows}))
    large.start()
    small.start()
    wait_for(lambda: len(large.seconds) >= 2, 60, "two large requests")
    small.end()
    large.end()
    # Where small ones waited for large ones, nearly all their time would be that of the long waits.
    long_waits = sum(s for s in small.seconds if s > min(large.seconds) / 4)
    assert long_waits < sum(small.seconds) / 2, (sorted(small.seconds)[-9:], large.seconds)


def test_large_ones_that_fail_and_that_go_away(served, rows):
    broken = json.dumps({"project": "large", "features": rows[:-1] + [{"share": "x"}]})
    answer = served.session.post(served.url + "/predict", data=broken, timeout=60)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == f"/features/{N - 1}/share"
    body = json.dumps({"project": "large", "features": rows}).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for _ in range(4):
        with socket.create_connection((served.host, served.port), timeout=10) as connection:
            connection.sendall(head + body)
    assert served.predict("large", ROW["features"])["prediction"] is not None


def test_many_large_ones_at_once_are_refused(served, daemon_factory):
    """Bodies that have not come whole take memory as well: eight times the limit of one at most."""
    daemon = daemon_factory("--body-limit", "64 KiB", "--role", "server")
    daemon.wait_live("large")
    head = b"POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n"
    open_ones = []
    for _ in range(12):
        connection = socket.create_connection((daemon.host, daemon.port), timeout=10)
        connection.sendall(head + b" " * 59_000)
        open_ones.append(connection)
    body = json.dumps({**ROW, "features": [ROW["features"]] * 400})

    def ask():
        return daemon.session.post(daemon.url + "/predict", data=body, timeout=60)

    def refusal():
        answer = ask()
        return [answer] if answer.status_code == 503 else None

    refused, = wait_for(refusal, 10, "a refusal")
    assert refused.headers["Retry-After"] == "1"
    assert "too many large bodies" in refused.json()["detail"]
    # a small one is served
    assert daemon.predict("large", ROW["features"])["prediction"] is not None
    for connection in open_ones:
        connection.close()
    wait_for(lambda: ask().status_code == 200, what="room")


def n_taken(daemon):
    """Requests that are under way or have been answered, but for those that ask so."""
    text = daemon.get("/metrics").text
    return sum(float(value) for value in re.findall(
        r'^pgboost_http_requests_(?:in_flight|total\{path="/predict".*\}) (\S+)$', text, re.M))


def test_stops_amid_large_ones(served, daemon_factory, rows):
    """SIGTERM: what is under way is answered, and the daemon ends as it should."""
    daemon = daemon_factory("--role", "server")
    daemon.wait_live("large")
    body = json.dumps({"project": "large", "explain": True, "features": rows})
    answers = []

    def ask():
        answers.append(daemon.session.post(daemon.url + "/predict", data=body, timeout=60))

    thread = threading.Thread(target=ask)
    before = n_taken(daemon)
    thread.start()
    wait_for(lambda: n_taken(daemon) > before, what="the daemon to take it")
    assert daemon.stop() == 0
    thread.join()
    assert answers[0].status_code == 200 and len(answers[0].json()["predictions"]) == N
