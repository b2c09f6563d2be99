"""What the servers of one endpoint say about themselves, made into one answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from core.serving.process.consumers import Tally
from core.serving.process.traffic import RevisionFigures
from core.serving.records import CaptureStatus, EndpointStats, ServerStatus, Variant, WorkerCount
from core.serving.routing import RoutingTable
from core.serving.supervision.fleet import Fleet
from core.serving.supervision.spawn import ServerProcess

if TYPE_CHECKING:  # the supervisor loads no model
    from core.serving.process.service import Service


@dataclass(frozen=True, slots=True)
class Figures:
    """The traffic of one server, or of several together."""

    revisions: dict[int, RevisionFigures]
    in_flight: int = 0
    shed: int = 0
    capture: CaptureStatus | None = None
    consumers: Tally = field(default_factory=Tally)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Figures:
        """What a server answers to `figures`."""
        rows = [RevisionFigures.from_json(row) for row in data["revisions"]]
        capture = CaptureStatus.from_json(data["capture"])
        consumers = Tally.from_json(data.get("consumers", ()))
        by_revision = {row.revision: row for row in rows}
        return cls(by_revision, data["in_flight"], data["shed"], capture, consumers)

    def __add__(self, other: Figures) -> Figures:
        """Both together."""
        revisions = dict(self.revisions)
        for number, row in other.revisions.items():
            revisions[number] = revisions[number] + row if number in revisions else row
        captures = [one for one in (self.capture, other.capture) if one is not None]
        return Figures(
            revisions,
            self.in_flight + other.in_flight,
            self.shed + other.shed,
            CaptureStatus.together(captures) if captures else None,
            self.consumers + other.consumers,
        )

    def ended(self) -> Figures:
        """What stays of it once its server has gone: the totals."""
        capture = self.capture and replace(self.capture, queued=0, on_disk=0, last_error="")
        rows = {number: row.ended() for number, row in self.revisions.items()}
        return Figures(rows, 0, self.shed, capture, self.consumers)

    def without(self, revision: int) -> Figures:
        """All but those of one revision."""
        rows = {key: row for key, row in self.revisions.items() if key != revision}
        return replace(self, revisions=rows)

    def stats(self) -> EndpointStats:
        """Rates and percentiles, by revision."""
        rows = tuple(self.revisions[number].stats() for number in sorted(self.revisions))
        return EndpointStats(rows, self.in_flight, self.shed, self.capture or CaptureStatus())


def figures_of(service: Service) -> dict[str, Any]:
    """What a server answers to `figures`: the JSON form of `Figures`."""
    return {
        "revisions": [asdict(item.traffic.figures()) for item in service.loaded.values()],
        "in_flight": service.in_flight,
        "shed": service.shed,
        "capture": asdict(service.capture.status()),
        "consumers": service.consumers.rows(),
    }


class Collector:
    """Adds the servers' figures up. What one that has gone had counted when it was last asked
    stays in the totals, so that they never fall."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._seen: dict[ServerProcess, Figures] = {}
        self._gone = Figures({})

    async def collect(self, patience: float) -> Figures:
        """The figures of the whole endpoint now. Only revisions that some server has loaded,
        and of a server that is silent for `patience` seconds what it last said."""
        for server, answer in await self._fleet.ask("figures", patience):
            self._seen[server] = Figures.from_json(answer)
        there = {*self._fleet.members, *self._fleet.leaving}
        for server in [server for server in self._seen if server not in there]:
            self._gone += self._seen.pop(server).ended()
        total = Figures({})
        for figures in self._seen.values():
            total += figures
        loaded = total.revisions.keys()
        gone = {key: row for key, row in self._gone.revisions.items() if key in loaded}
        return total + replace(self._gone, revisions=gone)

    def forget(self, revision: int) -> None:
        """A revision was unloaded: should its number be loaded again, it begins at nothing, as
        it does in the servers."""
        self._gone = self._gone.without(revision)
        self._seen = {server: figures.without(revision) for server, figures in self._seen.items()}


def as_one(
    answers: Sequence[tuple[ServerProcess, dict[str, Any]]], desired: RoutingTable
) -> dict[str, Any]:
    """The servers' answers to `status` as fields of `EndpointStatus`. Where their tables
    differ, one that is not the desired one is shown; what is loaded is so in all of them."""
    if not answers:
        return {"actual": (), "loaded": (), "server_up_seconds": 0.0}
    tables = [
        RoutingTable.of(Variant.from_json(row) for row in answer["actual"]) for _, answer in answers
    ]
    behind = [table for table in tables if table != desired]
    everywhere = set.intersection(
        *({row["revision"] for row in answer["loaded"]} for _, answer in answers)
    )
    return {
        "actual": (behind or tables)[0].variants,
        "loaded": [row for row in answers[0][1]["loaded"] if row["revision"] in everywhere],
        "server_up_seconds": answers[0][1]["up_seconds"],
        "capture": CaptureStatus.together(
            CaptureStatus.from_json(answer["capture"]) for _, answer in answers
        ),
        "workers": workers_of([answer.get("workers", ()) for _, answer in answers]),
        "servers": tuple(
            ServerStatus(server.pid, answer["up_seconds"], server.ledger.in_flight)
            for server, answer in answers
        ),
    }


def workers_of(rows: Sequence[Sequence[dict[str, Any]]]) -> tuple[WorkerCount, ...]:
    """The workers of each variant in all servers together."""
    found: dict[int, WorkerCount] = {}
    for count in (WorkerCount.from_json(row) for server in rows for row in server):
        have = found.get(count.revision)
        if have is not None:
            workers, stuck = have.workers + count.workers, have.stuck + count.stuck
            count = replace(have, workers=workers, stuck=stuck)
        found[count.revision] = count
    return tuple(found[revision] for revision in sorted(found))
