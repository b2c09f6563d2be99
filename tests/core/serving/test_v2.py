"""The Open Inference Protocol, as its clients see it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any

import pytest

from core.serving import EndpointControl

Ask = Callable[..., tuple[int, dict[str, Any]]]
ROW = {"hour": 8, "temp": 0.5, "hum": 0.25}


def tensor(name: str, datatype: str, data: Any, shape: list[int] | None = None) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data}


COLUMNS = [
    tensor("hour", "INT64", [8, 20]),
    tensor("temp", "FP64", [0.5, 0.125]),
    tensor("hum", "FP64", [0.25, 0.75], [2, 1]),
]
MATRIX = [[8, 0.5, 0.25], [20, 0.125, 0.75]]


@pytest.fixture
def ask(endpoint: EndpointControl) -> Ask:
    """Sends a request to the shared endpoint: status and JSON."""

    def ask(path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
        info = endpoint.info()
        assert info is not None
        connection = http.client.HTTPConnection(info.host, info.port, timeout=20)
        payload = body if body is None or isinstance(body, bytes) else json.dumps(body)
        method = "GET" if body is None else "POST"
        connection.request(method, path, payload, {"Content-Type": "application/json", **headers})
        reply = connection.getresponse()
        found = reply.status, json.loads(reply.read())
        connection.close()
        return found

    return ask


@pytest.fixture
def expected(endpoint: EndpointControl) -> list[float]:
    """What `/invocations` says to the two rows."""
    body = {"dataframe_split": {"columns": list(ROW), "data": MATRIX}}
    found: list[float] = json.loads(endpoint.invoke(json.dumps(body).encode()).body)["predictions"]
    return found


@pytest.mark.parametrize(
    "inputs",
    [
        COLUMNS,
        COLUMNS[::-1],
        [tensor("x", "FP64", MATRIX, [2, 3])],
        [tensor("x", "FP32", [cell for row in MATRIX for cell in row], [2, 3])],
    ],
)
@pytest.mark.parametrize("name", ["bike", "one", "one/versions/1", "bike/versions/1"])
def test_tensors_give_the_numbers_of_invocations(
    ask: Ask, expected: list[float], inputs: Any, name: str
) -> None:
    status, found = ask(f"/v2/models/{name}/infer", {"id": "i-1", "inputs": inputs})
    assert status == 200, found
    output = {"name": "predictions", "datatype": "FP64", "shape": [2], "data": expected}
    assert found == {
        "model_name": "one", "model_version": "1", "id": "i-1", "outputs": [output],
    }  # fmt: skip


def test_health_and_metadata(ask: Ask) -> None:
    assert ask("/v2/health/live") == (200, {"live": True})
    assert ask("/v2/health/ready") == (200, {"ready": True})
    assert ask("/v2")[1]["name"] == "opsdeck"
    status, found = ask("/v2/models/bike")
    assert (status, found["versions"]) == (200, ["1"])
    assert found["inputs"] == [
        {"name": "hour", "datatype": "INT64", "shape": [-1]},
        {"name": "temp", "datatype": "FP64", "shape": [-1]},
        {"name": "hum", "datatype": "FP64", "shape": [-1]},
    ]
    assert found["outputs"] == [{"name": "predictions", "datatype": "FP64", "shape": [-1]}]
    assert ask("/v2/models/one/ready") == (200, {"name": "one", "ready": True})


def test_versions_are_those_that_are_routed(ask: Ask, endpoint: EndpointControl) -> None:
    endpoint.set_table({1: 90, 2: 10})
    assert ask("/v2/models/bike")[1]["versions"] == ["1", "2"]
    for version in ("1", "2"):
        body = {"inputs": COLUMNS}
        status, found = ask(f"/v2/models/bike/versions/{version}/infer", body)
        assert (status, found["model_version"]) == (200, version)
    for path in ("bike/versions/3", "two/versions/1", "three", "bike/versions/x"):
        for status, found in (
            ask(f"/v2/models/{path}"),
            ask(f"/v2/models/{path}/ready"),
            ask(f"/v2/models/{path}/infer", {"inputs": COLUMNS}),
        ):
            assert status == 404
            assert "No model" in found["error"]
    by_model = {ask("/v2/models/two/infer", {"inputs": COLUMNS})[1]["model_version"]}
    assert by_model == {"2"}, "whatever its weight"
    header = {"X-Amzn-SageMaker-Target-Variant": "r2"}
    assert ask("/v2/models/bike/infer", {"inputs": COLUMNS}, **header)[1]["model_name"] == "two"
    assert ask("/v2/models/one/infer", {"inputs": COLUMNS}, **header)[0] == 404


def test_strings_are_bytes(ask: Ask, endpoint: EndpointControl) -> None:
    endpoint.set_table({3: 100})
    sky = tensor("sky", "BYTES", ["rain", "clear"])
    status, found = ask("/v2/models/words/infer", {"inputs": [*COLUMNS, sky]})
    assert status == 200
    assert found["outputs"][0]["data"] == pytest.approx([8.0, 20.0])
    wrong = tensor("sky", "INT8", [1, 2])
    status, found = ask("/v2/models/words/infer", {"inputs": [*COLUMNS, wrong]})
    assert (status, found["error"]) == (400, "Input 'sky' is INT8; the model takes BYTES there")


def test_the_generic_path_takes_tensors_too(ask: Ask, endpoint: EndpointControl) -> None:
    endpoint.set_table({4: 100})
    status, found = ask("/v2/models/tricky/infer", {"inputs": [tensor("x", "FP64", [4.5])]})
    assert (status, found["outputs"][0]["data"]) == (200, [5.5])
    status, found = ask("/v2/models/tricky/infer", {"inputs": [tensor("x", "FP64", [-1])]})
    assert status == 500
    assert "secret" in found["error"] and "second line" not in found["error"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not valid JSON"),
        (b"[]", "not a JSON object"),
        ({}, '"inputs" must be'),
        ({"inputs": []}, "at least one"),
        ({"inputs": [3]}, "not an object"),
        ({"inputs": [{}]}, 'no "name"'),
        ({"inputs": [tensor("x", "FP65", [1])]}, "datatype"),
        ({"inputs": [tensor("x", "FP64", [1], [-1])]}, "shape"),
        ({"inputs": [{**tensor("x", "FP64", [1]), "shape": 3}]}, "shape"),
        ({"inputs": [tensor("x", "FP64", [1, 2], [3])]}, "does not have the shape"),
        ({"inputs": [tensor("x", "FP64", [[1, 2], [3]], [2, 2])]}, "does not have the shape"),
        ({"inputs": [tensor("x", "FP64", [[[1]]], [1, 1])]}, "element 0 is not"),
        ({"inputs": [tensor("x", "FP64", [[1, 2]], [1, 2])]}, "has 2 columns"),
        ({"inputs": [tensor("x", "BOOL", [[True] * 3], [1, 3])]}, "takes INT64"),
        ({"inputs": [tensor("x", "INT8", [[1, 2, 300]], [1, 3])]}, "not of type INT8"),
        ({"inputs": [tensor("x", "UINT8", [[1, 2, -3]], [1, 3])]}, "not of type UINT8"),
        ({"inputs": [tensor("x", "FP64", [[1, "a", 2]], [1, 3])]}, "not of type FP64"),
        ({"inputs": [tensor("x", "FP64", [[1.5, 0, 2]], [1, 3])]}, "1.5 is not a long"),
        ({"inputs": COLUMNS[:2]}, "lacks column hum"),
        ({"inputs": [*COLUMNS, COLUMNS[0]]}, "same name"),
        ({"inputs": [*COLUMNS, tensor("extra", "FP64", [1, 2])]}, "no column"),
        ({"inputs": [*COLUMNS[:2], tensor("hum", "FP64", [1])]}, "number of rows"),
        ({"inputs": [*COLUMNS[:2], tensor("hum", "FP64", [1] * 4, [2, 2])]}, "[n] or [n, 1]"),
        ({"inputs": COLUMNS, "id": 3}, '"id"'),
        ({"inputs": COLUMNS, "parameters": 3}, '"parameters"'),
        ({"inputs": COLUMNS, "outputs": 3}, '"outputs"'),
        ({"inputs": COLUMNS, "outputs": [{"name": "other"}]}, "no output 'other'"),
        (
            {"inputs": COLUMNS, "outputs": [{"name": "x", "parameters": {"binary_data": True}}]},
            "Binary",
        ),
        (
            {"inputs": [{**COLUMNS[0], "parameters": {"binary_data_size": 8}}]},
            "binary data is not served",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(ask: Ask, body: Any, says: str) -> None:
    status, found = ask("/v2/models/bike/infer", body)
    assert status == 400, found
    assert list(found) == ["error"]
    assert says in found["error"] and "\n" not in found["error"]


def test_paths_that_are_none_answer_in_the_protocol(ask: Ask) -> None:
    assert ask("/v2/models/bike/nothing") == (
        404, {"error": "Nothing is served at /v2/models/bike/nothing"},
    )  # fmt: skip
    status, found = ask("/v2/models/bike/infer")
    assert (status, found["error"]) == (405, "GET is not taken here")


def test_an_endpoint_without_a_model_lives_and_is_not_ready(start: Callable[..., Any]) -> None:
    control = start()
    info = control.info()
    for path, status in (
        ("/v2/health/live", 200), ("/v2/health/ready", 400), ("/v2/models/bike", 404),
        ("/openapi.json", 200), ("/metrics", 200), ("/ping", 503),
    ):  # fmt: skip
        connection = http.client.HTTPConnection(info.host, info.port, timeout=20)
        connection.request("GET", path)
        assert connection.getresponse().status == status, path
        connection.close()
    assert control.invoke(b"{}").status == 503
