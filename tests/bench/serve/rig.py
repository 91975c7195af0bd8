"""What the benchmarks of serving share: a private Postgres with models in it, programs that answer
POST /predict, and wrk."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from lab import BIN, BUILD, Cluster, Failure, run

HERE = Path(__file__).resolve().parent
TOOLS = BUILD / "tests/bench/serve"
CORES = os.cpu_count()
CONNECTIONS = 64
BATCH = 1000


def say(text):
    print(f"{Path(sys.argv[0]).name}: {text}", file=sys.stderr, flush=True)


# ---- servers

def descendants(pid):
    """The process and those it started, by /proc."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue  # it has ended
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


class Server:
    """A program that serves POST /predict on a port of 127.0.0.1."""

    def __init__(self, name, argv, folder, env=None, port=None):
        self.name = name
        self.log_path = folder / f"{name.replace(' ', '-')}.log"
        self.log = open(self.log_path, "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [str(word) for word in argv], env=env, text=True, stdin=subprocess.DEVNULL,
            stdout=self.log if port else subprocess.PIPE, stderr=self.log)
        self.port = port or self.read_port()

    def read_port(self):
        first = self.process.stdout.readline()
        if not first.startswith("listening on "):
            raise Failure(f"{self.name} did not start:\n{self.log_path.read_text()}")
        return int(first.rsplit(":", 1)[1])

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/predict"

    def post(self, body):
        request = urllib.request.Request(self.url, data=body,
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def wait_ready(self, body):
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.post(body)
            except OSError as error:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise Failure(f"{self.name} does not answer: {error}\n"
                                  f"{self.log_path.read_text()}") from None
                time.sleep(0.05)

    def cpu_seconds(self):
        ticks = 0
        for pid in descendants(self.process.pid):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        self.log.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_pgboost(lab, prefix=(), name="pgboost"):
    return Server(name, [*prefix, BIN / "pgboostd", "--listen", "127.0.0.1:0", "--threads", CORES,
                         "--state-dir", lab.folder / "state", "--role", "server"],
                  lab.folder, env=lab.cluster.env)


def start_floor(lab, *words, prefix=(), name="floor"):
    return Server(name, [*prefix, TOOLS / "floor", CORES, lab.folder / "answer", *words],
                  lab.folder)


def start_peer(lab, peer):
    port = free_port()
    env = {**os.environ, "BENCH_MODEL": str(lab.exported["trees100"]), "PYTHONPATH": str(HERE),
           "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    argv = {
        "flask": ("/usr/bin/python3", "-m", "gunicorn", "--workers", CORES, "--worker-class",
                  "gthread", "--threads", 1, "--keep-alive", 75, "--bind", f"127.0.0.1:{port}",
                  "peer_flask:app"),
        "fastapi": ("/usr/bin/python3", "-m", "uvicorn", "--workers", CORES, "--host", "127.0.0.1",
                    "--port", port, "--log-level", "warning", "--no-access-log",
                    "peer_fastapi:app"),
    }[peer]
    return Server(peer, argv, lab.folder, env=env, port=port)


# ---- the models

class Lab:
    """Postgres, the models trained, exported, and bodies of rows they have seen."""

    def __init__(self, folder, n_rows, trees):
        self.folder = folder
        self.cluster = Cluster(folder)
        self.exported, self.bodies = {}, {}
        self.cluster.psql("-v", f"rows={n_rows}", "-c", "SELECT setseed(0.5)", "-f",
                          HERE / "features.sql")
        run(BIN / "pgboost", "migrate", env=self.cluster.env)
        self.rows = json.loads(self.cluster.psql(
            "-c", "SELECT jsonb_agg(to_jsonb(t) - 'id' - 'loss' ORDER BY id)"
                  f" FROM (SELECT * FROM public.loans ORDER BY id LIMIT {BATCH}) t"))
        for n in trees:
            self.train(f"trees{n}", n)

    def train(self, project, n_trees):
        say(f"training {n_trees} trees")
        path = self.folder / f"{project}.json"
        path.write_text(json.dumps({
            "project": project, "relation": "public.loans", "target": "loss", "key": ["id"],
            "search": {"strategy": "none"},
            "hyperparams": {"n_estimators": n_trees, "max_depth": 6,
                            "early_stopping_rounds": n_trees + 1}}))
        run(BIN / "pgboost", "apply", path, env=self.cluster.env)
        run(BIN / "pgboost", "train", project, "--here", env=self.cluster.env)
        model_id = self.cluster.psql("-c", "SELECT max(id) FROM pgboost.models").strip()
        self.exported[project] = self.folder / f"{project}.ubj"
        run(BIN / "pgboost", "export", model_id, "-o", self.exported[project], env=self.cluster.env)
        for rows, name in ((self.rows[0], project), (self.rows, f"{project}-batch")):
            self.bodies[name] = self.folder / f"{name}.body"
            self.bodies[name].write_text(json.dumps({"project": project, "features": rows}))

    def body(self, name):
        return self.bodies[name].read_bytes()


def load(server, body, seconds, connections=CONNECTIONS):
    """wrk: requests a second, and the server's µs of processor time for each."""
    cpu = server.cpu_seconds()
    out = run("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s",
              "-s", HERE.parent / "load/post.lua", server.url,
              env={**os.environ, "BENCH_BODY": str(body)})
    cpu = server.cpu_seconds() - cpu
    count = json.loads(out.strip().splitlines()[-1])
    if count["failed"] or not count["requests"]:
        raise Failure(f"{server.name}: {count['failed']} of {count['requests']} requests failed:\n"
                      f"{out}")
    return {"rate": count["requests"] / count["seconds"], "cpu_us": cpu / count["requests"] * 1e6,
            "requests": count["requests"]}
