"""Combining grants: what one actor may do with one dataset.

Every grant to read that fits the actor (by name, by group, or `*`; not expired) is a *lens*:
the rows that meet its condition, the columns that it lists, each as its mask shows it. What the
actor sees is all lenses laid over one another, cell by cell: a row that any lens shows; in it,
a column as the lens shows it that shows most of it, among those lenses that show this row; and
null where none of them shows the column. So a further grant never takes anything away, the end
of one never shows more, and two grants never add up to a cell that neither gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.domain.governance import CLEAR, EVERYBODY, Action, Mask, Policy
from core.governance.config import GovernanceConfig
from core.governance.masks import fitting, openness


@dataclass(frozen=True, slots=True)
class Lens:
    """One grant's view: `condition` of its rows (`None`: all), `columns` (`None`: all), `masks`
    laid down for columns by name. `all_clear`: labels mask nothing (owners, admins)."""

    condition: str | None = None
    columns: frozenset[str] | None = None
    masks: Mapping[str, Mask] = field(default_factory=dict)
    all_clear: bool = False

    def mask(self, column: str, labelled: Mask | None) -> Mask | None:
        """How this lens shows a column that `labelled` masks by its labels; `None`: not."""
        if self.columns is not None and column not in self.columns:
            return None
        if self.all_clear:
            return CLEAR
        return self.masks.get(column, labelled or CLEAR)


EVERYTHING = Lens(all_clear=True)


@dataclass(frozen=True, slots=True)
class Standing:
    """What an actor may do with a dataset. `lenses` is empty where they may not read;
    `govern` is about the policy itself; `why` is one word or two for people."""

    lenses: tuple[Lens, ...]
    write: bool
    manage: bool
    govern: bool
    why: str

    @property
    def read(self) -> bool:
        """Whether they may read anything at all."""
        return bool(self.lenses)

    @property
    def sees_all(self) -> bool:
        """Whether every row and column is shown as it is."""
        return EVERYTHING in self.lenses


def standing(
    policy: Policy,
    config: GovernanceConfig,
    actor: str,
    now: float,
    names: frozenset[str] | None = None,
) -> Standing:
    """What the actor may do at that moment (epoch seconds); `names` are the principals that
    they are, unless it is said by the groups."""
    names = config.principals(actor) if names is None else names
    if config.admins & (names - {EVERYBODY}):
        return Standing((EVERYTHING,), True, True, True, "admin")
    if policy.owner and actor == policy.owner:
        return Standing((EVERYTHING,), True, True, True, "owner")
    held = [grant for grant in policy.grants if grant.holds(now) and grant.principal in names]
    actions = {grant.action for grant in held}
    if Action.MANAGE in actions:
        return Standing((EVERYTHING,), True, True, True, "granted")
    if not policy.governed:
        # Of nobody's making, or nobody's in particular: whoever is there may govern it.
        return Standing((Lens(),), True, True, not policy.owner, "open to all")
    lenses = tuple(
        Lens(
            grant.row_filter,
            None if grant.columns is None else frozenset(grant.columns),
            grant.masks,
        )
        for grant in held
        if grant.action is Action.READ
    )
    return Standing(
        lenses, Action.WRITE in actions, False, False, "granted" if held else "no grant"
    )


def tags_of(policy: Policy, columns: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """Each column's labels: its own and those of the whole dataset."""
    whole = {label.tag for label in policy.labels if not label.column}
    own: dict[str, set[str]] = {column: set(whole) for column in columns}
    for label in policy.labels:
        if label.column:
            own.setdefault(label.column, set(whole)).add(label.tag)
    return {column: frozenset(tags) for column, tags in own.items()}


def label_mask(tags: frozenset[str], masks: Mapping[str, Mask]) -> Mask | None:
    """The mask that shows least among those of a column's labels; `None` where none masks."""
    found = [masks[tag] for tag in tags if tag in masks]
    return max(found, key=openness) if found else None


@dataclass(frozen=True, slots=True)
class Choice:
    """A column as one set of rows shows it: those that meet any of `conditions` (`None`: all)."""

    condition: str | None
    mask: Mask


def choices(
    lenses: tuple[Lens, ...], column: str, labelled: Mask | None, kind: Any
) -> tuple[Choice, ...]:
    """How a column of this Arrow type is shown, row by row: the first whose condition a row
    meets holds.

    What shows most comes first; what comes after one without a condition never holds and is
    left out. Empty where no lens shows the column.
    """
    shown = [(lens.condition, lens.mask(column, labelled)) for lens in lenses]
    found = [
        Choice(condition, fitting(mask, kind)) for condition, mask in shown if mask is not None
    ]
    found.sort(key=lambda choice: (openness(choice.mask), choice.condition is not None))
    kept: list[Choice] = []
    for choice in found:
        kept.append(choice)
        if choice.condition is None:
            break
    if len(found) == len(lenses) and kept:
        # Each row that is shown meets some lens's condition: what is left meets the last one's.
        kept[-1] = Choice(None, kept[-1].mask)
    while len(kept) > 1 and kept[-1].condition is None and kept[-2].mask == kept[-1].mask:
        del kept[-2]
    return tuple(kept)


def row_conditions(lenses: tuple[Lens, ...]) -> tuple[str, ...] | None:
    """The conditions of which a row must meet one; `None` where every row is shown."""
    conditions = [lens.condition for lens in lenses]
    if None in conditions:
        return None
    return tuple(dict.fromkeys(condition for condition in conditions if condition is not None))
