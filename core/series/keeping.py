"""How long points are kept, and how coarse: as CloudWatch keeps its own.

Points of less than a minute for 3 hours, then as minutes up to 15 days, as five minutes up to
63 days, as hours up to 455 days. At any time each stretch of time stands in one resolution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.series.recording import buckets_text
from core.series.sets import Stored, of_row, together

if TYPE_CHECKING:
    from core.state.store import Transaction

HOUR = 3600.0
DAY = 24 * HOUR
MOST_AT_ONCE = 20_000
"""Points taken together in one transaction: others wait for the database meanwhile."""


@dataclass(frozen=True, slots=True)
class Tier:
    """Points finer than `coarse` seconds become points of that length after `keep` seconds."""

    keep: float
    coarse: float


TIERS = (Tier(3 * HOUR, 60.0), Tier(15 * DAY, 300.0), Tier(63 * DAY, HOUR))
KEEP_SECONDS = 455 * DAY
HISTORY_SECONDS = 90 * DAY


def make_coarser(tx: Transaction, now: float, most: int = MOST_AT_ONCE) -> int:
    """Take old points together, and let the oldest go; returns how many points went.

    At most `most` at a time: call it again while it returns so many.
    """
    import sqlalchemy as sa

    from core.state.alarm_tables import metric_points as table

    gone = tx.execute(table.delete().where(table.c.at < now - KEEP_SECONDS)).rowcount
    for tier in TIERS:
        # Whole periods only, so that none is taken together in two halves.
        until = math.floor((now - tier.keep) / tier.coarse) * tier.coarse
        rows = tx.rows(
            sa.select(table)
            .where(table.c.at < until, table.c.span < tier.coarse)
            .order_by(table.c.series, table.c.at)
            .limit(most - gone)
        )
        gone += _merge(tx, [dict(row) for row in rows], tier.coarse)
        if gone >= most:
            break
    return gone


def _merge(tx: Transaction, rows: list[dict[str, object]], coarse: float) -> int:
    """These points, a series after the other, as one a period. Of the last period there may be
    more than were read: what is left joins it the next time, as whatever is recorded late."""
    import sqlalchemy as sa

    from core.state.alarm_tables import metric_points as table

    groups: dict[tuple[int, float], list[Stored]] = {}
    for row in rows:
        stored = of_row(row)
        key = int(str(row["series"])), math.floor(stored.at / coarse) * coarse
        groups.setdefault(key, []).append(stored)
    for (series, at), found in groups.items():
        within = sa.and_(table.c.series == series, table.c.at >= at, table.c.at < at + coarse)
        known = tx.rows(sa.select(table).where(within, table.c.span >= coarse))
        one = together(each.statistics for each in [*found, *map(of_row, known)])
        taken = sa.or_(table.c.span >= coarse, table.c.at <= found[-1].at)
        tx.execute(table.delete().where(within, taken))
        tx.execute(
            table.insert().values(
                series=series,
                at=at,
                span=coarse,
                samples=one.samples,
                total=one.total,
                low=one.low,
                high=one.high,
                buckets=buckets_text(one),
            )
        )
    return len(rows)


def forget(tx: Transaction, now: float) -> None:
    """Let go of series without points, and of what alarms did long ago: the journal has it."""
    import sqlalchemy as sa

    from core.state.alarm_tables import alarm_history, metric_points, metric_series

    there = sa.exists().where(metric_points.c.series == metric_series.c.id)
    tx.execute(metric_series.delete().where(~there))
    tx.execute(alarm_history.delete().where(alarm_history.c.at < now - HISTORY_SECONDS))
