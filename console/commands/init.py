"""`opsdeck init`: make a workspace."""

from __future__ import annotations

from pathlib import Path

import click

from console.groups import Verb
from console.output import emit
from console.session import Session, pass_session
from core.errors import BadInput, ReadOnly
from core.workspace import CONFIG_NAME

FIRST_OF = {"bike-demand": "bike-data"}
"""The pipeline of an example that the others read from."""


@click.command("init", cls=Verb)
@click.argument("path", type=click.Path(path_type=Path), default=".")
@click.option("--example", metavar="NAME", help="Copy an example workspace: bike-demand.")
@click.option(
    "--ci",
    type=click.Choice(["github", "azure", "codebuild"]),
    help="Write what this CI service needs, into a workspace that is there too.",
)
@click.option("--force", is_flag=True, help="Overwrite files of --ci that are there already.")
@pass_session
def command(session: Session, path: Path, example: str | None, ci: str | None, force: bool) -> None:
    """Make a workspace in the folder PATH (default: this one).

    Overwrites nothing. Without --example it holds a pipeline of two steps to begin with.
    """
    if session.read_only:
        raise ReadOnly("init: this session is read-only", "leave out --read-only")
    if force and ci is None:
        raise BadInput("--force: goes with --ci", "opsdeck init --ci github --force")
    from console.starter import make_workspace

    root = path.expanduser().resolve()
    there = ci is not None and example is None and (root / CONFIG_NAME).is_file()
    made = [] if there else make_workspace(path, example)
    if ci is not None:
        from console.ci import write_ci
        from core.workspace import open_workspace

        made += write_ci(root, open_workspace(root).name, ci, force=force)

    def text() -> str:
        if there:
            names = "\n".join(f"  {each.relative_to(root)}" for each in made)
            return (
                f"wrote for {ci}:\n{names}\nnext: read them, and set the region in ci/contexts.yaml"
            )
        where = "" if root == Path.cwd() else f" -w {path}"
        pipeline = FIRST_OF.get(example or "", "hello")
        return (
            f"made the workspace {root} ({len(made)} files)\n"
            f"next: opsdeck{where} runs start {pipeline} --wait\n"
            f"      opsdeck{where}"
        )

    emit(session, {"workspace": root, "files": [f.relative_to(root) for f in made]}, text)
