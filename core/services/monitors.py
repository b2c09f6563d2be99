"""Monitors: defined in files, run by the worker over windows, shown with what they found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.domain.monitor import (
    Baseline,
    Distribution,
    HeatMap,
    Monitor,
    MonitorRun,
    MonitorRunDetail,
    Suggested,
)
from core.domain.pipeline import Problem
from core.errors import WrongState
from core.reads import baselines as _baselines
from core.reads import monitormaps as _maps
from core.reads import monitors as _monitors
from core.session import Session

if TYPE_CHECKING:
    from core.domain.looked import Looked
    from core.monitors.exporting import ExportFormat


class MonitorsService:
    """The workspace's monitors. Lists come from rows; running loads what the kinds need."""

    def __init__(self, session: Session) -> None:
        self._session = session

    # -- reading

    def list(self, *, gone: bool = False) -> tuple[Monitor, ...]:
        """Every monitor, by name, as the last look at the files left them; with `gone` also
        those that no file defines any more."""
        return _monitors.list_monitors(self._session.reader, gone=gone)

    def get(self, name: str) -> Monitor:
        """One monitor; raises `NotFound`."""
        return _monitors.find_monitor(self._session.reader, name)

    def problems(self) -> tuple[Problem, ...]:
        """All that is wrong with the files under `monitors/` now."""
        from core.monitors.files import read_watch_files

        return read_watch_files(self._session.workspace.root).problems

    def definition(self, name: str) -> Mapping[str, Any]:
        """The last good definition of a monitor, as it was written; raises `NotFound`."""
        import json

        self.get(name)
        rows = self._session.reader.rows(
            "SELECT definition FROM monitors WHERE name = :name", name=name
        )
        found: Mapping[str, Any] = json.loads(rows[0]["definition"])
        return found

    def runs(
        self,
        name: str | None = None,
        *,
        limit: int = 50,
        since: float | None = None,
        until: float | None = None,
        state: str | None = None,
    ) -> tuple[MonitorRun, ...]:
        """Runs, those of the newest windows first; raises `NotFound` for an unknown monitor."""
        if name is not None:
            self.get(name)
        return _monitors.list_runs(
            self._session.reader, name, limit=limit, since=since, until=until, state=state
        )

    def find(self, ref: str) -> MonitorRunDetail:
        """A run by its id, `NAME@WINDOW`, or a monitor's newest by its name, with what it
        measured; raises `NotFound`."""
        return _monitors.find_run(self._session.reader, ref)

    def measurements(
        self, name: str, *, metric: str = "", windows: int = 40, segment: str = ""
    ) -> HeatMap:
        """Features × the newest windows; raises `NotFound`."""
        self.get(name)
        return _maps.heat_map(
            self._session.reader, name, metric=metric, windows=windows, segment=segment
        )

    def distribution(self, name: str, feature: str, window: str = "") -> Distribution:
        """One feature now and then; raises `NotFound`."""
        self.get(name)
        return _maps.distribution(self._session.reader, name, feature, window)

    def baselines(self, name: str | None = None) -> tuple[Baseline, ...]:
        """Stored baselines, newest first."""
        return _baselines.list_baselines(self._session.reader, name)

    def show_baseline(self, name: str, begin: str = "") -> Baseline:
        """A stored baseline with its summary: the newest of a monitor, or the one whose id
        begins so. Raises `NotFound`, `StateCorrupt`."""
        from dataclasses import replace

        from core.monitors.baselines import load

        if begin:
            found = _baselines.find_baseline(self._session.reader, begin, name)
        else:
            known = self.baselines(name)
            if not known:
                raise _monitors.NoMonitorRow(
                    f"monitor {name}: no baseline yet", f"make it: opsdeck monitors baseline {name}"
                )
            found = next((each for each in known if each.active), known[0])
        return replace(found, summary=load(self._session, found).summary)

    def compare_baselines(
        self, name: str, one: str, other: str
    ) -> tuple[tuple[str, Any, Any], ...]:
        """Where the summaries of two stored baselines differ: place, one's value, the other's."""
        from core.monitors.comparing import differences

        first, second = self.show_baseline(name, one), self.show_baseline(name, other)
        return differences(first.summary or {}, second.summary or {})

    def due(self, now: float) -> tuple[str, ...]:
        """Monitors to be looked at now; reads rows and looks at folders, nothing more."""
        from core.monitors.due import due_monitors

        return due_monitors(self._session, now)

    # -- files and rows

    def sync(self) -> tuple[Problem, ...]:
        """Bring the rows up to what the files say; all that is wrong with these."""
        from core.monitors.syncing import sync

        self._session.refuse_when_read_only("monitors sync")
        return sync(self._session).problems

    def create(self, name: str, data: Mapping[str, Any]) -> Monitor:
        """Write `monitors/NAME.yaml`, and take it over. Raises `MonitorsInvalid`, and
        `WrongState` where the name is taken."""
        from core.monitors.editing import create

        self._session.refuse_when_read_only(f"monitors create {name}")
        create(self._session.workspace.root, name, data)
        self.sync()
        self._stand_for(name)
        return self.get(name)

    def _stand_for(self, name: str) -> None:
        from core.monitors.rights import stand_for

        stand_for(self._session, name)

    def delete(self, name: str) -> None:
        """Take a monitor out of its file, and forget its runs, baselines and files. Raises
        `NotFound`, `WrongState`, `MonitorBusy`."""
        from core.monitors.claims import claimed
        from core.monitors.editing import remove
        from core.monitors.tidying import forget_monitor

        self._session.refuse_when_read_only(f"monitors delete {name}")
        self.sync()
        self.get(name)
        with claimed(self._session, name, 60.0):
            remove(self._session.workspace.root, name)
            forget_monitor(self._session, name)

    def pause(self, name: str, reason: str = "") -> Monitor:
        """Let a monitor rest until it is resumed; raises `NotFound`, `WrongState`."""
        return self._rest(name, reason, paused=True)

    def resume(self, name: str) -> Monitor:
        """Have a monitor go on; windows that it missed are caught up with as after any break.
        Raises `NotFound`, `WrongState`."""
        return self._rest(name, "", paused=False)

    def _rest(self, name: str, reason: str, *, paused: bool) -> Monitor:
        what = "pause" if paused else "resume"
        self._session.refuse_when_read_only(f"monitors {what} {name}")
        found = self.get(name)
        if (found.paused_at is not None) is paused:
            raise WrongState(
                f"monitor {name}: {'is paused already' if paused else 'is not paused'}"
            )
        from core.monitors.syncing import set_row

        with self._session.change(f"monitors {what}") as tx:
            set_row(
                tx,
                name,
                paused_at=tx.now if paused else None,
                paused_by=tx.actor if paused else None,
                pause_reason=reason,
                failures=0,
                backoff_until=None,
            )
            tx.journal(f"monitor.{what}", f"monitor/{name}", reason=reason)
        return self.get(name)

    # -- running

    def look(self, name: str) -> Looked:
        """What the worker does when a monitor is due. Raises `MonitorBusy`."""
        from core.monitors.looking import look

        self._session.refuse_when_read_only(f"monitors run {name}")
        return look(self._session, name)

    def run(
        self,
        name: str,
        *,
        since: float | None = None,
        until: float | None = None,
        stand: bool = True,
    ) -> Looked:
        """Run a monitor now over what is due; or, given a time, over every window within it,
        whether on record or not. The actor stands for its definition, where nobody does, unless
        it is one of many that are run (`stand`). Raises `NotFound`, `MonitorsInvalid`,
        `MonitorBusy`."""
        import time

        from core.monitors.looking import look, replay

        self._session.refuse_when_read_only(f"monitors run {name}")
        self.sync()
        if stand:
            self._stand_for(name)
        if since is None and until is None:
            return look(self._session, name, cause="hand")
        return replay(self._session, name, since or 0.0, until or time.time())

    def abandon(self, name: str, reason: str) -> None:
        """Say that whoever ran a monitor was ended from outside; raises `MonitorBusy`."""
        from core.monitors.looking import abandon

        self._session.refuse_when_read_only(f"monitors run {name}")
        abandon(self._session, name, reason)

    def tidy(self, now: float) -> int:
        """Let go of old runs and their files; returns how many runs went."""
        from core.monitors.tidying import tidy

        self._session.refuse_when_read_only("monitors tidy")
        return tidy(self._session, now)

    # -- baselines

    def baseline(self, name: str, source: str | None = None) -> Baseline:
        """Make a monitor's baseline now: by its definition, or from another `source`, which then
        holds until it is demoted. Raises `NotFound`, `NoBaseline`, `MonitorBusy`."""
        from core.monitors.baselinework import make_now

        self._session.refuse_when_read_only(f"monitors baseline {name}")
        self.sync()
        self._stand_for(name)
        return make_now(self._session, name, source)

    def promote(self, name: str, begin: str) -> Baseline:
        """Have the stored baseline whose id begins so hold; raises `NotFound`."""
        from core.monitors.baselinework import promote

        self._session.refuse_when_read_only(f"monitors baseline {name}")
        self.get(name)
        return promote(self._session, name, begin)

    def demote(self, name: str) -> None:
        """Go back to the baseline that the definition says. Raises `NotFound`, `WrongState`
        where none was promoted."""
        from core.monitors.baselinework import demote

        self._session.refuse_when_read_only(f"monitors baseline {name}")
        self.get(name)
        demote(self._session, name)

    # -- suggesting and handing out

    def suggest(self, watch: str) -> Suggested:
        """Monitors, alarms, objectives and triggers for an endpoint, or monitors for a feature
        view (`features/NAME`), as a file's text with reasons. Raises `NotFound`, `NoBaseline`,
        `NotWatchable`, and `Refused` where the view's source may not be read."""
        from core.monitors.definition import FEATURES
        from core.monitors.suggesting import suggest
        from core.monitors.suggestingviews import suggest_view

        kind, found, name = watch.partition("/")
        if found and kind == FEATURES:
            return suggest_view(self._session, name)
        return suggest(self._session, name if found and kind == "endpoint" else watch)

    def write_suggested(self, watch: str, *, force: bool = False) -> Suggested:
        """The same, written to its file under `monitors/` and taken over. Raises `WrongState`
        where the file exists, unless forced."""
        from dataclasses import replace

        from core.monitors.store import write_whole

        self._session.refuse_when_read_only(f"monitors suggest {watch} --write")
        found = self.suggest(watch)
        path = self._session.workspace.root / found.path
        if path.exists() and not force:
            raise WrongState(f"{found.path} exists", "look at it, then add --force")
        write_whole(path, found.text.encode())
        self.sync()
        for each in self.list():
            if each.file == found.path:
                self._stand_for(each.name)
        return replace(found, written=True)

    def export(
        self,
        ref: str,
        target: Path,
        format: ExportFormat | None = None,
        *,
        limit: int = 10_000,
    ) -> tuple[Sequence[Path], int]:
        """Write SageMaker's files of a run into a folder, or a monitor's measurements to a CSV
        or Parquet file: the files, and how many rows. Raises `NotFound`, `BadInput`."""
        from core.monitors.exporting import ExportFormat, export_files, export_measurements

        wanted = format or ExportFormat.SAGEMAKER
        if wanted is ExportFormat.SAGEMAKER:
            return export_files(self._session, ref, target), 0
        rows = export_measurements(self._session, ref, target, wanted, limit)
        return (target,), rows
