"""Metrics, metric math and alarms of the simulated CloudWatch."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from core.simulated.server import SimulatedAccount

Client = Callable[[str], Any]


def _put(client: Client, aws: SimulatedAccount, values: list[float], name: str = "errors") -> float:
    """One value in each of the last minutes, the last in the minute that is over; its begin."""
    end = aws.clock.now() // 60 * 60
    for number, value in enumerate(values):
        at = datetime.fromtimestamp(end - 60 * (len(values) - number) + 30, UTC)
        datum = {"MetricName": name, "Value": value, "Timestamp": at}
        client("cloudwatch").put_metric_data(Namespace="Test", MetricData=[datum])
    return end - 60 * len(values)


def _query(ident: str, name: str, stat: str = "Sum", **more: Any) -> dict[str, Any]:
    metric = {"Namespace": "Test", "MetricName": name}
    return {"Id": ident, "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}, **more}


def _data(client: Client, start: float, end: float, *queries: dict[str, Any]) -> dict[str, Any]:
    answer = client("cloudwatch").get_metric_data(
        MetricDataQueries=list(queries),
        StartTime=datetime.fromtimestamp(start, UTC),
        EndTime=datetime.fromtimestamp(end, UTC),
        ScanBy="TimestampAscending",
    )
    return {each["Id"]: each["Values"] for each in answer["MetricDataResults"]}


def test_percentiles_of_values_that_came_often(aws: SimulatedAccount, client: Client) -> None:
    now = datetime.fromtimestamp(aws.clock.now(), UTC)
    values = {"MetricName": "latency", "Timestamp": now, "Values": [10.0, 50.0, 400.0]}
    client("cloudwatch").put_metric_data(
        Namespace="Test", MetricData=[values | {"Counts": [90.0, 9.0, 1.0]}]
    )
    points = client("cloudwatch").get_metric_statistics(
        Namespace="Test",
        MetricName="latency",
        StartTime=datetime.fromtimestamp(aws.clock.now() - 600, UTC),
        EndTime=datetime.fromtimestamp(aws.clock.now() + 60, UTC),
        Period=3600,
        Statistics=["SampleCount", "Maximum"],
        ExtendedStatistics=["p50", "p90", "p99", "p99.9"],
    )["Datapoints"]
    assert points[0]["SampleCount"] == 100
    assert points[0]["ExtendedStatistics"] == {"p50": 10, "p90": 10, "p99": 50, "p99.9": 400}


def test_metric_math(aws: SimulatedAccount, client: Client) -> None:
    start = _put(client, aws, [1, 2, 0, 4])
    _put(client, aws, [10, 10, 10, 10], "requests")
    found = _data(
        client,
        start,
        start + 240,
        _query("m1", "errors", ReturnData=False),
        _query("m2", "requests"),
        _query("m3", "absent"),
        {"Id": "e1", "Expression": "100 * m1 / m2"},
        {"Id": "e2", "Expression": "IF(e1 >= 20 && m2 = 10, 1, 0)"},
        {"Id": "e3", "Expression": "SUM(METRICS('m'))"},
        {"Id": "e4", "Expression": "RATE(m1)"},
        {"Id": "e5", "Expression": "FILL(m3, 7)"},
        {"Id": "e6", "Expression": "MAX(m1)"},
    )
    assert "m1" not in found
    assert found["m3"] == []
    assert found["e1"] == [10, 20, 0, 40]
    assert found["e2"] == [0, 1, 0, 1]
    assert found["e3"] == [11, 12, 10, 14]
    assert found["e4"] == pytest.approx([1 / 60, -2 / 60, 4 / 60])
    assert found["e5"] == [7, 7, 7, 7]
    assert found["e6"] == [4, 4, 4, 4]


@pytest.mark.parametrize(
    ("expression", "code"),
    [("m9 + 1", "ValidationError"), ("m1 +", "ValidationError"), ("WARP(m1)", "NotSimulated"),
     ("SEARCH('x', 'Sum', 60)", "NotSimulated")],
)  # fmt: skip
def test_math_that_cannot_be_done_is_refused(
    aws: SimulatedAccount, client: Client, expression: str, code: str
) -> None:
    now = aws.clock.now()
    with pytest.raises(ClientError) as raised:
        _data(
            client, now - 600, now, _query("m1", "errors"), {"Id": "e1", "Expression": expression}
        )
    assert raised.value.response["Error"]["Code"] == code


def test_an_alarm_is_evaluated_by_the_clock_and_publishes(
    aws: SimulatedAccount, client: Client
) -> None:
    sqs, sns, cloudwatch = client("sqs"), client("sns"), client("cloudwatch")
    queue = sqs.create_queue(QueueName="alarms")["QueueUrl"]
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    cloudwatch.put_metric_alarm(
        AlarmName="too-many",
        Namespace="Test",
        MetricName="errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=3,
        DatapointsToAlarm=2,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic],
        TreatMissingData="notBreaching",
    )
    cloudwatch.put_composite_alarm(
        AlarmName="page", AlarmRule='ALARM("too-many") AND NOT OK("too-many")'
    )

    def state(name: str = "too-many") -> str:
        found = cloudwatch.describe_alarms(
            AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        return str((found["MetricAlarms"] + found["CompositeAlarms"])[0]["StateValue"])

    assert state() == "INSUFFICIENT_DATA"
    aws.advance(70)
    assert state() == "OK"
    _put(client, aws, [9, 1, 9])
    aws.advance(60)
    assert (state(), state("page")) == ("ALARM", "ALARM")
    said = json.loads(
        json.loads(sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"])["Message"]
    )
    assert (said["NewStateValue"], said["OldStateValue"]) == ("ALARM", "OK")
    assert "2 out of the last" in said["NewStateReason"]
    aws.advance(600)
    assert (state(), state("page")) == ("OK", "OK")
    items = cloudwatch.describe_alarm_history(AlarmName="too-many", ScanBy="TimestampAscending")
    kinds = [each["HistoryItemType"] for each in items["AlarmHistoryItems"]]
    assert kinds == ["ConfigurationUpdate", "StateUpdate", "StateUpdate", "Action", "StateUpdate"]
    with pytest.raises(ClientError, match="used by the composite alarm page"):
        cloudwatch.delete_alarms(AlarmNames=["too-many"])
    cloudwatch.delete_alarms(AlarmNames=["too-many", "page"])
    assert cloudwatch.describe_alarms()["MetricAlarms"] == []


@pytest.mark.parametrize(
    ("values", "treat", "state"),
    [
        ([], "missing", "INSUFFICIENT_DATA"),
        ([], "breaching", "ALARM"),
        ([], "notBreaching", "OK"),
        ([], "ignore", "INSUFFICIENT_DATA"),
        ([9, 9, 9], "missing", "ALARM"),
        ([9], "missing", "ALARM"),
        ([9], "notBreaching", "OK"),
        ([1], "missing", "OK"),
        ([9, 1, 9], "breaching", "OK"),
    ],
)
def test_missing_points_are_treated_as_asked(
    aws: SimulatedAccount, client: Client, values: list[float], treat: str, state: str
) -> None:
    _put(client, aws, values)
    client("cloudwatch").put_metric_alarm(
        AlarmName="a",
        Namespace="Test",
        MetricName="errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=3,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData=treat,
    )
    aws.advance(2)
    found = client("cloudwatch").describe_alarms()["MetricAlarms"][0]
    assert found["StateValue"] == state


def test_an_alarm_on_metric_math(aws: SimulatedAccount, client: Client) -> None:
    _put(client, aws, [1, 5])
    _put(client, aws, [10, 10], "requests")
    client("cloudwatch").put_metric_alarm(
        AlarmName="share",
        EvaluationPeriods=1,
        Threshold=30,
        ComparisonOperator="GreaterThanThreshold",
        Metrics=[
            _query("m1", "errors", ReturnData=False),
            _query("m2", "requests", ReturnData=False),
            {"Id": "e1", "Expression": "100 * m1 / m2", "Label": "error share"},
        ],
    )
    aws.advance(2)
    found = client("cloudwatch").describe_alarms()["MetricAlarms"][0]
    assert found["StateValue"] == "ALARM"
    assert "50" in found["StateReason"]


def test_periods_of_alarms_run_as_fast_as_the_clock(aws: SimulatedAccount, client: Client) -> None:
    client("cloudwatch").put_metric_alarm(
        AlarmName="a",
        Namespace="Test",
        MetricName="errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=5,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    aws.clock.set_speed(600)
    try:
        datum = {"MetricName": "errors", "Value": 9}
        client("cloudwatch").put_metric_data(Namespace="Test", MetricData=[datum])
        time.sleep(0.5)  # five minutes of the clock
        items = client("cloudwatch").describe_alarm_history(HistoryItemType="StateUpdate")
    finally:
        aws.clock.set_speed(1)
    told = [each["HistorySummary"] for each in items["AlarmHistoryItems"]]
    assert "Alarm updated from OK to ALARM" in told
    assert told[0] == "Alarm updated from ALARM to OK"
