"""The data sets: each a relation with a key in Postgres, and the definition of a project.

The demo's flights by its own definitions, vega's tables from npm (a pinned package, by its
checksum), scikit-learn's from scikit-learn.
"""

import csv
import hashlib
import io
import json
import tarfile
from datetime import datetime

from sklearn import datasets as skd

import score
from programs import BIN, CACHE, ROOT, Failure, run

VEGA = "vega-datasets@3.2.1"
VEGA_FILE = "vega-datasets-3.2.1.tgz"
VEGA_SHA256 = "6f72fda460a9863fae5fcb32f85bcd49e1761fdea6dc6cf9f4962472881cc5a3"


def fetch_vega(name):
    """The text of a file of the package, which is fetched from npm where it is not there yet."""
    path = CACHE / VEGA_FILE
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        run("npm", "pack", "--silent", VEGA, cwd=CACHE)
    if hashlib.sha256(path.read_bytes()).hexdigest() != VEGA_SHA256:
        raise Failure(f"{path} is not the package that was measured before: delete it")
    with tarfile.open(path) as archive:
        return archive.extractfile(f"package/data/{name}").read().decode()


def copy(cluster, table, columns, rows):
    """Makes public.TABLE with a key, id, from 1, and fills it. None is NULL."""
    definitions = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    cluster.sql(f"CREATE TABLE public.{table} (id integer PRIMARY KEY, {definitions})")
    text = io.StringIO()
    csv.writer(text).writerows([i, *row] for i, row in enumerate(rows, 1))
    text.seek(0)
    with cluster.connection.cursor() as cursor:
        cursor.copy_expert(f"COPY public.{table} FROM STDIN (FORMAT csv)", text)
    cluster.sql(f"ANALYZE public.{table}")


# ---- loaders: what makes relations, each once

def load_flights(cluster):
    folder = ROOT / "scripts/demo.d"
    run("psql", "-Xq", "-f", "load.sql", cwd=folder, env=cluster.env)
    run(BIN / "pgboost", "migrate", folder / "views", env=cluster.env)


PENGUINS = {"species": "text", "island": "text", "beak_length": "double precision",
            "beak_depth": "double precision", "flipper_length": "double precision",
            "body_mass": "double precision", "sex": "text"}


def load_penguins(cluster):
    rows = json.loads(fetch_vega("penguins.json"))
    copy(cluster, "penguins", PENGUINS, (row.values() for row in rows))


STRIKES = {"airport": "text", "aircraft": "text", "damage": "text", "struck_on": "date",
           "operator": "text", "state": "text", "phase": "text", "wildlife_size": "text",
           "wildlife": "text", "time_of_day": "text", "cost_other": "double precision",
           "cost_repair": "double precision", "cost": "double precision",
           "speed": "double precision"}

# What is known of a strike; its damage from the inspection on, its cost at the end.
STRIKE_VIEWS = """
CREATE VIEW public.strike_damage AS
SELECT id, damage, airport, aircraft, struck_on, operator, state, phase, wildlife_size, wildlife,
       time_of_day, speed
FROM public.strikes;
CREATE VIEW public.strike_cost AS
SELECT d.*, log(s.cost) AS log_cost FROM public.strike_damage d JOIN public.strikes s USING (id)
WHERE s.cost > 0;
CREATE VIEW public.strike_costly AS
SELECT d.*, s.cost > 0 AS costly FROM public.strike_damage d JOIN public.strikes s USING (id);
"""


def load_strikes(cluster):
    rows = list(csv.reader(io.StringIO(fetch_vega("birdstrikes.csv"))))
    copy(cluster, "strikes", STRIKES, rows[1:])
    cluster.sql(STRIKE_VIEWS)


MOVIES = {
    "us_gross": ("US Gross", "double precision"),
    "worldwide_gross": ("Worldwide Gross", "double precision"),
    "us_dvd_sales": ("US DVD Sales", "double precision"),
    "budget": ("Production Budget", "double precision"),
    "released_on": ("Release Date", "date"),
    "mpaa_rating": ("MPAA Rating", "text"),
    "running_time": ("Running Time min", "double precision"),
    "distributor": ("Distributor", "text"),
    "source": ("Source", "text"),
    "genre": ("Major Genre", "text"),
    "creative_type": ("Creative Type", "text"),
    "director": ("Director", "text"),
    "rotten_tomatoes": ("Rotten Tomatoes Rating", "double precision"),
    "imdb_votes": ("IMDB Votes", "double precision"),
    "imdb_rating": ("IMDB Rating", "double precision"),
}


def iso_date(text):
    return text and datetime.strptime(text, "%b %d %Y").date().isoformat()


def load_movies(cluster):
    """Without the title, which names a film."""
    rows = [[iso_date(row[name]) if kind == "date" else row[name] for name, kind in MOVIES.values()]
            for row in json.loads(fetch_vega("movies.json"))]
    copy(cluster, "movies", {name: kind for name, (_, kind) in MOVIES.items()}, rows)


def load_diabetes(cluster):
    data = skd.load_diabetes()
    columns = {name: "double precision" for name in (*data.feature_names, "progression")}
    copy(cluster, "diabetes", columns,
         ([*map(float, x), float(y)] for x, y in zip(data.data, data.target)))


def load_digits(cluster):
    data = skd.load_digits()
    columns = {**{name: "integer" for name in data.feature_names}, "digit": "text"}
    copy(cluster, "digits", columns, ([*map(int, x), y] for x, y in zip(data.data, data.target)))


# ---- the definitions

def demo(name):
    return json.loads((ROOT / f"models/{name}.json").read_text(encoding="utf-8"))


def project(relation, target, task):
    by = "random" if task == "regression" else "stratified"
    return {"relation": f"public.{relation}", "target": target, "task": task, "key": ["id"],
            "metric": score.METRICS[task], "test": {"size": 0.2, "by": by}}


# name: what loads its relation, its definition
DATASETS = {
    "flight_delay": (load_flights, demo("flight_delay")),
    "flight_late": (load_flights, demo("flight_late")),
    "penguins": (load_penguins, project("penguins", "species", "classification")),
    # Of the strikes that cost something: the logarithm of how much (base 10). Of the dollars
    # themselves one strike of seven millions would decide who is better.
    "strike_cost": (load_strikes, project("strike_cost", "log_cost", "regression")),
    "strike_costly": (load_strikes, project("strike_costly", "costly", "classification")),
    "strike_damage": (load_strikes, project("strike_damage", "damage", "classification")),
    "movies": (load_movies, project("movies", "imdb_rating", "regression")),
    "diabetes": (load_diabetes, project("diabetes", "progression", "regression")),
    "digits": (load_digits, project("digits", "digit", "classification")),
}


def load(cluster, names):
    """Those that the data sets of these names need."""
    for loader in dict.fromkeys(DATASETS[name][0] for name in names):
        loader(cluster)


def definition_of(name, seed, threads):
    """Without a search, and deploying nothing: what is measured is each model."""
    definition = {key: value for key, value in DATASETS[name][1].items() if key != "search"}
    return {**definition, "project": f"{name}_{seed}", "seed": seed, "threads": threads,
            "deploy": "never"}
