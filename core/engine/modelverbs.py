"""What the data steps about a fitted model do: its bias and its explanation, as evidence for
whoever reviews it. Each puts out a short table, which a gate shows, and Clarify's analysis."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.engine.datasettings import Settings
from core.engine.dataverbs import Stored, Verb, as_json, say

if TYPE_CHECKING:
    from core.domain.fairness import BiasGroup, BiasValue
    from core.ops import Ops

ALWAYS = ("DPPL", "DI", "RD", "AD")
"""Metrics that the table has also where they may be chance."""
MOST_ROWS = 60
BAR = 20


def bias(ops: Ops, settings: Settings, request: Mapping[str, Any], out: Path) -> Stored:
    """Clarify's metrics of each group: the usual ones, and those that chance does not explain."""
    from core.services.fairness import BiasQuestion

    question = BiasQuestion(
        facets=settings.texts("facets"),
        positive=settings.needed("positive"),
        label=settings.text("label") or "",
        by=settings.text("by") or "",
        intersections=settings.flag("intersections"),
        metrics=settings.texts("metrics"),
    )
    found = ops.fairness.of_model(settings.model("model"), settings.rows("rows"), question)
    for note in found.notes:
        say(note)
    rows = [
        _bias_row(group, value)
        for group in found.groups
        for value in group.metrics
        if value.clear or (value.name in ALWAYS and not value.error)
    ]
    clear = [row for row in rows if not row["what it says"].startswith("may be")]
    say(f"{len(found.groups)} groups: {len(clear)} metrics say more than chance")
    kept = sorted(rows, key=lambda row: row not in clear)[:MOST_ROWS]
    return _stored(request, out, kept, found.analysis)


def _bias_row(group: BiasGroup, value: BiasValue) -> dict[str, Any]:
    said = f"may be chance: {value.says}" if value.chance else value.says
    return {
        "group": group.name,
        "rows": group.rows,
        "metric": value.name,
        "value": f"{value.value:.3g} ({value.low:.3g} to {value.high:.3g})",
        "what it says": said if not group.few else f"may be chance: {group.few}",
    }


def explain(ops: Ops, settings: Settings, request: Mapping[str, Any], out: Path) -> Stored:
    """The global SHAP value of each feature, the greatest first."""
    found = ops.explaining.of_model(
        settings.model("model"),
        settings.rows("rows"),
        settings.whole("count", 500),
        float(settings.whole("seconds", 60)),
    )
    say(f"{found.method}: {found.rows:,} rows of {found.of:,}, in {found.seconds:.1f} s")
    if found.note:
        say(f"not exact: {found.note}")
    rows = []
    for label in found.labels:
        most = max((share.shap for share in label.features), default=0.0) or 1.0
        for share in label.features:
            row = {"feature": share.feature, "mean |SHAP|": f"{share.shap:.4g}"}
            if len(found.labels) > 1:
                row["label"] = label.label
            rows.append(row | {"share": "█" * round(share.shap / most * BAR)})
    return _stored(request, out, rows[:MOST_ROWS], found.analysis)


def _stored(request: Mapping[str, Any], out: Path, table: object, analysis: object) -> Stored:
    """The table under the step's first output, the analysis under its second."""
    documents = zip(request["outputs"], (table, analysis), strict=False)
    return {name: as_json(out, name, document) for name, document in documents}


VERBS: Mapping[str, Verb] = {"bias": bias, "explain": explain}
