"""What is compiled is accepted by the services of the simulated account, and its steps run."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings

from core.aws.compile import Target, lower, pipeline_definition, state_machine, target_of
from core.domain.pipeline import PipelineSpec
from core.pipelines import load_pipeline

if TYPE_CHECKING:
    from core.simulated.server import SimulatedAccount

_spec = importlib.util.spec_from_file_location(
    "compile_pipelines_accepted", Path(__file__).with_name("strategies.py")
)
assert _spec is not None and _spec.loader is not None
_made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_made)
pipelines = _made.pipelines

EXAMPLE = Path(__file__).resolve().parents[4] / "assets/examples/bike-demand"
ROLE = "arn:aws:iam::123456789012:role/jobs"
Client = Callable[[str], Any]


def settled(spec: PipelineSpec, queue: str = "https://sqs.eu-west-1.amazonaws.com/1/q") -> Target:
    return target_of(
        spec,
        bucket="artifacts",
        role=ROLE,
        queue=queue,
        work_image="123456789012.dkr.ecr.eu-west-1.amazonaws.com/work:1",
        serving_image="123456789012.dkr.ecr.eu-west-1.amazonaws.com/serve:1",
    )


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(spec=pipelines())
def test_any_pipeline_is_accepted(client: Client, spec: PipelineSpec) -> None:
    target = settled(spec)
    lowered = lower(spec, target)
    sagemaker, machines = client("sagemaker"), client("stepfunctions")
    text = json.dumps(pipeline_definition(lowered, target))
    sagemaker.create_pipeline(
        PipelineName="any", PipelineDefinition=text, RoleArn=ROLE, ClientRequestToken="t" * 32
    )
    sagemaker.delete_pipeline(PipelineName="any", ClientRequestToken="t" * 32)
    arn = machines.create_state_machine(
        name="any", definition=json.dumps(state_machine(lowered, target)), roleArn=ROLE
    )["stateMachineArn"]
    machines.delete_state_machine(stateMachineArn=arn)


def test_the_example_runs_there_from_its_data_to_its_endpoint(
    aws: SimulatedAccount, client: Client
) -> None:
    spec = load_pipeline(EXAMPLE, "bike-demand")
    queue = client("sqs").create_queue(QueueName="q")["QueueUrl"]
    target = settled(spec, queue)
    sagemaker = client("sagemaker")
    client("s3").create_bucket(
        Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    sagemaker.create_model_package_group(ModelPackageGroupName="bike-demand")
    sagemaker.create_pipeline(
        PipelineName="bike-demand",
        PipelineDefinition=json.dumps(pipeline_definition(lower(spec, target), target)),
        RoleArn=ROLE,
        ClientRequestToken="t" * 32,
    )
    given_ = {"opsdeck-source": "s3://artifacts/source", "rows-bike_hours": "s3://artifacts/rows"}
    arn = sagemaker.start_pipeline_execution(
        PipelineName="bike-demand",
        PipelineParameters=[{"Name": key, "Value": value} for key, value in given_.items()],
        ClientRequestToken="t" * 32,
    )["PipelineExecutionArn"]
    for _ in range(200):
        aws.advance(120.0)
        found = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        if found["PipelineExecutionStatus"] != "Executing":
            break
        for step in sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)[
            "PipelineExecutionSteps"
        ]:
            token = step["Metadata"].get("Callback", {}).get("CallbackToken")
            if token and step["StepStatus"] == "Executing":
                told = [{"Name": "decision", "Value": "Approved"}, {"Name": "by", "Value": "ann"}]
                sagemaker.send_pipeline_execution_step_success(
                    CallbackToken=token, OutputParameters=told
                )
    assert found["PipelineExecutionStatus"] == "Succeeded", found.get("FailureReason")
    endpoint = sagemaker.describe_endpoint(EndpointName="bike-demand")
    assert endpoint["EndpointStatus"] == "InService"
