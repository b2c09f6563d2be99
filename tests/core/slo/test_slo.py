"""Objectives: what is read, how a budget burns, and that the right alarm goes off in time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.alarms.keeper import Keeper
from core.analysis.buckets import score_bucket
from core.domain.series import Point, Statistics
from core.domain.slo import SloDefinition, SloKind
from core.ops import Ops, open_ops
from core.releases.values import Problems
from core.series import record
from core.slo import derived_alarms, read_slos, tiers
from core.slo.burning import budget_left, burn_rate, exhausted_in, tier_rate
from core.slo.counting import Counter
from core.slo.keeper import SloKeeper
from core.slo.stored import slo_from_json, slo_json
from tests.support.opened import database_url, write_workspace

__all__ = ["database_url"]

HOUR, DAY = 3600.0, 86_400.0
AVAILABLE = SloDefinition("up", SloKind.AVAILABILITY, 0.99, 30 * DAY, "bike")


def read(**data: Any) -> tuple[SloDefinition | None, str]:
    problems = Problems()
    found = read_slos(problems, "slos", {"it": data})
    said = "\n".join(f"{p.words()} ({p.hint})" for p in problems.found)
    return (found[0] if found else None), said


def test_the_three_kinds_are_read() -> None:
    up, said = read(endpoint="bike", objective="99.5%", window="7d")
    assert (said, up) == (
        "",
        SloDefinition("it", SloKind.AVAILABILITY, pytest.approx(0.995), 7 * DAY, "bike"),
    )
    fast, _ = read(endpoint="bike", objective="99%", latency="200ms", variant="champion")
    assert fast is not None
    assert (fast.kind, fast.latency_ms, fast.window) == (SloKind.LATENCY, 200, 30 * DAY)
    assert fast.words() == "99 % of answers of bike within 200 ms"
    good, said = read(metric="monitor/quality:mae", good="<= 60", objective="95%", slow=[])
    assert said == ""
    assert good is not None
    assert good.words() == "95 % of windows with monitor/quality:mae <= 60"
    assert [alarm.name for alarm in derived_alarms(good)] == ["it-fast-burn", "it-trickle-burn"]
    for slo in (up, fast, good):
        assert slo is not None
        assert slo_from_json(slo_json(slo)) == slo


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"endpoint": "bike"}, "slos.it: no objective"),
        ({"endpoint": "bike", "objective": "100%"}, "nothing is always so"),
        ({"endpoint": "bike", "objective": 99}, "it.objective: a share from 0 to 1"),
        ({"objective": "99%"}, "slos.it: no endpoint"),
        ({"endpoint": "bike", "objective": "99%", "window": "1m"}, "it.window: at least 3600 s"),
        ({"endpoint": "bike", "objective": "99%", "window": "1y"}, "it.window: a duration"),
        ({"endpoint": "bike", "objective": "99%", "good": "< 3"}, "only beside metric"),
        ({"metric": "monitor/q:mae", "objective": "99%"}, "it.good: when the metric is good"),
        ({"metric": "monitor/q:mae", "objective": "99%", "good": "low"}, "it.good: when the"),
        ({"endpoint": "bike", "objective": "99%", "latncy": "1s"}, "did you mean latency?"),
    ],
)
def test_what_is_wrong_is_said(data: dict[str, Any], words: str) -> None:
    found, said = read(**data)
    assert found is None
    assert words in said


def test_the_windows_are_the_workbooks_and_scale_with_the_objectives() -> None:
    assert [(t.name, t.rate, t.long, t.short) for t in tiers(AVAILABLE)] == [
        ("fast", 14.4, HOUR, 300), ("slow", 6, 6 * HOUR, 1800), ("trickle", 1, 3 * DAY, 6 * HOUR),
    ]  # fmt: skip
    day = SloDefinition("d", SloKind.AVAILABILITY, 0.99, DAY, "bike")
    assert [(t.long, t.short) for t in tiers(day)] == [(120, 60), (720, 60), (8640, 720)]
    assert [a.threshold for a in derived_alarms(AVAILABLE)] == [14.4, 6.0, 1.0]
    assert [a.actions[0].words() for a in derived_alarms(AVAILABLE)] == [
        "alert: critical", "alert: critical", "alert: warning",
    ]  # fmt: skip


@given(
    st.integers(0, 10**6),
    st.floats(0, 1),
    st.floats(0.5, 0.99),
    st.integers(0, 99),
    st.floats(0, 1),
)
def test_budget_and_burn_agree(
    events: int, share: float, objective: float, more: int, worse: float
) -> None:
    slo = SloDefinition("s", SloKind.AVAILABILITY, objective, 30 * DAY, "bike", minimum_events=1)
    counted = (events, events * share)
    rate, left = burn_rate(slo, counted), budget_left(slo, counted)
    if events == 0:
        assert rate is None
        assert left is None
        return
    assert rate is not None
    assert left is not None
    assert left == pytest.approx(1 - rate)
    assert rate == pytest.approx(share / (1 - objective), rel=1e-6, abs=1e-9)
    both = tier_rate(slo, tiers(slo)[0], lambda s: counted if s > 1000 else (more, more * worse))
    if events >= 1 and more > 0:
        assert both == pytest.approx(min(rate, burn_rate(slo, (more, more * worse)) or 0))
    lasts = exhausted_in(slo, left, rate)
    assert lasts is None or lasts >= 0


class Service:
    """An endpoint whose minutes a test writes; a worker's keepers look after it."""

    def __init__(self, ops: Ops, **slo: Any) -> None:
        self.ops = ops
        self.now = time.time() // HOUR * HOUR
        folder = ops.workspace.root / "monitors"
        folder.mkdir()
        import json

        slo = {"objective": "99%", "endpoint": "bike", **slo}
        (folder / "slos.yaml").write_text(json.dumps({"slos": {"up": slo}}))
        self.slos, self.alarms = SloKeeper(ops.session), Keeper(ops.session, "worker")

    def minutes(self, count: int, bad: float = 0.0, *, look: bool = True) -> None:
        """So many minutes of 100 requests go by, of which this share is bad."""
        for _ in range(count):
            found = Statistics(100, 100 * bad, 0, float(bad > 0))
            with self.ops.session.change("measure") as tx:
                record(tx, "endpoint/bike", [Point("errors", self.now, statistics=found)])
            self.now += 60
            if look:
                self.slos.look(self.now)
                self.alarms.look(self.now + 16)

    def states(self) -> dict[str, str]:
        return dict(self.ops.slos.get("up").alarms)


