"""A window of rows in memory, and a definition to judge it by, for tests of monitors' kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from core.domain.monitor import MonitorDefinition, Schedule, WindowSpec
from core.monitors.kind import LABEL
from core.monitors.kinds import kind_of
from core.releases.values import Problems


@dataclass(frozen=True)
class TableWindow:
    """All rows of a table, as a `Window`."""

    rows_: pa.Table
    start: float = 0.0
    end: float = 3600.0
    target: str = "endpoint/credit"

    @property
    def rows(self) -> int:
        return int(self.rows_.num_rows)

    @property
    def label_coverage(self) -> float | None:
        if LABEL not in self.rows_.column_names:
            return None
        return 1 - self.rows_.column(LABEL).null_count / max(1, self.rows)

    @property
    def schema(self) -> pa.Schema:
        return self.rows_.schema

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        names = self.rows_.column_names
        return self.rows_.select([n for n in (names if columns is None else columns) if n in names])

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        return iter(self.table(columns).to_batches(1000))


def definition_of(
    kind: str, settings: Mapping[str, Any], minimum_rows: int = 500, **shared: Any
) -> MonitorDefinition:
    """A definition of this kind, its settings read; fails where they have problems."""
    problems = Problems()
    read = kind_of(kind).read(problems, "m", settings)
    assert not problems.found, problems.found
    return MonitorDefinition(
        name="m",
        kind=kind,
        watch="endpoint/credit",
        every=Schedule("new_data", new_data=True),
        window=WindowSpec(rows=max(minimum_rows, 1), minimum_rows=minimum_rows),
        settings=read,
        **shared,
    )


def problems_of(kind: str, settings: Mapping[str, Any]) -> list[str]:
    """What is wrong with settings, as `where: message`."""
    problems = Problems()
    kind_of(kind).read(problems, "m", settings)
    return [problem.words() for problem in problems.found]
