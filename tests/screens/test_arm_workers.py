"""Workers in the table of arms: shown where a version may have several, and there is room."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.domain.release import Endpoint, Revision
from screens.rollouts.arms import ROOMY, arm_lines
from tests.support.driving import settled
from tests.support.releases import SCENES
from tests.support.snapshots import check_snapshot


def with_workers(endpoint: Endpoint) -> Endpoint:
    """The analysing scene on two servers; the candidate follows its load, one call hangs."""
    scene = SCENES["analysing"](endpoint)
    last = max(r.revision for r in scene.revisions if r.weight)
    revisions = tuple(
        replace(r, workers=5, stuck_workers=1, worker_bounds=(1, 4))
        if r.revision == last
        else replace(r, workers=2, worker_bounds=(1, 1))
        if r.weight
        else r
        for r in scene.revisions
    )
    return replace(scene, servers=2, revisions=revisions)


async def test_workers_of_the_arms(running: Any, live: Any) -> None:
    live.scene = with_workers
    async with running("deploys", (120, 40)) as pilot:
        await pilot.press("enter")
        await settled(pilot)
        check_snapshot("release-workers-120x40", pilot.app.export_screenshot())


@pytest.mark.parametrize("width", [80, 99, 100, 108, 119, 120, 200])
def test_they_fit_or_are_left_out(width: int) -> None:
    shown = Endpoint(
        "bike", "production", "in_service", "127.0.0.1", 80,
        (
            Revision("bike", 1, "m", 1, "stable", 90.0, "d", 0.0, 90.0, 2, 0, (1, 1)),
            Revision("bike", 2, "m", 2, "canary", 10.0, "d", 0.0, 10.0, 5, 1, (1, 4)),
            Revision("bike", 3, "m", 3, "retired", 0.0, "d", 0.0, 0.0),
        ),
        0.0, 0.0, servers=2,
    )  # fmt: skip
    lines = ["".join(text for text, _ in line) for line in arm_lines(shown, width)]
    assert all(len(line) <= width for line in lines)
    wide = width >= ROOMY
    assert ("WORKERS" in lines[0]) == wide
    last = [line.split()[-1] for line in lines[1:]]
    assert (last == ["2/2", "5/8", "—"]) == wide
    plain = replace(shown, revisions=shown.revisions[:1])
    assert "WORKERS" not in "".join(text for text, _ in arm_lines(plain, width)[0])
