"""A client of the Open Inference Protocol (version 2, REST), written to its specification: it knows
nothing of the server but what its metadata say.

Paths, members and datatypes: kserve/open-inference-protocol, inference_rest.md.
"""

import json
import math
import urllib.error
import urllib.parse
import urllib.request

INTEGERS = {
    **{f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": (0, 2 ** bits - 1) for bits in (8, 16, 32, 64)}}
FLOATS = ("FP16", "FP32", "FP64")


class ProtocolError(Exception):
    """The server's answer is not as the specification has it."""


class ServerError(Exception):
    """The server's own {"error": …}."""


def require(condition, what):
    if not condition:
        raise ProtocolError(what)


def is_value(value, datatype):
    if datatype == "BOOL":
        return isinstance(value, bool)
    if datatype == "BYTES":
        return isinstance(value, str)
    if datatype in INTEGERS:
        low, high = INTEGERS[datatype]
        return type(value) is int and low <= value <= high
    return datatype in FLOATS and type(value) in (int, float)


def flatten(data, shape):
    """Of nested arrays, which have the shape; of flat ones as they are."""
    if len(shape) > 1 and any(isinstance(item, list) for item in data):
        require(len(data) == shape[0], "an array that does not fit the shape")
        return [value for item in data for value in flatten(item, shape[1:])]
    return data


class Client:
    def __init__(self, url):
        self.url = url

    def ask(self, path, body=None):
        request = urllib.request.Request(
            self.url + path, None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ServerError(json.load(error)["error"]) from None

    def model_path(self, model):
        return "/v2/models/" + urllib.parse.quote(model, safe="")

    def is_live(self):
        return self.ask("/v2/health/live")["live"]

    def is_ready(self, model):
        answer = self.ask(self.model_path(model) + "/ready")
        require(answer["name"] == model, "another model's readiness")
        return answer["ready"]

    def server(self):
        meta = self.ask("/v2")
        require(all(isinstance(meta[name], str) for name in ("name", "version")), "server metadata")
        require(all(isinstance(name, str) for name in meta["extensions"]), "extensions")
        return meta

    def metadata(self, model):
        meta = self.ask(self.model_path(model))
        require(meta["name"] == model and isinstance(meta["platform"], str), "model metadata")
        require(all(isinstance(name, str) for name in meta.get("versions", [])), "versions")
        for tensor in meta["inputs"] + meta["outputs"]:
            require(isinstance(tensor["name"], str), "a tensor's name")
            require(tensor["datatype"] in (*INTEGERS, *FLOATS, "BOOL", "BYTES"), "a datatype")
            require(all(type(n) is int and n >= -1 for n in tensor["shape"]), "a shape")
        return meta

    def tensors(self, model, rows):
        """One a declared input, whose first dimension is the batch."""
        tensors = []
        for declared in self.metadata(model)["inputs"]:
            values = [row[declared["name"]] for row in rows]
            for value in values:
                if not is_value(value, declared["datatype"]):
                    raise TypeError(f"{declared['name']}: {value!r} is no {declared['datatype']}")
            shape = [len(rows) if n == -1 else n for n in declared["shape"]]
            tensors.append({"name": declared["name"], "datatype": declared["datatype"],
                            "shape": shape, "data": values})
        return tensors

    def infer(self, model, rows, request_id=None):
        """The outputs by name, each a list of values or, of two dimensions, of rows."""
        meta = self.metadata(model)
        body = {"inputs": self.tensors(model, rows)}
        if request_id is not None:
            body["id"] = request_id
        answer = self.ask(self.model_path(model) + "/infer", body)
        require(answer["model_name"] == model, "another model's answer")
        require(answer.get("model_version") in (None, *meta.get("versions", [])), "a version")
        require(answer.get("id") == request_id, "another request's answer")
        declared = {tensor["name"]: tensor for tensor in meta["outputs"]}
        require([tensor["name"] for tensor in answer["outputs"]] == list(declared), "outputs")
        return {tensor["name"]: self.read(tensor, declared[tensor["name"]], len(rows))
                for tensor in answer["outputs"]}

    def read(self, tensor, declared, n_rows):
        shape = tensor["shape"]
        require(tensor["datatype"] == declared["datatype"], "another datatype than declared")
        require(len(shape) == len(declared["shape"]) and all(
            wanted in (-1, n) for n, wanted in zip(shape, declared["shape"])),
            "another shape than declared")
        require(shape[0] == n_rows, "another number of rows than asked for")
        values = flatten(tensor["data"], shape)
        require(len(values) == math.prod(shape), "data that do not fill the shape")
        require(all(is_value(value, tensor["datatype"]) for value in values), "a value's type")
        if len(shape) == 1:
            return values
        return [values[at:at + shape[1]] for at in range(0, len(values), shape[1])]
