"""The BentoML service that the comparison serves: the model of `MODEL`, with adaptive batching
where `BATCH` is 1."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import bentoml
import numpy as np


@bentoml.service(workers=1, traffic={"timeout": 30})
class Boosting:
    """One scikit-learn model."""

    def __init__(self) -> None:
        self.model = pickle.loads(Path(os.environ["MODEL"]).read_bytes())

    @bentoml.api(batchable=os.environ["BATCH"] == "1", max_batch_size=128, max_latency_ms=1000)
    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Predictions of rows."""
        found: np.ndarray = self.model.predict(rows)
        return found
