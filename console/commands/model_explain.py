"""`opsdeck models explain`: what a model's predictions are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from console.groups import Verb
from console.output import emit
from console.session import Session, pass_session
from console.tables import Column, block, heading, table
from console.words import Cell, many, number

if TYPE_CHECKING:
    from core.domain.explaining import FeatureShare, LabelExplanation, ModelExplanation

WIDTH = 24


@click.command("explain", cls=Verb)
@click.argument("name")
@click.argument("which", required=False)
@click.option("--row", metavar="INFERENCE_ID", help="A captured request (ID#2: its second row).")
@click.option(
    "--data",
    metavar="FILE|dataset:NAME[@VERSION]",
    help="These rows (default: those that it learned from).",
)
@click.option(
    "-n", "rows", type=click.IntRange(1, 100_000), default=500, show_default=True,
    help="Explain at most so many.",
)  # fmt: skip
@click.option("--top", type=click.IntRange(1), default=20, show_default=True, help="Show these.")
@pass_session
def explain(
    session: Session,
    name: str,
    which: str | None,
    row: str | None,
    data: str | None,
    rows: int,
    top: int,
) -> None:
    """Show which features a model's predictions come from, by SHAP values.

    WHICH is a version number, an alias or latest (default: the champion). Of many rows the mean
    of |SHAP| is shown, the global importance; of one row (--row) each feature's own part, which
    added to the expected value give the prediction.
    """
    if row is not None and data is not None:
        raise click.UsageError("--row and --data: give one of them")
    service = session.ops().explaining
    if row is not None:
        found = service.explain_row(name, which, row)
    else:
        found = service.explain(name, which, data, rows)
    emit(session, found, lambda: explanation_text(session, found, top))


def explanation_text(session: Session, found: ModelExplanation, top: int) -> str:
    """How it was computed, then a table of bars for each label."""
    facts = [
        ("model", f"{found.model} version {found.version}"),
        ("data", found.data),
        ("method", f"{found.method} of shap, {found.seconds:.1f} s"),
        ("explained", "" if found.inference_id else f"{many(found.rows, 'row')} of {found.of:,}"),
        ("units", found.units),
        ("not exact", found.note),
    ]
    parts = [block(session, facts)]
    for label in found.labels:
        parts.append(_label_text(session, found, label, top))
    return "\n\n".join(parts)


def _label_text(
    session: Session, found: ModelExplanation, label: LabelExplanation, top: int
) -> str:
    single = bool(found.inference_id)
    most = max((abs(share.shap) for share in label.features), default=0.0)
    columns = [
        Column("feature", flexible=True),
        *([Column("value", right=True)] if single else []),
        Column("shap" if single else "mean |shap|", right=True),
        Column(""),
    ]
    rows = [_share_row(share, most, single) for share in label.features[:top]]
    title = f"expected value {number(label.expected)}"
    if label.total is not None:
        title = f"{number(label.total)} = {title} and the features' parts"
    if len(found.labels) > 1:
        title = f"{label.label}: {title}"
    lines = [heading(session, title), table(session, columns, rows)]
    if len(label.features) > top:
        lines.append(f"{many(len(label.features) - top, 'feature')} more: --top")
    return "\n".join(lines)


def _share_row(share: FeatureShare, most: float, single: bool) -> list[Cell | str]:
    from screens.profile_lines import bar

    drawn = bar(abs(share.shap) / most if most else 0.0, WIDTH)
    size = f"{share.shap:+.4g}" if single else number(share.shap)
    value: list[Cell | str] = [share.given or "-"] if single else []
    return [share.feature, *value, size, Cell(drawn, "red" if share.shap < 0 else "cyan")]
