"""Deployments up every kind of step, watched by the supervisor, held and let go by people."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from core.domain.release import Deployment
from core.errors import NotFound, WrongState
from tests.support.engine import Site, sites

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
BUSY = {
    "name": "busy",
    "metric": "requests",
    "threshold": 3,
    "period": 1,
    "evaluation_periods": 1,
}
"""An alarm that goes off as soon as the candidate answers a few requests a second."""

EASY = {"minimum_requests": 20, "metrics": [{"metric": "error_rate", "margin": 0.6}]}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with two versions of a model and an endpoint that serves the first."""
    with sites(tmp_path_factory.mktemp("rollouts")) as make:
        made = make()
        made.write("steps.py", CODE)
        made.pipeline("demand", STEPS, "params: {factor: 2.0}")
        made.start_worker()
        for factor in ("2.0", "5.0"):
            detail = made.run("demand", seconds=90, factor=factor)
            assert detail.run.status == "succeeded", made.told(detail)
        made.ops.endpoints.deploy("bike", "demand", "1", environment="production")
        until(made, lambda d: d.status.ended)
        yield made
        made.ops.endpoints.control("bike").stop()


@pytest.fixture
def stable(site: Site) -> Iterator[Site]:
    """The endpoint with version 1 alone, whatever the test before has left."""
    if all(each.poll() is not None for each in site.workers):
        site.start_worker()
    found = current(site)
    if not found.status.ended:
        site.ops.endpoints.abort("bike")
    serving = next(r for r in site.ops.endpoints.get("bike").revisions if r.state == "stable")
    if serving.version != 1:
        site.ops.endpoints.rollback("bike", 1)
    for alert in site.ops.alerts.list():
        site.ops.alerts.resolve(alert.id)
    yield site


def current(site: Site) -> Deployment:
    """The endpoint's newest deployment."""
    found = site.ops.endpoints.get("bike").deployment
    assert found is not None
    return found


def until(site: Site, good: Callable[[Deployment], bool], seconds: float = 60) -> Deployment:
    """Wait until the newest deployment is as wanted."""

    def words() -> str:
        found = current(site)
        told = [f"{e.kind}: {e.message}" for e in found.events]
        return f"{found.status} {found.message} {told}\n{site.worker_log()[-2000:]}"

    site.wait_for(lambda: good(current(site)), seconds, words)
    return current(site)


def bring(site: Site, strategy: Any, version: str = "2") -> Deployment:
    """Ask for version 2 by a strategy."""
    return site.ops.endpoints.deploy("bike", "demand", version, strategy=strategy, reason="try")


def weights(site: Site) -> dict[int, float]:
    """The weights in force, by model version."""
    found = site.ops.endpoints.get("bike").revisions
    return {r.version: r.actual_weight for r in found if r.actual_weight}


