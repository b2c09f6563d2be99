"""The kind `data_quality`: whether rows still are what the model or the dataset is made for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from core.monitors.kind import (
    AT,
    Findings,
    KindContext,
    Measurement,
    MonitorDefinition,
    Problems,
    State,
    StoredBaseline,
    Violation,
    Window,
)
from core.monitors.kinds import _counting as counting
from core.monitors.kinds import _data_checks as checks
from core.monitors.kinds._data_settings import DataQualitySettings, read_data_quality
from core.monitors.kinds._volume import expected, remembered

if TYPE_CHECKING:
    from core.drift.window import WindowCounts

_KNOTS = 256
_AHEAD = 300.0
"""Seconds by which a row's time may be ahead of the clock."""
_ORDER = {"critical": 0, "warning": 1, "info": 2}
_NAMED = 3
_ABOVE = "GreaterThanThreshold"


class DataQuality(counting.CountingKind):
    """Types, missing values, columns, domains, ranges, duplicates, volume and freshness, against
    constraints suggested from the baseline.

    Missing columns are `critical`, as are values mostly missing or of another type; what is less
    is a `warning`, a few odd values `info`.
    """

    name: ClassVar[str] = "data_quality"

    def read(self, problems: Problems, where: str, data: Mapping[str, Any]) -> DataQualitySettings:
        return read_data_quality(problems, where, data)

    def baseline(
        self, definition: MonitorDefinition, reference: Window, context: KindContext
    ) -> StoredBaseline:
        from core.drift.building import Plan, built

        names = counting.columns_of(definition, reference, context.inputs, outputs=True)
        settings: DataQualitySettings = definition.settings
        for key in ("domains", "ranges", "unique"):
            counting.must_have(definition, reference, key, getattr(settings, key))
        plan = Plan(columns=names, exact_limit=_KNOTS, sketch=_KNOTS, learned=0)
        made, _ = built(lambda: counting.batches_of(reference, names), plan)
        counting.must_have_rows(definition, made.rows)
        return counting.stored(made, reference)

    def judge(
        self, found: counting.Counted, memory: Mapping[str, Any], context: KindContext
    ) -> Findings:
        counts = found.counts
        enough = counts.rows >= found.least
        told = list(_all(found, memory, context, enough))
        violations = [violation for _, violation in told if violation is not None]
        violations.sort(key=lambda each: _ORDER[each.severity])
        state = State.VIOLATED if violations else State.OK if enough else State.INSUFFICIENT
        return Findings(
            state=state,
            measurements=tuple(measurement for measurement, _ in told),
            violations=tuple(violations),
            headline=_headline(state, violations, counts, found.least),
            files=_files(found, violations, context),
            memory=_remembered(found.definition, found.window, memory, counts.rows),
        )


def _all(
    found: counting.Counted, memory: Mapping[str, Any], context: KindContext, enough: bool
) -> Iterator[checks.Found]:
    settings: DataQualitySettings = found.definition.settings
    baseline, counts, window = found.baseline, found.counts, found.window
    if counts.rows:
        yield from checks.schema(baseline, counts)
    for column in baseline.columns:
        yield from checks.column(column, counts.columns[column.name], settings, enough)
    yield _volume(found.definition, window, memory, counts.rows)
    yield from _unique(settings, window, counts.rows)
    yield from _times(settings, window, context)


def _volume(
    definition: MonitorDefinition, window: Window, memory: Mapping[str, Any], rows: int
) -> checks.Found:
    """The number of rows, against bounds and what is usual at this hour."""
    settings: DataQualitySettings = definition.settings
    limits = settings.volume
    low, high = limits.min_rows, limits.max_rows
    wrong, told, detail = "", "rows of the window", {}
    if low is not None and rows < low:
        wrong = f"{rows:,} rows, at least {low:,} are expected"
    elif high is not None and rows > high:
        wrong = f"{rows:,} rows, at most {high:,} are expected"
    usual = expected(memory, window.start) if definition.window.seconds else None
    if usual is not None and limits.change is not None:
        told += f"; usual is the median of {usual.of}, by at most {limits.change:.0%}"
        detail = {"usual": usual.rows, "low": usual.low, "high": usual.high, "of": usual.of}
        far = not usual.low <= rows <= usual.high
        if not wrong and far and abs(rows - usual.rows) > limits.change * max(1.0, usual.rows):
            wrong = f"{rows:,} rows, about {usual.rows:,.0f} are usual ({usual.of})"
    violation = None
    if wrong:
        severity = "critical" if not rows else "warning"
        violation = Violation("", "volume_check", wrong, "rows", float(rows), severity=severity)
    state = State.VIOLATED if wrong else State.OK if usual or low or high else State.INFO
    measured = Measurement(
        "rows", float(rows), low=usual.low if usual else None, high=usual.high if usual else None,
        state=state, definition=told, detail=detail,
    )  # fmt: skip
    return measured, violation


