"""How long a version without traffic stays loaded."""

from __future__ import annotations

from core.domain.release import (
    Deployment,
    DeploymentStatus,
    Endpoint,
    Receipt,
    ReleasePlan,
    Revision,
    StrategyStep,
)
from core.releases.keeping import WITHDRAWN_SECONDS, kept_until, overdue

STEPS = (StrategyStep("set_weight", weight=100.0),)


def deployment(number: int, status: str, ended: float | None, keep: float = 100.0) -> Deployment:
    """The deployment of revision `number` over the one before."""
    return Deployment(
        id=f"d{number}",
        endpoint="bike",
        model="demand",
        version=number,
        revision=number,
        from_revision=number - 1 or None,
        status=DeploymentStatus(status),
        strategy=STEPS,
        step_index=0,
        set_weight=0.0,
        actor="author",
        reason="",
        created_at=0.0,
        ended_at=ended,
        plan=ReleasePlan(STEPS, keep_seconds=keep),
    )


def endpoint(
    states: dict[int, str], *history: Deployment, receipts: tuple[Receipt, ...] = ()
) -> Endpoint:
    """An endpoint with these revisions; deployments newest first."""
    return Endpoint(
        name="bike",
        environment="production",
        status="in_service",
        host="",
        port=0,
        revisions=tuple(
            Revision("bike", n, "demand", n, state, 0.0, f"d{n}", 0.0)
            for n, state in states.items()
        ),
        created_at=0.0,
        updated_at=0.0,
        history=history,
        receipts=receipts,
    )


def test_the_version_before_is_kept_for_the_plans_time() -> None:
    found = endpoint(
        {1: "previous", 2: "stable"},
        deployment(2, "succeeded", 50.0, keep=30.0),
        deployment(1, "succeeded", 10.0, keep=1000.0),
    )
    assert kept_until(found, 1) == 80.0
    assert overdue(found, [1], 79.0) == []
    assert overdue(found, [1], 81.0) == [1]


def test_nothing_goes_while_a_deployment_is_open() -> None:
    found = endpoint(
        {1: "stable", 2: "canary"},
        deployment(2, "paused", None),
        deployment(1, "succeeded", 10.0),
    )
    assert overdue(found, [1, 2], 1e9) == []


def test_what_was_withdrawn_is_kept_for_a_minute() -> None:
    found = endpoint(
        {1: "stable", 2: "aborted"},
        deployment(2, "aborted", 50.0, keep=3600.0),
        deployment(1, "succeeded", 10.0),
    )
    assert kept_until(found, 2) == 50.0 + WITHDRAWN_SECONDS


def test_a_rollback_begins_the_time_anew() -> None:
    receipt = Receipt(
        *("r", "bike", "author", "", "demand", 2, "demand", 1, 0, 0, 1.0, 500.0), deployment_id="d2"
    )
    found = endpoint(
        {1: "stable", 2: "rolled_back"},
        deployment(2, "succeeded", 50.0),
        deployment(1, "succeeded", 10.0),
        receipts=(receipt,),
    )
    assert kept_until(found, 2) == 500.0 + WITHDRAWN_SECONDS
    assert kept_until(found, 7) == 0.0, "nobody knows it any more"
