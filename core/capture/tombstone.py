"""What is left of captured requests that were deleted: the moment before which there are none."""

from __future__ import annotations

import json
from pathlib import Path

FILE = "deleted.json"


def deleted_before(folder: Path) -> float | None:
    """Requests before this moment (epoch seconds) were deleted; None where none ever were."""
    try:
        return float(json.loads((folder / FILE).read_bytes())["before"])
    except FileNotFoundError:
        return None


def mark_deleted(folder: Path, before: float) -> None:
    """Let nobody read requests before this moment any more; never moves back. Raises OSError."""
    known = deleted_before(folder)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{FILE}.tmp"
    temporary.write_text(json.dumps({"before": max(before, known or before)}))
    temporary.replace(folder / FILE)
