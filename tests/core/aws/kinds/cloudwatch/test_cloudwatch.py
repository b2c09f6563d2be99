"""CloudWatch's kinds on the simulated account: what is listed, shown, asked and switched."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from core.aws.account import Account
from core.aws.errors import AccessDenied, ResourceNotFound
from core.aws.registry import kind
from core.errors import BadInput, ReadOnly
from tests.support.awstext import text, verb

Client = Callable[[str], Any]


@pytest.fixture
def alarmed(client: Client, aws: Any) -> Client:
    """An alarm over latency, one that waits for it, and points that are too high."""
    cloudwatch = client("cloudwatch")
    now = aws.clock.now()
    cloudwatch.put_metric_data(
        Namespace="AWS/SageMaker",
        MetricData=[
            {"MetricName": "ModelLatency", "Timestamp": now - 60 * back, "Value": 900.0 + back,
             "Dimensions": [{"Name": "EndpointName", "Value": "bike"}]}
            for back in range(1, 6)
        ],
    )  # fmt: skip
    cloudwatch.put_metric_alarm(
        AlarmName="bike-latency", AlarmDescription="slow", Namespace="AWS/SageMaker",
        MetricName="ModelLatency", Dimensions=[{"Name": "EndpointName", "Value": "bike"}],
        ExtendedStatistic="p99", Period=60, EvaluationPeriods=3, DatapointsToAlarm=2,
        Threshold=500.0, ComparisonOperator="GreaterThanThreshold", TreatMissingData="breaching",
        AlarmActions=["arn:aws:sns:eu-west-1:123456789012:oncall"],
    )  # fmt: skip
    cloudwatch.put_metric_alarm(
        AlarmName="bike-quiet", Namespace="AWS/SageMaker", MetricName="Invocations",
        Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1.0,
        ComparisonOperator="LessThanThreshold",
    )  # fmt: skip
    cloudwatch.put_composite_alarm(
        AlarmName="bike", AlarmRule='ALARM("bike-latency") OR ALARM("bike-quiet")'
    )
    return client


def test_alarms_are_listed_with_their_rule(account: Account, alarmed: Client) -> None:
    items = [item for page in kind("alarms").list(account, "") for item in page]
    rules = {item.id: item.cells[2] for item in items}
    assert rules["bike-latency"] == "ModelLatency p99 > 500, 2 of 3 × 1m 00s"
    assert rules["bike"] == 'ALARM("bike-latency") OR ALARM("bike-quiet")'


def test_an_alarm_is_shown_with_what_it_does_and_a_chart(account: Account, alarmed: Client) -> None:
    detail = kind("alarms").show(account, "bike-latency")
    shown = text(detail)
    assert "missing data breaching" in shown
    assert "on ALARM arn:aws:sns:eu-west-1:123456789012:oncall" in shown
    assert set(detail.charts[0].series) == {"ModelLatency p99", "threshold"}


def test_a_composite_alarm_names_its_parts_and_how_they_stand(
    account: Account, alarmed: Client
) -> None:
    shown = text(kind("alarms").show(account, "bike"))
    latency = next(line for line in shown.splitlines() if line.startswith("bike-latency "))
    assert latency.split()[1] in ("OK", "ALARM", "INSUFFICIENT_DATA")
    assert "bike-quiet" in shown


def test_actions_are_switched_and_the_question_says_who_is_no_longer_told(
    account: Account, alarmed: Client
) -> None:
    off = verb("alarms", "disable")
    asked = off.consequence(account, "bike-latency", {})
    assert "nobody is told of bike-latency any more" in asked[0]
    assert "oncall" in asked[0]
    off.do(account, "bike-latency", {})
    item = kind("alarms").show(account, "bike-latency").item
    assert item is not None
    assert item.raw["ActionsEnabled"] is False
    assert off.blocked(item) == "its actions are off already"
    verb("alarms", "enable").do(account, "bike-latency", {})


def test_a_state_is_set_in_the_simulated_account_only(account: Account, alarmed: Client) -> None:
    found = verb("alarms", "set-state")
    assert found.simulated_only
    found.do(account, "bike-latency", {"state": "alarm"})
    item = kind("alarms").show(account, "bike-latency").item
    assert item is not None
    assert item.cells[1] == "ALARM"
    assert "to ALARM" in text(kind("alarms").show(account, "bike-latency"))


def test_one_denied_part_does_not_lose_the_rest(
    account: Account, alarmed: Client, aws: Any
) -> None:
    aws.fault("cloudwatch:DescribeAlarmHistory", code="AccessDenied", times=1)
    shown = text(kind("alarms").show(account, "bike-latency"))
    assert "denied" in shown
    assert "cloudwatch:DescribeAlarmHistory" in shown
    assert "missing data breaching" in shown


def test_no_such_alarm(account: Account, aws: Any) -> None:
    with pytest.raises(ResourceNotFound, match="there is no alarm x"):
        kind("alarms").show(account, "x")


def test_read_only_sends_nothing(alarmed: Client, account: Account, aws: Any) -> None:
    reading = Account(account.context, read_only=True, attempts=1)
    with pytest.raises(ReadOnly, match="cloudwatch:DisableAlarmActions"):
        verb("alarms", "disable").do(reading, "bike-latency", {})
    assert "DisableAlarmActions" not in {each.operation for each in aws.calls}
    assert verb("log-groups", "ask").reads
    assert not verb("alarms", "disable").reads


@pytest.fixture
def printed(client: Client, aws: Any) -> Client:
    """A group with two streams, some lines with numbers."""
    logs = client("logs")
    logs.create_log_group(logGroupName="/aws/sagemaker/TrainingJobs")
    now = int(aws.clock.now() * 1000)
    for number, stream in enumerate(("one/algo-1", "two/algo-1")):
        logs.create_log_stream(logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=stream)
        logs.put_log_events(
            logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=stream,
            logEvents=[
                {"timestamp": now - 9_000 + each,
                 "message": f"{stream} epoch {each} rmse={40 - each}"}
                for each in range(3 + number)
            ],
        )  # fmt: skip
    return client


def test_groups_streams_and_their_last_lines(account: Account, printed: Client) -> None:
    group = "/aws/sagemaker/TrainingJobs"
    assert [item.id for page in kind("log-groups").list(account, "") for item in page] == [group]
    streams = [item for page in kind("log-streams").list(account, group) for item in page]
    assert {item.cells[0] for item in streams} == {"one/algo-1", "two/algo-1"}
    shown = text(kind("log-streams").show(account, streams[0].id))
    assert "epoch 2" in shown
    with pytest.raises(BadInput, match="of which group"):
        next(kind("log-streams").list(account, ""))


def test_a_question_is_answered_as_a_table(account: Account, printed: Client) -> None:
    ask = verb("log-groups", "ask")
    told = ask.do(
        account, "/aws/sagemaker/TrainingJobs",
        {"query": "fields @message | filter @message like /two/ | sort @message | limit 2",
         "since": "1h"},
    )  # fmt: skip
    head, *rows = told.splitlines()
    assert head.strip() == "@message"
    assert rows == ["two/algo-1 epoch 0 rmse=40", "two/algo-1 epoch 1 rmse=39"]
    counted = ask.do(
        account, "/aws/sagemaker/TrainingJobs",
        {"query": "stats count(*) as n by @logStream | sort n desc", "since": "1h"},
    )  # fmt: skip
    assert counted.splitlines()[1].split() == ["two/algo-1", "4"]
    with pytest.raises(BadInput, match="since=soon"):
        ask.do(account, "/aws/sagemaker/TrainingJobs", {"query": "x", "since": "soon"})


def test_retention_is_set_and_the_question_says_what_goes(
    account: Account, printed: Client
) -> None:
    keep = verb("log-groups", "keep")
    group = "/aws/sagemaker/TrainingJobs"
    assert "kept for ever now, then 30" in keep.consequence(account, group, {"days": "30"})[0]
    keep.do(account, group, {"days": "30"})
    assert "kept 30 days" in text(kind("log-groups").show(account, group))
    keep.do(account, group, {"days": "never"})
    assert "kept for ever" in text(kind("log-groups").show(account, group))
    with pytest.raises(BadInput, match="days=31"):
        keep.do(account, group, {"days": "31"})


def test_metrics_are_found_and_read(account: Account, alarmed: Client) -> None:
    items = [item for page in kind("metrics").list(account, "AWS/SageMaker") for item in page]
    ids = {item.id for item in items}
    assert "AWS/SageMaker|ModelLatency|EndpointName=bike" in ids
    told = verb("metrics", "read").do(
        account, "AWS/SageMaker|ModelLatency|EndpointName=bike", {"stat": "Maximum", "since": "1h"}
    )
    assert "of 5 points: 901 to 905" in told
    detail = kind("metrics").show(account, "AWS/SageMaker|ModelLatency|EndpointName=bike")
    assert len(detail.charts[0].series["Average"]) == 5
    with pytest.raises(BadInput, match="is no metric"):
        kind("metrics").show(account, "nonsense")


def test_denied_altogether_names_action(account: Account, aws: Any) -> None:
    aws.fault("cloudwatch:DescribeAlarms", code="AccessDenied", times=1)
    with pytest.raises(AccessDenied, match="cloudwatch:DescribeAlarms"):
        next(kind("alarms").list(account, ""))
    assert time.time() - account.calls.list()[-1].at < 60
