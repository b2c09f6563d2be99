"""The checks that botocore leaves out, in AWS's words."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.simulated import models
from core.simulated.faults import Fault
from core.simulated.validate import _pattern, check_input, check_output, constraints

NAMES = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


def _operation(name: str, service: str = "sagemaker") -> Any:
    return models.model(service).operation_model(name)


def _refused(params: dict[str, Any], operation: str) -> str:
    with pytest.raises(Fault) as raised:
        check_input(params, _operation(operation))
    assert raised.value.code == "ValidationException"
    return raised.value.message


@given(st.text(max_size=80))
def test_a_name_is_taken_if_and_only_if_its_pattern_does(name: str) -> None:
    params = {"EndpointName": name}
    if NAMES.fullmatch(name) and len(name) <= 63:
        check_input(params, _operation("DescribeEndpoint"))
    else:
        assert "'endpointName' failed to satisfy constraint" in _refused(params, "DescribeEndpoint")


@given(st.from_regex(NAMES, fullmatch=True).filter(lambda name: len(name) <= 63))
def test_good_names_pass(name: str) -> None:
    check_input({"EndpointName": name}, _operation("DescribeEndpoint"))


def test_all_that_is_wrong_is_said_at_once() -> None:
    text = _refused({"SortBy": "Colour", "MaxResults": 0, "NameContains": "?"}, "ListEndpoints")
    assert text.startswith("3 validation errors detected: ")
    for part in ("'sortBy'", "'maxResults'", "'nameContains'", "greater than or equal to 1"):
        assert part in text


def test_what_is_missing_unknown_or_mistyped() -> None:
    assert "'endpointConfigName'" in _refused({"EndpointName": "a"}, "CreateEndpoint")
    assert "Member must not be null" in _refused({"EndpointName": "a"}, "CreateEndpoint")
    assert "Unknown parameter" in _refused(
        {"EndpointName": "a", "EndpointConfigName": "b", "Colour": 1}, "CreateEndpoint"
    )
    assert "Invalid type" in _refused({"EndpointName": 5}, "DescribeEndpoint")


def test_it_looks_into_what_is_nested() -> None:
    alarm = {"Alarms": [{"AlarmName": "ok"}, {"AlarmName": "x" * 300}]}
    text = _refused(
        {
            "EndpointName": "a",
            "EndpointConfigName": "b",
            "DeploymentConfig": {"AutoRollbackConfiguration": alarm},
        },
        "CreateEndpoint",
    )
    assert "'deploymentConfig.autoRollbackConfiguration.alarms.2.member.alarmName'" in text


def test_tags_take_letters_of_any_script_and_no_brackets() -> None:
    shape = _operation("AddTags").input_shape.members["Tags"].member
    assert list(constraints({"Key": "Équipe A/1:x", "Value": "größe"}, shape)) == []
    assert len(list(constraints({"Key": "a<b>", "Value": ""}, shape))) == 1


def test_few_patterns_are_only_javas() -> None:
    unread = [
        shape
        for service in ("sagemaker", "cloudwatch", "glue", "iam", "logs", "stepfunctions")
        for shape in models.model(service).shape_names
        if (text := models.model(service).shape_for(shape).metadata.get("pattern"))
        and _pattern(text) is None
    ]
    assert len(unread) < 10


def test_a_handlers_wrong_answer_is_told_by_its_operation() -> None:
    with pytest.raises(Fault, match=r"sagemaker:CreateEndpoint answered wrongly.*EndpointArn"):
        check_output({}, _operation("CreateEndpoint"))
    with pytest.raises(Fault, match="enum value set"):
        summary = {
            "EndpointName": "a",
            "EndpointArn": "arn",
            "CreationTime": 1.0,
            "LastModifiedTime": 1.0,
            "EndpointStatus": "Sleeping",
        }
        check_output({"Endpoints": [summary]}, _operation("ListEndpoints"))
    with pytest.raises(Fault, match="has no output"):
        check_output({"x": 1}, _operation("DeleteEndpoint"))
