"""The command line: usage, listings, what init writes, training and deploying by hand."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

from conftest import BIN, wait_for

COMMANDS = ["migrate", "init", "apply", "projects", "show", "train", "cancel", "delete", "deploy",
            "predict", "evaluate", "score", "runs", "trials", "models", "deployments", "export",
            "import", "check",
            "status", "token", "version", "help"]
# Colours, a line's end, right to left, a wide character.
HOSTILE = 'ev"il; --\x1b[31m\n\u202e\u732b'


@pytest.fixture(scope="module")
def shop(catalog, cli):
    """A table with a key, a view of it, and a project of each task."""
    catalog.sql("""
        CREATE SCHEMA shop;
        CREATE TABLE shop.orders (
            order_id bigint PRIMARY KEY, placed_at timestamptz NOT NULL, item text, price numeric,
            customer uuid, quantity int, days float8, late text);
        INSERT INTO shop.orders
            SELECT i, timestamptz '2020-01-01 00:00+00' + i * interval '1 hour', 'item ' || i %% 7,
                   i %% 50, gen_random_uuid(), i %% 3, (i %% 50) * 2 + i %% 3,
                   CASE WHEN i %% 50 > 25 THEN 'sp\u00e4t \U0001f600' ELSE '"on time"' END
            FROM generate_series(1, 600) i;
        CREATE VIEW shop.v AS SELECT * FROM shop.orders;
        """.replace("%%", "%"))
    return catalog


@pytest.fixture(scope="module")
def trained(shop, cli, tmp_path_factory):
    """The project quick, trained twice: the first model is live."""
    path = tmp_path_factory.mktemp("models") / "quick.json"
    path.write_text(json.dumps({
        "project": "quick", "relation": "shop.orders", "target": "days", "key": ["order_id"],
        "search": {"strategy": "none"}, "hyperparams": {"n_estimators": 20}}))
    cli.ok("apply", path)
    cli.ok("train", "quick", "--here")
    cli.ok("train", "quick", "--here")
    return shop


# Usage ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_the_same_both_ways(cli, command):
    page = cli.ok("help", command).out
    assert page == cli.ok(command, "--help").out == cli.ok(command, "-h").out
    assert f"Usage: pgboost {command}" in page and "Example\n" in page
    assert all(len(line) <= 100 for line in page.split("\n")), page
    assert re.search(rf"^  {command} ", cli.ok("help").out, re.MULTILINE)


def test_help_lists_every_command(cli):
    page = cli.ok("help").out
    assert page == cli.ok("--help").out
    listed = re.findall(r"^  (\w+) {2,}", page.split("Options")[0], re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)


def test_version(cli):
    version = cli.json("version")["version"]
    assert cli.ok("version").out == f"pgboost {version}\n" == cli.ok("--version").out


@pytest.mark.parametrize("arguments, said", [
    ([], "no command"),
    (["projekts"], 'did you mean "pgboost projects"?'),
    (["zzzzzz"], "one of migrate"),
    (["--nope"], '"--nope"'),
    (["runs", "--limt", "3"], "did you mean --limit?"),
    (["runs", "--limit"], "needs a value"),
    (["runs", "--limit", "0"], "from 1"),
    (["runs", "--limit=x"], '"x"'),
    (["runs", "--limit", "99999999999999999999"], "whole number"),
    (["runs", "a", "b"], 'unexpected argument "b"'),
    (["runs", "-x"], "-x"),
    (["train"], "usage: pgboost train PROJECT"),
    (["train", "p", "--here", "--no-wait"], "exclude each other"),
    (["train", "p", "--here=yes"], "takes no value"),
    (["deploy", "p", "--model", "1", "--strategy", "rollback"], "exclude each other"),
    (["cancel", "x"], "RUN"),
    (["help", "trains"], "did you mean \"pgboost train\"?"),
    (["predict", "p"], "usage: pgboost predict PROJECT JSON|-"),
    (["evaluate", "p"], "usage: pgboost evaluate PROJECT --from RELATION"),
])
def test_usage_errors(cli, arguments, said):
    result = cli(*arguments)
    assert result.code == 2 and said in result.err and result.out == "", result.err


def test_a_name_may_begin_with_a_dash(catalog, cli):
    result = cli("show", "--", "--help")
    assert result.code == 1 and 'project "--help" does not exist' in result.err


def test_where_the_database_comes_from(catalog, cli):
    """--dsn, else PGBOOST_DSN, else libpq's own."""
    nowhere = "host=127.0.0.1 port=1"
    assert cli("projects", env={"PGBOOST_DSN": nowhere}).code == 69
    cli.ok("projects", "--dsn", catalog.dsn, env={"PGBOOST_DSN": nowhere})
    cli.ok("projects", f"--dsn={catalog.dsn}", env={"PGPORT": "1"})
    # listings need no read_dsn, init no dsn
    cli.ok("projects", env={"PGBOOST_READ_DSN": nowhere})
    assert cli("init", "x.y", "z", env={"PGBOOST_READ_DSN": nowhere}).code == 69


