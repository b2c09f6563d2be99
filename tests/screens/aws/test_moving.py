"""Going about an account: down and back, by name, from tab to tab; logs as they come."""

from __future__ import annotations

from typing import Any

import pytest

from core.aws.account import Account
from core.aws.kind import Column, Detail, Item, Kind
from core.aws.kinds import Place
from core.aws.logs import LogSource
from screens.aws.detail import DetailScreen
from screens.aws.logs import LogScreen
from screens.aws.screen import KindsScreen
from screens.dialogs.confirm import Confirm
from screens.dialogs.notice import TextDialog
from tests.support import awskinds
from tests.support.awskinds import fixed_account
from tests.support.driving import opened, settled, shown, until
from tests.support.looking import press
from tests.support.seed import NOW

fixed = pytest.mark.usefixtures("fixed_kinds")


@fixed
async def test_down_to_the_steps_and_back(on_aws: Any) -> None:
    async with on_aws(fixed_account(), "runs") as pilot:
        await press(pilot, "down", "enter")
        assert "Pipelines › bike-demand › Executions" in shown(pilot)
        await press(pilot, "down", "enter")
        assert isinstance(pilot.app.screen, DetailScreen)
        assert "› x1" in shown(pilot)
        await press(pilot, "escape", "escape")
        screen = pilot.app.screen
        assert isinstance(screen, KindsScreen)
        assert screen.item is not None and screen.item.id == "bike-demand"


@fixed
@pytest.mark.parametrize(
    ("typed", "seen"),
    [
        ("endpoints", "fraud-eu"),
        ("endpoints fraud", "1 of 4 endpoints"),
        ("executions", "x3"),
        ("endpoi", "fraud-eu"),
        ("endpoints/pricing", "Endpoints › pricing"),
        ("deploys", "fraud-eu"),
    ],
)
async def test_kinds_and_resources_by_name(on_aws: Any, typed: str, seen: str) -> None:
    async with on_aws(fixed_account(), "runs") as pilot:
        pilot.app.command(typed)
        await settled(pilot)
        await until(pilot, lambda: seen in shown(pilot))


@fixed
@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("endpints", "did you mean :endpoints?"),
        ("context nowhere", "no such context"),
        ("region", ":region needs a name"),
        ("region somewhere", "somewhere: is no region"),
    ],
)
async def test_what_is_mistyped_says_what_to_do(on_aws: Any, typed: str, said: str) -> None:
    async with on_aws(fixed_account(), "runs") as pilot:
        pilot.app.command(typed)
        await pilot.pause()
        assert said in shown(pilot)
        assert pilot.app.switch_to is None


@fixed
async def test_a_tab_keeps_its_selection_and_its_filter(on_aws: Any) -> None:
    async with on_aws(fixed_account(), "runs") as pilot:
        screen = pilot.app.mode_screen
        await press(pilot, "down", "tab", "slash", *"failed", "down")
        assert screen.kind.name == "executions"
        assert screen.table.total == 1
        await press(pilot, "tab")
        assert screen.item.id == "bike-demand"
        assert screen.filter_text == ""
        await press(pilot, "shift+tab")
        assert screen.filter_text == "failed"


@fixed
async def test_from_the_overview_to_what_is_wrong(on_aws: Any) -> None:
    async with on_aws(fixed_account(), "pulse") as pilot:
        await until(pilot, lambda: "fraud-eu" in shown(pilot))
        await press(pilot, "down", "enter")
        screen = pilot.app.mode_screen
        assert screen.kind.name == "endpoints"
        await until(pilot, lambda: screen.item is not None and screen.item.id == "fraud-eu")


@fixed
async def test_a_verb_that_cannot_be_done_now_says_why(on_aws: Any) -> None:
    async with on_aws(fixed_account(), "runs") as pilot:
        await press(pilot, "tab", "x")
        assert "it has ended" in shown(pilot)
        await press(pilot, "a")
        assert not isinstance(pilot.app.screen, Confirm), "the kind has no such verb"


@fixed
async def test_back_takes_one_key_and_a_y(on_aws: Any) -> None:
    async with on_aws(fixed_account(), "deploys", (80, 24)) as pilot:
        await press(pilot, "R")
        await opened(pilot, Confirm)
        await press(pilot, "y")
        await until(pilot, lambda: bool(awskinds.done))
        await settled(pilot)
        assert "rollback has begun" in shown(pilot)
    assert awskinds.done == [("rollback", "bike-demand", {})]


@fixed
async def test_an_answer_of_several_lines_is_a_dialog(on_aws: Any, use_kinds: Any) -> None:
    from dataclasses import replace

    from core.aws import registry

    endpoints = awskinds.KINDS["endpoints"]
    ask = replace(
        awskinds.verb("invoke", "s", "Invoke", "it is asked"),
        do=lambda _account, _id, _values: "200\n41.5\n40.9",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(awskinds.KINDS, "endpoints", replace(endpoints, verbs=(ask,)))
        registry.kind.cache_clear()
        async with on_aws(fixed_account(), "deploys") as pilot:
            await press(pilot, "s")
            await opened(pilot, Confirm)
            await press(pilot, "y")
            await opened(pilot, TextDialog)
            assert "41.5" in shown(pilot)


GROUP = "/aws/sagemaker/TrainingJobs"
LOGGED = Kind(
    "logged", "Jobs", "sagemaker", "jobs", (Column("job", 10, 1),),
    lambda _account, _parent: iter([[Item("fit", ("fit",), "run", NOW)]]),
    lambda _account, id_: Detail(id_), (),
    logs=lambda _account, id_: LogSource(GROUP, f"{id_}/"),
)  # fmt: skip


async def test_logs_are_followed_and_searched(
    on_aws: Any, use_kinds: Any, account: Account, client: Any
) -> None:
    use_kinds({"logged": Place(f"{__name__}:LOGGED", "runs")})
    logs = client("logs")
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName="fit/algo-1")

    def say(*lines: str, at: float = NOW) -> None:
        events = [
            {"timestamp": int(at * 1000) + place, "message": line}
            for place, line in enumerate(lines)
        ]
        logs.put_log_events(logGroupName=GROUP, logStreamName="fit/algo-1", logEvents=events)

    say(*(f"epoch {number} loss={90 - number}" for number in range(20)), at=NOW - 60)
    async with on_aws(account, "runs", (80, 24)) as pilot:
        await press(pilot, "l")
        screen = pilot.app.screen
        assert isinstance(screen, LogScreen)
        await until(pilot, lambda: len(screen.log_view) == 20)
        assert "epoch 19" in shown(pilot)
        say("epoch 20 loss=70", at=NOW - 10)
        await settled(pilot)
        assert "epoch 20" in shown(pilot)
        await settled(pilot)
        assert len(screen.log_view) == 21, "nothing is told twice"
        await press(pilot, "slash", *"loss=8", "enter")
        assert "10 matches" in shown(pilot)
