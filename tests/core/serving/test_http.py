"""What a client of the endpoint sees: shapes, numbers, errors, headers, metrics."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.errors import RequestFailed
from core.serving import EndpointControl, Flavour, Parity

RECORD = {"hour": 8, "temp": 0.5, "hum": 0.25}
SECOND = {"hour": 20, "temp": 0.125, "hum": 0.75}


@pytest.fixture(scope="session")
def expected(models: dict[str, Path]) -> list[float]:
    """What MLflow itself says to the two rows."""
    import mlflow.pyfunc
    import pandas as pd

    model = mlflow.pyfunc.load_model(str(models["one"]))
    return list(model.predict(pd.DataFrame([RECORD, SECOND])))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (
            "application/json",
            {
                "dataframe_split": {
                    "columns": list(RECORD),
                    "data": [[8, 0.5, 0.25], [20, 0.125, 0.75]],
                }
            },
        ),
        (
            "application/json; charset=utf-8",
            {
                "dataframe_split": {
                    "columns": ["hum", "extra", "hour", "temp"],
                    "data": [[0.25, "x", 8, 0.5], [0.75, None, 20, 0.125]],
                }
            },
        ),
        ("application/json", {"dataframe_records": [RECORD, SECOND]}),
        ("application/json", {"instances": [RECORD, SECOND]}),
        ("application/json", {"inputs": [RECORD, SECOND]}),
        (
            "application/json",
            {"inputs": {"hour": [8, 20], "temp": [0.5, 0.125], "hum": [0.25, 0.75]}},
        ),
        ("text/csv", "hour,temp,hum\n8,0.5,0.25\n20,0.125,0.75\n"),
    ],
)
def test_every_shape_gives_mlflows_numbers(
    endpoint: EndpointControl, expected: list[float], kind: str, body: Any
) -> None:
    payload = body if isinstance(body, str) else json.dumps(body)
    reply = endpoint.invoke(payload.encode(), kind)
    assert reply.status == 200, reply.body
    assert json.loads(reply.body) == {"predictions": expected}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[]", "JSON array"),
        (b"3", "JSON number"),
        (b"{}", "exactly one of"),
        (b'{"inputs": [], "instances": []}', "exactly one of"),
        (b'{"inputs": []}', "no rows"),
        (b'{"instances": [[1, 2, 3]]}', "named columns"),
        (b'{"inputs": {"hour": [1, 2], "temp": [1], "hum": [1]}}', "differ in length"),
        (b'{"dataframe_split": {"data": [[1, 2, 3]]}}', "columns"),
        (b'{"dataframe_split": {"columns": ["hour"], "data": [[1]]}}', "temp, hum"),
        (b'{"dataframe_split": {"columns": ["hour", "hour"], "data": []}}', "twice"),
        (b'{"dataframe_split": {"columns": ["hour", "temp", "hum"], "data": [[1]]}}', "Row 0"),
        (b'{"dataframe_records": [{"hour": "a", "temp": 1, "hum": 1}]}', "hour, row 0: 'a'"),
        (b'{"dataframe_records": [{"hour": 1.5, "temp": 1, "hum": 1}]}', "1.5 is not a long"),
        (b'{"dataframe_records": [{"hour": null, "temp": 1, "hum": 1}]}', "null is not a long"),
        (b'{"dataframe_records": [{"hour": 1, "temp": [1], "hum": 1}]}', "temp, row 0"),
    ],
)
def test_bad_input_is_a_400_in_one_line(endpoint: EndpointControl, body: bytes, says: str) -> None:
    reply = endpoint.invoke(body)
    assert reply.status == 400
    error = json.loads(reply.body)["error"]
    assert error["code"] == "bad_input"
    assert says in error["message"]
    assert "\n" not in error["message"]
    assert "Traceback" not in reply.body.decode()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"hour,temp,hum\n1,2\n", "Row 0 has 2 values"),
        (b"hour,temp,hum\n1,abc,3\n", "temp, row 0: 'abc'"),
        (b"\xff\xff", "UTF-8"),
        (b'hour,temp,hum\n"1,2,3\n', "cannot be read"),
    ],
)
def test_bad_csv(endpoint: EndpointControl, body: bytes, says: str) -> None:
    reply = endpoint.invoke(body, "text/csv")
    assert reply.status == 400
    assert says in json.loads(reply.body)["error"]["message"]


def test_other_media_types_paths_and_methods(endpoint: EndpointControl) -> None:
    assert endpoint.invoke(b"x", "application/x-parquet").status == 415
    info = endpoint.info()
    assert info is not None
    for method, path, status in (
        ("GET", "/ping", 200),
        ("GET", "/", 200),
        ("GET", "/nowhere", 404),
        ("GET", "/invocations", 405),
    ):
        connection = http.client.HTTPConnection(info.host, info.port, timeout=10)
        connection.request(method, path)
        reply = connection.getresponse()
        assert (reply.status, reply.headers["content-type"]) == (status, "application/json")
        json.loads(reply.read())
        connection.close()


def test_sagemakers_path_is_served_for_this_endpoint_only(
    endpoint: EndpointControl, split: Callable[..., bytes]
) -> None:
    info = endpoint.info()
    assert info is not None
    statuses = []
    for name in ("bike", "other"):
        connection = http.client.HTTPConnection(info.host, info.port, timeout=20)
        connection.request("POST", f"/endpoints/{name}/invocations", split([8, 0.5, 0.25]))
        reply = connection.getresponse()
        found = json.loads(reply.read())
        statuses.append((reply.status, sorted(found)))
        connection.close()
    assert statuses == [(200, ["predictions"]), (404, ["Message", "error"])]


def test_a_body_over_the_limit_is_413(endpoint: EndpointControl) -> None:
    with contextlib.suppress(RequestFailed):  # it may close before the client has sent it all
        assert endpoint.invoke(b" " * (8 * 1024 * 1024 + 1)).status == 413
    assert endpoint.invoke(b"{}").status == 400


def test_nulls_go_through_where_the_model_takes_them(
    endpoint: EndpointControl, split: Callable[..., bytes], models: dict[str, Path]
) -> None:
    import mlflow.pyfunc
    import pandas as pd

    row = pd.DataFrame({"hour": [8], "temp": [float("nan")], "hum": [0.25]})
    wanted = mlflow.pyfunc.load_model(str(models["one"])).predict(row)
    reply = endpoint.invoke(split([8, None, 0.25]))
    assert json.loads(reply.body) == {"predictions": list(wanted)}


def test_string_columns_take_the_frame_path(endpoint: EndpointControl) -> None:
    endpoint.set_table({3: 100})
    found = {report.revision: report for report in endpoint.status().loaded}
    assert found[1].flavour is Flavour.NATIVE_ARRAY
    assert found[3].flavour is Flavour.NATIVE_FRAME
    assert found[3].parity is Parity.EQUAL
    body = {"dataframe_records": [{**RECORD, "sky": "rain"}]}
    reply = endpoint.invoke(json.dumps(body).encode())
    assert reply.status == 200
    assert json.loads(reply.body)["predictions"] == pytest.approx([8.0])
    csv = endpoint.invoke(b"hour,temp,hum,sky\n8,0.5,0.25,rain\n", "text/csv")
    assert csv.body == reply.body
    bad = endpoint.invoke(json.dumps({"inputs": [{**RECORD, "sky": 3}]}).encode())
    assert (bad.status, b"sky, row 0" in bad.body) == (400, True)


def test_a_model_that_raises_is_a_500_without_its_trace(endpoint: EndpointControl) -> None:
    endpoint.set_table({4: 100})
    assert json.loads(endpoint.invoke(b'{"inputs": {"x": [1]}}').body) == {"predictions": [2.0]}
    reply = endpoint.invoke(b'{"inputs": {"x": [-1]}}')
    assert reply.status == 500
    error = json.loads(reply.body)["error"]
    assert error["code"] == "model_error"
    assert "\n" not in error["message"] and "second line" not in error["message"]
    assert endpoint.invoke(b'{"inputs": {"y": [1]}}').status == 400


def test_a_slow_predict_does_not_hold_up_ping(endpoint: EndpointControl) -> None:
    import threading
    import time

    endpoint.set_table({4: 100})
    slow = threading.Thread(target=endpoint.invoke, args=(b'{"inputs": {"x": [2000]}}',))
    slow.start()
    time.sleep(0.1)
    info = endpoint.info()
    assert info is not None
    begun = time.monotonic()
    connection = http.client.HTTPConnection(info.host, info.port, timeout=10)
    connection.request("GET", "/ping")
    assert connection.getresponse().status == 200
    assert time.monotonic() - begun < 0.4
    assert slow.is_alive()
    slow.join(10)
    connection.close()


def test_headers_choose_and_name(endpoint: EndpointControl, split: Callable[..., bytes]) -> None:
    endpoint.set_table({1: 50, 2: 50})
    body = split([8, 0.5, 0.25])
    for target, revision in (("r1", 1), ("r2", 2), ("2", 2)):
        reply = endpoint.invoke(body, headers={"X-Amzn-SageMaker-Target-Variant": target})
        assert reply.revision == revision
    missing = endpoint.invoke(body, headers={"X-Amzn-SageMaker-Target-Variant": "r9"})
    assert (missing.status, b"r9" in missing.body) == (400, True)
    session = {"X-Amzn-SageMaker-Session-Id": "author"}
    assert len({endpoint.invoke(body, headers=session).revision for _ in range(10)}) == 1
    named = endpoint.invoke(body, headers={"X-Amzn-SageMaker-Inference-Id": "order-1"})
    assert named.headers["x-amzn-sagemaker-inference-id"] == "order-1"
    assert {endpoint.invoke(body).revision for _ in range(40)} == {1, 2}


def test_metrics_and_stats_agree(endpoint: EndpointControl, split: Callable[..., bytes]) -> None:
    def answered() -> tuple[int, int]:
        info = endpoint.info()
        assert info is not None
        connection = http.client.HTTPConnection(info.host, info.port, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        of_two = 'variant="r2",model="two",model_version="2"'
        lines = [line.rpartition(" ") for line in text.splitlines() if of_two in line]
        requests = [int(n) for name, _, n in lines if name.startswith("opsdeck_requests_total")]
        buckets = [int(n) for name, _, n in lines if 'le="+Inf"' in name]
        return sum(requests), sum(buckets)

    endpoint.set_table({2: 100})
    before, counted = {row.revision: row for row in endpoint.stats().revisions}[2], answered()
    for _ in range(5):
        endpoint.invoke(split([8, 0.5, 0.25]))
    endpoint.invoke(b"{}")
    after = {row.revision: row for row in endpoint.stats().revisions}[2]
    assert after.requests - before.requests == 6
    assert after.rejected - before.rejected == 1
    assert after.errors == before.errors
    assert after.p50_ms is not None and after.p99_ms is not None
    assert 0 < after.p50_ms <= after.p99_ms < 5000
    assert [now - then for now, then in zip(answered(), counted, strict=True)] == [6, 6]


def test_the_bodies_in_the_documentation_are_answered(endpoint: EndpointControl) -> None:
    import re

    text = (Path(__file__).parents[3] / "docs" / "endpoint.md").read_text()
    shapes, tensors = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    answers = [endpoint.invoke(line.encode()) for line in shapes.splitlines()]
    assert [reply.status for reply in answers] == [200] * 4
    assert answers[0].body == answers[1].body == answers[3].body
    info = endpoint.info()
    assert info is not None
    connection = http.client.HTTPConnection(info.host, info.port, timeout=20)
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/v2/models/bike/infer", tensors, headers)
    found = json.loads(connection.getresponse().read())
    connection.close()
    assert found["id"] == "42"
    assert found["outputs"][0]["data"] == json.loads(answers[0].body)["predictions"]
