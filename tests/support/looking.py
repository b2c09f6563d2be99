"""Pictures of a screen at both sizes, and keys pressed one after the other."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from tests.support.driving import settled
from tests.support.snapshots import check_snapshot

LOW, HIGH = (80, 24), (120, 40)
sized = pytest.mark.parametrize("size", [LOW, HIGH], ids=["80x24", "120x40"])


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys, each with its effect shown before the next."""
    for key in keys:
        await pilot.press(key)
        await pilot.pause()
    await settled(pilot)


def look(pilot: Pilot[Any], name: str, size: tuple[int, int]) -> None:
    """Compare the screen with the picture kept of it at this size."""
    check_snapshot(f"{name}-{size[0]}x{size[1]}", pilot.app.export_screenshot())
