"""Who may do what with a dataset, and how its columns are shown to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

EVERYBODY = "*"
GROUP = "group:"


class Action(StrEnum):
    """What a grant allows: `manage` includes the other two."""

    READ = "read"
    WRITE = "write"
    MANAGE = "manage"


@dataclass(frozen=True, slots=True)
class Mask:
    """How a column's values are shown: `kind` and, for some kinds, a number."""

    kind: str
    argument: float | None = None

    def __str__(self) -> str:
        return self.kind if self.argument is None else f"{self.kind}:{self.argument:g}"


CLEAR = Mask("clear")
NULL = Mask("null")


@dataclass(frozen=True, slots=True)
class Grant:
    """One row of a dataset's policy.

    `principal` is a person's name, `group:NAME` or `*`; `columns` (read only) those that may
    be seen, `None` for all; `masks` how some are shown; `row_filter` an SQL condition that rows
    must meet. Past `expires_at` it allows nothing, but the dataset stays governed.
    """

    id: str
    dataset: str
    principal: str
    action: Action
    columns: tuple[str, ...] | None
    masks: Mapping[str, Mask]
    row_filter: str | None
    at: float
    by: str
    expires_at: float | None = None

    def holds(self, now: float) -> bool:
        """Whether it has not expired (epoch seconds)."""
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class Label:
    """A tag such as `pii` on a column, or (`column` empty) on a whole dataset; `origin` is
    `dataset.column` where it was inherited from, else empty."""

    dataset: str
    column: str
    tag: str
    origin: str
    at: float
    by: str


@dataclass(frozen=True, slots=True)
class Policy:
    """All that is laid down about one dataset. `owner` is empty for one that is not known."""

    dataset: str
    owner: str
    grants: tuple[Grant, ...] = ()
    labels: tuple[Label, ...] = ()

    @property
    def governed(self) -> bool:
        """Whether only those who were granted it may use it; grants that have expired or were
        revoked count: what was closed does not open by itself."""
        return bool(self.grants)


@dataclass(frozen=True, slots=True)
class Reach:
    """What one principal may do with a dataset, for `data whocan`.

    `columns` maps each column that they may read to how it is shown (`clear`, `hash`, …);
    `rows` is the condition of the rows that they may read, empty for all.
    """

    principal: str
    why: str
    read: bool
    write: bool
    manage: bool
    columns: Mapping[str, str] = field(default_factory=dict)
    rows: str = ""
    expires_at: float | None = None
