"""Records from standard input, as they come, into an intake's spool."""

from __future__ import annotations

import csv
import io
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pyarrow import types as pt

from core.errors import BadInput
from core.ingest.csvfile import check_names
from core.ingest.errors import BadRows
from core.ingest.intake import IntakeProcess
from core.ingest.jsonfile import record_of
from core.ingest.records import Record, lines_of
from core.ingest.spool import Frame

GROUP = 1000  # records that wait for the disk together, at most
_ENDED = (0, None, "")
_PAUSE = 0.05

Item = tuple[int, Record | None, str]  # line, record, or why it is none


@dataclass(frozen=True)
class StdinReport:
    """What became of the lines: `flushed` says whether all that was accepted is in."""

    accepted: int
    skipped: int
    flushed: bool
    interrupted: bool = False


class StdinIntake:
    """Reads a stream to its end; what it has accepted is flushed also when a line is bad."""

    def __init__(self, process: IntakeProcess, stream: BinaryIO, kind: str, on_error: str) -> None:
        self._process = process
        self._stream = stream
        self._kind = kind
        self._skip = on_error == "skip"
        self._lines: queue.Queue[Item] = queue.Queue(maxsize=10 * GROUP)
        self._stopped = threading.Event()
        self.accepted = 0
        self.skipped = 0

    def stop(self) -> None:
        """Read no more; what was accepted is flushed."""
        self._stopped.set()

    def run(self) -> StdinReport:
        """Read until the end or `stop`. Raises `BadRows` at a bad line, after flushing what was
        before it (unless bad lines are skipped)."""
        threading.Thread(target=self._read, name="stdin", daemon=True).start()
        try:
            for group in self._groups():
                self._wait_for_room()
                self._take(group)
        except BadRows as error:
            self._process.close()
            raise BadRows(
                f"{error.message}; the {self.accepted:,} records before it were taken in",
                "mend it and send the rest, or use --on-error skip",
            ) from error
        flushed = self._process.close()
        return StdinReport(self.accepted, self.skipped, flushed, self._stopped.is_set())

    def _take(self, group: list[Item]) -> None:
        good: list[tuple[int, Record]] = []
        for line, record, reason in group:
            if record is None:
                self._bad(line, reason, good)
            else:
                good.append((line, record))
        problems = self._process.shape.problems([record for _, record in good])
        bad = {problem.record: problem.reason for problem in reversed(problems)}
        for number in sorted(bad):
            self._bad(good[number - 1][0], bad[number], good[: number - 1])
        self._write([one for number, one in enumerate(good, start=1) if number not in bad])

    def _bad(self, line: int, reason: str, before: list[tuple[int, Record]]) -> None:
        if self._skip:
            self.skipped += 1
            return
        problems = self._process.shape.problems([record for _, record in before])
        if problems:
            line, reason = before[problems[0].record - 1][0], problems[0].reason
            before = before[: problems[0].record - 1]
        self._write(before)
        raise BadRows(f"standard input:{line}: {reason}")

    def _write(self, good: list[tuple[int, Record]]) -> None:
        if good:
            frame = Frame(lines_of([record for _, record in good]))
            self._process.writer.submit(frame).result()
            self.accepted += len(good)

    def _wait_for_room(self) -> None:
        limit = self._process.settings.limits.spool
        while self._process.spool.waiting() > limit and not self._stopped.is_set():
            time.sleep(_PAUSE)

    def _groups(self) -> Iterator[list[Item]]:
        while not self._stopped.is_set():
            try:
                group = [self._lines.get(timeout=_PAUSE)]
            except queue.Empty:
                continue
            while group[-1] is not _ENDED and len(group) < GROUP:
                try:
                    group.append(self._lines.get_nowait())
                except queue.Empty:
                    break
            if group[-1] is _ENDED:
                if group[:-1]:
                    yield group[:-1]
                return
            yield group

    def _read(self) -> None:
        try:
            for item in self._csv() if self._kind == "csv" else self._json():
                self._lines.put(item)
        except (BadRows, csv.Error, OSError, ValueError) as error:
            self._lines.put((0, None, " ".join(str(error).split())))
        self._lines.put(_ENDED)

    def _json(self) -> Iterator[Item]:
        for number, line in enumerate(iter(self._stream.readline, b""), start=1):
            if not line.strip():
                continue
            try:
                yield number, record_of(line), ""
            except ValueError as error:
                yield number, None, str(error)

    def _csv(self) -> Iterator[Item]:
        text = io.TextIOWrapper(self._stream, "utf-8-sig", newline="")
        rows = csv.reader(text)
        names = [name.strip() for name in next(rows, [])]
        check_names("standard input:1", names)
        while True:
            line = rows.line_num + 1
            row = next(rows, None)
            if row is None:
                return
            if row and len(row) != len(names):
                yield line, None, f"{len(row)} fields where the first line names {len(names)}"
            elif row:
                yield line, self._record(names, row), ""

    def _record(self, names: list[str], row: list[str]) -> Record:
        types = self._process.shape.types()
        return {
            name: _value(cell, types[name]) if name in types else cell or None
            for name, cell in zip(names, row, strict=True)
        }


def _value(cell: str, kind: object) -> object:
    """A cell as JSON would have it; what does not fit stays text, and is told as that."""
    if cell == "":
        return None
    try:
        if pt.is_integer(kind):
            return int(cell)
        if pt.is_floating(kind):
            return float(cell)
    except ValueError:
        return cell
    if pt.is_boolean(kind):
        return {"true": True, "1": True, "false": False, "0": False}.get(cell.lower(), cell)
    return cell


def check_kind(kind: str) -> str:
    """`jsonl` or `csv`; raises `BadInput`."""
    if kind not in ("jsonl", "csv"):
        raise BadInput(f"--format {kind}: not for standard input", "jsonl or csv")
    return kind
