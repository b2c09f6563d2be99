"""What a change set would do, read as a person asks: added, changed, replaced, removed, lost.

CloudFormation's own change set is the truth. Where it tells a property changed but not from what
to what (or where none may be made), the two templates with their parameters put in say it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.aws.infra.resolve import flat

ADD, CHANGE, REPLACE, PERHAPS, REMOVE, IMPORT = (
    "add", "change", "replace", "perhaps replace", "remove", "import",
)  # fmt: skip
_ACTIONS = {"Add": ADD, "Modify": CHANGE, "Remove": REMOVE, "Import": IMPORT, "Dynamic": PERHAPS}
_LOSES = {
    "AWS::S3::Bucket": "its objects",
    "AWS::KMS::Key": "everything that is encrypted with it can never be read again",
    "AWS::ECR::Repository": "its images",
    "AWS::SageMaker::ModelPackageGroup": "its model packages and their approvals",
    "AWS::SageMaker::FeatureGroup": "its online records",
    "AWS::Logs::LogGroup": "its log events",
    "AWS::SNS::Subscription": "who is told, until it is confirmed again",
    "AWS::DynamoDB::Table": "its items",
    "AWS::Glue::Database": "its tables",
    "AWS::EFS::FileSystem": "its files",
    "AWS::FSx::FileSystem": "its files",
    "AWS::Redshift::Cluster": "its tables",
    "AWS::RDS::DBInstance": "its tables",
    "AWS::RDS::DBCluster": "its tables",
    "AWS::SQS::Queue": "messages that wait in it",
    "AWS::Kinesis::Stream": "records that wait in it",
    "AWS::SecretsManager::Secret": "its secret",
    "AWS::CodeCommit::Repository": "its commits",
}
_KEEPING = ("Retain", "Snapshot", "ReplaceAndRetain", "ReplaceAndSnapshot", "RetainExceptOnCreate")
STATEFUL = frozenset(_LOSES) - {"AWS::SNS::Subscription"}
"""Types whose removal loses what was put in, which nothing brings back."""


@dataclass(frozen=True, slots=True)
class PropertyChange:
    """A property and its values; None where it is not there, or nobody says.

    `recreation` is CloudFormation's: Never, Conditionally, Always, or "" where it is not told.
    """

    path: str
    before: str | None = None
    after: str | None = None
    recreation: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one resource. `loses` says in words what is lost with it ("" = nothing);
    `kept` that what is removed stays in the account, without a stack."""

    action: str
    name: str
    type: str
    physical_id: str = ""
    properties: tuple[PropertyChange, ...] = ()
    loses: str = ""
    kept: bool = False


@dataclass(frozen=True, slots=True)
class StackPlan:
    """What a deployment would do to one stack.

    `kind` is create, update, recreate (a first creation failed and is cleared away first), or
    none. `exact` is False where the templates were compared and CloudFormation was not asked.
    """

    stack: str
    layer: str
    kind: str
    changes: tuple[Change, ...] = ()
    parameters: tuple[PropertyChange, ...] = ()
    notes: tuple[str, ...] = ()
    exact: bool = True
    change_set: str = ""
    request: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def loses(self) -> tuple[Change, ...]:
        """The changes that lose something."""
        return tuple(each for each in self.changes if each.loses)

    @property
    def counts(self) -> dict[str, int]:
        """How many resources of each action."""
        found: dict[str, int] = {}
        for each in self.changes:
            found[each.action] = found.get(each.action, 0) + 1
        return found

    @property
    def adds_only(self) -> bool:
        """Whether nothing that is there changes."""
        return all(each.action == ADD for each in self.changes)


def read_changes(
    raw: Iterable[Mapping[str, Any]],
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Mapping[str, Any]],
) -> tuple[Change, ...]:
    """The changes of a described change set; `before` and `after` are the resolved resources."""
    found = []
    for each in raw:
        change = each.get("ResourceChange")
        if change:
            name = change["LogicalResourceId"]
            found.append(_read(change, before.get(name, {}), after.get(name, {})))
    return in_order(found)


def compared(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
) -> tuple[Change, ...]:
    """The changes between two resolved templates, without asking whether anything is replaced."""
    found = []
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        present = new or old or {}
        action = ADD if old is None else REMOVE if new is None else CHANGE
        if old is not None and new is not None and old.get("Type") != new.get("Type"):
            action = REPLACE
        differences = _differences(old or {}, new or {}) if action in (CHANGE, REPLACE) else ()
        change = Change(action, name, str(present.get("Type", "")), properties=differences)
        found.append(_with_loss(change, "", old or {}))
    return in_order(found)


