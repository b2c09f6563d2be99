"""The journal, for people."""

from __future__ import annotations

from core.domain.journal import ChainReport, JournalEntry
from core.reads import journal as _journal
from core.session import Session


class AuditService:
    """Reading and proving the journal."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(
        self, *, limit: int = 100, before: int | None = None, search: str = ""
    ) -> tuple[JournalEntry, ...]:
        """Entries, newest first."""
        return _journal.list_entries(
            self._session.reader, limit=limit, before=before, search=search
        )

    def count(self) -> int:
        """How many entries there are."""
        return _journal.count_entries(self._session.reader)

    def verify(self) -> ChainReport:
        """Recompute the whole chain; names the first entry that does not hold."""
        return _journal.verify_chain(self._session.reader)
