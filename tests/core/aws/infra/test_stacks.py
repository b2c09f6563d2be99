"""Stacks on the simulated account: planned, deployed, failed, compared with, destroyed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from core.aws.account import Account
from core.aws.errors import AccessDenied
from core.aws.infra import (
    Event,
    Infra,
    InfraInvalid,
    NotEmpty,
    Patience,
    Place,
    PlanChanged,
    PlanRefused,
    StackBusy,
    StackFailed,
    StackProtected,
    StillNeeded,
    templates_in,
    templates_of_opsdeck,
)
from core.aws.infra.values import Given, read_given

if TYPE_CHECKING:
    from core.simulated.server import SimulatedAccount

Make = Callable[..., Infra]
ALARM = """
Parameters:
  Project: {Type: String}
  Environment: {Type: String}
  Limit: {Type: Number, Default: 5}
Resources:
  Bucket:
    Type: AWS::S3::Bucket
  Topic:
    Type: AWS::SNS::Topic
    Properties: {TopicName: !Sub "${Project}-${Environment}-t"}
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: !Sub ${Project}-${Environment}-a
      Namespace: N
      MetricName: M
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 1
      Threshold: !Ref Limit
      ComparisonOperator: GreaterThanThreshold
      AlarmActions: [!Ref Topic]
Outputs:
  Bucket: {Value: !Ref Bucket}
"""
USER = """
Metadata: {Opsdeck: {From: {Bucket: base}}}
Parameters:
  Bucket: {Type: String}
Resources:
  Rule:
    Type: AWS::Events::Rule
    Properties: {Name: on-data, ScheduleExpression: rate(1 day), Description: !Ref Bucket}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text(ALARM)
    (tmp_path / "user.yaml").write_text(USER)
    return tmp_path


@pytest.fixture
def make(aws: SimulatedAccount, account: Account, folder: Path) -> Make:
    """The stacks of two small layers; waiting moves the simulated clock."""

    def made(environment: str = "staging", opsdeck: bool = False, **more: Any) -> Infra:
        place = Place("shop", environment, account.account_id, account.region)
        templates = templates_of_opsdeck() if opsdeck else templates_in(folder)
        patience = Patience(5.0, more.pop("timeout", 7200), sleep=aws.advance, now=aws.clock.now)
        return Infra(more.pop("account", account), place, templates, "tester", patience)

    return made


def deploy(infra: Infra, *names: str, pairs: tuple[str, ...] = ()) -> list[Event]:
    told: list[Event] = []
    given = read_given(pairs, [], infra.templates)
    infra.deploy(infra.plan(names, given), given, told.append)
    return told


def left(account: Account) -> list[str]:
    pages = account.call("cloudformation", "list_stacks")["StackSummaries"]
    return [each["StackName"] for each in pages if each["StackStatus"] != "DELETE_COMPLETE"]


def test_a_plan_leaves_nothing_behind(make: Make, account: Account) -> None:
    infra = make()
    plans = infra.plan([], Given())
    assert [(each.layer, each.kind, each.exact) for each in plans.stacks] == [
        ("base", "create", True),
        ("user", "create", False),
    ]
    assert plans.stacks[1].notes == ("after base, whose outputs it takes",)
    infra.discard(plans.stacks)
    assert left(account) == []


def test_what_is_deployed_is_there_and_tagged(make: Make, account: Account) -> None:
    infra = make()
    told = deploy(infra)
    rows = {each.layer: each.stack for each in infra.rows()}
    base = rows["base"]
    assert base is not None
    assert base.status == "CREATE_COMPLETE"
    assert dict(base.tags) == {"owner": "tester", "project": "shop", "environment": "staging"}
    assert not base.protected
    account.call("s3", "head_bucket", Bucket=base.outputs["Bucket"])
    (alarm,) = account.call("cloudwatch", "describe_alarms", AlarmNames=["shop-staging-a"])[
        "MetricAlarms"
    ]
    assert alarm["Threshold"] == 5
    rule = account.call("events", "describe_rule", Name="on-data")
    assert rule["Description"] == base.outputs["Bucket"], "an output of the layer before"
    assert [e.status for e in told if e.name == "Alarm"] == ["CREATE_COMPLETE"]
    assert told[-1].stack == "shop-staging-user"


