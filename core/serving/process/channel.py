"""JSON-lines requests and answers both ways between supervisor and server, many at a time."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from core.errors import EndpointUnavailable, OpsdeckError
from core.serving import wire

log = logging.getLogger(__name__)

Handler = Callable[[str, dict[str, Any]], Awaitable[Any]]


async def refuse(operation: str, _: dict[str, Any]) -> Any:
    """The handler of a side that takes no requests."""
    raise OpsdeckError(f"Unknown operation {operation!r}")


class Channel:
    """One end of a socket pair. `lost` is set once the other end has gone."""

    def __init__(self, handler: Handler = refuse) -> None:
        self.lost = asyncio.Event()
        self._handler = handler
        self._numbers = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._writer: asyncio.StreamWriter | None = None

    async def open(self, end: socket.socket) -> None:
        """Take over a connected socket and read from it until the other end leaves."""
        end.setblocking(False)
        reader, self._writer = await asyncio.open_unix_connection(sock=end, limit=wire.MAX_LINE)
        self._keep(self._read(reader))

    async def call(self, operation: str, timeout: float, **arguments: Any) -> Any:
        """Ask the other end. The line is sent before this first waits, so calls keep order.

        Raises what it raised, or `EndpointUnavailable` when it leaves or takes too long.
        """
        if self.lost.is_set() or self._writer is None:
            raise EndpointUnavailable("The server process is not there")
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[number] = answer
        self._writer.write(wire.encode({"n": number, "op": operation, **arguments}))
        try:
            return wire.unwrap(await asyncio.wait_for(answer, timeout))
        except TimeoutError:
            raise EndpointUnavailable(
                f"The server did not answer `{operation}` within {timeout:g} s"
            ) from None
        finally:
            self._pending.pop(number, None)

    def close(self) -> None:
        """Leave; the other end sees it."""
        if self._writer is not None:
            self._writer.close()
        self._gone()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                message = json.loads(line)
                if "op" in message:
                    self._keep(self._handle(message))
                elif (answer := self._pending.get(message["n"])) and not answer.done():
                    answer.set_result(message)
        except (OSError, ValueError) as error:
            log.error("the channel broke: %s", error)
        finally:
            self._gone()

    async def _handle(self, message: dict[str, Any]) -> None:
        number, operation = message.pop("n"), message.pop("op")
        try:
            found = await self._handler(operation, message)
            line = wire.encode({"n": number, **wire.success(found)})
            if len(line) > wire.MAX_LINE:  # it would break the channel, and look like a death
                raise OpsdeckError(f"The answer to `{operation}` is too long: {len(line)} bytes")
        except OpsdeckError as error:
            line = wire.encode({"n": number, **wire.failure(error)})
        except Exception as error:
            log.exception("operation %s failed", operation)
            failed = OpsdeckError(f"{operation} failed: {type(error).__name__}")
            line = wire.encode({"n": number, **wire.failure(failed)})
        if self._writer is not None and not self.lost.is_set():
            self._writer.write(line)

    def _gone(self) -> None:
        self.lost.set()
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(EndpointUnavailable("The server process has died"))
        self._pending.clear()

    def _keep(self, work: Any) -> None:
        # The loop holds tasks only weakly.
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
