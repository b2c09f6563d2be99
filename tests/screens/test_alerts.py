"""The Alerts mode: what is seen, and what each key does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.alerting.proposing import Proposal
from core.domain.quality import HoldPreview, QuarantinedBatch, QuarantineState
from core.errors import BadInput
from core.ops import Ops, open_ops
from screens.dialogs.base import Dialog
from screens.dialogs.confirm import Confirm, Sign
from screens.dialogs.hold import HoldSheet
from screens.dialogs.pick import Pick
from screens.dialogs.rollback import RollbackSheet
from screens.dialogs.text import TextField
from screens.labels.screen import LabelsScreen
from screens.rollouts.screen import ReleaseScreen
from tests.support.alertseed import seed_alerts
from tests.support.answers import answering
from tests.support.driving import opened, settled, shown, until
from tests.support.live import with_live_endpoints
from tests.support.looking import HIGH, LOW, look, press, sized

PANES = ("what", "do", "before", "log", "notified")


@pytest.fixture(scope="session")
def alert_template(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The seeded workspace with alerts, to be copied."""
    path = tmp_path_factory.mktemp("alerts") / "bike-demand"
    shutil.copytree(template, path)
    return seed_alerts(path)


@pytest.fixture
def alert_ops(alert_template: Path, tmp_path: Path) -> Iterator[Ops]:
    """The facade of a workspace with alerts, as `engineer`."""
    path = tmp_path / "alerts" / "bike-demand"
    shutil.copytree(alert_template, path)
    with open_ops(path, actor="engineer") as opened_:
        with_live_endpoints(opened_)
        yield opened_


@sized
@pytest.mark.parametrize("pane", PANES)
async def test_pane(running: Any, alert_ops: Any, pane: str, size: tuple[int, int]) -> None:
    async with running("alerts", size, on=alert_ops) as pilot:
        await press(pilot, pane[0])
        look(pilot, f"alerts-{pane}", size)


@sized
async def test_the_storm_is_one_line(running: Any, alert_ops: Any, size: tuple[int, int]) -> None:
    async with running("alerts", size, on=alert_ops) as pilot:
        await press(pilot, "j", "j")
        assert "500×" in shown(pilot)
        assert [row.kind for row in listed(pilot)].count("drift") == 1
        look(pilot, "alerts-storm", size)


async def test_what_is_hidden_is_counted_and_shown_on_demand(running: Any, alert_ops: Any) -> None:
    async with running("alerts", HIGH, on=alert_ops) as pilot:
        assert "1 silenced" in shown(pilot)
        assert "endpoint/shop" not in [row.target for row in listed(pilot)]
        await press(pilot, "f")
        await press(pilot, "j")
        assert "endpoint/shop" in [row.target for row in listed(pilot)]
        assert "by reviewer: its machine" in shown(pilot)
        look(pilot, "alerts-hidden", HIGH)
        await press(pilot, "S")
        await until(pilot, lambda: alert_ops.alerts.silences() == ())


