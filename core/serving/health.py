"""Asking the server over HTTP whether it still answers, and ending one that hangs."""

from __future__ import annotations

import asyncio
import logging

from core.serving.keeper import Keeper

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


async def watch(host: str, port: int, keeper: Keeper) -> None:
    """Ping for ever; three silences in a row of the same server end it."""
    strikes = 0
    watched = None
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        server = keeper.server
        if server is None or server is not watched:
            watched, strikes = server, 0
            continue
        if await answers(host, port):
            strikes = 0
            continue
        strikes += 1
        log.warning("the server did not answer /ping (%d in a row)", strikes)
        if strikes >= STRIKES and keeper.server is server:
            keeper.kill_server("it no longer answers")
            strikes = 0
