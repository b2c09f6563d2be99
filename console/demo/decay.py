"""The loop's other half: a model decays as months pass, is trained anew, and a bad one goes back.

Each step's check makes its outcome count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from console.demo.ledger import Ledger, check
from console.demo.loop import ENDPOINT, MODEL, RUN_SECONDS, pending, wait_for
from console.demo.replay import Replay

if TYPE_CHECKING:
    from core.domain.alert import Alert
    from core.domain.release import Receipt
    from core.domain.run import Run
    from core.ops import Ops

ALARM, TRIGGER = "demand-quality-lost", "demand-retrain"
CANDIDATE, AVAILABLE = "candidate-worse", "demand-available-fast-burn"
DRIFT, QUALITY, WATCHER = "demand-drift", "demand-quality", "candidate-quality"
SEEN_SECONDS = 120.0
"""How long a monitor, an alarm or a trigger may take to see what has happened."""
WATCHED = {
    "steps": [{"set_weight": 50}, {"bake": "10m"}, {"set_weight": 100}],
    "alarms": [CANDIDATE],
    "analysis": None,
}
"""A strategy that compares nothing: half of the traffic, until an alarm of the workspace, over
what a monitor has measured, takes it back."""
COMPARED = {
    "steps": [{"set_weight": 50}, {"analyse": "10m"}, {"set_weight": 100}],
    "rollback_alarms": [AVAILABLE],
    "analysis": {
        "minimum_requests": 50,
        "metrics": [{"metric": "error_rate"}, {"metric": "ground_truth", "margin": "10%"}],
    },
}
"""The same, judged by the counts that come late, beside the champion's; an alarm of the
endpoint's objective would be as good a reason."""


def play(ledger: Ledger, replay: Replay, last: str, speed: float) -> None:
    """Months go by: each hour a request, its count three days later."""
    with ledger.step(f"play the months up to {last}") as line:
        replay.speed(speed)
        counts = replay.play_to(last, timeout=60 + 8000 / speed)
        check(counts.failed == 0, f"{counts.failed} requests failed: {counts.errors}")
        line.outcome = f"{counts.sent} hours asked, {counts.labels} counted since, 0 failed"


def lost(ops: Ops, ledger: Ledger) -> None:
    """The inputs drift, the quality falls: one alarm, and one alert about all of it."""
    with ledger.step("see the quality go, in one alert") as line:
        alarmed = wait_for(lambda: ops.alarms.get(ALARM).state == "ALARM", SEEN_SECONDS)
        check(alarmed, f"alarm {ALARM} is {ops.alarms.get(ALARM).state}")
        drifted = wait_for(lambda: ops.monitors.get(DRIFT).state == "violated", SEEN_SECONDS)
        check(drifted, f"monitor {DRIFT} is {ops.monitors.get(DRIFT).state}")
        alerts = about_the_model(ops)
        check(len(alerts) == 1, f"{len(alerts)} alerts: {[alert.title for alert in alerts]}")
        check(alerts[0].severity == "critical", f"it is only {alerts[0].severity}")
        line.outcome = (
            f"{alerts[0].causes} causes in one alert: {ops.monitors.get(QUALITY).headline}"
        )


def about_the_model(ops: Ops) -> list[Alert]:
    """Open alerts that monitors and alarms have raised about the endpoint."""
    found = ops.alerts.list(state="open", target=f"endpoint/{ENDPOINT}")
    return [alert for alert in found if alert.kind not in ("rollback", "deployment_failed")]


def retrained(ops: Ops, ledger: Ledger) -> Run:
    """The trigger has started a run on the augmented set; it waits at the gate."""
    with ledger.step("retrain by the trigger") as line:
        check(wait_for(lambda: bool(_runs(ops)), SEEN_SECONDS), f"{TRIGGER} has started nothing")
        firing = next(each for each in ops.triggers.firings(TRIGGER) if each.run_id)
        assert firing.run_id is not None
        run = ops.runs.wait(firing.run_id, timeout=RUN_SECONDS)
        check(run.status == "waiting", f"run #{run.number} is {run.status}: {run.message}")
        evidence = pending(ops, run).evidence
        before = evidence["champion"]["metrics"]["mae"]
        after = evidence["metrics"]["mae"]
        check(after < before, f"its error is {after}, the champion's {before}")
        rows = firing.data.get("rows", "?")
        line.outcome = f"run #{run.number} on {rows} captured hours; MAE {before:.1f} → {after:.1f}"
    return run


