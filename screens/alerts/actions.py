"""What can be done in the Alerts mode."""

from __future__ import annotations

from screens.actions import Action, Context

SCOPE = "alerts"


def _selected(context: Context) -> str | None:
    return None if context.alert else "no alert is selected"


def _live(context: Context) -> str | None:
    alert = context.alert
    if alert is None:
        return "no alert is selected"
    return f"it was resolved by {alert.resolved_by}" if alert.state == "resolved" else None


def _open(context: Context) -> str | None:
    why_not = _live(context)
    if why_not is None and context.alert is not None and context.alert.state == "acknowledged":
        return f"{context.alert.acked_by} looks after it already: A gives it to somebody else"
    return why_not


def _silenced(context: Context) -> str | None:
    alert = context.alert
    if alert is None:
        return "no alert is selected"
    return None if alert.silence is not None else "it is not silenced"


def _pane(name: str, help_: str) -> Action:
    return Action(
        f"alerts.{name}", name[0], name.capitalize(), SCOPE, help_, group="panes",
        enabled=_selected,
    )  # fmt: skip


ACTIONS = (
    Action(
        "alerts.open", "", "Open evidence", SCOPE, "what it was raised for", shown="⏎",
        enabled=_selected, rank=2, command="{ref}",
    ),
    _pane("what", "what was found, with the numbers behind it"),
    _pane("do", "what to do: the runbook"),
    _pane("before", "what changed before it, the most suspicious first"),
    _pane("log", "its timeline: who did what"),
    _pane("notified", "who is on call, who was told and who is next"),
    Action(
        "alerts.ack", "a", "Ack", SCOPE, "say that you look after it", changes=True,
        enabled=_open, group="change", rank=1, command="opsdeck alerts ack {alert.id}",
    ),
    Action(
        "alerts.assign", "A", "Assign", SCOPE, "give it to somebody, who is told", changes=True,
        enabled=_live, group="change", rank=8, command="opsdeck alerts assign {alert.id} --to {to}",
    ),
    Action(
        "alerts.snooze", "z", "Snooze", SCOPE, "put it off; then it is open again", changes=True,
        enabled=_live, group="change", rank=5,
        command="opsdeck alerts snooze {alert.id} --for {time}",
    ),
    Action(
        "alerts.silence", "s", "Silence", SCOPE, "hide all alerts like it for a while",
        changes=True, enabled=_live, group="change", rank=6,
        command="opsdeck alerts silence {alert.id} --for {time} --reason {reason}",
    ),
    Action(
        "alerts.unsilence", "S", "End silence", SCOPE, "show again what is silenced", changes=True,
        enabled=_silenced, group="change",
        command="opsdeck alerts silences --end {alert.silence.id}",
    ),
    Action(
        "alerts.escalate", "e", "Escalate", SCOPE, "tell the next level now", changes=True,
        enabled=_live, group="change", rank=7, command="opsdeck alerts escalate {alert.id}",
    ),
    Action(
        "alerts.resolve", "v", "Resolve", SCOPE, "say that it is over", changes=True,
        enabled=_live, group="change", rank=3, command="opsdeck alerts resolve {alert.id}",
    ),
    Action(
        "alerts.comment", "c", "Comment", SCOPE, "leave a remark on its timeline", changes=True,
        enabled=_selected, group="change", rank=9,
        command="opsdeck alerts comment {alert.id} {text}",
    ),
    Action(
        "alerts.rollback", "R", "Roll back", SCOPE, "the endpoint, to its last good version",
        changes=True, dangerous=True, enabled=_selected, group="mend", rank=4,
        command="opsdeck endpoints rollback {endpoint} --yes",
    ),
    Action(
        "alerts.retrain", "t", "Retrain", SCOPE, "the model, on newer data", changes=True,
        enabled=_selected, group="mend", rank=10, command="opsdeck triggers fire {trigger}",
    ),
    Action(
        "alerts.hold", "H", "Hold data", SCOPE, "see the held batch, or go back to good data",
        enabled=_selected, group="mend",
    ),
    Action(
        "alerts.relabel", "L", "Relabel", SCOPE, "label rows that were asked", enabled=_selected,
        group="mend",
    ),
    Action("alerts.all", "f", "Hidden too", SCOPE, "show what is silenced or snoozed", rank=11),
)  # fmt: skip
"""The actions of the Alerts mode."""