@pytest.fixture
def service(tmp_path: Path, database_url: str, request: pytest.FixtureRequest) -> Iterator[Service]:
    with open_ops(write_workspace(tmp_path / "space", database_url), actor="opsdeck") as ops:
        yield Service(ops, **getattr(request, "param", {}))


def test_an_outage_sets_off_the_fast_alarm_within_minutes_and_is_over_soon(
    service: Service,
) -> None:
    service.minutes(180, look=False)
    service.minutes(1)
    assert set(service.states().values()) == {"OK"}
    service.minutes(9, bad=1.0)
    # 14.4 % of the last hour's requests must be bad: reached in the ninth minute of an outage.
    assert service.states()["up-fast-burn"] == "ALARM"
    (alert,) = service.ops.alerts.list()
    assert (alert.severity, alert.target) == ("critical", "endpoint/bike")
    slo = service.ops.slos.get("up")
    assert slo.budget_left is not None
    assert slo.budget_left < 0, "nine minutes of three hours are more than one percent"
    assert slo.burn[300.0] == pytest.approx(100)
    service.minutes(6)
    assert service.states()["up-fast-burn"] == "OK", "the short window says that it is over"


def test_a_slow_leak_is_the_trickles_alone(service: Service) -> None:
    service.minutes(30, bad=0.02)
    assert service.states() == {
        "up-fast-burn": "OK", "up-slow-burn": "OK", "up-trickle-burn": "ALARM",
    }  # fmt: skip
    slo = service.ops.slos.get("up")
    assert slo.sli == pytest.approx(0.98)
    assert slo.exhausted_in == 0


@pytest.mark.parametrize("service", [{"latency": "100ms", "objective": "90%"}], indirect=True)
def test_slow_answers_are_bad_events(service: Service) -> None:
    buckets = {score_bucket(50): 80.0, score_bucket(300): 20.0}
    found = Statistics(100, 10_000, 50, 300, buckets)
    with service.ops.session.change("measure") as tx:
        record(tx, "endpoint/bike", [Point("latency", service.now, statistics=found)])
    service.now += 60
    service.slos.look(service.now)
    slo = service.ops.slos.get("up")
    assert (slo.sli, slo.budget_left) == (pytest.approx(0.8), pytest.approx(-1))


@pytest.mark.parametrize(
    "service",
    [{"metric": "monitor/quality:mae", "good": "<= 60", "objective": "50%", "window": "7d"}],
    indirect=True,
)
def test_windows_of_a_monitor_are_events_too(service: Service) -> None:
    values = [50.0, 70.0, None, 55.0, 59.0]
    points = [Point("mae", service.now - 300 * n, value) for n, value in enumerate(values)]
    with service.ops.session.change("measure") as tx:
        record(tx, "monitor/quality", points)
    service.slos.look(service.now + 60)
    slo = service.ops.slos.get("up")
    assert (slo.events, slo.bad, slo.sli) == (4, 1, 0.75)


def test_counting_piece_by_piece_is_counting_at_once(tmp_path: Path, database_url: str) -> None:
    """A counter that lived through it says what one says that has just been made."""
    with open_ops(write_workspace(tmp_path / "space", database_url), actor="opsdeck") as ops:
        slo = SloDefinition("up", SloKind.AVAILABILITY, 0.99, 2 * DAY, "bike")
        begin = time.time() // DAY * DAY
        old = Counter(slo)
        for step in range(60):
            at = begin + step * 3300
            found = Statistics(100, float(step % 7), 0, 1)
            with ops.session.change("measure") as tx:
                record(tx, "endpoint/bike", [Point("errors", at, statistics=found)])
            old.refresh(ops.session.reader, at + 60)
            if step % 10 == 9:
                fresh = Counter(slo)
                fresh.refresh(ops.session.reader, at + 60)
                for seconds in (300, HOUR, 6 * HOUR, DAY, 2 * DAY):
                    assert old.count(seconds, at + 60) == fresh.count(seconds, at + 60), seconds
        assert old.count(2 * DAY, begin + 60 * 3300)[0] > 1000
        old.refresh(ops.session.reader, begin + 10 * 3300)  # the clock goes back
        fresh = Counter(slo)
        fresh.refresh(ops.session.reader, begin + 10 * 3300)
        assert old.count(DAY, begin + 10 * 3300) == fresh.count(DAY, begin + 10 * 3300)


def test_a_broken_file_keeps_the_objective_and_says_so(service: Service) -> None:
    service.minutes(2)
    file = service.ops.workspace.root / "monitors" / "slos.yaml"
    file.write_text('{"slos": {"up": {"objective": "99%", "endpoint": "bike", "windw": "7d"}}}')
    service.minutes(1)
    slo = service.ops.slos.get("up")
    assert "did you mean window?" in slo.problem
    assert slo.sli == 1.0
