"""The kinds that read an endpoint's series: service and anomaly."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from core.domain.monitor import Findings, MonitorDefinition, State
from core.domain.series import Point, Statistics
from core.monitors.definition import read_monitor
from core.monitors.kind import KindContext
from core.monitors.kinds import kind_of
from core.releases.values import Problems
from core.series import record
from core.series.endpoints import points_of
from core.session import Session
from core.workspace import open_workspace
from tests.support.opened import write_workspace
from tests.support.windows import TableWindow

START = 1_790_000_000 // 604_800 * 604_800.0
HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    opened = Session(open_workspace(write_workspace(tmp_path / "space")), "author", False)
    opened.store()
    yield opened
    opened.close()


def definition(kind: str, **settings: Any) -> MonitorDefinition:
    problems = Problems()
    data = {"kind": kind, "watch": "endpoint/bike", "variant": "all", **settings}
    found = read_monitor(problems, "monitors.m", "m", data)
    assert found is not None, problems.found
    return found


def evaluate(
    session: Session,
    of: MonitorDefinition,
    start: float,
    end: float,
    memory: Mapping[str, Any] | None = None,
) -> Findings:
    window = TableWindow(pa.table({}), start, end)
    context = KindContext(monitor="m", now=end, session=session)
    return kind_of(of.kind).evaluate(of, None, window, memory or {}, context)


def slot(at: float, requests: int = 50, errors: int = 0, bucket: int = 120) -> list[Point]:
    """What a supervisor counted in ten seconds; bucket 120 is about 31 ms."""
    row = {
        "requests": requests, "errors": errors, "rejected": 0, "answered": requests - errors,
        "milliseconds": 31.0 * requests, "latencies": {bucket: requests - errors},
        "score_count": 0, "score_sum": 0.0, "scores": {},
    }  # fmt: skip
    return points_of(
        {
            "at": at, "servers": 1, "in_flight": [10, 20, 1, 3], "workers": 4, "weights": {1: 100},
            "revisions": {1: row}, "shed": 0, "crashes": 0, "dropped": 0,
        },
        {1: "champion"},
    )  # fmt: skip


def write(session: Session, points: list[Point], span: float = 10.0) -> None:
    with session.change("measure") as tx:
        record(tx, "endpoint/bike", points, span)


def by_name(findings: Findings) -> dict[str, Any]:
    return {each.metric: each for each in findings.measurements}


def test_a_window_of_good_service(session: Session) -> None:
    write(session, [p for n in range(30) for p in slot(START + 10 * n)])
    found = evaluate(session, definition("service"), START, START + 300)
    assert found.state is State.OK
    assert found.headline == "1,500 requests, nothing is out of bounds"
    measured = by_name(found)
    assert measured["requests_per_second"].value == 5
    assert measured["error_rate"].value == 0
    assert measured["latency_p99"].value == pytest.approx(31, rel=0.1)
    assert measured["saturation"].value == 0.5
    assert measured["sampled"].value == 1


def test_errors_and_slowness_are_told_worst_first(session: Session) -> None:
    write(session, [p for n in range(30) for p in slot(START + 10 * n, errors=10, bucket=160)])
    of = definition("service", latency_p99="200ms", variant="champion")
    found = evaluate(session, of, START, START + 300)
    assert found.state is State.VIOLATED
    assert found.headline.startswith("error rate is 20 %, more than 5 %; latency p99 is")
    assert [each.severity for each in found.violations] == ["critical", "warning"]


def test_few_requests_are_no_ground_to_judge_by_and_silence_is_not_good(session: Session) -> None:
    write(session, [p for n in range(30) for p in slot(START + 10 * n, requests=n == 3, errors=0)])
    of = definition("service", saturation=None, crashes=None, capture_dropped=None)
    assert evaluate(session, of, START, START + 300).state is State.INSUFFICIENT
    found = evaluate(session, of, START + 200, START + 500)
    assert found.state is State.INSUFFICIENT
    assert found.headline == "counted in 33 % of the window: the endpoint was not there"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "service", "latency_p98": 5}, "did you mean latency_p9"),
        ({"kind": "service", "error_rate": 5}, "error_rate: a share"),
        ({"kind": "service", "window": {"rows": 500}}, "goes by time"),
        ({"kind": "anomaly", "metrics": ["traffic"]}, "m.metrics: unknown: 'traffic'"),
        ({"kind": "anomaly", "datapoints_to_alarm": 4}, "from 1 to 3"),
        ({"kind": "anomaly", "method": "arima"}, "m.method: unknown"),
        ({"kind": "anomaly", "period": "10s"}, "m.period: at least 60 s"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], words: str) -> None:
    problems = Problems()
    read_monitor(problems, "monitors.m", "m", {"watch": "endpoint/bike", **settings})
    said = "\n".join(f"{each.words()} ({each.hint})" for each in problems.found)
    assert words in said


def hours(session: Session, count: int, change: float = 1.0, since: int = 10**9) -> None:
    """Traffic and latency with a day and noise, an hour a point; changed from one hour on."""
    chance = random.Random(3)
    points = []
    for hour in range(count):
        base = 1000 * (1 + 0.6 * math.sin(math.tau * (hour % 24 - 8) / 24))
        requests = base * math.exp(chance.gauss(0, 0.05)) * (change if hour >= since else 1)
        at = START + hour * HOUR
        points.append(Point("requests", at, requests))
        errors = Statistics(requests, 0.001 * requests, 0, 1)
        points.append(Point("errors", at, statistics=errors))
        latency = 20 * math.exp(chance.gauss(0, 0.05)) * (change if hour >= since else 1)
        points.append(Point("latency", at, latency))
    write(session, points, HOUR)


ANOMALY = {"period": "1h", "window": {"time": "1h"}, "metrics": ["requests", "latency_p99"]}


def run(session: Session, of: MonitorDefinition, first: int, last: int) -> list[State]:
    states, memory = [], dict[str, Any]()
    for hour in range(first, last):
        found = evaluate(session, of, START + hour * HOUR, START + (hour + 1) * HOUR, memory)
        memory = dict(found.memory or {})
        states.append(found.state)
    return states


def test_nothing_is_said_before_eight_days_are_there(session: Session) -> None:
    hours(session, 8 * 24)
    states = run(session, definition("anomaly", **ANOMALY), 7 * 24, 7 * 24 + 3)
    assert set(states) == {State.INSUFFICIENT}


def test_a_loss_of_traffic_is_found_by_the_second_datapoint(session: Session) -> None:
    hours(session, 16 * 24, change=0.2, since=15 * 24)
    of = definition("anomaly", **ANOMALY)
    states = run(session, of, 15 * 24 - 12, 15 * 24 + 6)
    assert State.VIOLATED not in states[:12]
    assert set(states[13:]) == {State.VIOLATED}
    found = evaluate(session, of, START + 15 * 24 * HOUR, START + (15 * 24 + 1) * HOUR)
    requests = by_name(found)["requests"]
    assert requests.value < requests.low
    assert "forecast by 2 seasons of a week" in requests.definition
    assert by_name(found)["latency_p99"].detail["odd"] == [0], "faster is no trouble"


def test_a_rise_of_latency_is_found_without_seasons(session: Session) -> None:
    chance = random.Random(1)
    noise = [20 * math.exp(chance.gauss(0, 0.1)) for _ in range(310)]
    points = [
        Point("latency", START + 60 * n, value * (4 if n > 300 else 1))
        for n, value in enumerate(noise)
    ]
    counts = [Point("requests", START + 60 * n, 100.0) for n in range(310)]
    write(session, points + counts, 60)
    of = definition(
        "anomaly", period=60, metrics=["latency_p99"], method="robust", window={"time": "5m"}
    )
    assert evaluate(session, of, START + 290 * 60, START + 295 * 60).state is State.OK
    found = evaluate(session, of, START + 301 * 60, START + 306 * 60)
    assert found.state is State.VIOLATED
    assert found.headline.startswith("latency_p99 is")


def test_a_dataset_has_none_of_these(session: Session) -> None:
    for kind in ("service", "anomaly"):
        of = replace(definition(kind), watch="dataset/rentals")
        assert evaluate(session, of, START, START + 300).state is State.INSUFFICIENT
