"""Small files on S3: the reports that jobs leave there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.aws.errors import AwsError, BadRequest
from core.errors import BadInput

if TYPE_CHECKING:
    from core.aws.account import Account

MOST_BYTES = 8 * 1024 * 1024


def bucket_and_key(uri: str) -> tuple[str, str]:
    """The parts of s3://BUCKET/KEY; raises `BadInput`."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise BadInput(f"{uri}: is no address on S3", "for example: s3://bucket/folder/file.json")
    return bucket, key


def read_bytes(account: Account, uri: str, most: int = MOST_BYTES) -> bytes:
    """An object's bytes; raises `BadRequest` where it is larger than `most`."""
    bucket, key = bucket_and_key(uri)
    answer = account.call("s3", "get_object", Bucket=bucket, Key=key)
    size = int(answer.get("ContentLength") or 0)
    if size > most:
        answer["Body"].close()
        raise BadRequest(f"{uri}: has {size:,} bytes, more than {most:,} are not read here")
    body: bytes = answer["Body"].read()
    return body


def read_json(account: Account, uri: str) -> Any:
    """An object's JSON; raises `BadRequest` where it is none."""
    data = read_bytes(account, uri)
    try:
        return json.loads(data)
    except ValueError as error:
        raise BadRequest(f"{uri}: is not JSON: {error}") from error


def try_json(account: Account, uri: str) -> tuple[Any, str]:
    """An object's JSON; or None, and why."""
    from core.aws.partial import why

    try:
        return read_json(account, uri), ""
    except AwsError as error:
        return None, why(error)


def keys_below(account: Account, uri: str, most: int = 200) -> Sequence[str]:
    """The addresses of the objects below a folder, at most so many."""
    bucket, key = bucket_and_key(uri)
    prefix = key if not key or key.endswith("/") else key + "/"
    found: list[str] = []
    for page in account.pages("s3", "list_objects_v2", Bucket=bucket, Prefix=prefix):
        found += [f"s3://{bucket}/{each['Key']}" for each in page.get("Contents", ())]
        if len(found) >= most:
            break
    return found[:most]
