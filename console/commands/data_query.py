"""`opsdeck data query`: SQL over datasets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.groups import Verb
from console.output import emit
from console.query_text import datasets_text, history_text, result_remark, result_text
from console.session import Session, pass_session
from core.errors import BadInput

if TYPE_CHECKING:
    from core.domain.query import QueryResult

SHOWN = 100
"""Rows of a table unless more are asked for."""


@click.command("query", cls=Verb)
@click.argument("sql", required=False)
@click.option(
    "--at",
    "versions",
    multiple=True,
    metavar="NAME=VERSION",
    help="Read this dataset as of a number, tag or time; may be repeated.",
)
@click.option("--limit", type=click.IntRange(0), help="Rows at most (a table: 100, else all).")
@click.option(
    "--format",
    "format_",
    type=click.Choice(("table", "csv", "json", "parquet")),
    help="json is one object a line; of --out it is known by the name.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write this file.")
@click.option("--timeout", type=click.FloatRange(0.1), metavar="SECONDS", help="End it after that.")
@click.option("--explain", is_flag=True, help="Show how it would run.")
@click.option("--history", is_flag=True, help="List what you asked before; SQL narrows it down.")
@click.option("--all", "everybody", is_flag=True, help="With --history: everybody's (admins).")
@pass_session
def query(
    session: Session,
    sql: str | None,
    versions: tuple[str, ...],
    limit: int | None,
    format_: str | None,
    out: Path | None,
    timeout: float | None,
    explain: bool,
    history: bool,
    everybody: bool,
) -> None:
    """Ask SQL of the datasets: one SELECT in DuckDB's words, "-" reads it from standard input.

    What you may not read is not there for it: columns, rows, masked values. It reads datasets
    and nothing else, and writes nothing.

    \b
      opsdeck data query "SELECT hr, avg(cnt) FROM rentals GROUP BY hr ORDER BY hr"
      opsdeck data query "SELECT count(*) FROM rentals@v1"
      opsdeck data query "FROM rentals" --at rentals=2026-11-01 --out rentals.parquet
      opsdeck data query "SUMMARIZE rentals"
    """
    if history:
        _refuse(sql and versions, "--history takes no --at")
        found = session.ops().queries.history(
            everybody=everybody, about=sql or "", limit=limit or 30
        )
        emit(session, {"queries": found}, lambda: history_text(session, found))
        return
    _refuse(everybody, "--all goes with --history")
    text = _statement(sql)
    at = dict(_version(each) for each in versions)
    if explain:
        plan = session.ops().queries.explain(text, at=at)
        emit(session, {"sql": text, "plan": plan}, lambda: plan)
        return
    if out is not None:
        _refuse(format_ == "table", "--out takes csv, json or parquet")
        done = session.ops().queries.export(
            text, out, format=format_, at=at, limit=limit, seconds=timeout
        )
        of = f" of {datasets_text(done.datasets)}" if done.datasets else ""
        emit(session, done, lambda: f"{out}: {done.rows:,} rows{of}, {done.bytes:,} bytes")
        return
    if format_ in ("csv", "json", "parquet") and not session.json:
        _refuse(format_ == "parquet" and session.terminal, "parquet is for --out FILE or a pipe")
        session.ops().queries.write(
            text, sys.stdout.buffer, format=format_, at=at, limit=limit, seconds=timeout
        )
        return
    shown = SHOWN if limit is None else limit
    result = session.ops().queries.run(text, at=at, limit=shown, seconds=timeout)
    document = _document(result)
    emit(session, document, lambda: result_text(session, result))
    session.say(result_remark(result))


def _document(result: QueryResult) -> dict[str, Any]:
    """A result for programs: rows as objects would lose columns of one name, so they are lists."""
    from core.query.exporting import plain

    return {
        "id": result.id,
        "sql": result.sql,
        "columns": result.columns,
        "rows": [[plain(value) for value in row] for row in result.rows],
        "total": result.total,
        "truncated": result.truncated,
        "milliseconds": round(result.milliseconds, 3),
        "datasets": result.datasets,
    }


def _statement(sql: str | None) -> str:
    if sql is None:
        raise BadInput("no SQL", 'for example: opsdeck data query "SELECT * FROM rentals LIMIT 5"')
    if sql != "-":
        return sql
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise BadInput("standard input: not UTF-8 text") from error


def _version(text: str) -> tuple[str, str]:
    name, sign, version = text.partition("=")
    if not (sign and name.strip() and version.strip()):
        raise BadInput(f"--at {text!r}: no name and version", "for example: --at rentals=v1")
    return name.strip(), version.strip()


def _refuse(when: Any, why: str) -> None:
    if when:
        raise BadInput(why)
