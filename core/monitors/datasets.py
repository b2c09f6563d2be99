"""Windows over a dataset: the whole of each new version, what was added to it, or by event time.

Rows come by the governed read path, on behalf of who stands for the monitor, and always of one
version that is on record with the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.domain.dataset import Snapshot
from core.domain.monitor import CAPTURED_TIME, MonitorDefinition
from core.errors import NotFound
from core.monitors.errors import NothingThere, NotWatchable
from core.monitors.kind import AT, LABEL, PREDICTION, SCORE
from core.monitors.plan import Due, WindowPlan, bounded, iso
from core.monitors.rights import reading
from core.monitors.rows import SpooledWindow, spool_batches
from core.monitors.spool import Spool, epochs
from core.monitors.windowing import closed_after, first_at_or_after, last_closed, time_span
from core.reads import datasets as _datasets
from core.session import Session

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class DatasetSource:
    """One dataset, as one monitor sees it; `actor` is on whose behalf it is read."""

    session: Session
    definition: MonitorDefinition
    actor: str

    @property
    def name(self) -> str:
        """The dataset's."""
        return self.definition.target

    @property
    def event(self) -> str:
        """The column of times; empty where there is none."""
        return "" if self.definition.time == CAPTURED_TIME else self.definition.time

    def seen(self) -> str:
        """The current version."""
        return dataset_stamp(self.session, self.name)

    def due(self, cursor: Mapping[str, Any], now: float) -> Due:
        """See `Source`."""
        snapshots = self._snapshots()
        known = cursor.get("snapshot")
        new = [each for each in snapshots if known is None or each.number > int(known)]
        if not new:
            return Due()
        if self.definition.window.seconds is not None:
            return self._due_times(cursor, snapshots[-1], now)
        fresh = known is None
        plans = [self._of_snapshot(each) for each in new]
        if self.definition.window.snapshot == "added":
            plans = [self._added(snapshots, each) for each in new if each.added_rows]
        return bounded(self.definition, plans if not fresh else plans[-1:], fresh=fresh)

    def between(self, since: float, until: float, now: float) -> Due:
        """See `Source`. Of snapshots, those that were made within that time."""
        snapshots = self._snapshots()
        if not snapshots:
            return Due()
        spec = self.definition.window
        if spec.seconds is not None:
            first = first_at_or_after(spec, since)
            last = last_closed(spec, until + spec.grace)
            plans = [self._timed(number, snapshots[-1]) for number in range(first, last + 1)]
            return Due(tuple(plan for plan in plans if plan.start >= since))
        chosen = [each for each in snapshots if since <= each.at < until]
        if spec.snapshot == "added":
            return Due(tuple(self._added(snapshots, each) for each in chosen if each.added_rows))
        return Due(tuple(self._of_snapshot(each) for each in chosen))

    def _snapshots(self) -> list[Snapshot]:
        """The versions that can still be read and that changed rows, oldest first."""
        try:
            _datasets.find_dataset(self.session.reader, self.name)
        except NotFound as error:
            raise NothingThere(error.message, error.hint) from error
        found = _datasets.list_snapshots(self.session.reader, self.name, limit=1000)
        kept = [s for s in found if s.operation not in ("compact", "create") and not s.expired_at]
        return sorted(kept, key=lambda each: each.number)

    def _of_snapshot(self, snapshot: Snapshot) -> WindowPlan:
        place = {"by": "snapshot", "snapshot": snapshot.number}
        return WindowPlan(
            f"#{snapshot.number}", snapshot.at, snapshot.at, place,
            {"snapshot": snapshot.number}, snapshot=snapshot.number,
        )  # fmt: skip

    def _added(self, snapshots: list[Snapshot], snapshot: Snapshot) -> WindowPlan:
        before = [each.number for each in snapshots if each.number < snapshot.number]
        place = {
            "by": "added", "snapshot": snapshot.number, "since": before[-1] if before else None,
        }  # fmt: skip
        return WindowPlan(
            f"#{snapshot.number}+", snapshot.at, snapshot.at, place,
            {"snapshot": snapshot.number}, snapshot=snapshot.number,
        )  # fmt: skip

    def _due_times(self, cursor: Mapping[str, Any], newest: Snapshot, now: float) -> Due:
        spec = self.definition.window
        low, high = self._reach(newest, now)
        if low is None or high is None:
            return Due(cursor={**cursor, "snapshot": newest.number})
        last = last_closed(spec, high)
        fresh = "window" not in cursor
        if fresh:
            first = max(first_at_or_after(spec, low), last - self.definition.catch_up + 1)
            numbers = range(first, last + 1)
        else:
            numbers = closed_after(spec, int(cursor["window"]), high)
        over = max(0, len(numbers) - self.definition.catch_up)
        plans = tuple(self._timed(number, newest) for number in numbers[over:])
        done = {"window": max(last, int(cursor.get("window", last))), "snapshot": newest.number}
        if not over:
            return Due(plans, cursor=done)
        passed = time_span(spec, numbers[0]).start, time_span(spec, numbers[over - 1]).end
        return Due(plans, over, *passed, cursor=done)

    def _timed(self, number: int, newest: Snapshot) -> WindowPlan:
        span = time_span(self.definition.window, number)
        place = {
            "by": "event", "since": span.start, "until": span.end,
            "event": self.event, "snapshot": newest.number,
        }  # fmt: skip
        return WindowPlan(
            iso(span.start), span.start, span.end, place, {"window": number},
            snapshot=newest.number,
        )  # fmt: skip

    def _reach(self, snapshot: Snapshot, now: float) -> tuple[float | None, float | None]:
        """The first and the last event time in a version; dreams of the future left out."""
        import pyarrow.compute as pc

        low: float | None = None
        high: float | None = None
        place = {"snapshot": snapshot.number}
        for batch in self._batches(place, (self.event,)):
            times = epochs(batch.column(0))
            times = pc.filter(times, pc.less_equal(times, now + 3600.0))
            ends = pc.min_max(times).as_py()
            if ends["min"] is not None:
                low = ends["min"] if low is None else min(low, ends["min"])
                high = ends["max"] if high is None else max(high, ends["max"])
        return low, high

    def _batches(
        self, place: Mapping[str, Any], columns: tuple[str, ...] | None = None
    ) -> Iterator[pa.RecordBatch]:
        from core.governance.access import open_access

        access = open_access(self.session)
        purpose = f"monitor {self.definition.name}"
        try:
            at = str(place["snapshot"])
            with reading(self.definition.name, self.name, self.actor):
                seen = access.schema(self.name, at=at, actor=self.actor, purpose=purpose).names
            for column in columns or ():
                if column not in seen:
                    raise NotWatchable(
                        f"dataset {self.name}: no column {column}", f"it has: {', '.join(seen)}"
                    )
            if place.get("by") == "added" and place.get("since") is not None:
                yield from self._changes(access, place)
                return
            skip = None
            if place.get("event"):
                skip = _between(access, self.name, at, self.actor, place)
            yield from access.scan(
                self.name, at=at, columns=columns, actor=self.actor, purpose=purpose, skip=skip
            )
        finally:
            access.close()

    def _changes(self, access: Any, place: Mapping[str, Any]) -> Iterator[pa.RecordBatch]:
        """What was appended between two versions, to somebody who may see all of it."""
        from core.lake import open_lake

        if not access.sees_all(self.name, self.actor):
            raise NotWatchable(
                f"dataset {self.name}: {self.actor} sees it masked or in part",
                "what was added cannot be told then: window: {snapshot: whole}",
            )
        since = _datasets.find_snapshot(self.session.reader, self.name, str(place["since"])).id
        found = open_lake(self.session).changes(self.name, since, str(place["snapshot"]))
        if found is None:
            raise NotWatchable(
                f"dataset {self.name}: rows were rewritten between versions {place['since']} and"
                f" {place['snapshot']}",
                "window: {snapshot: whole} looks at all rows of each version",
            )
        yield from found

    def read(self, place: Mapping[str, Any], folder: Path) -> SpooledWindow:
        """See `Source`."""
        spool = Spool(folder)
        spool_batches(spool, self._windowed(place), self._renamed())
        start, end = place.get("since"), place.get("until")
        at = _datasets.find_snapshot(self.session.reader, self.name, str(place["snapshot"])).at
        timed = place.get("by") == "event"
        return SpooledWindow(
            spool,
            float(start) if timed and start is not None else at,
            float(end) if timed and end is not None else at,
            self.definition.watch,
            bool(self.definition.label),
        )

    def _renamed(self) -> dict[str, str]:
        given = self.definition
        named = {PREDICTION: given.prediction, SCORE: given.score, LABEL: given.label}
        return {name: column for name, column in named.items() if column}

    def _windowed(self, place: Mapping[str, Any]) -> Iterator[pa.RecordBatch]:
        """The rows, with their time where there is one; those within the window."""
        import pyarrow.compute as pc

        column = self.event
        for batch in self._batches(place):
            if column:
                found = batch.schema.get_field_index(column)
                if found < 0:
                    raise NotWatchable(f"dataset {self.name}: no column {column}")
                times = epochs(batch.column(found))
                batch = batch.append_column(AT, times)
                if place.get("by") == "event":
                    inside = pc.and_(
                        pc.greater_equal(times, place["since"]), pc.less(times, place["until"])
                    )
                    batch = batch.filter(pc.fill_null(inside, False))
            yield batch


def dataset_stamp(session: Session, name: str) -> str:
    """The current version of a dataset; empty where there is none. One row."""
    rows = session.reader.rows(
        "SELECT current_snapshot FROM datasets WHERE name = :name AND dropped_at IS NULL",
        name=name,
    )
    return str(rows[0]["current_snapshot"] or "") if rows else ""


def _between(access: Any, name: str, at: str, actor: str, place: Mapping[str, Any]) -> str | None:
    """A condition that lets go of rows outside of the window, where the column is of times."""
    import pyarrow as pa

    found = access.schema(name, at=at, actor=actor).field(place["event"]).type
    if not pa.types.is_timestamp(found) or found.tz is not None:
        return None
    low, high = (
        datetime.fromtimestamp(place[key], UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        for key in ("since", "until")
    )
    column = str(place["event"]).replace('"', '""')
    return f"\"{column}\" >= TIMESTAMP '{low}' AND \"{column}\" < TIMESTAMP '{high}'"
