"""Whether a process is the one that it was: by pid and start time together."""

from __future__ import annotations

import subprocess
from pathlib import Path


def started(pid: int) -> str | None:
    """When a process started, as a string to compare only; None when it is gone or a zombie.

    A pid alone may have been given to somebody else since; pid and start time cannot.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return None if Path("/proc/self/stat").exists() else _started_ps(pid)
    except ProcessLookupError:
        return None
    state, *rest = text.rpartition(")")[2].split()
    return None if state in "ZX" else rest[18]


def _started_ps(pid: int) -> str | None:
    """The same where there is no /proc (macOS)."""
    done = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, timeout=5
    )
    state, _, when = done.stdout.strip().partition(" ")
    return when.strip() if when and not state.startswith("Z") else None


def is_alive(pid: int | None, start: str | None) -> bool:
    """Whether the process that was recorded with this pid and start time still runs."""
    return pid is not None and start is not None and started(pid) == start
