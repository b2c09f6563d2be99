"""Files in S3, through s3fs; addresses, credentials and regions come from the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, BinaryIO

from core.errors import BadInput
from core.ingest.errors import SourceUnreadable
from core.ingest.sources import LocalStore, Store


def store_of(text: str) -> Store:
    """Where an address is: on this host or in a bucket. Raises `BadInput` for others."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        return LocalStore()
    if scheme != "s3":
        raise BadInput(
            f"{scheme}://: files are read from this host or s3://",
            "for a database give --query SQL too",
        )
    if not rest.strip("/"):
        raise BadInput(f"{text}: no bucket", "for example: s3://bucket/folder")
    return BucketStore()


class BucketStore:
    """Objects of S3, or of what speaks its protocol (`AWS_ENDPOINT_URL`)."""

    def __init__(self) -> None:
        try:
            import s3fs
        except ImportError as error:
            raise SourceUnreadable(
                "s3:// needs s3fs, which is not installed", "install opsdeck[aws]"
            ) from error
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        self._files: Any = s3fs.S3FileSystem(
            endpoint_url=endpoint,
            skip_instance_cache=True,
            use_listings_cache=False,
            config_kwargs={
                "connect_timeout": 10,
                "read_timeout": 60,
                "retries": {"max_attempts": 3},
            },
        )

    def walk(self, folder: str, depth: int | None) -> Iterator[tuple[str, int, str]]:
        """Every object below a prefix, in order of their keys."""
        found = self._asked(folder, "find", folder.removeprefix("s3://"), detail=True)
        for key, info in sorted(found.items()):
            if info["type"] == "file" and not key.endswith("/"):
                yield f"s3://{key}", int(info["size"]), _mark(info)

    def look(self, uri: str) -> tuple[int, str] | None:
        """Size and etag; None for a prefix."""
        info = self._asked(uri, "info", uri.removeprefix("s3://"))
        return None if info["type"] == "directory" else (int(info["size"]), _mark(info))

    def open(self, uri: str) -> BinaryIO:
        """The object, read in pieces as they are asked for."""
        opened: BinaryIO = self._asked(
            uri, "open", uri.removeprefix("s3://"), mode="rb", block_size=8 << 20
        )
        return opened

    def _asked(self, uri: str, what: str, *args: Any, **options: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._files, what)(*args, **options)
        except FileNotFoundError as error:
            raise SourceUnreadable(f"{uri}: no such object", "look at bucket and key") from error
        except (OSError, BotoCoreError, ClientError) as error:
            said = " ".join(str(error).split())[:200] or type(error).__name__
            raise SourceUnreadable(
                f"{uri}: {said}", "credentials and region come from the environment (AWS_…)"
            ) from error


def _mark(info: dict[str, Any]) -> str:
    return str(info.get("ETag", "")).strip('"')
