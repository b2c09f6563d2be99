"""`opsdeck demo`: the example workspace and the whole loop on it."""

from __future__ import annotations

from pathlib import Path

import click

from console.groups import Verb
from console.session import Session, pass_session


@click.command("demo", cls=Verb)
@click.argument("path", type=click.Path(path_type=Path), default="bike-demand")
@click.option("--headless", is_flag=True, help="Play the whole loop without a screen.")
@click.option("--aws", is_flag=True, help="On a simulated AWS account; needs no workspace.")
@click.option(
    "--speed",
    type=click.FloatRange(1, 1000),
    default=60.0,
    show_default=True,
    help="Hours of 2012 played in a second; with --aws its clock's seconds in one.",
)
@pass_session
def command(session: Session, path: Path, headless: bool, aws: bool, speed: float) -> None:
    """Make the example workspace in PATH (default: bike-demand) and play the loop on it.

    Trains and releases a first model, trains a second, plays the months of 2012 as
    traffic, and opens the console with the second approval waiting for you. As months
    pass, the model decays: watch the monitors (key -) and the alert (0), and approve what
    the trigger has trained. With --headless (or without a terminal) it decides by itself,
    gives a bad candidate traffic that goes back by itself, and exits 0 only if every
    outcome was as it should be.

    With --aws it starts a simulated AWS account on this machine and opens the console on it;
    with --headless it starts, approves and rolls back there, and checks what comes of it.
    """
    if aws:
        from console.demo.aws import run_aws_demo

        raise click.exceptions.Exit(run_aws_demo(session, headless=headless, speed=speed))
    from console.demo import run_demo

    raise click.exceptions.Exit(run_demo(session, path, headless=headless, speed=speed))
