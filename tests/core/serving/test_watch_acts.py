"""What a watch does by itself is done once and gets on record, whatever dies or fills up."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.domain.analysis import AnalysisPlan
from core.domain.release import ReleasePlan
from core.errors import EndpointUnavailable, WrongState
from core.serving.records import EndpointState, RollbackReport, Variant
from core.serving.routing import RoutingTable
from core.serving.supervision.desired import Desired
from core.serving.supervision.watch import Watch

PLAN = asdict(ReleasePlan((), analysis=AnalysisPlan(())))


class Fleet:
    """One without servers."""

    def live(self) -> list[Any]:
        return []

    async def ask(self, operation: str, timeout: float, **arguments: Any) -> list[Any]:
        return []


class Swaps:
    """Rollbacks that change the desired table, and then may find no server."""

    def __init__(self, desired: Desired) -> None:
        self.desired = desired
        self.unreachable = False
        self.made: list[int] = []

    async def to(self, revision: int, reason: str) -> RollbackReport:
        before = self.desired.table
        self.desired.table = RoutingTable.of([Variant(revision, 100.0)])
        if self.unreachable:
            raise EndpointUnavailable("The server is not up")
        self.made.append(revision)
        return RollbackReport(revision, before.variants, 1.0, 0, 0, True, True)


def keeper(desired: Desired) -> Any:
    return SimpleNamespace(
        fleet=Fleet(),
        desired=desired,
        restarts=0,
        state=EndpointState.SERVING,
        in_force=True,
        last_error="five deaths",
    )


def canary() -> Desired:
    desired = Desired(table=RoutingTable.of([Variant(1, 90.0), Variant(2, 10.0)]))
    desired.loads = {1: None, 2: None}  # type: ignore[dict-item]
    return desired


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((folder / "events").glob("*.json"))]


@pytest.fixture
def desired() -> Desired:
    return canary()


@pytest.fixture
def swaps(desired: Desired) -> Swaps:
    return Swaps(desired)


async def breached(folder: Path, desired: Desired, swaps: Swaps) -> Watch:
    """A watch over a canary that has just looped."""
    watch = Watch(folder, keeper(desired), swaps)  # type: ignore[arg-type]
    await watch.arm("d1", 2, 1, PLAN)
    desired.pinned = True
    return watch


async def test_a_rollback_that_found_no_server_is_finished(
    tmp_path: Path, desired: Desired, swaps: Swaps
) -> None:
    watch = await breached(tmp_path, desired, swaps)
    swaps.unreachable = True
    with pytest.raises(EndpointUnavailable):
        await watch.look()
    assert events(tmp_path) == []
    with pytest.raises(WrongState, match="rolled back"):
        watch.check([Variant(1, 50.0), Variant(2, 50.0)])
    swaps.unreachable = False
    await watch.look()
    await watch.look()
    assert swaps.made == [1]
    assert [event["kind"] for event in events(tmp_path)] == ["rolled_back"]


async def test_a_supervisor_killed_in_the_middle_leaves_it_to_the_next(
    tmp_path: Path, desired: Desired, swaps: Swaps
) -> None:
    """The table went back already: by that alone nobody would put it on record."""
    watch = await breached(tmp_path, desired, swaps)
    swaps.unreachable = True
    with pytest.raises(EndpointUnavailable):
        await watch.look()
    swaps.unreachable = False
    following = Watch(tmp_path, keeper(desired), swaps)  # type: ignore[arg-type]
    await following.look()
    (event,) = events(tmp_path)
    assert (event["kind"], event["deployment"], swaps.made) == ("rolled_back", "d1", [1])
    assert event["actor"] == "opsdeck (crash loop)" and "five deaths" in event["reason"]
    await Watch(tmp_path, keeper(desired), swaps).look()  # type: ignore[arg-type]
    assert len(events(tmp_path)) == 1 and swaps.made == [1]


async def test_an_event_outlives_a_full_disk_and_its_watch(
    tmp_path: Path, desired: Desired, swaps: Swaps
) -> None:
    watch = await breached(tmp_path, desired, swaps)
    (tmp_path / "events").write_text("in the way")
    await watch.look()
    watch.disarm("d1")
    await watch.arm("d2", 3, 1, PLAN)
    await watch.look()
    (tmp_path / "events").unlink()
    await watch.look()
    assert [event["deployment"] for event in events(tmp_path)] == ["d1"]
    watch.disarm("d2")
    await watch.look()
    assert len(events(tmp_path)) == 1


async def test_a_watch_that_ends_in_the_middle_still_puts_it_on_record(
    tmp_path: Path, desired: Desired, swaps: Swaps
) -> None:
    watch = await breached(tmp_path, desired, swaps)
    swaps.unreachable = True
    with pytest.raises(EndpointUnavailable):
        await watch.look()
    watch.disarm("d1")
    following = Watch(tmp_path, keeper(desired), swaps)  # type: ignore[arg-type]
    swaps.unreachable = False
    await following.look()
    assert [event["deployment"] for event in events(tmp_path)] == ["d1"]
    assert following.analysis() is None
    await following.look()
    assert swaps.made == [1]


async def test_the_next_deployment_waits_for_what_was_begun(
    tmp_path: Path, desired: Desired, swaps: Swaps
) -> None:
    watch = await breached(tmp_path, desired, swaps)
    swaps.unreachable = True
    with pytest.raises(EndpointUnavailable):
        await watch.look()
    with pytest.raises(EndpointUnavailable):
        await watch.arm("d2", 3, 1, PLAN)
    swaps.unreachable = False
    await watch.arm("d2", 3, 1, PLAN)
    assert [event["deployment"] for event in events(tmp_path)] == ["d1"]
    found = watch.analysis()
    assert found is not None and found["deployment"] == "d2"


async def test_a_worker_that_wakes_up_late_replaces_no_newer_watch(
    tmp_path: Path, desired: Desired, swaps: Swaps
) -> None:
    watch = Watch(tmp_path, keeper(desired), swaps)  # type: ignore[arg-type]
    await watch.arm("d1", 2, 1, PLAN)
    await watch.arm("d2", 3, 1, PLAN)
    following = Watch(tmp_path, keeper(desired), swaps)  # type: ignore[arg-type]
    for one in (watch, following):
        with pytest.raises(WrongState, match="revision 3 came after it"):
            await one.arm("d1", 2, 1, PLAN)
        found = one.analysis()
        assert found is not None and found["deployment"] == "d2"
        await one.arm("d2", 3, 1, PLAN)  # again, as it is
    following.disarm("d2")
    with pytest.raises(WrongState):
        await following.arm("d1", 2, 1, PLAN)


async def test_traffic_just_taken_away_is_not_given_back_before_it_is_on_record(
    tmp_path: Path, desired: Desired, swaps: Swaps
) -> None:
    watch = await breached(tmp_path, desired, swaps)
    more = [Variant(1, 50.0), Variant(2, 50.0)]
    watch.check(more)
    await watch.look()
    with pytest.raises(WrongState, match="crash loop: five deaths"):
        watch.check(more)
    watch.check([Variant(1, 100.0)])
    for path in (tmp_path / "events").glob("*.json"):
        path.unlink()  # as a worker does
    watch.check(more)


async def test_a_revision_that_was_unloaded_is_mirrored_to_no_more(
    tmp_path: Path, desired: Desired, swaps: Swaps
) -> None:
    watch = Watch(tmp_path, keeper(desired), swaps)  # type: ignore[arg-type]
    await watch.shadow(2, 50)
    watch.forget(1)
    assert json.loads((tmp_path / "watch.json").read_text())["shadow"]["revision"] == 2
    watch.forget(2)
    assert json.loads((tmp_path / "watch.json").read_text())["shadow"] is None
