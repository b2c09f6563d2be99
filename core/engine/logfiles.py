"""The log of a step run: one line of text a line, with its time, stream and attempt.

A line reads `<milliseconds since 1970, hex> <o|e|s> <attempt> <text>`; `s` is what
Opsdeck itself has to say. Reading needs the standard library only.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.domain.run import LogLine, RunDetail
from core.errors import NotFound

STREAMS = {"o": "out", "e": "err", "s": "sys"}
_MARKS = {name: mark for mark, name in STREAMS.items()}
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some lines, and where to go on. `complete`: the run has ended and all was read."""

    lines: tuple[LogLine, ...]
    cursor: str
    complete: bool


def log_path(runs_dir: Path, run_id: str, step: str) -> Path:
    """Where the log of a step run is."""
    return runs_dir / run_id / f"{step}.log"


def format_line(at: float, stream: str, attempt: int, text: str) -> bytes:
    """A line as it stands in the file."""
    return f"{int(at * 1000):x} {_MARKS[stream]} {attempt} {text}\n".encode(
        "utf-8", "backslashreplace"
    )


def parse_line(raw: bytes, step: str) -> LogLine:
    """A line of the file; one that is not of this form is shown as it is."""
    text = raw.decode("utf-8", "replace").rstrip("\n")
    parts = text.split(" ", 3)
    try:
        return LogLine(int(parts[0], 16) / 1000, STREAMS[parts[1]], parts[3], step, int(parts[2]))
    except (ValueError, KeyError, IndexError):
        return LogLine(0.0, "sys", text, step)


def read_log(
    runs_dir: Path, detail: RunDetail, step: str | None, cursor: str, limit: int
) -> LogPage:
    """A page of a run's log, over all steps by time or of one; raises `NotFound`."""
    names = [s.step for s in detail.steps]
    if step is not None:
        if step not in names and not _is_trial(runs_dir, detail, step):
            raise NotFound(
                f"run #{detail.run.number}: no step {step}", "steps: " + ", ".join(names)
            )
        names = [step]
    offsets: dict[str, int] = json.loads(cursor) if cursor else {}
    ended = detail.run.status.ended  # as read before the files: they can only be complete after
    streams = [
        _lines(log_path(runs_dir, detail.run.id, name), name, offsets.get(name, 0))
        for name in names
    ]
    lines: list[LogLine] = []
    more = False
    for line, end in heapq.merge(*streams, key=lambda item: item[0].at):
        if len(lines) >= limit:
            more = True
            break
        lines.append(line)
        offsets[line.step] = end
    return LogPage(tuple(lines), json.dumps(offsets), ended and not more)


def _is_trial(runs_dir: Path, detail: RunDetail, name: str) -> bool:
    """Whether it is STEP.NUMBER, a trial of a tune step that has a log."""
    step, _, number = name.rpartition(".")
    known = number.isdecimal() and step in {each.step for each in detail.steps}
    return known and log_path(runs_dir, detail.run.id, name).exists()


def _lines(path: Path, step: str, offset: int) -> Iterator[tuple[LogLine, int]]:
    """Whole lines from a byte offset on, each with the offset behind it."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(offset)
        for raw in file:
            if not raw.endswith(b"\n"):
                return  # still being written
            offset += len(raw)
            yield parse_line(raw, step), offset
