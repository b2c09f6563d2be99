"""What can be done in the Monitors mode."""

from __future__ import annotations

from screens.actions import Action, Context

SCOPE = "monitors"


def _monitor(context: Context) -> str | None:
    return None if context.monitor else "no monitor is selected"


def _runnable(context: Context) -> str | None:
    monitor = context.monitor
    if monitor is None:
        return "no monitor is selected"
    if monitor.state in ("broken", "gone"):
        return f"{monitor.name}: its file has to be mended first ({monitor.file})"
    return None


def _pausable(context: Context) -> str | None:
    why_not = _monitor(context)
    if why_not or context.monitor is None:
        return why_not
    return "it is paused already: u lets it go on" if context.monitor.state == "paused" else None


def _paused(context: Context) -> str | None:
    why_not = _monitor(context)
    if why_not or context.monitor is None:
        return why_not
    return None if context.monitor.state == "paused" else "it is not paused"


def _pane(name: str, help_: str) -> Action:
    return Action(
        f"monitors.{name}", name[0], name.capitalize(), SCOPE, help_, group="panes",
        enabled=_monitor,
    )  # fmt: skip


ACTIONS = (
    Action(
        "monitors.open", "", "Open", SCOPE, "the monitor on the whole screen", shown="⏎",
        enabled=_monitor, rank=1, command="opsdeck monitors show {monitor.name}",
    ),
    _pane("heat", "features over windows; enter shows a feature's distribution"),
    _pane("distribution", "one feature now and then"),
    _pane("curves", "numbers over windows, with their thresholds"),
    _pane("numbers", "every number of a window, with its definition"),
    _pane("violations", "what a window was found to be wrong in"),
    _pane("windows", "the newest windows"),
    _pane("baseline", "what it compares with"),
    _pane("about", "its definition, and how it is doing"),
    Action(
        "monitors.metric", "m", "Metric", SCOPE, "the next metric in map and curves",
        enabled=_monitor, rank=4,
    ),
    Action(
        "monitors.run", "e", "Evaluate now", SCOPE, "run it over what has come since",
        changes=True, enabled=_runnable, group="change", rank=2,
        command="opsdeck monitors run {monitor.name}",
    ),
    Action(
        "monitors.pause", "p", "Pause", SCOPE, "do not run it until somebody lets it go on",
        changes=True, enabled=_pausable, group="change", rank=3,
        command="opsdeck monitors pause {monitor.name}",
    ),
    Action(
        "monitors.resume", "u", "Go on", SCOPE, "let it run again", changes=True,
        enabled=_paused, group="change", command="opsdeck monitors resume {monitor.name}",
    ),
    Action(
        "monitors.watched", "o", "Open watched", SCOPE, "the endpoint or dataset that it watches",
        enabled=_monitor, rank=5,
    ),
)  # fmt: skip
"""The actions of the Monitors mode."""
