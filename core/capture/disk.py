"""What a disk refuses, said so that a person knows where."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import DiskFull


@contextmanager
def writing(where: Path) -> Iterator[None]:
    """Raise `DiskFull` naming `where` when there is no room, and give any other OSError without
    a file's name (pyarrow's have none) that one."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"{where}: no space left on the device", "make room there") from error
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror or str(error), str(where)) from error
