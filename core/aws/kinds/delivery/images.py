"""The kind `images`: a repository's images with their tags, size and findings; scanned, deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.errors import AwsError, ResourceNotFound
from core.aws.kind import Column, Detail, Item, Kind, Line, Section, Verb
from core.aws.kinds.shared import found
from core.aws.partial import section
from core.aws.words import clock, epoch, last_of, short, size
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED")
MOST_FINDINGS = 60
DIGEST = 19


def parted(id: str) -> tuple[str, dict[str, str]]:
    """An id (REPOSITORY:TAG or REPOSITORY@DIGEST) as repository and image; raises `BadInput`."""
    if "@" in id:
        repository, _, digest = id.partition("@")
        return repository, {"imageDigest": digest}
    repository, colon, tag = id.rpartition(":")
    if not colon:
        raise BadInput(f"{id}: is no image", "write REPOSITORY:TAG or REPOSITORY@sha256:…")
    return repository, {"imageTag": tag}


def _listed(account: Account, repository: str) -> Iterator[Sequence[Item]]:
    if not repository:
        raise BadInput(
            "images: of which repository?", "opsdeck aws list images --parent REPOSITORY"
        )
    for page in account.pages("ecr", "describe_images", repositoryName=repository):
        items = [_item(each) for each in page.get("imageDetails", ())]
        yield tuple(sorted(items, key=lambda item: item.changed or 0.0, reverse=True))


def counted(counts: Mapping[str, int]) -> str:
    """Findings by severity, the worst first."""
    return ", ".join(f"{counts[each]} {each.lower()}" for each in SEVERITIES if counts.get(each))


def _tone(status: str, counts: Mapping[str, int]) -> str:
    if status == "FAILED":
        return "bad"
    if not counts and status not in ("COMPLETE", "ACTIVE"):
        return "run" if status in ("IN_PROGRESS", "PENDING") else "dim"
    if counts.get("CRITICAL"):
        return "bad"
    return "wait" if counts.get("HIGH") else "ok"


def _item(told: Mapping[str, Any]) -> Item:
    repository, digest = told["repositoryName"], told["imageDigest"]
    tags = list(told.get("imageTags", ()))
    status = (told.get("imageScanStatus") or {}).get("status", "")
    counts = (told.get("imageScanFindingsSummary") or {}).get("findingSeverityCounts") or {}
    scanned = counted(counts) or ("none" if status in ("COMPLETE", "ACTIVE") else "not scanned")
    if status in ("IN_PROGRESS", "PENDING", "FAILED"):
        scanned = f"scan {status.lower().replace('_', ' ')}"
    return Item(
        id=f"{repository}:{tags[0]}" if tags else f"{repository}@{digest}",
        cells=(
            ", ".join(tags) or "(no tag)",
            digest[:DIGEST],
            size(told.get("imageSizeInBytes")),
            scanned,
        ),
        tone=_tone(status, counts),
        changed=epoch(told.get("imagePushedAt")),
        raw={**told, "state": status},
    )


def _shown(account: Account, id: str) -> Detail:
    repository, image = parted(id)
    told = account.call(
        "ecr", "describe_images", repositoryName=repository, imageIds=[image]
    ).get("imageDetails", ())  # fmt: skip
    if not told:
        raise ResourceNotFound(f"there is no image {id}")
    item = _item(told[0])
    about = Section(
        "Image",
        (
            ("tags", item.cells[0]),
            ("digest", told[0]["imageDigest"]),
            ("size", item.cells[2]),
            ("pushed", clock(told[0].get("imagePushedAt"))),
            *found("last pulled", clock(told[0].get("lastRecordedPullTime"))),
            *found("made of", told[0].get("artifactMediaType")),
            ("findings", item.cells[3], item.tone),
        ),
    )
    findings = section("Findings, worst first", lambda: _findings(account, repository, image))
    return Detail(f"{repository} {item.cells[0]}", item.tone, (about, findings), (), item, told[0])


def _findings(account: Account, repository: str, image: Mapping[str, str]) -> Section:
    found_: list[Mapping[str, Any]] = []
    try:
        for page in account.pages(
            "ecr", "describe_image_scan_findings", repositoryName=repository, imageId=image
        ):
            told = page.get("imageScanFindings") or {}
            found_ += [*told.get("findings", ()), *told.get("enhancedFindings", ())]
    except AwsError as error:
        if error.aws_code == "ScanNotFoundException":
            return Section("Findings", ("it has not been scanned",))
        raise
    rank = {name: place for place, name in enumerate(SEVERITIES)}
    found_.sort(key=lambda each: rank.get(each.get("severity", ""), len(rank)))
    lines: list[Line] = [_finding(each) for each in found_[:MOST_FINDINGS]]
    if len(found_) > MOST_FINDINGS:
        lines.append(f"and {len(found_) - MOST_FINDINGS} more")
    return Section("Findings, worst first", tuple(lines) or ("none",))


def _finding(told: Mapping[str, Any]) -> Line:
    """A finding of the basic scan, or of Inspector's."""
    severity = told.get("severity", "")
    values = {each["key"]: each.get("value", "") for each in told.get("attributes", ())}
    package = f"{values.get('package_name', '')} {values.get('package_version', '')}".strip()
    details = told.get("packageVulnerabilityDetails") or {}
    if details:
        package = ", ".join(
            f"{each.get('name', '')} {each.get('version', '')}"
            for each in details.get("vulnerablePackages", ())[:3]
        )
    name = told.get("name") or details.get("vulnerabilityId") or told.get("title", "")
    said = short(told.get("description", ""), 100)
    tones = {"CRITICAL": "bad", "HIGH": "wait"}
    text = "  ".join(part for part in (name, package, said) if part)
    return (severity.lower(), text, tones.get(severity, ""))


