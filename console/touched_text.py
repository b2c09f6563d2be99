"""What a change touches, and who calls an endpoint, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.session import Session
from console.tables import Column, heading, table
from console.words import when
from core.domain.touched import consumer_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.domain.touched import Consumer, FeatureChange

SHOWN = 10


def touched_facts(
    features: FeatureChange | None, consumers: tuple[Consumer, ...] | None
) -> list[tuple[str, str]]:
    """Lines of a preview: the inputs that differ, what is refused for it, who calls."""
    facts = [] if features is None else [("features", features.words())]
    if features is not None and features.needed:
        facts.append(("refused", f"requests without {', '.join(features.needed)}"))
    if features is not None and features.views:
        facts.append(("views", ", ".join(features.views)))
    return [*facts, ("consumers", consumer_words(consumers))]


def consumers_text(session: Session, consumers: Sequence[Consumer]) -> str:
    """A table of who has called in the last quarter of an hour."""
    lately = [one for one in consumers if one.requests]
    columns = [
        Column("consumer", flexible=True),
        Column("address", flexible=True),
        Column("requests", right=True),
        Column("in all", right=True),
        Column("last"),
    ]
    rows = [
        (
            one.name,
            one.address or "-",
            str(one.requests),
            str(one.total),
            when(one.last_at, terminal=session.terminal),
        )
        for one in lately[:SHOWN]
    ]
    more = [f"and {len(lately) - SHOWN} more"] if len(lately) > SHOWN else []
    title = heading(session, "consumers, last 15 min")
    return "\n".join([title, table(session, columns, rows), *more])
