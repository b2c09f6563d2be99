"""The worker keeps views up by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

import pyarrow as pa
import pytest

from core.domain.view import ViewState
from core.lake import open_lake
from tests.support.engine import Site, make_site

__all__ = ["make_site"]


def rows(day: int) -> pa.Table:
    hours = [datetime(2026, 1, day, hour) for hour in range(24)]
    return pa.table({"hour": pa.array(hours, pa.timestamp("us")), "n": [1] * 24})


@pytest.mark.slow
def test_a_view_with_a_time_is_refreshed_by_the_worker(make_site: Callable[..., Site]) -> None:
    site = make_site()
    site.write("views/hourly.sql", "-- keys: hour\n-- every: 1s\nSELECT hour, n FROM rentals")
    lake = open_lake(site.ops.session)
    lake.ensure("rentals", rows(1).schema, owner="tester")
    lake.append("rentals", rows(1), by="tester")
    site.ops.views.apply("hourly")
    site.start_worker()
    deadline = time.monotonic() + 60
    while site.ops.views.get("hourly").rows != 24 and time.monotonic() < deadline:
        time.sleep(0.2)
    lake.append("rentals", rows(2), by="tester")
    while site.ops.views.get("hourly").rows != 48 and time.monotonic() < deadline:
        time.sleep(0.2)
    view = site.ops.views.get("hourly")
    assert (view.rows, view.state) == (48, ViewState.FRESH)
