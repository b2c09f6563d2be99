"""Profiles of snapshots, as read from the state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.domain.profile import (
    ColumnKind,
    ColumnProfile,
    Correlation,
    DatasetProfile,
    Gap,
    Histogram,
    NumberStats,
    Outliers,
    TextStats,
    TimeStats,
)
from core.state.reading import Reader


def find_profile(reader: Reader, dataset: str, snapshot_id: str) -> DatasetProfile | None:
    """The profile of a snapshot; None where none was made."""
    rows = reader.rows(
        "SELECT body FROM profiles WHERE dataset = :dataset AND snapshot_id = :snapshot",
        dataset=dataset,
        snapshot=snapshot_id,
    )
    return profile_of(json.loads(rows[0]["body"])) if rows else None


def newest_profile(
    reader: Reader, dataset: str, before: int | None = None
) -> DatasetProfile | None:
    """The profile of the newest snapshot that has one (of those below number `before`)."""
    narrowed = "" if before is None else " AND s.number < :before"
    given = {} if before is None else {"before": before}
    rows = reader.rows(
        "SELECT p.body FROM profiles p JOIN dataset_snapshots s"
        " ON s.dataset = p.dataset AND s.snapshot_id = p.snapshot_id"
        f" WHERE p.dataset = :dataset{narrowed} ORDER BY s.number DESC LIMIT 1",
        dataset=dataset,
        **given,
    )
    return profile_of(json.loads(rows[0]["body"])) if rows else None


def profile_of(body: Mapping[str, Any]) -> DatasetProfile:
    """A profile from its JSON."""
    return DatasetProfile(
        **{
            **body,
            "columns": tuple(_column(each) for each in body["columns"]),
            "correlations": tuple(Correlation(**each) for each in body["correlations"]),
            "notes": tuple(body["notes"]),
        }
    )


def _column(body: Mapping[str, Any]) -> ColumnProfile:
    return ColumnProfile(
        **{
            **body,
            "kind": ColumnKind(body["kind"]),
            "top": tuple((text, count) for text, count in body["top"]),
            "number": _number(body["number"]) if body["number"] else None,
            "text": TextStats(**body["text"]) if body["text"] else None,
            "time": _time(body["time"]) if body["time"] else None,
        }
    )


def _number(body: Mapping[str, Any]) -> NumberStats:
    bins = body["histogram"]
    return NumberStats(
        **{
            **body,
            "quantiles": tuple((share, value) for share, value in body["quantiles"]),
            "histogram": Histogram(
                tuple(bins["edges"]), tuple(bins["counts"]), bins["below"], bins["above"]
            )
            if bins
            else None,
            "outliers": Outliers(**body["outliers"]) if body["outliers"] else None,
        }
    )


def _time(body: Mapping[str, Any]) -> TimeStats:
    return TimeStats(**{**body, "gaps": tuple(Gap(**each) for each in body["gaps"])})
