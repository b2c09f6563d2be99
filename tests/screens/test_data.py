"""What the Data, Query and Features modes do: panes, work aside, changes, typing, going about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from core.domain.dataset import Snapshot
from core.domain.features import Materialized
from core.domain.query import Exported, PastQuery, QueryColumn, QueryResult
from core.errors import OpsdeckError
from core.ops import open_ops
from core.query.errors import QueryFailed, QueryInvalid
from screens.data.profile import coverage
from screens.dialogs.base import Dialog
from screens.dialogs.notice import ErrorDialog
from screens.dialogs.pick import Pick
from screens.lineage.screen import LineageScreen
from screens.query.words import place_of
from screens.widgets.grid import Grid
from screens.widgets.table import RowTable
from tests.support.answers import Answers, answering
from tests.support.driving import opened, settled, shown, until
from tests.support.looking import press
from tests.support.profiles import BEGIN

RESULT = QueryResult(
    "q", "", (QueryColumn("member_email", "VARCHAR"), QueryColumn("cnt", "BIGINT")),
    ((None, 1), ("", 2), ("NULL", 3)), False, 12.0,
)  # fmt: skip


async def to(pilot: Pilot[Any], dataset: str) -> None:
    """Select a dataset."""
    pilot.app.go("data", dataset)  # type: ignore[attr-defined]
    await settled(pilot)


async def test_the_catalogue_is_filtered_by_what_it_tells(running: Any, lake_ops: Any) -> None:
    async with running("data", on=lake_ops) as pilot:
        await press(pilot, "slash", *"view stale", "enter")
        table = pilot.app.screen.query_one("#list", RowTable)
        assert [entry.dataset.name for entry in table.rows] == ["hourly"]
        await press(pilot, "escape", "slash", *"windspeed", "enter")
        assert "weather" in [entry.dataset.name for entry in table.rows]


async def test_the_pane_stays_while_one_goes_through_datasets(running: Any, lake_ops: Any) -> None:
    async with running("data", on=lake_ops) as pilot:
        await press(pilot, "s", "j", "j", "j", "j", "j")
        assert "trained_v3" in shown(pilot)
        await press(pilot, "enter", "escape")
        assert pilot.app.focused.id == "list"


async def test_a_profile_is_made_aside_and_can_be_cancelled(running: Any, lake_ops: Any) -> None:
    aside = answering(lake_ops, {("explore", "profile"): Answers.HANGS})
    async with running("data", on=lake_ops) as pilot:
        await to(pilot, "weather")
        await press(pilot, "p")
        assert "no profile of #1 yet: n makes one" in shown(pilot)
        await pilot.press("n")
        await until(pilot, lambda: bool(aside.asked))
        assert "working: profile weather #1" in shown(pilot)
        assert "esc cancels" in shown(pilot)
        await pilot.press("n")
        assert "still under way" in shown(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: "cancelled: profile weather #1" in shown(pilot))


async def test_what_fails_aside_is_told(running: Any, lake_ops: Any) -> None:
    answering(lake_ops, {("quality", "validate"): QueryFailed("dataset weather: nothing to ask")})
    async with running("data", on=lake_ops) as pilot:
        await to(pilot, "weather")
        await pilot.press("V")
        dialog = await opened(pilot, ErrorDialog)
        assert "nothing to ask" in dialog.error.message


async def test_a_rollback_asks_and_takes_one_y(running: Any, lake_ops: Any) -> None:
    aside = answering(
        lake_ops, {("data", "rollback"): lambda name, to: Snapshot(name, "7", 5, None, 0.0, "x")}
    )
    async with running("data", on=lake_ops) as pilot:
        await to(pilot, "rentals")
        await press(pilot, "s", "tab", "R")
        assert "#4 is the current version" in shown(pilot)
        await press(pilot, "j", "j", "R")
        await opened(pilot, Dialog)
        assert pilot.app.focused.id == "cancel"
        assert "17,379 → 16,635 (−744 rows)" in shown(pilot)
        await pilot.press("y")
        await until(pilot, lambda: "rentals is as it was at #2" in shown(pilot))
        assert "opsdeck data rollback rentals 2 --yes" in shown(pilot)
    assert aside.asked == [("data", "rollback", "rentals", "2")]


async def test_an_expired_snapshot_can_be_neither_tagged_nor_gone_back_to(
    running: Any, lake_ops: Any
) -> None:
    async with running("data", on=lake_ops) as pilot:
        await to(pilot, "rentals")
        await press(pilot, "s", "tab", "G", "t")
        assert "#1 has expired: its rows are gone" in shown(pilot)


async def test_a_tag_is_typed(running: Any, lake_ops: Any) -> None:
    aside = answering(
        lake_ops, {("data", "tag"): lambda name, tag, at: Snapshot(name, "7", 4, None, 0.0, "x")}
    )
    async with running("data", on=lake_ops) as pilot:
        await to(pilot, "rentals")
        await press(pilot, "s", "t")
        await opened(pilot, Dialog)
        await press(pilot, *"golden", "enter")
        await until(pilot, lambda: "rentals #4 is called golden" in shown(pilot))
    assert aside.asked == [("data", "tag", "rentals", "golden")]


async def test_read_only_changes_nothing_but_reads(running: Any, lake_ops: Any) -> None:
    with open_ops(lake_ops.workspace.root, actor="engineer", read_only=True) as ops:
        async with running("data", on=ops) as pilot:
            await to(pilot, "rentals")
            await press(pilot, "s", "t")
            assert "Tag: this session is read-only" in shown(pilot)
            assert "Roll back" not in shown(pilot).splitlines()[-1]
            await press(pilot, "h", "x")
            assert "Discard: this session is read-only" in shown(pilot)


async def test_a_discarded_batch_needs_a_reason(running: Any, lake_ops: Any) -> None:
    batch = lake_ops.quality.held("7fk2")
    aside = answering(lake_ops, {("quality", "discard"): batch})
    async with running("data", on=lake_ops) as pilot:
        await to(pilot, "rentals")
        await press(pilot, "h", "x")
        await opened(pilot, Dialog)
        assert pilot.app.focused.id == "cancel"
        await press(pilot, "ctrl+s")
        assert "say why, in a few words" in shown(pilot)
        await press(pilot, *"sent twice", "ctrl+s")
        await until(pilot, lambda: bool(aside.asked))
    assert aside.asked == [("quality", "discard", batch.id, "sent twice")]


async def test_who_sees_less_gets_no_values(running: Any, lake_ops: Any) -> None:
    with open_ops(lake_ops.workspace.root, actor="reviewer") as ops:
        async with running("data", on=ops) as pilot:
            await to(pilot, "rentals")
            assert "masked: partial:4" in shown(pilot)
            await press(pilot, "c")
            assert "sprnig" not in shown(pilot)
            assert "values are left out" in shown(pilot)
            await press(pilot, "p")
            assert "you see this dataset in part" in shown(pilot)
    with open_ops(lake_ops.workspace.root, actor="visitor") as ops:
        async with running("data", on=ops) as pilot:
            await to(pilot, "rentals")
            assert "may not read it (no grant): ask engineer" in shown(pilot)


async def test_pulse_leads_to_what_is_wrong_with_data(running: Any, lake_ops: Any) -> None:
    async with running("pulse", on=lake_ops) as pilot:
        table = pilot.app.screen.query_one("#concerns", RowTable)
        table.select("alert/7fk2m9qx4a1c")
        await press(pilot, "enter")
        assert pilot.app.current_mode == "alerts"
        assert "7fk2m9qx" in shown(pilot)
        await press(pilot, "1")
        table.select("features/member_profile@1")
        await press(pilot, "enter")
        assert pilot.app.current_mode == "features"
        assert pilot.app.screen.entry.view.spec.name == "member_profile"


async def test_lineage_follows_a_column_and_goes_back(running: Any, lake_ops: Any) -> None:
    async with running("data", on=lake_ops) as pilot:
        await to(pilot, "rentals")
        await press(pilot, "L", "b")
        assert "if dataset rentals changes: 6 break for certain" in shown(pilot)
        await press(pilot, "escape", "c", "j", "j", "j", "j", "j", "enter")
        assert "dataset rentals.cnt" in shown(pilot)
        assert "hour_features.lag_24" in shown(pilot)
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, LineageScreen)
        assert "lineage of dataset rentals " in shown(pilot)
        await press(pilot, "escape")
        assert pilot.app.screen.scope == "data"


async def test_lineage_folds_and_opens(running: Any, lake_ops: Any) -> None:
    async with running("models", on=lake_ops) as pilot:
        await press(pilot, "j", "L", "g", "j", "j", "space")
        assert "▸ 4 more" in shown(pilot)
        await press(pilot, "o")
        assert pilot.app.current_mode == "data"
        assert pilot.app.screen.entry.dataset.name == "hourly"


async def test_a_recipe_is_picked_and_tried(running: Any, lake_ops: Any) -> None:
    from core.domain.recipe import ColumnChange, RecipeFileInfo, RecipePreview, StepTrace

    files = (RecipeFileInfo("whole-hours", "recipes/whole-hours.yaml", 1, 0, "Fill the gaps."),)
    tried = RecipePreview(
        "whole-hours", "rentals", 5_000, 5_012,
        (StepTrace("1", "fill_gaps", 5_000, 5_012, added=("absent",), changed=("cnt",)),),
        (ColumnChange("absent", "added", "", "Boolean", 0, 0),
         ColumnChange("cnt", "changed", "Int64", "Float64", 0, 12)),
        ({"cnt": 1},), ({"cnt": 1.0, "absent": False}, {"cnt": None, "absent": True}), 17_379,
    )  # fmt: skip
    answering(lake_ops, {("recipes", "files"): files, ("recipes", "preview"): tried})
    async with running("data", on=lake_ops) as pilot:
        await to(pilot, "rentals")
        await pilot.press("T")
        await opened(pilot, Pick)
        assert "Fill the gaps." in shown(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen.scope == "recipe")
        await settled(pilot)
        assert "+12 rows" in shown(pilot)
        assert "int64 → float64  missing 0 → 12" in shown(pilot)
        await press(pilot, "a")
        assert "∅" in shown(pilot)


async def test_typed_commands_lead_to_datasets_and_lineage(running: Any, lake_ops: Any) -> None:
    async with running("runs", on=lake_ops) as pilot:
        await press(pilot, "colon", *"data wea")
        await settled(pilot)
        await press(pilot, "tab", "enter")
        assert pilot.app.current_mode == "data"
        assert pilot.app.screen.entry.dataset.name == "weather"
        await press(pilot, "colon", *"data nosuch", "enter")
        assert "no dataset is called nosuch" in shown(pilot)
        assert "reading…" not in shown(pilot)
        await press(pilot, "colon", *"features nosuch", "enter")
        assert "no feature view is called nosuch" in shown(pilot)
        await press(pilot, "colon", *"lineage rentals.cnt", "enter")
        assert "dataset rentals.cnt" in shown(pilot)
        await press(pilot, "colon", *"lineage nosuch", "enter")
        assert "nothing of that name in the lineage" in shown(pilot)


# query


async def test_every_printable_key_types(running: Any, lake_ops: Any) -> None:
    async with running("query", on=lake_ops) as pilot:
        await pilot.press("e")
        await pilot.press(*"select 1/2::int, 'a:b?' q wh x")
        await settled(pilot)
        editor = pilot.app.screen.editor
        assert editor.text == "select 1/2::int, 'a:b?' q wh x"
        assert pilot.app.current_mode == "query"
        await press(pilot, "escape", "7")
        assert pilot.app.current_mode == "data"


async def test_completion_goes_through_proposals(running: Any, lake_ops: Any) -> None:
    async with running("query", on=lake_ops) as pilot:
        await press(pilot, "e", *"select cn from renta", "tab")
        editor = pilot.app.screen.editor
        assert editor.text == "select cn from rentals"
        editor.move_cursor((0, 9))
        await press(pilot, "t", "backspace", "tab")
        assert editor.text == "select cnt from rentals"


async def test_a_result_tells_what_is_missing_from_what_says_so(
    running: Any, lake_ops: Any
) -> None:
    aside = answering(lake_ops, {("queries", "run"): RESULT})
    async with running("query", on=lake_ops) as pilot:
        await press(pilot, "e", *"from rentals;", "ctrl+j")
        text = shown(pilot)
        assert all(mark in text for mark in ("∅", "''", "NULL", "3 rows in 12ms"))
        await press(pilot, "escape", "slash", *"null", "enter")
        assert len(pilot.app.screen.query_one(Grid).rows) == 1
    assert aside.asked == [("queries", "run", "from rentals")]


async def test_a_query_is_cancelled_from_the_editor(running: Any, lake_ops: Any) -> None:
    aside = answering(lake_ops, {("queries", "run"): Answers.HANGS})
    async with running("query", on=lake_ops) as pilot:
        await pilot.press("e", *"from rentals", "f5")
        await until(pilot, lambda: bool(aside.asked))
        await pilot.press("escape")
        await until(pilot, lambda: "cancelled: run the query" in shown(pilot))
        assert pilot.app.focused is pilot.app.screen.editor


async def test_an_error_stands_under_the_editor_with_its_place(running: Any, lake_ops: Any) -> None:
    wrong = QueryInvalid('query: Referenced column "nope" not found in FROM clause!', "did you?")
    answering(lake_ops, {("queries", "run"): wrong})
    async with running("query", on=lake_ops) as pilot:
        await press(pilot, "e", *"select cnt,", "enter", *"nope from rentals", "f5")
        assert "line 2, column 1: Referenced column" in shown(pilot)
        assert pilot.app.screen.editor.cursor_location == (1, 0)


async def test_history_comes_back_into_the_editor(running: Any, lake_ops: Any) -> None:
    async with running("query", on=lake_ops) as pilot:
        past: tuple[PastQuery, ...] = lake_ops.queries.history()
        await press(pilot, "j", "enter")
        assert pilot.app.screen.editor.text == past[1].sql


async def test_a_file_is_written(running: Any, lake_ops: Any, tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    done = Exported(str(path), "parquet", 17_379, 88_000, 50.0)
    aside = answering(lake_ops, {("queries", "export"): done})
    async with running("query", on=lake_ops) as pilot:
        await press(pilot, "enter", "escape", "w")
        await opened(pilot, Dialog)
        await press(pilot, "ctrl+u", *str(path), "enter")
        await until(pilot, lambda: "wrote 17,379 rows" in shown(pilot))
    assert aside.asked[0][3] == path


async def test_a_dataset_leads_to_a_query(running: Any, lake_ops: Any) -> None:
    async with running("data", on=lake_ops) as pilot:
        await to(pilot, "rentals")
        await press(pilot, "Q")
        assert pilot.app.current_mode == "query"
        assert pilot.app.screen.editor.text == "SELECT *\nFROM rentals\nLIMIT 100"
        assert pilot.app.focused is pilot.app.screen.editor


@pytest.mark.parametrize(
    ("message", "sql", "place"),
    [
        ('query: syntax error at or near "where"', "select a\nfrom b where", (1, 7)),
        ("query: Scalar Function with name foo does not exist!", "select foo(a)", (0, 7)),
        ("query: parse error, Line 3, Col: 5", "a\nb\ncdefgh", (2, 4)),
        ("query: it took too long", "select 1", None),
        ('query: Referenced column "x" not found', "select xx, y", None),
    ],
)
def test_the_place_of_an_error(message: str, sql: str, place: tuple[int, int] | None) -> None:
    assert place_of(OpsdeckError(message), sql) == place


# features


async def test_materialise_tells_what_was_done(running: Any, lake_ops: Any) -> None:
    done = Materialized("hour_features@2", "incremental", "7", 744, 58, seconds=1.2)
    aside = answering(lake_ops, {("features", "materialize"): done})
    async with running("features", on=lake_ops) as pilot:
        await pilot.press("M")
        await until(pilot, lambda: "incremental, 58 rows written" in shown(pilot))
        assert aside.asked == [("features", "materialize", "hour_features")]
        await press(pilot, "G", "M")
        assert "is not kept online" in shown(pilot)


def test_a_gap_is_seen_in_the_coverage() -> None:
    from core.domain.profile import Gap, TimeStats

    hour, span = 3600.0, 1_000 * 3600.0
    gap = Gap(BEGIN + 500 * hour, BEGIN + 501 * hour, 2)
    times = TimeStats(first=BEGIN, last=BEGIN + span, step=hour, gaps=(gap,))
    drawn = coverage(times, 10)
    assert drawn == "█████▆████"
