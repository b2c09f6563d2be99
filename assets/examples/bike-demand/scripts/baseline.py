"""A linear baseline in SageMaker's script mode: the same file runs here and there.

Data come from the folder in SM_CHANNEL_HOURLY, hyperparameters as arguments; the model goes
to SM_MODEL_DIR, and anything else worth keeping to SM_OUTPUT_DATA_DIR.
"""

import argparse
import json
import os
from pathlib import Path

import joblib
import mlflow
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

CALENDAR = ["hr", "holiday", "weekday", "workingday", "weathersit"]
WEATHER = ["temp", "atemp", "hum", "windspeed"]
HOLDOUT_HOURS = 24 * 28


def read(folder: Path) -> pd.DataFrame:
    """Every Parquet and CSV file of a channel, as one table in order of time."""
    parts = [pd.read_parquet(file) for file in sorted(folder.rglob("*.parquet"))]
    parts += [pd.read_csv(file, parse_dates=["ts"]) for file in sorted(folder.rglob("*.csv"))]
    if not parts:
        raise SystemExit(f"no Parquet or CSV file in {folder}")
    return pd.concat(parts).sort_values("ts", ignore_index=True)


def main() -> None:
    """Fit on all but the last four weeks, judge on those."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alpha", type=float, default=1.0)
    alpha = parser.parse_args().alpha

    rows = read(Path(os.environ["SM_CHANNEL_HOURLY"]))
    train, test = rows[:-HOLDOUT_HOURS], rows[-HOLDOUT_HOURS:]
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), CALENDAR), remainder="passthrough"
    )
    model = make_pipeline(encode, Ridge(alpha=alpha))
    model.fit(train[CALENDAR + WEATHER], train["cnt"])
    error = float(mean_absolute_error(test["cnt"], model.predict(test[CALENDAR + WEATHER])))

    mlflow.log_param("alpha", alpha)
    mlflow.log_metric("baseline_mae", error)
    joblib.dump(model, Path(os.environ["SM_MODEL_DIR"]) / "model.joblib")
    report = {"alpha": alpha, "train_rows": len(train), "test_rows": len(test), "mae": error}
    path = Path(os.environ["SM_OUTPUT_DATA_DIR"]) / "report.json"
    path.write_text(json.dumps(report, indent=2), encoding="utf-8")
    print(f"baseline: mean absolute error {error:.1f} bikes an hour")


if __name__ == "__main__":
    main()
