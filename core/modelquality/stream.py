"""Concept drift: whether the errors, in order of time, have risen for good.

Three detectors over the error of each labelled answer (0 or 1 for classes; for quantities the
absolute error, cut off at the baseline's 99.5 % so that one absurd value is not a change), with
the season taken out: ADWIN (the default, started on the baseline's errors), CUSUM (the fast
second opinion) and, where asked for, Page-Hinkley. Only a rise counts, and only by more than a
margin. What they see is one incident, from the first alarm until the error is back: a stream
that stays bad raises no second one.

Labels come late, so the detectors keep no state from window to window: each window leaves its
errors as blocks (a few sums each), and a window's verdict is taken by going through the
baseline's errors, the blocks of the windows before it, as they are by then, and its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.modelquality import season as seasons
from core.modelquality.adwin import BLOCK, Adwin, Block, Change, blocks_of
from core.modelquality.cusum import POINTS, Cusum, PageHinkley, level_evidence, rate_evidence
from core.modelquality.dependence import dependence
from core.modelquality.pairs import Floats, Pairs
from core.modelquality.season import Season
from core.modelquality.task import Task

DETECTORS = ("adwin", "cusum", "page_hinkley")
DEFAULT = ("adwin", "cusum")
MARGIN = 0.10
"""A rise of a mean absolute error below this share of it is no incident."""
MOST_BLOCKS = 64
"""A window leaves no more than so many blocks."""
_CUT = 0.995
_SURE = 1.645  # the baseline's own mean is known only so well


@dataclass(frozen=True, slots=True)
class ErrorBaseline:
    """The baseline's errors, scaled by `scale` into 0..1: their season, the deviation around
    it, how many that follow each other are worth one, the standard error of their mean, and
    ADWIN after having seen them."""

    classes: bool
    scale: float
    season: Season
    spread: float
    dependence: float
    error: float
    rows: int
    adwin: Mapping[str, Any]

    @property
    def margin(self) -> float:
        """The rise (scaled) that counts."""
        return POINTS if self.classes else MARGIN * self.season.mean

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {
            "classes": self.classes,
            "scale": self.scale,
            "season": self.season.to_json(),
            "spread": self.spread,
            "dependence": self.dependence,
            "error": self.error,
            "rows": self.rows,
            "adwin": dict(self.adwin),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ErrorBaseline:
        """A baseline that `to_json` wrote."""
        return cls(**{**data, "season": Season.from_json(data["season"])})


@dataclass(frozen=True, slots=True)
class ErrorBlock:
    """Errors that follow each other, scaled and without season: as ADWIN takes them, with
    CUSUM's evidence, and the time of the first (epoch seconds)."""

    block: Block
    evidence: float
    at: float

    def to_json(self) -> list[float]:
        """What `from_json` reads: five numbers."""
        sums = (self.block.count, self.block.total, self.block.square, self.evidence)
        return [*(float(f"{each:.9g}") for each in sums), self.at]

    @classmethod
    def from_json(cls, data: Sequence[float]) -> ErrorBlock:
        """A block that `to_json` wrote."""
        count, total, square, evidence, at = data
        return cls(Block(count, total, square), evidence, at)


@dataclass(frozen=True, slots=True)
class Incident:
    """A rise of the error: when it was first seen (epoch seconds), by which detectors, and the
    mean errors before and since, in the label's unit."""

    since: float
    by: tuple[str, ...]
    before: float
    after: float

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "since": self.since,
            "by": list(self.by),
            "before": self.before,
            "after": self.after,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Incident:
        """An incident that `to_json` wrote."""
        return cls(data["since"], tuple(data["by"]), data["before"], data["after"])


@dataclass(frozen=True, slots=True)
class Drift:
    """How the errors stand at a window's end. `incident` is open then; `opened` and `closed`
    say what happened within the window; `level` is the mean error that ADWIN holds for the
    present, `evidence` CUSUM's sum; `blocks` is what the window leaves."""

    incident: Incident | None
    opened: bool
    closed: bool
    level: float
    evidence: float
    observations: int
    blocks: tuple[ErrorBlock, ...]


def errors_of(pairs: Pairs) -> Floats:
    """The error of each row: 1 or 0 for classes, else the absolute one."""
    if pairs.task is Task.REGRESSION:
        return np.asarray(np.abs(pairs.prediction - pairs.label), dtype=np.float64)
    return np.asarray(pairs.prediction != pairs.label, dtype=np.float64)


