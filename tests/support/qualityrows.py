"""Rows with known properties. The recipes are plain, so that another tool can be given the same
rows: see test_cbpe.py and test_dle.py for what NannyML made of them."""

from __future__ import annotations

import numpy as np

from core.modelquality.pairs import Pairs
from core.modelquality.task import Task


def binary_part(generator: np.random.Generator, rows: int, shift: float) -> Pairs:
    """A score that ranks well and is not calibrated; the positives are drawn from x."""
    x = generator.normal(shift, 1, rows)
    chance = 1 / (1 + np.exp(-(1.5 * x - 0.5)))
    label = (generator.random(rows) < chance).astype(np.int64)
    score = chance**1.5
    return Pairs(Task.BINARY, label, (score >= 0.5).astype(np.int64), score, ("0", "1"))


def multi_part(generator: np.random.Generator, rows: int, shift: float) -> Pairs:
    """Three classes with scores that are too sure of themselves."""
    x = generator.normal(shift, 1, (rows, 2))
    raw = np.exp(np.c_[x[:, 0], x[:, 1], np.zeros(rows)])
    chance = raw / raw.sum(1, keepdims=True)
    label = (generator.random(rows)[:, None] > chance.cumsum(1)).sum(1).clip(0, 2)
    score = chance**2
    score /= score.sum(1, keepdims=True)
    return Pairs(Task.MULTICLASS, label, score.argmax(1), score, ("a", "b", "c"))


def numbers_part(
    generator: np.random.Generator, rows: int, low: float, high: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs (x, a category), prediction and label whose spread grows with x."""
    x = generator.uniform(low, high, rows)
    kind = generator.choice(["u", "v", "w"], rows)
    spread = 0.5 + x + (kind == "w")
    label = 3 * x + generator.normal(0, 1, rows) * spread
    places = np.searchsorted(["u", "v", "w"], kind).astype(np.float64)
    return np.c_[x, places], 3 * x, label
