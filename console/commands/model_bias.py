"""`opsdeck models bias`: whether a model treats groups of people differently."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.groups import Verb
from console.output import emit
from console.session import Session, pass_session
from console.tables import Column, block, heading, table
from console.words import Cell, many, number

if TYPE_CHECKING:
    from core.domain.fairness import BiasGroup, BiasValue, ModelBias


@click.command("bias", cls=Verb)
@click.argument("name")
@click.argument("which", required=False)
@click.option(
    "--data",
    metavar="FILE|dataset:NAME[@VERSION]",
    help="These rows (default: those that it was judged on).",
)
@click.option(
    "--facet", "facets", multiple=True, required=True, metavar="COLUMN[=VALUE|>X]",
    help="Whose treatment; each value of the column, these values, or above X. Repeat.",
)  # fmt: skip
@click.option("--label", metavar="COLUMN", help="What turned out to be true.")
@click.option(
    "--positive", required=True, metavar="VALUE", help="The outcome that is the good one, or >X."
)
@click.option("--prediction", metavar="COLUMN", help="Predictions to take, not the model's own.")
@click.option("--by", metavar="COLUMN", help="Group variable: CDDL and CDDPL within its values.")
@click.option("--intersections", is_flag=True, help="The facets' intersections, too.")
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Only this. Repeat.")
@click.option(
    "--analysis", type=click.Path(path_type=Path, dir_okay=False),
    help="Write Clarify's analysis.json here.",
)  # fmt: skip
@pass_session
def bias(
    session: Session,
    name: str,
    which: str | None,
    data: str | None,
    facets: tuple[str, ...],
    label: str | None,
    positive: str,
    prediction: str | None,
    by: str | None,
    intersections: bool,
    metrics: tuple[str, ...],
    analysis: Path | None,
) -> None:
    """Show the bias metrics of SageMaker Clarify for each group, with 95% intervals.

    WHICH is a version number, an alias or latest (default: the champion). Each group is held
    against all other rows. A metric whose interval leaves out no bias (0, of DI 1) is marked.
    """
    from core.services.fairness import BiasQuestion

    question = BiasQuestion(
        facets, positive, label or "", prediction or "", by or "", intersections, metrics
    )
    found = session.ops().fairness.report(name, which, data, question, analysis)
    emit(session, found, lambda: bias_text(session, found, analysis))


def bias_text(session: Session, found: ModelBias, analysis: Path | None = None) -> str:
    """What was looked at, then a table for each group."""
    labelled = f", {found.labelled:,} with a label" if found.labelled < found.rows else ""
    facts = [
        ("model", f"{found.model} version {found.version}"),
        ("data", f"{found.data}, {many(found.rows, 'row')}{labelled}"),
        ("positive", f"{found.label or 'prediction'} {found.positive}"),
        ("predictions", f"of {found.predictions}"),
        *(("note", note) for note in found.notes),
        ("written", str(analysis) if analysis else ""),
    ]
    return "\n\n".join([block(session, facts), *(_group_text(session, g) for g in found.groups)])


def _group_text(session: Session, group: BiasGroup) -> str:
    columns = [
        Column("metric"),
        Column("value", right=True),
        Column("95% interval", right=True),
        Column("what it says", flexible=True),
    ]
    rows = [_metric_row(value) for value in group.metrics]
    title = f"{group.name}: {group.rows:,} rows against {group.others:,}"
    lines = [heading(session, title)]
    if group.few:
        lines.append(f"{group.few}: no statement")
    return "\n".join([*lines, table(session, columns, rows)])


def _metric_row(value: BiasValue) -> tuple[Cell | str, ...]:
    if value.error:
        return value.name, "-", "-", Cell(value.error, "bright_black")
    interval = f"{_shown(value.low)} to {_shown(value.high)}"
    if value.clear:
        said = Cell(f"! {value.says}", "yellow")
    else:
        said = Cell(f"may be chance: {value.says}" if value.chance else value.says, "bright_black")
    return value.name, _shown(value.value), interval, said


def _shown(value: float) -> str:
    if value in (float("inf"), float("-inf")):
        return "∞" if value > 0 else "−∞"
    return number(value)
