"""A whole rollout on PostgreSQL, with the worker killed in the middle of it."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from core.domain.release import Deployment
from tests.support.engine import Site, sites
from tests.support.postgres import postgres_cluster, postgres_url

__all__ = ["postgres_cluster", "postgres_url"]

CODE = """\
def train(factor):
    import pandas
    from sklearn.linear_model import LinearRegression
    x = pandas.DataFrame({"hour": [float(i) for i in range(24)]})
    return LinearRegression().fit(x, x.hour * factor), x.head(2)
"""
STEPS = """
train:
  function: steps:train
  inputs: {factor: '${params.factor}'}
  outputs: [model, input_example]
register: {register: {model: train.model, name: demand}}
"""
BODY = json.dumps({"dataframe_split": {"columns": ["hour"], "data": [[3.0]]}}).encode()


def current(site: Site) -> Deployment:
    """The endpoint's newest deployment."""
    found = site.ops.endpoints.get("bike").deployment
    assert found is not None
    return found


def ended(site: Site) -> Deployment:
    """Wait for the end of the newest deployment."""
    site.wait_for(
        lambda: current(site).status.ended,
        90,
        lambda: f"{current(site).message} {site.worker_log()[-2000:]}",
    )
    return current(site)


def answer(site: Site) -> float:
    """The prediction for three o'clock."""
    (found,) = json.loads(site.ops.endpoints.invoke("bike", BODY).body)["predictions"]
    return float(found)


def kill(worker: subprocess.Popen[bytes]) -> None:
    """End one of the workers without any ceremony."""
    worker.send_signal(signal.SIGKILL)
    worker.wait(30)


def test_another_worker_finishes_what_a_killed_one_began(tmp_path: Path, postgres_url: str) -> None:
    with sites(tmp_path) as make:
        site = make("team", database=postgres_url)
        site.write("steps.py", CODE)
        site.pipeline("demand", STEPS, "params: {factor: 2.0}")
        first = site.start_worker()
        for factor in ("2.0", "5.0"):
            detail = site.run("demand", seconds=90, factor=factor)
            assert detail.run.status == "succeeded", site.told(detail)
        endpoints = site.ops.endpoints
        endpoints.deploy("bike", "demand", "1", environment="production")
        assert ended(site).status == "succeeded"
        try:
            canary = {
                "steps": [{"set_weight": 10}, {"bake": "15s"}, {"set_weight": 100}],
                "analysis": None,
            }
            endpoints.deploy("bike", "demand", "2", strategy=canary, reason="try")
            site.wait_for(lambda: current(site).status == "paused", 60, site.worker_log)
            baking = current(site)
            site.start_worker()  # a second one beside it
            kill(first)
            assert current(site).next_at == baking.next_at, "the clock goes on"
            done = ended(site)
            assert (done.status, done.message) == ("succeeded", "in production")
            assert done.ended_at is not None and baking.next_at is not None
            assert done.ended_at >= baking.next_at
            kinds = [event.kind for event in done.events]
            assert kinds == ["created", "loaded", "weight", "bake", "weight", "succeeded"]
            assert dict(site.ops.models.list()[0].aliases) == {"champion": 2, "previous": 1}
            assert answer(site) == pytest.approx(15.0)

            receipt = endpoints.rollback("bike", reason="after all")
            assert (receipt.from_version, receipt.to_version, receipt.requests_failed) == (2, 1, 0)
            assert dict(site.ops.models.list()[0].aliases) == {"champion": 1}
            assert answer(site) == pytest.approx(6.0)
            (alert,) = site.ops.alerts.list(state=None)
            assert (alert.kind, alert.state) == ("rollback", "resolved")
            assert site.ops.audit.verify().ok
            assert "Traceback" not in site.worker_log()
            assert "brought on by nobody" not in site.worker_log()
        finally:
            endpoints.control("bike").stop()
