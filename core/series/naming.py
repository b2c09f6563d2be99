"""How the dimensions of a series are written down: one text for one meaning."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def dims_text(dims: Mapping[str, str] | None) -> str:
    """The dimensions as they stand in a row: sorted, without empty ones."""
    given = {str(key): str(value) for key, value in (dims or {}).items() if str(value)}
    return json.dumps(given, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def dims_of(text: str) -> dict[str, str]:
    """The dimensions that `dims_text` wrote."""
    found: dict[str, Any] = json.loads(text)
    return found