@contextmanager
def traffic(site: Site) -> Iterator[list[int]]:
    """Requests to the endpoint, one after the other in two threads; their statuses."""
    port = site.ops.endpoints.get("bike").port
    stop, answers = threading.Event(), list[int]()

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        while not stop.wait(0.01):
            try:
                headers = {"Content-Type": "application/json"}
                connection.request("POST", "/invocations", BODY, headers)
                reply = connection.getresponse()
                reply.read()
                answers.append(reply.status)
            except (OSError, http.client.HTTPException):
                answers.append(0)
                connection.close()
        connection.close()

    threads = [threading.Thread(target=send, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def at(deployment: Deployment, kind: str) -> bool:
    """Whether a deployment waits at a step of this kind."""
    steps = deployment.strategy
    return deployment.status == "paused" and steps[deployment.step_index].kind == kind


def test_up_every_kind_of_step(stable: Site) -> None:
    site = stable
    strategy = {
        "steps": [
            {"shadow": {"for": "60s", "requests": 30}},
            {"set_weight": 30},
            {"bake": "1s"},
            {"analyse": "60s"},
            {"window": "Mon-Sun 00:00-24:00 UTC"},
            {"pause": "0.5s"},
            {"ask": "Is it good?"},
            {"set_weight": 100},
            {"bake": "1s"},
        ],
        "alarms": [],
        "analysis": EASY,
    }
    with traffic(site) as answers:
        bring(site, strategy)
        waiting = until(site, lambda d: at(d, "ask"), 120)
        assert (waiting.message, waiting.next_at, waiting.set_weight) == ("Is it good?", None, 30.0)
        site.ops.endpoints.promote("bike", reason="it is")
        done = until(site, lambda d: d.status.ended)
    assert done.status == "succeeded"
    assert set(answers) == {200}
    kinds = [event.kind for event in done.events]
    order = ["created", "loaded", "shadow", "weight", "bake", "analyse", "window", "paused", "ask"]
    assert kinds == [*order, "promote", "weight", "bake", "succeeded"]
    assert weights(site) == {2: 100.0}
    assert dict(site.ops.models.list()[0].aliases) == {"champion": 2, "previous": 1}


def test_an_alarm_takes_it_back_while_no_worker_lives(stable: Site) -> None:
    site = stable
    before = {r.id for r in site.ops.endpoints.get("bike").receipts}
    bring(site, {"steps": [{"set_weight": 50}, {"bake": "5m"}], "alarms": [BUSY]})
    until(site, lambda d: at(d, "bake"))
    site.kill_worker()
    with traffic(site) as answers:
        site.wait_for(lambda: weights(site) == {1: 100.0}, 20)
    assert set(answers) == {200}
    live = site.ops.endpoints.get("bike")
    assert live.analysis is not None and live.analysis.acted is not None
    assert live.analysis.acted.kind == "rolled_back"
    site.start_worker()
    done = until(site, lambda d: d.status.ended)
    assert done.status == "rolled_back"
    assert "busy" in done.message
    (receipt,) = [r for r in site.ops.endpoints.get("bike").receipts if r.id not in before]
    assert (receipt.from_version, receipt.to_version) == (2, 1)
    assert receipt.actor == "opsdeck (alarm busy)"
    assert receipt.requests_failed == 0
    (alert,) = site.ops.alerts.list()
    assert (alert.kind, alert.severity, alert.receipt_id) == ("rollback", "critical", receipt.id)
    folder = site.ops.workspace.endpoints_dir / "bike" / "events"
    assert not list(folder.glob("*.json"))
    assert site.ops.audit.verify().ok


def test_after_the_promotion_it_is_still_watched(stable: Site) -> None:
    site = stable
    bring(site, {"preset": "all-at-once", "alarms": [BUSY], "analysis": None})
    assert until(site, lambda d: d.status.ended).status == "succeeded"
    assert weights(site) == {2: 100.0}
    with traffic(site) as answers:
        site.wait_for(lambda: weights(site) == {1: 100.0}, 20)
    assert set(answers) == {200}
    site.wait_for(lambda: bool(site.ops.alerts.list()), 20)
    stable_one = next(r for r in site.ops.endpoints.get("bike").revisions if r.state == "stable")
    assert stable_one.version == 1
    assert dict(site.ops.models.list()[0].aliases)["champion"] == 1


def test_frozen_then_weighed_by_hand_then_promoted(stable: Site) -> None:
    site = stable
    strategy = {
        "steps": [{"set_weight": 20}, {"bake": "5m"}, {"set_weight": 25}, {"set_weight": 100}],
        "alarms": [BUSY],
        "on_breach": "freeze",
    }
    bring(site, strategy)
    until(site, lambda d: at(d, "bake"))
    with pytest.raises(WrongState, match="not cut short"):
        site.ops.endpoints.promote("bike")
    with traffic(site):
        held = until(site, lambda d: d.status == "held")
    assert "busy" in held.message
    assert weights(site) == {1: 80.0, 2: 20.0}
    (alert,) = site.ops.alerts.list()
    assert (alert.kind, alert.state) == ("frozen", "open")
    site.open("operator").endpoints.weight("bike", 40, "it was the load test")
    assert weights(site) == {1: 60.0, 2: 40.0}
    assert current(site).status == "held"
    site.ops.endpoints.promote("bike")
    done = until(site, lambda d: d.status.ended)
    assert done.status == "succeeded"
    assert "25 % of the traffic" not in [e.message for e in done.events]  # it had more already
    assert site.ops.alerts.get(alert.id).state == "resolved"


def test_undecided_is_held_and_never_promoted(stable: Site) -> None:
    site = stable
    bring(site, {"steps": [{"set_weight": 10}, {"analyse": "2s"}], "alarms": []})
    held = until(site, lambda d: d.status == "held")
    assert "undecided at the end of the analysis: error_rate" in held.message
    (alert,) = site.ops.alerts.list()
    assert (alert.kind, alert.severity) == ("held", "warning")
    time.sleep(1.5)
    assert current(site).status == "held"
    assert weights(site) == {1: 90.0, 2: 10.0}
    site.ops.endpoints.abort("bike", "no traffic at night")
    assert weights(site) == {1: 100.0}
    assert site.ops.alerts.get(alert.id).state == "resolved"


def test_held_by_a_person_its_clock_stops(stable: Site) -> None:
    site = stable
    bring(site, [{"set_weight": 10}, {"pause": "2s"}, {"set_weight": 100}])
    until(site, lambda d: d.status == "paused")
    held = site.ops.endpoints.hold("bike", "wait for the release notes")
    assert (held.status, held.next_at) == ("held", None)
    time.sleep(3)
    assert current(site).status == "held"
    site.ops.endpoints.promote("bike")
    assert until(site, lambda d: d.status.ended).status == "succeeded"


def test_kill_9_in_the_middle_of_a_bake_goes_on_by_the_same_clock(stable: Site) -> None:
    site = stable
    bring(site, {"steps": [{"set_weight": 10}, {"bake": "12s"}], "analysis": None})
    before = until(site, lambda d: at(d, "bake"))
    site.kill_worker(signal.SIGKILL)
    site.start_worker()
    baking = current(site)
    assert baking.next_at == before.next_at
    done = until(site, lambda d: d.status.ended)
    assert done.status == "succeeded", done.message
    assert done.ended_at is not None and before.next_at is not None
    assert done.ended_at >= before.next_at
    assert [e.kind for e in done.events].count("bake") == 1


def test_what_was_kept_long_enough_is_unloaded_and_loaded_again(stable: Site) -> None:
    site = stable
    control = site.ops.endpoints.control("bike")

    def loaded() -> tuple[int, ...]:
        info = control.info()
        return info.loads if info else ()

    old = next(r for r in site.ops.endpoints.get("bike").revisions if r.state == "stable")
    bring(site, {"preset": "all-at-once", "keep": "1s", "alarms": [], "analysis": None})
    done = until(site, lambda d: d.status.ended)
    site.wait_for(lambda: old.revision not in loaded(), 30, lambda: str(loaded()))
    assert done.revision in loaded()
    preview = site.ops.endpoints.preview_rollback("bike")
    assert not preview.loaded
    receipt = site.ops.endpoints.rollback("bike", reason="after all")
    assert (receipt.to_version, receipt.requests_failed) == (1, 0)
    assert weights(site) == {1: 100.0}


def test_a_version_that_cannot_be_loaded_leaves_the_traffic_and_an_alert(stable: Site) -> None:
    site = stable
    path = site.state / site.ops.models.get("demand", "2").path / "MLmodel"
    text = path.read_text()
    path.write_text("not: a model\n")
    try:
        bring(site, "canary")
        done = until(site, lambda d: d.status.ended)
    finally:
        path.write_text(text)
    assert done.status == "failed"
    assert weights(site) == {1: 100.0}
    (alert,) = site.ops.alerts.list()
    assert (alert.kind, alert.severity) == ("deployment_failed", "critical")
    (receipt,) = [r for r in site.ops.endpoints.get("bike").receipts if r.id == alert.receipt_id]
    assert (receipt.deployment_id, receipt.actor) == (done.id, "opsdeck")
    assert (receipt.from_version, receipt.to_version, receipt.requests_failed) == (2, 1, 0)
    assert receipt.reason.startswith("deployment failed: ")


def test_a_version_that_keeps_crashing_leaves_one_receipt_and_one_alert(stable: Site) -> None:
    site = stable
    before = {r.id for r in site.ops.endpoints.get("bike").receipts}
    control = site.ops.endpoints.control("bike")
    steps = [{"set_weight": 30}, {"pause": "10m"}, {"set_weight": 100}]
    bring(site, {"steps": steps, "alarms": [], "analysis": None})  # an alarm would be quicker
    until(site, lambda d: at(d, "pause"))
    killed = set[int]()

    def another() -> bool:
        info = control.info()
        return info is not None and info.server_pid not in (None, *killed)

    with traffic(site) as answers:
        for _ in range(5):
            site.wait_for(another, 30)
            pid = control.info().server_pid  # type: ignore[union-attr]
            assert pid is not None
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)
        done = until(site, lambda d: d.status.ended)
    assert done.status == "failed"
    site.wait_for(lambda: weights(site) == {1: 100.0}, 30)
    time.sleep(3)  # the caretaker looks again
    (receipt,) = [r for r in site.ops.endpoints.get("bike").receipts if r.id not in before]
    assert "kept crashing the server" in receipt.reason
    assert (receipt.from_version, receipt.to_version, receipt.actor) == (2, 1, "opsdeck")
    assert receipt.requests_failed <= sum(status != 200 for status in answers)
    (alert,) = site.ops.alerts.list()
    assert (alert.kind, alert.receipt_id) == ("deployment_failed", receipt.id)


def test_a_preview_changes_nothing(stable: Site) -> None:
    site = stable
    before = site.ops.version()
    preview = site.ops.endpoints.preview_deploy("bike", "demand", "2")
    assert preview.steps[0].startswith("shadow 100 %")  # a champion in production
    assert preview.aliases == ("champion: v1 → v2", "previous: v1")
    assert preview.gate == "nobody was asked about this version"
    assert preview.features is not None
    assert preview.features.words() == "1 input, all the same"
    assert preview.consumers is not None
    with pytest.raises(WrongState, match="nothing is being deployed"):
        site.ops.endpoints.preview("promote", "bike")
    with pytest.raises(NotFound):
        site.ops.endpoints.preview_deploy("bike", "demand", "9")
    assert site.ops.version() == before


def opsdeck(site: Site, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command line on the site."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "console.main", *arguments],
        cwd=site.root,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "OPSDECK_ACTOR": "tester"},
    )


