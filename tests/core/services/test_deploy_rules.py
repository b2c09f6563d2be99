"""Who may be brought where: environments of endpoints, gates, and going past one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from core.domain.release import DeploymentStatus
from core.errors import BadInput, NotAllowed, WrongState
from core.ops import Ops
from core.releases import rows
from core.state import schema


def version(ops: Ops, number: int, approval: str | None = None) -> None:
    """A registered version, and the state of an approval request about it."""
    with ops.session.store().transaction("tester") as tx:
        values = {"run_id": f"run{number}", "step": "register", "path": "x", "digest": "d"}
        tx.execute(
            schema.model_versions.insert().values(
                name="demand", version=number, created_at=tx.now, **values
            )
        )
        if approval is not None:
            run = {"id": f"run{number}", "number": number, "pipeline": "p", "status": "waiting"}
            run |= {"params": "{}", "spec": "{}", "created_at": tx.now, "requested_by": "x"}
            tx.execute(schema.runs.insert().values(**run))
            tx.execute(
                schema.approvals.insert().values(
                    id=f"a{number}", gate="gate", run_id=f"run{number}", step="gate",
                    model="demand", version=number, environment="production", status=approval,
                    evidence="{}", evidence_hash="h", requested_by="x", opened_at=tx.now,
                    workflow_id=f"w{number}",
                )
            )  # fmt: skip


def finish(ops: Ops, endpoint: str) -> None:
    """What a worker does at the top of the ladder."""
    with ops.session.store().transaction("opsdeck") as tx:
        deployment = rows.open_deployment(tx, endpoint)
        assert deployment is not None
        rows.finish_deployment(tx, deployment)


def aliases(ops: Ops) -> dict[str, int]:
    return dict(ops.models.list()[0].aliases)


@pytest.mark.usefixtures("woken")
def test_only_production_endpoints_move_the_champion(ops: Ops) -> None:
    for number in (1, 2, 3):
        version(ops, number)
    for number in (1, 2):
        ops.endpoints.deploy("shop", "demand", str(number), environment="production")
        finish(ops, "shop")
    assert aliases(ops) == {"champion": 2, "previous": 1}
    ops.endpoints.deploy("trial", "demand", "1")
    finish(ops, "trial")
    assert aliases(ops) == {"champion": 2, "previous": 1}
    ops.endpoints.deploy("rehearsal", "demand", "3", environment="staging")
    finish(ops, "rehearsal")
    assert aliases(ops) == {"champion": 2, "previous": 1, "staging": 3}
    with pytest.raises(WrongState, match="belongs to staging, not to production"):
        ops.endpoints.deploy("rehearsal", "demand", "3", environment="production")


@pytest.mark.usefixtures("woken")
@pytest.mark.parametrize(
    ("approval", "words"),
    [("open", "still waits"), ("rejected", "was not approved"), ("void", "was not approved")],
)
def test_a_gate_is_not_passed_by_a_command(ops: Ops, approval: str, words: str) -> None:
    version(ops, 1, approval)
    with pytest.raises(NotAllowed, match=words):
        ops.endpoints.deploy("shop", "demand", "1")
    with pytest.raises(BadInput, match="needs a reason"):
        ops.endpoints.deploy("shop", "demand", "1", override=True)
    assert ops.endpoints.list() == ()
    ops.endpoints.deploy("shop", "demand", "1", override=True, reason="the gate's worker is lost")
    entry = ops.audit.list(search="gate.override")[0]
    assert entry.detail["reason"] == "the gate's worker is lost"


@pytest.mark.usefixtures("woken")
def test_an_approved_version_goes_where_it_was_approved_for(ops: Ops) -> None:
    version(ops, 1, "approved")
    assert ops.endpoints.deploy("shop", "demand", "1").status is DeploymentStatus.QUEUED


@pytest.mark.usefixtures("woken")
def test_a_promotion_is_for_a_pause_and_names_it(ops: Ops, open_as: Callable[..., Ops]) -> None:
    version(ops, 1)
    ops.endpoints.deploy("shop", "demand", "1")
    with pytest.raises(WrongState, match="queued, not paused"):
        ops.endpoints.promote("shop")
    with ops.session.store().transaction("opsdeck") as tx:
        deployment = rows.open_deployment(tx, "shop")
        assert deployment is not None
        rows.set_progress(tx, deployment, DeploymentStatus.PAUSED, step_index=1)
    open_as("reviewer").endpoints.promote("shop", reason="looks fine")
    with ops.session.store().transaction("opsdeck") as tx:
        asked = tx.rows(sa.select(schema.outbox).where(schema.outbox.c.kind == "control"))
    assert [row["payload"] for row in asked] == ['{"command": "promote", "index": 1}']


@pytest.mark.usefixtures("woken")
def test_a_preview_is_refused_where_the_change_would_be(ops: Ops) -> None:
    version(ops, 1)
    version(ops, 2)
    ops.endpoints.deploy("shop", "demand", "1", environment="production")
    for force, said in ((False, "version 1 is being deployed"), (True, "")):
        if said:
            with pytest.raises(WrongState, match=said):
                ops.endpoints.preview("delete", "shop", force=force)
        else:
            assert ops.endpoints.preview("delete", "shop", force=force).action == "delete"
    finish(ops, "shop")
    for act in (ops.endpoints.preview_deploy, ops.endpoints.deploy):
        with pytest.raises(WrongState, match="belongs to production, not to staging"):
            act("shop", "demand", "2", environment="staging")


@pytest.mark.usefixtures("woken")
def test_an_endpoint_made_anew_has_not_the_environment_of_the_deleted_one(ops: Ops) -> None:
    version(ops, 1)
    ops.endpoints.create("shop", environment="production")
    with pytest.raises(WrongState, match="serves nothing yet"):
        ops.endpoints.invoke("shop", b"{}")
    ops.endpoints.delete("shop")
    assert ops.endpoints.environment_for("shop") == "local"
    ops.endpoints.deploy("shop", "demand", "1")
    assert ops.endpoints.get("shop").environment == "local"
