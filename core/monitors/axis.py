"""What an endpoint was asked, numbered in the order in which it was seen: `axis/NAME.db`.

Captured requests lie in Parquet parts of several processes, whose clocks may jump, and parts are
put together and deleted. This small SQLite database gives every captured request (shadow answers
left out) a number for good, so that windows by count never take one twice or leave one out, and
counts repeated inference ids: the first keeps its number, the others get none. It can be made
again from the capture. One process changes it at a time.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.capture.reader import OpenPart, open_part
from core.errors import StateBusy, StateCorrupt
from core.serving.process.parts import Part, days, list_parts

_BUSY_SECONDS = 30.0
MANY = 500
"""Ids in one SQL statement."""
FUTURE_SECONDS = 3600.0
"""Event times further ahead than this do not move the clock of the events."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS parts (key TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, at INTEGER NOT NULL,
    revision INTEGER NOT NULL, rows INTEGER NOT NULL, seen REAL NOT NULL);
CREATE INDEX IF NOT EXISTS requests_at ON requests (at);
CREATE INDEX IF NOT EXISTS requests_seen ON requests (seen);
CREATE TABLE IF NOT EXISTS duplicates (
    seq INTEGER NOT NULL, at INTEGER NOT NULL, revision INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS duplicates_at ON duplicates (at);
CREATE TABLE IF NOT EXISTS events (
    name TEXT NOT NULL, seq INTEGER NOT NULL, low REAL NOT NULL, high REAL NOT NULL,
    PRIMARY KEY (name, seq)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS events_low ON events (name, low);
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which numbered requests: first ≤ seq ≤ last, since ≤ time < until (epoch seconds: of the
    answer, or of the events in column `event`), of one revision."""

    first: int | None = None
    last: int | None = None
    since: float | None = None
    until: float | None = None
    revision: int | None = None
    event: str = ""

    def where(self) -> tuple[str, list[Any]]:
        """As SQL over `requests` (joined as `r`), with its values."""
        found: list[tuple[str, Any]] = []
        if self.first is not None:
            found.append(("r.seq >= ?", self.first))
        if self.last is not None:
            found.append(("r.seq <= ?", self.last))
        if self.revision is not None:
            found.append(("r.revision = ?", self.revision))
        if self.event:
            inner = "SELECT 1 FROM events e WHERE e.name = ? AND e.seq = r.seq"
            times = [self.event]
            if self.since is not None:
                inner, times = f"{inner} AND e.high >= ?", [*times, self.since]  # type: ignore[list-item]
            if self.until is not None:
                inner, times = f"{inner} AND e.low < ?", [*times, self.until]  # type: ignore[list-item]
            sql = " AND ".join([*(text for text, _ in found), f"EXISTS ({inner})"])
            return sql, [*(value for _, value in found), *times]
        if self.since is not None:
            found.append(("r.at >= ?", round(self.since * 1e6)))
        if self.until is not None:
            found.append(("r.at < ?", round(self.until * 1e6)))
        return " AND ".join(text for text, _ in found) or "1", [value for _, value in found]


@dataclass(frozen=True, slots=True)
class Extent:
    """What a selection comes to: requests, their rows, first and last time (epoch seconds)."""

    requests: int
    rows: int
    duplicates: int
    begin: float | None
    end: float | None
    last_seq: int | None


class Axis:
    """The numbered requests of one endpoint. Not thread-safe."""

    def __init__(self, file: Path, capture: Path) -> None:
        self.file = file
        self.capture = capture

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """A connection; what is done in `with connection:` is one transaction."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(self.file, timeout=_BUSY_SECONDS)) as db:
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("PRAGMA synchronous=NORMAL")
                db.executescript(_SCHEMA)
                yield db
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise StateBusy(f"{self.file} is being changed by another process") from error
            raise StateCorrupt(f"{self.file}: {error}", "remove it: it is made again") from error
        except sqlite3.DatabaseError as error:
            raise StateCorrupt(f"{self.file}: {error}", "remove it: it is made again") from error

    def catch_up(self, now: float | None = None) -> int:
        """Number what has been captured since the last time; returns how many requests."""
        seen = time.time() if now is None else now
        count = 0
        with self.open() as db:
            with db:
                db.execute("INSERT OR IGNORE INTO facts VALUES ('id', ?)", (secrets.token_hex(8),))
            known = {row[0] for row in db.execute("SELECT key FROM parts")}
            parts = sorted(list_parts(self.capture), key=lambda part: part.written)
            for part in parts:
                key = f"{part.day}/{part.variant}/{part.path.name}"
                if key not in known:
                    count += self._take(db, part, key, seen)
            self._forget(db, {f"{p.day}/{p.variant}/{p.path.name}" for p in parts}, known)
        return count

    def identity(self, db: sqlite3.Connection) -> str:
        """Changes when the database was made again: numbers before mean nothing then."""
        row = db.execute("SELECT value FROM facts WHERE key = 'id'").fetchone()
        return str(row[0]) if row else ""

    def _take(self, db: sqlite3.Connection, part: Part, key: str, seen: float) -> int:
        opened = open_part(part)
        if opened is None:
            return 0  # it has gone, or is whole the next time
        columns = opened.columns(("inference_id", "time", "status", "shadow", "outputs"))
        count = 0
        with db:
            for name, at, status, shadow, outputs in zip(*columns.values(), strict=True):
                if not shadow:
                    rows = rows_of(status, outputs)
                    count += _add(db, name, at, part.revision, rows, seen)
            db.execute("INSERT OR IGNORE INTO parts VALUES (?)", (key,))
        return count

    def _forget(self, db: sqlite3.Connection, there: set[str], known: set[str]) -> None:
        """What was deleted from the capture is forgotten here, too."""
        gone = known - there
        if not gone:
            return
        kept = days(self.capture)
        first = _micros(kept[0]) if kept else None
        with db:
            db.executemany("DELETE FROM parts WHERE key = ?", [(key,) for key in gone])
            if first is not None:
                db.execute(
                    "DELETE FROM events WHERE seq IN (SELECT seq FROM requests WHERE at < ?)",
                    (first,),
                )
                db.execute("DELETE FROM requests WHERE at < ?", (first,))
                db.execute("DELETE FROM duplicates WHERE at < ?", (first,))

    def extent(self, db: sqlite3.Connection, wanted: Selection) -> Extent:
        """What a selection comes to, without reading any body."""
        sql, given = wanted.where()
        requests, rows, low, high, last = db.execute(
            "SELECT COUNT(*), COALESCE(SUM(rows), 0), MIN(at), MAX(at), MAX(seq)"
            f" FROM requests r WHERE {sql}",
            given,
        ).fetchone()
        return Extent(
            requests,
            rows,
            self._duplicates(db, wanted),
            None if low is None else low / 1e6,
            None if high is None else high / 1e6,
            last,
        )

    def _duplicates(self, db: sqlite3.Connection, wanted: Selection) -> int:
        """Repeated ids that came within it, by number or time; of event times nobody knows."""
        if wanted.event:
            return 0
        sql, given = wanted.where()
        row = db.execute(f"SELECT COUNT(*) FROM duplicates r WHERE {sql}", given).fetchone()
        return int(row[0])

    def numbered(
        self, db: sqlite3.Connection, wanted: Selection
    ) -> Iterator[tuple[int, str, int, int]]:
        """Number, id, time (microseconds) and rows of what is wanted, by number."""
        sql, given = wanted.where()
        yield from db.execute(
            f"SELECT seq, id, at, rows FROM requests r WHERE {sql} ORDER BY seq", given
        )

    def among(
        self, db: sqlite3.Connection, ids: Sequence[str], wanted: Selection
    ) -> dict[str, tuple[int, int]]:
        """Number and time of those of the ids that are wanted."""
        sql, given = wanted.where()
        found: dict[str, tuple[int, int]] = {}
        for start in range(0, len(ids), MANY):
            some = ids[start : start + MANY]
            marks = ",".join("?" * len(some))
            for name, seq, at in db.execute(
                f"SELECT id, seq, at FROM requests r WHERE id IN ({marks}) AND {sql}",
                [*some, *given],
            ):
                found[name] = (seq, at)
        return found

    def note_events(
        self, db: sqlite3.Connection, column: str, found: Sequence[tuple[int, float, float]]
    ) -> None:
        """Keep when the events of requests were: number, first and last (epoch seconds)."""
        with db:
            db.executemany(
                "INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?)",
                [(column, *each) for each in found],
            )

    def events_until(self, db: sqlite3.Connection, column: str) -> int:
        """Up to which number the events of a column are known."""
        row = db.execute("SELECT value FROM facts WHERE key = ?", (f"events:{column}",)).fetchone()
        return int(row[0]) if row else 0

    def set_events_until(self, db: sqlite3.Connection, column: str, seq: int) -> None:
        """The events of a column are known up to this number."""
        with db:
            db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (f"events:{column}", str(seq)))

    def newest_event(self, db: sqlite3.Connection, column: str, now: float) -> float | None:
        """The latest event time that is no dream of the future."""
        row = db.execute(
            "SELECT MAX(low) FROM events WHERE name = ? AND low <= ?",
            (column, now + FUTURE_SECONDS),
        ).fetchone()
        return None if row is None or row[0] is None else float(row[0])


def rows_of(status: int, outputs: str | None) -> int:
    """How many rows a request had, going by its answer; one that failed counts as one."""
    if status != 200 or not outputs:
        return 1
    if "," not in outputs:
        return 1
    import orjson

    try:
        found = orjson.loads(outputs)
    except ValueError:
        return 1
    return max(1, len(found)) if isinstance(found, list) else 1


def open_rows(part: OpenPart, since: float | None, until: float | None) -> list[tuple[int, str]]:
    """Places and ids of a part's requests within a time, shadow answers left out."""
    columns = part.columns(("inference_id", "time", "shadow"))
    low = None if since is None else since * 1e6
    high = None if until is None else until * 1e6
    rows = zip(*columns.values(), strict=True)
    return [
        (place, name)
        for place, (name, at, shadow) in enumerate(rows)
        if not shadow and (low is None or at >= low) and (high is None or at <= high)
    ]


def _add(db: sqlite3.Connection, name: str, at: int, revision: int, rows: int, seen: float) -> int:
    done = db.execute(
        "INSERT INTO requests (id, at, revision, rows, seen) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO NOTHING",
        (name, at, revision, rows, seen),
    )
    if done.rowcount:
        return 1
    old = db.execute("SELECT at, revision FROM requests WHERE id = ?", (name,)).fetchone()
    if old != (at, revision):  # else it stands in a part that was put together from others
        last = db.execute("SELECT MAX(seq) FROM requests").fetchone()[0]
        same = db.execute(
            "SELECT 1 FROM duplicates WHERE at = ? AND revision = ? LIMIT 1", (at, revision)
        ).fetchone()
        if same is None:
            db.execute("INSERT INTO duplicates VALUES (?, ?, ?)", (last, at, revision))
    return 0


def _micros(day: str) -> int | None:
    from datetime import UTC, datetime

    try:
        return round(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1e6)
    except ValueError:
        return None
