"""`opsdeck endpoints`: what is served, changing it, and going back."""

from __future__ import annotations

from typing import Any

import click

from console.asking import PRODUCTION, confirm_model, confirm_yes
from console.commands import capture
from console.deployment_wait import report_deployment
from console.endpoint_text import endpoint_text, endpoints_text, preview_text, receipt_text
from console.groups import noun
from console.invoking import call_endpoint
from console.output import emit
from console.session import Session, pass_session
from core.errors import BadInput


@noun("List and show endpoints; deploy, promote, abort, roll back, invoke.")
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
    """Show an endpoint: revisions with set and actual weight, deployment, receipts."""
    found = session.ops().endpoints.get(name)
    emit(session, found, lambda: endpoint_text(session, found))


def split_steps(steps: tuple[str, ...]) -> list[dict[str, Any]] | None:
    """`set_weight=10`, `pause=30s` and `pause` as strategy steps; `None` for no step."""
    strategy: list[dict[str, Any]] = []
    for text in steps:
        kind, equals, value = text.partition("=")
        if kind == "set_weight" and equals:
            try:
                strategy.append({kind: float(value)})
            except ValueError as error:
                raise BadInput(
                    f"--step {text}: not a percentage", "for example: --step set_weight=10"
                ) from error
        elif kind == "pause":
            strategy.append({kind: value if equals else None})
        else:
            raise BadInput(
                f"--step {text}: neither set_weight=PERCENT nor pause[=TIME]",
                "for example: --step set_weight=10 --step pause=30s",
            )
    return strategy or None


@command.command("deploy")
@click.argument("name")
@click.option("--model", required=True, help="The registered model.")
@click.option("--version", required=True, help="A version number, an alias, or latest.")
@click.option("--step", "steps", multiple=True, metavar="STEP", help="A step of the strategy.")
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Port of a new endpoint (default: a free one)."
)
@click.option("--environment", metavar="NAME", help="Of a new endpoint (default: the workspace's).")
@click.option("--override", is_flag=True, help="Go past a gate that has not approved; say why.")
@click.option("-m", "--reason", default="", help="Why; for production it must be given.")
@click.option("--confirm", metavar="MODEL", help="The model's name, where production asks for it.")
@click.option("--wait", is_flag=True, help="Wait until it ends, or pauses until promoted.")
@click.option("--timeout", type=click.FloatRange(0), metavar="SECONDS", help="Wait so long.")
@pass_session
def deploy(
    session: Session,
    name: str,
    model: str,
    version: str,
    steps: tuple[str, ...],
    port: int | None,
    environment: str | None,
    override: bool,
    reason: str,
    confirm: str | None,
    wait: bool,
    timeout: float | None,
) -> None:
    """Bring a model version to the endpoint NAME, by the steps given.

    Steps: set_weight=PERCENT; pause=TIME (30s, 5m); pause (until somebody promotes).
    The endpoint is made if there is none. With --wait: exits 0 when the version is in
    service, 1 when it is not, 5 if the time is up, 6 if it pauses until promoted.
    """
    if timeout is not None and not wait:
        raise BadInput("--timeout goes with --wait", "add --wait")
    strategy = split_steps(steps)
    ops = session.ops()
    target = ops.endpoints.environment_for(name, environment)
    if target == PRODUCTION and not ops.read_only:
        found = ops.models.get(model, version)
        consequence = f"{found.name} version {found.version} goes to {PRODUCTION} at {name}"
        _for_production(session, found.name, reason, confirm, consequence)
    made = ops.endpoints.deploy(
        name,
        model,
        version,
        strategy=strategy,
        port=port or 0,
        environment=environment,
        override=override,
        reason=reason,
    )
    report_deployment(session, made, "asked for", wait=wait, timeout=timeout)


def _for_production(
    session: Session, model: str, reason: str, confirm: str | None, consequence: str
) -> None:
    """What going to production asks for: a reason, and the model's name typed out."""
    if not reason.strip():
        raise BadInput(f"{consequence}: this needs a reason", "add -m 'why'")
    confirm_model(session, model, confirm, consequence)


@command.command("promote")
@click.argument("name")
@click.option("--full", is_flag=True, help="Leave out all steps that remain.")
@click.option("-m", "--reason", default="", help="Why; with --full to production it must be given.")
@click.option("--confirm", metavar="MODEL", help="The model's name, where production asks for it.")
@pass_session
def promote(session: Session, name: str, full: bool, reason: str, confirm: str | None) -> None:
    """End the present pause of what is being deployed."""
    ops = session.ops()
    found = ops.endpoints.get(name)
    if full and found.environment == PRODUCTION and found.deployment and not ops.read_only:
        model = found.deployment.model
        consequence = f"all traffic of {name} goes to {model} version {found.deployment.version}"
        _for_production(session, model, reason, confirm, consequence)
    deployment = ops.endpoints.promote(name, full=full, reason=reason)
    report_deployment(session, deployment, "promoted", wait=False, timeout=None)


@command.command("start")
@click.argument("name")
@pass_session
def start(session: Session, name: str) -> None:
    """Bring up an endpoint whose processes were stopped, as it served then."""
    endpoint = session.ops().endpoints.start(name)
    emit(session, endpoint, lambda: f"endpoint {name} answers at {endpoint.url}")


@command.command("abort")
@click.argument("name")
@click.option("-m", "--reason", default="", help="Why, for the journal.")
@pass_session
def abort(session: Session, name: str, reason: str) -> None:
    """End what is being deployed: all traffic goes to the stable version at once."""
    deployment = session.ops().endpoints.abort(name, reason)
    report_deployment(session, deployment, "aborted", wait=False, timeout=None)


@command.command("rollback")
@click.argument("name")
@click.option("-m", "--reason", default="", help="Why, for the receipt.")
@click.option("--to", "to_version", type=click.IntRange(1, 2**31), help="To this version.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_session
def rollback(session: Session, name: str, reason: str, to_version: int | None, yes: bool) -> None:
    """Go back to the last good version (or the one named) at once; prints the receipt."""
    ops = session.ops()
    if not yes and not ops.read_only:
        preview = ops.endpoints.preview_rollback(name, to_version)
        confirm_yes(session, yes, preview_text(preview))
    receipt = ops.endpoints.rollback(name, to_version, reason)
    emit(session, receipt, lambda: receipt_text(session, receipt))


@command.command("invoke")
@click.argument("name")
@click.option("-d", "--data", required=True, metavar="@FILE|-|TEXT", help="The request's body.")
@click.option("-H", "--header", "headers", multiple=True, metavar="NAME:VALUE", help="A header.")
@click.option("--content-type", default="application/json", show_default=True)
@pass_session
def invoke(
    session: Session, name: str, data: str, headers: tuple[str, ...], content_type: str
) -> None:
    """Send one request to the endpoint and print the answer.

    Exits 0 for an answer of 2xx, 2 for one of 4xx (the request is at fault), 4 otherwise.
    """
    call_endpoint(session, name, data, headers, content_type)


capture.attach(command)
