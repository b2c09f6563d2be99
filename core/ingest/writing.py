"""Many requests, one wait for the disk: frames that come while one group is written make up the
next."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

from core.errors import OpsdeckError
from core.ingest.spool import Frame, Spool


class GroupWriter:
    """A thread that writes to a spool; `write` ends when the frame is on the disk."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._waiting: list[tuple[Frame, Future[str]]] = []
        self._some = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    async def write(self, frame: Frame) -> str:
        """Put a frame on the disk; returns its segment's id. Raises `DiskFull`, `SpoolBroken`."""
        return await asyncio.wrap_future(self.submit(frame))

    def submit(self, frame: Frame) -> Future[str]:
        """The same for threads."""
        done: Future[str] = Future()
        with self._some:
            self._waiting.append((frame, done))
            self._some.notify()
        return done

    def close(self) -> None:
        """End when what waits is written."""
        with self._some:
            self._ended = True
            self._some.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._some:
                self._some.wait_for(lambda: self._waiting or self._ended)
                group, self._waiting = self._waiting, []
            if not group:
                return
            try:
                segment = self._spool.append([frame for frame, _ in group])
            except (OpsdeckError, OSError) as error:  # each request is told
                for _, done in group:
                    if not done.cancelled():
                        done.set_exception(error)
                continue
            for _, done in group:
                if not done.cancelled():
                    done.set_result(segment)
