"""Ranking: trained by list, served bit for bit, measured by list against scikit-learn."""

import itertools
import json
import math

import numpy as np
import pytest
import xgboost
from sklearn import metrics as skm

import oracle

LISTS = 160
TARGETS = ["grade", "clicked", "share"]
ALGORITHMS = ["xgboost", "dart", "random_forest", "linear"]


@pytest.fixture(scope="module")
def rows(catalog):
    """Lists of 1 to 15 rows, sent in no order. Lists whose number ends in 3 have no relevant row,
    one of them has a single row; what tells rows apart says nothing across lists."""
    catalog.sql(f"""
        CREATE TABLE public.offers AS
        SELECT id, query, x + shift AS x, shift, colour, at, doubled,
               CASE WHEN dull THEN 0 ELSE greatest(0, least(4, floor(1.5 + signal)))::int END
                   AS grade,
               CASE WHEN dull THEN 0 ELSE (signal > 0.8)::int END AS clicked,
               CASE WHEN dull THEN 0 ELSE greatest(0, signal) END AS share
        FROM (SELECT q * 100 + i AS id, 'query ' || q AS query, x, colour, q % 10 = 3 AS dull,
                     10 * sin(q * 5.3)::float8 AS shift, 1 + q % 2 AS doubled,
                     timestamp '2024-01-01' + interval '1 hour' * (q * 10 + i * 7) AS at,
                     1.5 * x + (colour IS NOT DISTINCT FROM 'red')::int
                         + 0.4 * sin((q * 31 + i) * 2.7) AS signal
              FROM (SELECT q, i, 1.4 * sin((q * 17 + i) * 12.9898)::float8 AS x,
                           (ARRAY['red', 'green', NULL])[1 + (q * 7919 + i * 31) % 3] AS colour
                    FROM generate_series(1, {LISTS}) q,
                         LATERAL generate_series(1, CASE WHEN q = 13 THEN 1 ELSE 5 + q % 11 END) i
                   ) a) b
        ORDER BY sin(id)""")
    catalog.sql("UPDATE public.offers SET colour = 'green' WHERE colour IS NULL AND id % 2 = 0")
    return catalog


def define(definition, project, target="grade", **keys):
    return definition(**{
        "project": project, "relation": "public.offers", "key": ["id"], "target": target,
        "task": "ranking", "group": "query", "threads": 1,
        "exclude": ["at", "doubled"] + [t for t in TARGETS if t != target],
        "search": {"strategy": "none"}, "hyperparams": {"n_estimators": 60}, **keys})


def train(cli, definition, project, *args, **keys):
    cli.ok("apply", define(definition, project, *args, **keys))
    cli.ok("train", project, "--here")
    return cli.json("show", project)["project"]["live_model_id"]


def held_out(db):
    """The test rows: those of the lists whose hash is below 0.2."""
    return oracle.rows_as_json(
        db, f"SELECT * FROM public.offers WHERE {oracle.row_hash('query')} < 0.2 ORDER BY id")


def lists_of(asked, target, scores):
    """Relevance and score by list."""
    lists = {}
    for row, score in zip(asked, scores):
        lists.setdefault(row["query"], []).append((row[target], score))
    return {query: np.array(pairs, dtype=float).T for query, pairs in lists.items()}


def mean_ndcg(lists, weights=None):
    of = {q: 1.0 if y.size == 1 else skm.ndcg_score([y], [s], k=10)
          for q, (y, s) in lists.items() if y.any()}
    return np.average(list(of.values()), weights=[weights[q] for q in of] if weights else None)


def over_orders(score):
    """The mean of a score of relevances in order over every order that the scores allow."""

    def mean(y, s):
        ties = [np.sort(y[s == value] > 0) for value in np.unique(s)[::-1]]
        assert math.prod(math.factorial(tie.size) for tie in ties) < 1e6
        orders = itertools.product(*(list(itertools.permutations(tie)) if tie[0] != tie[-1]
                                     else [tuple(tie)] for tie in ties))
        return np.mean([score(np.array(sum(order, ()))) for order in orders])

    return mean


