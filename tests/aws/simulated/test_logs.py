"""Filter patterns and Insights queries of the simulated CloudWatch Logs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from core.simulated.handlers.logs import patterns
from core.simulated.server import SimulatedAccount

Client = Callable[[str], Any]


@pytest.mark.parametrize(
    ("pattern", "message", "fits"),
    [
        ("", "anything", True),
        ("ERROR", "an ERROR here", True),
        ("ERROR", "an error here", False),
        ("ERROR timeout", "timeout, so ERROR", True),
        ('"out of range"', "temp is out of range", True),
        ("?ERROR ?WARN", "WARN: slow", True),
        ("ERROR -retry", "ERROR, will retry", False),
        ("%4[0-9]{2}%", "status 404", True),
        ('{ $.level = "error" }', '{"level": "error"}', True),
        ('{ $.level = "err*" }', '{"level": "error"}', True),
        ("{ $.took > 200 }", '{"took": 250.5}', True),
        ("{ $.took > 200 && $.took < 240 }", '{"took": 250.5}', False),
        ("{ ($.a = 1 || $.a = 2) && $.b != 3 }", '{"a": 2, "b": 4}', True),
        ("{ $.items[1].name = x }", '{"items": [{}, {"name": "x"}]}', True),
        ("{ $.error IS NULL }", '{"error": null}', True),
        ("{ $.error NOT EXISTS }", '{"level": "info"}', True),
        ("{ $.level = error }", "level error", False),
    ],
)
def test_filter_patterns(pattern: str, message: str, fits: bool) -> None:
    assert patterns.compiled(pattern)(message) is fits


def _write(aws: SimulatedAccount, client: Client, *lines: str) -> int:
    logs = client("logs")
    logs.create_log_group(logGroupName="/jobs")
    logs.create_log_stream(logGroupName="/jobs", logStreamName="train/1")
    begin = int(aws.clock.now() // 60 * 60) - 600
    logs.put_log_events(
        logGroupName="/jobs",
        logStreamName="train/1",
        logEvents=[
            {"timestamp": (begin + 30 * i) * 1000, "message": line} for i, line in enumerate(lines)
        ],
    )
    return begin


def _ask(aws: SimulatedAccount, client: Client, begin: int, text: str) -> list[dict[str, str]]:
    logs = client("logs")
    ident = logs.start_query(
        logGroupName="/jobs", startTime=begin, endTime=begin + 900, queryString=text
    )["queryId"]
    assert logs.get_query_results(queryId=ident)["status"] == "Running"
    aws.advance(2)
    answer = logs.get_query_results(queryId=ident)
    assert answer["status"] == "Complete"
    return [
        {each["field"]: each["value"] for each in row if each["field"] != "@ptr"}
        for row in answer["results"]
    ]


def test_events_are_filtered_and_paged(aws: SimulatedAccount, client: Client) -> None:
    _write(aws, client, "iteration 1", "ERROR: x", "iteration 2", "iteration 3")
    logs = client("logs")
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName="/jobs", filterPattern="iteration", PaginationConfig={"PageSize": 2}
    )
    found = [[each["message"] for each in page["events"]] for page in pages]
    assert found == [["iteration 1", "iteration 2"], ["iteration 3"]]
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        logs.filter_log_events(logGroupName="/elsewhere")
    with pytest.raises(ClientError, match="InvalidParameterException"):
        logs.filter_log_events(logGroupName="/jobs", filterPattern="{ $.a = }")


def test_insights_parse_stats_sort(aws: SimulatedAccount, client: Client) -> None:
    begin = _write(
        aws,
        client,
        *(f"iteration {i} train {10 - i} valid {12 - i}" for i in range(4)),
        "ERROR: out of memory",
    )
    query = """fields @timestamp, @message
        | filter @message like /iteration/
        | parse @message "iteration * train * valid *" as step, train, valid
        | stats min(valid) as least, avg(train) as mean, count(*) as n by bin(1m)
        | sort least asc"""
    rows = _ask(aws, client, begin, query)
    assert [(row["least"], row["mean"], row["n"]) for row in rows] == [
        ("9", "7.5", "2"),
        ("11", "9.5", "2"),
    ]
    assert rows[0]["bin(1m)"].endswith(":00.000")
    newest = _ask(aws, client, begin, "fields @message | sort @timestamp desc | limit 1")
    assert newest == [{"@message": "ERROR: out of memory"}]
    wrong = _ask(aws, client, begin, "filter @message like 'ERROR' | stats count(*)")
    assert wrong == [{"count(*)": "1"}]


def test_insights_reads_json(aws: SimulatedAccount, client: Client) -> None:
    lines = [{"level": "info", "took": 10 * i, "at": {"host": f"h{i % 2}"}} for i in range(1, 11)]
    begin = _write(aws, client, *(json.dumps(each) for each in lines))
    rows = _ask(
        aws,
        client,
        begin,
        "filter level = 'info' and took >= 20 and at.host in ['h0', 'h1'] "
        "| stats pct(took, 90) as slow, max(took) as most by at.host | sort at.host",
    )
    assert [(row["at.host"], row["slow"], row["most"]) for row in rows] == [
        ("h0", "100", "100"),
        ("h1", "90", "90"),
    ]
    shown = _ask(
        aws,
        client,
        begin,
        "fields took * 2 as double, upper(level) as word | sort double | limit 1",
    )
    assert shown == [{"double": "20", "word": "INFO"}]


@pytest.mark.parametrize(
    "query", ["frobnicate x", "stats median_of(x)", "filter (a = 1", "limit x"]
)
def test_queries_that_cannot_be_read_are_refused(
    aws: SimulatedAccount, client: Client, query: str
) -> None:
    begin = _write(aws, client, "x")
    with pytest.raises(ClientError, match="MalformedQueryException"):
        _ask(aws, client, begin, query)


def test_live_tail_is_a_stream_of_events(aws: SimulatedAccount, client: Client) -> None:
    import boto3
    from botocore.config import Config

    _write(aws, client, "iteration 1")
    arn = client("logs").describe_log_groups()["logGroups"][0]["arn"].removesuffix(":*")
    logs = boto3.client(
        "logs",
        endpoint_url=aws.endpoint_url,
        region_name="eu-west-1",
        config=Config(inject_host_prefix=False, retries={"total_max_attempts": 1}),
    )
    answer = logs.start_live_tail(logGroupIdentifiers=[arn])
    started, updated, *_ = list(answer["responseStream"])
    assert started["sessionStart"]["logGroupIdentifiers"] == [arn]
    told = [each["message"] for each in updated["sessionUpdate"]["sessionResults"]]
    assert told == ["iteration 1"]


def test_saved_queries(client: Client) -> None:
    logs = client("logs")
    ident = logs.put_query_definition(name="errors", queryString="filter @message like 'ERROR'")[
        "queryDefinitionId"
    ]
    with pytest.raises(ClientError, match="MalformedQueryException"):
        logs.put_query_definition(name="wrong", queryString="frobnicate")
    found = logs.describe_query_definitions(queryDefinitionNamePrefix="err")["queryDefinitions"]
    assert [each["queryDefinitionId"] for each in found] == [ident]
    assert logs.delete_query_definition(queryDefinitionId=ident)["success"] is True
    assert logs.describe_query_definitions()["queryDefinitions"] == []
