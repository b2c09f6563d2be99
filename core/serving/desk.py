"""The control socket: what a client may ask of the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from core.errors import BadInput, EndpointUnavailable, NotFound, OpsdeckError
from core.serving import wire
from core.serving.keeper import DRAIN_SECONDS, Keeper, Swapped
from core.serving.records import (
    CaptureStatus,
    EndpointState,
    EndpointStatus,
    RollbackReport,
    SwapReport,
    Variant,
)
from core.serving.routing import RoutingTable

log = logging.getLogger(__name__)

ASK_SECONDS = 5.0
ROLLBACK_SECONDS = 1.0  # how long a rollback lets the server be silent


class Desk:
    """Answers one JSON line a request; connections are independent of each other."""

    def __init__(self, name: str, url: str, keeper: Keeper, stop: Callable[[], None]) -> None:
        self._name = name
        self._url = url
        self._keeper = keeper
        self._stop = stop
        self._rolled: tuple[RoutingTable, RollbackReport] | None = None

    async def open(self, path: str) -> asyncio.Server:
        """Listen on the control socket, which only its owner may use."""
        Path(path).unlink(missing_ok=True)
        mask = os.umask(0o177)
        try:
            return await asyncio.start_unix_server(self._client, path, limit=wire.MAX_LINE)
        finally:
            os.umask(mask)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(wire.encode(await self._answer(line)))
                await writer.drain()
        except (OSError, ValueError) as error:
            log.warning("a control client left: %s", error)
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            message = json.loads(line)
            operation = message.pop("op")
            if operation.startswith("_") or operation not in _OPERATIONS:
                raise BadInput(f"Unknown operation {operation!r}")
            return wire.success(await getattr(self, operation)(**message))
        except OpsdeckError as error:
            return wire.failure(error)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return wire.failure(BadInput(f"The control request cannot be used: {error}"))
        except Exception as error:
            log.exception("a control request failed")
            return wire.failure(OpsdeckError(f"The supervisor failed: {type(error).__name__}"))

    async def load(self, revision: int, model_path: str, model: str, version: int) -> Any:
        """Load a model under a revision."""
        report = await self._keeper.load(
            revision=revision, model_path=model_path, model=model, version=version
        )
        return asdict(report)

    async def unload(self, revision: int) -> None:
        """Free a revision."""
        await self._keeper.unload(revision)

    async def set_table(self, variants: list[dict[str, Any]], reason: str) -> Any:
        """Route by these weights."""
        begun = time.perf_counter()
        rows = [Variant.from_json(row) for row in variants]
        if not rows:
            raise BadInput("The routing table is empty", "name at least one revision")
        return await self._put(begun, rows, reason)

    async def clear_table(self, reason: str) -> Any:
        """Route to nothing: what is loaded is not good enough to serve."""
        return await self._put(time.perf_counter(), [], reason)

    async def _put(self, begun: float, rows: list[Variant], reason: str) -> Any:
        _, changed = self._keeper.route(rows, reason)
        done = await self._keeper.apply()
        took = (done.at - begun) * 1000
        return asdict(SwapReport(self._keeper.desired.table.variants, took, changed))

    async def rollback(self, to_revision: int, reason: str) -> Any:
        """Everything to one revision at once; then see how those in flight end."""
        begun = time.perf_counter()
        keeper = self._keeper
        if to_revision not in keeper.desired.loads:
            raise NotFound(f"Revision {to_revision} is not loaded", "it cannot be rolled back to")
        before = keeper.desired.table
        changed = not before.all_to(to_revision) or keeper.state is EndpointState.FAILED
        if not changed and keeper.in_force:
            return asdict(self._again(before, to_revision))
        keeper.route([Variant(to_revision, 100.0)], reason, regretted=True)
        old = await keeper.apply(ROLLBACK_SECONDS)
        took = (old.at - begun) * 1000
        failed, drained = await self._drained(old)
        report = RollbackReport(
            to_revision, before.variants, took, old.in_flight, failed, drained, changed
        )
        self._rolled = keeper.desired.table, report
        return asdict(report)

    def _again(self, table: RoutingTable, to_revision: int) -> RollbackReport:
        """The receipt of a rollback that is asked for again: whoever asks may have lost it."""
        if self._rolled is not None and self._rolled[0] is table:
            return replace(self._rolled[1], changed=False)
        return RollbackReport(to_revision, table.variants, 0.0, 0, 0, True, False)

    async def _drained(self, old: Swapped) -> tuple[int, bool]:
        """How many requests have failed since the swap, and whether all of the old table have
        been answered."""
        if old.epoch is None:
            return old.lost, old.lost == 0
        try:
            answer = await old.server.channel.call(
                "drained", DRAIN_SECONDS + 3, epoch=old.epoch, seconds=DRAIN_SECONDS
            )
        except EndpointUnavailable:
            # It died or hangs: whatever it had in hand got no answer.
            ledger = old.server.ledger
            return ledger.failed - old.failed_before + ledger.in_flight, False
        return answer["failed"] - old.failed_before, answer["drained"]

    async def status(self, patience: float = ASK_SECONDS) -> Any:
        """Desired and actual state; the actual part is empty while the server is down."""
        keeper = self._keeper
        server = keeper.server
        found: dict[str, Any] = {}
        if server is not None:
            with contextlib.suppress(EndpointUnavailable):
                found = await server.channel.call("status", patience)
        status = EndpointStatus(
            name=self._name,
            url=self._url,
            state=keeper.state,
            desired=keeper.desired.table.variants,
            actual=found.get("actual", ()),
            loaded=found.get("loaded", ()),
            supervisor_pid=os.getpid(),
            server_pid=server.pid if server else None,
            server_up_seconds=found.get("up_seconds", 0.0),
            restarts=keeper.restarts,
            pinned=keeper.desired.pinned,
            last_error=keeper.last_error,
            reason=keeper.desired.reason,
            warm=keeper.warm,
            capture=found.get("capture", CaptureStatus()),
        )
        return asdict(status)

    async def stats(self, patience: float = ASK_SECONDS) -> Any:
        """Traffic by revision."""
        begun = time.monotonic()
        server = await self._keeper.wait_up(patience)
        left = patience - (time.monotonic() - begun)
        return await server.channel.call("stats", left)

    async def capture(self, rate: float) -> Any:
        """Change the share of requests that is captured."""
        server = await self._keeper.wait_up()
        return await server.channel.call("capture", ASK_SECONDS, rate=rate)

    async def replace_server(self) -> None:
        """A fresh server process in place of the running one."""
        await self._keeper.replace()

    async def stop(self) -> None:
        """Finish what is in flight and leave."""
        await self._keeper.stop()
        # After this answer has been written.
        asyncio.get_running_loop().call_later(0.02, self._stop)


_OPERATIONS = frozenset(
    {"load", "unload", "set_table", "clear_table", "rollback", "status", "stats", "capture"}
    | {"replace_server", "stop"}
)
