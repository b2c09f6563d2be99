"""EventBridge's rules and SNS' topics on the simulated account."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.aws.account import Account
from core.aws.kinds.events.rules import example
from core.aws.registry import kind
from core.errors import BadInput, ReadOnly
from tests.support.awsdelivery import Client, item_of, listed, text, verb

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:told"
PATTERN = {
    "source": ["aws.sagemaker"],
    "detail-type": ["SageMaker Model Package State Change"],
    "detail": {"ModelApprovalStatus": ["Approved", "Rejected"]},
}


@pytest.fixture
def ruled(client: Client, aws: Any) -> Any:
    events = client("events")
    client("sqs").create_queue(QueueName="told")
    events.put_rule(
        Name="approved", EventPattern=json.dumps(PATTERN), Description="a model was judged"
    )
    events.put_rule(Name="nightly", ScheduleExpression="rate(1 day)", State="DISABLED")
    events.put_targets(Rule="approved", Targets=[{"Id": "queue", "Arn": QUEUE}])
    events.create_event_bus(Name="models")
    events.put_rule(
        Name="late", EventBusName="models", EventPattern=json.dumps({"source": ["bike"]})
    )
    return events


def test_rules_of_every_bus_say_when(account: Account, ruled: Any) -> None:
    rows = {item.id: item for item in listed(account, "rules")}
    assert rows["approved"].cells[2] == (
        "aws.sagemaker, SageMaker Model Package State Change, ModelApprovalStatus=Approved|Rejected"
    )
    assert rows["nightly"].cells[:3] == ("nightly", "off", "rate(1 day)")
    assert rows["models/late"].cells[3] == "models"
    assert "models" in text(kind("rules").show(account, "models/late"))


def test_a_rule_shows_pattern_and_targets(account: Account, ruled: Any, aws: Any) -> None:
    shown = text(kind("rules").show(account, "approved"))
    assert '"Approved"' in shown
    assert f"queue {QUEUE}" in shown
    assert "none: nothing happens" in text(kind("rules").show(account, "nightly"))
    aws.fault("events:ListTargetsByRule", code="AccessDenied", times=1)
    shown = text(kind("rules").show(account, "approved"))
    assert "denied" in shown
    assert '"Approved"' in shown


def test_a_rule_is_switched(account: Account, ruled: Any) -> None:
    off, on = verb("rules", "disable"), verb("rules", "enable")
    assert off.consequence(account, "approved", {})[0].endswith("→ told")
    off.do(account, "approved", {})
    item = item_of(account, "rules", "approved")
    assert off.blocked(item) == "it is off already"
    assert on.blocked(item) is None
    on.do(account, "approved", {})
    assert item_of(account, "rules", "approved").cells[1] == "on"


def test_an_event_is_tried_on_a_pattern(account: Account, ruled: Any) -> None:
    attempt = verb("rules", "test")
    assert attempt.reads
    default = attempt.asked(account, "approved")[0].default
    assert json.loads(default)["detail"] == {"ModelApprovalStatus": "Approved"}
    assert attempt.do(account, "approved", {"event": default}) == "approved: takes it"
    other = json.dumps({**json.loads(default), "source": "aws.s3"})
    assert attempt.do(account, "approved", {"event": other}).endswith("does not take it")
    with pytest.raises(BadInput, match="is no JSON"):
        attempt.do(account, "approved", {"event": "{"})
    with pytest.raises(BadInput, match="goes by a schedule"):
        attempt.do(account, "nightly", {"event": "{}"})


def test_an_example_of_matchers() -> None:
    pattern = {"detail": {"key": [{"prefix": "data/"}], "size": [{"numeric": [">", 1]}]}}
    assert example(pattern) == {"detail": {"key": "data/", "size": "…"}}


@pytest.fixture
def topic(client: Client, aws: Any) -> str:
    client("sqs").create_queue(QueueName="told")
    made: str = client("sns").create_topic(
        Name="oncall", Attributes={"KmsMasterKeyId": "alias/aws/sns"}
    )["TopicArn"]
    return made


def test_a_topic_tells_who_hears_of_it(account: Account, topic: str, client: Client) -> None:
    (item,) = listed(account, "topics")
    assert item.cells[:3] == ("oncall", "0", "KMS")
    assert item.tone == "wait"
    assert verb("topics", "publish").consequence(account, topic, {})[0].startswith("nobody")
    told = verb("topics", "subscribe").do(account, topic, {"protocol": "sqs", "endpoint": QUEUE})
    assert told.endswith("is subscribed")
    assert f"sqs {QUEUE}" in text(kind("topics").show(account, topic))
    assert listed(account, "topics")[0].cells[1] == "1"
    publish = verb("topics", "publish")
    assert publish.consequence(account, topic, {}) == ("sends a message to 1: sqs told",)
    publish.do(account, topic, {"subject": "A test", "message": "hello"})
    queue = client("sqs").get_queue_url(QueueName="told")["QueueUrl"]
    (message,) = client("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert json.loads(message["Body"])["Message"] == "hello"
    with pytest.raises(BadInput, match="101 characters"):
        publish.do(account, topic, {"subject": "x" * 101, "message": "hello"})


def test_read_only_tells_nobody(account: Account, topic: str, aws: Any) -> None:
    reading = Account(account.context, read_only=True, attempts=1)
    with pytest.raises(ReadOnly, match="sns:Publish"):
        verb("topics", "publish").do(reading, topic, {"message": "hello"})
    assert "Publish" not in {each.operation for each in aws.calls}
