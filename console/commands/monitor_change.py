"""`opsdeck monitors create|pause|resume|delete`."""

from __future__ import annotations

from typing import Any

import click

from console.asking import confirm_yes
from console.groups import Verb
from console.output import emit
from console.session import Session, pass_session
from console.words import many
from core.errors import BadInput


def attach(command: click.Group) -> None:
    """Put these verbs under `monitors`."""
    for verb in (create, pause, resume, delete):
        command.add_command(verb)


@click.command("create", cls=Verb)
@click.argument("name")
@click.option("--kind", required=True, help="data_quality, drift, model_quality, bias, …")
@click.option("--watch", required=True, metavar="endpoint/NAME|dataset/NAME|features/NAME")
@click.option("--every", help='A duration, a cron line ("0 6 * * *") or new_data.')
@click.option("--window", help="Rows (500), a time (1h), or whole/added of a dataset.")
@click.option("--baseline", help="training, captured:7d, dataset:NAME@V, features:NAME@V, …")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any other key.")
@pass_session
def create(
    session: Session,
    name: str,
    kind: str,
    watch: str,
    every: str | None,
    window: str | None,
    baseline: str | None,
    settings: tuple[str, ...],
) -> None:
    """Write monitors/NAME.yaml with a monitor, and take it over.

    \b
    opsdeck monitors create demand-drift --kind drift --watch endpoint/bike-demand
    opsdeck monitors create rentals --kind data_quality --watch dataset/rentals \\
        --baseline dataset:rentals@1 --set 'segments=[season]'
    """
    data: dict[str, Any] = {"kind": kind, "watch": watch}
    data |= {key: value for key, value in (("every", every), ("baseline", baseline)) if value}
    if window:
        data["window"] = _window(window)
    data |= dict(map(_setting, settings))
    made = session.ops().monitors.create(name, data)
    emit(session, made, lambda: f"{made.file}: monitor {name}; run it: opsdeck monitors run {name}")


def _window(text: str) -> dict[str, Any]:
    if text in ("whole", "added"):
        return {"snapshot": text}
    return {"rows": int(text)} if text.isdigit() else {"time": text}


def _setting(text: str) -> tuple[str, Any]:
    import yaml

    key, found, value = text.partition("=")
    if not found or not key.strip():
        raise BadInput(f"--set {text!r}: not KEY=VALUE", "such as --set 'segments=[season]'")
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise BadInput(f"--set {key}: {value!r} is not YAML", "quote it") from error


@click.command("pause", cls=Verb)
@click.argument("name")
@click.option("--reason", default="", help="Why, for whoever wonders.")
@pass_session
def pause(session: Session, name: str, reason: str) -> None:
    """Let a monitor rest until it is resumed."""
    found = session.ops().monitors.pause(name, reason)
    emit(session, found, lambda: f"{name} is paused; go on: opsdeck monitors resume {name}")


@click.command("resume", cls=Verb)
@click.argument("name")
@pass_session
def resume(session: Session, name: str) -> None:
    """Have a paused monitor go on."""
    found = session.ops().monitors.resume(name)
    emit(session, found, lambda: f"{name} goes on")


@click.command("delete", cls=Verb)
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_session
def delete(session: Session, name: str, yes: bool) -> None:
    """Take a monitor out of its file, and forget its runs, baselines and files."""
    service = session.ops().monitors
    found = service.get(name)
    runs = len(service.runs(name, limit=100_000))
    confirm_yes(session, yes, f"monitor {name} ({found.file}) and its {many(runs, 'run')} go")
    service.delete(name)
    emit(session, {"deleted": name}, lambda: f"monitor {name} is gone")