def test_a_bad_dsn_is_a_wrong_configuration(cli):
    result = cli("projects", "--dsn", "host=x pasword=secret")
    assert result.code == 78 and "secret" not in result.err


# Definitions ------------------------------------------------------------------------------------


def test_init_of_a_table(shop, cli, tmp_path):
    result = cli.ok("init", "shop.orders", "days")
    definition = json.loads(result.out)
    assert definition["project"] == "orders_days" and definition["task"] == "regression"
    assert definition["relation"] == "shop.orders" and definition["target"] == "days"
    assert definition["key"] == ["order_id"] and definition["time"] == "placed_at"
    assert definition["metric"] == "rmse" and definition["test"] == {"size": 0.2, "by": "time"}
    assert '"customer" is left out: its type uuid' in result.err
    (tmp_path / "p.json").write_text(result.out)
    assert cli.ok("apply", tmp_path / "p.json").out == "orders_days: created\n"


def test_init_of_a_view_guesses_the_key_and_says_so(shop, cli):
    result = cli.ok("init", "shop.v", "late")
    definition = json.loads(result.out)
    assert definition["key"] == ["order_id"] and "guess" in result.err
    assert definition["task"] == "classification" and definition["metric"] == "log_loss"


def test_init_without_time_or_key(shop, cli):
    shop.sql('CREATE TABLE shop."Oh \u732b" ("a b" int, "y\u00e9" bool)')
    result = cli.ok("init", 'shop."Oh \u732b"', "y\u00e9")
    definition = json.loads(result.out)
    assert definition["project"] == "oh_y" and definition["relation"] == 'shop."Oh \u732b"'
    assert "key" not in definition and "time" not in definition
    assert definition["test"]["by"] == "stratified" and "no column looks like a key" in result.err


@pytest.mark.parametrize("relation, target, said", [
    ("shop.nothing", "x", "nothing"),
    ("shop.orders", "dayz", 'did you mean "days"?'),
    ("shop.orders", "order_id", "key"),
    ("shop.orders", "customer", "customer"),
])
def test_init_refuses(shop, cli, relation, target, said):
    result = cli("init", relation, target)
    assert result.code in (1, 78) and said in result.err and result.out == ""


def test_apply_says_what_it_did(shop, cli, definition):
    keys = dict(project="applied", relation="shop.v", target="days")
    assert cli.ok("apply", definition(**keys)).out == "applied: created\n"
    assert cli.ok("apply", definition(**keys)).out == "applied: unchanged\n"
    assert cli.ok("apply", definition(**keys, seed=7)).out == "applied: updated\n"
    item = cli.json("apply", definition(**keys, seed=7))["items"][0]
    assert item["name"] == "applied" and item["what"] == "unchanged"
    shown = cli.json("show", "applied")["project"]
    assert shown["id"] == item["id"] and shown["definition"] == {**keys, "seed": 7}


