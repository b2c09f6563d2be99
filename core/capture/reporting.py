"""What a worker does for captured requests: merges late labels, reports them to the analysis
of the open deployment, keeps files few."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from core.capture.compacting import compact
from core.capture.labels import label_parts
from core.capture.merge import merge_new
from core.capture.observing import (
    Losses,
    arrived,
    give_back,
    losses_underway,
    take_losses,
)
from core.errors import EndpointUnavailable, OpsdeckError
from core.reads import releases as _releases
from core.serving.control import EndpointControl
from core.serving.folder import EndpointFolder
from core.state.reading import Reader

log = logging.getLogger("opsdeck.worker")

EVERY_SECONDS = 60.0
COMPACT_SECONDS = 900.0


class LateLabels:
    """Merges what labels and captured requests have come, endpoint by endpoint, once a minute,
    and puts the small files of past days together four times an hour.

    Call it as often as you like: it returns at once, and a thread of its own does the work.
    """

    def __init__(self, reader: Reader, endpoints_dir: Path) -> None:
        self._reader = reader
        self._endpoints = endpoints_dir
        self._next = self._next_compacting = 0.0
        self._thread: threading.Thread | None = None

    def __call__(self) -> None:
        """Begin a round, if it is time and the last one is over."""
        busy = self._thread is not None and self._thread.is_alive()
        if busy or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_SECONDS
        self._thread = threading.Thread(target=self._round, name="late-labels", daemon=True)
        self._thread.start()

    def _round(self) -> None:
        try:
            self.merge_all()
            if time.monotonic() >= self._next_compacting:
                self._next_compacting = time.monotonic() + COMPACT_SECONDS
                self.compact_all()
        except Exception:  # the next round tries again
            log.exception("captured requests were not looked after")

    def merge_all(self) -> None:
        """Merge and report now. What fails for one endpoint is logged."""
        for row in self._reader.rows("SELECT name FROM endpoints"):
            folder = self._endpoints / row["name"]
            if not label_parts(folder):
                continue
            try:
                merge_new(folder)
                report(self._reader, folder)
            except (OpsdeckError, OSError) as error:
                log.warning("labels of endpoint %s: %s", row["name"], error)

    def compact_all(self) -> None:
        """Make few files of many small ones now. What fails for one endpoint is logged."""
        for row in self._reader.rows("SELECT name FROM endpoints"):
            try:
                compact(EndpointFolder(self._endpoints / row["name"]).capture)
            except (OpsdeckError, OSError) as error:
                log.warning("capture of endpoint %s: %s", row["name"], error)


def report(reader: Reader, folder: Path) -> bool:
    """Tell the analysis of an endpoint's armed deployment the losses that were merged since the
    last time; whether there were any. Each request counts once.

    When the supervisor does not answer, nothing is taken; when it fails to answer once the
    losses were on the way, or this process dies, they are sent again next time: the supervisor
    knows by their number what it has counted.
    """
    control = EndpointControl(folder)
    info = control.info()
    if info is None or not info.alive:
        return False
    try:
        analysis = control.analysis()
    except EndpointUnavailable as error:
        log.warning("labels are not reported yet: %s", error.message)
        return False
    if analysis is None or analysis.acted is not None:
        return False
    deployment = analysis.deployment
    again = losses_underway(folder, deployment)
    since = _releases.find_deployment(reader, deployment).created_at
    new = take_losses(folder, deployment, analysis.candidate, analysis.champion, since)
    found = [*again, new] if new else again
    return bool(found) and all(_send(control, folder, deployment, losses) for losses in found)


def _send(control: EndpointControl, folder: Path, deployment: str, losses: Losses) -> bool:
    """Whether it has arrived. Raises what the supervisor refuses it with."""
    sums = {revision: [*found] for revision, found in losses.arms.items()}
    paired = [losses.worse, losses.better, losses.rows]
    try:
        control.observe(deployment, sums, paired, losses.batch)
    except EndpointUnavailable as error:
        count = sum(losses.counts)
        log.warning("losses of %d requests are sent again later: %s", count, error.message)
        return False
    except OpsdeckError:
        give_back(folder, losses.batch)
        raise
    arrived(folder, losses.batch)
    return True
