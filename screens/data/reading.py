"""What the Data mode reads, off the event loop: rows of the state, never the lake itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from core.errors import NotFound, OpsdeckError

if TYPE_CHECKING:
    from core.domain.catalogue import CatalogueEntry
    from core.domain.dataset import Ref, Snapshot
    from core.domain.governance import Grant, Label
    from core.domain.ingest import Ingest
    from core.domain.profile import DatasetProfile, ProfileDiff
    from core.domain.quality import QuarantinedBatch, Validation
    from core.governance.glance import Glance
    from core.lineage import Branch
    from core.ops import Ops

PANES = (
    "overview", "snapshots", "profile", "diff", "checks", "held", "access", "lineage",
)  # fmt: skip
"""What can be shown of a dataset; the key of each is its first letter."""

SNAPSHOTS = 500
NEAR = 3
"""How far the lineage pane looks in either direction; the lineage screen goes all the way."""


@dataclass(frozen=True, slots=True)
class DataQuery:
    """What to read: the dataset (`None`: the first), the pane, the snapshot looked at (its
    number; `None`: the current one), and the one that it is compared with."""

    name: str | None = None
    pane: str = "overview"
    at: int | None = None
    mark: int | None = None


@dataclass(frozen=True, slots=True)
class Detail:
    """What a pane shows of one dataset; what it doesn't need stays empty.

    `trouble` is why it could not be read.
    """

    entry: CatalogueEntry
    glance: Glance
    snapshots: tuple[Snapshot, ...] = ()
    refs: tuple[Ref, ...] = ()
    labels: tuple[Label, ...] = ()
    grants: tuple[Grant, ...] = ()
    snapshot: Snapshot | None = None
    before: Snapshot | None = None
    profile: DatasetProfile | None = None
    diff: ProfileDiff | None = None
    ingests: tuple[Ingest, ...] = ()
    validations: tuple[Validation, ...] = ()
    batches: tuple[QuarantinedBatch, ...] = ()
    upstream: Branch | None = None
    downstream: Branch | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class DataView:
    """The catalogue, and the pane of the dataset that was asked for."""

    query: DataQuery
    entries: tuple[CatalogueEntry, ...] = ()
    detail: Detail | None = None
    problems: dict[str, str] = field(default_factory=dict)


def read_data(query: DataQuery, ops: Ops) -> DataView:
    """Read the catalogue and one pane of one dataset."""
    entries = ops.data.catalogue()
    entry = next((each for each in entries if each.dataset.name == query.name), None)
    if entry is None and entries:
        entry = entries[0]
    if entry is None:
        return DataView(query)
    detail = _detail(query, entry, ops)
    return DataView(query, entries, detail)


def _detail(query: DataQuery, entry: CatalogueEntry, ops: Ops) -> Detail:
    from core.governance.glance import Glance, glance

    dataset = entry.dataset
    try:
        seen = glance(ops.session, dataset.name, [column.name for column in dataset.columns])
        detail = Detail(entry, seen)
        return _READERS[query.pane](detail, query, ops)
    except OpsdeckError as error:
        return Detail(entry, Glance(False, False, False, ""), trouble=error.one_line())


def _overview(detail: Detail, query: DataQuery, ops: Ops) -> Detail:
    name = detail.entry.dataset.name
    written = detail.entry.dataset.current_snapshot is not None
    return replace(
        detail,
        labels=ops.governance.labels(name),
        refs=ops.data.refs(name),
        ingests=ops.ingest.list(dataset=name, limit=3),
        profile=ops.explore.kept(name) if written else None,
    )


def _snapshots(detail: Detail, query: DataQuery, ops: Ops) -> Detail:
    name = detail.entry.dataset.name
    return replace(detail, snapshots=ops.data.snapshots(name, expired=True, limit=SNAPSHOTS))


def _profile(detail: Detail, query: DataQuery, ops: Ops) -> Detail:
    snapshot = _snapshot(detail, query.at, ops)
    if snapshot is None:
        return detail
    name = detail.entry.dataset.name
    return replace(detail, snapshot=snapshot, profile=ops.explore.kept(name, str(snapshot.number)))


def _diff(detail: Detail, query: DataQuery, ops: Ops) -> Detail:
    """The difference where both profiles are kept; else the two snapshots only."""
    after = _snapshot(detail, query.at, ops)
    if after is None:
        return detail
    name = detail.entry.dataset.name
    if query.mark is not None and query.mark != after.number:
        before = _found(name, query.mark, ops)
    else:
        readable = ops.data.snapshots(name, limit=SNAPSHOTS)
        older = [
            each for each in readable
            if each.number < after.number and each.operation != "create"
        ]  # fmt: skip
        if after.operation == "compact":  # it has the rows of the one before
            older = older[1:]
        before = older[0] if older else None
    if before is None:
        return replace(detail, snapshot=after)
    if before.number > after.number:
        before, after = after, before
    one = ops.explore.kept(name, str(before.number))
    two = ops.explore.kept(name, str(after.number))
    found = None
    if one is not None and two is not None:
        from core.explore.diff import profile_diff

        found = profile_diff(one, two)
    return replace(detail, snapshot=after, before=before, diff=found)


def _checks(detail: Detail, query: DataQuery, ops: Ops) -> Detail:
    """Validations; without values where the actor sees less than everything: to tell column by
    column would open the lake."""
    from core.reads.quality import list_validations

    name = detail.entry.dataset.name
    found = list_validations(ops.session.reader, dataset=name, limit=30)
    if not detail.glance.all:
        found = tuple(_silenced(each) for each in found)
    return replace(detail, validations=found)


def _silenced(found: Validation) -> Validation:
    results = tuple(
        replace(each, observed="", message="" if each.columns else each.message, examples=())
        for each in found.results
    )
    return replace(found, results=results)


def _held(detail: Detail, query: DataQuery, ops: Ops) -> Detail:
    return replace(
        detail, batches=ops.quality.quarantined(detail.entry.dataset.name, all_=True, limit=200)
    )


def _access(detail: Detail, query: DataQuery, ops: Ops) -> Detail:
    name = detail.entry.dataset.name
    return replace(detail, grants=ops.governance.grants(name), labels=ops.governance.labels(name))


def _lineage(detail: Detail, query: DataQuery, ops: Ops) -> Detail:
    ref = f"dataset/{detail.entry.dataset.name}"
    return replace(
        detail,
        upstream=ops.lineage.upstream(ref, NEAR),
        downstream=ops.lineage.downstream(ref, NEAR),
    )


def _snapshot(detail: Detail, number: int | None, ops: Ops) -> Snapshot | None:
    """The snapshot looked at; the current one where that has no such number."""
    dataset = detail.entry.dataset
    found = _found(dataset.name, number, ops) if number is not None else None
    if found is None and dataset.current_snapshot is not None:
        found = ops.data.snapshot(dataset.name, dataset.current_snapshot)
    return found


def _found(name: str, number: int, ops: Ops) -> Snapshot | None:
    try:
        return ops.data.snapshot(name, str(number))
    except NotFound:
        return None


_READERS = {
    "overview": _overview,
    "snapshots": _snapshots,
    "profile": _profile,
    "diff": _diff,
    "checks": _checks,
    "held": _held,
    "access": _access,
    "lineage": _lineage,
}
