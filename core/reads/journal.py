"""The journal, as read and verified from the state."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from core.domain.journal import GENESIS, ChainReport, JournalEntry, entry_hash
from core.state.reading import Reader

_PAGE = 5_000


def list_entries(
    reader: Reader, *, limit: int = 100, before: int | None = None, search: str = ""
) -> tuple[JournalEntry, ...]:
    """Entries newest first; `before` pages on from an entry's number."""
    parts: list[str] = []
    params: dict[str, Any] = {"limit": limit}
    if before is not None:
        parts.append("seq < :before")
        params["before"] = before
    if search:
        parts.append(
            "(lower(action) LIKE :text OR lower(subject) LIKE :text"
            " OR lower(actor) LIKE :text OR lower(detail) LIKE :text)"
        )
        params["text"] = f"%{search.lower()}%"
    where = f" WHERE {' AND '.join(parts)}" if parts else ""
    rows = reader.rows(f"SELECT * FROM journal{where} ORDER BY seq DESC LIMIT :limit", **params)
    return tuple(_entry(row) for row in rows)


def count_entries(reader: Reader) -> int:
    """How many entries the journal has."""
    rows = reader.rows("SELECT count(*) AS n FROM journal")
    return int(rows[0]["n"]) if rows else 0


def verify_chain(reader: Reader) -> ChainReport:
    """Recompute every hash from the first entry on; names the first that does not hold.

    What a chain alone cannot show is that its end was cut off; the head's hash, kept
    elsewhere, does.
    """
    previous, expected = GENESIS, 1
    for row in _in_order(reader):
        seq = int(row["seq"])
        if seq != expected:
            return ChainReport(False, expected - 1, previous, expected, "entry is missing")
        if row["previous_hash"] != previous:
            return ChainReport(False, expected - 1, previous, seq, "does not follow the one before")
        if row["hash"] != _hash(row):
            return ChainReport(
                False, expected - 1, previous, seq, "was changed after it was written"
            )
        previous, expected = str(row["hash"]), expected + 1
    return ChainReport(True, expected - 1, previous)


def _hash(row: Mapping[str, Any]) -> str:
    return entry_hash(
        row["seq"],
        row["at"],
        row["actor"],
        row["action"],
        row["subject"],
        row["detail"],
        row["previous_hash"],
    )


def _in_order(reader: Reader) -> Iterator[Mapping[str, Any]]:
    after = -1
    while True:
        rows = reader.rows(
            "SELECT * FROM journal WHERE seq > :after ORDER BY seq LIMIT :limit",
            after=after,
            limit=_PAGE,
        )
        yield from rows
        if len(rows) < _PAGE:
            return
        after = rows[-1]["seq"]


def _entry(row: Mapping[str, Any]) -> JournalEntry:
    try:
        detail = json.loads(row["detail"])
    except ValueError:
        detail = {"unreadable": row["detail"]}  # somebody edited it; verify says so
    return JournalEntry(
        seq=row["seq"],
        at=row["at"],
        actor=row["actor"],
        action=row["action"],
        subject=row["subject"],
        detail=detail if isinstance(detail, dict) else {"value": detail},
        previous_hash=row["previous_hash"],
        hash=row["hash"],
    )
