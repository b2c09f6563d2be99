"""Driving the console in tests: waiting for what it shows, reading what is on the screen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from textual.pilot import Pilot

from console.app import OpsdeckApp
from tests.support.snapshots import text_of


async def settled(pilot: Pilot[Any], seconds: float = 10.0) -> None:
    """Wait until what is in view has been read after now, and has been drawn."""
    app = pilot.app
    assert isinstance(app, OpsdeckApp)
    for _ in range(2):  # the first may have begun before now
        before = app.readings
        app.poke()
        await until(pilot, lambda before=before: app.readings > before and not app.busy, seconds)
    await pilot.pause()


async def until(pilot: Pilot[Any], true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until this is true; fails after a while."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "this did not come true in time"
        await pilot.pause(0.02)


async def opened(pilot: Pilot[Any], dialog: type) -> Any:
    """Wait until this dialog is open and listens to keys, and return it."""
    await until(pilot, lambda: isinstance(pilot.app.screen, dialog) and not pilot.app.screen.deaf())
    await pilot.pause()
    return pilot.app.screen


def shown(pilot: Pilot[Any]) -> str:
    """All text on the screen, as lines."""
    return "\n".join(text_of(pilot.app.export_screenshot()))
