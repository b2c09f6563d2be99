"""Who may use which dataset: granting, revoking, labelling, and who can."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from core.domain.governance import Action, Grant, Label, Reach
from core.errors import BadInput
from core.reads import datasets as _datasets
from core.reads import governance as _reads
from core.session import Session

if TYPE_CHECKING:
    from core.governance.access import Access
    from core.state.store import Transaction


class GovernanceService:
    """The policies of the workspace's datasets."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._access: Access | None = None

    @property
    def access(self) -> Access:
        """The one read path, opened at first use."""
        from core.governance.access import open_access

        with self._lock:
            if self._access is None:
                self._access = open_access(self._session)
            return self._access

    def close(self) -> None:
        """Close the lake, if it was opened."""
        if self._access is not None:
            self._access.close()

    def grants(self, name: str) -> tuple[Grant, ...]:
        """A dataset's grants, those that have ended among them; raises `NotFound`."""
        _datasets.find_dataset(self._session.reader, name)
        return _reads.list_grants(self._session.reader, name)

    def labels(self, name: str | None = None) -> tuple[Label, ...]:
        """Labels of a dataset's columns, or of all datasets'; raises `NotFound`."""
        if name is not None:
            _datasets.find_dataset(self._session.reader, name)
        return _reads.list_labels(self._session.reader, name)

    def grant(
        self,
        name: str,
        to: str,
        *,
        actions: Sequence[Action] = (Action.READ,),
        columns: Sequence[str] | None = None,
        masks: Mapping[str, str] | None = None,
        where: str | None = None,
        seconds: float | None = None,
    ) -> tuple[Grant, ...]:
        """Let `to` (a name, `group:NAME`, `*`) read, write or manage a dataset; for `seconds`,
        or until revoked. A grant of the same action that they had is replaced.

        `columns`, `masks` (column to mask, as `{"email": "partial:4"}`) and `where` narrow
        reading. Raises `NotFound`, `Refused`, `BadInput`, `PolicyInvalid`, `ReadOnly`.
        """
        from core.governance import policychange as change

        self._session.refuse_when_read_only("data grant")
        _datasets.find_dataset(self._session.reader, name)
        access = self.access
        access.check_govern(name)
        change.check_principal(to, access.config)
        narrowed = columns is not None or bool(masks) or where is not None
        if narrowed and Action.READ not in actions:
            raise BadInput("columns, masks and row filters are of reading", "grant read, too")
        if narrowed and Action.MANAGE in actions:
            raise BadInput("who manages a dataset sees all of it", "grant manage by itself")
        if not actions:
            raise BadInput("nothing is granted", "name read, write or manage")
        if seconds is not None and seconds <= 0:
            raise BadInput("a grant for no time at all", "for example 30d")
        schema = access.source.schema(name)
        for column in columns or ():
            change.check_column(column, schema, name)
        if columns is not None and not columns:
            raise BadInput("no columns are named")
        checked = change.check_masks(masks or {}, columns, schema, name)
        if where is not None:
            change.check_filter(where, schema, name)
        with self._session.change("data grant") as tx:
            self._still_govern(tx, name)
            for action in dict.fromkeys(actions):
                reading = action is Action.READ
                change.put_grant(
                    tx,
                    name,
                    to,
                    action,
                    columns=tuple(dict.fromkeys(columns)) if reading and columns else None,
                    masks=checked if reading else None,
                    row_filter=where if reading else None,
                    expires_at=None if seconds is None else tx.now + seconds,
                )
        mine = {action.value for action in actions}
        return tuple(
            each for each in self.grants(name) if each.principal == to and each.action in mine
        )

    def revoke(
        self, name: str, of: str, *, actions: Sequence[Action] = tuple(Action)
    ) -> tuple[str, ...]:
        """End what `of` was granted; returns the actions. The dataset stays closed to everybody
        who has no grant. Raises `NotFound`, `Refused`, `BadInput` (nothing to end), `ReadOnly`.
        """
        from core.governance import policychange as change

        self._session.refuse_when_read_only("data revoke")
        _datasets.find_dataset(self._session.reader, name)
        self.access.check_govern(name)
        with self._session.change("data revoke") as tx:
            self._still_govern(tx, name)
            ended = change.end_grants(tx, name, of, tuple(actions))
        if not ended:
            raise BadInput(f"dataset {name}: {of} has no such grant", f"opsdeck data grants {name}")
        return tuple(ended)

    def label(self, name: str, column: str, tags: Sequence[str]) -> tuple[Label, ...]:
        """Label a column (`""`: the whole dataset), such as `pii`; returns its labels.

        What was made of it before is labelled as well (`handed_on`).
        """
        from core.governance import policychange as change
        from core.governance.inherit import spread

        self._session.refuse_when_read_only("data label")
        _datasets.find_dataset(self._session.reader, name)
        self.access.check_govern(name)
        for tag in tags:
            change.check_tag(tag)
        if column:
            change.check_column(column, self.access.source.schema(name), name)
        with self._session.change("data label") as tx:
            self._still_govern(tx, name)
            fresh = [
                Label(name, column, tag, "", tx.now, tx.actor)
                for tag in tags
                if change.put_label(tx, name, column, tag)
            ]
            spread(tx, self._session.reader, fresh)
        return tuple(each for each in self.labels(name) if each.column == column)

    def handed_on(self, name: str, column: str) -> tuple[Label, ...]:
        """The labels that other datasets have from this column (`""`: from any of them)."""
        own = f"{name}.{column}" if column else name
        return tuple(
            each
            for each in self.labels()
            if each.dataset != name
            and (each.origin == own or (not column and each.origin.startswith(f"{name}.")))
        )

    def unlabel(self, name: str, column: str, tags: Sequence[str]) -> tuple[Label, ...]:
        """Take labels away; an inherited one may be taken by who governs where it comes from."""
        from core.governance import policychange as change

        self._session.refuse_when_read_only("data label")
        _datasets.find_dataset(self._session.reader, name)
        self.access.check_govern(name)
        mine = {each.tag: each for each in self.labels(name) if each.column == column}
        for tag in tags:
            if tag not in mine:
                raise BadInput(
                    f"{f'{name}.{column}' if column else name} is not labelled {tag}",
                    f"see: opsdeck data grants {name}",
                )
            if mine[tag].origin:
                self.access.check_govern(mine[tag].origin.partition(".")[0])
        with self._session.change("data label") as tx:
            self._still_govern(tx, name)
            for tag in tags:
                change.take_label(tx, name, column, tag)
        return tuple(each for each in self.labels(name) if each.column == column)

    def whocan(self, name: str, who: Sequence[str] = ()) -> tuple[Reach, ...]:
        """What those named, or else everybody with a say, may do; raises `NotFound`."""
        from core.governance.reach import reaches

        _datasets.find_dataset(self._session.reader, name)
        access = self.access
        return reaches(
            access.policy(name), access.config, access.source.schema(name), time.time(), who
        )

    def _still_govern(self, tx: Transaction, name: str) -> None:
        """Check again inside the transaction: whoever was first may have revoked it."""
        from core.governance.access import may_govern

        may_govern(tx, self.access.config, name, self._session.actor)
