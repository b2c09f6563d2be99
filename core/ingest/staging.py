"""A batch between its sources and the dataset: checked, typed, in files of its own.

Nothing is committed before all of it has been read, so that a fault in the last line leaves the
dataset as it was, and nothing of the batch has to fit into memory.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import DiskFull, StateCorrupt

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_GROUP = 50_000  # rows that a reader holds at once


class Staging:
    """A folder for one batch, readable by its owner only."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder; raises `DiskFull`."""
        self.folder = folder
        self._file = folder / "rows.parquet"
        self.rows = 0
        self._schema: pa.Schema | None = None
        self._writer: pq.ParquetWriter | None = None
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _plain(folder, error) from error

    def write(self, table: pa.Table) -> None:
        """Add rows, all of one schema. Raises `DiskFull`."""
        try:
            if self._writer is None:
                self._schema = table.schema
                self._writer = pq.ParquetWriter(
                    self._file, table.schema, compression="lz4", version="2.6"
                )
            self._writer.write_table(table)
        except OSError as error:
            raise _plain(self._file, error) from error
        self.rows += table.num_rows

    def finish(self) -> None:
        """No more rows come. Raises `DiskFull`."""
        if self._writer is not None:
            try:
                self._writer.close()
            except OSError as error:
                raise _plain(self._file, error) from error
            self._writer = None

    def reader(self) -> pa.RecordBatchReader:
        """The rows as a stream."""
        file = pq.ParquetFile(self._file)
        assert self._schema is not None

        def batches() -> Iterator[pa.RecordBatch]:
            yield from file.iter_batches(_GROUP)

        return pa.RecordBatchReader.from_batches(self._schema, batches())

    def table(self) -> pa.Table:
        """All rows at once."""
        return self.reader().read_all()

    def remove(self) -> None:
        """The batch is in the dataset, or given up."""
        if self._writer is not None:
            with contextlib.suppress(OSError):  # it is about to be deleted
                self._writer.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _plain(path: Path, error: OSError) -> Exception:
    if error.errno in _FULL or "No space left" in str(error) or "File too large" in str(error):
        return DiskFull(
            f"{path.parent}: no room on the disk: nothing was taken in", "free some space"
        )
    said = os.strerror(error.errno) if error.errno else " ".join(str(error).split())[:200]
    return StateCorrupt(f"{path}: {said}", "is it writable?")
