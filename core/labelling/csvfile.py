"""The queue as a spreadsheet: out with the rows and an empty column for the label, and in again.

A cell that a spreadsheet would take for a formula gets an apostrophe in front, as spreadsheets
themselves write text; coming in it is taken off again. Every line that cannot be taken is told,
and then none is.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.domain.labelling import LabelFileProblem, LabelTask
from core.errors import BadInput
from core.labelling.errors import LabelRefused

ID, LABEL, COMMENT = "inference_id", "label", "comment"
_HEAD = (ID, "captured_at", "reason", "why", "prediction")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file that came in, as text."""

    number: int
    inference_id: str
    label: str
    comment: str


def table(tasks: Sequence[LabelTask]) -> str:
    """The rows as CSV: what identifies them, their inputs, then `label` and `comment`."""
    names = list(dict.fromkeys(name for each in tasks for name in each.inputs))
    columns = [_column(name) for name in names]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*_HEAD, *columns, LABEL, COMMENT])
    for each in tasks:
        head = (each.inference_id, _iso(each.captured_at), each.reason.value, each.why)
        inputs = [safe(each.inputs.get(name)) for name in names]
        writer.writerow([*map(safe, head), safe(each.prediction), *inputs, "", ""])
    return out.getvalue()


def _column(name: str) -> str:
    """An input's column; one that is called as ours are gets another name."""
    return str(safe(f"input_{name}" if name in (*_HEAD, LABEL, COMMENT) else name))


def safe(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = text.replace("\0", "")
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def plain(text: str) -> str:
    """A cell as it was before `safe`."""
    text = text.strip()
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _iso(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def read(path: Path) -> tuple[list[Line], list[LabelFileProblem]]:
    """The lines of a file and what is wrong with their form. Raises `BadInput` where the file
    cannot be read, or has not the columns."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BadInput(f"{path}: larger than {_MOST_BYTES >> 20} MiB", "split it")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path}: not UTF-8 text (byte {error.start})", "save it as UTF-8"
        ) from error
    except OSError as error:
        raise BadInput(
            f"{path}: {error.strerror or error}", "name a file that can be read"
        ) from error
    lines: list[Line] = []
    problems: list[LabelFileProblem] = []
    first: dict[str, int] = {}
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        head = [name.strip() for name in next(reader, [])]
        places = _places(path, head)
        for row in reader:
            number = reader.line_num
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(head):
                message = f"{len(row)} fields where the first line names {len(head)}"
                problems.append(LabelFileProblem(number, message))
                continue
            line = _line(number, row, places)
            if not line.inference_id:
                problems.append(LabelFileProblem(number, "no inference id"))
            elif line.inference_id in first:
                message = f"{line.inference_id} is in line {first[line.inference_id]}, too"
                problems.append(LabelFileProblem(number, message))
            else:
                first[line.inference_id] = number
                lines.append(line)
    except csv.Error as error:
        problems.append(LabelFileProblem(reader.line_num, str(error)))
    return lines, problems


def _delimiter(text: str) -> str:
    """A semicolon where the first line has some and no comma: spreadsheets of many countries
    write that."""
    head = text.split("\n", 1)[0]
    return ";" if ";" in head and "," not in head else ","


def _places(path: Path, head: Sequence[str]) -> Mapping[str, int]:
    for name in (ID, LABEL):
        if name not in head:
            raise BadInput(
                f"{path}: no column {name!r}",
                f"it has: {', '.join(head) or 'none'}; export one: opsdeck labels export",
            )
        if list(head).count(name) > 1:
            raise BadInput(f"{path}: several columns {name!r}", "keep one")
    return {name: head.index(name) for name in (ID, LABEL, COMMENT) if name in head}


def _line(number: int, row: Sequence[str], places: Mapping[str, int]) -> Line:
    comment = row[places[COMMENT]] if COMMENT in places else ""
    return Line(number, plain(row[places[ID]]), plain(row[places[LABEL]]), plain(comment))


def problem_of(line: Line, error: LabelRefused) -> LabelFileProblem:
    """Why a line cannot be taken."""
    hint = f" ({error.hint})" if error.hint else ""
    return LabelFileProblem(line.number, f"{error.message}{hint}")
