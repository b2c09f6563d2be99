"""The supervisor judges a release and rolls it back by itself: no worker lives in these tests."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from core.domain.analysis import (
    AlarmRule,
    AlarmState,
    AnalysisPlan,
    AnalysisStatus,
    MetricRule,
    MissingData,
    OnBreach,
    Verdict,
)
from core.domain.release import ReleasePlan
from core.errors import BadInput, NotFound
from core.processes import is_alive, started
from core.serving import EndpointControl
from core.serving.config import EndpointConfig
from core.serving.records import Variant

FLAKY = """
import mlflow.pyfunc

class Flaky(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        x = int(model_input["x"].iloc[0])
        if x % {every} == 0:
            raise RuntimeError("no answer to this one")
        if x == -7:
            import os
            {deadly}
        return [x * {factor}]

mlflow.models.set_model(Flaky())
"""


@pytest.fixture(scope="module")
def flaky(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Models that fail on every so many-th x: good 1 %, bad 10 %; `other` says other things to
    odd x, `deadly` ends its process on x = -7."""
    import mlflow.pyfunc
    from mlflow.types import ColSpec, Schema

    root = tmp_path_factory.mktemp("flaky")
    schema = Schema([ColSpec("long", "x"), ColSpec("string", "sky")])
    signature = mlflow.models.ModelSignature(inputs=schema)
    for name, every, factor, deadly in (
        ("good", 100, "1.0", "pass"),
        ("bad", 10, "1.0", "pass"),
        ("other", 100, "(3.0 if model_input['sky'].iloc[0] == 'rain' else 1.0)", "pass"),
        ("deadly", 100, "1.0", "os._exit(7)"),
    ):
        file = root / f"{name}.py"
        file.write_text(FLAKY.format(every=every, factor=factor, deadly=deadly))
        mlflow.pyfunc.save_model(
            root / name, python_model=str(file), signature=signature, pip_requirements=["mlflow"]
        )
    return {path.name: path for path in root.iterdir() if path.is_dir()}


class Traffic:
    """About 80 requests a second from a few clients; no answer at all is tried again."""

    def __init__(self, control: EndpointControl, xs: Callable[[], int] | None = None) -> None:
        info = control.info()
        assert info is not None
        self._port = info.port
        self._xs = xs or (lambda: random.randrange(1, 101))
        self._stop = threading.Event()
        self.answers: list[tuple[int, str]] = []
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(4)]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _send(self) -> None:
        while not self._stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
            try:
                while not self._stop.is_set():
                    sky = random.choice(("clear", "rain"))
                    rows = {"columns": ["x", "sky"], "data": [[self._xs(), sky]]}
                    body = json.dumps({"dataframe_split": rows})
                    connection.request("POST", "/invocations", body)
                    reply = connection.getresponse()
                    reply.read()
                    variant = reply.headers.get("x-amzn-invoked-production-variant", "")
                    self.answers.append((reply.status, variant))
                    time.sleep(0.03)
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
            finally:
                connection.close()


def plan(**more: Any) -> dict[str, Any]:
    """Error rates alone, judged after 30 requests of the candidate."""
    analysis = AnalysisPlan((MetricRule("error_rate", 0.01),), minimum_requests=30)
    return asdict(ReleasePlan((), analysis=analysis, **more))


def alarm(**more: Any) -> AlarmRule:
    return AlarmRule(
        "errors",
        "error_rate",
        0.05,
        period=2.0,
        evaluation_periods=3,
        datapoints_to_alarm=2,
        treat_missing_data=MissingData.NOT_BREACHING,
        minimum_requests=3,
        **more,
    )