@over_orders
def average_precision(relevant):
    """The precision at each relevant row of the first ten."""
    hits = np.cumsum(relevant)[:10] / np.arange(1, min(10, relevant.size) + 1)
    return (hits * relevant[:10]).sum() / min(10, relevant.sum())


@over_orders
def reciprocal_rank(relevant):
    return 1 / (1 + np.argmax(relevant))


@over_orders
def precision(relevant):
    return relevant[:10].mean()


def served(daemon, db, project, target):
    """The model, the test rows, and its scores of them, the bits of XGBoost's."""
    asked = held_out(db)
    answer = daemon.predict(project, asked, encoded=True, explain=True)
    model = oracle.StoredModel(db, answer["model_id"])
    items = answer["predictions"]
    margins = model.margins([i["encoded"] for i in items])
    assert (oracle.bits([i["margin"] for i in items]) == oracle.bits(margins)).all()
    assert (oracle.bits([i["prediction"] for i in items]) == oracle.bits(margins)).all()
    told = [i["explanation"]["bias"] + sum(i["explanation"]["columns"].values()) for i in items]
    assert np.allclose(told, margins, rtol=1e-4, atol=1e-4)
    model.check_golden()
    return model, asked, lists_of(asked, target, margins.astype(float))


@pytest.mark.parametrize("objective, target", [
    ("rank:ndcg", "grade"), ("rank:pairwise", "share"), ("rank:map", "clicked")])
def test_objective(rows, cli, definition, daemon, objective, target):
    project = "r_" + objective[5:]
    keys = {} if objective == "rank:ndcg" else {"objective": objective}
    daemon.wait_live(project, train(cli, definition, project, target, **keys))
    model, asked, lists = served(daemon, rows, project, target)
    assert objective in model.booster.save_config()
    assert model.labels is None and not model.calibration
    assert len(asked) == model.metrics["rows"] > 200
    relevant = {q: ys for q, ys in lists.items() if ys[0].any()}
    assert len(relevant) < len(lists)
    oracle.assert_metrics(model.metrics, {
        "ndcg": mean_ndcg(lists),
        "map": np.mean([average_precision(*ys) for ys in relevant.values()]),
        "mrr": np.mean([reciprocal_rank(*ys) for ys in relevant.values()]),
        "precision_at_k": np.mean([precision(*ys) for ys in lists.values()]),
    })
    # any order is as likely: scikit-learn's ties
    blind = mean_ndcg({q: (y, np.zeros(y.size)) for q, (y, s) in lists.items()})
    oracle.assert_metrics(model.metrics["baseline"], {"ndcg": blind})
    assert model.metrics["baseline"]["kind"] == "random_order"
    assert model.metrics["ndcg"] > blind + 0.6 * (1 - blind), (model.metrics["ndcg"], blind)
    skill = model.metrics["skill"]
    assert abs(skill["value"] - (1 - (1 - model.metrics["ndcg"]) / (1 - blind))) < 1e-9
    assert 0 < skill["low"] < skill["value"] < skill["high"] < 1
    importance = model.metrics["importance"]["permutation"]
    assert importance["x"] > importance["colour"] > 0 and model.metrics["learning_curve"]


@pytest.mark.parametrize("algorithm", ALGORITHMS[1:])
def test_algorithm(rows, cli, definition, daemon, algorithm):
    project = "r_" + algorithm
    hyperparams = {} if algorithm == "random_forest" else {"n_estimators": 40}
    daemon.wait_live(project, train(cli, definition, project, algorithms=[algorithm],
                                    hyperparams=hyperparams))
    model, _, lists = served(daemon, rows, project, "grade")
    oracle.assert_metrics(model.metrics, {"ndcg": mean_ndcg(lists)})
    blind = model.metrics["baseline"]["ndcg"]
    # a sum of numbers alone cannot take the shift of a list out of x
    assert model.metrics["ndcg"] > blind + 0.4 * (1 - blind), (algorithm, model.metrics["ndcg"])


