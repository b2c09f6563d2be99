"""Keeping what was asked and answered, without ever holding up an answer.

Requests are appended to a queue in memory; one thread writes them every ten seconds, or as
soon as there are many, to `capture/date=YYYY-MM-DD/variant=rN/part-*.parquet` (days in UTC),
each file to a temporary name first. Any number of processes write to the same folder. When the
queue is full or the disk refuses, requests are dropped and counted; when the capture has grown
to its cap, its oldest parts are deleted, and their requests counted. What is still in the queue
when the process is killed is lost. Session ids and other headers are not kept.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from core.serving.process import parts
from core.serving.records import CaptureStatus

log = logging.getLogger(__name__)

MAX_QUEUE = 50_000
MAX_QUEUE_BYTES = 64 << 20  # of bodies and answers
MAX_BYTES = 1 << 30  # on disk, of one endpoint, unless said otherwise
FLUSH_SECONDS = 10.0
FLUSH_ROWS = 5_000
RESCAN_SECONDS = 300.0  # what other processes have written is looked up so often
RESCAN_SHARE = 0.02  # and whenever this process has written that share of the cap


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
    model: str = ""
    version: int = 0
    content_type: str = ""
    rate: float = 1.0  # the share of requests that was captured then
    shadow: bool = False  # the answer went to nobody


class Capture:
    """The queue and its writer. `add` is for the event loop, the rest for any thread."""

    def __init__(self, folder: Path, rate: float = 1.0, max_bytes: int | None = None) -> None:
        self.folder = folder
        self.rate = rate
        self.max_bytes = MAX_BYTES if max_bytes is None else max_bytes
        self._queue: deque[Captured] = deque()
        self._bytes_in, self._bytes_out = 0, 0  # each has one writer
        self._on_disk: int | None = None  # bytes at the last look; not known yet
        self._since_look = 0  # bytes that this process has written after it
        self._looked = 0.0
        self._written = 0
        self._dropped_full = 0
        self._dropped_disk = 0
        self._dropped_cap = 0
        self._last_error = ""
        self._closing = False
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def configure(self, rate: float, max_bytes: int) -> None:
        """Take another sampling rate (0-1) and cap (bytes) from now on."""
        self.rate = rate
        if max_bytes < self.max_bytes:
            self._on_disk = None  # look, and make it smaller, with the next part
        self.max_bytes = max_bytes

    def wants(self, inference_id: str) -> bool:
        """Whether this request is in the sample: decided by its id, so that all that answer
        the same request (its shadow, too) decide alike."""
        if self.rate >= 1:
            return True
        if self.rate <= 0:
            return False
        digest = hashlib.blake2b(inference_id.encode(errors="replace"), digest_size=8).digest()
        return int.from_bytes(digest) < self.rate * (1 << 64)

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
        """Counts since the process started; the error is that of the last attempt to write."""
        return CaptureStatus(
            rate=self.rate,
            queued=len(self._queue),
            written=self._written,
            dropped_full=self._dropped_full,
            dropped_disk=self._dropped_disk,
            dropped_cap=self._dropped_cap,
            last_error=self._last_error,
            on_disk=(self._on_disk or 0) + self._since_look,
            cap=self.max_bytes,
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
        errors = [
            self._write(self.folder / f"date={day}" / f"variant=r{revision}", items)
            for (day, revision), items in groups.items()
        ]
        if groups:
            self._last_error = next((error for error in errors if error), "")

    def _write(self, target: Path, items: list[Captured]) -> str:
        """Write one part; what went wrong, or ""."""
        before = self._last_error
        try:
            part = parts.write_part(target, items)
        except OSError as error:
            self._dropped_disk += len(items)
            said = f"{error.strerror or error} while writing to {target}"
        except Exception as error:
            # A writer that died would leave the queue to fill up in silence.
            self._dropped_disk += len(items)
            said = f"{type(error).__name__} while writing to {target}"
            log.exception("captured requests could not be written")
        else:
            self._written += len(items)
            said = self._make_room(part)
        if said and said != before:
            log.error("capture: %s", said)
        return said

    def _make_room(self, written: Path) -> str:
        """Count a part that was written; where the capture is over its cap, make it smaller."""
        try:
            self._since_look += written.stat().st_size
            if self._on_disk is None or self._due():
                self._look()
        except FileNotFoundError:
            self._on_disk = None  # another process has made room with this very part
        except OSError as error:
            return f"{error.strerror or error} while making room in {self.folder}"
        return ""

    def _due(self) -> bool:
        """Whether it is time to see how much there is: others write here as well."""
        return (
            (self._on_disk or 0) + self._since_look > self.max_bytes
            or self._since_look > RESCAN_SHARE * self.max_bytes
            or time.monotonic() - self._looked > RESCAN_SECONDS
        )

    def _look(self) -> None:
        self._on_disk, gone = parts.keep_within(self.folder, self.max_bytes)
        self._since_look, self._looked = 0, time.monotonic()
        self._dropped_cap += gone
        if gone:
            log.warning(
                "capture: %d requests were deleted to stay within %d bytes", gone, self.max_bytes
            )