def _runs(ops: Ops) -> list[str]:
    return [each.run_id for each in ops.triggers.firings(TRIGGER) if each.run_id]


def released(ops: Ops, ledger: Ledger, run: Run) -> None:
    """Approved, mirrored, given a tenth, then all: in production."""
    approval = pending(ops, run)
    with ledger.step(f"approve v{approval.version}: shadow, canary, production") as line:
        ops.approvals.approve(
            approval.id, "better on the newest two weeks", evidence_hash=approval.evidence_hash
        )
        done = ops.runs.wait(run.id, timeout=RUN_SECONDS, through_gates=True)
        check(done.status == "succeeded", f"run #{done.number} is {done.status}: {done.message}")
        champion = ops.models.get(MODEL, "champion").version
        check(champion == approval.version, f"the champion is v{champion}")
        newest = ops.endpoints.deployment(ops.endpoints.get(ENDPOINT).history[0].id)
        went = " ".join(event.message for event in newest.events)
        check("shadow" in went and "10 %" in went, f"its deployment went otherwise: {went}")
        line.outcome = f"v{champion} was mirrored, had 10 %, and is the champion"


def recovered(ops: Ops, ledger: Ledger) -> None:
    """The new champion's windows are good: the alarm is over, and its alert with it."""
    with ledger.step("see the quality back") as line:
        good = wait_for(lambda: ops.alarms.get(ALARM).state == "OK", SEEN_SECONDS)
        check(good, f"alarm {ALARM} is {ops.alarms.get(ALARM).state}")
        left = [alert for alert in about_the_model(ops) if alert.severity == "critical"]
        check(not left, f"still open: {[alert.title for alert in left]}")
        line.outcome = f"{ALARM} is OK: {ops.monitors.get(QUALITY).headline}"


def alarmed(ops: Ops, ledger: Ledger, version: int) -> None:
    """An old version is given half of the traffic; an alarm that its deployment names sees what
    it does, and takes it back."""
    with ledger.step(f"release v{version}, watched by an alarm") as line:
        taken = _taken_back(ops, version, WATCHED, "demo: a bad candidate on purpose")
        check(taken.actor == f"opsdeck (alarm {CANDIDATE})", f"{taken.actor} took it back")
        check(taken.reason.startswith(f"alarm {CANDIDATE}: "), f"its reason is {taken.reason}")
        seen, *_ = ops.monitors.get(WATCHER).headline.split(";")
        line.outcome = (
            f"alarm {CANDIDATE} took it back in {taken.milliseconds:.1f} ms,"
            f" receipt {taken.id}: {seen}"
        )


def compared(ops: Ops, ledger: Ledger, version: int) -> None:
    """The same version again, compared with the champion by the counts that come late; an alarm
    is named as well, and whichever is first takes it back."""
    with ledger.step(f"release v{version} again, compared") as line:
        taken = _taken_back(ops, version, COMPARED, "demo: the bad candidate once more")
        line.outcome = f"taken back by itself, receipt {taken.id}: {taken.reason}"


def _taken_back(ops: Ops, version: int, strategy: Mapping[str, Any], why: str) -> Receipt:
    """Release a version that will not do; the receipt of how it went back by itself, with an
    alert, while the champion stayed what it was and nobody was refused."""
    champion = ops.models.get(MODEL, "champion").version
    asked = ops.endpoints.deploy(ENDPOINT, MODEL, str(version), strategy=strategy, reason=why)
    ended = wait_for(lambda: ops.endpoints.deployment(asked.id).status.ended, RUN_SECONDS)
    found = ops.endpoints.deployment(asked.id)
    check(ended and found.status == "rolled_back", f"it is {found.status}: {found.message}")
    check(ops.models.get(MODEL, "champion").version == champion, "the champion has changed")
    receipts = [r for r in ops.endpoints.get(ENDPOINT).receipts if r.deployment_id == asked.id]
    check(len(receipts) == 1, f"it has {len(receipts)} receipts")
    taken = receipts[0]
    went = (taken.from_version, taken.to_version, taken.requests_failed)
    check(went == (version, champion, 0), f"its receipt says {went}")
    told = ops.alerts.list(state=None, target=f"endpoint/{ENDPOINT}")
    check(any(alert.deployment_id == asked.id for alert in told), "no alert tells of it")
    return taken
