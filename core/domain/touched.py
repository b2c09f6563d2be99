"""What a change of an endpoint touches besides its traffic: the model's inputs, its callers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CONSUMER_SECONDS = 900.0
"""Who has called within this time is a consumer of an endpoint."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """Who calls an endpoint: what it calls itself, and from where.

    `requests` are of the last `CONSUMER_SECONDS`, `total` since the endpoint was started;
    `last_at` is exact to a few seconds. The row that sums up those beyond the bound of the
    table is called `others` and has no address.
    """

    name: str
    address: str
    requests: int
    total: int
    last_at: float

    @property
    def title(self) -> str:
        """It in words: `checkout from 10.0.3.4`."""
        return f"{self.name} from {self.address}" if self.address else self.name


@dataclass(frozen=True, slots=True)
class FeatureChange:
    """The inputs of two model versions, by their signatures, on the way from one to the other.

    `added` are inputs that the one gone to takes and the other did not, `gone` the reverse,
    `retyped` such as `hour: long → double`. `needed` are those `added` that a request must
    have: a client that does not send them is refused. `views` are the feature views that the
    inputs come from, where a feature store says so. None of it where `unknown` says why.
    """

    same: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    unknown: str = ""

    @classmethod
    def between(cls, before: Mapping[str, str], after: Mapping[str, str]) -> FeatureChange:
        """Of two signatures: types by column, those of optional columns ending in `?`."""
        return cls(
            same=tuple(name for name in after if before.get(name) == after[name]),
            added=tuple(name for name in after if name not in before),
            gone=tuple(name for name in before if name not in after),
            retyped=tuple(
                f"{name}: {before[name]} → {after[name]}"
                for name in after
                if name in before and before[name] != after[name]
            ),
            needed=tuple(
                name for name in after if name not in before and not after[name].endswith("?")
            ),
        )

    @property
    def changes(self) -> bool:
        """Whether anything differs."""
        return bool(self.added or self.gone or self.retyped)

    def words(self) -> str:
        """In one line: `7 inputs the same; new: wind; gone: sky; hour: long → double`."""
        if self.unknown:
            return f"not known: {self.unknown}"
        count = f"{len(self.same)} input" + ("" if len(self.same) == 1 else "s")
        if not self.changes:
            return f"{count}, all the same" if self.same else "no inputs"
        parts = [f"{count} the same"]
        parts += [f"new: {', '.join(self.added)}"] if self.added else []
        parts += [f"gone: {', '.join(self.gone)}"] if self.gone else []
        return "; ".join([*parts, *self.retyped])


def consumer_words(consumers: tuple[Consumer, ...] | None, most: int = 3) -> str:
    """Who has called lately, the busiest first, with their requests: `2 in the last 15 min:
    checkout from 10.0.3.4 (812), …`; `None` is an endpoint that did not say."""
    if consumers is None:
        return "not known: the endpoint does not say"
    lately = [one for one in consumers if one.requests]
    if not lately:
        return "nobody in the last 15 min"
    shown = ", ".join(f"{one.title} ({one.requests:,})" for one in lately[:most])
    more = f", and {len(lately) - most} more" if len(lately) > most else ""
    return f"{len(lately)} in the last 15 min: {shown}{more}"
