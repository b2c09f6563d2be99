"""Asking each server whether it still answers, and the port whether anybody does.

A ping on the port reaches whichever server is quickest, so one that hangs among others is found
on its own channel only.
"""

from __future__ import annotations

import asyncio
import logging

from core.errors import EndpointUnavailable
from core.serving.supervision.keeper import Keeper
from core.serving.supervision.spawn import ServerProcess

log = logging.getLogger(__name__)

EVERY_SECONDS = 2.0
TIMEOUT_SECONDS = 3.0
STRIKES = 3

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

    async def round(self) -> None:
        """Ask everybody once; end those that have been silent too often."""
        servers = self._keeper.servers()
        *alive, whole = await asyncio.gather(
            *map(_is_alive, servers), answers(self._host, self._port)
        )
        self._servers = {
            server: 0 if well else self._servers.get(server, 0) + 1
            for server, well in zip(servers, alive, strict=True)
        }
        for server, strikes in self._servers.items():
            if strikes:
                log.warning("server %d did not answer (%d in a row)", server.pid, strikes)
            if strikes >= STRIKES:
                self._keeper.kill_server(server, "it no longer answers")
        # With a server that hangs, the port may be silent because of that one alone.
        self._whole = 0 if whole or not servers or not all(alive) else self._whole + 1
        if self._whole >= STRIKES:
            self._whole = 0
            for server in servers:
                self._keeper.kill_server(server, "the port no longer answers")


async def _is_alive(server: ServerProcess) -> bool:
    try:
        await server.channel.call("ping", TIMEOUT_SECONDS)
    except EndpointUnavailable:
        return server.channel.lost.is_set()  # who has died is seen to elsewhere
    return True


async def watch(host: str, port: int, keeper: Keeper) -> None:
    """Ask for ever; three silences in a row of the same server end it."""
    strikes = Strikes(host, port, keeper)
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        await strikes.round()
