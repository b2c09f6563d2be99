"""One HTTP connection: uvicorn's, with bounds on how many there are and how slow one may be.

A client has `read_timeout` seconds from the first byte of a request (or from the connection,
for the first) to its last. One timer a connection watches that, and only while a request is
incomplete, so that those that come in one piece pay nothing. A client that does not take its
answer has as long for each part of it; then the connection is cut, for what it does not take
stays in memory, and the next request behind it in flight.
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from core.serving.http.access import allowed
from core.serving.http.dialects import error_body
from core.serving.process.consumers import Row
from core.serving.process.service import Service

log = logging.getLogger(__name__)

LATE = "opsdeck.late"  # in the scope of a request whose body did not come in time
MAX_HEAD = 64 << 10  # bytes of request line and headers


class Connection(HttpToolsProtocol):
    """uvicorn's protocol over a service's limits."""

    def __init__(self, service: Service, **settings: Any) -> None:
        super().__init__(**settings)
        self._service = service
        self._in_head = True  # also before the first byte
        self._incomplete = True
        self._head = 0  # bytes of the request's head so far
        self._timer: asyncio.TimerHandle | None = None
        self._unread = 0  # bytes that the client has not taken, at the last look
        self._taking: asyncio.TimerHandle | None = None  # looks whether it does
        self._counted = 0  # requests of this connection that stand in the ledger
        self._consumer: Row | None = None  # whose requests these are

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or refuse it when there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self._service.config.max_connections:
            self._service.refused += 1
            self._end(503, "too_many_connections", "Too many connections", b"retry-after: 1\r\n")
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer with the connection."""
        self._unwatch()
        self._unwatch_taking()
        while self._counted:  # nobody waits for an answer any more
            self._leave_ledger()
        if self._consumer is not None:
            self._service.consumers.part(self._consumer)
            self._consumer = None
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Much of an answer waits to be taken: see that it is."""
        super().pause_writing()
        self._watch_taking()

    def resume_writing(self) -> None:
        """It has been taken."""
        super().resume_writing()
        self._unwatch_taking()

    def data_received(self, data: bytes) -> None:
        """Parse; watch the clock while a request is incomplete."""
        if self.transport.is_closing():
            return
        counted = self._in_head
        super().data_received(data)
        if not self._incomplete:
            if self._timer is not None:
                self._unwatch()
            return
        if self._in_head and counted:
            self._head += len(data)
            if self._head > MAX_HEAD:
                self._end(431, "head_too_large", f"The headers are longer than {MAX_HEAD} bytes")
                return
        if self._timer is None and not self.transport.is_closing():
            self._watch()

    def on_message_begin(self) -> None:
        """A request begins. It is in hand from its first byte on: a server that stops before
        it gets to it has lost it all the same."""
        self._counted += 1
        self._service.ledger.enter()
        self._in_head = self._incomplete = True
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._in_head = False
        super().on_headers_complete()
        if self._consumer is not None or self._meet():
            self._consumer.requests += 1  # type: ignore[union-attr]

    def _meet(self) -> bool:
        """Find out who calls, with the first request for predictions that is let in."""
        service, address = self._service, self.client[0] if self.client else ""
        if self.scope["method"] != "POST":
            return False
        if service.digest and not allowed(self.headers, service.digest):
            return False
        self._consumer = service.consumers.meet(address, self.headers, self.url)
        return self._consumer is not None

    def on_message_complete(self) -> None:
        """It is all there."""
        self._incomplete = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A request has been answered."""
        super().on_response_complete()
        # The loop writes the answer to the socket at the end of this turn: a process that
        # stops before that has not answered.
        self.loop.call_soon(self._leave_ledger)

    def _leave_ledger(self) -> None:
        if self._counted:
            self._counted -= 1
            self._service.ledger.leave()

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP gets our kind of error too."""
        if not self.transport.is_closing():
            self._end(400, "bad_http", msg.rstrip("."))

    def _watch_taking(self) -> None:
        self._unwatch_taking()
        self._unread = self.transport.get_write_buffer_size()
        wait = self._service.config.read_timeout
        self._taking = self.loop.call_later(wait, self._look_at_taking)

    def _unwatch_taking(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _look_at_taking(self) -> None:
        self._taking = None
        if self.transport.get_write_buffer_size() < self._unread:
            self._watch_taking()
            return
        self._service.slow += 1
        self.transport.abort()  # to close it would wait for what it does not take

    def _watch(self) -> None:
        self._timer = self.loop.call_later(self._service.config.read_timeout, self._late)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if self.flow.read_paused:  # it is us who do not read
            self._watch()
            return
        self._service.slow += 1
        answered = self.cycle is None or self.cycle.response_complete
        if self._in_head and answered:
            self._end(408, "slow_client", "The request did not arrive in time")
        elif answered:
            self.transport.close()  # it was answered without its body
        elif not self.cycle.response_started:
            self.cycle.scope[LATE] = True  # type: ignore[literal-required]
            self._end(408, "slow_client", "The body did not arrive in time")
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _end(self, status: int, code: str, message: str, extra: bytes = b"") -> None:
        """Answer past the app, and close."""
        body = error_body(code, message)
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n"
        )
        self.transport.write(head.encode() + extra + b"\r\n" + body)
        self.transport.close()
