"""The content-addressed artifact store: whole or not there."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from core.domain.run import OutputRef
from core.errors import DiskFull
from core.lineage import hash_tree

FLOOR_BYTES = 64 << 20
"""No step starts with less room than this: it could not finish."""


def publish(
    artifacts_dir: Path, state_dir: Path, items: Iterable[Mapping[str, str]]
) -> list[OutputRef]:
    """Move what a step wrote into the store, named by its content.

    The move is a rename on the same file system: an artifact is there whole or not at all,
    and the same content twice is stored once. Raises `DiskFull`.
    """
    made = []
    for item in items:
        source = Path(item["path"])
        digest = hash_tree(source)
        target = artifacts_dir / digest[:2] / f"{digest}{source.suffix if source.is_file() else ''}"
        size = tree_size(source)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                _make_durable(source)
                try:
                    source.rename(target)
                except OSError as error:
                    if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                        raise  # otherwise somebody else has just stored the same folder
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise DiskFull(
                    f"{artifacts_dir}: no room on the disk", "free some space"
                ) from error
            raise
        made.append(
            OutputRef(item["name"], item["kind"], digest, str(target.relative_to(state_dir)), size)
        )
    return made


def tree_size(path: Path) -> int:
    """Bytes in a file, or in all files of a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(found.stat().st_size for found in path.rglob("*") if found.is_file())


def refuse_without_room(folder: Path) -> None:
    """Raise `DiskFull` where the disk has less than `FLOOR_BYTES` left."""
    free = shutil.disk_usage(folder).free
    if free < FLOOR_BYTES:
        raise DiskFull(
            f"{folder}: only {free / 1e6:.0f} MB left on the disk",
            f"a step needs {FLOOR_BYTES / 1e6:.0f} MB to start with: free some space, then resume",
        )


def _make_durable(path: Path) -> None:
    """Have the disk take the bytes before anything refers to them."""
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file():
            handle = os.open(file, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
