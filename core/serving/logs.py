"""Reading an endpoint's logs across their rotation. Standard library only.

A log that has grown is renamed to `.1`, the one before to `.2`, and so on. A cursor therefore
names a file by its inode, not by its name, and by what stands before the place in it: inodes
are given to new files again.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

_BLOCK = 1 << 16
MOST_LINES = 10_000  # in one answer


class LogLines(NamedTuple):
    """Lines, where to go on, and whether lines in between are gone for good."""

    lines: list[str]
    cursor: str
    gap: bool = False


class _Open(NamedTuple):
    file: BinaryIO
    inode: int
    size: int


def tail(path: Path, count: int) -> LogLines:
    """The last `count` lines of a log and its rotated files, oldest first."""
    files = _open(path)
    try:
        lines: list[bytes] = []
        for each in reversed(files):
            if len(lines) >= count:
                break
            lines = _last(each, count - len(lines)) + lines
        return LogLines(_texts(lines), _cursor_at_end(files))
    finally:
        _close(files)


def read_on(path: Path, cursor: str, limit: int = MOST_LINES) -> LogLines:
    """Whole lines written after `cursor` (as `tail` or this gave it), at most `limit`.

    Where the file that it was in has been rotated away, all that is left is read, and `gap`
    says so.
    """
    files = _open(path)
    try:
        inode, offset, before = json.loads(cursor) if cursor else (0, 0, 0)
        at = next((i for i, each in enumerate(files) if each.inode == inode), None)
        gap = False
        if at is None or _before(files[at], offset) != before:
            gap, at, offset = inode != 0, 0, 0
        lines: list[bytes] = []
        for number in range(at, len(files)):
            each = files[number]
            for line in _lines(each.file, offset, last=number == len(files) - 1):
                if len(lines) == limit:
                    break
                lines.append(line)
                offset += len(line)
            if len(lines) == limit or number == len(files) - 1:
                return LogLines(_texts(lines), _cursor(each, offset), gap)
            offset = 0
        return LogLines([], cursor)
    finally:
        _close(files)


def _open(path: Path) -> list[_Open]:
    """The log's files, oldest first. Opened newest first: a rotation meanwhile gives a file
    twice, which its inode tells, and loses none."""
    found: dict[int, _Open] = {}
    names = [path, *(path.with_name(f"{path.name}.{number}") for number in range(1, 100))]
    for name in names:
        try:
            file = name.open("rb")
        except FileNotFoundError:
            if name == path:
                continue  # it has just been renamed
            break
        stat = os.fstat(file.fileno())
        if stat.st_ino in found:
            file.close()
            continue
        found[stat.st_ino] = _Open(file, stat.st_ino, stat.st_size)
    return list(found.values())[::-1]


def _close(files: list[_Open]) -> None:
    for each in files:
        each.file.close()


def _last(opened: _Open, count: int) -> list[bytes]:
    """The last lines of a file, read from its end."""
    data, position = b"", opened.size
    while position > 0 and data.count(b"\n") <= count:
        step = min(_BLOCK, position)
        position -= step
        opened.file.seek(position)
        data = opened.file.read(step) + data
    end = data.rfind(b"\n") + 1  # what is still being written comes later
    lines = [line + b"\n" for line in data[:end].split(b"\n")[:-1]]
    if position > 0:
        lines = lines[1:]
    return lines[-count:] if count else []


def _lines(file: BinaryIO, offset: int, *, last: bool) -> Iterator[bytes]:
    """Lines from an offset on; an unfinished one only where nothing will finish it."""
    file.seek(offset)
    for line in file:
        if not line.endswith(b"\n") and last:
            return
        yield line


def _cursor_at_end(files: list[_Open]) -> str:
    if not files:
        return ""
    newest = files[-1]
    position, data = newest.size, b""
    while position > 0 and b"\n" not in data:
        step = min(_BLOCK, position)
        position -= step
        newest.file.seek(position)
        data = newest.file.read(step)
    end = position + data.rfind(b"\n") + 1
    return _cursor(newest, end)


def _cursor(opened: _Open, offset: int) -> str:
    return json.dumps([opened.inode, offset, _before(opened, offset)])


def _before(opened: _Open, offset: int) -> int:
    """A checksum of what stands before an offset."""
    start = max(0, offset - 256)
    opened.file.seek(start)
    return zlib.crc32(opened.file.read(offset - start))


def _texts(lines: list[bytes]) -> list[str]:
    return [line.decode(errors="replace").rstrip("\r\n") for line in lines]