async def test_without_colours_it_can_be_read(
    running: Any, alert_ops: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running("alerts", LOW, on=alert_ops) as pilot:
        look(pilot, "mono-alerts", LOW)


async def test_nothing_open_is_said(running: Any, ops: Any) -> None:
    async with running("alerts", LOW) as pilot:
        assert "no alert is open: nothing needs you" in shown(pilot)
        await press(pilot, "a")
        assert "no alert is selected" in shown(pilot)


async def test_one_key_acknowledges_and_the_list_stays(running: Any, alert_ops: Any) -> None:
    async with running("alerts", HIGH, on=alert_ops) as pilot:
        await press(pilot, "a")
        await until(pilot, lambda: worst(alert_ops).acked_by == "engineer")
        await settled(pilot)
        assert "engineer looks after it" in shown(pilot)
        await press(pilot, "a")
        assert "engineer looks after it already" in shown(pilot)


async def test_escalation_asks_since_it_wakes_somebody(running: Any, alert_ops: Any) -> None:
    async with running("alerts", HIGH, on=alert_ops) as pilot:
        await pilot.press("e")
        await opened(pilot, Confirm)
        assert "reviewer, chat" in shown(pilot)
        look(pilot, "dialog-escalate", HIGH)
        await pilot.press("y")
        await until(pilot, lambda: worst(alert_ops).level == 1)


async def test_snooze_and_assign_offer_what_there_is(running: Any, alert_ops: Any) -> None:
    async with running("alerts", HIGH, on=alert_ops) as pilot:
        await pilot.press("A")
        await opened(pilot, Pick)
        assert "oncall/primary" in shown(pilot)
        await press(pilot, "j", "enter")
        await until(pilot, lambda: worst(alert_ops).owner == "reviewer")
        await settled(pilot)
        await pilot.press("z")
        await opened(pilot, Pick)
        look(pilot, "dialog-snooze", HIGH)
        await press(pilot, "enter")
        await until(pilot, lambda: alert_ops.alerts.triage().snoozed == 1)


async def test_a_silence_wants_a_reason(running: Any, alert_ops: Any) -> None:
    async with running("alerts", HIGH, on=alert_ops) as pilot:
        await pilot.press("s")
        await opened(pilot, Pick)
        await pilot.press("enter")
        await opened(pilot, Sign)
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert "reason: say why" in shown(pilot)
        await pilot.press(*"known", "ctrl+s")
        await until(pilot, lambda: len(alert_ops.alerts.silences()) == 2)
        await settled(pilot)
        assert [row.kind for row in listed(pilot)] == ["data_quality", "drift"]


async def test_comments_and_the_end_are_on_the_timeline(running: Any, alert_ops: Any) -> None:
    async with running("alerts", HIGH, on=alert_ops) as pilot:
        ref = worst(alert_ops).id
        await pilot.press("c")
        await opened(pilot, TextField)
        await pilot.press(*"looking", "enter")
        await until(pilot, lambda: "comment" in kinds(alert_ops, ref))
        await settled(pilot)
        await pilot.press("v")
        await opened(pilot, TextField)
        await pilot.press(*"fixed", "enter")
        await until(pilot, lambda: alert_ops.alerts.get(ref).state == "resolved")
        assert kinds(alert_ops, ref)[-2:] == ["comment", "resolved"]
        await settled(pilot)
        assert ref not in [row.id for row in listed(pilot)]


async def test_roll_back_is_the_same_sheet_as_elsewhere(running: Any, alert_ops: Any) -> None:
    async with running("alerts", HIGH, on=alert_ops) as pilot:
        await pilot.press("R")
        await opened(pilot, RollbackSheet)
        assert "bike-demand" in shown(pilot)


async def test_retrain_asks_and_starts_the_run(running: Any, alert_ops: Any) -> None:
    async with running("alerts", HIGH, on=alert_ops) as pilot:
        before = alert_ops.runs.count()
        await pilot.press("t")
        await opened(pilot, Confirm)
        assert "opsdeck runs start bike-demand" in shown(pilot)
        await pilot.press("y")
        await until(pilot, lambda: alert_ops.runs.count() == before + 1)


async def test_enter_opens_the_evidence(running: Any, alert_ops: Any) -> None:
    async with running("alerts", HIGH, on=alert_ops) as pilot:
        await press(pilot, "j", "enter")
        assert pilot.app.current_mode == "data"


async def test_an_alarm_over_a_monitor_opens_the_monitor(running: Any, alert_ops: Any) -> None:
    async with running("alerts", HIGH, on=alert_ops) as pilot:
        await press(pilot, "enter")
        assert pilot.app.current_mode == "monitors"


async def test_rows_are_labelled_from_an_alert(running: Any, alert_ops: Any) -> None:
    async with running("alerts", HIGH, on=alert_ops) as pilot:
        await pilot.press("L")
        await until(pilot, lambda: isinstance(pilot.app.screen, LabelsScreen))


async def test_data_are_put_right_from_an_alert(running: Any, alert_ops: Any) -> None:
    async with running("alerts", HIGH, on=alert_ops) as pilot:
        await press(pilot, "j", "H")
        await until(pilot, lambda: pilot.app.current_mode == "data")


WHERE = "season = 3 AND temp > 0.9"
WOULD = HoldPreview(
    "rentals", WHERE, 84, 17_379, 12,
    (("dataset", "hourly"), ("feature view", "usual_demand@1"), ("pipeline", "bike-demand"),
     ("model", "bike-demand/7"), ("endpoint", "bike-demand"), ("monitor", "rentals-quality")),
)  # fmt: skip
HELD = QuarantinedBatch(
    "3be6f1335552", "rentals", "b", None, 0.0, "engineer", QuarantineState.HELD, 84, 84, "", {}
)


@pytest.fixture
def proposing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every alert's evidence names rows of rentals."""
    found = Proposal("rentals", WHERE, "rentals-drift: temp drifts, most of it in season=3")
    monkeypatch.setattr("core.alerting.actions.proposal_of", lambda *_: found)


@sized
async def test_the_rows_behind_an_alert_are_looked_over(
    running: Any, alert_ops: Any, proposing: None, size: tuple[int, int]
) -> None:
    aside = answering(alert_ops, {("quality", "preview_hold"): WOULD, ("quality", "hold"): HELD})
    async with running("alerts", size, on=alert_ops) as pilot:
        await pilot.press("H")
        await opened(pilot, HoldSheet)
        await until(pilot, lambda: "84 of 17,379" in shown(pilot))
        look(pilot, "alerts-hold", size)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "held as 3be6f133" in shown(pilot))
    reason = aside.asked[-1][-1]
    assert aside.asked[-1][:4] == ("quality", "hold", "rentals", WHERE)
    assert reason.endswith("rentals-drift: temp drifts, most of it in season=3")
    told = [each.message for each in alert_ops.alerts.detail(worst(alert_ops).id).events]
    assert f"held 84 rows of rentals as 3be6f1335552: {WHERE}" in told


