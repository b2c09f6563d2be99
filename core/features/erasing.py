"""Deleting an entity from both stores, for whoever has the right to be forgotten.

Online it is gone at once, in every version of every view of the same source; offline its rows
are deleted from the source, whose older snapshots hold them until they expire. The key itself
is kept nowhere: the journal has a digest. Heavy: opens the lake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.domain.dataset import Snapshot
from core.domain.features import Erasure, FeatureView
from core.features import keys, registry
from core.features.errors import CannotErase
from core.features.materialize import materialize
from core.features.offline import source_values
from core.features.onlinewriter import OnlineWriter, locked
from core.features.place import online_file, secret_of, spill_of
from core.features.rowwise import source_columns
from core.ids import new_id
from core.reads import features as _reads
from core.session import Session

if TYPE_CHECKING:
    from core.lake.lake import Lake


def erase(
    session: Session,
    lake: Lake,
    view: FeatureView,
    given: Mapping[str, Any],
    *,
    purge: bool = False,
    reason: str = "",
) -> Erasure:
    """Delete a key's rows; see the module. With `purge` the older snapshots of the source are
    expired and the files that only they had are deleted. Raises `CannotErase`, `BadInput`."""
    spec = view.spec
    values = keys.key_values(spec, given)
    text = keys.encode(spec.entity, values) or ""
    condition = source_values(spec, lake.schema(spec.source), values)
    if condition is None:
        raise CannotErase(
            f"feature view {spec.name}: its key is not a column of {spec.source} as it is",
            f"delete the rows of {spec.source} by hand, then: opsdeck features materialize "
            f"{spec.name} --rebuild",
        )
    stores, others = _stores(session, view)
    with ExitStack() as stack:
        for _, file in stores:
            stack.enter_context(locked(file))
        online = {each.ref: _forget(each, file, text) for each, file in stores}
        mine = new_id()
        after = lake.delete(
            spec.source, condition, by=session.actor, batch_id=mine, message="an entity was erased"
        )
        behind = []
        if after.batch_id == mine:  # else there was nothing to delete
            behind = [pair for pair in stores if not _caught_up(session, *pair, after)] + others
    for each, file in behind:  # by what they had not seen yet, or by another key
        done = materialize(
            lake, each.spec, each.version, file, rebuild=True, spill=spill_of(session.workspace)
        )
        registry.record_materialized(session, each, done)
    kept = _let_go(session, lake, spec.source, purge)
    # What shared a file with them was deleted and added again.
    gone = (after.deleted_rows or 0) - (after.added_rows or 0)
    deleted = gone if after.batch_id == mine else 0
    done_ = Erasure(
        view.spec.name, keys.digest(secret_of(session.workspace), spec.name, text),
        tuple(ref for ref, count in online.items() if count), sum(online.values()),
        deleted, after.id, kept, purge, _upstream(session, spec.source),
    )  # fmt: skip
    registry.record_erasure(session, done_, reason)
    return done_


def _stores(
    session: Session, view: FeatureView
) -> tuple[list[tuple[FeatureView, Path]], list[tuple[FeatureView, Path]]]:
    """The online stores that have the entity under the same key (of all versions, and of other
    views whose key is the same columns), and the others of the same source."""
    wanted = _columns(view)
    same: list[tuple[FeatureView, Path]] = []
    others: list[tuple[FeatureView, Path]] = []
    for each in _reads.list_versions(session.reader, retired=False):
        file = online_file(session.workspace, each.spec.name, each.version)
        if each.spec.source == view.spec.source and file.is_file():
            (same if _columns(each) == wanted else others).append((each, file))
    return same, others


def _columns(view: FeatureView) -> tuple[tuple[str, str], ...] | None:
    origin = source_columns(view.spec)
    if origin is None:
        return None
    return tuple((origin[key.name], key.type) for key in view.spec.entity)


def _forget(view: FeatureView, file: Path, text: str) -> int:
    store = OnlineWriter(file, view.spec, view.version)
    try:
        return store.erase(text)
    finally:
        store.close()


def _caught_up(session: Session, view: FeatureView, file: Path, after: Snapshot) -> bool:
    """Move the cursor of a store that had seen everything over the deletion."""
    store = OnlineWriter(file, view.spec, view.version)
    try:
        if store.cursor != after.parent_id:
            return False
        store.move_cursor(after.id)
    finally:
        store.close()
    registry.move_cursor(session, view, after.id)
    return True


def _let_go(session: Session, lake: Lake, source: str, purge: bool) -> tuple[str, ...]:
    """The older snapshots that still hold the rows, after expiring what may go (`purge`)."""
    if purge:
        lake.expire(source, keep=1, delete_files=True, by=session.actor)
    return tuple(
        " ".join([f"#{each.number}", *each.refs])
        for each in lake.snapshots(source)
        if not each.current
    )


def _upstream(session: Session, source: str) -> tuple[str, ...]:
    """The datasets that the source is made from, where that is on record."""
    rows: Sequence[Mapping[str, Any]] = session.reader.rows(
        "SELECT DISTINCT source_kind, source FROM lineage_edges WHERE target = :name"
        " AND target_kind IN ('dataset', 'view') AND source_kind <> 'feature_view'"
        " ORDER BY source",
        name=source,
    )
    return tuple(f"{row['source_kind']} {row['source']}" for row in rows)
