"""Windows over a feature view: its rows as the offline store has them, by the event's time.

The rows are made of a version of the source that is on record with the run, by the definition of
the view's newest version, on behalf of who stands for the monitor. Of the rows of an entity with
the same event time the one counts that the store would give; an entity that says *deleted* has
none. A value that is missing is missing: defaults are what a model gets in its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from core.domain.features import FeatureSpec, FeatureView
from core.domain.monitor import CAPTURED_TIME
from core.errors import NotFound
from core.monitors.datasets import DatasetSource, dataset_stamp
from core.monitors.errors import NothingThere, NotWatchable
from core.monitors.plan import Due, WindowPlan
from core.monitors.rights import reading
from core.reads import features as _features
from core.session import Session

if TYPE_CHECKING:
    import pyarrow as pa

    from core.governance.access import Access

BATCH_ROWS = 65_536


def watched_view(session: Session, name: str, version: int | None = None) -> FeatureView:
    """The newest active version of a view, or that one. Raises `NothingThere`."""
    try:
        return _features.find_version(session.reader, f"{name}@{version}" if version else name)
    except NotFound as error:
        raise NothingThere(
            f"feature view {name}: {error.message}", f"opsdeck features apply {name}"
        ) from error


def view_stamp(session: Session, name: str) -> str:
    """Changes with the view's version and with its source's. Two rows; empty where there is
    no such view."""
    try:
        view = _features.find_version(session.reader, name)
    except NotFound:
        return ""
    return f"{view.version}:{dataset_stamp(session, view.spec.source)}"


@dataclass(frozen=True)
class FeatureSource(DatasetSource):
    """One feature view, as one monitor sees it; see `Source`."""

    @property
    def name(self) -> str:
        """The dataset that the view is made from."""
        return watched_view(self.session, self.definition.target).spec.source

    @property
    def event(self) -> str:
        """The column of times: the view's event time, unless another is named."""
        if self.definition.time != CAPTURED_TIME:
            return self.definition.time
        return watched_view(self.session, self.definition.target).spec.event_time

    def seen(self) -> str:
        """The versions of the view and of its source."""
        return view_stamp(self.session, self.definition.target)

    def due(self, cursor: Mapping[str, Any], now: float) -> Due:
        """See `Source`. Where the view has a new version its windows begin anew."""
        version = watched_view(self.session, self.definition.target).version
        if cursor.get("view", version) != version:
            cursor = {}
        found = self._of_view(super().due(cursor, now), version)
        if found.cursor is None:
            return found
        return replace(found, cursor={**found.cursor, "view": version})

    def between(self, since: float, until: float, now: float) -> Due:
        """See `Source`."""
        version = watched_view(self.session, self.definition.target).version
        return self._of_view(super().between(since, until, now), version)

    @staticmethod
    def _of_view(due: Due, version: int) -> Due:
        """The same windows, of this version: their keys are told apart from the first one's."""

        def of(plan: WindowPlan) -> WindowPlan:
            return replace(
                plan,
                key=f"{plan.key}v{version}" if version > 1 else plan.key,
                place={**plan.place, "view": version},
                cursor={**plan.cursor, "view": version},
                version=version,
            )

        return replace(due, windows=tuple(map(of, due.windows)))

    def _batches(
        self, place: Mapping[str, Any], columns: tuple[str, ...] | None = None
    ) -> Iterator[pa.RecordBatch]:
        from core.governance.access import open_access

        view = watched_view(self.session, self.definition.target, place.get("view"))
        access = open_access(self.session)
        try:
            if place.get("by") == "added" and place.get("since") is not None:
                rows = self._added_rows(access, view, place)
            else:
                rows = governed_rows(
                    access, view.spec, str(place["snapshot"]), self.definition.name, self.actor
                )
            bounds = place if place.get("by") == "event" else {}
            yield from view_rows(self.session, view.spec, rows, bounds, columns)
        finally:
            access.close()

    def _added_rows(
        self, access: Access, view: FeatureView, place: Mapping[str, Any]
    ) -> pa.RecordBatchReader:
        """What a version added to the source, where the view's rows are the source's."""
        import pyarrow as pa

        from core.features.rowwise import is_row_by_row

        if not is_row_by_row(view.spec):
            raise NotWatchable(
                f"feature view {view.ref}: its SQL makes a row of several, so that nobody can tell"
                " what was added",
                "window: {snapshot: whole}, or by time: window: {time: 1d}",
            )
        with reading(self.definition.name, view.spec.source, self.actor):
            schema = access.schema(view.spec.source, at=str(place["snapshot"]), actor=self.actor)
        found = self._changes(access, place)
        return pa.RecordBatchReader.from_batches(schema, (b.cast(schema) for b in found))


def governed_rows(
    access: Access, spec: FeatureSpec, at: str, monitor: str, actor: str
) -> pa.RecordBatchReader:
    """A version of the view's source for a monitor. Raises `NotWatchable`, `Refused`."""
    with reading(monitor, spec.source, actor):
        return source_rows(access, spec, at, actor, f"monitor {monitor}")


def source_rows(
    access: Access, spec: FeatureSpec, at: str | None, actor: str, purpose: str
) -> pa.RecordBatchReader:
    """A version of the view's source as the actor may see it, in the columns that the view
    needs. Raises `Refused`."""
    from core.features.rowwise import columns_needed

    have = access.schema(spec.source, at=at, actor=actor, purpose=purpose).names
    wanted = columns_needed(spec, have)
    return access.scan(spec.source, at=at, columns=wanted, actor=actor, purpose=purpose)


def view_rows(
    session: Session,
    spec: FeatureSpec,
    source: pa.RecordBatchReader,
    bounds: Mapping[str, Any],
    columns: tuple[str, ...] | None = None,
) -> Iterator[pa.RecordBatch]:
    """The view's rows of its source's: the key, the event time and the features by their names.
    `bounds` may have `since` and `until` (epoch seconds). Raises `TransformFailed`."""
    from core.features import sql
    from core.features.place import spill_of

    named = [
        *((f"k{n}", key) for n, key in enumerate(spec.keys)),
        ("make_timestamp(et)", spec.event_time),
        *((f"f{n}", feature.name) for n, feature in enumerate(spec.features)),
    ]
    known = dict.fromkeys(name for _, name in named)
    for column in columns or ():
        if column not in known:
            raise NotWatchable(
                f"feature view {spec.name}: no column {column}", f"it has: {', '.join(known)}"
            )
    taken: dict[str, str] = {}
    for made, name in named:  # a feature may be one of the key's columns as well
        if columns is None or name in columns:
            taken.setdefault(name, made)
    shown = ", ".join(f"{made} AS {sql.quoted(name)}" for name, made in taken.items())
    same = ", ".join([*sql.key_columns(len(spec.keys)), "et"])
    since, until = (
        None if bounds.get(key) is None else int(float(bounds[key]) * 1e6)
        for key in ("since", "until")
    )
    with sql.connection(spill_of(session.workspace)) as con:
        sql.make_rows(con, spec, source, since=since, until=until)
        found: Any = con.sql(
            f"SELECT {shown} FROM (SELECT * FROM {sql.ROWS} QUALIFY row_number() OVER"
            f" (PARTITION BY {same} ORDER BY x DESC, del DESC, {sql.tie(spec.features)} DESC) = 1)"
            " WHERE NOT del"
        )
        yield from found.to_arrow_reader(BATCH_ROWS)
