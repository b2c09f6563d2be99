"""What comes late: labels, and rows of windows that are over. The windows that they touch are
computed again, a bounded number at a time, none of them more often than once a minute."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.capture.labels import label_parts, read_part
from core.monitors.axis import MANY, Selection
from core.monitors.captured import CapturedSource, selection_of
from core.monitors.kind import Kind
from core.monitors.plan import WindowPlan
from core.state.reading import Reader

AGAIN_SECONDS = 60.0
WATCHED = 400
"""So many of the newest windows are computed again; labels of older ones come too late."""
_Touch = tuple[int, int, int]  # number, time (microseconds), revision


def marks_now(source: CapturedSource) -> dict[str, Any]:
    """Where to go on from the next time."""
    parts = label_parts(source.folder)
    with source.axis.open() as db:
        extent = source.axis.extent(db, Selection())
        return {
            "axis": source.axis.identity(db),
            "seq": extent.last_seq or 0,
            "labels": parts[-1].name if parts else "",
            "pending": [],
        }


def touched(
    reader: Reader, source: CapturedSource, monitor: str, kind: Kind, marks: Mapping[str, Any]
) -> tuple[list[str], dict[str, Any]]:
    """The runs whose windows something has come to since the marks (newest windows first), and
    the marks of now, all of those runs pending."""
    fresh = marks_now(source)
    if marks.get("axis") != fresh["axis"]:
        return [], fresh
    runs = reader.rows(
        "SELECT id, place FROM monitor_runs WHERE monitor = :name"
        " AND status IN ('done', 'failed') ORDER BY window_end DESC LIMIT :most",
        name=monitor,
        most=WATCHED,
    )
    places = [(row["id"], selection_of(json.loads(row["place"]))) for row in runs]
    found = set(marks.get("pending", ()))
    with source.axis.open() as db:
        for touches in _arrivals(source, db, marks, kind):
            found |= set(_hit(source, db, places, touches))
    order = [run for run, _ in places if run in found]
    fresh["pending"] = order
    return order, fresh


def _arrivals(
    source: CapturedSource, db: Any, marks: Mapping[str, Any], kind: Kind
) -> Iterator[list[_Touch]]:
    """Requests that are new, and those whose labels are, some at a time."""
    rows = db.execute(
        "SELECT seq, at, revision FROM requests WHERE seq > ?", (int(marks.get("seq", 0)),)
    )
    while some := rows.fetchmany(20_000):
        yield [tuple(row) for row in some]
    if not kind.uses_labels:
        return
    seen = str(marks.get("labels", ""))
    names = [path.name for path in label_parts(source.folder)]
    behind = names.index(seen) + 1 if seen in names else 0
    for path in label_parts(source.folder)[behind:]:
        ids = [label.inference_id for label in read_part(path)]
        yield [touch for start in range(0, len(ids), MANY)
               for touch in _of_ids(db, ids[start : start + MANY])]  # fmt: skip


def _of_ids(db: Any, ids: Sequence[str]) -> list[_Touch]:
    marks = ",".join("?" * len(ids))
    sql = f"SELECT seq, at, revision FROM requests WHERE id IN ({marks})"
    return [tuple(row) for row in db.execute(sql, list(ids))]


def _hit(
    source: CapturedSource,
    db: Any,
    places: Sequence[tuple[str, Selection]],
    touches: Sequence[_Touch],
) -> Iterator[str]:
    """The runs with one of these requests in their window."""
    numbers = sorted(seq for seq, _, _ in touches)
    times = sorted(at for _, at, _ in touches)
    revisions = {revision for _, _, revision in touches}
    for run, place in places:
        if place.revision is not None and place.revision not in revisions:
            continue
        if place.event:
            if _event_hit(db, place, numbers):
                yield run
        elif place.first is not None and place.last is not None:
            at = bisect_left(numbers, place.first)
            if at < len(numbers) and numbers[at] <= place.last:
                yield run
        elif place.since is not None and place.until is not None:
            at = bisect_left(times, round(place.since * 1e6))
            if at < len(times) and times[at] < round(place.until * 1e6):
                yield run


def _event_hit(db: Any, place: Selection, numbers: Sequence[int]) -> bool:
    if not numbers:
        return False
    for start in range(0, len(numbers), MANY):
        some = numbers[start : start + MANY]
        marks = ",".join("?" * len(some))
        found = db.execute(
            f"SELECT 1 FROM events WHERE name = ? AND seq IN ({marks}) AND high >= ? AND low < ?"
            " LIMIT 1",
            (place.event, *some, place.since, place.until),
        ).fetchone()
        if found:
            return True
    return False


def failed_runs(reader: Reader, monitor: str) -> list[str]:
    """Runs among the newest windows that did not come to an end, newest first."""
    rows = reader.rows(
        "SELECT id, status FROM monitor_runs WHERE monitor = :name"
        " ORDER BY window_end DESC LIMIT 50",
        name=monitor,
    )
    return [row["id"] for row in rows if row["status"] == "failed"]


def plan_again(row: Mapping[str, Any]) -> WindowPlan:
    """The window of a run on record, to be computed again."""
    return WindowPlan(
        row["window_key"],
        row["window_start"],
        row["window_end"],
        json.loads(row["place"]),
        {},
        row["model"],
        row["version"],
        row["snapshot"],
    )
