"""Stored baselines of monitors, as read from the state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.domain.monitor import Baseline
from core.reads.monitors import NoMonitorRow
from core.state.reading import Reader


def list_baselines(reader: Reader, monitor: str | None = None) -> tuple[Baseline, ...]:
    """Stored baselines, newest first; of one monitor. Promoted ones are active."""
    where = " WHERE monitor = :name" if monitor is not None else ""
    rows = reader.rows(
        f"SELECT * FROM monitor_baselines{where} ORDER BY made_at DESC, id",
        **({} if monitor is None else {"name": monitor}),
    )
    return tuple(_baseline(row) for row in rows)


def find_baseline(reader: Reader, begin: str, monitor: str | None = None) -> Baseline:
    """The stored baseline whose id begins so; raises `NotFound`."""
    known = {each.id: each for each in list_baselines(reader, monitor)}
    found = [each for name, each in known.items() if begin and name.startswith(begin)]
    if len(found) != 1:
        said = "no such baseline" if not found else "several baselines begin so"
        raise NoMonitorRow(f"baseline {begin}: {said}", "see: opsdeck monitors baseline NAME")
    return found[0]


def baseline_path(reader: Reader, monitor: str, digest: str) -> str:
    """Where a stored baseline's file is, below the state folder; raises `NotFound`."""
    rows = reader.rows(
        "SELECT path FROM monitor_baselines WHERE monitor = :name AND id = :id",
        name=monitor,
        id=digest,
    )
    if not rows:
        raise NoMonitorRow(f"baseline {digest[:12]}: no such baseline of {monitor}")
    return str(rows[0]["path"])


def _baseline(row: Mapping[str, Any]) -> Baseline:
    return Baseline(
        id=row["id"],
        monitor=row["monitor"],
        kind=row["kind"],
        source=row["source"],
        rows=row["rows"],
        made_at=row["made_at"],
        made_by=row["made_by"],
        model=row["model"],
        version=row["version"],
        fingerprint=row["fingerprint"],
        origin=json.loads(row["origin"]),
        active=row["promoted_at"] is not None,
        bytes=row["bytes"],
    )
