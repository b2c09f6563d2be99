"""Intervals hold the true value about as often as they say, in small groups too."""

from __future__ import annotations

import numpy as np
import pytest

from core.bias.intervals import interval
from core.bias.metrics import METRICS
from core.bias.tables import Table

SHARES = np.array([[[0.35, 0.08], [0.07, 0.30]], [[0.08, 0.02], [0.03, 0.07]]])


@pytest.mark.parametrize("rows", [100, 1_000])
@pytest.mark.parametrize(
    "name", ["CI", "DPL", "JS", "DPPL", "DI", "DCAcc", "RD", "SD", "DAR", "DRR", "AD", "TE", "GE"]
)
def test_coverage(name: str, rows: int) -> None:
    """Of 200 windows with a group of a fifth of them; a plain bootstrap of the rows covers SD of
    100 rows 84 times in 100."""
    metric = METRICS[name]
    shares = SHARES / SHARES.sum()
    axis = {Table.LABELS: 2, Table.PREDICTIONS: 1}.get(metric.table)
    if axis is not None:
        shares = shares.sum(axis)
    true = metric.value(shares)
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(200):
        counts = rng.multinomial(rows, shares.ravel()).reshape(shares.shape).astype(float)
        found = interval(metric, counts, 0.95, draws=400)
        held += found is not None and found.low <= true <= found.high
    assert held / 200 >= 0.88
