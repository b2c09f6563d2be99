"""How long runs of monitors and their files are kept."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from core.monitors.filing import FOLDER, forget_folder
from core.monitors.telling import tell_gone
from core.session import Session
from core.state.monitor_tables import monitor_measurements, monitor_runs, monitor_violations
from core.state.store import Transaction

KEEP_RUNS = 2_000
KEEP_RUN_SECONDS = 455 * 86_400.0
"""As long as points are kept."""
KEEP_FILES = 200
"""Runs of a monitor whose files are kept, the newest."""
AT_ONCE = 500


def tidy(session: Session, now: float) -> int:
    """Let go of old runs and of files of runs that are old; returns how many runs went."""
    gone = 0
    for row in session.reader.rows("SELECT name FROM monitors"):
        gone += _old_runs(session, row["name"], now)
        _old_files(session, row["name"])
    return gone


def forget_runs(tx: Transaction, runs: Sequence[str]) -> None:
    """Delete runs with what they measured."""
    for start in range(0, len(runs), AT_ONCE):
        some = list(runs[start : start + AT_ONCE])
        tx.execute(monitor_measurements.delete().where(monitor_measurements.c.run.in_(some)))
        tx.execute(monitor_violations.delete().where(monitor_violations.c.run.in_(some)))
        tx.execute(monitor_runs.delete().where(monitor_runs.c.id.in_(some)))


def _old_runs(session: Session, name: str, now: float) -> int:
    rows = session.reader.rows(
        "SELECT id, folder, window_end FROM monitor_runs WHERE monitor = :name"
        " AND status <> 'running' ORDER BY window_end DESC",
        name=name,
    )
    old = [
        row
        for place, row in enumerate(rows)
        if place >= KEEP_RUNS or (row["window_end"] < now - KEEP_RUN_SECONDS and place > 0)
    ]
    if not old:
        return 0
    with session.change("monitors tidy") as tx:
        forget_runs(tx, [row["id"] for row in old])
        tx.journal("monitor.forget", f"monitor/{name}", runs=len(old))
    for row in old:
        forget_folder(session.workspace.state_dir, row["folder"])
    return len(old)


def _old_files(session: Session, name: str) -> None:
    """Folders of runs beyond the newest, of earlier generations beyond those, and of none."""
    state = session.workspace.state_dir
    folder = state / FOLDER / name
    if not folder.is_dir():
        return
    kept = session.reader.rows(
        "SELECT folder FROM monitor_runs WHERE monitor = :name AND status <> 'skipped'"
        " ORDER BY window_end DESC LIMIT :most",
        name=name,
        most=KEEP_FILES,
    )
    running = session.reader.rows(
        "SELECT id FROM monitor_runs WHERE monitor = :name AND status = 'running'", name=name
    )
    if running:
        return  # its files may be there before its row says so
    names = {row["folder"].rpartition("/")[2] for row in kept if row["folder"]}
    stems = {each.partition(".")[0] for each in names}
    for found in folder.iterdir():
        if found.is_dir() and found.name.partition(".")[0] not in stems:
            forget_folder(state, found.relative_to(state).as_posix())


def forget_monitor(session: Session, name: str) -> None:
    """Forget all of a monitor: its row, runs, baselines and files."""
    from core.state.monitor_tables import monitor_baselines, monitors

    runs = session.reader.rows("SELECT id FROM monitor_runs WHERE monitor = :name", name=name)
    with session.change(f"monitors delete {name}") as tx:
        forget_runs(tx, [row["id"] for row in runs])
        tx.execute(sa.delete(monitor_baselines).where(monitor_baselines.c.monitor == name))
        tx.execute(sa.delete(monitors).where(monitors.c.name == name))
        tell_gone(tx, name)
        tx.journal("monitor.delete", f"monitor/{name}", runs=len(runs))
    forget_folder(session.workspace.state_dir, f"{FOLDER}/{name}")
