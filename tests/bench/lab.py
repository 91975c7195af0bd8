"""What the benchmarks share: programs that have to succeed, a private Postgres."""

import os
import shlex
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD", ROOT / "build")).resolve()
BIN = BUILD / "bin"


class Failure(Exception):
    pass


def run(*argv, **options):
    """Standard output of a program that has to succeed."""
    options.setdefault("stdout", subprocess.PIPE)
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)
    result = subprocess.run([str(word) for word in argv], text=True, stderr=subprocess.PIPE,
                            **options)
    if result.returncode != 0:
        raise Failure(f"{Path(argv[0]).name} failed with status {result.returncode}:\n"
                      f"{result.stderr.strip()}")
    return result.stdout


class Cluster:
    """A private Postgres, with settings of its own where they are given, removed in the end."""

    def __init__(self, folder, **settings):
        self.path = folder / "pg"
        run(ROOT / "scripts/cluster", "start", self.path)
        self.env = self.environment()
        if settings:
            self.psql(*(word for name, value in settings.items()
                        for word in ("-c", f"ALTER SYSTEM SET {name} = '{value}'")))
            run(ROOT / "scripts/cluster", "stop", self.path)
            run(ROOT / "scripts/cluster", "start", self.path)

    def environment(self):
        words = shlex.split(run(ROOT / "scripts/cluster", "env", self.path))
        return {**{k: v for k, v in os.environ.items() if not k.startswith(("PG", "PGBOOST_"))},
                **dict(word.split("=", 1) for word in words if "=" in word)}

    def psql(self, *args, **options):
        return run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *args, env=self.env, **options)

    def remove(self):
        run(ROOT / "scripts/cluster", "remove", self.path)
