"""Bounds of capacity: of an endpoint's server processes, and of a variant's workers in each.

A worker is a thread that has one micro-batch of its variant in the model. More than one is for
models that may be called from several threads at once; nobody but who made a model knows that,
so one it is until somebody says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from core.errors import BadInput
from core.serving.records import Record, listed
from core.workerbounds import MOST_WORKERS

MOST_SERVERS = 64


@dataclass(frozen=True, slots=True)
class VariantWorkers(Record):
    """The bounds of one variant's workers in each server process."""

    revision: int
    min_workers: int
    max_workers: int


@dataclass(frozen=True, slots=True)
class ScheduledBounds(Record):
    """Other bounds while a window of the week is open; `None` leaves the endpoint's own.

    `min_workers` and `max_workers` are of variants that have no bounds of their own;
    `variants` says it for those that have, or shall have while the window is open.
    """

    window: str  # as `Mon-Fri 08:00-18:00 Europe/Berlin`; see `core.windows`
    min_servers: int | None = None
    max_servers: int | None = None
    min_workers: int | None = None
    max_workers: int | None = None
    variants: tuple[VariantWorkers, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "variants", listed(VariantWorkers, self.variants))

    @property
    def servers(self) -> tuple[int, int] | None:
        """The bounds of the number of servers, where it says any."""
        return _pair(self.min_servers, self.max_servers)

    @property
    def workers(self) -> tuple[int, int] | None:
        """The bounds of the workers of a variant that it does not name, where it says any."""
        return _pair(self.min_workers, self.max_workers)

    def check(self) -> None:
        """Raises `BadInput` when it cannot hold; naming the window."""
        from core.windows import parse_window

        parse_window(self.window)
        where = f"In the schedule, {self.window}: "
        for kind, low, high, most in (
            ("servers", self.min_servers, self.max_servers, MOST_SERVERS),
            ("workers", self.min_workers, self.max_workers, MOST_WORKERS),
        ):
            if (low, high) != (None, None):
                check_pair(f"{where}min_{kind}", low, f"max_{kind}", high, most)
        check_variants(where, self.variants)
        if self.servers is None and self.workers is None and not self.variants:
            raise BadInput(
                f"{where}it changes nothing", "give min_servers and max_servers, or of workers"
            )


def named(rows: Iterable[VariantWorkers], revision: int) -> tuple[int, int] | None:
    """What these say about a variant, if they name it."""
    found = (row for row in rows if row.revision == revision)
    return next(((row.min_workers, row.max_workers) for row in found), None)


def check_pair(low_name: str, low: Any, high_name: str, high: Any, most: int) -> None:
    """Raises `BadInput`, naming both, unless they are whole and 1 <= low <= high <= most."""
    if not (is_whole(low) and is_whole(high) and 1 <= low <= high <= most):
        names = [name.rpartition(" ")[2] for name in (low_name, high_name)]
        raise BadInput(
            f"{low_name} {low!r} and {high_name} {high!r} cannot hold",
            f"whole numbers, 1 <= {names[0]} <= {names[1]} <= {most}",
        )


def check_variants(where: str, rows: Iterable[VariantWorkers]) -> None:
    """Raises `BadInput`, naming the variant, when its bounds cannot hold or stand twice."""
    seen: set[int] = set()
    for row in rows:
        if not is_whole(row.revision) or row.revision < 1:
            raise BadInput(f"{where}variants: revision {row.revision!r} is no number from 1 on")
        if row.revision in seen:
            raise BadInput(f"{where}variants: r{row.revision} stands there twice")
        seen.add(row.revision)
        name = f"{where}variants: r{row.revision}: min_workers"
        check_pair(name, row.min_workers, "max_workers", row.max_workers, MOST_WORKERS)


def is_whole(value: Any) -> bool:
    """Whether it is a whole number, and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def _pair(low: int | None, high: int | None) -> tuple[int, int] | None:
    return None if low is None or high is None else (low, high)
