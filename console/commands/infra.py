"""`opsdeck infra`: a project's AWS infrastructure as CloudFormation stacks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.asking import confirm_model, confirm_yes
from console.failures import EXIT_REFUSED
from console.groups import noun
from console.output import emit
from console.session import Session, pass_session
from core.errors import ReadOnly

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.aws.infra import Infra, Place
    from core.aws.infra.diff import StackPlan
    from core.aws.infra.service import Plans
    from core.aws.infra.stacks import Event

WAIT_SECONDS = 4 * 3600.0
_DEFAULT_PROJECT = "opsdeck"


@noun("Stacks of a project on AWS: plan, deploy, drift, destroy, list.")
def command() -> None:
    """Group of the verbs on stacks."""


def _where(verb: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which stacks are meant."""
    for option in (
        click.option(
            "--templates",
            type=click.Path(path_type=Path, file_okay=False, exists=True),
            metavar="FOLDER",
            help="Templates of your own, LAYER.yaml, instead of those of Opsdeck.",
        ),
        click.option(
            "--project",
            envvar="OPSDECK_PROJECT",
            metavar="NAME",
            help="Begins the stacks' names (default: the workspace's name, else opsdeck).",
        ),
    ):
        verb = option(verb)
    return verb


def _values(verb: Callable[..., Any]) -> Callable[..., Any]:
    """The options that give parameters their values."""
    for option in (
        click.option(
            "--file",
            "files",
            multiple=True,
            metavar="KEY=FILE",
            help="Put FILE into the artifact bucket; the parameter says where it is.",
        ),
        click.option(
            "-p",
            "--parameters",
            multiple=True,
            metavar="KEY=VALUE",
            help="Or LAYER.KEY=VALUE, for one layer. What is left out stays as it is.",
        ),
    ):
        verb = option(verb)
    return verb


_LAYERS = click.argument("stacks", nargs=-1, metavar="[STACK]…")
_TIMEOUT = click.option(
    "--timeout", type=click.FloatRange(1, 7 * 86400), metavar="SECONDS", help="Wait no longer."
)
_CONFIRM = click.option("--confirm", metavar="NAME", help="The name, where nobody can type it.")


@command.command("plan")
@_LAYERS
@_values
@_where
@pass_session
def plan(
    session: Session,
    stacks: tuple[str, ...],
    parameters: tuple[str, ...],
    files: tuple[str, ...],
    project: str | None,
    templates: Path | None,
) -> None:
    """Show what deploying the stacks (all layers without a name) would do.

    A change set is made for each and taken away again; nothing is changed.
    """
    from console.infra_text import plans_text
    from core.aws.infra.values import read_given

    infra = _infra(session, project, templates, None)
    given = read_given(parameters, files, infra.templates)
    plans = infra.plan(_layers(infra, stacks), given, _teller(session))
    infra.discard(plans.stacks)
    emit(session, _plans_json(infra.place, plans), lambda: plans_text(session, infra.place, plans))


@command.command("deploy")
@_LAYERS
@_values
@click.option("--owner", metavar="NAME", help="Whom new stacks are labelled with (default: you).")
@click.option("--yes", is_flag=True, help="Do not ask, unless it is production or loses data.")
@_CONFIRM
@_TIMEOUT
@_where
@pass_session
def deploy(
    session: Session,
    stacks: tuple[str, ...],
    parameters: tuple[str, ...],
    files: tuple[str, ...],
    owner: str | None,
    yes: bool,
    confirm: str | None,
    timeout: float | None,
    project: str | None,
    templates: Path | None,
) -> None:
    """Make or change the stacks (all layers without a name), in order, and wait for the end.

    Layers that miss a parameter are left out unless they are named. A stack whose first creation
    failed is deleted first. Interrupted, AWS goes on: the same command takes up where it is.
    """
    from console.infra_text import consequence, plan_text, plans_text
    from core.aws.infra.values import read_given

    infra = _infra(session, project, templates, timeout, owner=owner)
    _refuse_read_only(session, infra, "deploy")
    given = read_given(parameters, files, infra.templates)
    tell = _teller(session)
    plans = infra.plan(_layers(infra, stacks), given, tell)
    try:
        session.say(plans_text(session, infra.place, plans))
        if plans.changing:
            what = consequence(infra.place, plans)
            if infra.place.protected or any(each.loses for each in plans.changing):
                _type_prefix(session, infra.place, confirm, what)
            else:
                confirm_yes(session, yes, what)
    except BaseException:
        infra.discard(plans.stacks)
        raise

    def begin(each: StackPlan) -> None:
        waited = not next(p for p in plans.stacks if p.layer == each.layer).exact
        session.say(plan_text(session, each) if waited else f"{each.stack}:")

    try:
        done = infra.deploy(plans, given, tell, begin)
    except KeyboardInterrupt:
        session.say("what was begun goes on at AWS; the same command takes up where it is")
        raise

    def text() -> str:
        if not done:
            return "nothing to do: every stack is as its template says"
        return "\n".join(f"{each.name} {each.status}" for each in done)

    emit(session, {**_place_json(infra.place), "deployed": done}, text)


@command.command("drift")
@_LAYERS
@_TIMEOUT
@_where
@pass_session
def drift(
    session: Session,
    stacks: tuple[str, ...],
    timeout: float | None,
    project: str | None,
    templates: Path | None,
) -> None:
    """Compare the stacks with what there really is; exits 1 where something differs."""
    from console.infra_text import drift_text

    infra = _infra(session, project, templates, timeout)
    found = infra.drift(_layers(infra, stacks))
    emit(session, {**_place_json(infra.place), "stacks": found}, lambda: drift_text(session, found))
    if any(each.drifted for each in found):
        raise click.exceptions.Exit(EXIT_REFUSED)


