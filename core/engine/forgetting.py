"""Rows that nobody needs any more, and that may hold values of rows."""

from __future__ import annotations

import sqlalchemy as sa

from core.state.lake_tables import (
    dataset_snapshots,
    lineage_edges,
    profiles,
    quarantine,
    validations,
)
from core.state.store import Transaction
from core.state.trigger_tables import trigger_firings

SNAPSHOT_DAYS = 30
"""How long the list of versions tells of one that has expired, and that no run made or read:
an intake makes thousands a day."""

VALIDATION_DAYS = 90
"""How long a validation that failed is kept, with its examples."""

FIRING_DAYS = 180
"""How long a firing is kept that became no run."""

DAY_SECONDS = 86_400.0


def forget_data(tx: Transaction) -> None:
    """Take away profiles of versions that have expired (so that what was erased is not in
    them), old versions' rows, and old validations of batches that nobody holds."""
    known = dataset_snapshots
    gone = sa.exists().where(
        known.c.dataset == profiles.c.dataset,
        known.c.snapshot_id == profiles.c.snapshot_id,
        known.c.expired_at.is_not(None),
    )
    tx.execute(profiles.delete().where(gone))

    # The newest gives the next its number.
    newest = sa.select(known.c.dataset, sa.func.max(known.c.number)).group_by(known.c.dataset)
    named = sa.select(lineage_edges.c.snapshot_id).where(lineage_edges.c.snapshot_id.is_not(None))
    tx.execute(
        known.delete().where(
            known.c.expired_at < tx.now - SNAPSHOT_DAYS * DAY_SECONDS,
            known.c.run_id.is_(None),
            known.c.snapshot_id.not_in(named),
            sa.tuple_(known.c.dataset, known.c.number).not_in(newest),
        )
    )

    held = sa.select(quarantine.c.validation_id).where(
        quarantine.c.validation_id.is_not(None),
        quarantine.c.state.in_(["held", "repaired", "replaying"]),
    )
    tx.execute(
        validations.delete().where(
            validations.c.passed == 0,
            validations.c.at < tx.now - VALIDATION_DAYS * DAY_SECONDS,
            validations.c.id.not_in(held),
        )
    )

    firings = trigger_firings
    tx.execute(
        firings.delete().where(
            firings.c.at < tx.now - FIRING_DAYS * DAY_SECONDS,
            firings.c.run_id.is_(None),
            firings.c.decision.not_in(["asked", "accepted"]),
        )
    )
