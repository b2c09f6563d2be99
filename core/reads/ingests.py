"""Batches, intakes and crawls, as read from the state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.domain.ingest import (
    Crawl,
    CrawlState,
    FileState,
    Ingest,
    IngestFile,
    SchemaChange,
)
from core.errors import BadInput, NotFound
from core.state.reading import Reader, by_id


def list_ingests(
    reader: Reader,
    *,
    dataset: str | None = None,
    state: str | None = None,
    kind: str | None = None,
    limit: int = 50,
) -> tuple[Ingest, ...]:
    """Batches, newest first."""
    wanted = [("dataset", dataset), ("state", state), ("kind", kind)]
    given = {key: value for key, value in wanted if value is not None}
    where = " AND ".join(f"{key} = :{key}" for key in given)
    rows = reader.rows(
        f"SELECT * FROM ingests {'WHERE ' + where if where else ''}"
        " ORDER BY at DESC, id DESC LIMIT :limit",
        limit=limit,
        **given,
    )
    return tuple(ingest_of(row) for row in rows)


def find_ingest(reader: Reader, ref: str) -> Ingest:
    """A batch by its id or the beginning of it; raises `NotFound`, `BadInput` (ambiguous)."""
    return ingest_of(_one(reader, "ingests", "batch", ref, "opsdeck data ingests"))


def ingest_of(row: Mapping[str, Any]) -> Ingest:
    """A row of `ingests` as a record."""
    kept = {key: value for key, value in row.items() if key not in ("files", "holder")}
    files = tuple(
        IngestFile(
            file["uri"], file["size"], file["format"], FileState(file["state"]), file["rows"]
        )
        for file in json.loads(row["files"] or "[]")
    )
    return Ingest(**kept, files=files)


def list_crawls(
    reader: Reader, *, state: str | None = None, dataset: str | None = None, limit: int = 50
) -> tuple[Crawl, ...]:
    """What crawlers found, newest first."""
    wanted = [("state", state), ("dataset", dataset)]
    given = {key: value for key, value in wanted if value is not None}
    where = " AND ".join(f"{key} = :{key}" for key in given)
    rows = reader.rows(
        f"SELECT * FROM crawls {'WHERE ' + where if where else ''}"
        " ORDER BY at DESC, id DESC LIMIT :limit",
        limit=limit,
        **given,
    )
    return tuple(crawl_of(row) for row in rows)


def find_crawl(reader: Reader, ref: str) -> Crawl:
    """A finding by its id or the beginning of it; raises `NotFound`, `BadInput`."""
    return crawl_of(_one(reader, "crawls", "crawl", ref, "opsdeck data crawl --pending"))


def crawl_of(row: Mapping[str, Any]) -> Crawl:
    """A row of `crawls` as a record."""
    changes = tuple(SchemaChange(**change) for change in json.loads(row["changes"]))
    return Crawl(
        **{
            **row,
            "state": CrawlState(row["state"]),
            "found": json.loads(row["found"]),
            "changes": changes,
            "breaking": bool(row["breaking"]),
        }
    )


def _one(reader: Reader, table: str, word: str, ref: str, see: str) -> Mapping[str, Any]:
    rows = by_id(reader, f"SELECT * FROM {table}", "id", ref)
    if not rows:
        raise NotFound(f"{word} {ref}: no such {word}", f"see: {see}")
    if len(rows) > 1:
        raise BadInput(f"{word} {ref}: several begin so", "give more of its id")
    return rows[0]
