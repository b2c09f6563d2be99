"""Triggers: what starts a run by itself, what it asked for, and what was decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class CauseKind(StrEnum):
    """Why a trigger fires."""

    SCHEDULE = "schedule"
    NEW_DATA = "new_data"
    MONITOR = "monitor"
    METRIC = "metric"
    ALARM = "alarm"
    HAND = "hand"

    @property
    def degradation(self) -> bool:
        """Whether it tells of something that has become worse, which a retraining may mend."""
        return self in (CauseKind.MONITOR, CauseKind.METRIC, CauseKind.ALARM)


class FiringDecision(StrEnum):
    """What becomes of a firing. `asked`: nobody has decided yet; `accepted`: its run is being
    prepared; `started`: it has one. The others have none, each for its reason."""

    ASKED = "asked"
    ACCEPTED = "accepted"
    STARTED = "started"
    DEDUPLICATED = "deduplicated"
    COOLING_DOWN = "cooling_down"
    OVER_BUDGET = "over_budget"
    BUSY = "busy"
    DISABLED = "disabled"
    RELAPSED = "relapsed"
    REFUSED = "refused"

    @property
    def open(self) -> bool:
        """Whether a worker has still something to do about it."""
        return self in (FiringDecision.ASKED, FiringDecision.ACCEPTED)

    @property
    def passing(self) -> bool:
        """Whether the same cause may get another answer later, as time goes by."""
        return self in (
            FiringDecision.COOLING_DOWN,
            FiringDecision.OVER_BUDGET,
            FiringDecision.BUSY,
        )


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a trigger fires. `subject` is what to look at, such as `alarm/demand-mae`,
    `monitor/demand-drift@12` or `dataset/rentals@7`; `message` says it in words.

    Firings with the same `key` (by default the subject) are one cause: while one of them is
    open or its run has not ended, the others are duplicates. `evidence` is small and for JSON.
    """

    kind: CauseKind
    subject: str
    message: str = ""
    key: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def same(self) -> str:
        """What makes it the same cause."""
        return self.key or self.subject


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that makes a trigger fire. Only what its `kind` needs is set.

    A schedule has `every` (seconds) or a `cron` line in a `zone`. New data are at least `rows`
    rows, or `snapshots` versions, of `dataset` since the last run that read it. A monitor has
    been in `state` for `windows` windows one after the other. A metric (`source`, `metric`,
    `dims`) is `above` or `below` a number in `datapoints` of its last `of` points. `where` is
    its place in the file.
    """

    kind: CauseKind
    where: str = ""
    every: float | None = None
    cron: str = ""
    zone: str = "UTC"
    dataset: str = ""
    rows: int | None = None
    snapshots: int | None = None
    monitor: str = ""
    state: str = "violated"
    windows: int = 1
    source: str = ""
    metric: str = ""
    dims: Mapping[str, str] = field(default_factory=dict)
    above: float | None = None
    below: float | None = None
    datapoints: int = 1
    of: int = 1
    alarm: str = ""

    @property
    def key(self) -> str:
        """What tells it from a trigger's other conditions."""
        return self.words()

    def words(self) -> str:
        """What it says, for people: `new data in rentals (1,000 rows)`."""
        if self.kind is CauseKind.SCHEDULE:
            zone = "" if self.zone == "UTC" else f" {self.zone}"
            return f"schedule {self.cron}{zone}" if self.cron else f"every {spell(self.every)}"
        if self.kind is CauseKind.NEW_DATA:
            asked = [f"{self.rows:,} rows"] if self.rows else []
            asked += [f"{self.snapshots} versions"] if self.snapshots else []
            return f"new data in {self.dataset}" + (f" ({' or '.join(asked)})" if asked else "")
        if self.kind is CauseKind.MONITOR:
            times = f" in {self.windows} windows" if self.windows > 1 else ""
            return f"monitor {self.monitor} {self.state}{times}"
        if self.kind is CauseKind.METRIC:
            side = f"> {self.above:g}" if self.above is not None else f"< {self.below:g}"
            dims = "".join(f" {key}={value}" for key, value in sorted(self.dims.items()))
            often = f" in {self.datapoints} of {self.of}" if self.of > 1 else ""
            return f"metric {self.source}:{self.metric}{dims} {side}{often}"
        return f"alarm {self.alarm}" if self.kind is CauseKind.ALARM else "by hand"


