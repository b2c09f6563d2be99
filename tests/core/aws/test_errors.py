"""What AWS refuses is told in one line that says what to do."""

from __future__ import annotations

import pytest
from botocore import exceptions as aws

from core.aws import errors
from core.aws.context import AwsContext

CONTEXT = AwsContext("prod", profile="ml", region="eu-west-1")


def refused(code: str, message: str = "", status: int = 400) -> aws.ClientError:
    return aws.ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},
        },
        "ListEndpoints",
    )


def told(error: Exception, what: str = "sagemaker:DescribeEndpoint bike") -> errors.AwsError:
    return errors.translated(error, what, CONTEXT)


def test_who_may_not_do_what_on_which_resource() -> None:
    message = (
        "User: arn:aws:sts::123456789012:assumed-role/reader/me is not authorized to perform: "
        "sagemaker:StopTrainingJob on resource: arn:aws:sagemaker:eu-west-1:123456789012:"
        "training-job/a because no identity-based policy allows it"
    )
    found = told(refused("AccessDeniedException", message), "sagemaker:StopTrainingJob a")
    assert isinstance(found, errors.AccessDenied)
    assert found.message == (
        "arn:aws:sts::123456789012:assumed-role/reader/me may not sagemaker:StopTrainingJob on "
        "arn:aws:sagemaker:eu-west-1:123456789012:training-job/a"
    )


def test_a_denial_without_its_words_names_what_was_asked() -> None:
    found = told(refused("AccessDenied", "Access Denied", 403), "s3:ListObjectsV2 lake")
    assert found.message == "the identity of prod may not s3:ListObjectsV2 on lake"


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("ThrottlingException", "Rate exceeded", errors.Throttled),
        ("ExpiredToken", "The security token included in the request is expired",
         errors.ExpiredCredentials),
        ("UnrecognizedClientException", "invalid", errors.NoCredentials),
        ("RequestTimeTooSkewed", "The difference is too large", errors.ClockSkew),
        ("ValidationException", "Could not find endpoint \"x\".", errors.ResourceNotFound),
        ("ValidationError", "Stack with id x does not exist", errors.ResourceNotFound),
        ("ValidationException", "1 validation error detected", errors.BadRequest),
        ("ResourceLimitExceeded", "limit 'ml.m5.large' is 0", errors.Conflict),
        ("InternalFailure", "", errors.AwsFault),
    ],
)  # fmt: skip
def test_each_code_has_its_kind(code: str, message: str, kind: type[errors.AwsError]) -> None:
    found = told(refused(code, message))
    assert type(found) is kind
    assert "\n" not in found.one_line()
    assert found.aws_code == code


def test_a_service_that_fails_with_an_unknown_word_is_aws_s_fault() -> None:
    assert type(told(refused("Whatever", "oops", 503))) is errors.AwsFault


def test_what_the_sdk_itself_finds() -> None:
    assert type(told(aws.NoCredentialsError())) is errors.NoCredentials
    assert "aws sso login --profile ml" in told(aws.NoCredentialsError()).hint
    assert type(told(aws.NoRegionError())) is errors.NoRegion
    assert type(told(aws.ConnectTimeoutError(endpoint_url="https://x"))) is errors.Unreachable
    assert type(told(aws.EndpointConnectionError(endpoint_url="https://x"))) is (
        errors.ServiceNotInRegion
    )
    report = 'Missing required parameter in input: "X"\nInvalid type for parameter Y'
    found = told(aws.ParamValidationError(report=report))
    assert type(found) is errors.BadRequest
    assert "\n" not in found.message
