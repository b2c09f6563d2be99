"""The baseline that a window is compared with: found where it is stored, else made.

`baseline:` says where its rows are from:

| written | rows |
|---|---|
| `training` | of the served version, by lineage; of some kinds its evaluation rows |
| `training:STEP.OUTPUT`, `evaluation:STEP.OUTPUT` | what that step of the version's run put out |
| `captured:7d`, `captured:2012-01-01..2012-02-01` | what the endpoint was asked then |
| `dataset:NAME@VERSION` | a version of a dataset |
| `features:NAME@VERSION` | a feature view's rows, of a version of its source |
| `run/12:split.train_rows` | what a step of a run put out, whatever is served |
| a stored baseline's id | that one, as it is |

One that was promoted by hand holds before all of that.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.domain.monitor import CAPTURED_TIME, Baseline, MonitorDefinition, Reference
from core.errors import NotFound
from core.monitors.captured import CapturedSource
from core.monitors.definition import FEATURES
from core.monitors.errors import NoBaseline, NothingThere
from core.monitors.kind import (
    AT,
    LABEL,
    PREDICTION,
    SCORE,
    Kind,
    KindContext,
    StoredBaseline,
    Window,
)
from core.monitors.lineage import RowsOf, columns_of, rows_of, rows_of_run, version_run
from core.monitors.model import arrow_type
from core.monitors.rows import ParquetWindow, SpooledWindow, spool_batches
from core.monitors.spool import Spool, moment
from core.monitors.store import get, put
from core.reads import baselines as _baselines
from core.reads import datasets as _datasets
from core.reads import models as _models
from core.session import Session
from core.units import seconds

_RUN = re.compile(r"run/(\d+):([\w-]+\.\w+)")
_OF_VERSION = re.compile(r"(training|evaluation)(?::([\w-]+\.\w+))?")
_DATASET = re.compile(r"dataset:([a-z][a-z0-9_]{0,62})(?:@(.+))?")
_VIEW = re.compile(r"features:([a-z][a-z0-9_]{0,62})(?:@(.+))?")
_STORED = re.compile(r"(?:stored:)?([0-9a-f]{6,64})")


@dataclass(frozen=True, slots=True)
class Asked:
    """For which monitor a baseline is wanted, and what it is for."""

    session: Session
    definition: MonitorDefinition
    kind: Kind
    context: KindContext
    learnt: str
    actor: str


def active_baseline(asked: Asked) -> tuple[Baseline, StoredBaseline]:
    """The baseline that holds now; made where it is not there yet. Raises `NoBaseline`, and
    what the kind raises where its rows will not do."""
    found = stored_baseline(asked)
    if found is not None:
        return found, load(asked.session, found)
    return make(asked, asked.definition.baseline)


def stored_baseline(asked: Asked) -> Baseline | None:
    """The same, where it is stored."""
    definition, context = asked.definition, asked.context
    known = _baselines.list_baselines(asked.session.reader, definition.name)
    promoted = [each for each in known if each.active]
    if promoted and promoted[0].kind == asked.kind.name:
        return promoted[0]
    for each in known:
        same = (each.source, each.fingerprint) == (definition.baseline, asked.learnt)
        if same and (each.model, each.version) == (context.model, context.version):
            return each
    return None


def load(session: Session, baseline: Baseline) -> StoredBaseline:
    """The content of a stored baseline; raises `StateCorrupt`."""
    path = _baselines.baseline_path(session.reader, baseline.monitor, baseline.id)
    return get(session.workspace.state_dir / path)


def make(asked: Asked, source: str) -> tuple[Baseline, StoredBaseline]:
    """Make a baseline from what `source` says, and keep it. Raises `NoBaseline`."""
    stored = _STORED.fullmatch(source)
    if stored is not None:
        return _adopted(asked, source, stored[1])
    folder = asked.context.workdir / "reference"
    try:
        window, origin = reference_window(asked, source, folder)
        if not window.rows:
            raise NoBaseline(f"baseline {source}: there are no rows", "name other rows")
        made = asked.kind.baseline(asked.definition, window, asked.context)
        return _keep(asked, source, made, origin, window.rows)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def reference_window(asked: Asked, source: str, folder: Path) -> tuple[Window, Mapping[str, Any]]:
    """The rows that `source` means, and where they are from. Raises `NoBaseline`."""
    session, definition = asked.session, asked.definition
    version = _OF_VERSION.fullmatch(source)
    if version is not None:
        return _of_version(asked, version[1], version[2] or "", folder)
    run = _RUN.fullmatch(source)
    if run is not None:
        rows = rows_of_run(session, int(run[1]), run[2])
        return _window(asked, rows, folder), rows.origin
    dataset = _DATASET.fullmatch(source)
    if dataset is not None:
        rows = _of_dataset(session, dataset[1], dataset[2])
        return _window(asked, rows, folder), rows.origin
    view = _VIEW.fullmatch(source)
    if view is not None:
        return _of_view(asked, view[1], view[2], folder)
    if source.startswith("captured:"):
        return _captured(asked, source.removeprefix("captured:"), folder)
    raise NoBaseline(
        f"monitor {definition.name}: baseline {source!r} is not understood",
        "training, training:STEP.OUTPUT, captured:7d, dataset:NAME@VERSION,"
        " features:NAME@VERSION, run/12:STEP.OUTPUT, or a stored one's id",
    )


def _of_version(
    asked: Asked, word: str, named: str, folder: Path
) -> tuple[Window, Mapping[str, Any]]:
    context = asked.context
    if not context.model or context.version is None:
        raise NoBaseline(
            f"monitor {asked.definition.name}: no model version is behind {asked.definition.watch}",
            "name rows: baseline: dataset:NAME@VERSION",
        )
    found = version_run(asked.session, context.model, context.version)
    wanted = Reference.EVALUATION if word == "evaluation" else asked.kind.reference
    rows = rows_of(asked.session, found, wanted, named)
    return _window(asked, rows, folder), {**rows.origin, "part": wanted.value}


def _of_dataset(session: Session, name: str, version: str | None) -> RowsOf:
    try:
        if version is None:
            number = _datasets.find_dataset(session.reader, name).number
            version = str(number)
        snapshot = _datasets.find_snapshot(session.reader, name, version)
    except NotFound as error:
        raise NoBaseline(error.message, error.hint) from None
    origin = {"dataset": name, "snapshot": snapshot.id, "number": snapshot.number}
    return RowsOf(origin, None, name, snapshot.id)


def _of_view(
    asked: Asked, name: str, version: str | None, folder: Path
) -> tuple[Window, Mapping[str, Any]]:
    """A feature view's rows, of a version of its source."""
    from core.governance.access import open_access
    from core.monitors.featureviews import governed_rows, view_rows, watched_view
    from core.monitors.spool import epochs

    definition, session = asked.definition, asked.session
    same = definition.target_kind == FEATURES and definition.target == name
    try:
        view = watched_view(session, name, asked.context.version if same else None)
    except NothingThere as error:
        raise NoBaseline(error.message, error.hint) from None
    spec = view.spec
    found = _of_dataset(session, spec.source, version)
    access, spool = open_access(session), Spool(folder)
    try:
        rows = governed_rows(access, spec, found.snapshot, definition.name, asked.actor)
        batches = (
            each.append_column(AT, epochs(each.column(spec.event_time)))
            for each in view_rows(session, spec, rows, {})
        )
        spool_batches(spool, batches, {})
    finally:
        access.close()
    window = SpooledWindow(spool, 0.0, 0.0, definition.watch, False)
    return window, {"feature_view": view.ref, **found.origin}


