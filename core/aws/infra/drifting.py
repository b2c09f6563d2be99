"""What there really is, against what the templates say: CloudFormation's drift detection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.aws.account import Account
from core.aws.infra.errors import DriftUnknown
from core.aws.infra.stacks import Patience


@dataclass(frozen=True, slots=True)
class PropertyDrift:
    """A property of a resource that somebody changed by hand: `kind` ADD, REMOVE, NOT_EQUAL."""

    path: str
    kind: str
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class ResourceDrift:
    """A resource that is not as its template says: MODIFIED or DELETED."""

    name: str
    type: str
    physical_id: str
    status: str
    properties: tuple[PropertyDrift, ...] = ()


@dataclass(frozen=True, slots=True)
class StackDrift:
    """A stack's drift: DRIFTED or IN_SYNC; `unchecked` resources' types know no drift."""

    stack: str
    layer: str
    status: str
    resources: tuple[ResourceDrift, ...] = ()
    unchecked: int = 0
    reason: str = ""

    @property
    def drifted(self) -> bool:
        """Whether anything differs."""
        return self.status == "DRIFTED" or bool(self.resources)


def drift_of(account: Account, stack: str, layer: str, patience: Patience) -> StackDrift:
    """Have CloudFormation look at a stack, and wait. Raises `DriftUnknown`, `StackBusy`."""
    asked = account.call("cloudformation", "detect_stack_drift", StackName=stack)[
        "StackDriftDetectionId"
    ]
    status, reason = "", ""
    for _ in patience.turns(f"drift detection of {stack}"):
        told = account.call(
            "cloudformation", "describe_stack_drift_detection_status", StackDriftDetectionId=asked
        )
        reason = told.get("DetectionStatusReason") or ""
        if told["DetectionStatus"] != "DETECTION_IN_PROGRESS":
            status = told.get("StackDriftStatus", "")
            if told["DetectionStatus"] == "DETECTION_FAILED" and status != "DRIFTED":
                raise DriftUnknown(f"{stack}: {reason or 'no reason told'}", "try again")
            break
    found, unchecked = [], 0
    for page in account.pages("cloudformation", "describe_stack_resource_drifts", StackName=stack):
        for each in page.get("StackResourceDrifts") or ():
            if each["StackResourceDriftStatus"] in ("MODIFIED", "DELETED"):
                found.append(_resource(each))
            elif each["StackResourceDriftStatus"] != "IN_SYNC":
                unchecked += 1
    found.sort(key=lambda each: (each.status != "DELETED", each.name))
    return StackDrift(stack, layer, status, tuple(found), unchecked, reason)


def _resource(raw: Mapping[str, Any]) -> ResourceDrift:
    return ResourceDrift(
        name=raw["LogicalResourceId"],
        type=raw.get("ResourceType", ""),
        physical_id=raw.get("PhysicalResourceId") or "",
        status=raw["StackResourceDriftStatus"],
        properties=tuple(
            PropertyDrift(
                path=".".join(str(each["PropertyPath"]).strip("/").split("/")),
                kind=each["DifferenceType"],
                expected=str(each.get("ExpectedValue") or ""),
                actual=str(each.get("ActualValue") or ""),
            )
            for each in raw.get("PropertyDifferences") or ()
        ),
    )
