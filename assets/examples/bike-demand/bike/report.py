"""Judge a model on the held-out month, beside the champion and a naive guess."""

import os

import mlflow
import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from bike.columns import FEATURES, TARGET

BLOCKS = {"night 0-5": (0, 5), "morning 6-10": (6, 10), "day 11-15": (11, 15),
          "evening 16-20": (16, 20), "late 21-23": (21, 23)}  # fmt: skip


def evaluate(
    model: object, train_rows: pd.DataFrame, holdout_rows: pd.DataFrame
) -> tuple[dict, list[dict], Figure, Figure]:
    """Metrics, a comparison by segment, the forecast over time, and the error by hour.

    The champion, when there is one, predicts the same rows: its MLflow model folder is in
    the environment variable OPSDECK_CHAMPION_MODEL, its version in OPSDECK_CHAMPION_VERSION.
    """
    actual = holdout_rows[TARGET].to_numpy(float)
    guesses = {
        "candidate": np.asarray(model.predict(holdout_rows[list(FEATURES)])),
        "naive": _naive(train_rows, holdout_rows),
    }
    metrics: dict = {"rows": len(actual)}
    metrics |= _scores(actual, guesses["candidate"])
    metrics["naive_mae"] = _scores(actual, guesses["naive"])["mae"]
    folder = os.environ.get("OPSDECK_CHAMPION_MODEL")
    if folder:
        champion = mlflow.sklearn.load_model(folder)
        columns = list(getattr(champion, "feature_names_in_", FEATURES))
        guesses["champion"] = np.asarray(champion.predict(holdout_rows[columns]))
        scores = _scores(actual, guesses["champion"])
        metrics |= {f"champion_{name}": value for name, value in scores.items()}
        change = metrics["mae"] / metrics["champion_mae"] - 1
        metrics["mae_change_percent"] = round(100 * change, 2)
        metrics["champion_version"] = os.environ.get("OPSDECK_CHAMPION_VERSION", "")
    numbers = {name: value for name, value in metrics.items() if not isinstance(value, str)}
    mlflow.log_metrics({f"holdout_{name}": float(value) for name, value in numbers.items()})
    print("  ".join(f"{name} {value}" for name, value in metrics.items()))
    return (
        metrics,
        _by_segment(holdout_rows, actual, guesses),
        _forecast(holdout_rows, actual, guesses),
        _error_by_hour(holdout_rows, actual, guesses),
    )


def _scores(actual: np.ndarray, guess: np.ndarray) -> dict:
    return {
        "mae": round(float(mean_absolute_error(actual, guess)), 3),
        "rmse": round(float(root_mean_squared_error(actual, guess)), 3),
        "r2": round(float(r2_score(actual, guess)), 4),
        "bias": round(float(np.mean(guess - actual)), 3),
    }


def _naive(train_rows: pd.DataFrame, holdout_rows: pd.DataFrame) -> np.ndarray:
    """The mean of the same hour on the same kind of day, over the last four weeks known."""
    known = train_rows[train_rows["ts"] >= train_rows["ts"].max() - pd.Timedelta(weeks=4)]
    means = known.groupby(["workingday", "hr"])[TARGET].mean().rename("guess")
    joined = holdout_rows.join(means, on=["workingday", "hr"])["guess"]
    return joined.fillna(known[TARGET].mean()).to_numpy(float)


def _by_segment(rows: pd.DataFrame, actual: np.ndarray, guesses: dict) -> list[dict]:
    """Mean absolute error in blocks of hours, on working days and on others."""
    table = []
    for working, day in ((1, "working day"), (0, "day off")):
        for block, (first, last) in BLOCKS.items():
            mask = ((rows["workingday"] == working) & rows["hr"].between(first, last)).to_numpy()
            if not mask.any():
                continue
            line: dict = {"day": day, "hours": block, "rows": int(mask.sum())}
            line["mean_demand"] = round(float(actual[mask].mean()), 1)
            for name, guess in guesses.items():
                line[f"{name}_mae"] = round(float(np.abs(guess - actual)[mask].mean()), 2)
            table.append(line)
    return table


def _forecast(rows: pd.DataFrame, actual: np.ndarray, guesses: dict) -> Figure:
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(rows["ts"], actual, color="0.35", linewidth=1, label="actual")
    axes.plot(rows["ts"], guesses["candidate"], color="tab:blue", linewidth=1, label="candidate")
    if "champion" in guesses:
        axes.plot(rows["ts"], guesses["champion"], color="tab:orange", linewidth=1,
                  linestyle="--", label="champion")  # fmt: skip
    axes.set(ylabel="bikes an hour", title=f"Held-out month, {rows['ts'].min():%B %Y}")
    locator = AutoDateLocator()
    axes.xaxis.set(major_locator=locator, major_formatter=ConciseDateFormatter(locator))
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def _error_by_hour(rows: pd.DataFrame, actual: np.ndarray, guesses: dict) -> Figure:
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots()
    shown = [name for name in ("candidate", "champion") if name in guesses]
    for index, name in enumerate(shown):
        error = pd.Series(np.abs(guesses[name] - actual)).groupby(rows["hr"].to_numpy()).mean()
        width = 0.8 / len(shown)
        axes.bar(error.index + (index - (len(shown) - 1) / 2) * width, error, width, label=name)
    axes.set(xlabel="hour of the day", ylabel="mean absolute error", xticks=range(0, 24, 2))
    axes.legend()
    return figure
