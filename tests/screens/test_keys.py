"""What keys do: moving, filters, typed commands, the palette, copying, leaving."""

from __future__ import annotations

from typing import Any

import pytest

from core.ops import open_ops
from screens.dialogs.base import Dialog
from screens.dialogs.confirm import Confirm
from screens.dialogs.help import HelpScreen
from screens.registry import MODE_KEYS, MODES, REGISTRY
from screens.run import RunScreen
from screens.widgets.table import RowTable
from tests.support.driving import opened, settled, shown, until
from tests.support.live import with_live_endpoints


async def test_number_keys_and_commands_go_to_the_modes(running: Any) -> None:
    async with running("pulse") as pilot:
        for mode, key in MODE_KEYS.items():
            await pilot.press(key)
            await pilot.pause()
            assert pilot.app.current_mode == mode
        for mode in MODES:
            await pilot.press("colon", *mode, "enter")
            await pilot.pause()
            assert pilot.app.current_mode == mode


async def test_filter_is_live_and_escape_clears_it(running: Any) -> None:
    async with running("runs") as pilot:
        table = pilot.app.screen.query_one(RowTable)
        assert table.total == 40
        await pilot.press("slash", *"rejected")
        await settled(pilot)
        assert [row.number for row in table.rows] == [23]
        await pilot.press("escape")
        await settled(pilot)
        assert table.total == 40


async def test_filter_kept_with_enter_is_cleared_by_escape_on_the_list(running: Any) -> None:
    async with running("runs") as pilot:
        table = pilot.app.screen.query_one(RowTable)
        await pilot.press("slash", *"status:failed".replace(":", ""), "enter")
        await settled(pilot)
        assert pilot.app.focused is table
        assert "filter /statusfailed" in shown(pilot)
        await pilot.press("escape")
        await settled(pilot)
        assert table.total == 40


@pytest.mark.parametrize("mode", ["models", "approvals", "deploys", "audit"])
async def test_escape_goes_back_to_the_list(running: Any, mode: str) -> None:
    async with running(mode) as pilot:
        table = pilot.app.screen.query_one(RowTable)
        await settled(pilot)
        await pilot.press("tab")
        assert pilot.app.focused is not table
        await pilot.press("escape")
        assert pilot.app.focused is table
        assert pilot.app.current_mode == mode


async def test_status_filter(running: Any) -> None:
    async with running("runs") as pilot:
        await pilot.press("f")
        await settled(pilot)
        table = pilot.app.screen.query_one(RowTable)
        assert {str(row.status) for row in table.rows} == {"failed"}
        await pilot.press("f")
        await settled(pilot)
        assert table.total == 40


async def test_selection_stays_on_its_run_when_others_come(running: Any, ops: Any) -> None:
    async with running("runs") as pilot:
        table = pilot.app.screen.query_one(RowTable)
        await pilot.press("down", "down", "down")
        chosen = table.selected.number
        ops.runs.start("bike-demand", {"month": "2012-01"})
        await settled(pilot)
        assert table.total == 41
        assert table.selected.number == chosen
        assert table.cursor == 4


async def test_enter_opens_a_run_and_escape_goes_back(running: Any) -> None:
    async with running("runs") as pilot:
        await pilot.press("enter")
        await settled(pilot)
        assert isinstance(pilot.app.screen, RunScreen)
        assert pilot.app.screen.step.step == "train"  # what runs is selected
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(pilot.app.screen, RunScreen)


async def test_number_typed_opens_that_run(running: Any) -> None:
    async with running("pulse") as pilot:
        await pilot.press("colon", *"39", "enter")
        await settled(pilot)
        assert "bike-demand #39" in shown(pilot)


async def test_run_that_does_not_exist_is_said_once_in_the_line(running: Any) -> None:
    async with running("pulse") as pilot:
        await pilot.press("colon", *"999", "enter")
        await until(pilot, lambda: "E120" in shown(pilot))
        assert "run 999: no such run" in shown(pilot)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("rnu x", "did you mean :run?"),
        ("run", "write: run NAME key=value"),
        ("run bike-demand month", "a parameter is written key=value"),
        ("run 'open", "close the quotes"),
        ("rollback x y", "not a version"),
    ],
)
async def test_mistyped_commands_say_what_to_do(running: Any, typed: str, said: str) -> None:
    async with running("pulse") as pilot:
        pilot.app.command(typed)
        await pilot.pause()
        assert said in shown(pilot)