def test_a_change_is_told_with_its_values_and_made(make: Make, account: Account) -> None:
    infra = make()
    deploy(infra)
    given = read_given(["Limit=9"], [], infra.templates)
    plans = infra.plan([], given)
    base, user = plans.stacks
    assert (base.kind, user.kind) == ("update", "none")
    assert [(p.path, p.before, p.after) for p in base.parameters] == [("Limit", "5", "9")]
    (change,) = base.changes
    assert (change.name, change.action) == ("Alarm", "change")
    assert [(p.path, p.before, p.after) for p in change.properties] == [("Threshold", "5", "9")]
    infra.deploy(plans, given)
    (alarm,) = account.call("cloudwatch", "describe_alarms", AlarmNames=["shop-staging-a"])[
        "MetricAlarms"
    ]
    assert alarm["Threshold"] == 9
    assert infra.plan([], given).changing == ()
    assert infra.plan([], Given()).changing == (), "what is left out stays as it is"


def test_a_renamed_bucket_is_a_replacement_that_loses_data(make: Make, folder: Path) -> None:
    deploy(make())
    text = ALARM.replace(
        "    Type: AWS::S3::Bucket",
        "    Type: AWS::S3::Bucket\n    Properties: {BucketName: other-b}",
    )
    (folder / "base.yaml").write_text(text)
    infra = make()
    plans = infra.plan(["base"], Given())
    (change,) = plans.stacks[0].loses
    assert (change.name, change.action, change.loses) == ("Bucket", "replace", "its objects")
    assert change.properties[0].recreation == "Always"
    infra.discard(plans.stacks)


def test_a_failed_creation_names_the_resource_and_can_be_tried_again(
    make: Make, aws: SimulatedAccount, account: Account
) -> None:
    infra = make()
    aws.fault("cloudwatch:PutMetricAlarm", "LimitExceeded", message="too many alarms")
    with pytest.raises(StackFailed) as failed:
        deploy(infra, "base")
    assert "Alarm (AWS::CloudWatch::Alarm) CREATE_FAILED: too many alarms" in failed.value.message
    assert "ROLLBACK_COMPLETE" in failed.value.message
    assert "taken back" in failed.value.hint
    (plan,) = infra.plan(["base"], Given()).stacks
    assert plan.kind == "recreate"
    assert "is deleted first" in plan.notes[0]
    told = deploy(infra, "base")
    assert "CREATE_COMPLETE" in [each.status for each in told]
    assert left(account) == ["shop-staging-base"]


def test_a_failed_change_goes_back(make: Make, aws: SimulatedAccount, account: Account) -> None:
    infra = make()
    deploy(infra, "base")
    aws.fault("cloudwatch:PutMetricAlarm", "LimitExceeded", times=4, message="no more")
    with pytest.raises(StackFailed, match="no more") as failed:
        deploy(infra, "base", pairs=("Limit=9",))
    assert failed.value.hint == "everything is as it was before"
    (alarm,) = account.call("cloudwatch", "describe_alarms", AlarmNames=["shop-staging-a"])[
        "MetricAlarms"
    ]
    assert alarm["Threshold"] == 5
    deploy(infra, "base", pairs=("Limit=9",))


def test_whoever_comes_later_waits_for_what_goes_on(
    make: Make, aws: SimulatedAccount, account: Account
) -> None:
    infra = make()
    plans = infra.plan(["base"], Given())
    account.call("cloudformation", "execute_change_set", ChangeSetName=plans.stacks[0].change_set)
    assert infra.plan(["base"], Given()).changing == ()
    impatient = replace(make(), patience=Patience(1.0, 0.0, sleep=aws.advance, now=aws.clock.now))
    deploy(infra, "base", pairs=("Limit=7",))
    plans = infra.plan(["base"], read_given(["Limit=8"], [], infra.templates))
    account.call("cloudformation", "execute_change_set", ChangeSetName=plans.stacks[0].change_set)
    with pytest.raises(StackBusy, match="goes on at AWS"):
        impatient.plan(["base"], Given())


def test_a_layer_before_is_needed(make: Make) -> None:
    with pytest.raises(InfraInvalid, match="not deployed yet: base"):
        make().plan(["user"], Given())


def test_what_cannot_be_a_change_set_is_refused_and_leaves_nothing(
    make: Make, folder: Path, account: Account
) -> None:
    (folder / "base.yaml").write_text(ALARM.replace("Threshold: !Ref Limit", "Threshold: !Ref No"))
    with pytest.raises((PlanRefused, StackFailed)):
        deploy(make(), "base")
    assert left(account) in ([], ["shop-staging-base"])


