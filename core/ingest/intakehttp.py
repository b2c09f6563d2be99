"""The HTTP face of an intake: POST records, and be told that they are on the disk."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import time
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from core.errors import OpsdeckError
from core.ingest.flushing import Flusher, Keys
from core.ingest.records import Problem, Record, Shape, lines_of
from core.ingest.spool import Frame, Spool
from core.ingest.writing import GroupWriter

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]

BODY_SECONDS = 30.0  # within which a request's body must have come
IN_HAND_BYTES = 128 << 20  # of all requests' bodies at once
ASIDE_BYTES = 256 << 10  # bodies above this are parsed off the event loop
MOST_KEY = 256
_PATHS = ("/", "/records")


@dataclass(frozen=True)
class Limits:
    """Bytes of one body, and of what may wait in the spool."""

    body: int = 8 << 20
    spool: int = 1 << 30


class Refusal(Exception):
    """A request that is answered with an error; nothing of it was kept."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        problems: tuple[Problem, ...] = (),
        wait: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.problems = problems
        self.wait = wait


@dataclass
class Door:
    """One intake's ASGI application. `digest` is the token's SHA-256, empty for none."""

    name: str
    dataset: str
    spool: Spool
    writer: GroupWriter
    shape: Shape
    keys: Keys
    flusher: Flusher
    limits: Limits
    flush_seconds: float
    digest: bytes = b""
    accepted: int = 0
    requests: dict[int, int] = field(default_factory=dict)
    refused: int = 0
    in_hand: int = 0
    started: float = field(default_factory=time.time)
    _pending: dict[str, asyncio.Future[str]] = field(default_factory=dict)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        try:
            status, body, kind = await self._answer(scope, headers, receive)
            extra: list[tuple[bytes, bytes]] = []
        except Refusal as error:
            status, kind = error.status, b"application/json"
            body, extra = _told(error)
            self.refused += 1
        self.requests[status] = self.requests.get(status, 0) + 1
        if status in (400, 401, 408, 413, 415, 429, 503):
            extra.append((b"connection", b"close"))  # what is left of the body is not read
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", kind),
                    (b"content-length", str(len(body)).encode()),
                    *extra,
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})

    async def _answer(
        self, scope: dict[str, Any], headers: dict[bytes, bytes], receive: Receive
    ) -> tuple[int, bytes, bytes]:
        path, method = scope["path"], scope["method"]
        if path == "/ping":
            return 200, b"ok\n", b"text/plain"
        if self.digest and not _allowed(headers, self.digest):
            raise Refusal(401, "a valid bearer token is needed")
        if path == "/stats" and method == "GET":
            return 200, orjson.dumps(self.stats()), b"application/json"
        if path == "/metrics" and method == "GET":
            return 200, self.metrics().encode(), b"text/plain; version=0.0.4"
        if path not in _PATHS:
            raise Refusal(404, f"no such path: POST records to {_PATHS[1]}")
        if method != "POST":
            raise Refusal(405, f"POST records to {_PATHS[1]}")
        self._refuse_when_full(int(headers.get(b"content-length", b"0") or b"0"))
        key = headers.get(b"idempotency-key", b"").decode("latin-1")
        if len(key) > MOST_KEY or not key.isprintable():
            raise Refusal(400, f"Idempotency-Key: {MOST_KEY} printable characters at most")
        if key and (key in self.keys or key in self._pending):
            return await self._known(key)
        return await self._take(headers, receive, key)

    async def _known(self, key: str) -> tuple[int, bytes, bytes]:
        """The request was sent before: its records are in, or are being put on the disk."""
        if key in self._pending:
            await asyncio.shield(self._pending[key])
        body = {"accepted": 0, "duplicate": True}
        return 202, orjson.dumps(body), b"application/json"

    async def _take(
        self, headers: dict[bytes, bytes], receive: Receive, key: str
    ) -> tuple[int, bytes, bytes]:
        held = [0]
        waiting: asyncio.Future[str] | None = None
        if key:
            waiting = self._pending[key] = asyncio.get_running_loop().create_future()
            waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            body = await self._body(receive, held)
            body = _unpacked(headers, body, self.limits.body)
            if len(body) > ASIDE_BYTES:
                lines, count = await asyncio.to_thread(self._parsed, headers, body)
            else:
                lines, count = self._parsed(headers, body)
            if not count:
                return 202, b'{"accepted":0}', b"application/json"
            segment = await self._written(Frame(lines, key))
            if key:
                self.keys.add(key)
            if waiting is not None:
                waiting.set_result(segment)
            self.accepted += count
            answer = {"accepted": count, "segment": segment}
            return 202, orjson.dumps(answer), b"application/json"
        except BaseException as error:
            if waiting is not None and not waiting.done():
                waiting.set_exception(
                    error if isinstance(error, Refusal) else Refusal(503, "try again", wait=1)
                )
            raise
        finally:
            self.in_hand -= held[0]
            self._pending.pop(key, None)

    async def _written(self, frame: Frame) -> str:
        try:
            return await self.writer.write(frame)
        except OpsdeckError as error:
            raise Refusal(503, error.message, wait=5) from error

    async def _body(self, receive: Receive, held: list[int]) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refusal(400, "the request ended in the middle")
                    part = message.get("body", b"")
                    size += len(part)
                    self.in_hand += len(part)
                    held[0] += len(part)
                    if size > self.limits.body:
                        raise Refusal(413, f"a request may have {self.limits.body:,} bytes")
                    parts.append(part)
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            raise Refusal(408, f"the body did not come within {BODY_SECONDS:g} s") from None

    def _refuse_when_full(self, size: int) -> None:
        if size > self.limits.body:
            raise Refusal(413, f"a request may have {self.limits.body:,} bytes")
        if self.spool.waiting() + self.in_hand + size > self.limits.spool:
            raise Refusal(
                429, "the spool is full: the lake is slower than this", wait=self.flush_seconds
            )
        if self.in_hand + size > IN_HAND_BYTES:
            raise Refusal(429, "too much at once", wait=1)

    def _parsed(self, headers: dict[bytes, bytes], body: bytes) -> tuple[bytes, int]:
        """A body's records as JSON Lines, and their number; raises `Refusal` with all faults."""
        kind = headers.get(b"content-type", b"").lower()
        records = records_of(body, lines=b"ndjson" in kind or b"jsonl" in kind or b"lines" in kind)
        problems = self.shape.problems(records)
        if problems:
            raise Refusal(
                400, "records that do not fit: nothing was kept", problems=tuple(problems)
            )
        return lines_of(records), len(records)

    def stats(self) -> dict[str, Any]:
        """What the process has done, and what waits."""
        return {
            "name": self.name,
            "dataset": self.dataset,
            "accepted": self.accepted,
            "refused": self.refused,
            "flushed": self.flusher.flushed,
            "waiting_bytes": self.spool.waiting(),
            "segments": self.spool.count(),
            "last_error": self.flusher.last_error,
            "last_flush_at": self.flusher.last_flush,
            "up_seconds": time.time() - self.started,
            "requests": {str(status): count for status, count in self.requests.items()},
        }

    def metrics(self) -> str:
        """The same for Prometheus."""
        label = f'{{intake="{self.name}",dataset="{self.dataset}"}}'
        rows = [
            ("records_accepted_total", "counter", self.accepted),
            ("records_flushed_total", "counter", self.flusher.flushed),
            ("spool_bytes", "gauge", self.spool.waiting()),
            ("spool_segments", "gauge", self.spool.count()),
            ("flush_failing", "gauge", int(bool(self.flusher.last_error))),
        ]
        lines = []
        for name, kind, value in rows:
            lines.append(f"# TYPE opsdeck_intake_{name} {kind}")
            lines.append(f"opsdeck_intake_{name}{label} {value}")
        lines.append("# TYPE opsdeck_intake_requests_total counter")
        lines += [
            f'opsdeck_intake_requests_total{label[:-1]},status="{status}"}} {count}'
            for status, count in sorted(self.requests.items())
        ]
        return "\n".join(lines) + "\n"


