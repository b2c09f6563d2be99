"""Which intakes there are and how they do: rows of the state, locks and spools. Stdlib only."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core.domain.ingest import Intake, IntakeCounts
from core.errors import NotFound
from core.ingest.spool import waiting_in
from core.session import Session

_ASK_SECONDS = 0.5


def list_intakes(session: Session) -> tuple[Intake, ...]:
    """All that were ever started and not removed, by name."""
    rows = session.reader.rows("SELECT * FROM intakes WHERE closed_at IS NULL ORDER BY name")
    return tuple(_intake(session, row) for row in rows)


def find_intake(session: Session, name: str) -> Intake:
    """One by name; raises `NotFound`."""
    rows = session.reader.rows("SELECT * FROM intakes WHERE name = :name", name=name)
    if not rows or rows[0]["closed_at"] is not None:
        raise NotFound(f"intake {name}: no such intake", "see: opsdeck data intakes")
    return _intake(session, rows[0])


def is_running(folder: Path) -> bool:
    """Whether a process holds the intake's lock."""
    try:
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(handle)


def _intake(session: Session, row: Mapping[str, Any]) -> Intake:
    folder = session.workspace.state_dir / "intakes" / row["name"]
    running = is_running(folder)
    note = _note(folder) if running else {}
    segments, size = waiting_in(folder / "spool")
    counts = IntakeCounts(segments=segments, waiting_bytes=size)
    stats = _asked(note.get("url", "")) if running else {}
    if stats:
        counts = IntakeCounts(
            accepted=stats["accepted"],
            refused=stats["refused"],
            flushed=stats["flushed"],
            waiting_bytes=stats["waiting_bytes"],
            segments=stats["segments"],
            last_error=stats["last_error"],
            last_flush_at=stats["last_flush_at"],
        )
    return Intake(
        name=row["name"],
        dataset=row["dataset"],
        created_at=row["created_at"],
        by=row["by"],
        running=running,
        pid=note.get("pid"),
        url=note.get("url", ""),
        settings=json.loads(row["settings"]),
        counts=counts,
    )


def _note(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / "process.json").read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError):
        return {}  # it reads standard input, or is just starting


def _asked(url: str) -> dict[str, Any]:
    """What the process says of itself; nothing where it wants a token, or does not answer."""
    parts = urlsplit(url)
    if not parts.hostname:
        return {}
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_ASK_SECONDS)
    try:
        connection.request("GET", "/stats")
        answer = connection.getresponse()
        found: dict[str, Any] = json.loads(answer.read()) if answer.status == 200 else {}
        return found
    except (OSError, ValueError, http.client.HTTPException):
        return {}
    finally:
        connection.close()
