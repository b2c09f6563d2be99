"""The routing table: every point has an owner, weights hold, users move one way."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadInput
from core.serving import Variant
from core.serving.routing import Epoch, RoutingTable, choose, session_point


def split(canary: float) -> RoutingTable:
    return RoutingTable.of([Variant(1, 100 - canary), Variant(2, canary)])


@st.composite
def tables(draw: st.DrawFn) -> RoutingTable:
    """Tables of one to four variants, some with weight 0."""
    revisions = draw(st.lists(st.integers(1, 50), min_size=1, max_size=4, unique=True))
    size = len(revisions)
    parts = draw(st.lists(st.integers(0, 20), min_size=size, max_size=size).filter(any))
    return RoutingTable.of(
        Variant(revision, 100 * part / sum(parts))
        for revision, part in zip(revisions, parts, strict=True)
    )


@settings(deadline=None)
@given(tables(), st.floats(0, 1, exclude_max=True))
def test_every_point_has_an_owner_with_some_weight(table: RoutingTable, point: float) -> None:
    owner = table.pick(point)
    assert owner is not None
    assert {variant.revision: variant.weight for variant in table.variants}[owner] > 0


@settings(deadline=None)
@given(tables())
def test_shares_follow_the_weights(table: RoutingTable) -> None:
    count = 2000
    owners = [table.pick((index + 0.5) / count) for index in range(count)]
    for variant in table.variants:
        assert owners.count(variant.revision) / count == pytest.approx(
            variant.weight / 100, abs=2 / count
        )


@settings(deadline=None)
@given(st.text(min_size=1), st.lists(st.floats(0, 100), min_size=2))
def test_as_the_canary_grows_a_session_moves_to_it_once_and_never_back(
    session: str, weights: list[float]
) -> None:
    seen = [choose(split(weight), session, None, "bike") for weight in sorted(weights)]
    assert seen == sorted(seen, key=lambda revision: revision or 0)


def test_sessions_spread_evenly_and_differently_for_each_endpoint() -> None:
    sessions = [f"user-{number}" for number in range(4000)]
    first = [session_point(session, "bike") < 0.2 for session in sessions]
    second = [session_point(session, "taxi") < 0.2 for session in sessions]
    assert sum(first) / 4000 == pytest.approx(0.2, abs=0.03)
    both = sum(a and b for a, b in zip(first, second, strict=True))
    assert both / 4000 == pytest.approx(0.04, abs=0.02)


@settings(deadline=None)
@given(st.text(), st.text())
def test_a_session_stands_still(session: str, salt: str) -> None:
    point = session_point(session, salt)
    assert 0 <= point < 1
    assert point == session_point(session, salt)


@pytest.mark.parametrize(
    "variants",
    [
        [Variant(1, 50), Variant(1, 50)],
        [Variant(1, 99)],
        [Variant(1, 101)],
        [Variant(1, float("nan"))],
        [Variant(1, 150), Variant(2, -50)],
    ],
)
def test_wrong_weights_are_refused(variants: list[Variant]) -> None:
    with pytest.raises(BadInput):
        RoutingTable.of(variants)


def test_a_target_without_weight_can_be_asked_for() -> None:
    table = RoutingTable.of([Variant(1, 100), Variant(2, 0)])
    assert choose(table, None, "r2", "bike") == 2
    assert {choose(table, None, None, "bike") for _ in range(50)} == {1}
    for target in ("r3", "x", "r", "-1"):
        with pytest.raises(BadInput):
            choose(table, None, target, "bike")
    assert RoutingTable().pick(0.5) is None


async def test_an_epoch_is_drained_when_its_last_request_leaves() -> None:
    epoch = Epoch(1, split(10))
    assert await epoch.drained(0.01)
    epoch.enter()
    epoch.enter()
    assert not await epoch.drained(0.01)
    asyncio.get_running_loop().call_later(0.02, epoch.leave)
    asyncio.get_running_loop().call_later(0.03, epoch.leave)
    assert await epoch.drained(5)
    assert epoch.in_flight == 0


def test_a_model_that_seeds_chance_does_not_move_the_split() -> None:
    chosen = set()
    for _ in range(200):
        random.seed(42)
        chosen.add(choose(split(50), None, None, "salt"))
    assert chosen == {1, 2}
