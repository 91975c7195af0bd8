"""The Open Inference Protocol (version 2, REST), MLflow's /invocations, and /openapi.json."""

import json
import re

import pytest

import oip
from test_http import problem

N = 40
COLUMNS = ["id2", "share", "word", "flag"]


@pytest.fixture(scope="module")
def served(catalog, cli, daemon_factory, tmp_path_factory):
    catalog.sql("""
        CREATE TABLE public.seen AS
        SELECT id, id * 9007199254740993 % 1000003 AS id2, (id % 13) / 7.0::float8 AS share,
               CASE id % 4 WHEN 0 THEN 'a "b"' WHEN 1 THEN 'é' WHEN 2 THEN NULL ELSE 'c' END
                   AS word,
               id % 3 = 0 AS flag, (id % 13) * 0.5 + id % 4 AS y,
               CASE WHEN id % 13 > 6 THEN 'late' ELSE 'on time' END AS late,
               id % 3 = 0 AS truth, id % 4 AS number_of
        FROM generate_series(1, 300) AS id""")
    folder = tmp_path_factory.mktemp("projects")
    targets = {"amount": ("y", {}), "late": ("late", {}), "truth": ("truth", {}),
               "number": ("number_of", {"task": "classification"})}
    for name, (target, keys) in targets.items():
        (folder / f"{name}.json").write_text(json.dumps({
            "project": name, "relation": "public.seen", "target": target, "key": ["id"],
            "exclude": [t for t, _ in targets.values() if t != target],
            "search": {"strategy": "none"}, "hyperparams": {"n_estimators": 3}, **keys}))
    cli.ok("apply", folder)
    for name in targets:
        cli.ok("train", name, "--here")
    daemon = daemon_factory("--role", "server", "--rows-limit", "100")
    for name in targets:
        daemon.wait_live(name)
    return daemon


@pytest.fixture(scope="module")
def rows(catalog, served):
    return catalog.value(f"SELECT jsonb_agg(jsonb_build_object('id2', id2, 'share', share, 'word',"
                         f" word, 'flag', flag) ORDER BY id) FROM public.seen WHERE id <= {N}")


# A client written to the specification ------------------------------------------------------------

KINDS = {"BOOL": bool, "BYTES": str, "INT64": int, "FP32": (int, float), "FP64": (int, float)}


def check_tensor(tensor):
    """$response_output of the specification; its data as nested rows."""
    assert set(tensor) <= {"name", "shape", "datatype", "parameters", "data"}
    assert isinstance(tensor["name"], str) and tensor["datatype"] in KINDS
    size = 1
    for dimension in tensor["shape"]:
        size *= dimension
    assert len(tensor["data"]) == size
    for value in tensor["data"]:
        assert type(value) is bool if tensor["datatype"] == "BOOL" else type(value) is not bool
        assert isinstance(value, KINDS[tensor["datatype"]])
    return tensor


def infer(served, name, inputs, **members):
    answer = served.post(f"/v2/models/{name}/infer", {"inputs": inputs, **members})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) <= {"model_name", "model_version", "id", "parameters", "outputs"}
    assert body["model_name"] == name and isinstance(body["model_version"], str)
    assert body.get("id") == members.get("id")
    return {tensor["name"]: check_tensor(tensor) for tensor in body["outputs"]}


def tensors(rows):
    types = {"id2": "INT64", "share": "FP64", "word": "BYTES", "flag": "BOOL"}
    return [{"name": name, "shape": [len(rows)] if name != "word" else [len(rows), 1],
             "datatype": types[name], "data": [row[name] for row in rows]} for name in COLUMNS]


def oip_error(answer, status, text):
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert list(answer.json()) == ["error"] and text in answer.json()["error"], answer.text


def test_server(served):
    meta = served.get("/v2").json()
    assert meta["name"] == "pgboost" and meta["version"] and meta["extensions"] == []
    assert served.get("/v2/health/live").json() == {"live": True}
    assert served.get("/v2/health/ready").json() == {"ready": True}
    assert served.get("/v2/models/late/ready").json() == {"name": "late", "ready": True}
    oip_error(served.get("/v2/models/nothing/ready"), 404, 'no project "nothing"')


