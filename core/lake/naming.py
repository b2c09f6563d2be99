"""Names for snapshots, and going back to one: tags, branches, rollback."""

from __future__ import annotations

from typing import Any

from pyiceberg.table import Table
from pyiceberg.table.refs import SnapshotRefType
from pyiceberg.table.snapshots import is_ancestor_of
from pyiceberg.table.update import RemoveSnapshotRefUpdate

from core.domain.dataset import Snapshot
from core.errors import NotFound, WrongState
from core.lake.commits import Note, commit
from core.lake.mirror import MAIN, mirror
from core.lake.names import check_ref
from core.lake.resolving import resolve
from core.lake.tables import Tables
from core.reads.datasets import find_snapshot
from core.session import Session


class NamingMixin:
    """What `Lake` does with the names of snapshots."""

    session: Session
    tables: Tables

    def tag(self, name: str, tag: str, *, at: str | None = None, by: str = "") -> Snapshot:
        """Name a snapshot (default: the current one), which keeps it from being expired.

        The same again is no error. Raises `WrongState` where the tag names another one.
        """
        self.session.refuse_when_read_only("data tag")
        check_ref(tag)
        chosen: list[int] = []

        def attempt(table: Table, transaction: Any) -> None:
            identity = resolve(self.session.reader, name, table, at)
            chosen.append(identity)
            ref = table.metadata.refs.get(tag)
            if ref is not None and ref.snapshot_id == identity:
                return
            if ref is not None or tag == MAIN:
                raise WrongState(
                    f"dataset {name}: {tag} is a {_kind(ref) if ref else 'branch'} already",
                    f"take another name, or: opsdeck data tag {name} {tag} --delete",
                )
            updates, requirements = transaction._set_ref_snapshot(
                snapshot_id=identity, ref_name=tag, type=SnapshotRefType.TAG
            )
            transaction._stage(updates, requirements)

        self._name(name, "tag", attempt, "tagged", tag=tag, by=by)
        return find_snapshot(self.session.reader, name, str(chosen[-1]))

    def untag(self, name: str, tag: str, *, by: str = "") -> None:
        """Take a tag away; raises `NotFound`."""
        self._remove(name, tag, SnapshotRefType.TAG, "untagged", by)

    def branch(self, name: str, branch: str, *, at: str | None = None, by: str = "") -> Snapshot:
        """Begin a branch at a snapshot (default: the current one): a line of versions that
        readers of the dataset do not see. Raises `WrongState` where it exists."""
        self.session.refuse_when_read_only("data branch")
        check_ref(branch)
        chosen: list[int] = []

        def attempt(table: Table, transaction: Any) -> None:
            if branch in table.metadata.refs or branch == MAIN:
                raise WrongState(f"dataset {name}: {branch} exists already", "take another name")
            chosen.append(resolve(self.session.reader, name, table, at))
            updates, requirements = transaction._set_ref_snapshot(
                snapshot_id=chosen[-1], ref_name=branch, type=SnapshotRefType.BRANCH
            )
            transaction._stage(updates, requirements)

        self._name(name, "branch", attempt, "branched", branch=branch, by=by)
        return find_snapshot(self.session.reader, name, str(chosen[-1]))

    def unbranch(self, name: str, branch: str, *, by: str = "") -> None:
        """Give a branch up; what only it holds is expired in time. Raises `NotFound`."""
        self._remove(name, branch, SnapshotRefType.BRANCH, "unbranched", by)

    def publish(self, name: str, branch: str, *, by: str = "") -> Snapshot:
        """Make what a branch holds the dataset's current version.

        Raises `WrongState` where the dataset has moved on since the branch began: a rollback
        to the branch would do it, and would hide what came since.
        """

        def attempt(table: Table, transaction: Any) -> None:
            head = _ref(name, table, branch, SnapshotRefType.BRANCH).snapshot_id
            current = table.current_snapshot()
            if current is not None and not is_ancestor_of(
                head, current.snapshot_id, table.metadata
            ):
                raise WrongState(
                    f"dataset {name}: has moved on since branch {branch} began",
                    "write the branch's rows to the dataset, or roll back to the branch",
                )
            _point(transaction, head)

        table = self._name(name, "publish", attempt, "published", branch=branch, by=by)
        return find_snapshot(self.session.reader, name, str(table.metadata.current_snapshot_id))

    def rollback(self, name: str, to: str, *, by: str = "", reason: str = "") -> Snapshot:
        """Make an earlier (or any other) snapshot the current one. Nothing is lost by it: the
        versions that are left behind can be read until they are expired."""

        def attempt(table: Table, transaction: Any) -> None:
            _point(transaction, resolve(self.session.reader, name, table, to))

        before = self.tables.load(name).metadata.current_snapshot_id
        table = self._name(
            name,
            "rollback",
            attempt,
            "rolled_back",
            before=str(before),
            to=to,
            by=by,
            reason=reason,
        )
        return find_snapshot(self.session.reader, name, str(table.metadata.current_snapshot_id))

    def _remove(self, name: str, ref: str, kind: SnapshotRefType, action: str, by: str) -> None:
        def attempt(table: Table, transaction: Any) -> None:
            _ref(name, table, ref, kind)
            transaction._stage((RemoveSnapshotRefUpdate.model_validate({"ref-name": ref}),), ())

        self._name(name, action, attempt, action, ref=ref, by=by)

    def _name(self, dataset: str, what: str, attempt: Any, action: str, **detail: Any) -> Table:
        self.session.refuse_when_read_only(f"data {what}")
        note = Note(what, detail.get("by") or self.session.actor)
        table, _ = commit(self.tables, dataset, note, attempt)
        given = {key: value for key, value in detail.items() if value}
        mirror(self.session, dataset, table, action=action, **given)
        return table


def _ref(name: str, table: Table, ref: str, kind: SnapshotRefType) -> Any:
    found = table.metadata.refs.get(ref)
    if found is None or found.snapshot_ref_type != kind or ref == MAIN:
        raise NotFound(f"dataset {name}: no {kind.value} {ref}", f"see: opsdeck data show {name}")
    return found


def _kind(ref: Any) -> str:
    return str(ref.snapshot_ref_type.value)


def _point(transaction: Any, identity: int) -> None:
    updates, requirements = transaction._set_ref_snapshot(
        snapshot_id=identity, ref_name=MAIN, type=SnapshotRefType.BRANCH
    )
    transaction._stage(updates, requirements)
