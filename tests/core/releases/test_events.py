"""What a supervisor did by itself gets on record, once, whoever finds it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.domain.release import DeploymentStatus
from core.engine.caretaker import Caretaker
from core.errors import WrongState
from core.ids import new_id
from core.ops import Ops
from core.processes import started
from core.releases import holding, rows
from core.releases.events import record_events
from core.releases.strategy import parse_plan
from core.state import schema
from tests.support.opened import raw

NAME = "bike"
pytestmark = pytest.mark.usefixtures("woken")


@pytest.fixture
def released(ops: Ops) -> Ops:
    """Version 1 in production, version 2 on its way with 10 %."""
    with ops.session.store().transaction("author") as tx:
        for version in (1, 2):
            values = {"run_id": "r", "step": "register", "path": "x", "digest": "d"}
            tx.execute(
                schema.model_versions.insert().values(
                    name="demand", version=version, created_at=tx.now, **values
                )
            )
    bring(ops, 1)
    with ops.session.store().transaction("opsdeck") as tx:
        first = rows.open_deployment(tx, NAME)
        assert first is not None
        rows.finish_deployment(tx, first)
    bring(ops, 2)
    with ops.session.store().transaction("opsdeck") as tx:
        second = rows.open_deployment(tx, NAME)
        assert second is not None
        rows.record_weight(tx, second, 10.0, "10 %")
        rows.set_progress(tx, second, DeploymentStatus.PAUSED, step_index=1)
    return ops


def bring(ops: Ops, version: int) -> None:
    """Open a deployment by the preset canary."""
    with ops.session.store().transaction("author") as tx:
        rows.create_deployment(
            tx,
            new_id(),
            endpoint=NAME,
            model="demand",
            version=version,
            strategy=parse_plan("canary"),
            environment="production",
        )


def leave(ops: Ops, kind: str = "rolled_back", **other: Any) -> Path:
    """An event file as a supervisor leaves it."""
    deployment = ops.endpoints.get(NAME).deployment
    assert deployment is not None
    folder = ops.workspace.endpoints_dir / NAME / "events"
    folder.mkdir(parents=True, exist_ok=True)
    data = {
        "kind": kind,
        "deployment": deployment.id,
        "candidate": 2,
        "champion": 1,
        "reason": "alarm errors: error_rate 0.2 > 0.05",
        "actor": "opsdeck (alarm errors)",
        "at": 1_780_000_000.5,
        "report": {
            "to_revision": 1,
            "milliseconds_to_swap": 1.5,
            "in_flight_at_swap": 3,
            "requests_failed": 0,
        },
    }
    path = folder / f"1780000000500000000-{deployment.id}.json"
    path.write_text(json.dumps(data | other))
    return path


def record(ops: Ops) -> int:
    return record_events(ops.session, ops.workspace.endpoints_dir / NAME)


def test_a_rollback_by_an_alarm_gets_its_receipt_alert_and_journal(released: Ops) -> None:
    ops = released
    path = leave(ops)
    text = path.read_text()
    assert record(ops) == 1
    assert not path.exists()
    endpoint = ops.endpoints.get(NAME)
    (receipt,) = endpoint.receipts
    assert (receipt.actor, receipt.at) == ("opsdeck (alarm errors)", 1_780_000_000.5)
    assert (receipt.milliseconds, receipt.in_flight) == (1.5, 3)
    assert endpoint.deployment is not None
    assert endpoint.deployment.status == "rolled_back"
    assert {r.revision: r.state for r in endpoint.revisions} == {1: "stable", 2: "rolled_back"}
    (alert,) = ops.alerts.list()
    assert (alert.receipt_id, alert.severity, alert.state) == (receipt.id, "critical", "open")
    assert "went back from demand v2 to v1 by itself" in alert.title
    entry = ops.audit.list(search="endpoint.rollback")[0]
    assert (entry.actor, entry.detail["receipt"]) == ("opsdeck (alarm errors)", receipt.id)

    path.write_text(text)  # its worker died before it took the file away
    assert record(ops) == 1
    assert len(ops.endpoints.get(NAME).receipts) == 1
    assert len(ops.alerts.list(state=None)) == 1


def test_a_rollback_after_the_promotion_moves_the_aliases_back(released: Ops) -> None:
    ops = released
    with ops.session.store().transaction("opsdeck") as tx:
        second = rows.open_deployment(tx, NAME)
        assert second is not None
        rows.finish_deployment(tx, second)
    assert dict(ops.models.list()[0].aliases) == {"champion": 2, "previous": 1}
    leave(ops)
    record(ops)
    assert dict(ops.models.list()[0].aliases) == {"champion": 1}
    assert ops.endpoints.get(NAME).receipts


def test_what_somebody_has_taken_back_since_is_not_recorded_twice(released: Ops) -> None:
    ops = released
    path = leave(ops)
    with ops.session.store().transaction("author") as tx:
        second = rows.open_deployment(tx, NAME)
        assert second is not None
        rows.withdraw_canary(tx, second, DeploymentStatus.ABORTED, "not today")
    assert record(ops) == 1
    assert not path.exists()
    assert ops.endpoints.get(NAME).receipts == ()


def test_frozen_is_held_until_somebody_lets_it_go(released: Ops) -> None:
    ops = released
    leave(ops, "frozen", report=None)
    record(ops)
    held = ops.endpoints.get(NAME).deployment
    assert held is not None
    assert (held.status, held.next_at, held.set_weight) == ("held", None, 10.0)
    assert held.message.startswith("frozen: alarm errors")
    (alert,) = ops.alerts.list()
    assert (alert.kind, alert.deployment_id) == ("frozen", held.id)
    ops.endpoints.promote(NAME, reason="seen")
    going = ops.endpoints.get(NAME).deployment
    assert going is not None
    assert going.status == "progressing"
    assert ops.alerts.list() == ()
    assert raw(ops.workspace.database_url, "SELECT max(promoted) FROM deployments") == [(2,)]


def test_the_same_event_found_again_freezes_nothing_anew(released: Ops) -> None:
    """A worker that is killed between the record and the removal of its file."""
    ops = released
    path = leave(ops, "frozen", report=None)
    text = path.read_text()
    record(ops)
    (alert,) = ops.alerts.list()
    ops.endpoints.promote(NAME, reason="it was the load test")
    path.write_text(text)
    record(ops)
    assert not path.exists()
    assert ops.endpoints.get(NAME).deployment.status == "progressing"  # type: ignore[union-attr]
    assert [each.id for each in ops.alerts.list(state=None)] == [alert.id]
    assert len(ops.audit.list(search="deployment.frozen")) == 1


def test_a_breach_after_the_promotion_that_moves_nothing_is_told_of(released: Ops) -> None:
    ops = released
    with ops.session.store().transaction("opsdeck") as tx:
        second = rows.open_deployment(tx, NAME)
        assert second is not None
        rows.finish_deployment(tx, second)
    leave(ops, "frozen", report=None)
    record(ops)
    (alert,) = ops.alerts.list()
    assert (alert.kind, alert.severity) == ("frozen", "critical")
    assert alert.title == "demand v2 does badly in production, and still has the traffic"
    endpoint = ops.endpoints.get(NAME)
    assert endpoint.deployment is not None
    assert endpoint.deployment.status == "succeeded"
    leave(ops)  # and somebody sends it back
    record(ops)
    assert ops.alerts.get(alert.id).state == "resolved"


@pytest.mark.parametrize("act", ["weight", "abort"])
def test_what_the_supervisor_took_away_is_on_record_before_a_person_acts(
    released: Ops, act: str
) -> None:
    ops = released
    leave(ops)
    with pytest.raises(WrongState, match="nothing is being deployed"):
        if act == "weight":
            ops.endpoints.weight(NAME, 50.0)
        else:
            ops.endpoints.abort(NAME)
    (receipt,) = ops.endpoints.get(NAME).receipts
    assert receipt.actor == "opsdeck (alarm errors)"
    assert [alert.kind for alert in ops.alerts.list()] == ["rollback"]


def test_a_promotion_is_for_the_step_that_was_seen(released: Ops) -> None:
    ops = released
    seen = ops.endpoints.get(NAME).deployment
    assert seen is not None
    with ops.session.store().transaction("opsdeck") as tx:
        rows.update_deployment(tx, seen.id, step_index=2)
    with pytest.raises(WrongState, match="gone on to another step since: nothing was promoted"):
        ops.endpoints.promote(NAME, seen=(seen.id, seen.step_index))
    with pytest.raises(WrongState, match="another deployment, of version 2, is under way"):
        ops.endpoints.promote(NAME, full=True, seen=("before", seen.step_index))
    done = ops.endpoints.promote(NAME, full=True, seen=(seen.id, seen.step_index))
    assert done.events[-1].kind == "promote_full"


def test_a_broken_event_is_put_aside_and_keeps_no_other_waiting(released: Ops) -> None:
    ops = released
    good = leave(ops)
    (good.parent / "0-broken.json").write_text("{")
    (good.parent / "1-broken.json").write_text("[]")
    (good.parent / "2-broken.json").write_text('{"kind": "rolled_back", "deployment": "x"}')
    assert record(ops) == 1
    left = sorted(path.name for path in good.parent.iterdir())
    assert left == ["0-broken.broken", "1-broken.broken", "2-broken.broken"]


def test_a_bake_is_not_cut_short_and_holding_needs_something_to_hold(released: Ops) -> None:
    ops = released
    with pytest.raises(WrongState, match="a bake is not cut short"):
        ops.endpoints.promote(NAME)
    with ops.session.store().transaction("author") as tx:
        deployment = rows.open_deployment(tx, NAME)
        assert deployment is not None
        for status in ("queued", "loading"):
            with pytest.raises(WrongState, match="nothing to hold yet"):
                holding.check_holdable({**deployment, "status": status})
    held = ops.endpoints.hold(NAME, "lunch")
    assert (held.status, held.message) == ("held", "held by author: lunch")
    assert ops.alerts.list() == (), "whoever holds it knows"


def test_a_crash_loop_without_a_deployment_is_told_of_once(released: Ops) -> None:
    ops = released
    with ops.session.store().transaction("author") as tx:
        second = rows.open_deployment(tx, NAME)
        assert second is not None
        rows.withdraw_canary(tx, second, DeploymentStatus.ABORTED, "not today")
    folder = ops.workspace.endpoints_dir / NAME
    folder.mkdir(parents=True, exist_ok=True)
    data = {
        "name": NAME,
        "host": "127.0.0.1",
        "port": 1,
        "state": "serving",
        "supervisor_pid": os.getpid(),
        "supervisor_start": started(os.getpid()),
        "variants": [],
        "updated_at": 0.0,
        "pinned": True,
    }
    (folder / "endpoint.json").write_text(json.dumps(data))
    engine: Any = SimpleNamespace(
        session=ops.session, store=ops.session.store(), workspace=ops.workspace
    )
    caretaker = Caretaker(engine)
    for _ in range(3):
        caretaker._keep_endpoints_up()
    (alert,) = ops.alerts.list()
    assert (alert.kind, alert.target) == ("crash_loop", f"endpoint/{NAME}")
    ops.alerts.resolve(alert.id)
    caretaker._keep_endpoints_up()
    assert ops.alerts.list() == ()

    # The next loop of the same version is another one, told of once too.
    for at in (1_780_000_000.25, 1_780_000_900.5):
        gave_up = {"at": at, "revisions": [2], "requests_failed": 1, "milliseconds": 0.0}
        (folder / "endpoint.json").write_text(json.dumps(data | {"gave_up": gave_up}))
        for _ in range(3):
            caretaker._keep_endpoints_up()
        (newer,) = ops.alerts.list()
        assert newer.id != alert.id
        ops.alerts.resolve(newer.id)
