"""An endpoint's folder on disk: paths, `endpoint.json`, and who is alive.

`endpoint.json` has one writer, the supervisor that holds `supervisor.lock`; everybody else
reads it. It is written to a temporary name and renamed, so that a reader never sees half.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from core.errors import EndpointUnavailable, StateCorrupt, WrongState

_MAX_SOCKET_PATH = 100  # sun_path holds 108 bytes on Linux, 104 on macOS


class EndpointFolder:
    """The paths in one endpoint's folder and the safe reading and writing of its file."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.file = self.root / "endpoint.json"
        self.lock = self.root / "supervisor.lock"
        self.capture = self.root / "capture"
        self.server_log = self.root / "server.log"
        self.supervisor_log = self.root / "supervisor.log"

    def socket_path(self) -> str:
        """Where the control socket goes: in the folder, or, where that path is too long for
        a Unix socket, in a private folder under the system's temporary one."""
        here = str(self.root / "control.sock")
        if len(os.fsencode(here)) <= _MAX_SOCKET_PATH:
            return here
        private = Path(tempfile.gettempdir()) / f"opsdeck-{os.getuid()}"
        private.mkdir(mode=0o700, exist_ok=True)
        found = private.lstat()
        if found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise EndpointUnavailable(
                f"{private} is open to others, so the control socket cannot be put there",
                "remove that folder, or use a shorter workspace path",
            )
        return str(private / f"{hashlib.sha256(here.encode()).hexdigest()[:16]}.sock")

    def read(self) -> dict[str, Any] | None:
        """What `endpoint.json` says, or None when there is none.

        Raises `StateCorrupt` when it is not what a supervisor writes.
        """
        try:
            data = json.loads(self.file.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise StateCorrupt(
                f"{self.file} is not valid JSON ({error})", "remove it and deploy again"
            ) from None
        if not isinstance(data, dict) or "name" not in data or "port" not in data:
            raise StateCorrupt(f"{self.file} lacks name or port", "remove it and deploy again")
        return data

    def write(self, data: Mapping[str, Any]) -> None:
        """Replace `endpoint.json`; raises OSError when the disk refuses."""
        temporary = self.file.with_suffix(f".{os.getpid()}.tmp")
        try:
            with temporary.open("w") as stream:
                json.dump(data, stream, indent=1)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(self.file)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise

    @contextlib.contextmanager
    def changing_settings(self, seconds: float = 30.0) -> Iterator[None]:
        """Be the only one who reads the settings to write others: of two at once, one would
        undo what the other changed. The kernel lets go when its holder dies.

        Raises `WrongState` when somebody else does for so many seconds.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self.root / "config.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + seconds
        try:
            while not _locked(handle):
                if time.monotonic() > deadline:
                    raise WrongState(
                        f"Somebody else is changing the settings of {self.root.name}", "try again"
                    )
                time.sleep(0.005)
            yield
        finally:
            os.close(handle)

    def acquire(self) -> int | None:
        """The lock's file descriptor, or None when another supervisor holds it."""
        handle = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _locked(handle):
            os.close(handle)
            return None
        return handle


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
