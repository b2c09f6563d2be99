"""Looking after objectives: once a minute a worker writes how they stand into `slo/NAME`.

| metric | what | dims |
|---|---|---|
| `sli` | share of good events over the objective's window | |
| `budget_left` | share of the error budget that is left: 1 untouched, below 0 overdrawn | |
| `burn_fast`, `burn_slow`, `burn_trickle` | the rate of both windows of a pair at least | |
| `burn` | the burn rate over one window | `window`, in seconds |
| `events`, `bad` | over the objective's window | |
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from core.domain.series import Point
from core.domain.slo import SloDefinition
from core.series.recording import record
from core.session import Session
from core.slo.burning import budget_left, burn_rate, tier_rate, tiers
from core.slo.counting import Counter
from core.slo.stored import slo_from_json, slo_json

if TYPE_CHECKING:
    from core.monitors.files import WatchFiles
    from core.state.store import Transaction

MINUTE = 60.0


class SloKeeper:
    """The objectives of a workspace, as one worker looks after them. Not thread-safe."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._counters: dict[str, Counter] = {}
        self._stamp: object = None
        self._at = 0.0

    def look(self, now: float | None = None) -> int:
        """Write how every objective stands, where a minute has gone by; returns how many."""
        from core.monitors.files import stamp

        now = self._session.reader.clock() if now is None else now
        minute = math.floor(now / MINUTE) * MINUTE
        found = stamp(self._session.workspace.root)
        if found != self._stamp:
            self._read()
            self._stamp = found
        if minute == self._at or not self._counters:
            return 0
        self._at = minute
        points = {name: self._points(each, minute) for name, each in self._counters.items()}
        with self._session.change("slos") as tx:
            for name, each in points.items():
                record(tx, f"slo/{name}", each)
        return len(points)

    def _read(self) -> None:
        """The objectives of the files; what has been counted of those that stayed is kept, and
        the last good definition of one whose file has become wrong."""
        from core.monitors.files import read_watch_files

        files = read_watch_files(self._session.workspace.root)
        slos: dict[str, SloDefinition] = {slo.name: slo for slo in files.slos}
        problems = _problems(files)
        for name, definition in _known(self._session).items():
            if name not in slos and (name in problems or files.unreadable):
                slos[name] = definition
                problems.setdefault(name, f"{(*files.unreadable, '')[0]} can't be read")
        kept = {name: each for name, each in self._counters.items() if each.slo == slos.get(name)}
        self._counters = {name: kept.get(name) or Counter(slo) for name, slo in slos.items()}
        rows = {name: (slo_json(slo), problems.get(name, "")) for name, slo in slos.items()}
        if rows != _rows(self._session):
            with self._session.change("slos") as tx:
                _remember(tx, rows)

    def _points(self, counter: Counter, now: float) -> list[Point]:
        """How one stands at the end of a minute, as points of that minute."""
        slo, at = counter.slo, now - MINUTE
        counter.refresh(self._session.reader, now)
        whole = counter.count(slo.window, now)
        left = budget_left(slo, whole)
        sli = None if whole[0] <= 0 else 1 - whole[1] / whole[0]
        points = [
            Point("sli", at, sli),
            Point("budget_left", at, left),
            Point("events", at, whole[0]),
            Point("bad", at, whole[1]),
        ]
        lengths: dict[float, None] = {}
        for tier in tiers(slo):
            rate = tier_rate(slo, tier, lambda seconds: counter.count(seconds, now))
            points.append(Point(f"burn_{tier.name}", at, rate))
            lengths |= {tier.long: None, tier.short: None}
        for length in lengths:
            rate = burn_rate(slo, counter.count(length, now))
            points.append(Point("burn", at, rate, {"window": f"{length:g}"}))
        return points


def _problems(files: WatchFiles) -> dict[str, str]:
    """What is wrong with which objective."""
    found: dict[str, str] = {}
    for problem in files.problems:
        section, _, rest = problem.key.partition(".")
        if section == "slos" and rest:
            found.setdefault(rest.partition(".")[0], problem.one_line())
    return found


def _rows(session: Session) -> dict[str, tuple[str, str]]:
    rows = session.reader.rows("SELECT name, definition, problem FROM slos")
    return {row["name"]: (row["definition"], row["problem"]) for row in rows}


def _known(session: Session) -> dict[str, SloDefinition]:
    return {name: slo_from_json(text) for name, (text, _) in _rows(session).items()}


def _remember(tx: Transaction, wanted: dict[str, tuple[str, str]]) -> None:
    """The definitions as rows, for whoever reads without files."""
    from core.state.alarm_tables import slos as table

    tx.execute(table.delete())
    for name, (definition, problem) in wanted.items():
        tx.execute(table.insert().values(name=name, definition=definition, problem=problem))
    tx.journal("slo.define", "slos", names=sorted(wanted))
