"""Which monitors are due, told from rows and folders: nothing is opened, nothing heavy loaded."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any

from core.monitors.captured import folders_stamp
from core.monitors.claims import dead
from core.monitors.datasets import dataset_stamp
from core.monitors.definition import FEATURES
from core.monitors.featureviews import view_stamp
from core.session import Session


def due_monitors(session: Session, now: float) -> tuple[str, ...]:
    """The names of monitors to be looked at now, those first that have waited longest."""
    rows = session.reader.rows(
        "SELECT name, kind, watch, shown, seen, next_at, backoff_until, claim, claimed_until,"
        " last_run_at FROM monitors WHERE gone_at IS NULL AND paused_at IS NULL AND kind <> ''"
    )
    found = [
        row for row in rows if _free(row, now) and _here(session, row) and _due(session, row, now)
    ]
    found.sort(key=lambda row: row["last_run_at"] or 0.0)
    return tuple(row["name"] for row in found)


def _free(row: Mapping[str, Any], now: float) -> bool:
    held = row["claim"] and (row["claimed_until"] or 0.0) > now and not dead(row["claim"])
    return not held and (row["backoff_until"] or 0.0) <= now


def _here(session: Session, row: Mapping[str, Any]) -> bool:
    """Whether this machine has what is watched: captured requests lie where they were answered."""
    kind, _, name = row["watch"].partition("/")
    if kind != "endpoint" or (session.workspace.endpoints_dir / name).exists():
        return True
    hosts = session.reader.rows("SELECT host FROM endpoints WHERE name = :name", name=name)
    return not hosts or hosts[0]["host"] in ("", socket.gethostname())


def _due(session: Session, row: Mapping[str, Any], now: float) -> bool:
    next_at: float | None = row["next_at"]
    if next_at is not None and now >= next_at:
        return True
    if json.loads(row["shown"]).get("every") != "new_data":
        return next_at is None
    kind, _, name = row["watch"].partition("/")
    if kind == "dataset":
        return bool(dataset_stamp(session, name) != row["seen"])
    if kind == FEATURES:
        return bool(view_stamp(session, name) != row["seen"])
    folder = session.workspace.endpoints_dir / name
    return bool(folders_stamp(folder) != row["seen"])