def records_of(body: bytes, *, lines: bool) -> list[Record]:
    """The records of a body: an object, an array of them, or one a line. Raises `Refusal`."""
    found: Any = None
    if not lines:
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            if b"\n" not in body.strip():
                raise Refusal(400, f"not JSON (column {error.colno}: {error.msg})") from error
            lines = True
    if lines:
        return _lines(body)
    many = found if isinstance(found, list) else [found]
    problems = tuple(
        Problem(index, "not a JSON object")
        for index, one in enumerate(many, start=1)
        if not isinstance(one, dict)
    )
    if problems:
        raise Refusal(400, "records that do not fit: nothing was kept", problems=problems[:100])
    return many


def _lines(body: bytes) -> list[Record]:
    from core.ingest.jsonfile import record_of

    records: list[Record] = []
    problems: list[Problem] = []
    for line in body.split(b"\n"):
        if not line.strip():
            continue
        try:
            records.append(record_of(line))
        except ValueError as error:
            problems.append(Problem(len(records) + len(problems) + 1, str(error)))
    if problems:
        raise Refusal(
            400, "records that do not fit: nothing was kept", problems=tuple(problems[:100])
        )
    return records


def _unpacked(headers: dict[bytes, bytes], body: bytes, most: int) -> bytes:
    encoding = headers.get(b"content-encoding", b"identity").lower()
    if encoding == b"identity":
        return body
    if encoding != b"gzip":
        raise Refusal(415, "Content-Encoding: gzip or none")
    unpack = zlib.decompressobj(wbits=31)
    try:
        plain = unpack.decompress(body, most + 1)
    except zlib.error as error:
        raise Refusal(400, f"the gzip stream is damaged ({error})") from error
    if len(plain) > most:
        raise Refusal(413, f"a request may have {most:,} bytes when unpacked")
    if not unpack.eof or unpack.unused_data:
        raise Refusal(400, "the gzip stream is cut off")
    return plain


def _allowed(headers: dict[bytes, bytes], digest: bytes) -> bool:
    given = headers.get(b"authorization", b"")
    if given[:7].lower() != b"bearer ":
        return False
    return hmac.compare_digest(hashlib.sha256(given[7:].strip(b" ")).digest(), digest)


def _told(error: Refusal) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    body: dict[str, Any] = {"error": error.message}
    if error.problems:
        body["records"] = [{"record": one.record, "reason": one.reason} for one in error.problems]
    extra: list[tuple[bytes, bytes]] = []
    if error.wait is not None:
        extra.append((b"retry-after", str(max(1, round(error.wait))).encode()))
    if error.status == 401:
        extra.append((b"www-authenticate", b'Bearer realm="opsdeck"'))
    with contextlib.suppress(TypeError):
        return orjson.dumps(body), extra
    return b'{"error":"refused"}', extra
