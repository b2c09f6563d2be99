"""Grants and labels of datasets, as read from the state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.domain.governance import Action, Grant, Label, Mask, Policy
from core.state.reading import Reader


def read_policy(reader: Reader, dataset: str) -> Policy:
    """All that is laid down about a dataset; empty where there is none of this name."""
    owners = reader.rows(
        "SELECT owner FROM datasets WHERE name = :name AND dropped_at IS NULL", name=dataset
    )
    return Policy(
        dataset,
        owners[0]["owner"] if owners else "",
        list_grants(reader, dataset),
        list_labels(reader, dataset),
    )


def list_grants(reader: Reader, dataset: str | None = None) -> tuple[Grant, ...]:
    """Grants by dataset and principal, those that have ended among them."""
    where, given = ("WHERE dataset = :name", {"name": dataset}) if dataset else ("", {})
    rows = reader.rows(f"SELECT * FROM grants {where} ORDER BY dataset, principal, action", **given)
    return tuple(grant_of(row) for row in rows)


def list_labels(reader: Reader, dataset: str | None = None) -> tuple[Label, ...]:
    """Labels by dataset and column."""
    where, given = ("WHERE dataset = :name", {"name": dataset}) if dataset else ("", {})
    rows = reader.rows(
        f"SELECT * FROM dataset_tags {where} ORDER BY dataset, column_name, tag", **given
    )
    return tuple(
        Label(row["dataset"], row["column_name"], row["tag"], row["origin"], row["at"], row["by"])
        for row in rows
    )


def grant_of(row: Mapping[str, Any]) -> Grant:
    """A row of `grants` as a record."""
    columns = row["columns"]
    return Grant(
        id=row["id"],
        dataset=row["dataset"],
        principal=row["principal"],
        action=Action(row["action"]),
        columns=None if columns is None else tuple(json.loads(columns)),
        masks={name: mask_of(text) for name, text in json.loads(row["masks"]).items()},
        row_filter=row["row_filter"],
        at=row["at"],
        by=row["by"],
        expires_at=row["expires_at"],
    )


def mask_of(text: str) -> Mask:
    """A mask as it stands in a row (`partial:4`): checked when it was written."""
    kind, colon, number = text.partition(":")
    return Mask(kind, float(number) if colon else None)
