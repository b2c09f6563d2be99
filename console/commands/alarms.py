"""`opsdeck alarms`: rules over any metric, how they stand, and trying what they do."""

from __future__ import annotations

import time
from typing import Any

import click

from console.alarm_text import alarm_text, history_text, list_text, points_text
from console.asking import confirm_yes
from console.groups import noun
from console.output import emit
from console.session import Session, pass_session
from core.errors import BadInput

STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")
NONE = "nothing has been measured yet; a worker records what endpoints and monitors do"
KINDS = ("state", "test", "action", "config")
NAMES = {"ok": "OK", "alarm": "ALARM", "insufficient": "INSUFFICIENT_DATA"}


@noun("List alarms over any metric, show and try them, switch what they do.")
def command() -> None:
    """Group of the verbs on alarms."""


@command.command("list")
@click.option("--state", "wanted", type=click.Choice([*NAMES]), help="Only those.")
@click.option("--about", metavar="SOURCE", help="Only of endpoint/NAME, monitor/NAME, slo/NAME.")
@pass_session
def list_(session: Session, wanted: str | None, about: str | None) -> None:
    """List the alarms, those that are off first."""
    found = session.ops().alarms.list(state=NAMES[wanted] if wanted else None, about=about)
    emit(session, {"alarms": found}, lambda: list_text(session, found))


@command.command("show")
@click.argument("name")
@pass_session
def show(session: Session, name: str) -> None:
    """Show an alarm: its rule, its state and why, its last datapoints, what it does."""
    service = session.ops().alarms
    alarm, events = service.get(name), service.history(name, limit=8)
    emit(
        session,
        {"alarm": alarm, "history": events},
        lambda: alarm_text(session, alarm, events),
    )


@command.command("history")
@click.argument("name", required=False)
@click.option(
    "--kind", type=click.Choice(["state", "test", "action", "config"]), help="Only those."
)
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@pass_session
def history(session: Session, name: str | None, kind: str | None, limit: int) -> None:
    """What happened to an alarm (or to all), newest first."""
    found = session.ops().alarms.history(name, kind=kind, limit=limit)
    emit(session, {"history": found}, lambda: history_text(session, found, named=name is None))


@command.command("metrics")
@click.argument("series", required=False, metavar="[SOURCE[:METRIC{dim=value}]]")
@click.option("--stat", default="Average", show_default=True, help="Or Sum, p99, …")
@click.option("--period", default="1m", show_default=True, help="Or window: as recorded.")
@click.option("-n", "--limit", type=click.IntRange(1, 5000), default=30, show_default=True)
@pass_session
def metrics(session: Session, series: str | None, stat: str, period: str, limit: int) -> None:
    """What can be measured, of everything or of a SOURCE; or one metric's datapoints.

    \b
    opsdeck alarms metrics endpoint/bike-demand
    opsdeck alarms metrics 'endpoint/bike-demand:latency{variant=champion}' --stat p99
    """
    service = session.ops().series
    if series is None or ":" not in series:
        names = service.list(series)
        emit(session, {"series": names}, lambda: "\n".join(each.words() for each in names) or NONE)
        return
    from core.alarms.definitions import series_named
    from core.units import seconds

    name = series_named(series)
    where = name.source, name.metric, name.dims
    if period == "window":
        points = service.latest(*where, count=limit, stat=stat)
    else:
        try:
            length = seconds(period if not period.isdigit() else int(period))
        except ValueError as error:
            raise BadInput(f"--period {period}: {error}", "such as 10s, 1m, 1h, window") from error
        since = time.time() - limit * length
        points = service.read(*where, since=since, period=length, stat=stat)
    document = {"series": name, "stat": stat, "datapoints": points}
    emit(session, document, lambda: points_text(session, points))


@command.command("create")
@click.argument("name")
@click.option("--metric", metavar="SOURCE:METRIC", help="endpoint/bike-demand:latency, …")
@click.option("--rule", help='Of other alarms: "ALARM(a) AND NOT OK(b)".')
@click.option("--threshold", help="A number, or band for what the metric's past foretells.")
@click.option("--comparison", help="> (default), >=, <, <=; of a band outside, above, below.")
@click.option("--stat", help="Average (default), Sum, Minimum, Maximum, SampleCount, p99, …")
@click.option("--period", help="Such as 1m (default), or window.")
@click.option("--datapoints", metavar="M/N", help="M of the last N periods (default: 1/1).")
@click.option("--missing", type=click.Choice(["missing", "ignore", "breaching", "notBreaching"]))
@click.option("--action", "actions", multiple=True, help="alert:critical, rollback, trigger:NAME.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any other key.")
@pass_session
def create(session: Session, name: str, **given: Any) -> None:
    """Write monitors/alarm-NAME.yaml with an alarm, and take it over.

    \b
    opsdeck alarms create slow --metric endpoint/bike-demand:latency --stat p99 \\
        --threshold 200 --datapoints 3/5 --action alert:critical
    """
    made = session.ops().alarms.create(name, definition_of(given))
    emit(
        session,
        made,
        lambda: (
            f"monitors/alarm-{name}.yaml: {made.definition.words()};"
            f" try it: opsdeck alarms test {name}"
        ),
    )


