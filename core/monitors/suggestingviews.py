"""Good defaults for a feature view, as a file that says why each of them is there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core.domain.features import FeatureView
from core.domain.monitor import Suggested
from core.errors import NotFound
from core.monitors.definition import FEATURES
from core.monitors.errors import NotWatchable
from core.monitors.featureviews import view_rows, watched_view
from core.monitors.files import FOLDER
from core.reads import datasets as _datasets
from core.session import Session

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 500
"""Rows that a window should have at least: below that one by time is insufficient."""
FEW = 12
"""Different values up to which a feature makes segments."""
MOST_SEGMENTS = 2
LEAST_WINDOWS = 6
_LENGTHS = (("1h", 3600.0), ("6h", 21_600.0), ("1d", 86_400.0), ("7d", 604_800.0),
            ("30d", 2_592_000.0))  # fmt: skip


@dataclass(slots=True)
class _Seen:
    """What a look at the view's rows found: how many, from when to when (epoch seconds), and
    features with few values."""

    rows: int = 0
    first: float = 0.0
    last: float = 0.0
    few: tuple[str, ...] = ()


def suggest_view(session: Session, name: str) -> Suggested:
    """The text of a file for a feature view, as the session's actor may read its source.

    Raises `NothingThere` where it was never applied, `NotWatchable` where it has no rows,
    `Refused`.
    """
    view = watched_view(session, name)
    try:
        version = _datasets.find_dataset(session.reader, view.spec.source).number
    except NotFound as error:
        raise NotWatchable(f"feature view {name}: {error.message}", error.hint) from error
    seen = _look(session, view)
    if not seen.rows:
        raise NotWatchable(
            f"feature view {name}: has no rows, so that nothing can be learned from them",
            f"put rows into {view.spec.source} first",
        )
    notes: list[str] = []
    text = "\n".join(_text(view, version or 1, seen, notes)) + "\n"
    return Suggested(f"{FEATURES}/{name}", text, f"{FOLDER}/features-{name.replace('_', '-')}.yaml",
                     False, tuple(notes))  # fmt: skip


def _text(view: FeatureView, version: int, seen: _Seen, notes: list[str]) -> list[str]:
    name, spec = view.spec.name, view.spec
    head = name.replace("_", "-")
    length = _length(seen)
    lines = [
        f"# Watches the feature view {view.ref}, which is made from {spec.source}: proposed from",
        f"# its {seen.rows:,} rows of {_day(seen.first)} to {_day(seen.last)}. It is read point in",
        "# time, as training sets read it; a value that is missing counts as missing, not as its",
        "# default. Change what you like; opsdeck doctor checks the file.",
        "",
        "monitors:",
        f"  {head}-data:",
        "    kind: data_quality",
        f"    watch: {FEATURES}/{name}",
        "    # All rows as of each new version of the source.",
        "    every: new_data",
        f"    baseline: {FEATURES}:{name}@{version}",
        *_freshness(view, notes),
        "",
        f"  {head}-drift:",
        "    kind: drift",
        f"    watch: {FEATURES}/{name}",
    ]
    if length:
        lines += [
            f"    # By {spec.event_time}: the shortest of the usual spans that has {ROWS:,} rows.",
            f"    window: {{time: {length}}}",
        ]
    else:
        notes.append(f"its rows are too few for windows of time with {ROWS:,} rows each")
        lines += ["    # Too few rows for windows of time.", "    window: {snapshot: whole}"]
    lines.append(f"    baseline: {FEATURES}:{name}@{version}")
    if seen.few:
        lines += [
            "    # Few values each: drift is told apart by them.",
            f"    segments: [{', '.join(seen.few)}]",
        ]
    return lines


def _freshness(view: FeatureView, notes: list[str]) -> list[str]:
    """A limit of the newest row's age: what the view itself calls too old."""
    if view.spec.ttl is not None:
        told = "    # Older rows count as none (its ttl): then models get defaults."
        return [told, f"    freshness: {view.spec.ttl:.0f}s"]
    notes.append("no limit of freshness: the view has no ttl that says when a row is too old")
    return ["    # freshness: 2d    # its newest row's age; the view has no ttl that would say"]


def _length(seen: _Seen) -> str:
    span = seen.last - seen.first
    for text, seconds in _LENGTHS:
        if span >= LEAST_WINDOWS * seconds and seen.rows * seconds / span >= ROWS:
            return text
    return ""


def _look(session: Session, view: FeatureView) -> _Seen:
    import pyarrow.compute as pc

    from core.governance.access import open_access
    from core.monitors.featureviews import source_rows
    from core.monitors.spool import epochs

    spec, seen = view.spec, _Seen()
    plain = [each.name for each in spec.features if each.type in ("string", "bool", "int")]
    values: dict[str, set[object]] = {each: set() for each in plain}
    access = open_access(session)
    try:
        rows = source_rows(access, spec, None, session.actor, f"suggest monitors of {view.ref}")
        for batch in view_rows(session, spec, rows, {}):
            ends = pc.min_max(epochs(batch.column(spec.event_time))).as_py()
            if ends["min"] is None:
                continue
            seen.first = min(seen.first, ends["min"]) if seen.rows else ends["min"]
            seen.last = max(seen.last, ends["max"]) if seen.rows else ends["max"]
            seen.rows += batch.num_rows
            _gather(batch, values)
    finally:
        access.close()
    few = [each for each, found in values.items() if 1 < len(found) <= FEW]
    seen.few = tuple(few[:MOST_SEGMENTS])
    return seen


def _gather(batch: pa.RecordBatch, values: dict[str, set[object]]) -> None:
    """Note the values of features that have had few so far."""
    import pyarrow.compute as pc

    for name, found in values.items():
        if len(found) <= FEW:
            found.update(pc.drop_null(pc.unique(batch.column(name))).to_pylist()[: FEW + 1])


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"
