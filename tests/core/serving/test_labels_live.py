"""Ground truth of a running endpoint, from the request to the supervisor's comparison."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest

from core.capture.labelfile import Label
from core.capture.labels import store_labels
from core.capture.merge import merge_new
from core.capture.quality import coverage
from core.capture.reader import newest
from core.capture.reporting import LateLabels, report
from core.domain.analysis import AnalysisPlan, MetricRule
from core.domain.capture import CaptureFilter
from core.domain.plans import plan_json, watched
from core.domain.release import ReleasePlan
from core.errors import EndpointUnavailable
from core.serving import EndpointControl
from core.serving.config import EndpointConfig
from core.state import schema
from core.state.reading import Reader, open_reader
from core.state.store import Store

REQUESTS = 40
PLAN = ReleasePlan(
    steps=(),
    analysis=AnalysisPlan(
        metrics=(MetricRule("ground_truth", 1.0), MetricRule("disagreements", 0.1)),
        minimum_requests=10,
    ),
)


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """A state with the deployment d1 of r2 to the endpoint bike, begun a moment ago."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    store = Store(url)
    store.migrate()
    with store.transaction("author") as tx:
        tx.execute(
            schema.endpoints.insert().values(
                name="bike", environment="local", status="updating", host="127.0.0.1", port=0,
                created_at=time.time(), updated_at=time.time(),
            )
        )  # fmt: skip
        tx.execute(
            schema.deployments.insert().values(
                id="d1", endpoint="bike", model="two", version=2, revision=2, from_revision=1,
                status="progressing", strategy=plan_json(PLAN), actor="author",
                created_at=time.time(),
            )
        )  # fmt: skip
    store.close()
    return open_reader(url)


@pytest.fixture
def armed(
    start: Callable[..., EndpointControl], models: dict[str, Path], tmp_path: Path
) -> EndpointControl:
    """An endpoint with the arms of d1 loaded, and d1 watched; the first has all the traffic."""
    control = start("bike", tmp_path / "endpoints" / "bike")
    control.load(1, models["one"], "one", 1)
    control.load(2, models["two"], "two", 2)
    control.set_table({1: 100})
    control.arm("d1", 2, 1, watched(PLAN))
    return control


