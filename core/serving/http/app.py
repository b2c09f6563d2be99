"""The HTTP side of a server process: every route of an endpoint, as one ASGI app."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from core.errors import OpsdeckError
from core.serving.http import metrics
from core.serving.http.access import Front
from core.serving.http.dialects import Plain, SageMaker, error_body, for_path
from core.serving.http.invocations import Invocations
from core.serving.http.openapi import document
from core.serving.http.v2 import V2
from core.serving.process.service import Service


class Pages:
    """What an endpoint says about itself."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def reply(
        self,
        status: int,
        body: bytes,
        kind: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """An answer, the connection's last one while the server drains."""
        closing = {"connection": "close"} if self._service.draining else {}
        return Response(body, status, {**closing, **(headers or {})}, kind)

    async def ping(self, _: Request) -> Response:
        """Whether requests can be answered."""
        if self._service.ready:
            return self.reply(200, b'{"status":"ready"}')
        return self.reply(503, error_body("not_ready", "No model version is routed yet"))

    async def status(self, _: Request) -> Response:
        """The routing table, what is loaded, and the traffic of the whole endpoint."""
        if (whole := await self._whole("status")) is not None:
            return self.reply(200, orjson.dumps(whole))
        service = self._service
        table = [asdict(variant) for variant in service.epoch.table.variants]
        loaded = [asdict(item.report) for item in service.loaded.values()]
        shown = {"name": service.name, "variants": table, "loaded": loaded}
        return self.reply(200, orjson.dumps({**shown, "stats": asdict(service.stats())}))

    async def metrics(self, _: Request) -> Response:
        """The figures of every server process for Prometheus."""
        text = await self._whole("metrics") or metrics.render(self._service)
        return self.reply(200, text.encode(), metrics.CONTENT_TYPE)

    async def _whole(self, what: str) -> Any:
        """What the supervisor gathers from all servers; None while it cannot be had: then this
        process speaks for itself."""
        if self._service.whole is None:
            return None
        try:
            return await self._service.whole(what)
        except OpsdeckError:
            return None

    async def openapi(self, _: Request) -> Response:
        """The description of all this for what is routed now."""
        return self.reply(200, orjson.dumps(document(self._service)))

    async def wrong(self, request: Request, error: Exception) -> Response:
        """What no route takes, in its client's protocol."""
        path = request.url.path
        dialect = for_path(self._service, path)
        allow: Mapping[str, str] = {}
        if isinstance(error, HTTPException) and error.status_code == 405:
            allow = error.headers or {}
            refused = dialect.refuse(405, "wrong_method", f"{request.method} is not taken here")
        else:
            refused = dialect.refuse(404, "not_found", f"Nothing is served at {path}")
        extra = {name.decode(): value.decode() for name, value in refused.headers}
        return self.reply(refused.status, refused.body, headers={**allow, **extra})


def build(service: Service) -> Front:
    """The app over a service."""
    pages = Pages(service)
    invocations = Invocations(service, Plain(service))
    runtime = Invocations(service, SageMaker(service))
    v2 = V2(service)
    # Where the clients of SageMaker's runtime post to.
    runtime_path = f"/endpoints/{service.name}/invocations"
    handlers: dict[Any, Any] = {404: pages.wrong, 405: pages.wrong}
    app = Starlette(
        routes=[
            Route("/invocations", invocations, methods=["POST"]),
            Route(runtime_path, runtime, methods=["POST"]),
            Route("/ping", pages.ping),
            Route("/metrics", pages.metrics),
            Route("/openapi.json", pages.openapi),
            Route("/status", pages.status),
            Route("/", pages.status),
            *v2.routes(),
        ],
        exception_handlers=handlers,
    )
    app.router.redirect_slashes = False
    fast: dict[str, ASGIApp] = {"/invocations": invocations, runtime_path: runtime}
    fast |= v2.fast()
    return Front(service, app, fast)
