"""`opsdeck data validate|validations|suggest|constraints`: expectations and whether they hold."""

from __future__ import annotations

import json
from pathlib import Path

import click

from console.groups import Verb
from console.output import emit
from console.quality_text import expectations_text, validation_text, validations_text
from console.session import Session, pass_session
from core.errors import BadInput


@click.command("validate", cls=Verb)
@click.argument("name", metavar="NAME[@VERSION]")
@click.option("--at", metavar="VERSION", help="A number, tag, branch or time, not the newest.")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    help="These expectations instead of expectations/NAME.yaml.",
)
@click.option("--all", "all_", is_flag=True, help="Checks that passed, too.")
@click.option("--lint", is_flag=True, help="Only read the file; list all that is wrong with it.")
@pass_session
def validate(
    session: Session, name: str, at: str | None, file: Path | None, all_: bool, lint: bool
) -> None:
    """Ask a dataset for what its file of expectations says.

    Exits 0 where nothing of severity error failed (with --lint: nothing is wrong), else 1.
    """
    dataset, _, version = name.partition("@")
    if version and at:
        raise BadInput("NAME@VERSION and --at are the same thing", "give one of them")
    quality = session.ops().quality
    if lint:
        problems = quality.lint(dataset, file)
        emit(
            session,
            {"problems": problems},
            lambda: "\n".join(each.one_line() for each in problems) or f"{dataset}: nothing wrong",
        )
        if problems:
            click.get_current_context().exit(1)
        return
    found = quality.validate(dataset, at or version or None, file=file)
    emit(session, found, lambda: validation_text(session, found, all_=all_))
    if not found.passed:
        click.get_current_context().exit(1)


@click.command("validations", cls=Verb)
@click.argument("name", required=False)
@click.option("--id", "ref", metavar="ID", help="One of them, with all of its checks.")
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@pass_session
def validations(session: Session, name: str | None, ref: str | None, limit: int) -> None:
    """List what came of validations of snapshots and batches, newest first."""
    quality = session.ops().quality
    if ref is not None:
        one = quality.validation(ref)
        emit(session, one, lambda: validation_text(session, one, all_=True))
        return
    found = quality.validations(name, limit)
    emit(session, {"validations": found}, lambda: validations_text(session, found))


@click.command("suggest", cls=Verb)
@click.argument("name", metavar="NAME[@VERSION]")
@click.option("--force", is_flag=True, help="Write over the file that is there.")
@click.option("--print", "print_", is_flag=True, help="Print it; write nothing.")
@pass_session
def suggest(session: Session, name: str, force: bool, print_: bool) -> None:
    """Write expectations/NAME.yaml from what holds in a version that is known to be good.

    Bounds have room; what merely held so far is a warning. Read it before you trust it.
    """
    dataset, _, at = name.partition("@")
    path, text = session.ops().quality.suggest(dataset, at or None, force=force, write=not print_)
    if print_:
        emit(session, {"text": text}, lambda: text.rstrip("\n"))
        return
    emit(session, {"path": path, "text": text}, lambda: f"expectations of {dataset}: {path}")


@click.command("expectations", cls=Verb)
@click.argument("name", required=False)
@click.option("--schema", is_flag=True, help="Print the JSON Schema of such files, for editors.")
@pass_session
def expectations(session: Session, name: str | None, schema: bool) -> None:
    """List what the dataset NAME is expected to be like, check by check."""
    if schema == (name is not None):
        raise BadInput("give either NAME or --schema")
    if schema:
        from core.quality.schema import json_schema

        click.echo(json.dumps(json_schema(), indent=2))
        return
    found = session.ops().quality.expectations(name or "")
    emit(session, found, lambda: expectations_text(session, found))


@click.command("constraints", cls=Verb)
@click.argument("name", metavar="NAME[@VERSION]")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Write over files that are there.")
@pass_session
def constraints(session: Session, name: str, folder: Path, force: bool) -> None:
    """Write statistics.json and constraints.json to DIR, as SageMaker Model Monitor reads them.

    The statistics are those of the version's profile, the constraints what the file of
    expectations says (without one: what holds in the profile).
    """
    dataset, _, at = name.partition("@")
    one, two = session.ops().quality.export_constraints(dataset, folder, at or None, force=force)
    emit(session, {"statistics": one, "constraints": two}, lambda: f"{one}\n{two}")
