"""Monitors: what they watch, what a window of rows came to, and how they stand.

A monitor's definition is a file's; its state, runs, measurements and violations are rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

CAPTURED_TIME = "captured"
"""The `time:` of a monitor that goes by when a request was answered."""
NOBODY = "opsdeck"
"""On whose behalf a monitor reads for which nobody stands: the worker's own name, which nobody
has granted anything."""


class State(StrEnum):
    """What one window, or one number of it, came to.

    `insufficient`: too few rows, or too few labels, for any statement; it is never `ok`.
    `info`: a number that is only shown, without a threshold.
    """

    OK = "ok"
    VIOLATED = "violated"
    INSUFFICIENT = "insufficient"
    INFO = "info"


class MonitorState(StrEnum):
    """How a monitor stands. The first three are what its newest window came to."""

    OK = "ok"
    VIOLATED = "violated"
    INSUFFICIENT = "insufficient"
    INFO = "info"  # its newest window has numbers, and no threshold
    PENDING = "pending"  # it has not run yet
    FAILED = "failed"  # its newest run did not come to an end
    BROKEN = "broken"  # its file has problems; the last good definition is kept beside
    PAUSED = "paused"
    GONE = "gone"  # its file does not define it any more


class RunStatus(StrEnum):
    """How the run of a monitor over one window ended."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"  # one of more missed windows than are caught up with


