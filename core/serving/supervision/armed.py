"""One deployment under watch: what its arms have done, and what follows from that.

Fed with what each look at the servers brought; says how alarms and comparisons stand and, once,
that something must be done. Without clock, files or processes: `watch`, beside it,
has those.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from core.analysis.alarms import Alarm, Period, datapoint
from core.analysis.arms import Arm, Moments
from core.analysis.paired import Paired
from core.analysis.ratio import RatioTest, is_odd
from core.analysis.verdict import Evidence, judge
from core.domain.analysis import (
    Acted,
    AlarmRule,
    AlarmState,
    AnalysisStatus,
    MetricStatus,
    ShadowStatus,
    Verdict,
)
from core.serving.model.readings import added
from core.serving.process.meters import Reading
from core.serving.watchrecords import WatchPlan, plan_from_json

MAX_STRATA = 24
BATCHES = 200  # of ground truth: their numbers are kept so long
TREND = 60  # differences kept for the eye
TREND_SECONDS = 5.0
THAW_SECONDS = 30.0
LATE = 0.1  # a look this early still ends a period
_SHADOW = "shadow"


@dataclass(slots=True)
class Look:
    """What a look at all servers brought: what each revision did in the `seconds` before `at`.

    `share` is the candidate's of both arms as it is set (0-1), `served` whether it is set to get
    any request. `settled` is False when the table was changed since the last look: then the
    split is not counted. `mirrored` is what the shadow did, where the candidate is one.
    """

    at: float
    seconds: float
    share: float = 0.0
    served: bool = False
    settled: bool = True
    readings: Mapping[int, Sequence[Reading]] = field(default_factory=dict)
    shed: int = 0
    crashes: int = 0
    shadowed: bool = False
    shadow: Sequence[Reading] = ()
    mirrored: ShadowStatus = field(default_factory=ShadowStatus)


@dataclass(frozen=True, slots=True)
class Breach:
    """Why something must be done: what called for it, and in words."""

    by: str  # `alarm errors`, `verdict latency`, `crash loop`
    reason: str
    rolling: bool = False  # whether requests are to be taken away from the candidate


@dataclass(slots=True)
class _Clock:
    """An alarm and the period that runs."""

    alarm: Alarm
    period: Period


class Armed:
    """A deployment's watch. Every method is for one event loop."""

    def __init__(
        self,
        deployment: str,
        candidate: int,
        champion: int | None,
        plan: Mapping[str, Any],
        at: float,
    ) -> None:
        """Raises `BadInput` for a plan that cannot be watched."""
        self.deployment = deployment
        self.candidate = candidate
        self.champion = champion
        self.plan: WatchPlan = plan_from_json(plan)
        self.acted: Acted | None = None
        self.doing: Breach | None = None  # what is being acted on just now
        self._source = dict(plan)
        self._strata: list[tuple[str, Arm, Arm]] = []
        self._labels = Moments(), Moments()
        self._paired = Paired()
        self._batches: list[int] = []  # of ground truth that has been counted
        self._ratio = RatioTest()
        self._shadow: ShadowStatus | None = None
        self._seconds = 0.0
        self._trends: dict[str, list[float]] = {}
        self._watched = 0.0  # seconds, by the looks: nobody can set that clock
        self._trend_at: float | None = None  # of those seconds, as what follows
        self._metrics: tuple[MetricStatus, ...] = judge(self.plan.analysis, self._evidence())
        self._clocks = [_Clock(Alarm(rule, at), Period(0.0)) for rule in self.plan.alarms]
        self._at = at
        self._well_since: float | None = None

    def take(self, look: Look) -> None:
        """Count what a look brought, and judge anew."""
        self._at = look.at
        self._watched += look.seconds
        self._count(look)
        for clock in self._clocks:
            _feed(clock, self._period(clock.alarm.rule, look), look)
        self._judge()

    def observe(
        self, losses: Mapping[int, Sequence[float]], paired: Sequence[int] = (), batch: int = 0
    ) -> None:
        """Ground truth that has come in: by revision the count, sum and sum of squares of the
        losses of its rows; and rows that both arms answered: how many the candidate alone got
        wrong, the champion alone, and (if told) how many there were in all. What comes under
        the number of an earlier batch has been counted: it is sent again where nobody knew."""
        if batch and batch in self._batches:
            return
        self._batches = [*self._batches, batch][-BATCHES:]
        new, old = self._labels
        if (row := losses.get(self.candidate)) is not None:
            new = new.merge(Moments.of(*row))
        if self.champion is not None and (row := losses.get(self.champion)) is not None:
            old = old.merge(Moments.of(*row))
        self._labels = new, old
        if paired:
            worse, better = paired[0], paired[1]
            rows = paired[2] if len(paired) > 2 else worse + better
            self._paired = self._paired.merge(Paired(rows, worse, better))
        self._judge()

    def due(self) -> Breach | None:
        """What is to be acted on now. What has been acted on is not, but for a deployment that
        was frozen, and that has been well since for so long that a person may have let it go
        on: what happens to it then is something new."""
        breach = self.breach()
        if self.acted is None:
            return breach
        if breach is not None or self.acted.kind != "frozen":
            self._well_since = None
        elif self._well_since is None:
            self._well_since = self._watched
        elif self._watched - self._well_since >= THAW_SECONDS:
            self.acted = self._well_since = None
        return None

    def breach(self) -> Breach | None:
        """What calls for action, if anything does, acted on or not: alarms first."""
        for clock in self._clocks:
            alarm = clock.alarm
            if alarm.state is AlarmState.ALARM and not alarm.rule.dry_run:
                return Breach(f"alarm {alarm.rule.name}", f"{alarm.rule.metric}: {alarm.reason}")
        for metric in self._metrics:
            if metric.verdict is Verdict.WORSE and not metric.dry_run:
                return Breach(f"verdict {metric.metric}", _words(metric))
        return None

    def status(self) -> AnalysisStatus:
        """How everything stands."""
        return AnalysisStatus(
            deployment=self.deployment,
            at=self._at,
            candidate=self.candidate,
            champion=self.champion,
            metrics=self._metrics,
            alarms=tuple(clock.alarm.status() for clock in self._clocks),
            sample_ratio=self._ratio.status(),
            shadow=self._shadow,
            acted=self.acted,
        )

    def _count(self, look: Look) -> None:
        new = _arm(look.readings.get(self.candidate, ()))
        old = Arm() if self.champion is None else _arm(look.readings.get(self.champion, ()))
        if look.shadowed:
            self._shadow = added(self._shadow or ShadowStatus(), look.mirrored)
        if not look.served and look.shadowed:
            # Its own latency is that of a thread which nobody waits for: not compared. And what
            # clients got wrong is not mirrored.
            rejected = sum(item.rejected for item in look.readings.get(self.champion or 0, ()))
            old = replace(old, requests=old.requests - rejected)
            self._add(_SHADOW, replace(_arm(look.shadow), latency={}), old)
        elif look.served and not self._is_lopsided(look):
            self._add(f"{look.share:.6f}", new, old)
        compared = 0 < look.share < 1 if look.served else look.shadowed
        self._seconds += look.seconds if compared else 0.0
        if look.settled and self.champion is not None:
            self._ratio.add(
                look.share,
                sum(item.chance for item in look.readings.get(self.candidate, ())),
                sum(item.chance for item in look.readings.get(self.champion, ())),
            )

    def _is_lopsided(self, look: Look) -> bool:
        """Whether sessions, or targets asked for, kept one arm busy in these seconds and not
        the other, as one large client does. Compared with what the other arm did at another
        time, it would be the times that are compared."""
        arms = (look.readings.get(number or 0, ()) for number in (self.candidate, self.champion))
        mine, theirs = (sum(item.requests - item.chance for item in arm) for arm in arms)
        return is_odd(look.share, mine, theirs)

    def _add(self, key: str, new: Arm, old: Arm) -> None:
        if self._strata and self._strata[-1][0] == key:
            _, before, beside = self._strata.pop()
            new, old = before.merge(new), beside.merge(old)
        self._strata.append((key, new, old))
        if len(self._strata) > MAX_STRATA:
            (_, a, b), (name, c, d), *rest = self._strata
            self._strata = [(name, a.merge(c), b.merge(d)), *rest]

    def _period(self, rule: AlarmRule, look: Look) -> Period | None:
        """What the alarm's arm did; `None` while it is not meant to do anything."""
        found = Period(look.seconds)
        if rule.variant == "endpoint":
            for readings in look.readings.values():
                for item in readings:
                    found.add(item.period(0.0))
            found.requests += look.shed
            found.rejected += look.shed
        elif rule.variant == "champion":
            if self.champion is None or (look.served and look.share >= 1):
                return None
            for item in look.readings.get(self.champion, ()):
                found.add(item.period(0.0))
        else:
            if not look.served and not look.shadowed:
                return None
            mine = look.readings.get(self.candidate, ()) if look.served else look.shadow
            for item in mine:
                found.add(item.period(0.0))
        found.crashes = look.crashes
        return found

    def _evidence(self) -> Evidence:
        labels = Arm(losses=self._labels[0]), Arm(losses=self._labels[1])
        strata = [(new, old) for _, new, old in self._strata]
        return Evidence([*strata, labels], self._paired, self._seconds)

    def _judge(self) -> None:
        found = judge(self.plan.analysis, self._evidence())
        if self._trend_at is None or self._watched - self._trend_at >= TREND_SECONDS:
            self._trend_at = self._watched
            for metric in found:
                if metric.difference is not None:
                    kept = self._trends.get(metric.metric, [])
                    self._trends[metric.metric] = [*kept, metric.difference][-TREND:]
        self._show(found)

    def _show(self, found: tuple[MetricStatus, ...]) -> None:
        self._metrics = tuple(
            replace(metric, trend=tuple(self._trends.get(metric.metric, ()))) for metric in found
        )

    def to_json(self) -> dict[str, Any]:
        """What `resume` needs."""
        return {
            "deployment": self.deployment,
            "candidate": self.candidate,
            "champion": self.champion,
            "plan": self._source,
            "at": self._at,
            "strata": [[key, asdict(new), asdict(old)] for key, new, old in self._strata],
            "labels": [asdict(each) for each in self._labels],
            "paired": asdict(self._paired),
            "batches": self._batches,
            "ratio": asdict(self._ratio),
            "shadow": asdict(self._shadow) if self._shadow else None,
            "seconds": self._seconds,
            "trends": self._trends,
            "watched": self._watched,
            "trend_at": self._trend_at,
            "alarms": [clock.alarm.to_json() for clock in self._clocks],
            "acted": asdict(self.acted) if self.acted else None,
            "doing": asdict(self.doing) if self.doing else None,
        }

    @classmethod
    def resume(cls, data: Mapping[str, Any]) -> Armed:
        """The watch as it was when `to_json` was called; periods that ran begin anew."""
        found = cls(
            data["deployment"], data["candidate"], data["champion"], data["plan"], data["at"]
        )
        found._strata = [
            (key, Arm.from_json(new), Arm.from_json(old)) for key, new, old in data["strata"]
        ]
        new, old = data["labels"]
        found._labels = Moments(**new), Moments(**old)
        found._paired = Paired(**data["paired"])
        found._batches = list(data.get("batches", ()))  # older supervisors wrote none
        found._ratio = RatioTest(**data["ratio"])
        found._shadow = ShadowStatus(**data["shadow"]) if data["shadow"] else None
        found._seconds = data["seconds"]
        found._watched, found._trend_at = data["watched"], data["trend_at"]
        found._trends = {name: list(values) for name, values in data["trends"].items()}
        found._clocks = [
            _Clock(Alarm.resume(rule, state), Period(0.0))
            for rule, state in zip(found.plan.alarms, data["alarms"], strict=True)
        ]
        found.acted = Acted(**data["acted"]) if data["acted"] else None
        found.doing = Breach(**data["doing"]) if data["doing"] else None
        found._show(judge(found.plan.analysis, found._evidence()))
        return found


