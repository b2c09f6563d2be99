"""Moments, sizes and statuses as people type them at options."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from core.errors import BadInput

_AGO = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(s|m|h|d|w)")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?")
_BYTES = {"B": 0, "kB": 1, "KB": 1, "MB": 2, "GB": 3, "TB": 4}


def moment(option: str, text: str | None) -> float | None:
    """Epoch seconds of `2026-11-21`, `2026-11-21T08:30` (UTC unless it says otherwise), or `2h`
    ago; None of None. Raises `BadInput` naming the option."""
    if text is None:
        return None
    ago = _AGO.fullmatch(text.strip())
    if ago:
        return max(0.0, time.time() - float(ago[1]) * _SECONDS[ago[2]])
    try:
        found = datetime.fromisoformat(text.strip())
        return max(0.0, (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError) as error:
        raise BadInput(
            f"{option} {text!r}: neither a date nor a time ago",
            f"for example: {option} 2026-11-21T08:30 or {option} 2h",
        ) from error


def size_of(option: str, text: str | None) -> int | None:
    """Bytes in `500MB` or `2GiB`; None of None. Raises `BadInput` naming the option."""
    if text is None:
        return None
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise BadInput(f"{option} {text!r}: not a size", f"for example: {option} 500MB")
    unit = match[2] or "B"
    if unit.endswith("iB"):
        return int(float(match[1]) * 1024 ** "KMGT".index(unit[0]) * 1024)
    return int(float(match[1]) * 1000.0 ** _BYTES[unit])


def statuses(option: str, text: str | None) -> tuple[int | None, int | None]:
    """The lowest and highest status in `500`, `4xx` or `error` (400 and above); raises
    `BadInput`."""
    if text is None:
        return None, None
    if text == "error":
        return 400, None
    if re.fullmatch(r"[1-5]xx", text):
        return int(text[0]) * 100, int(text[0]) * 100 + 99
    if re.fullmatch(r"[1-5][0-9]{2}", text):
        return int(text), int(text)
    raise BadInput(f"{option} {text!r}: no status", f"for example: {option} 200, 5xx or error")


def lasting_seconds(option: str, text: str) -> float:
    """Seconds of `30m` or `1h30m`; raises `BadInput` naming the option."""
    from core import units

    try:
        return units.seconds(text)
    except ValueError as error:
        raise BadInput(f"{option} {text!r}: not a length of time", "such as 30m or 8h") from error
