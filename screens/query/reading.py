"""What the Query mode reads by itself: history, and names for completion; rows of the state."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.domain.query import PastQuery
    from core.ops import Ops
    from core.query.completion import Catalogue

PAST = 200


@dataclass(frozen=True, slots=True)
class QueryView:
    """History, newest first; what can be completed; and which columns of which dataset one
    sees masked."""

    past: tuple[PastQuery, ...] = ()
    catalogue: Catalogue | None = None
    masked: dict[str, frozenset[str]] = field(default_factory=dict)


def read_queries(ops: Ops) -> QueryView:
    """Read it all."""
    from core.governance.glance import glance

    masked = {}
    for dataset in ops.data.list():
        seen = glance(ops.session, dataset.name, [column.name for column in dataset.columns])
        if seen.masks:
            masked[dataset.name] = frozenset(seen.masks)
    return QueryView(ops.queries.history(limit=PAST), ops.queries.catalogue(), masked)
