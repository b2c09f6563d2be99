"""Bringing the rows of monitors up to what the files say.

A monitor whose definition cannot be read keeps its last good one, and goes on by it; the row
says that it is broken, and why. One that no file defines any more is gone, and keeps its past.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from core.domain.monitor import NOBODY, MonitorDefinition, MonitorState
from core.monitors.definition import read_monitor
from core.monitors.errors import MonitorsInvalid, NoMonitor
from core.monitors.files import WatchFiles, read_watch_files
from core.monitors.telling import tell_gone
from core.releases.values import Problems
from core.session import Session
from core.state.monitor_tables import monitors as table
from core.state.store import Transaction


def sync(session: Session, files: WatchFiles | None = None) -> WatchFiles:
    """Read the files and bring the rows up to them; what changes is journalled."""
    found = read_watch_files(session.workspace.root) if files is None else files
    known = {row["name"]: row for row in session.reader.rows("SELECT * FROM monitors")}
    changes = _changes(found, known)
    if changes:
        with session.change("monitors sync") as tx:
            for name, (values, action) in changes.items():
                _write(tx, name, values, known.get(name), action)
    return found


def _changes(
    found: WatchFiles, known: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[dict[str, Any], str]]:
    """What has to be written for which monitor, and the journal's word for it."""
    changes: dict[str, tuple[dict[str, Any], str]] = {}
    for definition in found.monitors:
        values = _values(definition, found.raw[definition.name])
        row = known.get(definition.name)
        if row is None or _differs(row, values):
            changes[definition.name] = values, "monitor.define"
    said = _problems(found, known)
    for name, row in known.items():
        if found.monitor(name) is not None:
            continue
        if name in said:
            text = json.dumps(said[name])
            if row["problems"] != text or row["gone_at"] is not None:
                changes[name] = {"problems": text, "gone_at": None}, "monitor.broken"
        elif row["gone_at"] is None:
            changes[name] = {"gone_at": -1.0, "problems": "[]"}, "monitor.gone"
    for name, file in found.broken.items():
        if name not in known:
            changes[name] = _never_good(name, file, said.get(name, [])), "monitor.broken"
    return changes


def _differs(row: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    return row["gone_at"] is not None or any(
        row[key] != value for key, value in values.items() if key not in ("updated_at", "gone_at")
    )


def _values(definition: MonitorDefinition, raw: Mapping[str, Any]) -> dict[str, Any]:
    shown = {
        "every": definition.every.text,
        "window": definition.window.words,
        "baseline": definition.baseline,
        "owner": definition.owner,
        "description": definition.description,
        "variant": definition.variant,
        "time": definition.time,
        "segments": list(definition.segments),
    }
    return {
        "kind": definition.kind,
        "watch": definition.watch,
        "file": definition.file,
        "line": definition.line,
        "definition": json.dumps(raw, sort_keys=True, default=str),
        "shown": json.dumps(shown, sort_keys=True),
        "fingerprint": definition.fingerprint,
        "problems": "[]",
        "gone_at": None,
    }


def _never_good(name: str, file: str, problems: list[str]) -> dict[str, Any]:
    """A monitor of which nothing but the name has ever been read."""
    return {
        "kind": "",
        "watch": "",
        "file": file,
        "line": 0,
        "definition": "{}",
        "shown": "{}",
        "fingerprint": "",
        "problems": json.dumps(problems or [f"{file}: cannot be read"]),
        "gone_at": None,
    }


def _problems(found: WatchFiles, known: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """What is wrong with each monitor that is not good: its own faults, or its file's."""
    said: dict[str, list[str]] = {}
    for name, file in found.broken.items():
        said[name] = [
            problem.one_line()
            for problem in found.problems
            if problem.file == file
            and (problem.key + ".").startswith((f"monitors.{name}.", f"monitors.{name}["))
        ]
    for name, row in known.items():
        if row["file"] in found.unreadable and name not in said and row["gone_at"] is None:
            said[name] = [p.one_line() for p in found.problems if p.file == row["file"]]
    return said


def _write(
    tx: Transaction,
    name: str,
    values: dict[str, Any],
    row: Mapping[str, Any] | None,
    action: str,
) -> None:
    values = {**values, "updated_at": tx.now}
    if values.get("gone_at") == -1.0:
        values["gone_at"] = tx.now
        tell_gone(tx, name)
    if row is None:
        tx.execute(
            table.insert().values(
                name=name,
                created_at=tx.now,
                created_by=NOBODY,
                state=MonitorState.PENDING.value,
                **values,
            )
        )
    else:
        if _begins_anew(row, values):
            values |= {"cursor": "{}", "memory": "{}", "seen": "", "next_at": None}
        if values.get("definition", row["definition"]) != row["definition"]:
            values |= {"failures": 0, "backoff_until": None}
        if values.get("fingerprint", row["fingerprint"]) != row["fingerprint"]:
            values |= {"created_by": NOBODY}
        tx.execute(table.update().where(table.c.name == name).values(**values))
    tx.journal(
        action,
        f"monitor/{name}",
        file=values.get("file", row["file"] if row else ""),
        fingerprint=values.get("fingerprint", ""),
        problems=json.loads(values.get("problems", "[]")),
    )


def _begins_anew(row: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Whether what it watches, or how its windows are cut, has become another."""
    if "definition" not in values:
        return False
    old, new = json.loads(row["definition"]), json.loads(values["definition"])
    return any(old.get(key) != new.get(key) for key in ("watch", "window", "time", "kind"))


def definition_of(session: Session, name: str) -> tuple[MonitorDefinition, Mapping[str, Any]]:
    """A monitor's last good definition and its row. Raises `NotFound`, and `MonitorsInvalid`
    where there has never been a good one."""
    rows = session.reader.rows("SELECT * FROM monitors WHERE name = :name", name=name)
    if not rows:
        from core.reads.monitors import find_monitor

        find_monitor(session.reader, name)  # says which there are
        raise NoMonitor(f"monitor {name}: no such monitor")
    row = rows[0]
    problems = Problems()
    raw = json.loads(row["definition"])
    found = read_monitor(problems, f"monitors.{name}", name, raw, row["file"], row["line"])
    if found is None:
        said = json.loads(row["problems"])
        message = said[0] if said else problems.found[0].words()
        raise MonitorsInvalid(f"monitor {name}: {message}", "see: opsdeck doctor")
    return found, row


def set_row(tx: Transaction, name: str, **values: Any) -> None:
    """Change a monitor's row."""
    tx.execute(sa.update(table).where(table.c.name == name).values(**values))
