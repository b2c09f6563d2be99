"""The widgets by themselves: table, rails, charts, logs, bars, words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult

from core.domain.run import LogLine
from screens import words
from screens.actions import Action, Registry
from screens.registry import REGISTRY
from screens.widgets.bars import gauge, span_bar, sparkline
from screens.widgets.chart import bucketed
from screens.widgets.lines import crop, fit, width_of, wrap
from screens.widgets.logview import KEPT, LogView
from screens.widgets.rails import NODE, rails, reduced
from screens.widgets.table import WINDOW, Column, RowTable


class TableApp(App[None]):
    """A table over numbers, newest (highest) first, read in windows."""

    def __init__(self, total: int) -> None:
        super().__init__()
        self.total = total
        self.asked: list[int] = []

    def compose(self) -> ComposeResult:
        yield RowTable((Column("N", 8), Column("TEXT", 10, grow=1, drop=1)), self.cells, str)

    def cells(self, row: int) -> list[str]:
        return [str(row), f"row {row}"]

    @property
    def table(self) -> RowTable:
        return self.query_one(RowTable)

    def give(self, offset: int = 0) -> None:
        rows = [self.total - i for i in range(offset, min(offset + WINDOW, self.total))]
        self.table.put(rows, total=self.total, offset=offset)

    def on_row_table_window_wanted(self, event: RowTable.WindowWanted) -> None:
        self.asked.append(event.offset)
        self.give(event.offset)


async def test_table_of_100_000_rows_reads_windows_only() -> None:
    app = TableApp(100_000)
    async with app.run_test(size=(60, 20)) as pilot:
        app.give()
        await pilot.press("G")
        await pilot.pause()
        assert app.table.cursor == 99_999
        assert app.table.selected == 1
        assert len(app.asked) == 1
        assert len(app.table.rows) <= WINDOW
        await pilot.press("g")
        await pilot.pause()
        assert app.table.selected == 100_000


async def test_table_keeps_its_selection_by_key() -> None:
    app = TableApp(1000)
    async with app.run_test(size=(60, 20)) as pilot:
        app.give()
        await pilot.press(*["down"] * 5)
        assert app.table.selected == 995
        app.total = 1003  # three came on top
        app.give()
        await pilot.pause()
        assert app.table.selected == 995
        assert app.table.cursor == 8


async def test_table_whose_selected_row_is_gone_selects_what_is_there() -> None:
    app = TableApp(10)
    async with app.run_test(size=(60, 20)) as pilot:
        app.give()
        await pilot.press("G")
        app.total = 4
        app.give()
        await pilot.pause()
        assert app.table.cursor == 3
        app.total = 0
        app.give()
        await pilot.pause()
        assert app.table.selected is None
        await pilot.press("down", "G", "enter")


async def test_table_that_was_empty_for_a_while_selects_what_comes() -> None:
    app = TableApp(1)
    async with app.run_test() as pilot:
        for total in (1, 0, 1):
            app.total = total
            app.give()
            await pilot.pause()
        assert (app.table.cursor, app.table.selected) == (0, 1)


async def test_table_drops_columns_where_it_is_narrow() -> None:
    app = TableApp(3)
    async with app.run_test(size=(14, 8)) as pilot:
        app.give()
        await pilot.pause()
        assert "TEXT" not in app.table.render_line(0).text
        assert cell_len(app.table.render_line(1).text) == app.table.size.width


class LogApp(App[None]):
    """A log view alone."""

    def compose(self) -> ComposeResult:
        yield LogView()

    @property
    def view(self) -> LogView:
        return self.query_one(LogView)


def lines(count: int, text: str = "line") -> list[LogLine]:
    return [LogLine(1000.0 + i, "out", f"{text} {i}", "train") for i in range(count)]


async def test_log_follows_its_end_until_scrolled() -> None:
    app = LogApp()
    async with app.run_test(size=(80, 20)) as pilot:
        app.view.add(lines(100))
        await pilot.pause()
        assert "line 99" in app.view.render_line(19).text
        await pilot.press("up")
        app.view.add(lines(10, "more"))
        await pilot.pause()
        assert not app.view.follow
        assert "line 98" in app.view.render_line(19).text
        await pilot.press("G")
        assert app.view.follow
        assert "more 9" in app.view.render_line(19).text


async def test_log_search_goes_from_match_to_match() -> None:
    app = LogApp()
    async with app.run_test(size=(80, 10)) as pilot:
        app.view.add([*lines(50), LogLine(0.0, "err", "Disk FULL", "train"), *lines(50)])
        app.view.search("full")
        await pilot.pause()
        assert app.view.matches == 1
        assert "Disk FULL" in app.view.render_line(0).text


async def test_log_of_very_long_and_binary_lines() -> None:
    app = LogApp()
    async with app.run_test(size=(80, 10)) as pilot:
        app.view.add([LogLine(0.0, "out", "x" * 5000 + "\x1b[31m\x00\x07", "s")])
        await pilot.press("w")
        await pilot.pause()
        assert app.view.virtual_size.height > 60
        for y in range(10):
            text = app.view.render_line(y).text
            assert cell_len(text) == app.view.scrollable_content_region.width
            assert "\x1b" not in text


async def test_log_forgets_the_oldest_lines_only() -> None:
    app = LogApp()
    async with app.run_test(size=(80, 10)):
        app.view.add(lines(KEPT + 10))
        assert len(app.view) == KEPT
        assert app.view.dropped == 10
        assert app.view.tail(1)[0].text == f"line {KEPT + 9}"


def drawn(needs: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [f"{rail} {step}" for step, rail in rails(needs).items()]


def test_rails_of_a_chain_are_one_column() -> None:
    assert drawn({"a": (), "b": ("a",), "c": ("b", "a")}) == [f"{NODE} a", f"{NODE} b", f"{NODE} c"]


def test_rails_fork_and_join() -> None:
    assert drawn({"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}) == [
        f"{NODE}─╮ a",
        f"{NODE} │ b",
        f"│ {NODE} c",
        f"{NODE}─╯ d",
    ]


@st.composite
def dags(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    count = draw(st.integers(1, 9))
    needs: dict[str, tuple[str, ...]] = {}
    for i in range(count):
        above = draw(st.lists(st.integers(0, max(i - 1, 0)), unique=True, max_size=3)) if i else []
        needs[f"s{i}"] = tuple(f"s{j}" for j in above)
    return needs


@given(dags())
def test_rails_have_one_node_a_step_and_one_width(needs: dict[str, tuple[str, ...]]) -> None:
    found = rails(needs)
    assert list(found) == list(needs)
    assert all(rail.count(NODE) == 1 for rail in found.values())
    assert len({len(rail) for rail in found.values()}) == 1


@given(dags())
def test_reduced_dag_reaches_what_the_whole_one_does(needs: dict[str, tuple[str, ...]]) -> None:
    def above(step: str, edges: Mapping[str, Any]) -> set[str]:
        return set(edges[step]).union(*(above(parent, edges) for parent in edges[step]))

    smaller = reduced(needs)
    assert all(above(step, smaller) == above(step, needs) for step in needs)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=400), st.integers(1, 40))
def test_buckets_lose_no_extreme(values: list[float], count: int) -> None:
    steps, kept = bucketed(list(range(len(values))), values, count)
    finite = [value for value in values if math.isfinite(value)]
    assert len(kept) <= 2 * count + 2
    assert steps == sorted(steps)
    if finite:
        assert (min(kept), max(kept)) == (min(finite), max(finite))
    else:
        assert kept == []


@given(st.text(max_size=60), st.integers(1, 40))
def test_fit_is_exact(text: str, width: int) -> None:
    text = words.one_line(text)
    assert cell_len(fit(text, width)) == width


@given(st.lists(st.tuples(st.text(max_size=12), st.just("text")), max_size=6), st.integers(1, 40))
def test_crop_never_exceeds(pieces: list[tuple[str, str]], width: int) -> None:
    pieces = [(words.one_line(text), style) for text, style in pieces]
    assert width_of(crop(pieces, width)) <= width


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=200), st.integers(3, 40))
def test_wrap_keeps_the_words(text: str, width: int) -> None:
    lines_ = wrap(text, width)
    assert all(len(line) <= width for line in lines_)
    assert "".join(lines_).replace(" ", "") == "".join(words.one_line(text).split())


@given(st.floats(-1, 2), st.integers(1, 40))
def test_gauge_is_exact(share: float, width: int) -> None:
    assert width_of(gauge(share, width)) == width


@given(st.floats(0, 100), st.floats(0, 100), st.integers(1, 60))
def test_span_bar_is_exact_and_seen(a: float, b: float, width: int) -> None:
    bar = span_bar(min(a, b), max(a, b), 0.0, 100.0, width, "ok")
    assert width_of(bar) == width
    assert "━" in bar[1][0]


def test_sparkline_spans_its_values() -> None:
    assert sparkline([0, 1, 2, 7], 10) == "▁▂▃█"
    assert sparkline([3, 3], 10) == "▁▁"
    assert sparkline([], 10) == ""


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0004, "0ms"), (0.82, "820ms"), (4.23, "4.2s"), (59.97, "1m00s"), (63, "1m03s"),
     (7500, "2h05m"), (200_000, "2d07h"), (None, "–")],
)  # fmt: skip
def test_durations(seconds: float | None, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0"), (30.44, "30.44"), (0.9274, "0.9274"), (1609.231, "1609"), (744.0, "744"),
     (1e-9, "1e-09"), (12345678.9, "1.23e+07"), (math.nan, "nan"), (math.inf, "inf"), (7, "7")],
)  # fmt: skip
def test_numbers(value: float, said: str) -> None:
    assert words.number(value) == said


def test_registry_refuses_two_actions_on_one_key() -> None:
    one = Action("a", "x", "A", "runs", "a")
    with pytest.raises(ValueError, match="the same key x"):
        Registry([one, Action("b", "x", "B", "runs", "b")])
    with pytest.raises(ValueError, match="two actions"):
        Registry([one, one])


def test_every_dangerous_action_is_a_change_and_every_change_has_its_command() -> None:
    for action in REGISTRY:
        assert action.changes or not action.dangerous
        if action.changes:
            assert action.command.startswith("opsdeck ")


def test_footer_is_stripped_of_changes_when_read_only() -> None:
    assert any(action.changes for action in REGISTRY.footer("deploys", read_only=False))
    assert not any(action.changes for action in REGISTRY.footer("deploys", read_only=True))
