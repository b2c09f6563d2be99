"""Content hashes of files and folders, streamed: memory use doesn't grow with the file."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from core.errors import OpsdeckError

_CHUNK = 1024 * 1024


class ContentUnreadable(OpsdeckError):
    """A file or folder whose hash was asked for is missing, unreadable or no plain file."""

    code = "E125"
    exit_status = 3


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal. Raises `ContentUnreadable`."""
    digest = hashlib.sha256()
    buffer = bytearray(_CHUNK)
    view = memoryview(buffer)
    try:
        with path.open("rb", buffering=0) as handle:
            if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
                raise ContentUnreadable(f"{path}: not a plain file")
            while count := handle.readinto(buffer):
                digest.update(view[:count])
    except OSError as error:
        raise _unreadable(path, error) from error
    return digest.hexdigest()


def hash_tree(path: Path) -> str:
    """SHA-256 that names the content of a file or folder, whatever its own name and place.

    A file's is that of its bytes. A folder's is over one record for each entry below it, in
    the order of the relative names' bytes: kind, length of the name, name, and for a file
    the hash of its bytes, for a link its target; empty folders count. Links are not followed,
    and times, owners and modes make no difference. Raises `ContentUnreadable` for what is
    missing, unreadable, or neither file, folder nor link (a socket, a pipe).
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise _unreadable(path, error) from error
    if stat.S_ISREG(mode):
        return hash_file(path)
    if not stat.S_ISDIR(mode):
        raise ContentUnreadable(f"{path}: neither a file nor a folder")
    records: list[tuple[bytes, bytes, str]] = []
    _collect(os.fsencode(path), b"", records)
    digest = hashlib.sha256(b"opsdeck-tree-1\n")
    for name, kind, value in sorted(records):
        # The lengths make the encoding unambiguous: no name can imitate two entries.
        content = os.fsencode(value)
        digest.update(b"%s %d %d\n" % (kind, len(name), len(content)))
        digest.update(name + b"\n" + content + b"\n")
    return digest.hexdigest()


def _collect(root: bytes, below: bytes, records: list[tuple[bytes, bytes, str]]) -> None:
    folder = os.path.join(root, below) if below else root  # noqa: PTH118 - bytes names
    try:
        with os.scandir(folder) as entries:
            listed = list(entries)
    except OSError as error:
        raise _unreadable(Path(os.fsdecode(folder)), error) from error
    for entry in listed:
        name = below + b"/" + entry.name if below else entry.name
        path = Path(os.fsdecode(entry.path))
        if entry.is_symlink():
            try:
                records.append((name, b"link", str(path.readlink())))
            except OSError as error:
                raise _unreadable(path, error) from error
        elif entry.is_dir(follow_symlinks=False):
            records.append((name, b"folder", ""))
            _collect(root, name, records)
        elif entry.is_file(follow_symlinks=False):
            records.append((name, b"file", hash_file(path)))
        else:
            raise ContentUnreadable(f"{path}: neither a file, a folder nor a link")


def _unreadable(path: Path, error: OSError) -> ContentUnreadable:
    return ContentUnreadable(f"{path}: {error.strerror or error}")
