"""Waiting for what a worker does, and the exit status that says how it went."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from console.failures import EXIT_REFUSED, EXIT_TIMED_OUT, EXIT_WAITING
from console.output import emit
from console.progress import Progress
from console.session import Session
from console.words import duration, state
from core.errors import BadInput

if TYPE_CHECKING:
    from core.domain.run import Run


class Waiting(NamedTuple):
    """Whether to wait for a run, for how long (seconds), and whether past its gates."""

    wait: bool = False
    timeout: float | None = None
    through_gates: bool = False


def waiting_options(*, always: bool = False) -> Callable[[Any], Any]:
    """Decorator: gives a verb the options of waiting, handed on as one `waiting` argument.

    With `always` there is no `--wait`, because the verb does nothing else. Nonsense is
    refused before the verb has changed anything.
    """
    timeout = click.option("--timeout", type=click.FloatRange(0), metavar="SECONDS", help=_LIMIT)
    gates = click.option("--through-gates", is_flag=True, help="Wait for decisions at gates too.")
    wait = click.option("--wait", is_flag=True, help="Wait until it ends or waits at a gate.")

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def checked(
            *args: Any,
            timeout: float | None,
            through_gates: bool,
            wait: bool = always,
            **kwargs: Any,
        ) -> None:
            if not wait and (timeout is not None or through_gates):
                raise BadInput("--timeout and --through-gates go with --wait", "add --wait")
            if timeout is not None and math.isnan(timeout):
                raise BadInput("--timeout nan: not a number of seconds", "for example: 600")
            function(*args, waiting=Waiting(wait, timeout, through_gates), **kwargs)

        options = timeout(gates(checked))
        return options if always else wait(options)

    return decorate


_LIMIT = "Give up waiting after so long."


def split_pairs(given: Iterable[str], option: str) -> dict[str, str]:
    """`KEY=VALUE` arguments as a mapping; raises `BadInput` naming the option."""
    pairs: dict[str, str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise BadInput(
                f"{option} {text}: not KEY=VALUE", f"for example: {option} month=2012-01"
            )
        if key in pairs:
            raise BadInput(f"{option} {key}: given twice", "give each once")
        pairs[key] = value
    return pairs


def report_run(session: Session, run: Run, said: str, waiting: Waiting) -> None:
    """Print the run, after waiting for it if asked; leaves by an exit status that tells."""
    if not waiting.wait:
        emit(session, run, lambda: f"run {run.number} of {run.pipeline} {said}")
        return
    if said:
        session.say(f"run {run.number} of {run.pipeline} {said}")
    ended = _wait(session, run, waiting)
    status = run_status(ended, through_gates=waiting.through_gates)
    emit(session, ended, lambda: _outcome(session, ended, status))
    if status:
        raise click.exceptions.Exit(status)


def _wait(session: Session, run: Run, waiting: Waiting) -> Run:
    ops = session.ops()
    try:
        with Progress(ops, run.id, colour=session.colour, quiet=session.json):
            return ops.runs.wait(
                run.id, timeout=waiting.timeout, through_gates=waiting.through_gates
            )
    except KeyboardInterrupt:
        session.say(f"\nrun {run.number} goes on; stop it with: opsdeck runs cancel {run.number}")
        raise


def run_status(run: Run, *, through_gates: bool) -> int:
    """The exit status for a run that was waited for."""
    if run.status == "succeeded":
        return 0
    if run.status.ended:
        return EXIT_REFUSED
    if run.status == "waiting" and not through_gates:
        return EXIT_WAITING
    return EXIT_TIMED_OUT


def _outcome(session: Session, run: Run, status: int) -> str:
    word = state(run.status, terminal=session.terminal)
    shown = click.style(word.text, fg=word.colour) if session.colour else word.text
    line = f"run {run.number} of {run.pipeline}: {shown}"
    if run.started_at is not None and run.ended_at is not None:
        line += f" in {duration(run.ended_at - run.started_at)}"
    if run.message:
        line += f": {run.message}"
    if status == EXIT_TIMED_OUT:
        line += " (the time to wait is up; it goes on)"
    if run.status == "waiting":
        line += "\ndecide with: opsdeck approvals list"
    return line
