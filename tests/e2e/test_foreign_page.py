"""A page of another site in a real browser: it reads nothing of the daemon and changes nothing. The
same page may, once `origins` lists its site: so it is the daemon that keeps it out."""

import http.server
import json
import queue
import shutil
import subprocess
import threading

import pytest

from conftest import wait_for
from test_systemd import project  # noqa: F401

BROWSER = next(filter(None, map(shutil.which, (
    "chromium", "chromium-headless-shell", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")

PAGE = """<!DOCTYPE html><meta charset="utf-8"><title>another site</title><body><script>
const daemon = "%s", said = {};
const json = {"Content-Type": "application/json"}, text = {"Content-Type": "text/plain"};
const predict = JSON.stringify({project: "seen", features: {a: 3}});

async function ask(name, path, options) {
    try {
        const answer = await fetch(daemon + path, options);
        said[name] = [answer.type, answer.status, await answer.text()];
    } catch (error) { said[name] = "refused"; }
}
function load(name, tag, member, path) {  // what a page may embed from anywhere
    return new Promise(done => {
        const element = document.createElement(tag);
        element.onload = () => { said[name] = "loaded"; done(); };
        element.onerror = () => { said[name] = "refused"; done(); };
        element[member] = daemon + path;
        document.body.append(element);
    });
}
function look(frame) {
    try { return frame.contentDocument.body.textContent || "nothing"; }
    catch (error) { return "nothing"; }
}
function submit(name, path, value) {  // as text/plain, which needs no leave
    return new Promise(done => {
        const frame = document.createElement("iframe"), form = document.createElement("form");
        frame.name = name;
        document.body.append(frame, form);
        form.method = "POST"; form.enctype = "text/plain"; form.target = name;
        form.action = daemon + path;
        const field = document.createElement("input");
        field.name = value.slice(0, -1) + ', "x": "'; field.value = '"}';
        form.append(field);
        frame.onload = () => { said[name] = look(frame); done(); };
        form.submit();
    });
}
(async () => {
    await ask("get", "/projects");
    await ask("get without cors", "/projects", {mode: "no-cors"});
    await ask("predict", "/predict", {method: "POST", headers: text, body: predict});
    await ask("predict in json", "/predict", {method: "POST", headers: json, body: predict});
    await ask("train", "/projects/seen/train", {method: "POST", headers: json, body: "{}"});
    await ask("train in text", "/projects/seen/train", {method: "POST", headers: text, body: "{}"});
    await ask("train without cors", "/projects/seen/train",
              {method: "POST", mode: "no-cors", headers: text, body: "{}"});
    await ask("deploy", "/projects/seen/deploy", {method: "POST", headers: json,
              body: '{"strategy": "most_recent"}'});
    await ask("delete", "/projects/seen", {method: "DELETE"});
    await load("image", "img", "src", "/projects");
    await load("script", "script", "src", "/projects");
    await submit("form predict", "/predict", predict);
    await submit("form train", "/projects/seen/train", "{}");
    await submit("form deploy", "/projects/seen/deploy", '{"strategy": "most_recent"}');
    await fetch("/said", {method: "POST", body: JSON.stringify(said)});
})();
</script>"""


class Site:
    """Another origin: the page, and what it has to say."""

    def __init__(self):
        site = self
        self.page, self.said = "", queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, body):
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self.answer(site.page.encode())

            def do_POST(self):
                site.said.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.answer(b"")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def site():
    site = Site()
    yield site
    site.server.shutdown()
    site.server.server_close()


def visit(site, daemon, profile):
    """What the page said once a browser had it."""
    site.page = PAGE % daemon.url
    browser = subprocess.Popen(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         f"--user-data-dir={profile}", site.origin], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: not site.said.empty() or browser.poll() is not None, 120, "the page")
        return site.said.get_nowait()
    finally:
        browser.terminate()
        browser.wait(30)


def state(db):
    return [db.sql(query) for query in (
        "SELECT id, status FROM pgboost.runs ORDER BY id",
        "SELECT id, model_id FROM pgboost.deployments ORDER BY id",
        "SELECT name, live_model_id, deploy_version FROM pgboost.projects")]


def test_a_foreign_page(project, db, daemon_factory, site, tmp_path):  # noqa: F811
    daemon = daemon_factory("--role", "server")
    daemon.wait_live("seen")
    before = state(db)
    said = visit(site, daemon, tmp_path / "profile")
    opaque = ["opaque", 0, ""]  # there was an answer, perhaps, and the page knows nothing of it
    assert said == {
        **dict.fromkeys(("get", "predict", "predict in json", "train", "train in text", "deploy",
                         "delete", "image"), "refused"),
        "get without cors": opaque, "train without cors": opaque, "script": "refused",
        **dict.fromkeys(("form predict", "form train", "form deploy"), "nothing")}
    assert state(db) == before


def test_a_page_that_is_listed(project, db, daemon_factory, site, tmp_path):  # noqa: F811
    daemon = daemon_factory("--role", "server", "--origins", site.origin)
    daemon.wait_live("seen")
    before = state(db)
    said = visit(site, daemon, tmp_path / "profile")
    kind, status, text = said["predict in json"]
    assert (kind, status) == ("cors", 200) and json.loads(text)["project"] == "seen"
    assert said["get"][:2] == ["cors", 200] and "seen" in said["get"][2]
    assert said["train"][:2] == ["cors", 202] and said["train in text"][:2] == ["cors", 415]
    assert state(db) != before
