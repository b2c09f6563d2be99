"""Keeping what was asked and answered, without ever holding up an answer.

Requests are appended to a queue in memory; one thread writes them every ten seconds, or as
soon as there are many, to `capture/date=YYYY-MM-DD/variant=rN/part-*.parquet` (days in UTC),
each file to a temporary name first. When the queue is full or the disk refuses, requests are
dropped and counted; when the capture has grown to `MAX_BYTES`, its oldest days are deleted.
What is still in the queue when the process is killed is lost.
"""

from __future__ import annotations

import logging
import random
import shutil
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from core.serving.records import CaptureStatus

log = logging.getLogger(__name__)

MAX_QUEUE = 50_000
MAX_QUEUE_BYTES = 64 << 20  # of bodies and answers
MAX_BYTES = 1 << 30  # on disk, of one endpoint
FLUSH_SECONDS = 10.0
FLUSH_ROWS = 5_000


class Captured(NamedTuple):
    """One request and its answer; `inputs` makes the JSON when the writer gets to it."""

    inference_id: str
    at: float
    revision: int
    status: int
    milliseconds: float
    inputs: Callable[[], Any]
    outputs: Any
    size: int = 0  # bytes of the body and the answer


class Capture:
    """The queue and its writer. `add` is for the event loop, the rest for any thread."""

    def __init__(self, folder: Path, rate: float = 1.0) -> None:
        self.folder = folder
        self.rate = rate
        self._queue: deque[Captured] = deque()
        self._bytes_in, self._bytes_out = 0, 0  # each has one writer
        self._on_disk: int | None = None  # bytes; not known yet
        self._written = 0
        self._dropped_full = 0
        self._dropped_disk = 0
        self._last_error = ""
        self._closing = False
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def wants(self) -> bool:
        """Whether this request is in the sample."""
        return self.rate >= 1 or random.random() < self.rate

    def add(self, item: Captured) -> None:
        """Queue one request, or count it as dropped."""
        waiting = self._bytes_in - self._bytes_out
        if len(self._queue) >= MAX_QUEUE or waiting + item.size > MAX_QUEUE_BYTES:
            self._dropped_full += 1
            self._wake.set()
            return
        self._bytes_in += item.size
        self._queue.append(item)
        if len(self._queue) >= FLUSH_ROWS or waiting > MAX_QUEUE_BYTES // 2:
            self._wake.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._write_on, name="capture", daemon=True)
            self._thread.start()

    def status(self) -> CaptureStatus:
        """Counts since the process started."""
        return CaptureStatus(
            rate=self.rate,
            queued=len(self._queue),
            written=self._written,
            dropped_full=self._dropped_full,
            dropped_disk=self._dropped_disk,
            last_error=self._last_error,
        )

    def close(self, seconds: float = 5) -> None:
        """Write what is queued and end the thread."""
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _write_on(self) -> None:
        while not self._closing:
            self._wake.wait(FLUSH_SECONDS)
            self._wake.clear()
            self._flush()
        self._flush()

    def _flush(self) -> None:
        groups: dict[tuple[str, int], list[Captured]] = {}
        for _ in range(len(self._queue)):
            item = self._queue.popleft()
            self._bytes_out += item.size
            day = datetime.fromtimestamp(item.at, UTC).date().isoformat()
            groups.setdefault((day, item.revision), []).append(item)
        for (day, revision), items in groups.items():
            target = self.folder / f"date={day}" / f"variant=r{revision}"
            try:
                part = write_part(target, items)
            except OSError as error:
                self._dropped_disk += len(items)
                self._note(f"{error.strerror or error} while writing to {target}")
            except Exception as error:
                # A writer that died would leave the queue to fill up in silence.
                self._dropped_disk += len(items)
                self._note(f"{type(error).__name__} while writing to {target}")
                log.exception("captured requests could not be written")
            else:
                self._written += len(items)
                self._make_room(part)

    def _make_room(self, written: Path) -> None:
        """Count a part that was written; where the capture is over its cap, make it smaller."""
        try:
            more = written.stat().st_size
            if self._on_disk is None or self._on_disk + more > MAX_BYTES:
                self._on_disk = self._prune()
            else:
                self._on_disk += more
        except OSError as error:
            self._note(f"{error.strerror or error} while making room in {self.folder}")

    def _prune(self) -> int:
        """Delete the oldest days, and of the last one its oldest parts, until the cap is kept;
        returns the bytes that are left. Raises OSError."""
        # By day, then by when they were written: a part's name begins with that.
        parts = sorted(
            self.folder.glob("date=*/variant=*/part-*.parquet"),
            key=lambda part: (part.parent.parent.name, part.name),
        )
        sizes = {part: part.stat().st_size for part in parts}
        left = sum(sizes.values())
        last = parts[-1].parent.parent
        while left > MAX_BYTES and len(parts) > 1:
            day = parts[0].parent.parent
            gone = [parts[0]] if day == last else [p for p in parts if p.parent.parent == day]
            for part in gone:
                part.unlink(missing_ok=True)
                left -= sizes[part]
            parts = parts[len(gone) :]
            if day != last:
                shutil.rmtree(day, ignore_errors=True)
                log.warning("capture: %s was deleted to stay within %d bytes", day, MAX_BYTES)
        return left

    def _note(self, error: str) -> None:
        if error != self._last_error:
            log.error("capture: %s", error)
        self._last_error = error


def write_part(folder: Path, items: list[Captured]) -> Path:
    """Write one Parquet file of requests; raises OSError and leaves nothing behind."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "inference_id": [item.inference_id for item in items],
            "time": pa.array([int(item.at * 1e6) for item in items], pa.timestamp("us", tz="UTC")),
            "revision": pa.array([item.revision for item in items], pa.int32()),
            "status": pa.array([item.status for item in items], pa.int16()),
            "latency_ms": pa.array([item.milliseconds for item in items], pa.float32()),
            "inputs": pa.array(
                [orjson.dumps(item.inputs(), option=orjson.OPT_SERIALIZE_NUMPY) for item in items],
                pa.string(),
            ),
            "outputs": pa.array([orjson.dumps(item.outputs) for item in items], pa.string()),
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    name = f"part-{time.time_ns():x}-{uuid.uuid4().hex[:8]}.parquet"
    temporary = folder / f".{name}.tmp"
    try:
        pq.write_table(table, temporary, compression="zstd")
        temporary.replace(folder / name)
    finally:
        temporary.unlink(missing_ok=True)
    return folder / name