def spell(seconds: float | None) -> str:
    """A duration as people write it: `90s`, `1h30m`, `7d`."""
    left, text = seconds or 0.0, ""
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if left >= size:
            text += f"{int(left // size)}{unit}"
            left %= size
    return text + (f"{left:g}s" if left or not text else "")


@dataclass(frozen=True, slots=True)
class Budget:
    """What a trigger may use in the last `seconds` (`per`, in words): so many runs, so much
    processor time of their steps (seconds), so much money at `price` an hour of that."""

    runs: int | None = None
    cpu_seconds: float | None = None
    cost: float | None = None
    price: float = 0.0
    per: str = "week"

    @property
    def seconds(self) -> float:
        """How far back is counted."""
        return 86_400.0 if self.per == "day" else 604_800.0


@dataclass(frozen=True, slots=True)
class Relapse:
    """After so many retrainings for a degradation `within` so many seconds, the next one opens
    an alert instead."""

    retrainings: int = 1
    within: float = 604_800.0


@dataclass(frozen=True, slots=True)
class Augment:
    """The rows that captured requests and their labels are made into before the run.

    `dataset` takes them, one a row of a request; `label` is the name of the column of what
    turned out to be true. `since` (seconds) is how far back requests are taken, `hold_back` how
    much of the newest is left out, so that something is left to be judged on. At most `most`
    rows, drawn by `draw` (newest, random). `weights` maps why a row was labelled to its weight
    (`weight_column`). `columns` renames inputs (new name to input); `keep` names inputs to take,
    all by default. `least` rows are needed, else the run goes without them.
    """

    dataset: str
    endpoint: str = ""
    label: str = "label"
    since: float | None = None
    hold_back: float = 0.0
    most: int | None = None
    least: int = 1
    draw: str = "newest"
    weights: Mapping[str, float] = field(default_factory=dict)
    weight_column: str = "weight"
    columns: Mapping[str, str] = field(default_factory=dict)
    keep: tuple[str, ...] = ()
    needed: bool = False


@dataclass(frozen=True, slots=True)
class TriggerDefinition:
    """A trigger, as a file defines it. `params` are texts, numbers or truth values; texts may
    hold templates (`core.triggers.templates`). Durations are seconds. Where `model` or
    `endpoint` is empty, the pipeline's own is meant."""

    name: str
    pipeline: str
    conditions: tuple[Condition, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""
    endpoint: str = ""
    cool_down: float = 21_600.0
    budget: Budget = Budget()
    priority: int = 0
    relapse: Relapse = Relapse()
    augment: Augment | None = None
    enabled: bool = True
    use_cache: bool = True
    description: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Firing:
    """One firing and what became of it. Times are epoch seconds. `times` counts it and further
    ones of the same cause with the same answer, the last at `last_at`. `data` says which
    augmented set its run had; `run` is its run's number."""

    id: str
    trigger: str
    at: float
    cause: Cause
    actor: str
    decision: FiringDecision
    reason: str = ""
    model: str = ""
    pipeline: str = ""
    decided_at: float | None = None
    times: int = 1
    last_at: float = 0.0
    run_id: str | None = None
    run: int | None = None
    run_status: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    alert_id: str | None = None


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger with how it stands. `state` is ready, paused, off (its file says so), broken
    or gone (no file defines it any more); `problems` say in words what is broken. `next_at` is
    when its schedule comes round."""

    name: str
    state: str
    definition: TriggerDefinition | None = None
    file: str = ""
    problems: tuple[str, ...] = ()
    paused_by: str | None = None
    paused_at: float | None = None
    paused_reason: str = ""
    next_at: float | None = None
    last: Firing | None = None
    runs: int = 0
    looked_at: float | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would happen if a trigger fired now: the `decision` and why; whether each condition
    is met; the parameters as far as they can be told without reading data."""

    trigger: str
    decision: FiringDecision
    reason: str
    conditions: tuple[tuple[str, bool, str], ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
