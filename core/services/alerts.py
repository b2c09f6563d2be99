"""Alerts: what somebody should know of, who looks after it, and what is done about it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from core.domain.alert import Alert, AlertState, Cause, Matcher, Severity, Silence
from core.domain.alertview import AlertDetail, Delivery, EscalationStep, OnCall, Triage
from core.errors import BadInput
from core.reads import alerts as _alerts
from core.session import Session

if TYPE_CHECKING:
    from core.alerting.settings import AlertSettings, Policy
    from core.services.workers import WorkersService
    from core.state.store import Transaction

LONGEST_SECONDS = 90 * 86_400.0
"""Of a silence or a snooze: what lasts longer is forgotten, and hides what should be seen."""


class AlertsService:
    """The workspace's alerts."""

    def __init__(self, session: Session, workers: WorkersService) -> None:
        self._session = session
        self._workers = workers

    # -- reading

    def list(
        self, *, state: str | None = "open", target: str | None = None, limit: int = 100
    ) -> tuple[Alert, ...]:
        """Alerts, newest first; `state` None means all, `active` open and acknowledged ones.
        `target` such as `endpoint/bike`. With their owners, and the silences that hide them."""
        found = _alerts.list_alerts(self._session.reader, state=state, target=target, limit=limit)
        return self._complete(found)

    def count(self) -> int:
        """How many alerts wait for somebody: open, not hidden, and worse than to be known."""
        return sum(each.severity is not Severity.INFO for each in self.waiting())

    def waiting(self, limit: int = 99) -> tuple[Alert, ...]:
        """Open alerts that nothing hides, worst first."""
        now = time.time()
        found = _alerts.active_alerts(self._session.reader, opened=True)
        return tuple(each for each in self._complete(found) if not each.hidden(now))[:limit]

    def triage(self, *, hidden: bool = False, target: str | None = None) -> Triage:
        """What is not resolved, worst first, without what is silenced or snoozed (`hidden`:
        with it), and how much that is."""
        now = time.time()
        found = self._complete(_alerts.active_alerts(self._session.reader))
        if target is not None:
            found = tuple(each for each in found if each.target == target)
        return Triage(
            read_at=now,
            alerts=tuple(each for each in found if hidden or not each.hidden(now)),
            silenced=sum(each.silence is not None for each in found),
            snoozed=sum(each.silence is None and each.snoozed(now) for each in found),
            silences=_alerts.list_silences(self._session.reader, now),
            on_call=self.oncall(),
            people=self.people(),
            unattended=self._unattended(found),
        )

    def get(self, ref: str) -> Alert:
        """An alert by its id or the beginning of it; raises `NotFound`, `BadInput`."""
        return self._complete((_alerts.find_alert(self._session.reader, ref),))[0]

    def detail(self, ref: str) -> AlertDetail:
        """An alert with its causes, timeline, runbook, related changes and what can be done;
        raises `NotFound`, `BadInput`."""
        from core.alerting.actions import actions_for
        from core.alerting.evidence import series_of
        from core.alerting.related import related_changes
        from core.alerting.runbook import runbook_of

        alert, settings = self.get(ref), self._settings()
        reader, workspace = self._session.reader, self._session.workspace
        policy, steps = self._steps(alert, settings)
        return AlertDetail(
            alert=alert,
            causes=_told_first(alert, _alerts.causes_of(reader, alert.id)),
            events=_alerts.events_of(reader, alert.id),
            deliveries=_alerts.deliveries_of(reader, alert.id),
            runbook=runbook_of(alert, workspace, settings),
            related=related_changes(reader, workspace.root, alert, settings.related),
            actions=actions_for(reader, workspace.root, alert),
            policy=policy,
            steps=steps,
            on_call=self.oncall(),
            series=series_of(reader, alert),
        )

    def silences(self, *, all_: bool = False) -> tuple[Silence, ...]:
        """Silences that are on, those that end first in front; with `all_` also ended ones."""
        return _alerts.list_silences(self._session.reader, time.time(), all_=all_)

    def oncall(self, at: float | None = None) -> tuple[OnCall, ...]:
        """Who is on call by each schedule at a moment (Unix seconds; now), and who is next.
        Nobody where the file is wrong: `list` and `triage` say so."""
        from core.alerting.oncall import on_call

        moment = time.time() if at is None else at
        schedules = self._settings().schedules
        return tuple(on_call(each, moment) for each in schedules.values())

    def people(self) -> tuple[str, ...]:
        """Whom an alert can be given to by name: people and schedules of the workspace's file."""
        settings = self._settings()
        return (*settings.people, *(f"oncall/{name}" for name in settings.schedules))

    def deliveries(self, *, open_only: bool = False, limit: int = 50) -> tuple[Delivery, ...]:
        """Who was told and who is to be, newest first."""
        return _alerts.list_deliveries(self._session.reader, open_only=open_only, limit=limit)

    def targets(self) -> tuple[tuple[str, str], ...]:
        """The addresses of the workspace's file: name and sort; never the address itself.
        Raises `AlertsConfigInvalid`."""
        from core.alerting.config import alert_settings

        settings = alert_settings(self._session.workspace)
        return tuple((name, each.scheme) for name, each in settings.targets.items())

    # -- changing

    def acknowledge(self, ref: str, comment: str = "") -> Alert:
        """Say that one looks after it; raises `WrongState` where it is not open."""
        from core.alerting import moves

        return self._move(ref, "ack", lambda tx, id_: moves.acknowledge(tx, id_, comment))

    def assign(self, ref: str, owner: str, comment: str = "") -> Alert:
        """Give it to somebody; raises `WrongState` where it is resolved or theirs already."""
        from core.alerting import moves

        self._session.refuse_when_read_only("alerts assign")
        name = _text("--to", owner)
        return self._move(ref, "assign", lambda tx, id_: moves.assign(tx, id_, name, comment))

    def snooze(self, ref: str, seconds: float, comment: str = "") -> Alert:
        """Put it off for so many seconds; raises `WrongState` where it is resolved."""
        from core.alerting import moves

        self._session.refuse_when_read_only("alerts snooze")
        _check_seconds(seconds)

        def put_off(tx: Transaction, id_: str) -> None:
            until = tx.now + seconds
            shown = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(until))
            moves.snooze(tx, id_, until, shown, comment)

        return self._move(ref, "snooze", put_off)

    def escalate(self, ref: str, comment: str = "") -> Alert:
        """Tell the next level of its policy now; raises `NobodyToTell` where there is none, and
        `WrongState` where it is resolved."""
        from core.alerting import moves
        from core.alerting.errors import NobodyToTell

        self._session.refuse_when_read_only("alerts escalate")
        alert = self.get(ref)
        policy, level = self._policy(alert), alert.level + 1
        levels = () if policy is None else policy.levels
        if alert.state is not AlertState.RESOLVED and level >= len(levels):
            why = (
                "no policy of alerts.escalation fits it"
                if policy is None
                else f"policy {policy.name} has told its last level, {level}"
            )
            hint = f"give it to somebody: opsdeck alerts assign {alert.id} --to NAME"
            raise NobodyToTell(f"alert {alert.id}: {why}", hint)
        told = ", ".join(levels[level].notify) if level < len(levels) else ""
        return self._move(
            alert.id, "escalate", lambda tx, id_: moves.escalate(tx, id_, level, told, comment)
        )

    def resolve(self, ref: str, comment: str = "") -> Alert:
        """Say that it is over; raises `WrongState` where that has been said."""
        from core.alerting import moves

        return self._move(ref, "resolve", lambda tx, id_: moves.resolve(tx, id_, comment))

    def comment(self, ref: str, text: str) -> Alert:
        """Leave a remark on its timeline."""
        from core.alerting import moves

        self._session.refuse_when_read_only("alerts comment")
        said = _text("a comment", text)
        return self._move(ref, "comment", lambda tx, id_: moves.comment(tx, id_, said))

    def silence(self, matcher: Matcher, seconds: float, reason: str) -> Silence:
        """Hide what fits for so many seconds; raises `BadInput` where the matcher fits anything,
        or no reason is given."""
        from core.alerting import silencing

        self._session.refuse_when_read_only("alerts silence")
        _check_seconds(seconds)
        why = _text("a reason", reason)
        if matcher.severity and matcher.severity not in list(Severity):
            raise BadInput(f"no severity {matcher.severity!r}", "critical, warning or info")
        if not (matcher.target or matcher.kind or matcher.severity or matcher.labels):
            raise BadInput("a silence of everything is none", "give --target, --kind or --severity")
        with self._session.change("alerts silence") as tx:
            made = silencing.silence(tx, matcher, tx.now + seconds, why)
        return _alerts.find_silence(self._session.reader, made)

    def unsilence(self, ref: str) -> Silence:
        """End a silence before its time; raises `NotFound`, and `WrongState` where it is over."""
        from core.alerting import silencing

        self._session.refuse_when_read_only("alerts silence --end")
        found = _alerts.find_silence(self._session.reader, ref)
        with self._session.change("alerts silence --end") as tx:
            silencing.end_silence(tx, found.id)
        return _alerts.find_silence(self._session.reader, found.id)

    def test(self, target: str) -> Delivery | None:
        """Send a test to an address: by the worker, as it would be in earnest, and by this
        process where no worker lives (`None` then). Raises `BadInput` for an unknown one,
        `SecretMissing`, `NotificationFailed`."""
        from core.alerting.testing import send_test

        self._session.refuse_when_read_only("alerts notify --test")
        return send_test(self._session, target, by_worker=self._workers.alive())

    # -- parts

    def _move(self, ref: str, verb: str, move: Callable[[Transaction, str], None]) -> Alert:
        self._session.refuse_when_read_only(f"alerts {verb}")
        found = _alerts.find_alert(self._session.reader, ref)
        with self._session.change(f"alerts {verb}") as tx:
            move(tx, found.id)
        return self.get(found.id)

    def _complete(self, found: Sequence[Alert]) -> tuple[Alert, ...]:
        """With who they fall to, and what silences them now."""
        from core.alerting.matching import owner_of, silence_of

        if not found:
            return ()
        now, settings = time.time(), self._settings()
        silences = _alerts.list_silences(self._session.reader, now)
        return tuple(
            replace(each, owner=owner_of(each, settings), silence=silence_of(each, silences, now))
            for each in found
        )

    def _settings(self) -> AlertSettings:
        """The file's settings; the defaults where it is wrong, so that alerts can be worked on
        (`triage` says what is wrong)."""
        from core.alerting.config import alert_settings
        from core.alerting.errors import AlertsConfigInvalid
        from core.alerting.settings import AlertSettings

        try:
            return alert_settings(self._session.workspace)
        except AlertsConfigInvalid:
            return AlertSettings()

    def _unattended(self, found: Sequence[Alert]) -> str:
        """Why nothing is sent and nothing escalates, where that is so."""
        from core.alerting.config import alert_settings
        from core.alerting.errors import AlertsConfigInvalid

        try:
            settings = alert_settings(self._session.workspace)
        except AlertsConfigInvalid as error:
            return error.one_line()
        if found and settings.targets and not self._workers.alive():
            return "no worker is running: nobody is told, and nothing escalates"
        return ""

    def _policy(self, alert: Alert) -> Policy | None:
        from core.alerting.matching import policy_of

        return policy_of(alert, self._settings())

    def _steps(
        self, alert: Alert, settings: AlertSettings
    ) -> tuple[str, tuple[EscalationStep, ...]]:
        from core.alerting.escalation import next_level
        from core.alerting.matching import policy_of

        policy = policy_of(alert, settings)
        if policy is None:
            return "", ()
        following = next_level(alert, policy)
        hidden = alert.hidden(time.time())
        steps = [
            EscalationStep(
                level=number,
                notify=level.notify,
                after=level.after,
                told=number <= alert.level,
                due_at=following[1]
                if following is not None and following[0] == number and not hidden
                else None,
            )
            for number, level in enumerate(policy.levels)
        ]
        return policy.name, tuple(steps)


def _told_first(alert: Alert, causes: Sequence[Cause]) -> tuple[Cause, ...]:
    """The causes, the one that the alert's title tells of in front."""
    return tuple(sorted(causes, key=lambda each: each.title != alert.title))


def _text(what: str, given: str) -> str:
    if not given.strip():
        raise BadInput(f"{what} must not be empty")
    return given.strip()


def _check_seconds(seconds: float) -> None:
    if not 0 < seconds <= LONGEST_SECONDS:
        raise BadInput("how long must be more than nothing and at most 90 days", "such as 2h or 3d")
