"""What counts as a change at AWS."""

from __future__ import annotations

import botocore.session
import pytest

from core.aws.calls import target_of, writes

CHANGING = (
    "Create", "Put", "Delete", "Update", "Start", "Stop", "Register", "Deregister", "Send", "Set",
    "Add", "Remove", "Enable", "Disable", "Tag", "Untag", "Execute", "Retry", "Redrive", "Grant",
    "Revoke", "Associate", "Disassociate", "Publish", "Cancel", "Copy", "Upload", "Complete",
    "Reset", "Restore", "Schedule", "Attach", "Detach", "Invoke" , "Import", "Run", "Modify",
    "Terminate", "Reject", "Accept", "Approve", "Write",
)  # fmt: skip
SERVICES = (
    "sagemaker", "stepfunctions", "cloudformation", "codepipeline", "codebuild", "codedeploy",
    "codecommit", "ecr", "glue", "lakeformation", "s3", "firehose", "redshift", "fsx", "logs",
    "cloudwatch", "events", "sns", "sqs", "kms", "opensearch", "application-autoscaling", "ce",
    "sagemaker-featurestore-runtime", "iam", "lambda", "cloudtrail",
)  # fmt: skip
READING = {"StartQuery", "StopQuery", "StartLiveTail", "InvokeEndpoint",
           "InvokeEndpointWithResponseStream"}  # fmt: skip


@pytest.mark.parametrize("service", SERVICES)
def test_no_operation_that_changes_anything_passes_as_a_read(service: str) -> None:
    model = botocore.session.get_session().get_service_model(service)
    passed = {
        name
        for name in model.operation_names
        if name.startswith(CHANGING) and not writes(name) and name not in READING
    }
    assert passed == set()


def test_reading_is_no_change() -> None:
    for name in ("ListEndpoints", "DescribePipeline", "GetMetricData", "BatchGetProjects",
                 "SearchTables", "QueryLineage", "HeadObject"):  # fmt: skip
        assert not writes(name), name
    assert writes("GetClusterCredentials")  # it can make a user
    assert writes("InvokeEndpointAsync")


def test_a_call_is_named_by_what_it_is_about() -> None:
    assert target_of({"EndpointName": "bike", "Body": b"secret"}) == "bike"
    assert target_of({"AlarmNames": ["a", "b", "c"]}) == "a and 2 more"
    assert target_of({"MaxResults": 5}) == ""
