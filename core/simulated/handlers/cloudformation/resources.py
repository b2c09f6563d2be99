"""Resource types that moto's CloudFormation lacks, or makes past the handlers of this account.

Each is made by the same API calls that a person would send, so that what a stack makes is there
for every other operation, strictly validated.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import UnformattedGetAttTemplateException
from moto.core.common_models import CloudFormationModel

from core.simulated.faults import Fault, Injected, as_fault
from core.simulated.handlers.cloudformation import buckets
from core.simulated.state import State

_STATE: ContextVar[State] = ContextVar("state")
Properties = dict[str, Any]
Request = Callable[[Properties], Properties]


@contextmanager
def acting_in(state: State) -> Iterator[None]:
    """While it lasts, resources are made in this account and region."""
    token = _STATE.set(state)
    try:
        yield
    finally:
        _STATE.reset(token)


@dataclass(frozen=True, slots=True)
class Type:
    """How a type is made and deleted: `service:Operation`, and what to send.

    Without `update` a change makes it anew; `change` is what an update sends, where it differs;
    `then` sets what the making itself does not take.
    """

    name: str
    service: str
    create: str
    request: Request
    delete: str = ""
    undo: Callable[[Properties, str], Properties] = lambda properties, physical: {}
    update: str = ""
    change: Request | None = None
    then: Callable[[State, Properties, str], None] | None = None
    name_property: str = ""
    physical: Callable[[Properties, Mapping[str, Any]], str] = lambda properties, answer: ""
    attributes: Mapping[str, Callable[[Properties, Mapping[str, Any]], str]] | None = None


def known(resource_type: str) -> bool:
    """Whether a resource of this type can be made here."""
    return (
        resource_type in parsing.get_model_map()
        or resource_type in parsing.NULL_MODELS
        or resource_type.startswith("Custom::")
    )


def progress_of(state: State, resource: Any) -> tuple[bool, str]:
    """Whether a resource still comes up, and why it failed ("" = it did not).

    An endpoint that went back to its old configuration by an alarm has failed its stack.
    """
    if getattr(type(resource), "cloudformation_type", str)() != "AWS::SageMaker::Endpoint":
        return False, ""
    name = resource.properties["EndpointName"]
    found = state.call("sagemaker", "DescribeEndpoint", EndpointName=name)
    if found["EndpointStatus"] in ("Creating", "Updating", "RollingBack", "SystemUpdating"):
        return True, ""
    wanted = resource.properties["EndpointConfigName"]
    if found["EndpointStatus"] == "InService" and found.get("EndpointConfigName") == wanted:
        return False, ""
    reason = found.get("FailureReason") or f"it serves {found.get('EndpointConfigName')} again"
    return False, f"Endpoint {name} is {found['EndpointStatus']}: {reason}"


def _send(state: State, spec: Type, operation: str, request: Properties) -> dict[str, Any]:
    # From within no fault is taken, but a stack has to be able to fail.
    injected = state.world.faults.take(f"{spec.service}:{operation}")
    if injected is not None and injected.code not in ("cut", "slow"):
        raise _fault(injected, spec, operation)
    return state.call(spec.service, operation, **request)


def _fault(injected: Injected, spec: Type, operation: str) -> Fault:
    return as_fault(injected, f"{spec.service}:{operation}", "arn:aws:iam::stack", "json")


def _gone(fault: Fault) -> bool:
    """Whether what was to be deleted is not there any more, with its bucket or by hand."""
    words = f"{fault.code} {fault.message}".lower()
    return any(each in words for each in ("nosuch", "notfound", "not found", "does not exist"))


def register(spec: Type) -> type[CloudFormationModel]:
    """Make a type known to moto's CloudFormation, which looks for direct subclasses."""

    def create(
        cls: Any,
        /,
        resource_name: str,
        cloudformation_json: Mapping[str, Any],
        account_id: str,
        region_name: str,
        **_: Any,
    ) -> Any:
        properties = dict(cloudformation_json.get("Properties") or {})
        if spec.name_property:
            properties.setdefault(spec.name_property, resource_name)
        made = cls()
        made.properties = properties
        made.answer = _send(_STATE.get(), spec, spec.create, spec.request(properties))
        made.physical = spec.physical(properties, made.answer) or resource_name
        if spec.then is not None:
            spec.then(_STATE.get(), properties, made.physical)
        return made

    def update(
        cls: Any,
        /,
        original_resource: Any,
        new_resource_name: str,
        cloudformation_json: Mapping[str, Any],
        account_id: str,
        region_name: str,
    ) -> Any:
        properties = dict(cloudformation_json.get("Properties") or {})
        if spec.name_property:
            properties.setdefault(
                spec.name_property, original_resource.properties[spec.name_property]
            )
        named = properties.get(spec.name_property)
        renamed = named != original_resource.properties.get(spec.name_property)
        if spec.then is not None and not renamed:
            original_resource.properties = properties
            spec.then(_STATE.get(), properties, original_resource.physical)
            return original_resource
        if spec.update and not renamed:
            made = cls()
            made.properties = properties
            request = (spec.change or spec.request)(properties)
            made.answer = _send(_STATE.get(), spec, spec.update, request)
            made.physical = original_resource.physical
            return made
        original_resource.delete(account_id, region_name)
        return create(cls, new_resource_name, cloudformation_json, account_id, region_name)

    def delete(self: Any, account_id: str, region_name: str) -> None:
        if spec.delete:
            try:
                _send(_STATE.get(), spec, spec.delete, spec.undo(self.properties, self.physical))
            except Fault as fault:
                if not _gone(fault):
                    raise

    def attribute(self: Any, attribute_name: str) -> str:
        found = (spec.attributes or {}).get(attribute_name)
        if found is None:
            raise UnformattedGetAttTemplateException
        return found(self.properties, self.answer)

    members = {
        "cloudformation_name_type": staticmethod(lambda: spec.name_property),
        "cloudformation_type": staticmethod(lambda: spec.name),
        "create_from_cloudformation_json": classmethod(create),
        "update_from_cloudformation_json": classmethod(update),
        "delete_from_cloudformation_json": classmethod(lambda cls, *_: None),
        "has_cfn_attr": classmethod(lambda cls, attr: attr in (spec.attributes or {})),
        "get_cfn_attribute": attribute,
        "physical_resource_id": property(lambda self: self.physical),
        "delete": delete,
    }
    made: type[CloudFormationModel] = type(
        spec.name.replace("::", ""), (CloudFormationModel,), members
    )
    return made


