"""Pictures of a training job's metrics: what belongs together, and what is asked for."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from core.aws.account import Account
from core.aws.kinds.jobs import live
from core.aws.metrics import Metric, Points


def job(**more: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": "bikes",
        "TrainingStartTime": datetime.fromtimestamp(time.time() - 600, UTC),
        "AlgorithmSpecification": {
            "MetricDefinitions": [
                {"Name": name, "Regex": "x"} for name in ("train:loss", "validation:loss", "speed")
            ]
        },
        "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": 6},
        **more,
    }


@pytest.fixture
def wanted(monkeypatch: pytest.MonkeyPatch) -> dict[str, Metric]:
    """What was asked of CloudWatch, which has two points of everything."""
    found: dict[str, Metric] = {}

    def several(_account: Account, asked: dict[str, Metric], *_: Any) -> dict[str, Points]:
        found.update(asked)
        return dict.fromkeys(asked, ((1.0, 2.0), (2.0, 3.0)))

    monkeypatch.setattr(live, "several", several)
    return found


def test_splits_share_a_picture(account: Account, wanted: dict[str, Metric]) -> None:
    charts = {chart.title: set(chart.series) for chart in live.charts(account, job())}
    assert charts["loss"] == {"train", "validation"}
    assert charts["speed"] == {"speed"}


def test_the_first_instances_and_their_gpus(account: Account, wanted: dict[str, Metric]) -> None:
    live.charts(account, job())
    hosts = {each.dimensions["Host"] for each in wanted.values() if "Host" in each.dimensions}
    assert hosts == {f"bikes/algo-{number}" for number in (1, 2, 3, 4)}
    assert "GPUUtilization" in {each.name for each in wanted.values()}


def test_nothing_is_asked_before_it_has_started(
    account: Account, wanted: dict[str, Metric]
) -> None:
    assert live.charts(account, job(TrainingStartTime=None)) == ()
    assert wanted == {}
