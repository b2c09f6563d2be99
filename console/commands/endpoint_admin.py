"""Making an endpoint, changing how it serves, and taking it away."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from console.asking import confirm_model
from console.endpoint_text import endpoint_text
from console.groups import Verb
from console.invoking import TOKEN_VARIABLE, read_token
from console.moments import size_of
from console.output import emit
from console.release_text import change_text
from console.schedule_file import read_schedule
from console.session import Session, pass_session
from core.errors import BadInput
from core.workerbounds import parse_workers


def attach(group: click.Group) -> None:
    """Put these verbs into the noun `endpoints`."""
    for verb in (create, configure, delete):
        group.add_command(verb)


def _settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how an endpoint serves; each is `None` where it is left out."""
    number = click.FloatRange(0)
    for option in (
        click.option("--capture-rate", type=float, help="Share of the requests captured, 0 to 1."),
        click.option("--capture-cap", metavar="SIZE", help="Captured at most: 500MB, 1GiB."),
        click.option("--onnx/--no-onnx", default=None, help="Convert models where proven equal."),
        click.option(
            "--features",
            metavar="VIEW@VERSION,…",
            help="Views that models loaded from now on read, where they name none; or: none.",
        ),
        click.option("--read-timeout", type=number, metavar="SECONDS", help="For a slow client."),
        click.option("--predict-timeout", type=number, metavar="SECONDS", help="Then 504."),
        click.option("--max-connections", type=int, help="Open at once in each server."),
        click.option("--max-concurrency", type=int, help="Answered at once by each server."),
        click.option("--max-body", metavar="SIZE", help="Of a request: 8MiB."),
        click.option(
            "--schedule",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Other bounds in windows of the week: a YAML list.",
        ),
        click.option("--target-per-worker", type=number, help="Requests aimed at for each."),
        click.option(
            "--max-workers", type=int, help="A variant's threads in each server, at most."
        ),
        click.option("--min-workers", type=int, help="And at least."),
        click.option("--target-in-flight", type=number, help="Aimed at in each server."),
        click.option("--max-servers", type=int, help="At most so many server processes."),
        click.option("--min-servers", type=int, help="At least so many server processes."),
        click.option("--host", help="Address to listen on; 0.0.0.0 lets others in."),
        click.option(
            "--token-file",
            type=click.Path(path_type=Path),
            help="Ask clients for this token; only its digest is kept.",
        ),
    ):
        command = option(command)
    return command


def _read(given: dict[str, Any]) -> dict[str, Any]:
    """The settings that were given, by their names in the configuration."""
    found = {key: value for key, value in given.items() if value is not None}
    if "max_body" in found:
        found["max_body"] = size_of("--max-body", found["max_body"])
    if "capture_cap" in found:
        found["capture_bytes"] = size_of("--capture-cap", found.pop("capture_cap"))
    if "features" in found:
        listed = [name.strip() for name in found["features"].split(",")]
        found["features"] = tuple(name for name in listed if name not in ("", "none"))
    if "schedule" in found:
        found["schedule"] = read_schedule(found["schedule"])
    return found


def _of_variant(text: str) -> tuple[int, tuple[int, int] | None]:
    """`r7=1:4` as the revision and its bounds; `r7=` is none of its own."""
    name, equals, bounds = text.partition("=")
    number = name.strip().removeprefix("r")
    if not equals or not (number.isascii() and number.isdigit()):
        raise BadInput(f"--variant-workers {text}: not rN=MIN:MAX", "for example: r7=1:4")
    told = bounds.strip()
    return int(number), parse_workers(f"--variant-workers {text}", told) if told else None


@click.command("create", cls=Verb)
@click.argument("name")
@click.option("--port", type=click.IntRange(1, 65535), help="Default: a free one.")
@click.option("--environment", metavar="NAME", help="Default: the workspace's.")
@click.option("--token-from-env", is_flag=True, help=f"Take the token from {TOKEN_VARIABLE}.")
@_settings
@pass_session
def create(
    session: Session,
    name: str,
    port: int | None,
    environment: str | None,
    token_from_env: bool,
    token_file: Path | None,
    **given: Any,
) -> None:
    """Make an endpoint without a version; it answers from its first deployment on."""
    if token_from_env and token_file is not None:
        raise BadInput("--token-from-env and --token-file exclude each other")
    token = None if token_file is None else read_token(token_file)
    if token_from_env:
        token = os.environ.get(TOKEN_VARIABLE, "")
        if not token:
            raise BadInput(f"{TOKEN_VARIABLE} is not set", "export it, or give --token-file")
    made = session.ops().endpoints.create(
        name, port=port or 0, environment=environment, token=token, settings=_read(given)
    )
    emit(session, made, lambda: f"endpoint {name} made in {made.environment}")


@click.command("configure", cls=Verb)
@click.argument("name")
@click.option("--no-token", is_flag=True, help="Ask clients for no token any more.")
@click.option("--no-schedule", is_flag=True, help="The same bounds all week.")
@click.option(
    "--variant-workers",
    "of_variants",
    multiple=True,
    metavar="rN=MIN:MAX",
    help="Workers of one variant; rN= for the endpoint's again.",
)
@_settings
@pass_session
def configure(
    session: Session,
    name: str,
    no_token: bool,
    no_schedule: bool,
    of_variants: tuple[str, ...],
    token_file: Path | None,
    **given: Any,
) -> None:
    """Change how an endpoint serves; what is left out stays. At once where it runs."""
    if no_schedule and given.get("schedule") is not None:
        raise BadInput("--no-schedule and --schedule exclude each other")
    if no_token and token_file is not None:
        raise BadInput("--no-token and --token-file exclude each other")
    token = "" if no_token else None if token_file is None else read_token(token_file)
    settings = _read(given) | ({"schedule": ()} if no_schedule else {})
    workers = dict(_of_variant(text) for text in of_variants)
    if not settings and token is None and not workers:
        raise BadInput("nothing to change", "see: opsdeck endpoints configure --help")
    endpoints = session.ops().endpoints
    found = endpoints.configure(name, token=token, settings=settings, workers=workers)
    emit(session, found, lambda: endpoint_text(session, found, endpoints.config(name)))


@click.command("delete", cls=Verb)
@click.argument("name")
@click.option("--force", is_flag=True, help="Also while it serves or something is deployed.")
@click.option("--confirm", metavar="NAME", help="The endpoint's name, where nobody can be asked.")
@click.option("-m", "--reason", default="", help="Why, for the journal.")
@click.option("--dry-run", is_flag=True, help="Say what would happen; do nothing.")
@pass_session
def delete(
    session: Session, name: str, force: bool, confirm: str | None, reason: str, dry_run: bool
) -> None:
    """Stop an endpoint and delete its files; its journal and its receipts stay."""
    ops = session.ops()
    # Before a name is asked for: what is refused needs none.
    preview = ops.endpoints.preview("delete", name, force=force)
    if dry_run:
        emit(session, preview, lambda: change_text(session, preview))
        return
    if not ops.read_only:
        consequence = f"endpoint {name} ends; its logs and captured requests are deleted"
        confirm_model(session, name, confirm, consequence, what="endpoint")
    ops.endpoints.delete(name, force=force, reason=reason)
    emit(session, {"deleted": name}, lambda: f"endpoint {name} deleted")
