"""The seed "demo": an account that tells the story of the bike-demand example."""

from __future__ import annotations

from core.simulated.seed.bike import delivery, monitoring, serving, storage, training, watching
from core.simulated.seed.bike.story import Story
from core.simulated.world import World

PARTS = (storage, training, serving, monitoring, watching, delivery)


def plant(world: World) -> None:
    """Fill the account: plan every part, then play them in the order of time."""
    story = Story(world)
    for part in PARTS:
        part.plant(story)
    story.play()
    world.calls.clear()
