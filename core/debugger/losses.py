"""Which metrics are losses, of training or of validation, by their names.

SageMaker's collection `losses` holds what has "loss" in its name; here errors that are to be
made small count as well (mae, rmse, logloss, deviance, …), since that is what tree libraries
log. `train_rmse`, `valid/rmse`, `validation-rmse`, `eval_rmse` are one metric on two parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from core.tracking import MetricSeries

_LOSSES = frozenset(
    ("loss", "logloss", "losses", "mae", "mse", "rmse", "mape", "error", "err", "nll",
     "deviance", "perplexity", "crossentropy", "mlogloss", "merror", "rmsle", "poisson")
)  # fmt: skip
_VALIDATION = frozenset(
    ("val", "valid", "validation", "eval", "evaluation", "test", "dev", "holdout")
)
_TRAINING = frozenset(("train", "training", "learn", "fit"))
_GRADIENTS = frozenset(("grad", "grads", "gradient", "gradients"))
_PARTS = re.compile(r"[^a-z0-9]+")


def words_of(key: str) -> list[str]:
    """The words of a metric's name: `Train/LogLoss` has train and logloss."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key)
    words = [word for word in _PARTS.split(spaced.lower()) if word]
    joined = "".join(words)
    # LogLoss would fall apart into two words that say less.
    return [*words, *(name for name in ("logloss", "crossentropy") if name in joined)]


def is_loss(key: str) -> bool:
    """Whether a metric is a loss or an error, to be made small."""
    return not _LOSSES.isdisjoint(words_of(key))


def is_gradient(key: str) -> bool:
    """Whether a metric is of gradients (`grad_norm`)."""
    return not _GRADIENTS.isdisjoint(words_of(key))


def is_validation(key: str) -> bool:
    """Whether a metric is of rows that are not learned from."""
    return not _VALIDATION.isdisjoint(words_of(key))


def losses(series: Iterable[MetricSeries]) -> list[MetricSeries]:
    """The losses with more than one step, those of training first."""
    found = [one for one in series if len(one) > 1 and is_loss(one.key)]
    return sorted(found, key=lambda one: (is_validation(one.key), one.key))


def pairs(series: Sequence[MetricSeries]) -> list[tuple[MetricSeries, MetricSeries]]:
    """The same loss of training and of validation."""
    training = {_stem(one.key): one for one in series if not is_validation(one.key)}
    return [
        (training[_stem(one.key)], one)
        for one in series
        if is_validation(one.key) and _stem(one.key) in training
    ]


def _stem(key: str) -> tuple[str, ...]:
    part = _VALIDATION | _TRAINING
    return tuple(sorted({word for word in words_of(key) if word not in part}))
