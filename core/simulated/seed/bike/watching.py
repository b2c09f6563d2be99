"""Watching: topics, rules, and alarms with a history."""

from __future__ import annotations

import json

from core.simulated.handlers.cloudwatch import evaluating
from core.simulated.handlers.cloudwatch.series import record
from core.simulated.seed.bike.serving import CANARY, HEALTHY, VARIANT
from core.simulated.seed.bike.story import ACCOUNT, DAY, HOUR, REGION, Story

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:bike-demand-alerts"


def plant(story: Story) -> None:
    story.call("sns", "CreateTopic", Name="bike-demand-alerts")
    story.call("sns", "CreateTopic", Name="bike-demand-approvals")
    queue = story.call("sqs", "CreateQueue", QueueName="bike-demand-alerts")["QueueUrl"]
    found = story.call("sqs", "GetQueueAttributes", QueueUrl=queue, AttributeNames=["QueueArn"])
    story.call(
        "sns",
        "Subscribe",
        TopicArn=TOPIC,
        Protocol="sqs",
        Endpoint=found["Attributes"]["QueueArn"],
    )
    _rules(story)
    story.state.table("cloudwatch.ticking")["on"] = True  # evaluated when the story says so
    story.plan(26 * DAY, lambda: _alarms(story))
    story.plan(5 * DAY, lambda: _errors(story))
    for hours in (24 * 25, 24 * 4, 30, 3, 1):
        story.plan(hours * HOUR, lambda: evaluating.evaluate_all(story.state))
    story.plan(0.0, lambda: _begin(story))
    story.plan(0.0, lambda: _keeping(story))


def _rules(story: Story) -> None:
    pattern = {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelPackageGroupName": ["bike-demand"]},
    }
    rules = {
        "bike-demand-nightly": ("Train when the month is over", {
            "ScheduleExpression": "cron(0 2 1 * ? *)"}),
        "bike-demand-registered": ("Tell of a model that wants a decision", {
            "EventPattern": json.dumps(pattern)}),
        "bike-demand-alarm": ("Tell of alarms", {"EventPattern": json.dumps(
            {"source": ["aws.cloudwatch"], "detail-type": ["CloudWatch Alarm State Change"]})}),
    }  # fmt: skip
    for name, (told, when) in rules.items():
        story.call("events", "PutRule", Name=name, Description=told, State="ENABLED", **when)
    story.call(
        "events",
        "PutTargets",
        Rule="bike-demand-registered",
        Targets=[{"Id": "topic", "Arn": TOPIC}],
    )
    story.call("events", "DisableRule", Name="bike-demand-alarm")


def _alarms(story: Story) -> None:
    for endpoint in (HEALTHY, CANARY):
        where = [
            {"Name": "EndpointName", "Value": endpoint},
            {"Name": "VariantName", "Value": VARIANT},
        ]
        story.call(
            "cloudwatch",
            "PutMetricAlarm",
            AlarmName=f"{endpoint}-latency",
            AlarmDescription="The slowest hundredth of answers takes more than 150 ms",
            Namespace="AWS/SageMaker",
            MetricName="ModelLatency",
            Dimensions=where,
            ExtendedStatistic="p99",
            Period=60,
            EvaluationPeriods=5,
            DatapointsToAlarm=3,
            Threshold=150_000.0,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching",
            AlarmActions=[TOPIC],
        )
        story.call(
            "cloudwatch",
            "PutMetricAlarm",
            AlarmName=f"{endpoint}-5xx",
            AlarmDescription="More than 5 % of the requests fail",
            Namespace="AWS/SageMaker",
            MetricName="Invocation5XXErrors",
            Dimensions=where,
            Statistic="Average",
            Period=60,
            EvaluationPeriods=3,
            Threshold=0.05,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching",
            AlarmActions=[TOPIC],
        )
    story.call(
        "cloudwatch",
        "PutMetricAlarm",
        AlarmName="bike-demand-mae",
        AlarmDescription="The model is further off than 60 bikes an hour; train it again",
        Namespace="BikeDemand",
        MetricName="MeanAbsoluteError",
        Dimensions=[{"Name": "EndpointName", "Value": HEALTHY}],
        Statistic="Average",
        Period=3600,
        EvaluationPeriods=3,
        DatapointsToAlarm=2,
        Threshold=60.0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
        AlarmActions=[TOPIC],
        OKActions=[TOPIC],
    )
    story.call(
        "cloudwatch",
        "PutCompositeAlarm",
        AlarmName="bike-demand-page",
        AlarmDescription="Somebody has to look at once",
        AlarmRule=f'ALARM("{HEALTHY}-5xx") OR ALARM("{HEALTHY}-latency") OR ALARM("{CANARY}-5xx")',
        AlarmActions=[TOPIC],
    )


def _errors(story: Story) -> None:
    """January's answers in April's hours, against what was counted then."""
    rows = story.measured["captured"]
    hour = story.start // HOUR * HOUR
    for back in range(24 * 5, 0, -1):
        near = [rows[(24 * 5 - back + i) % len(rows)] for i in range(24)]
        far = [abs(each["answer"] - each["count"]) for each in near]
        value = sum(far) / len(far) if back <= 30 else 31.258  # its error in its own month
        record(story.state, "BikeDemand", "MeanAbsoluteError", {"EndpointName": HEALTHY}, value,
               at=hour - back * HOUR)  # fmt: skip


def _begin(story: Story) -> None:
    story.state.table("cloudwatch.ticking")["on"] = False
    evaluating.evaluate_all(story.state)
    evaluating.begin(story.state)


def _keeping(story: Story) -> None:
    """How long logs are kept, and the questions to them that are asked again and again."""
    for group in ("/aws/sagemaker/TrainingJobs", "/aws/sagemaker/ProcessingJobs"):
        story.call("logs", "PutRetentionPolicy", logGroupName=group, retentionInDays=90)
    story.call(
        "logs",
        "PutQueryDefinition",
        name="validation loss by job",
        logGroupNames=["/aws/sagemaker/TrainingJobs"],
        queryString="filter @message like /iteration/\n"
        '| parse @message "iteration * train * valid *" as step, train, valid\n'
        "| stats min(valid) as least by @logStream\n| sort least asc",
    )
