"""What AWS refuses, in one line each: what was asked, of what, and what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from core.errors import OpsdeckError

if TYPE_CHECKING:
    from core.aws.context import AwsContext


class AwsError(OpsdeckError):
    """Anything that AWS, or the way to it, refused. `aws_code` is AWS's own word."""

    code: ClassVar[str] = "E700"
    exit_status: ClassVar[int] = 4

    def __init__(self, message: str, hint: str = "", aws_code: str = "") -> None:
        super().__init__(message, hint)
        self.aws_code = aws_code


class AccessDenied(AwsError):
    """The identity may not do this; names the action and the resource where AWS told them."""

    code = "E701"
    exit_status = 1


class ExpiredCredentials(AwsError):
    """The credentials were good once."""

    code = "E702"


class NoCredentials(AwsError):
    """No credentials were found, or they are not accepted."""

    code = "E703"


class Throttled(AwsError):
    """Too many calls; it was tried again several times."""

    code = "E704"


class ResourceNotFound(AwsError):
    """There is nothing of this name."""

    code = "E705"
    exit_status = 3


class NoRegion(AwsError):
    """No region is set."""

    code = "E706"
    exit_status = 2


class ServiceNotInRegion(AwsError):
    """The region has no such service."""

    code = "E707"


class Unreachable(AwsError):
    """No answer: the network, a proxy or the address is wrong."""

    code = "E708"


class ClockSkew(AwsError):
    """This machine's clock differs too much from AWS's."""

    code = "E709"


class Conflict(AwsError):
    """The resource is in a state in which this cannot be done, or a limit is reached."""

    code = "E710"
    exit_status = 1


class BadRequest(AwsError):
    """AWS refuses the values that were given."""

    code = "E711"
    exit_status = 2


class AwsFault(AwsError):
    """AWS failed by itself."""

    code = "E712"


class NoAwsExtra(AwsError):
    """boto3 is not installed."""

    code = "E713"


class NoProfile(AwsError):
    """The context names a profile that is not configured here."""

    code = "E714"
    exit_status = 2


_DENIED = re.compile(
    r"(?:(?P<who>arn:\S+).*?)?not authorized to perform:? (?P<action>[\w:*-]+)"
    r"(?: on resource:? (?P<resource>\S+))?",
    re.DOTALL,
)
_BY_CODE: dict[type[AwsError], frozenset[str]] = {
    AccessDenied: frozenset({
        "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError",
        "AuthorizationErrorException", "NotAuthorized", "Forbidden", "403",
        "InsufficientPrivilegesException", "UnauthorizedException",
    }),
    ExpiredCredentials: frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"}),
    NoCredentials: frozenset({
        "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch",
        "InvalidAccessKeyId", "AuthFailure", "MissingAuthenticationToken",
        "MissingAuthenticationTokenException", "IncompleteSignature", "OptInRequired",
    }),
    Throttled: frozenset({
        "Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException",
        "RequestLimitExceeded", "RequestThrottled", "SlowDown", "RequestThrottledException",
        "ProvisionedThroughputExceededException", "PriorRequestNotComplete",
        "BandwidthLimitExceeded",
    }),
    ClockSkew: frozenset({"RequestTimeTooSkewed", "RequestInTheFuture"}),
    ResourceNotFound: frozenset({
        "ResourceNotFound", "ResourceNotFoundException", "NotFoundException", "NotFound", "404",
        "EntityNotFoundException", "NoSuchEntity", "NoSuchBucket", "NoSuchKey",
        "RepositoryNotFoundException", "ImageNotFoundException", "StateMachineDoesNotExist",
        "ExecutionDoesNotExist", "PipelineNotFoundException", "StackNotFoundException",
        "ChangeSetNotFound", "ClusterNotFound", "RepositoryDoesNotExistException",
        "PipelineExecutionNotFoundException", "ApplicationDoesNotExistException",
        "DeploymentDoesNotExistException", "NoSuchTagSet", "TaskDoesNotExist",
    }),
    Conflict: frozenset({
        "ConflictException", "ResourceInUse", "ResourceInUseException", "ResourceLimitExceeded",
        "LimitExceededException", "ResourceAlreadyExists", "AlreadyExistsException",
        "ConcurrentModificationException", "ConcurrentRunsExceededException",
        "InvalidStateException", "OperationInProgressException", "TaskTimedOut",
        "CrawlerRunningException", "CrawlerNotRunningException", "BucketNotEmpty",
        "ApprovalAlreadyCompletedException", "InvalidApprovalTokenException",
        "StackInstanceNotFoundException", "InvalidChangeSetStatus", "TokenAlreadyExistsException",
        "ConditionalCheckFailedException", "AlreadyExists", "AlreadyExistsFault",
    }),
    AwsFault: frozenset({
        "InternalFailure", "InternalError", "InternalServerError", "InternalServiceError",
        "InternalServerException", "ServiceUnavailable", "ServiceUnavailableException", "500",
        "502", "503", "504", "InternalServiceException",
    }),
}  # fmt: skip
_CLASS_OF = {code: kind for kind, codes in _BY_CODE.items() for code in codes}
_HINTS = {
    Throttled: "wait a moment; other programs of this account share the limit",
    ResourceNotFound: "it may be in another region, or have been deleted",
    ClockSkew: "set this machine's clock (for example by NTP) and try again",
    AwsFault: "try again; health.aws.amazon.com tells of known trouble",
    Conflict: "look at its state, and try again when that has changed",
    BadRequest: "",
}