def test_trained_as_xgboost_trains_lists(rows, cli, definition, daemon):
    """The same rows by Python, grouped by hand: the lists' members are what the objective saw."""
    hyperparams = {"n_estimators": 12, "max_depth": 4, "eta": 0.3, "min_child_weight": 0,
                   "subsample": 1, "colsample_bytree": 1, "colsample_bylevel": 1, "lambda": 1,
                   "early_stopping_rounds": 1000}
    daemon.wait_live("by_hand", train(cli, definition, "by_hand", hyperparams=hyperparams,
                                      objective="rank:ndcg"))
    learnt = oracle.rows_as_json(rows, f"""
        SELECT *, {oracle.row_hash('query')} AS list_hash, {oracle.row_hash('id')} AS hash
        FROM public.offers WHERE {oracle.row_hash('query')} >= 0.2""")
    answer = daemon.predict("by_hand", [{k: row[k] for k in ("x", "shift", "colour")}
                                        for row in learnt], encoded=True)
    model = oracle.StoredModel(rows, answer["model_id"])
    encoded = [item["encoded"] for item in answer["predictions"]]
    # validation lists are those of the largest hashes; XGBoost draws pairs by a list's place
    order = sorted(range(len(learnt)), key=lambda i: (learnt[i]["list_hash"], learnt[i]["hash"]))
    stats = rows.value("SELECT stats FROM pgboost.runs r JOIN pgboost.projects p"
                       " ON p.id = r.project_id WHERE p.name = 'by_hand'")
    assert stats["train"] + stats["valid"] == len(learnt)
    assert stats["split"]["by"] == "group" and stats["split"]["groups"] == LISTS
    matrix = model.matrix([encoded[i] for i in order])
    matrix.set_label([learnt[i]["grade"] for i in order])
    numbers = {q: n for n, q in enumerate(dict.fromkeys(learnt[i]["query"] for i in order))}
    matrix.set_info(qid=np.array([numbers[learnt[i]["query"]] for i in order], dtype=np.uint32))
    config = json.loads(model.booster.save_config())["learner"]
    rounds = model.booster.num_boosted_rounds()
    by_hand = xgboost.train(
        {**{k: v for k, v in hyperparams.items() if k not in ("n_estimators",
                                                              "early_stopping_rounds")},
         "objective": "rank:ndcg", "base_score": 0, "tree_method": "hist", "nthread": 1,
         "seed": 42, "seed_per_iteration": 1}, matrix, rounds)
    assert config["learner_train_param"]["objective"] == "rank:ndcg"
    theirs = by_hand.predict(matrix, output_margin=True)
    ours = model.margins([encoded[i] for i in order])
    assert np.abs(theirs - ours).max() < 1e-5 and np.std(ours) > 0.3


def test_lists_stay_whole_in_a_split_by_time(rows, cli, definition, daemon):
    """A list is as old as its newest row: none that trains is newer than one that tests."""
    model_id = train(cli, definition, "r_time", time="at", exclude=["doubled", "clicked", "share",
                                                                    "at"])
    stats = rows.value("SELECT stats FROM pgboost.runs r JOIN pgboost.models m ON m.run_id = r.id"
                       " WHERE m.id = %s", model_id)
    ends = rows.sql("SELECT query, max(at), count(*) FROM public.offers GROUP BY 1 ORDER BY 2 DESC")
    total, tested, n = sum(e[2] for e in ends), [], 0
    for query, at, size in ends:
        if n + size > 0.2 * total:
            break
        tested.append(query)
        n += size
    assert stats["test"] == n
    assert stats["split"]["test_from"] == ends[len(tested) - 1][1].isoformat()
    assert stats["split"]["group"] == "query"
    newest_learnt = rows.value("SELECT max(at) FROM public.offers WHERE query <> ALL(%s)", tested)
    assert newest_learnt < ends[len(tested) - 1][1]
    daemon.wait_live("r_time", model_id)
    asked = oracle.rows_as_json(rows, "SELECT * FROM public.offers")
    asked = [row for row in asked if row["query"] in tested]
    scores = [i["prediction"] for i in daemon.predict("r_time", asked)["predictions"]]
    model = oracle.StoredModel(rows, model_id)
    oracle.assert_metrics(model.metrics, {"ndcg": mean_ndcg(lists_of(
        asked, "grade", np.array(scores, dtype=np.float32).astype(float)))})


