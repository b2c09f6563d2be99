"""Whatever is compiled hangs together: states that exist, references to steps that come before,
requests that botocore's model of the service takes."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import HealthCheck, given, settings

from core.aws.compile import lower, pipeline_definition, state_machine, target_of, template
from core.domain.pipeline import PipelineSpec

_spec = importlib.util.spec_from_file_location(
    "compile_pipelines", Path(__file__).with_name("strategies.py")
)
assert _spec is not None and _spec.loader is not None
_made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_made)
pipelines = _made.pipelines

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
OPERATIONS = {
    "Processing": "CreateProcessingJob",
    "Training": "CreateTrainingJob",
    "RegisterModel": "CreateModelPackage",
    "Model": "CreateModel",
    "EndpointConfig": "CreateEndpointConfig",
    "Endpoint": "CreateEndpoint",
}
NAMED = {"ProcessingJobName", "TrainingJobName", "ModelName"}
"""Given by the pipeline itself."""


@pytest.fixture(scope="module")
def sagemaker() -> Any:
    return botocore.session.get_session().get_service_model("sagemaker")


# --- Step Functions ------------------------------------------------------------------------


def machine_of(spec: PipelineSpec) -> dict[str, Any]:
    target = target_of(spec)
    return state_machine(lower(spec, target), target)


def check_machine(machine: Mapping[str, Any], *, branch: bool = False) -> None:
    """Every transition leads somewhere, everything is reached, and each end is one."""
    states = machine["States"]
    reached: set[str] = set()
    waiting = [machine["StartAt"]]
    while waiting:
        name = waiting.pop()
        assert name in states, name
        assert len(name) <= 80
        if name not in reached:
            reached.add(name)
            waiting += list(following(states[name]))
    assert reached == set(states)
    for name, state in states.items():
        check_state(name, state)
    ends = [s for s in states.values() if s["Type"] == "Succeed" or s.get("End")]
    assert len(ends) == 1, "one way to end well"
    if not branch:
        assert sum(state["Type"] == "Succeed" for state in states.values()) == 1


def check_state(name: str, state: Mapping[str, Any]) -> None:
    if state["Type"] == "Parallel":
        for inner in state["Branches"]:
            check_machine(inner, branch=True)
    going = {"Next", "End"} & state.keys()
    assert bool(going) == (state["Type"] not in ("Fail", "Succeed", "Choice")), name
    for key, value in members(state):
        if key.endswith(".$"):
            assert isinstance(value, str)
            assert re.match(r"\$|States\.", value), value
            assert balanced(value), value


def following(state: Mapping[str, Any]) -> Iterator[str]:
    for key in ("Next", "Default"):
        if key in state:
            yield state[key]
    for each in (*state.get("Catch", ()), *state.get("Choices", ())):
        yield each["Next"]


def members(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from members(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from members(inner)


def balanced(text: str) -> bool:
    """Whether quotes and brackets of an intrinsic function close."""
    depth, quoted, escaped = 0, False, False
    for letter in text:
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == "'":
            quoted = not quoted
        elif not quoted:
            depth += {"(": 1, ")": -1}.get(letter, 0)
    return depth == 0 and not quoted and not escaped


@SETTINGS
@given(pipelines())
def test_a_state_machine_hangs_together(spec: PipelineSpec) -> None:
    check_machine(machine_of(spec))


@SETTINGS
@given(pipelines())
def test_a_state_machine_has_every_step_after_those_that_it_needs(spec: PipelineSpec) -> None:
    machine = machine_of(spec)
    order: list[set[str]] = []
    name = machine["StartAt"]
    while machine["States"][name]["Type"] != "Succeed":
        state = machine["States"][name]
        inside = [inner["StartAt"].split(" ")[0] for inner in state.get("Branches", ())]
        order.append(set(inside) or {name.split(" ")[0]})
        name = state.get("Next") or next(
            each["Next"] for each in state["Choices"] if not each["Next"].endswith("wait")
        )
    first = {step: number for number, steps in reversed([*enumerate(order)]) for step in steps}
    for step in spec.steps:
        assert step.name in first
        assert all(first[need] < first[step.name] for need in step.needs)


# --- SageMaker Pipelines -------------------------------------------------------------------


@SETTINGS
@given(pipelines())
def test_a_definition_refers_to_steps_that_come_before(spec: PipelineSpec) -> None:
    target = target_of(spec)
    definition = pipeline_definition(lower(spec, target), target)
    parameters = {each["Name"] for each in definition["Parameters"]}
    seen: set[str] = set()
    for step in definition["Steps"]:
        assert re.fullmatch(r"[A-Za-z0-9\-_]{1,64}", step["Name"])
        assert set(step.get("DependsOn", ())) <= seen
        for key, value in members(step):
            if key == "Get":
                kind, _, rest = str(value).partition(".")
                assert kind in ("Parameters", "Steps", "Execution")
                if kind == "Parameters":
                    assert rest in parameters
                if kind == "Steps":
                    assert rest.partition(".")[0] in seen
        seen.add(step["Name"])


@SETTINGS
@given(spec=pipelines())
def test_the_arguments_of_every_step_are_a_request_of_the_service(
    sagemaker: Any, spec: PipelineSpec
) -> None:
    target = target_of(
        spec,
        bucket="artifacts",
        role="arn:aws:iam::111122223333:role/jobs",
        work_image="111122223333.dkr.ecr.eu-west-1.amazonaws.com/work:1",
        serving_image="111122223333.dkr.ecr.eu-west-1.amazonaws.com/serve:1",
    )
    for step in pipeline_definition(lower(spec, target), target)["Steps"]:
        operation = OPERATIONS.get(step["Type"])
        if operation is None:
            assert step["Type"] == "Callback"
            continue
        shape = sagemaker.operation_model(operation).input_shape
        request = plain(step["Arguments"])
        request |= dict.fromkeys(NAMED & set(shape.required_members), "a-name")
        report = ParamValidator().validate(request, shape)
        assert not report.has_errors(), report.generate_report()


def plain(value: Any) -> Any:
    """A request as the service would send it: references become texts."""
    if isinstance(value, dict):
        if set(value) <= {"Get", "Std:Join"}:
            return "s3://somewhere"
        return {k: plain(v) for k, v in value.items() if k != "AppManaged"}
    return [plain(each) for each in value] if isinstance(value, list) else value


@SETTINGS
@given(pipelines())
def test_a_template_puts_in_its_own_parameters_alone(spec: PipelineSpec) -> None:
    target = target_of(spec)
    made = template(lower(spec, target), target)
    body = made["Resources"]["Pipeline"]["Properties"]["PipelineDefinition"]
    text = body["PipelineDefinitionBody"]["Fn::Sub"]
    put_in = set(re.findall(r"\$\{([^!}][^}]*)\}", text))
    assert put_in <= set(made["Parameters"])
    back = re.sub(r"\$\{!", "${", text)
    assert json.loads(back) == pipeline_definition(lower(spec, target), target)
