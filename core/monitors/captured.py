"""Windows over what an endpoint was asked: by count, by time of the answer, by event time."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.capture.index import looking
from core.capture.merge import merge_new
from core.capture.reader import days_for, open_part, parts_for
from core.domain.capture import CapturedRequest, CaptureFilter
from core.domain.monitor import CAPTURED_TIME, MonitorDefinition
from core.monitors.axis import MANY, Axis, Selection, open_rows
from core.monitors.errors import NothingThere
from core.monitors.plan import Due, WindowPlan, bounded, iso
from core.monitors.rows import EmptyWindow, SpooledWindow
from core.monitors.served import Served, served_at
from core.monitors.spool import Spool, event_bounds, spool_requests
from core.monitors.windowing import (
    closed_after,
    first_at_or_after,
    last_closed,
    row_spans,
    time_span,
)
from core.serving.folder import EndpointFolder
from core.session import Session

SETTLE_SECONDS = 15.0
"""What was answered is on disk by then: servers write every ten seconds."""


class CapturedSource:
    """The captured traffic of one endpoint, as one monitor sees it."""

    def __init__(self, session: Session, definition: MonitorDefinition) -> None:
        self._reader = session.reader
        self._definition = definition
        self.name = definition.target
        self.folder = session.workspace.endpoints_dir / self.name
        capture = EndpointFolder(self.folder).capture
        state = session.workspace.state_dir
        self.axis = Axis(state / "monitors" / "axis" / f"{self.name}.db", capture)
        self.capture = capture

    def seen(self) -> str:
        """Changes when a part of the capture or of the labels appears."""
        return folders_stamp(self.folder)

    def refresh(self, now: float) -> None:
        """Number what is new, merge what labels have come."""
        if not self._reader.rows("SELECT name FROM endpoints WHERE name = :n", n=self.name):
            raise NothingThere(
                f"endpoint {self.name}: there is none", "deploy a model there, or mend watch:"
            )
        self.axis.catch_up(now)
        merge_new(self.folder)
        if self._definition.time != CAPTURED_TIME:
            self._note_events()

    def due(self, cursor: Mapping[str, Any], now: float) -> Due:
        """See `Source`."""
        self.refresh(now)
        if self._definition.window.rows is not None:
            return self._due_rows(cursor, now)
        return self._due_times(cursor, now)

    def between(self, since: float, until: float, now: float) -> Due:
        """See `Source`. By count, over the requests answered within that time."""
        self.refresh(now)
        spec = self._definition.window
        if spec.rows is not None:
            wanted = self._selection(Selection(since=since, until=until), now)
            return Due(tuple(self._counted(wanted, "")))
        first = first_at_or_after(spec, since)
        last = last_closed(spec, min(until + spec.grace, self._clock(now) or until))
        plans = [self._timed(number) for number in range(first, last + 1)]
        return Due(tuple(plan for plan in plans if plan.start >= since))

    def _due_rows(self, cursor: Mapping[str, Any], now: float) -> Due:
        with self.axis.open() as db:
            identity = self.axis.identity(db)
        fresh = not cursor
        served = self._served(now)
        if fresh or cursor.get("axis") != identity:
            since = None if fresh else cursor.get("at")
            wanted = Selection(since=since)
        else:
            wanted = Selection(first=int(cursor.get("seq", 0)) + 1)
        if served is None and self._definition.variant != "all":
            return Due()
        plans = self._counted(self._selection(wanted, now), identity)
        return bounded(self._definition, list(plans), fresh=fresh)

    def waiting(self, cursor: Mapping[str, Any], now: float) -> int:
        """How many rows the window that is being filled has."""
        wanted = self._selection(Selection(first=int(cursor.get("seq", 0)) + 1), now)
        with self.axis.open() as db:
            return self.axis.extent(db, wanted).rows

    def _counted(self, wanted: Selection, identity: str) -> Iterator[WindowPlan]:
        """Windows by count over the wanted requests that are full."""
        served = self._served_of(wanted.revision)
        with self.axis.open() as db:
            times: dict[int, int] = {}

            def requests() -> Iterator[tuple[int, int]]:
                for seq, _, at, rows in self.axis.numbered(db, wanted):
                    times[seq] = at
                    yield seq, rows

            for span in row_spans(self._definition.window, requests()):
                start, end = times[span.first] / 1e6, times[span.last] / 1e6
                place = {"by": "rows", "first": span.first, "last": span.last,
                         "revision": wanted.revision}  # fmt: skip
                for seq in [seq for seq in times if seq <= span.after]:
                    del times[seq]
                yield WindowPlan(
                    f"{iso(start)}#{span.first}",
                    min(start, end),
                    max(start, end),
                    place,
                    {"axis": identity, "seq": span.after, "at": end},
                    served.model if served else "",
                    served.version if served else None,
                )

    def _due_times(self, cursor: Mapping[str, Any], now: float) -> Due:
        clock = self._clock(now)
        if clock is None:
            return Due()
        spec = self._definition.window
        fresh = "window" not in cursor
        last = last_closed(spec, clock)
        if fresh:
            begin = self._begin()
            if begin is None:
                return Due()
            first = max(first_at_or_after(spec, begin), last - self._definition.catch_up + 1)
            numbers = range(first, last + 1)
        else:
            numbers = closed_after(spec, int(cursor["window"]), clock)
        over = len(numbers) - self._definition.catch_up
        kept = numbers[max(0, over) :]
        plans = tuple(self._timed(number) for number in kept)
        if over <= 0:
            return Due(plans)
        passed = time_span(spec, numbers[0]).start, time_span(spec, numbers[over - 1]).end
        return Due(plans, over, *passed)

    def _timed(self, number: int) -> WindowPlan:
        span = time_span(self._definition.window, number)
        event = "" if self._definition.time == CAPTURED_TIME else self._definition.time
        served = self._served(self._moment(span.start, span.end, event))
        place = {
            "by": "event" if event else "time",
            "since": span.start,
            "until": span.end,
            "event": event,
            "revision": self._revision(served),
        }
        return WindowPlan(
            iso(span.start),
            span.start,
            span.end,
            place,
            {"window": number},
            served.model if served else "",
            served.version if served else None,
        )

    def _moment(self, start: float, end: float, event: str) -> float:
        """When the requests of a window were answered: of events, by the last of them."""
        if not event:
            return end
        with self.axis.open() as db:
            found = self.axis.extent(db, Selection(since=start, until=end, event=event))
        return end if found.end is None else found.end

    def _clock(self, now: float) -> float | None:
        """Up to when windows may be over: now, or as far as the events have come."""
        if self._definition.time == CAPTURED_TIME:
            return now - SETTLE_SECONDS
        with self.axis.open() as db:
            return self.axis.newest_event(db, self._definition.time, now)

    def _begin(self) -> float | None:
        """The time of the first request."""
        with self.axis.open() as db:
            if self._definition.time == CAPTURED_TIME:
                return self.axis.extent(db, Selection()).begin
            row = db.execute(
                "SELECT MIN(low) FROM events WHERE name = ?", (self._definition.time,)
            ).fetchone()
        return None if row is None or row[0] is None else float(row[0])

    def _served(self, at: float) -> Served | None:
        return served_at(self._reader, self.name, self._definition.variant, at)

    def _served_of(self, revision: int | None) -> Served | None:
        if revision is None:
            return served_at(self._reader, self.name, "champion", float("inf"))
        return served_at(self._reader, self.name, f"r{revision}", 0.0)

    def _revision(self, served: Served | None) -> int | None:
        """The revision whose rows count; 0, which nobody has, where there is none."""
        if self._definition.variant == "all":
            return None
        return served.revision if served else 0

    def _selection(self, wanted: Selection, now: float) -> Selection:
        return replace(wanted, revision=self._revision(self._served(now)))

    def _note_events(self) -> None:
        """Keep when the events of new requests were."""
        column = self._definition.time
        with self.axis.open() as db:
            known = self.axis.events_until(db, column)
            extent = self.axis.extent(db, Selection(first=known + 1))
            if not extent.requests or extent.last_seq is None:
                return
            wanted = Selection(first=known + 1, last=extent.last_seq)
            held = []
            for seq, request in self._numbered_requests(wanted):
                bounds = event_bounds(request, column)
                if bounds is not None:
                    held.append((seq, *bounds))
                if len(held) >= 10_000:
                    self.axis.note_events(db, column, held)
                    held = []
            self.axis.note_events(db, column, held)
            self.axis.set_events_until(db, column, extent.last_seq)

    def read(self, place: Mapping[str, Any], folder: Path) -> SpooledWindow:
        """See `Source`."""
        wanted = selection_of(place)
        with self.axis.open() as db:
            extent = self.axis.extent(db, wanted)
        spool = Spool(folder)
        requests = (request for _, request in self._numbered_requests(wanted))
        labelled = self._has_labels()
        spool_requests(
            spool,
            requests,
            self.labels,
            wanted.event,
            wanted.since if wanted.event else None,
            wanted.until if wanted.event else None,
        )
        start = wanted.since if wanted.since is not None else extent.begin or 0.0
        end = wanted.until if wanted.until is not None else extent.end or 0.0
        return SpooledWindow(
            spool, start, end, f"endpoint/{self.name}", labelled, extent.duplicates
        )

    def _numbered_requests(self, wanted: Selection) -> Iterator[tuple[int, CapturedRequest]]:
        """The wanted requests with their numbers, part by part; each once."""
        with self.axis.open() as db:
            extent = self.axis.extent(db, wanted)
            if not extent.requests or extent.begin is None:
                return
            given: set[int] = set()
            reach = CaptureFilter(since=extent.begin, until=extent.end)
            for day in days_for(self.capture, reach):
                for part in parts_for(self.capture, day, reach):
                    opened = open_part(part)
                    if opened is None:
                        continue
                    rows = open_rows(opened, extent.begin, extent.end)
                    known = self.axis.among(db, [name for _, name in rows], wanted)
                    chosen = [place for place, name in rows if name in known]
                    for request in opened.requests(chosen):
                        seq, at = known[request.inference_id]
                        same = round(request.at * 1e6) == at and not request.shadow
                        if same and seq not in given:
                            given.add(seq)
                            yield seq, request

    def labels(self, ids: Sequence[str]) -> Mapping[str, str]:
        """The labels (JSON) of those of the ids that have one."""
        found: dict[str, str] = {}
        with looking(self.folder) as db:
            if db is None:
                return found
            for start in range(0, len(ids), MANY):
                some = list(ids[start : start + MANY])
                marks = ",".join("?" * len(some))
                sql = f"SELECT id, value FROM labels WHERE id IN ({marks})"
                found |= {row[0]: row[1] for row in db.execute(sql, some)}
        return found

    def _has_labels(self) -> bool:
        with looking(self.folder) as db:
            return db is not None


@dataclass(frozen=True, slots=True)
class TimeSource:
    """Windows of time of a kind that reads no rows, such as the service's figures."""

    session: Session
    definition: MonitorDefinition

    def seen(self) -> str:
        """Time itself is what is new."""
        return ""

    def due(self, cursor: Mapping[str, Any], now: float) -> Due:
        """See `Source`."""
        spec = self.definition.window
        last = last_closed(spec, now - SETTLE_SECONDS)
        if "window" not in cursor:
            return Due((self._plan(last),))
        numbers = range(int(cursor["window"]) + 1, last + 1)
        plans = [self._plan(number) for number in numbers[-10 * self.definition.catch_up :]]
        return bounded(self.definition, plans, fresh=False)

    def between(self, since: float, until: float, now: float) -> Due:
        """See `Source`."""
        spec = self.definition.window
        first, last = first_at_or_after(spec, since), last_closed(spec, min(until, now))
        plans = [self._plan(number) for number in range(first, last + 1)]
        return Due(tuple(plan for plan in plans if plan.start >= since))

    def read(self, place: Mapping[str, Any], folder: Path) -> EmptyWindow:
        """See `Source`."""
        return EmptyWindow(place["since"], place["until"], self.definition.watch)

    def _plan(self, number: int) -> WindowPlan:
        span = time_span(self.definition.window, number)
        served = None
        if self.definition.target_kind == "endpoint":
            variant = self.definition.variant
            served = served_at(self.session.reader, self.definition.target, variant, span.end)
        return WindowPlan(
            iso(span.start),
            span.start,
            span.end,
            {"by": "time", "since": span.start, "until": span.end},
            {"window": number},
            served.model if served else "",
            served.version if served else None,
        )


def folders_stamp(endpoint: Path) -> str:
    """Changes when a file appears in an endpoint's capture or labels; looks at folders only."""
    found = []
    for pattern in ("capture/date=*/variant=*", "labels"):
        for folder in endpoint.glob(pattern):
            with contextlib.suppress(OSError):
                found.append((folder.name, folder.parent.name, folder.stat().st_mtime_ns))
    return f"{zlib.crc32(repr(sorted(found)).encode()):08x}"


def selection_of(place: Mapping[str, Any]) -> Selection:
    """Which requests a stored place means."""
    return Selection(
        place.get("first"),
        place.get("last"),
        place.get("since"),
        place.get("until"),
        place.get("revision"),
        place.get("event") or "",
    )