def test_more_than_was_shown_is_not_done(make: Make, folder: Path, account: Account) -> None:
    deploy(make())
    infra = make()
    given = read_given(["Limit=9"], [], infra.templates)
    plans = infra.plan(["user"], given)
    assert plans.changing == ()
    named = "Type: AWS::S3::Bucket\n    Properties: {BucketName: other-b}"
    (folder / "base.yaml").write_text(ALARM.replace("Type: AWS::S3::Bucket", named))
    deploy(make(), "base")
    with pytest.raises(PlanChanged, match="more would change"):
        infra.deploy(plans, given)
    assert len(left(account)) == 2


def test_reading_sends_no_write(make: Make, aws: SimulatedAccount, account: Account) -> None:
    deploy(make())
    reader = Account(account.context, read_only=True, attempts=1)
    infra = make(account=reader)
    given = read_given(["Limit=9"], [], infra.templates)
    base, user = infra.plan([], given).stacks
    assert (base.kind, base.exact, user.kind) == ("update", False, "none")
    assert [p.after for c in base.changes for p in c.properties] == ["9"]
    infra.rows()
    assert [each for each in reader.calls.list() if each.writes] == []


def test_production_is_protected(make: Make) -> None:
    infra = make("production")
    deploy(infra)
    assert all(each.stack and each.stack.protected for each in infra.rows())
    with pytest.raises(StackProtected):
        infra.destroy(infra.to_destroy([]))
    assert all(each.stack for each in infra.rows()), "nothing is gone"
    infra.destroy(infra.to_destroy([]), unprotect=True)
    assert not any(each.stack for each in infra.rows())


def test_a_bucket_with_objects_stops_everything(make: Make, account: Account) -> None:
    infra = make()
    deploy(infra)
    bucket = infra.rows()[0].stack.outputs["Bucket"]  # type: ignore[union-attr]
    account.call("s3", "put_object", Bucket=bucket, Key="a", Body=b"1")
    with pytest.raises(NotEmpty, match="nothing was deleted"):
        infra.destroy(infra.to_destroy([]))
    assert left(account) == ["shop-staging-base", "shop-staging-user"]
    infra.destroy(infra.to_destroy([]), retain=True)
    assert left(account) == []
    assert account.call("s3", "get_object", Bucket=bucket, Key="a")["Body"].read() == b"1"


def test_what_another_stack_is_built_on_stays(make: Make) -> None:
    infra = make()
    deploy(infra)
    with pytest.raises(StillNeeded, match="shop-staging-user is built on it"):
        infra.to_destroy(["base"])
    assert [each.name for each in infra.to_destroy([])] == [
        "shop-staging-user",
        "shop-staging-base",
    ]


def test_what_was_changed_by_hand_is_told(make: Make, account: Account) -> None:
    infra = make()
    deploy(infra)
    assert [(each.layer, each.status, each.resources) for each in infra.drift([])] == [
        ("base", "IN_SYNC", ()),
        ("user", "IN_SYNC", ()),
    ]
    (alarm,) = account.call("cloudwatch", "describe_alarms", AlarmNames=["shop-staging-a"])[
        "MetricAlarms"
    ]
    keys = ("AlarmName", "Namespace", "MetricName", "Statistic", "Period", "EvaluationPeriods",
            "ComparisonOperator", "AlarmActions")  # fmt: skip
    same = {key: alarm[key] for key in keys}
    account.call("cloudwatch", "put_metric_alarm", **same, Threshold=50)
    bucket = infra.rows()[0].stack.outputs["Bucket"]  # type: ignore[union-attr]
    account.call("s3", "delete_bucket", Bucket=bucket)
    (drift,) = infra.drift(["base"])
    assert drift.drifted
    assert [each.stack and each.stack.drift for each in infra.rows()] == ["DRIFTED", "IN_SYNC"]
    deleted, modified = drift.resources
    assert (deleted.name, deleted.status) == ("Bucket", "DELETED")
    assert modified.name == "Alarm"
    (difference,) = modified.properties
    assert (difference.path, difference.expected, difference.actual) == ("Threshold", "5", "50")
    with pytest.raises(InfraInvalid, match="no such layer"):
        infra.drift(["nope"])


def test_another_environment_is_not_touched(make: Make) -> None:
    deploy(make("staging"))
    other = make("staging-eu")
    assert not any(each.stack for each in other.rows())
    deploy(other)
    assert len([each for each in make("staging").rows() if each.stack]) == 2


def test_who_may_not_is_told_what(make: Make, aws: SimulatedAccount, account: Account) -> None:
    infra = make()
    plans = infra.plan(["base"], Given())
    aws.fault("cloudformation:ExecuteChangeSet", "AccessDeniedException")
    with pytest.raises(AccessDenied, match="cloudformation:ExecuteChangeSet"):
        infra.deploy(plans, Given())
    assert left(account) == [], "the change set and its empty stack are gone"