def _same(properties: Properties) -> Properties:
    return properties


def _without(*names: str) -> Request:
    return lambda properties: {k: v for k, v in properties.items() if k not in names}


def _named(parameter: str, key: str) -> Callable[[Properties, str], Properties]:
    return lambda properties, physical: {parameter: properties.get(key, physical)}


def _listed(parameter: str, key: str) -> Callable[[Properties, str], Properties]:
    return lambda properties, physical: {parameter: [properties.get(key, physical)]}


def _answered(key: str) -> Callable[[Properties, Mapping[str, Any]], str]:
    return lambda properties, answer: str(answer.get(key, ""))


def _property(key: str) -> Callable[[Properties, Mapping[str, Any]], str]:
    return lambda properties, answer: str(properties[key])


def lowered(value: Any, keep: tuple[str, ...] = ()) -> Any:
    """Names as the Code services spell them (`StageName` → `stageName`), but under `keep`."""
    if isinstance(value, dict):
        return {
            key[:1].lower() + key[1:]: each if key in keep else lowered(each, keep)
            for key, each in value.items()
        }
    return [lowered(each, keep) for each in value] if isinstance(value, list) else value


def _project(properties: Properties) -> Properties:
    found = dict(lowered(_without("Tags")(properties)))
    source = found.get("source", {})
    if "buildSpec" in source:
        source["buildspec"] = source.pop("buildSpec")
    return found


def _definition(properties: Properties) -> Properties:
    found = _without("PipelineDefinition", "Tags")(properties)
    given = properties["PipelineDefinition"]
    if "PipelineDefinitionBody" in given:
        found["PipelineDefinition"] = given["PipelineDefinitionBody"]
    else:
        place = given["PipelineDefinitionS3Location"]
        found["PipelineDefinitionS3Location"] = {
            "Bucket": place["Bucket"],
            "ObjectKey": place["Key"],
        }
        if "Version" in place:
            found["PipelineDefinitionS3Location"]["VersionId"] = place["Version"]
    return {**found, "ClientRequestToken": "0" * 32}


def _topic_policy(properties: Properties) -> Properties:
    return {
        "TopicArn": properties["Topics"][0],
        "AttributeName": "Policy",
        "AttributeValue": json.dumps(properties["PolicyDocument"]),
    }


def _scaled(properties: Properties) -> Properties:
    keys = ("ServiceNamespace", "ResourceId", "ScalableDimension")
    return {key: properties[key] for key in keys}


def _sagemaker(kind: str, name: str, arn: str, update: str = "") -> Type:
    return Type(
        f"AWS::SageMaker::{kind}",
        "sagemaker",
        f"Create{kind}",
        _same,
        delete=f"Delete{kind}",
        undo=_named(name, name),
        update=update,
        name_property=name,
        physical=_property(name) if kind in ("ModelPackageGroup", "Pipeline") else _answered(arn),
        attributes={name: _property(name), arn: _answered(arn)},
    )


def _with(spec: Type, **changes: Any) -> Type:
    from dataclasses import replace

    return replace(spec, **changes)