def learn(pairs: Pairs, times: Floats | None, delta: float) -> ErrorBaseline | None:
    """What later errors are held against; None of no rows, or of errors that are all 0."""
    if not len(pairs):
        return None
    errors = errors_of(pairs)
    classes = pairs.task is not Task.REGRESSION
    scale = 1.0 if classes else float(np.quantile(errors, _CUT)) or float(errors.max())
    if scale <= 0:
        return None
    scaled = np.minimum(errors / scale, 1.0)
    season = seasons.learn(scaled, times)
    if times is not None and np.isfinite(times).all():
        order = np.argsort(times, kind="stable")
        scaled, times = scaled[order], times[order]
    level = season.at(times if times is not None else np.zeros(len(scaled)))
    left = scaled - level
    adwin = Adwin(delta)
    alike = dependence(left)
    for block in blocks_of(left + season.mean):
        adwin.add(worth(block, alike))
    spread = float(np.std(left))
    return ErrorBaseline(
        classes,
        scale,
        season,
        spread,
        alike,
        spread * float(np.sqrt(alike / len(scaled))),
        len(scaled),
        adwin.to_json(),
    )


def blocks(baseline: ErrorBaseline, pairs: Pairs, times: Floats) -> tuple[ErrorBlock, ...]:
    """A window's labelled rows, in order of time, as what it leaves: at most `MOST_BLOCKS`."""
    scaled = np.minimum(errors_of(pairs) / baseline.scale, 1.0)
    level = baseline.season.at(times)
    surely = level + _SURE * baseline.error
    if baseline.classes:
        evidence = rate_evidence(scaled, surely)
    else:
        evidence = level_evidence(scaled, surely, baseline.spread)
    left = scaled - level + baseline.season.mean
    size = max(BLOCK, -(-len(left) // MOST_BLOCKS))
    alike = baseline.dependence
    return tuple(
        ErrorBlock(
            worth(block, alike),
            float(evidence[start : start + size].sum()) / alike,
            float(times[start]),
        )
        for start, block in zip(range(0, len(left), size), blocks_of(left, size), strict=True)
    )


def worth(block: Block, alike: float) -> Block:
    """What a block says where so many observations that follow each other are worth one."""
    return Block(block.count / alike, block.total / alike, block.square / alike)


def follow(
    baseline: ErrorBaseline,
    before: Sequence[Sequence[ErrorBlock]],
    now: Sequence[ErrorBlock],
    known: Incident | None = None,
    detectors: Sequence[str] = DEFAULT,
) -> Drift:
    """Go through the blocks of the windows before (oldest first) and of this one. `known` is the
    incident that was open after the window before this: one that is still open keeps its
    beginning, though what it began with may be too long ago to be gone through again."""
    chart = _Chart(baseline, detectors, Adwin.resume(baseline.adwin))
    for block in (block for window in before for block in window):
        chart.add(block)
    was = chart.incident
    if was is not None and known is not None:
        was = chart.incident = replace(was, since=known.since, before=known.before)
    opened = closed = False
    for block in now:
        held = chart.incident
        chart.add(block)
        opened |= held is None and chart.incident is not None
        closed |= held is not None and chart.incident is None
    incident = chart.incident
    return Drift(
        incident,
        opened and incident is not None,
        closed and incident is None,
        chart.level * baseline.scale,
        chart.cusum.total,
        round(baseline.dependence * sum(block.block.count for block in now)),
        tuple(now),
    )


class _Chart:
    """The detectors over one stream of blocks, and the incident that they make of it."""

    def __init__(self, baseline: ErrorBaseline, detectors: Sequence[str], adwin: Adwin) -> None:
        self.incident: Incident | None = None
        self.cusum = Cusum()
        self._baseline, self._detectors, self._adwin = baseline, detectors, adwin
        self._hinkley = PageHinkley()

    @property
    def level(self) -> float:
        """The mean error (scaled) that holds for the present."""
        return self._adwin.mean

    def add(self, one: ErrorBlock) -> None:
        """Take in a block."""
        mean = self._baseline.season.mean
        alarms: list[tuple[str, float]] = []  # detector, level before
        change = self._adwin.add(one.block)
        if "adwin" in self._detectors and change is not None and self._counts(change):
            alarms.append(("adwin", change.before))
        if "cusum" in self._detectors and self.cusum.add(one.evidence):
            alarms.append(("cusum", mean))
        if "page_hinkley" in self._detectors and self._hinkley.add(
            one.block.count, one.block.total
        ):
            alarms.append(("page_hinkley", mean))
        self._settle(alarms, one.at)

    def _counts(self, change: Change) -> bool:
        risen = change.after - min(change.before, self._baseline.season.mean)
        return change.worse and risen >= self._baseline.margin

    def _settle(self, alarms: Sequence[tuple[str, float]], at: float) -> None:
        baseline, scale = self._baseline, self._baseline.scale
        held = self.incident
        is_back = self.level <= baseline.season.mean + baseline.margin / 2
        if is_back and not self.cusum.alarm:
            self.incident = None
        elif held is not None:
            by = tuple(dict.fromkeys((*held.by, *(name for name, _ in alarms))))
            self.incident = replace(held, by=by, after=self.level * scale)
        elif alarms:
            by = tuple(name for name, _ in alarms)
            self.incident = Incident(at, by, alarms[0][1] * scale, self.level * scale)