def _window(asked: Asked, rows: RowsOf, folder: Path) -> Window:
    """The rows as a kind reads them, with label, prediction and time where they are known."""
    definition = asked.definition
    there = set(columns_of(asked.session, rows))
    renamed = {
        name: column
        for name, column in (
            (LABEL, definition.label or rows.target),
            (PREDICTION, definition.prediction or rows.prediction),
            (SCORE, definition.score),
        )
        if column in there
    }
    at = definition.time if definition.time != CAPTURED_TIME and definition.time in there else ""
    target = definition.watch
    if rows.path is None:
        return _governed(asked, rows, folder, renamed, at)
    predict = predicted = None
    inputs = set(asked.context.inputs) if asked.context.model else set[str]()
    if PREDICTION not in renamed and inputs and inputs <= there:
        predict, predicted = _predict(asked), _prediction_type(asked)
    return ParquetWindow(rows.path, target, renamed, predict, predicted, at)


def _predict(asked: Asked) -> Any:
    return lambda table: asked.context.load_model().predict(table).tolist()


def _prediction_type(asked: Asked) -> Any:
    version = asked.context.version
    found = _models.find_version(asked.session.reader, asked.context.model, str(version))
    return arrow_type(asked.session.workspace.state_dir / found.path)


def _governed(
    asked: Asked, rows: RowsOf, folder: Path, renamed: Mapping[str, str], at: str
) -> Window:
    """Rows of a dataset, by the governed read path."""
    from core.governance.access import open_access
    from core.monitors.rights import reading
    from core.monitors.spool import epochs

    access = open_access(asked.session)
    spool = Spool(folder)
    try:
        purpose = f"monitor {asked.definition.name}: baseline"
        with reading(asked.definition.name, rows.dataset, asked.actor):
            batches = access.scan(
                rows.dataset, at=rows.snapshot, actor=asked.actor, purpose=purpose
            )
        if at:
            batches = (
                each.append_column(AT, epochs(each.column(each.schema.get_field_index(at))))
                for each in batches
            )
        spool_batches(spool, batches, renamed)
    finally:
        access.close()
    return SpooledWindow(spool, 0.0, 0.0, asked.definition.watch, LABEL in renamed)


