"""What to do about an alert with one key, each with the command that does the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from core.alerting.around import Around, around, opens
from core.domain.alert import Alert
from core.domain.alertview import AlertAction
from core.state.reading import Reader

SHOW = {
    "monitor": "opsdeck monitors show {name}",
    "alarm": "opsdeck alarms show {name}",
    "slo": "opsdeck slos show {name}",
    "endpoint": "opsdeck endpoints show {name}",
    "run": "opsdeck runs show {name}",
    "dataset": "opsdeck data show {name}",
    "model": "opsdeck models show {name}",
    "trigger": "opsdeck triggers show {name}",
    "deployment": "opsdeck endpoints show {name}",
}
"""The command that shows what an evidence names, by its sort."""


def actions_for(reader: Reader, root: Path, alert: Alert) -> tuple[AlertAction, ...]:
    """Everything that makes sense for the alert; what cannot be done now says why."""
    near = around(reader, alert)
    return (
        AlertAction("evidence", "open evidence", *_evidence(alert)),
        *_rollback(reader, near),
        *_retrain(root, near),
        *_hold(reader, alert, near),
        *_relabel(near),
    )


def evidence_of(alert: Alert) -> str:
    """What the console opens for an alert: the first thing its evidence names, or its target."""
    return next(iter(opens(alert)), alert.target)


def _evidence(alert: Alert) -> tuple[str, str]:
    noun, _, rest = evidence_of(alert).partition("/")
    name = rest.partition("@")[0]
    command = SHOW.get(noun, "")
    if alert.kind == "quarantine":
        return f"opsdeck data quarantine show {alert.id}", ""
    if not command:
        return "", f"nothing to open for {alert.target}"
    return command.format(name=name), ""


def _rollback(reader: Reader, near: Around) -> Iterator[AlertAction]:
    for name in sorted(near.names("endpoint"))[:1]:
        previous = reader.rows(
            "SELECT model, version FROM revisions WHERE endpoint = :name"
            " AND state IN ('previous', 'stable') ORDER BY state, revision DESC",
            name=name,
        )
        open_ones = reader.rows(
            "SELECT id FROM deployments WHERE endpoint = :name"
            " AND status IN ('queued', 'progressing', 'paused', 'held')",
            name=name,
        )
        way = len(previous) > 1 or bool(open_ones and previous)
        yield AlertAction(
            "rollback",
            f"roll {name} back",
            f"opsdeck endpoints rollback {name}",
            "" if way else f"{name} has no version to go back to",
        )


def _retrain(root: Path, near: Around) -> Iterator[AlertAction]:
    """The trigger that retrains the model, if there is one; else its pipeline."""
    from core.triggers.files import load_triggers

    pipelines, models = near.names("pipeline"), near.names("model")
    for name, trigger in sorted(load_triggers(root).definitions.items()):
        near_it = trigger.model in models or (not trigger.model and trigger.pipeline in pipelines)
        if near_it or name in near.names("trigger"):
            yield AlertAction("retrain", f"fire {name}", f"opsdeck triggers fire {name}")
            return
    for pipeline in sorted(pipelines)[:1]:
        yield AlertAction("retrain", f"retrain with {pipeline}", f"opsdeck runs start {pipeline}")


def _hold(reader: Reader, alert: Alert, near: Around) -> Iterator[AlertAction]:
    for name in sorted(near.names("dataset"))[:1]:
        held = reader.rows(
            "SELECT id FROM quarantine WHERE dataset = :name AND state = 'held'"
            " ORDER BY at DESC LIMIT 1",
            name=name,
        )
        if held:
            command = f"opsdeck data quarantine show {held[0]['id']}"
            yield AlertAction("hold", f"see the held batch of {name}", command, "", name)
        else:
            command = f"opsdeck data rollback {name}"
            yield AlertAction("hold", f"put {name} back to a version before", command, "", name)


def _relabel(near: Around) -> Iterator[AlertAction]:
    for name in sorted(near.names("endpoint"))[:1]:
        yield AlertAction("relabel", "have rows labelled", f"opsdeck labels queue {name}")
