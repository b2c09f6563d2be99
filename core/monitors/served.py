"""Which revision of an endpoint a monitor means, at a moment."""

from __future__ import annotations

from dataclasses import dataclass

from core.state.reading import Reader


@dataclass(frozen=True, slots=True)
class Served:
    """A revision and the model version behind it."""

    revision: int
    model: str
    version: int


def served_at(reader: Reader, endpoint: str, variant: str, at: float) -> Served | None:
    """The revision behind `champion`, `candidate` or `rN` at a moment (epoch seconds); None
    where there was none. Of `all` it is the champion, whose baseline counts."""
    if variant.startswith("r") and variant[1:].isdigit():
        return _revision(reader, endpoint, int(variant[1:]))
    if variant == "candidate":
        rows = reader.rows(
            "SELECT revision FROM deployments WHERE endpoint = :endpoint AND created_at <= :at"
            " AND (ended_at IS NULL OR ended_at > :at) ORDER BY revision DESC LIMIT 1",
            endpoint=endpoint,
            at=at,
        )
        return _revision(reader, endpoint, rows[0]["revision"]) if rows else None
    found = champion_revision(reader, endpoint, at)
    return None if found is None else _revision(reader, endpoint, found)


def champion_revision(reader: Reader, endpoint: str, at: float) -> int | None:
    """The revision that had the traffic at a moment: that of the last deployment to succeed or
    rollback to happen before; of a time before all of them, the first."""
    turns = [
        (row["ended_at"], row["revision"])
        for row in reader.rows(
            "SELECT ended_at, revision FROM deployments WHERE endpoint = :endpoint"
            " AND status = 'succeeded' AND ended_at IS NOT NULL",
            endpoint=endpoint,
        )
    ]
    for row in reader.rows(
        "SELECT at, to_model, to_version FROM receipts WHERE endpoint = :endpoint",
        endpoint=endpoint,
    ):
        back = reader.rows(
            "SELECT max(revision) AS revision FROM revisions WHERE endpoint = :endpoint"
            " AND model = :model AND version = :version AND created_at <= :at",
            endpoint=endpoint,
            model=row["to_model"],
            version=row["to_version"],
            at=row["at"],
        )
        if back and back[0]["revision"] is not None:
            turns.append((row["at"], back[0]["revision"]))
    if not turns:
        rows = reader.rows(
            "SELECT revision FROM revisions WHERE endpoint = :endpoint"
            " ORDER BY CASE state WHEN 'stable' THEN 0 ELSE 1 END, revision DESC LIMIT 1",
            endpoint=endpoint,
        )
        return int(rows[0]["revision"]) if rows else None
    before = [turn for turn in turns if turn[0] <= at]
    return int(max(before)[1] if before else min(turns)[1])


def _revision(reader: Reader, endpoint: str, revision: int) -> Served | None:
    rows = reader.rows(
        "SELECT revision, model, version FROM revisions"
        " WHERE endpoint = :endpoint AND revision = :revision",
        endpoint=endpoint,
        revision=revision,
    )
    return Served(**rows[0]) if rows else None
