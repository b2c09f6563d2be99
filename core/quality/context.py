"""What checks of the whole need to know beside the data: earlier sizes, other datasets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.domain.quality import CheckScope

if TYPE_CHECKING:
    import polars as pl

    from core.domain.profile import DatasetProfile

    Profiles = Callable[[str, Sequence[str]], tuple[DatasetProfile, DatasetProfile | None]]


def _none(_columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    return iter(())


@dataclass(slots=True)
class Context:
    """How the checks of one file are asked this time.

    `scope` is BATCH before a commit, SNAPSHOT for what is in the dataset. `at` is when the
    snapshot was made (epoch seconds, UTC). `existing` gives columns of the rows that the batch
    will stand beside; `values_of` those of a column of another dataset (it raises an
    `OpsdeckError` where that cannot be read); `profiles` gives the profile of what is checked
    and that of a baseline, None where there is none. `hidden` maps columns that the reader sees
    masked, or not at all, to why.
    """

    scope: CheckScope
    at: float | None = None
    now: float = field(default_factory=time.time)
    rows_added: int | None = None
    earlier_rows: Sequence[int] = ()
    earlier_batches: Sequence[int] = ()
    existing: Callable[[Sequence[str]], Iterator[pl.DataFrame]] = _none
    values_of: Callable[[str, str], Iterator[pl.Series]] | None = None
    profiles: Profiles | None = None
    hidden: Mapping[str, str] = field(default_factory=dict)

    def concerns(self, scope: CheckScope) -> bool:
        """Whether a check of this scope is asked now."""
        return scope in (self.scope, CheckScope.BOTH)
