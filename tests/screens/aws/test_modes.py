"""Every mode on the simulated account with the demo's resources: all can be read, all described."""

from __future__ import annotations

from typing import Any

import pytest

from core.aws.account import Account
from screens.registry import MODES
from tests.support.driving import settled, shown, until

pytestmark = pytest.mark.slow


@pytest.fixture
def demo(aws: Any) -> Any:
    """The simulated account with what the demo plants."""
    from core.simulated.server import seeding

    seeding("demo")(aws.world)
    return aws


def described(screen: Any) -> Any:
    """What is known of the resource in view; None while it is not selected or not read."""
    kind, item = screen.kind_now(), screen.item_now()
    return (
        None if kind is None or item is None else screen.backend.details.known(kind.name, item.id)
    )


async def test_every_mode_and_tab_is_read(on_aws: Any, demo: Any, account: Account) -> None:
    async with on_aws(account, "runs", (80, 24)) as pilot:
        for mode in MODES[1:]:
            pilot.app.go(mode)
            await settled(pilot)
            screen = pilot.app.mode_screen
            for place, kind in enumerate(list(screen._kinds)):
                screen._show_tab(place)
                await until(pilot, lambda screen=screen: screen.listing.last.read, 60)
                error = screen.listing.last.error
                assert error is None, f"{mode}/{kind.name}: {error}"
                if not screen.listing.last.items:
                    continue
                # What is selected, not what was first: others may have come above it meanwhile.
                await until(pilot, lambda screen=screen: described(screen) is not None, 60)
                told = described(screen)
                assert told.error is None, f"{mode}/{kind.name}: {told.error}"
                assert len(screen.item_now().cells) == len(kind.columns), kind.name
        assert not pilot.app._bugs_told


async def test_the_overview_counts_what_there_is(on_aws: Any, demo: Any, account: Account) -> None:
    async with on_aws(account, "pulse", (120, 40)) as pilot:
        screen = pilot.app.mode_screen
        await until(
            pilot, lambda: screen._overview is not None and not screen._overview.waiting, 60
        )
        await settled(pilot)
        failed = {one.kind.name: one.error for one in screen._overview.counts if one.error}
        assert failed == {}
        text = shown(pilot)
        assert "bike-demand" in text
        assert "waits" in text or "wait" in text