async def test_command_line_starts_a_run(running: Any, ops: Any) -> None:
    async with running("runs") as pilot:
        await pilot.press("n")
        await settled(pilot)
        await pilot.press(*"bike", "tab", *"month=2012-02", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        await settled(pilot)
        assert ops.runs.get("41").run.params["month"] == "2012-02"
        assert "opsdeck runs start bike-demand -p month=2012-02" in shown(pilot)


async def test_dimmed_key_says_why(running: Any) -> None:
    async with running("runs") as pilot:
        await pilot.press("u")
        await pilot.pause()
        assert "bike-demand #40 is running: only a failed or cancelled run" in shown(pilot)
        assert not isinstance(pilot.app.screen, Dialog)


async def test_read_only_strips_changes_everywhere(running: Any, workspace: Any) -> None:
    with open_ops(workspace, actor="on-call", read_only=True) as ops:
        with_live_endpoints(ops)
        async with running("runs", on=ops) as pilot:
            assert "READ-ONLY" in shown(pilot)
            assert "Cancel" not in shown(pilot).splitlines()[-1]
            await pilot.press("x")
            await pilot.pause()
            assert "this session is read-only" in shown(pilot)
            palette = {command.title for command in pilot.app.get_system_commands(pilot.app.screen)}
            assert not any(title.startswith("Cancel") for title in palette)
            pilot.app.command("cancel 40")
            await pilot.pause()
            assert "read-only" in shown(pilot)
            assert not isinstance(pilot.app.screen, Dialog)


async def test_help_shows_every_action_of_the_screen(running: Any) -> None:
    async with running("deploys") as pilot:
        await pilot.press("question_mark")
        help_screen = await opened(pilot, HelpScreen)
        text = help_screen.query_one("#help").text
        for action in [*REGISTRY.of("deploys"), *REGISTRY.of("global")]:
            assert action.help in text
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(pilot.app.screen, Dialog)


async def test_palette_runs_an_action(running: Any) -> None:
    async with running("runs") as pilot:
        await pilot.press("ctrl+p")
        await pilot.pause()
        await pilot.press(*"resume")
        await pilot.pause(0.5)
        await pilot.press("escape")
        await pilot.pause()
        titles = [c.title for c in pilot.app.get_system_commands(pilot.app.screen)]
        assert "Cancel  (x)" in titles
        assert not any(t.startswith("Resume") for t in titles)  # it runs: nothing to resume
        command = next(
            c for c in pilot.app.get_system_commands(pilot.app.screen) if c.title == "Cancel  (x)"
        )
        command.callback()
        await opened(pilot, Confirm)


async def test_copy_gives_the_id_to_the_terminal(running: Any) -> None:
    async with running("runs") as pilot:
        await pilot.press("y")
        await pilot.pause()
        assert pilot.app.clipboard == "01kr000000000040"
        assert "copied 01kr000000000040" in shown(pilot)


async def test_q_leaves_from_the_first_screen_only(running: Any) -> None:
    async with running("runs") as pilot:
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("q")
        await pilot.pause()
        assert pilot.app.is_running
        assert not isinstance(pilot.app.screen, RunScreen)
        await pilot.press("q")
        await pilot.pause()
        assert pilot.app._exit


async def test_stale_data_are_called_stale(running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running("runs") as pilot:
        assert "now" in shown(pilot).splitlines()[0]
        pilot.app._poller.pause()
        later = pilot.app._clock() + 30
        monkeypatch.setattr(pilot.app, "_clock", lambda: later)
        pilot.app._tick()
        await pilot.pause()
        assert "▲ stale, 30s ago" in shown(pilot).splitlines()[0]


async def test_a_backend_that_fails_is_said_in_the_header(running: Any, ops: Any) -> None:
    from core.errors import StateCorrupt

    def broken(**_: Any) -> Any:
        raise StateCorrupt("state.db: disk I/O error", "see: opsdeck doctor")

    async with running("runs") as pilot:
        ops.runs.count = broken
        await pilot.press("r")
        await until(pilot, lambda: "E300" in shown(pilot).splitlines()[0])
        assert not isinstance(pilot.app.screen, Dialog)


async def test_a_bug_is_named_as_one_and_logged(running: Any, ops: Any) -> None:
    def broken(**_: Any) -> Any:
        raise KeyError("no such thing")

    async with running("runs") as pilot:
        ops.runs.count = broken
        await pilot.press("r")
        await opened(pilot, Dialog)
        assert "a bug in Opsdeck" in shown(pilot)
        log = ops.workspace.state_dir / "console.log"
        assert "KeyError: 'no such thing'" in log.read_text()


async def test_pulse_opens_what_is_selected(running: Any) -> None:
    async with running("pulse") as pilot:
        assert "waits for approval" in shown(pilot)
        await pilot.press("enter")
        await pilot.pause()
        assert pilot.app.current_mode == "approvals"


async def test_audit_verifies_and_names_a_broken_entry(running: Any, ops: Any) -> None:
    import sqlite3

    async with running("audit") as pilot:
        await pilot.press("v")
        await until(pilot, lambda: "the chain holds: 10 entries" in shown(pilot))
        db = sqlite3.connect(ops.workspace.state_dir / "state.db")
        db.execute("UPDATE journal SET actor = 'nobody' WHERE seq = 4")
        db.commit()
        db.close()
        await pilot.press("v")
        await opened(pilot, Dialog)
        assert "entry 4 does not hold" in shown(pilot)