class Reference(StrEnum):
    """Which rows of a model version's training a baseline is made from.

    `training`: what the model learned from. `evaluation`: rows that it did not see, with
    predictions and labels.
    """

    TRAINING = "training"
    EVALUATION = "evaluation"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number of one window.

    `feature` and `segment` are empty where it is of the whole; a segment is written
    `column=value`. `low` and `high` are its confidence interval. `comparison` is one of
    CloudWatch's words (`GreaterThanThreshold`, …): `value comparison threshold` is the
    violation. `definition` states how it was computed ("KS, exact, D >= 0.05 and BH q = 0.01").
    `detail` is small and JSON-able: histograms now and then, drivers, coverage. `value` is None
    where it cannot be computed, never NaN or infinite: infinities stand in `detail` as text.
    """

    metric: str
    value: float | None
    feature: str = ""
    segment: str = ""
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    threshold: float | None = None
    comparison: str = ""
    state: State = State.INFO
    definition: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that a monitor found wrong.

    `check` is SageMaker's constraint_check_type where there is one. `severity` is `info`,
    `warning` or `critical`, as alerts have it: only lost performance, a broken schema and
    missing data are more than `info` by themselves.
    """

    feature: str
    check: str
    description: str
    metric: str = ""
    value: float | None = None
    threshold: float | None = None
    severity: str = "warning"
    segment: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """What a kind made of a window.

    `headline` is one line for a person, the worst first. `files` maps a file's name
    (`statistics.json`, `constraints.json`, `constraint_violations.json`, `analysis.json`) to
    its JSON-able content. `memory` is JSON-able, and handed to the next window's evaluation;
    None leaves what was kept as it was.
    """

    state: State
    measurements: tuple[Measurement, ...] = ()
    violations: tuple[Violation, ...] = ()
    headline: str = ""
    files: Mapping[str, Any] = field(default_factory=dict)
    memory: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a monitor looks: each `seconds`, at the times of a cron line, or (`new_data`) as
    soon as a window is full. `text` is what was written. Exactly one of them is set."""

    text: str
    seconds: float | None = None
    cron: str = ""
    new_data: bool = False


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """How a monitor cuts what it watches into windows: by `rows`, by `seconds`, or (of a dataset)
    by `snapshot`; exactly one of the three.

    Windows of rows hold `rows` each and begin every `slide` rows (`rows` unless said). Windows
    of time are [k·slide + offset, k·slide + offset + seconds) in UTC, and are looked at `grace`
    seconds after their end, for rows that come late. `snapshot` is `whole` (all rows of each
    new version) or `added` (what was appended since the last one). Below `minimum_rows` a window
    is insufficient.
    """

    rows: int | None = None
    seconds: float | None = None
    snapshot: str = ""
    slide: float | None = None
    offset: float = 0.0
    grace: float = 0.0
    minimum_rows: int = 500

    @property
    def step(self) -> float:
        """Rows or seconds from one window's begin to the next one's."""
        return self.slide or self.rows or self.seconds or 0.0

    @property
    def words(self) -> str:
        """In a few words: `500 rows`, `1h every 15m`, `whole snapshot`."""
        if self.snapshot:
            return f"{self.snapshot} snapshot"
        if self.rows is not None:
            every = f" every {self.slide:g}" if self.slide else ""
            return f"{self.rows} rows{every}"
        every = f" every {_span(self.slide)}" if self.slide else ""
        return f"{_span(self.seconds or 0.0)}{every}"


@dataclass(frozen=True, slots=True)
class MonitorDefinition:
    """What the file says of one monitor, defaults filled in.

    `watch` is `endpoint/NAME`, `dataset/NAME` or `features/NAME`; `variant` is champion,
    candidate, all or a revision (`r7`). `time` is `captured` (of a feature view: its event time)
    or a column. `prediction`, `score` and `label` name
    columns of a dataset that hold them (of an endpoint `label` names the target among the
    training rows). `settings` is what its kind read. `alert` overrides the severity with which
    a violation is told of (`off`: never by itself; empty: as the kind says); `runbook` is a file
    of the workspace, shown beside it. `fingerprint` changes with whatever changes a baseline or
    a measurement.
    """

    name: str
    kind: str
    watch: str
    every: Schedule
    window: WindowSpec
    settings: Any
    variant: str = "champion"
    time: str = CAPTURED_TIME
    baseline: str = "training"
    columns: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    prediction: str = ""
    score: str = ""
    label: str = ""
    owner: str = ""
    description: str = ""
    alert: str = ""
    runbook: str = ""
    timeout: float = 600.0
    catch_up: int = 10
    recompute: int = 5
    file: str = ""
    line: int = 0
    fingerprint: str = ""

    @property
    def target_kind(self) -> str:
        """`endpoint`, `dataset` or `features`."""
        return self.watch.partition("/")[0]

    @property
    def target(self) -> str:
        """The name of what is watched."""
        return self.watch.partition("/")[2]


@dataclass(frozen=True, slots=True)
class Baseline:
    """A stored baseline: what a monitor compares with. `id` is the digest of its content.

    `source` says where its rows are from (`training`, `captured:LAST 7d`, `dataset:NAME@V`,
    `run/12:split.train_rows`); `origin` in detail: run, step, output, artifact digest, dataset
    and snapshot, model version, what was left out. `model`@`version` is what it is for (empty
    where it is for any). `active`: the monitor compares with it now.
    """

    id: str
    monitor: str
    kind: str
    source: str
    rows: int
    made_at: float
    made_by: str
    model: str = ""
    version: int | None = None
    fingerprint: str = ""
    origin: Mapping[str, Any] = field(default_factory=dict)
    active: bool = False
    bytes: int = 0
    summary: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class MonitorRun:
    """One monitor over one window. `window` is its key, unique in the monitor; `start` and
    `end` are epoch seconds of its rows (of the window itself where it is one of time).

    `generation` grows each time when late labels or rows had the window computed again; `trigger`
    is `schedule`, `labels`, `hand` or `replay`. `reason` is why it failed or was skipped.
    `first_row`..`last_row` are places in the captured traffic, where it is a window by count.
    """

    id: str
    monitor: str
    kind: str
    window: str
    start: float
    end: float
    status: RunStatus
    state: State | None
    generation: int
    trigger: str
    rows: int = 0
    duplicates: int = 0
    late: int = 0
    label_coverage: float | None = None
    model: str = ""
    version: int | None = None
    baseline: str = ""
    snapshot: int | None = None
    headline: str = ""
    reason: str = ""
    violations: int = 0
    started_at: float | None = None
    ended_at: float | None = None
    worker: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True)
class MonitorRunDetail:
    """A run with its numbers, what it found wrong, and how earlier generations stood."""

    run: MonitorRun
    measurements: tuple[Measurement, ...]
    violations: tuple[Violation, ...]
    history: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Monitor:
    """A monitor as it stands. `trend` are the states of its newest windows, oldest first;
    `problems` counts what is wrong with its file; `backoff_until` is set while it fails.

    `needs` is the command by which somebody who may read it lets it go on, where nobody stands
    for its definition as it is now and it reads what is not open to all; empty elsewhere."""

    name: str
    kind: str
    watch: str
    state: MonitorState
    every: str
    window: str
    baseline: str
    file: str
    line: int = 0
    owner: str = ""
    description: str = ""
    headline: str = ""
    reason: str = ""
    last_run: str = ""
    last_window_end: float | None = None
    last_run_at: float | None = None
    next_at: float | None = None
    rows: int | None = None
    label_coverage: float | None = None
    violations: int = 0
    failures: int = 0
    backoff_until: float | None = None
    paused_by: str = ""
    paused_at: float | None = None
    pause_reason: str = ""
    skipped: int = 0
    trend: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    needs: str = ""


def row_name(feature: str, segment: str) -> str:
    """What a measurement is of: its feature and its segment; the segment alone where that names
    the feature's columns itself."""
    if not segment:
        return feature
    columns, parts = feature.split(" & "), segment.split(" & ")
    if len(columns) == len(parts) and all(map(str.startswith, parts, columns)):
        return segment
    return f"{feature} {segment}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of a heat map: a feature in a window. `value` is of its worst metric;
    `comparison` as in `Measurement`."""

    feature: str
    window: str
    metric: str
    value: float | None
    threshold: float | None
    state: State
    comparison: str = ""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Features × windows of a monitor, for one metric or (empty) the worst of each feature.

    `windows` are (key, start, end, state of the run), oldest first; features are the worst
    first. `cells` by (feature, window key).
    """

    monitor: str
    metric: str
    metrics: tuple[str, ...]
    features: tuple[str, ...]
    windows: tuple[tuple[str, float, float, str], ...]
    cells: Mapping[tuple[str, str], Cell]


@dataclass(frozen=True, slots=True)
class Distribution:
    """One feature now and then: histograms (`labels` of the bins or categories, shares that
    sum to 1), and the numbers that were measured of it."""

    monitor: str
    feature: str
    window: str
    labels: tuple[str, ...]
    now: tuple[float, ...]
    then: tuple[float, ...]
    measurements: tuple[Measurement, ...]


@dataclass(frozen=True, slots=True)
class Suggested:
    """A proposed file: its text, where it was or would be written, what was left out and why."""

    endpoint: str
    text: str
    path: str
    written: bool
    notes: tuple[str, ...] = ()


def _span(seconds: float) -> str:
    for unit, length in (("d", 86_400.0), ("h", 3600.0), ("m", 60.0)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s"