def _scan(account: Account, id: str, _values: Mapping[str, str]) -> str:
    repository, image = parted(id)
    told = account.call("ecr", "start_image_scan", repositoryName=repository, imageId=image)
    return f"{id}: scan {(told.get('imageScanStatus') or {}).get('status', 'begun').lower()}"


def _delete(account: Account, id: str, _values: Mapping[str, str]) -> str:
    repository, image = parted(id)
    told = account.call("ecr", "batch_delete_image", repositoryName=repository, imageIds=[image])
    failures = told.get("failures", ())
    if failures:
        raise BadInput(f"{id}: {failures[0].get('failureReason', 'was not deleted')}")
    return f"{id}: deleted"


def _delete_consequence(account: Account, id: str, _values: Mapping[str, str]) -> tuple[str, ...]:
    repository, image = parted(id)
    told = account.call("ecr", "describe_images", repositoryName=repository, imageIds=[image])
    tags = [tag for each in told.get("imageDetails", ()) for tag in each.get("imageTags", ())]
    if "imageTag" in image and len(tags) > 1:
        return (f"takes the tag {image['imageTag']} away; the image stays as {tags[-1]}",)
    return (
        f"deletes {id}; it can't be had back",
        "endpoints and jobs that name it can't start any more",
    )


SCAN = Verb(
    name="scan",
    key="s",
    label="Scan",
    help="look for known vulnerabilities",
    operations=("ecr:StartImageScan",),
    do=_scan,
    consequence=lambda _account, id, _values: (
        f"has ECR look through {last_of(id)}; once a day for an image",
    ),
)
DELETE = Verb(
    name="delete",
    key="x",
    label="Delete",
    help="delete the image, or its tag",
    operations=("ecr:BatchDeleteImage",),
    do=_delete,
    consequence=_delete_consequence,
    dangerous=True,
    typed=True,
)
KIND = Kind(
    name="images",
    title="Images",
    service="ecr",
    about="container images of a repository, newest first",
    columns=(
        Column("TAGS", 18, grow=2),
        Column("DIGEST", 19, drop=2),
        Column("SIZE", 10, align="right", drop=1),
        Column("FINDINGS", 16, grow=2),
    ),
    list=_listed,
    show=_shown,
    operations=("ecr:DescribeImages", "ecr:DescribeImageScanFindings"),
    parent="ecr",
    verbs=(SCAN, DELETE),
    every=30.0,
)
