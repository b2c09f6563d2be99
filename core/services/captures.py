"""What an endpoint was asked and answered: looking, exporting, deleting, and how it is sampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core.capture.reader import newest
from core.capture.tombstone import deleted_before
from core.domain.capture import (
    CaptureDeleted,
    CapturedRequest,
    CaptureExport,
    CaptureFilter,
    CaptureFormat,
    CaptureSummary,
    ServerLogPage,
)
from core.errors import BadInput, NotFound, OpsdeckError
from core.reads import releases as _releases
from core.serving import logs
from core.serving.config import EndpointConfig
from core.serving.control import EndpointControl
from core.serving.folder import EndpointFolder
from core.serving.process.parts import count_rows, list_parts
from core.serving.records import CaptureStatus
from core.session import Session

VIEW_SECONDS = 1.5
MOST_ROWS = 100_000  # in one listing; an export takes any number


class CapturesService:
    """Captured requests and server logs of the workspace's endpoints."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(
        self, name: str, wanted: CaptureFilter | None = None, limit: int = 50
    ) -> Sequence[CapturedRequest]:
        """The newest captured requests that are wanted, newest first. Raises `NotFound`,
        `BadInput` (the limit)."""
        if not 0 < limit <= MOST_ROWS:
            raise BadInput(f"limit {limit}: not between 1 and {MOST_ROWS}", "export for more")
        return newest(self._folder(name).capture, wanted or CaptureFilter(), limit)

    def summary(self, name: str) -> CaptureSummary:
        """How much is captured and what was dropped. Raises `NotFound`."""
        folder = self._folder(name)
        parts = list_parts(folder.capture)
        counts: dict[str, int] = {}
        for part in parts:
            counts[part.variant] = counts.get(part.variant, 0) + count_rows(part)
        config = EndpointConfig.read(folder.root)
        live, running = self._live(folder)
        return CaptureSummary(
            endpoint=name,
            rows=sum(counts.values()),
            bytes=sum(part.size for part in parts),
            parts=len(parts),
            by_variant=dict(sorted(counts.items(), key=lambda item: int(item[0][1:]))),
            cap_bytes=config.capture_bytes,
            rate=live.rate if running else config.capture_rate,
            oldest_day=parts[0].day if parts else "",
            running=running,
            queued=live.queued,
            written=live.written,
            dropped_full=live.dropped_full,
            dropped_disk=live.dropped_disk,
            dropped_cap=live.dropped_cap,
            last_error=live.last_error,
            deleted_before_at=deleted_before(folder.capture),
        )

    def configure(
        self, name: str, rate: float | None = None, cap_bytes: int | None = None
    ) -> CaptureSummary:
        """Capture this share of the requests (0-1), in at most so many bytes, from now on and
        after a restart. Raises `NotFound`, `BadInput`, `ReadOnly`."""
        self._session.refuse_when_read_only("endpoints capture")
        folder = self._folder(name)
        if rate is not None and not 0 <= rate <= 1:
            raise BadInput(f"capture rate {rate:g}: not between 0 and 1")
        if cap_bytes is not None and cap_bytes < 1 << 20:
            raise BadInput(f"capture cap {cap_bytes} bytes: less than 1 MiB")
        config = EndpointControl(folder.root).reconfigure(
            lambda before: replace(
                before,
                capture_rate=before.capture_rate if rate is None else rate,
                capture_bytes=before.capture_bytes if cap_bytes is None else cap_bytes,
            )
        )
        with self._session.change("endpoints capture") as tx:
            tx.journal(
                "endpoint.capture",
                f"endpoint/{name}",
                rate=config.capture_rate,
                cap_bytes=config.capture_bytes,
            )
        return self.summary(name)

    def export(
        self, name: str, target: Path, kind: CaptureFormat, wanted: CaptureFilter | None = None
    ) -> CaptureExport:
        """Write captured requests to files in a folder. Raises `NotFound`, `BadInput`,
        `WrongState` (the file is there already), OSError."""
        from core.capture.export import export

        folder = self._folder(name)
        return export(folder.root, name, target, kind, wanted or CaptureFilter())

    def delete(self, name: str, before: float) -> CaptureDeleted:
        """Delete captured requests before a moment (epoch seconds), with their labels; the
        journal keeps how many. Raises `NotFound`, `ReadOnly`, OSError."""
        from core.capture.deleting import delete_before
        from core.labelling.forgetting import forget_rows

        self._session.refuse_when_read_only("endpoints capture --delete")
        folder = self._folder(name)
        done = delete_before(folder.root, name, before)
        with self._session.change("endpoints capture --delete") as tx:
            tx.journal(
                "capture.delete",
                f"endpoint/{name}",
                before=before,
                requests=done.rows,
                labels=done.labels,
                queued=forget_rows(tx, name, before),
            )
        return done

    def logs(
        self, name: str, source: str = "server", *, tail: int = 200, cursor: str = ""
    ) -> ServerLogPage:
        """The last lines of the log of an endpoint's servers or of its supervisor; with a
        cursor, what has been added since. Raises `NotFound`, `BadInput`."""
        folder = self._folder(name)
        paths = {"server": folder.server_log, "supervisor": folder.supervisor_log}
        if source not in paths:
            raise BadInput(f"log {source!r}: no such log", "there are: server, supervisor")
        path = paths[source]
        found = logs.read_on(path, cursor) if cursor else logs.tail(path, tail)
        return ServerLogPage(source, tuple(found.lines), found.cursor, found.gap)

    def _folder(self, name: str) -> EndpointFolder:
        folder = EndpointFolder(self._session.workspace.endpoints_dir / name)
        try:
            _releases.find_endpoint(self._session.reader, name, history=1)
        except NotFound:
            # What a deleted endpoint has left can still be looked at, exported and deleted.
            if not name or "/" in name or name.startswith(".") or not folder.root.is_dir():
                raise
        return folder

    def _live(self, folder: EndpointFolder) -> tuple[CaptureStatus, bool]:
        """What the servers say, and whether they do."""
        try:
            control = EndpointControl(folder.root)
            info = control.info()
            if info is not None and info.alive:
                return control.stats(VIEW_SECONDS).capture, True
        except OpsdeckError:
            pass
        return CaptureStatus(), False
