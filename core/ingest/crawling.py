"""A crawler: looks at folders and buckets, proposes datasets and changes of their columns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa

from core.domain.ingest import Crawl, CrawlState, SchemaChange
from core.errors import BadInput, NotFound, WrongState
from core.ids import short_id
from core.ingest.errors import BreakingChange
from core.ingest.planning import differences
from core.ingest.sources import Source
from core.ingest.tables import FoundTable, dataset_name, find_tables
from core.ingest.targets import check_target
from core.ingest.words import type_of, word_of
from core.reads.ingests import find_crawl, list_crawls
from core.session import Session
from core.state.lake_tables import crawls

if TYPE_CHECKING:
    from core.lake.lake import Lake
    from core.state.store import Transaction

_SHOWN_BROKEN = 20


@dataclass(frozen=True)
class Finding:
    """A table, and what is proposed for its dataset."""

    crawl: Crawl
    table: FoundTable


class Crawler:
    """One look at one root, in a session's name."""

    def __init__(self, session: Session, lake: Lake) -> None:
        self._session = session
        self._lake = lake

    def look(self, root: str, sources: Sequence[Source], name: str | None = None) -> list[Finding]:
        """Find tables, compare them with the datasets of their names, keep what is proposed.

        `name` is for the one table that there is. Raises `BadInput`.
        """
        tables = find_tables(sources, root)
        if name is not None:
            if len(tables) != 1:
                told = ", ".join(table.name for table in tables)
                raise BadInput(f"--name {name}: there are {len(tables)} tables: {told}")
            tables[0].name = name
        return [Finding(self._propose(root, table), table) for table in tables]

    def _propose(self, root: str, table: FoundTable) -> Crawl:
        current = self._current(table.name)
        columns = self._columns(table)
        changes: tuple[SchemaChange, ...] = ()
        if current is not None and table.columns:
            changes = differences(current, columns, text=table.format != "parquet")
        state = CrawlState.UNCHANGED
        if table.columns and (current is None or changes):
            state = CrawlState.PROPOSED
        found = {
            "format": table.format,
            "folder": table.folder,
            "files": len(table.files),
            "bytes": table.bytes,
            "partitions": list(table.partitions),
            "columns": [
                {"name": key, "type": word_of(one.type), "note": one.note}
                for key, one in columns.items()
            ],
            "exists": current is not None,
            "broken": [{"uri": uri, "reason": why} for uri, why in table.broken[:_SHOWN_BROKEN]],
        }
        return self._keep(root, table.name, state, found, changes)

    def _current(self, name: str) -> pa.Schema | None:
        try:
            return self._lake.schema(name)
        except NotFound:
            return None

    def _columns(self, table: FoundTable) -> dict[str, Any]:
        from core.ingest.guess import TextGuess

        columns = dict(table.columns)
        for name in table.partitions:
            if name not in columns:
                guess = TextGuess()
                values = [dict(source.partitions).get(name) for source in table.files]
                guess.feed(pa.array(values, pa.string()), 1)
                columns[name] = guess.found(table.folder, name)
        return columns

    def _keep(
        self,
        root: str,
        dataset: str,
        state: CrawlState,
        found: dict[str, Any],
        changes: Sequence[SchemaChange],
    ) -> Crawl:
        """A row in place of what was open; what was rejected as it is stays rejected."""
        text = json.dumps([asdict(change) for change in changes])
        before = list_crawls(self._session.reader, dataset=dataset, limit=20)
        last = next((one for one in before if one.root == root), None)
        if (
            last is not None
            and last.state is CrawlState.REJECTED
            and state is CrawlState.PROPOSED
            and last.changes == tuple(changes)
            and last.found.get("columns") == found["columns"]
        ):
            return last
        identity = short_id()
        with self._session.change("data crawl") as tx:
            gone = sa.and_(
                crawls.c.root == root,
                crawls.c.dataset == dataset,
                crawls.c.state.in_(["proposed", "unchanged"]),
            )
            tx.execute(crawls.delete().where(gone))
            tx.execute(
                crawls.insert().values(
                    id=identity,
                    root=root,
                    dataset=dataset,
                    at=tx.now,
                    by=tx.actor,
                    state=state,
                    found=json.dumps(found),
                    changes=text,
                    breaking=int(any(change.breaking for change in changes)),
                )
            )
            if state is CrawlState.PROPOSED:
                said = [change.text for change in changes] or ["a new dataset"]
                tx.journal("crawl.propose", f"dataset/{dataset}", crawl=identity, changes=said)
        return find_crawl(self._session.reader, identity)


