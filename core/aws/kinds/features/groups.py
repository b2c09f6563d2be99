"""The kind `feature-groups`: what is online and offline, by key and newest, and how far apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws.errors import ResourceNotFound
from core.aws.kind import Column, Detail, Field, Item, Kind, Line, Section, Verb
from core.aws.kinds.data.heads import newest_rows
from core.aws.kinds.shared import PAGE, found, needed, pairs
from core.aws.partial import section
from core.aws.rows import row_lines
from core.aws.words import clock, epoch, number, short, size, span, tone

if TYPE_CHECKING:
    from core.aws.account import Account

MOST_FEATURES = 200
COMPARED = 20


def _listed(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    pages = account.pages(
        "sagemaker", "list_feature_groups", SortBy="CreationTime", SortOrder="Descending",
        MaxResults=PAGE,
    )  # fmt: skip
    for page in pages:
        yield tuple(_item(each) for each in page.get("FeatureGroupSummaries", ()))


def _item(group: Mapping[str, Any]) -> Item:
    state = group.get("FeatureGroupStatus", "")
    offline = (group.get("OfflineStoreStatus") or {}).get("Status", "none")
    return Item(
        id=group["FeatureGroupName"],
        cells=(group["FeatureGroupName"], state, f"offline {offline}"),
        tone="bad" if offline == "Blocked" else "ok" if state == "Created" else tone(state),
        changed=epoch(group.get("CreationTime")),
        raw={**group, "state": state},
    )


def described(account: Account, name: str) -> dict[str, Any]:
    """A feature group with all its features; raises `ResourceNotFound`."""
    told: dict[str, Any] = {}
    features: list[Any] = []
    for page in account.pages("sagemaker", "describe_feature_group", FeatureGroupName=name):
        told = told or dict(page)
        features += page.get("FeatureDefinitions", ())
    return {**told, "FeatureDefinitions": features}


def _shown(account: Account, name: str) -> Detail:
    group = described(account, name)
    item = _item(group)
    sections = [Section("Feature group", _about(group)), Section("Features", _features(group))]
    if group.get("OfflineStoreConfig"):
        sections.append(section("Offline, newest rows", lambda: _offline(account, group)))
        if (group.get("OnlineStoreConfig") or {}).get("EnableOnlineStore"):
            sections.append(section("Online against offline", lambda: _apart(account, group)))
    return Detail(name, item.tone, tuple(sections), item=item, raw=group)


def _about(group: Mapping[str, Any]) -> tuple[Line, ...]:
    online = group.get("OnlineStoreConfig") or {}
    offline = group.get("OfflineStoreConfig") or {}
    store = offline.get("S3StorageConfig") or {}
    catalog = offline.get("DataCatalogConfig") or {}
    state = group.get("FeatureGroupStatus", "")
    said = group.get("OfflineStoreStatus") or {}
    held = online.get("TtlDuration") or {}
    return (
        ("status", state, "ok" if state == "Created" else tone(state)),
        *((("why", group["FailureReason"], "bad"),) if group.get("FailureReason") else ()),
        ("key", group.get("RecordIdentifierFeatureName", "")),
        ("event time", group.get("EventTimeFeatureName", "")),
        ("online", _online(online)),
        *found(
            "kept online", f"{held.get('Value')} {held.get('Unit', '').lower()}" if held else ""
        ),
        *found("online size", size(group.get("OnlineStoreTotalSizeBytes"))),
        ("offline", said.get("Status", "none"), "bad" if said.get("BlockedReason") else ""),
        *((("blocked", said["BlockedReason"], "bad"),) if said.get("BlockedReason") else ()),
        *found("rows", store.get("ResolvedOutputS3Uri") or store.get("S3Uri")),
        *found("format", offline.get("TableFormat")),
        *found(
            "table", ".".join(filter(None, (catalog.get("Database"), catalog.get("TableName"))))
        ),
        *found("offline key", store.get("KmsKeyId")),
        *found("role", group.get("RoleArn")),
        *found("created", clock(group.get("CreationTime"))),
        *found("about", group.get("Description")),
    )


def _online(config: Mapping[str, Any]) -> str:
    if not config.get("EnableOnlineStore"):
        return "no"
    key = (config.get("SecurityConfig") or {}).get("KmsKeyId")
    return f"{config.get('StorageType', 'Standard')}, {'own key' if key else 'key of AWS'}"


def _features(group: Mapping[str, Any]) -> tuple[Line, ...]:
    lines: list[Line] = [
        (each["FeatureName"], each["FeatureType"] + (f", {each['CollectionType']}" if
         each.get("CollectionType") else ""))
        for each in group["FeatureDefinitions"][:MOST_FEATURES]
    ]  # fmt: skip
    left = len(group["FeatureDefinitions"]) - MOST_FEATURES
    return (*lines, f"… and {left} more") if left > 0 else tuple(lines)


def _place(group: Mapping[str, Any]) -> str:
    store = (group.get("OfflineStoreConfig") or {}).get("S3StorageConfig") or {}
    return str(store.get("ResolvedOutputS3Uri") or store.get("S3Uri") or "")


def _offline(account: Account, group: Mapping[str, Any]) -> Section:
    rows, files = newest_rows(account, _place(group), COMPARED)
    if not rows:
        return Section("Offline, newest rows", ("no rows have come yet: they take some minutes",))
    return Section("Offline, newest rows", (f"{files} files", *row_lines(rows)))


def _apart(account: Account, group: Mapping[str, Any]) -> Section:
    """For the newest offline rows: whether the online store has the same, or a newer record."""
    key, at = group["RecordIdentifierFeatureName"], group["EventTimeFeatureName"]
    rows, _ = newest_rows(account, _place(group), COMPARED)
    newest: dict[str, Any] = {}
    for row in rows:
        known = newest.get(str(row[key]))
        if known is None or (epoch(row[at]) or 0) > (epoch(known[at]) or 0):
            newest[str(row[key])] = row
    if not newest:
        return Section("Online against offline", ("no offline row to compare",))
    online = _records(account, group["FeatureGroupName"], list(newest))
    lines: list[Line] = []
    for name, row in newest.items():
        record = online.get(name)
        if record is None:
            lines.append((name, "not online (deleted, or its time is over)", "wait"))
            continue
        behind = (epoch(record.get(at)) or 0.0) - (epoch(row[at]) or 0.0)
        if behind < 0:
            lines.append((name, f"online is {span(-behind)} older", "bad"))
        elif behind > 0:
            lines.append((name, f"online is {span(behind)} newer", "run"))
        else:
            differing = _differing(record, row)
            lines.append(
                (name, f"differs: {', '.join(differing)}", "bad") if differing else
                (name, "the same", "ok")
            )  # fmt: skip
    return Section("Online against offline", tuple(lines))


def _differing(record: Mapping[str, str], row: Mapping[str, Any]) -> list[str]:
    """Features whose values are not the same; numbers are compared as numbers."""

    def same(one: str, two: Any) -> bool:
        try:
            return float(one) == float(two)
        except (TypeError, ValueError):
            return one == str(two)

    return [name for name, value in record.items() if name in row and not same(value, row[name])]


def _records(account: Account, name: str, keys: Sequence[str]) -> dict[str, dict[str, str]]:
    told = account.call(
        "sagemaker-featurestore-runtime",
        "batch_get_record",
        Identifiers=[{"FeatureGroupName": name, "RecordIdentifiersValueAsString": list(keys)}],
    )
    return {
        each["RecordIdentifierValueAsString"]: {
            value["FeatureName"]: value.get("ValueAsString", "") for value in each["Record"]
        }
        for each in told.get("Records", ())
    }


def _look_up(account: Account, name: str, values: Mapping[str, str]) -> str:
    keys = [each.strip() for each in needed(values, "key").split(",") if each.strip()]
    records = _records(account, name, keys)
    if not records:
        raise ResourceNotFound(f"{name} has no record of {', '.join(keys)} online")
    lines = []
    for key in keys:
        record = records.get(key)
        lines.append(f"{key}: " + (
            ", ".join(f"{each}={short(value)}" for each, value in record.items())
            if record else "not online"
        ))  # fmt: skip
    return "\n".join(lines)


def _put(account: Account, name: str, values: Mapping[str, str]) -> str:
    record = pairs(values, "record")
    account.call(
        "sagemaker-featurestore-runtime",
        "put_record",
        FeatureGroupName=name,
        Record=[{"FeatureName": key, "ValueAsString": value} for key, value in record.items()],
    )
    return f"{name}: a record of {number(len(record))} features was put"


def _put_consequence(account: Account, name: str, values: Mapping[str, str]) -> tuple[str, ...]:
    group = described(account, name)
    record = pairs(values, "record")
    known = {each["FeatureName"] for each in group["FeatureDefinitions"]}
    lines = [f"models that read {name} by this key see it at once"]
    if unknown := [each for each in record if each not in known]:
        lines.append(f"has no feature {', '.join(unknown)}: AWS will refuse it")
    for wanted in (group["RecordIdentifierFeatureName"], group["EventTimeFeatureName"]):
        if wanted not in record:
            lines.append(f"lacks {wanted}: AWS will refuse it")
    if (group.get("OfflineStoreConfig") or {}).get("S3StorageConfig"):
        lines.append("the offline store gets it too, within some minutes, and keeps it")
    return tuple(lines)


def _forget(account: Account, name: str, values: Mapping[str, str]) -> str:
    key, at = needed(values, "key"), needed(values, "event_time")
    account.call(
        "sagemaker-featurestore-runtime", "delete_record", FeatureGroupName=name,
        RecordIdentifierValueAsString=key, EventTime=at,
    )  # fmt: skip
    return f"{name}: {key} is no longer online"


def _delete(account: Account, name: str, _values: Mapping[str, str]) -> str:
    account.call("sagemaker", "delete_feature_group", FeatureGroupName=name)
    return f"{name} is being deleted"


def _delete_consequence(account: Account, name: str, _values: Mapping[str, str]) -> tuple[str, ...]:
    place = _place(described(account, name))
    return (
        f"{name} and all its online records are gone; who reads it by key gets errors",
        f"its offline rows stay: {place}" if place else "it has no offline rows",
    )


KIND = Kind(
    name="feature-groups",
    title="Feature groups",
    service="sagemaker",
    about="features online and offline, by key and newest",
    columns=(Column("FEATURE GROUP", 24, grow=2), Column("STATUS", 12), Column("", 18, drop=1)),
    list=_listed,
    show=_shown,
    operations=(
        "sagemaker:ListFeatureGroups", "sagemaker:DescribeFeatureGroup",
        "sagemaker:BatchGetRecord", "s3:ListBucket", "s3:GetObject",
    ),
    verbs=(
        Verb(
            name="lookup", key="s", label="Look up", help="records of some keys, online",
            operations=("sagemaker:BatchGetRecord",), do=_look_up,
            consequence=lambda _account, name, values: (f"reads {values.get('key')} of {name}",),
            fields=(Field("key", "key (several by comma)", required=True),),
        ),
        Verb(
            name="put", key="u", label="Put", help="put a record",
            operations=("sagemaker:PutRecord",), do=_put, consequence=_put_consequence,
            fields=(Field("record", "feature=value, …", required=True),), dangerous=True,
        ),
        Verb(
            name="forget", key="x", label="Forget", help="take a key's record offline",
            operations=("sagemaker:DeleteRecord",), do=_forget,
            consequence=lambda _account, name, values: (
                f"{values.get('key') or 'the key'} is no longer online in {name}",
                "older rows stay in the offline store",
            ),
            fields=(
                Field("key", "key", required=True),
                Field("event_time", "event time (newer than the record's)", required=True),
            ),
            dangerous=True,
        ),
        Verb(
            name="delete", key="", label="Delete", help="delete the feature group",
            operations=("sagemaker:DeleteFeatureGroup",), do=_delete,
            consequence=_delete_consequence, dangerous=True, typed=True,
        ),
    ),
    every=15.0,
)  # fmt: skip
