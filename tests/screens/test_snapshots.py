"""Every screen and dialog as it looks at 80×24 and 120×40, clock and cursor frozen."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from textual.pilot import Pilot

from core.errors import WrongState
from core.ops import open_ops
from screens.dialogs.base import Dialog
from screens.widgets.chart import Chart
from tests.support.driving import opened, settled, until
from tests.support.live import with_live_endpoints
from tests.support.snapshots import check_snapshot

SIZES = [(80, 24), (120, 40)]

SCREENS: dict[str, tuple[str, list[str]]] = {
    "pulse": ("pulse", []),
    "runs": ("runs", []),
    "runs-filtered": ("runs", ["slash", *"status", "colon", *"failed"]),
    "run-charts": ("runs", ["enter"]),
    "run-logs": ("runs", ["enter", "l"]),
    "run-details": ("runs", ["enter", "d"]),
    "run-waiting": ("runs", ["down", "enter"]),
    "models": ("models", []),
    "approvals": ("approvals", []),
    "approvals-all": ("approvals", ["f", "down"]),
    "deploys": ("deploys", []),
    "audit": ("audit", []),
    "command-line": ("runs", ["colon", *"run", "space", "tab"]),
}

DIALOGS: dict[str, tuple[str, list[str]]] = {
    "help": ("deploys", ["question_mark"]),
    "cancel": ("runs", ["x"]),
    "approve": ("approvals", ["a"]),
    "reject": ("approvals", ["x"]),
    "promote": ("deploys", ["p"]),
    "promote-full": ("deploys", ["P"]),
    "abort": ("deploys", ["x"]),
    "rollback": ("deploys", ["R"]),
}


async def press(pilot: Pilot[Any], keys: list[str]) -> None:
    """Press keys one after the other, each with its effect shown before the next."""
    for key in keys:
        await pilot.press(key)
        await pilot.pause()
    await settled(pilot)


async def drawn(pilot: Pilot[Any]) -> None:
    """Wait until the charts in view are drawn (their library loads off the event loop)."""
    charts = [chart for chart in pilot.app.screen.query(Chart) if chart.display and chart.series]
    if charts and charts[0].is_on_screen:
        await until(pilot, lambda: "plotext" in sys.modules and all(c.draws for c in charts))
        await pilot.pause()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", SCREENS)
async def test_screen(running: Any, name: str, size: tuple[int, int]) -> None:
    mode, keys = SCREENS[name]
    async with running(mode, size) as pilot:
        await press(pilot, keys)
        await drawn(pilot)
        check_snapshot(f"{name}-{size[0]}x{size[1]}", pilot.app.export_screenshot())


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", DIALOGS)
async def test_dialog(running: Any, name: str, size: tuple[int, int]) -> None:
    mode, keys = DIALOGS[name]
    async with running(mode, size) as pilot:
        await press(pilot, keys)
        await opened(pilot, Dialog)
        check_snapshot(f"dialog-{name}-{size[0]}x{size[1]}", pilot.app.export_screenshot())


async def test_receipt(running: Any) -> None:
    async with running("deploys", (80, 24)) as pilot:
        await press(pilot, ["R"])
        await opened(pilot, Dialog)
        await press(pilot, ["y"])
        check_snapshot("dialog-receipt-80x24", pilot.app.export_screenshot())


async def test_refused_rollback(running: Any, live: Any) -> None:
    async with running("deploys", (80, 24)) as pilot:
        await press(pilot, ["R"])
        await opened(pilot, Dialog)
        live.error = WrongState("endpoint bike-demand: v2 is not loaded", "deploy it first")
        await press(pilot, ["y"])
        check_snapshot("dialog-rollback-refused-80x24", pilot.app.export_screenshot())


async def test_error_and_bug(running: Any) -> None:
    async with running("runs", (80, 24)) as pilot:
        pilot.app._trouble_with("cancel", WrongState("run #40 has ended already", "see its log"))
        await opened(pilot, Dialog)
        check_snapshot("dialog-error-80x24", pilot.app.export_screenshot())


async def test_empty_workspace(running: Any, tmp_path: Any) -> None:
    (tmp_path / "opsdeck.yaml").write_text("name: fresh\n")
    with open_ops(tmp_path, actor="engineer") as empty:
        for mode in ("pulse", "runs", "approvals", "deploys"):
            async with running(mode, (80, 24), on=empty) as pilot:
                check_snapshot(f"empty-{mode}-80x24", pilot.app.export_screenshot())


async def test_read_only(running: Any, workspace: Any) -> None:
    with open_ops(workspace, actor="on-call", read_only=True) as ops:
        with_live_endpoints(ops)
        async with running("deploys", (80, 24), on=ops) as pilot:
            await press(pilot, ["R"])
            check_snapshot("read-only-80x24", pilot.app.export_screenshot())


@pytest.mark.parametrize("mode", ["pulse", "runs", "deploys", "approvals"])
async def test_no_color(running: Any, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(mode, (80, 24)) as pilot:
        picture = pilot.app.export_screenshot()
    check_snapshot(f"mono-{mode}-80x24", picture)