def accept(session: Session, lake: Lake, ref: str, *, breaking: bool) -> Crawl:
    """Do what was proposed. Raises `WrongState`, `Refused`, and `BreakingChange` for what would
    break readers, unless `breaking` says that this is meant."""
    from core.governance.access import open_access

    crawl = find_crawl(session.reader, ref)
    if crawl.state is not CrawlState.PROPOSED:
        raise WrongState(f"crawl {crawl.id} is {crawl.state} already")
    if crawl.breaking and not breaking:
        told = "; ".join(change.text for change in crawl.changes if change.breaking)
        raise BreakingChange(
            f"dataset {crawl.dataset}: {told}: this can break who reads it",
            f"if that is meant: opsdeck data crawl accept {crawl.id} --accept-breaking",
        )
    check_target(session, crawl.dataset)
    if crawl.found["exists"]:
        open_access(session).check_manage(crawl.dataset)
        _evolve(session, lake, crawl)
    else:
        schema = pa.schema(
            [(one["name"], type_of(one["name"], one["type"])) for one in crawl.found["columns"]]
        )
        lake.create(crawl.dataset, schema, owner=session.actor, description=f"from {crawl.root}")
    return _decide(session, crawl, CrawlState.ACCEPTED)


def reject(session: Session, ref: str) -> Crawl:
    """Leave the dataset as it is; the same is not proposed again. Raises `WrongState`."""
    crawl = find_crawl(session.reader, ref)
    if crawl.state is not CrawlState.PROPOSED:
        raise WrongState(f"crawl {crawl.id} is {crawl.state} already")
    return _decide(session, crawl, CrawlState.REJECTED)


def _evolve(session: Session, lake: Lake, crawl: Crawl) -> None:
    changes = crawl.changes
    must = [one.column for one in changes if one.kind == "missing" and one.after]
    if must:
        raise BadInput(
            f"dataset {crawl.dataset}: {', '.join(must)} must have values, and the files have none",
            "the files cannot go into this dataset",
        )
    add = {one.column: type_of(one.column, one.after) for one in changes if one.kind == "add"}
    widen = {one.column: type_of(one.column, one.after) for one in changes if one.kind == "widen"}
    rename = {one.before: one.column for one in changes if one.kind == "rename"}
    if add or widen or rename:
        lake.evolve(crawl.dataset, add=add, widen=widen, rename=rename, by=session.actor)
    replaced = {one.column: type_of(one.column, one.after) for one in changes if one.kind == "type"}
    if replaced:  # the old values stay in the versions before
        schema = lake.schema(crawl.dataset)
        fields = [field.with_type(replaced.get(field.name, field.type)) for field in schema]
        lake.append(
            crawl.dataset,
            pa.schema(fields).empty_table(),
            by=session.actor,
            message=f"types as in {crawl.root}",
            evolve="any",
        )


def _decide(session: Session, crawl: Crawl, state: CrawlState) -> Crawl:
    with session.change("data crawl") as tx:
        _mark(tx, crawl, state)
    return find_crawl(session.reader, crawl.id)


def _mark(tx: Transaction, crawl: Crawl, state: CrawlState) -> None:
    tx.execute(
        crawls.update()
        .where(crawls.c.id == crawl.id)
        .values(state=state, decided_by=tx.actor, decided_at=tx.now)
    )
    tx.journal(f"crawl.{state}", f"dataset/{crawl.dataset}", crawl=crawl.id)


def known_name(text: str) -> str:
    """`text` where it may name a dataset; raises `BadInput` suggesting one that may."""
    if dataset_name(text) != text:
        raise BadInput(f"--name {text!r}: not allowed", f"for example: --name {dataset_name(text)}")
    return text


def pending(crawls_: Iterable[Crawl]) -> list[Crawl]:
    """Those that wait for somebody's decision."""
    return [one for one in crawls_ if one.state is CrawlState.PROPOSED]
