"""Durations and sizes as people write them."""

from __future__ import annotations

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhdw])")
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|[smhdw]))+")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)")
_BYTES = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
MAX_SECONDS = 3650 * 86400.0
DURATION_PATTERN = "^" + _DURATION.pattern + "$"
SIZE_PATTERN = "^" + _SIZE.pattern + "$"


def seconds(value: str | int | float) -> float:
    """Seconds in a duration such as `90`, `500ms`, `10m` or `1h30m`; a number is seconds.

    Raises ValueError when it isn't one, is negative, or exceeds ten years.
    """
    if isinstance(value, str):
        compact = value.replace(" ", "")
        if not _DURATION.fullmatch(compact):
            raise ValueError(f"{value!r} is not a duration")
        total = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(compact))
    else:
        total = float(value)
    if not 0 <= total <= MAX_SECONDS:
        raise ValueError(f"{value!r} is not between 0 and ten years")
    return total


def mebibytes(value: str) -> int:
    """Whole MiB in a size such as `2GiB` or `500MB`, at least 1; raises ValueError."""
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError(f"{value!r} is not a size")
    size = float(match[1]) * _BYTES[match[2]]
    if not 2**20 <= size <= 2**50:
        raise ValueError(f"{value!r} is not between 1MiB and 1024TiB")
    return int(size / 2**20)
