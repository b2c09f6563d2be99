"""Acquire the hourly counts, check them, and split them by time."""

import mlflow
import pandas as pd

from bike.columns import FEATURES, LIMITS, TARGET, WHOLE

VALIDATION_EVERY = 10  # every tenth day of the training time draws the validation curve


def acquire(hours: pd.DataFrame, month: str) -> pd.DataFrame:
    """All counted hours up to the end of `month` ("2012-01").

    Hours that nobody recorded are rows without a count: they are for series, not for training.
    """
    end = pd.Period(month, "M").end_time
    rows = hours[(hours["ts"] <= end) & hours[TARGET].notna()].reset_index(drop=True)
    if rows.empty or rows["ts"].max() < pd.Period(month, "M").start_time:
        raise ValueError(f"there are no hours in {month}; they end at {hours['ts'].max()}")
    print(f"{len(rows):,} hours from {rows['ts'].min()} to {rows['ts'].max()}")
    return rows.astype(dict.fromkeys((*WHOLE, TARGET), "int64"))


def collect(hours: pd.DataFrame, captured: pd.DataFrame) -> pd.DataFrame:
    """History up to the first request that was captured, and from then on what was captured.

    A captured row is what the endpoint was asked, with the count that was told it later.
    """
    served = captured.assign(ts=pd.to_datetime(captured["ts"])).sort_values("ts")
    served = served.dropna(subset=[TARGET]).drop_duplicates("ts", keep="last")
    if served.empty:
        raise ValueError("no captured request has its count yet")
    columns = ["ts", *FEATURES, TARGET]
    history = hours[(hours["ts"] < served["ts"].min()) & hours[TARGET].notna()]
    rows = pd.concat([history[columns], served[columns]], ignore_index=True)
    print(f"{len(history):,} hours of history, {len(served):,} captured with their count")
    return rows.astype(dict.fromkeys((*WHOLE, TARGET), "int64"))


def validate(raw: pd.DataFrame) -> tuple[pd.DataFrame, dict]:
    """The hours in order, and what was found in them.

    Raises ValueError, naming the column or the hours, on missing columns, missing values,
    hours given twice, and values out of range. Absent hours are counted, not refused.
    """
    wanted = ["ts", *FEATURES, TARGET]
    absent = [column for column in wanted if column not in raw.columns]
    if absent:
        raise ValueError(f"missing columns: {', '.join(absent)}")
    hourly = raw.sort_values("ts", ignore_index=True)
    twice = hourly.loc[hourly["ts"].duplicated(), "ts"]
    if len(twice):
        raise ValueError(f"{len(twice)} hours are given twice, the first is {twice.iloc[0]}")
    for column in wanted[1:]:
        if hourly[column].isna().any():
            raise ValueError(f"{column} has {int(hourly[column].isna().sum())} missing values")
        low, high = LIMITS[column]
        outside = hourly.loc[~hourly[column].between(low, high), ["ts", column]]
        if len(outside):
            first = outside.iloc[0]
            raise ValueError(
                f"{column} is out of {low}..{high} in {len(outside)} hours, "
                f"the first is {first[column]} at {first['ts']}"
            )
    span = int((hourly["ts"].max() - hourly["ts"].min()) / pd.Timedelta(hours=1)) + 1
    report = {
        "rows": len(hourly),
        "first": hourly["ts"].min().isoformat(),
        "last": hourly["ts"].max().isoformat(),
        "missing_hours": span - len(hourly),
        "mean_demand": round(float(hourly[TARGET].mean()), 2),
    }
    mlflow.log_metric("missing_hours", report["missing_hours"])
    mlflow.log_metric("rows", report["rows"])
    print(f"{report['rows']:,} hours are sound, {report['missing_hours']} are absent")
    return hourly[wanted], report


def split(hourly: pd.DataFrame, month: str) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Training and validation rows from before `month`, and the month itself as hold-out.

    Splitting by time keeps the question honest: a version made for one month has seen nothing
    of it, and neither has its predecessor, so both can be judged on the same rows.
    """
    period = pd.Period(month, "M")
    return _parts(hourly[hourly["ts"] <= period.end_time], period.start_time)


def split_newest(
    hourly: pd.DataFrame, days: int = 14
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The same, with the newest days as hold-out."""
    return _parts(hourly, hourly["ts"].max() - pd.Timedelta(days=days))


def _parts(
    hourly: pd.DataFrame, start: pd.Timestamp
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    before, holdout = hourly[hourly["ts"] < start], hourly[hourly["ts"] >= start]
    day = (before["ts"].dt.normalize() - before["ts"].min().normalize()).dt.days
    chosen = day % VALIDATION_EVERY == VALIDATION_EVERY - 1
    train, valid = before[~chosen], before[chosen]
    if min(len(train), len(valid), len(holdout)) == 0:
        raise ValueError(f"nothing is left to train on before {start}: choose a later time")
    print(f"{len(train):,} to train, {len(valid):,} to validate, {len(holdout):,} held out")
    return tuple(part.reset_index(drop=True) for part in (train, valid, holdout))
