"""The worker's own log: it does not grow without end, and says the same only now and then."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path

from core.errors import OpsdeckError

MAX_BYTES = 5 << 20
KEPT = 3
SAY_EVERY = 60.0
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
log = logging.getLogger("opsdeck.worker")


def set_up(path: Path) -> None:
    """Log to standard error, or, where that is the file at `path` (a worker in the
    background), to a file that is rotated, and standard output and error with it."""
    handler: logging.Handler
    handler = _Rotating(path) if _is_open_as(path, 2) else logging.StreamHandler()
    logging.basicConfig(level=logging.INFO, format=_FORMAT, handlers=[handler])


def rotate_if_large(path: Path) -> None:
    """Put a log aside that another process is about to append to; one is kept."""
    with contextlib.suppress(OSError):  # nothing there yet, or nowhere to put it
        if path.stat().st_size > MAX_BYTES:
            path.replace(path.with_name(path.name + ".1"))


class Seldom:
    """Says what fails again and again: in full once, then in a line a minute. Thread-safe."""

    def __init__(self, seconds: float = SAY_EVERY) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._said: dict[str, float] = {}

    def failed(self, what: str, error: Exception) -> None:
        """Log that `what` has failed. A trace only the first time, and for faults of ours."""
        now = time.monotonic()
        with self._lock:
            last = self._said.get(what)
            if last is not None and now - last < self._seconds:
                return
            self._said[what] = now
        if isinstance(error, OpsdeckError):
            log.warning("%s: %s", what, error.one_line())
        elif last is None:
            log.error("%s", what, exc_info=error)
        else:
            text = " ".join(str(error).split())[:300]
            log.error("%s, still: %s: %s", what, type(error).__name__, text)

    def worked(self, what: str) -> None:
        """It works again: the next failure is news."""
        with self._lock:
            self._said.pop(what, None)


class _Rotating(RotatingFileHandler):
    """Takes the descriptors of standard output and error along to the new file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=MAX_BYTES, backupCount=KEPT)

    def doRollover(self) -> None:  # noqa: N802 - the library's name
        followed = [fd for fd in (1, 2) if _is_open_as(Path(self.baseFilename), fd)]
        super().doRollover()
        for fd in followed:
            if self.stream is not None:
                os.dup2(self.stream.fileno(), fd)


def _is_open_as(path: Path, fd: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except OSError:
        return False
