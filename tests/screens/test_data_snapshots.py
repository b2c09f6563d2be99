"""The Data mode and the lineage screen as they look at 80×24 and 120×40."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from core.domain.recipe import ColumnChange, RecipeFileInfo, RecipePreview, StepTrace
from screens.data.reading import PANES
from screens.dialogs.base import Dialog
from screens.dialogs.pick import Pick
from tests.support.answers import answering
from tests.support.driving import opened, settled, until
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


@sized
async def test_rows_as_they_are_seen(running: Any, lake_ops: Any, size: tuple[int, int]) -> None:
    from core.services.explore import Sample

    names = ("at", "season", "casual", "registered", "cnt", "member_email")
    rows = tuple(
        dict(zip(names, (f"2011-01-{i:02d} 05:00:00", None if i == 3 else "winter", i, 7 * i,
                         8 * i, f"******{i:02d}@x"), strict=True))
        for i in range(1, 29)
    )  # fmt: skip
    sample = Sample("rentals", 4, names, rows, 17_379, ("member_email is masked for you",))
    answering(lake_ops, {("explore", "sample"): sample})
    async with running("data", size, on=lake_ops) as pilot:
        await to(pilot, "rentals")
        await press(pilot, "v")
        await until(pilot, lambda: pilot.app.screen.scope == "rows")  # type: ignore[attr-defined]
        await press(pilot, "j", "j")
        look(pilot, "data-rows", size)


@sized
async def test_recipe_tried(running: Any, lake_ops: Any, size: tuple[int, int]) -> None:
    files = (
        RecipeFileInfo("whole-hours", "recipes/whole-hours.yaml", 3, 0, "A row for every hour."),
        RecipeFileInfo("scaled", "recipes/scaled.yaml", 0, 2),
    )
    tried = RecipePreview(
        "whole-hours", "rentals", 5_000, 5_012,
        (
            StepTrace("gaps", "fill_gaps", 5_000, 5_012, added=("absent",), changed=("cnt",)),
            StepTrace("scale", "scale_standard", 5_012, 5_012, changed=("casual", "registered"),
                      warnings=("casual: 1,581 of the values are 0",)),
            StepTrace("3", "drop_columns", 5_012, 5_012, removed=("member_email",)),
        ),
        (
            ColumnChange("absent", "added", "", "Boolean", 0, 0, ("at",)),
            ColumnChange("cnt", "changed", "Int64", "Float64", 0, 12, ("cnt",)),
            ColumnChange("casual", "changed", "Int64", "Float64", 0, 0, ("casual",)),
            ColumnChange("member_email", "removed", "String", "", 612, 0),
            ColumnChange("at", "same", "Datetime(time_unit='us')", "Datetime(time_unit='us')",
                         0, 0),
        ),
        ({"cnt": 1},), ({"cnt": 1.0, "absent": False},), 17_379,
    )  # fmt: skip
    answering(lake_ops, {("recipes", "files"): files, ("recipes", "preview"): tried})
    async with running("data", size, on=lake_ops) as pilot:
        await to(pilot, "rentals")
        await pilot.press("T")
        await opened(pilot, Pick)
        look(pilot, "dialog-recipes", size)
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen.scope == "recipe")  # type: ignore[attr-defined]
        await settled(pilot)
        look(pilot, "recipe", size)


async def test_help(running: Any, lake_ops: Any) -> None:
    async with running("data", HIGH, on=lake_ops) as pilot:
        await press(pilot, "question_mark")
        look(pilot, "dialog-help-data", HIGH)
