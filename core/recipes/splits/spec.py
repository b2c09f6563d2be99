"""Reading what somebody asked of a split: shares, moments, gaps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from core.domain.split import KINDS, SplitSpec
from core.recipes.errors import SplitInvalid

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PART = re.compile(r"[a-z][a-z0-9_]{0,30}")
DEFAULT = {"train": 0.7, "valid": 0.15, "test": 0.15}


def shares_of(text: str) -> dict[str, float]:
    """`70/15/15`, `80/20` (train and test) or `train=0.7,test=0.3` as shares of one.

    Raises `SplitInvalid`.
    """
    if "=" in text:
        pairs = [each.partition("=") for each in text.split(",")]
        names = [name.strip() for name, _, _ in pairs]
        numbers = [number for _, _, number in pairs]
    else:
        numbers = re.split(r"[/:]", text)
        names = ["train", "test"] if len(numbers) == 2 else ["train", "valid", "test"]
    try:
        values = [float(each) for each in numbers]
    except ValueError:
        raise SplitInvalid(f"shares {text!r}: no numbers", "such as 70/15/15") from None
    if len(values) != len(names) or len(set(names)) != len(names):
        raise SplitInvalid(f"shares {text!r}: two or three parts", "or train=70,valid=15,test=15")
    return normal(dict(zip(names, values, strict=True)))


def normal(shares: Mapping[str, float]) -> dict[str, float]:
    """Shares that sum to one. Raises `SplitInvalid` for names or numbers that cannot be."""
    total = sum(shares.values())
    if len(shares) < 2:
        raise SplitInvalid("shares: a split has at least two parts", "such as 80/20")
    for name, value in shares.items():
        if not _PART.fullmatch(name):
            raise SplitInvalid(f"part {name!r:.40} is no name", "a-z, 0-9 and _, a letter first")
        if not 0 < value < float("inf"):
            raise SplitInvalid(f"share of {name}: {value:g} is not above 0")
    if abs(total - 1) > 1e-6 and abs(total - 100) > 1e-3:
        raise SplitInvalid(f"shares sum to {total:g}", "they sum to 1 or to 100")
    return {name: value / total for name, value in shares.items()}


def checked(spec: SplitSpec) -> SplitSpec:
    """The split with its defaults filled in. Raises `SplitInvalid`."""
    if spec.kind not in KINDS:
        raise SplitInvalid(f"split by {spec.kind!r}: no such way", "known: " + ", ".join(KINDS))
    if spec.kind == "random" and spec.columns:
        raise SplitInvalid("a random split takes no columns", "by hash, group or stratum?")
    if spec.kind != "random" and not spec.columns:
        raise SplitInvalid(f"a split by {spec.kind} needs a column", "name it: --column NAME")
    if spec.kind == "time" and len(spec.columns) != 1:
        raise SplitInvalid("a split by time takes one column")
    if (spec.gap or spec.starts) and spec.kind != "time":
        raise SplitInvalid(f"a split by {spec.kind} has no gap and no moments", "by time?")
    if spec.starts and spec.shares:
        raise SplitInvalid("shares and moments exclude each other")
    if spec.gap:
        gap_of(spec.gap)
    shares = {} if spec.starts else normal(spec.shares or DEFAULT)
    return SplitSpec(
        spec.kind, spec.columns, shares, dict(spec.starts), spec.gap, spec.seed, spec.bins
    )


def gap_of(text: str) -> timedelta:
    """A length of time such as 24h, 7d, 90m. Raises `SplitInvalid`."""
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([smhdw])\s*", text)
    if match is None:
        raise SplitInvalid(f"gap {text!r}: no length of time", "such as 24h or 7d")
    try:
        return timedelta(seconds=float(match[1]) * _UNITS[match[2]])
    except OverflowError:
        raise SplitInvalid(f"gap {text!r} is too long") from None


def moment_of(part: str, text: str) -> datetime:
    """A moment in ISO form, as in the data's own time zone. Raises `SplitInvalid`."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise SplitInvalid(f"start of {part}: {text!r} is no time", "such as 2012-07-01") from None
