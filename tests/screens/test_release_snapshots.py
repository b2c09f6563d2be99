"""Releases as they look at 80×24 and 120×40: in the list, on their own screen, in dialogs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from core.domain.series import Point
from core.series import record
from screens.dialogs.base import Dialog
from screens.widgets.chart import Chart
from tests.support.driving import opened, settled, until
from tests.support.releases import SCENES
from tests.support.seed import NOW
from tests.support.snapshots import check_snapshot

SIZES = [(80, 24), (120, 40)]
sized = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


@sized
@pytest.mark.parametrize("name", SCENES)
async def test_release(running: Any, live: Any, name: str, size: tuple[int, int]) -> None:
    live.scene = SCENES[name]
    async with running("deploys", size) as pilot:
        await pilot.press("enter")
        await settled(pilot)
        check_snapshot(f"release-{name}-{size[0]}x{size[1]}", pilot.app.export_screenshot())


@sized
@pytest.mark.parametrize("pane", ["events", "disagreements"])
async def test_pane(running: Any, live: Any, pane: str, size: tuple[int, int]) -> None:
    live.scene = SCENES["shadowing"]
    async with running("deploys", size) as pilot:
        await pilot.press("enter")
        await settled(pilot)
        await pilot.press(pane[0])
        await settled(pilot)
        check_snapshot(f"release-{pane}-{size[0]}x{size[1]}", pilot.app.export_screenshot())


@sized
async def test_traffic(running: Any, live: Any, ops: Any, size: tuple[int, int]) -> None:
    live.scene = SCENES["climbing"]
    with ops.session.change("seed") as tx:
        record(tx, "endpoint/bike-demand", list(_slots()), span=10.0)
    async with running("deploys", size) as pilot:
        await pilot.press("enter")
        await settled(pilot)
        await pilot.press("t")
        charts = list(pilot.app.screen.query(Chart))
        await until(pilot, lambda: all(chart.series for chart in charts))
        await until(pilot, lambda: all(chart.shows_all for chart in charts))
        await settled(pilot)
        assert [one.name for one in charts[0].series] == ["champion", "candidate"]
        check_snapshot(f"release-traffic-{size[0]}x{size[1]}", pilot.app.export_screenshot())


def _slots() -> Iterator[Point]:
    """Ten minutes of both arms; the candidate has had a tenth for the last four."""
    for number in range(60):
        at = NOW - 600 + 10 * number
        wave = math.sin(number / 6)
        for arm, share in (("champion", 0.9), ("candidate", 0.1)):
            if arm == "candidate" and number < 36:
                continue
            dims = {"variant": arm}
            yield Point("requests", at, share * (300 + 60 * wave), dims)
            yield Point("latency", at, 8 + 2 * wave + (4 if arm == "candidate" else 0), dims)
            yield Point("errors", at, 0.01 if number == 50 else 0.0, dims)
        yield Point("saturation", at, 0.4 + 0.1 * wave)


@sized
@pytest.mark.parametrize("name", ["frozen", "rolled-back"])
async def test_list(running: Any, live: Any, name: str, size: tuple[int, int]) -> None:
    live.scene = SCENES[name]
    async with running("deploys", size) as pilot:
        check_snapshot(f"deploys-{name}-{size[0]}x{size[1]}", pilot.app.export_screenshot())


@sized
async def test_pulse(running: Any, live: Any, size: tuple[int, int]) -> None:
    live.scene = SCENES["frozen"]
    async with running("pulse", size) as pilot:
        check_snapshot(f"pulse-frozen-{size[0]}x{size[1]}", pilot.app.export_screenshot())


@sized
@pytest.mark.parametrize(("name", "keys"), [("hold", ["h"]), ("weight", ["w", *"25"])])
async def test_dialog(
    running: Any, live: Any, name: str, keys: list[str], size: tuple[int, int]
) -> None:
    live.scene = SCENES["analysing"]
    async with running("deploys", size) as pilot:
        await pilot.press(keys[0])
        await opened(pilot, Dialog)
        await pilot.press(*keys[1:])
        await pilot.pause()
        check_snapshot(f"dialog-{name}-{size[0]}x{size[1]}", pilot.app.export_screenshot())


@sized
async def test_deploy_sheet(running: Any, live: Any, size: tuple[int, int]) -> None:
    async with running("models", size) as pilot:
        pilot.app.command("deploy bike-demand 3 bike-demand")
        await opened(pilot, Dialog)
        await settled(pilot)
        check_snapshot(f"dialog-deploy-{size[0]}x{size[1]}", pilot.app.export_screenshot())


async def test_without_colour(running: Any, live: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    live.scene = SCENES["frozen"]
    async with running("deploys", (80, 24)) as pilot:
        await pilot.press("enter")
        await settled(pilot)
        check_snapshot("mono-release-80x24", pilot.app.export_screenshot())
