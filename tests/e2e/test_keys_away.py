"""Look-ups when Postgres does not behave: backends that are killed, a server that is frozen, a
replica that stops. Others wait for none of it."""

import json
import os
import random
import re
import socket
import statistics
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
import requests

from conftest import Cli, Cluster, Daemon, Database, wait_for
from server import Frozen, Standby

SOAK = float(os.environ.get("SOAK", "0"))
N = 500


def add_project(db, folder, name, **definition):
    """Trained on public.t, and live."""
    path = folder / f"{name}.json"
    path.write_text(json.dumps({
        "project": name, "relation": "public.t", "target": "y", "key": "id", "threads": 1,
        "search": {"strategy": "none"}, "hyperparams": {"n_estimators": 10}, **definition}))
    Cli(db).ok("apply", path)
    Cli(db).ok("train", name, "--here")


@pytest.fixture(scope="module")
def away(tmp_path_factory):
    """A cluster of this module, with a project whose prediction tells rows apart."""
    cluster = Cluster()
    db = Database(cluster)
    cli = Cli(db)
    try:
        cli.ok("migrate")
        db.sql(f"""CREATE TABLE public.t AS SELECT i AS id, i AS x, i * 1.5 AS y
                   FROM generate_series(1, {N}) i;
                   ALTER TABLE public.t ADD PRIMARY KEY (id)""")
        add_project(db, tmp_path_factory.mktemp("d"), "t")
        yield db
    finally:
        cluster.remove()


@pytest.fixture
def serve(away, tmp_path):
    """Starts a daemon with these options."""
    started = []

    def start(*options):
        daemon = Daemon(away, tmp_path / str(len(started)), "--role", "server", *options)
        started.append(daemon)
        daemon.wait_live("t")
        return daemon

    yield start
    for daemon in started:
        assert daemon.stop() == 0, daemon.log


def by_key(daemon, key, session=requests, timeout=30):
    return session.post(f"{daemon.url}/predict", timeout=timeout,
                        json={"project": "t", "key": key, "encoded": True})


def look_up_many(daemon, n, expected, statuses):
    """n look-ups, whose statuses are appended; a row that comes is the right one."""
    session = requests.Session()
    for _ in range(n):
        key = random.randrange(1, N + 1)
        answer = by_key(daemon, key, session)
        statuses.append(answer.status_code)
        if answer.status_code == 200:
            assert answer.json()["encoded"] == {"x": key}
            assert answer.json()["prediction"] == expected[key - 1]
        else:
            assert answer.status_code == 503 and answer.headers["Retry-After"]


def backends(db, verb="count(*)"):
    return db.value(f"""SELECT {verb} FROM pg_stat_activity
                        WHERE application_name = 'pgboostd (look-ups)'""")


def test_backends_are_killed(away, serve):
    daemon = serve("--lookup-timeout", "20 s")  # a busy machine is no broken one
    rows = [{"x": i} for i in range(1, N + 1)]
    expected = [item["prediction"] for item in daemon.predict("t", rows)["predictions"]]
    statuses, seen, kills = [], 0, 0  # list.append is atomic
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(look_up_many, daemon, int(max(150, 12_500 * SOAK)), expected,
                                statuses) for _ in range(8)]
        while not all(f.done() for f in asked):
            wait_for(lambda: len(statuses) > seen + 20 or all(f.done() for f in asked))
            seen = len(statuses)
            kills += backends(away, "count(pg_terminate_backend(pid)) FILTER (WHERE random() < .3)")
        for one in asked:
            one.result()
    print(f"{kills} connections killed, {statuses.count(200)} of {len(statuses)} answered")
    assert kills > 5
    assert statuses.count(200) > len(statuses) * 0.9, statuses
    assert by_key(daemon, 7).status_code == 200
    assert backends(away) <= 4, "none is left over"


def test_a_frozen_server_delays_look_ups_alone(away, serve):
    daemon = serve("--lookup-timeout", "300 ms", "--lookup-queue", "5", "--lookup-pool-size", "2")
    assert by_key(daemon, 1).status_code == 200
    data = away.value("SHOW data_directory")
    with ThreadPoolExecutor(20) as threads, Frozen(data):
        began = time.monotonic()
        waiting = [threads.submit(by_key, daemon, 1) for _ in range(20)]
        seconds = []
        while not all(f.done() for f in waiting) or len(seconds) < 50:
            at = time.monotonic()
            assert daemon.predict("t", {"x": 5})["prediction"] is not None
            seconds.append(time.monotonic() - at)
        took = time.monotonic() - began
        statuses = [f.result().status_code for f in waiting]
        refused = [f.result() for f in waiting if f.result().status_code == 503]
        became = results(daemon)
        assert sum(became.values()) == 1 + len(waiting), became
        assert became["queue_full"] > 0 and became["found"] == 1, became
        assert set(statuses) <= {503, 504} and refused, statuses
        assert all(answer.headers["Retry-After"] for answer in refused)
        assert any("too many requests wait" in answer.text for answer in refused)
        assert took < 60
        assert statistics.median(seconds) < 0.25, "who brings the features waits for nothing"
    wait_for(lambda: by_key(daemon, 1).status_code == 200, 20, "look-ups to come back")


