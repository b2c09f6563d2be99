"""The kinds `buckets` and `objects`: S3 as folders, the head of a file, files up and down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.aws.errors import AwsError, BadRequest, ResourceNotFound
from core.aws.kind import Column, Detail, Field, Item, Kind, Line, Section, Verb
from core.aws.kinds.data.heads import head
from core.aws.kinds.shared import found, needed
from core.aws.partial import section, side_by_side, why
from core.aws.s3objects import bucket_and_key
from core.aws.words import clock, epoch, pretty, size
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

PAGE = 1_000
NONE = frozenset({
    "ServerSideEncryptionConfigurationNotFoundError", "NoSuchPublicAccessBlockConfiguration",
    "NoSuchBucketPolicy", "NoSuchLifecycleConfiguration", "NoSuchTagSet",
    "ReplicationConfigurationNotFoundError", "ObjectLockConfigurationNotFoundError",
})  # fmt: skip
"""What S3 calls an error where a bucket simply has no such setting."""


def _listed(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in account.pages("s3", "list_buckets"):
        yield tuple(
            Item(
                id=each["Name"],
                cells=(each["Name"], each.get("BucketRegion", "")),
                changed=epoch(each.get("CreationDate")),
                raw=each,
            )
            for each in page.get("Buckets", ())
        )


def setting(account: Account, operation: str, bucket: str, key: str) -> Any:
    """A setting of a bucket; None where it has none."""
    try:
        return account.call("s3", operation, Bucket=bucket).get(key)
    except AwsError as error:
        if error.aws_code in NONE:
            return None
        raise


def encryption(account: Account, bucket: str) -> str:
    """How a bucket encrypts by itself: `aws:kms KEY`, `AES256`, or "" for not at all."""
    told = setting(account, "get_bucket_encryption", bucket, "ServerSideEncryptionConfiguration")
    for rule in (told or {}).get("Rules", ()):
        by = rule.get("ApplyServerSideEncryptionByDefault") or {}
        return f"{by.get('SSEAlgorithm', '')} {by.get('KMSMasterKeyID', '')}".strip()
    return ""


def _shown(account: Account, name: str) -> Detail:
    parts: list[tuple[str, Callable[[], tuple[Line, ...]]]] = [
        ("encrypted by itself", lambda: _encrypted(account, name)),
        ("public access", lambda: _public(account, name)),
        ("versioning", lambda: _versioning(account, name)),
        ("lifecycle", lambda: _lifecycle(account, name)),
        ("policy", lambda: _policy(account, name)),
    ]

    def part(label: str, read: Callable[[], tuple[Line, ...]]) -> Callable[[], tuple[Line, ...]]:
        def told() -> tuple[Line, ...]:
            try:
                return read()
            except AwsError as error:
                return ((label, why(error), "bad"),)

        return told

    lines = side_by_side([part(label, read) for label, read in parts])
    about = Section("Bucket", tuple(line for each in lines for line in each))
    return Detail(name, sections=(about,), item=Item(name, (name, "")))


def _encrypted(account: Account, name: str) -> tuple[Line, ...]:
    found_ = encryption(account, name)
    return (("encrypted by itself", found_ or "no", "" if found_ else "bad"),)


def _public(account: Account, name: str) -> tuple[Line, ...]:
    block = setting(account, "get_public_access_block", name, "PublicAccessBlockConfiguration")
    closed = bool(block) and all(block.values())
    return (("public access", "blocked" if closed else "not blocked", "" if closed else "bad"),)


def _versioning(account: Account, name: str) -> tuple[Line, ...]:
    state = account.call("s3", "get_bucket_versioning", Bucket=name).get("Status")
    return (("versioning", state or "off", "" if state == "Enabled" else "wait"),)


def _lifecycle(account: Account, name: str) -> tuple[Line, ...]:
    rules = setting(account, "get_bucket_lifecycle_configuration", name, "Rules") or ()
    lines = []
    for rule in rules:
        days = (rule.get("Expiration") or {}).get("Days")
        moved = ", ".join(
            f"{each.get('StorageClass')} after {each.get('Days')} days"
            for each in rule.get("Transitions", ())
        )
        what = "; ".join(filter(None, (f"gone after {days} days" if days else "", moved)))
        lines.append((f"lifecycle {rule.get('ID', '')}", what or rule.get("Status", "")))
    return tuple(lines) or (("lifecycle", "none"),)


def _policy(account: Account, name: str) -> tuple[Line, ...]:
    import json

    text = setting(account, "get_bucket_policy", name, "Policy")
    return ("policy:", *pretty(json.loads(text))) if text else (("policy", "none"),)


def _objects(account: Account, place: str) -> Iterator[Sequence[Item]]:
    """Folders and files of a folder; `place` is a bucket or s3://BUCKET/FOLDER/."""
    if not place:
        raise BadInput("objects: of which bucket?", "opsdeck aws list objects --parent BUCKET")
    uri = place if place.startswith("s3://") else f"s3://{place}/"
    bucket, prefix = bucket_and_key(uri)
    pages = account.pages(
        "s3", "list_objects_v2", Bucket=bucket, Prefix=prefix, Delimiter="/", MaxKeys=PAGE
    )  # MaxKeys is of a page: botocore's paginator goes on by ContinuationToken
    for page in pages:
        folders = [
            Item(f"s3://{bucket}/{each['Prefix']}", (each["Prefix"][len(prefix):], "folder", ""))
            for each in page.get("CommonPrefixes", ())
        ]  # fmt: skip
        files = [
            Item(
                id=f"s3://{bucket}/{each['Key']}",
                cells=(
                    each["Key"][len(prefix) :],
                    size(each.get("Size")),
                    each.get("StorageClass", ""),
                ),
                changed=epoch(each.get("LastModified")),
                raw=each,
                leaf=True,
            )
            for each in page.get("Contents", ())
            if each["Key"] != prefix
        ]
        yield (*folders, *files)


