"""`opsdeck models`: registered models and their versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from console.commands.model_bias import bias
from console.commands.model_explain import explain
from console.groups import noun
from console.output import emit
from console.session import Session, pass_session
from console.tables import Column, block, flat, heading, table
from console.words import number, pairs, when

if TYPE_CHECKING:
    from core.domain.model import ModelVersion


@noun("List models, show their versions, explain them.")
def command() -> None:
    """Group of the verbs on models."""


@command.command("list")
@pass_session
def list_(session: Session) -> None:
    """List the models with what their aliases point at."""
    models = session.ops().models.list()

    def text() -> str:
        if not models:
            return "no models yet: a pipeline's register step makes them"
        columns = [
            Column("name"),
            Column("versions", right=True),
            Column("aliases", flexible=True),
            Column("updated"),
        ]
        rows = [
            (m.name, str(m.versions), pairs(m.aliases), when(m.updated_at, terminal=tty))
            for m in models
        ]
        return table(session, columns, rows)

    tty = session.terminal
    emit(session, {"models": models}, text)


@command.command("show")
@click.argument("name")
@click.argument("which", required=False)
@pass_session
def show(session: Session, name: str, which: str | None) -> None:
    """Show a model's versions, or one of them with its metrics and lineage.

    WHICH is a version number, an alias (champion, candidate, …) or latest.
    """
    ops = session.ops()
    if which is None:
        versions = ops.models.versions(name)
        document = {"name": name, "versions": versions}
        emit(session, document, lambda: _versions_text(session, versions))
    else:
        version = ops.models.get(name, which)
        emit(session, version, lambda: _version_text(session, version))


def _versions_text(session: Session, versions: tuple[ModelVersion, ...]) -> str:
    columns = [
        Column("version", right=True),
        Column("aliases"),
        Column("metrics", flexible=True),
        Column("run", right=True),
        Column("made"),
    ]
    rows = [
        (
            str(v.version),
            ", ".join(v.aliases) or "-",
            pairs(v.metrics),
            str(v.run_number) if v.run_number else "-",
            when(v.created_at, terminal=session.terminal),
        )
        for v in versions
    ]
    return table(session, columns, rows)


def _version_text(session: Session, version: ModelVersion) -> str:
    facts = [
        ("model", f"{version.name} version {version.version}"),
        ("aliases", ", ".join(version.aliases) or "none"),
        ("approval", version.approval),
        ("run", f"{version.run_number} step {version.step}" if version.run_number else ""),
        ("made", when(version.created_at, terminal=session.terminal)),
        ("sha256", version.digest),
        ("folder", version.path),
        ("mlflow run", version.mlflow_run_id or ""),
    ]
    parts = [block(session, facts)]
    if version.metrics:
        parts.append(heading(session, "metrics"))
        parts.append(block(session, [(k, number(v)) for k, v in version.metrics.items()]))
    if version.lineage:
        parts.append(heading(session, "lineage"))
        parts.append(block(session, flat(version.lineage)))
    return "\n".join(parts)


command.add_command(explain)
command.add_command(bias)
