"""The one read path: everything that shows or hands out rows of a dataset goes through here.

`Access.scan` applies what the policy lays down (columns, row filters, masks) before a row
leaves, streams, and journals what it refuses. What a caller asks for on top (`where`, `limit`)
is applied to what they may see, in a connection of its own: neither an answer nor an error can
tell anything of rows that are filtered out or of values that are masked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from core.domain.governance import Policy
from core.governance.conditions import Condition, check_condition
from core.governance.config import GovernanceConfig, governance_config
from core.governance.errors import Refused
from core.governance.inherit import inherit_rows
from core.governance.key import mask_key
from core.governance.plan import Plan, View
from core.governance.policy import Standing, label_mask, standing, tags_of
from core.reads.governance import grant_of, read_policy
from core.session import Session

if TYPE_CHECKING:
    import pyarrow as pa

    from core.lake.lake import Lake
    from core.state.store import Transaction


class Source(Protocol):
    """What is read: `core.lake.lake.Lake`, or anything that reads as it does."""

    def read(
        self,
        name: str,
        *,
        at: str | None = None,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        limit: int | None = None,
    ) -> pa.RecordBatchReader:
        """Rows of a snapshot, ungoverned."""

    def schema(self, name: str, at: str | None = None) -> pa.Schema:
        """Its columns."""

    def resolve(self, name: str, at: str | None = None) -> str:
        """The snapshot's id."""


