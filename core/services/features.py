"""Feature views: what they are, joining them to entity rows, keeping them online."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from core.domain.features import (
    Erasure,
    FeatureRow,
    FeatureSkew,
    FeatureSpec,
    FeatureUse,
    FeatureView,
    FeatureViewState,
    Joined,
    Materialized,
    OnlineRow,
)
from core.errors import BadInput, NotFound
from core.features import files as _files
from core.features.errors import NotOnline
from core.pipelines._report import did_you_mean
from core.reads import features as _reads
from core.session import Session

if TYPE_CHECKING:
    import pyarrow as pa

    from core.domain.pipeline import Problem
    from core.governance.access import Access
    from core.lake.lake import Lake


class FeaturesService:
    """The workspace's feature views. Lists come from files and rows; all else loads the lake's
    libraries, except `get`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    # -- what there is

    def list(self, *, retired: bool = False) -> tuple[FeatureView, ...]:
        """Every view: of each its newest version, or the draft that its file is; with `retired`
        all versions."""
        files = {file.name: file for file in _files.find_files(self._session.workspace.root)}
        found: dict[str, list[FeatureView]] = {}
        for view in _reads.list_versions(self._session.reader, retired=retired):
            listed = found.setdefault(view.spec.name, [])
            if retired or not listed:
                listed.append(_beside(view, files.get(view.spec.name), newest=not listed))
        for name, file in files.items():
            if name not in found and file.spec is not None:
                spec = replace(file.spec, owner=file.spec.owner or self._session.actor)
                found[name] = [FeatureView(spec, 0, FeatureViewState.DRAFT, file=file.path)]
        return tuple(view for name in sorted(found) for view in found[name])

    def names(self) -> tuple[str, ...]:
        """The views that have a file, right or wrong."""
        files = _files.find_files(self._session.workspace.root)
        return tuple(dict.fromkeys(file.name for file in files))

    def problems(self) -> tuple[Problem, ...]:
        """All that is wrong with the files under `features/`."""
        files = _files.find_files(self._session.workspace.root)
        return tuple(problem for file in files for problem in file.problems)

    def find(self, ref: str) -> FeatureView:
        """A version (`NAME@VERSION`), the newest active one (`NAME`), or the draft that a file
        is. Raises `NotFound`, `FeaturesInvalid`, `BadInput`."""
        name, version = _reads.parse_ref(ref)
        files = {file.name: file for file in _files.find_files(self._session.workspace.root)}
        try:
            return _beside(_reads.find_version(self._session.reader, ref), files.get(name))
        except NotFound:
            if version is None and name not in files:
                known = {*files, *(v.spec.name for v in _reads.list_versions(self._session.reader))}
                hint = did_you_mean(name, known) or "see: opsdeck features list"
                raise NotFound(f"no feature view {name}", hint) from None
            if version is not None:
                raise
        spec = _files.refuse_problems(files[name])
        return FeatureView(spec, 0, FeatureViewState.DRAFT, file=files[name].path)

    def versions(self, name: str) -> tuple[FeatureView, ...]:
        """Every version of a view, the newest first."""
        return _reads.versions_of(self._session.reader, name)

    def skews(self, name: str | None = None, limit: int = 50) -> tuple[FeatureSkew, ...]:
        """What was measured of one view, or of all, the newest first."""
        return _reads.list_skews(self._session.reader, name, limit)

    def get(self, ref: str, key: Mapping[str, Any]) -> OnlineRow:
        """The online row of an entity, with its age. Raises `NotOnline`, `Refused`, `BadInput`
        for another key."""
        from core.features.keys import key_values
        from core.features.online import OnlineReader
        from core.features.place import online_file

        view = _reads.find_version(self._session.reader, ref)
        values = key_values(view.spec, key)
        self._refuse_partial(view.spec, f"online row of {view.ref}")
        file = online_file(self._session.workspace, view.spec.name, view.version)
        reader = OnlineReader(file)
        try:
            return reader.row(values)
        finally:
            reader.close()

    # -- making and keeping up

    def apply(self, name: str) -> FeatureView:
        """Take over the definition in `features/NAME.yaml`: a new version where its values
        change. Raises `FeaturesInvalid`, naming file, line and key, `NotFound`, `Refused`."""
        from core.features import registry
        from core.features.checking import check
        from core.features.rowwise import lineage_columns

        self._session.refuse_when_read_only(f"features apply {name}")
        file = _files.load_spec(self._session.workspace.root, name)
        spec = _files.refuse_problems(file)
        self._access.schema(spec.source, purpose=f"feature view {name}")
        if spec.online:
            self._refuse_partial(spec, f"feature view {name}")
            if spec.owner:  # in whose name the worker keeps it up
                self._refuse_partial(spec, f"feature view {name}", spec.owner)
        schema = self._lake.schema(spec.source)
        check(file, spec, schema)
        view = registry.put_version(self._session, spec, lineage_columns(spec, schema.names))
        return replace(view, file=file.path)

    def materialize(self, ref: str, *, rebuild: bool = False) -> Materialized:
        """Bring a view's online store up to its source; a definition that has changed becomes a
        version first. Raises `NotOnline` for a view that is not kept online, `TransformFailed`,
        `Busy`, `Refused`."""
        return self._materialize(self._current(ref, "materialize"), rebuild=rebuild)

    def backfill(self, ref: str, since: float | None, until: float | None) -> Materialized:
        """Look at the rows of these event times again (epoch seconds, `until` excluded); none
        of them overwrites a newer one. Raises as `materialize` does."""
        self._session.refuse_when_read_only(f"features backfill {ref}")
        if since is not None and until is not None and since >= until:
            raise BadInput("the range is empty: its end is not after its beginning")
        return self._materialize(self._current(ref, "backfill"), only=(since, until))

    def due(self, now: float) -> tuple[str, ...]:
        """Views that a worker keeps online, whose time has come and whose source has moved.
        Where it has not, rows whose time has come and those that are too old are seen to
        here: that takes no library."""
        from core.features.upkeep import due_of, tidy

        self._session.refuse_when_read_only("features due")
        found = []
        for view, moved in due_of(self._session, now):
            if moved:
                found.append(view.ref)
            else:
                tidy(self._session, view)
        return tuple(found)

    def retire(self, ref: str, *, force: bool = False, reason: str = "") -> FeatureView:
        """Take a version out of use: its online store is deleted, its definition stays on
        record. Raises `InUse` while an endpoint's model reads it, unless forced."""
        from core.features import registry
        from core.features.onlinewriter import locked, remove
        from core.features.place import online_file
        from core.services.featureusage import refuse_used

        self._session.refuse_when_read_only(f"features retire {ref}")
        view = _reads.find_version(self._session.reader, ref)
        if not force:
            refuse_used(self._session, view)
        file = online_file(self._session.workspace, view.spec.name, view.version)
        with locked(file):
            remove(file)
            registry.put_retired(self._session, view, reason)
        return _reads.find_version(self._session.reader, view.ref)

    # -- offline

    def join(
        self, entities: str, refs: Sequence[str], *, time_column: str, output: str,
        keys: Mapping[str, str] | None = None, prefix: bool = False, cutoff: bool = False,
        times: bool = False, at: Mapping[str, str] | None = None,
    ) -> Joined:  # fmt: skip
        """Join features to the rows of a file or dataset, point in time, into a file or a
        dataset. `keys` maps a view's key to a column where they differ; `at` a view or dataset
        to the snapshot to read. Raises `JoinRefused`, `Refused`, `BadInput`."""
        from core.features.joining import join_into

        self._session.refuse_when_read_only("features join")
        uses = [self._use(ref, keys or {}, prefix) for ref in refs]
        return join_into(
            self._session, self._access, self._lake, entities, uses, time_column=time_column,
            output=output, cutoff=cutoff, times=times, at=at or {},
        )  # fmt: skip

    def join_table(
        self, entities: pa.Table, refs: Sequence[str], *, time_column: str,
        keys: Mapping[str, str] | None = None, prefix: bool = False, cutoff: bool = False,
        times: bool = False, at: Mapping[str, str] | None = None,
    ) -> pa.Table:  # fmt: skip
        """The same for rows in memory, and what becomes of them in memory."""
        from core.features.joining import join_rows

        uses = [self._use(ref, keys or {}, prefix) for ref in refs]
        return join_rows(
            self._session, self._access, entities, uses, time_column=time_column, cutoff=cutoff,
            times=times, at=at or {},
        ).table  # fmt: skip

    def history(
        self, ref: str, key: Mapping[str, Any], *, at: str | None = None, limit: int = 50
    ) -> tuple[FeatureRow, ...]:
        """The offline rows of an entity, the newest event first. Raises `Refused`."""
        from core.features.offline import history

        view = self.find(ref)
        return history(self._session, self._access, view, key, at=at, limit=limit)

    def delete(
        self, ref: str, key: Mapping[str, Any], *, purge: bool = False, reason: str = ""
    ) -> Erasure:
        """Delete an entity from both stores; see `core.features.erasing`. Raises `CannotErase`,
        `Refused`, `BadInput`."""
        from core.features.erasing import erase

        self._session.refuse_when_read_only(f"features delete {ref}")
        view = self._registered(ref)
        self._access.check_write(view.spec.source)
        if purge:
            self._access.check_manage(view.spec.source)
        return erase(self._session, self._lake, view, key, purge=purge, reason=reason)

    def skew(self, ref: str, *, sample: int = 1000) -> FeatureSkew:
        """Measure how far the online store is from the offline rows of now, and keep that."""
        from core.features import registry
        from core.features.offline import opener
        from core.features.place import online_file, spill_of
        from core.features.skew import measure

        self._session.refuse_when_read_only(f"features skew {ref}")
        view = self._registered(ref)
        purpose = f"skew of {view.ref}"
        self._refuse_partial(view.spec, purpose)
        found = measure(
            view.spec, view.version, opener(self._access, view.spec, None, purpose),
            online_file(self._session.workspace, view.spec.name, view.version),
            now=time.time(), sample=sample, spill=spill_of(self._session.workspace),
        )  # fmt: skip
        registry.record_skew(self._session, found)
        return found

    # -- inside

    @cached_property
    def _access(self) -> Access:
        from core.governance.access import Access

        return Access(self._session)

    @cached_property
    def _lake(self) -> Lake:
        from core.lake import open_lake

        return open_lake(self._session)

    def _refuse_partial(self, spec: FeatureSpec, purpose: str, actor: str | None = None) -> None:
        from core.features.guard import refuse_partial

        refuse_partial(self._access, spec, purpose, actor)

    def _registered(self, ref: str) -> FeatureView:
        return _reads.find_version(self._session.reader, ref)

    def _current(self, ref: str, verb: str) -> FeatureView:
        """The version meant; of a bare name what its file says by now."""
        self._session.refuse_when_read_only(f"features {verb} {ref}")
        name, version = _reads.parse_ref(ref)
        view = self.find(ref)
        if version is None and (view.changed or not view.version):
            return self.apply(name)
        return view

    def _materialize(
        self, view: FeatureView, *, rebuild: bool = False,
        only: tuple[float | None, float | None] | None = None,
    ) -> Materialized:  # fmt: skip
        from core.features.upkeep import bring_up

        if not view.spec.online or view.state is FeatureViewState.RETIRED:
            why = "retired" if view.spec.online else "not kept online"
            raise NotOnline(
                f"feature view {view.ref} is {why}",
                "say online: true in its file, then: opsdeck features apply " + view.spec.name,
            )
        self._refuse_partial(view.spec, f"materialise {view.ref}", view.spec.owner)
        return bring_up(self._session, self._lake, view, rebuild=rebuild, only=only)

    def _use(
        self, ref: str, keys: Mapping[str, str], prefix: bool
    ) -> tuple[FeatureUse, FeatureView]:
        from core.features.uses import parse_use

        use = parse_use(ref)
        wanted = use.ref if use.version else use.view
        view = self.find(wanted) if self._session.read_only else self._current(wanted, "join")
        mine = {key: column for key, column in keys.items() if key in view.spec.keys}
        shown = f"{use.view}_" if prefix else ""
        return replace(use, version=view.version, keys=mine, prefix=shown), view


def _beside(
    view: FeatureView, file: _files.FeatureFile | None, *, newest: bool = True
) -> FeatureView:
    """A version with what its file says by now."""
    if file is None or not newest:
        return view
    changed = file.spec is not None and file.spec.fingerprint != view.spec.fingerprint
    message = view.message
    if file.problems:
        message = f"its file is wrong: {file.problems[0].one_line()}"
    return replace(view, file=file.path, changed=changed, message=message)
