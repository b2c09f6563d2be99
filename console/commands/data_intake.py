"""`opsdeck data intake` and `intakes`: records that come one by one."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any

import click

from console.groups import Verb
from console.ingest_text import intakes_text
from console.moments import size_of
from console.output import emit
from console.session import Session, pass_session
from core.errors import BadInput
from core.ingest.errors import SpoolBroken


@click.command("intake", cls=Verb)
@click.argument("name")
@click.option("--dataset", metavar="DATASET", help="Where records go (kept for the next time).")
@click.option("--host", default="127.0.0.1", show_default=True, help="Others need --token-env.")
@click.option("--port", type=int, default=0, help="To listen on (default: a free one).")
@click.option("--token-env", metavar="NAME", help="The variable with the token of who may write.")
@click.option("--flush-bytes", metavar="SIZE", default="16MiB", show_default=True)
@click.option("--flush-seconds", type=float, default=10.0, show_default=True)
@click.option("--max-body", metavar="SIZE", default="8MiB", show_default=True)
@click.option("--max-spool", metavar="SIZE", default="1GiB", show_default=True)
@click.option("--evolve", is_flag=True, help="Let records bring new columns.")
@click.option("--stdin", is_flag=True, help="Read standard input to its end instead of serving.")
@click.option("--format", "kind", type=click.Choice(("jsonl", "csv")), help="Of standard input.")
@click.option("--on-error", type=click.Choice(("fail", "skip")), help="At bad lines of --stdin.")
@click.option("--flush", is_flag=True, help="Only flush what a killed process has left.")
@click.option("--remove", is_flag=True, help="Take the intake off the list.")
@pass_session
def intake(
    session: Session,
    name: str,
    dataset: str | None,
    host: str,
    port: int,
    token_env: str | None,
    flush_bytes: str,
    flush_seconds: float,
    max_body: str,
    max_spool: str,
    evolve: bool,
    stdin: bool,
    kind: str | None,
    on_error: str | None,
    flush: bool,
    remove: bool,
) -> None:
    """Take records into a dataset as they come: POST them to /records, or pipe them in.

    A record is answered with 202 once it is on the disk; every --flush-seconds or --flush-bytes
    what has come is committed. Ctrl-C or SIGTERM flushes and ends.

    \b
      opsdeck data intake clicks --dataset clicks --port 8200
      curl -d '{"at": "2026-11-22T08:00:00", "page": "/"}' localhost:8200/records
      tail -f app.jsonl | opsdeck data intake clicks --dataset clicks --stdin
    """
    if sum((stdin, flush, remove)) > 1:
        raise BadInput("--stdin, --flush and --remove are different things", "give one of them")
    if (kind or on_error) and not stdin:
        raise BadInput("--format and --on-error go with --stdin", "leave them out")
    intakes = session.ops().intakes
    if remove:
        intakes.remove(name)
        emit(session, {"removed": name}, lambda: f"intake {name} removed")
        return
    if flush:
        _ended(session, name, intakes.flush(name), "flushed")
        return
    sizes: dict[str, Any] = {
        "flush_bytes": size_of("--flush-bytes", flush_bytes),
        "flush_seconds": flush_seconds,
        "spool_bytes": size_of("--max-spool", max_spool),
        "evolve": evolve,
    }
    if stdin:
        report = intakes.read(
            name,
            sys.stdin.buffer,
            dataset,
            kind=kind or "jsonl",
            on_error=on_error or "fail",
            stopper=_on_signals,
            **sizes,
        )
        skipped = f", {report.skipped:,} skipped" if report.skipped else ""
        emit(session, report, lambda: f"intake {name}: {report.accepted:,} records{skipped}")
        if not report.flushed:
            _ended(session, name, False, "")
        return

    def ready(url: str) -> None:
        emit(
            session,
            {"name": name, "url": url, "state": "listening"},
            lambda: f"intake {name} listens at {url}/records (Ctrl-C flushes and ends)",
        )
        sys.stdout.flush()

    done = intakes.serve(
        name,
        dataset,
        host=host,
        port=port,
        token_env=token_env,
        body_bytes=size_of("--max-body", max_body) or 0,
        ready=ready,
        **sizes,
    )
    _ended(session, name, done, "ended, all flushed")


def _on_signals(stop: Callable[[], None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop())


def _ended(session: Session, name: str, done: bool, said: str) -> None:
    if not done:
        raise SpoolBroken(
            f"intake {name}: records are left in its spool; they are safe there",
            f"see why: opsdeck data intakes; try again: opsdeck data intake {name} --flush",
        )
    session.say(f"intake {name} {said}")


@click.command("intakes", cls=Verb)
@pass_session
def intakes(session: Session) -> None:
    """List the intakes: whether they run, where, and what waits in their spools."""
    found = session.ops().intakes.list()
    emit(session, {"intakes": found}, lambda: intakes_text(session, found))