TYPES = (
    Type(
        "AWS::S3::Bucket",
        "s3",
        "CreateBucket",
        lambda p: buckets.creation(p, _STATE.get().region),
        delete="DeleteBucket",
        undo=_named("Bucket", "BucketName"),
        then=buckets.configure,
        name_property="BucketName",
        physical=_property("BucketName"),
        attributes={
            "Arn": lambda p, answer: f"arn:aws:s3:::{p['BucketName']}",
            "DomainName": lambda p, answer: f"{p['BucketName']}.s3.amazonaws.com",
        },
    ),
    Type(
        "AWS::S3::BucketPolicy",
        "s3",
        "PutBucketPolicy",
        lambda p: {"Bucket": p["Bucket"], "Policy": json.dumps(p["PolicyDocument"])},
        delete="DeleteBucketPolicy",
        undo=_named("Bucket", "Bucket"),
        update="PutBucketPolicy",
        physical=_property("Bucket"),
    ),
    Type(
        "AWS::SQS::QueuePolicy",
        "sqs",
        "SetQueueAttributes",
        lambda p: {
            "QueueUrl": p["Queues"][0],
            "Attributes": {"Policy": json.dumps(p["PolicyDocument"])},
        },
        update="SetQueueAttributes",
    ),
    Type("AWS::SNS::TopicPolicy", "sns", "SetTopicAttributes", _topic_policy),
    Type(
        "AWS::SNS::Subscription",
        "sns",
        "Subscribe",
        lambda p: {**p, "ReturnSubscriptionArn": True},
        delete="Unsubscribe",
        undo=lambda p, physical: {"SubscriptionArn": physical},
        physical=_answered("SubscriptionArn"),
    ),
    Type(
        "AWS::CloudWatch::Alarm",
        "cloudwatch",
        "PutMetricAlarm",
        _same,
        delete="DeleteAlarms",
        undo=_listed("AlarmNames", "AlarmName"),
        update="PutMetricAlarm",
        name_property="AlarmName",
        physical=_property("AlarmName"),
    ),
    Type(
        "AWS::CloudWatch::CompositeAlarm",
        "cloudwatch",
        "PutCompositeAlarm",
        _same,
        delete="DeleteAlarms",
        undo=_listed("AlarmNames", "AlarmName"),
        update="PutCompositeAlarm",
        name_property="AlarmName",
        physical=_property("AlarmName"),
    ),
    Type(
        "AWS::ApplicationAutoScaling::ScalableTarget",
        "application-autoscaling",
        "RegisterScalableTarget",
        _same,
        delete="DeregisterScalableTarget",
        undo=lambda p, physical: _scaled(p),
        update="RegisterScalableTarget",
        physical=_property("ResourceId"),
    ),
    Type(
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        "application-autoscaling",
        "PutScalingPolicy",
        _same,
        delete="DeleteScalingPolicy",
        undo=lambda p, physical: {**_scaled(p), "PolicyName": p["PolicyName"]},
        update="PutScalingPolicy",
        physical=_answered("PolicyARN"),
    ),
    Type(
        "AWS::CodeBuild::Project",
        "codebuild",
        "CreateProject",
        _project,
        delete="DeleteProject",
        undo=_named("name", "Name"),
        update="UpdateProject",
        name_property="Name",
        physical=_property("Name"),
    ),
    Type(
        "AWS::CodePipeline::Pipeline",
        "codepipeline",
        "CreatePipeline",
        lambda p: {"pipeline": lowered(_without("Tags")(p), keep=("Configuration",))},
        delete="DeletePipeline",
        undo=_named("name", "Name"),
        update="UpdatePipeline",
        name_property="Name",
        physical=_property("Name"),
    ),
    _with(_sagemaker("Pipeline", "PipelineName", "PipelineArn"), request=_definition),
    _with(
        _sagemaker("ModelPackageGroup", "ModelPackageGroupName", "ModelPackageGroupArn"),
        request=_without("ModelPackageGroupPolicy"),
    ),
    _sagemaker("Model", "ModelName", "ModelArn"),
    _sagemaker("EndpointConfig", "EndpointConfigName", "EndpointConfigArn"),
    _with(
        _sagemaker("Endpoint", "EndpointName", "EndpointArn", "UpdateEndpoint"),
        request=_without("RetainAllVariantProperties", "ExcludeRetainedVariantProperties", "Tags"),
        change=_without("Tags"),
    ),
    _sagemaker("DataQualityJobDefinition", "JobDefinitionName", "JobDefinitionArn"),
    _sagemaker("MonitoringSchedule", "MonitoringScheduleName", "MonitoringScheduleArn"),
)

for _each in TYPES:
    register(_each)
parsing.get_model_list.cache_clear()
parsing.get_model_map.cache_clear()
parsing.get_name_type_map.cache_clear()
