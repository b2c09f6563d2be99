"""Reading captured requests, newest first or all, while servers write and delete parts.

A part is read in two steps: the narrow columns first, and those that hold the bodies only for
the requests that are wanted. A part that was opened stays readable when it is deleted; one that
has gone before is left out.
"""

from __future__ import annotations

import heapq
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.capture.tombstone import deleted_before
from core.domain.capture import CapturedRequest, CaptureFilter
from core.serving.process.parts import Part, days, list_parts

log = logging.getLogger(__name__)

NARROW = ("inference_id", "time", "status", "shadow")
WIDE = ("latency_ms", "inputs", "outputs", "model", "version", "content_type", "sampling_rate")
_BATCH = 2_000  # requests in memory at once
_Found = tuple[int, tuple[int, str, int], "OpenPart"]  # microseconds, tie and row, part
_DEFAULTS: dict[str, Any] = {
    "shadow": False,
    "model": "",
    "version": 0,
    "content_type": "",
    "sampling_rate": 1.0,
    "inputs": "null",
    "outputs": "null",
}


def newest(folder: Path, wanted: CaptureFilter, limit: int) -> list[CapturedRequest]:
    """The newest `limit` captured requests that are wanted, newest first."""
    if limit < 1:
        return []
    wanted = _since(folder, wanted)
    heap: list[_Found] = []  # the oldest on top
    for day in reversed(days_for(folder, wanted)):
        # Nothing in a day's parts is newer than the day: what follows is not among the newest.
        if len(heap) == limit and heap[0][0] >= _end_of(day):
            break
        _newest_of_day(folder, day, wanted, limit, heap)
    chosen: dict[OpenPart, list[int]] = {}
    for _, (_, _, row), opened in heap:
        chosen.setdefault(opened, []).append(row)
    found = [request for opened, rows in chosen.items() for request in opened.requests(rows)]
    return sorted(found, key=lambda request: request.at, reverse=True)


def _newest_of_day(
    folder: Path, day: str, wanted: CaptureFilter, limit: int, heap: list[_Found]
) -> None:
    parts = parts_for(folder, day, wanted)
    for part in sorted(parts, key=lambda p: p.written, reverse=True):
        # Nothing in a part is newer than the part.
        if len(heap) == limit and heap[0][0] >= part.written // 1000:
            break
        opened = open_part(part)
        if opened is None:
            continue
        for row, time in opened.matching(wanted):
            found = (time, (part.written, part.path.name, row), opened)
            if len(heap) < limit:
                heapq.heappush(heap, found)
            elif found[:2] > heap[0][:2]:
                heapq.heapreplace(heap, found)


def every(folder: Path, wanted: CaptureFilter) -> Iterator[CapturedRequest]:
    """All captured requests that are wanted, by day, then part by part as they were written."""
    wanted = _since(folder, wanted)
    for day in days_for(folder, wanted):
        for part in parts_for(folder, day, wanted):
            opened = open_part(part)
            if opened is not None:
                yield from opened.requests([row for row, _ in opened.matching(wanted)])


def days_for(folder: Path, wanted: CaptureFilter) -> list[str]:
    """The days that may hold what is wanted, oldest first."""
    first = "" if wanted.since is None else _day(wanted.since)
    last = "9999" if wanted.until is None else _day(wanted.until)
    return [day for day in days(folder) if first <= day <= last]


def parts_for(folder: Path, day: str, wanted: CaptureFilter) -> list[Part]:
    """The parts of a day that may hold what is wanted, going by their names; oldest first."""
    return [
        part
        for part in list_parts(folder, day)
        if (wanted.variant is None or part.variant == wanted.variant)
        and (wanted.since is None or part.written >= wanted.since * 1e9)
    ]


