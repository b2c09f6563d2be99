"""`opsdeck recipes`: transformations that need no code, and files of them."""

from __future__ import annotations

import click

from console.failures import EXIT_REFUSED
from console.groups import noun
from console.output import emit
from console.session import Session, pass_session


@noun("List transformations; preview, validate and apply recipes made of them.")
def command() -> None:
    """Group of the verbs on recipes."""


@command.command("list")
@click.option("-c", "--category", metavar="NAME", help="Only of this category.")
@click.option("-s", "--search", metavar="WORDS", help="Only with these words.")
@click.option("--categories", is_flag=True, help="List the categories instead.")
@pass_session
def list_(session: Session, category: str | None, search: str | None, categories: bool) -> None:
    """List the transformations that recipes are made of."""
    from console.recipe_text import transformations_text
    from console.tables import Column, table

    recipes = session.ops().recipes
    if categories:
        counted = recipes.categories()
        rows = [(name, str(count)) for name, count in counted]
        columns = [Column("category"), Column("transformations", right=True)]
        document = {"categories": [{"name": n, "transformations": c} for n, c in counted]}
        emit(session, document, lambda: table(session, columns, rows))
        return
    found = recipes.transformations(category, search)
    emit(session, {"transformations": found}, lambda: transformations_text(session, found))


@command.command("show")
@click.argument("transformation")
@pass_session
def show(session: Session, transformation: str) -> None:
    """Show a TRANSFORMATION: what it does, its parameters, how to write it."""
    from console.recipe_text import transformation_text

    about = session.ops().recipes.transformation(transformation)
    emit(session, about, lambda: transformation_text(session, about))


@command.command("files")
@pass_session
def files(session: Session) -> None:
    """List the workspace's recipe files."""
    from console.recipe_text import files_text

    found = session.ops().recipes.files()
    emit(session, {"recipes": found}, lambda: files_text(session, found))


@command.command("new")
@click.argument("name")
@click.option("--target", default="", metavar="COLUMN", help="The column to be predicted.")
@pass_session
def new(session: Session, name: str, target: str) -> None:
    """Write recipes/NAME.yaml to begin with."""
    path = session.ops().recipes.new(name, target)
    said = f"{path}: edit it, then try it: opsdeck recipes preview {name} --dataset DATASET"
    emit(session, {"name": name, "path": path}, lambda: said)


@command.command("validate")
@click.argument("file")
@pass_session
def validate(session: Session, file: str) -> None:
    """Check a recipe FILE (a path, or its name in recipes/); all problems at once.

    Exits 0 if there is none, 1 otherwise.
    """
    problems = session.ops().recipes.validate(file)

    def text() -> str:
        return "\n".join(each.one_line() for each in problems) or f"{file}: no problems"

    emit(session, {"valid": not problems, "problems": problems}, text)
    if problems:
        raise click.exceptions.Exit(EXIT_REFUSED)


@command.command("preview")
@click.argument("file")
@click.option("--dataset", required=True, metavar="NAME", help="On whose rows it is tried.")
@click.option("--at", metavar="VERSION", help="A number, tag, branch or time (default: newest).")
@click.option("-n", "--rows", type=click.IntRange(0, 100), default=5, show_default=True)
@click.option(
    "--sample", type=click.IntRange(1, 1_000_000), default=5_000, show_default=True,
    help="Try it on so many rows.",
)  # fmt: skip
@pass_session
def preview(
    session: Session, file: str, dataset: str, at: str | None, rows: int, sample: int
) -> None:
    """Try a recipe FILE on a sample: rows and columns before and after. Changes nothing."""
    from console.recipe_text import preview_text

    told = session.ops().recipes.preview(file, dataset, at=at, rows=rows, sample=sample)
    emit(session, told, lambda: preview_text(session, told))


@command.command("run")
@click.argument("file")
@click.option("--dataset", required=True, metavar="NAME", help="To whose rows it is applied.")
@click.option("--to", required=True, metavar="NAME", help="The dataset that gets the rows.")
@click.option("--at", metavar="VERSION", help="A number, tag, branch or time (default: newest).")
@click.option("--fit-on", metavar="CONDITION", help="Learn from these rows only; or: all.")
@click.option("--fit-at", metavar="VERSION", help="Learn from this version of the dataset.")
@click.option("-m", "--message", default="", help="What for, in the version's message.")
@pass_session
def run(
    session: Session,
    file: str,
    dataset: str,
    to: str,
    at: str | None,
    fit_on: str | None,
    fit_at: str | None,
    message: str,
) -> None:
    """Apply a recipe FILE to a dataset and write the rows to another.

    A recipe that learns from data wants to know from which part: --fit-on "ts < '2012-07-01'".
    """
    from console.recipe_text import run_text

    done = session.ops().recipes.run(
        file, dataset, to, at=at, fit_on=fit_on, fit_at=fit_at, message=message
    )
    emit(session, done, lambda: run_text(session, done))