def until(holds: Callable[[], object], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.slow
def test_labels_reach_the_comparison_of_the_arms(
    armed: EndpointControl,
    split: Callable[..., bytes],
    reader: Reader,
) -> None:
    control, folder = armed, armed.folder.root
    control.set_table({1: 50, 2: 50})
    truth: dict[str, float] = {}
    for number in range(REQUESTS):
        row = [number % 24, 0.5, 0.5]
        truth[f"c{number}"] = row[0] + 10 * row[1]  # what model one was fitted to
        answer = control.invoke(split(row), headers={"X-Amzn-SageMaker-Inference-Id": f"c{number}"})
        assert answer.status == 200
    store_labels(folder, [Label(name, value) for name, value in truth.items()])
    merge_new(folder)
    assert not report(reader, folder), "no request is on disk yet"
    until(lambda: len(newest(folder / "capture", CaptureFilter(), 100)) == REQUESTS)
    LateLabels(reader, folder.parent).merge_all()

    arms = {arm.variant: arm for arm in coverage(folder, "bike").arms}
    assert arms["r1"].labelled + arms["r2"].labelled == REQUESTS
    assert (arms["r1"].share, arms["r2"].share) == (1, 1)
    assert (arms["r1"].mae or 0) < 1 < (arms["r2"].mae or 0)
    found = control.analysis()
    assert found is not None
    metric = next(each for each in found.metrics if each.metric == "ground_truth")
    assert (metric.champion_count, metric.candidate_count) == (
        arms["r1"].labelled,
        arms["r2"].labelled,
    )
    assert metric.champion == pytest.approx(arms["r1"].mae)
    assert metric.candidate == pytest.approx(arms["r2"].mae)
    assert not report(reader, folder), "each request counts once"

    one = newest(folder / "capture", CaptureFilter(variant="r1"), 1)[0]
    assert (one.model, one.version, one.content_type) == ("one", 1, "application/json")
    assert (one.shadow, one.sampling_rate, one.status) == (False, 1.0, 200)
    assert list(json.loads(one.inputs)) == ["dataframe_split"]


@pytest.mark.slow
def test_losses_whose_answer_was_lost_are_sent_again_and_count_once(
    armed: EndpointControl,
    split: Callable[..., bytes],
    reader: Reader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    control, folder = armed, armed.folder.root
    control.set_table({1: 50, 2: 50})
    for number in range(REQUESTS):
        headers = {"X-Amzn-SageMaker-Inference-Id": f"c{number}"}
        assert control.invoke(split([8, 0.5, 0.5]), headers=headers).status == 200
    until(lambda: len(newest(folder / "capture", CaptureFilter(), 100)) == REQUESTS)
    store_labels(folder, [Label(f"c{number}", 13.0) for number in range(REQUESTS)])
    merge_new(folder)
    whole = EndpointControl.observe

    def lost(*args: Any, after: bool) -> None:
        if after:
            whole(*args)
        raise EndpointUnavailable("The endpoint did not answer in time")

    for after in (False, True):
        monkeypatch.setattr(EndpointControl, "observe", partialmethod(lost, after=after))
        assert not report(reader, folder)
    monkeypatch.setattr(EndpointControl, "observe", whole)
    assert report(reader, folder)
    assert not report(reader, folder)
    found = control.analysis()
    assert found is not None
    metric = next(each for each in found.metrics if each.metric == "ground_truth")
    assert (metric.champion_count or 0) + (metric.candidate_count or 0) == REQUESTS


@pytest.mark.slow
def test_both_answers_to_a_mirrored_request_are_paired(
    armed: EndpointControl,
    split: Callable[..., bytes],
    reader: Reader,
) -> None:
    control, folder = armed, armed.folder.root
    control.configure(replace(control.config(), capture_rate=0.5))
    assert control.stats().capture.rate == 0.5
    control.shadow(2, 100)
    truth: dict[str, float] = {}
    for number in range(REQUESTS):
        row = [number % 24, 0.5, 0.5]
        truth[f"c{number}"] = row[0] + 5.0
        control.invoke(split(row), headers={"X-Amzn-SageMaker-Inference-Id": f"c{number}"})
    store_labels(folder, [Label(name, value) for name, value in truth.items()])

    def captured(shadow: bool) -> set[str]:
        found = newest(folder / "capture", CaptureFilter(shadow=shadow), 100)
        assert {row.variant for row in found} <= {"r2" if shadow else "r1"}
        return {row.inference_id for row in found}

    until(lambda: captured(True) and captured(True) == captured(False))
    assert 0 < len(captured(True)) < REQUESTS, "a sample, the same of both"
    merge_new(folder)
    assert report(reader, folder)
    found = control.analysis()
    assert found is not None
    metric = next(each for each in found.metrics if each.metric == "disagreements")
    assert metric.candidate_count == len(captured(True))
    assert metric.difference == pytest.approx(1.0, abs=0.2), "model two is the worse on each"


@pytest.mark.slow
def test_two_servers_capture_together(
    start: Callable[..., EndpointControl],
    models: dict[str, Path],
    split: Callable[..., bytes],
    tmp_path: Path,
) -> None:
    folder = tmp_path / "endpoints" / "bike"
    EndpointConfig(min_servers=2, max_servers=2).write(folder)
    control = start("bike", folder)
    control.load(1, models["one"], "one", 1)
    control.set_table({1: 100})
    until(lambda: len(control.status().servers) == 2)
    names = [f"c{number}" for number in range(60)]
    for name in names:
        body = split([8, 0.5, 0.25])
        control.invoke(body, headers={"X-Amzn-SageMaker-Inference-Id": name})
    until(lambda: control.stats().capture.written == len(names))
    found = newest(control.folder.capture, CaptureFilter(), 100)
    assert sorted(row.inference_id for row in found) == sorted(names)
    control.configure(replace(control.config(), capture_rate=0.0, capture_bytes=1 << 20))
    status = control.stats().capture
    assert (status.rate, status.cap) == (0.0, 1 << 20)
    for _ in range(10):
        control.invoke(split([8, 0.5, 0.25]))
    control.stop()
    assert len(newest(control.folder.capture, CaptureFilter(), 100)) == len(names)
