"""`opsdeck pipelines`: what the workspace's files define."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Literal

import click

from console.failures import EXIT_REFUSED
from console.groups import noun
from console.output import emit
from console.session import Session, pass_session
from console.tables import Column, block, heading, table
from console.words import Cell, duration, number, state

if TYPE_CHECKING:
    from core.domain.pipeline import Param, PipelineSpec, StepSpec

FORMS = ("sagemaker", "asl", "cloudformation")
SERVICES = ("sagemaker", "stepfunctions")


@noun("List, show and validate the pipelines of the workspace.")
def command() -> None:
    """Group of the verbs on pipelines."""


@command.command("list")
@pass_session
def list_(session: Session) -> None:
    """List the pipelines with how many problems each file has."""
    files = session.ops().pipelines.list()

    def text() -> str:
        if not files:
            return "no pipelines yet: put a file under pipelines/ (see: opsdeck init --help)"
        columns = [Column("name"), Column("file", flexible=True), Column("state")]
        rows = [(each.name, each.path, _files_state(session, len(each.problems))) for each in files]
        return table(session, columns, rows)

    documents = [{"name": f.name, "path": f.path, "problems": f.problems} for f in files]
    emit(session, {"pipelines": documents}, text)


def _files_state(session: Session, problems: int) -> Cell:
    if not problems:
        return state("ok", terminal=session.terminal)
    cell = state("broken", terminal=session.terminal)
    return Cell(f"{cell.text}, {problems} problem{'s' * (problems > 1)}", cell.colour)


@command.command("show")
@click.argument("name")
@click.option("--as", "form", type=click.Choice(FORMS), help="As AWS would be told.")
@click.option("--on", "service", type=click.Choice(SERVICES), default=SERVICES[0], hidden=True)
@pass_session
def show(
    session: Session,
    name: str,
    form: Literal["sagemaker", "asl", "cloudformation"] | None,
    service: Literal["sagemaker", "stepfunctions"],
) -> None:
    """Show a pipeline's parameters and steps, or what AWS would be told.

    --as sagemaker prints a definition of SageMaker Pipelines, --as asl a state machine of Step
    Functions, --as cloudformation a template of the first (of the second with --on
    stepfunctions). No account is asked: what only it knows are placeholders; with --region
    or --context the images are that region's.
    """
    if form is not None:
        _show_compiled(session, name, form, service)
        return
    spec = session.ops().pipelines.show(name)
    emit(session, spec, lambda: _spec_text(session, spec))


def _show_compiled(
    session: Session,
    name: str,
    form: Literal["sagemaker", "asl", "cloudformation"],
    service: Literal["sagemaker", "stepfunctions"],
) -> None:
    region = _region(session)
    found = session.ops(beside_aws=True).pipelines.compiled(
        name, form, service=service, region=region
    )
    click.echo(json.dumps(found.document, indent=2, ensure_ascii=False))
    for placeholder, words in found.open.items():
        session.say(f"{placeholder}: {words}")
    for remark in found.remarks:
        session.say(f"note: {remark}")


def _region(session: Session) -> str:
    """The region that is named, by an option, a context or the environment."""
    if session.context:
        from core.aws.context import find_context

        return find_context(session.context, session.region or "").region
    named = (os.environ.get(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION"))
    return session.region or next((each for each in named if each), "")


def _spec_text(session: Session, spec: PipelineSpec) -> str:
    facts = [("pipeline", spec.name), ("file", spec.path), ("about", spec.description)]
    parts = [block(session, facts)]
    if spec.params:
        columns = [
            Column("parameter"),
            Column("type"),
            Column("default"),
            Column("about", flexible=True),
        ]
        rows = [(p.name, p.type, _default(p), p.description) for p in spec.params]
        parts.append(table(session, columns, rows))
    columns = [
        Column("step"),
        Column("kind"),
        Column("runs", flexible=True),
        Column("needs", flexible=True),
        Column("retries", right=True),
        Column("limit", right=True),
        Column("cache"),
    ]
    parts.append(table(session, columns, [_step_row(step) for step in spec.steps]))
    return "\n\n".join(parts)


def _default(param: Param) -> str:
    return "(required)" if param.required else number(param.default)


def _step_row(step: StepSpec) -> tuple[str, ...]:
    return (
        step.name,
        step.kind,
        step.target or "-",
        ", ".join(step.needs) or "-",
        str(step.retries),
        duration(step.timeout),
        "yes" if step.cache else "no",
    )


@command.command("validate")
@click.argument("name", required=False)
@pass_session
def validate(session: Session, name: str | None) -> None:
    """Check one pipeline's file, or all; every problem is reported at once.

    Exits 0 if there is none, 1 otherwise.
    """
    ops = session.ops()
    problems = ops.pipelines.validate(name)

    def text() -> str:
        if problems:
            return "\n".join(problem.one_line() for problem in problems)
        checked = name or f"{len(ops.pipelines.list())} pipelines"
        return heading(session, f"{checked}: no problems")

    emit(session, {"valid": not problems, "problems": problems}, text)
    if problems:
        raise click.exceptions.Exit(EXIT_REFUSED)
