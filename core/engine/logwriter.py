"""Writing a step's log: whole lines, bounded, losing the middle rather than the end."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import BinaryIO

from core.engine.logfiles import format_line

MAX_BYTES = 16 << 20
"""What one attempt may write before lines are left out."""

TAIL_BYTES = 1 << 20
"""How much of the end is kept of what was left out."""

MAX_LINE = 16 << 10
"""A longer line is cut: it is not meant for people."""


class LogWriter:
    """Appends to one step run's log. Used by one thread.

    After `MAX_BYTES` of an attempt only the last `TAIL_BYTES` are kept, with a line that
    says how much is missing. A disk that is full stops the log, not the step; `failed`
    then says so.
    """

    def __init__(self, path: Path, attempt: int) -> None:
        self.failed = ""
        self._file: BinaryIO | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            self.failed = f"the log could not be written: {error.strerror}"
        self._attempt = attempt
        self._room = MAX_BYTES
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._left_out = [0, 0]
        self._partial: dict[str, bytes] = {"out": b"", "err": b""}

    def feed(self, stream: str, data: bytes) -> None:
        """Take what arrived on a stream; whole lines are written at once."""
        *lines, rest = (self._partial[stream] + data).split(b"\n")
        while len(rest) > MAX_LINE:
            lines.append(rest[:MAX_LINE])
            rest = rest[MAX_LINE:]
        self._partial[stream] = rest
        now = time.time()
        self._write([format_line(now, stream, self._attempt, _text(line)) for line in lines])

    def say(self, text: str) -> None:
        """A line of Opsdeck's own."""
        self._write([format_line(time.time(), "sys", self._attempt, text)])

    def close(self) -> None:
        """Write what is left: unfinished lines, then the kept end of what was too much."""
        for stream, rest in self._partial.items():
            if rest:
                self._partial[stream] = b""
                self._write([format_line(time.time(), stream, self._attempt, _text(rest))])
        if self._left_out[0]:
            lines, size = self._left_out
            said = f"… {lines:,} lines ({size / 1e6:.1f} MB) left out …"
            self._put(format_line(time.time(), "sys", self._attempt, said))
        self._put(b"".join(self._tail))
        if self._file is not None:
            self._file.close()

    def _write(self, lines: list[bytes]) -> None:
        if not lines:
            return
        data = b"".join(lines)
        if len(data) <= self._room and not self._tail:
            self._room -= len(data)
            self._put(data)
            return
        for line in lines:
            if len(line) <= self._room and not self._tail:
                self._room -= len(line)
                self._put(line)
                continue
            self._room = 0
            self._tail.append(line)
            self._tail_size += len(line)
            while self._tail_size > TAIL_BYTES:
                dropped = self._tail.popleft()
                self._tail_size -= len(dropped)
                self._left_out[0] += 1
                self._left_out[1] += len(dropped)

    def _put(self, data: bytes) -> None:
        if self.failed or self._file is None:
            return
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            self.failed = f"the log could not be written: {error.strerror}"


def _text(line: bytes) -> str:
    """Printable text; what a progress bar wrote over is left out."""
    return line.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace")[:MAX_LINE]
