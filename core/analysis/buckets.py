"""Fixed grids on which every process counts alike: latencies, and what models predict.

Both are logarithmic, so a count of buckets is bounded whatever comes. Latencies are 7 % apart
(a percentile is within 4 %), scores 2 %, either side of zero. A class is a bucket of its own.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping

_LATENCY_STEP = math.log(1.07)
_FASTEST = 0.01  # milliseconds; everything faster is in bucket 0
_SLOWEST = 300  # bucket: everything slower, hours, is in it

_LONGEST_IDLE = 24  # class: three seconds and longer

_SCORE_STEP = math.log(1.02)
_LEAST = 1e-9  # what is nearer to zero is zero
_LEAST_LOG = math.log(_LEAST)
_MOST = 2_500  # buckets on either side: about 3e12
_CLASSES = 1_000_000  # where the buckets of classes begin
_CLASS_BUCKETS = 4_096  # a model that writes text has no end of classes


def latency_bucket(milliseconds: float) -> int:
    """The bucket of a latency."""
    if milliseconds <= _FASTEST:
        return 0
    return min(_SLOWEST, int(math.log(milliseconds / _FASTEST) / _LATENCY_STEP) + 1)


def latency_ms(bucket: int) -> float:
    """The middle of a latency's bucket, in milliseconds."""
    return _FASTEST * math.exp((bucket - 0.5) * _LATENCY_STEP)


def percentile_ms(counts: Mapping[int, float], share: float) -> float | None:
    """The latency under which `share` (0-1) of the requests stayed: nearest rank; `None` of
    no requests."""
    wanted = math.ceil(share * sum(counts.values()))
    seen = 0.0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if counts[bucket] and seen >= wanted:
            return latency_ms(bucket)
    return None


def idle_class(milliseconds: float) -> int:
    """The class of how long an arm had had nothing to do when a request came, in steps of
    the square root of two.

    A model that is rarely asked finds its data out of the processor's caches and is slower for
    it, so an arm with a tenth of the requests looks slower than an equal one with the rest. Held
    against requests after as long a pause it does not.
    """
    if milliseconds < 1:
        return 0
    return min(_LONGEST_IDLE, int(milliseconds * milliseconds).bit_length())


def score_bucket(score: float) -> int:
    """The bucket of a finite number; higher numbers never have lower buckets."""
    size = abs(score)
    if size < _LEAST:
        return 0
    bucket = min(_MOST, int((math.log(size) - _LEAST_LOG) / _SCORE_STEP) + 1)
    return bucket if score > 0 else -bucket


def class_bucket(name: str) -> int:
    """The bucket of a class, the same in every process. Two classes share one with a
    probability of 1 in 4,096."""
    return _CLASSES + zlib.crc32(name.encode()) % _CLASS_BUCKETS
