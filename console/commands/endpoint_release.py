"""Bringing a version to an endpoint and back: deploy, promote, hold, weight, abort, rollback."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from console.asking import PRODUCTION, confirm_model, confirm_yes
from console.deployment_wait import report_deployment
from console.endpoint_text import preview_text, receipt_text
from console.groups import Verb
from console.output import emit
from console.release_text import change_text, plan_text
from console.session import Session, pass_session
from console.strategy_options import read_strategy, strategy_of
from core.domain.release import lasting
from core.errors import BadInput
from core.workerbounds import parse_workers

if TYPE_CHECKING:
    from core.domain.preview import ChangePreview
    from core.domain.release import ReleasePlan
    from core.releases.presets import Option

DRY_RUN = click.option("--dry-run", is_flag=True, help="Say what would happen; do nothing.")
REASON = click.option("-m", "--reason", default="", help="Why, for the journal.")
CONFIRM = click.option(
    "--confirm", metavar="MODEL", help="The model's name, where production asks for it."
)


def following(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how a deployment is followed."""
    for option in (
        click.option("--timeout", type=click.FloatRange(0), metavar="SECONDS", help="So long."),
        click.option("--watch", is_flag=True, help="As --wait, and tell each event."),
        click.option("--wait", is_flag=True, help="Wait until it ends, or waits for a person."),
    ):
        command = option(command)
    return command


def attach(group: click.Group) -> None:
    """Put these verbs into the noun `endpoints`."""
    for verb in (deploy, promote, hold, weight, abort, rollback, plan):
        group.add_command(verb)


@click.command("deploy", cls=Verb)
@click.argument("name")
@click.option("--model", required=True, help="The registered model.")
@click.option("--version", required=True, help="A version number, an alias, or latest.")
@click.option("--strategy", metavar="PRESET|FILE", help="A preset, or a YAML file with a strategy.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Of the strategy.")
@click.option("--step", "steps", multiple=True, metavar="STEP", help="A step of the strategy.")
@click.option(
    "--workers", metavar="MIN:MAX", help="Bounds of its workers in each server (default: 1)."
)
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Port of a new endpoint (default: a free one)."
)
@click.option("--environment", metavar="NAME", help="Of a new endpoint (default: the workspace's).")
@click.option("--override", is_flag=True, help="Go past a gate that has not approved; say why.")
@click.option(
    "--force-alarms", is_flag=True, help="Although an alarm that it names is in ALARM; say why."
)
@click.option("-m", "--reason", default="", help="Why; for production it must be given.")
@CONFIRM
@DRY_RUN
@following
@pass_session
def deploy(
    session: Session,
    name: str,
    model: str,
    version: str,
    strategy: str | None,
    settings: tuple[str, ...],
    steps: tuple[str, ...],
    workers: str | None,
    port: int | None,
    environment: str | None,
    override: bool,
    force_alarms: bool,
    reason: str,
    confirm: str | None,
    dry_run: bool,
    wait: bool,
    watch: bool,
    timeout: float | None,
) -> None:
    """Bring a model version to the endpoint NAME, by a strategy.

    Presets: see opsdeck endpoints plan. Steps: set_weight=PERCENT; pause=TIME (30s, 5m);
    pause (until somebody promotes); bake=TIME; analyse[=TIME]; shadow=PERCENT:TIME;
    ask[=QUESTION]; window=WINDOW. The endpoint is made if there is none. With --wait or
    --watch: exits 0 when the version is in service, 1 when it is not, 7 when it was rolled
    back, 5 if the time is up, 6 if it is held or pauses until promoted.
    """
    _check_timeout(timeout, wait or watch)
    written = strategy_of(strategy, settings, steps)
    bounds = None if workers is None else parse_workers("--workers", workers)
    ops = session.ops()
    if dry_run:
        preview = ops.endpoints.preview_deploy(
            name, model, version, strategy=written, workers=bounds, environment=environment
        )
        _show(session, preview)
        return
    target = ops.endpoints.environment_for(name, environment)
    if target == PRODUCTION and not ops.read_only:
        found = ops.models.get(model, version)
        consequence = f"{found.name} version {found.version} goes to {PRODUCTION} at {name}"
        _for_production(session, found.name, reason, confirm, consequence)
    made = ops.endpoints.deploy(
        name,
        model,
        version,
        strategy=written,
        workers=bounds,
        port=port or 0,
        environment=environment,
        override=override,
        force_alarms=force_alarms,
        reason=reason,
    )
    report_deployment(session, made, "asked for", wait=wait, timeout=timeout, watch=watch)


