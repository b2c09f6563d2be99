"""Bounds of a variant's workers as people write them: `1:4`, or `2` for always two."""

from __future__ import annotations

import re

from core.errors import BadInput

MOST_WORKERS = 32
EXAMPLE = "MIN:MAX, such as 1:4, or one number"
_WRITTEN = re.compile(r"\s*(\d{1,4})\s*(?:[:-]\s*(\d{1,4})\s*)?", re.ASCII)


def parse_workers(where: str, text: str) -> tuple[int, int]:
    """The bounds in `1:4`, `1-4` or `2`. Raises `BadInput` that begins with `where`."""
    found = _WRITTEN.fullmatch(text)
    low, high = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= low <= high <= MOST_WORKERS:
        raise BadInput(
            f"{where}: {text!r} is not bounds of workers within 1 to {MOST_WORKERS}", EXAMPLE
        )
    return low, high
