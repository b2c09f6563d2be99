"""The templates: valid by CloudFormation's own schemas, closed, encrypted, least privilege."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.aws.infra import Template, templates_of_opsdeck
from core.aws.infra.resolve import Resolver
from core.aws.infra.template import MOST_BYTES

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "cloudformation"
TEMPLATES = templates_of_opsdeck()
VALUES = {
    "Project": "shop",
    "Environment": "staging",
    "AWS::AccountId": "123456789012",
    "AWS::Region": "eu-west-1",
    "AWS::Partition": "aws",
}
# IAM knows no resource for these: "*" is the least there is.
WITHOUT_RESOURCE = ("Describe", "List", "Get", "StopQuery", "PutMetricData")
NEEDS_CONDITION = {"cloudwatch:PutMetricData"}


def resources(template: Template, kind: str) -> Iterator[tuple[str, Any]]:
    for name, each in Resolver(template.content, VALUES).resources().items():
        if each["Type"] == kind:
            yield name, each["Properties"]


def every(kind: str) -> list[Any]:
    return [
        pytest.param(properties, id=f"{layer}.{name}")
        for layer, template in TEMPLATES.items()
        for name, properties in resources(template, kind)
    ]


def statements() -> list[Any]:
    return [
        pytest.param(statement, id=f"{layer}.{name}.{statement['Sid']}")
        for layer, template in TEMPLATES.items()
        for name, role in resources(template, "AWS::IAM::Role")
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("layer", TEMPLATES)
def test_cfn_lint_finds_nothing(layer: str) -> None:
    from cfnlint.api import ManualArgs, lint

    found = lint(TEMPLATES[layer].body, config=ManualArgs(regions=["eu-west-1", "us-east-1"]))
    assert [f"{each.rule.id} {each.message} {each.path}" for each in found] == []


def test_every_layer_of_the_loop_is_there_in_order() -> None:
    assert set(TEMPLATES) == {path.stem for path in FOLDER.glob("*.yaml")}
    order = list(TEMPLATES)
    for name, template in TEMPLATES.items():
        assert all(order.index(need) < order.index(name) for need in template.needs), name
        assert all(order.index(need) < order.index(name) for need in template.after), name
    assert order[0] == "storage"
    assert order[-1] == "delivery"


@pytest.mark.parametrize("layer", TEMPLATES)
def test_a_template_fits_into_a_request_and_says_what_it_is(layer: str) -> None:
    template = TEMPLATES[layer]
    assert len(template.body.encode()) <= MOST_BYTES
    assert template.about
    assert {"Project", "Environment"} <= set(template.parameters)


@pytest.mark.parametrize("bucket", every("AWS::S3::Bucket"))
def test_a_bucket_is_encrypted_versioned_closed_and_tidied(bucket: Any) -> None:
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    by_key = rule["ServerSideEncryptionByDefault"]
    takes_logs = "LoggingConfiguration" not in bucket
    assert by_key["SSEAlgorithm"] == ("AES256" if takes_logs else "aws:kms")
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {"true"}
    assert bucket["LifecycleConfiguration"]["Rules"]


def test_every_bucket_takes_only_tls() -> None:
    for template in TEMPLATES.values():
        buckets = {f"${{{name}}}" for name, _ in resources(template, "AWS::S3::Bucket")}
        closed = set()
        for _, policy in resources(template, "AWS::S3::BucketPolicy"):
            for each in policy["PolicyDocument"]["Statement"]:
                tls = {"Bool": {"aws:SecureTransport": "false"}}
                if each["Effect"] == "Deny" and each.get("Condition") == tls:
                    assert each["Action"] == "s3:*"
                    assert len(each["Resource"]) == 2
                    closed.add(policy["Bucket"])
        assert buckets == closed


@pytest.mark.parametrize("statement", statements())
def test_a_role_gets_named_actions_on_named_resources(statement: Any) -> None:
    assert statement["Effect"] == "Allow"
    for action in listed(statement["Action"]):
        assert "*" not in action, action
        if "*" in listed(statement["Resource"]):
            name = action.split(":")[1]
            known = name.startswith(WITHOUT_RESOURCE) or action == "ecr:GetAuthorizationToken"
            assert known, f"{action} takes a resource"
            if action in NEEDS_CONDITION:
                assert statement["Condition"]
        if action == "iam:PassRole":
            assert statement["Condition"]["StringEquals"]["iam:PassedToService"]


@pytest.mark.parametrize("role", every("AWS::IAM::Role"))
def test_a_role_is_trusted_narrowly_and_fits(role: Any) -> None:
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"], "of this account's services, or of tagged people"
    size = sum(
        len(json.dumps(each["PolicyDocument"], separators=(",", ":"))) for each in role["Policies"]
    )
    assert size <= 10_240, "IAM takes no more in a role's own policies"


def test_there_is_a_role_for_everybody() -> None:
    names = {
        name for template in TEMPLATES.values() for name, _ in resources(template, "AWS::IAM::Role")
    }
    assert names == {
        "PipelineRole", "TrainingRole", "EndpointRole", "MonitorRole", "StarterRole", "BuildRole",
        "DeliveryRole", "StackRole", "ReaderRole", "ReviewerRole", "OnCallRole",
    }  # fmt: skip


def test_readers_change_nothing() -> None:
    from core.aws.calls import writes

    (reader,) = [
        p for n, p in resources(TEMPLATES["access"], "AWS::IAM::Role") if n == "ReaderRole"
    ]
    actions = [
        action
        for policy in reader["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in listed(statement["Action"])
    ]
    changing = {a for a in actions if writes(a.split(":")[1])}
    assert changing == {"kms:Decrypt"}, "which S3 asks for on the reader's behalf"


def test_the_endpoint_is_guarded() -> None:
    ((_, endpoint),) = resources(TEMPLATES["endpoint"], "AWS::SageMaker::Endpoint")
    deployment = endpoint["DeploymentConfig"]
    routing = deployment["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert routing["Type"] == "CANARY"
    assert len(deployment["AutoRollbackConfiguration"]["Alarms"]) == 2
    ((_, config),) = resources(TEMPLATES["endpoint"], "AWS::SageMaker::EndpointConfig")
    assert config["DataCaptureConfig"]["EnableCapture"] == "true"
    assert list(resources(TEMPLATES["endpoint"], "AWS::ApplicationAutoScaling::ScalingPolicy"))


def test_delivery_asks_a_person_before_production() -> None:
    ((_, pipeline),) = resources(TEMPLATES["delivery"], "AWS::CodePipeline::Pipeline")
    stages = [each["Name"] for each in pipeline["Stages"]]
    assert stages == ["Source", "Build", "Test", "Staging", "Approval", "Production"]
    (approval,) = pipeline["Stages"][4]["Actions"]
    assert approval["ActionTypeId"]["Provider"] == "Manual"


@pytest.mark.parametrize("topic", every("AWS::SNS::Topic"))
def test_topics_are_encrypted(topic: Any) -> None:
    assert topic["KmsMasterKeyId"]
