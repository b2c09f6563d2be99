"""`opsdeck init`: make a workspace."""

from __future__ import annotations

from pathlib import Path

import click

from console.groups import Verb
from console.output import emit
from console.session import Session, pass_session
from core.errors import ReadOnly

FIRST_OF = {"bike-demand": "bike-data"}
"""The pipeline of an example that the others read from."""


@click.command("init", cls=Verb)
@click.argument("path", type=click.Path(path_type=Path), default=".")
@click.option("--example", metavar="NAME", help="Copy an example workspace: bike-demand.")
@pass_session
def command(session: Session, path: Path, example: str | None) -> None:
    """Make a workspace in the folder PATH (default: this one).

    Overwrites nothing. Without --example it holds a pipeline of two steps to begin with.
    """
    if session.read_only:
        raise ReadOnly("init: this session is read-only", "leave out --read-only")
    from console.starter import make_workspace

    made = make_workspace(path, example)
    root = path.expanduser().resolve()

    def text() -> str:
        where = "" if root == Path.cwd() else f" -w {path}"
        pipeline = FIRST_OF.get(example or "", "hello")
        return (
            f"made the workspace {root} ({len(made)} files)\n"
            f"next: opsdeck{where} runs start {pipeline} --wait\n"
            f"      opsdeck{where}"
        )

    emit(session, {"workspace": root, "files": [f.relative_to(root) for f in made]}, text)
