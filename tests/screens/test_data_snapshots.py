"""The Data mode and the lineage screen as they look at 80×24 and 120×40."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from screens.data.reading import PANES
from screens.dialogs.base import Dialog
from tests.support.driving import opened, settled
from tests.support.looking import HIGH, LOW, look, press, sized


async def to(pilot: Pilot[Any], dataset: str) -> None:
    """Select a dataset in the catalogue."""
    pilot.app.screen.table.select(dataset)  # type: ignore[attr-defined]
    pilot.app.go("data", dataset)  # type: ignore[attr-defined]
    await settled(pilot)


@sized
@pytest.mark.parametrize("pane", PANES)
async def test_pane(running: Any, lake_ops: Any, pane: str, size: tuple[int, int]) -> None:
    """Low screens show a pane on the whole screen, high ones beneath the catalogue."""
    async with running("data", size, on=lake_ops) as pilot:
        await to(pilot, "rentals")
        await press(pilot, *(["enter"] if size == LOW else []), pane[0])
        if pane == "profile" and size == HIGH:
            await press(pilot, "tab", "j", "j", "j", "j")
        look(pilot, f"data-{pane}", size)


@sized
async def test_catalogue(running: Any, lake_ops: Any, size: tuple[int, int]) -> None:
    async with running("data", size, on=lake_ops) as pilot:
        await to(pilot, "hourly")
        look(pilot, "data", size)


async def test_rollback_asks(running: Any, lake_ops: Any) -> None:
    async with running("data", LOW, on=lake_ops) as pilot:
        await to(pilot, "rentals")
        await press(pilot, "s", "tab", "j", "j", "R")
        await opened(pilot, Dialog)
        look(pilot, "dialog-data-rollback", LOW)


async def test_discard_asks(running: Any, lake_ops: Any) -> None:
    async with running("data", LOW, on=lake_ops) as pilot:
        await to(pilot, "rentals")
        await press(pilot, "h", "x")
        await opened(pilot, Dialog)
        look(pilot, "dialog-data-discard", LOW)


@sized
async def test_lineage(running: Any, lake_ops: Any, size: tuple[int, int]) -> None:
    async with running("data", size, on=lake_ops) as pilot:
        await to(pilot, "rentals")
        await press(pilot, "L", "c", *["j"] * 5, "enter", "b")
        look(pilot, "lineage-column", size)


async def test_lineage_of_a_model(running: Any, lake_ops: Any) -> None:
    async with running("models", LOW, on=lake_ops) as pilot:
        await press(pilot, "j", "L")
        look(pilot, "lineage-model", LOW)


async def test_masked_without_colour(
    running: Any, lake_ops: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who sees rentals in part, without colours."""
    from core.ops import open_ops

    monkeypatch.setenv("NO_COLOR", "1")
    with open_ops(lake_ops.workspace.root, actor="reviewer") as reviewer:
        async with running("data", LOW, on=reviewer) as pilot:
            await to(pilot, "rentals")
            await press(pilot, "enter")
            look(pilot, "mono-data", LOW)


@sized
async def test_pulse_tells_of_data(running: Any, lake_ops: Any, size: tuple[int, int]) -> None:
    async with running("pulse", size, on=lake_ops) as pilot:
        look(pilot, "pulse-data", size)
