"""What somebody sees of a dataset: everything as it is, or only some of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.governance.access import Access


@dataclass(frozen=True, slots=True)
class Seen:
    """`hidden` maps each column that is masked or not shown to which of these it is; `rows` is
    the condition of the rows that are seen, empty for all."""

    hidden: Mapping[str, str] = field(default_factory=dict)
    rows: str = ""

    @property
    def all(self) -> bool:
        """Whether every row and column is seen as it is."""
        return not self.hidden and not self.rows

    @property
    def words(self) -> tuple[str, ...]:
        """What is not seen, in words; none where everything is."""
        told = [f"{column} is {why}" for column, why in self.hidden.items()]
        return (*told, f"only rows with {self.rows}") if self.rows else tuple(told)


def sees_all_surely(access: Access, dataset: str) -> bool:
    """Whether the actor sees everything, as far as this can be told without opening the lake."""
    policy = access.policy(dataset)
    found = access.standing(dataset)
    return found.read and (found.sees_all or not (policy.grants or policy.labels))


def what_is_seen(access: Access, dataset: str, at: str | None = None) -> Seen:
    """What the actor sees of a dataset. Raises `Refused` where that is nothing."""
    if sees_all_surely(access, dataset):
        return Seen()
    from core.governance.reach import reaches

    shown = access.schema(dataset, at=at)
    names = access.source.schema(dataset, at)
    policy, actor = access.policy(dataset), access.session.actor
    reach = reaches(policy, access.config, names, time.time(), [actor])[0]
    hidden = {}
    for column in names.names:
        if column not in shown.names:
            hidden[column] = "not shown to you"
        elif reach.columns.get(column, "clear") != "clear":
            hidden[column] = "masked for you"
    return Seen(hidden, reach.rows)
