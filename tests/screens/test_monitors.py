"""The Monitors mode: the map and its cursor, panes, changes, and how it looks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from core.errors import WrongState
from core.ops import Ops, open_ops
from core.state.lake_tables import grants
from core.state.monitor_tables import monitors
from screens.monitors.heat import HeatView, block
from screens.monitors.reading import PANES
from screens.widgets.chart import Chart
from tests.support.driving import settled, shown, until
from tests.support.live import with_live_endpoints
from tests.support.looking import HIGH, LOW, look, press, sized
from tests.support.monitorseed import seed_monitors


@pytest.fixture
def watching(workspace: Path) -> Iterator[Ops]:
    """The facade on a workspace with monitors."""
    with open_ops(seed_monitors(workspace), actor="engineer") as opened:
        with_live_endpoints(opened)
        yield opened


async def drawn(pilot: Pilot[Any]) -> None:
    chart = pilot.app.screen.query_one(Chart)
    await until(pilot, lambda: chart.draws > 0)
    await settled(pilot)


@sized
@pytest.mark.parametrize("pane", PANES)
async def test_pane(running: Any, watching: Ops, pane: str, size: tuple[int, int]) -> None:
    """Low screens show a pane on the whole screen, high ones beneath the list."""
    async with running("monitors", size, on=watching) as pilot:
        quality = pane in ("curves", "numbers", "violations", "windows")
        await press(pilot, *(["j"] if quality else []), *(["enter"] if size == LOW else []))
        await press(pilot, pane[0])
        if pane == "curves":
            await drawn(pilot)
        look(pilot, f"monitors-{pane}", size)


async def test_the_cursor_of_the_map_says_what_is_beneath_it_and_opens_it(
    running: Any, watching: Ops
) -> None:
    async with running("monitors", HIGH, on=watching) as pilot:
        await press(pilot, "enter")
        view = pilot.app.screen.query_one(HeatView)
        assert pilot.app.focused is view
        assert "ks 0.6620 (threshold 0.1000)" in shown(pilot)
        await press(pilot, "j", "j", "left")
        assert (view.feature, view.window_key) == ("hum", "w12")
        assert "▲ violated" in shown(pilot)
        await press(pilot, "enter")
        assert "hum  window w12" in shown(pilot)
        await press(pilot, "n")
        assert "of 8 are off" in shown(pilot)
        await press(pilot, "escape")
        assert (view.feature, pilot.app.focused) == ("hum", view)
        await press(pilot, "escape", "escape")
        assert not pilot.app.screen.has_class("zoomed")


async def test_metrics_come_round_in_the_curves(running: Any, watching: Ops) -> None:
    async with running("monitors", HIGH, on=watching) as pilot:
        await press(pilot, "j", "c")
        await drawn(pilot)
        chart = pilot.app.screen.query_one(Chart)
        assert [one.name for one in chart.series] == ["mae", "threshold"]
        await press(pilot, "m")
        await until(pilot, lambda: chart.series[0].name == "rmse")
        await press(pilot, "m", "m")
        await until(pilot, lambda: chart.series[0].name == "mae")


async def test_pausing_and_going_on(running: Any, watching: Ops) -> None:
    async with running("monitors", HIGH, on=watching) as pilot:
        await press(pilot, "p")
        await until(pilot, lambda: watching.monitors.get("demand-drift").state == "paused")
        await settled(pilot)
        await until(pilot, lambda: "‖ paused" in shown(pilot).splitlines()[3])
        await press(pilot, "u")
        await until(pilot, lambda: watching.monitors.get("demand-drift").state == "violated")
        with pytest.raises(WrongState):
            watching.monitors.resume("demand-drift")


async def test_a_broken_one_says_where_and_is_not_run(running: Any, watching: Ops) -> None:
    async with running("monitors", HIGH, on=watching) as pilot:
        pilot.app.go("monitors", "shop-bias/about")
        await settled(pilot)
        await until(pilot, lambda: "did you mean facets?" in shown(pilot))
        await press(pilot, "e")
        assert "its file has to be mended first" in shown(pilot)


async def test_one_that_waits_for_somebody_who_may_read_says_what_to_type(
    running: Any, watching: Ops
) -> None:
    with watching.session.change("seed") as tx:
        tx.execute(monitors.update().values(created_by="opsdeck", paused_at=None))
        grant = {"id": "g", "dataset": "rentals", "principal": "reviewer", "action": "read"}
        tx.execute(grants.insert().values(**grant, at=1.0, by="reviewer"))
    async with running("monitors", HIGH, on=watching) as pilot:
        needs = "needs: opsdeck monitors run rentals-quality"
        await press(pilot, "slash", *"needs", "enter")
        table = pilot.app.screen.query_one("#list")
        assert [monitor.name for monitor in table.rows] == ["rentals-quality"]
        await press(pilot, "enter", "a")
        head, *_, pane = [line for line in shown(pilot).splitlines() if "opsdeck monitors" in line]
        assert needs in head
        assert pane.split()[-5:] == ["needs", *needs.split()[1:]]


async def test_the_filter_and_what_is_watched(running: Any, watching: Ops) -> None:
    async with running("monitors", HIGH, on=watching) as pilot:
        await press(pilot, "slash", *"paused", "enter")
        table = pilot.app.screen.query_one("#list")
        assert [monitor.name for monitor in table.rows] == ["rentals-quality"]
        await press(pilot, "escape", "o")
        await until(pilot, lambda: pilot.app.current_mode in ("deploys", "data"))


@pytest.mark.parametrize(
    ("watch", "mode"),
    [("endpoint/shop", "deploys"), ("dataset/rentals", "data"), ("features/hours", "features")],
)
async def test_what_is_watched_opens_where_it_is_at_home(
    running: Any, watching: Ops, watch: str, mode: str
) -> None:
    with watching.session.change("seed") as tx:
        tx.execute(monitors.update().values(watch=watch))
    async with running("monitors", HIGH, on=watching) as pilot:
        await press(pilot, "o")
        await until(pilot, lambda: pilot.app.current_mode == mode)


def test_no_state_of_the_map_is_told_by_colour_alone() -> None:
    from core.domain.monitor import Cell, State

    def form(value: float | None, limit: float | None, state: str, comparison: str = "") -> str:
        return block(Cell("f", "w", "m", value, limit, State(state), comparison), 10.0)[0]

    assert form(0.2, 0.1, "violated") == "██"
    assert form(None, 0.1, "insufficient") == "??"
    assert form(0.2, 0.1, "ok") == "▓▓", "beyond it, and one window more is waited for"
    assert form(0.099, 0.1, "ok") == "▓▓" and form(0.01, 0.1, "ok") == "··"
    assert form(0.99, 0.9, "ok", "LessThanThreshold") == "░░"
    assert form(10.0, None, "info") == "▇▇" and form(0.0, None, "info") == "▁▁"
    assert block(None) == ("  ", "faint")
