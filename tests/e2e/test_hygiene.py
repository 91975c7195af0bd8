"""What a stranger can send: requests that two readers would read differently, slow ones, too many.

Each malformed request is followed, in the same bytes, by a sound one for a project's name. It must
be answered once, with an error, or not at all; then the connection ends, and what followed is never
answered.
"""

import contextlib
import gzip
import json
import re
import socket
import threading
import time

import pytest

from conftest import wait_for
from load import Load, is_dropped
from test_http import add_project, problem
from test_soak import LONG

SECRET = "GET /projects HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.fixture(scope="module")
def served(catalog, daemon_factory):
    add_project(catalog, "followed")
    daemon = daemon_factory("--head-timeout", "1 s", "--body-timeout", "1 s",
                            "--reply-timeout", "1 s", "--idle-timeout", "4 s")
    wait_for(lambda: daemon.get("/projects/followed").status_code == 200, what="the project")
    return daemon


def connect(daemon, seconds=10):
    return socket.create_connection((daemon.host, daemon.port), timeout=seconds)


def send_head(connection, *lines):
    """A request whose body is still to come; returns once the daemon has read the head."""
    connection.sendall(post(*lines, "Expect: 100-continue").encode())
    assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"


def read_to_end(connection):
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def get(*lines, target="/healthz", version="HTTP/1.1", end="\r\n"):
    return "".join(line + end for line in (f"GET {target} {version}", *lines)) + end


def post(*lines, body=""):
    return "\r\n".join(("POST /predict HTTP/1.1", "Host: h", *lines)) + "\r\n\r\n" + body


CHUNKED = "Transfer-Encoding: chunked"
JSON = '{"project":"followed","features":{}}'

