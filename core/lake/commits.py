"""Committing to a table: tried again when somebody was quicker, at most once a batch.

Each attempt begins on the table as it is then. Before each the batch is looked for: in the
table's own snapshots, and among those that were expired since. pyiceberg's own retries are
left out, since they would look for nothing.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from pyiceberg.exceptions import (
    CommitFailedException,
    CommitStateUnknownException,
    ValidationException,
)
from pyiceberg.table import Table, Transaction
from pyiceberg.table.snapshots import Snapshot as IcebergSnapshot

from core.errors import WrongState
from core.lake.errors import CommitConflict
from core.lake.quick import QuickTransaction
from core.lake.tables import Tables

PATIENCE_SECONDS = 120.0
"""How long a commit is tried again; somebody's succeeds each time that one fails."""

PREFIX = "opsdeck."


@dataclass(frozen=True, slots=True)
class Note:
    """What is written beside a commit, in its snapshot's summary."""

    operation: str
    by: str
    batch_id: str | None = None
    message: str = ""
    run_id: str | None = None
    commit: str = field(default_factory=lambda: uuid.uuid4().hex)

    def properties(self) -> dict[str, str]:
        """As properties of a snapshot."""
        given = {
            "commit": self.commit,
            "operation": self.operation,
            "by": self.by,
            "batch": self.batch_id,
            "run": self.run_id,
            "message": self.message,
        }
        return {f"{PREFIX}{key}": value for key, value in given.items() if value}


def noted(snapshot: IcebergSnapshot, key: str) -> str | None:
    """What was noted beside a commit."""
    if snapshot.summary is None:
        return None
    return snapshot.summary.additional_properties.get(f"{PREFIX}{key}")


def find_noted(table: Table, key: str, value: str) -> IcebergSnapshot | None:
    """The newest snapshot with this note."""
    for snapshot in reversed(table.metadata.snapshots):
        if noted(snapshot, key) == value:
            return snapshot
    return None


Attempt = Callable[[Table, Transaction], None]


def commit(
    tables: Tables,
    name: str,
    note: Note,
    attempt: Attempt,
    *,
    table: Table | None = None,
) -> tuple[Table, bool]:
    """Commit what `attempt` puts into a transaction; returns the table and whether it was new.

    `table` is where the attempts must happen (its files may be written for it): another one
    of the same name raises `WrongState`. Raises `CommitConflict` where others change the same
    rows for `PATIENCE_SECONDS`.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    wait = 0.005
    current = table
    while True:
        if current is None:
            current = tables.load(name)
            if table is not None and current.metadata.table_uuid != table.metadata.table_uuid:
                raise WrongState(f"dataset {name}: was dropped and made anew meanwhile")
        if note.batch_id is not None and find_noted(current, "batch", note.batch_id):
            return current, False
        base = current.metadata_location
        try:
            with tables.plain():
                current.metadata.properties["commit.retry.num-retries"] = "0"  # of this copy
                transaction = QuickTransaction(current)
                attempt(current, transaction)
                return transaction.commit_transaction(), True
        except (
            CommitFailedException,
            CommitStateUnknownException,
            ValidationException,
            ValueError,
        ) as error:
            current = tables.load(name)
            if isinstance(error, ValueError) and current.metadata_location == base:
                raise  # nobody was in the way
            if find_noted(current, "commit", note.commit):
                return current, True  # it had gone through after all
            if time.monotonic() > deadline:
                raise CommitConflict(
                    f"dataset {name}: others change the same rows all the time", "try again"
                ) from error
            time.sleep(random.uniform(0.2, 1.0) * wait)
            wait = min(wait * 1.6, 0.25)
