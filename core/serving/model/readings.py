"""What the servers of one endpoint have counted since they were last asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.domain.analysis import ShadowStatus
from core.serving.process.meters import Reading
from core.serving.process.shadow import TOLERANCE
from core.serving.supervision.fleet import Fleet
from core.serving.supervision.spawn import ServerProcess

_SUMS = ("mirrored", "compared", "disagreements", "dropped", "failed")


@dataclass(frozen=True, slots=True)
class ShadowOrder:
    """Which share of the requests (0-100) every server is to mirror, and to what."""

    revision: int
    percent: float
    tolerance: float = TOLERANCE


@dataclass(slots=True)
class Taken:
    """What all servers counted between two looks: by revision, and of the shadow. `orders` is
    what each server that answered mirrors."""

    revisions: dict[int, list[Reading]] = field(default_factory=dict)
    shed: int = 0
    shadow: list[Reading] = field(default_factory=list)
    mirrored: ShadowStatus = field(default_factory=ShadowStatus)
    orders: list[tuple[ServerProcess, ShadowOrder | None]] = field(default_factory=list)


@dataclass(slots=True)
class _Seen:
    """The last that was heard of each counter."""

    meters: dict[int, Reading] = field(default_factory=dict)  # by token
    shadows: dict[int, Mapping[str, int]] = field(default_factory=dict)  # by token
    shed: dict[int, int] = field(default_factory=dict)  # by the server's pid


class Readings:
    """Takes differences, server by server. One that is silent is caught up with when it
    answers again; one that has died takes along what it had counted since the last look."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._seen = _Seen()

    async def take(self, patience: float) -> Taken:
        """What has been counted since the last time. Not to be called twice at once."""
        silent = {server.pid for server in self._fleet.live()}
        answers = await self._fleet.ask("meters", patience)
        before, now, found = self._seen, _Seen(), Taken()
        for server, answer in answers:
            silent.discard(server.pid)
            found.shed += max(0, answer["shed"] - before.shed.get(server.pid, 0))
            now.shed[server.pid] = answer["shed"]
            for revision, row in answer["revisions"].items():
                reading = _since(row, before, now)
                found.revisions.setdefault(int(revision), []).append(reading)
            row = answer["shadow"]
            found.orders.append((server, _ordered(row)))
            if row is not None:
                found.shadow.append(_since(row["meter"], before, now))
                last = before.shadows.get(row["token"], {})
                more = ShadowStatus(**{name: row[name] - last.get(name, 0) for name in _SUMS})
                found.mirrored = added(found.mirrored, more)
                now.shadows[row["token"]] = {name: row[name] for name in _SUMS}
        if silent:
            now.meters = {**before.meters, **now.meters}
            now.shadows = {**before.shadows, **now.shadows}
            now.shed = {**before.shed, **now.shed}
        self._seen = now
        return found


def _since(row: Mapping[str, Any], before: _Seen, now: _Seen) -> Reading:
    reading = Reading.from_json(row)
    now.meters[reading.token] = reading
    return reading.since(before.meters.get(reading.token))


def _ordered(row: Mapping[str, Any] | None) -> ShadowOrder | None:
    if row is None or row["revision"] is None:
        return None
    return ShadowOrder(row["revision"], row["percent"], row["tolerance"])


def added(a: ShadowStatus, b: ShadowStatus) -> ShadowStatus:
    """Both together."""
    return ShadowStatus(*(getattr(a, name) + getattr(b, name) for name in _SUMS))