def _check_timeout(timeout: float | None, waits: bool) -> None:
    if timeout is not None and not waits:
        raise BadInput("--timeout goes with --wait or --watch", "add --wait")


def _for_production(
    session: Session, model: str, reason: str, confirm: str | None, consequence: str
) -> None:
    """What going to production asks for: a reason, and the model's name typed out."""
    if not reason.strip():
        raise BadInput(f"{consequence}: this needs a reason", "add -m 'why'")
    confirm_model(session, model, confirm, consequence)


def _show(session: Session, preview: ChangePreview) -> None:
    emit(session, preview, lambda: change_text(session, preview))


@click.command("promote", cls=Verb)
@click.argument("name")
@click.option("--full", is_flag=True, help="Leave out all steps that remain.")
@click.option("-m", "--reason", default="", help="Why; with --full to production it must be given.")
@CONFIRM
@DRY_RUN
@following
@pass_session
def promote(
    session: Session,
    name: str,
    full: bool,
    reason: str,
    confirm: str | None,
    dry_run: bool,
    wait: bool,
    watch: bool,
    timeout: float | None,
) -> None:
    """End the present pause of what is being deployed, or let go on what is held."""
    _check_timeout(timeout, wait or watch)
    ops = session.ops()
    if dry_run:
        _show(session, ops.endpoints.preview("promote", name, full=full))
        return
    found = ops.endpoints.get(name)
    seen = None
    if full and found.environment == PRODUCTION and found.deployment and not ops.read_only:
        model = found.deployment.model
        consequence = f"all traffic of {name} goes to {model} version {found.deployment.version}"
        _for_production(session, model, reason, confirm, consequence)
        seen = found.deployment.id, found.deployment.step_index
    done = ops.endpoints.promote(name, full=full, reason=reason, seen=seen)
    report_deployment(session, done, "promoted", wait=wait, timeout=timeout, watch=watch)


@click.command("hold", cls=Verb)
@click.argument("name")
@REASON
@DRY_RUN
@pass_session
def hold(session: Session, name: str, reason: str, dry_run: bool) -> None:
    """Stop what is being deployed where it is, until somebody promotes it."""
    ops = session.ops()
    if dry_run:
        _show(session, ops.endpoints.preview("hold", name))
        return
    done = ops.endpoints.hold(name, reason)
    report_deployment(session, done, "held", wait=False, timeout=None)


@click.command("weight", cls=Verb)
@click.argument("name")
@click.argument("percent", type=float)
@REASON
@DRY_RUN
@pass_session
def weight(session: Session, name: str, percent: float, reason: str, dry_run: bool) -> None:
    """Give what is being deployed PERCENT of the traffic at once, and hold it there."""
    ops = session.ops()
    if dry_run:
        _show(session, ops.endpoints.preview("weight", name, percent=percent))
        return
    done = ops.endpoints.weight(name, percent, reason)
    report_deployment(session, done, f"held at {percent:g} %", wait=False, timeout=None)


@click.command("abort", cls=Verb)
@click.argument("name")
@REASON
@DRY_RUN
@pass_session
def abort(session: Session, name: str, reason: str, dry_run: bool) -> None:
    """End what is being deployed: all traffic goes to the stable version at once."""
    ops = session.ops()
    if dry_run:
        _show(session, ops.endpoints.preview("abort", name))
        return
    done = ops.endpoints.abort(name, reason)
    report_deployment(session, done, "aborted", wait=False, timeout=None)


