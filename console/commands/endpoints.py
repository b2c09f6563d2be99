"""`opsdeck endpoints`: what is served, and asking it. Its other verbs are modules of their own."""

from __future__ import annotations

from pathlib import Path

import click

from console.commands import capture, endpoint_admin, endpoint_release
from console.endpoint_text import endpoint_text, endpoints_text
from console.groups import noun
from console.invoking import call_endpoint
from console.output import emit
from console.session import Session, pass_session


@noun("List and show endpoints; make them, deploy, promote, roll back, invoke.")
def command() -> None:
    """Group of the verbs on endpoints."""


@command.command("list")
@pass_session
def list_(session: Session) -> None:
    """List the endpoints with what they serve and how they do."""
    found = session.ops().endpoints.list()
    emit(session, {"endpoints": found}, lambda: endpoints_text(session, found))


@command.command("show")
@click.argument("name")
@pass_session
def show(session: Session, name: str) -> None:
    """Show an endpoint: settings, revisions with set and actual weight, deployment, receipts."""
    endpoints = session.ops().endpoints
    found = endpoints.get(name)
    emit(session, found, lambda: endpoint_text(session, found, endpoints.config(name)))


@command.command("start")
@click.argument("name")
@pass_session
def start(session: Session, name: str) -> None:
    """Bring up an endpoint whose processes were stopped, as it served then."""
    endpoint = session.ops().endpoints.start(name)
    emit(session, endpoint, lambda: f"endpoint {name} answers at {endpoint.url}")


@command.command("invoke")
@click.argument("name")
@click.option("-d", "--data", required=True, metavar="@FILE|-|TEXT", help="The request's body.")
@click.option("-H", "--header", "headers", multiple=True, metavar="NAME:VALUE", help="A header.")
@click.option("--content-type", default="application/json", show_default=True)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    help="The endpoint's token (default: the environment's OPSDECK_ENDPOINT_TOKEN).",
)
@pass_session
def invoke(
    session: Session,
    name: str,
    data: str,
    headers: tuple[str, ...],
    content_type: str,
    token_file: Path | None,
) -> None:
    """Send one request to the endpoint and print the answer.

    Exits 0 for an answer of 2xx, 2 for one of 4xx (the request is at fault), 4 otherwise.
    """
    call_endpoint(session, name, data, headers, content_type, token_file)


endpoint_admin.attach(command)
endpoint_release.attach(command)
capture.attach(command)
