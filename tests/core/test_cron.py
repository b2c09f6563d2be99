"""Cron lines: when they come round, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cron import parse_cron


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def after(line: str, moment: str, zone: str = "UTC") -> str:
    found = parse_cron(line).next_after(at(moment, zone), ZoneInfo(zone))
    assert found is not None
    return datetime.fromtimestamp(found, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("line", "moment", "wanted"),
    [
        ("0 6 * * *", "2026-11-22 05:59", "2026-11-22 06:00"),
        ("0 6 * * *", "2026-11-22 06:00", "2026-11-23 06:00"),
        ("*/15 9-17 * * mon-fri", "2026-11-20 17:50", "2026-11-23 09:00"),
        ("30 2 1 jan,jul *", "2026-01-01 02:30", "2026-07-01 02:30"),
        ("0 0 29 2 *", "2026-03-01 00:00", "2028-02-29 00:00"),
        ("0 0 13 * 5", "2026-11-01 00:00", "2026-11-06 00:00"),  # either: a Friday comes first
        ("0 0 * * 7", "2026-11-22 01:00", "2026-11-29 00:00"),  # 7 is Sunday as 0 is
        ("5/20 * * * *", "2026-11-22 10:06", "2026-11-22 10:25"),
        ("@daily", "2026-11-22 10:06", "2026-11-23 00:00"),
    ],
)
def test_when_it_comes_round(line: str, moment: str, wanted: str) -> None:
    assert after(line, moment) == wanted


def test_the_hour_that_is_skipped_comes_right_after_and_the_repeated_one_once() -> None:
    assert after("30 2 * * *", "2026-03-28 12:00", "Europe/Berlin") == "2026-03-29 03:30"
    first = after("30 2 * * *", "2026-10-24 12:00", "Europe/Berlin")
    assert first == "2026-10-25 02:30"
    assert after("30 2 * * *", first, "Europe/Berlin") == "2026-10-26 02:30"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0 6 * *", "4 fields"),
        ("", "0 fields"),
        ("61 * * * *", "minute: '61' is not from 0 to 59"),
        ("* * * foo *", "month: 'foo'"),
        ("* * 5-1 * *", "runs backwards"),
        ("*/0 * * * *", "a step of 0"),
        ("0 0 31 2 *", "never comes"),
        ("@often", "known are @yearly"),
        ("1,,2 * * * *", "minute: ''"),
    ],
)
def test_nonsense_is_told(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_cron(line)


@given(
    st.integers(0, 59),
    st.integers(0, 23),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
)
def test_it_is_the_first_such_minute(minute: int, hour: int, moment: datetime) -> None:
    begun = moment.replace(tzinfo=UTC).timestamp()
    found = parse_cron(f"{minute} {hour} * * *").next_after(begun)
    assert found is not None
    shown = datetime.fromtimestamp(found, UTC)
    assert (shown.minute, shown.hour, shown.second) == (minute, hour, 0)
    assert 0 < found - begun <= timedelta(days=1).total_seconds()