@click.command("rollback", cls=Verb)
@click.argument("name")
@click.option("-m", "--reason", default="", help="Why, for the receipt.")
@click.option("--to", "to_version", type=click.IntRange(1, 2**31), help="To this version.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@DRY_RUN
@pass_session
def rollback(
    session: Session, name: str, reason: str, to_version: int | None, yes: bool, dry_run: bool
) -> None:
    """Go back to the last good version (or the one named) at once; prints the receipt."""
    ops = session.ops()
    if dry_run:
        preview = ops.endpoints.preview_rollback(name, to_version)
        emit(session, preview, lambda: f"{preview_text(preview)}\nnothing was done")
        return
    seen = None
    if not yes and not ops.read_only:
        preview = ops.endpoints.preview_rollback(name, to_version)
        confirm_yes(session, yes, preview_text(preview))
        seen = preview.from_revision
    receipt = ops.endpoints.rollback(name, to_version, reason, seen=seen)
    emit(session, receipt, lambda: receipt_text(session, receipt))


@click.command("plan", cls=Verb)
@click.argument("strategy", metavar="[PRESET|FILE]", required=False)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Of the strategy.")
@click.option(
    "--for",
    "target",
    type=click.Choice(["opsdeck", "sagemaker"]),
    default="opsdeck",
    show_default=True,
    help="In whose words: sagemaker gives the DeploymentConfig of UpdateEndpoint.",
)
@click.option("--workers", metavar="MIN:MAX", help="Bounds of the new version's workers.")
@click.option("--endpoint", metavar="NAME", help="With this endpoint's workers and schedule.")
@click.option("--variant", metavar="NAME", help="Its name there [default: AllTraffic].")
@pass_session
def plan(
    session: Session,
    strategy: str | None,
    settings: tuple[str, ...],
    target: str,
    workers: str | None,
    endpoint: str | None,
    variant: str | None,
) -> None:
    """Show a strategy: its steps, what is watched, and the same in SageMaker's words.

    Without an argument the presets and their settings. Needs no workspace, but for --endpoint.
    Where workers follow the load, SageMaker's words have the requests for its auto scaling
    beside the DeploymentConfig.
    """
    from core.releases.strategy import parse_plan, with_workers

    if target != "sagemaker" and (endpoint or variant):
        raise BadInput("--endpoint and --variant go with --for sagemaker")
    bounds = None if workers is None else parse_workers("--workers", workers)
    if strategy is None:
        _presets(session)
        return
    written = strategy_of(strategy, settings, ()) if settings else read_strategy(strategy)
    found = with_workers(parse_plan(written), bounds)
    if target == "opsdeck":
        emit(session, found, lambda: plan_text(session, found))
        return
    _for_sagemaker(session, found, endpoint, variant or "AllTraffic")


def _for_sagemaker(
    session: Session, found: ReleasePlan, endpoint: str | None, variant: str
) -> None:
    import json

    from core.releases.sagemaker import deployment_config, left_out
    from core.releases.sagemakerscaling import scaling
    from core.serving.config import EndpointConfig

    settings = EndpointConfig() if endpoint is None else session.ops().endpoints.config(endpoint)
    number = variant.removeprefix("r")
    revision = int(number) if variant != number and number.isdigit() else None
    config = deployment_config(found)
    scaled = scaling(found.workers, settings, endpoint or "ENDPOINT", variant, revision)
    for remark in left_out(found, scaled is not None):
        session.say(remark)
    if scaled is not None and endpoint is None:
        session.say("ENDPOINT stands for the endpoint's name: add --endpoint NAME")
    shown = config if scaled is None else {"DeploymentConfig": config, **scaled}
    emit(session, shown, lambda: json.dumps(shown, indent=2))


def _default(option: Option) -> str:
    """A setting's default as it may be written."""
    if option.form == "seconds":
        return lasting(option.default)
    return f"{option.default:g}"


def _presets(session: Session) -> None:
    from console.tables import Column, table
    from core.releases.presets import CATALOGUE

    listed = [
        {
            "name": preset.name,
            "about": preset.doc,
            "settings": {
                key: {"default": option.default, "unit": option.form, "about": option.doc}
                for key, option in preset.options.items()
            },
        }
        for preset in CATALOGUE.values()
    ]
    rows = [
        (p.name, p.doc, " ".join(f"{k}={_default(o)}" for k, o in p.options.items()))
        for p in CATALOGUE.values()
    ]
    columns = [Column("preset"), Column("what", flexible=True), Column("settings", flexible=True)]
    emit(session, {"presets": listed}, lambda: table(session, columns, rows))
