"""Materialised views: defined in files, refreshed from what is new, shown with their lag."""

from __future__ import annotations

import json
from dataclasses import replace

from core.domain.view import Refreshed, View, ViewDefinition, ViewState
from core.errors import NotFound, WrongState
from core.reads import datasets as _datasets
from core.reads import views as _views
from core.session import Session
from core.views import definition as _definition
from core.views.errors import ViewInvalid


class ViewsService:
    """The workspace's views. Lists come from rows; changes load the lake's libraries."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(self) -> tuple[View, ...]:
        """Every view, by name."""
        return _views.list_views(self._session.reader)

    def get(self, name: str) -> View:
        """A view; raises `NotFound`."""
        return _views.find_view(self._session.reader, name)

    def files(self) -> tuple[str, ...]:
        """The views that have a file in `views/`, whether they have been made or not."""
        return _definition.names_in(self._session.workspace.root)

    def apply(self, name: str, definition: ViewDefinition | None = None) -> View:
        """Take over a view's definition (default: from `views/NAME.sql`); its rows are made by
        the next refresh, in full where the SQL or the keys have changed.

        Raises `NotFound`, `ViewInvalid`, `LineageUnknown`, `Refused`, and `WrongState` where a
        dataset of the name exists that is no view.
        """
        from core.governance.access import open_access
        from core.lineage import lineage_of_sql
        from core.views.incremental import plan_refresh
        from core.views.types import sql_types

        self._session.refuse_when_read_only(f"views apply {name}")
        found = definition or _definition.read_definition(self._session.workspace.root, name)
        datasets = {each.name: each for each in _datasets.list_datasets(self._session.reader)}
        if name in datasets and datasets[name].kind != "view":
            raise WrongState(f"dataset {name}: exists, and is no view", "name the view otherwise")
        schemas = {each.name: sql_types(each.columns) for each in datasets.values()}
        schemas.pop(name, None)  # a view of itself has no beginning
        sources = lineage_of_sql(found.sql, schemas).tables
        if not sources:
            raise ViewInvalid(f"view {name}: its SQL reads no dataset")
        self._refuse_circle(name, sources)
        plan = plan_refresh(found.sql, schemas, found.keys)
        access = open_access(self._session)
        before = self._known(name)
        if before is not None:
            access.check_manage(name)
        owner = found.owner or (before.owner if before else self._session.actor)
        for source in sources:
            access.schema(source, actor=owner, purpose=f"view {name}")
            access.schema(source, purpose=f"view {name}")
        settings: dict[str, object] = {"every": found.every, "why_full": dict(plan.why_full)}
        mode = "incremental" if plan.incremental else "full"
        self._write(replace(found, owner=owner), sources, mode, settings, before)
        return self.get(name)

    def refresh(self, name: str, *, full: bool = False) -> Refreshed:
        """Bring a view up to its sources. A view that only has a file yet is applied first; a
        file that has changed since is, too. Raises what `apply` and a refresh raise."""
        from core.views.refresher import Refresher

        self._session.refuse_when_read_only(f"views refresh {name}")
        self._apply_changed(name)
        return Refresher(self._session).refresh(name, full=full)

    def in_order(self) -> tuple[str, ...]:
        """Every view, also those that only have a file, after those that it is made from."""
        root = self._session.workspace.root
        sources = {view.name: [lag.dataset for lag in view.sources] for view in self.list()}
        for name in self.files():
            if name not in sources:
                sources[name] = _named_in(_definition.read_definition(root, name).sql)
        done: list[str] = []

        def visit(name: str, way: tuple[str, ...]) -> None:
            if name in done or name in way:  # a circle is refused where it is applied
                return
            for source in sources[name]:
                if source in sources:
                    visit(source, (*way, name))
            done.append(name)

        for name in sources:
            visit(name, ())
        return tuple(done)

    def due(self, now: float) -> tuple[str, ...]:
        """Views whose time has come and whose sources have moved, or which have never been
        refreshed. A failed one waits its time, too."""
        return tuple(
            view.name
            for view in self.list()
            if view.every is not None
            and view.state is not ViewState.FRESH
            and now - (view.refreshed_at or 0.0) >= view.every
        )

    def drop(self, name: str) -> None:
        """Forget a view and drop its dataset; raises `NotFound`, `Refused`."""
        from core.governance.access import open_access
        from core.services.data import DataService
        from core.state.lake_tables import views

        self._session.refuse_when_read_only(f"views drop {name}")
        view = self.get(name)
        open_access(self._session).check_manage(name)
        if view.snapshot is not None:
            DataService(self._session).drop(name)
        with self._session.change("views drop") as tx:
            tx.execute(
                views.update().where(views.c.name == name).values(dropped_at=tx.now, cursor="{}")
            )
            tx.journal("view.drop", f"view/{name}")

    def _known(self, name: str) -> View | None:
        try:
            return self.get(name)
        except NotFound:
            return None

    def _apply_changed(self, name: str) -> None:
        known = self._known(name)
        if name not in self.files():
            if known is None:
                _definition.read_definition(self._session.workspace.root, name)  # says so
            return
        found = _definition.read_definition(self._session.workspace.root, name)
        if known is None or (known.sql, known.keys, known.every) != (
            found.sql, found.keys, found.every,
        ):  # fmt: skip
            self.apply(name, found)

    def _refuse_circle(self, name: str, sources: tuple[str, ...]) -> None:
        """Raise `ViewInvalid` where a view would be made from itself, by way of others."""
        views = {view.name: [lag.dataset for lag in view.sources] for view in self.list()}
        waiting, seen = list(sources), set[str]()
        while waiting:
            source = waiting.pop()
            if source == name:
                raise ViewInvalid(f"view {name}: it would be made from itself", "break the circle")
            if source not in seen:
                seen.add(source)
                waiting += views.get(source, [])

    def _write(
        self,
        found: ViewDefinition,
        sources: tuple[str, ...],
        mode: str,
        settings: dict[str, object],
        before: View | None,
    ) -> None:
        from core.state.lake_tables import views

        same = before is not None and (before.sql, before.keys) == (found.sql, found.keys)
        with self._session.change("views apply") as tx:
            values: dict[str, object] = {
                "sql": found.sql,
                "sources": json.dumps(sources),
                "keys": json.dumps(found.keys),
                "mode": mode,
                "settings": json.dumps(settings),
                "owner": found.owner,
            }
            if not same:
                values |= {"cursor": "{}", "state": ViewState.NEW.value, "message": ""}
            if before is not None:
                tx.execute(views.update().where(views.c.name == found.name).values(**values))
            else:
                tx.execute(views.delete().where(views.c.name == found.name))
                tx.execute(views.insert().values(name=found.name, created_at=tx.now, **values))
            tx.journal("view.apply", f"view/{found.name}", sql=found.sql, keys=list(found.keys))


def _named_in(sql: str) -> list[str]:
    """The tables that a query names; none where it does not parse, which is said elsewhere."""
    import sqlglot

    from core.lineage import tables_of

    try:
        return sorted(tables_of(sqlglot.parse_one(sql, dialect="duckdb")))
    except sqlglot.errors.SqlglotError:
        return []
