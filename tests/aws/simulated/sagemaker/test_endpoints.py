"""Endpoints: created, updated with guardrails, rolled back by alarm, invoked and captured."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from core.simulated.handlers.sagemaker import deploying, fleets
from core.simulated.server import SimulatedAccount

Served = Callable[..., str]
Client = Callable[[str], Any]
CANARY = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 25},
            "WaitIntervalInSeconds": 300,
        },
        "TerminationWaitInSeconds": 60,
    },
    "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]},
}
ROLLING = {
    "RollingUpdatePolicy": {
        "MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1},
        "WaitIntervalInSeconds": 60,
    }
}


def _endpoint(sagemaker: Any) -> dict[str, Any]:
    found: dict[str, Any] = sagemaker.describe_endpoint(EndpointName="live")
    return found


def _live(aws: SimulatedAccount, sagemaker: Any, served: Served, **more: Any) -> None:
    sagemaker.create_endpoint(EndpointName="live", EndpointConfigName=served("v1", **more))
    assert _endpoint(sagemaker)["EndpointStatus"] == "Creating"
    aws.advance(130)
    assert _endpoint(sagemaker)["EndpointStatus"] == "InService"


def test_a_canary_bakes_and_then_takes_all(
    aws: SimulatedAccount, client: Client, sagemaker: Any, served: Served
) -> None:
    _live(aws, sagemaker, served)
    sagemaker.update_endpoint(
        EndpointName="live", EndpointConfigName=served("v2"), DeploymentConfig=CANARY
    )
    seen = []
    for _ in range(40):
        found = _endpoint(sagemaker)
        if found["EndpointStatus"] == "InService":
            break
        pending = found["PendingDeploymentSummary"]
        assert (found["EndpointConfigName"], pending["EndpointConfigName"]) == ("v1", "v2")
        blue, green = found["ProductionVariants"][0], pending["ProductionVariants"][0]
        assert blue["CurrentWeight"] + green["CurrentWeight"] == pytest.approx(1.0)
        seen.append((green["VariantStatus"][0]["Status"], green["CurrentWeight"]))
        aws.advance(30)
    states = list(dict.fromkeys(seen))
    assert states[0] == ("Creating", 0.0)
    assert ("Baking", 0.25) in states
    assert states[-2:] == [("Baking", 1.0), ("Updating", 1.0)]
    assert found["EndpointConfigName"] == "v2"
    assert "PendingDeploymentSummary" not in found
    assert found["LastDeploymentConfig"] == CANARY


def test_an_alarm_rolls_back_and_the_endpoint_serves_what_it_had(
    aws: SimulatedAccount, client: Client, sagemaker: Any, served: Served
) -> None:
    cloudwatch = client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="errors",
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    _live(aws, sagemaker, served)
    sagemaker.update_endpoint(
        EndpointName="live", EndpointConfigName=served("v2"), DeploymentConfig=CANARY
    )
    aws.advance(150)
    assert _endpoint(sagemaker)["PendingDeploymentSummary"]["ProductionVariants"][0][
        "CurrentWeight"
    ] == pytest.approx(0.25)
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="test")
    aws.advance(20)
    assert _endpoint(sagemaker)["EndpointStatus"] == "RollingBack"
    aws.advance(60)
    found = _endpoint(sagemaker)
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", "v1")
    assert "CloudWatch alarms are in ALARM state: [errors]" in found["FailureReason"]
    assert found["ProductionVariants"][0]["CurrentWeight"] == 1.0


def test_instances_that_do_not_come_up(
    aws: SimulatedAccount, sagemaker: Any, served: Served
) -> None:
    broken = [{"Key": "simulate-outcome", "Value": "Failed"}]
    sagemaker.create_endpoint(EndpointName="dead", EndpointConfigName=served("v0", Tags=broken))
    _live(aws, sagemaker, served)
    dead = sagemaker.describe_endpoint(EndpointName="dead")
    assert dead["EndpointStatus"] == "Failed"
    assert "ping health check" in dead["FailureReason"]
    sagemaker.update_endpoint(EndpointName="live", EndpointConfigName=served("v2", Tags=broken))
    aws.advance(100)
    assert _endpoint(sagemaker)["EndpointStatus"] == "RollingBack"
    aws.advance(60)
    assert _endpoint(sagemaker)["EndpointConfigName"] == "v1"


def test_a_deployment_that_takes_too_long_is_rolled_back(
    aws: SimulatedAccount, sagemaker: Any, served: Served
) -> None:
    _live(aws, sagemaker, served)
    slow = json.loads(json.dumps(CANARY))
    slow["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] = 600
    sagemaker.update_endpoint(
        EndpointName="live", EndpointConfigName=served("v2"), DeploymentConfig=slow
    )
    aws.advance(610)
    assert _endpoint(sagemaker)["EndpointStatus"] == "RollingBack"
    aws.advance(1000)
    found = _endpoint(sagemaker)
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", "v1")
    assert "MaximumExecutionTimeoutInSeconds" in found["FailureReason"]


def test_what_is_refused(aws: SimulatedAccount, sagemaker: Any, served: Served) -> None:
    with pytest.raises(ClientError, match="Could not find endpoint configuration"):
        sagemaker.create_endpoint(EndpointName="live", EndpointConfigName="absent")
    with pytest.raises(ClientError, match='Could not find endpoint "arn:aws:sagemaker'):
        _endpoint(sagemaker)
    sagemaker.create_endpoint(EndpointName="live", EndpointConfigName=served("v1"))
    served("v2")
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        sagemaker.update_endpoint(EndpointName="live", EndpointConfigName="v2")
    aws.advance(130)
    with pytest.raises(ClientError, match="already uses"):
        sagemaker.update_endpoint(EndpointName="live", EndpointConfigName="v1")
    both = {**CANARY, **ROLLING}
    with pytest.raises(ClientError, match="either BlueGreenUpdatePolicy or"):
        sagemaker.update_endpoint(
            EndpointName="live", EndpointConfigName="v2", DeploymentConfig=both
        )
    wrong = json.loads(json.dumps(CANARY))
    routing = wrong["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    routing["Type"] = "SIDEWAYS"
    with pytest.raises(ClientError, match="enum value set"):
        sagemaker.update_endpoint(
            EndpointName="live", EndpointConfigName="v2", DeploymentConfig=wrong
        )
    routing.update(Type="CANARY", WaitIntervalInSeconds=4000)
    with pytest.raises(ClientError, match="less than or equal to 3600"):
        sagemaker.update_endpoint(
            EndpointName="live", EndpointConfigName="v2", DeploymentConfig=wrong
        )


def test_weights_and_capacities(aws: SimulatedAccount, client: Client, sagemaker: Any) -> None:
    role = "arn:aws:iam::123456789012:role/worker"
    for name in ("a", "b"):
        sagemaker.create_model(
            ModelName=name, PrimaryContainer={"Image": "x"}, ExecutionRoleArn=role
        )
    variants = [
        {
            "VariantName": name,
            "ModelName": name,
            "InitialInstanceCount": 1,
            "InstanceType": "ml.m5.large",
            "InitialVariantWeight": weight,
        }
        for name, weight in (("a", 3.0), ("b", 1.0))
    ]
    sagemaker.create_endpoint_config(EndpointConfigName="ab", ProductionVariants=variants)
    sagemaker.create_endpoint(EndpointName="live", EndpointConfigName="ab")
    aws.advance(130)
    runtime = client("sagemaker-runtime")
    asked = {"EndpointName": "live", "ContentType": "text/csv", "Body": "1,2"}
    drawn = [runtime.invoke_endpoint(**asked)["InvokedProductionVariant"] for _ in range(40)]
    assert 26 <= drawn.count("a") <= 34
    chosen = runtime.invoke_endpoint(**asked, TargetVariant="b")
    assert chosen["InvokedProductionVariant"] == "b"
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="live",
        DesiredWeightsAndCapacities=[
            {"VariantName": "b", "DesiredWeight": 9, "DesiredInstanceCount": 2}
        ],
    )
    assert _endpoint(sagemaker)["EndpointStatus"] == "Updating"
    aws.advance(30)
    second = _endpoint(sagemaker)["ProductionVariants"][1]
    assert (second["CurrentWeight"], second["CurrentInstanceCount"]) == (9.0, 2)
    with pytest.raises(ClientError, match="not present within endpoint"):
        sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="live", DesiredWeightsAndCapacities=[{"VariantName": "c"}]
        )
    sagemaker.delete_endpoint(EndpointName="live")
    aws.advance(20)
    with pytest.raises(ClientError, match="Could not find endpoint"):
        _endpoint(sagemaker)


def test_invocations_are_answered_measured_and_captured(
    aws: SimulatedAccount, client: Client, sagemaker: Any, served: Served, bucket: str
) -> None:
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{bucket}/capture",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    }
    _live(aws, sagemaker, served, DataCaptureConfig=capture)
    runtime = client("sagemaker-runtime")
    csv = runtime.invoke_endpoint(EndpointName="live", ContentType="text/csv", Body="1,2\n3,4\n")
    assert csv["ContentType"] == "text/csv"
    answers = [float(line) for line in csv["Body"].read().decode().split()]
    assert len(answers) == 2
    assert all(0 < each < 1 for each in answers)
    rows = {"instances": [[1, 2], [3, 4]]}
    found = runtime.invoke_endpoint(
        EndpointName="live", ContentType="application/json", Body=json.dumps(rows)
    )
    assert json.loads(found["Body"].read())["predictions"] == pytest.approx(answers, abs=1e-5)
    keys = [each["Key"] for each in client("s3").list_objects_v2(Bucket=bucket)["Contents"]]
    assert len(keys) == 2
    assert all(key.startswith("capture/live/AllTraffic/20") for key in keys)
    line = json.loads(client("s3").get_object(Bucket=bucket, Key=keys[0])["Body"].read())
    assert line["captureData"]["endpointInput"]["data"] == "1,2\n3,4\n"
    assert _endpoint(sagemaker)["DataCaptureConfig"]["CaptureStatus"] == "Started"
    with pytest.raises(ClientError, match="ModelError"):
        runtime.invoke_endpoint(EndpointName="live", ContentType="application/json", Body="{")
    with pytest.raises(ClientError, match="not found"):
        runtime.invoke_endpoint(EndpointName="absent", Body="1")
    metrics = client("cloudwatch").list_metrics(Namespace="AWS/SageMaker")["Metrics"]
    assert {"Invocations", "ModelLatency", "Invocation4XXErrors"} <= {
        each["MetricName"] for each in metrics
    }


sizes = st.one_of(
    st.builds(lambda v: {"Type": "CAPACITY_PERCENT", "Value": v}, st.integers(10, 50)),
    st.builds(lambda v: {"Type": "INSTANCE_COUNT", "Value": v}, st.integers(1, 2)),
)


@given(sizes, st.integers(4, 10), st.sampled_from(["CANARY", "LINEAR", "ROLLING"]))
def test_steps_rise_to_the_whole(size: dict[str, Any], whole: int, kind: str) -> None:
    if kind == "ROLLING":
        policy = {"MaximumBatchSize": size, "WaitIntervalInSeconds": 10}
        asked: dict[str, Any] = {"RollingUpdatePolicy": policy}
    else:
        member = "CanarySize" if kind == "CANARY" else "LinearStepSize"
        routing = {"Type": kind, member: size, "WaitIntervalInSeconds": 10}
        asked = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}}
    deploying.check(asked, whole)
    shares = [share for share, _ in deploying.steps(asked, whole)]
    assert shares == sorted(set(shares))
    assert shares[-1] == 1.0
    assert shares[0] == pytest.approx(fleets.amount(size, whole), abs=1e-3)


class Updates(RuleBasedStateMachine):
    """An endpoint that is updated in every way while the clock runs and alarms go off."""

    account: SimulatedAccount

    def __init__(self) -> None:
        super().__init__()
        self.account.reset()
        self.state = self.account.world.state("123456789012", "eu-west-1")
        self.made = 0
        self.state.call(
            "cloudwatch",
            "PutMetricAlarm",
            AlarmName="errors",
            Namespace="n",
            MetricName="m",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1.0,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="ignore",
        )
        self.state.call(
            "sagemaker", "CreateEndpoint", EndpointName="live", EndpointConfigName=self._config()
        )
        self.seen: list[float] = []

    def _config(self, **more: Any) -> str:
        self.made += 1
        name = f"v{self.made}"
        self.state.call(
            "sagemaker",
            "CreateEndpointConfig",
            EndpointConfigName=name,
            ProductionVariants=[
                {
                    "VariantName": variant,
                    "InitialInstanceCount": 4,
                    "InstanceType": "ml.m5.large",
                    "InitialVariantWeight": weight,
                }
                for variant, weight in (("a", 3.0), ("b", 1.0))
            ],
            **more,
        )
        return name

    def _endpoint(self) -> dict[str, Any]:
        return self.state.call("sagemaker", "DescribeEndpoint", EndpointName="live")

    def _idle(self) -> bool:
        return bool(self._endpoint()["EndpointStatus"] == "InService")

    @rule(seconds=st.floats(1, 200))
    def wait(self, seconds: float) -> None:
        self.account.advance(seconds)

    @precondition(lambda self: self._idle())
    @rule(config=st.sampled_from([None, CANARY, ROLLING]), broken=st.booleans())
    def update(self, config: dict[str, Any] | None, broken: bool) -> None:
        tags = [{"Key": "simulate-outcome", "Value": "Failed"}] if broken else []
        more = {} if config is None else {"DeploymentConfig": config}
        self.seen.clear()
        self.state.call(
            "sagemaker",
            "UpdateEndpoint",
            EndpointName="live",
            EndpointConfigName=self._config(Tags=tags),
            **more,
        )

    @rule(value=st.sampled_from(["ALARM", "OK"]))
    def alarm(self, value: str) -> None:
        self.state.call(
            "cloudwatch", "SetAlarmState", AlarmName="errors", StateValue=value, StateReason="x"
        )

    @invariant()
    def weights_add_up(self) -> None:
        found = self._endpoint()
        pending = found.get("PendingDeploymentSummary", {}).get("ProductionVariants", [])
        every = [*found["ProductionVariants"], *pending]
        assert sum(each["CurrentWeight"] for each in every) == pytest.approx(4.0)
        assert all(each["CurrentWeight"] >= 0 for each in every)

    @invariant()
    def green_only_grows_until_it_is_rolled_back(self) -> None:
        found = self._endpoint()
        pending = found.get("PendingDeploymentSummary", {}).get("ProductionVariants", [])
        if found["EndpointStatus"] == "Updating" and pending:
            self.seen.append(pending[0]["CurrentWeight"])
            assert self.seen == sorted(self.seen)
        if found["EndpointStatus"] == "InService":
            assert not pending
            assert all("VariantStatus" not in each for each in found["ProductionVariants"])


def test_updates_in_any_order(aws: SimulatedAccount) -> None:
    Updates.account = aws
    run_state_machine_as_test(
        Updates,
        settings=settings(
            max_examples=12,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
