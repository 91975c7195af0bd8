"""The programs that bench-search runs: a private Postgres, pgboost and its worker."""

import json
import subprocess
import sys
import time
from pathlib import Path

import psycopg2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import lab  # noqa: E402
from lab import BIN, BUILD, ROOT, Failure, run  # noqa: E402,F401

CACHE = BUILD / "bench"

# One hold-out of validation rows, as the other side has.
HOLD_OUT = {"folds": 1}
# How a worker takes a run, and how another helps it once the run says that it has trials to share.
CLAIM, HELP = "--run", "--help-run"
IS_SHARED = "SELECT search IS NOT NULL FROM pgboost.runs WHERE id = %s"


class Cluster(lab.Cluster):
    """The same, with a connection."""

    def __init__(self, folder):
        super().__init__(folder)
        self.connection = psycopg2.connect(
            host=self.env["PGHOST"], port=self.env["PGPORT"], user=self.env["PGUSER"],
            dbname=self.env["PGDATABASE"])
        self.connection.autocommit = True

    def sql(self, query, params=None):
        """Rows as tuples; [] for statements without rows."""
        with self.connection.cursor() as cursor:
            cursor.execute(query, params)
            return cursor.fetchall() if cursor.description else []

    def value(self, query, params=None):
        return self.sql(query, params)[0][0]

    def columns(self, relation):
        """{column: type} in the relation's order."""
        return dict(self.sql(
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            [relation]))

    def remove(self):
        self.connection.close()
        super().remove()


class Worker:
    """pgboost-worker at the priority of all that is measured."""

    def __init__(self, pgboost, how, run_id, name, env):
        self.name = name
        self.path = pgboost.folder / f"{name}.log"
        with open(self.path, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [BIN / "pgboost-worker", how, str(run_id), "--name", name, "--nice", "0"],
                env={**pgboost.cluster.env, **env}, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=log)

    def has_ended(self):
        return self.process.poll() is not None

    def wait(self):
        if self.process.wait() != 0:
            raise Failure(f"pgboost-worker {self.name} failed:\n{self.path.read_text().strip()}")

    def end(self):
        if not self.has_ended():
            self.process.kill()
            self.process.wait()


class Pgboost:
    def __init__(self, cluster, folder):
        self.cluster, self.folder = cluster, folder
        self.hold_out = HOLD_OUT
        run(BIN / "pgboost", "migrate", env=cluster.env)
        self.trial_columns = cluster.columns("pgboost.trials")

    def apply(self, definition):
        path = self.folder / f"{definition['project']}.json"
        path.write_text(json.dumps(definition), encoding="utf-8")
        run(BIN / "pgboost", "apply", path, env=self.cluster.env)

    def define(self, definition, search):
        """Where a version knows no folds, a hold-out is all it has."""
        try:
            self.apply({**definition, "search": {**search, **self.hold_out}})
        except Failure as failure:
            if not self.hold_out or "folds" not in str(failure):
                raise
            self.hold_out = {}
            self.apply({**definition, "search": search})

    def queue(self, project):
        return int(run(BIN / "pgboost", "train", project, "--no-wait",
                       env=self.cluster.env).split()[-1])

    def train(self, project, names=("worker",), env=None):
        """A run by workers of these names, of which the first claims it and the others help: its
        id, when it was asked for, and for how long."""
        started = time.time()
        run_id = self.queue(project)
        workers = [Worker(self, CLAIM, run_id, names[0], env or {})]
        try:
            if len(names) > 1:
                self.wait_shared(run_id, workers[0])
            for name in names[1:]:
                workers.append(Worker(self, HELP, run_id, name, env or {}))
            workers[0].wait()
            seconds = time.time() - started
            for worker in workers[1:]:
                worker.wait()
        finally:
            for worker in workers:
                worker.end()
        return run_id, started, seconds

    def wait_shared(self, run_id, worker):
        """Until the run has trials for others."""
        if "search" not in self.cluster.columns("pgboost.runs"):
            raise Failure("the workers of this version do not share a run")
        while not self.cluster.value(IS_SHARED, [run_id]):
            if worker.has_ended():
                raise Failure(f"run {run_id} ended before it had trials to share")
            time.sleep(0.01)

    def trials(self, run_id, started, seconds):
        """[{number, algorithm, status, score, ended, worker}] in the order of their end, in seconds
        from the start. Without ended_at, counted back from the end of the run: late rather than
        early."""
        found = self.cluster.sql(
            f"""SELECT number, algorithm, status, score,
                       {'extract(epoch FROM ended_at)::float8 - %(started)s'
                        if 'ended_at' in self.trial_columns else
                        '%(seconds)s - coalesce(sum(seconds) OVER (ORDER BY number DESC ROWS'
                        ' BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)'} AS ended,
                       {'worker' if 'worker' in self.trial_columns else 'NULL'}
                FROM pgboost.trials WHERE run_id = %(run_id)s ORDER BY ended, number""",
            {"run_id": run_id, "started": started, "seconds": seconds})
        names = ("number", "algorithm", "status", "score", "ended", "worker")
        return [dict(zip(names, row)) for row in found]

    def predict(self, project, model_id, rows):
        """What POST /predict answers for rows as to_jsonb writes them."""
        out = run(BIN / "pgboost", "predict", project, "-", "--model", model_id,
                  env=self.cluster.env, input=json.dumps(rows))
        return json.loads(out)["predictions"]
