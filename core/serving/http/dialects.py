"""How one request is read and answered in the words of one protocol.

`/invocations` speaks MLflow's, `/endpoints/NAME/invocations` the same with the errors of
SageMaker's runtime; the Open Inference Protocol's is in `core.serving.http.v2`.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import orjson

from core.serving.model.engines import Engine, ModelFailed
from core.serving.process.service import Service
from core.serving.records import LoadReport
from core.serving.routing import RoutingTable, choose

Headers = list[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")
ERROR_TYPE = b"x-amzn-errortype"


class Refusal(NamedTuple):
    """An error as it goes over the wire."""

    status: int
    body: bytes
    headers: Headers


class Dialect(Protocol):
    """One protocol. `take` runs on the event loop; what it returns second comes back in
    `reply`."""

    def choose(self, table: RoutingTable, session: str, target: str) -> int | None:
        """The revision that answers; None while nothing is routed. Raises `BadRequest`."""

    def take(self, engine: Engine, body: bytes, content_type: str) -> tuple[Any, Any]:
        """What the engine gets of a body. Raises `BadRequest`."""

    def reply(self, report: LoadReport, outputs: Any, context: Any) -> bytes:
        """The body of the answer. Raises `ModelFailed` for what is not JSON."""

    def refuse(self, status: int, code: str, message: str) -> Refusal:
        """An error."""


class Plain:
    """MLflow's scoring protocol, with errors `{"error": {"code", "message"}}`."""

    def __init__(self, service: Service) -> None:
        self._salt = service.name

    def choose(self, table: RoutingTable, session: str, target: str) -> int | None:
        """By target, session or chance."""
        return choose(table, session, target, self._salt)

    def take(self, engine: Engine, body: bytes, content_type: str) -> tuple[Any, Any]:
        """The body's rows."""
        return engine.prepare(body, content_type), None

    def reply(self, report: LoadReport, outputs: Any, context: Any) -> bytes:
        """`{"predictions": [...]}`; NaN and the infinities, which JSON has not, are null."""
        return dump({"predictions": outputs})

    def refuse(self, status: int, code: str, message: str) -> Refusal:
        """One line, never a trace."""
        return Refusal(status, error_body(code, message), [])


class SageMaker(Plain):
    """The same with SageMaker's errors, so that its clients raise what they raise there.

    What the model or its input is to blame for is a `ModelError` with status 424 and the
    original status in the body, as SageMaker answers when a container does not say 200.
    """

    _TYPES = {  # noqa: RUF012 - read only
        "bad_target": (400, "ValidationError"),
        "bad_header": (400, "ValidationError"),
        "body_too_large": (413, "ValidationError"),
        "not_found": (404, "ValidationError"),
        "wrong_method": (405, "ValidationError"),
        "slow_client": (408, "ValidationError"),
        "unauthorized": (401, "AccessDeniedException"),
        "overloaded": (429, "ThrottlingException"),
        "not_ready": (503, "ServiceUnavailable"),
        "internal": (500, "InternalFailure"),
    }

    def take(self, engine: Engine, body: bytes, content_type: str) -> tuple[Any, Any]:
        """The body's rows; a client that was given no content type sends octets."""
        if content_type in ("application/octet-stream", "binary/octet-stream"):
            content_type = "application/json"
        return super().take(engine, body, content_type)

    def refuse(self, status: int, code: str, message: str) -> Refusal:
        """The error with its type in a header, where the clients look for it."""
        shown, kind = self._TYPES.get(code, (424, "ModelError"))
        body: dict[str, Any] = {"error": {"code": code, "message": message}, "Message": message}
        if kind == "ModelError":
            body["OriginalStatusCode"] = status
            body["OriginalMessage"] = message
            body["LogStreamArn"] = ""
        return Refusal(shown, orjson.dumps(body), [(ERROR_TYPE, kind.encode())])


class Tensors(Plain):
    """Errors of the Open Inference Protocol: `{"error": "message"}`."""

    def refuse(self, status: int, code: str, message: str) -> Refusal:
        """One line, never a trace."""
        return Refusal(status, orjson.dumps({"error": message}), [])


def error_body(code: str, message: str) -> bytes:
    """An error as JSON."""
    return orjson.dumps({"error": {"code": code, "message": message}})


def dump(answer: Any) -> bytes:
    """An answer as JSON. Raises `ModelFailed` when the model gave what JSON has not."""
    try:
        return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError as error:
        raise ModelFailed(f"The model's predictions are not JSON: {error}") from None


def for_path(service: Service, path: str) -> Dialect:
    """Who answers what no route takes: the protocol that its client speaks."""
    if path.startswith("/endpoints/"):
        return SageMaker(service)
    if path == "/v2" or path.startswith("/v2/"):
        return Tensors(service)
    return Plain(service)
