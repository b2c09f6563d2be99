"""Gates and deployments inside runs, with workers that die at the worst time."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.domain.gate import Approval
from core.domain.run import RunDetail
from core.errors import NotAllowed, OpsdeckError, WrongState
from tests.support.engine import Site, cpu_seconds, sites, statuses, step_of

CODE = """\
import time
from pathlib import Path

def train(factor):
    import pandas
    from sklearn.linear_model import LinearRegression
    x = pandas.DataFrame({"hour": [float(i) for i in range(24)]})
    return LinearRegression().fit(x, x.hour * factor), x.head(2)

def evaluate(factor): return {"rmse": 1.0 / factor, "note": "fine"}
def slow(path):
    while not Path(path).exists():
        time.sleep(0.02)
    return 1
"""
HEAD = "params: {factor: 2.0, path: ''}"
TRAIN = """
train:
  function: steps:train
  inputs: {factor: '${params.factor}'}
  outputs: [model, input_example]
evaluate: {function: 'steps:evaluate', inputs: {factor: '${params.factor}'}, cache: false}
register: {register: {model: train.model, name: %s, metrics: evaluate.evaluate}}
"""
GATE = "gate: {gate: {environment: production, evidence: [evaluate], %s}}\n"
DEPLOY = """
deploy:
  after: [%s]
  deploy: {endpoint: %s, strategy: %s}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site whose worker the tests kill and start again; its endpoints are its own."""
    with sites(tmp_path_factory.mktemp("gates")) as make:
        made = make()
        made.write("steps.py", CODE)
        made.start_worker()
        yield made
        for endpoint in made.ops.endpoints.list():
            made.ops.endpoints.control(endpoint.name).stop()


@pytest.fixture
def worker(site: Site) -> None:
    """A living worker, whatever the test before has done."""
    if all(each.poll() is not None for each in site.workers):
        site.start_worker()


def gated(site: Site, name: str, policy: str = "approvals: 1", more: str = "") -> str:
    """A pipeline with a gate; its model has the pipeline's name."""
    return site.pipeline(name, TRAIN % name + GATE % policy + more, HEAD)


def asked(site: Site, detail: RunDetail) -> Approval:
    """The approval request of a run that waits at its gate."""
    assert detail.run.status == "waiting", site.told(detail)
    return next(a for a in site.ops.approvals.list(status=None) if a.run_id == detail.run.id)


def test_approved(site: Site, worker: None) -> None:
    run = site.run(
        gated(
            site,
            "approved",
            more="after: {function: 'steps:evaluate', inputs: {factor: 1.0}, after: [gate]}",
        )
    )
    request = asked(site, run)
    assert statuses(run)["after"] == "pending"
    assert request.evidence["metrics"] == {"rmse": 0.5}
    assert request.evidence["documents"] == {"evaluate.evaluate": {"rmse": 0.5, "note": "fine"}}
    site.open("reviewer").approvals.approve(request.id, "looks right")
    ended = site.finish(run.run.id, through_gates=True)
    assert statuses(ended)["gate"] == "succeeded"
    assert step_of(ended, "gate").message == "approved by reviewer: looks right"
    assert ended.run.status == "succeeded"


def test_rejected(site: Site, worker: None) -> None:
    run = site.run(
        gated(
            site,
            "rejected",
            more="after: {function: 'steps:evaluate', inputs: {factor: 1.0}, after: [gate]}",
        )
    )
    site.ops.approvals.reject(asked(site, run).id, "too old")
    ended = site.finish(run.run.id, through_gates=True)
    assert ended.run.status == "rejected"
    assert ended.run.message == "gate: rejected by tester: too old"
    assert statuses(ended)["after"] == "skipped"
    aliases = {m.name: m for m in site.ops.models.list()}["rejected"]
    assert "candidate" not in dict(aliases.aliases)


def test_expired(site: Site, worker: None) -> None:
    run = site.run(gated(site, "expired", "expires: 1s"))
    ended = site.finish(run.run.id, 20, through_gates=True)
    assert ended.run.status == "rejected"
    assert step_of(ended, "gate").message == "expired"
    with pytest.raises(WrongState):
        site.ops.approvals.approve(asked_id(site, ended), "late")


def asked_id(site: Site, detail: RunDetail) -> str:
    """The id of a run's request, open or not."""
    return next(a.id for a in site.ops.approvals.list(status=None) if a.run_id == detail.run.id)


def test_who_asked_may_not_decide_where_the_gate_says_so(site: Site, worker: None) -> None:
    run = site.run(gated(site, "four-eyes", "requester_may_decide: false, approvals: 2"))
    request = asked(site, run)
    with pytest.raises(NotAllowed):
        site.ops.approvals.approve(request.id)
    site.open("first").approvals.approve(request.id)
    assert site.ops.runs.get(run.run.id).run.status == "waiting"
    site.open("second").approvals.approve(request.id)
    assert site.finish(run.run.id, through_gates=True).run.status == "succeeded"