def test_apply_a_folder(shop, cli, tmp_path):
    for name in ("b", "a"):
        (tmp_path / f"{name}.json").write_text(json.dumps(
            {"project": f"folder_{name}", "relation": "shop.v", "target": "late"}))
    (tmp_path / "README.md").write_text("not a definition")
    assert cli.ok("apply", tmp_path).out == "folder_a: created\nfolder_b: created\n"
    (tmp_path / "c.json").write_text((tmp_path / "a.json").read_text())
    result = cli("apply", tmp_path)
    assert result.code == 78 and "a.json" in result.err and "c.json" in result.err


def test_apply_an_empty_folder(shop, cli, tmp_path):
    result = cli("apply", tmp_path)
    assert result.code == 78 and "no .json file" in result.err


# Listings ---------------------------------------------------------------------------------------


def test_hostile_text_is_printed_safely(shop, cli):
    """A name from SQL may hold what no definition may."""
    shop.sql("INSERT INTO pgboost.projects (name, definition, relation, target, task, metric,"
             " higher_is_better) VALUES (%s, '{}', 'r', 't', 'regression', 'rmse', false)", HOSTILE)
    try:
        lines = cli.ok("projects").out.split("\n")
        line = next(line for line in lines if "ev" in line)
        assert 'ev"il; --\\x1b[31m\\n\\u202e\u732b' in line
        # the columns line up, the wide character counted twice
        relation = lines[0].index("relation")
        assert line[relation - 1:].startswith("r ") and line[relation - 2] == " "
        assert HOSTILE in [item["name"] for item in cli.json("projects")["items"]]
        assert cli.ok("show", HOSTILE).out.startswith("project")
        result = cli("show", HOSTILE + "x")
        assert "\x1b" not in result.err and "\\x1b" in result.err
    finally:
        shop.sql("DELETE FROM pgboost.projects WHERE name = %s", HOSTILE)


@pytest.mark.parametrize("command", ["runs", "models", "deployments"])
def test_listings_of_an_unknown_project(trained, cli, command):
    result = cli(command, "quik")
    assert result.code == 1 and 'did you mean "quick"?' in result.err


@pytest.mark.parametrize("command", ["projects", "runs", "models", "deployments"])
def test_listings_have_the_same_rows_both_ways(trained, cli, command):
    items = cli.json(command)["items"]
    assert len(items) == len(cli.ok(command).out.strip().split("\n")) - 1 > 0
    if command != "projects":
        assert len(cli.json(command, "--limit", "1")["items"]) == 1


def test_an_empty_listing(shop, cli, definition):
    cli.ok("apply", definition(project="untrained", relation="shop.v", target="days"))
    result = cli.ok("models", "untrained")
    assert result.out == "" and "pgboost train" in result.err
    assert cli.json("models", "untrained") == {"items": [], "next": None}


# Training and deploying -------------------------------------------------------------------------


def test_train_here_prints_the_result(trained, cli):
    result = cli.ok("train", "quick", "--here")
    model = cli.json("runs", "quick")["items"][0]["model_id"]
    assert f"trained model {model}" in result.out and "test rows" in result.out
    assert re.search(r"^rmse +\S+ +\S+$", result.out, re.MULTILINE)
    assert "not deployed: " in result.out
    assert re.search(r"^run \d+: queued$", result.err, re.MULTILINE) and "\x1b" not in result.err


def test_train_json(trained, cli):
    answer = cli.json("train", "quick", "--here")
    run = cli.json("runs", "quick")["items"][0]
    assert answer["run_id"] == run["id"] and answer["status"] == run["status"] == "succeeded"
    assert answer["model_id"] == run["model_id"] and answer["deployed"] is False
    assert answer["metrics"]["rmse"] < answer["metrics"]["baseline"]["rmse"]
    assert answer["stats"]["rows"] == 600


