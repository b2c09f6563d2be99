"""What a worker looks after besides runs: endpoints that should be up, deployments that nobody
brings on, old rows, old files."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from core.capture.reporting import LateLabels
from core.engine import deploywork, durable, leftopen
from core.engine.context import SYSTEM, Engine
from core.engine.forgetting import forget_data
from core.engine.heartbeat import DONE
from core.errors import OpsdeckError
from core.releases import endpointrows
from core.releases.alerts import raise_alert
from core.releases.events import record_all
from core.releases.keeping import let_go
from core.releases.lock import release_lock
from core.releases.rollback import Intent, finish_rollback, unfinished_intents
from core.serving.control import EndpointControl
from core.serving.records import EndpointState, GaveUp
from core.state import schema

EVERY_SECONDS = 2.0
HOUSEKEEPING_SECONDS = 3600.0
INTENT_SECONDS = 10.0
STATUS_SECONDS = 3.0
WATCH_SECONDS = 10.0
LEFT_OPEN_SECONDS = 5.0
DAY_SECONDS = 86_400.0
log = logging.getLogger("opsdeck.worker")


class Caretaker:
    """One thread; whatever fails is logged and tried again the next time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stood_down: set[str] = set()
        self._pinned: dict[str, float] = {}
        self._look_at = time.monotonic()
        self._late_labels = LateLabels(engine.session.reader, engine.workspace.endpoints_dir)
        self._thread = threading.Thread(target=self._loop, name="caretaker", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def _loop(self) -> None:
        next_housekeeping = time.monotonic()
        while not self._engine.stopping.wait(EVERY_SECONDS):
            for job in (
                self._record_events,
                self._keep_endpoints_up,
                self._end_left_open,
                self._finish_rollbacks,
                self._let_go,
                self._late_labels,
                self._sweep,
            ):
                self._do(job)
            if time.monotonic() >= next_housekeeping:
                next_housekeeping = time.monotonic() + HOUSEKEEPING_SECONDS
                self._do(self._forget_old)

    def _do(self, job: Callable[[], None]) -> None:
        """One job by itself: what fails in it keeps no other from being done."""
        try:
            job()
        except Exception:
            log.exception("caretaker")

    def _record_events(self) -> None:
        """Put on record what supervisors did by themselves."""
        record_all(self._engine.session, self._engine.workspace.endpoints_dir)

    def _let_go(self) -> None:
        """Unload what has been kept long enough for a way back, and watch it no longer."""
        let_go(self._engine.session, self._engine.workspace.endpoints_dir, self._stood_down)

    def _keep_endpoints_up(self) -> None:
        """Start the supervisor of an endpoint that should serve and whose supervisor died."""
        wanted = self._engine.session.reader.rows(
            "SELECT name, message FROM endpoints WHERE status IN ('in_service', 'updating')"
        )
        for row in wanted:
            try:
                self._keep_up(row["name"], row["message"])
            except OpsdeckError as error:  # one that is sick keeps no other from being looked after
                log.warning("endpoint %s: %s", row["name"], error.one_line())

    def _keep_up(self, name: str, message: str) -> None:
        control = EndpointControl(self._engine.workspace.endpoints_dir / name)
        info = control.info()
        if info is not None and info.alive:
            self._heed_crash_loop(name, control)
        if info is not None and not info.alive:
            # Whoever holds the lock may be deleting it; the next time will tell.
            with release_lock(control.folder.root, timeout=0.0):
                self._bring_up(name, control, message)

    def _bring_up(self, name: str, control: EndpointControl, message: str) -> None:
        found = self._engine.session.reader.rows(
            "SELECT status FROM endpoints WHERE name = :name", name=name
        )
        if found[0]["status"] == endpointrows.DELETED:
            return
        try:
            control.ensure_running(name)
        except OpsdeckError as error:
            if message != error.one_line():
                log.warning("endpoint %s: %s", name, error.one_line())
                with self._engine.store.transaction(SYSTEM) as tx:
                    endpointrows.set_message(tx, name, error.one_line())
            return
        with self._engine.store.transaction(SYSTEM) as tx:
            endpointrows.set_message(tx, name, "")
            tx.journal("endpoint.restart", f"endpoint/{name}")

    def _heed_crash_loop(self, name: str, control: EndpointControl) -> None:
        """A version that keeps crashing the server ends its deployment: the supervisor has put
        the last good routing back by itself. Without one it is told of, once a crash loop."""
        found = control.folder.read() or {}
        pinned = bool(found.get("pinned"))
        if not pinned and found.get("state") != EndpointState.FAILED:
            return
        reader = self._engine.session.reader
        deployments = reader.rows(
            "SELECT id, version FROM deployments WHERE endpoint = :name"
            " AND status IN ('progressing', 'paused', 'held')",
            name=name,
        )
        if not deployments:
            info = control.info()
            self._tell_of_crash_loop(name, pinned, None if info is None else info.gave_up)
        elif pinned and control.status(STATUS_SECONDS).pinned:
            since = self._pinned.setdefault(deployments[0]["id"], time.monotonic())
            if control.analysis(STATUS_SECONDS) and time.monotonic() - since < WATCH_SECONDS:
                return  # whoever watches it says so in an event of its own
            message = f"v{deployments[0]['version']} kept crashing the server: last good put back"
            deploywork.fail(self._engine, deployments[0]["id"], message)
            self._engine.bell.ring(f"deployment:{deployments[0]['id']}")

    def _tell_of_crash_loop(self, name: str, pinned: bool, gave_up: GaveUp | None) -> None:
        newest = self._engine.session.reader.rows(
            "SELECT max(revision) AS revision FROM revisions WHERE endpoint = :name", name=name
        )
        alert_id = f"crash-{name}-{newest[0]['revision']}"
        if gave_up is not None:  # an older supervisor does not say when
            alert_id += f"-{int(gave_up.at):x}"
        if self._engine.session.reader.rows("SELECT id FROM alerts WHERE id = :id", id=alert_id):
            return
        words = "the last good routing was put back" if pinned else "it serves no model"
        with self._engine.store.transaction(SYSTEM) as tx:
            raise_alert(
                tx,
                "crash_loop",
                f"endpoint/{name}",
                f"the server of {name} kept crashing",
                words,
                alert_id=alert_id,
            )
            tx.journal("endpoint.crash_loop", f"endpoint/{name}", message=words)

    def _end_left_open(self) -> None:
        """See to deployments that no workflow brings on."""
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LEFT_OPEN_SECONDS
            leftopen.look_after(self._engine)

    def _finish_rollbacks(self) -> None:
        """Write the receipt of a rollback whose author died between swap and record."""
        for path, intent in unfinished_intents(self._engine.workspace.endpoints_dir):
            if time.time() - intent.at > INTENT_SECONDS:
                self._finish_rollback(path, intent)

    def _finish_rollback(self, path: Path, intent: Intent) -> None:
        try:
            finish_rollback(self._engine.session, path, intent)
        except OpsdeckError as error:
            log.warning("rollback of %s: %s", intent.endpoint, error.one_line())

    def _forget_old(self) -> None:
        """Rows that nobody needs any more, and what dead executions left in tmp/."""
        now = time.time()
        with self._engine.store.transaction(SYSTEM) as tx:
            tx.execute(schema.outbox.delete().where(schema.outbox.c.done_at < now - DAY_SECONDS))
            workers = schema.workers
            tx.execute(
                workers.delete().where(
                    workers.c.heartbeat_at < now - DAY_SECONDS, workers.c.reaped == DONE
                )
            )
            forget_data(tx)
        while durable.forget_old():
            pass

    def _sweep(self) -> None:
        """Take away what dead executions left in tmp/; those of living workers stay."""
        folder = self._engine.workspace.state_dir / "tmp"
        if not folder.is_dir():
            return
        found = list(folder.iterdir())  # before the rows: a newer folder may have a newer row
        if not found:
            return
        rows = self._engine.session.reader.rows(
            "SELECT execution_id FROM step_runs WHERE status = 'running'"
        )
        running = {row["execution_id"] for row in rows}
        for leftover in found:
            if leftover.name.partition("-")[0] not in running:
                shutil.rmtree(leftover, ignore_errors=True)