def test_metadata(served):
    meta = served.get("/v2/models/late").json()
    assert meta["name"] == "late" and meta["platform"] == "pgboost_xgboost"
    assert meta["versions"] == [str(served.wait_live("late")["live_model_id"])]
    assert {t["name"]: t["datatype"] for t in meta["inputs"]} == {
        "id2": "INT64", "share": "FP64", "word": "BYTES", "flag": "BOOL"}
    assert all(t["shape"] == [-1] for t in meta["inputs"])
    assert meta["outputs"] == [
        {"name": "prediction", "datatype": "BYTES", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP64", "shape": [-1, 2],
         "labels": ["late", "on time"]}]
    outputs = lambda name: [t["datatype"]
                            for t in served.get(f"/v2/models/{name}").json()["outputs"]]
    assert outputs("amount") == ["FP32"] and outputs("truth") == ["BOOL", "FP64"]
    assert outputs("number") == ["INT64", "FP64"]


@pytest.mark.parametrize("name", ["amount", "late", "truth", "number"])
def test_infer_as_predict(served, rows, name):
    """One tensor a column: what /predict says of the same rows, to the last digit."""
    expected = served.predict(name, rows)["predictions"]
    outputs = infer(served, name, tensors(rows), id="42 \"é\"")
    assert outputs["prediction"]["data"] == [item["prediction"] for item in expected]
    assert outputs["prediction"]["shape"] == [N]
    if name != "amount":
        labels = served.get(f"/v2/models/{name}").json()["outputs"][1]["labels"]
        assert outputs["probabilities"]["shape"] == [N, len(labels)]
        assert outputs["probabilities"]["data"] == [
            item["probabilities"][label] for item in expected for label in labels]


@pytest.mark.parametrize("name, datatypes", [
    ("amount", ["FP32"]), ("late", ["BYTES", "FP64"]), ("number", ["INT64", "FP64"])])
def test_a_client_of_the_specification(served, rows, name, datatypes):
    """It has the tensors, their types and shapes from the metadata alone: of a regression, of two
    classes and of four."""
    client = oip.Client(served.url)
    assert client.is_live() and client.server()["name"] == "pgboost" and client.is_ready(name)
    assert [t["datatype"] for t in client.metadata(name)["outputs"]] == datatypes
    three = [row for row in rows if row["word"] is not None][:3]  # the protocol has no NULL
    expected = served.predict(name, three)["predictions"]
    outputs = client.infer(name, three, request_id="a-1")
    assert outputs["prediction"] == [item["prediction"] for item in expected]
    if name != "amount":
        assert outputs["probabilities"] == [
            list(item["probabilities"].values()) for item in expected]
    with pytest.raises(oip.ServerError, match="no project"):
        client.infer("nobody", three)


def test_matrix(served, catalog, cli, definition):
    """All columns in one tensor, flat or nested; in the model's order."""
    catalog.sql("CREATE VIEW public.numbers AS SELECT id, id2, share, y FROM public.seen")
    cli.ok("apply", definition(project="numbers", relation="public.numbers", target="y", key=["id"],
                               search={"strategy": "none"}, hyperparams={"n_estimators": 3}))
    cli.ok("train", "numbers", "--here")
    served.wait_live("numbers")
    order = [t["name"] for t in served.get("/v2/models/numbers").json()["inputs"]]
    assert sorted(order) == ["id2", "share"]
    rows = [{"id2": i * 1000, "share": i / 7} for i in range(5)]
    expected = [item["prediction"] for item in served.predict("numbers", rows)["predictions"]]
    nested = [[row[name] for name in order] for row in rows]
    flat = [value for row in nested for value in row]
    for data in (flat, nested):
        outputs = infer(served, "numbers", [
            {"name": "input", "shape": [5, 2], "datatype": "FP64", "data": data}])
        assert outputs["prediction"]["data"] == expected
    for body in ({"instances": nested}, {"inputs": nested}):
        assert served.post("/invocations?project=numbers", body).json() == {"predictions": expected}


def test_no_rows(served):
    assert infer(served, "late", tensors([]))["prediction"]["data"] == []