@contextmanager
def locked(db, table="public.t"):
    """Whoever reads the table waits until the block ends."""
    holder = db.cluster.connect(db.name)
    holder.autocommit = False
    try:
        holder.cursor().execute(f"LOCK TABLE {table}")
        yield
    finally:
        holder.close()


def wait_for_readers(db, n=1):
    wait_for(lambda: db.value("""SELECT count(*) FROM pg_stat_activity
                                 WHERE wait_event_type = 'Lock'
                                 AND application_name = 'pgboostd (look-ups)'""") >= n,
             what="look-ups that wait for the lock")


def in_flight(daemon):
    """Requests that are being answered, this one among them."""
    return int(re.search(r"^pgboost_http_requests_in_flight (\d+)", daemon.get("/metrics").text,
                         re.M)[1])


def waiting(daemon):
    return int(re.search(r"^pgboost_lookup_waiting (\d+)", daemon.get("/metrics").text, re.M)[1])


def results(daemon):
    """What became of look-ups: those of which there are any."""
    found = re.findall(r'^pgboost_lookups_total\{result="(\w+)"\} (\d+)$',
                       daemon.get("/metrics").text, re.M)
    return {name: int(n) for name, n in found if n != "0"}


def test_a_deployment_among_keys_that_wait_together(away, serve):
    """The first look-up holds the only connection; behind it keys wait for a statement that nobody
    has prepared, while the model that they are for is replaced."""
    Cli(away).ok("train", "t", "--here")
    daemon = serve("--lookup-timeout", "60 s", "--lookup-pool-size", "1")
    live = daemon.get("/projects/t").json()["live_model_id"]
    other = away.value("SELECT max(id) FROM pgboost.models WHERE id <> %s", live)
    with ThreadPoolExecutor(12) as threads:
        with locked(away):
            first = threads.submit(requests.post, f"{daemon.url}/rank", timeout=60,
                                   json={"project": "t", "where": {"id": 3}})
            wait_for_readers(away)
            waiting = [threads.submit(by_key, daemon, i, timeout=60) for i in range(1, 11)]
            wait_for(lambda: in_flight(daemon) >= 12, what="requests that wait")
            Cli(away).ok("deploy", "t", "--model", other)
            wait_for(lambda: daemon.get("/projects/t").json()["live_model_id"] == other)
        assert [(f.result().status_code, f.result().json().get("model_id")) for f in waiting] == \
            [(200, other)] * 10
        assert first.result().json()["model_id"] == other
    assert results(daemon) == {"found": 11}, "who was asked again counts once"


def test_the_timeout_is_of_the_whole_wait(away, serve):
    """Of what stands in line behind a look-up that takes all its time as well."""
    daemon = serve("--lookup-timeout", "2 s", "--lookup-pool-size", "1")
    assert by_key(daemon, 1).status_code == 200

    def ask():
        began = time.monotonic()
        return by_key(daemon, 1).status_code, time.monotonic() - began

    with ThreadPoolExecutor(2) as threads, locked(away):
        first = threads.submit(ask)
        wait_for_readers(away)
        time.sleep(0.5)  # so that the second one has time left when the first one has none
        second = threads.submit(ask)
        assert first.result()[0] == 504 and second.result()[0] in (503, 504)
        assert second.result()[1] < 3, "not its time in line and a statement's beside"
    wait_for(lambda: by_key(daemon, 1).status_code == 200, what="look-ups to come back")


def given_time(attempt, *timeouts):
    """What must be done in a part of a look-up's time is done where there is enough of that: on a
    machine that is too busy another attempt has more."""
    for timeout in timeouts[:-1]:
        with suppress(AssertionError):
            return attempt(timeout)
    return attempt(timeouts[-1])


def test_a_slow_key_delays_others_by_its_own_time(away, serve, tmp_path):
    """It waits with fifty others, which are read once its time is over: they have some left."""
    away.sql("""CREATE VIEW public.slow AS SELECT id, y,
                CASE WHEN id = 400 THEN x + length(pg_sleep(60)::text) ELSE x END AS x FROM t""")
    add_project(away, tmp_path, "slow", serving="public.slow")
    given_time(lambda seconds: ask_with_a_slow_key(away, serve, seconds), 5, 15, 45)


