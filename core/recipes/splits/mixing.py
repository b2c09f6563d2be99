"""Mixing numbers and keys so that the order looks random and never changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any


def mixed(values: Any, seed: int) -> Any:
    """Whole numbers mixed by splitmix64 (Steele, Lea, Flood 2014), as unsigned 64-bit numbers.

    Of our own because a generator of a library may give another stream in a later version.
    """
    import numpy as np

    start = (seed * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) % 2**64
    with np.errstate(over="ignore"):
        z = np.asarray(values).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(start)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def place(parts: Iterable[str | None], seed: int) -> float:
    """Where a key lies from 0 to 1 (below): by BLAKE2b of its parts as text, so that it stays
    there whatever rows, versions or machines come. A missing part differs from an empty one."""
    text = "\x1f".join(
        "\x00" if part is None else part.replace("\x1f", "\x1f\x1f") for part in parts
    )
    digest = hashlib.blake2b(text.encode(), digest_size=8, key=str(seed).encode()).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53