TENSOR = {"name": "id2", "shape": [1], "datatype": "INT64", "data": [1]}
BAD = {
    "no inputs": ({}, 400, "expected an array of tensors"),
    "empty inputs": ({"inputs": []}, 400, "expected tensors"),
    "no data": ({"inputs": [{**TENSOR, "data": None}]}, 400, 'a tensor needs "data"'),
    "shape": ({"inputs": [{**TENSOR, "shape": [2]}]}, 400, "the data has 1 values, the shape 2"),
    "negative shape": ({"inputs": [{**TENSOR, "shape": [-1]}]}, 400, "a shape is"),
    "three dimensions": ({"inputs": [{**TENSOR, "shape": [1, 1, 1]}]}, 400, "a shape is"),
    "huge shape": ({"inputs": [{**TENSOR, "shape": [2147483647, 2147483647]}]}, 400,
                   "the data has"),
    "datatype": ({"inputs": [{**TENSOR, "datatype": "INT128"}]}, 400, "no such datatype"),
    "wrong values": ({"inputs": [{**TENSOR, "data": ["1"]}]}, 400, "not of the tensor's type"),
    "object in data": ({"inputs": [{**TENSOR, "data": [{}]}]}, 400, "not of the tensor's type"),
    "unknown column": ({"inputs": [{**TENSOR, "name": "nothing"}]}, 400, "nothing"),
    "two lengths": ({"inputs": [TENSOR, {**TENSOR, "name": "share", "shape": [2], "data": [1, 2]}]},
                    400, "the columns differ in length"),
    "matrix": ({"inputs": [{**TENSOR, "shape": [1, 3], "data": [1, 2, 3]}]}, 400,
               "a matrix has the model's 4 columns"),
    "a row too short": ({"inputs": [{**TENSOR, "shape": [2, 2], "data": [[1], [2, 3, 4]]}]}, 400,
                        "rows of 2 values"),
    "rows and values": ({"inputs": [{**TENSOR, "shape": [2, 2], "data": [[1, 2], 3, 4]}]}, 400,
                        "rows of 2 values"),
    "values and rows": ({"inputs": [{**TENSOR, "shape": [2, 2], "data": [1, 2, [3, 4]]}]}, 400,
                        "rows of 2 values"),
    "nested too deep": ({"inputs": [{**TENSOR, "shape": [2, 2], "data": [[[1, 2], [3, 4]]]}]}, 400,
                        "rows of 2 values"),
    "too many": ({"inputs": [{**TENSOR, "shape": [101], "data": [1] * 101}]}, 413, "101 rows"),
    "id": ({"id": 7, "inputs": [TENSOR]}, 400, "expected a string"),
}


@pytest.mark.parametrize("case", BAD)
def test_refused(served, case):
    body, status, text = BAD[case]
    oip_error(served.post("/v2/models/late/infer", body), status, text)


def test_refused_otherwise(served):
    oip_error(served.session.post(served.url + "/v2/models/late/infer", data="{", timeout=30), 400,
              "the body is not JSON")
    oip_error(served.post("/v2/models/nothing/infer", {"inputs": [TENSOR]}), 404, "no project")


def test_errors_point_into_the_body(served):
    """Of what was sent, not of what it is rewritten as."""
    tensor = lambda name, *data: {"name": name, "shape": [2], "datatype": "BYTES",
                                  "data": list(data)}
    for inputs, place in (([TENSOR | {"shape": [2], "data": [1, 2]}, tensor("share", "1", "x")],
                           "/inputs/1/data/1: expected a number"),
                          ([tensor("share", "1", "2"), tensor("nothing", "1", "2")],
                           "/inputs/1/name: model "),
                          ([{"name": "m", "shape": [2, 4], "datatype": "BYTES",
                             "data": ["x"] * 8}], "/inputs/0/data/0/"),
                          ([{**TENSOR, "shape": [2]}], "/inputs/0: the data has")):
        oip_error(served.post("/v2/models/late/infer", {"inputs": inputs}), 400, place)
    assert infer(served, "late", [TENSOR], id=None)["prediction"]["shape"] == [1]
    for body, field in (
            ({"dataframe_split": {"columns": ["share"], "data": [[1], ["x"]]}},
             "/dataframe_split/data/1/0"),
            ({"dataframe_split": {"columns": ["no"], "data": []}}, "/dataframe_split/columns/0"),
            ({"dataframe_split": {"columns": ["share"]}}, "/dataframe_split"),
            ({"dataframe_records": [{}, {"share": "x"}]}, "/dataframe_records/1/share"),
            ({"instances": [{"share": "x"}]}, "/instances/0/share"),
            ({"instances": [[1]]}, "/instances/0")):
        refused = problem(served.post("/invocations?project=late", body), 400)
        assert [error["field"] for error in refused["errors"]] == [field]