def _arm(readings: Sequence[Reading]) -> Arm:
    found = Arm()
    for item in readings:
        found = found.merge(item.arm())
    return found


def _feed(clock: _Clock, period: Period | None, look: Look) -> None:
    """Add to the period that runs; at its end the alarm has a datapoint. Its length is what the
    looks took, not what the clock on the wall says, which somebody may set."""
    if period is None:
        clock.period = Period(0.0)
        return
    clock.period.add(period)
    clock.period.seconds += period.seconds
    if clock.period.seconds < clock.alarm.rule.period - LATE:
        return
    clock.alarm.add(datapoint(clock.alarm.rule, clock.period), look.at)
    clock.period = Period(0.0)


def _words(metric: MetricStatus) -> str:
    """Why a metric is called worse."""
    low = "-∞" if metric.low is None else _told(metric.metric, metric.low)
    high = "∞" if metric.high is None else _told(metric.metric, metric.high)
    return (
        f"{metric.metric} of the candidate differs by "
        f"{_told(metric.metric, metric.difference or 0.0)} [{low}, {high}] from the champion's,"
        f" beyond the margin of {_told(metric.metric, metric.margin)},"
        f" after {metric.candidate_count:,} against {metric.champion_count:,}"
    )


def _told(metric: str, value: float) -> str:
    """A difference for people; one of latencies, which are compared as logarithms, in percent."""
    if metric == "latency":
        return f"{100 * math.expm1(min(value, 30.0)):.4g} %"
    return f"{value:.4g}"
