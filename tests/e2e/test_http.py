"""The HTTP face, without any model: routes, errors, bounds, and requests that must be refused."""

import json
import re
import socket
import threading

import pytest

from conftest import wait_for


def add_project(db, name):
    """A row as `pgboost apply` writes it, without a relation to look at."""
    db.sql(
        "INSERT INTO pgboost.projects (name, definition, relation, target, task, metric,"
        " higher_is_better) VALUES (%s, '{}', 'public.r', 'y', 'regression', 'rmse', false)", name)
    db.sql("NOTIFY pgboost, 'project'")


@pytest.fixture(scope="module")
def served(catalog, daemon):
    """The daemon, with one project that has no model."""
    add_project(catalog, "untrained")
    wait_for(lambda: daemon.get("/projects/untrained").status_code == 200, what="the project")
    return daemon


def exchange(daemon, request, seconds=10):
    """Sends bytes and reads until the server closes or `seconds` passed."""
    if isinstance(request, str):
        request = request.encode()
    received = b""
    with socket.create_connection((daemon.host, daemon.port), timeout=seconds) as connection:
        connection.sendall(request)
        while True:
            piece = connection.recv(65536)
            if not piece:
                return received
            received += piece


def problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail", "errors"}
    assert body["status"] == status and body["title"] and body["detail"]
    return body


def test_first_routes(served):
    assert served.get("/healthz").json() == {"status": "alive"}
    ready = served.get("/readyz")
    assert ready.status_code == 200
    assert ready.json().items() >= {"status": "no model is live yet", "projects": 1, "models": 0,
                                    "problems": 0, "degraded": None, "reasons": []}.items()
    root = served.get("/")
    assert root.headers["Content-Type"].startswith("text/plain") and "/predict" in root.text
    for answer in (ready, root):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_projects(served):
    listing = served.get("/projects").json()
    item = {"name": "untrained", "task": "regression", "relation": "public.r", "target": "y",
            "metric": "rmse", "score": None, "live_model_id": None, "deployed_at": None,
            "problem": None}
    assert listing == {"items": [item], "next": None}
    assert served.get("/projects/untrained").json() == item
    assert served.get("/projects/%75ntrained").json() == item


@pytest.mark.parametrize("name", ["é ü", '";drop table x;--', "🚀", "a%b", "a+b", "a?b#c"])
def test_names_are_percent_decoded(catalog, served, name):
    from urllib.parse import quote

    add_project(catalog, name)
    path = "/projects/" + quote(name, safe="")
    wait_for(lambda: served.get(path).status_code == 200, what=path)
    assert served.get(path).json()["name"] == name
    assert "409" in str(problem(served.post("/predict", {"project": name, "features": {}}), 409))
    catalog.sql("DELETE FROM pgboost.projects WHERE name = %s", name)
    catalog.sql("NOTIFY pgboost, 'project'")
    wait_for(lambda: served.get(path).status_code == 404, what="the project to go")


def test_head_has_no_body(served):
    answer = served.session.head(served.url + "/projects", timeout=10)
    assert answer.status_code == 200 and answer.content == b""
    assert int(answer.headers["Content-Length"]) == len(served.get("/projects").content)


@pytest.mark.parametrize("path", ["/nothing", "/projects/", "/projects/a/b", "/projects/a%2Fb",
                                  "/predict/", "/projects/" + "x" * 300])
def test_not_found(served, path):
    problem(served.get(path), 404)


@pytest.mark.parametrize("path", ["/projects/a%00b", "/projects/%", "/projects/%zz",
                                  "/projects/%ff"])
