"""How a loaded model answers: through the library's own predict, or through MLflow's pyfunc."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Protocol

import orjson

from core.serving.http.shapes import CSV, BadRequest, Table, media_type, parse_json, read_table
from core.serving.model.schema import Column, Signature, frame
from core.serving.records import Flavour

log = logging.getLogger(__name__)

_UNFIT = "Input X contains"  # scikit-learn's word for NaN, infinity, or beyond its float32
_LARGE = 1e300
_PROBES = 64  # columns that are tried with a null


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
    signature: Signature

    def prepare(self, body: bytes, content_type: str) -> Any:
        """A request's input. Raises `BadRequest`."""

    def answer(self, inputs: Sequence[Any]) -> list[Any]:
        """The predictions (JSON values) for each input. Raises `BadRequest` or `ModelFailed`."""

    def describe(self, inputs: Any, body: bytes = b"", content_type: str = "") -> Any:
        """The input as what becomes JSON that can be sent again (for capture). `body` is what it
        was made from, where more of that is to be kept."""


class NativeEngine:
    """A predict of the library's (or of what stands for it) over a matrix or a DataFrame of
    all waiting rows. `signature` names the columns."""

    batches = True

    def __init__(self, predict: Any, signature: Signature, flavour: Flavour) -> None:
        if signature.columns is None:
            raise ValueError("a native engine needs named columns")
        self.flavour = flavour
        self.signature = signature
        self.predict = predict
        self._schema = signature.columns
        self._frame = flavour is Flavour.NATIVE_FRAME
        self._beside = False  # whether requests have brought columns that the model does not see

    def prepare(self, body: bytes, content_type: str) -> Any:
        """The rows, checked against the signature."""
        return self.rows(read_table(body, content_type))

    def rows(self, table: Table) -> Any:
        """The same of a body that has been read."""
        if len(table.names) > len(self._schema.columns):
            self._beside = True
        return self._schema.split(table) if self._frame else self._schema.matrix(table)

    def answer(self, inputs: Sequence[Any]) -> list[Any]:
        """One predict over all rows, cut back into requests."""
        counts = [self._count(item) for item in inputs]
        try:
            found = self.predict(self._join(inputs))
        except (Exception, SystemExit) as error:
            if len(inputs) == 1 and isinstance(error, ValueError):
                if str(error).startswith(_UNFIT):
                    raise BadRequest(f"The model takes no such values: {one_line(error)}") from None
                if _has_nulls(inputs[0]):
                    raise BadRequest(f"The model takes no nulls: {one_line(error)}") from None
            if len(inputs) == 1:
                log.exception("the model raised")
            raise ModelFailed(f"The model raised {one_line(error)}") from error
        values = plain(found)
        if not isinstance(values, list):
            raise ModelFailed(f"The model gave a {type(found).__name__}, not a row for each row")
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

    def describe(self, inputs: Any, body: bytes = b"", content_type: str = "") -> Any:
        """The rows as dataframe_split; behind them the body's columns that the model does not
        see (a time, a group, a key), by which what was captured can be told apart."""
        names = [column.name for column in self._schema.columns]
        rows = frame([inputs]).to_numpy(object).tolist() if self._frame else inputs
        if self._beside and body:
            more, values = _beside(body, content_type, names)
            if more and len(values) == len(rows):
                names = [*names, *more]
                own = rows if isinstance(rows, list) else rows.tolist()
                rows = [[*row, *others] for row, others in zip(own, values, strict=True)]
        return {"dataframe_split": {"columns": names, "data": rows}}

    def accepts(self, inputs: Any) -> bool:
        """Whether the model predicts for an input at all."""
        try:
            self.predict(self._join([inputs]))
        except Exception:  # noqa: BLE001 - whatever it raises, it says no
            return False
        return True

    def takes_null(self, inputs: Any) -> frozenset[str]:
        """The columns in which the model takes null, by trying each of them on one row."""
        named = self._schema.columns
        takers = [c for c in named if c.type in ("double", "float", "string")]
        if len(takers) > _PROBES:
            return frozenset()
        return frozenset(c.name for c in takers if self.accepts(self._with_null(inputs, c)))

    def takes_large(self, inputs: Any) -> bool:
        """Whether the model takes numbers beyond float32, by trying one in each double."""
        if self._frame:
            one = {name: values[:1] for name, values in inputs.items()}
            for column in self._schema.columns:
                if column.type == "double":
                    one[column.name] = [_LARGE]
            return self.accepts(one)
        one = inputs[:1].copy()
        for index, column in enumerate(self._schema.columns):
            if column.type == "double":
                one[0, index] = _LARGE
        return self.accepts(one)

    def _with_null(self, inputs: Any, column: Column) -> Any:
        if self._frame:
            one = {name: values[:1] for name, values in inputs.items()}
            null = [None] if column.type == "string" else one[column.name] * float("nan")
            return {**one, column.name: null}
        one = inputs[:1].copy()
        one[0, self._schema.columns.index(column)] = float("nan")
        return one

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

    def __init__(self, model: Any, signature: Signature) -> None:
        self.signature = signature
        self._model = model
        self._schema = model.metadata.get_input_schema()

    def prepare(self, body: bytes, content_type: str) -> Any:
        """The body as it came, once it is known to be JSON or text: MLflow parses it by the
        model's schema."""
        kind = media_type(content_type)
        if kind == CSV:
            try:
                body.decode()
            except UnicodeDecodeError:
                raise BadRequest("The CSV is not UTF-8") from None
        else:
            parse_json(body)
        return body, kind

    def answer(self, inputs: Sequence[Any]) -> list[Any]:
        """Each request through MLflow's scoring function."""
        return [self._one(body, content_type) for body, content_type in inputs]

    def describe(self, inputs: Any, body: bytes = b"", content_type: str = "") -> Any:
        """The JSON body, or a CSV one as text."""
        body, content_type = inputs
        if content_type == CSV:
            return {"csv": body.decode(errors="replace")}
        return orjson.loads(body)

    def _one(self, body: bytes, content_type: str) -> Any:
        from mlflow.exceptions import MlflowException
        from mlflow.pyfunc import scoring_server

        try:
            invocations: Any = scoring_server.invocations
            reply = invocations(body.decode(), content_type, self._model, self._schema)
        except MlflowException as error:
            self._blame(body, content_type)
            raise _mlflow_error(error, body) from error
        except RecursionError:
            raise BadRequest("The body is nested too deeply") from None
        except (Exception, SystemExit) as error:
            self._blame(body, content_type)
            log.exception("the model raised")
            raise ModelFailed(f"The model raised {one_line(error)}") from error
        if reply.status != 200:
            raise BadRequest(one_line(reply.response), "bad_input", reply.status)
        found = orjson.loads(_without_nan(reply.response))
        # What was asked in a chat's shape is answered in one, with no key around it.
        return found["predictions"] if isinstance(found, dict) and "predictions" in found else found

    def _blame(self, body: bytes, content_type: str) -> None:
        """Raises `BadRequest` when a request that failed does not keep to the signature: MLflow
        takes much that does not, and then the model stumbles over it."""
        columns = self.signature.columns
        if columns is not None and columns.framable:
            columns.split(read_table(body, content_type))


