"""Starting a worker in the background (standard library only: the front end does it)."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from core.errors import WorkerUnavailable
from core.workspace import Workspace

QUIET_ENVIRONMENT = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
"""Third-party telemetry is off in every process that we start, before its first import."""


def start_worker(workspace: Workspace) -> int:
    """Start a worker that outlives this process; returns its process id.

    Two at once do no harm: the second sees the first one's lock and leaves.
    Raises `WorkerUnavailable`.
    """
    state = workspace.state_dir
    try:
        state.mkdir(parents=True, exist_ok=True)
        with (state / "worker.log").open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", "core.engine.worker", str(workspace.root)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=workspace.root,
                env={**os.environ, **QUIET_ENVIRONMENT},
            )
    except OSError as error:
        raise WorkerUnavailable(f"the worker cannot be started: {error.strerror}") from error
    return child.pid


def process_start_time(pid: int) -> int | None:
    """When a process began, in clock ticks since boot; `None` when it is gone or a zombie."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if fields[0] != "Z":
            return int(fields[19])
    return None
