"""ADWIN sees what river's sees; drift of the errors is one incident; a season is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from river import drift as river

from core.modelquality import season as seasons
from core.modelquality.adwin import BLOCK, Adwin, blocks_of
from core.modelquality.cusum import Cusum, PageHinkley
from core.modelquality.pairs import Pairs
from core.modelquality.stream import (
    MOST_BLOCKS,
    Drift,
    ErrorBaseline,
    ErrorBlock,
    blocks,
    follow,
    learn,
)
from core.modelquality.task import Task

DAY = 86_400.0
STEP = 600.0


def wrong(generator: np.random.Generator, chance: np.ndarray) -> Pairs:
    """Classes that are wrong with these chances."""
    many = len(chance)
    said = (generator.random(many) < chance).astype(np.int64)
    return Pairs(Task.BINARY, np.zeros(many, dtype=np.int64), said, None, ("0", "1"))


def off(generator: np.random.Generator, size: np.ndarray) -> Pairs:
    """Numbers that are off by exponential errors of these means."""
    error = generator.exponential(1, len(size)) * size
    return Pairs(Task.REGRESSION, np.zeros(len(size)), error * generator.choice([-1, 1], len(size)))


def windows(
    baseline: ErrorBaseline, pairs: Pairs, times: np.ndarray, rows: int = 500, **named: Any
) -> list[Drift]:
    left: list[tuple[ErrorBlock, ...]] = []
    found: list[Drift] = []
    for start in range(0, len(pairs), rows):
        here = np.arange(start, min(start + rows, len(pairs)))
        now = blocks(baseline, pairs.take(here), times[here])
        known = found[-1].incident if found else None
        found.append(follow(baseline, left[-20:], now, known, **named))
        stored = json.loads(json.dumps([each.to_json() for each in now]))
        left.append(tuple(ErrorBlock.from_json(each) for each in stored))
    return found


def adwin_changes(values: np.ndarray) -> list[int]:
    detector = Adwin()
    return [change.at for block in blocks_of(values) if (change := detector.add(block))]


def rivers(values: np.ndarray) -> list[int]:
    detector, found = river.ADWIN(), []
    for place, value in enumerate(values):
        detector.update(value)
        if detector.drift_detected:
            found.append(place + 1)
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "stream",
    [
        lambda g: np.r_[g.random(4000) < 0.1, g.random(4000) < 0.19].astype(float),
        lambda g: (g.random(8000) < 0.1).astype(float),
        lambda g: np.r_[g.normal(size=3000), g.normal(0.3, 1, 3000)],
    ],
)
def test_adwin_first_sees_a_change_where_rivers_does(
    stream: Callable[[np.random.Generator], np.ndarray], seed: int
) -> None:
    values = stream(np.random.default_rng(seed))
    ours, theirs = adwin_changes(values), rivers(values)
    assert bool(ours) == bool(theirs)
    if theirs:
        assert abs(ours[0] - theirs[0]) <= 64  # it looks once in 32, as river's


def test_adwin_goes_on_from_what_was_kept() -> None:
    generator = np.random.default_rng(1)
    values = np.r_[generator.random(3000) < 0.1, generator.random(3000) < 0.3].astype(float)
    whole, parts = Adwin(), Adwin()
    for block in blocks_of(values):
        expected = whole.add(block)
        assert parts.add(block) == expected
        parts = Adwin.resume(json.loads(json.dumps(parts.to_json())))
    assert parts == whole
    assert len(json.dumps(parts.to_json())) < 6000


def test_adwin_holds_all_it_has_seen_while_nothing_changes() -> None:
    values = np.tile([0.0, 1.0], 5000)
    detector = Adwin()
    for block in blocks_of(values):
        assert detector.add(block) is None
    assert detector.width == 10_000
    assert detector.mean == pytest.approx(0.5)
    assert len(detector.counts) < 60


def test_page_hinkley_is_rivers_to_a_block() -> None:
    generator = np.random.default_rng(2)
    values = np.r_[generator.normal(size=800), generator.normal(1, 1, 800)]
    theirs = river.PageHinkley(mode="up")
    first = None
    for place, value in enumerate(values):
        theirs.update(value)
        if theirs.drift_detected:
            first = place
            break
    one = PageHinkley()
    alone = next(p for p, value in enumerate(values.tolist()) if one.add(1, value))
    assert alone == first
    chart = PageHinkley()
    whole = [chart.add(block.count, block.total) for block in blocks_of(values)]
    assert first is not None
    assert abs(whole.index(True) * BLOCK - first) <= 2 * BLOCK


def test_cusum_stays_one_alarm_until_it_is_back_at_nothing() -> None:
    chart = Cusum()
    assert [chart.add(1.0) for _ in range(100)].index(True) == 7
    assert not any(chart.add(1.0) for _ in range(100))
    assert chart.alarm
    assert not any(chart.add(-1.0) for _ in range(17))
    assert not chart.alarm
    assert [chart.add(1.0) for _ in range(10)].index(True) == 7


@pytest.mark.parametrize(("detectors", "most"), [(("adwin",), 0), (("adwin", "cusum"), 2)])
def test_hardly_an_alarm_in_the_long_run_without_a_change(
    detectors: tuple[str, ...], most: int
) -> None:
    raised = 0
    for seed in range(10):
        generator = np.random.default_rng(seed)
        for make, level in ((wrong, 0.1), (off, 3.0)):
            baseline = learn(make(generator, np.full(1000, level)), None, 0.002)
            assert baseline is not None
            pairs = make(generator, np.full(10_000, level))
            found = windows(baseline, pairs, np.arange(10_000.0), detectors=detectors)
            raised += sum(drift.opened for drift in found)
    assert raised <= most  # of 200,000 observations


@pytest.mark.parametrize(("make", "before", "after"), [(wrong, 0.1, 0.2), (off, 2.0, 3.0)])
def test_a_change_is_one_incident_that_ends_when_the_errors_are_back(
    make: Callable[..., Pairs], before: float, after: float
) -> None:
    generator = np.random.default_rng(3)
    baseline = learn(make(generator, np.full(2000, before)), None, 0.002)
    assert baseline is not None
    level = np.r_[np.full(3000, before), np.full(6000, after), np.full(8000, before)]
    found = windows(baseline, make(generator, level), np.arange(len(level)) * STEP)
    assert [drift.opened for drift in found].count(True) == 1
    assert [drift.closed for drift in found].count(True) == 1
    opened = next(place for place, drift in enumerate(found) if drift.opened)
    assert 6 <= opened <= 8
    incident = found[opened + 2].incident
    assert incident is not None
    assert 3000 * STEP <= incident.since <= 4200 * STEP
    assert incident.after > incident.before
    assert set(incident.by) == {"adwin", "cusum"}
    assert found[-1].incident is None


def test_fewer_errors_are_no_incident() -> None:
    generator = np.random.default_rng(4)
    baseline = learn(wrong(generator, np.full(2000, 0.3)), None, 0.002)
    assert baseline is not None
    found = windows(baseline, wrong(generator, np.full(6000, 0.1)), np.arange(6000.0))
    assert not any(drift.opened for drift in found)
    assert found[-1].level < 0.15


def test_a_season_is_taken_out_and_a_change_within_it_is_seen() -> None:
    generator = np.random.default_rng(5)
    times = np.arange(10_000) * STEP
    chance = 0.15 + 0.1 * np.sin(2 * np.pi * times / DAY)
    baseline = learn(wrong(generator, chance[:6000]), times[:6000], 0.002)
    assert baseline is not None
    assert baseline.season.period == "day"
    later = times + 5000 * DAY
    quiet = windows(baseline, wrong(generator, chance), later, rows=100)
    assert not any(drift.opened for drift in quiet)
    worse = np.where(np.arange(10_000) < 5000, chance, chance + 0.1)
    found = windows(baseline, wrong(generator, worse), later, rows=100)
    assert [drift.opened for drift in found].count(True) == 1


def test_a_season_that_is_only_chance_is_none() -> None:
    generator = np.random.default_rng(6)
    times = np.arange(6000) * STEP
    assert seasons.learn(generator.random(6000), times).period == ""
    assert seasons.learn(generator.random(5), None).period == ""
    weekly = generator.random(20_000) + (np.arange(20_000) * STEP % (7 * DAY) < DAY)
    found = seasons.learn(weekly, np.arange(20_000) * STEP)
    assert found.period == "week"
    assert seasons.Season.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_baselines_without_rows_or_without_errors() -> None:
    none = np.zeros(0)
    assert learn(Pairs(Task.REGRESSION, none, none), None, 0.002) is None
    assert learn(Pairs(Task.REGRESSION, np.ones(9), np.ones(9)), None, 0.002) is None
    one = learn(Pairs(Task.REGRESSION, np.zeros(1), np.ones(1)), np.zeros(1), 0.002)
    assert one is not None
    drift = follow(one, [], blocks(one, Pairs(Task.REGRESSION, none, none), none))
    assert drift.incident is None
    assert ErrorBaseline.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_page_hinkley_can_be_asked_for() -> None:
    generator = np.random.default_rng(7)
    baseline = learn(wrong(generator, np.full(2000, 0.1)), None, 0.002)
    assert baseline is not None
    level = np.r_[np.full(1000, 0.1), np.full(3000, 0.6)]
    found = windows(
        baseline, wrong(generator, level), np.arange(4000.0), detectors=("page_hinkley",)
    )
    assert sum(drift.opened for drift in found) == 1


def test_labels_that_come_late_are_gone_through_again() -> None:
    generator = np.random.default_rng(8)
    baseline = learn(wrong(generator, np.full(2000, 0.1)), None, 0.002)
    assert baseline is not None
    parts = [
        blocks(baseline, wrong(generator, np.full(200, 0.18)), np.arange(200.0) + 200 * number)
        for number in range(8)
    ]
    alone = follow(baseline, [], parts[-1])
    assert alone.incident is None  # 200 rows are too few to tell
    assert follow(baseline, [(), *parts[:-1]], parts[-1]).incident is not None


def test_an_incident_that_lasts_keeps_its_beginning() -> None:
    generator = np.random.default_rng(9)
    baseline = learn(wrong(generator, np.full(2000, 0.1)), None, 0.002)
    assert baseline is not None
    level = np.r_[np.full(1000, 0.1), np.full(20_000, 0.4)]
    found = windows(baseline, wrong(generator, level), np.arange(len(level)) * STEP)
    last = found[-1].incident
    assert last is not None
    assert last.since <= 1500 * STEP
    assert [drift.opened for drift in found].count(True) == 1


def test_a_window_of_any_size_leaves_little() -> None:
    generator = np.random.default_rng(10)
    baseline = learn(wrong(generator, np.full(2000, 0.1)), None, 0.002)
    assert baseline is not None
    now = blocks(baseline, wrong(generator, np.full(100_000, 0.1)), np.arange(100_000.0))
    assert len(now) <= MOST_BLOCKS
    assert sum(each.block.count for each in now) == 100_000
