"""Each of AWS's protocols, spoken by boto3 over HTTP to the simulated account."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from core.simulated.server import SimulatedAccount

Client = Callable[[str], Any]


def _refused(call: Callable[[], Any]) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as raised:
        call()
    response = raised.value.response
    error, meta = response["Error"], response["ResponseMetadata"]
    return error["Code"], error["Message"], meta["HTTPStatusCode"]


def test_json_query_rest_and_ec2_reach_moto(client: Client) -> None:
    key = client("kms").create_key()["KeyMetadata"]
    assert key["Arn"].startswith("arn:aws:kms:eu-west-1:123456789012:key/")
    assert client("sts").get_caller_identity()["Account"] == "123456789012"
    document = '{"Version": "2012-10-17", "Statement": []}'
    client("iam").create_role(RoleName="worker", AssumeRolePolicyDocument=document)
    assert client("iam").list_roles()["Roles"][0]["RoleName"] == "worker"
    assert client("ec2").describe_vpcs()["Vpcs"]
    assert client("lakeformation").list_resources()["ResourceInfoList"] == []


def test_s3_keeps_bytes_and_keys_with_blanks(client: Client) -> None:
    s3 = client("s3")
    s3.create_bucket(
        Bucket="opsdeck-data", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    body = bytes(range(256)) * 50
    s3.put_object(Bucket="opsdeck-data", Key="a folder/ö+ %.bin", Body=body)
    assert s3.get_object(Bucket="opsdeck-data", Key="a folder/ö+ %.bin")["Body"].read() == body
    listed = s3.list_objects_v2(Bucket="opsdeck-data", Prefix="a folder/")["Contents"]
    assert [each["Key"] for each in listed] == ["a folder/ö+ %.bin"]


def test_cloudwatch_speaks_cbor(client: Client) -> None:
    cloudwatch = client("cloudwatch")
    assert cloudwatch.meta.service_model.metadata["protocol"] == "smithy-rpc-v2-cbor"
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    cloudwatch.put_metric_data(
        Namespace="Opsdeck",
        MetricData=[{"MetricName": "loss", "Value": 0.25, "Timestamp": now, "Unit": "None"}],
    )
    answer = cloudwatch.get_metric_statistics(
        Namespace="Opsdeck",
        MetricName="loss",
        StartTime=now - dt.timedelta(minutes=5),
        EndTime=now + dt.timedelta(minutes=5),
        Period=60,
        Statistics=["Average"],
    )
    assert [point["Average"] for point in answer["Datapoints"]] == [0.25]
    assert isinstance(answer["Datapoints"][0]["Timestamp"], dt.datetime)


@pytest.mark.parametrize(
    ("service", "operation", "params", "path", "must"),
    [
        ("sagemaker", "list_endpoints", {"SortBy": "Colour"}, "sortBy", "satisfy enum value set"),
        (
            "sagemaker",
            "list_models",
            {"MaxResults": 101},
            "maxResults",
            "less than or equal to 100",
        ),
        (
            "sagemaker",
            "describe_endpoint",
            {"EndpointName": "not_a_name"},
            "endpointName",
            "satisfy regular expression pattern",
        ),
        ("sagemaker", "describe_endpoint", {"EndpointName": "x" * 64}, "endpointName", "length"),
        ("cloudwatch", "describe_alarms", {"StateValue": "MAYBE"}, "stateValue", "enum value set"),
        ("lakeformation", "list_resources", {"MaxResults": 1001}, "maxResults", "less than"),
    ],
)
def test_what_botocore_lets_through_is_refused(
    client: Client, service: str, operation: str, params: dict[str, Any], path: str, must: str
) -> None:
    code, message, status = _refused(lambda: getattr(client(service), operation)(**params))
    assert code == "ValidationException"
    assert status == 400
    assert f"at '{path}' failed to satisfy constraint" in message
    assert must in message


def test_an_operation_nobody_has_fails_loudly_by_name(client: Client) -> None:
    code, message, status = _refused(lambda: client("sagemaker").list_hubs())
    assert (code, status) == ("NotSimulated", 501)
    assert "sagemaker:ListHubs" in message
    code, message, _ = _refused(
        lambda: client("cloudwatch").get_metric_widget_image(MetricWidget="{}")
    )
    assert code == "NotSimulated"
    assert "cloudwatch:GetMetricWidgetImage" in message


def test_faults_have_the_words_of_aws(aws: SimulatedAccount, client: Client) -> None:
    sagemaker = client("sagemaker")
    aws.fault("sagemaker:ListEndpoints", "ThrottlingException", times=2)
    for _ in range(2):
        assert _refused(sagemaker.list_endpoints) == ("ThrottlingException", "Rate exceeded", 400)
    assert sagemaker.list_endpoints()["Endpoints"] == []
    aws.fault("sagemaker:*", "AccessDenied", resource="arn:aws:sagemaker:x:y:endpoint/*")
    code, message, status = _refused(sagemaker.list_endpoints)
    assert (code, status) == ("AccessDeniedException", 400)
    assert "is not authorized to perform: sagemaker:ListEndpoints on resource: arn:" in message
    aws.fault("s3:ListBuckets", "AccessDenied")
    code, message, status = _refused(client("s3").list_buckets)
    assert (code, status) == ("AccessDenied", 403)
    assert "not authorized to perform: s3:ListAllMyBuckets" in message
    aws.fault("cloudwatch:*", "ExpiredToken")
    assert _refused(client("cloudwatch").list_metrics)[0] == "ExpiredTokenException"
    aws.fault("sts:*", "ExpiredToken")
    assert _refused(client("sts").get_caller_identity)[0] == "ExpiredToken"
    aws.fault("s3:*", "RequestTimeTooSkewed")
    assert _refused(client("s3").list_buckets)[0] == "RequestTimeTooSkewed"
    aws.fault("sagemaker:*", "cut")
    with pytest.raises(ConnectionClosedError):
        sagemaker.list_endpoints()


def test_calls_are_recorded_without_secrets(aws: SimulatedAccount, client: Client) -> None:
    client("secretsmanager").create_secret(Name="db", SecretString="hunter2")
    aws.fault("sagemaker:*", "ThrottlingException")
    _refused(client("sagemaker").list_endpoints)
    first, second = aws.calls
    assert (first.action, first.status, first.by) == ("secretsmanager:CreateSecret", 200, "moto")
    assert first.params["Name"] == "db"
    assert "hunter2" not in str(first)
    assert (second.action, second.status, second.by) == ("sagemaker:ListEndpoints", 400, "fault")


def test_reset_forgets_all(aws: SimulatedAccount, client: Client) -> None:
    client("sqs").create_queue(QueueName="jobs")
    aws.reset()
    assert "QueueUrls" not in client("sqs").list_queues()
    assert [call.action for call in aws.calls] == ["sqs:ListQueues"]


def test_it_is_steered_over_http(aws: SimulatedAccount) -> None:
    import httpx

    with httpx.Client(base_url=aws.endpoint_url, timeout=10) as http:
        before = http.get("/opsdeck/health").json()
        assert before["simulated"] is True
        after = http.post("/opsdeck/clock", json={"advance": 3600}).json()
        assert after["now"] - before["now"] >= 3600
        fault = {"operation": "sts:*", "code": "ThrottlingException", "times": 1}
        assert http.post("/opsdeck/faults", json=fault).status_code == 200
        assert http.post("/opsdeck/faults", json={"colour": 1}).status_code == 400
        assert http.post("/opsdeck/reset").status_code == 200
        assert http.get("/opsdeck/calls").json() == {"calls": []}
        assert http.post("/opsdeck/elsewhere").status_code == 400


def test_accounts_and_regions_are_kept_apart(aws: SimulatedAccount, client: Client) -> None:
    import boto3

    role = "arn:aws:iam::111122223333:role/reader"
    keys = client("sts").assume_role(RoleArn=role, RoleSessionName="look")["Credentials"]
    client("sagemaker").create_model_package_group(ModelPackageGroupName="mine")

    def groups(region: str, **credentials: str) -> int:
        other = boto3.client(
            "sagemaker", endpoint_url=aws.endpoint_url, region_name=region, **credentials
        )
        return len(other.list_model_package_groups()["ModelPackageGroupSummaryList"])

    there = {
        "aws_access_key_id": keys["AccessKeyId"],
        "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }
    assert groups("eu-west-1") == 1
    assert groups("us-east-1") == 0
    assert groups("eu-west-1", **there) == 0
    assert aws.calls[-1].account_id == "111122223333"