def ask_with_a_slow_key(away, serve, seconds):
    daemon = serve("--lookup-timeout", f"{seconds} s", "--lookup-pool-size", "1",
                   "--lookup-queue", "100")
    daemon.wait_live("slow")

    def ask(key):
        return requests.post(f"{daemon.url}/predict", json={"project": "slow", "key": key},
                             timeout=90).status_code

    with ThreadPoolExecutor(52) as threads:
        with locked(away):
            first = threads.submit(requests.post, f"{daemon.url}/rank", timeout=60,
                                   json={"project": "t", "where": {"id": 3}})
            wait_for_readers(away)
            slow = threads.submit(ask, 400)
            wait_for(lambda: waiting(daemon) == 1, what="the slow key in line")
            time.sleep(seconds / 2)  # that the others have left when the slow one has none
            others = [threads.submit(ask, key) for key in range(1, 51)]
            wait_for(lambda: waiting(daemon) == 51, what="the others in line")
        assert first.result().status_code == 200
        assert [other.result() for other in others] == [200] * 50
        assert slow.result() == 504
    assert results(daemon) == {"found": 51, "timed_out": 1}


class Silent:
    """Takes connections and says nothing; or lets clients in, as a server would, and then says
    nothing."""

    GREETING = (b"R" + struct.pack("!ii", 8, 0) + b"S\0\0\0\x18server_version\00015.0\0"
                + b"K" + struct.pack("!iii", 12, 1, 1) + b"Z\0\0\0\5I")

    def __init__(self, lets_in):
        self.lets_in = lets_in
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.clients = []
        self.thread = threading.Thread(target=self.run)

    def run(self):
        with suppress(OSError):  # it is closed
            while True:
                client = self.socket.accept()[0]
                self.clients.append(client)
                if self.lets_in:
                    client.settimeout(30)
                    client.recv(1000)
                    client.sendall(self.GREETING)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        for one in [self.socket, *self.clients]:
            one.close()

    def dsn(self, then=None):
        """Its own; or one that names another server behind it."""
        port = self.socket.getsockname()[1]
        if then is None:
            return f"host=127.0.0.1 port={port} user=u dbname=d sslmode=disable gssencmode=disable"
        env = then.cluster.env
        return (f"host=127.0.0.1,{env['PGHOST']} port={port},{env['PGPORT']} user={env['PGUSER']}"
                f" dbname={then.name} sslmode=disable gssencmode=disable")


@pytest.mark.parametrize("lets_in", [False, True], ids=["mute", "lets in"])
def test_a_silent_server_has_its_share_of_the_time(away, serve, lets_in):
    def attempt(seconds):
        with Silent(lets_in) as silent:
            daemon = serve("--read-dsn", silent.dsn(then=away), "--lookup-pool-size", "1",
                           "--lookup-timeout", f"{seconds} s")
            assert by_key(daemon, 3, timeout=90).status_code == 200
            assert silent.clients, "it was asked first"

    given_time(attempt, 4, 15, 45)


@pytest.mark.parametrize("lets_in", [False, True], ids=["mute", "lets in"])
def test_a_silent_server_holds_nothing_beyond_the_deadline(away, serve, lets_in):
    with Silent(lets_in) as silent, ThreadPoolExecutor(1) as threads:
        daemon = serve("--read-dsn", silent.dsn(), "--lookup-timeout", "2 s",
                       "--lookup-pool-size", "1")
        began = time.monotonic()
        answer = by_key(daemon, 1)
        assert answer.status_code in (503, 504), answer.text
        assert time.monotonic() - began < 20
        waits = threads.submit(by_key, daemon, 1)
        wait_for(lambda: in_flight(daemon) >= 2 or waits.done(), what="a look-up under way")
        began = time.monotonic()
        assert daemon.stop() == 0, daemon.log
        assert time.monotonic() - began < 20, "a stop waits for it no longer either"
        assert waits.result().status_code in (503, 504)


@pytest.fixture(scope="module")
def standby(away):
    replica = Standby(away)
    replica.start()
    yield replica
    replica.remove()


def replica_first(db, standby):
    env = db.cluster.env
    return (f"host={standby.home},{env['PGHOST']} port={standby.port} user={env['PGUSER']}"
            f" dbname={db.name}")


def test_a_replica_stops_and_the_primary_goes_on(away, standby, serve):
    daemon = serve("--read-dsn", replica_first(away, standby), "--lookup-timeout", "20 s")
    assert by_key(daemon, 3).status_code == 200
    assert backends(away) == 0, "the first server of the string is asked"
    standby.stop("immediate")
    try:
        statuses = {by_key(daemon, 1 + i % N).status_code for i in range(30)}
        assert statuses == {200}
        assert backends(away) > 0
    finally:
        standby.start()


def test_a_replica_is_frozen_and_the_primary_goes_on(away, standby, serve):
    """What it was asked before is lost; who asks from then on is answered by the primary."""
    daemon = serve("--read-dsn", replica_first(away, standby), "--lookup-timeout", "4 s",
                   "--lookup-pool-size", "1")
    assert by_key(daemon, 3).status_code == 200
    with Frozen(standby.home / "data"):
        assert by_key(daemon, 3).status_code == 504
        wait_for(lambda: by_key(daemon, 3).status_code == 200, what="the primary")
        assert [by_key(daemon, 1 + i).status_code for i in range(5)] == [200] * 5
        assert backends(away) == 1