class Access:
    """Governed reads in a session's name, or for another `actor` on whose behalf it acts.

    Thread-safe. A dataset without grants is open to all; from its first grant on only
    grantees, its owner and admins may act.
    """

    def __init__(self, session: Session, source: Source | None = None) -> None:
        self.session = session
        self.config: GovernanceConfig = governance_config(session.workspace)
        self._source = source
        self._opened: Lake | None = None
        self._lock = threading.Lock()

    @property
    def source(self) -> Source:
        """The lake, opened when first needed."""
        with self._lock:
            if self._source is None:
                from core.lake import open_lake

                self._source = self._opened = open_lake(self.session)
            return self._source

    def close(self) -> None:
        """Close the lake, if it was opened here."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._source = self._opened = None

    # -- reading

    def scan(
        self,
        name: str,
        *,
        at: str | None = None,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        limit: int | None = None,
        actor: str | None = None,
        purpose: str = "",
        skip: str | None = None,
    ) -> pa.RecordBatchReader:
        """The rows that the actor may see, as they may see them.

        `where` is a condition in SQL over what they see (`core.governance.conditions` says what
        is allowed). `skip` is one that the caller applies again: rows that do not meet it may
        be left out, where that tells nothing. `purpose` goes to the journal with a refusal.
        Raises `Refused` (journalled), `NotFound`, `BadInput`, `PolicyInvalid`, `PolicyBroken`.
        """
        who = actor or self.session.actor
        view = self._view(name, at, who, purpose)
        with self._journalled(name, who, "read", purpose):
            shown = view.shown()
            wanted = tuple(shown if columns is None else columns)
            asked = check_condition(where, shown) if where and where.strip() else None
            more = sorted(asked.columns.difference(wanted)) if asked else []
            plan = view.plan((*wanted, *more))
        skipped = check_condition(skip, shown) if skip and limit is None else None
        return self._stream(plan, at, asked, skipped, limit, len(wanted), who)

    def schema(
        self, name: str, *, at: str | None = None, actor: str | None = None, purpose: str = ""
    ) -> pa.Schema:
        """The columns that the actor may see, with the types that they are shown in."""
        who = actor or self.session.actor
        view = self._view(name, at, who, purpose)
        with self._journalled(name, who, "read", purpose):
            return view.plan(view.shown()).schema

    def sees_all(self, name: str, actor: str | None = None) -> bool:
        """Whether the actor sees every row and every column as it is; raises `Refused`."""
        view = self._view(name, None, actor or self.session.actor, "")
        shown = view.shown()
        return len(shown) == len(view.schema) and view.plan(shown).passes

    def _view(self, name: str, at: str | None, who: str, purpose: str) -> View:
        """What the actor sees of a dataset; raises `Refused` where that is nothing."""
        policy = self.policy(name)
        found = standing(policy, self.config, who, time.time())
        with self._journalled(name, who, "read", purpose):
            if not found.read:
                raise Refused(
                    f"dataset {name}: {who} may not read it",
                    f"ask {policy.owner or 'an admin'}: opsdeck data grant {name} --to {who}",
                )
        schema = self.source.schema(name, at)
        if at is not None and not found.sees_all and (policy.grants or policy.labels):
            # Policies name the columns of today. One that only an old snapshot has, perhaps
            # because it was renamed since, is left out: nobody can say what holds for it.
            today = set(self.source.schema(name).names)
            schema = pa_schema([field for field in schema if field.name in today])
        tags = tags_of(policy, tuple(schema.names))
        masks = self.config.label_masks
        labelled = {column: label_mask(those, masks) for column, those in tags.items()}
        return View(name, schema, found.lenses, labelled)

    def _stream(
        self,
        plan: Plan,
        at: str | None,
        asked: Condition | None,
        skipped: Condition | None,
        limit: int | None,
        width: int,
        actor: str,
    ) -> pa.RecordBatchReader:
        """The plan's rows that meet `asked`; of its columns the first `width`."""
        from core.governance.streams import SOURCE, picked, through

        plain = plan.passes and asked is None
        down = [plan.row_hint(), *(plan.hint(each) for each in (asked, skipped) if each)]
        rows = self.source.read(
            plan.dataset,
            at=at,
            columns=plan.reads,
            where=" and ".join(dict.fromkeys(part for part in down if part)) or None,
            limit=limit if plain else None,
        )
        if plan.passes:
            governed = picked(rows, plan.schema)
        else:
            sql = plan.sql(actor, SOURCE)
            key = {"key": mask_key(self.config)} if "$key" in sql else {}
            governed = through(plan.dataset, picked(rows, plan.read_schema), sql, plan.schema, key)
        if asked is None and (plan.passes or limit is None):
            return governed
        names = {column.name: f"c{index}" for index, column in enumerate(plan.shown)}
        out = ", ".join(f"c{index}" for index in range(width))
        only = f" WHERE {asked.sql(names, actor)}" if asked else ""
        count = f" LIMIT {int(limit)}" if limit is not None else ""
        return through(
            plan.dataset,
            governed,
            f"SELECT {out} FROM {SOURCE}{only}{count}",
            pa_schema(list(plan.schema)[:width]),
        )

    # -- changing

    def check_write(self, name: str, actor: str | None = None) -> None:
        """Raise `Refused` (journalled) where the actor may not add, change or delete rows.

        Of a dataset that is not there anybody may write the first rows, unless grants are
        left from one of this name that was dropped.
        """
        self._check(name, actor, "write")

    def check_manage(self, name: str, actor: str | None = None) -> None:
        """Raise `Refused` (journalled) where the actor may not roll back, evolve or drop it."""
        self._check(name, actor, "manage")

    def check_govern(self, name: str, actor: str | None = None) -> None:
        """Raise `Refused` (journalled) where the actor may not grant, revoke or label: only the
        owner, admins and those granted `manage` may, also while it is open to all."""
        self._check(name, actor, "govern")

    def _check(self, name: str, actor: str | None, what: str) -> None:
        who = actor or self.session.actor
        policy = self.policy(name)
        if getattr(standing(policy, self.config, who, time.time()), what):
            return
        asked = "manage" if what == "govern" else what
        words = "lay down who may use it" if what == "govern" else f"{what} it"
        with self._journalled(name, who, what, ""):
            raise Refused(
                f"dataset {name}: {who} may not {words}",
                f"ask {policy.owner or 'an admin'}: opsdeck data grant {name} --to {who} --{asked}",
            )

    # -- policy

    def policy(self, name: str) -> Policy:
        """What is laid down about a dataset."""
        return read_policy(self.session.reader, name)

    def standing(self, name: str, actor: str | None = None) -> Standing:
        """What the actor may do with a dataset, without doing it."""
        return standing(self.policy(name), self.config, actor or self.session.actor, time.time())

    def tags(self, name: str) -> Mapping[str, frozenset[str]]:
        """Each column's labels (those of the whole dataset are every column's); columns
        without any are left out."""
        columns = tuple(self.source.schema(name).names)
        return {name: tags for name, tags in tags_of(self.policy(name), columns).items() if tags}

    def inherit(
        self,
        target: str,
        sources: Mapping[str, Sequence[tuple[str, str]]],
        *,
        like: Sequence[str] = (),
    ) -> int:
        """Hand on labels to a dataset that was derived from others; returns how many are new.

        `sources` maps a column of `target` to the (dataset, column) pairs that it was made of;
        an empty column of a pair means that all of that dataset's may be in it. Where a source
        is governed, so is the target from now on: open to its owner and admins until granted.
        `like` are sources that no column is made of, and that decided which rows there are.
        """
        return inherit_rows(self.session, target, sources, like)

    @contextmanager
    def _journalled(self, name: str, who: str, what: str, purpose: str) -> Iterator[None]:
        """Put a refusal on record, also in a read-only session: it changes nothing of theirs."""
        try:
            yield
        except Refused as error:
            detail = {"who": who, "asked": what, "reason": error.message}
            if purpose:
                detail["purpose"] = purpose
            with self.session.store().transaction(self.session.actor) as tx:
                tx.journal("data.refused", f"dataset/{name}", **detail)
            raise


def may_govern(tx: Transaction, config: GovernanceConfig, name: str, actor: str) -> None:
    """Raise `Refused` where the actor may not govern the dataset, as this transaction sees it."""
    import sqlalchemy as sa

    from core.state.lake_tables import datasets, grants

    owner = tx.row(sa.select(datasets.c.owner).filter_by(name=name))
    rows = tx.rows(sa.select(grants).filter_by(dataset=name))
    policy = Policy(name, owner["owner"] if owner else "", tuple(grant_of(row) for row in rows))
    if not standing(policy, config, actor, tx.now).govern:
        raise Refused(f"dataset {name}: {actor} may not govern it any more")


def pa_schema(fields: list[Any]) -> pa.Schema:
    """An Arrow schema; Arrow is loaded now."""
    import pyarrow as pa

    return pa.schema(fields)


def open_access(session: Session) -> Access:
    """Governed access in the session's name; the lake opens when first read."""
    return Access(session)
