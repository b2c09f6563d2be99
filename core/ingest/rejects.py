"""Rows that cannot be taken in: told as one error, or kept beside with their reasons."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from core.domain.ingest import BadRow
from core.ingest.errors import BadRows
from core.ingest.reading import Reader, Typed
from core.session import Session

MOST = 10_000
"""More bad rows than this and the file is not what it is taken for."""

_TOLD = 3


def error_of(reader: Reader, part: Typed) -> BadRows:
    """The first bad rows of a part as an error that names their lines."""
    records = [record for record, _, _ in part.bad]
    first = part.bad[:_TOLD]
    lines = reader.lines({record for record, _, _ in first})
    record, column, reason = first[0]
    line = lines.get(record, (record, ""))[0]
    more = len(set(records)) - 1
    told = f"; {more:,} more like it" if more else ""
    others = [str(lines[one][0]) for one, _, _ in first[1:] if one in lines and one != record]
    word = "line" if more == 1 else "lines"
    told += f" ({word} {', '.join(others)}{', …' if more > len(others) else ''})" if others else ""
    return BadRows(
        f"{reader.uri}:{line}: column {column}: {reason}{told}",
        "mend it, give --types, --timestamp or --null, or keep such rows aside: "
        "--on-error quarantine",
    )


class Rejects:
    """Bad rows of one source, left out of what is taken in."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._bad: dict[int, list[tuple[str, str]]] = {}

    def sift(self, part: Typed) -> pa.Table:
        """The good rows of a part. Raises `BadRows` where too many are bad."""
        if not part.bad:
            return part.table
        for record, column, reason in part.bad:
            self._bad.setdefault(record, []).append((column, reason))
        if len(self._bad) > MOST:
            raise BadRows(
                f"{self._reader.uri}: more than {MOST:,} rows cannot be taken in, such as: "
                f"column {part.bad[0][1]}: {part.bad[0][2]}",
                "is this the right file, and are the types right?",
            )
        bad = {record for record, _, _ in part.bad}
        rows = range(part.first, part.first + part.table.num_rows)
        return part.table.filter(pa.array([number not in bad for number in rows]))

    def rows(self) -> list[BadRow]:
        """All that was left out, with lines, in the order of the source."""
        found = list(self._reader.unreadable())
        lines = self._reader.lines(set(self._bad)) if self._bad else {}
        for record, reasons in self._bad.items():
            line, text = lines.get(record, (record, ""))
            said = "; ".join(f"column {column}: {reason}" for column, reason in reasons)
            found.append(BadRow(self._reader.uri, line, said, text, reasons[0][0]))
        return sorted(found, key=lambda row: row.line)


def rejected_path(session: Session, dataset: str, batch_id: str) -> Path:
    """Where the lines that a batch left out are kept."""
    return session.workspace.state_dir / "quarantine" / dataset / f"{batch_id}.rejected.jsonl"


def keep(session: Session, dataset: str, batch_id: str, rows: Sequence[BadRow]) -> Path:
    """Write bad rows beside, one JSON object a line; readable by their owner only."""
    path = rejected_path(session, dataset, batch_id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        for line in _documents(rows):
            stream.write(line + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    return path


def _documents(rows: Iterable[BadRow]) -> Iterable[str]:
    for row in rows:
        body: dict[str, Any] = {"uri": row.uri, "line": row.line, "reason": row.reason}
        yield json.dumps(body | {"text": row.text}, ensure_ascii=False)
