"""Starting a worker in the background (standard library only: the front end does it)."""

from __future__ import annotations

import os
import subprocess
import sys

from core.errors import WorkerUnavailable
from core.quiet import QUIET_ENVIRONMENT
from core.workspace import Workspace


def start_worker(workspace: Workspace) -> int:
    """Start a worker that outlives this process; returns its process id.

    Two at once do no harm: the second sees the first one's lock and leaves.
    Raises `WorkerUnavailable`.
    """
    state = workspace.state_dir
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
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
