"""Series of datasets and runs, recorded where an alarm names them."""

from __future__ import annotations

import time

from core.domain.series import SeriesName
from core.ops import Ops
from core.series import latest, list_series
from core.series.borrowing import BorrowedSeries
from core.state.lake_tables import dataset_snapshots, datasets
from tests.support.opened import database_url, open_as, ops, woken

__all__ = ["database_url", "open_as", "ops", "woken"]


def test_a_datasets_rows_and_age(ops: Ops) -> None:
    now = time.time() // 60 * 60  # the second look is within the same minute
    with ops.session.change("test") as tx:
        tx.execute(
            datasets.insert().values(
                name="rentals", owner="author", created_at=now - 9000, created_by="author",
                rows=17_544, bytes=1000, updated_at=now - 7200,
            )
        )  # fmt: skip
        tx.execute(
            dataset_snapshots.insert().values(
                dataset="rentals", snapshot_id="1", number=3, at=now - 7200, operation="append"
            )
        )
    borrowed = BorrowedSeries(ops.session)
    wanted = [SeriesName("dataset/rentals", "age"), SeriesName("dataset/none", "rows"),
              SeriesName("endpoint/bike", "latency")]  # fmt: skip
    assert borrowed.take(wanted, now) == 4
    assert borrowed.take(wanted, now + 1) == 0, "once a minute"
    assert borrowed.take(wanted, now + 60) == 4
    read = {
        metric: latest(ops.session.reader, "dataset/rentals", metric)[0].value
        for metric in ("rows", "age", "versions")
    }
    assert read == {"rows": 17_544, "age": 7260, "versions": 3}
    assert list_series(ops.session.reader, "dataset/none") == ()


def test_a_run_that_has_logged_nothing_and_one_that_is_not_there(ops: Ops) -> None:
    ops.runs.start("chain", {})
    borrowed = BorrowedSeries(ops.session)
    assert borrowed.take([SeriesName("run/1", "loss"), SeriesName("run/99", "loss")]) == 0