def test_the_whole_loop_deploys(make: Make, account: Account, tmp_path: Path) -> None:
    """Every layer of ours; each resource is there by its own service's word."""
    infra = make(opsdeck=True)
    definition = tmp_path / "pipeline.json"
    definition.write_text(json.dumps({"Version": "2020-12-01", "Steps": []}))
    package = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/shop-staging-model/1"
    given = read_given(
        [f"ModelPackageArn={package}", "Repository=shop", "AlertEmail=ops@example.org"],
        [f"DefinitionKey={definition}", f"MonitorDefinitionKey={definition}"],
        infra.templates,
    )
    plans = infra.plan([], given)
    assert plans.left_out == ()
    infra.deploy(plans, given)
    assert {r.stack.status for r in infra.rows() if r.stack} == {"CREATE_COMPLETE"}
    assert all(row.stack for row in infra.rows())
    outputs = {k: v for r in infra.rows() if r.stack for k, v in r.stack.outputs.items()}
    _storage_is_there(account, outputs)
    _serving_is_there(account)
    _delivery_is_there(account, outputs)
    assert infra.plan([], given).changing == ()
    assert [each.layer for each in infra.drift([]) if each.drifted] == []
    made = {
        each["ResourceType"]
        for row in infra.rows()
        for each in account.call(
            "cloudformation", "list_stack_resources", StackName=infra.place.stack(row.layer)
        )["StackResourceSummaries"]
    }
    wanted = {
        each["Type"]
        for template in infra.templates.values()
        for each in template.resources.values()
        if "Condition" not in each
    }
    assert wanted <= made, "the simulated account silently leaves no type out"


def _storage_is_there(account: Account, outputs: dict[str, str]) -> None:
    for name in ("DataBucket", "ArtifactBucket", "CaptureBucket"):
        bucket = outputs[name]
        policy = json.loads(account.call("s3", "get_bucket_policy", Bucket=bucket)["Policy"])
        assert policy["Statement"][0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        versioning = account.call("s3", "get_bucket_versioning", Bucket=bucket)
        assert versioning["Status"] == "Enabled"
        block = account.call("s3", "get_public_access_block", Bucket=bucket)
        assert set(block["PublicAccessBlockConfiguration"].values()) == {True}
        rules = account.call("s3", "get_bucket_encryption", Bucket=bucket)
        (rule,) = rules["ServerSideEncryptionConfiguration"]["Rules"]
        assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == outputs["KeyArn"]
    attributes = account.call("sns", "get_topic_attributes", TopicArn=outputs["AlertTopicArn"])
    assert attributes["Attributes"]["KmsMasterKeyId"] == outputs["KeyArn"]
    found = account.call("sns", "list_subscriptions_by_topic", TopicArn=outputs["AlertTopicArn"])
    assert [each["Endpoint"] for each in found["Subscriptions"]] == ["ops@example.org"]


def _serving_is_there(account: Account) -> None:
    endpoint = account.call("sagemaker", "describe_endpoint", EndpointName="shop-staging-model")
    assert endpoint["EndpointStatus"] == "InService"
    alarms = account.call("cloudwatch", "describe_alarms", AlarmNamePrefix="shop-staging-model")
    names = [each["AlarmName"].rsplit("-", 1)[1] for each in alarms["MetricAlarms"]]
    assert sorted(names) == ["drift", "errors", "latency"]
    targets = account.call(
        "application-autoscaling", "describe_scalable_targets", ServiceNamespace="sagemaker"
    )["ScalableTargets"]
    assert [(each["MinCapacity"], each["MaxCapacity"]) for each in targets] == [(2, 6)]


def _delivery_is_there(account: Account, outputs: dict[str, str]) -> None:
    pipeline = account.call("codepipeline", "get_pipeline", name="shop-staging-delivery")
    stages = [each["name"] for each in pipeline["pipeline"]["stages"]]
    assert stages == ["Source", "Build", "Test", "Staging", "Approval", "Production"]
    role = outputs["TrainingRoleArn"].rsplit("/", 1)[1]
    policies = account.call("iam", "list_role_policies", RoleName=role)["PolicyNames"]
    assert policies == ["own"]
    found = account.call("sagemaker", "describe_pipeline", PipelineName="shop-staging-model")
    assert found["PipelineStatus"] == "Active"
    group = "shop-staging-model"
    account.call("sagemaker", "describe_model_package_group", ModelPackageGroupName=group)
