"""Who may do what: tokens, hosts, origins, TLS and its reload, Unix sockets, what is refused."""

import hashlib
import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest
import requests

from conftest import Daemon, wait_for
from test_daemon import run
from test_http import add_project, problem
from test_soak import rounds


@pytest.fixture(scope="module")
def projects(catalog):
    for name in ("churn", "flights"):
        add_project(catalog, name)
    return catalog


def make_token(cli, path, name, *options):
    return cli.ok("token", "new", name, "--file", path, *options).out.strip()


@pytest.fixture(scope="module")
def tokens(cli, projects, tmp_path_factory):
    """The file, and tokens by name."""
    path = tmp_path_factory.mktemp("tokens") / "tokens"
    made = {
        "reader": make_token(cli, path, "reader"),
        "shop": make_token(cli, path, "shop", "--projects", "churn,other"),
        "ops": make_token(cli, path, "ops", "--scopes", "admin"),
        "both": make_token(cli, path, "both", "--scopes", "predict,admin", "--projects", "churn"),
        "slow": make_token(cli, path, "slow", "--rate", "2"),
    }
    return path, made


@pytest.fixture(scope="module")
def guarded(tokens, daemon_factory):
    daemon = daemon_factory("--tokens", str(tokens[0]))
    ops = bearer(tokens[1]["ops"])
    ready = lambda: len(daemon.get("/projects", headers=ops).json()["items"]) == 2
    wait_for(ready, what="the projects")
    return daemon


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


# Tokens ------------------------------------------------------------------------------------------


def test_the_file_holds_no_token(tokens):
    path, made = tokens
    text = path.read_text()
    for token in made.values():
        assert token.startswith("pgb_") and len(token) == 47
        assert token not in text and hashlib.sha256(token.encode()).hexdigest() in text
    assert path.stat().st_mode & 0o7 == 0


def test_without_a_token(guarded):
    assert guarded.get("/healthz").status_code == 200
    assert guarded.get("/readyz").status_code == 200
    for answer in (guarded.get("/projects"), guarded.get("/nothing"), guarded.get("/"),
                   guarded.post("/predict", {"project": "churn", "features": {}}),
                   guarded.post("/projects/churn/train", {})):
        problem(answer, 401)
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("value", [
    "Bearer", "Bearer ", "Bearer x", "Basic cmVhZGVy", "pgb_", "Bearer " + "x" * 43, "", "Bearer  ",
    "Bearer " + "y" * 5000], ids=lambda value: value[:20])
def test_wrong_tokens(guarded, tokens, value):
    problem(guarded.get("/projects", headers={"Authorization": value}), 401)


def test_nearly_right_tokens(guarded, tokens):
    right = tokens[1]["reader"]
    assert guarded.get("/projects", headers=bearer(right)).status_code == 200
    for wrong in (right[:-1], right + "x", right[:-1] + ("A" if right[-1] != "A" else "B"),
                  right.upper(), hashlib.sha256(right.encode()).hexdigest()):
        problem(guarded.get("/projects", headers=bearer(wrong)), 401)
    assert guarded.get("/projects", headers={"Authorization": f"bearer {right}"}).status_code == 200


