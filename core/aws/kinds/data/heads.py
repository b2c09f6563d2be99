"""The first rows of files on S3: only what is needed of them is fetched."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.aws.errors import BadRequest
from core.aws.rows import row_lines
from core.aws.s3objects import bucket_and_key
from core.aws.words import short

if TYPE_CHECKING:
    from core.aws.account import Account

ROWS = 50
TEXT_BYTES = 64 * 1024
PARQUET_BYTES = 32 * 1024 * 1024
MOST_LISTED = 2_000
_PLAIN = (
    ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".txt", ".log", ".yaml", ".yml", ".md", ".py",
    ".sql",
)  # fmt: skip


def files_below(account: Account, uri: str) -> list[dict[str, Any]]:
    """The files below a folder, newest first (of the first 2,000); hidden ones left out."""
    bucket, key = bucket_and_key(uri)
    prefix = f"{key.rstrip('/')}/" if key else ""
    found: list[dict[str, Any]] = []
    for page in account.pages("s3", "list_objects_v2", Bucket=bucket, Prefix=prefix):
        for each in page.get("Contents", ()):
            name = each["Key"].rsplit("/", 1)[-1]
            if name and not name.startswith(("_", ".")) and each.get("Size"):
                found.append({**each, "Uri": f"s3://{bucket}/{each['Key']}"})
        if len(found) >= MOST_LISTED:
            break
    return sorted(found, key=lambda each: each["LastModified"], reverse=True)


def newest_rows(account: Account, uri: str, most: int) -> tuple[list[dict[str, Any]], int]:
    """Rows of the newest Parquet files below a folder, and how many files there are."""
    files = [each for each in files_below(account, uri) if ".parquet" in each["Key"]]
    rows: list[dict[str, Any]] = []
    for each in files:
        if len(rows) >= most:
            break
        rows += parquet_rows(account, each["Uri"], int(each["Size"]), most - len(rows))
    return rows, len(files)


def parquet_rows(account: Account, uri: str, size: int, most: int) -> list[dict[str, Any]]:
    """The first rows of a Parquet file; raises `BadRequest` where it is too large to fetch or
    is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if size > PARQUET_BYTES:
        raise BadRequest(f"{uri}: {size:,} bytes are too many to look into", "query it instead")
    bucket, key = bucket_and_key(uri)
    body = account.call("s3", "get_object", Bucket=bucket, Key=key)["Body"].read()
    try:
        file = pq.ParquetFile(io.BytesIO(body), pre_buffer=False)
        batch = next(file.iter_batches(most), None)
    except pa.ArrowException as error:
        raise BadRequest(f"{uri}: is no Parquet: {error}") from error
    return [] if batch is None else list(batch.to_pylist())


def head(account: Account, uri: str, size: int) -> tuple[str, ...]:
    """The first rows or lines of a file, as lines; what is neither text nor Parquet is named."""
    name = uri.lower().removesuffix(".gz")
    if name.endswith((".parquet", ".snappy", ".parq")):
        return row_lines(parquet_rows(account, uri, size, ROWS))
    bucket, key = bucket_and_key(uri)
    if not size:
        return ("it is empty",)
    wanted = f"bytes=0-{TEXT_BYTES - 1}"
    data = account.call("s3", "get_object", Bucket=bucket, Key=key, Range=wanted)["Body"].read()
    if uri.lower().endswith(".gz"):
        data = _unzipped(data)
    if b"\0" in data[:4096] and not name.endswith(_PLAIN):
        return (f"binary: {data[:16].hex(' ')} …",)
    lines = data.decode("utf-8", "replace").splitlines()
    if len(lines) > 1 and size > TEXT_BYTES:
        lines.pop()  # it may have been cut
    if name.endswith((".csv", ".tsv")):
        return _table_of(lines, "\t" if name.endswith(".tsv") else ",")
    return tuple(short(line, 200) for line in lines[:ROWS])


def _unzipped(data: bytes) -> bytes:
    import zlib

    try:
        return zlib.decompressobj(wbits=31).decompress(data, TEXT_BYTES)
    except zlib.error as error:
        raise BadRequest(f"it is no gzip: {error}") from error


def _table_of(lines: Sequence[str], separator: str) -> tuple[str, ...]:
    import csv

    rows = list(itertools.islice(csv.reader(lines, delimiter=separator), ROWS + 1))
    if not rows:
        return ("it is empty",)
    names, *rest = rows
    return row_lines([dict(zip(names, row, strict=False)) for row in rest]) if rest else (
        "  ".join(names),
    )  # fmt: skip