def translated(error: Exception, what: str, context: AwsContext) -> AwsError:
    """botocore's error as ours. `what` is "service:Operation" and, after a space, its target."""
    from botocore import exceptions as aws

    asked, _, target = what.partition(" ")
    of = f" of {target}" if target else ""
    if isinstance(error, aws.ClientError):
        return _refused(error, asked, target, context)
    if isinstance(error, aws.ParamValidationError):
        report = " ".join(str(error.kwargs.get("report", error)).split())
        return BadRequest(f"{asked}{of}: {report}")
    if isinstance(error, aws.NoRegionError):
        return NoRegion(f"{context.name}: no region is set", "name one: --region, or AWS_REGION")
    if isinstance(error, aws.ProfileNotFound):
        return no_profile(context)
    if isinstance(
        error, (aws.SSOTokenLoadError, aws.UnauthorizedSSOTokenError, aws.TokenRetrievalError)
    ):
        return ExpiredCredentials(f"{context.name}: the single sign-on has ended", _login(context))
    if isinstance(error, (aws.NoCredentialsError, aws.PartialCredentialsError)):
        return NoCredentials(f"{context.name}: no AWS credentials were found", _login(context))
    if isinstance(error, aws.CredentialRetrievalError):
        return NoCredentials(f"{context.name}: {_line(error)}", _login(context))
    if isinstance(error, aws.EndpointConnectionError) and context.endpoint_url == "":
        return ServiceNotInRegion(
            f"{asked}: {context.region} has no such service, or it can't be reached",
            "the other kinds go on; name another region with --region",
        )
    if isinstance(error, (aws.HTTPClientError, aws.ConnectionError, aws.EndpointConnectionError)):
        return Unreachable(f"{asked}{of}: {_line(error)}", "look at the network, proxy and address")
    return AwsFault(f"{asked}{of}: {type(error).__name__}: {_line(error)}")


def no_profile(context: AwsContext) -> NoProfile:
    """The context's profile is not there."""
    return NoProfile(
        f"{context.name}: the profile {context.profile} is not in ~/.aws/config",
        "aws configure list-profiles shows those there are",
    )


def _refused(error: Exception, asked: str, target: str, context: AwsContext) -> AwsError:
    response = getattr(error, "response", {})
    said = response.get("Error", {})
    code = str(said.get("Code") or response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
    message = " ".join(str(said.get("Message") or "").split())
    kind = _CLASS_OF.get(code, BadRequest)
    if kind is BadRequest and _DENIED.search(message):
        kind = AccessDenied
    elif kind is BadRequest and re.search(
        r"(does not exist|could not find|not found|no such|doesn't exist)", message, re.IGNORECASE
    ):
        kind = ResourceNotFound
    elif kind is BadRequest:
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
        kind = AwsFault if isinstance(status, int) and status >= 500 else BadRequest
    of = f" of {target}" if target else ""
    if kind is AccessDenied:
        return _denied(message, asked, target, context, code)
    if kind is ExpiredCredentials:
        return kind(f"{context.name}: the credentials have expired", _login(context), code)
    if kind is NoCredentials:
        return kind(f"{context.name}: {message or code}", _login(context), code)
    return kind(f"{asked}{of}: {message or code}", _HINTS.get(kind, ""), code)


def _denied(message: str, asked: str, target: str, context: AwsContext, code: str) -> AwsError:
    found = _DENIED.search(message)
    action = found["action"] if found else asked
    resource = (found["resource"] if found else "") or target or "*"
    who = (found["who"] if found else "") or f"the identity of {context.name}"
    return AccessDenied(
        f"{who} may not {action} on {resource.rstrip('.')}",
        "the rest goes on; docs/aws.md has the policy of each role",
        code,
    )


def _login(context: AwsContext) -> str:
    profile = f" --profile {context.profile}" if context.profile else ""
    return f"sign in again: aws sso login{profile}, or renew the keys, then r reads again"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