def _is_folder(uri: str) -> bool:
    return uri.endswith("/")


def _object(account: Account, uri: str) -> Detail:
    bucket, key = bucket_and_key(uri)
    if _is_folder(uri):
        return Detail(uri, sections=(section("Folder", lambda: _sized(account, bucket, key)),))
    told = account.call("s3", "head_object", Bucket=bucket, Key=key)
    count = int(told.get("ContentLength") or 0)
    lines: tuple[Line, ...] = (
        ("size", size(count)),
        ("changed", clock(told.get("LastModified"))),
        *found("type", told.get("ContentType")),
        *found("class", told.get("StorageClass")),
        ("encrypted", _how(told), "" if told.get("ServerSideEncryption") else "bad"),
        *found("version", told.get("VersionId")),
        *((key_, str(value)) for key_, value in (told.get("Metadata") or {}).items()),
    )
    begin = section("Its beginning", lambda: Section("Its beginning", head(account, uri, count)))
    item = Item(uri, (key.rsplit("/", 1)[-1], size(count), ""), leaf=True)
    return Detail(uri, sections=(Section("Object", lines), begin), item=item)


def _how(told: Mapping[str, Any]) -> str:
    by = told.get("ServerSideEncryption") or "no"
    return f"{by} {told.get('SSEKMSKeyId', '')}".strip()


def _sized(account: Account, bucket: str, prefix: str) -> Section:
    """How much is below a folder, of its first 10,000 files."""
    count = total = 0
    more = False
    for page in account.pages("s3", "list_objects_v2", Bucket=bucket, Prefix=prefix):
        held = page.get("Contents", ())
        count, total = count + len(held), total + sum(int(each["Size"]) for each in held)
        if count >= 10 * PAGE:
            more = bool(page.get("IsTruncated"))
            break
    at_least = "at least " if more else ""
    return Section(
        "Folder", (("files below", f"{at_least}{count:,}"), ("size", f"{at_least}{size(total)}"))
    )


def _file_only(item: Item) -> str | None:
    return "it is a folder" if _is_folder(item.id) else None


