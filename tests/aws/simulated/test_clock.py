"""The simulated clock: what is shown and what durations are measured in."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.simulated.clock import Clock, Timers


def test_speed_shortens_durations_and_leaves_what_is_shown() -> None:
    clock = Clock(speed=100.0)
    begun = clock.now()
    assert begun == pytest.approx(time.time(), abs=0.5)
    assert clock.when(begun, 600) - begun == pytest.approx(6.0, abs=0.1)
    clock.advance(1000)
    assert clock.now() - begun == pytest.approx(1000, abs=0.5)
    assert clock.elapsed(begun) == pytest.approx(1000, abs=50)


@given(
    st.lists(st.floats(0, 1e6), max_size=6),
    st.floats(0.1, 1000),
    st.floats(-1e5, 1e6),
)
def test_nominal_and_shown_are_inverse_and_increase(
    steps: list[float], speed: float, ahead: float
) -> None:
    clock = Clock(speed)
    for step in steps:
        clock.advance(step)
    shown = clock.now() + ahead
    assert clock.shown(clock.nominal(shown)) == pytest.approx(shown, abs=1e-2)
    assert clock.nominal(shown + 1) > clock.nominal(shown)


@given(st.lists(st.floats(0, 1000), max_size=20))
def test_timers_fire_in_order_at_their_time(delays: list[float]) -> None:
    clock = Clock()
    timers = Timers(clock)
    fired: list[float] = []
    start = clock.now()
    for delay in delays:
        timers.after(delay, lambda: fired.append(clock.now() - start))
    clock.advance(2000)
    assert timers.run_due() == len(delays)
    assert fired == sorted(fired)
    assert fired == pytest.approx(sorted(delays), abs=0.5)


def test_a_timer_may_start_another_and_a_cancelled_one_does_not_fire() -> None:
    clock = Clock()
    timers = Timers(clock)
    fired: list[str] = []
    timers.after(10, lambda: timers.after(10, fired.append, "second"))
    timers.cancel(timers.after(5, fired.append, "never"))
    clock.advance(15)
    timers.run_due()
    assert fired == []
    clock.advance(6)
    timers.run_due()
    assert fired == ["second"]


def test_restarted_it_is_at_real_time_again() -> None:
    clock = Clock(speed=10.0)
    clock.advance(30 * 86_400)
    clock.set_speed(50.0)
    clock.restart()
    assert clock.now() == pytest.approx(time.time(), abs=0.5)
    assert clock.speed == 10.0
    assert clock.nominal() == pytest.approx(time.time(), abs=5)