def test_lists_are_weighed(rows, cli, definition, daemon):
    daemon.wait_live("r_weight", train(cli, definition, "r_weight", weight="doubled",
                                       exclude=["at", "clicked", "share"]))
    model, asked, lists = served(daemon, rows, "r_weight", "grade")
    weights = {row["query"]: row["doubled"] for row in asked}
    oracle.assert_metrics(model.metrics, {"ndcg": mean_ndcg(lists, weights)})
    assert abs(model.metrics["ndcg"] - mean_ndcg(lists)) > 1e-6
    plain = rows.value("SELECT sha256 FROM pgboost.models m JOIN pgboost.projects p"
                       " ON p.id = m.project_id WHERE p.name = 'r_ndcg'")
    assert plain != model.sha256


def test_models_meet_on_the_same_lists(rows, cli, definition):
    """A worse one stays out, and the best is found again."""
    first = train(cli, definition, "r_meet", hyperparams={"n_estimators": 40})
    cli.ok("apply", define(definition, "r_meet", include=["shift", "colour"], exclude=[]))
    cli.ok("train", "r_meet", "--here")
    assert cli.json("show", "r_meet")["project"]["live_model_id"] == first
    decision = rows.sql("SELECT reason, refused FROM pgboost.deployments d JOIN pgboost.projects p"
                        " ON p.id = d.project_id WHERE p.name = 'r_meet' ORDER BY d.id")[-1]
    assert "not better: ndcg" in decision[0] and decision[1], decision
    worse = rows.value("SELECT max(m.id) FROM pgboost.models m JOIN pgboost.projects p"
                       " ON p.id = m.project_id WHERE p.name = 'r_meet'")
    cli.ok("deploy", "r_meet", "--model", worse)
    cli.ok("deploy", "r_meet", "--strategy", "best_score")
    assert cli.json("show", "r_meet")["project"]["live_model_id"] == first


def test_the_same_model_from_memory_and_disk_in_any_order(rows, cli, definition, tmp_path):
    """Lists are put together wherever the relation and the spill files leave their rows."""
    found = []
    for relation, above in [("offers", "1 GiB"), ("offers", "4 KiB"), ("turned_offers", "4 KiB")]:
        if relation != "offers":
            rows.sql("CREATE TABLE public.turned_offers AS SELECT * FROM public.offers"
                     " ORDER BY cos(id)")
        cli.ok("apply", define(definition, "r_spilled", relation=f"public.{relation}",
                               weight="doubled", exclude=["at", "clicked", "share"],
                               hyperparams={"n_estimators": 20}, deploy="never"))
        cli.ok("train", "r_spilled", "--here",
               env={"PGBOOST_SPILL_ABOVE": above, "TMPDIR": str(tmp_path)})
        found.append(rows.sql(
            "SELECT model, encoder, metrics FROM pgboost.models m JOIN pgboost.projects p"
            " ON p.id = m.project_id WHERE p.name = 'r_spilled' ORDER BY m.id DESC LIMIT 1")[0])
        found[-1] = (bytes(found[-1][0]), *found[-1][1:])
    assert found[0] == found[1] == found[2]
    nowhere = cli("train", "r_spilled", "--here",
                  env={"PGBOOST_SPILL_ABOVE": "4 KiB", "TMPDIR": str(tmp_path / "gone")})
    assert nowhere.code == 1 and "spill" in nowhere.err


