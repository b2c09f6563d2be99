"""Validations and quarantined batches, as read from the state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.domain.quality import (
    CheckResult,
    CheckSeverity,
    CheckStatus,
    QuarantinedBatch,
    QuarantineState,
    Validation,
)
from core.errors import BadInput, NotFound
from core.state.reading import Reader, by_id

OPEN_STATES = (QuarantineState.HELD, QuarantineState.REPAIRED, QuarantineState.REPLAYING)


def list_validations(
    reader: Reader, *, dataset: str | None = None, limit: int = 50
) -> tuple[Validation, ...]:
    """Validations, newest first."""
    where = "WHERE dataset = :dataset" if dataset is not None else ""
    given = {"dataset": dataset} if dataset is not None else {}
    rows = reader.rows(
        f"SELECT * FROM validations {where} ORDER BY at DESC, id DESC LIMIT :limit",
        limit=limit,
        **given,
    )
    return tuple(validation_of(row) for row in rows)


def find_validation(reader: Reader, ref: str) -> Validation:
    """A validation by its id or the beginning of it; raises `NotFound`, `BadInput`."""
    rows = by_id(reader, "SELECT * FROM validations", "id", ref)
    if not rows:
        raise NotFound(f"validation {ref}: no such validation")
    if len(rows) > 1:
        raise BadInput(f"validation {ref}: several begin so", "give more of its id")
    return validation_of(rows[0])


def list_quarantine(
    reader: Reader, *, dataset: str | None = None, all_: bool = False, limit: int = 100
) -> tuple[QuarantinedBatch, ...]:
    """Batches that wait for somebody (with `all_` also those that don't), newest first."""
    parts, given = [], {}
    if dataset is not None:
        parts.append("dataset = :dataset")
        given["dataset"] = dataset
    if not all_:
        parts.append("state IN ('held', 'repaired', 'replaying')")
    where = "WHERE " + " AND ".join(parts) if parts else ""
    rows = reader.rows(
        f"SELECT * FROM quarantine {where} ORDER BY at DESC, id DESC LIMIT :limit",
        limit=limit,
        **given,
    )
    return tuple(quarantined_of(row) for row in rows)


def find_quarantined(reader: Reader, ref: str) -> QuarantinedBatch:
    """A batch by its id or the beginning of it; raises `NotFound`, `BadInput` (ambiguous)."""
    rows = by_id(reader, "SELECT * FROM quarantine", "id", ref)
    if not rows:
        raise NotFound(f"quarantine {ref}: no such batch", "see: opsdeck data quarantine list")
    if len(rows) > 1:
        raise BadInput(f"quarantine {ref}: several begin so", "give more of its id")
    return quarantined_of(rows[0])


def validation_of(row: Mapping[str, Any]) -> Validation:
    """A row of `validations` as a record."""
    body = json.loads(row["body"])
    return Validation(
        id=row["id"],
        dataset=row["dataset"],
        snapshot_id=row["snapshot_id"],
        batch_id=row["batch_id"],
        at=row["at"],
        by=row["by"],
        passed=bool(row["passed"]),
        rows=row["rows"] or 0,
        failed_rows=row["failed_rows"] or 0,
        results=tuple(_result_of(each) for each in body.get("results", ())),
        run_id=row["run_id"],
        file=body.get("file", ""),
        notes=tuple(body.get("notes", ())),
    )


def _result_of(found: Mapping[str, Any]) -> CheckResult:
    return CheckResult(
        **{
            **found,
            "severity": CheckSeverity(found["severity"]),
            "status": CheckStatus(found["status"]),
            "columns": tuple(found["columns"]),
            "examples": tuple(found["examples"]),
        }
    )


def quarantined_of(row: Mapping[str, Any]) -> QuarantinedBatch:
    """A row of `quarantine` as a record."""
    reasons = dict(json.loads(row["reasons"]))
    return QuarantinedBatch(**{**row, "state": QuarantineState(row["state"]), "reasons": reasons})