def _unique(settings: DataQualitySettings, window: Window, rows: int) -> Iterator[checks.Found]:
    """Rows whose id or key was there before."""
    again = int(getattr(window, "duplicates", 0))
    share = again / (rows + again) if rows + again else 0.0
    wrong = share > settings.duplicate_tolerance
    told = f"{again:,} rows have an inference id that was there before ({share:.1%})"
    yield (
        Measurement(
            "duplicate_share", share, threshold=settings.duplicate_tolerance, comparison=_ABOVE,
            state=State.VIOLATED if wrong else State.OK if rows else State.INSUFFICIENT,
            definition="rows left out because their inference id was there before",
            detail={"rows": again},
        ),
        Violation("", "uniqueness_check", told, "duplicate_share", share,
                  settings.duplicate_tolerance) if wrong else None,
    )  # fmt: skip
    for name in settings.unique:
        if name not in window.schema.names:
            continue
        import pyarrow.compute as pc

        values = window.table([name]).column(0).drop_null()
        times = len(values) - int(pc.count_distinct(values).as_py())
        told = f"{name}: {times:,} values were there before, each is to be once"
        yield (
            Measurement(
                "repeated_values", float(times), name, threshold=0.0, comparison=_ABOVE,
                state=State.VIOLATED if times else State.OK,
                definition="values that the window had before",
            ),
            Violation(name, "uniqueness_check", told, "repeated_values", float(times), 0.0)
            if times else None,
        )  # fmt: skip


def _times(
    settings: DataQualitySettings, window: Window, context: KindContext
) -> Iterator[checks.Found]:
    """The age of the newest row, and rows of the future."""
    now = context.now or window.end
    if AT not in window.schema.names or not now:
        return
    import pyarrow.compute as pc

    newest, ahead = None, 0
    for batch in window.batches([AT]):
        times = batch.column(0)
        greatest = pc.max(pc.filter(times, pc.is_finite(times))).as_py()
        if greatest is not None:
            newest = greatest if newest is None else max(newest, greatest)
        ahead += pc.sum(pc.greater(times, now + _AHEAD)).as_py() or 0
    if ahead:
        told = f"{ahead:,} rows are more than {_AHEAD:g} s ahead of the clock"
        yield (
            Measurement(
                "future_rows", float(ahead), threshold=0.0, comparison=_ABOVE,
                state=State.VIOLATED, definition="rows whose time is ahead of the clock",
            ),
            Violation("", "time_check", told, "future_rows", float(ahead), 0.0),
        )  # fmt: skip
    if settings.freshness is None:
        return
    age = None if newest is None else max(0.0, now - newest)
    wrong = age is not None and age > settings.freshness
    told = (
        f"the newest row is {_long(age or 0)} old, at most {_long(settings.freshness)} are allowed"
    )
    state = State.VIOLATED if wrong else State.INSUFFICIENT if age is None else State.OK
    yield (
        Measurement(
            "age", age, threshold=settings.freshness, comparison=_ABOVE, state=state,
            definition="seconds since the newest row's time",
        ),
        Violation("", "freshness_check", told, "age", age, settings.freshness) if wrong else None,
    )  # fmt: skip


def _long(seconds: float) -> str:
    """A duration in the greatest unit of which there are two."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:,.0f} s"


def _remembered(
    definition: MonitorDefinition, window: Window, memory: Mapping[str, Any], rows: int
) -> dict[str, Any]:
    if not definition.window.seconds:
        return {}
    return remembered(memory, window.start, rows)


def _headline(
    state: State, violations: Sequence[Violation], counts: WindowCounts, least: int
) -> str:
    if violations:
        more = len(violations) - _NAMED
        told = "; ".join(each.description for each in violations[:_NAMED])
        return f"{told}; and {more} more" if more > 0 else told
    if state is State.INSUFFICIENT:
        return f"{counts.rows:,} rows: below {least:,} nothing is said but of the schema"
    return f"{counts.rows:,} rows of {len(counts.columns)} columns are as they should be"


def _files(
    found: counting.Counted, violations: Sequence[Violation], context: KindContext
) -> dict[str, Any]:
    settings: DataQualitySettings = found.definition.settings
    files = counting.files_of(found, violations, context)
    config = files["constraints.json"]["monitoring_config"]
    config["datatype_check_threshold"] = 1.0 - settings.type_tolerance
    config["domain_content_threshold"] = 1.0 - settings.domain_tolerance
    return files


KIND = DataQuality()
