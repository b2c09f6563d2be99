"""What the console changes: it asks first, ignores early keys, calls the service, tells."""

from __future__ import annotations

from typing import Any

import pytest
from textual.widgets import Input

from core.errors import EndpointUnavailable, WrongState
from screens.dialogs.base import Choice, Dialog
from screens.dialogs.confirm import Confirm, Sign
from screens.dialogs.rollback import RollbackSheet
from tests.support.driving import opened, settled, shown, until


async def test_confirmation_ignores_keys_for_its_first_400_ms(running: Any, ops: Any) -> None:
    async with running("runs") as pilot:
        await pilot.press("x")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        dialog = pilot.app.screen
        now = dialog.monotonic()
        dialog.monotonic = lambda: now  # time stands still: the dialog has just opened
        dialog._opened = now - 0.39
        for key in ("y", "enter", "escape", "tab"):
            await pilot.press(key)
        await pilot.pause()
        assert pilot.app.screen is dialog
        assert not ops.runs.get("40").run.cancel_requested
        dialog._opened = now - 0.41
        await pilot.press("y")
        await until(pilot, lambda: ops.runs.get("40").run.cancel_requested)


async def test_cancel_has_the_focus_so_that_enter_does_no_harm(running: Any, ops: Any) -> None:
    async with running("runs") as pilot:
        await pilot.press("x")
        dialog = await opened(pilot, Confirm)
        assert isinstance(pilot.app.focused, Choice)
        assert pilot.app.focused.id == "cancel"
        text = dialog.query_one("#page").text
        assert "PRODUCTION" in text
        assert "bike-demand #40" in text
        assert "killed" in text
        assert "$ opsdeck runs cancel 40" in text
        await pilot.press("enter")
        await settled(pilot)
        assert not ops.runs.get("40").run.cancel_requested


async def test_cancel_is_told_with_its_command(running: Any) -> None:
    async with running("runs") as pilot:
        await pilot.press("x")
        await opened(pilot, Confirm)
        await pilot.press("y")
        await until(pilot, lambda: "is being cancelled" in shown(pilot))
        assert "$ opsdeck runs cancel 40" in shown(pilot)
        await settled(pilot)
        assert "cancelling" in shown(pilot)


async def test_a_button_does_what_its_key_does(running: Any, ops: Any) -> None:
    async with running("runs") as pilot:
        await pilot.press("x")
        await opened(pilot, Confirm)
        await pilot.press("right", "enter")
        await until(pilot, lambda: ops.runs.get("40").run.cancel_requested)
        assert not isinstance(pilot.app.screen, Dialog)


async def test_rerun_from_the_selected_step(running: Any, ops: Any) -> None:
    async with running("runs") as pilot:
        await pilot.press("down", "down", "enter")  # the newest that has ended
        await settled(pilot)
        await pilot.press("t")
        dialog = await opened(pilot, Confirm)
        assert "--from deploy" in dialog.query_one("#page").text
        await pilot.press("escape")
        await settled(pilot)
        assert ops.runs.count() == 40


async def test_a_refused_change_shows_code_message_and_hint(running: Any, ops: Any) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise WrongState("run #40 has already ended (succeeded)", "repeat it instead")

    ops.runs.cancel = refuse
    async with running("runs") as pilot:
        await pilot.press("x")
        await opened(pilot, Confirm)
        await pilot.press("y")
        await until(pilot, lambda: "E202" in shown(pilot))
        assert "repeat it instead" in shown(pilot)


async def test_approving_to_production_wants_the_name_and_a_reason(running: Any, ops: Any) -> None:
    async with running("approvals") as pilot:
        await pilot.press("a")
        dialog = await opened(pilot, Sign)
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert "type the model's name exactly: bike-demand" in shown(pilot)
        assert "--confirm bike-demand" in " ".join(dialog.query_one("#page").text.split())
        await pilot.press(*"bike-demand")
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert "reason: say why" in shown(pilot)
        assert pilot.app.screen is dialog
        await pilot.press(*"better", "space", *"everywhere", "ctrl+s")
        await until(pilot, lambda: ops.approvals.get("4kq7").status == "approved")
        decision = ops.approvals.get("4kq7").decisions[0]
        assert (decision.actor, decision.comment) == ("engineer", "better everywhere")
        await until(pilot, lambda: "approved bike-demand v4" in shown(pilot))


async def test_rejecting_wants_a_comment(running: Any, ops: Any) -> None:
    async with running("approvals") as pilot:
        await pilot.press("x")
        await opened(pilot, Sign)
        assert isinstance(pilot.app.focused, Input)
        await pilot.press(*"bias", "enter", "enter")
        await until(pilot, lambda: ops.approvals.get("4kq7").status == "rejected")
        assert ops.approvals.get("4kq7").decisions[0].comment == "bias"


async def test_a_decision_is_bound_to_the_evidence_shown(running: Any, ops: Any) -> None:
    import sqlite3

    async with running("approvals") as pilot:
        await pilot.press("x")
        await opened(pilot, Sign)
        db = sqlite3.connect(ops.workspace.state_dir / "state.db")
        db.execute("UPDATE approvals SET evidence_hash = 'other' WHERE id = '4kq7m2xw'")
        db.commit()
        db.close()
        await pilot.press(*"no", "ctrl+s")
        await until(pilot, lambda: "E203" in shown(pilot))
        assert ops.approvals.get("4kq7").status == "open"