def _download(account: Account, uri: str, values: Mapping[str, str]) -> str:
    bucket, key = bucket_and_key(uri)
    path = Path(needed(values, "to")).expanduser()
    if path.is_dir():
        path = path / key.rsplit("/", 1)[-1]
    if path.exists():
        raise BadInput(f"to={path}: is there already", "name another file")
    answer = account.call("s3", "get_object", Bucket=bucket, Key=key)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("xb") as file:
            for chunk in answer["Body"].iter_chunks(1024 * 1024):
                file.write(chunk)
        part.rename(path)
    except OSError as error:
        raise BadInput(
            f"to={path}: {error.strerror}", "name a place that can be written"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return f"{path}: {size(path.stat().st_size)}"


def _download_consequence(account: Account, uri: str, values: Mapping[str, str]) -> tuple[str, ...]:
    bucket, key = bucket_and_key(uri)
    told = account.call("s3", "head_object", Bucket=bucket, Key=key)
    return (
        f"writes {size(told.get('ContentLength'))} to {values.get('to') or '…'} on this machine",
    )


def _upload(account: Account, bucket: str, values: Mapping[str, str]) -> str:
    path = Path(needed(values, "from")).expanduser()
    key = needed(values, "key")
    if not path.is_file():
        raise BadInput(f"from={path}: is no file", "name a file of this machine")
    with path.open("rb") as body:
        account.call("s3", "put_object", Bucket=bucket, Key=key, Body=body)
    return f"s3://{bucket}/{key}: {size(path.stat().st_size)}"


def _upload_consequence(
    account: Account, bucket: str, values: Mapping[str, str]
) -> tuple[str, ...]:
    key = values.get("key", "")
    lines = [f"{values.get('from') or '…'} becomes s3://{bucket}/{key or '…'}"]
    if key:
        try:
            there = account.call("s3", "head_object", Bucket=bucket, Key=key)
            lines.append(f"takes the place of {size(there.get('ContentLength'))} of "
                         f"{clock(there.get('LastModified'))}")  # fmt: skip
        except ResourceNotFound:
            lines.append("nothing is there now")
        except BadRequest as error:
            lines.append(why(error))
    return tuple(lines)


def _delete(account: Account, uri: str, _values: Mapping[str, str]) -> str:
    bucket, key = bucket_and_key(uri)
    account.call("s3", "delete_object", Bucket=bucket, Key=key)
    return f"{uri} is deleted"


def _delete_consequence(account: Account, uri: str, _values: Mapping[str, str]) -> tuple[str, ...]:
    bucket, _ = bucket_and_key(uri)
    state = account.call("s3", "get_bucket_versioning", Bucket=bucket).get("Status")
    kept = "older versions stay and can be brought back" if state == "Enabled" else (
        "the bucket keeps no versions: it cannot be brought back"
    )  # fmt: skip
    return (f"deletes {uri}", kept)


UPLOAD = Verb(
    name="upload", key="n", label="Upload", help="a file of this machine",
    operations=("s3:PutObject",), do=_upload, consequence=_upload_consequence,
    fields=(Field("from", "file here", required=True), Field("key", "key there", required=True)),
    dangerous=True,
)  # fmt: skip
BUCKETS = Kind(
    name="buckets",
    title="Buckets",
    service="s3",
    about="S3: folders, heads of files, what is encrypted",
    columns=(Column("BUCKET", 30, grow=3), Column("REGION", 14, drop=1)),
    list=_listed,
    show=_shown,
    operations=(
        "s3:ListAllMyBuckets", "s3:GetEncryptionConfiguration", "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketVersioning", "s3:GetLifecycleConfiguration", "s3:GetBucketPolicy",
    ),
    child="objects",
    verbs=(UPLOAD,),
    every=30.0,
)  # fmt: skip
OBJECTS = Kind(
    name="objects",
    title="Objects",
    service="s3",
    about="folders and files of a bucket",
    columns=(
        Column("NAME", 30, grow=3),
        Column("SIZE", 10, align="right"),
        Column("CLASS", 12, drop=1),
    ),
    list=_objects,
    show=_object,
    operations=("s3:ListBucket", "s3:GetObject", "s3:GetBucketVersioning"),
    parent="buckets",
    child="objects",
    verbs=(
        Verb(
            name="download", key="s", label="Download", help="to a file of this machine",
            operations=("s3:GetObject",), do=_download, consequence=_download_consequence,
            fields=(Field("to", "file or folder here", "./", required=True),), blocked=_file_only,
        ),
        Verb(
            name="delete", key="x", label="Delete", help="delete the file",
            operations=("s3:DeleteObject",), do=_delete, consequence=_delete_consequence,
            dangerous=True, typed=True, blocked=_file_only,
        ),
    ),
    every=30.0,
)  # fmt: skip
