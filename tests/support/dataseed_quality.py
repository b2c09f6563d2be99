"""Rows of quality: validations that passed, warned and failed, and batches held back."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from core.state import lake_tables as lake
from tests.support.seed import DAY, NOW


def _check(
    title: str, severity: str = "error", status: str = "passed", **more: Any
) -> dict[str, Any]:
    column = title.partition(":")[0]
    return {
        "key": f"columns.{column}", "title": title, "line": 4, "severity": severity,
        "status": status, "columns": [column], "failed_rows": None, "observed": "",
        "message": "", "examples": [], **more,
    }  # fmt: skip


GOOD = [
    _check("at: unique"),
    _check("at: not null"),
    _check("cnt: ge 0"),
    _check("cnt: le 2000"),
    _check("season: in [spring, summer, autumn, winter]"),
    _check("freshness: 2h", observed="the newest row is 1h old"),
]
BAD = [
    *GOOD[:2],
    _check("cnt: ge 0", status="failed", failed_rows=14, message="14 of 744 rows are below 0",
           examples=["-3", "-1", "-12"]),
    _check("season: in [spring, summer, autumn, winter]", status="failed", failed_rows=2,
           message="2 rows have another value", examples=["sprnig"]),
    _check("freshness: 2h", "warn", "failed", observed="the newest row is 9h old",
           message="the newest row is 9h old"),
    _check("rows: between snapshots", status="skipped", message="there is no earlier snapshot"),
]  # fmt: skip
WARNED = [*GOOD[:5], BAD[4]]


def quality_rows(db: sa.Connection) -> None:
    """Put validations and held batches into the state."""
    said: tuple[tuple[str, str, str | None, float, list[dict[str, Any]], int], ...] = (
        ("v5", "rentals", "b5", 0.5, BAD, 16),
        ("v4", "rentals", None, 2.0, GOOD, 0),
        ("v3", "rentals", None, 26.0, GOOD, 0),
        ("v2", "weather", None, 70.0, WARNED, 0),
        ("v1", "calendar", None, 71.0, BAD, 16),
    )
    for id_, dataset, batch, hours, results, failed in said:
        passed = results is not BAD
        db.execute(
            lake.validations.insert().values(
                id=f"01kv{id_:0>12}", dataset=dataset, snapshot_id=None if batch else "1",
                batch_id=batch, at=NOW - hours * 3600, by="scheduler", passed=int(passed),
                rows=744, failed_rows=failed,
                body=json.dumps({"results": results, "file": f"expectations/{dataset}.yaml"}),
            )
        )  # fmt: skip
    batches = (
        ("7fk2m9qx4a1c", "held", 0.5, {"cnt: ge 0": 14, "season: in [spring, …]": 2}, None),
        ("3c8d0b5e6f72", "discarded", 24 * 9.0, {"at: unique": 3}, "reviewer"),
    )
    for id_, state, hours, reasons, decided in batches:
        db.execute(
            lake.quarantine.insert().values(
                id=id_, dataset="rentals", batch_id="b5", validation_id="01kv0000000000v5",
                at=NOW - hours * 3600, by="scheduler", state=state, rows=744,
                bad_rows=sum(reasons.values()), path=f"quarantine/{id_}.parquet",
                reasons=json.dumps(reasons), decided_by=decided,
                decided_at=NOW - 8 * DAY if decided else None,
                message="sent twice by the source" if decided else "",
            )
        )  # fmt: skip
