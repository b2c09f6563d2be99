"""Baselines and windows of rows as drift and data quality count them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.domain.monitor import MonitorDefinition
from core.monitors.kind import (
    AT,
    PREDICTION,
    SCORE,
    Findings,
    Kind,
    KindContext,
    State,
    StoredBaseline,
    Violation,
    Window,
    feature_columns,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from core.drift.baseline import Baseline
    from core.drift.window import WindowCounts

MONTH = 30 * 86_400.0
_JOIN = " & "
KNOWN = "known_columns"


@dataclass(frozen=True, slots=True)
class Counted:
    """A window as a kind judges it: its rows `counts`, counted against `baseline`."""

    definition: MonitorDefinition
    baseline: Baseline
    counts: WindowCounts
    window: Window

    @property
    def least(self) -> int:
        """Below so many rows nothing can be said."""
        return self.definition.window.minimum_rows


class CountingKind(Kind):
    """A kind whose window is counted against its baseline, a batch at a time, and then judged."""

    def evaluate(
        self,
        definition: MonitorDefinition,
        baseline: StoredBaseline | None,
        window: Window,
        memory: Mapping[str, Any],
        context: KindContext,
    ) -> Findings:
        made = restored_baseline(baseline)
        if made is None:
            return Findings(State.INSUFFICIENT, headline="no baseline to compare with")
        counts = counted_window(made, window, baseline)
        return self.judge(Counted(definition, made, counts, window), memory, context)

    @abstractmethod
    def judge(self, found: Counted, memory: Mapping[str, Any], context: KindContext) -> Findings:
        """What the counts come to; `memory` and `context` as for `evaluate`."""


def files_of(
    found: Counted,
    violations: Sequence[Violation],
    context: KindContext,
    distribution: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """SageMaker's files of a window; `distribution` is what its constraints say of comparing."""
    from core.monitors.kinds._modelmonitor import monitor_files

    return monitor_files(
        found.baseline,
        found.counts,
        violations,
        name=context.monitor,
        at=context.now,
        distribution=distribution,
    )


def columns_of(
    definition: MonitorDefinition,
    reference: Window,
    inputs: Sequence[str],
    outputs: bool,
) -> tuple[str, ...]:
    """What is compared: the features, and (`outputs`) predictions and scores."""
    names = list(reference.schema.names)
    found = list(feature_columns(definition, names, inputs))
    if outputs:
        found += [name for name in (PREDICTION, SCORE) if name in names]
    return tuple(found)


def must_have(
    definition: MonitorDefinition, reference: Window, key: str, names: Iterable[str]
) -> None:
    """Raise `BaselineUnfit` where the reference has not all columns that `key` names."""
    from core.drift.errors import BaselineUnfit

    there = set(reference.schema.names)
    for name in names:
        if name not in there:
            raise BaselineUnfit(
                f"monitor {definition.name}: {key} names {name}, which its baseline has not",
                "it has: " + ", ".join(sorted(there)[:12]),
            )


def must_have_rows(definition: MonitorDefinition, rows: int) -> None:
    """Raise `BaselineUnfit` where there is nothing to make a baseline of."""
    from core.drift.errors import BaselineUnfit

    if not rows:
        raise BaselineUnfit(
            f"monitor {definition.name}: the rows for its baseline are none",
            "name other rows in baseline:",
        )


def segments_of(definition: MonitorDefinition) -> tuple[str, ...]:
    """The segments' columns; an intersection (`season & workingday`) with one space around."""
    return tuple(_JOIN.join(_parts(each)) for each in definition.segments)


def segment_columns(definition: MonitorDefinition) -> tuple[str, ...]:
    """Every column that segments are made of."""
    return tuple(dict.fromkeys(part for each in definition.segments for part in _parts(each)))


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in name.split("&") if part.strip())


