"""Files of the quarantine that nothing on record tells of: looked up without any library."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from core.session import Session

WAIT_SECONDS = 30.0
"""A file is left to whoever is writing it for so long."""
AGAIN_SECONDS = 3600.0


def unknown_files(session: Session, dataset: str) -> list[Path]:
    """The files of a dataset's held rows whose batch is not on record."""
    folder = session.workspace.state_dir / "quarantine" / dataset
    files = sorted(folder.glob("*.parquet"))
    if not files:
        return []
    rows = session.reader.rows("SELECT id FROM quarantine WHERE dataset = :name", name=dataset)
    known = {row["id"] for row in rows}
    return [file for file in files if not file.name.startswith(".") and file.stem not in known]


@dataclass(slots=True)
class HoldsDue:
    """Datasets with such files, each file named once in `AGAIN_SECONDS`. Not thread-safe."""

    _asked: dict[Path, float] = field(default_factory=dict)

    def __call__(self, session: Session, now: float) -> Iterator[str]:
        """Their names."""
        top = session.workspace.state_dir / "quarantine"
        folders = [each for each in top.iterdir() if each.is_dir()] if top.is_dir() else []
        for folder in folders:
            due = [file for file in unknown_files(session, folder.name) if self._due(file, now)]
            if due:
                self._asked.update(dict.fromkeys(due, now))
                yield folder.name

    def _due(self, file: Path, now: float) -> bool:
        try:
            written = file.stat().st_mtime
        except FileNotFoundError:
            return False
        quiet = time.time() - written > WAIT_SECONDS
        return quiet and now - self._asked.get(file, 0.0) > AGAIN_SECONDS
