"""Recording what endpoints did: a worker asks their supervisors every few seconds."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from core.errors import BadInput, OpsdeckError
from core.series.endpoints import SPAN, points_of
from core.series.reading import latest
from core.series.recording import record
from core.serving.control import EndpointControl
from core.session import Session

log = logging.getLogger(__name__)

_ROLES = {"stable": "champion", "canary": "candidate"}
PAGES = 10  # of a supervisor that nobody has asked for long
REST_SECONDS = 30.0  # for which one that did not answer is left alone: others wait meanwhile


class EndpointSamples:
    """Takes over what supervisors have counted since the last time. Not thread-safe.

    What was recorded is recorded again where that is not known (a worker that has just started):
    the same points stand in the same places.
    """

    def __init__(self, session: Session, endpoints_dir: Path) -> None:
        self._session = session
        self._dir = endpoints_dir
        self._seen: dict[str, tuple[int, int]] = {}
        self._old: set[str] = set()
        self._silent: dict[str, float] = {}

    def take(self) -> int:
        """Ask every endpoint that runs; returns how many slots were recorded. One that does not
        answer keeps no other from being asked."""
        names = self._session.reader.rows(
            "SELECT name FROM endpoints WHERE status NOT IN ('deleted', 'stopped', 'empty')"
        )
        done = 0
        for name in (row["name"] for row in names):
            control = EndpointControl(self._dir / name)
            info = control.info()
            if info is None or not info.alive or self._silent.get(name, 0.0) > time.monotonic():
                continue
            try:
                done += self._take_from(name, control)
            except BadInput:
                if name not in self._old:  # it goes on as it is until it is started anew
                    log.warning("endpoint %s: its supervisor is older and keeps no samples", name)
                self._old.add(name)
            except OpsdeckError as error:
                log.info("endpoint %s: no samples: %s", name, error.one_line())
                self._silent[name] = time.monotonic() + REST_SECONDS
        return done

    def _take_from(self, name: str, control: EndpointControl) -> int:
        done = 0
        for _ in range(PAGES):
            life, after = self._seen.get(name, (0, -1))
            answer = control.samples(life, after)
            slots = answer["slots"]
            if not slots:
                break
            self._record(name, slots, fresh=life != answer["life"])
            self._seen[name] = answer["life"], slots[-1]["number"]
            done += len(slots)
        return done

    def _record(self, name: str, slots: list[dict[str, Any]], *, fresh: bool) -> None:
        """One transaction for all; what stands there already is not written again."""
        source = f"endpoint/{name}"
        if fresh:
            until = self._session.reader.clock() + SPAN  # later ones are of a clock put back
            newest = latest(self._session.reader, source, "requests", until=until)
            slots = [each for each in slots if not newest or each["at"] > newest[0].at]
        if not slots:
            return
        rows = self._session.reader.rows(
            "SELECT revision, state FROM revisions WHERE endpoint = :name", name=name
        )
        roles = {row["revision"]: _ROLES[row["state"]] for row in rows if row["state"] in _ROLES}
        points = [point for slot in slots for point in points_of(slot, roles)]
        with self._session.change("record samples") as tx:
            record(tx, source, points, SPAN)
