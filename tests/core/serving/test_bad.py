"""Bad input and bad models: one line each, whatever comes."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ModelUnusable
from core.serving import EndpointControl
from core.serving.http.dialects import dump
from core.serving.http.shapes import BadRequest
from core.serving.model.engines import ModelFailed, NativeEngine
from core.serving.model.schema import Column, ModelSchema, Signature
from core.serving.records import Flavour

PREFIX = b'{"dataframe_split": {"columns": ["hour", "temp", "hum"], "data": [[8, '
DEEP = b"[" * 900 + b"]" * 900


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (PREFIX + b"NaN, 1]]}}", "not valid JSON"),
        (PREFIX + b"Infinity, 1]]}}", "not valid JSON"),
        (PREFIX + b"-Infinity, 1]]}}", "not valid JSON"),
        (PREFIX + b"1e999, 1]]}}", "infinity"),
        (PREFIX + b"1" + b"0" * 400 + b", 1]]}}", "infinity"),
        (PREFIX + b'"NaN", 1]]}}', "'NaN' is not a double"),
        (PREFIX + b"true, 1]]}}", "True is not a double"),
        (PREFIX + b"{}, 1]]}}", "an object is not a double"),
        (PREFIX + DEEP + b", 1]]}}", "an array is not a double"),
        (b"[" * 100_000, "depth limit"),
        (PREFIX + b'"\xff", 1]]}}', "not valid JSON"),
        (PREFIX + b'"\\ud800", 1]]}}', "surrogate"),
        (PREFIX + b"1, 1]]}} trailing", "not valid JSON"),
        (b'{"dataframe_records": [{"hour": 1, "temp": 1, "hum": 1}, {"hour": 1}]}', "Row 1 lacks"),
        (
            b'{"dataframe_split": {"columns": ["hour", "temp"], "data": [[8, 1]]}}',
            "lacks column hum",
        ),
        (b'{"inputs": {"hour": 9223372036854775808, "temp": 1, "hum": 1}}', "is not a long"),
        (b'{"inputs": {"hour": 99999999999999999999, "temp": 1, "hum": 1}}', "is not a long"),
    ],
)
def test_bad_json(endpoint: EndpointControl, body: bytes, says: str) -> None:
    reply = endpoint.invoke(body)
    assert reply.status == 400, reply.body
    error = json.loads(reply.body)["error"]
    assert says in error["message"] and len(error["message"]) < 400
    assert reply.body.count(b"\n") == 0


@pytest.mark.parametrize(
    "kind",
    [
        "application/xml", "multipart/form-data; boundary=x", "application/json; charset=latin-1",
        "a/b\u00e9", "application/x-npy", "/", ";",
    ],
)  # fmt: skip
def test_other_content_types_are_415s(endpoint: EndpointControl, kind: str) -> None:
    info = endpoint.info()
    assert info is not None
    for revision in (1, 4):  # through the native path and through pyfunc
        endpoint.set_table({revision: 100})
        connection = http.client.HTTPConnection(info.host, info.port, timeout=20)
        connection.request("POST", "/invocations", b"{}", {"Content-Type": kind})
        reply = connection.getresponse()
        body = json.loads(reply.read())
        connection.close()
        expected = 400 if kind == ";" else 415  # an empty type is taken for JSON
        assert (reply.status, set(body)) == (expected, {"error"})


def test_duplicate_columns_are_refused(endpoint: EndpointControl) -> None:
    twice = (
        b'{"dataframe_split": {"columns": ["hour", "hour", "temp", "hum"], "data": [[1,1,1,1]]}}'
    )
    for body, kind in ((twice, "application/json"), (b"hour,hour,temp,hum\n1,1,1,1\n", "text/csv")):
        reply = endpoint.invoke(body, kind)
        assert (reply.status, b"twice" in reply.body) == (400, True)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"inputs": {"x": [NaN]}}', "application/json", 400),
        (b'{"inputs": {"x": [1e999]}}', "application/json", 400),
        (b'{"inputs": {"x": ["a"]}}', "application/json", 400),
        (b'{"inputs": ' + DEEP + b"}", "application/json", 400),
        (b'{"inputs": {"x": [1]}, "instances": []}', "application/json", 400),
        (b'{"dataframe_split": {"columns": ["x", "x"], "data": 3}}', "application/json", 400),
        (b'{"dataframe_split": {"columns": [{}], "data": [[1]]}}', "application/json", 400),
        (b"\xff", "text/csv", 400),
        (b"y\n1\n", "text/csv", 400),
        (b"x\nabc\n", "text/csv", 400),
    ],
)
def test_the_generic_path_refuses_as_well(
    endpoint: EndpointControl, body: bytes, kind: str, status: int
) -> None:
    endpoint.set_table({4: 100})
    reply = endpoint.invoke(body, kind)
    assert reply.status == status, reply.body
    error = json.loads(reply.body)["error"]
    assert error["message"] and "\n" not in error["message"]
    assert b"Traceback" not in reply.body and len(error["message"]) < 400


def test_a_client_of_the_model_before_is_told_what_it_lacks(
    endpoint: EndpointControl, split: Callable[..., bytes]
) -> None:
    body = split([8, 0.5, 0.25])
    assert endpoint.invoke(body).status == 200
    endpoint.set_table({3: 100})
    reply = endpoint.invoke(body)
    assert (reply.status, b"lacks column sky" in reply.body) == (400, True)


SIGNATURE = Signature(ModelSchema((Column("x", "double"),)))


def predicted(predict: Callable[[Any], Any], rows: int = 2) -> Any:
    """What goes over the wire when a model predicts so."""
    engine = NativeEngine(predict, SIGNATURE, Flavour.NATIVE_ARRAY)
    answer = engine.answer([np.arange(rows, dtype=float).reshape(rows, 1)])[0]
    return json.loads(dump({"predictions": answer}))["predictions"]


def test_nan_and_the_infinities_are_null() -> None:
    values = np.array([np.nan, np.inf, -np.inf, 1.5])
    assert predicted(lambda _: values, 4) == [None, None, None, 1.5]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (np.array([1.0]), "1 predictions for 2 rows"),
        (np.array([1.0, 2.0, 3.0]), "3 predictions for 2 rows"),
        (np.float64(1.0), "not a row for each row"),
        (None, "not a row for each row"),
        ({"a": 1}, "not a row for each row"),
        ([object(), object()], "not JSON"),
        ([{1, 2}, {3}], "not JSON"),
        (np.array([1j, 2j]), "not JSON"),
    ],
)
def test_predictions_that_are_none_are_a_500(given: Any, says: str) -> None:
    with pytest.raises(ModelFailed, match=says) as caught:
        predicted(lambda _: given)
    assert (caught.value.status, "\n" in caught.value.message) == (500, False)


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (RuntimeError("first\nsecond"), ModelFailed, "The model raised RuntimeError: first"),
        (KeyError(), ModelFailed, "The model raised KeyError"),
        (SystemExit(3), ModelFailed, "The model raised SystemExit: 3"),
        (MemoryError(), ModelFailed, "The model raised MemoryError"),
        (ValueError("Input X contains infinity"), BadRequest, "The model takes no such values"),
        (ValueError("x" * 5000), ModelFailed, "ValueError: xxx"),
    ],
)
def test_a_model_that_raises_is_quoted_in_one_line(
    error: BaseException, kind: type[Exception], says: str
) -> None:
    def predict(_: Any) -> Any:
        raise error

    with pytest.raises(kind, match=says) as caught:
        predicted(predict)
    message = str(caught.value)
    assert "\n" not in message and "second" not in message and len(message) < 400


BROKEN = {
    "raises": "def load_context(self, context):\n        raise RuntimeError('no weights\\nsecret')",
    "exits": "def load_context(self, context):\n        raise SystemExit(4)",
}


@pytest.mark.parametrize("how", list(BROKEN))
def test_a_model_whose_load_raises_is_refused_and_the_endpoint_goes_on(
    endpoint: EndpointControl, tmp_path: Path, how: str, split: Callable[..., bytes]
) -> None:
    import mlflow.pyfunc

    code = f"""
import mlflow.pyfunc

class Broken(mlflow.pyfunc.PythonModel):
    {BROKEN[how]}
    def predict(self, context, model_input, params=None):
        return [0]

mlflow.models.set_model(Broken())
"""
    file = tmp_path / "broken.py"
    file.write_text(code)
    mlflow.pyfunc.save_model(
        tmp_path / "broken", python_model=str(file), pip_requirements=["mlflow"]
    )
    with pytest.raises(ModelUnusable) as caught:
        endpoint.load(90, tmp_path / "broken", "broken", 1)
    assert "broken version 1 cannot be loaded" in caught.value.message
    assert "\n" not in caught.value.message and "secret" not in caught.value.message
    assert endpoint.invoke(split([8, 0.5, 0.25])).status == 200
    assert 90 not in {report.revision for report in endpoint.status().loaded}