def parameters_compared(
    before: Mapping[str, str], after: Mapping[str, str], secret: Iterable[str]
) -> tuple[PropertyChange, ...]:
    """Which parameters get another value; secrets are told without it."""
    hidden = frozenset(secret)

    def shown(values: Mapping[str, str], name: str) -> str | None:
        return "****" if name in hidden and name in values else values.get(name)

    return tuple(
        PropertyChange(name, shown(before, name), shown(after, name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )


def in_order(changes: Iterable[Change]) -> tuple[Change, ...]:
    """What loses something first, then removals, replacements, changes, additions, by name."""
    rank = {REMOVE: 0, REPLACE: 1, PERHAPS: 2, CHANGE: 3, IMPORT: 4, ADD: 5}
    return tuple(sorted(changes, key=lambda c: (not c.loses, rank[c.action], c.name)))


def _read(raw: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> Change:
    action = _ACTIONS.get(raw.get("Action", ""), CHANGE)
    if action == CHANGE:
        action = {"True": REPLACE, "Conditional": PERHAPS}.get(raw.get("Replacement", ""), CHANGE)
    properties: tuple[PropertyChange, ...] = ()
    if action in (CHANGE, REPLACE, PERHAPS):
        properties = _properties(raw, before, after)
    change = Change(
        action,
        raw["LogicalResourceId"],
        raw.get("ResourceType", ""),
        raw.get("PhysicalResourceId", ""),
        properties,
    )
    return _with_loss(change, raw.get("PolicyAction", ""), before)


def _with_loss(change: Change, policy: str, before: Mapping[str, Any]) -> Change:
    if change.action not in (REMOVE, REPLACE, PERHAPS):
        return change
    written = "DeletionPolicy" if change.action == REMOVE else "UpdateReplacePolicy"
    if (policy or str(before.get(written, ""))) in _KEEPING:
        return replace(change, kept=True)
    return replace(change, loses=_LOSES.get(change.type, ""))


def _properties(
    raw: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
) -> tuple[PropertyChange, ...]:
    told: dict[str, PropertyChange] = {}
    for detail in raw.get("Details") or ():
        target = detail.get("Target") or {}
        path = _path(target)
        old = told.get(path, PropertyChange(path))
        told[path] = PropertyChange(
            path,
            target.get("BeforeValue", old.before),
            target.get("AfterValue", old.after),
            _strongest(old.recreation, target.get("RequiresRecreation", "")),
        )
    # CloudFormation tells parents too ("Properties") where it cannot say which member changes.
    told = {
        path: each
        for path, each in told.items()
        if path or not any(other and other.before != other.after for other in told.values())
    }
    if told and all(each.before is not None or each.after is not None for each in told.values()):
        return tuple(_in_words(each) for each in told.values())
    return _filled(told, _differences(before, after))


def _filled(
    told: Mapping[str, PropertyChange], differences: tuple[PropertyChange, ...]
) -> tuple[PropertyChange, ...]:
    """What the templates say of the values, with what CloudFormation says of recreation."""
    found = []
    for each in differences:
        under = [t for p, t in told.items() if each.path == p or each.path.startswith(f"{p}.")]
        recreation = ""
        for one in under:
            recreation = _strongest(recreation, one.recreation)
        found.append(replace(each, recreation=recreation))
    covered = {each.path for each in differences}
    for path, each in told.items():
        if path and not any(p == path or p.startswith(f"{path}.") for p in covered):
            found.append(_in_words(each))
    return tuple(found)


def _in_words(change: PropertyChange) -> PropertyChange:
    def text(value: str | None) -> str | None:
        if value is None or not value.startswith(("{", "[")):
            return value
        try:
            return ", ".join(
                f"{path}={each}" if path else each for path, each in flat(json.loads(value))
            )
        except ValueError:
            return value

    return replace(change, before=text(change.before), after=text(change.after))


def _path(target: Mapping[str, Any]) -> str:
    if target.get("Path"):
        steps = str(target["Path"]).strip("/").split("/")
        return ".".join(steps[1:] if steps[0] == "Properties" else steps)
    name, attribute = target.get("Name", ""), target.get("Attribute", "")
    if attribute in ("Properties", ""):
        return str(name)
    return f"{attribute}.{name}" if name else str(attribute)


def _strongest(one: str, other: str) -> str:
    order = ("", "Never", "Conditionally", "Always")
    return max(one, other, key=lambda each: order.index(each) if each in order else 0)


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[PropertyChange, ...]:
    old, new = _shown(before), _shown(after)
    return tuple(
        PropertyChange(path, old.get(path), new.get(path))
        for path in {**old, **new}
        if old.get(path) != new.get(path)
    )


def _shown(resource: Mapping[str, Any]) -> dict[str, str]:
    found = dict(flat(resource.get("Properties") or {})) if resource.get("Properties") else {}
    for key in ("DeletionPolicy", "UpdateReplacePolicy", "Metadata"):
        if key in resource:
            found.update(flat(resource[key], key))
    return found
