"""What a resource was made from and what was made from it, by SageMaker's lineage.

Lineage knows resources by artifacts, actions and contexts whose source is the resource; it is
recorded by SageMaker itself for its pipelines, jobs, registered versions and endpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from core.aws import words
from core.aws.errors import AwsError
from core.aws.kind import Line, Section
from core.aws.partial import side_by_side, why

if TYPE_CHECKING:
    from core.aws.account import Account

MOST = 24
DEPTH = 6


def lineage_of(account: Account, source: str) -> Section:
    """Both directions of the resource with this ARN (or S3 address)."""
    start = _entities(account, source)
    if not start:
        return Section("Lineage", ("nothing is recorded",))
    lines: list[Line] = []
    for direction, word in (("Ascendants", "made from"), ("Descendants", "goes to")):
        found = _vertices(account, start[0], direction)
        lines += side_by_side([partial(_line, account, each, word) for each in found[:MOST]])
        if len(found) > MOST:
            lines.append((word, f"and {len(found) - MOST} more"))
    return Section("Lineage", tuple(lines) or ("nothing else is recorded",))


def _entities(account: Account, source: str) -> list[str]:
    """The ARNs of the artifacts (else contexts) that stand for a resource."""
    page = account.call("sagemaker", "list_artifacts", SourceUri=source, MaxResults=10)
    found = [each["ArtifactArn"] for each in page["ArtifactSummaries"]]
    if not found:
        page = account.call("sagemaker", "list_contexts", SourceUri=source, MaxResults=10)
        found = [each["ContextArn"] for each in page["ContextSummaries"]]
    return found


def _vertices(account: Account, start: str, direction: str) -> list[Mapping[str, Any]]:
    found = []
    for page in account.pages(
        "sagemaker",
        "query_lineage",
        StartArns=[start],
        Direction=direction,
        IncludeEdges=False,
        MaxDepth=DEPTH,
    ):
        found += [each for each in page.get("Vertices", ()) if each["Arn"] != start]
        if len(found) > MOST:
            break
    return found


def _line(account: Account, vertex: Mapping[str, Any], word: str) -> Line:
    kind = vertex.get("Type") or vertex.get("LineageType", "")
    try:
        return (word, f"{kind}: {_named(account, vertex)}")
    except AwsError as error:
        return (word, f"{kind}: {words.last_of(vertex['Arn'])} {why(error)}")


def _named(account: Account, vertex: Mapping[str, Any]) -> str:
    """What a vertex stands for: its source's name."""
    arn, sort = vertex["Arn"], vertex.get("LineageType", "")
    if sort == "Artifact":
        found = account.call("sagemaker", "describe_artifact", ArtifactArn=arn)
        source = found.get("Source", {}).get("SourceUri", "")
    elif sort == "Context":
        found = account.call("sagemaker", "describe_context", ContextName=words.last_of(arn))
        source = found.get("Source", {}).get("SourceUri", "")
    else:
        return words.last_of(arn)
    if source.startswith("arn:"):
        return str(source).split(":", 5)[-1].removeprefix("model-package/")
    return str(source or words.last_of(arn))