async def test_a_rollback_sheet_opened_again_quickly_is_read_too(
    running: Any, live: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    release, preview = threading.Event(), live.preview_rollback

    def slow(*args: Any) -> Any:
        release.wait(10)
        return preview(*args)

    monkeypatch.setattr(live, "preview_rollback", slow)
    async with running("deploys") as pilot:
        await pilot.press("R")
        await opened(pilot, RollbackSheet)
        await pilot.press("escape", "R")
        sheet = await opened(pilot, RollbackSheet)
        release.set()
        await until(pilot, lambda: sheet.preview is not None)


async def test_rollback_is_one_key_and_one_y_and_leaves_a_receipt(running: Any, live: Any) -> None:
    async with running("deploys") as pilot:
        await pilot.press("R")
        sheet = await opened(pilot, RollbackSheet)
        await until(pilot, lambda: sheet.preview is not None)
        text = sheet.query_one("#page").text
        for part in ("PRODUCTION", "bike-demand v3", "bike-demand v2", "rev 2: 90", "aliases"):
            assert part in text
        assert pilot.app.focused.id == "cancel"
        await pilot.press("y")
        await until(pilot, lambda: sheet.receipt is not None)
        await pilot.pause()
        assert live.rolled_back == [("bike-demand", None, "rolled back from the console")]
        text = sheet.query_one("#page").text
        for part in ("38.4 ms", "requests failed  0", "engineer", "01krc00000000002"):
            assert part in text
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(pilot.app.screen, Dialog)
        assert "rolled back to v2" in shown(pilot)


async def test_rollback_sheet_ignores_y_at_first(running: Any, live: Any) -> None:
    async with running("deploys") as pilot:
        await pilot.press("R")
        await until(pilot, lambda: isinstance(pilot.app.screen, RollbackSheet))
        sheet = pilot.app.screen
        await until(pilot, lambda: sheet.preview is not None)
        now = sheet.monotonic()
        sheet.monotonic = lambda: now
        sheet._opened = now - 0.3
        await pilot.press("y", "y", "y")
        await pilot.pause()
        assert live.rolled_back == []
        assert not sheet.sent


async def test_rollback_that_fails_says_why(running: Any, live: Any) -> None:
    live.error = EndpointUnavailable("endpoint bike-demand does not answer", "opsdeck doctor")
    async with running("deploys") as pilot:
        await pilot.press("R")
        sheet = await opened(pilot, RollbackSheet)
        await until(pilot, lambda: sheet.preview is not None)
        await pilot.press("y")
        await until(pilot, lambda: "E320" in shown(pilot))
        assert sheet.receipt is None


async def test_rollback_by_command(running: Any, live: Any) -> None:
    async with running("pulse") as pilot:
        pilot.app.command("rollback bike-demand v1")
        sheet = await opened(pilot, RollbackSheet)
        await until(pilot, lambda: sheet.preview is not None)
        assert "bike-demand v1" in sheet.query_one("#page").text
        await pilot.press("y")
        await until(pilot, lambda: live.rolled_back != [])
        assert live.rolled_back[0][1] == 1


async def test_promote_asks_for_the_next_step(running: Any, ops: Any) -> None:
    async with running("deploys") as pilot:
        await pilot.press("p")
        await opened(pilot, Confirm)
        await pilot.press("y")
        await until(
            pilot,
            lambda: any(e.action == "deployment.promote" for e in ops.audit.list(limit=3)),
        )


async def test_promote_full_wants_the_models_name(running: Any, ops: Any) -> None:
    async with running("deploys") as pilot:
        await pilot.press("P")
        await opened(pilot, Sign)
        await pilot.press(*"bike", "ctrl+s")
        await pilot.pause()
        assert isinstance(pilot.app.screen, Sign)
        assert not any(e.action == "deployment.promote_full" for e in ops.audit.list(limit=3))


async def test_deploying_from_models(running: Any, ops: Any) -> None:
    async with running("models") as pilot:
        await pilot.press("down", "d")
        await settled(pilot)
        await pilot.press(*"other", "enter")
        dialog = await opened(pilot, Sign)
        assert "bike-demand v3" in dialog.query_one("#page").text
        await pilot.press(*"bike-demand", "enter", *"try", "ctrl+s")
        await until(pilot, lambda: any(e.name == "other" for e in ops.endpoints.list()))
        await until(pilot, lambda: pilot.app.current_mode == "deploys")


async def test_quitting_while_a_change_is_under_way_asks_once(running: Any, ops: Any) -> None:
    import threading

    release = threading.Event()

    def slow(*_: Any, **__: Any) -> Any:
        release.wait(10)
        return ops.runs.get("40").run

    ops.runs.cancel = slow
    async with running("runs") as pilot:
        await pilot.press("x")
        await opened(pilot, Confirm)
        await pilot.press("y")
        await until(pilot, lambda: pilot.app.busy)
        await pilot.press("q")
        await pilot.pause()
        assert "still under way" in shown(pilot)
        assert not pilot.app._exit
        await pilot.press("q")
        await pilot.pause()
        assert pilot.app._exit
        release.set()


@pytest.mark.parametrize("key", ["1", "colon", "slash", "q", "x"])
async def test_keys_of_the_screen_below_do_nothing_in_a_dialog(running: Any, key: str) -> None:
    async with running("runs") as pilot:
        await pilot.press("x")
        dialog = await opened(pilot, Confirm)
        await pilot.press(key)
        await pilot.pause()
        assert pilot.app.screen is dialog
