"""What to do about an alert with one key, each with the command that does the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from core.alerting.around import Around, around, opens
from core.alerting.proposing import Proposal, proposal_of, shell_word
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
    "features": "opsdeck features show {name}",
    "model": "opsdeck models show {name}",
    "trigger": "opsdeck triggers show {name}",
    "deployment": "opsdeck endpoints show {name}",
}
"""The command that shows what an evidence names, by its sort."""


MOST_REASON = 160


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
    """The rows behind it into quarantine; what is held already; or the versions to go back to."""
    found = proposal_of(reader, alert)
    own = {each.removeprefix("dataset/") for each in near.own if each.startswith("dataset/")}
    names = [found.dataset] if found is not None else sorted(own or near.names("dataset"))
    held = _held(reader, alert, names[0]) if names else ""
    if held:
        command = f"opsdeck data quarantine show {held}"
        yield AlertAction("hold", f"see the held batch of {names[0]}", command, "", names[0])
    elif found is not None:
        yield _propose(reader, found, alert)
    elif own:
        label = f"put {names[0]} back to a version before"
        yield AlertAction("hold", label, f"opsdeck data rollback {names[0]}", "", names[0])
    elif near.names("endpoint") or names:
        yield _captured(near, names)


def _propose(reader: Reader, found: Proposal, alert: Alert) -> AlertAction:
    kinds = reader.rows("SELECT kind FROM datasets WHERE name = :name", name=found.dataset)
    seen = f", that {found.view} reads" if found.view else ""
    label = f"hold rows of {found.dataset}{seen}"
    if kinds and kinds[0]["kind"] == "view":
        reason = (
            f"{found.dataset} is a view, whose next refresh brings its rows back; hold them in"
            f" what it is made from: opsdeck lineage show {found.dataset}, then: opsdeck data"
            " quarantine hold"
        )
        return AlertAction("hold", label, "", reason, found.dataset)
    where = shell_word(found.where) if found.where else "SQL"
    why = shell_word(f"alert {alert.id}: {found.why}"[:MOST_REASON])
    command = f"opsdeck data quarantine hold {found.dataset} --where {where} --reason {why}"
    return AlertAction("hold", label, command, "", found.dataset)


def _captured(near: Around, names: list[str]) -> AlertAction:
    """Captured requests are rows of no dataset: what to do in place of holding them."""
    endpoints = sorted(near.names("endpoint"))
    label = f"opsdeck labels queue {endpoints[0]}" if endpoints else "opsdeck labels queue"
    other = f", or go back to good data: opsdeck data rollback {names[0]}" if names else ""
    reason = f"captured requests are in no dataset; have them labelled: {label}{other}"
    return AlertAction("hold", "hold rows", "", reason)


def _held(reader: Reader, alert: Alert, name: str) -> str:
    """The newest batch of a dataset that was held because of the alert, or since; or "" ."""
    since = 0.0 if alert.kind == "quarantine" else alert.opened_at
    rows = reader.rows(
        "SELECT id FROM quarantine WHERE dataset = :name AND state IN ('held', 'repaired')"
        " AND at >= :since ORDER BY at DESC LIMIT 1",
        name=name,
        since=since,
    )
    return str(rows[0]["id"]) if rows else ""


def _relabel(near: Around) -> Iterator[AlertAction]:
    for name in sorted(near.names("endpoint"))[:1]:
        yield AlertAction("relabel", "have rows labelled", f"opsdeck labels queue {name}")
