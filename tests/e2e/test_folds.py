"""Cross-validation: which rows train and validate in which fold, worked out in SQL and numpy as
models/README.md documents it, and trained again by python3-xgboost; and models that are refitted on
all rows while a twin is measured."""

import numpy as np
import pytest
import xgboost
from sklearn import metrics as skm

import oracle

RELATION = """
CREATE TABLE public.f AS
SELECT i AS id, x, y, 3 * x + noise AS amount, x + noise > 0.3 AS answer,
       'c' || (i * 7919 % 1300) % 40 AS customer,
       timestamp '2020-01-01' + (i / 3) * interval '1 hour'
           AS at, 1 + (i % 4) / 2.0 AS w
FROM (SELECT i, sin(i * 12.9898)::float8 * 2 AS x, cos(i * 78.233)::float4 AS y,
             sin(i * 4.1414)::float8 AS noise FROM generate_series(1, 600) i) s
"""
ROUNDS = 25


@pytest.fixture(scope="module")
def rows(catalog):
    catalog.sql(RELATION)
    return catalog


def apply(cli, definition, **keys):
    defaults = {"relation": "public.f", "key": ["id"], "search": {"strategy": "none"},
                "include": ["x", "y"], "threads": 1,
                "hyperparams": {"n_estimators": ROUNDS, "max_depth": 3}}
    cli.ok("apply", definition(**{**defaults, **keys}))


def last(db, project):
    """The last run's model, stats and trial."""
    model_id, stats, trial = db.sql(
        "SELECT r.model_id, r.stats, to_jsonb(t) FROM pgboost.runs r"
        " JOIN pgboost.projects p ON p.id = r.project_id"
        " JOIN pgboost.models m ON m.id = r.model_id JOIN pgboost.trials t ON t.id = m.trial_id"
        " WHERE p.name = %s ORDER BY r.id DESC LIMIT 1", project)[0]
    return oracle.StoredModel(db, model_id), stats, trial


def train(cli, definition, **keys):
    apply(cli, definition, **keys)
    cli.ok("train", keys["project"], "--here")
    return last(cli.db, keys["project"])


def read(db, by, target):
    """All rows in the order of their hash, with what they are split by."""
    place = {"group": oracle.row_hash("customer"), "time": "extract(epoch FROM at)"}.get(
        by, oracle.row_hash("id"))
    found = db.sql(f"SELECT id, {place}::float8, x, y, {target}::int::float8, w::float8"
                   f" FROM public.f ORDER BY {oracle.row_hash('id')}"
                   .replace("amount::int", "amount"))
    return np.array(found, dtype=float)


def before(places):
    """For each row how many are of a smaller place."""
    return np.searchsorted(np.sort(places), places, side="left")


def parts(data, by, n_folds, size=0.2):
    """Test rows, and (train, valid) of each fold, as masks."""
    places, y = data[:, 1], data[:, 4]
    n = len(data)
    if by == "time":
        border = min(t for t in places if (places >= t).sum() <= size * n)
        test = places >= border
        rest = np.sort(places[~test])
        border = len(rest) - len(rest) // 2
        middle = rest[border]
        if rest[border - 1] == middle:
            middle = rest[rest > middle][0]
        newer = ~test & (places >= middle)
        fold = np.where(newer, 0, -1)
        fold[newer] = n_folds * before(places[newer]) // newer.sum()
        return test, [((~test) & (fold < k), fold == k) for k in range(n_folds)]
    fold = np.full(n, -1)
    test = np.zeros(n, bool)
    for label in np.unique(y) if by == "stratified" else [None]:
        mine = np.flatnonzero((y == label) if label is not None else np.ones(n, bool))
        if by == "stratified":
            test[mine[np.argsort(places[mine])[:int(np.floor(size * len(mine) + 0.5))]]] = True
        else:
            test[mine] = places[mine] < size
        rest = mine[~test[mine]]
        fold[rest] = n_folds * before(places[rest]) // len(rest)
    return test, [(~test & (fold != k), fold == k) for k in range(n_folds)]


