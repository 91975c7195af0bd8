"""What an operator sees: /metrics, /readyz, `pgboost status`, the log's lines."""

import json
import re
import shutil
import socket
import subprocess
import threading
import time

import pytest
import requests

from conftest import wait_for
from test_http import add_project

NAME = 'a "name", \\ and\nmore'


@pytest.fixture(scope="module")
def served(catalog, cli, daemon_factory, tmp_path_factory):
    catalog.sql("CREATE TABLE public.seen AS SELECT id, id % 7 AS a, (id % 7) * 2.0 AS y"
                " FROM generate_series(1, 300) AS id")
    path = tmp_path_factory.mktemp("seen") / "seen.json"
    path.write_text(json.dumps({
        "project": "seen", "relation": "public.seen", "target": "y", "key": ["id"],
        "search": {"strategy": "none"}, "hyperparams": {"n_estimators": 3}}))
    cli.ok("apply", path)
    cli.ok("train", "seen", "--here")
    add_project(catalog, NAME)
    daemon = daemon_factory("--threads", "2", "--role", "server", "--log-format", "json",
                            "--slow-request", "300 ms", "--poll", "100 ms")
    daemon.wait_live("seen")
    return daemon


LINE = re.compile(r'^(\w+)(?:\{((?:\w+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def scrape(daemon):
    """{(name, labels as a frozenset): value}"""
    answer = daemon.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = {}
    for line in answer.text.rstrip("\n").split("\n"):
        if line.startswith("# "):
            continue
        name, labels, value = LINE.match(line).groups()
        key = (name, frozenset(LABEL.findall(labels or "")))
        assert key not in found, line
        found[key] = float(value)
    return found


def sample(found, name, **labels):
    """The sum of all samples of a name that have these labels."""
    return sum(value for (n, have), value in found.items()
               if n == name and set(labels.items()) <= have)


def test_every_request_counts_once(served):
    """From several connections, so that every serving thread has its part."""
    before = scrape(served)

    def ask():
        with requests.Session() as session:
            for i in range(25):
                answer = session.post(served.url + "/predict", timeout=30,
                                      json={"project": "seen", "features": {"a": i}})
                assert answer.status_code == 200
            session.post(served.url + "/predict", data="{", timeout=30)
            session.post(served.url + "/predict", timeout=30,
                         json={"project": "no", "features": {}})

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = scrape(served)

    def more(name, **labels):
        return sample(after, name, **labels) - sample(before, name, **labels)

    total = "pgboost_http_requests_total"
    assert more(total, path="/predict", project="seen", status="200") == 200
    assert more(total, path="/predict", project="", status="400") == 8
    assert more(total, path="/predict", project="", status="404") == 8
    assert more("pgboost_http_rejected_total", reason="malformed") == 8
    assert more("pgboost_http_rejected_total", reason="not_found") == 8
    latency = "pgboost_http_request_duration_seconds"
    assert more(latency + "_count", path="/predict") == 216
    assert more(latency + "_bucket", path="/predict", le="+Inf") == 216
    assert 0 < more(latency + "_sum", path="/predict", project="seen") < 200


def test_paths_that_name_a_project(served):
    """Count as its requests, by the name that the registry has: names that are none make no lines."""
    before = scrape(served)
    for name in ("seen", "unknown"):
        served.get(f"/projects/{name}"), served.get(f"/v2/models/{name}/ready")
    after = scrape(served)
    for path, missing in (("/projects/{name}", "404"), ("/v2/models/{name}/ready", "404")):
        for project, status in (("seen", "200"), ("", missing)):
            labels = {"path": path, "project": project, "status": status}
            assert (sample(after, "pgboost_http_requests_total", **labels)
                    - sample(before, "pgboost_http_requests_total", **labels)) == 1, labels


def test_buckets_only_grow(served):
    found = scrape(served)
    buckets = sorted((float(dict(labels)["le"]), value) for (name, labels), value in found.items()
                     if name.endswith("_bucket")
                     and {("project", "seen"), ("path", "/predict")} <= labels)
    assert len(buckets) == 18
    assert [n for _, n in buckets] == sorted(n for _, n in buckets)


def test_models_and_the_daemon(catalog, served):
    found = scrape(served)
    model_id = served.wait_live("seen")["live_model_id"]
    assert sample(found, "pgboost_model_live", project="seen", model=str(model_id)) == 1
    assert sample(found, "pgboost_model_live") == 1
    deployed = catalog.value("SELECT extract(epoch FROM max(created_at)) FROM pgboost.deployments")
    assert abs(sample(found, "pgboost_model_deployed_timestamp_seconds", project="seen")
               - float(deployed)) < 1
    escaped = NAME.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    assert ("pgboost_project_problem", frozenset({("project", escaped)})) in found
    assert sample(found, "pgboost_catalog_up") == 1
    assert sample(found, "pgboost_build_info") == 1
    assert sample(found, "process_resident_memory_bytes") > 1 << 20
    assert sample(found, "process_open_fds") > 5
    catalog.sql("INSERT INTO pgboost.runs (project_id, definition, trigger, created_at)"
                " SELECT id, definition, 'manual', now() - interval '100 s'"
                " FROM pgboost.projects WHERE name = 'seen'")
    wait_for(lambda: sample(scrape(served), "pgboost_runs_queued") == 1, what="the queue's length")
    assert 100 <= sample(scrape(served), "pgboost_runs_queue_age_seconds") < 200
    catalog.sql("DELETE FROM pgboost.runs WHERE status = 'queued'")


def test_promtool(served):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    result = subprocess.run([promtool, "check", "metrics"], input=served.get("/metrics").text,
                            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert (result.returncode, result.stdout) == (0, "")


def lines(daemon, message):
    return [line for line in map(json.loads, daemon.log.splitlines()) if line["msg"] == message]


def predict_slowly(daemon, n):
    """n requests at once whose bodies come 400 ms after their heads."""
    body = b'{"project": "seen", "features": {"a": 424242}}'
    head = (f"POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n"
            "Expect: 100-continue\r\n\r\n").encode()
    connections = [socket.create_connection((daemon.host, daemon.port), 30) for _ in range(n)]
    for connection in connections:
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    time.sleep(0.4)
    for connection in connections:
        connection.sendall(body)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        connection.close()


def test_slow_requests(served):
    """Named by model, never with a row's values; of many some are logged, the others counted."""
    model_id = served.wait_live("seen")["live_model_id"]
    slow = lambda: [line for line in lines(served, "slow request") if line["path"] == "/predict"]
    began = len(slow())

    def is_logged():  # not at once where slow answers to other tests have used up the lines
        predict_slowly(served, 1)
        return slow()[began:]

    found = wait_for(is_logged, what="the line")
    assert found[0]["model"] == model_id and found[0]["status"] == 200 and found[0]["ms"] >= 400
    assert "424242" not in served.log
    before, started = len(lines(served, "slow request")), time.monotonic()
    predict_slowly(served, 100)
    n_bursts = 2 + (time.monotonic() - started) // 10  # of twenty lines in ten seconds
    assert len(lines(served, "slow request")) - before <= 20 * n_bursts

    def are_counted():  # those without a line by the next one, which may be ten seconds away
        predict_slowly(served, 1)
        return sum(1 + line["left_out"] for line in lines(served, "slow request")[before:]) >= 100

    wait_for(are_counted, seconds=60, what="all of them in lines or counted")
    assert all(line["ms"] >= 300 for line in lines(served, "slow request")), "no quick one"


def test_ids_are_texts(served):
    """Also one of digits: in JSON a field is of one type, whatever a client sends."""
    for request_id in ("12345678901234567890", "1e5", "a=b"):
        def is_logged():  # not at once where others have used up the lines
            begin = time.monotonic()
            with socket.create_connection((served.host, served.port), 30) as connection:
                connection.sendall(
                    b"POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
                    b"Expect: 100-continue\r\nX-Request-ID: " + request_id.encode() + b"\r\n\r\n")
                assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
                while time.monotonic() - begin < 0.4:
                    time.sleep(0.05)
                connection.sendall(b"{}")
                assert connection.recv(1000).startswith(b"HTTP/1.1 400 ")
            return [line for line in lines(served, "slow request")
                    if line.get("request") == request_id]

        wait_for(is_logged, what="the line")


def test_a_field_is_of_one_type(served):
    """A store of logs takes a field's type from the first line that has it, and refuses others."""
    types = {}
    for line in map(json.loads, served.log.splitlines()):
        for name, value in line.items():
            types.setdefault(name, set()).add(str if isinstance(value, str) else float)
    assert {"version", "deploy_version", "request", "ms"} <= set(types)
    assert [name for name, found in types.items() if len(found) > 1] == []


def test_refusals_of_a_host_count(served):
    """By their own status, as those of methods do."""
    before = scrape(served)
    answer = served.session.get(served.url + "/projects", headers={"Host": "a.example.com"},
                                timeout=30)
    assert answer.status_code == 421
    assert served.session.options(served.url + "/projects", timeout=30).status_code == 204
    after = scrape(served)
    rejected = "pgboost_http_rejected_total"
    assert sample(after, rejected, reason="host") - sample(before, rejected, reason="host") == 1
    total = "pgboost_http_requests_total"
    for status in ("421", "204"):
        assert sample(after, total, status=status) - sample(before, total, status=status) == 1
    assert sample(after, total, status="other") == 0


def test_look_ups(catalog, served):
    """By key: the request is its project's, the look-up counts by what became of it."""
    def asked(expected, **members):
        answer = served.post("/predict", {"project": "seen", **members})
        assert answer.status_code == expected, answer.text

    asked(200, key=5)  # the connection is open from here on
    before = scrape(served)
    for key in range(1, 11):
        asked(200, key=key)
    asked(404, key=424242)
    asked(200, keys=[1, 2, 424242])
    asked(400, key="no number")
    after = scrape(served)

    def more(name, **labels):
        return sample(after, name, **labels) - sample(before, name, **labels)

    total = "pgboost_http_requests_total"
    assert more(total, path="/predict", project="seen", status="200") == 11
    assert more(total, path="/predict", project="seen", status="404") == 1
    assert more(total, path="/predict", project="seen", status="400") == 1
    lookups = "pgboost_lookups_total"
    became = {dict(labels)["result"]: more(lookups, result=dict(labels)["result"])
              for name, labels in after if name == lookups}
    assert set(became) == {"found", "kept", "no_row", "bad_request", "queue_full", "stopping",
                           "overdue", "timed_out", "unreachable", "failed"}
    assert {result: n for result, n in became.items() if n > 0} == {
        "found": 11, "no_row": 1, "bad_request": 1}
    latency = "pgboost_lookup_duration_seconds"
    assert more(latency + "_count") == more(latency + "_bucket", le="+Inf") == 13
    assert 0 < more(latency + "_sum") < 13 * 30
    assert more("pgboost_lookup_batches_total") == 13
    assert sample(after, "pgboost_lookup_connections") >= 1
    assert sample(after, "pgboost_lookup_connections_busy") == 0
    assert sample(after, "pgboost_lookup_waiting") == 0


def test_look_ups_that_wait(catalog, served):
    """Behind a lock that somebody holds: they are at work, then timed out."""
    before = scrape(served)
    holder = catalog.cluster.connect(catalog.name)
    holder.autocommit = False
    statuses = []
    try:
        holder.cursor().execute("LOCK TABLE public.seen")
        thread = threading.Thread(target=lambda: statuses.append(requests.post(
            served.url + "/predict", json={"project": "seen", "key": 7}, timeout=60).status_code))
        thread.start()
        wait_for(lambda: sample(scrape(served), "pgboost_lookup_connections_busy") == 1
                 or statuses, what="the look-up")
        thread.join()
    finally:
        holder.close()
    after = scrape(served)
    assert statuses[0] in (503, 504)
    late = [sample(after, "pgboost_lookups_total", result=result)
            - sample(before, "pgboost_lookups_total", result=result)
            for result in ("timed_out", "overdue", "unreachable")]
    assert sum(late) == 1, late
    assert served.post("/predict", {"project": "seen", "key": 7}).status_code == 200


def test_readyz_explains(catalog, served):
    ready = served.get("/readyz").json()
    assert ready["status"] == "ready" and ready["reasons"] == [] and ready["degraded"] is None
    assert ready["uptime_s"] >= 0
    wait_for(lambda: served.get("/readyz").json()["runs"] == {"queued": 0, "running": 0},
             what="an empty queue")


def test_status(served, cli, tmp_path):
    address = f"{served.host}:{served.port}"
    out = cli.ok("status", "--address", address).out
    assert re.search(rf"^pgboostd \S+ at {re.escape(address)}: ready, up \d+ s$", out, re.M), out
    assert "projects     2, 1 with a live model\n" in out
    assert cli.json("status", "--address", address)["status"] == "ready"
    assert cli.ok("status", env={"PGBOOST_LISTEN": address}).out.startswith("pgboostd ")
    nobody = cli("status", "--address", "127.0.0.1:1")
    assert nobody.code == 69 and "no daemon answers at 127.0.0.1:1" in nobody.err
    assert cli("status", "--address", "nonsense").code == 78
    database = cli("status", "--address", f"{cli.db.cluster.env['PGHOST']}/.s.PGSQL."
                                          f"{cli.db.cluster.env['PGPORT']}")
    assert database.code == 1 and "does not speak HTTP" in database.err


@pytest.mark.direct("a server that is away is a pooler that waits")
def test_degraded(cluster, db, catalog, cli, served, tmp_path):
    """Postgres is away: what is wrong stands in the answer, in the metrics and in the status."""
    cluster.stop()
    try:
        ready = wait_for(lambda: (found := served.get("/readyz").json())["degraded"] and found,
                         what="the daemon to notice")
        assert ready["reasons"] == [{"about": "catalog", "reason": ready["degraded"]}]
        assert sample(scrape(served), "pgboost_catalog_up") == 0

        def is_told():  # by both in the same words, which become others while Postgres goes
            status = cli("status", "--address", f"{served.host}:{served.port}")
            assert status.code == 1 and ": degraded, " in status.out
            return f"catalog: {served.get('/readyz').json()['degraded']}\n" in status.out

        wait_for(is_told, what="the reason")
        train = served.post("/projects/seen/train", {})
        assert train.status_code == 503
        failed = wait_for(lambda: lines(served, "request failed"), what="the line")
        assert failed[-1]["path"] == "/projects/{name}/train" and failed[-1]["status"] == 503
    finally:
        cluster.start()
        db.reconnect()
    wait_for(lambda: served.get("/readyz").json()["degraded"] is None, what="the daemon's return")
