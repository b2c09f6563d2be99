"""The supervisor's watch over an open deployment: looks each second, and acts by itself.

It needs no worker: an alarm that goes off, a metric that is surely worse, or a crash loop sends
every request to the champion at once (or, as the plan says, only freezes the deployment), and
leaves `events/NS-ID.json` in the endpoint's folder for a worker to put on record. What it is to
watch, and what it has counted so far, stands in `watch.json`: a supervisor that starts anew goes
on where the last one was, less the seconds since that was written. What is to be done stands
there before it is done: a supervisor that is killed in the middle leaves it to the next one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from core.domain.analysis import Acted, OnBreach
from core.errors import BadInput, NotFound, OpsdeckError, WrongState
from core.serving.model.readings import Readings, ShadowOrder, Taken
from core.serving.process.segments import summary
from core.serving.process.segments import to_json as segments_json
from core.serving.process.shadow import TOLERANCE
from core.serving.records import EndpointState, RollbackReport, Variant
from core.serving.supervision.armed import Armed, Breach, Look
from core.serving.supervision.keeper import Keeper
from core.serving.supervision.rollbacks import Rollbacks

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
SAVE_SECONDS = 10.0
PATIENCE = 2.0  # how long a look waits for a server
FILE = "watch.json"
EVENTS = "events"


class Watch:
    """One endpoint's watch. Lives on the supervisor's event loop."""

    def __init__(self, folder: Path, keeper: Keeper, rollbacks: Rollbacks) -> None:
        self._folder = folder
        self._keeper = keeper
        self._rollbacks = rollbacks
        self._armed: Armed | None = None
        self._leaving = False  # it is to be watched no more once what was begun has been done
        self._newest = 0  # the newest candidate that was ever watched
        self._order: ShadowOrder | None = None
        self._readings = Readings(keeper.fleet)
        self._looked = time.monotonic()
        self._saved = 0.0
        self._crashes = keeper.restarts
        self._pinned = False
        self._table = keeper.desired.table
        self._looking = asyncio.Lock()
        self._events: list[dict[str, Any]] = []  # what is still to be written for a worker
        self._resume()

    async def run(self) -> None:
        """Look for ever. Nothing that goes wrong with one look ends the watch."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except OpsdeckError as error:
                log.warning("the watch: %s", error.one_line())
            except Exception:
                log.exception("the watch could not look")

    async def arm(
        self, deployment: str, candidate: int, champion: int | None, plan: Mapping[str, Any]
    ) -> None:
        """Watch a deployment from now on, instead of any other; watching it already, go on.

        Each deployment has a newer candidate than those before it: a worker that was away for
        long, and asks for an older one than has been watched since, is refused. What was begun
        for the one before is brought to its end first. Raises `BadInput`, `WrongState`,
        `EndpointUnavailable`.
        """
        armed = Armed(deployment, candidate, champion, plan, time.time())
        async with self._looking:
            before = self._armed
            if before is not None and before.deployment == deployment:
                return
            if candidate < self._newest:
                raise WrongState(
                    f"Revision {candidate} is not watched: revision {self._newest} came after it",
                    "another deployment has begun since",
                )
            if before is not None and before.doing is not None:
                await self._act(before, before.doing)
            await self._take()  # what was before does not count
            self._looked = time.monotonic()
            self._crashes, self._pinned = self._keeper.restarts, self._keeper.desired.pinned
            self._armed, self._leaving, self._newest = armed, False, candidate
            self._save()
        log.info("armed: deployment %s, r%s against r%s", deployment, candidate, champion)

    def disarm(self, deployment: str) -> None:
        """Watch it no more; nothing when it is not watched. Where its traffic is being sent
        back just now, as soon as that is done and written down for a worker."""
        if self._armed is None or self._armed.deployment != deployment:
            return
        if self._armed.doing is not None:
            self._leaving = True
        else:
            self._armed = None
        self._save()
        log.info("disarmed: deployment %s", deployment)

    def check(self, rows: Sequence[Variant]) -> None:
        """Raise `WrongState` for a table that gives requests to a candidate from which they
        have just been taken: whoever asks for it does not know yet."""
        armed = self._armed
        if armed is None:
            return
        doing = armed.doing is not None and armed.doing.rolling
        if (doing or self._is_unrecorded(armed)) and any(
            row.revision == armed.candidate and row.weight > 0 for row in rows
        ):
            reason = f": {armed.acted.reason}" if armed.acted else ""
            raise WrongState(
                f"Revision {armed.candidate} has just been rolled back{reason}",
                "a worker puts it on record",
            )

    def _is_unrecorded(self, armed: Armed) -> bool:
        """Whether no worker has taken up yet that the traffic went back."""
        if armed.acted is None or armed.acted.kind != "rolled_back":
            return False
        name = _event_name(armed.acted.at, armed.deployment)
        written = [_event_name(event["at"], event["deployment"]) for event in self._events]
        return name in written or (self._folder / EVENTS / name).exists()

    def forget(self, revision: int) -> None:
        """A revision is not loaded any more: should it be again, nothing is mirrored to it."""
        if self._order is not None and self._order.revision == revision:
            self._order = None
            self._save()

    def analysis(self) -> dict[str, Any] | None:
        """How the deployment that is watched stands, as JSON; None when none is."""
        return None if self._armed is None else asdict(self._armed.status())

    def observe(
        self,
        deployment: str,
        losses: Mapping[str, Sequence[float]],
        paired: Sequence[int] = (),
        batch: int = 0,
    ) -> None:
        """Ground truth that has come in, each batch once; nothing when another deployment is
        watched. Raises `BadInput`."""
        if self._armed is None or self._armed.deployment != deployment:
            return
        try:
            found = {int(revision): [float(v) for v in row] for revision, row in losses.items()}
            if not all(_are_sums(row) for row in found.values()) or len(paired) == 1:
                raise ValueError("losses are [count, sum, sum of squares], pairs [b, c, rows]")
            self._armed.observe(found, [int(count) for count in paired], int(batch))
        except (TypeError, ValueError) as error:
            raise BadInput(f"The ground truth cannot be used: {error}") from None
        self._save()

    async def shadow(
        self, revision: int | None, percent: float, tolerance: float = TOLERANCE
    ) -> None:
        """Mirror this share of the requests to a loaded revision, in every server from now on
        and in those that will start; `None` or 0 for no more. Raises `NotFound`, `BadInput`."""
        if not 0 <= percent <= 100:
            raise BadInput(f"{percent:g} % of the requests cannot be mirrored", "give 0 to 100")
        if revision is not None and revision not in self._keeper.desired.loads:
            raise NotFound(f"Revision {revision} is not loaded", "load it first")
        if revision is None or percent == 0:
            await self.look()  # what has been mirrored until now counts
            self._order = None
        else:
            self._order = ShadowOrder(revision, percent, tolerance)
        self._save()
        order = self._shadow_arguments()
        await self._keeper.fleet.ask("shadow", PATIENCE, **order)

    async def disagreements(self, revision: int | None = None) -> dict[str, Any]:
        """Where a shadow and the champion disagree, as JSON of `DisagreementSummary`: of this
        revision, else of the one that is, or was last, mirrored to."""
        answers = [found for _, found in await self._keeper.fleet.ask("disagreements", PATIENCE)]
        if revision is None and self._order is not None:
            revision = self._order.revision
        if revision is None:
            revision = max((found["revision"] or 0 for found in answers), default=0)
        return segments_json(summary(one for one in answers if one["revision"] == revision))

    async def look(self) -> None:
        """Look once: count, judge, act."""
        async with self._looking:
            await self._look()

    async def _look(self) -> None:
        self._write_events()
        if self._armed is None and self._order is None:
            return
        taken = await self._take()
        now = time.monotonic()
        seconds, self._looked = now - self._looked, now
        armed = self._armed
        if armed is None:
            return
        look = self._describe(taken, armed, seconds)
        armed.take(look)
        breach = armed.due()
        keeper = self._keeper
        looped = keeper.desired.pinned or keeper.state is EndpointState.FAILED
        if looped and not self._pinned and armed.acted is None:
            breach = Breach("crash loop", keeper.last_error)
            look.served = True  # until the keeper put the last good table back
        self._pinned = looped
        if armed.doing is not None:  # it was begun, and did not come to its end
            await self._act(armed, armed.doing)
        elif breach is not None and (look.served or look.shadowed):
            await self._act(armed, replace(breach, rolling=look.served))
        if now - self._saved > SAVE_SECONDS:
            self._save()

    def _describe(self, taken: Taken, armed: Armed, seconds: float) -> Look:
        """What was counted, as this deployment sees it."""
        keeper = self._keeper
        table = keeper.desired.table
        weights = {item.revision: item.weight for item in table.variants}
        mine = weights.get(armed.candidate, 0.0)
        beside = weights.get(armed.champion, 0.0) if armed.champion is not None else 0.0
        settled = table == self._table and keeper.in_force
        crashes = max(0, keeper.restarts - self._crashes)
        self._table, self._crashes = table, keeper.restarts
        look = Look(
            at=time.time(),
            seconds=seconds,
            share=mine / (mine + beside) if mine > 0 else 0.0,
            served=mine > 0,
            settled=settled,
            readings=taken.revisions,
            shed=taken.shed,
            crashes=crashes,
        )
        if self._order is not None and self._order.revision == armed.candidate:
            look.shadowed, look.shadow, look.mirrored = True, taken.shadow, taken.mirrored
        return look

    async def _take(self) -> Taken:
        """What the servers have counted. One that does not mirror what it should, because it
        has started since or could not be told, is told now."""
        found = await self._readings.take(PATIENCE)
        for server, order in found.orders:
            if order != self._order and (
                self._order is None or self._order.revision in server.loads
            ):
                try:
                    await server.channel.call("shadow", PATIENCE, **self._shadow_arguments())
                except OpsdeckError as error:
                    log.warning("server %d mirrors nothing: %s", server.pid, error.one_line())
        return found

    async def _act(self, armed: Armed, breach: Breach) -> None:
        """Send everything to the champion, or freeze: where the plan says so, where there is
        nothing to go back to, and where the candidate answers nobody (it is only mirrored to)."""
        reason, report = f"{breach.by}: {breach.reason}", None
        back = breach.rolling and armed.plan.on_breach is OnBreach.ROLLBACK
        armed.doing = replace(breach, rolling=back)
        self._save()
        if back and armed.champion in self._keeper.desired.loads:
            assert armed.champion is not None
            report = await self._rollbacks.to(armed.champion, reason)
        elif back:
            reason += " (and there is no champion to go back to)"
        kind = "rolled_back" if report is not None else "frozen"
        armed.acted, armed.doing = Acted(kind, reason, time.time()), None
        self._events.append(_event(armed, breach, armed.acted, report))
        log.error("deployment %s was %s by %s", armed.deployment, kind, reason)
        if self._leaving:
            self._armed, self._leaving = None, False
        self._save()
        self._write_events()

    def close(self) -> None:
        """Write down what is known: the endpoint stops."""
        if self._armed is not None or self._order is not None or self._events or self._newest:
            self._save()

    def _write_events(self) -> None:
        """Leave what was done for a worker to find; where the disk refuses, try again later."""
        while self._events:
            event = self._events[0]
            folder = self._folder / EVENTS
            name = _event_name(event["at"], event["deployment"])
            try:
                folder.mkdir(mode=0o700, exist_ok=True)
                _replace(folder / name, event)
            except OSError as error:
                log.error("event %s was not written: %s", name, error)
                return
            del self._events[0]
            self._save()

    def _shadow_arguments(self) -> dict[str, Any]:
        if self._order is None:
            return {"revision": None, "percent": 0.0, "tolerance": TOLERANCE}
        return asdict(self._order)

    def _save(self) -> None:
        """Write `watch.json`. A full disk must not stop the watch: the log says so."""
        self._saved = time.monotonic()
        data = {
            "armed": self._armed.to_json() if self._armed else None,
            "leaving": self._leaving,
            "newest": self._newest,
            "shadow": asdict(self._order) if self._order else None,
            "pinned": self._pinned,
            "events": self._events,
        }
        try:
            _replace(self._folder / FILE, data)
        except OSError as error:
            log.error("%s was not written: %s", FILE, error)

    def _resume(self) -> None:
        """Go on where the last supervisor was. What cannot be read is logged: an endpoint that
        serves unwatched is better than one that does not serve."""
        try:
            data = json.loads((self._folder / FILE).read_bytes())
            self._order = ShadowOrder(**data["shadow"]) if data["shadow"] else None
            self._armed = Armed.resume(data["armed"]) if data["armed"] else None
            self._pinned, self._events = data["pinned"], list(data["events"])
            self._leaving = data.get("leaving", False)  # older supervisors wrote neither
            self._newest = data.get("newest", 0)
        except FileNotFoundError:
            return
        except (OSError, ValueError, LookupError, TypeError, AttributeError, OpsdeckError) as error:
            log.error("%s cannot be used, nothing is watched: %s", FILE, error)
            return
        if self._armed is not None:
            log.info("armed again: deployment %s", self._armed.deployment)


def _event_name(at: float, deployment: str) -> str:
    return f"{int(at * 1e9)}-{deployment}.json"


def _are_sums(row: Sequence[float]) -> bool:
    return len(row) == 3 and row[0] >= 0 and all(math.isfinite(value) for value in row)


def _event(
    armed: Armed, breach: Breach, acted: Acted, report: RollbackReport | None
) -> dict[str, Any]:
    return {
        "kind": acted.kind,
        "deployment": armed.deployment,
        "candidate": armed.candidate,
        "champion": armed.champion,
        "reason": acted.reason,
        "actor": f"opsdeck ({breach.by})",
        "at": acted.at,
        "report": asdict(report) if report is not None else None,
    }


def _replace(file: Path, data: Any) -> None:
    """Write JSON there, whole or not at all. Raises OSError."""
    temporary = file.with_name(f".{file.name}.tmp")
    try:
        with temporary.open("w") as stream:
            json.dump(data, stream)
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