def batches_of(window: Window, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows of these columns (`window` leaves out what it has not), scores as numbers, and
    intersections of segments as a column of theirs."""
    there = set(window.schema.names)
    crossed = {each: _parts(each) for each in names if _JOIN in each and each not in there}
    asked = [*(each for each in names if each not in crossed), *sum(crossed.values(), ())]
    for batch in window.batches([name for name in dict.fromkeys(asked) if name in there]):
        place = batch.schema.get_field_index(SCORE)
        if place >= 0:
            batch = batch.set_column(place, SCORE, score_numbers(batch.column(place)))
        for name, parts in crossed.items():
            if set(parts) <= there:
                batch = batch.append_column(name, _joined(batch, parts))
        yield batch


def _joined(batch: pa.RecordBatch, parts: Sequence[str]) -> pa.Array:
    """The values of several columns as one text, missing where one is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from core.drift.values import decoded, texts

    columns = [batch.column(batch.schema.get_field_index(part)) for part in parts]
    shown = [decoded(texts(each)).cast(pa.string()) for each in columns]
    return pc.binary_join_element_wise(*shown, _JOIN)


def score_numbers(array: pa.Array) -> pa.Array:
    """One number a row: the second class's probability of two, else the greatest."""
    import json

    import pyarrow as pa

    if pa.types.is_floating(array.type) or pa.types.is_integer(array.type):
        return array

    def read(text: Any) -> float | None:
        try:
            found = json.loads(text) if isinstance(text, str) else text
        except ValueError:
            return None
        if isinstance(found, list):
            numbers = [each for each in found if isinstance(each, int | float)]
            if not numbers:
                return None
            return float(numbers[1] if len(found) == 2 == len(numbers) else max(numbers))
        return float(found) if isinstance(found, int | float) else None

    return pa.array([read(each) for each in array.to_pylist()], pa.float64())


def needed(baseline: Baseline) -> list[str]:
    """The columns of a window that are counted against a baseline."""
    return [each.name for each in baseline.columns] + [each.column for each in baseline.groupings]


def stored(baseline: Baseline, reference: Window) -> StoredBaseline:
    """The baseline as it is kept, with the names of all columns that its rows had: what is not
    compared is not new for that."""
    summary, arrays = baseline.stored()
    return StoredBaseline({**summary, KNOWN: list(reference.schema.names)}, arrays)


def counted_window(
    baseline: Baseline, window: Window, kept: StoredBaseline | None = None
) -> WindowCounts:
    """A window counted against a baseline, with the columns that the baseline's rows had not."""
    from dataclasses import replace

    from core.drift.window import count_window

    found = count_window(baseline, batches_of(window, needed(baseline)))
    known = {*needed(baseline), *(kept.summary.get(KNOWN, ()) if kept else ())}
    extra = {
        field.name: str(field.type)
        for field in window.schema
        if field.name not in known and not field.name.startswith("__")
    }
    return replace(found, extra=extra)


def restored_baseline(stored: StoredBaseline | None) -> Baseline | None:
    """The baseline that `Baseline.stored` made; None without one."""
    from core.drift.baseline import restored

    return None if stored is None else restored(stored.summary, stored.arrays)


def usual_rows(definition: MonitorDefinition, reference: Window) -> int:
    """How many rows a window will have: by its definition, or at the baseline's rate."""
    if definition.window.rows:
        return definition.window.rows
    span = reference.end - reference.start
    least = definition.window.minimum_rows
    if span <= 0 or not definition.window.seconds:
        return least
    return max(least, round(reference.rows * definition.window.seconds / span))


def windows_a_month(definition: MonitorDefinition, reference: Window) -> float | None:
    """How many windows 30 days have; None where nobody knows."""
    window = definition.window
    if window.seconds:
        return MONTH / (window.slide or window.seconds)
    span = reference.end - reference.start
    if span > 0 and window.rows:
        return reference.rows * MONTH / span / (window.slide or window.rows)
    return None


def time_column(reference: Window) -> str:
    """The column of the rows' times; empty where there is none."""
    return AT if AT in reference.schema.names else ""
