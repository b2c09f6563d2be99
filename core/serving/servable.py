"""A model version ready to answer: MLflow's own path, or the library's, proven equal.

MLflow's pyfunc checks the schema column by column, twice: milliseconds a request. The native
path checks once in NumPy. It is used only after the model's own example request, sent through
both from JSON to JSON, gave exactly the same numbers.
"""

from __future__ import annotations

import io
import logging
import math
import time
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Protocol

import orjson

from core.errors import ModelUnusable, OpsdeckError
from core.serving.records import Flavour, LoadReport, Parity
from core.serving.schema import Column, ModelSchema, frame
from core.serving.shapes import BadRequest, read_table

log = logging.getLogger(__name__)


class ModelFailed(Exception):
    """The model raised on input that its signature allows; becomes a 500."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = "model_error"
        self.status = 500


class Engine(Protocol):
    """How one revision answers. `prepare` runs on the event loop and must be quick; `answer`
    may run in a thread, one call at a time. `batches` says whether several requests may be
    answered by one call of the model."""

    flavour: Flavour
    batches: bool

    def prepare(self, body: bytes, content_type: str) -> Any:
        """A request's input. Raises `BadRequest`."""

    def answer(self, inputs: Sequence[Any]) -> list[Any]:
        """The predictions (JSON values) for each input. Raises `BadRequest` or `ModelFailed`."""

    def describe(self, inputs: Any) -> Any:
        """The input as what becomes JSON that can be sent again (for capture)."""


class NativeEngine:
    """The library's own predict over a matrix or a DataFrame of all waiting rows."""

    batches = True

    def __init__(self, predict: Any, schema: ModelSchema, as_frame: bool) -> None:
        self.flavour = Flavour.NATIVE_FRAME if as_frame else Flavour.NATIVE_ARRAY
        self._predict = predict
        self._schema = schema
        self._frame = as_frame

    def prepare(self, body: bytes, content_type: str) -> Any:
        """The rows, checked against the signature."""
        table = read_table(body, content_type)
        return self._schema.split(table) if self._frame else self._schema.matrix(table)

    def answer(self, inputs: Sequence[Any]) -> list[Any]:
        """One predict over all rows, cut back into requests."""
        counts = [self._count(item) for item in inputs]
        try:
            found = self._predict(self._join(inputs))
        except Exception as error:
            if len(inputs) == 1 and isinstance(error, ValueError) and _has_nulls(inputs[0]):
                raise BadRequest(f"The model takes no nulls: {_one_line(error)}") from None
            if len(inputs) == 1:
                log.exception("the model raised")
            raise ModelFailed(f"The model raised {_one_line(error)}") from error
        values = found.tolist() if hasattr(found, "tolist") else list(found)
        if len(values) != sum(counts):
            raise ModelFailed(f"The model gave {len(values)} predictions for {sum(counts)} rows")
        if len(inputs) == 1:
            return [values]
        answers: list[Any] = []
        at = 0
        for count in counts:
            answers.append(values[at : at + count])
            at += count
        return answers

    def describe(self, inputs: Any) -> Any:
        """The rows as dataframe_split."""
        names = [column.name for column in self._schema.columns]
        rows = frame([inputs]).to_numpy(object).tolist() if self._frame else inputs
        return {"dataframe_split": {"columns": names, "data": rows}}

    def _count(self, inputs: Any) -> int:
        return len(next(iter(inputs.values()))) if self._frame else len(inputs)

    def _join(self, inputs: Sequence[Any]) -> Any:
        if self._frame:
            return frame(inputs)
        import numpy as np

        # Column by column in memory, as a DataFrame is: BLAS then adds in the same order, and
        # a linear model gives the same last bit as through pyfunc.
        return np.asfortranarray(inputs[0] if len(inputs) == 1 else np.concatenate(inputs))


class PyfuncEngine:
    """MLflow's own scoring function, one request at a time: exact, and slow."""

    flavour = Flavour.PYFUNC
    batches = False

    def __init__(self, model: Any) -> None:
        self._model = model
        self._schema = model.metadata.get_input_schema()

    def prepare(self, body: bytes, content_type: str) -> Any:
        """The body as it came: MLflow parses it by the model's schema."""
        return body, content_type

    def answer(self, inputs: Sequence[Any]) -> list[Any]:
        """Each request through MLflow's scoring function."""
        return [self._one(body, content_type) for body, content_type in inputs]

    def describe(self, inputs: Any) -> Any:
        """The JSON body, or a CSV one as text."""
        body, content_type = inputs
        if content_type.startswith("text/csv"):
            return {"csv": body.decode(errors="replace")}
        return orjson.loads(body)

    def _one(self, body: bytes, content_type: str) -> Any:
        from mlflow.exceptions import MlflowException
        from mlflow.pyfunc import scoring_server

        try:
            text = body.decode()
            kind = content_type or "application/json"
            invocations: Any = scoring_server.invocations
            reply = invocations(text, kind, self._model, self._schema)
        except UnicodeDecodeError:
            raise BadRequest("The body is not UTF-8") from None
        except MlflowException as error:
            raise _mlflow_error(error, body) from error
        except Exception as error:
            log.exception("the model raised")
            raise ModelFailed(f"The model raised {_one_line(error)}") from error
        if reply.status != 200:
            raise BadRequest(_one_line(reply.response), "bad_input", reply.status)
        return orjson.loads(_without_nan(reply.response))["predictions"]


