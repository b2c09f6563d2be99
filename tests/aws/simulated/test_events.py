"""Events of EventBridge reach topics, pipelines and state machines."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from core.simulated.handlers.event_schedules import following
from core.simulated.server import SimulatedAccount

Client = Callable[[str], Any]


def _rule(client: Client, name: str, target: str, **more: Any) -> None:
    pattern = json.dumps({"source": ["shop"], "detail": {"kind": ["sold"]}})
    client("events").put_rule(Name=name, EventPattern=pattern)
    client("events").put_targets(Rule=name, Targets=[{"Id": "1", "Arn": target, **more}])


def _send(client: Client, kind: str) -> int:
    entry = {"Source": "shop", "DetailType": "Sale", "Detail": json.dumps({"kind": kind})}
    return int(client("events").put_events(Entries=[entry])["FailedEntryCount"])


def test_a_topic_a_queue_and_a_project_get_what_fits(aws: SimulatedAccount, client: Client) -> None:
    sqs, sns = client("sqs"), client("sns")
    urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("direct", "by-topic")}
    arns = {
        name: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        for name, url in urls.items()
    }
    topic = sns.create_topic(Name="sales")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arns["by-topic"])
    client("codebuild").create_project(
        name="report",
        source={"type": "NO_SOURCE", "buildspec": "version: 0.2\nphases: {}\n"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "x",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        serviceRole="arn:aws:iam::123456789012:role/build",
    )
    _rule(client, "direct", arns["direct"])
    _rule(client, "topic", topic, InputPath="$.detail")
    _rule(client, "build", "arn:aws:codebuild:eu-west-1:123456789012:project/report")
    _rule(client, "nowhere", "arn:aws:lambda:eu-west-1:123456789012:function:absent")
    _rule(client, "off", arns["direct"])
    client("events").disable_rule(Name="off")
    assert _send(client, "returned") == _send(client, "sold") == 0
    direct = sqs.receive_message(QueueUrl=urls["direct"], MaxNumberOfMessages=10)["Messages"]
    assert [json.loads(each["Body"])["detail"] for each in direct] == [{"kind": "sold"}]
    told = sqs.receive_message(QueueUrl=urls["by-topic"])["Messages"][0]
    assert json.loads(json.loads(told["Body"])["Message"]) == {"kind": "sold"}
    assert len(client("codebuild").list_builds()["ids"]) == 1
    failed = client("cloudwatch").list_metrics(
        Namespace="AWS/Events", MetricName="FailedInvocations"
    )["Metrics"]
    assert [each["Dimensions"][0]["Value"] for each in failed] == ["nowhere"]


def test_events_that_are_none_are_refused_one_by_one(client: Client) -> None:
    good = {"Source": "shop", "DetailType": "Sale", "Detail": "{}"}
    answer = client("events").put_events(
        Entries=[good, good | {"Detail": "{"}, {"DetailType": "Sale", "Detail": "{}"}]
    )
    codes = [each.get("ErrorCode") for each in answer["Entries"]]
    assert codes == [None, "MalformedDetail", "InvalidArgument"]
    assert answer["FailedEntryCount"] == 2


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("rate(5 minutes)", "2026-11-22T10:00:00", "2026-11-22T10:05:00"),
        ("cron(0 2 1 * ? *)", "2026-11-22T10:00:00", "2026-12-01T02:00:00"),
        ("cron(*/15 9-17 ? * MON-FRI *)", "2026-11-20T17:50:00", "2026-11-23T09:00:00"),
        ("cron(30 6 ? JAN,JUL SUN 2027)", "2026-11-22T10:00:00", "2027-01-03T06:30:00"),
        ("cron(0 0 1 1 ? 2020)", "2026-11-22T10:00:00", None),
    ],
)
def test_when_a_schedule_fires_next(expression: str, after: str, expected: str | None) -> None:
    def epoch(text: str) -> float:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()

    found = following(expression, epoch(after))
    assert found == (epoch(expected) if expected else None)


@pytest.mark.parametrize(
    "expression", ["rate(0 minutes)", "cron(61 * * * ? *)", "cron(* * *)", "hourly"]
)
def test_schedules_that_are_none_are_refused(client: Client, expression: str) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        client("events").put_rule(Name="r", ScheduleExpression=expression)


def test_a_rule_fires_by_the_clock_until_it_is_off(aws: SimulatedAccount, client: Client) -> None:
    sqs, events = client("sqs"), client("events")
    queue = sqs.create_queue(QueueName="ticks")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    events.put_rule(Name="often", ScheduleExpression="rate(10 minutes)")
    events.put_targets(Rule="often", Targets=[{"Id": "1", "Arn": arn["QueueArn"]}])

    def ticks() -> int:
        attributes = sqs.get_queue_attributes(
            QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(attributes["Attributes"]["ApproximateNumberOfMessages"])

    aws.advance(1900)
    assert ticks() == 3
    events.disable_rule(Name="often")
    aws.advance(3600)
    assert ticks() == 3
    events.enable_rule(Name="often")
    aws.advance(600)
    assert ticks() == 4
    events.remove_targets(Rule="often", Ids=["1"])
    events.delete_rule(Name="often")
    aws.advance(3600)
    assert ticks() == 4