class OpenPart:
    """One part, opened: its narrow columns are read when asked for, its wide ones by row."""

    def __init__(self, part: Part, file: Any) -> None:
        self.part = part
        self._file = file
        self._names = set(file.schema_arrow.names)

    def columns(self, names: Sequence[str]) -> dict[str, list[Any]]:
        """Whole columns by name, time in microseconds; those that an old part lacks are filled
        up. Empty when the part cannot be read."""
        import pyarrow as pa

        kept = [name for name in names if name in self._names]
        try:
            table = self._file.read(columns=kept)
        except (OSError, pa.ArrowException) as error:
            log.warning("%s cannot be read: %s", self.part.path, error)
            return {name: [] for name in names}
        found = {name: _values(table.column(name)) for name in kept}
        lacking = [name for name in names if name not in found]
        return found | {name: [_DEFAULTS.get(name)] * table.num_rows for name in lacking}

    def matching(self, wanted: CaptureFilter) -> Iterator[tuple[int, int]]:
        """Row numbers and times (microseconds) of what is wanted."""
        columns = self.columns(NARROW)
        rows = zip(*(columns[name] for name in NARROW), strict=True)
        for number, (inference_id, time, status, shadow) in enumerate(rows):
            if (
                (wanted.since is None or time >= wanted.since * 1e6)
                and (wanted.until is None or time < wanted.until * 1e6)
                and (wanted.status_low is None or status >= wanted.status_low)
                and (wanted.status_high is None or status <= wanted.status_high)
                and (wanted.inference_id is None or inference_id == wanted.inference_id)
                and (wanted.shadow is None or shadow == wanted.shadow)
            ):
                yield number, time

    def requests(self, rows: Sequence[int]) -> Iterator[CapturedRequest]:
        """The requests in these rows, a batch of the part in memory at a time."""
        import pyarrow as pa

        left = sorted(rows)
        if not left:
            return
        names = [name for name in (*NARROW, *WIDE) if name in self._names]
        begin, at = 0, 0
        try:
            for batch in self._file.iter_batches(_BATCH, columns=names):
                end = begin + batch.num_rows
                here = at
                while at < len(left) and left[at] < end:
                    at += 1
                if at > here:
                    yield from self._of_batch(batch, [row - begin for row in left[here:at]])
                if at == len(left):
                    return
                begin = end
        except (OSError, pa.ArrowException) as error:
            log.warning("%s cannot be read: %s", self.part.path, error)

    def _of_batch(self, batch: Any, rows: list[int]) -> Iterator[CapturedRequest]:
        low, high = rows[0], rows[-1] + 1
        cut = batch.slice(low, high - low)
        columns = {name: _values(cut.column(name)) for name in batch.schema.names}
        for row in rows:
            found = {**_DEFAULTS}
            found |= {
                name: values[row - low]
                for name, values in columns.items()
                if values[row - low] is not None
            }
            yield CapturedRequest(
                at=found.pop("time") / 1e6,
                variant=self.part.variant,
                revision=self.part.revision,
                **found,
            )


def open_part(part: Part) -> OpenPart | None:
    """A part, opened; None when it has gone or is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # The handle is ours: memory-mapped or not, a deleted part stays readable through it.
        return OpenPart(part, pq.ParquetFile(part.path, memory_map=False))
    except FileNotFoundError:
        return None
    except (OSError, pa.ArrowException) as error:
        log.warning("%s cannot be read: %s", part.path, error)
        return None


def _since(folder: Path, wanted: CaptureFilter) -> CaptureFilter:
    """The filter, with what was deleted left out: a server may have written some of it late."""
    before = deleted_before(folder)
    if before is None or (wanted.since is not None and wanted.since >= before):
        return wanted
    return replace(wanted, since=before)


def _values(column: Any) -> list[Any]:
    """A column as Python values; times as microseconds (pyarrow would load pandas for them)."""
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    values: list[Any] = column.to_pylist()
    return values


def _end_of(day: str) -> float:
    """The last microsecond of a day (UTC) and one more; of what is no day, the end of time."""
    try:
        return (datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() + 86_400) * 1e6
    except ValueError:
        return math.inf


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
