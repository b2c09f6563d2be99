"""Keeping an online store up: one run with its record, and what is due. Light by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from core.domain.features import FeatureView, Materialized
from core.errors import OpsdeckError
from core.features import registry
from core.features.onlinewriter import OnlineWriter, locked
from core.features.place import online_file, spill_of
from core.reads import features as _reads
from core.session import Session

if TYPE_CHECKING:
    from core.lake.lake import Lake


def bring_up(
    session: Session,
    lake: Lake,
    view: FeatureView,
    *,
    rebuild: bool = False,
    only: tuple[float | None, float | None] | None = None,
) -> Materialized:
    """Run the materialise routine for a view and put it on record; `only` bounds the event
    times (epoch seconds). Raises as `core.features.materialize.materialize` does."""
    from core.features.materialize import Range, materialize

    wanted = None
    if only is not None:
        wanted = Range(*(None if at is None else round(at * 1e6) for at in only))
    file = online_file(session.workspace, view.spec.name, view.version)
    try:
        done = materialize(
            lake, view.spec, view.version, file, rebuild=rebuild, only=wanted,
            spill=spill_of(session.workspace),
        )  # fmt: skip
    except OpsdeckError as error:
        registry.record_failure(session, view, error.one_line())
        raise
    registry.record_materialized(session, view, done)
    return done


def due_of(session: Session, now: float) -> Iterator[tuple[FeatureView, bool]]:
    """The versions that are kept up by themselves and whose time has come (epoch seconds), and
    whether their source has moved since."""
    current = {
        row["name"]: row["current_snapshot"]
        for row in session.reader.rows(
            "SELECT name, current_snapshot FROM datasets WHERE dropped_at IS NULL"
        )
    }
    for view in _reads.list_versions(session.reader, retired=False):
        every, source = view.spec.every, view.spec.source
        if not view.spec.online or every is None or source not in current:
            continue
        if now - (view.materialized_at or 0.0) >= every:
            yield view, view.cursor is None or bool(view.message) or view.cursor != current[source]


def tidy(session: Session, view: FeatureView) -> None:
    """Let the rows count whose time has come, and those go that are too old."""
    file = online_file(session.workspace, view.spec.name, view.version)
    if not file.is_file():
        return
    begun = time.time()
    with locked(file):
        store = OnlineWriter(file, view.spec, view.version)
        try:
            written, removed = store.apply([], [], now=round(begun * 1e6), cursor=None)
            online, later = store.counts()
        finally:
            store.close()
    done = Materialized(
        view.ref, "unchanged", None, written=written, removed=removed, later=later,
        online_rows=online, seconds=time.time() - begun,
    )  # fmt: skip
    registry.record_materialized(session, view, done)
