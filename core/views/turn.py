"""One refresh of a view at a time, whoever asks for it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import WrongState

PATIENCE_SECONDS = 60.0


@contextmanager
def my_turn(state_dir: Path, name: str, seconds: float | None = None) -> Iterator[None]:
    """Be the only one who refreshes this view: rows made of older sources must not be put over
    newer ones. The lock is the kernel's and goes with the process that holds it. Raises
    `WrongState` where another has it for longer than this."""
    folder = state_dir / "views"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + (PATIENCE_SECONDS if seconds is None else seconds)
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise WrongState(
                        f"view {name}: somebody else is refreshing it", "try again"
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(handle)