def test_no_wait_queues_once_and_cancel_ends_it(trained, cli):
    run = int(cli.ok("train", "quick", "--no-wait").out)
    assert cli.json("train", "quick", "--no-wait") == {"run_id": run}
    assert trained.value("SELECT status FROM pgboost.runs WHERE id = %s", run) == "queued"
    assert cli.ok("cancel", run).out == f"run {run} is cancelled\n"
    result = cli("cancel", run)
    assert result.code == 1 and "ended already" in result.err
    assert cli("cancel", 10**9).code == 1


def test_triggers_at_once_make_one_run(trained):
    trains = [subprocess.Popen([BIN / "pgboost", "train", "quick", "--no-wait"], env=trained.env,
                               stdout=subprocess.PIPE, text=True) for _ in range(8)]
    runs = {train.communicate()[0] for train in trains}
    assert len(runs) == 1 and all(train.returncode == 0 for train in trains)
    trained.sql("UPDATE pgboost.runs SET status = 'cancelled', finished_at = now() WHERE id = %s",
                int(runs.pop()))


def test_a_run_nobody_picks_up_is_trained_here(trained, cli):
    result = cli.ok("train", "quick")
    assert "starting a worker here" in result.err and "trained model" in result.out


def test_a_killed_worker_is_told_and_the_run_taken_up_again(trained, cli, definition):
    cli.ok("apply", definition(project="long", relation="shop.orders", target="days"))
    train = subprocess.Popen([BIN / "pgboost", "train", "long", "--here"], env=trained.env,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: trained.sql(
        "SELECT 1 FROM pgboost.runs r JOIN pgboost.projects p ON p.id = r.project_id"
        " WHERE p.name = 'long' AND r.progress IS NOT NULL"), what="a run under way")
    worker = subprocess.check_output(["pgrep", "-P", str(train.pid)], text=True)
    os.kill(int(worker), signal.SIGKILL)
    out, err = train.communicate(timeout=60)
    assert train.returncode == 1 and "SIGKILL" in err and "queued again" in err, err
    run = cli.json("runs", "long")["items"][0]
    assert run["status"] == "queued" and run["attempts"] == 1
    # the same run is followed, with one trial: the search was not what is tested
    trained.sql("""UPDATE pgboost.projects
                   SET definition = definition || '{"search": {"trials": 1, "folds": 1}}'
                   WHERE name = 'long'""")
    assert cli.json("train", "long", "--here")["run_id"] == run["id"]


