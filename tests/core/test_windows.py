"""Time windows: what the clock on the wall shows decides, whatever is done to the clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.errors import BadInput
from core.windows import DAYS, Window, parse_window

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu",
         "America/Havana", "Africa/Casablanca"]  # fmt: skip


def berlin(text: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp()


@pytest.mark.parametrize(
    ("text", "days", "start", "end"),
    [
        ("Mon-Fri 08:00-18:00 Europe/Berlin", {0, 1, 2, 3, 4}, 480, 1080),
        ("mon,WED , fri 8:00 - 9:30", {0, 2, 4}, 480, 570),
        ("Sat-Mon 22:00-06:00 UTC", {5, 6, 0}, 1320, 360),
        ("Mon-Wed,Sun 00:00-24:00", {0, 1, 2, 6}, 0, 1440),
        ("22:00-00:00", set(range(7)), 1320, 1440),
        ("Tue-Tue 1:00-2:00", {1}, 60, 120),
    ],
)
def test_windows_are_read(text: str, days: set[int], start: int, end: int) -> None:
    window = parse_window(text)
    assert (window.days, window.start, window.end) == (days, start, end)


@pytest.mark.parametrize(
    "text",
    ["", "Mon", "Mon-Fri", "Mon 8-9", "Mon 08:00", "Xyz 08:00-09:00", "Mon 25:00-26:00",
     "Mon 08:60-09:00", "Mon 24:00-01:00", "Mon 08:00-08:00", "Mon 08:00-09:00 Nowhere/Town",
     "Mon 08:00-09:00 Europe", "Mon 08:00-09:00 ../../etc/passwd", "Mon-Tue-Wed 08:00-09:00",
     "Mon 08:00-24:01", "Mon 08:00-09:00 UTC and more"],
)  # fmt: skip
def test_what_is_no_window_is_refused_and_named(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_window(text)
    assert repr(text) in caught.value.message


def test_it_is_open_from_its_start_up_to_its_end() -> None:
    window = parse_window("Mon-Fri 08:00-18:00 Europe/Berlin")
    monday = berlin("2026-11-23T08:00")
    assert [window.contains(monday + s) for s in (-1, 0, 36_000 - 1, 36_000)] == [
        False, True, True, False,
    ]  # fmt: skip
    assert not window.contains(berlin("2026-11-22T12:00")), "a Sunday"
    assert window.next_start(berlin("2026-11-20T18:00")) == monday
    assert window.next_start(monday + 5) == monday + 5


def test_over_midnight_it_belongs_to_the_day_on_which_it_began() -> None:
    window = parse_window("Fri 22:00-06:00 Europe/Berlin")
    assert window.contains(berlin("2026-11-20T23:00"))
    assert window.contains(berlin("2026-11-21T05:59"))
    assert not window.contains(berlin("2026-11-20T05:00"))
    assert not window.contains(berlin("2026-11-21T22:30"))


def test_the_clock_is_put_forward() -> None:
    # On 29 March 2026 the hour from 02:00 is skipped in Berlin.
    started = parse_window("Sun 02:30-04:00 Europe/Berlin")
    assert started.next_start(berlin("2026-03-29T00:00")) == berlin("2026-03-29T03:00")
    skipped = parse_window("Sun 02:10-02:50 Europe/Berlin")
    assert skipped.next_start(berlin("2026-03-29T00:00")) == berlin("2026-04-05T02:10")


def test_the_clock_is_put_back() -> None:
    # On 25 October 2026 the hour from 02:00 comes twice in Berlin.
    window = parse_window("Sun 01:00-02:30 Europe/Berlin")
    first, again = berlin("2026-10-25T02:30"), berlin("2026-10-25T02:00", fold=1)
    assert not window.contains(first)
    assert window.next_start(first) == again
    assert window.contains(again + 1799) and not window.contains(again + 1800)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    days = draw(st.lists(st.sampled_from(DAYS), min_size=1, unique=True))
    start = draw(st.integers(0, 1439))
    end = draw(st.integers(0, 1440).filter(lambda value: value not in (start, start + 1440)))
    zone = draw(st.sampled_from(ZONES))
    clock = f"{start // 60}:{start % 60:02}-{end // 60}:{end % 60:02}"
    return parse_window(f"{','.join(days)} {clock} {zone}")


MOMENTS = st.integers(1_740_000_000, 1_830_000_000)


@settings(deadline=None, max_examples=150)
@given(windows(), MOMENTS)
@example(parse_window("Sun 02:10-02:50 Europe/Berlin"), 1_774_738_800)
def test_the_next_start_is_the_first_moment_at_which_it_is_open(window: Window, now: int) -> None:
    opens = window.next_start(now)
    assert opens >= now and window.contains(opens)
    assert opens - now <= 15 * 86_400
    # No minute in between is open. Every zone here changes its clock on a whole minute.
    minute = now + -now % 60
    step = max(60, int((opens - minute) / 400) // 60 * 60)
    probes = [
        *range(minute, int(opens), step),
        *range(max(minute, int(opens) - 7200), int(opens), 60),
    ]
    assert not any(window.contains(probe) for probe in probes)
    assert opens == now or not window.contains(opens - 1)


@settings(deadline=None, max_examples=150)
@given(windows(), MOMENTS)
def test_it_is_what_the_clock_on_the_wall_says(window: Window, now: int) -> None:
    shown = datetime.fromtimestamp(now, window.zone)
    minute = shown.hour * 60 + shown.minute
    open_days = []
    for back in (0, 1):
        day = (shown - timedelta(days=back)).weekday()
        length = (window.end - window.start) % 1440 or 1440
        at = minute + back * 1440
        open_days.append(day in window.days and window.start <= at < window.start + length)
    assert window.contains(now) == any(open_days)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_window(text)
    except BadInput as error:
        assert "\n" not in error.message
