"""CodePipeline's kinds on the simulated account: the ladder, and what is done to it."""

from __future__ import annotations

from typing import Any

import pytest

from core.aws.account import Account
from core.aws.registry import kind
from core.errors import BadInput
from tests.support.awsdelivery import Client, item_of, listed, pipeline, text, verb


def started(account: Account, **values: str) -> str:
    told = verb("codepipelines", "start").do(account, "deliver", values)
    return f"deliver/{told.split()[2]}"


def test_a_pipeline_is_a_ladder(aws: Any, account: Account, client: Client) -> None:
    pipeline(client)
    before = listed(account, "codepipelines")[0]
    assert before.cells[:2] == ("deliver", "never ran")
    assert "Source not reached" in text(kind("codepipelines").show(account, "deliver"))
    started(account)
    aws.advance(20)
    assert listed(account, "codepipelines")[0].cells[1] == "InProgress"
    shown = text(kind("codepipelines").show(account, "deliver"))
    assert "Source Succeeded" in shown
    assert "Build InProgress" in shown
    assert "Deploy not reached" in shown
    assert "Build/test CodeBuild  ProjectName=tests" in shown
    aws.advance(600)
    assert listed(account, "codepipelines")[0].cells[1] == "Succeeded"


def test_a_start_asks_for_variables_and_commits(aws: Any, account: Account, client: Client) -> None:
    pipeline(client)
    start = verb("codepipelines", "start")
    fields = {each.name: each for each in start.asked(account, "deliver")}
    assert fields["MONTH"].default == "2012-01"
    assert "revision.of.fetch" in fields
    values = {"MONTH": "2012-03", "revision.of.fetch": "a1b2c3d4e5"}
    asked = start.consequence(account, "deliver", values)
    assert asked == (
        "goes through Source → Build → Deploy", "with MONTH=2012-03, fetch=a1b2c3d4e5",
    )  # fmt: skip
    id = started(account, **values)
    aws.advance(600)
    shown = text(kind("pipeline-runs").show(account, id))
    assert "MONTH 2012-03" in shown
    assert "a1b2c3d4e5" in shown
    assert "Build/test Succeeded" in shown
    assert [item.id for item in listed(account, "pipeline-runs", "deliver")] == [id]
    assert [item.id for item in listed(account, "pipeline-runs")] == [id]


def test_a_failed_stage_says_why_and_is_retried(aws: Any, account: Account, client: Client) -> None:
    pipeline(client, last="exit 1")
    id = started(account)
    aws.advance(600)
    item = item_of(account, "pipeline-runs", id)
    assert item.tone == "bad"
    assert "exit status 1" in text(kind("pipeline-runs").show(account, id))
    retry = verb("pipeline-runs", "retry")
    assert retry.blocked(item) is None
    assert verb("pipeline-runs", "stop").blocked(item) == "it is Failed"
    field = retry.asked(account, id)[0]
    assert (field.default, field.choices) == ("Build", ("Build",))
    client("codebuild").update_project(
        name="tests", source={"type": "NO_SOURCE", "buildspec": "version: 0.2\nphases: {}\n"}
    )
    assert verb("codepipelines", "retry").asked(account, "deliver")[0].default == "Build"
    assert retry.do(account, id, {"stage": "Build"}).endswith("Build runs again")
    aws.advance(600)
    assert item_of(account, "pipeline-runs", id).cells[1] == "Succeeded"


def test_a_closed_stage_holds_what_comes(aws: Any, account: Account, client: Client) -> None:
    pipeline(client)
    close, opening = verb("codepipelines", "disable"), verb("codepipelines", "enable")
    assert close.asked(account, "deliver")[0].choices == ("Build", "Deploy")
    with pytest.raises(BadInput, match="reason"):
        close.do(account, "deliver", {"stage": "Deploy"})
    with pytest.raises(BadInput, match="stage=Nowhere"):
        close.do(account, "deliver", {"stage": "Nowhere", "reason": "x"})
    close.do(account, "deliver", {"stage": "Deploy", "reason": "the fair is on"})
    assert (
        "stops in front of Deploy"
        in verb("codepipelines", "start").consequence(account, "deliver", {})[-1]
    )
    id = started(account)
    aws.advance(600)
    shown = text(kind("codepipelines").show(account, "deliver"))
    assert "╳ closed the fair is on" in shown
    assert f"⋯ waits in front {id.rpartition('/')[2][:8]}" in shown
    opening.do(account, "deliver", {"stage": "Deploy"})
    aws.advance(600)
    assert item_of(account, "pipeline-runs", id).cells[1] == "Succeeded"


def test_an_execution_is_stopped(aws: Any, account: Account, client: Client) -> None:
    pipeline(client)
    id = started(account)
    aws.advance(10)
    stop = verb("pipeline-runs", "stop")
    assert stop.consequence(account, id, {})[0].startswith("stops deliver in Build when")
    asked = stop.consequence(account, id, {"abandon": "yes"})
    assert "without being watched" in asked[1]
    stop.do(account, id, {"abandon": "yes", "reason": "wrong month"})
    aws.advance(5)
    assert item_of(account, "pipeline-runs", id).cells[1] == "Stopped"


def test_back_to_an_execution_that_was_good(aws: Any, account: Account, client: Client) -> None:
    pipeline(client)
    good = started(account, **{"revision.of.fetch": "aaaaaaaaaa"})
    aws.advance(600)
    started(account, **{"revision.of.fetch": "bbbbbbbbbb"})
    aws.advance(600)
    back = verb("pipeline-runs", "rollback")
    assert back.back
    asked = back.consequence(account, good, {"stage": "Deploy"})
    assert "with what" in asked[0]
    assert "aaaaaaaa" in asked[0]
    told = back.do(account, good, {"stage": "Deploy"})
    aws.advance(600)
    rolled = f"deliver/{told.split()[-1]}"
    assert "goes back to" in text(kind("pipeline-runs").show(account, rolled))
    assert "(rollback)" in text(kind("codepipelines").show(account, "deliver"))


def test_one_pipeline_that_is_denied_does_not_lose_the_others(
    aws: Any, account: Account, client: Client
) -> None:
    pipeline(client)
    aws.fault("codepipeline:ListPipelineExecutions", code="AccessDenied", times=1)
    assert "denied" in listed(account, "codepipelines")[0].cells[1]


def test_who_waits_for_a_person_is_told_in_the_list(
    aws: Any, account: Account, client: Client
) -> None:
    pipeline(client)
    told = client("codepipeline").get_pipeline(name="deliver")["pipeline"]
    kind_ = {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}
    told["stages"][1] = {"name": "Judge", "actions": [{"name": "ask", "actionTypeId": kind_}]}
    client("codepipeline").update_pipeline(pipeline=told)
    started(account)
    aws.advance(60)
    (item,) = listed(account, "codepipelines")
    assert (item.cells[1], item.tone) == ("asks: Judge", "wait")
    assert "ask waits for an approval" in text(kind("codepipelines").show(account, "deliver"))
