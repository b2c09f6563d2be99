"""How many servers: within bounds, soon enough when there are too few, slowly when too many."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from core.errors import BadInput, StateCorrupt
from core.serving.bounds import ScheduledBounds
from core.serving.config import EndpointConfig
from core.serving.supervision.capacity import DOWN_SECONDS, UP_SECONDS, Capacity, to_move


def settled(load: float, target: float, low: int, high: int, start: int) -> list[int]:
    """What is wanted, second by second, under a load that stays."""
    rule, wanted, seen = Capacity(), start, []
    for second in range(int((high - low + 2) * DOWN_SECONDS) + 30):
        wanted = rule.wanted(float(second), load, wanted, target, low, high)
        seen.append(wanted)
    return seen


@settings(deadline=None, max_examples=40)
@given(
    load=st.floats(0, 200), target=st.floats(0.5, 32), low=st.integers(1, 4),
    more=st.integers(0, 6), start=st.integers(1, 12),
)  # fmt: skip
def test_a_load_that_stays_gets_what_it_takes_and_keeps_it(
    load: float, target: float, low: int, more: int, start: int
) -> None:
    high = low + more
    seen = settled(load, target, low, high, start)
    assert seen[-1] == min(max(math.ceil(load / target - 1e-6), low), high)
    inside = min(max(start, low), high)
    steps = [inside, *seen]
    assert steps == sorted(steps) or steps == sorted(steps, reverse=True), "never to and fro"


def test_more_are_there_after_three_seconds_and_fewer_after_a_minute_each() -> None:
    rule, wanted = Capacity(), 1
    changes = []
    for second in range(400):
        load = 30.0 if second < 100 else 1.0
        now = rule.wanted(float(second), load, wanted, 8.0, 1, 6)
        if now != wanted:
            changes.append((second, now))
        wanted = now
    (up, four), *downs = changes
    assert (up, four) == (UP_SECONDS, 4)
    assert [count for _, count in downs] == [3, 2, 1]
    first = downs[0][0]
    assert 100 + DOWN_SECONDS <= first <= 100 + DOWN_SECONDS + 15
    assert [second for second, _ in downs] == [first, first + 60, first + 120]


def test_a_burst_that_is_over_within_a_second_moves_nothing() -> None:
    rule = Capacity()
    for tick in range(300):
        load = 100.0 if tick == 100 else 1.0
        assert rule.wanted(float(tick), load, 1, 50.0, 1, 8) == 1


class Following(RuleBasedStateMachine):
    """Whatever the load and the bounds do."""

    @initialize(aim=st.floats(0.5, 20))
    def begin(self, aim: float) -> None:
        self.rule, self.target = Capacity(), aim
        self.now, self.wanted, self.low, self.high = 0.0, 1, 1, 4
        self.moved = -math.inf

    @rule(load=st.integers(0, 100), seconds=st.floats(0.1, 90))
    def look(self, load: int, seconds: float) -> None:
        self.now += seconds
        before = self.wanted
        args = (self.now, load, before, self.target, self.low, self.high)
        self.wanted = self.rule.wanted(*args)
        if self.low <= before <= self.high and self.wanted < before:
            assert self.wanted == before - 1, "one at a time"
            assert self.now - self.moved >= DOWN_SECONDS
        if self.wanted != before:
            self.moved = self.now

    @rule(low=st.integers(1, 5), more=st.integers(0, 5))
    def bound(self, low: int, more: int) -> None:
        self.low, self.high = low, low + more
        args = (self.now, 0, self.wanted, self.target, self.low, self.high)
        before, self.wanted = self.wanted, self.rule.wanted(*args)
        assert self.wanted == min(max(before, self.low), self.high), "bounds hold at once"
        self.moved = self.now if self.wanted != before else self.moved

    @invariant()
    def inside(self) -> None:
        assert 1 <= self.wanted <= 10


TestFollowing = Following.TestCase
TestFollowing.settings = settings(max_examples=60, deadline=None)


def test_the_schedule_changes_the_bounds() -> None:
    windows = (
        ScheduledBounds("Mon-Fri 12:00-13:00 UTC", 4, 8),
        ScheduledBounds("Mon-Fri 08:00-18:00 UTC", 2, 6),
    )
    config = EndpointConfig(schedule=windows)

    def at(text: str) -> tuple[int, int]:
        return config.bounds(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())

    assert at("2026-11-23T12:30") == (4, 8)
    assert at("2026-11-23T09:00") == (2, 6)
    assert at("2026-11-22T12:30") == (1, 1)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("min_servers", 0), ("min_servers", 3), ("max_servers", 1000), ("max_servers", "2"),
        ("max_servers", True), ("target_in_flight", 0), ("target_in_flight", float("nan")),
        ("target_in_flight", "many"), ("host", "not a host"), ("capture_rate", 1.5),
        ("max_body", 0), ("read_timeout", -1), ("token_sha256", "secret"),
        ("schedule", ({"window": "Mon", "min_servers": 1, "max_servers": 1},)),
        ("schedule", ({"window": "Mon 08:00-09:00", "min_servers": 2, "max_servers": 1},)),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_hold_is_named(key: str, value: object, tmp_path: Path) -> None:
    config = replace(EndpointConfig(max_servers=2), **{key: value})
    with pytest.raises(BadInput) as caught:
        config.check()
    named = {"schedule": "Mon", "capture_rate": "capture rate"}.get(key, key)
    assert named in caught.value.message
    (tmp_path / "config.json").write_text(json.dumps(asdict(config)))
    with pytest.raises(BadInput):
        EndpointConfig.read(tmp_path)


def test_settings_survive_the_file(tmp_path: Path) -> None:
    assert EndpointConfig.read(tmp_path) == EndpointConfig()
    night = ScheduledBounds("22:00-06:00 Europe/Berlin", 1, 1)
    config = EndpointConfig(min_servers=2, max_servers=5, schedule=(night,), host="::1")
    config.check()
    config.write(tmp_path)
    assert EndpointConfig.read(tmp_path) == config
    assert (tmp_path / "config.json").stat().st_mode & 0o077 == 0
    for text in ("{", "[]", '{"schedule": 5}', '{"schedule": [{"min_servers": 2}]}'):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(StateCorrupt, match=r"config\.json"):
            EndpointConfig.read(tmp_path)


@given(st.lists(st.floats(0, 500), max_size=12))
def test_only_who_has_much_more_than_the_others_parts_with_what_is_too_much(
    in_flight: list[float],
) -> None:
    moved = to_move(in_flight)
    mean = sum(in_flight) / len(in_flight) if in_flight else 0.0
    for held, count in zip(in_flight, moved, strict=True):
        assert count >= 0
        assert (count > 0) == (held - mean > max(2.0, mean / 2))
        assert count == 0 or held - count >= mean - 1e-6, "nobody ends below the mean"


def test_what_is_even_enough_stays() -> None:
    assert to_move([64.0, 0.0]) == [32, 0]
    assert to_move([3.0, 0.0]) == [0, 0]
    assert to_move([40.0, 25.0, 30.0]) == [0, 0, 0]
    assert to_move([7.0]) == [0]
