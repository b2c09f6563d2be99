"""Changing the state: one transaction that also appends to the journal and the outbox.

Importing this module loads SQLAlchemy; the front end does so at its first change only.
"""

from __future__ import annotations

import errno
import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.domain.journal import GENESIS, entry_hash
from core.errors import DiskFull, StateBusy, StateCorrupt
from core.lineage import redact_secrets
from core.state import schema

POSTGRES_LIMITS = (
    "-c lock_timeout=30s -c statement_timeout=120s -c idle_in_transaction_session_timeout=60s"
)
"""So that nobody waits for ever for a client that has frozen in the middle of something."""

PATIENCE_SECONDS = 30  # how long a connection waits for whoever is writing
_WRITER_LOCK = 0x0D5DECC  # PostgreSQL advisory lock: one writer at a time, as on SQLite


class Transaction:
    """An open transaction: rows, journal entries and outbox messages commit together."""

    def __init__(self, connection: sa.Connection, actor: str) -> None:
        self.connection = connection
        self.actor = actor
        self.now = time.time()

    def execute(self, statement: sa.Executable) -> sa.CursorResult[Any]:
        """Run a statement in this transaction."""
        return self.connection.execute(statement)

    def row(self, statement: sa.Executable) -> Mapping[str, Any] | None:
        """The first row of a query, or `None`."""
        found = self.connection.execute(statement).mappings().first()
        return dict(found) if found is not None else None

    def rows(self, statement: sa.Executable) -> list[Mapping[str, Any]]:
        """All rows of a query."""
        return [dict(row) for row in self.connection.execute(statement).mappings()]

    def journal(self, action: str, subject: str, **detail: Any) -> int:
        """Append an entry to the chain; returns its number."""
        last = self.connection.execute(
            sa.select(schema.journal.c.seq, schema.journal.c.hash)
            .order_by(schema.journal.c.seq.desc())
            .limit(1)
        ).first()
        seq, previous = (last.seq + 1, last.hash) if last else (1, GENESIS)
        at = time.time()
        text = json.dumps(
            without_secrets(detail), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        values = {
            "seq": seq,
            "at": at,
            "actor": self.actor,
            "action": action,
            "subject": subject,
            "detail": text,
            "previous_hash": previous,
            "hash": entry_hash(seq, at, self.actor, action, subject, text, previous),
        }
        self.connection.execute(schema.journal.insert().values(values))
        return seq

    def outbox(self, kind: str, target: str, **payload: Any) -> None:
        """Ask the worker for `kind` on `target`, delivered at least once after the commit."""
        self.connection.execute(
            schema.outbox.insert().values(
                kind=kind, target=target, payload=json.dumps(payload), created_at=self.now
            )
        )


class Store:
    """The state database, for changes. Thread-safe; owns its SQLAlchemy engine."""

    def __init__(self, database_url: str) -> None:
        self.url = database_url
        self.engine = make_engine(database_url)
        self._lock = threading.Lock()

    @contextmanager
    def transaction(self, actor: str) -> Iterator[Transaction]:
        """A transaction that commits at the end of the block, or rolls back whole.

        One at a time, from the start, on either database: what a transaction has checked
        still holds when it commits, and the journal has no forks. Raises `DiskFull` and
        `StateCorrupt` in place of the driver's errors.
        """
        try:
            with self.engine.begin() as connection:
                if connection.dialect.name == "postgresql":
                    # First of all: a row lock taken before it could wait for its own waiter.
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITER_LOCK)))
                yield Transaction(connection, actor)
        except sa.exc.DBAPIError as error:
            raise _plain(self.url, error) from error
        except sa.exc.TimeoutError as error:  # every connection of the pool is taken
            raise StateBusy("state database: no free connection", "try again") from error

    def migrate(self) -> None:
        """Bring the schema to the version of this code; raises `StateVersion` if newer."""
        from core.state.migrations import upgrade

        if self.url.startswith("sqlite:///"):
            folder = Path(self.url.removeprefix("sqlite:///")).parent
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    raise DiskFull(f"{folder}: no room on the disk", "free some space") from error
                raise StateCorrupt(f"{folder}: {error.strerror}", "is it writable?") from error
        with self._lock:
            try:
                upgrade(self.engine)
            except sa.exc.DBAPIError as error:
                raise _plain(self.url, error) from error

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()


def without_secrets(value: Any) -> Any:
    """A value for JSON with what looks like a secret in its texts taken out."""
    if isinstance(value, str):
        return redact_secrets(value)
    if isinstance(value, Mapping):
        return {key: without_secrets(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_secrets(item) for item in value]
    return value


def make_engine(database_url: str) -> sa.Engine:
    """An engine with what each database needs: WAL and IMMEDIATE on SQLite."""
    if not database_url.startswith("sqlite"):
        psycopg_url = database_url.replace("postgresql://", "postgresql+psycopg://", 1)
        limits = {"connect_timeout": 5, "options": POSTGRES_LIMITS}
        return sa.create_engine(
            psycopg_url, pool_pre_ping=True, pool_size=5, max_overflow=20, connect_args=limits
        )
    # Not parsed: a folder's name may hold a question mark.
    url = sa.URL.create("sqlite", database=database_url.removeprefix("sqlite:///"))
    engine = sa.create_engine(url, connect_args={"timeout": 30})

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        prepare_sqlite(connection)

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def prepare_sqlite(connection: sqlite3.Connection) -> None:
    """What every SQLite connection of ours needs: readers beside a writer, and patience."""
    connection.execute(f"PRAGMA busy_timeout={PATIENCE_SECONDS * 1000}")
    _write_ahead(connection)
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Readers beside a writer. SQLite does not wait for others while it changes a new file to
    that: two processes that begin at once would fail each other."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def is_disk_full(text: str) -> bool:
    """Whether a driver's words mean that there is no room (SQLite also says "disk I/O error"
    when it cannot grow its shared memory)."""
    return any(words in text for words in ("disk is full", "No space left", "disk I/O error"))


def _plain(url: str, error: sa.exc.DBAPIError) -> Exception:
    """The driver's error as one of ours, in one line."""
    text = str(error.orig).splitlines()[0] if error.orig else str(error)
    where = url.removeprefix("sqlite:///")
    if where == url:  # what is before the @ or behind the ? may hold a password
        where = url.split("@")[-1].split("?")[0]
    if is_disk_full(text):
        return DiskFull(f"{where}: no room on the disk", "free some space and try again")
    if "database is locked" in text or "lock timeout" in text:
        return StateBusy(f"{where}: locked by another process for too long", "try again")
    return StateCorrupt(f"{where}: {text}", "see: opsdeck doctor")