MALFORMED = {
    # two ways to tell where the body ends
    "length, then chunks": post("Content-Length: 6", CHUNKED, body="0\r\n\r\n"),
    "chunks, then length": post(CHUNKED, "Content-Length: 6", body="0\r\n\r\n"),
    "two lengths": post("Content-Length: 0", "Content-Length: 40"),
    "one length twice": post("Content-Length: 0", "Content-Length: 0"),
    "a list of lengths": post("Content-Length: 0, 40"),
    "two lengths in other cases": post("content-length: 0", "CONTENT-LENGTH: 40"),
    # a length that is no number
    "a plus": post("Content-Length: +0"),
    "a minus": post("Content-Length: -1"),
    "hexadecimal": post("Content-Length: 0x0"),
    "no digits": post("Content-Length:"),
    "blanks inside": post("Content-Length: 1 1"),
    "a length beyond 64 bits": post("Content-Length: 99999999999999999999999"),
    "a quoted length": post('Content-Length: "0"'),
    "a vertical tab": post("Content-Length: \v0"),
    # codings
    "an unknown coding": post("Transfer-Encoding: xchunked", body="0\r\n\r\n"),
    "two codings": post("Transfer-Encoding: gzip, chunked", body="0\r\n\r\n"),
    "chunked and identity": post("Transfer-Encoding: chunked, identity", body="0\r\n\r\n"),
    "chunked twice": post(CHUNKED, CHUNKED, body="0\r\n\r\n"),
    "chunked twice in a list": post("Transfer-Encoding: chunked, chunked", body="0\r\n\r\n"),
    "a quoted coding": post('Transfer-Encoding: "chunked"', body="0\r\n\r\n"),
    "an empty coding": post("Transfer-Encoding:", body="0\r\n\r\n"),
    "a tab before chunked": post("Transfer-Encoding: \vchunked", body="0\r\n\r\n"),
    "chunks in HTTP/1.0": "POST /predict HTTP/1.0\r\nHost: h\r\n" + CHUNKED + "\r\n\r\n0\r\n\r\n",
    # names of headers
    "a blank before the colon": post("Content-Length : 40"),
    "a tab before the colon": post("Content-Length\t: 40"),
    "no colon": get("Host: h", "no colon here"),
    "no name": get("Host: h", ": value"),
    "a name with brackets": get("Host: h", "X(y): z"),
    "a name with a NUL": get("Host: h", "X\0y: z"),
    "a name beyond ASCII": get("Host: h", "Xé: z"),
    # ends of lines
    "bare LF everywhere": get("Host: h", end="\n"),
    "one bare LF": "GET /healthz HTTP/1.1\r\nHost: h\nX: y\r\n\r\n",
    "a bare LF after the first line": "GET /healthz HTTP/1.1\nHost: h\r\n\r\n",
    "a bare LF at the end": "GET /healthz HTTP/1.1\r\nHost: h\r\n\n",
    "a bare LF before the end": "GET /healthz HTTP/1.1\r\nHost: h\n\r\n",
    "a bare CR in a value": get("Host: h", "X: a\rContent-Length: 40"),
    "a bare CR before a header": get("Host: h\rX: y"),
    "a bare CR in the first line": "GET /healthz HTTP/1.1\rX: y\r\nHost: h\r\n\r\n",
    "CR CR LF": "GET /healthz HTTP/1.1\r\r\nHost: h\r\n\r\n",
    "a NUL in a value": get("Host: h", "X: a\0b"),
    "a NUL after the length": post("Content-Length: 0\0"),
    # folding
    "a folded header": get("Host: h", "X: a", " b"),
    "a folded length": post("Content-Length:", " 0"),
    "folded by a tab": get("Host: h", "X: a", "\tb"),
    "a folded coding": post("Transfer-Encoding:", " chunked", body="0\r\n\r\n"),
    "a first header that begins with a blank": get(" Host: h"),
    # hosts
    "two hosts": get("Host: h", "Host: h"),
    "no host": get(),
    # the first line
    "no version": "GET /healthz\r\nHost: h\r\n\r\n",
    "an old version": get("Host: h", version="HTTP/0.9"),
    "a new version": get("Host: h", version="HTTP/2.0"),
    "a version of three numbers": get("Host: h", version="HTTP/1.1.1"),
    "a version that is none": get("Host: h", version="HTTP/x.y"),
    "a version in lower case": get("Host: h", version="http/1.1"),
    "another protocol": get("Host: h", version="ICAP/1.0"),
    "a lower-case method": "get /healthz HTTP/1.1\r\nHost: h\r\n\r\n",
    "an unknown method": "BREW /healthz HTTP/1.1\r\nHost: h\r\n\r\n",
    "a method with a NUL": "GE\0T /healthz HTTP/1.1\r\nHost: h\r\n\r\n",
    "two blanks": "GET  /healthz HTTP/1.1\r\nHost: h\r\n\r\n",
    "a blank after the version": "GET /healthz HTTP/1.1 \r\nHost: h\r\n\r\n",
    "a tab": "GET\t/healthz\tHTTP/1.1\r\nHost: h\r\n\r\n",
    # targets
    "a blank in the path": get("Host: h", target="/health z"),
    "a NUL in the path": get("Host: h", target="/healthz\0/x"),
    "a control character in the path": get("Host: h", target="/healthz\x01"),
    "a NUL in the query": get("Host: h", target="/healthz?a=\0b"),
    "a fragment": get("Host: h", target="/healthz#x"),
    "no path": get("Host: h", target="healthz"),
    "a whole address": get("Host: h", target="http://h/healthz"),
    "a host as for CONNECT": "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n",
    "no target": "GET HTTP/1.1\r\nHost: h\r\n\r\n",
    # chunks
    "a chunk's size that is none": post(CHUNKED, body="x\r\n" + JSON + "\r\n0\r\n\r\n"),
    "a chunk's size below zero": post(CHUNKED, body="-1\r\n" + JSON + "\r\n0\r\n\r\n"),
    "a chunk's size beyond 64 bits": post(CHUNKED, body="1" + "0" * 16 + "\r\n" + JSON),
    "a chunk's size that wraps": post(CHUNKED, body="f" * 16 + "\r\n" + JSON),
    "a chunk without its end": post(CHUNKED, body="2\r\n{}0\r\n\r\n"),
    "no size at all": post(CHUNKED, body="\r\n" + JSON),
}


