"""The worker keeps datasets up by itself."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from core.lake import open_lake
from tests.core.lake.conftest import ids, rows
from tests.support.engine import Site, make_site

__all__ = ["make_site"]


@pytest.mark.slow
def test_old_versions_go_and_small_files_are_merged(make_site: Callable[..., Site]) -> None:
    site = make_site()
    config = site.root / "opsdeck.yaml"
    config.write_text(config.read_text() + "lake: {keep: {snapshots: 5}}\n")
    lake = open_lake(site.open().session)
    lake.create("sales", rows(1).schema, owner="tester")
    for each in range(1, 31):
        lake.append("sales", rows(each), by="tester")
    lake.tag("sales", "gold", at="3")

    site.start_worker()
    deadline = time.monotonic() + 90
    while site.ops.data.get("sales").snapshots > 10 and time.monotonic() < deadline:
        time.sleep(0.3)
    while site.ops.data.snapshots("sales")[0].operation != "compact":
        assert time.monotonic() < deadline
        time.sleep(0.3)

    assert site.ops.data.get("sales").snapshots == 7  # five, the tagged one, the merged one
    assert ids(lake, "sales") == list(range(1, 31))
    assert ids(lake, "sales", at="gold") == [1, 2]
