"""Ten thousand executions: the first page at once, the rest while one looks, nothing blocked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from core.aws.account import Account
from core.aws.errors import Throttled
from core.aws.kind import Column, Detail, Item, Kind
from core.aws.kinds import Place
from screens.aws import listing
from screens.aws.listing import Listing
from tests.support.awskinds import fixed_account
from tests.support.driving import settled, shown, until
from tests.support.looking import press
from tests.support.seed import NOW

PAGE, PAGES = 100, 100
asked: list[int] = []
gate = threading.Event()


def _pages(_account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in range(PAGES):
        asked.append(page)
        time.sleep(0.002)  # as long as a quick network takes, but off the event loop
        first = page * PAGE
        yield [
            Item(f"x{at}", (f"x{at}", "Failed" if at % 1000 == 7 else "Succeeded"), "ok", NOW - at)
            for at in range(first, first + PAGE)
        ]


def _stuck(_account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    gate.wait(20)
    yield [Item("late", ("late", "Succeeded"), "ok", NOW)]


COLUMNS = (Column("execution", 10, 1), Column("status", 12))
MANY = Kind("many", "Executions", "sagemaker", "many", COLUMNS, _pages,
            lambda _a, id_: Detail(id_, "ok"), ())  # fmt: skip
STUCK = Kind("stuck", "Stuck", "sagemaker", "slow", COLUMNS, _stuck,
             lambda _a, id_: Detail(id_, "ok"), ())  # fmt: skip


@pytest.fixture(autouse=True)
def many(use_kinds: Any) -> Iterator[None]:
    use_kinds({
        "many": Place(f"{__name__}:MANY", "runs"), "stuck": Place(f"{__name__}:STUCK", "runs"),
    })  # fmt: skip
    asked.clear()
    gate.clear()
    yield
    gate.set()


async def _lag(stop: asyncio.Event) -> float:
    """The most that the event loop worked without answering anybody, in CPU seconds of its own
    thread: what else runs on the machine does not count."""
    worst = 0.0
    while not stop.is_set():
        before = time.thread_time()
        await asyncio.sleep(0.005)
        worst = max(worst, time.thread_time() - before)
    return worst


async def test_the_first_pages_are_shown_and_the_end_fetches_more(on_aws: Any) -> None:
    async with on_aws(fixed_account(), "runs") as pilot:
        screen = pilot.app.mode_screen
        await until(pilot, lambda: not screen.listing.last.fetching)
        assert "1 of 1,000+ executions" in shown(pilot)
        assert max(asked) < 12, "no more than is shown has been fetched"
        await press(pilot, "G")
        await until(pilot, lambda: not screen.listing.last.fetching, 20)
        assert len(screen.listing.last.items) == 3_000
        assert screen.item.id == "x999", "the cursor stays where it is while more is added"


async def test_ten_thousand_do_not_block_the_event_loop(on_aws: Any) -> None:
    async with on_aws(fixed_account(), "runs") as pilot:
        screen = pilot.app.mode_screen
        await until(pilot, lambda: not screen.listing.last.fetching)
        stop = asyncio.Event()
        lag = asyncio.ensure_future(_lag(stop))
        while screen.listing.last.more:
            await pilot.press("G")
            await until(pilot, lambda: not screen.listing.last.fetching, 30)
        stop.set()
        worst = await lag
        await settled(pilot)
        assert len(screen.listing.last.items) == PAGE * PAGES
        assert "of 10,000 executions" in shown(pilot)
        assert worst < 0.5, f"the event loop was busy for {worst:.2f} s at once"


async def test_a_filter_reads_on_until_it_has_found_some(on_aws: Any) -> None:
    async with on_aws(fixed_account(), "runs") as pilot:
        screen = pilot.app.mode_screen
        await press(pilot, "slash", *"failed", "down")
        await until(pilot, lambda: not screen.listing.last.more, 30)
        await settled(pilot)
        assert "10 of 10,000 executions" in shown(pilot)


async def test_a_listing_that_hangs_keeps_no_other_from_being_read(on_aws: Any) -> None:
    async with on_aws(fixed_account(), "runs") as pilot:
        screen = pilot.app.mode_screen
        await pilot.press("tab")
        await until(pilot, lambda: screen.kind.name == "stuck")
        await pilot.pause(0.2)
        assert "reading" in shown(pilot)
        before = pilot.app.readings
        await pilot.press("tab")
        await until(pilot, lambda: pilot.app.readings > before, 5)
        assert "executions" in shown(pilot)


def test_of_a_long_list_only_the_first_page_is_read_again() -> None:
    account = fixed_account()
    long = Listing(MANY, at_first=500)
    while long.read(account).fetching:
        pass
    assert len(long.last.items) == 500
    asked.clear()
    again = long.read(account)
    assert asked == [0]
    assert [item.id for item in again.items[:2]] == ["x0", "x1"]
    assert len(again.items) == 500
    assert again.more, "where it stopped it goes on from"
    long.want(700)
    assert len(long.read(account).items) == 700


def test_a_short_list_is_read_again_as_a_whole() -> None:
    items = [Item(f"e{at}", (f"e{at}",)) for at in range(3)]
    short = Listing(Kind("k", "K", "s", "", (), lambda _a, _p: iter([list(items)]), MANY.show, ()))
    assert len(short.read(fixed_account()).items) == 3
    items.pop()
    assert [item.id for item in short.read(fixed_account()).items] == ["e0", "e1"]


def test_an_error_keeps_what_was_known_and_the_next_reading_goes_on() -> None:
    fail = [False]

    def pages(_account: Account, _parent: str) -> Iterator[Sequence[Item]]:
        if fail[0]:
            raise Throttled("sagemaker:ListEndpoints: Rate exceeded", "wait a moment")
        yield [Item("a", ("a",))]

    kept = Listing(Kind("k", "K", "s", "", (), pages, MANY.show, ()))
    account = fixed_account()
    assert kept.read(account).error is None
    fail[0] = True
    troubled = kept.read(account)
    assert isinstance(troubled.error, Throttled)
    assert [item.id for item in troubled.items] == ["a"]
    fail[0] = False
    assert kept.read(account).error is None


def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST", 1_500)
    held = Listing(MANY, at_first=1_000)
    while held.read(fixed_account()).fetching:
        pass
    assert held.want(50_000)
    while held.read(fixed_account()).fetching:
        pass
    assert len(held.last.items) == 1_500