PRODUCTION = ("-m", "try", "--confirm", "demand")
DEPLOY = ("endpoints", "deploy", "bike", "--model", "demand", "--version", "2", *PRODUCTION)


def test_a_command_follows_and_its_exit_status_tells(stable: Site) -> None:
    site = stable
    held = opsdeck(site, *DEPLOY, "--step", "set_weight=10", "--step", "analyse=1s", "--watch")
    assert held.returncode == 6, held.stderr
    assert "10 % of the traffic  (opsdeck)" in held.stderr
    assert "held: undecided" in held.stdout
    timed = opsdeck(site, "endpoints", "promote", "bike", "--watch", "--timeout", "60")
    assert timed.returncode == 0, timed.stderr
    assert "promote" in timed.stderr
    site.ops.endpoints.rollback("bike", reason="for the next one")
    late = opsdeck(site, *DEPLOY, "--strategy", "canary", "--wait", "--timeout", "3")
    assert late.returncode == 5, late.stderr
    told = opsdeck(site, "endpoints", "promote", "bike", "--full", "--dry-run", "--json")
    assert json.loads(told.stdout)["aliases"][0] == "champion: v1 → v2"
    until(site, lambda d: at(d, "bake"))
    site.ops.endpoints.rollback("bike", reason="enough")
    assert current(site).status == "rolled_back"


def test_an_endpoint_with_a_token_answers_whoever_knows_it(stable: Site) -> None:
    site = stable
    token = "correct-horse-battery-staple"
    site.ops.endpoints.create("locked", token=token, settings={"max_servers": 1})
    try:
        site.ops.endpoints.deploy("locked", "demand", "1")

        def ended() -> bool:
            found = site.ops.endpoints.get("locked").deployment
            return found is not None and found.status.ended

        site.wait_for(ended, 60, site.worker_log)
        allowed = {"Authorization": f"Bearer {token}"}
        assert site.ops.endpoints.invoke("locked", BODY).status == 401
        assert site.ops.endpoints.invoke("locked", BODY, headers=allowed).status == 200
        site.ops.endpoints.configure("locked", token="")
        assert site.ops.endpoints.invoke("locked", BODY).status == 200
        with pytest.raises(WrongState, match="still serves"):
            site.ops.endpoints.delete("locked")
    finally:
        site.ops.endpoints.delete("locked", force=True)
    with pytest.raises(NotFound):
        site.ops.endpoints.get("locked")
    assert not (site.ops.workspace.endpoints_dir / "locked").exists()
