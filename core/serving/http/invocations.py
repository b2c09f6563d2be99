"""One request to a model, from body to answer. ASGI apps of their own, for speed.

Headers are those of SageMaker's runtime: `X-Amzn-SageMaker-Session-Id` keeps a session on its
variant, `-Target-Variant` asks for one, `-Inference-Id` names the request in the capture;
`x-Amzn-Invoked-Production-Variant` says who answered.
"""

from __future__ import annotations

import logging
import random
import time
import uuid
from functools import partial
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from core.errors import BadInput
from core.serving.http.connection import LATE
from core.serving.http.dialects import JSON, Dialect, Headers, Refusal
from core.serving.http.shapes import BadRequest
from core.serving.model.engines import ModelFailed
from core.serving.process.capture import Captured
from core.serving.process.service import Loaded, Service
from core.serving.routing import RoutingTable

log = logging.getLogger(__name__)

MAX_ID = 256  # characters of an inference id
_DISCARD = 32 << 20  # bytes of a body over the limit that are read so that its client listens
_CLIENT_LEFT = 499  # as nginx counts it: nobody was there to be answered
_NEW_SESSION = "NEW_SESSION"  # what SageMaker's clients send to be given a session


class ClientLeft(Exception):
    """The connection ended before the body did."""


class Invocations:
    """Answers the requests to a service in one dialect."""

    def __init__(self, service: Service, dialect: Dialect) -> None:
        self._service = service
        self._dialect = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; nothing escapes but cancellation."""
        await self.answer(self._dialect, scope, receive, send)

    async def answer(self, dialect: Dialect, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request in this dialect."""
        service = self._service
        if service.in_flight >= service.max_in_flight:
            service.shed += 1
            refused = dialect.refuse(429, "overloaded", "Too many requests at once")
            await self._refuse(send, refused, [(b"retry-after", b"1")])
            return
        begun = time.perf_counter()
        epoch = service.epoch
        epoch.enter()
        service.in_flight += 1
        status = 500  # what counts if we are cancelled
        try:
            status = await self._route(dialect, epoch.table, scope, receive, send, begun)
        finally:
            service.in_flight -= 1
            if status >= 500:
                service.ledger.fail()
            epoch.leave()

    async def _route(
        self,
        dialect: Dialect,
        table: RoutingTable,
        scope: Scope,
        receive: Receive,
        send: Send,
        begun: float,
    ) -> int:
        headers = dict(scope["headers"])
        session = headers.get(b"x-amzn-sagemaker-session-id", b"").decode("latin-1")
        target = headers.get(b"x-amzn-sagemaker-target-variant", b"").decode("latin-1")
        extra: Headers = []
        if not target and b"x-amzn-sagemaker-target-variant" in headers:
            message = "X-Amzn-SageMaker-Target-Variant is empty"
            await self._refuse(send, dialect.refuse(400, "bad_target", message))
            return 400
        if session == _NEW_SESSION:
            session = str(uuid.uuid4())
            extra.append((b"x-amzn-sagemaker-new-session-id", session.encode()))
        try:
            revision = dialect.choose(table, session, target)
            identity = _identity(headers)
        except BadInput as error:
            await self._refuse(send, dialect.refuse(400, "bad_target", error.message))
            return 400
        except BadRequest as error:
            await self._refuse(send, dialect.refuse(error.status, error.code, error.message))
            return error.status
        if revision is None:
            message = "No model version is routed yet"
            await self._refuse(send, dialect.refuse(503, "not_ready", message))
            return 503
        loaded = self._service.loaded[revision]
        extra.append((b"x-amzn-invoked-production-variant", b"r%d" % revision))
        extra.append((b"x-amzn-sagemaker-inference-id", identity.encode("latin-1")))
        loaded.enter()
        status = 500
        try:
            status = await self._predict(
                dialect, loaded, identity, scope, headers, receive, send, extra, begun
            )
        finally:
            loaded.leave()
            taken = time.perf_counter() - begun
            loaded.traffic.record(status, taken)
            loaded.meter.record(status, taken, chance=not session and not target)
        return status

    async def _predict(
        self,
        dialect: Dialect,
        loaded: Loaded,
        identity: str,
        scope: Scope,
        headers: dict[bytes, bytes],
        receive: Receive,
        send: Send,
        extra: Headers,
        begun: float,
    ) -> int:
        body = b""
        inputs: Any = None
        outputs: Any = None
        refused: Refusal | None = None
        status = 200
        content_type = headers.get(b"content-type", b"application/json").decode("latin-1")
        try:
            body = await self._read(headers, receive)
            inputs, context = dialect.take(loaded.engine, body, content_type)
            outputs = await loaded.batcher.answer(inputs)
            reply = dialect.reply(loaded.report, outputs, context)
        except ClientLeft:
            return 408 if LATE in scope else _CLIENT_LEFT
        except (BadRequest, ModelFailed) as error:
            status = error.status
            refused = dialect.refuse(status, error.code, error.message)
        except Exception as error:
            log.exception("a request failed")
            status = 500
            refused = dialect.refuse(500, "internal", f"The server failed: {type(error).__name__}")
        if refused is None:
            await self._send(send, 200, reply, extra)
        else:
            reply = refused.body
            await self._refuse(send, refused, extra, close=status == 413)
        self._service.count(loaded, status, outputs, dialect.take, body, content_type, identity)
        capture = self._service.capture
        if capture.wants(identity):
            describe = (
                partial(loaded.engine.describe, inputs, body, content_type)
                if status == 200
                else partial(_raw, body)
            )
            taken = (time.perf_counter() - begun) * 1000
            report = loaded.report
            capture.add(
                Captured(
                    identity,
                    time.time(),
                    report.revision,
                    status,
                    taken,
                    describe,
                    outputs if status == 200 else orjson.Fragment(reply),
                    len(body) + len(reply),
                    report.model,
                    report.version,
                    content_type,
                    capture.rate,
                )
            )
        return status

    async def _read(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """The body. Raises `BadRequest` (413) when it is too long, `ClientLeft`."""
        limit = self._service.max_body
        length = headers.get(b"content-length", b"")
        announced = int(length) if length.isdigit() else 0
        if announced > limit + _DISCARD or (announced > limit and b"expect" in headers):
            raise _too_long(limit)
        message = await receive()
        body: bytes = message.get("body", b"")
        if message["type"] == "http.request" and not message.get("more_body"):
            if len(body) > limit:
                raise _too_long(limit)
            return body
        chunks, size = [body], len(body)
        while message["type"] == "http.request" and message.get("more_body"):
            if size > limit + _DISCARD:
                raise _too_long(limit)
            message = await receive()
            body = message.get("body", b"")
            size += len(body)
            if size > limit:
                chunks.clear()
            else:
                chunks.append(body)
        if message["type"] == "http.disconnect":
            raise ClientLeft
        if size > limit:
            raise _too_long(limit)
        return b"".join(chunks)

    async def _refuse(
        self, send: Send, refused: Refusal, extra: Headers | None = None, close: bool = False
    ) -> None:
        headers = [*refused.headers, *(extra or ())]
        await self._send(send, refused.status, refused.body, headers, close)

    async def _send(
        self, send: Send, status: int, body: bytes, extra: Headers, close: bool = False
    ) -> None:
        headers = [JSON, (b"content-length", str(len(body)).encode()), *extra]
        if close or self._service.closes():
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _identity(headers: dict[bytes, bytes]) -> str:
    """The request's id in the capture: the client's, else a new one. Raises `BadRequest`."""
    given = headers.get(b"x-amzn-sagemaker-inference-id")
    if not given:
        return f"{random.getrandbits(128):032x}"
    identity = given.decode("latin-1")
    if len(identity) > MAX_ID or not identity.isprintable() or not identity.isascii():
        raise BadRequest(
            f"X-Amzn-SageMaker-Inference-Id is not up to {MAX_ID} printable ASCII characters",
            "bad_header",
        )
    return identity


def _raw(body: bytes) -> Any:
    return {"body": body[:4096].decode(errors="replace")}


def _too_long(limit: int) -> BadRequest:
    return BadRequest(f"The body is longer than {limit} bytes", "body_too_large", 413)
