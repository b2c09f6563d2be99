"""Where a rollback goes to, and strategies as people write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.release import Deployment, DeploymentStatus, Endpoint, Revision
from core.errors import BadInput, NotFound, OpsdeckError, WrongState
from core.releases.rollback import rollback_target
from core.releases.strategy import DEFAULT_STRATEGY, parse_strategy


def endpoint(*states: str, status: DeploymentStatus = DeploymentStatus.SUCCEEDED) -> Endpoint:
    """An endpoint whose revision n has version n + 10 and the nth state."""
    revisions = tuple(
        Revision("bike", n, "demand", n + 10, state, 0.0, f"d{n}", 0.0)
        for n, state in enumerate(states, start=1)
    )
    last = len(states)
    deployment = Deployment(
        "d", "bike", "demand", last + 10, last, None, status, (), 0, 0.0, "author", "", 0.0
    )
    return Endpoint(
        name="bike",
        environment="production",
        status="in_service",
        host="",
        port=0,
        revisions=revisions[::-1],
        created_at=0.0,
        updated_at=0.0,
        deployment=deployment if states else None,
    )


PAUSED = DeploymentStatus.PAUSED


@pytest.mark.parametrize(
    ("states", "status", "to_version", "bad", "good"),
    [
        (["retired", "previous", "stable"], None, None, 3, 2),
        (["previous", "rolled_back", "stable"], None, None, 3, 1),
        (["retired", "previous", "stable"], None, 11, 3, 1),
        (["retired", "previous", "stable"], None, 12, 3, 2),
        (["previous", "stable", "canary"], PAUSED, None, 3, 2),
        (["previous", "stable", "canary"], PAUSED, 12, 3, 2),
        (["previous", "stable", "canary"], PAUSED, 11, 3, 1),
        (["previous", "stable", "aborted"], DeploymentStatus.ABORTED, None, 2, 1),
    ],
)
def test_it_goes_back_to(
    states: list[str], status: DeploymentStatus | None, to_version: int | None, bad: int, good: int
) -> None:
    target = rollback_target(
        endpoint(*states, status=status or DeploymentStatus.SUCCEEDED), to_version
    )
    assert (target.bad.revision, target.good.revision) == (bad, good)
    assert (target.deployment is not None) == (status is PAUSED)


@pytest.mark.parametrize(
    ("states", "status", "to_version", "error", "said"),
    [
        ([], None, None, WrongState, "serves nothing yet"),
        (["aborted"], None, None, WrongState, "serves nothing yet"),
        (["stable"], None, None, WrongState, "no earlier good version"),
        (["rolled_back", "stable"], None, None, WrongState, "no earlier good version"),
        (["canary"], PAUSED, None, WrongState, "first deployment has nothing to go back to"),
        (["previous", "stable"], None, 12, NotFound, "version 12 is what serves now"),
        (["rolled_back", "previous", "stable"], None, 11, NotFound, "11 was itself taken back"),
        (["failed", "previous", "stable"], None, 11, NotFound, "version 11 was never good"),
        (["previous", "stable"], None, 99, NotFound, "version 99 was never good"),
    ],
)
def test_it_refuses(
    states: list[str],
    status: DeploymentStatus | None,
    to_version: int | None,
    error: type[OpsdeckError],
    said: str,
) -> None:
    with pytest.raises(error, match=said):
        rollback_target(endpoint(*states, status=status or DeploymentStatus.SUCCEEDED), to_version)


def test_a_strategy_in_words() -> None:
    steps = parse_strategy([{"set_weight": 10}, {"pause": "1.5m"}, {"pause": None}, {"pause": 5}])
    assert [step.words() for step in steps] == [
        "set weight 10 %",
        "pause 1m30s",
        "pause until promoted",
        "pause 5s",
        "set weight 100 %",
    ]
    assert DEFAULT_STRATEGY[-1].weight == 100.0


@pytest.mark.parametrize(
    "items",
    [
        [{"set_weight": 101}],
        [{"set_weight": -1}],
        [{"set_weight": True}],
        [{"set_weight": "10"}],
        [{"set_weight": 50}, {"set_weight": 10}],
        [{"pause": "soon"}],
        [{"pause": -1}],
        [{"pause": True}],
        [{"wait": 1}],
        [{"set_weight": 10, "pause": 1}],
        [{}],
        ["set_weight"],
        [{"set_weight": float("nan")}],
        [{"pause": float("inf")}],
    ],
)
def test_a_wrong_strategy_names_its_step(items: list[Any]) -> None:
    with pytest.raises(BadInput, match="strategy"):
        parse_strategy(items)


@given(
    st.lists(
        st.fixed_dictionaries({"set_weight": st.floats(0, 100)})
        | st.fixed_dictionaries({"pause": st.none() | st.integers(0, 9999)}),
        max_size=6,
    )
)
def test_a_good_strategy_rises_to_all_of_the_traffic(items: list[dict[str, Any]]) -> None:
    try:
        steps = parse_strategy(items)
    except BadInput as error:
        assert "must not fall" in error.message
        return
    weights = [step.weight for step in steps if step.weight is not None]
    assert weights == sorted(weights)
    assert weights[-1] == 100.0
