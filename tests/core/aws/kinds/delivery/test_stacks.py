"""CloudFormation's stacks on the simulated account: planned, deployed, shown, deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.aws.account import Account
from core.aws.registry import kind
from core.errors import BadInput, OpsdeckError, ReadOnly
from tests.support.awsdelivery import Client, item_of, listed, text, verb

TEMPLATE = """
Description: a queue and a topic
Parameters:
  Name: {{Type: String}}
  Seconds: {{Type: Number, Default: 30}}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {{QueueName: !Ref Name, VisibilityTimeout: !Ref Seconds}}
  {more}
Outputs:
  Address: {{Value: !Ref Queue}}
"""
TOPIC = "Topic: {Type: 'AWS::SNS::Topic', Properties: {TopicName: told}}"
BUCKET = "Bucket: {Type: 'AWS::S3::Bucket', Properties: {BucketName: held-things}}"


def written(tmp_path: Path, more: str = TOPIC) -> str:
    path = tmp_path / "stack.yaml"
    path.write_text(TEMPLATE.format(more=more))
    return str(path)


def made(account: Account, aws: Any, template: str) -> None:
    values = {"name": "queues", "template": template, "parameters": "Name=first"}
    told = verb("stacks", "new").do(account, "", values)
    assert "+ Queue  add AWS::SQS::Queue" in told
    deploy = verb("stacks", "deploy")
    change_set = deploy.asked(account, "queues")[0].default
    deploy.do(account, "queues", {"set": change_set})
    aws.advance(60)


def test_a_stack_is_planned_then_deployed_then_shown(
    account: Account, aws: Any, tmp_path: Path
) -> None:
    template = written(tmp_path)
    values = {"name": "queues", "template": template, "parameters": "Name=first"}
    verb("stacks", "new").do(account, "", values)
    item = item_of(account, "stacks", "queues")
    assert item.cells[1] == "REVIEW_IN_PROGRESS"
    deploy = verb("stacks", "deploy")
    assert deploy.blocked(item) is None
    (field,) = deploy.asked(account, "queues")
    assert "+ Topic  add AWS::SNS::Topic" in deploy.consequence(
        account, "queues", {"set": field.default}
    )
    assert "+ Queue add AWS::SQS::Queue" in text(kind("stacks").show(account, "queues"))
    deploy.do(account, "queues", {"set": field.default})
    aws.advance(60)
    (item,) = listed(account, "stacks")
    assert item.cells[1] == "CREATE_COMPLETE"
    shown = text(kind("stacks").show(account, "queues"))
    assert "Queue AWS::SQS::Queue  first  CREATE_COMPLETE" in shown
    assert "Seconds 30" in shown
    assert "none waits" in shown


def test_a_change_is_a_diff_that_says_what_is_lost(
    account: Account, aws: Any, tmp_path: Path
) -> None:
    made(account, aws, written(tmp_path, BUCKET))
    plan = verb("stacks", "plan")
    again = {"template": written(tmp_path, BUCKET), "parameters": ""}
    assert plan.do(account, "queues", again) == "queues: nothing would change"
    values = {"template": written(tmp_path, ""), "parameters": "Seconds=60"}
    told = plan.do(account, "queues", values).splitlines()
    assert "- Bucket  remove AWS::S3::Bucket  LOSES its objects" in told
    assert any("VisibilityTimeout: 30 → 60" in line for line in told)
    change_set = verb("stacks", "discard").asked(account, "queues")[0].default
    verb("stacks", "discard").do(account, "queues", {"set": change_set})
    assert "none waits" in text(kind("stacks").show(account, "queues"))
    with pytest.raises(BadInput, match="Seconsd is none of the template's"):
        plan.do(account, "queues", {**values, "parameters": "Seconsd=60"})


def test_what_holds_something_is_not_deleted(
    account: Account, aws: Any, client: Client, tmp_path: Path
) -> None:
    made(account, aws, written(tmp_path, BUCKET))
    client("s3").put_object(Bucket="held-things", Key="a", Body=b"1")
    delete = verb("stacks", "delete")
    assert delete.typed
    asked = delete.consequence(account, "queues", {})
    assert "with its 2 resources" in asked[0]
    assert asked[1].startswith("held-things holds objects")
    with pytest.raises(OpsdeckError, match="held-things holds objects"):
        delete.do(account, "queues", {})
    client("s3").delete_object(Bucket="held-things", Key="a")
    delete.do(account, "queues", {})
    aws.advance(60)
    assert listed(account, "stacks") == []


def test_a_protected_stack_is_not_offered_for_deletion(
    account: Account, aws: Any, client: Client, tmp_path: Path
) -> None:
    made(account, aws, written(tmp_path))
    client("cloudformation").update_termination_protection(
        StackName="queues", EnableTerminationProtection=True
    )
    item = item_of(account, "stacks", "queues")
    assert verb("stacks", "delete").blocked(item) == "it is protected against deletion"


def test_reading_only_plans_nothing(account: Account, aws: Any, tmp_path: Path) -> None:
    reading = Account(account.context, read_only=True, attempts=1)
    values = {"name": "queues", "template": written(tmp_path), "parameters": "Name=first"}
    with pytest.raises(ReadOnly, match="cloudformation:CreateChangeSet"):
        verb("stacks", "new").do(reading, "", values)
    assert verb("stacks", "drift").reads
    assert "CreateChangeSet" not in {each.operation for each in aws.calls}


def test_what_was_changed_by_hand_is_drift(
    account: Account, aws: Any, client: Client, tmp_path: Path
) -> None:
    made(account, aws, written(tmp_path, TOPIC.replace("told}", "told, DisplayName: Ours}")))
    drift = verb("stacks", "drift")
    assert drift.do(account, "queues", {}).startswith("queues: in sync")
    client("sns").set_topic_attributes(
        TopicArn="arn:aws:sns:eu-west-1:123456789012:told",
        AttributeName="DisplayName", AttributeValue="Theirs",
    )  # fmt: skip
    told = drift.do(account, "queues", {})
    assert told.startswith("queues: drifted")
    assert "DisplayName: Ours → Theirs" in told
    (item,) = listed(account, "stacks")
    assert (item.cells[2], item.tone) == ("drifted", "wait")