def test_refusals_before_a_route(served):
    """In the protocol's words too: of what Accept, Host or the method say."""
    get = lambda path, **headers: served.session.get(served.url + path, headers=headers, timeout=30)
    oip_error(get("/v2/models/late", Accept="image/png"), 406, "none of the types")
    oip_error(get("/v2", Host="a.example.com"), 421, "not a host")
    oip_error(get("/v2/models/late/infer"), 405, "does not answer to that method")
    problem(get("/projects", Accept="image/png"), 406)
    problem(get("/predict"), 405)


# MLflow -------------------------------------------------------------------------------------------


def test_invocations(served, rows):
    expected = {"predictions": [item["prediction"]
                                for item in served.predict("late", rows)["predictions"]]}
    for body in (
            {"dataframe_split": {"columns": COLUMNS, "index": list(range(N)),
                                 "data": [[row[name] for name in COLUMNS] for row in rows]}},
            {"dataframe_records": rows}, {"instances": rows, "params": {}},
            {"inputs": {name: [row[name] for row in rows] for name in COLUMNS}}):
        answer = served.post("/invocations?project=late", body)
        assert answer.status_code == 200, answer.text
        assert answer.json() == expected
    quoted = lambda value: "" if value is None else '"' + str(value).replace('"', '""') + '"'
    text = "\n".join([",".join(COLUMNS),
                      *(",".join(quoted(row[name]) for name in COLUMNS) for row in rows)])
    answer = served.session.post(served.url + "/invocations?project=late", data=text.encode(),
                                 headers={"Content-Type": "text/csv"}, timeout=30)
    assert answer.json() == expected


def test_invocations_refused(served):
    for path, body, status, text in (
            ("/invocations", {"instances": []}, 400, "which project"),
            ("/invocations?project=no", {"instances": []}, 404, "no project"),
            ("/invocations?project=late", {}, 400, "expected one of dataframe_split"),
            ("/invocations?project=late", {"instances": [], "inputs": []}, 400, "expected one of"),
            ("/invocations?project=late", {"dataframe_split": [1]}, 400, "expected an object"),
            ("/invocations?project=late", {"dataframe_records": 7}, 400, "expected an array"),
            ("/invocations?project=late", {"dataframe_records": [{"no": 7}]}, 400, "no"),
            ("/invocations?project=late", {"inputs": {"share": [[1, 2]]}}, 400, "rows of 1 values"),
            ("/invocations?project=late", {"inputs": {"share": 7}}, 400,
             "an array for each column")):
        assert text in problem(served.post(path, body), status)["detail"]


# OpenAPI ------------------------------------------------------------------------------------------


def test_openapi(served):
    """Every route of GET / stands in it, and nothing else; references lead somewhere."""
    document = served.get("/openapi.json").json()
    assert document["openapi"].startswith("3.0.") and document["info"]["version"]
    routes = set(re.findall(r"^(GET|POST|DELETE|PUT) +(\S+)", served.get("/").text, re.M))
    listed = {(method.upper(), path) for path, methods in document["paths"].items()
              for method in methods}
    assert listed == routes and ("POST", "/predict") in routes
    for path, methods in document["paths"].items():
        names = re.findall(r"{(\w+)}", path)
        for operation in methods.values():
            assert [p["name"] for p in operation["parameters"] if p["in"] == "path"] == names
            assert operation["summary"]
            (content,) = operation["responses"]["default"]["content"].values()
            reference = content["schema"]["$ref"].split("/")
            assert reference[:3] == ["#", "components", "schemas"]
            assert reference[3] in document["components"]["schemas"]


def test_openapi_is_true(served):
    """Each route that only reads answers as the document says it does, with one type or another."""
    document = served.get("/openapi.json").json()
    names = {"{name}": "late", "{id}": "1"}
    for path, methods in document["paths"].items():
        if "get" not in methods:
            continue
        target = re.sub(r"{\w+}", lambda found: names[found[0]], path)
        responses = methods["get"]["responses"]
        answer = served.get(target)
        assert answer.status_code == 200, answer.text
        assert list(responses["2XX"]["content"]) == [answer.headers["Content-Type"].split(";")[0]]
    assert [path for path, methods in document["paths"].items()
            for operation in methods.values() for parameter in operation["parameters"]
            if (parameter["name"], parameter["in"], parameter["required"]) == (
                "project", "query", True)] == ["/invocations"]
    assert {path for path, methods in document["paths"].items()
            for operation in methods.values() if operation.get("security") == []} == {
        "/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"}