def _mlflow_error(error: Any, body: bytes) -> Exception:
    """MLflow blames the request for whatever a model raises: tell the two apart."""
    message = str(error.message)
    if message.startswith("Encountered an unexpected error"):
        cause = error.__context__ or message
        if b"null" in body:
            return BadRequest(f"The model takes no nulls: {one_line(cause)}")
        log.error("the model raised", exc_info=error.__context__)
        return ModelFailed(f"The model raised {one_line(cause)}")
    return BadRequest(one_line(message.rpartition("Error: ")[2]))


def plain(found: Any) -> Any:
    """Predictions as lists and numbers of Python's."""
    if hasattr(found, "tolist"):
        return found.tolist()
    if isinstance(found, list | tuple):
        return [item.tolist() if hasattr(item, "tolist") else item for item in found]
    return found


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


def one_line(error: object) -> str:
    text = str(error).strip()
    if isinstance(error, BaseException):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    first = text.splitlines()[0] if text else "no reason given"
    return first if len(first) <= 300 else first[:297] + "..."


def _beside(body: bytes, content_type: str, known: Sequence[str]) -> tuple[list[str], list[Any]]:
    """The columns of a body that are not among `known`, and its rows of them."""
    try:
        table = read_table(body, content_type)
    except BadRequest:  # another form, which has been made into columns by its dialect
        return [], []
    places = [(name, place) for place, name in enumerate(table.names) if name not in known]
    rows = [[row[place] for _, place in places] for row in table.rows]
    return [name for name, _ in places], rows
