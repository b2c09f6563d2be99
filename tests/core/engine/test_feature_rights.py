"""A run deploys no model that reads features of data which its starter may not see whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pyarrow as pa
import pytest

from core.lake import open_lake
from tests.support.engine import Site, make_site

__all__ = ["make_site"]

VIEW = """\
source: rides
entity: {rider: int}
event_time: ended
features: {count: int}
online: true
"""
WORK = """\
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression


def fit():
    rows = pd.DataFrame({"count": np.arange(10.0)})
    return LinearRegression().fit(rows, rows["count"]), rows.head(2), ["riders@1"]
"""
STEPS = """\
fit:
  function: work:fit
  outputs: [model, input_example, feature_views]
register:
  register: {model: fit.model, name: rides}
deploy:
  deploy: {endpoint: rides, environment: local}
"""


@pytest.mark.slow
def test_its_deploy_step_fails_and_says_why(make_site: Callable[..., Site]) -> None:
    site = make_site()
    ana = site.open("ana")
    rows = pa.table(
        {
            "rider": [1, 2],
            "ended": pa.array([datetime(2026, 1, 1)] * 2, pa.timestamp("us")),
            "count": [3, 4],
        }
    )
    with open_lake(ana.session) as lake:
        lake.ensure("rides", rows.schema, owner="ana")
        lake.append("rides", rows, by="ana")
    site.write("features/riders.yaml", VIEW)
    site.write("work.py", WORK)
    site.pipeline("rides", STEPS)
    ana.features.materialize("riders")
    ana.governance.grant("rides", "ben", masks={"count": "null"})
    site.start_worker()
    detail = site.finish(site.open("ben").runs.start("rides", {}).id, 120)
    steps = {step.step: step for step in detail.steps}
    assert steps["register"].status == "succeeded"
    assert steps["deploy"].status == "failed"
    assert "ben may see only a part of rides" in steps["deploy"].message
    assert site.ops.endpoints.list() == ()
