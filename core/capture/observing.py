"""Reporting newly merged losses to the analysis of the open deployment, each request once.

What is taken is kept as underway, under a number, until it has arrived, and sent again where
nobody knows; whoever receives it counts no number twice.
"""

from __future__ import annotations

import json
import math
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from core.capture.index import changing, index_path


@dataclass(frozen=True, slots=True)
class Losses:
    """Losses that have not been reported: (count, sum, sum of squares) by revision, and of the
    requests that the champion answered and the shadow too: `worse` where the candidate's loss
    was the larger, `better` where it was the smaller, of `rows` in all."""

    batch: int
    arms: dict[int, tuple[int, float, float]]
    rows: int = 0
    worse: int = 0
    better: int = 0

    @property
    def counts(self) -> list[int]:
        """Requests by arm."""
        return [count for count, _, _ in self.arms.values()]

    def __bool__(self) -> bool:
        return bool(self.arms or self.rows)


def take_losses(
    folder: Path, deployment: str, candidate: int, champion: int | None, since: float
) -> Losses:
    """The losses of requests since a moment (epoch seconds) that were never taken before.

    They are underway from then on, durably: call `arrived` when they have been reported, or
    `give_back`. Where some answers are numbers and some are classes, only the kind of most is
    taken.
    """
    if not index_path(folder).exists():
        return Losses(0, {})
    revisions = [candidate] if champion is None else [candidate, champion]
    first = int(since * 1e6)
    with changing(folder) as db:
        batch = secrets.randbits(62) | 1
        kind = _kind(db, revisions, first)
        if kind is None:
            return Losses(0, {})
        arms = {
            revision: found
            for revision in revisions
            if (found := _arm(db, revision, first, kind, batch))[0]
        }
        pairs = () if champion is None else _pairs(db, candidate, champion, first, kind, batch)
        losses = _together(batch, arms, pairs)
        if losses:
            row = (batch, deployment, json.dumps(asdict(losses)))
            db.execute("INSERT INTO underway VALUES (?, ?, ?)", row)
    return losses


def losses_underway(folder: Path, deployment: str) -> list[Losses]:
    """What has been taken for a deployment and is not known to have arrived. That of others is
    forgotten: nobody watches them any more."""
    if not index_path(folder).exists():
        return []
    with changing(folder) as db:
        db.execute("DELETE FROM underway WHERE deployment != ?", (deployment,))
        rows = db.execute("SELECT losses FROM underway").fetchall()
    return [_losses(text) for (text,) in rows]


def arrived(folder: Path, batch: int) -> None:
    """What was taken has been counted."""
    with changing(folder) as db:
        db.execute("DELETE FROM underway WHERE batch = ?", (batch,))


def give_back(folder: Path, batch: int) -> None:
    """What was taken has reached nobody, surely: let it be taken again."""
    with changing(folder) as db:
        db.execute("DELETE FROM underway WHERE batch = ?", (batch,))
        db.execute("UPDATE answers SET observed = 0 WHERE observed = ?", (batch,))


def _losses(text: str) -> Losses:
    data = json.loads(text)
    arms = {int(revision): tuple(row) for revision, row in data.pop("arms").items()}
    return Losses(arms=arms, **data)


def _together(
    batch: int, arms: dict[int, tuple[int, float, float]], pairs: Sequence[tuple[float, float]]
) -> Losses:
    close = [math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12) for a, b in pairs]
    return Losses(
        batch,
        arms,
        len(close),
        sum(a > b and not same for (a, b), same in zip(pairs, close, strict=True)),
        sum(a < b and not same for (a, b), same in zip(pairs, close, strict=True)),
    )


def _kind(db: sqlite3.Connection, revisions: list[int], first: int) -> str | None:
    marks = ",".join("?" * len(revisions))
    row = db.execute(
        f"SELECT kind FROM answers WHERE observed = 0 AND revision IN ({marks}) AND at >= ?"
        " AND kind != '' GROUP BY kind ORDER BY COUNT(*) DESC LIMIT 1",
        (*revisions, first),
    ).fetchone()
    return None if row is None else str(row[0])


def _arm(
    db: sqlite3.Connection, revision: int, first: int, kind: str, batch: int
) -> tuple[int, float, float]:
    """One arm's own requests: what a shadow was asked is no independent sample."""
    where = "observed = 0 AND shadow = 0 AND revision = ? AND at >= ? AND kind = ?"
    count, total, squares = db.execute(
        f"SELECT COUNT(*), COALESCE(SUM(loss), 0), COALESCE(SUM(loss * loss), 0)"
        f" FROM answers WHERE {where}",
        (revision, first, kind),
    ).fetchone()
    db.execute(f"UPDATE answers SET observed = ? WHERE {where}", (batch, revision, first, kind))
    return count, total, squares


def _pairs(
    db: sqlite3.Connection, candidate: int, champion: int, first: int, kind: str, batch: int
) -> list[tuple[float, float]]:
    """Losses of candidate and champion on the requests that both answered. The shadow's answer
    carries the mark: the champion's own is another matter."""
    rows = db.execute(
        "SELECT s.id, s.loss, m.loss FROM answers s JOIN answers m ON m.id = s.id AND m.shadow = 0"
        " WHERE s.observed = 0 AND s.shadow = 1 AND s.revision = ? AND s.at >= ? AND s.kind = ?"
        " AND m.revision = ? AND m.kind = s.kind",
        (candidate, first, kind, champion),
    ).fetchall()
    db.executemany(
        "UPDATE answers SET observed = ? WHERE id = ? AND shadow = 1",
        [(batch, inference_id) for inference_id, _, _ in rows],
    )
    return [(mine, theirs) for _, mine, theirs in rows]
