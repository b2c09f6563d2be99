"""Bias and attributions on the Monitors mode, with numbers that the kinds came to themselves."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.ops import Ops, open_ops
from screens.monitors.heat import HeatView
from screens.widgets.chart import Chart
from tests.support.driving import settled, shown, until
from tests.support.live import with_live_endpoints
from tests.support.looking import HIGH, LOW, look, press, sized
from tests.support.measuredseed import ATTRIBUTION, BIAS, MONTHS, NEXT, findings, seed_measured

TESTS = Path(__file__).resolve().parents[1]
MEASURE = """
import sys, types
from pathlib import Path

tests = sys.modules["tests"] = types.ModuleType("tests")  # others install a package of that name
tests.__path__ = [sys.argv[1]]
from tests.support.measuredseed import measure_next

measure_next(Path(sys.argv[2]))
"""
REFRESH_SECONDS = 5.0
"""The mode reads every two seconds; a busy machine may take somewhat longer."""


@pytest.fixture(scope="module")
def measured_template(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The seeded workspace with both monitors, to be copied."""
    path = tmp_path_factory.mktemp("measured") / "bike-demand"
    shutil.copytree(template, path)
    return seed_measured(path)


@pytest.fixture
def measured(measured_template: Path, tmp_path: Path) -> Iterator[Ops]:
    """The facade on a workspace of one's own with both monitors."""
    path = tmp_path / "measured" / "bike-demand"
    shutil.copytree(measured_template, path)
    with open_ops(path, actor="engineer") as opened:
        with_live_endpoints(opened)
        yield opened


@sized
@pytest.mark.parametrize("pane", ["heat", "curves", "numbers", "violations"])
@pytest.mark.parametrize("monitor", [BIAS, ATTRIBUTION], ids=["bias", "attribution"])
async def test_pane(
    running: Any, measured: Ops, monitor: str, pane: str, size: tuple[int, int]
) -> None:
    """What is about one window shows the newest one that is violated."""
    about_one = pane in ("numbers", "violations")
    async with running("monitors", size, on=measured) as pilot:
        pilot.app.go("monitors", f"{monitor}/heat")
        await settled(pilot)
        if about_one or size == LOW:
            await press(pilot, "enter")
        if about_one:
            _, found = findings(monitor)
            states = [str(each.state) for each in found.values()][: len(MONTHS)]
            await press(pilot, *["left"] * states[::-1].index("violated"))
        await press(pilot, pane[0])
        if pane == "curves":
            chart = pilot.app.screen.query_one(Chart)
            await until(pilot, lambda: bool(chart.series) and chart.shows_all)
            await settled(pilot)
        look(pilot, f"monitors-{monitor.removeprefix('demand-')}-{pane}", size)


async def test_the_map_says_what_was_computed(running: Any, measured: Ops) -> None:
    _, found = findings(BIAS)
    dppl = next(each for each in found[MONTHS[-1]].measurements if each.metric == "DPPL")
    assert dppl.value is not None
    async with running("monitors", HIGH, on=measured) as pilot:
        pilot.app.go("monitors", f"{BIAS}/heat")
        await settled(pilot)
        await press(pilot, "enter", "n")
        line = next(line for line in shown(pilot).splitlines() if " DPPL " in line)
        assert f"{dppl.value:.4g}"[:6] in line
        assert "workingday=0" in line
        pilot.app.go("monitors", f"{ATTRIBUTION}/numbers")
        await settled(pilot)
        assert "mean_abs_shap" in shown(pilot)
        assert "nDCG" in shown(pilot)


async def test_a_window_that_another_process_measured_appears_by_itself(
    running: Any, measured: Ops
) -> None:
    """Without a key: in the list, in the map, and in what the monitor says of itself."""
    before, after = (findings(BIAS)[1][month].headline for month in (MONTHS[-1], NEXT))
    assert before != after
    async with running("monitors", (220, 40), on=measured) as pilot:
        view = pilot.app.screen.query_one(HeatView)
        await until(pilot, lambda: view.window_key == MONTHS[-1])
        assert before in shown(pilot)
        command = [sys.executable, "-c", MEASURE, str(TESTS), str(measured.workspace.root)]
        await asyncio.to_thread(
            subprocess.run, command, cwd=TESTS.parent, check=True, timeout=60, capture_output=True
        )
        await until(pilot, lambda: after in shown(pilot), REFRESH_SECONDS)
        assert view.window_key == NEXT, "the cursor goes along in the newest window"
        assert measured.monitors.get(BIAS).headline == after