@command.command("destroy")
@_LAYERS
@click.option("--retain", is_flag=True, help="Keep what holds something: buckets, keys, images.")
@click.option("--unprotect", is_flag=True, help="End the protection against deletion first.")
@_CONFIRM
@_TIMEOUT
@_where
@pass_session
def destroy(
    session: Session,
    stacks: tuple[str, ...],
    retain: bool,
    unprotect: bool,
    confirm: str | None,
    timeout: float | None,
    project: str | None,
    templates: Path | None,
) -> None:
    """Delete the stacks (all without a name), each before those it is built on.

    Asks for the project's name and environment. Deletes nothing where a bucket holds objects.
    """
    from console.infra_text import destroy_consequence
    from core.aws.infra.destroying import refuse_full

    infra = _infra(session, project, templates, timeout)
    _refuse_read_only(session, infra, "destroy")
    going = infra.to_destroy(_layers(infra, stacks))
    if not going:
        emit(session, {**_place_json(infra.place), "destroyed": []}, lambda: "nothing is deployed")
        return
    full = infra.full(going)
    if not retain:
        refuse_full(full)
    what = destroy_consequence(infra.place, going, full, retain=retain)
    _type_prefix(session, infra.place, confirm, what)
    infra.destroy(going, _teller(session), retain=retain, unprotect=unprotect)
    names = [each.name for each in going]
    document = {**_place_json(infra.place), "destroyed": names, "kept": full if retain else []}
    emit(session, document, lambda: "\n".join(f"{name} destroyed" for name in names))


@command.command("parameters")
@click.argument("stack", metavar="STACK")
@_values
@_where
@pass_session
def parameters_(
    session: Session,
    stack: str,
    parameters: tuple[str, ...],
    files: tuple[str, ...],
    project: str | None,
    templates: Path | None,
) -> None:
    """Print a stack's parameters and tags as JSON, as CodePipeline's CloudFormation takes them.

    The values are those that deploying it now would give. Nothing is changed.
    """
    import json

    from core.aws.infra.values import read_given

    infra = _infra(session, project, templates, None)
    (layer,) = _layers(infra, (stack,))
    values = infra.values(layer, read_given(parameters, files, infra.templates))
    tags = infra.place.tags(infra.owner)
    document = {"Parameters": values, "Tags": tags}
    emit(session, document, lambda: json.dumps(document, indent=2))


@command.command("list")
@_where
@pass_session
def list_(session: Session, project: str | None, templates: Path | None) -> None:
    """List the layers in the order of deployment, and how their stacks stand."""
    from console.infra_text import list_text

    infra = _infra(session, project, templates, None)
    rows = infra.rows()
    document = {**_place_json(infra.place), "stacks": rows}
    emit(session, document, lambda: list_text(session, infra.place, rows))


def _infra(
    session: Session,
    project: str | None,
    templates: Path | None,
    timeout: float | None,
    *,
    owner: str | None = None,
) -> Infra:
    from core.aws.infra import Infra, Patience, Place, templates_in, templates_of_opsdeck

    known = templates_in(templates) if templates else templates_of_opsdeck()
    account = session.account()
    place = Place(
        project or _project_of(session),
        account.context.environment,
        account.account_id,
        account.region,
    )
    return Infra(
        account,
        place,
        known,
        owner or session.actor or _person(),
        Patience(timeout=timeout or WAIT_SECONDS),
    )


def _project_of(session: Session) -> str:
    """The workspace's name as a project's, or the default outside of a workspace."""
    from core.errors import NotAWorkspace
    from core.workspace import open_workspace

    try:
        name = open_workspace(session.workspace).name
    except NotAWorkspace:
        if session.workspace is not None:
            raise
        return _DEFAULT_PROJECT
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:20].strip("-")
    return plain if re.match(r"[a-z].", plain) else _DEFAULT_PROJECT


def _person() -> str:
    import getpass
    import os

    try:
        return os.environ.get("OPSDECK_ACTOR") or getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _type_prefix(session: Session, place: Place, given: str | None, consequence: str) -> None:
    """Have `<project>-<environment>` typed out, for production and for what loses data."""
    confirm_model(session, place.prefix, given, consequence, what="environment")


def _layers(infra: Infra, names: tuple[str, ...]) -> list[str]:
    """Layers by their own names or their stacks'."""
    return [name.removeprefix(f"{infra.place.prefix}-") for name in names]


def _refuse_read_only(session: Session, infra: Infra, verb: str) -> None:
    if session.read_only or infra.account.read_only:
        raise ReadOnly(
            f"infra {verb}: {infra.account.name} is read-only; nothing was sent",
            "leave out --read-only, or change the context",
        )


def _teller(session: Session) -> Callable[[Event], None]:
    from console.infra_text import event_text

    return lambda event: session.say(event_text(session, event))


def _place_json(place: Place) -> dict[str, Any]:
    return {
        "project": place.project,
        "environment": place.environment,
        "account": place.account_id,
        "region": place.region,
    }


def _plans_json(place: Place, plans: Plans) -> dict[str, Any]:
    stacks = [
        {
            "stack": each.stack,
            "layer": each.layer,
            "kind": each.kind,
            "exact": each.exact,
            "notes": each.notes,
            "parameters": each.parameters,
            "changes": each.changes,
        }
        for each in plans.stacks
    ]
    return {**_place_json(place), "stacks": stacks, "left_out": plans.left_out}
