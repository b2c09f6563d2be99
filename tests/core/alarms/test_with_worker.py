"""Alarms end to end: a file, a real worker, and what it makes of what was measured."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import pytest

from core.domain.alarm import Alarm
from core.domain.analysis import AlarmState
from core.domain.series import Point
from core.series import record
from tests.support.engine import Site

DAY, PERIOD = 86_400.0, 300.0
LOOKED_AT = 60.0
"""A worker evaluates every few seconds."""
BORROWED = 150.0
"""A run's metrics are taken over each minute, and a minute counts soon after its end."""


def usual(at: float) -> float:
    """Requests of five minutes: few at night, many at noon, with a ripple."""
    return 600 - 500 * math.cos(2 * math.pi * at / DAY) + 8 * math.sin(at / 700)


@dataclass
class Watch:
    """Alarms of a site with a worker."""

    site: Site

    def define(self, name: str, text: str) -> None:
        """A file with this alarm; the worker takes it over by itself."""
        self.site.write(f"monitors/{name}.yaml", f"alarms:\n  {name}: {text}\n")

    def until(self, name: str, state: AlarmState, seconds: float) -> Alarm:
        """Wait until the worker has the alarm in this state."""

        def found() -> str:
            return {each.name: each.state.value for each in self.site.ops.alarms.list()}.get(
                name, ""
            )

        self.site.wait_for(
            lambda: found() == state,
            seconds,
            lambda: f"{found()}: {self.site.worker_log()[-2000:]}",
        )
        return self.site.ops.alarms.get(name)


@pytest.fixture
def watch(site: Site) -> Watch:
    return Watch(site)


@pytest.mark.slow
def test_a_band_is_learnt_from_days_and_what_leaves_it_is_told(watch: Watch) -> None:
    ops = watch.site.ops
    last = time.time() // PERIOD * PERIOD  # the period that is being filled
    times = [last - PERIOD * back for back in range(1, int(10 * DAY / PERIOD))]
    points = [Point("requests", at, usual(at)) for at in times]
    points += [Point("calm", at, usual(at)) for at in [last, *times]]
    flood = {at: 5 * usual(at) + 3000 for at in (last, *times[:2])}
    points += [Point("requests", at, value) for at, value in flood.items()]
    with ops.session.change("measure") as tx:
        record(tx, "endpoint/bike", list({(p.metric, p.at): p for p in points}.values()), 60.0)
    shared = "period: 5m, stat: Sum, threshold: band, evaluation_periods: 3, datapoints_to_alarm: 2"
    watch.define("odd", f"{{metric: 'endpoint/bike:requests', {shared}}}")
    watch.define("calm", f"{{metric: 'endpoint/bike:calm', {shared}}}")
    odd = watch.until("odd", AlarmState.ALARM, LOOKED_AT)
    assert watch.until("calm", AlarmState.OK, LOOKED_AT).reason
    newest = [each for each in odd.datapoints if each.breaching]
    assert len(newest) >= 2
    for point in newest:
        assert point.low is not None and point.high is not None and point.value is not None
        assert point.low < usual(point.at) < point.high < point.value
    (alert,) = ops.alerts.list(target="endpoint/bike")
    assert (alert.severity, alert.state) == ("warning", "open")
    assert "requests" in alert.title and "its band" in alert.title


@pytest.mark.slow
def test_a_metric_of_a_run_sets_an_alarm_off(watch: Watch) -> None:
    site = watch.site
    watch.define("loss-grows", "{metric: 'run/1:loss', threshold: 1, actions: [alert: critical]}")
    site.write(
        "train.py",
        "import mlflow\n\n\n"
        "def fit():\n"
        "    for step, loss in enumerate([0.6, 0.4, 2.5]):\n"
        "        mlflow.log_metric('loss', loss, step=step)\n"
        "    mlflow.log_metric('other', 9.0)\n",
    )
    site.pipeline("train", "fit:\n  function: train:fit\n  outputs: []")
    detail = site.run("train")
    assert (detail.run.number, detail.run.status) == (1, "succeeded"), site.told(detail)
    alarm = watch.until("loss-grows", AlarmState.ALARM, BORROWED)
    (point,) = [each for each in alarm.datapoints if each.breaching]
    assert point.value == pytest.approx((0.6 + 0.4 + 2.5) / 3)
    assert abs(point.at - detail.run.created_at) < 120
    (alert,) = site.ops.alerts.list(target="run/1")
    assert (alert.severity, alert.state) == ("critical", "open")
    assert "run/1:loss" in alert.title
