"""The control socket: what a client may ask of the supervisor."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from core.errors import BadInput, DiskFull, OpsdeckError, WrongState
from core.serving import wire
from core.serving.config import EndpointConfig
from core.serving.process.whole import Whole
from core.serving.records import CaptureStatus, EndpointStatus, SwapReport, Variant
from core.serving.supervision.figures import Collector, as_one
from core.serving.supervision.keeper import Keeper
from core.serving.supervision.rollbacks import Rollbacks
from core.serving.supervision.sampling import Sampler
from core.serving.supervision.watch import Watch

log = logging.getLogger(__name__)

ASK_SECONDS = 5.0


class Desk:
    """Answers one JSON line a request; connections are independent of each other."""

    def __init__(
        self, name: str, url: str, keeper: Keeper, stop: Callable[[], None], folder: Path
    ) -> None:
        self._name = name
        self._url = url
        self._keeper = keeper
        self._stop = stop
        self._folder = folder
        self._rollbacks = Rollbacks(keeper)
        self.watch = Watch(folder, keeper, self._rollbacks)
        self.sampler = Sampler(keeper)
        self._figures = Collector(keeper.fleet)
        self.whole = Whole(name, keeper, self._figures)

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
        self._figures.forget(revision)
        self.watch.forget(revision)

    async def set_table(self, variants: list[dict[str, Any]], reason: str) -> Any:
        """Route by these weights."""
        begun = time.perf_counter()
        rows = [Variant.from_json(row) for row in variants]
        if not rows:
            raise BadInput("The routing table is empty", "name at least one revision")
        self.watch.check(rows)
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
        return asdict(await self._rollbacks.to(to_revision, reason))

    async def status(self, patience: float = ASK_SECONDS) -> Any:
        """Desired and actual state; the actual part is empty while no server answers."""
        keeper = self._keeper
        answers = await keeper.fleet.ask("status", patience)
        pids = [server.pid for server in keeper.servers()]
        status = EndpointStatus(
            name=self._name,
            url=self._url,
            state=keeper.state,
            desired=keeper.desired.table.variants,
            supervisor_pid=os.getpid(),
            server_pid=pids[0] if pids else None,
            restarts=keeper.restarts,
            pinned=keeper.desired.pinned,
            last_error=keeper.last_error,
            reason=keeper.desired.reason,
            warm=keeper.warm,
            wanted=keeper.wanted,
            **as_one(answers, keeper.desired.table),
        )
        return asdict(status)

    async def stats(self, patience: float = ASK_SECONDS) -> Any:
        """Traffic by revision."""
        begun = time.monotonic()
        await self._keeper.wait_up(patience)
        left = patience - (time.monotonic() - begun)
        return asdict((await self._figures.collect(left)).stats())

    async def consumers(self, patience: float = ASK_SECONDS) -> Any:
        """Who calls; of a server that is silent what it last said."""
        found = (await self._figures.collect(patience)).consumers
        return [asdict(consumer) for consumer in found.consumers(time.time())]

    async def capture(self, rate: float) -> Any:
        """Change the share of requests that is captured, for good."""
        await self._configure(replace(self._keeper.config, capture_rate=rate))
        answers = await self._keeper.fleet.ask("status", ASK_SECONDS)
        rows = [CaptureStatus.from_json(answer["capture"]) for _, answer in answers]
        return asdict(CaptureStatus.together(rows))

    async def configure(self, config: dict[str, Any]) -> None:
        """Take other settings, and keep them."""
        wanted = EndpointConfig.from_json(config)
        host = self._keeper.config.host
        if wanted.host != host:
            raise WrongState(
                f"The endpoint listens on {host}; it cannot move to {wanted.host} while it runs",
                "stop it, configure it, start it again",
            )
        await self._configure(wanted)

    async def _configure(self, wanted: EndpointConfig) -> None:
        before = self._keeper.config
        await self._keeper.configure(wanted)
        try:
            wanted.write(self._folder)
        except OSError as error:
            await self._keeper.configure(before)
            raise DiskFull(
                f"The settings of {self._name} cannot be written: {error.strerror}",
                f"make room in {self._folder}",
            ) from None

    async def arm(
        self, deployment: str, candidate: int, champion: int | None, plan: dict[str, Any]
    ) -> None:
        """Watch a deployment."""
        await self.watch.arm(deployment, candidate, champion, plan)

    async def disarm(self, deployment: str) -> None:
        """Watch it no more."""
        self.watch.disarm(deployment)

    async def analysis(self) -> Any:
        """How the deployment that is watched stands."""
        return self.watch.analysis()

    async def observe(
        self, deployment: str, losses: dict[str, Any], paired: list[int], batch: int = 0
    ) -> None:
        """Ground truth that has come in."""
        self.watch.observe(deployment, losses, paired, batch)

    async def shadow(self, revision: int | None, percent: float, tolerance: float) -> None:
        """Mirror a share of the requests."""
        await self.watch.shadow(revision, percent, tolerance)

    async def disagreements(self, revision: int | None = None) -> Any:
        """Where a shadow and the champion disagree."""
        return await self.watch.disagreements(revision)

    async def samples(self, life: int = 0, after: int = -1) -> Any:
        """What was done in each slot of ten seconds, after the one that is named."""
        return self.sampler.samples(life, after)

    async def replace_server(self) -> None:
        """A fresh server process in place of the running one."""
        await self._keeper.replace()

    async def stop(self) -> None:
        """Finish what is in flight and leave."""
        await self._keeper.stop()
        # After this answer has been written.
        asyncio.get_running_loop().call_later(0.02, self._stop)


_OPERATIONS = frozenset(
    {"load", "unload", "set_table", "clear_table", "rollback", "status", "stats", "consumers"}
    | {"arm", "disarm", "analysis", "observe", "shadow", "disagreements", "samples"}
    | {"capture", "replace_server", "configure", "stop"}
)
