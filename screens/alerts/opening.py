"""Opening what an alert's evidence names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from screens.deck import Deck

if TYPE_CHECKING:
    from core.domain.alert import Alert

_DATA_PANES = {"quarantine": "held", "drift": "profile", "data_quality": "checks"}


def reference_of(alert: Alert) -> str:
    """The first thing that the evidence names, else what the alert is about."""
    given = alert.evidence.get("open", ())
    named = [given] if isinstance(given, str) else given if isinstance(given, list | tuple) else []
    return str(next(iter(named), alert.target))


def open_reference(deck: Deck, alert: Alert, command: str) -> None:
    """Show it on its own screen; what has none is told with the command that shows it, which is
    copied."""
    noun, _, rest = reference_of(alert).partition("/")
    name = rest.partition("@")[0]
    if noun == "endpoint":
        from screens.rollouts.screen import ReleaseScreen

        deck.push_screen(ReleaseScreen(name))
    elif noun == "run":
        deck.open_run(name)
    elif noun == "dataset":
        deck.go("data", f"{name}/{_DATA_PANES.get(alert.kind, 'overview')}")
    elif noun == "features":
        deck.go("features", name)
    elif noun == "model":
        deck.go("models")
    elif noun == "monitor":
        deck.go("monitors", name)
    elif noun == "alarm" and _monitor_of(alert):
        deck.go("monitors", f"{_monitor_of(alert)}/curves")
    elif command:
        deck.copy_to_clipboard(command)
        deck.tell(f"copied the command that shows {noun}/{name}", command=command)
    else:
        deck.tell(f"▲ nothing to open for {alert.target}", "warn")


def _monitor_of(alert: Alert) -> str:
    """The monitor whose metric an alarm looks at; "" where it looks at something else."""
    source, _, _ = str(alert.evidence.get("definition", "")).partition(":")
    return source.removeprefix("monitor/") if source.startswith("monitor/") else ""
