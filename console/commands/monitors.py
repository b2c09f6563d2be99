"""`opsdeck monitors`: scheduled checks of endpoints and datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from console import monitor_text as text
from console.commands import monitor_baseline, monitor_change, monitor_run
from console.groups import noun
from console.moments import moment
from console.output import emit
from console.session import Session, pass_session
from core.errors import NotFound

if TYPE_CHECKING:
    from core.domain.monitor import HeatMap, MonitorRunDetail


@noun("List, suggest, create, run and show monitors and their baselines.")
def command() -> None:
    """Group of the verbs on monitors."""


@command.command("list")
@click.option("--gone", is_flag=True, help="Also those that no file defines any more.")
@pass_session
def list_(session: Session, gone: bool) -> None:
    """List the monitors, with how each stands."""
    service = session.ops().monitors
    problems = service.problems() if session.read_only else service.sync()
    found = service.list(gone=gone)
    for problem in problems:
        session.say(problem.one_line())
    document = {"monitors": found, "problems": problems}
    emit(session, document, lambda: text.list_text(session, found))


@command.command("show")
@click.argument("name", metavar="NAME|RUN|NAME@WINDOW")
@click.option("--metric", default="", help="The metric of the features' map (default: the worst).")
@click.option("--windows", type=click.IntRange(1, 400), default=40, help="How many windows of it.")
@pass_session
def show(session: Session, name: str, metric: str, windows: int) -> None:
    """Show a monitor with its newest window; or one run with what it measured."""
    service = session.ops().monitors
    if "@" in name:
        run = service.find(name)
        emit(session, run, lambda: text.run_text(session, run))
        return
    try:
        found = service.get(name)
    except NotFound as missing:
        try:
            run = service.find(name)
        except NotFound:
            raise missing from None
        emit(session, run, lambda: text.run_text(session, run))
        return
    newest: MonitorRunDetail | None = None
    heat: HeatMap | None = None
    if found.last_run:
        newest = service.find(found.last_run)
        heat = service.measurements(name, metric=metric, windows=windows)
    document = {"monitor": found, "newest": newest, "features": _heat(heat)}
    emit(session, document, lambda: text.monitor_text(session, found, newest, heat))


def _heat(heat: HeatMap | None) -> object:
    if heat is None:
        return None
    return {
        "metric": heat.metric,
        "metrics": heat.metrics,
        "windows": [
            {"window": key, "start": start, "end": end, "state": state}
            for key, start, end, state in heat.windows
        ],
        "cells": list(heat.cells.values()),
    }


@command.command("runs")
@click.argument("name", required=False)
@click.option("--limit", type=click.IntRange(1, 5000), default=30, help="At most so many.")
@click.option("--since", metavar="TIME", help="Windows that end then or later, such as 2d.")
@click.option("--until", metavar="TIME", help="Windows that end before then.")
@click.option("--state", help="ok, violated, insufficient, failed or skipped.")
@pass_session
def runs(
    session: Session,
    name: str | None,
    limit: int,
    since: str | None,
    until: str | None,
    state: str | None,
) -> None:
    """List runs of one monitor, or of all, the newest windows first."""
    found = session.ops().monitors.runs(
        name,
        limit=limit,
        since=moment("--since", since),
        until=moment("--until", until),
        state=state,
    )
    emit(session, {"runs": found}, lambda: text.runs_text(session, found))


@command.command("distribution")
@click.argument("name")
@click.argument("feature")
@click.option("--window", default="", help="The window's key (default: the newest one).")
@pass_session
def distribution(session: Session, name: str, feature: str, window: str) -> None:
    """Show one feature's distribution in a window, beside the baseline's."""
    found = session.ops().monitors.distribution(name, feature, window)
    emit(session, found, lambda: text.distribution_text(session, found))


monitor_change.attach(command)
monitor_run.attach(command)
monitor_baseline.attach(command)
