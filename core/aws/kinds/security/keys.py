"""The kinds `kms-keys` (and what uses each) and `unencrypted` (what nothing protects).

A scan asks every service by itself; one that is refused is named in the list, and the others'
findings are shown all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.aws.errors import AwsError
from core.aws.kind import Column, Detail, Item, Kind, Line, Section, Verb
from core.aws.kinds.data.buckets import encryption
from core.aws.kinds.shared import found
from core.aws.partial import section, side_by_side, why
from core.aws.words import clock, epoch, last_of

if TYPE_CHECKING:
    from core.aws.account import Account

MOST_EACH = 200


@dataclass(frozen=True, slots=True)
class Holder:
    """Something that holds data: its key ("" for none of its own), and whether that is enough:
    `open` where nothing encrypts it, `shared` where a key of AWS does."""

    kind: str
    name: str
    key: str
    open: bool = False
    advice: str = ""


def _first(pages: Iterator[Any], field: str) -> list[Any]:
    """The items of a listing, at most 200."""
    held: list[Any] = []
    for page in pages:
        held += page.get(field, ())
        if len(held) >= MOST_EACH:
            break
    return held[:MOST_EACH]


def _buckets(account: Account) -> list[Holder]:
    names = [each["Name"] for each in _first(account.pages("s3", "list_buckets"), "Buckets")]

    def reading(name: str) -> Callable[[], Holder]:
        def read() -> Holder:
            by = encryption(account, name)
            key = by.partition(" ")[2]
            return Holder("bucket", name, key, not by, "set a default encryption with a KMS key")

        return read

    return side_by_side([reading(name) for name in names])


def _configs(account: Account) -> list[Holder]:
    listed = _first(account.pages("sagemaker", "list_endpoint_configs"), "EndpointConfigs")

    def reading(name: str) -> Callable[[], Holder]:
        def read() -> Holder:
            told = account.call("sagemaker", "describe_endpoint_config", EndpointConfigName=name)
            return Holder(
                "endpoint config", name, told.get("KmsKeyId", ""),
                advice="name a KmsKeyId: the volumes have AWS's key",
            )  # fmt: skip

        return read

    return side_by_side([reading(each["EndpointConfigName"]) for each in listed])


def _groups(account: Account) -> list[Holder]:
    listed = _first(account.pages("logs", "describe_log_groups"), "logGroups")
    return [
        Holder("log group", each["logGroupName"], each.get("kmsKeyId", ""),
               advice="associate a KMS key: it has AWS's")
        for each in listed
    ]  # fmt: skip


def _topics(account: Account) -> list[Holder]:
    listed = _first(account.pages("sns", "list_topics"), "Topics")

    def reading(arn: str) -> Callable[[], Holder]:
        def read() -> Holder:
            told = account.call("sns", "get_topic_attributes", TopicArn=arn)["Attributes"]
            key = told.get("KmsMasterKeyId", "")
            return Holder("topic", last_of(arn), key, not key, "set KmsMasterKeyId")

        return read

    return side_by_side([reading(each["TopicArn"]) for each in listed])


def _feature_groups(account: Account) -> list[Holder]:
    listed = _first(account.pages("sagemaker", "list_feature_groups"), "FeatureGroupSummaries")

    def reading(name: str) -> Callable[[], Holder]:
        def read() -> Holder:
            told = account.call("sagemaker", "describe_feature_group", FeatureGroupName=name)
            online = (told.get("OnlineStoreConfig") or {}).get("SecurityConfig") or {}
            offline = (told.get("OfflineStoreConfig") or {}).get("S3StorageConfig") or {}
            key = online.get("KmsKeyId") or offline.get("KmsKeyId") or ""
            return Holder("feature group", name, key, advice="name KMS keys when it is made")

        return read

    return side_by_side([reading(each["FeatureGroupName"]) for each in listed])


def _catalogue(account: Account) -> list[Holder]:
    told = account.call("glue", "get_data_catalog_encryption_settings")
    at_rest = (told.get("DataCatalogEncryptionSettings") or {}).get("EncryptionAtRest") or {}
    on = at_rest.get("CatalogEncryptionMode", "DISABLED") != "DISABLED"
    return [
        Holder("catalogue", "Glue", at_rest.get("SseAwsKmsKeyId", ""), not on,
               "switch on encryption at rest of the catalogue")
    ]  # fmt: skip


def _clusters(account: Account) -> list[Holder]:
    listed = _first(account.pages("redshift", "describe_clusters"), "Clusters")
    return [
        Holder("warehouse", each["ClusterIdentifier"], each.get("KmsKeyId", ""),
               not each.get("Encrypted"), "encrypt the cluster: it is moved to new volumes")
        for each in listed
    ]  # fmt: skip


SCANS: dict[str, tuple[Callable[[Account], list[Holder]], tuple[str, ...]]] = {
    "buckets": (_buckets, ("s3:ListAllMyBuckets", "s3:GetEncryptionConfiguration")),
    "endpoint configs": (
        _configs, ("sagemaker:ListEndpointConfigs", "sagemaker:DescribeEndpointConfig"),
    ),
    "log groups": (_groups, ("logs:DescribeLogGroups",)),
    "topics": (_topics, ("sns:ListTopics", "sns:GetTopicAttributes")),
    "feature groups": (
        _feature_groups, ("sagemaker:ListFeatureGroups", "sagemaker:DescribeFeatureGroup"),
    ),
    "catalogue": (_catalogue, ("glue:GetDataCatalogEncryptionSettings",)),
    "warehouses": (_clusters, ("redshift:DescribeClusters",)),
}  # fmt: skip
"""What is looked at, and the IAM actions of each."""
SCAN_OPERATIONS = tuple(dict.fromkeys(each for _, actions in SCANS.values() for each in actions))


def scanned(account: Account) -> tuple[list[Holder], dict[str, str]]:
    """Everything that holds data; and of each scan that was refused, why."""

    def reading(name: str) -> Callable[[], tuple[str, list[Holder], str]]:
        def read() -> tuple[str, list[Holder], str]:
            try:
                return name, SCANS[name][0](account), ""
            except AwsError as error:
                return name, [], why(error)

        return read

    told = side_by_side([reading(name) for name in SCANS])
    holders = [each for _, held, _ in told for each in held]
    return holders, {name: refused for name, _, refused in told if refused}


def _unencrypted(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    holders, refused = scanned(account)
    open_ = [each for each in holders if each.open]
    shared = [each for each in holders if not each.open and not each.key]
    items = [
        Item(
            f"{each.kind}/{each.name}",
            (each.kind, each.name, "not encrypted" if each.open else "a key of AWS", each.advice),
            "bad" if each.open else "wait",
        )
        for each in (*open_, *shared)
    ]
    told = [
        Item(f"scan/{name}", (name, "", "could not be looked at", text), "bad")
        for name, text in refused.items()
    ]
    yield (*told, *items)


def _one(account: Account, id: str) -> Detail:
    for page in _unencrypted(account, ""):
        for item in page:
            if item.id == id:
                kind, name, state, advice = item.cells
                lines: tuple[Line, ...] = (
                    ("what", f"{kind} {name}".strip()),
                    ("how it stands", state, item.tone),
                    ("what to do", advice),
                )
                return Detail(id, item.tone, (Section("Encryption", lines),), item=item)
    return Detail(id, "ok", (Section("Encryption", ("it is encrypted by a key of yours",)),))


UNENCRYPTED = Kind(
    name="unencrypted",
    title="Unencrypted",
    service="kms",
    about="what no key protects, or one of AWS only",
    columns=(
        Column("WHAT", 16),
        Column("NAME", 24, grow=1),
        Column("HOW IT STANDS", 22),
        Column("WHAT TO DO", 24, grow=2, drop=1),
    ),
    list=_unencrypted,
    show=_one,
    operations=SCAN_OPERATIONS,
    every=120.0,
)


def _keys(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    aliases: dict[str, str] = {}
    for page in account.pages("kms", "list_aliases"):
        for each in page.get("Aliases", ()):
            if each.get("TargetKeyId"):
                aliases[each["TargetKeyId"]] = each["AliasName"]
    for page in account.pages("kms", "list_keys"):
        ids = [each["KeyId"] for each in page.get("Keys", ())]
        told = side_by_side([_described(account, id) for id in ids])
        yield tuple(_key_item(each, aliases.get(each["KeyId"], "")) for each in told)


def _described(account: Account, id: str) -> Callable[[], Mapping[str, Any]]:
    return lambda: dict(account.call("kms", "describe_key", KeyId=id)["KeyMetadata"])


def _key_item(key: Mapping[str, Any], alias: str) -> Item:
    state = key.get("KeyState", "")
    return Item(
        id=key["KeyId"],
        cells=(
            alias.removeprefix("alias/") or key["KeyId"],
            state,
            "of AWS" if key.get("KeyManager") == "AWS" else "yours",
            key.get("KeySpec", ""),
            key.get("Description", ""),
        ),
        tone="bad" if state == "PendingDeletion" else "ok" if state == "Enabled" else "wait",
        changed=epoch(key.get("CreationDate")),
        raw={**key, "state": state},
    )


def _key(account: Account, id: str) -> Detail:
    key = account.call("kms", "describe_key", KeyId=id)["KeyMetadata"]
    aliases = [
        each["AliasName"]
        for page in account.pages("kms", "list_aliases", KeyId=id)
        for each in page.get("Aliases", ())
    ]
    item = _key_item(key, aliases[0] if aliases else "")
    lines: tuple[Line, ...] = (
        ("state", key.get("KeyState", ""), item.tone),
        ("alias", ", ".join(aliases) or "none"),
        ("arn", key.get("Arn", "")),
        ("whose", item.cells[2]),
        *found("deleted on", clock(key.get("DeletionDate"))),
        *found("about", key.get("Description")),
    )
    sections = [Section("Key", lines)]
    if key.get("KeyManager") != "AWS":
        sections.append(section("Rotation", lambda: _rotation(account, id)))
    sections.append(section("Used by", lambda: _used(account, key, aliases)))
    return Detail(item.cells[0], item.tone, tuple(sections), item=item, raw=key)


def _rotation(account: Account, id: str) -> Section:
    on = account.call("kms", "get_key_rotation_status", KeyId=id).get("KeyRotationEnabled")
    return Section("Rotation", (("every year", "on" if on else "off", "" if on else "wait"),))


def _used(account: Account, key: Mapping[str, Any], aliases: Sequence[str]) -> Section:
    names = {key["KeyId"], key.get("Arn", ""), *aliases}
    holders, refused = scanned(account)
    used: list[Line] = [
        (each.kind, each.name)
        for each in holders
        if each.key in names or last_of(each.key) in names
    ]
    told: list[Line] = [(name, text, "bad") for name, text in refused.items()]
    return Section("Used by", (*(used or ["nothing that was looked at"]), *told))


def _rotate(account: Account, id: str, _values: Mapping[str, str]) -> str:
    account.call("kms", "enable_key_rotation", KeyId=id)
    return f"{id} is rotated every year"


def _rotatable(item: Item) -> str | None:
    if item.raw.get("KeyManager") == "AWS":
        return "AWS rotates its own keys"
    state = item.raw.get("state", "")
    return None if state == "Enabled" else f"it is {state}"


KEYS = Kind(
    name="kms-keys",
    title="Keys",
    service="kms",
    about="KMS keys, and what uses each",
    columns=(
        Column("KEY", 24, grow=1),
        Column("STATE", 16),
        Column("WHOSE", 8),
        Column("SPEC", 18, drop=2),
        Column("ABOUT", 16, grow=2, drop=1),
    ),
    list=_keys,
    show=_key,
    operations=(
        "kms:ListKeys", "kms:ListAliases", "kms:DescribeKey", "kms:GetKeyRotationStatus",
        *SCAN_OPERATIONS,
    ),
    verbs=(
        Verb(
            name="rotate", key="u", label="Rotate", help="rotate its material every year",
            operations=("kms:EnableKeyRotation",), do=_rotate,
            consequence=lambda _account, id, _values: (
                f"{id} gets new material every year; what is encrypted stays readable",
            ),
            blocked=_rotatable,
        ),
    ),
    every=60.0,
)  # fmt: skip
