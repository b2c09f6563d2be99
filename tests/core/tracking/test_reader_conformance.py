"""One suite for every reader: it must tell what MLflow's own client tells."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from core.tracking import MetricSeries, TrackingReader, open_reader, tail

EXPERIMENT = MODEL = "bike-demand"
LONG_RUN_STEPS = 3000

pytestmark = pytest.mark.xdist_group("tracking")


STORES = ["sqlite_store", "postgres_store", "rest_store", "arn_store"]


@pytest.fixture(scope="module", params=STORES)
def store(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def reader(store: Any) -> Iterator[TrackingReader]:
    opened = open_reader(store.uri)
    yield opened
    opened.close()


def infinite(value: float) -> float:
    """The client hands out what is stored for infinity: the largest double."""
    return math.copysign(math.inf, value) if abs(value) > 1.79e308 else value


def comparable(metrics: dict[str, float]) -> dict[str, str]:
    return {key: repr(infinite(value)) for key, value in metrics.items()}


def history(store: Any, run_id: str, key: str) -> list[tuple[int, int, str]]:
    """What the client tells, as (step, timestamp, value) in our order; NaN as text."""
    points = store.client().get_metric_history(run_id, key)
    return sorted((p.step, p.timestamp, repr(infinite(p.value))) for p in points)


def points(series: MetricSeries) -> list[tuple[int, int, str]]:
    assert len(series.steps) == len(series.values) == len(series.timestamps)
    values = (repr(value) for value in series.values)
    return list(zip(series.steps, series.timestamps, values, strict=True))


ODD_KEYS = ["backwards", "epoch/time", "negative", "odd values", "stepless"]


def test_metric_keys(store: Any, reader: TrackingReader) -> None:
    assert reader.metric_keys(store.content.odd_run) == ODD_KEYS
    assert reader.metric_keys(store.content.runs[0]) == ["mae", "rmse"]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_history_of_odd_metrics(store: Any, reader: TrackingReader, key: str) -> None:
    run = store.content.odd_run
    series = reader.metric_history(run, key)
    assert sorted(points(series)) == history(store, run, key)
    assert list(series.steps) == sorted(series.steps)
    assert not series.truncated


def test_history_of_a_long_metric(store: Any, reader: TrackingReader) -> None:
    run = store.content.long_run
    series = reader.metric_history(run, "loss")
    assert len(series) == LONG_RUN_STEPS
    assert points(series) == history(store, run, "loss")


@pytest.mark.parametrize("after", [-1, 0, 100, 2990, 2999, 10**6])
def test_history_after_a_step(store: Any, reader: TrackingReader, after: int) -> None:
    run = store.content.long_run
    expected = [point for point in history(store, run, "loss") if point[0] > after]
    assert points(reader.metric_history(run, "loss", after_step=after)) == expected


@pytest.mark.parametrize("after", [2**31 - 5, 2**31 - 3, 2**31 - 1, 2**31, 2**31 + 4])
def test_steps_beyond_32_bits(store: Any, reader: TrackingReader, after: int) -> None:
    run = store.content.odd_run
    seen = MetricSeries("epoch/time")
    position = after
    while True:  # as one follows a metric: on from the last step, until there is no more
        part = reader.metric_history(run, "epoch/time", after_step=position)
        if not part.steps:
            break
        position = part.steps[-1]
        seen = MetricSeries(
            "epoch/time",
            seen.steps + part.steps,
            seen.values + part.values,
            seen.timestamps + part.timestamps,
        )
    expected = [point for point in history(store, run, "epoch/time") if point[0] > after]
    assert points(seen) == expected


def test_limit_cuts_between_steps(store: Any, reader: TrackingReader) -> None:
    part = reader.metric_history(store.content.long_run, "loss", after_step=9, limit=5)
    assert part.steps == (10, 11, 12, 13, 14)
    assert part.truncated
    whole = reader.metric_history(store.content.odd_run, "negative", limit=10)
    assert len(whole) == 10
    assert not whole.truncated
    one_step = reader.metric_history(store.content.odd_run, "stepless", limit=20)
    assert len(one_step) == 20
    assert one_step.truncated


def test_following_in_parts_gives_the_whole(store: Any, reader: TrackingReader) -> None:
    run = store.content.long_run
    series = MetricSeries("loss")
    for _ in range(4):
        series = tail(reader, run, series, limit=1000)
    assert points(series) == history(store, run, "loss")
    assert tail(reader, run, series) is series


def test_latest_metrics(store: Any, reader: TrackingReader) -> None:
    runs = [*store.content.runs, store.content.odd_run, store.content.long_run]
    found = reader.latest_metrics([*runs, "0" * 32, "not an id"])
    assert set(found) == set(runs)
    for run_id in runs:
        expected = store.client().get_run(run_id).data.metrics
        assert comparable(found[run_id]) == comparable(expected)


def test_params_and_tags(store: Any, reader: TrackingReader) -> None:
    for run_id in store.content.runs[:3]:
        data = store.client().get_run(run_id).data
        assert reader.params(run_id) == data.params
        assert reader.tags(run_id) == data.tags


@pytest.mark.parametrize("experiment", [EXPERIMENT, "other team's", None])
def test_runs(store: Any, reader: TrackingReader, experiment: str | None) -> None:
    client = store.client()
    names = {e.experiment_id: e.name for e in client.search_experiments()}
    ids = [key for key, name in names.items() if experiment in (None, name)]
    expected = client.search_runs(ids)
    assert expected
    found = reader.runs(experiment)
    assert [run.run_id for run in found] == [run.info.run_id for run in expected]
    for ours, theirs in zip(found, expected, strict=True):
        info = theirs.info
        assert (ours.name, ours.status, ours.start_time, ours.end_time, ours.experiment) == (
            info.run_name, info.status, info.start_time, info.end_time, names[info.experiment_id],
        )  # fmt: skip
        assert (ours.params, ours.tags) == (theirs.data.params, theirs.data.tags)
        assert comparable(dict(ours.metrics)) == comparable(theirs.data.metrics)


def test_runs_in_pages(store: Any, reader: TrackingReader) -> None:
    everything = [run.run_id for run in reader.runs(EXPERIMENT)]
    paged = [run.run_id for offset in range(0, 20, 3) for run in reader.runs(EXPERIMENT, 3, offset)]
    assert paged == everything
    assert [run.run_id for run in reader.runs(EXPERIMENT, 2, 5)] == everything[5:7]
    assert reader.runs(EXPERIMENT, 10, 1000) == []


def test_registered_models(store: Any, reader: TrackingReader) -> None:
    expected = store.client().search_registered_models(order_by=["name"])
    found = reader.registered_models()
    assert {m.name for m in found} == {m.name for m in expected} == {MODEL, "it's empty", "Zebra"}
    assert [m.name for m in found] == sorted(m.name for m in found)
    theirs = {model.name: model for model in expected}
    for ours in found:
        model = theirs[ours.name]
        assert ours.description == (model.description or "")
        assert (ours.created, ours.updated) == (
            model.creation_timestamp,
            model.last_updated_timestamp,
        )
        assert ours.tags == model.tags
        assert ours.aliases == {alias: int(v) for alias, v in model.aliases.items()}
    assert {model.name: model.latest_version for model in found}[MODEL] == 4


def test_model_versions(store: Any, reader: TrackingReader) -> None:
    found = reader.model_versions(MODEL)
    assert [version.version for version in found] == [4, 3, 1]
    for ours in found:
        theirs = store.client().get_model_version(MODEL, str(ours.version))
        assert (ours.run_id, ours.source, ours.status, ours.description) == (
            theirs.run_id, theirs.source, theirs.status, theirs.description,
        )  # fmt: skip
        assert (ours.created, ours.updated) == (
            theirs.creation_timestamp,
            theirs.last_updated_timestamp,
        )
        assert ours.tags == theirs.tags
        assert list(ours.aliases) == sorted(theirs.aliases)
    assert reader.model_versions("it's empty") == []


def test_aliases(reader: TrackingReader) -> None:
    assert reader.aliases(MODEL) == {"champion": 1, "stable": 1, "candidate": 4}
    assert reader.aliases("Zebra") == {}


@pytest.mark.parametrize("run_id", ["0" * 32, "no such run", "../x", "it's"])
def test_an_unknown_run_reads_as_empty(reader: TrackingReader, run_id: str) -> None:
    assert reader.metric_keys(run_id) == []
    assert reader.metric_history(run_id, "loss").steps == ()
    assert reader.metric_history(run_id, "loss", after_step=3).steps == ()
    assert reader.latest_metrics([run_id]) == {}
    assert reader.params(run_id) == {}
    assert reader.tags(run_id) == {}


def test_other_unknown_names_read_as_empty(store: Any, reader: TrackingReader) -> None:
    assert reader.metric_history(store.content.long_run, "no such metric").steps == ()
    assert reader.runs("no such experiment") == []
    assert reader.runs("gone") == []
    assert reader.model_versions("no such model") == []
    assert reader.aliases("it's no model") == {}


def test_many_threads_at_once(store: Any, reader: TrackingReader) -> None:
    run = store.content.runs[1]
    expected = reader.params(run)

    def look(_: int) -> bool:
        return reader.params(run) == expected and len(reader.runs(EXPERIMENT, 5)) == 5

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(look, range(30)))


def test_a_closed_reader_opens_again(store: Any, reader: TrackingReader) -> None:
    reader.close()
    assert reader.metric_keys(store.content.runs[0]) == ["mae", "rmse"]