def again(data, learn, params, rounds, binary, weighted=False):
    """The model of these rows, in their order, by python3-xgboost."""
    y, w = data[learn, 4], data[learn, 5] if weighted else np.ones(len(data))[learn]
    mean, total = 0.0, 0.0
    for value, weight in zip(y, w):
        total += weight
        mean += (value - mean) * weight / total
    matrix = xgboost.QuantileDMatrix(data[learn, 2:4].astype(np.float32),
                                     label=y.astype(np.float32),
                                     weight=w.astype(np.float32) if weighted else None,
                                     feature_names=["x", "y"], feature_types=["q", "q"])
    return xgboost.train(
        {**params, "objective": "binary:logistic" if binary else "reg:squarederror",
         "tree_method": "hist", "nthread": 1, "seed": 42, "seed_per_iteration": True,
         "base_score": mean}, matrix, num_boost_round=rounds)


def ask(booster, data, mask, rounds, **options):
    return booster.predict(xgboost.DMatrix(
        data[mask, 2:4].astype(np.float32), feature_names=["x", "y"], feature_types=["q", "q"]),
        iteration_range=(0, rounds), **options).astype(float)


def params_of(db, model):
    found = db.value("SELECT hyperparams FROM pgboost.models WHERE id = %s", model.id)
    return {k: v for k, v in found.items() if k not in ("n_estimators", "early_stopping_rounds")}


def loss(y, p, binary):
    return skm.log_loss(y, p, labels=[0, 1]) if binary else \
        float(np.sqrt(skm.mean_squared_error(y, p)))


@pytest.mark.parametrize("by, metric", [("random", None), ("stratified", None), ("group", None),
                                        ("time", None), ("stratified", "roc_auc")])
def test_folds_are_those_of_the_readme(rows, cli, definition, by, metric):
    binary = by == "stratified"
    target, name = "answer" if binary else "amount", f"cv_{by}_{metric}"
    keys = {"time": {"time": "at"}, "group": {"group": "customer"}}.get(by, {})
    model, stats, trial = train(cli, definition, project=name, target=target, metric=metric,
                                test={"by": by}, search={"strategy": "none", "folds": 4},
                                calibration="none" if binary else None, **keys)
    data = read(rows, by, target)
    test, folds = parts(data, by, 4)
    assert stats["folds"] == len(folds) == 4 and stats["test"] == test.sum()
    params = params_of(rows, model)
    best, scores, y_all, p_all, curves = [], [], [], [], []
    for learn, valid in folds:
        if by == "time":  # nothing that trains is newer than what validates or tests
            assert data[learn, 1].max() < data[valid, 1].min()
            assert data[valid, 1].max() < data[test, 1].min()
        if by == "group":
            assert not set(data[learn, 1]) & set(data[valid, 1])
        booster = again(data, learn, params, ROUNDS, binary)
        losses = [loss(data[valid, 4], ask(booster, data, valid, r + 1), binary)
                  for r in range(ROUNDS)]
        curves.append(losses)
        best.append(int(np.argmin(losses)) + 1)
        p = ask(booster, data, valid, best[-1])
        scores.append(skm.roc_auc_score(data[valid, 4], p) if metric else min(losses))
        y_all.append(data[valid, 4])
        p_all.append(p)
    assert np.allclose(trial["fold_scores"], scores, rtol=1e-9)
    rounds = int(np.floor(np.mean(best) + 0.5))
    assert trial["rounds"] == rounds == model.metrics["rounds"]
    together = np.mean(scores) if metric else loss(np.concatenate(y_all), np.concatenate(p_all),
                                                   binary)
    assert abs(trial["score"] - together) < 1e-9 * abs(together)
    validation = model.metrics["validation"]
    assert validation["rows"] == sum(map(len, y_all))
    assert validation["folds"] == trial["fold_scores"]
    assert np.allclose(model.metrics["learning_curve"]["valid"], np.mean(curves, axis=0), rtol=1e-9)
    # the final model is of all rows but the test rows: those that validate in the last fold last
    learn, valid = folds[-1]
    order = np.concatenate([np.flatnonzero(learn), np.flatnonzero(valid)])
    assert set(order) == set(np.flatnonzero(~test))
    final = again(data, order, params, rounds, binary)
    assert (oracle.bits(ask(final, data, test, rounds, output_margin=True)) ==
            oracle.bits(ask(model.booster, data, test, rounds, output_margin=True))).all()