def on_terminal(arguments, env, keys=None, when=None, seconds=120):
    """Runs pgboost on a terminal of its own; keys are pressed once `when` has been printed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(BIN / "pgboost", ["pgboost", *arguments], {**env, "TERM": "xterm"})
    out, deadline = "", time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            out += os.read(terminal, 65536).decode(errors="replace")
        except OSError:
            break
        if keys and when in out:
            os.write(terminal, keys)
            keys = None
    os.close(terminal)
    return out, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_terminal_gets_a_bar_and_colours(trained):
    out, code = on_terminal(["train", "quick", "--here"], trained.env)
    assert code == 0 and "\r\x1b[Krun " in out and "\x1b[1mmetric" in out
    assert "deployed: " in out


def test_a_pipe_gets_lines(trained, cli):
    said = cli.ok("train", "quick", "--here").err
    lines = [line for line in said.splitlines() if line.startswith("run ")]
    assert len(lines) == len(set(lines)) >= 1, said  # of a quick run
    assert re.fullmatch(r"run \d+: [a-z]+.*", lines[-1]), said
    assert "\r" not in said and "\x1b" not in said and "█" not in said


def test_ctrl_c_detaches(trained, cli):
    out, code = on_terminal(["train", "quick", "--here"], trained.env, b"\x03", "starting")
    if "goes on without this terminal" not in out:  # too quick to see it start
        out, code = on_terminal(["train", "quick"], trained.env, b"\x03", "queued")
    assert code == 0 and "goes on without this terminal" in out and "pgboost cancel" in out
    run = cli.json("runs", "quick")["items"][0]
    if run["status"] == "queued":
        cli.ok("cancel", run["id"])
    else:
        wait_for(lambda: cli.json("runs", "quick")["items"][0]["status"] == "succeeded",
                 what="the run to end by itself")


def test_a_failed_run_is_an_error(shop, cli, definition):
    shop.sql("CREATE TABLE shop.none AS SELECT * FROM shop.orders LIMIT 0")
    cli.ok("apply", definition(project="none", relation="shop.none", target="days"))
    result = cli("train", "none", "--here")
    run = cli.json("runs", "none")["items"][0]
    assert result.code == 1 and run["status"] == "failed"
    assert run["error"] in result.err and "hint:" in result.err


def test_deploy_by_hand(trained, cli):
    models = sorted(item["id"] for item in cli.json("models", "quick")["items"])
    live = cli.json("show", "quick")["project"]["live_model_id"]
    assert live == models[0]
    assert cli.ok("deploy", "quick", "--strategy", "most_recent").out == (
        f"quick: model {models[-1]} is live\n")
    assert cli.json("deploy", "quick", "--strategy", "rollback") == {
        "project": "quick", "model_id": live, "changed": True}
    again = cli.ok("deploy", "quick", "--model", live).out
    assert again == f"quick: model {live} is live already\n"
    rows = cli.json("deployments", "quick")["items"]
    assert [(row["model_id"], row["strategy"], row["live"]) for row in rows[:2]] == [
        (live, "rollback", True), (models[-1], "most_recent", False)]
    assert [row["version"] for row in rows if not row["refused"]] == [3, 2, 1]
    result = cli("deploy", "quick", "--strategy", "rollback")
    assert result.code == 1 and "before the live one" in result.err
    assert cli("deploy", "quick", "--strategy", "rolback").code == 2
    result = cli("deploy", "quick", "--model", 10**9)
    assert result.code == 1 and "does not exist" in result.err


def test_best_score_is_by_number_in_the_metrics_direction(trained, cli):
    """As text, "10.5" would stand before "9"."""
    project = trained.value("SELECT id FROM pgboost.projects WHERE name = 'quick'")
    before = trained.value("SELECT live_model_id FROM pgboost.projects WHERE id = %s", project)
    made = [trained.value(
        """INSERT INTO pgboost.models (project_id, algorithm, hyperparams, metric, metrics, encoder,
               model, sha256, base_margin_bits, golden, xgboost_version, task, relation, target,
               split)
           VALUES (%s, 'made', '{}', 'rmse', %s, '{}', '', encode(sha256(''), 'hex'), 0, '{}', '',
               'regression', 'public.t', 'y', '{}')
           RETURNING id""", project, json.dumps({"rmse": score}))
        for score in (1e-10, 9e-12, None)]
    try:
        assert cli.json("models", "quick")["items"][0]["id"] == made[1]
        refused = cli("deploy", "quick", "--model", made[1])
        assert refused.code == 1 and f"model {made[1]}" in refused.err  # damaged: never deployed
        assert cli.json("models", "quick")["items"][-1]["id"] == made[2]
    finally:
        cli.ok("deploy", "quick", "--model", before)
        trained.sql("DELETE FROM pgboost.models WHERE id = ANY(%s)", made)


def test_show_explains_the_last_decision(trained, cli):
    """Refused, chosen by hand, undone: each as a sentence with the model and the reason."""

    def said():
        return re.search(r"^decision +(.*)$", cli.ok("show", "quick").out, re.MULTILINE)[1]

    before = cli.json("show", "quick")["project"]["live_model_id"]
    cli.ok("train", "quick", "--here")  # the same rows: not better
    last = cli.json("deployments", "quick")["items"][0]
    newest = cli.json("show", "quick")["last_run"]["model_id"]
    assert last["refused"] and said() == f"model {newest} did not go live: {last['reason']}"
    cli.ok("deploy", "quick", "--model", newest)
    assert said() == f"model {newest} went live, chosen by hand (specific)"
    cli.ok("deploy", "quick", "--strategy", "rollback")
    assert said() == f"model {before} went live, chosen by hand (rollback)"


def test_show(trained, cli):
    page = cli.ok("show", "quick").out
    shown = cli.json("show", "quick")
    live = shown["project"]["live_model_id"]
    assert re.search(rf"^live model +{live}, rmse \S+ on test rows, live for ", page, re.MULTILINE)
    board = page.split("best first\n")[1].split("\n\n")[0].strip().split("\n")[1:]
    assert sum("baseline (mean)" in line for line in board) == 1
    assert "baseline" in board[-1]  # every model beats the mean here
    assert [line.split()[0] for line in board[:-1]] == [str(i + 1) for i in range(len(board) - 1)]
    assert shown["models"][0]["metrics"]["rmse"] <= shown["models"][-1]["metrics"]["rmse"]
    assert shown["last_run"]["project"] == "quick"


def test_predict(trained, cli):
    one = cli.json("predict", "quick", '{"price": 10, "quantity": 1}')
    live = cli.json("show", "quick")["project"]["live_model_id"]
    assert one["project"] == "quick" and one["model_id"] == live
    many = json.loads(cli.ok("predict", "quick", "-",
                             input='[{"price": 10, "quantity": 1}, {}]\n').out)
    assert many["predictions"][0]["prediction"] == one["prediction"]
    assert cli.json("predict", "quick", "[]")["predictions"] == []
    assert "margin" in cli.json("predict", "quick", "{}", "--encoded")
    other = next(item["id"] for item in cli.json("models", "quick")["items"] if not item["live"])
    assert cli.json("predict", "quick", "{}", "--model", other)["model_id"] == other


@pytest.mark.parametrize("arguments, said", [
    (["quick", '{"price": "x"}'], "/features/price"),
    (["quick", '{"prize": 1}'], "/features/prize"),
    (["quick", '{"features": {"price": 1}}'], "give the columns alone"),
    (["quick", '{"price": 1'], "column"),
    (["quick", '{}, "encoded": true'], "column"),
    (["quick", "7"], "object"),
    (["quick", ""], "column"),
    (["quik", "{}"], 'did you mean "quick"?'),
    (["untrained", "{}"], "no live model"),
    (["quick", "{}", "--model", "999999999"], "999999999"),
])
def test_predict_refuses(trained, cli, definition, arguments, said):
    cli.ok("apply", definition(project="untrained", relation="shop.v", target="days"))
    result = cli("predict", *arguments)
    assert result.code == 1 and said in result.err and result.out == "", result.err


def test_check(trained, cli, definition):
    """Columns that the live model needs and the relation lost or changed are named."""
    trained.sql("CREATE TABLE shop.changing AS SELECT * FROM shop.orders")
    cli.ok("apply", definition(project="changing", relation="shop.changing", target="days",
                               search={"strategy": "none"}, hyperparams={"n_estimators": 5}))
    cli.ok("train", "changing", "--here")

    def findings():
        items = json.loads(cli("check", "--json").out)["items"]
        return {item["check"]: item for item in items}

    assert findings()["changing: live model"]["status"] == "ok"
    assert findings()["catalog"]["status"] == "ok"
    trained.sql("ALTER TABLE shop.changing DROP item, ALTER quantity TYPE text")
    result = cli("check")
    assert result.code == 1
    found = findings()["changing: live model"]
    assert found["status"] == "fail" and '"item" is gone' in found["detail"]
    assert '"quantity" was int4 and is text' in found["detail"]
    trained.sql("DROP TABLE shop.changing")
    assert findings()["changing: relation"]["status"] == "fail"
    assert "shop.changing" in findings()["changing: relation"]["detail"]


def test_check_without_a_server(cli):
    result = cli("check", env={"PGHOST": "/nonexistent"})
    assert result.code == 69 and "fail" in result.out
