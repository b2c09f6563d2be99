"""Files of a lake in a folder: on the disk before a commit names them.

A commit is a row that points to a metadata file. If that row reached the disk before the file
did, a power cut would leave a dataset that cannot be read: so each file is synced when it is
closed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
from pyiceberg.io import OutputStream
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO

IO_IMPL = "core.lake.localfiles.LocalFileIO"


class LocalFileIO(PyArrowFileIO):
    """pyiceberg's own, except for how files are written."""

    def new_output(self, location: str) -> PyArrowFile:
        """A file to write."""
        out = super().new_output(location)
        return _LocalFile(out.location, out._path, out._filesystem, out._buffer_size)


class _LocalFile(PyArrowFile):
    def create(self, overwrite: bool = False) -> OutputStream:
        """A stream into the file; raises FileExistsError, OSError."""
        path = Path(self._path)
        if not overwrite and path.exists():
            raise FileExistsError(f"Cannot create file, already exists: {self.location}")
        path.parent.mkdir(parents=True, exist_ok=True)
        stream: OutputStream = _Synced(self._path, "wb")
        return stream


class _Synced(pa.OSFile):  # type: ignore[misc]  # pyarrow has no types
    """A file that is on the disk once it is closed."""

    def __init__(self, path: str, mode: str) -> None:
        self._written = path

    def close(self) -> None:
        """Close and sync; raises OSError."""
        if self.closed:
            return
        super().close()
        handle = os.open(self._written, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
