"""Keys that come in one burst, as from a paste; and what a fault of the console leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.events import Key

from console.failures import Bug
from console.screen import show_console
from core.ops import Ops, open_ops
from screens.prompt import PromptInput
from screens.widgets.table import RowTable
from tests.support.driving import settled, until
from tests.support.live import with_live_endpoints

_NAMES = {":": "colon", "/": "slash", " ": "space", "-": "minus", "=": "equals_sign"}


def burst(pilot: Any, text: str) -> None:
    """Post all keys of a text at once; a line end is the enter key."""
    for char in text:
        if char == "\n":
            pilot.app.post_message(Key("enter", "\r"))
        else:
            pilot.app.post_message(Key(_NAMES.get(char, char), char))


async def test_a_burst_after_colon_all_goes_to_the_prompt(running: Any) -> None:
    async with running("runs") as pilot:
        text = "run bike-demand month=2012-03"
        burst(pilot, f":{text}")
        await until(pilot, lambda: len(pilot.app.screen.query(PromptInput)) == 1)
        await until(pilot, lambda: pilot.app.screen.query_one(PromptInput).value == text)
        assert len(pilot.app.screen_stack) == 1


async def test_a_burst_after_slash_filters_and_opens_no_dialog(running: Any) -> None:
    async with running("runs") as pilot:
        burst(pilot, "/xyz")
        await until(pilot, lambda: pilot.app.screen.filter_text == "xyz")
        await settled(pilot)
        assert len(pilot.app.screen_stack) == 1
        assert pilot.app.screen.query_one(RowTable).total == 0


async def test_two_commands_in_one_burst(running: Any) -> None:
    async with running("runs") as pilot:
        burst(pilot, ":models\n:audit\n")
        await until(pilot, lambda: pilot.app.current_mode == "audit")
        await pilot.pause()
        assert not pilot.app.screen.query(PromptInput)


async def test_keys_work_again_after_a_prompt_that_came_to_nothing(running: Any) -> None:
    async with running("runs") as pilot:
        await pilot.press("colon", "escape", "4")
        await until(pilot, lambda: pilot.app.current_mode == "approvals")


async def test_a_worker_is_started_where_runs_stand_still(
    running: Any, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    monkeypatch.setattr("core.services.workers.start_worker", started.append)
    monkeypatch.setattr(ops.workers, "list", lambda: ())
    async with running("pulse") as pilot:
        await until(pilot, lambda: bool(started))
        await settled(pilot)
    assert started == [ops.workspace]


async def test_a_read_only_session_starts_no_worker(
    running: Any, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    monkeypatch.setattr("core.services.workers.start_worker", started.append)
    with open_ops(workspace, read_only=True) as ops:
        with_live_endpoints(ops)
        monkeypatch.setattr(ops.workers, "list", lambda: ())
        async with running("pulse", on=ops) as pilot:
            await settled(pilot)
    assert not started


def test_a_fault_is_told_on_one_line_and_traced_in_the_log(
    ops: Ops, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from console.app import OpsdeckApp

    def broken(self: Any) -> None:
        raise RuntimeError("the screen broke")

    run = OpsdeckApp.run
    monkeypatch.setattr(OpsdeckApp, "_tick", broken)
    monkeypatch.setattr(OpsdeckApp, "run", lambda self: run(self, headless=True))
    with pytest.raises(Bug, match="RuntimeError: the screen broke") as raised:
        show_console(ops)
    assert raised.value.exit_status == 70
    assert raised.value.code == "E999"
    log = ops.workspace.state_dir / "console.log"
    assert str(log) in raised.value.hint
    assert "RuntimeError: the screen broke" in log.read_text()
    assert "Traceback" not in "".join(capsys.readouterr())
