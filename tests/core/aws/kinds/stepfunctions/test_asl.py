"""Definitions of state machines as people read them."""

from __future__ import annotations

import pytest

from core.aws.kinds.stepfunctions.asl import lines, parse, states, token_keys
from core.errors import BadInput

MACHINE = {
    "StartAt": "Prepare",
    "States": {
        "Lost": {"Type": "Pass", "End": True},
        "No": {"Type": "Fail", "Error": "Refused", "Cause": "somebody said no"},
        "Decide": {
            "Type": "Choice",
            "Choices": [
                {
                    "And": [
                        {"Variable": "$.yes", "BooleanEquals": True},
                        {"Variable": "$.n", "NumericGreaterThan": 3},
                    ],
                    "Next": "Each",
                }
            ],
            "Default": "No",
        },
        "Prepare": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sagemaker:createProcessingJob.sync",
            "TimeoutSeconds": 600,
            "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "No"}],
            "Next": "Ask",
        },
        "Ask": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"MessageBody": {"Answer.$": "$$.Task.Token", "Q": "deploy?"}},
            "Next": "Decide",
        },
        "Each": {
            "Type": "Map",
            "ItemsPath": "$.regions",
            "ItemProcessor": {
                "StartAt": "Put",
                "States": {"Put": {"Type": "Wait", "Seconds": 5, "End": True}},
            },
            "End": True,
        },
    },
}


def test_states_stand_in_the_order_in_which_they_run() -> None:
    assert [(each.name, each.depth) for each in states(MACHINE)] == [
        ("Prepare", 0), ("Ask", 0), ("Decide", 0), ("Each", 0), ("Put", 1), ("No", 0), ("Lost", 0),
    ]  # fmt: skip


def test_what_states_do_and_where_they_go() -> None:
    told = dict(lines(MACHINE))
    assert told["Prepare"] == (
        "Task · sagemaker:createProcessingJob, waits for its end, within 600 s, "
        "tried 2 times more · → Ask, on States.ALL → No"
    )
    assert told["Ask"] == "Task · sqs:sendMessage, waits for an answer · → Decide"
    assert told["Decide"] == ("Choice · if $.yes = true and $.n > 3 → Each, else → No")
    assert told["Each"] == "Map · for each of $.regions · ends"
    assert told["  Put"] == "Wait · 5 s · ends"
    assert told["No"] == "Fail · Refused: somebody said no"
    assert told["Lost"] == "Pass · never reached · ends"


def test_the_names_of_tokens_stand_in_the_definition() -> None:
    assert token_keys(MACHINE) == {"Answer"}
    jsonata = {"Arguments": {"MessageBody": {"key": "{% $states.context.Task.Token %}"}}}
    assert token_keys(jsonata) == {"key"}


@pytest.mark.parametrize("text", ["{", "[]", '{"StartAt": "A"}'])
def test_what_is_no_definition(text: str) -> None:
    with pytest.raises(BadInput, match="definition"):
        parse(text)
