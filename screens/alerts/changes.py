"""The changes that the Alerts mode makes, and what each asks first.

What only says who looks after what is done at once: at night every further key is one too many.
What tells others, or hides something from them, asks for what it needs.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from screens.background import Change
from screens.changes import ask_first
from screens.deck import Deck
from screens.dialogs.confirm import Question, Signed
from screens.dialogs.pick import Pick
from screens.dialogs.text import TextField

if TYPE_CHECKING:
    from core.domain.alert import Alert, Silence
    from core.domain.alertview import AlertAction, AlertDetail
    from core.ops import Ops

HOLD = "opsdeck data quarantine hold "
TIMES = (
    ("30m", "half an hour"),
    ("2h", "two hours"),
    ("8h", "a shift"),
    ("1d", "a day"),
    ("3d", "over a weekend"),
    ("1w", "a week"),
)


def acknowledge(deck: Deck, alert: Alert) -> None:
    """Say at once that one looks after it."""
    _do(deck, alert, "acknowledge it", f"opsdeck alerts ack {alert.id}",
        lambda ops: ops.alerts.acknowledge(alert.id),
        lambda done: f"{done.acked_by} looks after it: {done.title}")  # fmt: skip


def assign(deck: Deck, alert: Alert, people: Sequence[str]) -> None:
    """Ask whom, then give it to them."""

    def given(name: str | None) -> None:
        if name:
            _do(deck, alert, f"give it to {name}",
                f"opsdeck alerts assign {alert.id} --to {shlex.quote(name)}",
                lambda ops: ops.alerts.assign(alert.id, name),
                lambda done: f"it is {done.owner}'s: {done.title}")  # fmt: skip

    me = deck.context.actor
    if people:
        others = [(name, "on call" if name.startswith("oncall/") else "") for name in people]
        first = [] if me in people else [(me, "you")]
        named = [(name, "you" if name == me else word) for name, word in others]
        deck.push_screen(Pick("Who looks after it?", [*first, *named]), given)
        return
    deck.push_screen(
        TextField("Who looks after it?", "name", "people: in opsdeck.yaml makes a list", value=me),
        given,
    )


def snooze(deck: Deck, alert: Alert) -> None:
    """Ask for how long, then put it off."""

    def given(lasts: str | None) -> None:
        if lasts:
            _do(deck, alert, f"snooze it for {lasts}",
                f"opsdeck alerts snooze {alert.id} --for {lasts}",
                lambda ops: ops.alerts.snooze(alert.id, _seconds(lasts)),
                lambda done: f"snoozed for {lasts}: {done.title}")  # fmt: skip

    deck.push_screen(Pick("Snooze it for how long?", TIMES), given)


def silence(deck: Deck, alert: Alert) -> None:
    """Ask for how long and why, then hide all alerts of its target and kind."""

    def timed(lasts: str | None) -> None:
        if lasts:
            ask_first(deck, _question(deck, alert, lasts), lambda signed: made(lasts, signed))

    def made(lasts: str, signed: Signed) -> Change:
        from core.domain.alert import Matcher

        matcher = Matcher(target=alert.target, kind=alert.kind)

        def told(done: Silence) -> str:
            return f"silenced for {lasts}: {done.matcher.words()}"

        return Change(
            group=f"alert/{alert.id}",
            title="silence it",
            call=lambda ops: ops.alerts.silence(matcher, _seconds(lasts), signed.comment),
            then=told,
            command=f"opsdeck alerts silence {alert.id} --for {lasts}"
            f" --reason {shlex.quote(signed.comment)}",
        )

    deck.push_screen(Pick("Silence alerts like this for how long?", TIMES), timed)


def unsilence(deck: Deck, found: Silence) -> None:
    """Show again what is silenced."""
    deck.change(
        Change(
            group=f"silence/{found.id}",
            title="end the silence",
            call=lambda ops: ops.alerts.unsilence(found.id),
            then=lambda done: f"shown again: {done.matcher.words()}",
            command=f"opsdeck alerts silences --end {found.id}",
        )
    )


def escalate(deck: Deck, detail: AlertDetail) -> None:
    """Ask, since it wakes somebody; then tell the next level."""
    alert = detail.alert
    following = next((step for step in detail.steps if not step.told), None)
    if following is None:
        why = "it has told its last level" if detail.steps else "no escalation policy fits it"
        deck.tell(f"▲ {why}: A gives it to somebody", "warn")
        return
    command = f"opsdeck alerts escalate {alert.id}"
    question = Question(
        title="Tell the next level now?",
        environment=deck.context.environment,
        target=[
            ("alert", alert.headline),
            ("level", f"{following.level + 1} of policy {detail.policy}"),
            ("tells", ", ".join(following.notify) or "nobody"),
        ],
        consequence="They are notified at once; the alert is open until one of them takes it.",
        yes="Tell them",
        command=command,
    )

    def change(_signed: Signed) -> Change:
        return Change(
            group=f"alert/{alert.id}",
            title="escalate it",
            call=lambda ops: ops.alerts.escalate(alert.id),
            then=lambda done: f"escalated to level {done.level + 1}: {done.title}",
            command=command,
        )

    ask_first(deck, question, change)


def resolve(deck: Deck, alert: Alert) -> None:
    """Ask what it was (it may stay empty), then say that it is over."""

    def given(text: str | None) -> None:
        if text is not None:
            more = f" -m {shlex.quote(text)}" if text else ""
            _do(deck, alert, "resolve it", f"opsdeck alerts resolve {alert.id}{more}",
                lambda ops: ops.alerts.resolve(alert.id, text),
                lambda done: f"resolved: {done.title}")  # fmt: skip

    hint = "may stay empty; if it comes back it opens again by itself"
    deck.push_screen(TextField("Is it over?", "what it was", hint, yes="Resolve"), given)


def comment(deck: Deck, alert: Alert) -> None:
    """Leave a remark."""

    def given(text: str | None) -> None:
        if text:
            _do(deck, alert, "leave a remark",
                f"opsdeck alerts comment {alert.id} {shlex.quote(text)}",
                lambda ops: ops.alerts.comment(alert.id, text),
                lambda _done: "noted on its timeline")  # fmt: skip

    deck.push_screen(TextField("A remark for the timeline", alert.title, yes="Leave it"), given)


def retrain(deck: Deck, action: AlertAction) -> None:
    """Ask, then fire the trigger, or start the pipeline, that the action names."""
    words = shlex.split(action.command)
    by_trigger, name = words[1] == "triggers", words[3]
    question = Question(
        title=f"{action.label.capitalize()}?",
        environment=deck.context.environment,
        target=[("trigger" if by_trigger else "pipeline", name)],
        consequence="A run begins as if its trigger had fired; what it makes passes the same gate."
        if by_trigger
        else "A run begins with the pipeline's own parameters; its gate decides about it.",
        yes="Retrain",
        command=action.command,
    )

    def call(ops: Ops) -> Any:
        if by_trigger:
            return ops.triggers.fire(name, "asked from an alert")
        return ops.runs.start(name, {})

    def told(made: Any) -> str:
        if by_trigger:
            return f"trigger {name}: {made.decision}" + (f", {made.reason}" if made.reason else "")
        return f"started {made.label}"

    def change(_signed: Signed) -> Change:
        return Change("retrain", f"retrain with {name}", call, told, action.command)

    ask_first(deck, question, change)


def hold(deck: Deck, alert: Alert, action: AlertAction) -> None:
    """Look over the condition that the action proposes, then hold its rows."""
    from screens.dialogs.hold import HoldSheet

    if deck.context.read_only:
        deck.tell("▲ this session is read-only: rows are held by", "warn", command=action.command)
        return
    words = shlex.split(action.command)
    where, reason = (words[words.index(option) + 1] for option in ("--where", "--reason"))
    deck.push_screen(HoldSheet(action.subject, "" if where == "SQL" else where, reason, alert.id))


def _question(deck: Deck, alert: Alert, lasts: str) -> Question:
    return Question(
        title=f"Silence alerts like this for {lasts}?",
        environment=deck.context.environment,
        target=[("target", alert.target), ("kind", alert.kind)],
        consequence="They are recorded, but nobody is told and lists leave them out. It ends by"
        " itself; what is open then is told.",
        yes="Silence",
        command=f"opsdeck alerts silence {alert.id} --for {lasts} --reason …",
        danger=alert.severity == "critical",
        comment="reason",
        comment_needed=True,
    )


def _do(
    deck: Deck,
    alert: Alert,
    title: str,
    command: str,
    call: Callable[[Ops], Alert],
    then: Callable[[Alert], str],
) -> None:
    deck.change(Change(f"alert/{alert.id}", title, call, then, command))


def _seconds(lasts: str) -> float:
    from core import units

    return units.seconds(lasts)