def _captured(asked: Asked, text: str, folder: Path) -> tuple[Window, Mapping[str, Any]]:
    definition = asked.definition
    if definition.target_kind != "endpoint":
        raise NoBaseline(f"baseline captured:{text}: {definition.watch} captures nothing")
    since, until = captured_range(text, asked.context.now)
    source = CapturedSource(asked.session, replace(definition, time=CAPTURED_TIME))
    source.refresh(asked.context.now)
    place = {"by": "time", "since": since, "until": until}
    if definition.variant != "all":
        place["revision"] = _revision(asked)
    window = source.read(place, folder)
    return window, {"endpoint": definition.target, "since": since, "until": until, **place}


def _revision(asked: Asked) -> int:
    rows = asked.session.reader.rows(
        "SELECT max(revision) AS revision FROM revisions WHERE endpoint = :endpoint"
        " AND model = :model AND version = :version",
        endpoint=asked.definition.target,
        model=asked.context.model,
        version=asked.context.version,
    )
    return int(rows[0]["revision"] or 0) if rows else 0


def captured_range(text: str, now: float) -> tuple[float, float]:
    """From when until when `7d`, `last 7d` or `2012-01-01..2012-02-01` reaches. Raises
    `NoBaseline`."""
    begin, dots, end = text.strip().partition("..")
    if dots:
        since, until = moment(begin), moment(end)
        if since is not None and until is not None and since < until:
            return since, until
    else:
        try:
            return now - seconds(begin.lower().removeprefix("last").strip()), now
        except ValueError:
            pass
    raise NoBaseline(
        f"baseline captured:{text}: not a time",
        "such as captured:7d, or captured:2012-01-01..2012-02-01",
    )


def _keep(
    asked: Asked, source: str, made: StoredBaseline, origin: Mapping[str, Any], rows: int
) -> tuple[Baseline, StoredBaseline]:
    session, definition, context = asked.session, asked.definition, asked.context
    digest, path, size = put(session.workspace.state_dir, asked.kind.name, made)
    record = Baseline(
        id=digest,
        monitor=definition.name,
        kind=asked.kind.name,
        source=source,
        rows=rows,
        made_at=context.now,
        made_by=session.actor,
        model=context.model,
        version=context.version,
        fingerprint=asked.learnt,
        origin=origin,
        bytes=size,
    )
    _insert(session, record, path)
    return record, made


def _insert(session: Session, record: Baseline, path: str) -> None:
    from core.state.monitor_tables import monitor_baselines as table

    mine = (table.c.monitor == record.monitor) & (table.c.id == record.id)
    with session.change(f"monitors baseline {record.monitor}") as tx:
        before = tx.row(table.select().where(mine)) or {}
        tx.execute(table.delete().where(mine))
        tx.execute(
            table.insert().values(
                monitor=record.monitor,
                id=record.id,
                kind=record.kind,
                source=record.source,
                origin=json.dumps(record.origin, sort_keys=True, default=str),
                model=record.model,
                version=record.version,
                fingerprint=record.fingerprint,
                rows=record.rows,
                bytes=record.bytes,
                path=path,
                made_at=record.made_at,
                made_by=record.made_by,
                promoted_at=before.get("promoted_at"),
                promoted_by=before.get("promoted_by"),
            )
        )
        tx.journal(
            "monitor.baseline",
            f"monitor/{record.monitor}",
            baseline=record.id,
            source=record.source,
            rows=record.rows,
            model=record.model,
            version=record.version,
        )


def _adopted(asked: Asked, source: str, begin: str) -> tuple[Baseline, StoredBaseline]:
    """A stored baseline of any monitor of the same kind, as this monitor's own."""
    found = _baselines.find_baseline(asked.session.reader, begin)
    if found.kind != asked.kind.name:
        raise NoBaseline(f"baseline {found.id[:12]} is of kind {found.kind}, not {asked.kind.name}")
    path = _baselines.baseline_path(asked.session.reader, found.monitor, found.id)
    stored = get(asked.session.workspace.state_dir / path)
    if found.monitor == asked.definition.name and found.source == source:
        return found, stored
    record = replace(
        found,
        monitor=asked.definition.name,
        source=source,
        fingerprint=asked.learnt,
        model=asked.context.model,
        version=asked.context.version,
        origin={**found.origin, "of": found.monitor},
        active=False,
    )
    _insert(asked.session, record, path)
    return record, stored
