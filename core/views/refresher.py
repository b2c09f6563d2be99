"""Refreshing a view: what is new in its sources, the rows that this touches, one commit.

A view is made with its owner's rights. The cursor (the snapshot of each source that the view
has seen) moves after the commit; a crash between them makes the next refresh do the same once
more, which changes nothing: rows are put in by key, or all of them.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any

from core.domain.datalineage import NodeKind, edges_between
from core.domain.view import Refreshed, View, ViewState
from core.errors import OpsdeckError, WrongState
from core.governance.access import open_access
from core.lake import open_lake
from core.lineage import SqlLineage, lineage_of_sql
from core.reads import datasets as _datasets
from core.reads import views as _views
from core.session import Session
from core.state.edges import record_edges
from core.state.lake_tables import views
from core.views import compute
from core.views.incremental import RefreshPlan, plan_refresh
from core.views.turn import my_turn
from core.views.types import sql_types

UPSERT_MOST = 20_000
"""Touched keys above which all rows are written anew, in one piece."""


class Overtaken(WrongState):
    """Somebody else refreshed or changed the view at the same time."""


class Refresher:
    """Refreshes views of one workspace. Heavy: it loads the lake's libraries."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lake = open_lake(session)
        self._access = open_access(session)

    def refresh(self, name: str, *, full: bool = False) -> Refreshed:
        """Bring a view up to its sources; raises `NotFound`, `ViewFailed`, `Refused` and what
        the lake raises, after noting it in the view's row."""
        self._session.refuse_when_read_only(f"views refresh {name}")
        _views.find_view(self._session.reader, name)
        with my_turn(self._session.workspace.state_dir, name):
            view = _views.find_view(self._session.reader, name)
            try:
                return self._refresh(view, full)
            except Overtaken:  # what the other one noted stands
                raise
            except OpsdeckError as error:
                self._note_failure(view, error)
                raise

    def _refresh(self, view: View, full: bool) -> Refreshed:
        begun = time.monotonic()
        names = tuple(lag.dataset for lag in view.sources)
        heads = {name: self._lake.resolve(name) for name in names}
        cursor = self._cursor(view.name)
        moved = {name for name in names if cursor.get(name) != heads[name]}
        if not moved and not full and view.snapshot is not None and cursor:
            self._put_cursor(view, cursor, heads, None)
            return Refreshed(view.name, "nothing", 0, view.rows or 0, view.snapshot, 0.0)
        schemas = {
            name: sql_types(_datasets.find_dataset(self._session.reader, name).columns)
            for name in names
        }
        lineage = lineage_of_sql(view.sql, schemas)
        plan = plan_refresh(view.sql, schemas, view.keys)
        changed, why = None, "asked for" if full else ""
        if not full:
            changed, why = self._changes(view, plan, cursor, heads, moved)
        if changed is None:
            batch = None if full else _batch(view, cursor, heads, "full")
            how, keys, snapshot = self._all(view, heads, lineage, batch)
        else:
            batch = _batch(view, cursor, heads, "keys")
            self._inherit(view, lineage)
            how, keys, snapshot = self._some(view, plan, heads, changed, batch)
        self._put_cursor(view, cursor, heads, lineage)
        after = _views.find_view(self._session.reader, view.name)
        seconds = time.monotonic() - begun
        return Refreshed(
            view.name, how, keys, after.rows or 0, snapshot or after.snapshot, seconds, why
        )

    def _changes(
        self,
        view: View,
        plan: RefreshPlan,
        cursor: Mapping[str, str],
        heads: Mapping[str, str],
        moved: set[str],
    ) -> tuple[dict[str, Any] | None, str]:
        """New rows by source; `None`, with the reason, where only all rows will do."""
        if not cursor or view.snapshot is None:
            return None, "the first time"
        if "" in plan.why_full:
            return None, plan.why_full[""]
        found = {}
        for name in sorted(moved):
            if name not in cursor:
                return None, f"{name} is a new source"
            if name not in plan.touched:
                return None, f"{name} changed, and {plan.why_full[name]}"
            if not self._access.sees_all(name, view.owner):
                return None, f"{view.owner} sees only a part of {name}"
            rows = self._lake.changes(name, cursor[name], heads[name])
            if rows is None:
                return None, f"rows of {name} were changed or deleted, not only added"
            found[name] = rows.read_all()
        return found, ""

    def _all(
        self, view: View, heads: Mapping[str, str], lineage: SqlLineage, batch: str | None
    ) -> tuple[str, int | None, int | None]:
        sources = {name: self._rows(view, name, at) for name, at in heads.items()}
        table = compute.rows_of(compute.connect(), view.sql, sources, view.keys)
        self._lake.ensure(
            view.name, table.schema, owner=view.owner, kind="view", description=view.description
        )
        self._inherit(view, lineage)  # before there is a row to be seen
        snapshot = self._lake.overwrite(
            view.name, table, by=view.owner, evolve="any", message="refreshed in full",
            batch_id=batch,
        )  # fmt: skip
        return "full", None, snapshot.number

    def _some(
        self,
        view: View,
        plan: RefreshPlan,
        heads: Mapping[str, str],
        changed: Mapping[str, Any],
        batch: str,
    ) -> tuple[str, int | None, int | None]:
        connection = compute.connect()
        touched = compute.touched_keys(connection, plan, changed)
        if not touched.num_rows:
            return "nothing", 0, None
        sources = {name: self._rows(view, name, at) for name, at in heads.items()}
        rows = compute.rows_of(connection, view.sql, sources, view.keys, touched)
        old = self._lake.read(view.name).read_all()
        kept, known = compute.without(connection, old, view.keys, touched)
        gone = known - compute.shared(connection, old, rows, view.keys)
        note = {"by": view.owner, "evolve": "add", "batch_id": batch}
        message = f"{touched.num_rows:,} keys made anew"
        if not known:
            snapshot = self._lake.append(view.name, rows, message=message, **note)
            return "append", touched.num_rows, snapshot.number
        if not gone and touched.num_rows <= UPSERT_MOST:
            snapshot = self._lake.upsert(view.name, rows, keys=view.keys, message=message, **note)
            return "upsert", touched.num_rows, snapshot.number
        together = compute.together(connection, kept, rows)
        snapshot = self._lake.overwrite(view.name, together, message=message, **note)
        return "upsert", touched.num_rows, snapshot.number

    def _rows(self, view: View, source: str, at: str) -> Any:
        """All rows of a source, as the view's owner may see them."""
        scan = self._access.scan(source, at=at, actor=view.owner, purpose=f"view {view.name}")
        return scan.read_all()

    # rows of the view

    def _cursor(self, name: str) -> dict[str, str]:
        rows = self._session.reader.rows("SELECT cursor FROM views WHERE name = :name", name=name)
        found: dict[str, str] = json.loads(rows[0]["cursor"]) if rows else {}
        return found

    def _put_cursor(
        self,
        view: View,
        before: Mapping[str, str],
        heads: Mapping[str, str],
        lineage: SqlLineage | None,
    ) -> None:
        """Note what has been seen. Where somebody else has refreshed or changed it meanwhile,
        from a machine that does not share our locks, nobody can say whose rows are on top: then
        nothing counts as seen, and the next refresh makes all rows anew."""
        if self._moved_on(view, before, heads, lineage):
            return
        raise Overtaken(
            f"view {view.name}: somebody else refreshed or changed it meanwhile",
            "refresh it again",
        )

    def _moved_on(
        self,
        view: View,
        before: Mapping[str, str],
        heads: Mapping[str, str],
        lineage: SqlLineage | None,
    ) -> bool:
        with self._session.change("views refresh") as tx:
            done = tx.execute(
                views.update()
                .where(
                    views.c.name == view.name,
                    views.c.sql == view.sql,
                    views.c.cursor == json.dumps(dict(before), sort_keys=True),
                )
                .values(
                    cursor=json.dumps(dict(heads), sort_keys=True),
                    refreshed_at=tx.now,
                    state=ViewState.FRESH.value,
                    message="",
                )
            )
            if not done.rowcount:
                same = (views.c.name == view.name) & (views.c.sql == view.sql)
                tx.execute(views.update().where(same).values(cursor="{}"))
                return False
            if lineage is None:
                return True
            for source in heads:
                record_edges(
                    tx,
                    edges_between(
                        (NodeKind.DATASET, source),
                        (NodeKind.DATASET, view.name),
                        "view",
                        columns=lineage.of_table(source),
                        detail=view.name,
                    ),
                )
            tx.journal("view.refresh", f"view/{view.name}", sources=dict(heads))
        return True

    def _inherit(self, view: View, lineage: SqlLineage) -> None:
        """Labels of a column go with every column that is made from it."""
        self._access.inherit(view.name, lineage.columns)

    def _note_failure(self, view: View, error: OpsdeckError) -> None:
        with self._session.change("views refresh") as tx:
            tx.execute(
                views.update()
                .where(views.c.name == view.name, views.c.sql == view.sql)
                .values(state=ViewState.FAILED.value, message=error.one_line())
            )
            tx.journal("view.failed", f"view/{view.name}", message=error.one_line())


def _batch(view: View, cursor: Mapping[str, str], heads: Mapping[str, str], how: str) -> str:
    """The same for the same work: a refresh that is done twice is committed once."""
    told = json.dumps([view.sql, view.keys, dict(cursor), dict(heads), how], sort_keys=True)
    return f"view-{view.name}-{hashlib.sha256(told.encode()).hexdigest()[:20]}"