def test_cancelled_at_the_gate(site: Site, worker: None) -> None:
    run = site.run(gated(site, "cancelled-gate"))
    request = asked(site, run)
    site.ops.runs.cancel(run.run.id)
    ended = site.finish(run.run.id, 10, through_gates=True)
    assert (ended.run.status, statuses(ended)["gate"]) == ("cancelled", "cancelled")
    assert site.ops.approvals.get(request.id).status == "void"


def test_running_while_a_sibling_runs_then_waiting(
    site: Site, worker: None, tmp_path: Path
) -> None:
    path = tmp_path / "go"
    name = gated(
        site,
        "sibling",
        more="slow: {function: 'steps:slow', inputs: {path: '${params.path}'}, cache: false}",
    )
    run = site.start(name, path=str(path))
    site.until_step(run, "gate", lambda s: s.status == "waiting")
    assert site.ops.runs.get(run).run.status == "running"
    path.touch()
    site.until_run(run, lambda r: r.status == "waiting")
    site.ops.approvals.approve(asked_id(site, site.ops.runs.get(run)))
    assert site.finish(run, through_gates=True).run.status == "succeeded"


def test_a_gate_survives_kill_9_and_costs_nothing(site: Site, worker: None) -> None:
    run = site.run(gated(site, "patient"))
    request = asked(site, run)
    site.kill_worker()
    assert site.ops.runs.get(run.run.id).run.status == "waiting"
    # As after weeks of restarts, one each time somebody opened the laptop.
    with contextlib.closing(sqlite3.connect(site.state / "dbos.db")) as database:
        database.execute("UPDATE workflow_status SET recovery_attempts = 500")
        database.commit()
    site.open("reviewer").approvals.approve(request.id, "while nobody lived")
    started = site.start_worker()
    ended = site.finish(run.run.id, 60, through_gates=True)
    assert ended.run.status == "succeeded"

    waiting = [site.start(gated(site, f"patient-{i}")) for i in range(6)]
    for each in waiting:
        site.until_run(each, lambda r: r.status == "waiting", 60)
    time.sleep(2)
    before = cpu_seconds(started.pid)
    time.sleep(4)
    assert (cpu_seconds(started.pid) - before) / 4 < 0.05
    for each in waiting:
        site.ops.runs.cancel(each)
    for each in waiting:
        assert site.finish(each, through_gates=True).run.status == "cancelled"


# --- deployments -------------------------------------------------------------------------


def released(site: Site, name: str, strategy: str) -> str:
    """A pipeline that deploys what it trained, without a gate."""
    return site.pipeline(name, TRAIN % name + DEPLOY % ("register", name, strategy), HEAD)


def answers(site: Site, name: str, hour: float = 3.0) -> float:
    """What the endpoint predicts."""
    body = json.dumps({"dataframe_split": {"columns": ["hour"], "data": [[hour]]}}).encode()
    predictions = json.loads(site.ops.endpoints.invoke(name, body).body)["predictions"]
    return round(float(predictions[0]), 3)


def first(site: Site, name: str) -> None:
    """Bring the first version (twice the hour) to an endpoint."""
    detail = site.run(
        released(site, name, "[{set_weight: 10}, {pause: null}, {set_weight: 100}]"), seconds=90
    )
    assert detail.run.status == "succeeded", site.told(detail)  # nothing to compare with: at once
    assert answers(site, name) == 6.0


def canary(site: Site, name: str, strategy: str, factor: str) -> str:
    """Start a second deployment and wait until it pauses; returns the run's id."""
    run = site.start(released(site, name, strategy), factor=factor)
    site.wait_for(lambda: paused(site, name), 60, lambda: site.told(site.ops.runs.get(run)))
    return run


def paused(site: Site, name: str) -> bool:
    """Whether a canary waits."""
    deployment = site.ops.endpoints.get(name).deployment
    return deployment is not None and deployment.status == "paused"


def weights(site: Site, name: str) -> dict[int, float | None]:
    """The weights in force, by model version."""
    return {
        r.version: r.actual_weight
        for r in site.ops.endpoints.get(name).revisions
        if r.actual_weight
    }


def test_a_release_a_canary_and_back(site: Site, worker: None) -> None:
    first(site, "there")
    run = canary(site, "there", "[{set_weight: 25}, {pause: null}, {set_weight: 100}]", "5.0")
    assert weights(site, "there") == {1: 75.0, 2: 25.0}
    assert site.ops.runs.get(run).run.status == "running"
    site.ops.endpoints.promote("there")
    assert site.finish(run).run.status == "succeeded"
    assert answers(site, "there") == 15.0
    receipt = site.ops.endpoints.rollback("there", reason="worse at night")
    assert (receipt.from_version, receipt.to_version, receipt.requests_failed) == (2, 1, 0)
    assert answers(site, "there") == 6.0


