"""The registry, lineage, feature groups and managed MLflow."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from core.simulated.server import SimulatedAccount

Client = Callable[[str], Any]
ROLE = "arn:aws:iam::123456789012:role/worker"


def _package(sagemaker: Any, **more: Any) -> str:
    arn: str = sagemaker.create_model_package(
        ModelPackageGroupName="bikes",
        InferenceSpecification={
            "Containers": [{"Image": "simulated/serve", "ModelDataUrl": "s3://opsdeck-data/m.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        **more,
    )["ModelPackageArn"]
    return arn


def test_packages_are_versions_with_approval_and_stage(
    aws: SimulatedAccount, sagemaker: Any
) -> None:
    with pytest.raises(ClientError, match="does not exist"):
        _package(sagemaker)
    sagemaker.create_model_package_group(ModelPackageGroupName="bikes")
    arns = [_package(sagemaker), _package(sagemaker, ModelApprovalStatus="Approved")]
    assert [arn.rsplit("/", 2)[1:] for arn in arns] == [["bikes", "1"], ["bikes", "2"]]
    pending = sagemaker.list_model_packages(
        ModelPackageGroupName="bikes", ModelApprovalStatus="PendingManualApproval"
    )["ModelPackageSummaryList"]
    assert [row["ModelPackageVersion"] for row in pending] == [1]
    aws.advance(60)
    sagemaker.update_model_package(
        ModelPackageArn=arns[0],
        ModelApprovalStatus="Rejected",
        ApprovalDescription="worse than before",
        CustomerMetadataProperties={"ticket": "17"},
        ModelLifeCycle={"Stage": "Staging", "StageStatus": "Rejected"},
    )
    found = sagemaker.describe_model_package(ModelPackageName=arns[0])
    assert found["ModelApprovalStatus"] == "Rejected"
    assert found["ModelLifeCycle"]["Stage"] == "Staging"
    assert found["LastModifiedTime"] > found["CreationTime"]
    with pytest.raises(ClientError, match="enum value set"):
        sagemaker.update_model_package(ModelPackageArn=arns[0], ModelApprovalStatus="Perhaps")
    with pytest.raises(ClientError, match="ConflictException"):
        sagemaker.delete_model_package_group(ModelPackageGroupName="bikes")
    both = sagemaker.batch_describe_model_package(ModelPackageArnList=[arns[1], f"{arns[1]}9"])
    assert list(both["ModelPackageSummaries"]) == [arns[1]]
    assert list(both["BatchDescribeModelPackageErrorMap"]) == [f"{arns[1]}9"]


def test_an_approval_reaches_a_queue_by_eventbridge(
    aws: SimulatedAccount, client: Client, sagemaker: Any
) -> None:
    queue = client("sqs").create_queue(QueueName="approvals")["QueueUrl"]
    events = client("events")
    pattern = {"source": ["aws.sagemaker"], "detail": {"ModelApprovalStatus": ["Approved"]}}
    events.put_rule(Name="approved", EventPattern=json.dumps(pattern))
    arn = "arn:aws:sqs:eu-west-1:123456789012:approvals"
    events.put_targets(Rule="approved", Targets=[{"Id": "queue", "Arn": arn}])
    sagemaker.create_model_package_group(ModelPackageGroupName="bikes")
    package = _package(sagemaker)
    sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    messages = client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    bodies = [json.loads(each["Body"]) for each in messages]
    assert [body["detail"]["ModelPackageArn"] for body in bodies] == [package]


def test_the_end_of_a_job_reaches_a_queue(
    aws: SimulatedAccount, client: Client, sagemaker: Any, params: Callable[..., Any], bucket: str
) -> None:
    queue = client("sqs").create_queue(QueueName="jobs")["QueueUrl"]
    pattern = {"detail-type": ["SageMaker Training Job State Change"]}
    client("events").put_rule(Name="jobs", EventPattern=json.dumps(pattern))
    arn = "arn:aws:sqs:eu-west-1:123456789012:jobs"
    client("events").put_targets(Rule="jobs", Targets=[{"Id": "queue", "Arn": arn}])
    sagemaker.create_training_job(TrainingJobName="job", **params("training"))
    aws.advance(600)
    message = client("sqs").receive_message(QueueUrl=queue)["Messages"][0]
    assert json.loads(message["Body"])["detail"]["TrainingJobStatus"] == "Completed"


def test_lineage_of_a_training_job_appears_by_itself(
    aws: SimulatedAccount, sagemaker: Any, params: Callable[..., Any], bucket: str
) -> None:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/train"}
    channel = {"ChannelName": "train", "DataSource": {"S3DataSource": source}}
    job = params("training", InputDataConfig=[channel])
    sagemaker.create_training_job(TrainingJobName="job", **job)
    aws.advance(600)
    data = sagemaker.list_artifacts(SourceUri=source["S3Uri"])["ArtifactSummaries"][0]
    found = sagemaker.query_lineage(StartArns=[data["ArtifactArn"]], Direction="Descendants")
    kinds = [(each["LineageType"], each["Type"]) for each in found["Vertices"]]
    assert kinds == [
        ("Artifact", "DataSet"),
        ("TrialComponent", "SageMakerTrainingJob"),
        ("Artifact", "Model"),
    ]
    assert [each["AssociationType"] for each in found["Edges"]] == ["ContributedTo", "Produced"]
    shallow = sagemaker.query_lineage(
        StartArns=[data["ArtifactArn"]], Direction="Descendants", MaxDepth=1
    )
    assert len(shallow["Vertices"]) == 2
    none = sagemaker.query_lineage(StartArns=[data["ArtifactArn"]], Direction="Ascendants")
    assert none["Edges"] == []


def test_lineage_that_is_written(sagemaker: Any) -> None:
    uri = {"SourceUri": "s3://somewhere/data"}
    artifact = sagemaker.create_artifact(Source=uri, ArtifactType="DataSet")["ArtifactArn"]
    action = sagemaker.create_action(ActionName="clean", Source=uri, ActionType="Cleaning")[
        "ActionArn"
    ]
    context = sagemaker.create_context(ContextName="bikes", Source=uri, ContextType="Endpoint")
    sagemaker.add_association(
        SourceArn=artifact, DestinationArn=action, AssociationType="ContributedTo"
    )
    rows = sagemaker.list_associations(SourceArn=artifact)["AssociationSummaries"]
    assert [(row["DestinationName"], row["DestinationType"]) for row in rows] == [
        ("clean", "Cleaning")
    ]
    sagemaker.update_context(ContextName="bikes", Properties={"a": "1", "b": "2"})
    sagemaker.update_context(ContextName="bikes", PropertiesToRemove=["a"])
    assert sagemaker.describe_context(ContextName="bikes")["Properties"] == {"b": "2"}
    assert context["ContextArn"].endswith("context/bikes")
    sagemaker.delete_association(SourceArn=artifact, DestinationArn=action)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        sagemaker.delete_association(SourceArn=artifact, DestinationArn=action)


def _record(key: str, at: str, value: str) -> list[dict[str, str]]:
    pairs = {"id": key, "at": at, "value": value}
    return [{"FeatureName": name, "ValueAsString": text} for name, text in pairs.items()]


def test_features_online_and_offline(
    aws: SimulatedAccount, client: Client, sagemaker: Any, bucket: str
) -> None:
    kinds = {"id": "String", "at": "String", "value": "Fractional"}
    sagemaker.create_feature_group(
        FeatureGroupName="riders",
        RecordIdentifierFeatureName="id",
        EventTimeFeatureName="at",
        FeatureDefinitions=[{"FeatureName": k, "FeatureType": v} for k, v in kinds.items()],
        OnlineStoreConfig={"EnableOnlineStore": True},
        OfflineStoreConfig={"S3StorageConfig": {"S3Uri": f"s3://{bucket}/features"}},
        RoleArn=ROLE,
    )
    store = client("sagemaker-featurestore-runtime")
    old, new = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
    with pytest.raises(ClientError, match="in status Creating"):
        store.put_record(FeatureGroupName="riders", Record=_record("1", old, "1.5"))
    aws.advance(30)
    store.put_record(FeatureGroupName="riders", Record=_record("1", new, "2.5"))
    store.put_record(FeatureGroupName="riders", Record=_record("1", old, "1.5"))
    key = {"FeatureGroupName": "riders", "RecordIdentifierValueAsString": "1"}
    found = store.get_record(**key, FeatureNames=["value"])["Record"]
    assert found == [{"FeatureName": "value", "ValueAsString": "2.5"}]
    with pytest.raises(ClientError, match="no Fractional"):
        store.put_record(FeatureGroupName="riders", Record=_record("1", new, "much"))
    store.delete_record(**key, EventTime="2026-03-01T00:00:00Z")
    assert "Record" not in store.get_record(**key)
    assert store.list_records(FeatureGroupName="riders")["RecordIdentifiers"] == []
    batch = store.batch_get_record(
        Identifiers=[
            {"FeatureGroupName": "riders", "RecordIdentifiersValueAsString": ["1"]},
            {"FeatureGroupName": "absent", "RecordIdentifiersValueAsString": ["2"]},
        ]
    )
    assert (batch["Records"], len(batch["Errors"])) == ([], 1)
    aws.advance(400)
    keys = [
        each["Key"]
        for each in client("s3").list_objects_v2(Bucket=bucket, Prefix="features/")["Contents"]
    ]
    import pyarrow.parquet as pq

    body = client("s3").get_object(Bucket=bucket, Key=keys[0])["Body"].read()
    rows = pq.read_table(io.BytesIO(body)).to_pylist()
    assert [(row["value"], row["is_deleted"]) for row in rows] == [
        (2.5, False),
        (1.5, False),
        (None, True),
    ]
    described = sagemaker.describe_feature_group(FeatureGroupName="riders")
    catalog = described["OfflineStoreConfig"]["DataCatalogConfig"]
    table = client("glue").get_table(DatabaseName=catalog["Database"], Name=catalog["TableName"])
    assert keys[0] in table["Table"]["StorageDescriptor"]["Location"] + keys[0]
    assert described["OfflineStoreStatus"]["Status"] == "Active"


def test_mlflow_apps_and_servers_start_and_stop(aws: SimulatedAccount, sagemaker: Any) -> None:
    store = {"ArtifactStoreUri": "s3://opsdeck-data/mlflow", "RoleArn": ROLE}
    arn = sagemaker.create_mlflow_app(Name="tracking", **store)["Arn"]
    assert sagemaker.describe_mlflow_app(Arn=arn)["Status"] == "Creating"
    sagemaker.create_mlflow_tracking_server(TrackingServerName="old", **store)
    aws.advance(150)
    assert sagemaker.list_mlflow_apps(Status="Created")["Summaries"][0]["Arn"] == arn
    assert "authToken" in sagemaker.create_presigned_mlflow_app_url(Arn=arn)["AuthorizedUrl"]
    sagemaker.stop_mlflow_tracking_server(TrackingServerName="old")
    aws.advance(100)
    rows = sagemaker.list_mlflow_tracking_servers()["TrackingServerSummaries"]
    assert [(row["TrackingServerStatus"], row["IsActive"]) for row in rows] == [
        ("Stopped", "Inactive")
    ]
    sagemaker.start_mlflow_tracking_server(TrackingServerName="old")
    with pytest.raises(ClientError, match="ConflictException"):
        sagemaker.start_mlflow_tracking_server(TrackingServerName="old")
