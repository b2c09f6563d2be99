"""Policies say what the console calls: no less, and no change for who may only read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.aws.calls import writes
from core.aws.policies import ROLES, actions, policy, table
from core.aws.registry import all_kinds, kind
from core.errors import BadInput

KINDS = all_kinds()
ROOT = Path(__file__).parents[3]


def test_a_reader_s_policy_has_no_action_that_changes_anything() -> None:
    changing = {each for each in actions(KINDS, "reader") if writes(each.partition(":")[2])}
    assert changing == set()


def test_each_role_may_what_the_one_before_may() -> None:
    reader, engineer, operator = (
        set(actions(KINDS, role)) for role in ("reader", "engineer", "operator")
    )
    assert reader < set(actions(KINDS, "reviewer")) < set(actions(KINDS, "oncall"))
    assert reader < engineer < operator


def test_who_reviews_decides_and_does_nothing_else() -> None:
    more = set(actions(KINDS, "reviewer")) - set(actions(KINDS, "reader"))
    assert more == {
        "sagemaker:UpdateModelPackage", "codepipeline:PutApprovalResult",
        "states:SendTaskSuccess", "states:SendTaskFailure", "sqs:ReceiveMessage",
    }  # fmt: skip


def test_who_is_on_call_can_roll_back() -> None:
    assert "sagemaker:UpdateEndpoint" in actions(KINDS, "oncall")
    assert "sagemaker:DeleteEndpoint" not in actions(KINDS, "oncall")


def test_no_role_may_set_an_alarm_s_state() -> None:
    for role in ROLES:
        assert "cloudwatch:SetAlarmState" not in actions(KINDS, role), role


def test_a_policy_is_held_to_its_region_where_the_service_has_one() -> None:
    told = policy((kind("buckets"), kind("alarms")), "reader", "eu-west-1")
    by_sid = {each["Sid"]: each for each in told["Statement"]}
    wanted = {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
    assert by_sid["Cloudwatch"]["Condition"] == wanted
    assert "Condition" not in by_sid["S3"]
    assert "Condition" not in policy((kind("alarms"),), "reader")["Statement"][0]


def test_no_such_role() -> None:
    with pytest.raises(BadInput, match="--role king: no such role"):
        actions(KINDS, "king")


def test_the_docs_say_what_each_kind_calls() -> None:
    """UPDATE_DOCS=1 writes the table anew."""
    page = ROOT / "docs" / "aws.md"
    begin, end = "<!-- what each kind calls -->\n", "<!-- end -->"
    before, _, rest = page.read_text("utf-8").partition(begin)
    written, _, after = rest.partition(end)
    wanted = "\n".join(table(KINDS)) + "\n"
    if os.environ.get("UPDATE_DOCS"):
        page.write_text(f"{before}{begin}{wanted}{end}{after}", "utf-8")
        return
    assert written == wanted, "UPDATE_DOCS=1 writes the table of docs/aws.md anew"
