"""`opsdeck demo`: the example workspace and the whole loop on it."""

from __future__ import annotations

from pathlib import Path

import click

from console.groups import Verb
from console.session import Session, pass_session


@click.command("demo", cls=Verb)
@click.argument("path", type=click.Path(path_type=Path), default="bike-demand")
@click.option("--headless", is_flag=True, help="Play the whole loop without a screen.")
@pass_session
def command(session: Session, path: Path, headless: bool) -> None:
    """Make the example workspace in PATH (default: bike-demand) and play the loop on it.

    Trains and releases a first model, trains a second, sends traffic, and opens the
    console with the second approval waiting for you. With --headless (or without a
    terminal) it decides and rolls back by itself, and exits 0 only if every outcome was
    as it should be.
    """
    from console.demo import run_demo

    raise click.exceptions.Exit(run_demo(session, path, headless=headless))
