"""Which revision answers a request: an immutable table and the requests under it.

The table is replaced by one assignment. A request takes the `Epoch` in force when it arrives
and keeps it, so a change of the table never touches a request that is being answered.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from core.errors import BadInput
from core.serving.chance import draw
from core.serving.records import Variant


def session_point(session: str, salt: str) -> float:
    """Where a session stands in [0, 1): the same for ever for one endpoint (the salt)."""
    digest = hashlib.blake2b(session.encode(), digest_size=8, key=salt.encode()[:64]).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """Variants, the newest revision first, so that a canary owns [0, its weight).

    As the canary's weight grows, sessions only ever move from the old revision to the new.
    """

    variants: tuple[Variant, ...] = ()
    _bounds: tuple[tuple[float, int], ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, variants: Iterable[Variant]) -> RoutingTable:
        """The table of these variants. Raises `BadInput` unless weights are 0–100 and sum to
        100 (none at all is the empty table) and revisions differ."""
        ordered = tuple(sorted(variants, key=lambda variant: -variant.revision))
        if not ordered:
            return cls()
        if len({variant.revision for variant in ordered}) < len(ordered):
            raise BadInput("A revision stands twice in the routing table")
        if any(not 0 <= variant.weight <= 100 for variant in ordered):
            raise BadInput("A variant's weight is not between 0 and 100")
        total = sum(variant.weight for variant in ordered)
        if abs(total - 100) > 1e-6:
            raise BadInput(f"The weights sum to {total:g}, not 100")
        bounds: list[tuple[float, int]] = []
        reached = 0.0
        for variant in ordered:
            if variant.weight > 0:
                reached += variant.weight / 100
                bounds.append((reached, variant.revision))
        bounds[-1] = (1.0, bounds[-1][1])  # rounding must not leave a gap at the end
        return cls(ordered, tuple(bounds))

    def pick(self, point: float) -> int | None:
        """The revision that owns `point` in [0, 1); None in the empty table."""
        for bound, revision in self._bounds:
            if point < bound:
                return revision
        return None

    def names(self, revision: int) -> bool:
        """Whether a revision stands in the table, with whatever weight."""
        return any(variant.revision == revision for variant in self.variants)

    @property
    def sole(self) -> bool:
        """Whether every request goes to one revision."""
        return len(self._bounds) == 1

    def all_to(self, revision: int) -> bool:
        """Whether every request goes to this revision."""
        return self.sole and self._bounds[0][1] == revision


@dataclass(slots=True, eq=False)
class Epoch:
    """One table while it is in force, and the requests that hold it."""

    number: int
    table: RoutingTable
    in_flight: int = 0
    _empty: asyncio.Event = field(default_factory=asyncio.Event)

    def enter(self) -> None:
        """A request takes this table."""
        self.in_flight += 1
        self._empty.clear()

    def leave(self) -> None:
        """A request under this table has ended."""
        self.in_flight -= 1
        if not self.in_flight:
            self._empty.set()

    async def drained(self, seconds: float) -> bool:
        """Wait until no request holds this table; False when the time ran out."""
        if not self.in_flight:
            return True
        try:
            await asyncio.wait_for(self._empty.wait(), seconds)
        except TimeoutError:
            return self.in_flight == 0
        return True


def choose(table: RoutingTable, session: str | None, target: str | None, salt: str) -> int | None:
    """The revision for one request: the target asked for, else the session's, else by chance.

    Raises `BadInput` when the target is not in the table.
    """
    if target:
        number = target.removeprefix("r")
        if number.isdigit() and table.names(int(number)):
            return int(number)
        raise BadInput(f"No variant {target!r} in the routing table")
    return table.pick(session_point(session, salt) if session else draw())
