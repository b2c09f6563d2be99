"""What an intake has accepted and the dataset has not: segments of frames on the disk.

A record is accepted when its frame has reached the disk (`append` has returned). A segment is
one batch: its id is the batch's, so that a segment that is flushed twice is in the dataset once.
A frame that was cut off by a crash was never accepted, and is cut away.
"""

from __future__ import annotations

import errno
import os
import struct
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from core.errors import DiskFull
from core.ids import new_id
from core.ingest.errors import SpoolBroken

_HEAD = struct.Struct("<4sIHI")  # mark, length of the body, length of the key, CRC of both
_MARK = b"OPS1"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
OPEN, READY = ".open", ".ready"


class Frame(NamedTuple):
    """What one request brought: JSON Lines, how many, and its key against doubling, if any."""

    body: bytes
    key: str = ""

    def encode(self) -> bytes:
        """As it stands in a segment."""
        key = self.key.encode()
        check = zlib.crc32(key + self.body)
        return _HEAD.pack(_MARK, len(self.body), len(key), check) + key + self.body


class Segment(NamedTuple):
    """A sealed segment, to be flushed."""

    path: Path
    bytes: int

    @property
    def id(self) -> str:
        """Its batch's."""
        return self.path.name.removesuffix(READY)


class Spool:
    """One intake's segments. Thread-safe; one process has it at a time (see `core.ingest.lock`)."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder, and seals what a dead process left open. Raises `SpoolBroken`."""
        self._folder = folder
        self._lock = threading.RLock()
        self._handle: int | None = None
        self._id = ""
        self._size = 0
        self._began = 0.0
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in sorted(folder.glob(f"*{OPEN}")):
                _mend(path)
            self._sealed = {seg.id: seg.bytes for seg in self._listed()}
        except OSError as error:
            raise _plain(folder, error) from error

    def append(self, frames: Sequence[Frame]) -> str:
        """Put frames on the disk, all or none, and wait until they are there; returns the
        segment's id. Raises `DiskFull`, `SpoolBroken`: then none of them was accepted."""
        data = b"".join(frame.encode() for frame in frames)
        with self._lock:
            try:
                if self._handle is None:
                    self._begin()
                assert self._handle is not None
                _write(self._handle, data)
                os.fdatasync(self._handle)
            except OSError as error:
                self._give_up()
                raise _plain(self._folder, error) from error
            self._size += len(data)
            return self._id

    def _begin(self) -> None:
        self._id = new_id()
        path = self._folder / f"{self._id}{OPEN}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._handle = os.open(path, flags, 0o600)
        self._size, self._began = 0, time.monotonic()
        _sync(self._folder)

    def _give_up(self) -> None:
        """After a failed write: what was accepted before stays, what failed is cut away, and
        the next frames get a new segment (a disk's error is told once only)."""
        handle, self._handle = self._handle, None
        if handle is None:
            return
        try:
            os.ftruncate(handle, self._size)
        except OSError:
            pass  # the torn frame is cut away when the segment is read
        finally:
            os.close(handle)
        path = self._folder / f"{self._id}{OPEN}"
        if self._size:
            self._rename(path)
        else:
            path.unlink(missing_ok=True)

    def seal(self) -> None:
        """No more frames into the present segment."""
        with self._lock:
            if self._handle is None:
                return
            handle, self._handle = self._handle, None
            os.close(handle)
            self._rename(self._folder / f"{self._id}{OPEN}")

    def _rename(self, path: Path) -> None:
        path.rename(path.with_suffix(READY))
        self._sealed[path.stem] = self._size
        self._size = 0

    def age(self) -> float:
        """Seconds since the present segment began; 0 where there is none."""
        with self._lock:
            return time.monotonic() - self._began if self._handle is not None else 0.0

    def size(self) -> int:
        """Bytes of the present segment."""
        with self._lock:
            return self._size if self._handle is not None else 0

    def waiting(self) -> int:
        """Bytes of all segments."""
        with self._lock:
            return self.size() + sum(self._sealed.values())

    def count(self) -> int:
        """How many segments there are."""
        with self._lock:
            return len(self._sealed) + (self._handle is not None)

    def ready(self) -> list[Segment]:
        """Sealed segments, the oldest first."""
        with self._lock:
            return [
                Segment(self._folder / f"{name}{READY}", size)
                for name, size in sorted(self._sealed.items())
            ]

    def _listed(self) -> list[Segment]:
        return [Segment(path, path.stat().st_size) for path in self._folder.glob(f"*{READY}")]

    def remove(self, segment: Segment) -> None:
        """Forget a segment whose records are in the dataset."""
        with self._lock:
            segment.path.unlink(missing_ok=True)
            self._sealed.pop(segment.id, None)


def frames_of(path: Path) -> Iterator[Frame]:
    """The whole frames of a segment; what comes after the last one is a crash's."""
    for frame, _ in _scanned(path):
        yield frame


def waiting_in(folder: Path) -> tuple[int, int]:
    """Segments and bytes in a spool, seen from outside."""
    sizes = []
    for path in [*folder.glob(f"*{OPEN}"), *folder.glob(f"*{READY}")]:
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:
            continue  # flushed just now
    return len(sizes), sum(sizes)


def _scanned(path: Path) -> Iterator[tuple[Frame, int]]:
    """Frames, and where each ends."""
    end = 0
    with path.open("rb") as stream:
        while len(head := stream.read(_HEAD.size)) == _HEAD.size:
            mark, size, key_size, check = _HEAD.unpack(head)
            rest = stream.read(key_size + size) if mark == _MARK else b""
            if len(rest) != key_size + size or zlib.crc32(rest) != check or mark != _MARK:
                return
            end += _HEAD.size + len(rest)
            yield Frame(rest[key_size:], rest[:key_size].decode()), end


def _mend(path: Path) -> None:
    end = 0
    for _, after in _scanned(path):
        end = after
    if not end:
        path.unlink()
        return
    with path.open("rb+") as stream:
        stream.truncate(end)
        os.fsync(stream.fileno())
    path.rename(path.with_suffix(READY))
    _sync(path.parent)


def _write(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _plain(folder: Path, error: OSError) -> Exception:
    if error.errno in _FULL:
        return DiskFull(f"{folder}: no room on the disk", "free some space")
    return SpoolBroken(f"{folder}: {error.strerror or error}", "is it writable?")
