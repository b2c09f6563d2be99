"""Who goes to which part: a part's name for each row, or none for rows in a gap.

Every way is deterministic and gives each row exactly one part (or the gap).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from core.domain.split import SplitSpec
from core.pipelines._report import did_you_mean
from core.recipes.errors import SplitInvalid
from core.recipes.splits.mixing import mixed, place
from core.recipes.splits.spec import checked, gap_of, moment_of


def assign(frame: pl.DataFrame, spec: SplitSpec) -> pl.Series:
    """The part of each row, in the frame's order; null where the row is in a gap.

    Raises `SplitInvalid` where the split cannot be made of this data.
    """
    spec = checked(spec)
    for name in spec.columns:
        if name not in frame.columns:
            raise SplitInvalid(f"there is no column {name}", did_you_mean(name, frame.columns))
    if not frame.height:
        raise SplitInvalid("there are no rows to split")
    way = {
        "time": _by_time,
        "group": _by_group,
        "stratum": _by_stratum,
        "hash": _by_hash,
        "random": _at_random,
    }[spec.kind]
    try:
        parts = way(frame, spec)
    except pl.exceptions.PolarsError as error:
        names, reason = ", ".join(spec.columns), " ".join(str(error).split())[:120]
        raise SplitInvalid(f"column {names} cannot divide rows: {reason}") from error
    found = set(parts.drop_nulls().unique().to_list())
    empty = [name for name in (spec.shares or spec.starts) if name not in found]
    if empty:
        raise SplitInvalid(
            f"part {empty[0]} would have no rows",
            "give it a larger share, other moments, or a smaller gap",
        )
    return parts.rename("part")


def _by_time(frame: pl.DataFrame, spec: SplitSpec) -> pl.Series:
    (name,) = spec.columns
    time = frame[name]
    if not (time.dtype.is_temporal() and time.dtype in (pl.Date, pl.Datetime)):
        raise SplitInvalid(
            f"column {name} is {time.dtype}, not a time", "parse it with a recipe: parse_dates"
        )
    if time.null_count():
        raise SplitInvalid(f"column {name} is missing in {time.null_count():,} rows", "drop them")
    # By the series' own clock: a cast would turn it into UTC.
    clock = time.dt.replace_time_zone(None) if time.dtype == pl.Datetime else time
    moments = clock.cast(pl.Datetime("us"))
    starts = _starts(moments, spec)
    names = list(starts)
    parts = _filled(names[0], frame.height)
    for part in names[1:]:
        parts = parts.zip_with(moments < starts[part], _filled(part, frame.height))
        if spec.gap:
            inside = (moments < starts[part]) & (moments >= starts[part] - gap_of(spec.gap))
            parts = parts.zip_with(~inside, _filled(None, frame.height))
    return parts


def _filled(value: str | None, rows: int) -> pl.Series:
    return pl.Series([value], dtype=pl.String).new_from_index(0, rows)


def _starts(moments: pl.Series, spec: SplitSpec) -> dict[str, Any]:
    """When each part starts; the first one starts at the first row."""
    if spec.starts:
        given = {part: moment_of(part, text) for part, text in spec.starts.items() if text}
        if len(given) < len(spec.starts) - 1 or not given:
            raise SplitInvalid("moments: each part but the first needs one")
        first = next(iter(spec.starts))
        starts = {first: given.get(first, moments.min()), **given}
        order: list[Any] = list(starts.values())[1:]
        if sorted(set(order)) != order:
            raise SplitInvalid("moments: each part starts after the one before it")
        return starts
    ordered = moments.sort()
    starts = {}
    before = 0.0
    for part, share in spec.shares.items():
        # A boundary lies between two moments: rows of one moment stay together.
        starts[part] = ordered[min(len(ordered) - 1, round(before * len(ordered)))]
        before += share
    return starts


def _by_hash(frame: pl.DataFrame, spec: SplitSpec) -> pl.Series:
    places = _places(frame, spec.columns, spec.seed)
    bounds, before = [], 0.0
    for name, share in spec.shares.items():
        bounds.append((name, before))
        before += share
    parts = _filled(bounds[0][0], frame.height)
    for name, start in bounds[1:]:
        parts = parts.zip_with(places < start, _filled(name, frame.height))
    return parts


def _by_group(frame: pl.DataFrame, spec: SplitSpec) -> pl.Series:
    """Groups in a mixed order fill one part after the other, each where it lacks most rows."""
    keys = _keys(frame, spec.columns).alias("key")
    sizes = pl.DataFrame({"key": keys}).group_by("key").len().sort("key")
    if sizes.height < len(spec.shares):
        raise SplitInvalid(
            f"{sizes.height} groups cannot fill {len(spec.shares)} parts", "split by another column"
        )
    order = sorted(
        zip(sizes["key"].to_list(), sizes["len"].to_list(), strict=True),
        key=lambda each: (-each[1], place([each[0]], spec.seed)),
    )
    wanted = {name: share * frame.height for name, share in spec.shares.items()}
    filled = dict.fromkeys(wanted, 0.0)
    where: dict[str, str] = {}
    for index, (key, size) in enumerate(order):
        left = [name for name in wanted if not filled[name]]
        pool = left if len(order) - index <= len(left) else list(wanted)
        best = max(pool, key=lambda name: (wanted[name] - filled[name]) / wanted[name])
        where[key] = best
        filled[best] += size
    return keys.replace_strict(list(where), list(where.values()), return_dtype=pl.String)


def _by_stratum(frame: pl.DataFrame, spec: SplitSpec) -> pl.Series:
    strata = strata_of(frame, spec)
    data = pl.DataFrame({"stratum": strata, "mix": _mix(frame.height, spec.seed)})
    ranked = data.select(
        (pl.col("mix").rank("ordinal").over("stratum") - 1).alias("place"),
        pl.len().over("stratum").alias("size"),
    )
    return _cut(ranked["place"], ranked["size"], spec.shares)


def strata_of(frame: pl.DataFrame, spec: SplitSpec) -> pl.Series:
    """The stratum of each row as text; numbers with many values are cut at quantiles."""
    parts = []
    for name in spec.columns:
        series = frame[name]
        if series.dtype.is_numeric() and series.n_unique() > 2 * spec.bins:
            known = series.cast(pl.Float64).fill_nan(None)
            found: list[Any] = [
                known.quantile(i / spec.bins, "linear") for i in range(1, spec.bins)
            ]
            above = [(pl.col(name) >= edge).cast(pl.Int32) for edge in sorted(set(found))]
            bins = pl.when(pl.col(name).is_not_null()).then(pl.sum_horizontal(above))
            series = pl.DataFrame({name: known}).select(bins.alias(name)).to_series()
        parts.append(series.alias(name))
    return _keys(pl.DataFrame(parts), spec.columns)


def _at_random(frame: pl.DataFrame, spec: SplitSpec) -> pl.Series:
    order = pl.Series(_mix(frame.height, spec.seed)).rank("ordinal") - 1
    return _cut(order, pl.Series([frame.height]).new_from_index(0, frame.height), spec.shares)


def _cut(places: pl.Series, sizes: pl.Series, shares: Mapping[str, float]) -> pl.Series:
    """The part of a place among so many rows: as near to the shares as whole rows allow."""
    names = list(shares)
    parts = _filled(names[0], len(places))
    before = 0.0
    for name, share in shares.items():
        if name != names[0]:
            start = (sizes * before).round().cast(pl.Int64)
            parts = parts.zip_with(places.cast(pl.Int64) < start, _filled(name, len(places)))
        before += share
    return parts


def _mix(rows: int, seed: int) -> Any:
    import numpy as np

    return mixed(np.arange(rows), seed)


def _keys(frame: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """The key columns of each row as one text; a missing value is a value of its own."""
    said = [
        pl.when(pl.col(name).is_null()).then(pl.lit("\0")).otherwise(
            pl.col(name).cast(pl.String).str.replace_all("\x1f", "\x1f\x1f", literal=True))
        for name in columns
    ]  # fmt: skip
    return frame.select(pl.concat_str(said, separator="\x1f").alias("key")).to_series()


def _places(frame: pl.DataFrame, columns: Sequence[str], seed: int) -> pl.Series:
    """Where each row's key lies from 0 to 1, hashing each key once."""
    keys = _keys(frame, columns)
    unique = keys.unique().to_list()
    return keys.replace_strict(
        unique, [place([each], seed) for each in unique], return_dtype=pl.Float64
    )
