"""How many different values there are, in a fixed 16 kB however many are seen.

HyperLogLog (Flajolet, Fusy, Gandouet, Meunier 2007) with 2^14 registers over 64-bit hashes,
and Ertl's estimator (arXiv:1702.01284), which has no bias at any size: a standard error of
0.8 %.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

BITS = 14
_REGISTERS = 1 << BITS
_LONGEST = 64 - BITS + 1
_ALPHA = 1 / (2 * math.log(2))


class DistinctSketch:
    """An estimate of the number of different hashes seen. Not thread-safe."""

    def __init__(self) -> None:
        self._most: npt.NDArray[np.uint8] = np.zeros(_REGISTERS, np.uint8)

    def add(self, hashes: npt.NDArray[np.uint64]) -> None:
        """Take in 64-bit hashes of values."""
        mixed = _mixed(hashes)
        places = (mixed >> np.uint64(64 - BITS)).astype(np.int64)
        rest = (mixed << np.uint64(BITS)) | np.uint64(1 << (BITS - 1))
        # The first one bit from the left: 64 less the length that a double's exponent tells.
        high = (rest >> np.uint64(32)).astype(np.uint32)
        low = (rest & np.uint64(0xFFFFFFFF)).astype(np.uint32)
        length = np.where(high > 0, 32 + _bits(high), _bits(low))
        np.maximum.at(self._most, places, (65 - length).astype(np.uint8))

    def merge(self, other: DistinctSketch) -> None:
        """Take in all that another sketch has seen."""
        np.maximum(self._most, other._most, out=self._most)

    def count(self) -> int:
        """The estimate."""
        seen = np.bincount(self._most, minlength=_LONGEST + 1).astype(np.float64)
        z = _REGISTERS * _tau(1 - seen[_LONGEST] / _REGISTERS)
        for length in range(_LONGEST - 1, 0, -1):
            z = 0.5 * (z + seen[length])
        z += _REGISTERS * _sigma(seen[0] / _REGISTERS)
        return round(_ALPHA * _REGISTERS**2 / z) if math.isfinite(z) else 0


def _sigma(x: float) -> float:
    """What the registers that have seen nothing stand for."""
    if x == 1.0:
        return math.inf
    y, z, before = 1.0, x, -1.0
    while z != before:
        x, before = x * x, z
        z += x * y
        y += y
    return z


def _tau(x: float) -> float:
    """What the registers that are full stand for."""
    if x in (0.0, 1.0):
        return 0.0
    y, z, before = 1.0, 1 - x, -1.0
    while z != before:
        x, before = math.sqrt(x), z
        y *= 0.5
        z -= (1 - x) ** 2 * y
    return z / 3


def _bits(values: npt.NDArray[np.uint32]) -> npt.NDArray[Any]:
    """How many bits each value takes (exact: a double holds 32 bits)."""
    return np.frexp(values.astype(np.float64))[1]


def _mixed(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Every bit of the hash spread over all (the finaliser of splitmix64)."""
    z = hashes.astype(np.uint64, copy=True)
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z
