"""Programs of their own against the simulated account: its own process, the SageMaker SDK."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.simulated.server import SimulatedAccount

SDK = Path(__file__).parent / "programs" / "sdk_pipeline.py"
TRUST = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}}
ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def test_a_process_of_its_own_prints_its_address_and_ends_when_told() -> None:
    command = [sys.executable, "-m", "core.simulated", "--port", "0", "--speed", "60"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        health = httpx.get(f"{url}/opsdeck/health", timeout=20).json()
        assert (health["simulated"], health["speed"]) == (True, 60.0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.wait(timeout=20)


def test_a_seed_nobody_knows_is_refused() -> None:
    command = [sys.executable, "-m", "core.simulated", "--seed", "nothing-like-it"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "no seed is called" in done.stderr


def test_only_one_runs_in_a_process(aws: SimulatedAccount) -> None:
    with pytest.raises(RuntimeError, match="already runs"):
        SimulatedAccount.start()


@pytest.mark.slow
def test_the_sagemaker_sdk_upserts_and_starts_a_pipeline(
    aws: SimulatedAccount, client: Callable[[str], Any], bucket: str
) -> None:
    iam = client("iam")
    trust = _policy({**TRUST, "Action": "sts:AssumeRole"})
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName="worker", PolicyName="all", PolicyDocument=_policy(ALL))
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    done = subprocess.run(
        [sys.executable, str(SDK)],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    good, bad = [line for line in done.stdout.splitlines() if line.startswith("arn:")]
    aws.advance(1500)
    sagemaker = client("sagemaker")

    def ended(arn: str) -> tuple[str, dict[str, str]]:
        found = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        rows = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)
        steps = {row["StepName"]: row["StepStatus"] for row in rows["PipelineExecutionSteps"]}
        return found["PipelineExecutionStatus"], steps

    done_well = {"Train": "Succeeded", "Good": "Succeeded", "Evaluate": "Succeeded"}
    assert ended(good) == ("Succeeded", done_well)
    assert ended(bad) == ("Failed", {"Train": "Succeeded", "Good": "Succeeded", "Refuse": "Failed"})
    assert {call.status for call in aws.calls if call.operation == "UpdatePipeline"} == {200}


def test_the_policy_simulator_decides_by_the_roles_policies(
    client: Callable[[str], Any],
) -> None:
    iam = client("iam")
    trust = _policy({**TRUST, "Action": "sts:AssumeRole"})
    role = iam.create_role(RoleName="narrow", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    allow = {"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "arn:aws:s3:::a/*"}
    deny = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/secret"}
    document = _policy(allow, deny)
    policy = iam.create_policy(PolicyName="narrow", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="narrow", PolicyArn=policy)
    rows = iam.simulate_principal_policy(
        PolicySourceArn=role,
        ActionNames=["s3:GetObject", "s3:PutObject"],
        ResourceArns=["arn:aws:s3:::a/open", "arn:aws:s3:::a/secret"],
    )["EvaluationResults"]
    assert [row["EvalDecision"] for row in rows] == [
        "allowed",
        "explicitDeny",
        "implicitDeny",
        "implicitDeny",
    ]
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.simulate_principal_policy(PolicySourceArn=f"{role}x", ActionNames=["s3:GetObject"])
