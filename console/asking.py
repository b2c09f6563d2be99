"""Questions to the person at the terminal, with friction by direction.

Going to production asks for the model's name; going back asks for one `y`. Where nobody
can be asked, the answer must have come as an option.
"""

from __future__ import annotations

import sys

import click

from console.session import Session
from core.errors import BadInput

PRODUCTION = "production"


def _can_ask(session: Session) -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty() and not session.json


def confirm_model(
    session: Session, model: str, given: str | None, consequence: str, *, what: str = "model"
) -> None:
    """Have the model's name (or that of `what`) typed out, unless `given` (of `--confirm`) is it.

    Raises `BadInput` for another name, and where there is nobody to ask.
    """
    if given is None:
        if not _can_ask(session):
            raise BadInput(
                f"{consequence}: this needs the {what}'s name as a confirmation",
                f"add --confirm {model}",
            )
        click.echo(consequence, err=True)
        given = click.prompt(f"Type the {what}'s name to go on", err=True, default="")
    if given != model:
        raise BadInput(
            f"confirmed {given!r}, but the {what} is {model!r}: nothing was done",
            f"type {model} to go on",
        )


def confirm_yes(session: Session, yes: bool, consequence: str) -> None:
    """Ask for a `y`, unless `yes`; leaves the command when the answer is no.

    Raises `BadInput` where there is nobody to ask.
    """
    if yes:
        return
    if not _can_ask(session):
        raise BadInput(f"{consequence}: this needs a confirmation", "add --yes")
    click.echo(consequence, err=True)
    if not click.confirm("Go on?", default=False, err=True):
        click.echo("nothing was done", err=True)
        raise click.exceptions.Exit(1)
