"""Asking each server whether it still answers, and the port whether anybody does.

A ping on the port reaches whichever server is quickest, so one that hangs among others is found
on its own channel only. One whose model hangs in its thread answers pings, and every request to
that variant with a 504: each server says how long its model has been at one batch.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from core.errors import EndpointUnavailable, OpsdeckError
from core.serving.supervision.keeper import Keeper
from core.serving.supervision.spawn import ServerProcess

log = logging.getLogger(__name__)

EVERY_SECONDS = 2.0
TIMEOUT_SECONDS = 3.0
STRIKES = 3
STUCK_TIMEOUTS, STUCK_SECONDS = 2.0, 5.0  # what a model may take: by then nobody waits for it

_REQUEST = b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def answers(host: str, port: int) -> bool:
    """Whether any HTTP answer comes; 503 (nothing routed) is one."""

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(_REQUEST)
            return await reader.readline()
        finally:
            writer.close()

    try:
        return (await asyncio.wait_for(ask(), TIMEOUT_SECONDS)).startswith(b"HTTP/1.1 ")
    except (OSError, TimeoutError):
        return False


class Strikes:
    """Silences in a row, of each server on its channel and of the whole on its port."""

    def __init__(self, host: str, port: int, keeper: Keeper) -> None:
        self._host, self._port, self._keeper = host, port, keeper
        self._servers: dict[ServerProcess, int] = {}
        self._whole = 0
        self._going: set[int] = set()  # processes that are being replaced

    async def round(self) -> None:
        """Ask everybody once; end those that have been silent too often."""
        servers = self._keeper.servers()
        said, whole = await asyncio.gather(
            asyncio.gather(*map(_ping, servers)), answers(self._host, self._port)
        )
        alive = [each is not None for each in said]
        self._servers = {
            server: 0 if well else self._servers.get(server, 0) + 1
            for server, well in zip(servers, alive, strict=True)
        }
        for server, strikes in self._servers.items():
            if strikes:
                log.warning("server %d did not answer (%d in a row)", server.pid, strikes)
            if strikes >= STRIKES:
                self._keeper.kill_server(server, "it no longer answers")
        self._end_the_stuck(zip(servers, said, strict=True))
        # With a server that hangs, the port may be silent because of that one alone.
        self._whole = 0 if whole or not servers or not all(alive) else self._whole + 1
        if self._whole >= STRIKES:
            self._whole = 0
            for server in servers:
                self._keeper.kill_server(server, "the port no longer answers")

    def _end_the_stuck(self, said: Iterable[tuple[ServerProcess, Any]]) -> None:
        """End servers whose model does not come back: a thread cannot be ended alone. Where it
        is of a revision that answers nobody any more, another server takes over first."""
        limit = STUCK_TIMEOUTS * self._keeper.config.predict_timeout + STUCK_SECONDS
        for server, answer in said:
            if not answer:
                continue
            if answer["seconds"] > limit:
                self._keeper.kill_server(server, _at_one_batch(answer))
            elif answer["beside"]["seconds"] > limit and server.pid not in self._going:
                self._going.add(server.pid)
                self._keeper.fleet.keep(self._replace(server, _at_one_batch(answer["beside"])))

    async def _replace(self, server: ServerProcess, why: str) -> None:
        log.warning("replacing server %d: %s", server.pid, why)
        try:
            await self._keeper.replace([server])
        except (OpsdeckError, OSError) as error:
            log.warning("server %d is not replaced yet: %s", server.pid, error)
        finally:
            self._going.discard(server.pid)


def _at_one_batch(stuck: Mapping[str, Any]) -> str:
    return f"the model of r{stuck['revision']} has been at one batch for {stuck['seconds']:.0f} s"


async def _ping(server: ServerProcess) -> Any:
    """What it says, None when it is silent."""
    try:
        return await server.channel.call("ping", TIMEOUT_SECONDS) or {}
    except EndpointUnavailable:
        # Who has died is seen to elsewhere.
        return {} if server.channel.lost.is_set() else None


async def watch(host: str, port: int, keeper: Keeper) -> None:
    """Ask for ever; three silences in a row of the same server end it."""
    strikes = Strikes(host, port, keeper)
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        try:
            await strikes.round()
        except Exception:  # an endpoint must not be left without anybody who asks
            log.exception("the servers could not be asked how they are")
