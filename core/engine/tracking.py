"""The tracker process, forked from the warm server, which has MLflow loaded already."""

from __future__ import annotations

import json
import os
import threading
from typing import Any

from core.engine.warm import WarmServer
from core.ids import short_id
from core.tracking.tracker_client import TRACKER_SCRIPT, Tracker
from core.workspace import Workspace

TRIES = 5
"""So many trackers may die under one call: one that its server took with it, one that was
killed, and some more before the call counts as what kills them."""


class LazyTracker:
    """Starts the tracker at the first call, and again whenever it or the warm server has died:
    that fails no call, for every one may be repeated. Thread-safe."""

    def __init__(self, workspace: Workspace, warm: WarmServer) -> None:
        self._workspace = workspace
        self._warm = warm
        self._lock = threading.Lock()
        self._tracker: Tracker | None = None

    def call(self, op: str, **args: Any) -> Any:
        """Do one operation of `core.tracking.tracker`; raises `TrackingUnavailable` and others."""
        tracker = self.get()
        if tracker.pid is None:  # here and not in its line, where waiting counts
            self._warm.wait_ready()
        return tracker.call(op, **args)

    def get(self) -> Tracker:
        """The tracker, its store opened (and created, the first time)."""
        with self._lock:
            if self._tracker is None:
                tracker = Tracker(*self._fork(), respawn=self._fork, tries=TRIES)
                try:
                    tracker.init(
                        self._workspace.tracking_uri, str(self._workspace.state_dir / "mlartifacts")
                    )
                except BaseException:
                    tracker.close(timeout=1.0)  # or its process and its pipes would stay
                    raise
                self._tracker = tracker
            return self._tracker

    def close(self) -> None:
        """End the process."""
        with self._lock:
            if self._tracker is not None:
                self._tracker.close(timeout=1.0)

    def _fork(self) -> tuple[int, int, int]:
        # It stays: the forked process reads it in its own time.
        request = self._workspace.state_dir / "tracker.json"
        request.write_text(json.dumps({"kind": "service", "script": str(TRACKER_SCRIPT)}))
        answers_read, answers_write = os.pipe()
        requests_read, requests_write = os.pipe()
        log = os.open(
            self._workspace.state_dir / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644
        )
        try:
            process = self._warm.start(
                f"tracker-{short_id()}", request, (answers_write, log, requests_read), lambda: None
            )
        except BaseException:
            os.close(answers_read)
            os.close(requests_write)
            raise
        finally:
            for fd in (answers_write, requests_read, log):
                os.close(fd)
        return answers_read, requests_write, process.pid
