"""Every operation that the project uses is answered, and by what the manifest says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from core.simulated.manifest import PAGE, STUBBED, manifest, markdown, methods, status, written
from core.simulated.registry import load
from core.simulated.server import SimulatedAccount

ROOT = Path(__file__).parents[3]
ENTRIES = manifest(ROOT)
# Where any text will not do: what is priced is a service of its own.
_KNOWN = {"ServiceCode": "AmazonSageMaker"}
_ARN = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/none"


def _sample(shape: Any, name: str = "", depth: int = 0) -> Any:
    """The least that botocore takes for a shape; what it means does not matter here."""
    kind = shape.type_name
    if kind == "structure":
        if depth > 6:
            return {}
        members = dict(shape.members)
        wanted = list(shape.required_members)
        if getattr(shape, "is_tagged_union", False):
            wanted = wanted or [next(iter(members))]
        return {each: _sample(members[each], each, depth + 1) for each in wanted}
    if kind == "list":
        return [_sample(shape.member, name, depth + 1)]
    if kind == "map":
        return {_sample(shape.key): _sample(shape.value, "", depth + 1)}
    if kind in ("integer", "long"):
        return int(shape.metadata.get("min", 1)) or 1
    if kind in ("float", "double"):
        return 1.0
    simple: dict[str, Any] = {"boolean": True, "blob": b"1", "timestamp": 1_700_000_000}
    return simple.get(kind) or _text(shape, name)


def _text(shape: Any, name: str) -> str:
    enum = getattr(shape, "enum", None)
    if enum:
        return str(enum[0])
    text = _KNOWN.get(name) or (_ARN if "arn" in name.lower() else "none")
    least = int(shape.metadata.get("min", 0))
    return text if len(text) >= least else text.ljust(least, "0")


def test_it_knows_what_is_used() -> None:
    names = {entry.name for entry in ENTRIES}
    assert {"sagemaker:DescribeEndpoint", "sts:GetCallerIdentity"} <= names
    assert status("sagemaker", "UpdateEndpoint") == "simulated"
    assert status("kms", "ListKeys") == "moto"
    assert all(name in methods(service).values() for service, name in STUBBED)
    table = markdown(ENTRIES)
    assert "| sagemaker | simulated |" in table


def test_its_page_says_so() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    assert written(text, markdown(ENTRIES)) == text, "run python -m core.simulated.manifest --write"


def test_no_handler_has_a_name_that_botocore_does_not_know() -> None:
    unknown = [f"{s}:{o}" for s, o in load() if o not in methods(s).values()]
    assert unknown == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_it_is_answered_as_said(entry: Any, aws: SimulatedAccount, client: Any) -> None:
    bound: Callable[..., Any] = client(entry.service)
    model = bound.meta.service_model.operation_model(entry.operation)  # type: ignore[attr-defined]
    params = _sample(model.input_shape) if model.input_shape is not None else {}
    method = {v: k for k, v in methods(entry.service).items() if k != v}[entry.operation]
    error, text = "", ""
    try:
        getattr(bound, method)(**params)
    except ClientError as refused:
        error, text = refused.response["Error"]["Code"], refused.response["Error"]["Message"]
    assert error not in ("NotSimulated", "SimulationError"), text
    call = aws.calls[-1]
    assert (call.service, call.operation) == (entry.service, entry.operation)
    if error == "InternalFailure":
        # moto stumbles over a resource that is not there; a handler must not.
        assert call.by == "moto" or "moto failed" in text, text
    if error not in ("ValidationException", "ValidationError", "SerializationException"):
        assert entry.status in (call.by, "stubbed")
