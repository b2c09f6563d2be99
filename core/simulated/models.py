"""Which operation a request asks for, and botocore's model of it."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from moto.core.request import Request
from moto.core.routing import get_router_class
from moto.core.utils import get_service_model
from werkzeug.exceptions import NotFound

# Signing names that differ from botocore's name of the service, or that several share.
SIGNED_AS: dict[str, tuple[str, ...]] = {
    "sagemaker": (
        "sagemaker",
        "sagemaker-runtime",
        "sagemaker-featurestore-runtime",
        "sagemaker-metrics",
    ),
    "monitoring": ("cloudwatch",),
    "states": ("stepfunctions",),
    "es": ("opensearch", "es"),
    "tagging": ("resourcegroupstaggingapi",),
    "aoss": ("opensearchserverless",),
    "servicequotas": ("service-quotas",),
    "codestar-connections": ("codestar-connections", "codeconnections"),
    "elasticloadbalancing": ("elbv2", "elb"),
    "elasticmapreduce": ("emr",),
    "email": ("ses", "sesv2"),
    "ses": ("sesv2", "ses"),
}
_SCOPE = re.compile(r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_CBOR_PATH = re.compile(r"^/service/([^/]+)/operation/([^/]+)$")


@dataclass(frozen=True, slots=True)
class Target:
    """The operation a request is for."""

    service: str
    operation: Any
    protocol: str
    region: str
    access_key: str
    uri_params: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.operation.name)


def model(service: str) -> Any:
    """moto's view of botocore's service model (cached by moto)."""
    return get_service_model(service)


@functools.cache
def signing_name(service: str) -> str:
    """The name a service is signed as, by which moto finds its backend."""
    metadata = model(service).metadata
    return str(metadata.get("signingName") or metadata["endpointPrefix"])


_IAM = {"monitoring": "cloudwatch"}
_IAM_ACTIONS = {
    ("s3", "ListBuckets"): "s3:ListAllMyBuckets",
    ("s3", "ListObjects"): "s3:ListBucket",
    ("s3", "ListObjectsV2"): "s3:ListBucket",
    ("s3", "HeadBucket"): "s3:ListBucket",
    ("s3", "HeadObject"): "s3:GetObject",
}


def iam_action(service: str, operation: str) -> str:
    """The action of IAM that an operation needs, as messages of refusal name it."""
    name = signing_name(service)
    return _IAM_ACTIONS.get((service, operation), f"{_IAM.get(name, name)}:{operation}")


@functools.cache
def _router(service: str, protocol: str) -> Any:
    found = get_router_class(service, protocol)
    return found(model(service)) if found is not None else None


def scope(request: Request) -> tuple[str, str, str] | None:
    """(access key, region, signing name) of a request, from its header or signed URL."""
    text = request.headers.get("Authorization", "")
    if not text:
        credential = parse_qs(request.query_string.decode()).get("X-Amz-Credential", [""])[0]
        text = f"Credential={credential}"
    found = _SCOPE.search(text)
    return (found[1], found[2], found[3].lower()) if found else None


def identify(request: Request) -> Target | None:
    """The operation `request` is for; None if it names none that the models know."""
    signed = scope(request)
    if signed is None:
        return _unsigned(request)
    key, region, name = signed
    for service in SIGNED_AS.get(name, (name,)):
        try:
            service_model = model(service)
        except Exception as unknown:
            if type(unknown).__name__ != "UnknownServiceError":
                raise
            continue
        found = _match(request, service, service_model)
        if found is not None:
            operation, protocol, uri_params = found
            return Target(service, operation, protocol, region, key, uri_params)
    return None


def _match(
    request: Request, service: str, service_model: Any
) -> tuple[Any, str, dict[str, Any]] | None:
    metadata = service_model.metadata
    cbor = _CBOR_PATH.match(request.path)
    if cbor is not None:
        if "smithy-rpc-v2-cbor" not in metadata.get("protocols", []):
            return None
        if cbor[1] != metadata.get("targetPrefix") or cbor[2] not in service_model.operation_names:
            return None
        return service_model.operation_model(cbor[2]), "smithy-rpc-v2-cbor", {}
    target = request.headers.get("X-Amz-Target", "")
    if target:
        prefix, _, name = target.rpartition(".")
        if prefix != metadata.get("targetPrefix") or name not in service_model.operation_names:
            return None
        return service_model.operation_model(name), "json", {}
    protocol = str(metadata["protocol"])
    if protocol.startswith("rest-"):
        try:
            operation, params = _router(service, protocol).match(request)
        except NotFound:
            return None
        return operation, protocol, params
    if protocol not in ("query", "ec2") and "query" not in metadata.get("protocols", []):
        return None
    name = request.values.get("Action", "")
    if name not in service_model.operation_names:
        return None
    return service_model.operation_model(name), "ec2" if protocol == "ec2" else "query", {}


_UNSIGNED = ("AssumeRoleWithSAML", "AssumeRoleWithWebIdentity")


def _unsigned(request: Request) -> Target | None:
    """STS by a web identity carries no signature; all else unsigned is left to moto."""
    name = request.values.get("Action", "") if request.method == "POST" else ""
    if name not in _UNSIGNED:
        return None
    return Target("sts", model("sts").operation_model(name), "query", "us-east-1", "", {})
