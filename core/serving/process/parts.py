"""The files of the capture: writing one, listing them, keeping within a cap.

A part's name says when it was written, by nobody else, and how many requests it holds:
`part-<nanoseconds, hex>-<random>-<rows>.parquet`. It appears under that name when it is whole,
and may go at any time: whoever reads must expect that. A `compact-…` holds what all parts of its
folder held that were written up to its time: those do not count any more, wherever they are
still there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from core.serving.process.capture import Captured

PART = "part"
COMPACT = "compact"
_STALE_SECONDS = 3600.0  # a temporary file this old was left by a process that was killed


class Part(NamedTuple):
    """One file of captured requests. Parts sort by day, then by when they were written."""

    day: str
    written: int  # nanoseconds; no request in it is newer
    path: Path
    variant: str
    rows: int | None  # None: written before names said it
    size: int

    @property
    def revision(self) -> int:
        """The variant's number."""
        return int(self.variant.removeprefix("r"))

    @property
    def kind(self) -> str:
        """PART or COMPACT."""
        return self.path.name.partition("-")[0]


def write_part(folder: Path, items: Sequence[Captured]) -> Path:
    """Write one Parquet file of requests; raises OSError and leaves nothing behind."""
    import pyarrow as pa

    table = pa.table(
        {
            "inference_id": pa.array([item.inference_id for item in items], pa.string()),
            "time": pa.array([int(item.at * 1e6) for item in items], pa.timestamp("us", tz="UTC")),
            "revision": pa.array([item.revision for item in items], pa.int32()),
            "model": pa.array([item.model for item in items], pa.string()),
            "version": pa.array([item.version for item in items], pa.int32()),
            "status": pa.array([item.status for item in items], pa.int16()),
            "latency_ms": pa.array([item.milliseconds for item in items], pa.float32()),
            "inputs": pa.array([_inputs(item) for item in items], pa.string()),
            "outputs": pa.array([_outputs(item) for item in items], pa.string()),
            "content_type": pa.array([item.content_type for item in items], pa.string()),
            "sampling_rate": pa.array([item.rate for item in items], pa.float32()),
            "shadow": pa.array([item.shadow for item in items], pa.bool_()),
        }
    )
    return put_table(folder, table)


def put_table(folder: Path, table: Any, written: int | None = None, kind: str = PART) -> Path:
    """Put a table there as a part of its own; `written` is its time, if not now. Raises
    OSError."""
    import pyarrow.parquet as pq

    at = written or time.time_ns()
    name = f"{kind}-{at:x}-{uuid.uuid4().hex[:8]}-{table.num_rows}.parquet"
    temporary = folder / f".{name}.tmp"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        try:
            pq.write_table(table, temporary, compression="zstd")
        except FileNotFoundError:  # the folder was empty, and cleared away, just now
            folder.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, temporary, compression="zstd")
        temporary.replace(folder / name)
    finally:
        temporary.unlink(missing_ok=True)
    return folder / name


def days(folder: Path) -> list[str]:
    """The days (UTC, ISO) of which anything is captured, oldest first."""
    return sorted(day.name.removeprefix("date=") for day in _folders(folder, "date="))


def list_parts(folder: Path, day: str | None = None) -> list[Part]:
    """Every part in the capture, or of one day, oldest first. What vanishes meanwhile is left
    out."""
    return sorted(
        part
        for each in (days(folder) if day is None else [day])
        for variant in _folders(folder / f"date={each}", "variant=r")
        for part in _parts_of(each, variant)
    )


def parse_name(name: str) -> tuple[int, int | None] | None:
    """When a part was written and its rows, by its name; None for what is no part."""
    kind, *fields = name.removesuffix(".parquet").split("-")
    if kind not in (PART, COMPACT) or not fields or not name.endswith(".parquet"):
        return None
    try:
        return int(fields[0], 16), int(fields[2]) if len(fields) > 2 else None
    except ValueError:
        return None


def keep_within(folder: Path, cap: int) -> tuple[int, int]:
    """Delete the oldest days, and of the last one its oldest parts, until the capture takes no
    more than `cap` bytes; the bytes that are left, and the requests that went.

    While another process does this already, nothing is deleted here. The newest part stays.
    Raises OSError.
    """
    found = list_parts(folder)
    left = sum(part.size for part in found)
    if left <= cap or len(found) < 2:
        return left, 0
    with alone(folder) as first:
        if not first:
            return left, 0
        _clear_stale(folder)
        return _delete_oldest(list_parts(folder), cap)


def _delete_oldest(found: list[Part], cap: int) -> tuple[int, int]:
    left, gone = sum(part.size for part in found), 0
    while left > cap and len(found) > 1:
        day, last = found[0].day, found[-1].day
        batch = found[:1] if day == last else [part for part in found if part.day == day]
        for part in batch:
            gone += count_rows(part)
            remove_part(part)
            left -= part.size
        found = found[len(batch) :]
    return left, gone


def count_rows(part: Part) -> int:
    """How many requests a part holds; 0 for one that has gone or cannot be read."""
    if part.rows is not None:
        return part.rows
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(part.path).num_rows)
    except (OSError, pa.ArrowInvalid):
        return 0


def remove_part(part: Part) -> None:
    """Delete a part, and its folders where they are empty now. Raises OSError."""
    if part.kind == COMPACT:  # what it replaced would count again
        for old in replaced(part.path.parent, part.written):
            old.unlink(missing_ok=True)
    part.path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not empty
        part.path.parent.rmdir()
        part.path.parent.parent.rmdir()


def replaced(folder: Path, written: int) -> list[Path]:
    """The files of a variant's folder that a compact part of that time stands for."""
    found = []
    for path in folder.glob(f"{PART}-*.parquet"):
        said = parse_name(path.name)
        if said is not None and said[0] <= written:
            found.append(path)
    return found


@contextmanager
def alone(folder: Path, wait: bool = False) -> Iterator[bool]:
    """Whether nobody else is deleting in this capture; nobody else begins to meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _folders(folder: Path | str, prefix: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [e for e in entries if e.name.startswith(prefix) and e.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _parts_of(day: str, variant: os.DirEntry[str]) -> list[Part]:
    name = variant.name.removeprefix("variant=")
    found: list[Part] = []
    if not name[1:].isdigit():
        return found
    try:
        with os.scandir(variant.path) as entries:
            for entry in entries:
                said = parse_name(entry.name)
                if said is None:
                    continue
                with contextlib.suppress(FileNotFoundError):
                    size = entry.stat().st_size
                    found.append(Part(day, said[0], Path(entry.path), name, said[1], size))
    except FileNotFoundError:
        return []
    compacted = max((part.written for part in found if part.kind == COMPACT), default=0)
    return [part for part in found if part.kind == COMPACT or part.written > compacted]


def _clear_stale(folder: Path) -> None:
    """Remove what killed processes left half written."""
    for left in folder.glob("date=*/variant=*/.*-*.tmp"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                left.unlink()


def _inputs(item: Captured) -> bytes | None:
    """The inputs as JSON; one request that cannot be written down costs no other."""
    try:
        return _text(item.inputs())
    except (TypeError, ValueError):
        return None


def _outputs(item: Captured) -> bytes | None:
    try:
        return _text(item.outputs)
    except (TypeError, ValueError):
        return None


def _text(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