async def test_a_condition_that_was_not_counted_holds_nothing(
    running: Any, alert_ops: Any, proposing: None
) -> None:
    said = [WOULD, BadInput("dataset rentals: none of its rows meets it")]
    aside = answering(alert_ops, {("quality", "preview_hold"): lambda *_: said.pop(0)})
    async with running("alerts", LOW, on=alert_ops) as pilot:
        await pilot.press("H")
        await opened(pilot, HoldSheet)
        await until(pilot, lambda: "84 of 17,379" in shown(pilot))
        await press(pilot, *"x", "ctrl+s")
        await until(pilot, lambda: "none of its rows meets it" in shown(pilot))
        await pilot.press("ctrl+s")
        assert isinstance(pilot.app.screen, HoldSheet)
    assert [asked[1] for asked in aside.asked] == ["preview_hold", "preview_hold"]
    assert aside.asked[-1][-1] == WHERE + "x"


async def test_a_typed_command_selects_an_alert(running: Any, alert_ops: Any) -> None:
    ref = alert_ops.alerts.triage(hidden=True).alerts[-1].id
    async with running("pulse", HIGH, on=alert_ops) as pilot:
        await press(pilot, "colon", *f"alerts {ref}", "enter")
        assert pilot.app.screen.alert.id == ref  # type: ignore[attr-defined]


async def test_pulse_opens_the_alert_that_it_tells_of(running: Any, alert_ops: Any) -> None:
    async with running("pulse", HIGH, on=alert_ops) as pilot:
        await press(pilot, "slash", *"mae", "enter", "enter")
        await until(pilot, lambda: pilot.app.current_mode == "alerts")
        await settled(pilot)
        assert pilot.app.screen.alert.id == worst(alert_ops).id  # type: ignore[attr-defined]


async def test_read_only_takes_the_changes_away(
    running: Any, alert_template: Path, tmp_path: Path
) -> None:
    path = tmp_path / "read" / "bike-demand"
    shutil.copytree(alert_template, path)
    with open_ops(path, actor="engineer", read_only=True) as reading:
        with_live_endpoints(reading)
        async with running("alerts", HIGH, on=reading) as pilot:
            await press(pilot, "v")
            assert "this session is read-only" in shown(pilot)
            assert not isinstance(pilot.app.screen, Dialog)


async def test_release_is_opened_by_an_alert_of_an_endpoint(running: Any, ops: Any) -> None:
    from core.releases.alerts import raise_alert

    with ops.session.change("test") as tx:
        raise_alert(tx, "rollback", "endpoint/bike-demand", "it went back to v2", "alarm errors")
    async with running("alerts", HIGH) as pilot:
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, ReleaseScreen)


def worst(ops: Ops) -> Any:
    """The first alert of the list."""
    return ops.alerts.triage(hidden=True).alerts[0]


def kinds(ops: Ops, ref: str) -> list[str]:
    """What is on an alert's timeline."""
    return [event.kind for event in ops.alerts.detail(ref).events]


def listed(pilot: Any) -> list[Any]:
    """The alerts of the list."""
    return list(pilot.app.screen.table.rows)
