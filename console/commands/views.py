"""`opsdeck views`: materialised views over datasets."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from console.asking import confirm_yes
from console.groups import noun
from console.output import emit
from console.session import Session, pass_session
from console.tables import Column, block, heading, table
from console.words import Cell, number, when
from core.errors import BadInput

if TYPE_CHECKING:
    from core.domain.view import Refreshed, View

_COLOURS = {"fresh": "green", "stale": "yellow", "failed": "red", "new": "bright_black"}


@noun("List, apply, refresh and drop materialised views.")
def command() -> None:
    """Group of the verbs on views."""


@command.command("list")
@pass_session
def list_(session: Session) -> None:
    """List the views, with how far they are behind their sources."""
    service = session.ops().views
    found = service.list()
    known = {view.name for view in found}
    waiting = [name for name in service.files() if name not in known]
    document = {"views": found, "files": waiting}
    emit(session, document, lambda: _list_text(session, found, waiting))


@command.command("show")
@click.argument("name")
@pass_session
def show(session: Session, name: str) -> None:
    """Show a view: its SQL, its sources, and how it is refreshed."""
    view = session.ops().views.get(name)
    emit(session, view, lambda: _view_text(session, view))


@command.command("apply")
@click.argument("name")
@pass_session
def apply(session: Session, name: str) -> None:
    """Take over the definition in views/NAME.sql.

    The file is a SELECT over datasets under a head of comments:

    \b
    -- description: rentals with the weather of the hour
    -- keys: hour          columns that make a row unique; with them a refresh
    --                     makes only the rows anew that new data touch
    -- every: 10m          how often the worker refreshes it
    """
    view = session.ops().views.apply(name)
    emit(session, view, lambda: f"view {name}: {_how(view)}; refresh it: "
         f"opsdeck views refresh {name}")  # fmt: skip


@command.command("refresh")
@click.argument("names", nargs=-1)
@click.option("--all", "all_", is_flag=True, help="All views, sources first.")
@click.option("--full", is_flag=True, help="Make all rows anew.")
@pass_session
def refresh(session: Session, names: tuple[str, ...], all_: bool, full: bool) -> None:
    """Bring views up to their sources."""
    service = session.ops().views
    if bool(names) == all_:
        raise BadInput("name views, or give --all", "for example: opsdeck views refresh --all")
    wanted = names or service.in_order()
    done = [service.refresh(name, full=full) for name in wanted]
    emit(session, {"refreshed": done}, lambda: "\n".join(_refreshed_text(each) for each in done))


@command.command("drop")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_session
def drop(session: Session, name: str, yes: bool) -> None:
    """Forget a view and drop its dataset (the file stays)."""
    view = session.ops().views.get(name)
    behind = [each.name for each in session.ops().views.list() if _reads(each, name)]
    told = f"; made from it: {', '.join(behind)}" if behind else ""
    confirm_yes(session, yes, f"view {name} and its {number(view.rows or 0)} rows go{told}")
    session.ops().views.drop(name)
    emit(session, {"dropped": name}, lambda: f"view {name}: dropped")


def _reads(view: View, name: str) -> bool:
    return any(lag.dataset == name for lag in view.sources)


def _how(view: View) -> str:
    if view.mode == "full":
        return f"refreshed in full each time: {view.why_full.get('', 'no source tells its keys')}"
    always = [f"changes of {name} take a full one" for name in view.why_full if name]
    return "; ".join([f"refreshed by {', '.join(view.keys)}", *always])


def _list_text(session: Session, found: tuple[View, ...], waiting: list[str]) -> str:
    lines = []
    if found:
        columns = [
            Column("view"),
            Column("state"),
            Column("rows", right=True),
            Column("refreshed"),
            Column("behind", flexible=True),
            Column("how", flexible=True),
        ]
        lines.append(table(session, columns, [_row(session, view) for view in found]))
    if waiting:
        lines.append(f"not applied yet: {', '.join(waiting)} (opsdeck views refresh NAME)")
    return "\n".join(lines) or "no views yet: write views/NAME.sql, see opsdeck views apply --help"


def _row(session: Session, view: View) -> tuple[Cell | str, ...]:
    return (
        view.name,
        Cell(view.state, _COLOURS[view.state]),
        number(view.rows) if view.rows is not None else "–",
        when(view.refreshed_at, terminal=session.terminal) if view.refreshed_at else "never",
        _behind(view) or "–",
        view.mode,
    )


def _behind(view: View) -> str:
    told = [f"{lag.dataset} by {lag.behind}" for lag in view.sources if lag.behind]
    since = view.stale_since
    return ", ".join(told) + (f", for {_span(time.time() - since)}" if since else "")


def _span(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _view_text(session: Session, view: View) -> str:
    terminal = session.terminal
    facts = block(
        session,
        [
            ("view", view.name),
            ("description", view.description),
            ("owner", view.owner),
            ("state", Cell(view.state, _COLOURS[view.state])),
            ("message", view.message),
            ("rows", number(view.rows) if view.rows is not None else "–"),
            ("snapshot", f"#{view.snapshot}" if view.snapshot else "–"),
            ("refreshed", when(view.refreshed_at, terminal=terminal) if view.refreshed_at else ""),
            ("every", _span(view.every) if view.every else "by hand"),
            ("refresh", _how(view)),
        ],
    )
    rows = [
        (
            lag.dataset,
            f"#{lag.seen}" if lag.seen else "–",
            f"#{lag.newest}" if lag.newest else "–",
            str(lag.behind),
        )
        for lag in view.sources
    ]
    columns = [Column("source"), Column("seen"), Column("newest"), Column("behind", right=True)]
    sql = "\n".join(f"  {line}" for line in view.sql.splitlines())
    return "\n".join([facts, "", table(session, columns, rows), "", heading(session, "SQL"), sql])


def _refreshed_text(done: Refreshed) -> str:
    if done.how == "nothing":
        return f"view {done.name}: nothing is new ({number(done.rows)} rows)"
    what = f"{number(done.keys)} keys" if done.keys is not None else "all rows"
    why = f" ({done.why_full})" if done.why_full else ""
    return (
        f"view {done.name}: {what} made anew{why} in {done.seconds:.2f} s;"
        f" {number(done.rows)} rows, snapshot #{done.snapshot}"
    )
