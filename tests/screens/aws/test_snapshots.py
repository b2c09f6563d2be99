"""Every screen and dialog of an AWS account as it looks at 80×24 and 120×40."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from textual.pilot import Pilot

from core.aws.context import AwsContext, add_context
from screens.aws.form import Form
from screens.aws.raw import RawDialog
from screens.dialogs.base import Dialog
from screens.dialogs.confirm import Confirm, Sign
from screens.widgets.chart import Chart
from tests.support import awskinds
from tests.support.driving import opened, settled, shown, until
from tests.support.looking import look, press, sized

pytestmark = pytest.mark.usefixtures("fixed_kinds")

SCREENS: dict[str, tuple[str, list[str]]] = {
    "pulse": ("pulse", []),
    "runs": ("runs", []),
    "runs-filtered": ("runs", ["slash", *"bike"]),
    "below": ("runs", ["down", "enter", "down"]),
    "detail": ("runs", ["enter", "down", "down", "enter"]),
    "approvals": ("approvals", []),
    "deploys": ("deploys", []),
    "deploys-without-pane": ("deploys", ["d"]),
    "denied": ("alerts", []),
    "no-kinds": ("features", []),
    "empty": ("deploys", ["tab"]),
    "command-line": ("runs", ["colon", *"e", "tab"]),
}
DIALOGS: dict[str, tuple[str, list[str], type[Any]]] = {
    "rollback": ("deploys", ["R"], Confirm),
    "form": ("deploys", ["w"], Form),
    "delete": ("deploys", ["x"], Sign),
    "menu": ("deploys", ["m"], Dialog),
    "raw": ("deploys", ["J"], RawDialog),
    "help": ("deploys", ["question_mark"], Dialog),
}


async def described(pilot: Pilot[Any]) -> None:
    """Wait until the selected resource has been described, if its pane is shown."""
    screen = pilot.app.mode_screen
    if getattr(screen, "item", None) is not None and hasattr(screen, "_pane_on"):
        kind, item, details = screen.kind, screen.item, screen.backend.details
        if screen._pane_on:
            await until(pilot, lambda: details.known(kind.name, item.id) is not None)
    await pilot.pause()
    charts = [c for c in pilot.app.screen.query(Chart) if c.display and c.series]
    if charts and charts[0].is_on_screen:
        await until(pilot, lambda: "plotext" in sys.modules and all(c.draws for c in charts))
        await pilot.pause()


@sized
@pytest.mark.parametrize("name", SCREENS)
async def test_screen(on_aws: Any, name: str, size: tuple[int, int]) -> None:
    mode, keys = SCREENS[name]
    async with on_aws(awskinds.fixed_account(), mode, size) as pilot:
        await press(pilot, *keys)
        await described(pilot)
        look(pilot, f"aws-{name}", size)


@sized
@pytest.mark.parametrize("name", DIALOGS)
async def test_dialog(on_aws: Any, name: str, size: tuple[int, int]) -> None:
    mode, keys, kind = DIALOGS[name]
    async with on_aws(awskinds.fixed_account(), mode, size) as pilot:
        await described(pilot)
        await press(pilot, *keys)
        await opened(pilot, kind)
        look(pilot, f"aws-dialog-{name}", size)


@sized
async def test_contexts(on_aws: Any, size: tuple[int, int]) -> None:
    add_context(AwsContext("ml-staging", region="eu-west-1", environment="staging"))
    add_context(AwsContext("ml-production", profile="ml", environment="production"))
    async with on_aws(awskinds.fixed_account(), "runs", size) as pilot:
        await described(pilot)
        await press(pilot, "colon", *"context", "enter")
        await opened(pilot, Dialog)
        look(pilot, "aws-dialog-contexts", size)


@sized
async def test_production_and_read_only(on_aws: Any, size: tuple[int, int]) -> None:
    account = awskinds.fixed_account("ml-production", environment="production", read_only=True)
    async with on_aws(account, "deploys", size) as pilot:
        await press(pilot, "x")
        await described(pilot)
        assert "read-only" in shown(pilot)
        look(pilot, "aws-read-only", size)


async def test_no_color(on_aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with on_aws(awskinds.fixed_account(), "deploys", (80, 24)) as pilot:
        await described(pilot)
        look(pilot, "aws-mono", (80, 24))


async def test_production_has_the_name_typed(on_aws: Any) -> None:
    account = awskinds.fixed_account("ml-production", environment="production")
    async with on_aws(account, "deploys", (80, 24)) as pilot:
        await press(pilot, "w")
        await opened(pilot, Form)
        await press(pilot, "ctrl+s")
        await opened(pilot, Sign)
        look(pilot, "aws-dialog-production", (80, 24))
        await press(pilot, *"bike-demand", "ctrl+s")
        await until(pilot, lambda: bool(awskinds.done))
    values = {"weight": "10", "strategy": "canary", "note": ""}
    assert awskinds.done == [("weights", "bike-demand", values)]


async def test_cancel_does_nothing(on_aws: Any) -> None:
    async with on_aws(awskinds.fixed_account(), "deploys", (120, 40)) as pilot:
        await press(pilot, "R")
        await opened(pilot, Confirm)
        await press(pilot, "enter")  # the focus is on Cancel
        await settled(pilot)
    assert awskinds.done == []