def test_there_are_enough_of_them():
    assert len(MALFORMED) >= 60


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed(served, case):
    request = MALFORMED[case].encode("utf-8")
    with connect(served) as connection:
        connection.sendall(request + SECRET.encode() * 2)
        answer = read_to_end(connection)
    statuses = [line.split()[1] for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    assert all(status[:1] in (b"4", b"5") for status in statuses), answer
    if statuses:
        assert b"\r\nConnection: close\r\n" in answer.partition(b"\r\n\r\n")[0] + b"\r\n"
    # Of a bad length the library itself says so, the head of its one answer twice (0.9.75).
    assert len(statuses) <= 1 or (b"wrong value" in answer or b"too large" in answer), answer
    assert b"followed" not in answer
    assert served.get("/healthz").status_code == 200


# Sound ones, which the same checks must let pass.
SOUND = {
    "no blank after a colon": get("Host:h", "X:y", "Connection:close"),
    "blanks around a value": get("Host: \t h", "X:    ", "Connection: close"),
    "an empty value": get("Host: h", "X:", "Connection: close"),
    "a query": get("Host: h", "Connection: close", target="/healthz?a=b&c&=d&%20=e"),
    "a raw path": get("Host: h", "Connection: close", target="/healthz?é"),
    "an empty line before": "\r\n" + get("Host: h", "Connection: close"),
    "HTTP/1.0": get("Host: h", version="HTTP/1.0"),
    "many headers": get("Host: h", "Connection: close", *(f"X-{i}: {i}" for i in range(100))),
    "a cookie": get("Host: h", "Cookie: a=b; c=d", "X: y", "Connection: close"),
}


@pytest.mark.parametrize("case", SOUND)
def test_sound(served, case):
    with connect(served) as connection:
        connection.sendall(SOUND[case].encode())
        assert read_to_end(connection).startswith(b"HTTP/1.1 200 ")


def test_sound_in_pieces(served):
    """Heads are read in place, also when they come byte by byte and a body follows."""
    request = (get("Host: h", "X: y") * 3 + get("Host: h", "Connection: close")).encode()
    with connect(served) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request:
            connection.sendall(bytes([byte]))
        assert read_to_end(connection).count(b"HTTP/1.1 200 ") == 4


def test_chunks_end_the_connection(served):
    size = f"{len(JSON):x}"
    with connect(served) as connection:
        connection.sendall((post(CHUNKED, body=f"{size}\r\n{JSON}\r\n0\r\n\r\n") + SECRET).encode())
        answer = read_to_end(connection)
    assert answer.startswith(b"HTTP/1.1 409 ") and answer.count(b"HTTP/1.1") == 1


# Methods and types -------------------------------------------------------------------------------


@pytest.mark.parametrize("path, allow", [
    ("/predict", "POST, OPTIONS"), ("/healthz", "GET, HEAD, OPTIONS"),
    ("*", "GET, HEAD, POST, OPTIONS")])
def test_options(served, path, allow):
    with connect(served) as connection:
        connection.sendall(
            f"OPTIONS {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
        answer = read_to_end(connection).decode()
    assert answer.startswith("HTTP/1.1 204 ") and f"\r\nAllow: {allow}\r\n" in answer
    assert "Access-Control" not in answer


def test_options_of_nothing(served):
    problem(served.session.options(served.url + "/nothing", timeout=10), 404)


@pytest.mark.parametrize("accept, status", [
    ("*/*", 200), ("application/json", 200), ("text/html, */*;q=0.1", 200), ("text/plain", 200),
    ("application/*;q=0.5", 200), ("", 200), ("image/png", 406), ("image/*, audio/ogg", 406)])
def test_accept(served, accept, status):
    answer = served.get("/healthz", headers={"Accept": accept})
    assert answer.status_code == status
    if status == 406:
        problem(answer, 406)


def test_request_ids(served):
    named = served.get("/healthz", headers={"X-Request-ID": "a-1.b:2"})
    assert named.headers["X-Request-ID"] == "a-1.b:2"
    assert "X-Request-ID" not in served.get("/healthz").headers
    ids = {served.get("/nothing").headers["X-Request-ID"] for _ in range(10)}
    assert len(ids) == 10
    for bad in ("x" * 65, "a b", 'a"b'):
        echoed = served.get("/nothing", headers={"X-Request-ID": bad}).headers["X-Request-ID"]
        assert echoed != bad and len(echoed) == 16


def test_gzip(catalog, served):
    for i in range(60):
        add_project(catalog, f"packed {i} " + "x" * 100)
    plain = {"Accept-Encoding": "identity"}
    wait_for(lambda: len(served.get("/projects", headers=plain).json()["items"]) == 61,
             what="the projects")
    whole = served.get("/projects", headers=plain)
    assert "Content-Encoding" not in whole.headers
    packed = served.get("/projects", headers={"Accept-Encoding": "br, gzip;q=0.8"}, stream=True)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == "Accept-Encoding"
    raw = packed.raw.read()
    assert gzip.decompress(raw) == whole.content and len(raw) < len(whole.content) / 3
    for refusal in ("gzip;q=0", "gzip; q=0.000, br", "br", "gzipped"):
        answer = served.get("/projects", headers={"Accept-Encoding": refusal})
        assert "Content-Encoding" not in answer.headers, refusal
    assert "Content-Encoding" not in served.get("/healthz").headers  # too short to be worth it
    catalog.sql("DELETE FROM pgboost.projects WHERE name LIKE 'packed%'")
    catalog.sql("NOTIFY pgboost, 'project'")


# Time --------------------------------------------------------------------------------------------


def seconds_until_cut(daemon, first, more, pause=0.2):
    """Sends `first`, then a byte of `more` at a time, until the connection ends; what was said."""
    began = time.monotonic()
    with connect(daemon) as connection:
        connection.settimeout(pause)
        connection.sendall(first)
        for at in range(len(more) + 100):
            try:
                received = connection.recv(65536)
                return time.monotonic() - began, received
            except socket.timeout:
                pass
            except ConnectionResetError:
                return time.monotonic() - began, b""
            try:
                connection.sendall(more[at:at + 1])
            except (BrokenPipeError, ConnectionResetError):
                return time.monotonic() - began, b""
    raise AssertionError("was never cut")


SLOW = {
    "a first line": (b"", b"GET /healthz?" + b"a" * 100, b"HTTP/1.1 408 "),
    "headers": (b"GET /healthz HTTP/1.1\r\nHost: h\r\n", b"X: " + b"a" * 100, b"HTTP/1.1 408 "),
    "a body": (post("Content-Length: 100").encode(), b" " * 99, b"HTTP/1.1 408 "),
    "chunks": (post(CHUNKED).encode(), b"1\r\n \r\n" * 30, b"HTTP/1.1 408 "),
    "a size of a chunk": (post(CHUNKED).encode(), b"0" * 99, b"HTTP/1.1 408 "),
    "nothing": (b"", b"", b""),
    "nothing after a head": (b"GET /healthz HTTP/1.1\r\n", b"", b"HTTP/1.1 408 "),
}


def n_cut(daemon):
    """How many the metrics say were cut, and how many of them amid a request."""
    text = daemon.get("/metrics").text
    cut = re.findall(r'^pgboost_http_connections_cut_total{phase="\w+"} (\d+)$', text, re.M)
    timeouts = re.search(r'^pgboost_http_rejected_total{reason="timeout"} (\d+)$', text, re.M)
    assert len(cut) == 5
    return sum(map(int, cut)), int(timeouts[1])


@pytest.mark.parametrize("case", SLOW)
def test_slow_requests_are_cut(served, case):
    first, more, answer = SLOW[case]
    cut, timeouts = n_cut(served)
    seconds, received = seconds_until_cut(served, first, more)
    assert 0.7 < seconds < 7, seconds  # not the eight seconds of who says nothing of it
    assert received.startswith(answer) and received.count(b"HTTP/1.1") == (answer != b"")
    wait_for(lambda: n_cut(served)[0] > cut and n_cut(served)[1] - timeouts == (answer != b""),
             what="the metrics")


def test_slow_next_request_is_cut(served):
    """After a sound request, a line that never ends: what the library says nothing of."""
    with connect(served) as connection:
        connection.sendall(get("Host: h").encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        began = time.monotonic()
        connection.settimeout(0.1)
        while True:
            try:
                received = connection.recv(65536)
                break
            except socket.timeout:
                connection.sendall(b"G")
    assert received.startswith(b"HTTP/1.1 408 ") or received == b""
    assert time.monotonic() - began < 3.5  # before it would count as idle too long


def test_idle_connections_end(served):
    with connect(served) as connection:
        connection.sendall(get("Host: h").encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        began = time.monotonic()
        assert connection.recv(65536) == b""
        assert 3.5 < time.monotonic() - began < 25  # not the minute of who says nothing of it


def test_an_honest_slow_body_is_read(catalog, daemon_factory):
    """A large body at a modest rate may take longer than any window."""
    daemon = daemon_factory("--body-timeout", "2 s")
    size, piece = 1_000_000, 40_000  # in three seconds; a pause of one is no matter
    body = JSON.encode() + b" " * (size - len(JSON))
    with connect(daemon) as connection:
        connection.sendall(post(f"Content-Length: {size}", "Connection: close").encode())
        for at in range(0, size, piece):
            connection.sendall(body[at:at + piece])
            time.sleep(0.12)
        assert read_to_end(connection).startswith(b"HTTP/1.1 409 ")


def n_connections(daemon):
    text = daemon.get("/metrics").text
    return int(re.search(r"^pgboost_http_connections (\d+)$", text, re.M)[1])


@contextlib.contextmanager
def long_answers(db, n):
    """n projects of 10 KB each, which GET /projects tells of."""
    db.sql("INSERT INTO pgboost.projects (name, definition, relation, target, task, metric,"
           " higher_is_better) SELECT 'long ' || i, '{}', repeat('r', 10000), 'y',"
           " 'regression', 'rmse', false FROM generate_series(1, %s) i", n)
    yield
    db.sql("DELETE FROM pgboost.projects WHERE name LIKE 'long %%'")


def connect_deaf(daemon):
    """Asks for more than its sockets hold, and reads nothing."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(10)
    connection.connect((daemon.host, daemon.port))
    connection.sendall(b"GET /projects HTTP/1.1\r\nHost: h\r\n\r\n" * 10)
    return connection


def test_readers_who_stop_are_cut(catalog, daemon_factory):
    """An answer that nobody reads is not kept."""
    with long_answers(catalog, 300):
        daemon = daemon_factory("--reply-timeout", "1 s")
        open_before = n_connections(daemon)
        with connect_deaf(daemon) as connection:
            wait_for(lambda: n_connections(daemon) > open_before, what="the daemon to take it")
            wait_for(lambda: n_connections(daemon) == open_before, what="the daemon to cut it")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)  # what is on its way
            received = read_to_end(connection)
        assert received.count(b"HTTP/1.1 200 ") < 10
        with connect(daemon) as connection:  # and one that is read slowly, but is read
            connection.sendall(b"GET /projects HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            received = b""
            while piece := connection.recv(100_000):
                received += piece
                time.sleep(0.02)
        assert len(json.loads(received.partition(b"\r\n\r\n")[2])["items"]) >= 300


def p99_ms(seconds):
    return sorted(seconds)[len(seconds) * 99 // 100] * 1000


@pytest.mark.alone
def test_slowloris(catalog, daemon_factory):
    """500 clients that send a byte a second, of a head or a body, or read nothing: all are cut in
    time, while others hardly notice."""
    seconds = 8 if LONG else 3  # 8: what holds where the options say nothing
    limits = [word for name in ("head", "body", "reply")
              for word in (f"--{name}-timeout", f"{seconds} s")]
    heads = [get("Host: h")[:-2].encode(), post("Content-Length: 9999").encode(), b"G"]
    with contextlib.ExitStack() as stack:
        stack.enter_context(long_answers(catalog, 50))
        daemon = daemon_factory(*limits)
        address = daemon.host, daemon.port
        with Load(address, path="/healthz") as before:
            before.wait_for_more(1000)
        n_honest = n_connections(daemon)
        slow = [stack.enter_context(connect(daemon)) for _ in range(350)]
        deaf = [stack.enter_context(connect_deaf(daemon)) for _ in range(150)]
        for i, connection in enumerate(slow):
            connection.sendall(heads[i % 3])
        began = time.monotonic()
        wait_for(lambda: n_connections(daemon) > 200, what="the daemon to have them")
        with Load(address, path="/healthz") as during:
            while n_connections(daemon) > n_honest + 4 and time.monotonic() - began < 60:
                time.sleep(1)
                for connection in slow:
                    with contextlib.suppress(OSError):
                        connection.send(b"x")
            took = time.monotonic() - began
            assert n_connections(daemon) <= n_honest + 4, "some are never cut"
        assert all(is_dropped(connection) for connection in slow)
    print(f"\n{len(slow + deaf)} cut within {took:.1f} s; p99 of the others"
          f" {p99_ms(before.seconds):.1f} ms before, {p99_ms(during.seconds):.1f} ms beside")
    before.check()
    during.check()
    assert took < (10 if LONG else 30)
    assert p99_ms(during.seconds) < 20 * p99_ms(before.seconds) + 50


# Numbers -----------------------------------------------------------------------------------------


def test_the_longest_idle_connection_makes_room(catalog, daemon_factory):
    daemon = daemon_factory("--connections", "20")
    idle = []
    for _ in range(20):
        connection = connect(daemon)
        connection.sendall(get("Host: h").encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        idle.append(connection)
        time.sleep(0.12)  # the order is known to a tenth of a second
    began = time.monotonic()
    with connect(daemon) as another:
        another.sendall(get("Host: h", "Connection: close").encode())
        assert read_to_end(another).startswith(b"HTTP/1.1 200 ")
    assert time.monotonic() - began < 5  # at once, and not when they have been idle too long
    assert idle[0].recv(10) == b""  # it was this one
    idle[19].sendall(get("Host: h").encode())
    assert idle[19].recv(65536).startswith(b"HTTP/1.1 200 ")
    for connection in idle:
        connection.close()


def test_new_clients_at_the_limit(catalog, daemon_factory):
    """While as many are idle as there may be, who comes is served at once."""
    daemon = daemon_factory("--connections", "200")
    seconds = []
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            connection = stack.enter_context(connect(daemon))
            connection.sendall(get("Host: h").encode())
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        for _ in range(20):
            began = time.monotonic()
            another = stack.enter_context(connect(daemon))
            another.sendall(get("Host: h").encode())
            assert another.recv(65536).startswith(b"HTTP/1.1 200 ")
            seconds.append(time.monotonic() - began)
    print(f"\nserved after {max(seconds) * 1000:.1f} ms at most")
    assert sorted(seconds)[len(seconds) // 2] < 1


def test_silent_connections_make_room(catalog, daemon_factory):
    """As the others do, though they have never been served."""
    daemon = daemon_factory("--connections", "20")
    silent = [connect(daemon) for _ in range(20)]

    def is_served():
        with connect(daemon) as another:
            another.sendall(get("Host: h", "Connection: close").encode())
            return read_to_end(another).startswith(b"HTTP/1.1 200 ")

    wait_for(is_served, seconds=6, what="room")  # before eight seconds of silence end them
    for connection in silent:
        connection.close()


def test_busy_connections_do_not(catalog, daemon_factory):
    daemon = daemon_factory("--connections", "5")
    busy = [connect(daemon) for _ in range(5)]
    for connection in busy:
        send_head(connection, "Content-Length: 100")
    with connect(daemon) as another:
        another.sendall(get("Host: h").encode())
        answer = read_to_end(another)
    assert answer.startswith(b"HTTP/1.1 503 ") and b"\r\nRetry-After: " in answer
    for connection in busy:
        body = JSON.encode()
        connection.sendall(body + b" " * (100 - len(body)))
        assert connection.recv(65536).startswith(b"HTTP/1.1 409 ")
        connection.close()


def test_connections_of_one_address(catalog, daemon_factory):
    daemon = daemon_factory("--connections-per-address", "5")
    held = [connect(daemon) for _ in range(5)]
    for connection in held:
        connection.sendall(get("Host: h").encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    with connect(daemon) as another:
        another.sendall(get("Host: h").encode())
        answer = read_to_end(another)
    assert answer.startswith(b"HTTP/1.1 429 ") and b"\r\nRetry-After: " in answer
    flood = [connect(daemon) for _ in range(200)]  # beyond what is even told so
    ends = []
    threads = [threading.Thread(target=lambda c=c: ends.append(read_to_end(c)))
               for c in flood[100:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == [b""] * 100
    for connection in held + flood:
        connection.close()
    wait_for(lambda: daemon.get("/healthz").status_code == 200, what="room again")
