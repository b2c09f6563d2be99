"""Fit the model, one boosting iteration at a time, so that its curves can be watched."""

import mlflow
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_poisson_deviance

from bike.columns import FEATURES, TARGET


def train(
    train_rows: pd.DataFrame,
    valid_rows: pd.DataFrame,
    seed: int = 7,
    iterations: int = 80,
    learning_rate: float = 0.1,
    half_life: int = 30,
) -> tuple[HistGradientBoostingRegressor, pd.DataFrame]:
    """The fitted model, and a few rows as an example of its input.

    Counts are modelled with the Poisson loss, so that a prediction is never negative. Demand
    grows and turns with the seasons: an hour counts half as much after `half_life` days. The
    logged losses are mean Poisson deviances under these weights.
    """
    columns = list(FEATURES)
    last = train_rows["ts"].max()
    weights, valid_weights = (_weights(rows, last, half_life) for rows in (train_rows, valid_rows))
    model = HistGradientBoostingRegressor(
        loss="poisson",
        learning_rate=learning_rate,
        max_leaf_nodes=31,
        min_samples_leaf=20,
        l2_regularization=1.0,
        early_stopping=False,
        warm_start=True,
        random_state=seed,
    )
    mlflow.log_params(
        {
            "seed": seed,
            "iterations": iterations,
            "learning_rate": learning_rate,
            "half_life": half_life,
            "loss": model.loss,
            "max_leaf_nodes": model.max_leaf_nodes,
            "features": ",".join(columns),
            "train_rows": len(train_rows),
        }
    )
    for step in range(1, iterations + 1):
        model.set_params(max_iter=step)
        model.fit(train_rows[columns], train_rows[TARGET], sample_weight=weights)
        fitted = _loss(model, train_rows, weights)
        unseen = _loss(model, valid_rows, valid_weights)
        mlflow.log_metric("train_loss", fitted, step=step)
        mlflow.log_metric("valid_loss", unseen, step=step)
        if step == 1 or step % 10 == 0:
            print(f"iteration {step:4d}  train {fitted:8.3f}  valid {unseen:8.3f}", flush=True)
    model.set_params(warm_start=False)  # a served model is not trained on
    return model, train_rows[columns].tail(5).reset_index(drop=True)


def _weights(rows: pd.DataFrame, last: pd.Timestamp, half_life: int) -> pd.Series:
    return 0.5 ** ((last - rows["ts"]).dt.days / half_life)


def _loss(model: HistGradientBoostingRegressor, rows: pd.DataFrame, weights: pd.Series) -> float:
    predicted = model.predict(rows[list(FEATURES)])
    return mean_poisson_deviance(rows[TARGET], predicted, sample_weight=weights)