def test_bad_paths(served, path):
    head = exchange(served, f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("method, path, allow", [
    ("GET", "/predict", "POST, OPTIONS"), ("HEAD", "/predict", "POST, OPTIONS"),
    ("PUT", "/predict", "POST, OPTIONS"), ("POST", "/projects", "GET, HEAD, OPTIONS"),
    ("DELETE", "/projects/untrained", "GET, HEAD, OPTIONS"),
    ("POST", "/healthz", "GET, HEAD, OPTIONS"),
])
def test_method_not_allowed(served, method, path, allow):
    answer = served.session.request(method, served.url + path, data=b"{}", timeout=10)
    assert answer.status_code == 405 and answer.headers["Allow"] == allow
    assert served.get("/healthz").status_code == 200  # the connection is still good


def test_predict_without_project_or_model(served):
    assert "nobody" in problem(
        served.post("/predict", {"project": "nobody", "features": {}}), 404)["detail"]
    assert "untrained" in problem(
        served.post("/predict", {"project": "untrained", "features": {}}), 409)["detail"]


@pytest.mark.parametrize("body", [
    b"", b" ", b"{", b"nonsense", b'{"project":}', b'{"project":"untrained",}', b"[]", b"7",
    b'{"project":"untrained","features":{}} trailing', b'{"project":"a\xff"}',
    b'{"project":"\x00"}', b'{"project":"a\\u0000b","features":{}}x',
    b'{"project":"p","features' + rb"\u0000" * 300_000 + b'":{}}', b"[" * 100000,
    b'{"project":NaN}', b'{"project":01}',
])
def test_bad_json(served, body):
    answer = served.session.post(served.url + "/predict", data=body, timeout=10)
    assert answer.status_code in (400, 413), answer.text  # 413: too deep
    problem(answer, answer.status_code)
    if body != b"[" * 100000:
        assert answer.status_code == 400


@pytest.mark.parametrize("kind, status", [
    (None, 409), ("application/json", 409), ("application/json; charset=utf-8", 409),
    ("application/x-www-form-urlencoded", 409), ("text/csv", 400), ("text/plain", 415),
    ("multipart/form-data; boundary=b", 415),
])
def test_content_types(served, kind, status):
    answer = served.session.post(
        served.url + "/predict", data=json.dumps({"project": "untrained", "features": {}}),
        headers={"Content-Type": kind} if kind else {}, timeout=10)
    problem(answer, status)


def test_encoded_body(served):
    answer = served.session.post(served.url + "/predict", data=b"{}",
                                 headers={"Content-Encoding": "gzip"}, timeout=10)
    problem(answer, 415)


@pytest.fixture(scope="module")
def narrow(served, daemon_factory):
    """A daemon with a small body limit."""
    return daemon_factory("--body-limit", "4 KiB")


def padded(size):
    """A request's JSON of exactly so many bytes."""
    body = b'{"project":"untrained","features":{}}'
    return body + b" " * (size - len(body))


def test_body_limit_is_exact(narrow):
    for size, status in ((4096, 409), (4097, 413), (100_000, 413)):
        answer = narrow.session.post(narrow.url + "/predict", data=padded(size), timeout=10)
        assert "4096" in problem(answer, status)["detail"] or status == 409
        assert narrow.get("/healthz").status_code == 200


def test_body_limit_of_chunks(narrow):
    for size, status in ((4096, 409), (4097, 413), (100_000, 413)):
        body = padded(size)
        pieces = (body[at:at + 1000] for at in range(0, size, 1000))
        answer = narrow.session.post(narrow.url + "/predict", data=pieces, timeout=10)
        problem(answer, status)


def test_too_long_is_refused_before_it_is_sent(narrow):
    answer = exchange(narrow, "POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n"
                              "Expect: 100-continue\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ") and b"100 Continue" not in answer
    answer = exchange(narrow, "POST /predict HTTP/1.1\r\nHost: h\r\n"
                              "Content-Length: 18446744073709551614\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_expected_body_is_asked_for(narrow):
    with socket.create_connection((narrow.host, narrow.port), timeout=10) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n"
                           b"Expect: 100-continue\r\nConnection: close\r\n\r\n")
        assert connection.recv(1024).startswith(b"HTTP/1.1 100 ")
        connection.sendall(padded(100))
        assert connection.recv(65536).startswith(b"HTTP/1.1 409 ")


def test_chunk_flood_is_cut(served):
    """More pieces than any honest client sends: the connection ends, without an answer."""
    with socket.create_connection((served.host, served.port), timeout=30) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: h\r\n"
                           b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(200):
                connection.sendall(b"1\r\n \r\n" * 1000)
            connection.sendall(b"0\r\n\r\n")
            assert connection.recv(1024) == b""
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert served.get("/healthz").status_code == 200


SMUGGLED = "GET /projects HTTP/1.1\r\nHost: smuggled\r\n\r\n"
REFUSED = {
    "length and chunks": ("POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunks and length": ("POST /predict HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                          "Content-Length: 4\r\n\r\n0\r\n\r\n", 400),
    "two lengths": ("POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n"
                    "Content-Length: 44\r\n\r\n", 400),
    "the same length twice": ("POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n"
                              "Content-Length: 0\r\n\r\n", 400),
    "a blank before the colon": ("POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length : 44\r\n\r\n",
                                 400),
    "unknown coding": ("POST /predict HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n"
                       "0\r\n\r\n", 501),
    "two codings": ("POST /predict HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
                    "0\r\n\r\n", 501),
    "chunked twice": ("POST /predict HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunks in HTTP/1.0": ("POST /predict HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "0\r\n\r\n", 400),
    "two hosts": ("GET /healthz HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400),
    "no host": ("GET /healthz HTTP/1.1\r\n\r\n", 400),
    "lower-case method": ("get /healthz HTTP/1.1\r\nHost: h\r\n\r\n", 501),
    "unknown method": ("BREW /healthz HTTP/1.1\r\nHost: h\r\n\r\n", 501),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_and_closed(served, case):
    """One answer, with the right status; what follows in the same bytes is never answered."""
    request, status = REFUSED[case]
    answer = exchange(served, request + SMUGGLED)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
    assert answer.count(b"HTTP/1.1 ") == 1, answer
    assert b"untrained" not in answer


@pytest.mark.parametrize("length", ["+0", "-1", "0, 0", "0x0", "", "1 1", "9" * 30])
def test_bad_length(served, length):
    """libmicrohttpd itself answers these."""
    answer = exchange(served, "POST /predict HTTP/1.1\r\nHost: h\r\n"
                              f"Content-Length: {length}\r\n\r\n" + SMUGGLED)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 ")), answer
    assert b"HTTP/1.1 200 " not in answer


def test_connection_is_kept_and_pipelined(served):
    one = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
    last = b"GET /readyz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    answer = exchange(served, one * 3 + last)
    assert answer.count(b"HTTP/1.1 200 OK") == 4
    assert answer.count(b'{"status":"alive"}') == 3


def test_body_in_small_pieces(served):
    body = json.dumps({"project": "untrained", "features": {}}).encode()
    with socket.create_connection((served.host, served.port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"POST /predict HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" \
               f"Content-Length: {len(body)}\r\n\r\n"
        for byte in head.encode() + body:
            connection.sendall(bytes([byte]))
        assert connection.recv(65536).startswith(b"HTTP/1.1 409 ")


def test_clients_that_go_away(served):
    for request in (b"", b"PO", b"POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n{",
                    b"GET /projects HTTP/1.1\r\nHost: h\r\n\r\n"):
        for _ in range(20):
            with socket.create_connection((served.host, served.port), timeout=10) as connection:
                connection.sendall(request)
    assert served.get("/healthz").status_code == 200


def in_flight(daemon):
    """Requests under way and open connections, but for the one that asks."""
    text = daemon.get("/metrics").text
    return [int(re.search(rf"^pgboost_http_{name} (\d+)$", text, re.M)[1]) - 1
            for name in ("requests_in_flight", "connections")]


def test_unfinished_requests_of_who_is_gone_end(catalog, daemon_factory):
    """Long before they are too slow; so that nobody waits for them when the daemon stops."""
    daemon = daemon_factory("--head-timeout", "10 min", "--body-timeout", "10 min")
    for request in (b"PO", b"POST /predict HTTP/1.1\r\n",
                    b"POST /predict HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n{"):
        for _ in range(50):
            with socket.create_connection((daemon.host, daemon.port), timeout=10) as connection:
                connection.sendall(request)
    wait_for(lambda: in_flight(daemon) == [0, 0], what="the end of all requests")
    assert daemon.stop() == 0 and "requests were cut off" not in daemon.log


def test_half_closed_clients_are_answered(served):
    """Who has said everything may say so; and is then no idle connection."""
    before = in_flight(served)[1]
    for _ in range(50):
        with socket.create_connection((served.host, served.port), timeout=30) as connection:
            body = padded(10000)
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: h\r\n"
                               b"Content-Length: %d\r\n\r\n" % len(body) + body)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(65536).startswith(b"HTTP/1.1 409 ")
    wait_for(lambda: in_flight(served)[1] <= before, what="the end of the connections")


def test_many_clients_at_once(served):
    failures = []

    def ask():
        request = b"GET /projects/untrained HTTP/1.1\r\nHost: h\r\n\r\n" * 19
        last = b"GET /projects/untrained HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        answer = exchange(served, request + last, 30)
        if answer.count(b'"name":"untrained"') != 20:
            failures.append(answer)

    threads = [threading.Thread(target=ask) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
