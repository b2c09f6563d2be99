"""Forecast bands: how often they are left without a cause, and that what matters leaves them."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.anomaly import fit, hampel, mad, median, robust_z
from core.anomaly.robust import sigma
from core.anomaly.seasonal import DAY, HOUR, WEEK

MONDAY = 1_600_000_000 // WEEK * WEEK
Points = list[tuple[float, float]]


def hourly(kind: str, weeks: float, seed: int) -> Points:
    """Traffic with a day, weekends at half and growth; or scores around -2 with a day."""
    chance, found = random.Random(seed), []
    for hour in range(int(weeks * 168)):
        day, clock = hour // 24 % 7, hour % 24
        base = 1000 * (1 + 0.6 * math.sin(math.tau * (clock - 8) / 24))
        base *= (0.5 if day > 4 else 1) * (1 + 0.05 * hour / 168)
        match kind:
            case "proportional":
                value = base * math.exp(chance.gauss(0, 0.08))
            case "counts":
                value = max(0.0, round(chance.gauss(base / 20, math.sqrt(base / 20))))
            case _:
                value = -2 + math.sin(math.tau * clock / 24) + chance.gauss(0, 0.4)
        found.append((MONDAY + (hour + 0.5) * HOUR, value))
    return found


def left(points: Points, train: float, width: float = 3.0) -> list[bool]:
    """Which datapoints after the first `train` weeks leave their band, fitted every 6 hours."""
    first, flags, forecast = int(train * 168), [], None
    for index in range(first, len(points)):
        at, value = points[index]
        if (index - first) % 6 == 0:
            forecast = fit(points[max(0, index - 8 * 168) : index], at - HOUR / 2)
        assert forecast is not None
        band = forecast.band(at, width)
        flags.append(not band.low <= value <= band.high)
    return flags


@pytest.mark.parametrize("kind", ["proportional", "counts", "scores"])
@pytest.mark.parametrize("train", [8.1 / 7, 2.01, 4.01])
def test_false_alarms_are_rare_however_short_the_past(kind: str, train: float) -> None:
    """As docs/alarms.md states: of a band of 3 at most 1.5 % of datapoints, and 2 of 3 of them
    go off less than about once a month."""
    flags: list[bool] = []
    alarms = 0
    for seed in range(3):
        found = left(hourly(kind, train + 2, seed), train)
        off = [sum(found[i - 2 : i + 1]) >= 2 for i in range(2, len(found))]
        alarms += sum(now and not before for before, now in zip([False, *off], off, strict=False))
        flags += found
    assert sum(flags) / len(flags) < 0.015
    assert alarms / len(flags) * 720 < 1.5


@pytest.mark.parametrize("change", [0.3, 2.5])
def test_a_loss_of_traffic_and_a_storm_leave_the_band_at_once(change: float) -> None:
    points = hourly("proportional", 5, 1)
    cut = 4 * 168
    changed = [(at, value * (change if n >= cut else 1)) for n, (at, value) in enumerate(points)]
    forecast = fit(changed[:cut], changed[cut][0] - HOUR / 2)
    assert forecast is not None
    for at, value in changed[cut : cut + 48]:
        band = forecast.band(at, 3)
        assert not band.low <= value <= band.high


def test_a_quiet_sunday_night_is_normal_and_a_quiet_monday_noon_is_not() -> None:
    points = hourly("proportional", 5, 2)
    forecast = fit(points[: 4 * 168], points[4 * 168][0] - HOUR / 2)
    assert forecast is not None
    assert forecast.season == WEEK
    night = points[4 * 168 + 6 * 24 + 2]
    noon = forecast.band(points[4 * 168 + 12][0], 3)
    assert forecast.band(night[0], 3).low <= night[1] <= forecast.band(night[0], 3).high
    assert night[1] < noon.low


def test_what_went_wrong_in_the_past_is_not_learnt_as_normal() -> None:
    points = hourly("proportional", 5, 3)
    spoilt = [
        (at, value * (20 if n % 168 in (50, 51) else 1)) for n, (at, value) in enumerate(points)
    ][: 4 * 168]
    spoilt = [(at, v if n // 168 else points[n][1]) for n, (at, v) in enumerate(spoilt)]
    clean = fit(points[: 4 * 168], points[4 * 168][0] - HOUR / 2)
    found = fit([*points[: 3 * 168], *spoilt[3 * 168 :]], points[4 * 168][0] - HOUR / 2)
    assert clean is not None
    assert found is not None
    at = points[4 * 168 + 50][0]
    assert found.band(at, 3).high == pytest.approx(clean.band(at, 3).high, rel=0.35)


def test_nothing_is_foretold_from_too_short_or_too_sparse_a_past() -> None:
    points = hourly("proportional", 1, 1)
    assert fit(points, points[-1][0]) is None
    assert fit([], MONDAY) is None
    sparse = [point for n, point in enumerate(hourly("proportional", 4, 1)) if n < 90 or n > 600]
    assert fit(sparse[:100], sparse[99][0]) is None


@given(
    st.lists(
        st.tuples(
            st.floats(0, 30 * DAY), st.one_of(st.floats(-1e9, 1e9), st.sampled_from([math.inf]))
        ),
        max_size=400,
    ),
    st.floats(0, 40 * DAY),
    st.floats(0.5, 6),
)
@settings(deadline=None, max_examples=50)
def test_whatever_the_past_is_a_band_is_in_order(points: Points, at: float, width: float) -> None:
    forecast = fit(points, 30 * DAY)
    if forecast is not None:
        band = forecast.band(at, width)
        assert band.low <= band.expected <= band.high or math.isclose(band.low, band.high)


def test_a_constant_past_has_a_narrow_band() -> None:
    points = [(MONDAY + hour * HOUR, 5.0) for hour in range(4 * 168)]
    forecast = fit(points, MONDAY + 4 * WEEK)
    assert forecast is not None
    band = forecast.band(MONDAY + 4 * WEEK + HOUR, 3)
    assert (band.low, band.high) == (pytest.approx(4.985), pytest.approx(5.015))


def test_robust_measures() -> None:
    assert median([3, 1, 2, 10]) == 2.5
    assert mad([1, 2, 3, 4, 100]) == 1
    assert sigma([1, 1, 1, 1, 6]) == pytest.approx(1.253314)
    assert robust_z(10, [1, 2, 3, 4, 5]) == pytest.approx(7 / 1.4826)
    assert robust_z(10, [1, 2]) is None
    assert robust_z(10, [1] * 9) is None
    assert hampel([1, 2, 1, 50, 2, 1, 2]) == (False, False, False, True, False, False, False)
    with pytest.raises(ValueError, match="no values"):
        median([])
