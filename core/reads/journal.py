"""The journal, as read and verified from the state."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from core.domain.journal import GENESIS, ChainReport, JournalEntry, entry_hash
from core.errors import StateCorrupt
from core.state.reading import ESCAPED, Reader, Row, containing

_PAGE = 5_000
_LOWEST = -(2**62)
_TEXTS = ("actor", "action", "subject", "detail", "previous_hash", "hash")


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
            f"(lower(action) LIKE :text {ESCAPED} OR lower(subject) LIKE :text {ESCAPED}"
            f" OR lower(actor) LIKE :text {ESCAPED} OR lower(detail) LIKE :text {ESCAPED})"
        )
        params["text"] = containing(search.lower())
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
        if seq < expected:
            return ChainReport(False, expected - 1, previous, seq, "was put in before the first")
        if seq > expected:
            return ChainReport(False, expected - 1, previous, expected, "entry is missing")
        if row["previous_hash"] != previous:
            return ChainReport(False, expected - 1, previous, seq, "does not follow the one before")
        wanted = _hash(row)
        if wanted is None or row["hash"] != wanted:
            return ChainReport(
                False, expected - 1, previous, seq, "was changed after it was written"
            )
        previous, expected = str(row["hash"]), expected + 1
    return ChainReport(True, expected - 1, previous)


def _hash(row: Mapping[str, Any]) -> str | None:
    """The hash that a row should have; `None` for one that Opsdeck cannot have written."""
    if not isinstance(row.get("at"), float) or not all(isinstance(row[k], str) for k in _TEXTS):
        return None
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
    start = _LOWEST
    while True:
        rows = _page(reader, start)
        yield from rows
        if len(rows) < _PAGE:
            return
        start = rows[-1]["seq"] + 1


def _page(reader: Reader, start: int) -> list[Row]:
    page = " FROM journal WHERE seq >= :start ORDER BY seq LIMIT :limit"
    try:
        return reader.rows(f"SELECT *{page}", start=start, limit=_PAGE)
    except StateCorrupt:
        # Text that is not UTF-8: only an edit does that, and the entry should be named.
        numbers = reader.rows(f"SELECT seq{page}", start=start, limit=_PAGE)
        return [_one(reader, row["seq"]) for row in numbers]


def _one(reader: Reader, seq: int) -> Row:
    try:
        return reader.rows("SELECT * FROM journal WHERE seq = :seq", seq=seq)[0]
    except StateCorrupt:
        links = "SELECT seq, previous_hash FROM journal WHERE seq = :seq"
        try:
            return {**dict.fromkeys(_TEXTS), **reader.rows(links, seq=seq)[0]}
        except StateCorrupt:
            return {**dict.fromkeys(_TEXTS), "seq": seq}


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
