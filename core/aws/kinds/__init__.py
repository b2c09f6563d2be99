"""Every kind of AWS resource, by name; a kind's module is imported when it is first used.

The order is the order of the tabs in a mode.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """Where a kind is defined ("module:ATTRIBUTE"), the mode whose tab it is, and short names."""

    at: str
    mode: str
    aliases: tuple[str, ...] = ()


KINDS: dict[str, Place] = {}
"""Every kind by its name."""
