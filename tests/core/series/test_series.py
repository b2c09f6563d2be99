"""Series: what is recorded is read back as CloudWatch's statistics, also after it aged."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.domain.series import Datapoint, Point, SeriesName, Statistics
from core.errors import BadInput
from core.series import latest, list_series, read, record
from core.series.keeping import DAY, HOUR, KEEP_SECONDS, make_coarser
from core.series.sets import bucketed, statistic, together
from core.session import Session
from core.state.reading import open_reader
from core.state.store import Store
from tests.support.opened import database_url as database_url

SOURCE = "endpoint/bike"


class Base:
    """A database, with both ends of it."""

    def __init__(self, url: str) -> None:
        self.store = Store(url)
        self.store.migrate()
        self.reader = open_reader(url)

    def record(self, *points: Point, span: float = 60.0, source: str = SOURCE) -> None:
        with self.store.transaction("worker") as tx:
            record(tx, source, points, span)

    def age(self, now: float) -> None:
        with self.store.transaction("worker") as tx:
            make_coarser(tx, now)

    def count(self) -> int:
        return int(self.reader.rows("SELECT count(*) AS n FROM metric_points")[0]["n"])

    def close(self) -> None:
        self.reader.close()
        self.store.close()


@pytest.fixture
def base(database_url: str) -> Iterator[Base]:
    opened = Base(database_url)
    yield opened
    opened.close()


def values(points: tuple[Datapoint, ...]) -> list[float | None]:
    return [point.value for point in points]


def test_each_period_is_one_datapoint_and_a_gap_is_seen(base: Base) -> None:
    given = (0, 1.0), (10, 3.0), (65, 5.0), (180, 7.0)
    base.record(*(Point("latency", at, value) for at, value in given))
    found = read(base.reader, SOURCE, "latency", since=0, until=240, period=60)
    assert found == (
        Datapoint(0, 2.0, 2), Datapoint(60, 5.0, 1), Datapoint(120, None), Datapoint(180, 7.0, 1),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("stat", "value"),
    [("Average", 2.5), ("Sum", 10.0), ("Minimum", 1.0), ("Maximum", 4.0), ("SampleCount", 4.0),
     ("p50", 2.0), ("p75", 3.0), ("p100", 4.0), ("p99.9", 4.0)],
)  # fmt: skip
def test_statistics_of_single_samples_are_exact(base: Base, stat: str, value: float) -> None:
    base.record(*(Point("m", at, v) for at, v in enumerate((4.0, 1.0, 3.0, 2.0))))
    found = read(base.reader, SOURCE, "m", since=0, until=60, period=60, stat=stat)
    assert values(found) == [value]


def test_an_unknown_statistic_and_too_many_periods_are_refused(base: Base) -> None:
    with pytest.raises(BadInput, match="statistic p101"):
        read(base.reader, SOURCE, "m", since=0, until=1, stat="p101")
    with pytest.raises(BadInput, match="too many"):
        read(base.reader, SOURCE, "m", since=0, until=1e9, period=1)


def test_dimensions_make_series_of_their_own_and_empty_ones_do_not_count(base: Base) -> None:
    base.record(
        Point("psi", 0, 0.1, {"feature": "temp", "segment": ""}),
        Point("psi", 0, 0.2, {"feature": "wind"}),
        Point("psi", 0, 0.3, {"segment": ""}),
    )
    assert list_series(base.reader, SOURCE, "psi") == (
        SeriesName(SOURCE, "psi", {"feature": "temp"}),
        SeriesName(SOURCE, "psi", {"feature": "wind"}),
        SeriesName(SOURCE, "psi", {}),
    )
    assert values(latest(base.reader, SOURCE, "psi", {"feature": "wind"})) == [0.2]
    assert values(latest(base.reader, SOURCE, "psi")) == [0.3]
    assert list_series(base.reader, SOURCE, "psi")[0].words() == "endpoint/bike:psi{feature=temp}"


def test_what_was_measured_anew_stands_in_place_of_what_was_there(base: Base) -> None:
    base.record(Point("mae", 100, 5.0), Point("mae", 200, 6.0))
    base.record(Point("mae", 100, 4.0))
    assert values(latest(base.reader, SOURCE, "mae", count=9)) == [4.0, 6.0]
    assert values(latest(base.reader, SOURCE, "mae", count=9, until=200)) == [4.0]


def test_gaps_and_what_is_no_number(base: Base) -> None:
    base.record(Point("m", 1, None), Point("m", 2, math.nan), Point("m", 3, math.inf))
    found = latest(base.reader, SOURCE, "m", count=3)
    assert found == (Datapoint(1, None), Datapoint(2, None), Datapoint(3, math.inf, 1))


def test_statistic_sets_give_rates_and_percentiles(base: Base) -> None:
    errors = Statistics(200, 3, 0, 1)
    latency = Statistics(4, 20.0, 2.0, 9.0, dict.fromkeys((1000, 1100), 2.0))
    base.record(
        Point("errors", 0, statistics=errors), Point("latency", 0, statistics=latency), span=10
    )

    def one(metric: str, stat: str) -> float | None:
        return read(base.reader, SOURCE, metric, since=0, until=60, period=60, stat=stat)[0].value

    assert one("errors", "Average") == pytest.approx(0.015)
    assert one("errors", "Sum") == 3
    assert one("errors", "p50") is None, "not to be told of a set without buckets"
    assert one("latency", "p50") is not None
    assert one("latency", "Average") == 5.0


def test_points_become_coarser_as_they_age_and_nothing_is_lost(base: Base) -> None:
    base.record(*(Point("m", at * 10.0, float(at)) for at in range(36)), span=10)  # six minutes
    before = {
        stat: read(base.reader, SOURCE, "m", since=0, until=3600, period=3600, stat=stat)[0].value
        for stat in ("Average", "Sum", "Minimum", "Maximum", "SampleCount", "p90")
    }
    counts = []
    for now in (2 * HOUR, 4 * HOUR, 16 * DAY, 64 * DAY):
        base.age(now)
        counts.append(base.count())
        for stat, value in before.items():
            found = read(base.reader, SOURCE, "m", since=0, until=3600, period=3600, stat=stat)
            assert found[0].value == pytest.approx(value, rel=0.01), (now, stat)
    assert counts == [36, 6, 2, 1]
    base.age(KEEP_SECONDS + 2 * HOUR)
    assert base.count() == 0


def test_only_whole_periods_are_taken_together_however_little_fits_at_once(base: Base) -> None:
    base.record(*(Point("m", at * 10.0, 1.0) for at in range(60)), span=10)
    for _ in range(40):
        with base.store.transaction("worker") as tx:
            if not make_coarser(tx, 100 * DAY, most=13):
                break
    found = read(base.reader, SOURCE, "m", since=0, until=3600, period=3600, stat="SampleCount")
    assert found[0].value == 60
    assert base.count() == 1


def test_a_point_that_comes_late_joins_the_coarse_one(base: Base) -> None:
    base.record(Point("m", 0, 1.0), Point("m", 60, 3.0))
    base.age(16 * DAY)
    base.record(Point("m", 120, 5.0))
    base.age(16 * DAY)
    assert base.count() == 1
    found = read(base.reader, SOURCE, "m", since=0, until=300, period=300)
    assert found == (Datapoint(0, 3.0, 3),)


_numbers = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.lists(_numbers, min_size=1, max_size=80), st.integers(0, 100), st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_sets_taken_together_in_any_way_say_the_same(
    samples: list[float], percent: int, data: st.DataObject
) -> None:
    single = [Statistics(1, v, v, v) for v in samples]
    cut = data.draw(st.integers(0, len(samples)))
    merged = together([together(single[:cut]), together(single[cut:])])
    assert merged.samples == len(samples)
    assert merged.total == pytest.approx(sum(samples), abs=1e-3)
    assert (merged.low, merged.high) == (min(samples), max(samples))
    assert bucketed(merged) is not None
    exact = statistic(single, f"p{percent}")
    rough = statistic([merged], f"p{percent}")
    assert exact is not None
    assert rough == pytest.approx(exact, rel=0.011, abs=2e-9)
    assert statistic([merged], "Average") == pytest.approx(statistics.fmean(samples), abs=1e-6)


def test_a_month_of_minutes_is_read_quickly(tmp_path: Path) -> None:
    """Reading stays cheap: what is shown of 15 days of minutes is one query by the table's
    own order. The bound is far above what it takes, for a busy machine."""
    import time

    base = Base(f"sqlite:///{tmp_path / 'state.db'}")
    base.record(*(Point("m", at * 60.0, float(at)) for at in range(15 * 1440)))
    started = time.process_time()
    found = read(base.reader, SOURCE, "m", since=0, until=15 * DAY, period=HOUR, stat="p99")
    assert time.process_time() - started < 2.0
    assert len(found) == 360
    base.close()


def test_a_session_records_and_reads(tmp_path: Path) -> None:
    from core.workspace import open_workspace
    from tests.support.opened import write_workspace

    session = Session(open_workspace(write_workspace(tmp_path / "space")), "author", False)
    assert read(session.reader, SOURCE, "m", since=0, until=60, period=60) == (Datapoint(0, None),)
    with session.change("measure") as tx:
        record(tx, SOURCE, [Point("m", 5, 1.5)])
    assert values(read(session.reader, SOURCE, "m", since=0, until=60)) == [1.5]
    session.close()