def test_two_authorizations(guarded, tokens):
    line = f"Authorization: Bearer {tokens[1]['reader']}\r\n"
    with socket.create_connection((guarded.host, guarded.port), timeout=10) as connection:
        connection.sendall(f"GET /projects HTTP/1.1\r\nHost: h\r\n{line}{line}\r\n".encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")


PREDICT = ("POST", "/predict", {"project": "churn", "features": {}})
TRAIN = ("POST", "/projects/churn/train", {"task": "nonsense"})  # 400 for who may
OTHER = ("POST", "/projects/flights/train", {"task": "nonsense"})
RUN = ("GET", "/runs/1", None)
PROJECT, ELSE = ("GET", "/projects/churn", None), ("GET", "/projects/flights", None)


@pytest.mark.parametrize("name, statuses", [
    ("reader", {PREDICT[1]: 409, TRAIN[1]: 403, RUN[1]: 404, PROJECT[1]: 200, ELSE[1]: 200}),
    ("ops", {PREDICT[1]: 403, TRAIN[1]: 400, RUN[1]: 404, PROJECT[1]: 200, ELSE[1]: 200}),
    ("shop", {PREDICT[1]: 409, TRAIN[1]: 403, RUN[1]: 403, PROJECT[1]: 200, ELSE[1]: 403}),
    ("both", {PREDICT[1]: 409, TRAIN[1]: 400, OTHER[1]: 403, RUN[1]: 403, ELSE[1]: 403}),
])
def test_scopes_and_projects(guarded, tokens, name, statuses):
    for method, path, body in (PREDICT, TRAIN, OTHER, RUN, PROJECT, ELSE):
        if path in statuses:
            answer = guarded.session.request(method, guarded.url + path, json=body, timeout=10,
                                             headers=bearer(tokens[1][name]))
            assert answer.status_code == statuses[path], (path, answer.text)


def test_a_token_of_some_projects(guarded, tokens):
    headers = bearer(tokens[1]["shop"])
    names = [item["name"] for item in guarded.get("/projects", headers=headers).json()["items"]]
    assert names == ["churn"]
    for project in ("flights", "nobody"):  # nor does it hear which there are
        problem(guarded.post("/predict", {"project": project, "features": {}}, headers=headers),
                403)


MODEL = "/v2/models/churn"
TENSOR = {"name": "a", "shape": [1], "datatype": "FP64", "data": [1]}


@pytest.mark.parametrize("name, metrics, metadata, infer, other", [
    (None, 401, 401, 401, 401), ("reader", 200, 409, 409, 409), ("ops", 200, 409, 403, 409),
    ("shop", 403, 409, 409, 403), ("both", 403, 409, 409, 403)])
def test_metrics_and_protocols(guarded, tokens, name, metrics, metadata, infer, other):
    """/metrics names all projects, so that a token of some does not see it; 409: no model."""
    headers = bearer(tokens[1][name]) if name else {}
    assert guarded.get("/metrics", headers=headers).status_code == metrics
    assert guarded.get("/v2", headers=headers).status_code == (200 if name else 401)
    assert guarded.get(MODEL, headers=headers).status_code == metadata
    answer = guarded.post(MODEL + "/infer", {"inputs": [TENSOR]}, headers=headers)
    assert answer.status_code == infer, answer.text
    assert guarded.get("/v2/models/flights", headers=headers).status_code == other
    for path in ("/v2/health/live", "/v2/health/ready"):  # whoever looks after the daemon has none
        assert guarded.get(path, headers=headers).status_code == 200


def test_status_needs_no_token(cli, guarded):
    assert cli.json("status", "--address", f"{guarded.host}:{guarded.port}")["projects"] == 2


def test_rate(guarded, tokens):
    headers = bearer(tokens[1]["slow"])
    began = time.monotonic()
    statuses = [guarded.get("/projects", headers=headers).status_code for _ in range(20)]
    seconds = time.monotonic() - began
    assert statuses[:2] == [200] * 2 and set(statuses) == {200, 429}
    assert statuses.count(200) <= 2 + 2 * seconds + 1
    refused = next(answer for answer in iter(lambda: guarded.get("/projects", headers=headers), 0)
                   if answer.status_code == 429)
    assert problem(refused, 429) and refused.headers["Retry-After"] == "1"
    wait_for(lambda: guarded.get("/projects", headers=headers).status_code == 200, what="the rate")


def test_rotation(cli, projects, daemon_factory, tmp_path):
    """Two tokens of a name live; a bad file changes nothing; the old one's line goes."""
    path = tmp_path / "tokens"
    old = make_token(cli, path, "shop")
    daemon = daemon_factory("--tokens", str(path))
    works = lambda token: daemon.get("/projects", headers=bearer(token)).status_code == 200
    new = make_token(cli, path, "shop")
    assert works(old) and not works(new)
    daemon.proc.send_signal(signal.SIGHUP)
    wait_for(lambda: works(new), what="the new token")
    assert 'msg="tokens read" n=2 before=1' in daemon.log
    assert works(old)
    third = cli("token", "new", "shop", "--file", path)
    assert third.code != 0 and "a third token" in third.err and path.read_text().count("\n") == 2
    good = path.read_text()
    for n, bad in enumerate(("", "nonsense\n", good + good, good.replace(" predict", " write"))):
        path.write_text(bad)
        daemon.proc.send_signal(signal.SIGHUP)
        wait_for(lambda: daemon.log.count("the old ones stay") == n + 1, what="the log")
        assert works(old) and works(new)
    path.write_text(good.splitlines()[1] + "\n")
    daemon.proc.send_signal(signal.SIGHUP)
    wait_for(lambda: not works(old), what="the end of the old token")
    assert works(new)
    assert old not in daemon.log and new not in daemon.log


def test_a_hundred_bad_reloads(cli, projects, daemon_factory, tmp_path):
    """Between sound ones, with requests under way: nothing fails, and the old options stay."""
    path = tmp_path / "pgboostd.conf"
    path.write_text("rows_limit = 7\n")
    daemon = daemon_factory("--config", str(path))
    failures, stop = [], threading.Event()

    def ask():
        with requests.Session() as session:
            while not stop.is_set():
                if session.get(daemon.url + "/healthz", timeout=10).status_code != 200:
                    failures.append(1)

    thread = threading.Thread(target=ask)
    thread.start()
    bad = ["rows_limit = many\n", "no_such = 1\n", "tokens = /nowhere\n", "tls_cert = /nowhere\n",
           "rows_limit = 8\norigins = nonsense\n"]
    for n in range(100):
        path.write_text(bad[n % len(bad)])
        daemon.proc.send_signal(signal.SIGHUP)
        wait_for(lambda: daemon.log.count("the old ones stay") == n + 1, what=f"refusal {n}")
    path.write_text("rows_limit = 9\n")
    daemon.proc.send_signal(signal.SIGHUP)
    wait_for(lambda: 'option=rows_limit from="7" to="9"' in daemon.log, what="the sound one")
    stop.set()
    thread.join()
    assert not failures and daemon.log.count("an option changed") == 1


@pytest.mark.parametrize("line, why", [
    ("a", "expected a name"), ("a b c", "not a SHA-256"),
    ("a! {h} predict", "a name is of letters"),
    ("a {h} write", "scopes are"), ("a {h} predict,", "scopes are"),
    ("a {h} predict rate=0", "\"rate\""), ("a {h} predict rate=x", "\"rate\""),
    ("a {h} predict projects=", "names none"),
    ("a {h} predict colour=red", "expected \"projects=\""),
    ("a {h} predict\nb {h} admin", "a second time"), ("# nobody", "holds no token")])
def test_bad_files_of_tokens(projects, tmp_path, line, why):
    path = tmp_path / "tokens"
    path.write_text(line.format(h=hashlib.sha256(b"x").hexdigest()) + "\n")
    result = run(projects, tmp_path, "--tokens", path, "--check-config")
    assert result.returncode == 78 and why in result.stderr and str(path) in result.stderr


def test_a_file_without_a_last_newline(cli, tmp_path):
    """As an editor may leave it: a new token is not added to its comment."""
    path = tmp_path / "tokens"
    make_token(cli, path, "shop")
    path.write_text(path.read_text() + "# of the shop")
    make_token(cli, path, "ops")
    assert [line.split()[0] for line in path.read_text().splitlines()] == ["shop", "#", "ops"]


def test_token_command(cli):
    both = cli.json("token", "new", "shop", "--scopes", "admin", "--rate", "7")
    assert both["line"].split() == ["shop", hashlib.sha256(both["token"].encode()).hexdigest(),
                                    "admin", "rate=7"]
    for args in (("old", "x"), ("new", "a b"), ("new", "x", "--scopes", "all"),
                 ("new", "x", "--rate", "0"), ("new", "#x")):
        assert cli("token", *args).code == 2, args


# Hosts and origins -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def named(projects, daemon_factory):
    return daemon_factory("--hosts", "api.example.com, other.example.com:8443",
                          "--origins", "https://app.example.com")


@pytest.mark.parametrize("host, status", [
    ("127.0.0.1", 200), ("[::1]:80", 200), ("localhost:8080", 200), ("pgboost", 200), ("", 200),
    ("a.localhost", 200), ("api.example.com", 200), ("API.example.com:1234", 200),
    ("other.example.com:8443", 200), ("other.example.com", 421), ("evil.example.com", 421),
    ("api.example.com.evil.org", 421), ("1.2.3.4.evil.org", 421), ("127.0.0.1.", 421)])
def test_hosts(named, host, status):
    assert named.get("/projects", headers={"Host": host}).status_code == status


def test_a_host_is_looked_at_each_time(named):
    """Also on a connection whose last request was let in."""
    for host, status in (("h", 200), ("evil.example.com", 421)) * 3:
        assert named.get("/projects", headers={"Host": host}).status_code == status


@pytest.mark.parametrize("origin, status", [
    (None, 200), ("https://app.example.com", 200), ("http://h", 200), ("https://h", 200),
    ("null", 403), ("https://evil.example.com", 403), ("https://app.example.com.evil.org", 403),
    ("http://h:81", 403), ("", 403)])
def test_origins(named, origin, status):
    headers = {"Host": "h", **({} if origin is None else {"Origin": origin})}
    answer = named.get("/projects", headers=headers)
    assert answer.status_code == status
    listed = origin == "https://app.example.com"
    assert answer.headers.get("Access-Control-Allow-Origin") == (origin if listed else None)
    assert ("Origin" in answer.headers.get("Vary", "")) == listed


def test_a_page_asks_what_it_may_send(named):
    asks = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"}
    answer = named.session.options(named.url + "/predict", headers=asks, timeout=10)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Methods"] == "POST, OPTIONS"
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    asks["Origin"] = "https://evil.example.com"
    refused = named.session.options(named.url + "/predict", headers=asks, timeout=10)
    assert refused.status_code == 403


def test_headers_of_security(named):
    headers = named.get("/projects").headers
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer" and headers["Cache-Control"] == "no-store"


# Where it listens --------------------------------------------------------------------------------


def test_refuses_to_be_reached_from_elsewhere(projects, tokens, tmp_path):
    for extra in ((), ("--tokens", tokens[0])):
        result = run(projects, tmp_path, "--listen", "0.0.0.0:0", *extra)
        assert result.returncode == 78 and "needs tokens and TLS" in result.stderr
        assert "protected_mode" in result.stderr
        again = run(projects, tmp_path, "--listen", "[::]:0", *extra, "--check-config")
        assert again.returncode == 78
    fine = run(projects, tmp_path, "--listen", "0.0.0.0:0", "--protected-mode=no", "--check-config")
    assert fine.returncode == 0, fine.stderr


def ask_by_path(path, request=b"GET /projects HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(request)
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received


def start_at(db, tmp_path, listen, *args):
    """pgboostd where conftest's Daemon does not reach; and its first line."""
    from conftest import BIN

    process = subprocess.Popen(
        [BIN / "pgboostd", "--listen", listen, "--state-dir", str(tmp_path), *map(str, args)],
        env=db.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True)
    return process, process.stdout.readline().strip()


def test_unix_socket(projects, cli, tmp_path):
    path = tmp_path / "http"
    process, first = start_at(projects, tmp_path, f"unix:{path}")
    try:
        assert first == f"listening on unix:{path}"
        assert ask_by_path(path).startswith(b"HTTP/1.1 200 ")
        assert os.stat(path).st_mode & 0o777 == 0o660
        assert cli.json("status", "--address", path)["projects"] == 2
        taken = run(projects, tmp_path, "--listen", f"unix:{path}")
        assert taken.returncode == 1 and str(path) in taken.stderr
        assert "another program listens there" in taken.stderr
        lost = run(projects, tmp_path, "--listen", f"unix:{tmp_path}/nowhere/http")
        assert lost.returncode == 1 and "its folder has to be there" in lost.stderr
        process.kill()  # what it leaves is nobody's
        process.wait()
        assert path.exists()
        process.stdout.close()
        process, first = start_at(projects, tmp_path, f"unix:{path}")
        assert ask_by_path(path).startswith(b"HTTP/1.1 200 ")
        process.terminate()
        assert process.wait(10) == 0 and not path.exists()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_unix_socket_of_the_next_daemon(projects, tmp_path):
    """Which comes while the one before still answers what is under way."""
    path = tmp_path / "http"
    before, _ = start_at(projects, tmp_path / "a", f"unix:{path}")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
                       b"Content-Type: application/json\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 100 ")
        before.terminate()
        wait_for(lambda: not path.exists(), what="the path to be free")
        after, first = start_at(projects, tmp_path / "b", f"unix:{path}")
        try:
            assert first == f"listening on unix:{path}" and before.poll() is None
            client.sendall(b"{}")
            assert client.recv(1000).startswith(b"HTTP/1.1 400 ")
            assert before.wait(10) == 0
            assert ask_by_path(path).startswith(b"HTTP/1.1 200 ")
            after.terminate()
            assert after.wait(10) == 0 and not path.exists()
        finally:
            for process in (before, after):
                process.kill()
                process.wait()
                process.stdout.close()


def test_unix_socket_where_a_file_is(projects, tmp_path):
    path = tmp_path / "notes"
    path.write_text("kept")
    refused = run(projects, tmp_path, "--listen", f"unix:{path}")
    assert refused.returncode == 1 and "a file of another kind, which stays" in refused.stderr
    assert path.read_text() == "kept"


def test_unix_socket_that_was_taken_over(projects, tmp_path):
    """Somebody removed the file, and a second daemon has the path: the first leaves it alone."""
    path = tmp_path / "http"
    started = [start_at(projects, tmp_path / "a", f"unix:{path}")[0]]
    try:
        path.unlink()
        started.append(start_at(projects, tmp_path / "b", f"unix:{path}")[0])
        started[0].terminate()
        assert started[0].wait(10) == 0
        assert ask_by_path(path).startswith(b"HTTP/1.1 200 ")
        started[1].terminate()
        assert started[1].wait(10) == 0 and not path.exists()
    finally:
        for process in started:
            process.kill()
            process.wait()
            process.stdout.close()


# TLS ---------------------------------------------------------------------------------------------


def make_certificate(folder, name, days=90, clock=()):
    """A certificate of its own for 127.0.0.1, and its key; by another clock."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        [*clock, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes",
         "-days", str(days), "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", certificate],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    key.chmod(0o600)
    return certificate, key


def name_of_certificate(port):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        with context.wrap_socket(plain) as connection:
            der = connection.getpeercert(binary_form=True)
    return next(name for name in (b"first", b"second") if name in der)


@pytest.fixture(scope="module")
def identities(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    return make_certificate(folder, "first"), make_certificate(folder, "second")


def check_status_over_tls(cli, port, certificate, other):
    address = f"127.0.0.1:{port}"

    def status(*options, code=0):
        found = cli("status", *options)
        assert found.code == code, found.err
        return found

    assert ": no model is live yet" in status("--address", f"https://{address}",
                                              "--ca", certificate).out
    assert status("--address", address, "--ca", certificate, "--json").out.startswith("{")
    stranger = status("--address", f"https://{address}", code=1).err
    assert f"the certificate of https://{address} is not trusted: " in stranger
    assert "self-signed" in stranger
    assert "--ca" in stranger
    assert "is not trusted" in status("--address", address, "--ca", other, code=1).err
    by_name = status("--address", f"https://localhost:{port}", "--ca", certificate, code=1).err
    assert "is not trusted" in by_name and "name 'localhost'" in by_name
    assert "cannot read the certificates" in status("--address", address, "--ca", "/nowhere",
                                                    code=78).err
    assert "does not speak HTTP" in status("--address", address, code=1).err


def test_status_of_what_speaks_no_tls(cli, guarded):
    plain = cli("status", "--address", f"https://{guarded.host}:{guarded.port}")
    assert plain.code == 1 and f"no TLS with https://{guarded.host}:{guarded.port}: " in plain.err


def test_tls(projects, cli, tokens, identities, tmp_path):
    """On every address, with tokens; and a certificate that changes under load."""
    (first, first_key), (second, second_key) = identities
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_bytes(first.read_bytes())
    key.write_bytes(first_key.read_bytes())
    key.chmod(0o600)
    process, line = start_at(projects, tmp_path, "0.0.0.0:0", "--tokens", tokens[0],
                             "--tls-cert", certificate, "--tls-key", key)
    try:
        assert line.startswith("listening on https://0.0.0.0:")
        port = int(line.rsplit(":", 1)[1])
        url = f"https://127.0.0.1:{port}"
        answer = requests.get(url + "/projects", verify=str(certificate), timeout=10,
                              headers=bearer(tokens[1]["reader"]))
        assert answer.status_code == 200 and len(answer.json()["items"]) == 2
        assert requests.get(url + "/projects", verify=str(certificate),
                            timeout=10).status_code == 401
        assert name_of_certificate(port) == b"first"
        check_status_over_tls(cli, port, certificate, second)
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
                with pytest.raises((ssl.SSLError, ConnectionResetError)):
                    context.wrap_socket(plain)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
            assert b"200" not in plain.recv(4096)

        failures, stop, asked, seen = [], threading.Event(), [], []

        def ask(n_requests):
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            while not stop.is_set():
                try:
                    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10,
                                                             context=context)
                    connection.connect()
                    seen.append(connection.sock.getpeercert(binary_form=True))
                    for _ in range(n_requests):
                        connection.request("GET", "/healthz")
                        answer = connection.getresponse()
                        assert answer.status == 200 and answer.read() == b'{"status":"alive"}'
                        asked.append(1)
                        if stop.is_set():
                            break
                    connection.close()
                except Exception as failure:  # whatever it is, it is the finding
                    failures.append(failure)

        threads = [threading.Thread(target=ask, args=(n,)) for n in (1, 3, 1_000_000)]
        for thread in threads:
            thread.start()
        for n in range(rounds(20, 200)):
            wanted, wanted_key = (identities[1], identities[0])[n % 2]
            certificate.write_bytes(wanted.read_bytes())
            process.send_signal(signal.SIGHUP)  # half a change: refused, the old pair stays
            key.write_bytes(wanted_key.read_bytes())
            name = (b"second", b"first")[n % 2]

            def is_there():
                process.send_signal(signal.SIGHUP)
                return name_of_certificate(port) == name

            wait_for(is_there, seconds=10, what=f"certificate {n}")
            n_seen = len(seen)  # of those that are under way, two may see the other one
            wait_for(lambda: len(seen) > n_seen + 2 or failures, what="clients that see it")
        stop.set()
        for thread in threads:
            thread.join()
        assert not failures and len(asked) > len(seen) > 20 and len(set(seen)) == 2
        process.terminate()
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_bad_tls(projects, identities, tmp_path):
    (first, first_key), (_, second_key) = identities
    readable = tmp_path / "readable.key"
    readable.write_bytes(first_key.read_bytes())
    readable.chmod(0o644)
    empty = tmp_path / "empty"
    empty.write_text("")
    for certificate, key, why in (
            (first, None, "go together"), (None, first_key, "go together"),
            (first, second_key, "tls_key"), (first, readable, "chmod"),
            (first, "/nowhere", "tls_key"), ("/nowhere", first_key, "tls_cert"),
            (empty, first_key, "tls_cert"), (first, first, "tls_key")):
        args = [word for name, value in (("--tls-cert", certificate), ("--tls-key", key))
                if value is not None for word in (name, value)]
        result = run(projects, tmp_path, *args, "--check-config")
        assert result.returncode == 78 and why in result.stderr, (args, result.stderr)


@pytest.mark.filterwarnings("ignore:Unverified HTTPS")
@pytest.mark.parametrize("days, clock, said", [
    (3, "-10d", "has expired"), (9, "-1d", "expires soon"), (90, "+10d", "is not valid yet"),
    (90, "-1d", None)])
def test_a_certificates_time(projects, tmp_path, days, clock, said):
    """It is served all the same, and the log, the check and the metrics tell."""
    certificate, key = make_certificate(tmp_path, "first", days, ["faketime", "-f", clock])
    args = ["--tls-cert", str(certificate), "--tls-key", str(key)]
    until = subprocess.run(["openssl", "x509", "-noout", "-enddate", "-in", certificate],
                           check=True, stdout=subprocess.PIPE, text=True).stdout
    until = ssl.cert_time_to_seconds(until.strip().split("=")[1])
    checked = run(projects, tmp_path, *args, "--check-config")
    assert checked.returncode == 0 and checked.stdout == "configuration is fine\n"
    daemon = Daemon(projects, tmp_path / "state", *args, scheme="https")
    try:
        for text in (checked.stderr, daemon.log):
            assert ("the TLS certificate" in text) == (said is not None)
            assert f"the TLS certificate {said or ''}" in text or not said
        metrics = daemon.get("/metrics", verify=False).text
        value, = re.findall(r"^pgboost_tls_certificate_expiry_seconds (\S+)$", metrics, re.M)
        assert float(value) == until
        daemon.proc.send_signal(signal.SIGHUP)
        wait_for(lambda: "TLS certificate read" in daemon.log, what="the reload")
        assert f'until={time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until))}' in daemon.log
    finally:
        assert daemon.stop() == 0


def test_slow_handshakes_are_cut(projects, identities, tmp_path):
    process, line = start_at(projects, tmp_path, "127.0.0.1:0", "--tls-cert", identities[0][0],
                             "--tls-key", identities[0][1], "--head-timeout", "1 s")
    try:
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", int(line.rsplit(":", 1)[1])),
                                      timeout=10) as slow:
            slow.sendall(b"\x16\x03\x01")
            assert slow.recv(4096) == b""
        assert time.monotonic() - began < 7  # not the eight seconds of who says nothing of it
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