def test_few_rows_are_cross_validated(rows, cli, definition):
    _, stats, _ = train(cli, definition, project="few", target="amount")
    assert stats["folds"] == 5
    _, stats, trial = train(cli, definition, project="one", target="amount",
                            search={"strategy": "none", "folds": 1})
    assert stats["folds"] == 1 and trial["fold_scores"] == [trial["score"]]
    rows.sql("CREATE VIEW public.f_more AS SELECT id + 600 * k AS id, x + k AS x, y, amount"
             " FROM public.f, generate_series(0, 1) k")
    _, stats, _ = train(cli, definition, project="more", target="amount", relation="public.f_more")
    assert stats["folds"] == 1


def test_what_was_not_learnt_from_calibrates(rows, cli, definition):
    """All of the rows that validate in some fold have their residual."""
    model, _, _ = train(cli, definition, project="residuals", target="amount",
                        search={"strategy": "none", "folds": 3})
    stored = rows.value("SELECT calibration FROM pgboost.models WHERE id = %s", model.id)
    _, folds = parts(read(rows, "random", "amount"), "random", 3)
    assert stored["residuals"]["rows"] == model.metrics["validation"]["rows"] == \
        sum(valid.sum() for _, valid in folds)


BAD = [  # relation, keys, what is said
    ("SELECT *, timestamp '2020-01-01'"
     " + ((id > 300)::int + (id > 480)::int) * interval '1 day' AS z"
     " FROM public.f", {"time": "z"}, "600 rows, 120 of them for the test, leave 1 of 5 folds"),
    ("SELECT *, id % 3 AS g FROM public.f", {"group": "g", "test": {"size": 0.01}},
     "2 folds in place of 5"),
    ("SELECT * FROM public.f WHERE id <= 10", {}, None),
    ("SELECT id, x, y, CASE id WHEN 9 THEN 'rare' WHEN 8 THEN 'other' WHEN 18 THEN 'other'"
     " ELSE answer::text END AS amount FROM public.f", {}, None),
    ("SELECT id, x, y, id = 9 OR id = 18 AS amount FROM public.f WHERE id <= 40", {}, None),
    ("SELECT id, x, y, id % 9 = 0 AND id < 30 AS amount FROM public.f WHERE id <= 40",
     {"metric": "roc_auc"}, None),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_too_little_for_folds(rows, cli, definition, number):
    """By default a hold-out where there must be one; asked for by hand, an error or fewer folds."""
    query, keys, said = BAD[number]
    name = f"bad_{number}"
    rows.sql(f"CREATE VIEW public.f_{name} AS {query}")
    apply(cli, definition, project=name, target="amount", relation=f"public.f_{name}",
          search={"strategy": "none", "folds": 5}, **keys)
    result = cli("train", name, "--here")
    text = result.out + result.err
    assert said is None or said in text, text
    if number == 0:
        assert result.code == 1
        apply(cli, definition, project=name, target="amount", relation=f"public.f_{name}", **keys)
        result = cli("train", name, "--here")  # nor is there a hold-out of one time
        assert result.code == 1 and "480 for training, 0 for validation" in result.out + result.err
        return
    assert result.code == 0, text
    model, stats, trial = last(rows, name)
    assert stats["folds"] == len(trial["fold_scores"]) == (2 if number == 1 else 5)
    assert trial["score"] is not None
    model.check_golden()
    if number == 5:  # two rows of a class are in two folds: the mean is theirs
        assert trial["fold_scores"].count(None) == 3
        assert trial["score"] == np.mean([s for s in trial["fold_scores"] if s is not None])


def test_folds_that_leave_nothing_to_learn(rows, cli, definition):
    """The first block of times has one answer: asked for, an error; else a hold-out."""
    rows.sql("CREATE VIEW public.f_late AS SELECT id, x, y, at, id > 350 AS amount FROM public.f")
    apply(cli, definition, project="late", target="amount", relation="public.f_late", time="at",
          search={"strategy": "none", "folds": 5})
    result = cli("train", "late", "--here")
    assert result.code == 1 and 'fold 1 of 5: target "amount" is "false" in all' in \
        result.out + result.err
    _, stats, _ = train(cli, definition, project="late", target="amount",
                        relation="public.f_late", time="at")
    assert stats["folds"] == 1


# ---------------------------------------------------------------- refitted on all rows


OVERFIT = {"n_estimators": 60, "max_depth": 12, "eta": 0.5, "lambda": 0, "min_child_weight": 0}


def twin_of(db, model):
    return oracle.StoredModel(db, db.value("SELECT id FROM pgboost.models WHERE twin_of = %s",
                                           model.id))


def test_what_goes_live_has_seen_the_test_rows(rows, cli, definition, daemon):
    name = "all_rows"
    model, stats, _ = train(cli, definition, project=name, target="amount", time="at",
                            weight="w", search={"strategy": "none", "folds": 1}, refit="all")
    twin = twin_of(rows, model)
    data = read(rows, "time", "amount")
    test, _ = parts(data, "time", 4)
    rounds = model.metrics["rounds"]
    # the split's parts follow each other, each by the hash: only the newest are held out
    n_valid = stats["valid"]
    valid_from = np.sort(data[~test, 1])[::-1][n_valid - 1]
    valid = ~test & (data[:, 1] >= valid_from)
    assert valid.sum() == n_valid
    order = [np.flatnonzero(~test & ~valid), np.flatnonzero(valid), np.flatnonzero(test)]
    params = params_of(rows, model)
    for stored, learn in ((model, np.concatenate(order)), (twin, np.concatenate(order[:2]))):
        final = again(data, learn, params, rounds, False, weighted=True)
        everything = np.ones(len(data), bool)
        assert (oracle.bits(ask(final, data, everything, rounds)) ==
                oracle.bits(ask(stored.booster, data, everything, rounds))).all()
        stored.check_golden()
    assert model.sha256 != twin.sha256
    # what is said of it is its twin's
    refit = model.metrics.pop("refit")
    assert refit == {"rows": len(data)} and model.metrics == twin.metrics
    rmse = np.sqrt(np.average((ask(twin.booster, data, test, rounds) - data[test, 4]) ** 2,
                              weights=data[test, 5]))
    oracle.assert_metrics(model.metrics, {"rmse": float(rmse)})
    assert len({c for (c,) in rows.sql("SELECT calibration::text FROM pgboost.models"
                                       " WHERE id IN (%s, %s)", model.id, twin.id)}) == 1
    daemon.wait_live(name, model.id)
    answer = daemon.predict(name, {"x": 0.5, "y": 0.25})
    assert answer["model_id"] == model.id
    # people and strategies do not meet the twin
    listed = cli.json("models", name)["items"]
    assert [(m["id"], m["measured_by"]) for m in listed] == [(model.id, twin.id)]
    assert f"measured and compared by its twin, model {twin.id}" in cli.ok("show", name).out
    assert rows.sql("SELECT model_id FROM pgboost.leaderboard WHERE project = %s", name) == \
        [(model.id,)]
    assert rows.value("SELECT models FROM pgboost.overview WHERE project = %s", name) == 1
    refused = cli("deploy", name, "--model", str(twin.id))
    assert refused.code == 1 and f"the twin that measures model {model.id}" in refused.err
    for strategy in ("most_recent", "best_score"):
        cli.ok("deploy", name, "--strategy", strategy)
        assert rows.value("SELECT live_model_id FROM pgboost.projects WHERE name = %s",
                          name) == model.id


def test_what_has_seen_the_test_rows_is_not_compared_on_them(rows, cli, definition):
    """A champion that knows the test rows by heart would beat any honest model on them."""
    name, keys = "leak", {"target": "amount", "refit": "all", "keep": 1}
    champion, _, _ = train(cli, definition, project=name, hyperparams=OVERFIT, **keys)
    data = read(rows, "random", "amount")
    test, _ = parts(data, "random", 5)
    rows.sql(f"CREATE VIEW public.f_test AS SELECT * FROM public.f"
             f" WHERE {oracle.row_hash('id')} < 0.2")
    leaked = cli.json("evaluate", name, "--from", "public.f_test")
    assert leaked["rows"] == test.sum()
    challenger, _, _ = train(cli, definition, project=name, **keys)
    assert leaked["metrics"]["rmse"] < 0.5 * challenger.metrics["rmse"]
    assert challenger.metrics["rmse"] < 0.95 * champion.metrics["rmse"]
    live, reason = rows.sql(
        "SELECT p.live_model_id, d.reason FROM pgboost.projects p JOIN pgboost.deployments d"
        " ON d.project_id = p.id AND d.model_id = %s WHERE p.name = %s", challenger.id, name)[0]
    assert live == challenger.id
    assert f"{champion.metrics['rmse']:.6g} of live model {champion.id}" in reason, reason
    # nor do those that are chosen by their score
    cli.ok("deploy", name, "--model", str(champion.id))
    cli.ok("deploy", name, "--strategy", "best_score")
    assert rows.value("SELECT live_model_id FROM pgboost.projects WHERE name = %s",
                      name) == challenger.id
    # the same again is not better than its twin; what is pruned takes its twin with it
    train(cli, definition, project=name, **keys)
    assert rows.value("SELECT reason FROM pgboost.deployments ORDER BY id DESC LIMIT 1"
                      ).startswith("not better: rmse")
    for _ in range(2):
        train(cli, definition, project=name, **keys)
    owners, twins = rows.sql(
        "SELECT count(*) FILTER (WHERE twin_of IS NULL), count(twin_of) FROM pgboost.models m"
        " JOIN pgboost.projects p ON p.id = m.project_id WHERE p.name = %s", name)[0]
    assert owners == twins and 1 < owners < 5


def test_folds_and_twins_repeat_themselves(rows, cli, definition):
    made = []
    for name in ("again_a", "again_b"):
        for trials in (1, 2):
            apply(cli, definition, project=name, target="answer", refit="all",
                  search={"folds": 3, "trials": trials},
                  hyperparams={"n_estimators": 15, "subsample": 0.7})
            cli.ok("train", name, "--here")
        found = rows.sql(
            "SELECT m.sha256, m.encoder::text, m.golden::text, m.calibration::text,"
            " m.metrics::text, m.hyperparams::text FROM pgboost.models m JOIN pgboost.projects p"
            " ON p.id = m.project_id WHERE p.name = %s ORDER BY m.id", name)
        reasons = rows.sql("SELECT regexp_replace(reason, 'model \\d+', 'model'), refused"
                           " FROM pgboost.deployments d JOIN pgboost.projects p"
                           " ON p.id = d.project_id WHERE p.name = %s ORDER BY d.id", name)
        assert len(found) == 4 and len(reasons) == 2
        made.append((found, reasons))
    assert made[0] == made[1]
