"""Making few files of many small ones, once a day is over.

A server with little traffic writes a file every ten seconds. What it wrote on a day that has
been over for an hour is put together: the new file replaces the old ones in the moment in which
it appears, and these are deleted somewhat later, when nobody reads them any more.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.capture.disk import writing
from core.serving.process.parts import (
    COMPACT,
    PART,
    Part,
    alone,
    count_rows,
    days,
    list_parts,
    put_table,
    replaced,
)

log = logging.getLogger(__name__)

LEAST = 12  # files of one variant and day, that it is worth it
SMALL_BYTES = 256 << 10  # a file on the average
MOST_ROWS = 100_000
MOST_BYTES = 16 << 20
OVER_SECONDS = 3600.0  # no server can still be writing what it began that long ago
GRACE_SECONDS = 600.0  # whoever has listed a file has read it by then


def compact(capture: Path, now: float | None = None) -> int:
    """Put the small files of past days together; how many files were replaced.

    Does nothing while another process deletes or compacts there. Raises `DiskFull`, OSError.
    """
    now = time.time() if now is None else now
    if not capture.is_dir():
        return 0
    last = datetime.fromtimestamp(now - OVER_SECONDS, UTC).date().isoformat()
    count = 0
    with alone(capture) as first, writing(capture):
        for day in days(capture) if first else ():
            if day >= last:
                break
            _delete_replaced(capture / f"date={day}", now)
            for variant in _variants(list_parts(capture, day)):
                count += _compact(variant, now)
    return count


def _variants(parts: list[Part]) -> Iterator[list[Part]]:
    """The parts of a day by variant, those that are compact left out."""
    for name in sorted({part.variant for part in parts}):
        yield [part for part in parts if part.variant == name and part.kind == PART]


def _compact(parts: list[Part], now: float) -> int:
    young = any(part.written > (now - OVER_SECONDS) * 1e9 for part in parts)
    if young or len(parts) < LEAST or sum(p.size for p in parts) > SMALL_BYTES * len(parts):
        return 0
    import pyarrow as pa
    import pyarrow.parquet as pq

    for chunk in _chunks(parts):
        try:
            tables: list[Any] = [
                pq.ParquetFile(part.path, memory_map=False).read() for part in chunk
            ]
        except (FileNotFoundError, pa.ArrowException) as error:
            log.warning("%s is left as it is: %s", chunk[0].path.parent, error)
            return 0
        whole = pa.concat_tables(tables, promote_options="default")
        put_table(chunk[0].path.parent, whole, chunk[-1].written, COMPACT)
    return len(parts)


def _chunks(parts: list[Part]) -> Iterator[list[Part]]:
    """Parts in the order of writing, as many together as make one file; those of one and the
    same time together."""
    chunk: list[Part] = []
    rows = size = 0
    for part in sorted(parts, key=lambda each: each.written):
        more = count_rows(part)
        full = rows + more > MOST_ROWS or size + part.size > MOST_BYTES
        if chunk and full and part.written > chunk[-1].written:
            yield chunk
            chunk, rows, size = [], 0, 0
        chunk.append(part)
        rows += more
        size += part.size
    if chunk:
        yield chunk


def _delete_replaced(day: Path, now: float) -> None:
    for variant in day.glob("variant=r*"):
        for path in variant.glob(f"{COMPACT}-*.parquet"):
            if now - path.stat().st_mtime > GRACE_SECONDS:
                for old in replaced(variant, int(path.name.split("-")[1], 16)):
                    old.unlink(missing_ok=True)
