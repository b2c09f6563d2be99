"""The HTTP side: `/invocations` (also by SageMaker's path), `/ping`, `/metrics` and a status
page, as an ASGI app.

Headers are those of SageMaker's runtime: `X-Amzn-SageMaker-Session-Id` keeps a session on its
variant, `-Target-Variant` asks for one, `-Inference-Id` names the request in the capture;
`x-Amzn-Invoked-Production-Variant` says who answered.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import asdict
from functools import partial
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from core.errors import BadInput
from core.serving.capture import Captured
from core.serving.routing import RoutingTable, choose
from core.serving.servable import ModelFailed
from core.serving.service import Loaded, Service
from core.serving.shapes import BadRequest
from core.serving.traffic import prometheus

log = logging.getLogger(__name__)

_JSON = (b"content-type", b"application/json")
_CLIENT_LEFT = 499  # as nginx counts it: nobody was there to be answered


class Invocations:
    """One request to the model, from body to answer. An ASGI app of its own, for speed."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; nothing escapes but cancellation."""
        service = self._service
        if service.in_flight >= service.max_in_flight:
            service.shed += 1
            extra = [(b"retry-after", b"1")]
            await self._send(send, 429, _error("overloaded", "Too many requests at once"), extra)
            return
        begun = time.perf_counter()
        epoch = service.epoch
        epoch.enter()
        service.in_flight += 1
        service.ledger.enter()
        status = 500  # what counts if we are cancelled
        try:
            status = await self._answer(epoch.table, scope, receive, send, begun)
        finally:
            service.in_flight -= 1
            if status >= 500:
                service.ledger.fail()
            # The loop writes the answer to the socket at the end of this turn: a process
            # that stops before that has not answered.
            asyncio.get_running_loop().call_soon(service.ledger.leave)
            epoch.leave()

    async def _answer(
        self, table: RoutingTable, scope: Scope, receive: Receive, send: Send, begun: float
    ) -> int:
        headers = dict(scope["headers"])
        session = headers.get(b"x-amzn-sagemaker-session-id", b"").decode("latin-1")
        target = headers.get(b"x-amzn-sagemaker-target-variant", b"").decode("latin-1")
        service = self._service
        try:
            revision = choose(table, session, target, service.name)
        except BadInput as error:
            await self._send(send, 400, _error("bad_target", error.message))
            return 400
        if revision is None:
            await self._send(send, 503, _error("not_ready", "No model version is routed yet"))
            return 503
        loaded = service.loaded[revision]
        loaded.enter()
        status = 500
        try:
            status = await self._predict(loaded, scope, headers, receive, send, begun)
        finally:
            loaded.leave()
            loaded.traffic.record(status, time.perf_counter() - begun)
        return status

    async def _predict(
        self,
        loaded: Loaded,
        scope: Scope,
        headers: dict[bytes, bytes],
        receive: Receive,
        send: Send,
        begun: float,
    ) -> int:
        body = b""
        inputs: Any = None
        outputs: Any = None
        try:
            body = await self._read(headers, Request(scope, receive))
            content_type = headers.get(b"content-type", b"application/json").decode("latin-1")
            inputs = loaded.engine.prepare(body, content_type)
            outputs = await loaded.batcher.answer(inputs)
            status, reply = 200, orjson.dumps({"predictions": outputs})
        except ClientDisconnect:
            return _CLIENT_LEFT
        except (BadRequest, ModelFailed) as error:
            status, reply = error.status, _error(error.code, error.message)
        except Exception as error:
            log.exception("a request failed")
            status = 500
            reply = _error("internal", f"The server failed: {type(error).__name__}")
        inference = headers.get(b"x-amzn-sagemaker-inference-id", b"")
        identity = inference.decode("latin-1") or f"{random.getrandbits(128):032x}"
        extra = [
            (b"x-amzn-invoked-production-variant", b"r%d" % loaded.report.revision),
            (b"x-amzn-sagemaker-inference-id", identity.encode("latin-1")),
        ]
        await self._send(send, status, reply, extra)
        capture = self._service.capture
        if capture.wants(identity):
            describe = (
                partial(loaded.engine.describe, inputs) if status == 200 else partial(_raw, body)
            )
            taken = (time.perf_counter() - begun) * 1000
            report = loaded.report
            answer = outputs if status == 200 else orjson.Fragment(reply)
            capture.add(
                Captured(
                    identity,
                    time.time(),
                    report.revision,
                    status,
                    taken,
                    describe,
                    answer,
                    len(body) + len(reply),
                    report.model,
                    report.version,
                    headers.get(b"content-type", b"application/json").decode("latin-1"),
                    capture.rate,
                )
            )
        return status

    async def _read(self, headers: dict[bytes, bytes], request: Request) -> bytes:
        """The body; raises `BadRequest` (413) as soon as it is known to be too long."""
        limit = self._service.max_body
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > limit:
            raise _too_long(limit)
        chunks: list[bytes] = []
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise _too_long(limit)
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _send(
        self, send: Send, status: int, body: bytes, extra: list[tuple[bytes, bytes]] | None = None
    ) -> None:
        headers = [_JSON, (b"content-length", str(len(body)).encode()), *(extra or ())]
        if self._service.draining or status == 413:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def build(service: Service) -> Starlette:
    """The app over a service."""

    def reply(status: int, body: bytes, kind: str = "application/json") -> Response:
        headers = {"connection": "close"} if service.draining else None
        return Response(body, status, headers, kind)

    async def ping(_: Request) -> Response:
        if service.ready:
            return reply(200, b'{"status":"ready"}')
        return reply(503, _error("not_ready", "No model version is routed yet"))

    async def status(_: Request) -> Response:
        table = [asdict(variant) for variant in service.epoch.table.variants]
        loaded = [asdict(item.report) for item in service.loaded.values()]
        shown = {"name": service.name, "variants": table, "loaded": loaded}
        return reply(200, orjson.dumps({**shown, "stats": asdict(service.stats())}))

    async def metrics(_: Request) -> Response:
        rows = [item.traffic for item in service.loaded.values()]
        text = prometheus(service.name, rows, service.shed)
        return reply(200, text.encode(), "text/plain; version=0.0.4")

    async def missing(request: Request, _: Exception) -> Response:
        return reply(404, _error("not_found", f"Nothing is served at {request.url.path}"))

    async def wrong_method(request: Request, _: Exception) -> Response:
        return reply(405, _error("wrong_method", f"{request.method} is not taken here"))

    invocations = Invocations(service)
    return Starlette(
        routes=[
            Route("/invocations", invocations, methods=["POST"]),
            # Where the clients of SageMaker's runtime post to.
            Route(f"/endpoints/{service.name}/invocations", invocations, methods=["POST"]),
            Route("/ping", ping),
            Route("/metrics", metrics),
            Route("/status", status),
            Route("/", status),
        ],
        exception_handlers={404: missing, 405: wrong_method},
    )


def _raw(body: bytes) -> Any:
    return {"body": body[:4096].decode(errors="replace")}


def _too_long(limit: int) -> BadRequest:
    return BadRequest(f"The body is longer than {limit} bytes", "body_too_large", 413)


def _error(code: str, message: str) -> bytes:
    return orjson.dumps({"error": {"code": code, "message": message}})