def test_evaluate_wants_the_lists(rows, cli, definition, daemon):
    train(cli, definition, "r_measured")
    daemon.wait_live("r_measured")
    rows.sql("CREATE VIEW public.fresh_offers AS SELECT grade, colour, x, shift,"
             " 'again ' || query AS query FROM public.offers WHERE id % 3 > 0 ORDER BY cos(id)")
    found = oracle.rows_as_json(rows, "SELECT * FROM public.fresh_offers")
    scores = [i["prediction"] for i in daemon.predict("r_measured", [
        {k: row[k] for k in ("x", "shift", "colour")} for row in found])["predictions"]]
    measured = cli.json("evaluate", "r_measured", "--from", "public.fresh_offers")
    assert measured["rows"] == len(found)
    oracle.assert_metrics(measured["metrics"], {"ndcg": mean_ndcg(lists_of(
        found, "grade", np.array(scores, dtype=np.float32).astype(float)))})
    rows.sql("CREATE VIEW public.no_lists AS SELECT grade, colour, x, shift FROM public.offers")
    result = cli("evaluate", "r_measured", "--from", "public.no_lists")
    assert result.code != 0 and '"query" (the group) is not there' in result.err


def before(places):
    """For each row how many are of a smaller place."""
    return np.searchsorted(np.sort(places), places, side="left")