def definition_of(given: dict[str, Any]) -> dict[str, Any]:
    """What the options say, as a file has it. Raises `BadInput`."""
    import yaml

    plain = ("metric", "rule", "comparison", "stat", "period")
    data: dict[str, Any] = {key: given[key] for key in plain if given[key] is not None}
    if isinstance(data.get("period"), str) and data["period"].isdigit():
        data["period"] = int(data["period"])
    if given["threshold"] is not None:
        try:
            data["threshold"] = float(given["threshold"])
        except ValueError:
            data["threshold"] = given["threshold"]
    if given["datapoints"] is not None:
        enough, slash, many = given["datapoints"].partition("/")
        if not slash or not enough.isdigit() or not many.isdigit():
            raise BadInput(f"--datapoints {given['datapoints']}: not M/N", "such as 2/3")
        data |= {"evaluation_periods": int(many), "datapoints_to_alarm": int(enough)}
    if given["missing"] is not None:
        data["treat_missing_data"] = given["missing"]
    if given["actions"]:
        data["actions"] = list(given["actions"])
    for text in given["settings"]:
        key, equals, value = text.partition("=")
        if not equals:
            raise BadInput(f"--set {text}: not KEY=VALUE", "for example: --set minimum_samples=20")
        try:
            data[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise BadInput(f"--set {key}: not YAML", "quote it") from error
    return data


@command.command("test")
@click.argument("name")
@click.option("--state", "wanted", type=click.Choice([*NAMES]), default="alarm", show_default=True)
@click.option("--seconds", type=float, default=60.0, show_default=True, help="How long.")
@click.option("--act", is_flag=True, help="Also roll back and fire triggers, indeed.")
@click.option("--yes", is_flag=True, help="With --act: do not ask.")
@click.option("-m", "--reason", default="", help="Why, for the record.")
@pass_session
def test(
    session: Session, name: str, wanted: str, seconds: float, act: bool, yes: bool, reason: str
) -> None:
    """Set an alarm off by hand, to see what it does; it goes back by itself.

    People are told, with [test] before it. Rollbacks and triggers are only told of (see its
    history), unless --act is given.
    """
    service = session.ops().alarms
    if act and not session.ops().read_only:
        does = ", ".join(action.words() for action in service.get(name).definition.actions)
        confirm_yes(session, yes, f"alarm {name} does what it does, indeed: {does or 'nothing'}")
    done = service.test(name, state=NAMES[wanted], seconds=seconds, act=act, reason=reason)
    emit(
        session,
        done,
        lambda: (
            f"alarm {name}: {done.state} for {seconds:g} s, as a test;"
            f" what it did: opsdeck alarms history {name}"
        ),
    )


@command.command("enable")
@click.argument("name")
@click.option("-m", "--reason", default="", help="Why, for the record.")
@pass_session
def enable(session: Session, name: str, reason: str) -> None:
    """Have an alarm act again; one that is off now acts now."""
    done = session.ops().alarms.enable(name, reason)
    emit(session, done, lambda: f"alarm {name}: its actions are on")


@command.command("disable")
@click.argument("name")
@click.option("-m", "--reason", default="", help="Why: it must be given.")
@pass_session
def disable(session: Session, name: str, reason: str) -> None:
    """Have an alarm do nothing; it is evaluated all the same."""
    done = session.ops().alarms.disable(name, reason)
    emit(session, done, lambda: f"alarm {name}: its actions are off")


@command.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_session
def delete(session: Session, name: str, yes: bool) -> None:
    """Delete an alarm that has its file to itself; its history stays."""
    if not session.ops().read_only:
        session.ops().alarms.get(name)
        confirm_yes(session, yes, f"alarm {name} goes, with its file")
    session.ops().alarms.delete(name)
    emit(session, {"deleted": name}, lambda: f"alarm {name}: deleted")