def eventually(true: Callable[[], Any], seconds: float = 60) -> Any:
    """What it returns once that is true."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, f"still not so after {seconds:g} s"
        time.sleep(0.1)
    return found


def acted(control: EndpointControl) -> AnalysisStatus | None:
    status = control.analysis()
    return status if status is not None and status.acted is not None else None


def events(control: EndpointControl) -> list[dict[str, Any]]:
    found = sorted((control.folder.root / "events").glob("*.json"))
    return [json.loads(path.read_text()) for path in found]


NUMBERS = itertools.count(2)


@pytest.fixture(scope="module")
def shared_one(
    flaky: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EndpointControl]:
    """One endpoint for the tests that leave it whole."""
    control = EndpointControl(tmp_path_factory.mktemp("watched") / "bike")
    control.ensure_running("bike")
    control.load(1, flaky["good"], "good", 1)
    yield control
    control.stop()


@pytest.fixture
def watched(shared_one: EndpointControl) -> Iterator[EndpointControl]:
    """It, with everything routed to `good`, nothing watched and nothing on record."""
    shared_one.set_table({1: 100}, "the test's start")
    yield shared_one
    shared_one.shadow(None, 0)
    if (status := shared_one.analysis()) is not None:
        shared_one.disarm(status.deployment)
    for path in (shared_one.folder.root / "events").glob("*.json"):
        path.unlink()


@pytest.fixture
def bring(watched: EndpointControl, flaky: dict[str, Path]) -> Callable[[str], int]:
    """Loads a model as the newest revision, as each deployment does; returns its number."""

    def load(name: str) -> int:
        revision = next(NUMBERS)
        watched.load(revision, flaky[name], name, revision)
        return revision

    return load


@pytest.fixture
def canary(
    start: Callable[..., EndpointControl], flaky: dict[str, Path], tmp_path: Path
) -> Callable[..., EndpointControl]:
    """Makes an endpoint with `good` as r1, which has all the traffic, and another as r2."""

    def begin(candidate: str, config: EndpointConfig | None = None) -> EndpointControl:
        folder = tmp_path / "endpoints" / "bike"
        if config is not None:
            config.write(folder)
        control = start("bike", folder)
        control.load(1, flaky["good"], "good", 1)
        control.load(2, flaky[candidate], candidate, 2)
        control.set_table({1: 100})
        return control

    return begin


def test_a_bad_canary_is_rolled_back_with_nobody_there(
    canary: Callable[..., EndpointControl],
) -> None:
    """Also when the supervisor is killed in between, and another one takes over."""
    control = canary("bad")
    control.arm("d1", 2, 1, plan())
    control.arm("d1", 2, 1, plan())  # again: changes nothing
    with Traffic(control) as traffic:
        control.set_table({1: 70, 2: 30}, "canary")
        eventually(lambda: (s := control.analysis()) and s.metrics[0].candidate_count > 10, 30)
        info = control.info()
        assert info is not None and info.pid is not None
        before = started(info.pid)
        os.kill(info.pid, signal.SIGKILL)
        eventually(lambda: not is_alive(info.pid, before), 10)
        assert not events(control)  # it had done nothing yet
        control.ensure_running("bike")
        again = control.analysis()
        assert again is not None and again.deployment == "d1"

        status = eventually(lambda: acted(control), 60)
        (event,) = eventually(lambda: events(control), 5)
        seen = len(traffic.answers)
        eventually(lambda: len(traffic.answers) > seen + 30, 30)
        assert {variant for _, variant in traffic.answers[seen + 10 :]} == {"r1"}

    assert [variant.revision for variant in control.status().desired] == [1]
    (metric,) = status.metrics
    assert metric.verdict is Verdict.WORSE and metric.low > 0.01
    assert status.acted.kind == "rolled_back" and "error_rate" in status.acted.reason
    assert (event["kind"], event["deployment"]) == ("rolled_back", "d1")
    assert (event["candidate"], event["champion"]) == (2, 1)
    assert event["actor"] == "opsdeck (verdict error_rate)"
    assert event["report"]["to_revision"] == 1 and event["report"]["changed"]
    assert control.status().reason == event["reason"]

    time.sleep(1.5)
    assert len(events(control)) == 1  # once
    control.disarm("d1")
    assert control.analysis() is None


def test_all_servers_are_counted_and_rolled_back(
    canary: Callable[..., EndpointControl],
) -> None:
    control = canary("bad", EndpointConfig(min_servers=2, max_servers=2))
    eventually(lambda: len(control.status().servers) == 2, 60)
    control.arm("d9", 2, 1, plan())
    with Traffic(control) as traffic:
        control.set_table({1: 60, 2: 40}, "canary")
        status = eventually(lambda: acted(control), 60)
        metric = status.metrics[0]
        assert metric.candidate_count + metric.champion_count > 0.6 * len(traffic.answers)
        assert control.status().actual == (Variant(1, 100),)
    assert status.acted.kind == "rolled_back"


def test_an_alarm_freezes_where_the_plan_says_so(
    watched: EndpointControl, bring: Callable[[str], int]
) -> None:
    bad = bring("bad")
    frozen = plan(alarms=(alarm(),), on_breach=OnBreach.FREEZE)
    frozen["analysis"]["metrics"][0]["dry_run"] = True
    watched.arm("d2", bad, 1, frozen)
    with Traffic(watched):
        watched.set_table({1: 50, bad: 50}, "canary")
        status = eventually(lambda: acted(watched))
    assert status.acted.kind == "frozen" and status.acted.reason.startswith("alarm errors")
    assert status.alarms[0].state is AlarmState.ALARM and status.alarming
    assert {v.revision for v in watched.status().desired} == {1, bad}  # nothing was moved
    (event,) = eventually(lambda: events(watched), 5)
    assert event["kind"] == "frozen" and event["report"] is None
    assert event["actor"] == "opsdeck (alarm errors)"


def test_a_dry_run_only_tells(watched: EndpointControl, bring: Callable[[str], int]) -> None:
    bad = bring("bad")
    dry = plan(alarms=(alarm(dry_run=True),))
    dry["analysis"]["metrics"][0]["dry_run"] = True
    watched.arm("d3", bad, 1, dry)
    with Traffic(watched):
        watched.set_table({1: 50, bad: 50}, "canary")
        eventually(
            lambda: (
                (s := watched.analysis())
                and s.alarms[0].state is AlarmState.ALARM
                and s.metrics[0].verdict is Verdict.WORSE
            )
        )
        time.sleep(1.5)
    status = watched.analysis()
    assert status is not None and status.acted is None and not events(watched)


def test_a_crash_loop_goes_back_to_the_champion(
    canary: Callable[..., EndpointControl],
) -> None:
    control = canary("deadly")
    control.arm("d4", 2, 1, plan())
    with Traffic(control, lambda: random.choice((-7, 1, 2, 3))):
        control.set_table({1: 50, 2: 50}, "canary")
        status = eventually(lambda: acted(control), 90)
        (event,) = eventually(lambda: events(control), 5)
    assert status.acted.kind == "rolled_back" and "crash loop" in status.acted.reason
    assert event["actor"] == "opsdeck (crash loop)"
    assert [variant.revision for variant in control.status().desired] == [1]


def test_a_shadow_answers_nobody_and_is_compared(
    watched: EndpointControl, bring: Callable[[str], int]
) -> None:
    other = bring("other")
    watched.arm("d5", other, 1, plan(alarms=(alarm(),)))
    with Traffic(watched) as traffic:
        watched.shadow(other, 100)
        eventually(
            lambda: (s := watched.analysis()) and s.shadow is not None and s.shadow.compared > 60
        )
        assert {variant for _, variant in traffic.answers} == {"r1"}
        found = watched.disagreements()
        # A server that starts anew mirrors as well.
        watched.replace_server()
        before = watched.analysis().shadow.compared  # type: ignore[union-attr]
        eventually(lambda: watched.analysis().shadow.compared > before + 30)  # type: ignore[union-attr]
        watched.shadow(None, 0)
        time.sleep(0.5)
        after = watched.analysis().shadow.mirrored  # type: ignore[union-attr]
        time.sleep(1.5)
        assert watched.analysis().shadow.mirrored == after  # type: ignore[union-attr]
    status = watched.analysis()
    assert status is not None and status.shadow is not None
    assert 0.35 < status.shadow.agreement < 0.65  # type: ignore[operator]
    assert status.acted is None and status.shadow.compared <= status.shadow.mirrored
    assert found.by == "sky"
    assert [segment.segment for segment in found.segments] == ["rain", "clear"]
    rain, clear = found.segments
    assert rain.disagreements == rain.compared > 0 == clear.disagreements
    assert found.rows[0].inputs["sky"] == "rain"
    assert found.rows[0].candidate == 3 * found.rows[0].champion
    assert {row.segment for row in found.rows} == {"rain"}


def test_a_failing_shadow_harms_nobody_and_stops_the_release(
    watched: EndpointControl, bring: Callable[[str], int]
) -> None:
    bad = bring("bad")
    watched.arm("d6", bad, 1, plan(alarms=(alarm(),)))
    with Traffic(watched, lambda: random.choice((10, 11, 12))) as traffic:
        watched.shadow(bad, 100)
        status = eventually(lambda: acted(watched))
        assert {code for code, _ in traffic.answers} == {200}
    assert status.acted.kind == "frozen"  # it answers nobody: there is nothing to take away
    assert status.shadow is not None and status.shadow.failed > 0
    assert watched.status().desired[0].revision == 1


def test_ground_truth_is_judged_when_it_comes(
    watched: EndpointControl, bring: Callable[[str], int]
) -> None:
    bad = bring("bad")
    analysis = AnalysisPlan((MetricRule("ground_truth", 0.02), MetricRule("disagreements", 0.0)))
    watched.arm("d7", bad, 1, asdict(ReleasePlan((), analysis=analysis)))
    watched.observe("another", {1: [100, 10, 10], bad: [100, 90, 90]})
    watched.observe("d7", {1: [1000, 100, 100], bad: [400, 120, 120]}, [10, 60, 900])
    status = watched.analysis()
    assert status is not None
    truth, pairs = status.metrics
    assert (truth.candidate_count, truth.champion_count) == (400, 1000)
    assert truth.verdict is Verdict.WORSE and pairs.verdict is Verdict.NON_INFERIOR
    time.sleep(1.5)
    assert watched.analysis().acted is None  # type: ignore[union-attr] # it has no traffic
    watched.set_table({1: 50, bad: 50}, "canary")
    assert "ground_truth" in eventually(lambda: acted(watched), 10).acted.reason


def test_what_cannot_be_watched_is_refused(watched: EndpointControl) -> None:
    bad = plan(alarms=(alarm(), alarm()))
    with pytest.raises(BadInput, match="two alarms have the same name"):
        watched.arm("d8", 2, 1, bad)
    with pytest.raises(BadInput, match="alpha"):
        watched.arm("d8", 2, 1, {"analysis": {"alpha": 2}})
    with pytest.raises(NotFound):
        watched.shadow(99, 10)
    with pytest.raises(BadInput):
        watched.shadow(1, 101)
    assert watched.analysis() is None
