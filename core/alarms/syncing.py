"""Bringing the rows of alarms in line with the files under `monitors/`.

A file that has become wrong never drops an alarm in silence: the last good definition goes on,
and the alarm says what is wrong. One that no file defines any more is let go, on record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from core.alarms import rows, transitions
from core.alarms.acting import World
from core.alarms.definitions import check_together
from core.alarms.order import children
from core.alarms.stored import definition_json
from core.domain.alarm import AlarmDefinition
from core.releases.values import Problems
from core.session import Session

if TYPE_CHECKING:
    from core.monitors.files import WatchFiles
    from core.state.store import Transaction


def sync(session: Session) -> int:
    """Take over what the files say; returns how many alarms that changed."""
    from core.monitors.files import read_watch_files

    files = read_watch_files(session.workspace.root)
    defined, problems = wanted(files)
    known = rows.load(session.reader)
    if not _differences(known, defined, problems, files.unreadable):
        return 0
    with session.change("alarms sync") as tx:
        return _apply(tx, session, defined, problems, files.unreadable)


def wanted(files: WatchFiles) -> tuple[dict[str, AlarmDefinition], dict[str, str]]:
    """The alarms that the files define, those of objectives among them, and what is wrong with
    which of them."""
    from core.slo import derived_alarms

    defined = {alarm.name: alarm for slo in files.slos for alarm in derived_alarms(slo)}
    defined |= {alarm.name: alarm for alarm in files.alarms}
    problems: dict[str, str] = {}
    for problem in files.problems:
        section, _, rest = problem.key.partition(".")
        if section == "alarms" and rest:
            problems.setdefault(rest.partition(".")[0], problem.one_line())
    together = Problems()
    for name in check_together(together, "alarms", defined):
        defined.pop(name, None)
    for fault in together.found:
        for name in fault.message.rpartition(": ")[2].split(" → "):
            problems.setdefault(name, fault.message)
    for alarm in defined.values():
        missing = [name for name in children(alarm) if name not in defined and name not in problems]
        if missing:
            problems.setdefault(alarm.name, f"it looks at {missing[0]}, which nobody defines")
    return defined, problems


def _differences(
    known: Mapping[str, rows.Standing],
    defined: Mapping[str, AlarmDefinition],
    problems: Mapping[str, str],
    unreadable: Iterable[str],
) -> bool:
    for name, standing in known.items():
        alarm = defined.get(name)
        if alarm is not None and alarm != standing.definition:
            return True
        if _problem(name, alarm, problems, unreadable) != standing.problem:
            return True
        if alarm is None and name not in problems and not list(unreadable):
            return True
    return any(name not in known for name in defined)


def _problem(
    name: str,
    alarm: AlarmDefinition | None,
    problems: Mapping[str, str],
    unreadable: Iterable[str],
) -> str:
    if name in problems:
        return problems[name]
    files = list(unreadable)
    return f"{files[0]} can't be read" if alarm is None and files else ""


def _apply(
    tx: Transaction,
    session: Session,
    defined: Mapping[str, AlarmDefinition],
    problems: Mapping[str, str],
    unreadable: Iterable[str],
) -> int:
    world = World(session.reader, tx.now, defined)
    changed = 0
    known = _known(tx)
    for name, alarm in defined.items():
        problem = _problem(name, alarm, problems, unreadable)
        if name not in known:
            _make(tx, alarm, problem)
            changed += 1
        elif (known[name].definition, known[name].problem) != (alarm, problem):
            _update(tx, known[name], alarm, problem)
            changed += 1
    for name, standing in known.items():
        if name in defined:
            continue
        problem = _problem(name, None, problems, unreadable)
        if not problem:
            transitions.forget(tx, world, standing, "no file defines it any more")
            changed += 1
        elif problem != standing.problem:
            rows.change(tx, name, problem=problem)
            rows.remember(tx, name, "config", f"its file is broken: {problem}")
            changed += 1
    return changed


def _known(tx: Transaction) -> dict[str, rows.Standing]:
    import sqlalchemy as sa

    from core.state.alarm_tables import alarms as table

    found = tx.rows(sa.select(table).where(table.c.gone_at.is_(None)))
    return {row["name"]: rows.standing_of(row) for row in found}


def _make(tx: Transaction, alarm: AlarmDefinition, problem: str) -> None:
    """A new row; one that was let go begins anew, its history stays."""
    from core.state.alarm_tables import alarms as table

    tx.execute(table.delete().where(table.c.name == alarm.name))
    tx.execute(
        table.insert().values(
            name=alarm.name,
            definition=definition_json(alarm),
            problem=problem,
            since=tx.now,
            created_at=tx.now,
            reason="not evaluated yet",
        )
    )
    rows.remember(tx, alarm.name, "config", f"defined: {alarm.words()}")
    tx.journal("alarm.create", f"alarm/{alarm.name}", definition=alarm.words())


def _update(tx: Transaction, standing: rows.Standing, alarm: AlarmDefinition, problem: str) -> None:
    rows.change(tx, alarm.name, definition=definition_json(alarm), problem=problem)
    changed = _changed(standing.definition, alarm)
    if changed:
        words = "; ".join(f"{key} {old} → {new}" for key, (old, new) in changed.items())
        rows.remember(tx, alarm.name, "config", words)
        tx.journal("alarm.change", f"alarm/{alarm.name}", changed=words)


def _changed(before: AlarmDefinition, after: AlarmDefinition) -> dict[str, tuple[Any, Any]]:
    pairs = {
        each.name: (_plain(getattr(before, each.name)), _plain(getattr(after, each.name)))
        for each in fields(AlarmDefinition)
    }
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _plain(value: Any) -> str:
    """A value of a definition as it is said."""
    if isinstance(value, tuple):
        return "[" + ", ".join(each.words() for each in value) + "]"
    if value is None or value == "":
        return "none"
    return value.words() if hasattr(value, "words") else f"{value}"