def folds_of(db, by_time, n_folds):
    """The fold in which each list validates, by the README's rule; none for the test's."""
    place = "extract(epoch FROM max(at) OVER (PARTITION BY query))" if by_time \
        else oracle.row_hash("query")
    found = db.sql(f"SELECT query, ({place})::float8, grade FROM public.offers")
    places = np.array([place for _, place, _ in found])
    if by_time:
        border = min(p for p in places if (places >= p).sum() <= 0.2 * len(places))
        rest = np.sort(places[places < border])
        middle = rest[len(rest) - len(rest) // 2]
        if rest[len(rest) - len(rest) // 2 - 1] == middle:
            middle = rest[rest > middle][0]
        dealt = (places < border) & (places >= middle)
    else:
        dealt = places >= 0.2
    fold = np.full(len(places), -1)
    fold[dealt] = n_folds * before(places[dealt]) // dealt.sum()
    lists = {}
    for k, (query, _, grade) in zip(fold, found):
        lists.setdefault(query, (k, []))[1].append(grade)
    return lists


@pytest.mark.parametrize("by_time", [False, True])
def test_folds_keep_lists_whole(rows, cli, definition, by_time):
    """The score is the mean over all lists: each fold's counts as often as it has lists that say
    something. What goes live has learnt from the test's lists too."""
    project = f"r_folds_{by_time}"
    keys = {"time": "at", "exclude": ["doubled", "clicked", "share"]} if by_time else {}
    live = train(cli, definition, project, search={"strategy": "none", "folds": 4}, refit="all",
                 **keys)
    score, scores = rows.sql(
        "SELECT t.score, t.fold_scores FROM pgboost.trials t JOIN pgboost.models m"
        " USING (run_id) WHERE m.id = %s", live)[0]
    lists = folds_of(rows, by_time, 4)
    n = [sum(k == fold and any(grades) for k, grades in lists.values()) for fold in range(4)]
    assert len(scores) == 4 and len(set(n)) > 1
    assert np.isclose(score, np.average(scores, weights=n), rtol=1e-9)
    assert abs(score - np.mean(scores)) > 1e-9
    model = oracle.StoredModel(rows, live)
    assert model.metrics["refit"] == {"rows": sum(len(grades) for _, grades in lists.values())}
    assert model.metrics["rows"] < model.metrics["refit"]["rows"]
    model.check_golden()


def test_evaluate_weighs_lists(rows, cli, definition):
    train(cli, definition, "r_weighed", weight="doubled",
          exclude=["at", "clicked", "share"])
    rows.sql("CREATE VIEW public.mixed_offers AS SELECT grade, colour, x, shift, query,"
             " 1 + id % 2 AS doubled FROM public.offers")
    result = cli("evaluate", "r_weighed", "--from", "public.mixed_offers")
    assert result.code != 0 and 'weight "doubled" differs within' in result.err
    weighed = cli.json("evaluate", "r_weighed", "--from", "public.offers")
    rows.sql("CREATE VIEW public.plain_offers AS SELECT grade, colour, x, shift, query"
             " FROM public.offers")
    plain = cli.json("evaluate", "r_weighed", "--from", "public.plain_offers")
    assert weighed["weight"] == "doubled" and plain["weight"] is None
    assert weighed["metrics"]["ndcg"] != plain["metrics"]["ndcg"]


def test_out_and_in_again(rows, cli, definition, daemon, tmp_path):
    keys = {"include": ["x", "shift"], "exclude": []}
    model_id = train(cli, definition, "r_out", **keys)
    path, other = tmp_path / "ranker.ubj", tmp_path / "other.ubj"
    cli.ok("export", model_id, "-o", path)
    again = cli.json("import", "r_out", path)["model_id"]
    assert oracle.StoredModel(rows, again).metrics["ndcg"] == \
        oracle.StoredModel(rows, model_id).metrics["ndcg"]
    # what another task learnt is no score
    cli.ok("apply", define(definition, "r_plain", task="regression", **keys))
    cli.ok("train", "r_plain", "--here")
    cli.ok("export", cli.json("show", "r_plain")["project"]["live_model_id"], "-o", other)
    result = cli("import", "r_out", other)
    assert result.code != 0 and "the project's task is ranking" in result.err


@pytest.mark.parametrize("keys, says", [
    ({"group": None}, 'a ranking needs the key "group"'),
    ({"test": {"by": "random"}}, "a ranking is split by whole lists"),
    ({"calibration": "platt"}, "a ranking has no probabilities"),
    ({"threshold": 0.5}, "a ranking has no probabilities"),
    ({"objective": "reg:squarederror"}, "available: rank:ndcg, rank:pairwise, rank:map"),
    ({"metric": "rmse"}, "for this target there are: ndcg, map, mrr, precision_at_k"),
    ({"target": "colour", "exclude": []}, "ranking needs a number"),
    ({"event": "clicked"}, 'only "task": "survival" has it'),
])
def test_definitions_that_cannot_be(rows, cli, definition, keys, says):
    result = cli("apply", define(definition, "r_refused", **keys))
    assert result.code == 78 and says in result.err, result.err


@pytest.mark.parametrize("change, keys, says", [
    ("SELECT *, grade - 1 AS bad FROM public.offers", {},
     'objective "rank:ndcg" needs whole numbers from 0 to 30, and target "bad" has others'),
    ("SELECT *, share AS bad FROM public.offers", {}, "needs whole numbers from 0 to 30"),
    ("SELECT *, grade AS bad FROM public.offers", {"objective": "rank:map"}, "needs 0 or 1"),
    ("SELECT *, grade AS bad, nullif(query, 'query 7') AS q FROM public.offers", {"group": "q"},
     'group "q" is NULL in 12 of'),
    ("SELECT *, grade AS bad, id::text AS q FROM public.offers", {"group": "q"},
     "rows of different \"bad\""),
    ("SELECT *, grade AS bad, 'all' AS q FROM public.offers", {"group": "q"}, "of 1 group"),
    ("SELECT *, hashtext(query) % 3 + 3 AS bad FROM public.offers", {},
     "none of the lists of \"query\""),
    ("SELECT *, grade AS bad, id % 2 + 1 AS w FROM public.offers", {"weight": "w"},
     'weight "w" differs within'),
])
def test_rows_that_cannot_be_learnt(rows, cli, definition, change, keys, says):
    rows.sql("DROP VIEW IF EXISTS public.bad_offers")
    rows.sql(f"CREATE VIEW public.bad_offers AS {change}")
    cli.ok("apply", define(definition, "r_bad", "bad", relation="public.bad_offers",
                           exclude=["at", "doubled", *TARGETS], **keys))
    result = cli("train", "r_bad", "--here")
    assert result.code == 1 and says in result.err, result.err
    assert rows.value("SELECT count(*) FROM pgboost.models JOIN pgboost.projects p"
                      " ON p.id = project_id WHERE name = 'r_bad'") == 0


def test_no_interval_of_a_score(rows, cli, definition, daemon):
    daemon.wait_live("r_ndcg")
    answer = daemon.post("/predict", {"project": "r_ndcg", "features": {}, "interval": 0.9})
    assert answer.status_code == 400 and "is ranking" in answer.text