def test_two_promotions_of_one_pause_end_that_one_only(site: Site, worker: None) -> None:
    first(site, "twice")
    steps = "[{set_weight: 5}, {pause: null}, {set_weight: 50}, {pause: 3s}, {set_weight: 100}]"
    run = canary(site, "twice", steps, "5.0")
    process = next(each for each in site.workers if each.poll() is None)
    process.send_signal(signal.SIGSTOP)  # so that both find the same pause
    try:
        site.ops.endpoints.promote("twice")
        site.ops.endpoints.promote("twice")
    finally:
        process.send_signal(signal.SIGCONT)
    site.wait_for(lambda: weights(site, "twice") == {1: 50.0, 2: 50.0}, 20)
    begun = time.monotonic()
    assert site.finish(run).run.status == "succeeded"
    assert 2 < time.monotonic() - begun < 15
    deployment = site.ops.endpoints.get("twice").deployment
    assert deployment is not None
    at = {event.message: event.at for event in deployment.events}
    assert at["100 % of the traffic"] - at["for 3s"] >= 2.9


def test_promote_full_skips_what_is_left(site: Site, worker: None) -> None:
    first(site, "full")
    run = canary(
        site,
        "full",
        "[{set_weight: 5}, {pause: null}, {set_weight: 50}, {pause: null}, {set_weight: 100}]",
        "5.0",
    )
    site.ops.endpoints.promote("full", full=True)
    assert site.finish(run).run.status == "succeeded"
    assert weights(site, "full") == {2: 100.0}


def test_abort(site: Site, worker: None) -> None:
    first(site, "abort")
    run = canary(site, "abort", "[{set_weight: 5}, {pause: null}, {set_weight: 100}]", "5.0")
    site.ops.endpoints.abort("abort", "not today")
    ended = site.finish(run)
    assert ended.run.status == "rejected"
    assert "not today" in step_of(ended, "deploy").message
    assert weights(site, "abort") == {1: 100.0}


def test_cancel_in_the_middle_of_a_canary(site: Site, worker: None) -> None:
    first(site, "cancel")
    run = canary(site, "cancel", "[{set_weight: 5}, {pause: null}, {set_weight: 100}]", "5.0")
    site.ops.runs.cancel(run)
    ended = site.finish(run, 15)
    assert (ended.run.status, statuses(ended)["deploy"]) == ("cancelled", "cancelled")
    assert weights(site, "cancel") == {1: 100.0}


def test_a_rollback_while_no_worker_lives_is_found_done(site: Site, worker: None) -> None:
    first(site, "alone")
    run = canary(site, "alone", "[{set_weight: 40}, {pause: 2s}, {set_weight: 100}]", "5.0")
    site.kill_worker()
    site.ops.endpoints.rollback("alone", reason="3 a.m.")
    assert weights(site, "alone") == {1: 100.0}
    time.sleep(2)  # the pause would be over
    site.start_worker()
    ended = site.finish(run, 60)
    assert ended.run.status == "rejected"
    assert "3 a.m." in step_of(ended, "deploy").message
    time.sleep(1)
    assert weights(site, "alone") == {1: 100.0}
    assert answers(site, "alone") == 6.0


def test_kill_9_in_the_middle_of_a_canary_goes_on_as_planned(site: Site, worker: None) -> None:
    first(site, "planned")
    run = canary(
        site,
        "planned",
        "[{set_weight: 20}, {pause: 3s}, {set_weight: 60}, {pause: 2s}, {set_weight: 100}]",
        "5.0",
    )
    site.kill_worker(signal.SIGKILL)
    assert weights(site, "planned") == {1: 80.0, 2: 20.0}
    assert answers(site, "planned") in (6.0, 15.0)
    site.start_worker()
    ended = site.finish(run, 60)
    assert ended.run.status == "succeeded", site.told(ended)
    deployment = site.ops.endpoints.get("planned").deployment
    assert deployment is not None
    told = [event.message for event in deployment.events]
    assert any("20 %" in each for each in told)
    assert any("60 %" in each for each in told)
    assert weights(site, "planned") == {2: 100.0}


def test_a_second_deployment_waits_for_nobody(site: Site, worker: None) -> None:
    first(site, "busy")
    run = canary(site, "busy", "[{set_weight: 5}, {pause: null}, {set_weight: 100}]", "5.0")
    with pytest.raises(OpsdeckError, match="busy"):
        site.ops.endpoints.deploy("busy", "busy", "1")
    site.ops.endpoints.abort("busy")
    site.finish(run)
    assert site.ops.audit.verify().ok
