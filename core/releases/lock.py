"""One change of an endpoint's routing at a time, whoever makes it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import WrongState


@contextmanager
def release_lock(directory: Path, timeout: float = 10.0) -> Iterator[None]:
    """Hold an endpoint's routing lock: a deployment never overwrites a rollback.

    The lock is the kernel's and goes with the process that holds it. Raises `WrongState`
    after `timeout` seconds.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)  # it will hold what people send
    handle = os.open(directory / "release.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + timeout
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise WrongState(
                        f"endpoint {directory.name}: somebody else is changing its routing",
                        "try again",
                    ) from None
                time.sleep(0.002)
        yield
    finally:
        os.close(handle)
