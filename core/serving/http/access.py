"""The front door: the bearer token, and the shortest way to the routes that must be fast."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from core.serving.http.dialects import JSON, for_path
from core.serving.process.service import Service

OPEN = frozenset({"/ping", "/v2/health/live", "/v2/health/ready"})  # for probes, which know none
_SCHEME = b"bearer "


def allowed(headers: list[tuple[bytes, bytes]], digest: bytes) -> bool:
    """Whether a request carries the token with this SHA-256, compared in constant time."""
    given = [value for name, value in headers if name == b"authorization"]
    if len(given) != 1 or given[0][: len(_SCHEME)].lower() != _SCHEME:
        return False
    token = given[0][len(_SCHEME) :].strip(b" ")
    return hmac.compare_digest(hashlib.sha256(token).digest(), digest)


class Front:
    """Lets requests in. `fast` are apps for POST on exact paths, which skip the router."""

    def __init__(self, service: Service, app: ASGIApp, fast: Mapping[str, ASGIApp]) -> None:
        self._service = service
        self._app = app
        self._fast = fast

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401, or hand on."""
        digest = self._service.digest
        path = scope["path"]
        if digest and path not in OPEN and not allowed(scope["headers"], digest):
            await self._deny(path, send)
            return
        app = self._fast.get(path) if scope["method"] == "POST" else None
        await (app or self._app)(scope, receive, send)

    async def _deny(self, path: str, send: Send) -> None:
        self._service.denied += 1
        refused = for_path(self._service, path).refuse(
            401, "unauthorized", "A valid bearer token is needed"
        )
        headers = [
            JSON,
            (b"content-length", str(len(refused.body)).encode()),
            (b"www-authenticate", b'Bearer realm="opsdeck"'),
            *refused.headers,
        ]
        await send({"type": "http.response.start", "status": refused.status, "headers": headers})
        await send({"type": "http.response.body", "body": refused.body})
