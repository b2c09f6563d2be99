"""Where two models disagree: counts by the values of columns that have few, and the last rows.

Which column tells the most is decided when somebody looks: the one whose values' shares of
disagreement lie furthest apart. Memory is bounded: by columns, values of each, and rows.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from core.domain.analysis import Disagreement, DisagreementSummary, SegmentCount

MAX_COLUMNS = 64
MAX_VALUES = 24
MAX_ROWS = 200
MAX_ROW_BYTES = 16 << 10  # of one row as JSON
MAX_BYTES = 1 << 20  # of all rows: they travel as one line
LISTED = 16  # items of a value
SHOWN = 60  # characters of a value

Counts = dict[str, dict[str, list[int]]]  # column → value → [compared, disagreements]


class Segments:
    """What one process has compared. Single-threaded."""

    def __init__(self) -> None:
        self._columns: Counts = {}
        self._many: set[str] = set()  # columns with too many values to be segments
        self._rows: deque[tuple[dict[str, Any], int]] = deque()  # and its bytes as JSON
        self._bytes = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """A request with these inputs was answered alike."""
        self._count(row, False)

    def differ(
        self, row: Mapping[str, Any], champion: Any, candidate: Any, identity: str, at: float
    ) -> None:
        """A request with these inputs was answered differently."""
        self._count(row, True)
        kept = {name[:SHOWN]: clipped(value) for name, value in [*row.items()][:MAX_COLUMNS]}
        said = {"champion": clipped(champion), "candidate": clipped(candidate)}
        found, size = _within({"inputs": kept, **said, "inference_id": identity, "at": at})
        self._rows.append((found, size))
        self._bytes += size
        while len(self._rows) > MAX_ROWS or self._bytes > MAX_BYTES:
            self._bytes -= self._rows.popleft()[1]

    def _count(self, row: Mapping[str, Any], differs: bool) -> None:
        for name, value in ((name[:SHOWN], value) for name, value in row.items()):
            if name in self._many:
                continue
            values = self._columns.get(name)
            if values is None:
                if len(self._columns) + len(self._many) >= MAX_COLUMNS:
                    continue
                values = self._columns[name] = {}
            counts = values.setdefault(shown(value), [0, 0])
            counts[0] += 1
            counts[1] += differs
            if len(values) > MAX_VALUES:
                self._many.add(name)
                del self._columns[name]

    def to_json(self) -> dict[str, Any]:
        """What `summary` takes, from any number of processes."""
        return {
            "columns": self._columns,
            "many": sorted(self._many),
            "rows": [row for row, _ in self._rows],
        }


def _within(row: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """A row that takes no more than it may, without what there is no room for, and its size."""
    while (size := _size(row)) > MAX_ROW_BYTES and (inputs := row["inputs"]):
        row = {**row, "inputs": dict([*inputs.items()][: len(inputs) // 2])}
    if size > MAX_ROW_BYTES:
        for name in ("champion", "candidate"):
            if _size({name: row[name]}) > MAX_ROW_BYTES // 4:
                row = {**row, name: str(row[name])[: 4 * SHOWN]}
        size = _size(row)
    return row, size


def _size(row: dict[str, Any]) -> int:
    return len(json.dumps(row, default=str))


def clipped(value: Any) -> Any:
    """A value short enough to be kept and sent."""
    if isinstance(value, str):
        return value[: 4 * SHOWN]
    if isinstance(value, list):
        return [clipped(item) for item in value[:LISTED]]
    if isinstance(value, dict):
        return {name[:SHOWN]: clipped(item) for name, item in [*value.items()][:LISTED]}
    return value


def shown(value: Any) -> str:
    """A value as a segment's name."""
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)[:SHOWN]


def summary(parts: Iterable[Mapping[str, Any]]) -> DisagreementSummary:
    """All processes' comparisons as one: the worst segment first, the newest row first."""
    columns: Counts = {}
    many: set[str] = set()
    rows: list[dict[str, Any]] = []
    for part in parts:
        many.update(part["many"])
        rows += part["rows"]
        for name, values in part["columns"].items():
            into = columns.setdefault(name, {})
            for value, (compared, differing) in values.items():
                counts = into.setdefault(value, [0, 0])
                counts[0] += compared
                counts[1] += differing
    several = {
        name: values
        for name, values in columns.items()
        if name not in many and 1 < len(values) <= MAX_VALUES
    }
    by = max(several, key=lambda name: _spread(several[name]), default="")
    segments = [SegmentCount(value, *counts) for value, counts in several.get(by, {}).items()]
    segments.sort(key=lambda one: (-one.disagreements / max(1, one.compared), one.segment))
    rows.sort(key=lambda row: -row["at"])
    found = [
        Disagreement(segment=shown(row["inputs"].get(by)) if by else "", **row)
        for row in rows[:MAX_ROWS]
    ]
    return DisagreementSummary(by, tuple(segments), tuple(found))


def _spread(values: Mapping[str, list[int]]) -> float:
    """How much of the variance of disagreeing lies between the values."""
    total = sum(compared for compared, _ in values.values())
    share = sum(differing for _, differing in values.values()) / total
    return sum(
        compared * (differing / compared - share) ** 2 for compared, differing in values.values()
    )


def to_json(found: DisagreementSummary) -> dict[str, Any]:
    """The summary as JSON."""
    return asdict(found)
