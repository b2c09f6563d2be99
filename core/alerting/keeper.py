"""What a worker does for alerts: decides whom to tell, escalates, wakes, and sends.

Nothing of it needs a console. It is looked at every second or two by plain SQL; a transaction is
opened only where something is due.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from core.alerting import duties, outbox
from core.alerting.config import alert_settings
from core.alerting.messages import Message, compose, test_message
from core.alerting.outbox import Parcel
from core.alerting.routing import route
from core.alerting.sending import send
from core.alerting.settings import AlertSettings, Target
from core.errors import OpsdeckError
from core.session import Session
from core.state.alert_tables import alert_deliveries, alert_notices
from core.workspace import CONFIG_NAME, open_workspace

log = logging.getLogger("opsdeck.worker")

MOST_SENDERS = 8
"""Addresses that are sent to at once."""

LOOK_SECONDS = 5.0
"""How often it is looked for what becomes due by the clock alone."""

KEPT_SECONDS = 90 * 86_400.0
"""How long notices and deliveries are kept."""


class Keeper:
    """One worker's part. `tick` is called by one thread; sending happens in threads of its own,
    one for each address at a time."""

    def __init__(self, session: Session, taker: str) -> None:
        self._session = session
        self._taker = taker
        self._settings: AlertSettings | None = None
        self._read_of: tuple[int, int] | None = None
        self._looked_at = 0.0
        self._swept_at = 0.0
        self._lock = threading.Lock()
        self._busy: set[str] = set()

    def tick(self) -> None:
        """Do what is due. Raises what the state raises while it is away."""
        now = time.time()
        self._read_settings()
        settings = self._settings
        if settings is None:  # the file has been wrong since the start: what is to be told waits
            return
        if self._session.reader.rows(
            "SELECT id FROM alert_notices WHERE routed_at IS NULL LIMIT 1"
        ):
            with self._session.change("alerts route") as tx:
                route(tx, settings)
        if now - self._looked_at >= LOOK_SECONDS:
            self._by_the_clock(settings)
            self._looked_at = now
        for target in outbox.targets_due(self._session.reader, now):
            self._start(target, settings)

    def idle(self) -> bool:
        """Whether nothing is being sent at this moment."""
        with self._lock:
            return not self._busy

    def _by_the_clock(self, settings: AlertSettings) -> None:
        if self._swept_at < time.time() - 3600:
            self._sweep()
            self._swept_at = time.time()
        if not self._anything(settings):
            return
        with self._session.change("alerts by the clock") as tx:
            duties.wake_due(tx)
            duties.escalate_due(tx, settings)
            duties.digest_due(tx, settings)

    def _anything(self, settings: AlertSettings) -> bool:
        """Whether the clock can matter: something is not over, or a digest is to be made."""
        if settings.digest is not None:
            return True
        return bool(
            self._session.reader.rows("SELECT id FROM alerts WHERE state <> 'resolved' LIMIT 1")
        )

    def _sweep(self) -> None:
        with self._session.change("alerts forget") as tx:
            for table, at in (
                (alert_notices, alert_notices.c.routed_at),
                (alert_deliveries, alert_deliveries.c.created_at),
            ):
                tx.execute(table.delete().where(at < tx.now - KEPT_SECONDS))

    def _read_settings(self) -> None:
        """Read the file again where it has changed; a broken one leaves things as they were."""
        file = self._session.workspace.root / CONFIG_NAME
        stamp = _stamp(file)
        if stamp == self._read_of:
            return
        self._read_of = stamp
        try:
            settings = alert_settings(open_workspace(self._session.workspace.root))
        except OpsdeckError as error:
            log.warning("alerts: %s; going on as before", error.one_line())
            return
        self._settings = settings
        wanted = {"grouping": repr(settings.grouping), "reopen": repr(settings.reopen)}
        rows = self._session.reader.rows("SELECT key, value FROM alert_settings")
        kept = {row["key"]: row["value"] for row in rows}
        if {**kept, **wanted} != kept:
            with self._session.change("alerts settings") as tx:
                for key, value in wanted.items():
                    duties.keep(tx, key, value)

    def _start(self, target: str, settings: AlertSettings) -> None:
        with self._lock:
            if target in self._busy or len(self._busy) >= MOST_SENDERS:
                return
            self._busy.add(target)
        threading.Thread(
            target=self._send, args=(target, settings), name=f"notify-{target}", daemon=True
        ).start()

    def _send(self, target: str, settings: AlertSettings) -> None:
        try:
            with self._session.change("alerts take") as tx:
                parcel = outbox.take(tx, settings, target, self._taker)
            if parcel is not None:
                self._deliver(parcel, settings.targets[target])
        except OpsdeckError as error:  # the state is away: it stays taken, and then is anybody's
            log.warning("alerts for %s: %s", target, error.one_line())
        except Exception:
            log.exception("alerts for %s", target)
        finally:
            with self._lock:
                self._busy.discard(target)

    def _deliver(self, parcel: Parcel, target: Target) -> None:
        try:
            send(target, self._message(parcel))
        except OpsdeckError as error:
            log.warning("alerts: %s", error.one_line())
            with self._session.change("alerts not sent") as tx:
                outbox.failed(tx, parcel, error.message)
            return
        with self._session.change("alerts sent") as tx:
            outbox.sent(tx, parcel)

    def _message(self, parcel: Parcel) -> Message:
        workspace = self._session.workspace
        if parcel.test_by:
            return test_message(workspace.name, workspace.environment, parcel.test_by)
        return compose(workspace.name, workspace.environment, parcel.items)


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:  # it is being written anew, or gone: what was read holds
        return None
    return found.st_mtime_ns, found.st_size
