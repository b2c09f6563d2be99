"""All checks for leakage on one dataset, with or without a split of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from core.domain.split import Leak, LeakReport
from core.pipelines._report import did_you_mean
from core.recipes.errors import LeakCheckInvalid
from core.recipes.leaks.between import between_parts
from core.recipes.leaks.columns import single_columns
from core.recipes.leaks.statistics import target_statistics
from core.recipes.leaks.sums import sums
from core.recipes.leaks.times import future_times

CHECKS = (
    "equal to the target",
    "predicts the target alone",
    "sum of columns",
    "target statistics",
    "future times",
    "duplicates between parts",
    "keys and groups between parts",
    "order of parts",
)
MOST_ROWS = 200_000


def check(
    frame: pl.DataFrame,
    target: str,
    *,
    parts: pl.Series | None = None,
    time: str = "",
    group: Sequence[str] = (),
    key: Sequence[str] = (),
    ignore: Sequence[str] = (),
    dataset: str = "",
    snapshot: str = "",
    most_rows: int = MOST_ROWS,
) -> LeakReport:
    """Look for ways in which a model of `target` would see the answer.

    `parts` is what `splits.assign` gave; `time` the rows' own time, `group` and `key` what must
    not be in two parts, `ignore` columns that are no features. Columns are judged on at most
    `most_rows` rows, parts on all. Raises `LeakCheckInvalid` for names that are not there.
    """
    for name in (target, time, *group, *key, *ignore):
        if name and name not in frame.columns:
            hint = did_you_mean(name, frame.columns)
            raise LeakCheckInvalid(f"there is no column {name}", hint)
    if not frame.height:
        raise LeakCheckInvalid("there are no rows to look at")
    if time and frame[time].dtype not in (pl.Date, pl.Datetime):
        raise LeakCheckInvalid(f"column {time} is {frame[time].dtype}, not a time")
    features = [n for n in frame.columns if n != target and n not in ignore]
    sample = frame if frame.height <= most_rows else frame.sample(most_rows, seed=1)
    known = sample.filter(pl.col(target).is_not_null())
    found = [
        *single_columns(known, target, features),
        *sums(known, target, features),
        *_statistics(frame, target, features, parts, most_rows),
    ]
    skipped: dict[str, str] = {}
    if time:
        found += future_times(frame, time, features)
    else:
        skipped["future times"] = "no time column was named (--time)"
    found += _parts(frame, features, target, parts, time, group, key, skipped)
    order = {"leak": 0, "suspect": 1}
    done = tuple(each for each in CHECKS if each not in skipped)
    ranked = sorted(found, key=lambda each: order[each.severity])
    return LeakReport(
        dataset, snapshot, target, frame.height, sample.height, done, skipped, tuple(ranked)
    )


def _statistics(
    frame: pl.DataFrame, target: str, features: list[str], parts: pl.Series | None, most: int
) -> Iterator[Leak]:
    # A statistic of all rows is recognised on all rows only: no sample here, but a limit.
    if frame.height > 5 * most:
        return
    train = None if parts is None else (parts == _first(parts)).fill_null(False)
    known = frame.filter(pl.col(target).is_not_null())
    if known.height == frame.height:
        yield from target_statistics(frame, target, features, train)
    elif train is None:
        yield from target_statistics(known, target, features, None)


def _parts(
    frame: pl.DataFrame,
    features: list[str],
    target: str,
    parts: pl.Series | None,
    time: str,
    group: Sequence[str],
    key: Sequence[str],
    skipped: dict[str, str],
) -> list[Leak]:
    if parts is None:
        for each in CHECKS[5:]:
            skipped[each] = "no split was named"
        return []
    if not time:
        skipped["order of parts"] = "no time column was named (--time)"
    if not (group or key):
        skipped["keys and groups between parts"] = "none were named (--group, --key)"
    flat = [n for n in features if not frame[n].dtype.is_nested()]
    names = [n for n in ("train", "valid", "test") if n in set(parts)]
    names += [n for n in parts.drop_nulls().unique(maintain_order=True) if n not in names]
    nested = [each for each in (*group, *key) if frame[each].dtype.is_nested()]
    if nested:
        raise LeakCheckInvalid(f"column {nested[0]} is {frame[nested[0]].dtype}: no key or group")
    divided = {name: frame.filter(parts == name) for name in names}
    return list(between_parts(divided, flat, target, key=tuple(key), group=tuple(group), time=time))


def _first(parts: pl.Series) -> str:
    names = set(parts.drop_nulls())
    return "train" if "train" in names else str(parts.drop_nulls()[0])
