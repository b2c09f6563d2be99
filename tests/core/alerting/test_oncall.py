"""Who is on call: turns, handovers by the clock on the wall, overrides."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.alerting.oncall import on_call
from core.alerting.quiet import end_of_quiet, next_at
from core.alerting.settings import Override, Schedule
from core.windows import parse_window

BERLIN = ZoneInfo("Europe/Berlin")
WEEKLY = Schedule("primary", ("ann", "bob", "cleo"), 7, date(2026, 11, 2), 9 * 60, BERLIN)
DAILY = Schedule("days", ("ann", "bob"), 1, date(2026, 3, 27), 9 * 60, BERLIN)


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("moment", "who", "after"),
    [
        ("2026-11-02 09:00", "ann", "bob"),
        ("2026-11-09 08:59", "ann", "bob"),
        ("2026-11-09 09:00", "bob", "cleo"),
        ("2026-11-22 12:00", "cleo", "ann"),
        ("2026-11-23 09:00", "ann", "bob"),
    ],
)
def test_turns_change_at_the_handover(moment: str, who: str, after: str) -> None:
    found = on_call(WEEKLY, at(moment))
    assert (found.who, found.next, found.overridden) == (who, after, False)


def test_before_the_first_handover_nobody_is_on_call() -> None:
    found = on_call(WEEKLY, at("2026-10-30 12:00"))
    assert (found.who, found.next, found.until_at) == (None, "ann", at("2026-11-02 09:00"))


def test_the_handover_stays_where_the_clock_shows_it_when_summer_time_begins() -> None:
    assert on_call(DAILY, at("2026-03-28 12:00")).until_at == at("2026-03-29 09:00")
    assert at("2026-03-29 09:00") - at("2026-03-28 09:00") == 23 * 3600
    assert on_call(DAILY, at("2026-03-29 09:00")).who == "ann"
    assert on_call(DAILY, at("2026-03-29 08:59")).who == "bob"


def test_somebody_stands_in_and_the_turn_goes_on_after_that() -> None:
    weekend = Override(at("2026-11-07 00:00"), at("2026-11-09 00:00"), "cleo")
    night = Override(at("2026-11-08 00:00"), at("2026-11-08 06:00"), "bob")
    schedule = Schedule("primary", WEEKLY.people, 7, WEEKLY.starts, 540, BERLIN, (weekend, night))
    friday = on_call(schedule, at("2026-11-06 12:00"))
    assert (friday.who, friday.until_at, friday.next) == ("ann", weekend.start, "cleo")
    saturday = on_call(schedule, at("2026-11-07 12:00"))
    assert (saturday.who, saturday.overridden, saturday.until_at) == ("cleo", True, night.start)
    assert on_call(schedule, at("2026-11-08 03:00")).who == "bob", "the one written last counts"
    assert on_call(schedule, at("2026-11-09 00:00")).who == "ann"


def test_one_person_alone_is_never_relieved() -> None:
    alone = Schedule("x", ("ann",), 1, date(2026, 1, 1), 0, BERLIN)
    found = on_call(alone, at("2026-11-22 12:00"))
    assert (found.who, found.until_at) == ("ann", None)


@given(
    moment=st.integers(1_700_000_000, 1_900_000_000),
    days=st.integers(1, 14),
    minute=st.integers(0, 24 * 60 - 1),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    people=st.integers(1, 4),
)
def test_at_the_change_the_next_one_is_on_call(
    moment: int, days: int, minute: int, zone: str, people: int
) -> None:
    names = tuple(f"p{number}" for number in range(people))
    schedule = Schedule("s", names, days, date(2023, 1, 2), minute, ZoneInfo(zone))
    found = on_call(schedule, float(moment))
    assert found.who in names
    if found.until_at is not None:
        assert moment < found.until_at <= moment + (days + 1) * 86_400
        assert on_call(schedule, found.until_at).who == found.next
        assert on_call(schedule, found.until_at - 1).who == found.who


def test_quiet_hours_end_when_the_last_open_window_closes() -> None:
    windows = [parse_window("22:00-07:00 Europe/Berlin"), parse_window("Sat,Sun 00:00-24:00")]
    assert end_of_quiet(windows, at("2026-11-20 12:00")) == at("2026-11-20 12:00")
    assert end_of_quiet(windows, at("2026-11-19 23:00")) == at("2026-11-20 07:00")
    sunday = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
    assert end_of_quiet(windows, sunday) == at("2026-11-23 07:00")
    always = [parse_window("00:00-12:00"), parse_window("12:00-24:00")]
    assert end_of_quiet(always, sunday) == sunday, "no gap within a week: no waiting for ever"


def test_the_digest_comes_at_its_time_each_day() -> None:
    first = next_at(8 * 60 + 15, BERLIN, at("2026-03-28 08:15"))
    assert first == at("2026-03-29 08:15")
    assert next_at(8 * 60 + 15, BERLIN, first) == at("2026-03-30 08:15")
