"""Loading models into server processes: into one first, then into the others."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from typing import TYPE_CHECKING, Any

from core.errors import EndpointUnavailable, ModelUnusable, OpsdeckError
from core.serving.records import LoadReport
from core.serving.supervision.spawn import ServerProcess

if TYPE_CHECKING:
    from core.serving.supervision.fleet import Fleet

log = logging.getLogger(__name__)

LOAD_SECONDS = 170.0
ASK_SECONDS = 10.0
LOADS_AT_ONCE = max(1, (os.cpu_count() or 1) // 2)  # the rest of the machine is for traffic


async def load_first(server: ServerProcess, model: dict[str, Any]) -> LoadReport:
    """Load a model that nobody has loaded yet. Raises `ModelUnusable`, also when that ends the
    server, and `EndpointUnavailable` when it takes too long."""
    try:
        answer = await server.channel.call("load", LOAD_SECONDS, **model)
    except EndpointUnavailable as error:
        if not server.channel.lost.is_set():
            raise
        raise ModelUnusable(
            f"Loading {model['model']} version {model['version']} ended the server process",
            "see server.log in the endpoint's folder",
        ) from error
    server.loads.add(model["revision"])
    return LoadReport.from_json(answer)


async def load_rest(fleet: Fleet, report: LoadReport, keep: bool) -> None:
    """Bring a revision that one server has to the others, some at a time. When one refuses it,
    none has it any more, unless it is to be kept. Raises `ModelUnusable`."""
    revision = report.revision
    at_once = asyncio.Semaphore(LOADS_AT_ONCE)

    async def load(server: ServerProcess) -> None:
        # Who dies is replaced, and whoever replaces it loads this as well.
        async with at_once:
            with contextlib.suppress(EndpointUnavailable):
                await load_into(server, report)

    try:
        await asyncio.gather(*(load(one) for one in fleet.live() if revision not in one.loads))
    except OpsdeckError:
        if not keep:
            having = [one for one in fleet.live() if revision in one.loads]
            await asyncio.gather(*(unload_from(one, revision) for one in having))
        raise


async def load_into(server: ServerProcess, report: LoadReport) -> LoadReport:
    """Have one server load what a report describes. Raises `ModelUnusable`, and
    `EndpointUnavailable` when that ends it."""
    answer = await server.channel.call(
        "load",
        LOAD_SECONDS,
        revision=report.revision,
        model_path=report.model_path,
        model=report.model,
        version=report.version,
    )
    server.loads.add(report.revision)
    return LoadReport.from_json(answer)


async def unload_from(server: ServerProcess, revision: int) -> None:
    """Free a revision in one server; nothing when it has none, has gone, or refuses."""
    server.loads.discard(revision)
    try:
        await server.channel.call("unload", ASK_SECONDS, revision=revision)
    except OpsdeckError as error:
        log.warning("revision %d stays in server %d: %s", revision, server.pid, error)