def _mlflow_error(error: Any, body: bytes) -> Exception:
    """MLflow blames the request for whatever a model raises: tell the two apart."""
    message = str(error.message)
    if message.startswith("Encountered an unexpected error"):
        trace = str(getattr(error, "stack_trace", "") or "").strip().splitlines()
        cause = trace[-1] if trace else message
        if b"null" in body:
            return BadRequest(f"The model takes no nulls: {_one_line(cause)}")
        log.error("the model raised: %s", "\n".join(trace))
        return ModelFailed(f"The model raised {_one_line(cause)}")
    return BadRequest(_one_line(message.rpartition("Error: ")[2]))


def load(revision: int, path: Path, model: str, version: int) -> tuple[Engine, LoadReport]:
    """Load a model directory in MLflow's format. Slow: call it in a thread.

    Raises `ModelUnusable` with one line for whatever goes wrong, the model's own code included.
    """
    begun = time.perf_counter()
    if not (path / "MLmodel").is_file():
        raise ModelUnusable(f"{path} holds no MLmodel file", "give a model directory of MLflow's")
    try:
        engine, parity, detail = _load(path)
    except OpsdeckError:
        raise
    except Exception as error:
        log.exception("model %s version %s cannot be loaded", model, version)
        raise ModelUnusable(
            f"Model {model} version {version} cannot be loaded: {_one_line(error)}",
            "see server.log in the endpoint's folder",
        ) from error
    seconds = time.perf_counter() - begun
    report = LoadReport(
        revision, model, version, str(path), engine.flavour, parity, detail, seconds
    )
    return engine, report


def _load(path: Path) -> tuple[Engine, Parity, str]:
    import mlflow.pyfunc

    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        pyfunc = PyfuncEngine(model := mlflow.pyfunc.load_model(str(path)))
    example = _example(path)
    natives, why = _natives(model)
    if not natives:
        if example is not None:
            _replay(pyfunc, example)
        return pyfunc, Parity.UNTESTED, why
    if example is None:
        return pyfunc, Parity.UNTESTED, "the model has no input example to prove a fast path with"
    expected = _replay(pyfunc, example)
    for native in natives:
        try:
            found = native.answer([native.prepare(example, "application/json")])[0]
        except (BadRequest, ModelFailed) as error:
            why = f"{native.flavour} refused the example: {error.message}"
            continue
        if _same(found, expected):
            return native, Parity.EQUAL, "the input example gives the same through both paths"
        why = f"{native.flavour} and pyfunc differ on the input example"
    return pyfunc, Parity.DIFFERS, why


def _replay(engine: PyfuncEngine, example: bytes) -> Any:
    """What pyfunc says to the model's own example; a model that cannot do that is unusable."""
    try:
        return engine.answer([engine.prepare(example, "application/json")])[0]
    except (BadRequest, ModelFailed) as error:
        raise ModelUnusable(
            f"The model fails on its own input example: {error.message}",
            "log the model again with an example it accepts",
        ) from error


def _example(path: Path) -> bytes | None:
    """The model's example request, as MLflow saved it."""
    file = path / "serving_input_example.json"
    return file.read_bytes() if file.is_file() else None


def _natives(model: Any) -> tuple[list[NativeEngine], str]:
    """The fast paths worth trying, the fastest first, or why there is none."""
    metadata = model.metadata
    if "sklearn" not in metadata.flavors:
        return [], f"no fast path for {', '.join(sorted(metadata.flavors))}"
    inputs = metadata.get_input_schema()
    if inputs is None or inputs.is_tensor_spec() or not inputs.has_input_names():
        return [], "the model has no signature with named columns"
    if metadata.get_params_schema() is not None:
        return [], "the model takes params"
    columns = [
        Column(spec.name, getattr(spec.type, "name", str(spec.type)), spec.required)
        for spec in inputs.inputs
    ]
    schema = ModelSchema(tuple(columns))
    estimator = model.get_raw_model()
    method = metadata.flavors["python_function"].get("predict_fn", "predict")
    predict = getattr(estimator, method)
    natives = [NativeEngine(predict, schema, as_frame=False)] if schema.numeric else []
    if schema.framable:
        natives.append(NativeEngine(predict, schema, as_frame=True))
    return natives, "" if natives else "a column's type has no fast path"


def _same(left: Any, right: Any) -> bool:
    """Exact equality, element by element; NaN equals NaN and null."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(
            _same(a, b) for a, b in zip(left, right, strict=True)
        )
    return left == right or (_is_nan(left) and _is_nan(right))


def _is_nan(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _has_nulls(inputs: Any) -> bool:
    import pandas as pd

    columns = inputs.values() if isinstance(inputs, dict) else [inputs]
    return any(
        bool(pd.isna(pd.Series(list(column)) if isinstance(column, list) else column).any())
        for column in columns
    )


def _without_nan(text: str) -> str:
    """MLflow writes NaN, which is not JSON: null stands for it."""
    if "NaN" not in text and "Infinity" not in text:
        return text
    import json

    return json.dumps(json.loads(text, parse_constant=lambda _: None))


def _one_line(error: object) -> str:
    text = str(error).strip()
    if isinstance(error, BaseException):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    first = text.splitlines()[0] if text else "no reason given"
    return first if len(first) <= 300 else first[:297] + "..."
