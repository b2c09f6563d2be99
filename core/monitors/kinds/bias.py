"""Bias in production: the metrics of SageMaker Clarify over each window, and whether they have
grown since the evaluation of the version that is served.

Metrics of predictions need none but the traffic; those of accuracy, and those of the labels
themselves, are of the rows whose label has come. A facet is a column of the rows, or one that
is looked up in a dataset: what a model must not read is seldom sent to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from core.monitors.kind import (
    LABEL,
    PREDICTION,
    Findings,
    Kind,
    KindContext,
    MonitorDefinition,
    Problems,
    Reference,
    State,
    StoredBaseline,
    Window,
    feature_columns,
)
from core.monitors.kinds._bias_settings import Settings, read_settings

if TYPE_CHECKING:
    from core.bias.conditions import Condition
    from core.bias.report import BiasReport


class Bias(Kind):
    """The kind `bias`."""

    name: ClassVar[str] = "bias"
    reference: ClassVar[Reference] = Reference.EVALUATION
    uses_labels: ClassVar[bool] = True

    def read(self, problems: Problems, where: str, data: Mapping[str, Any]) -> Settings:
        """See `Kind`: `facets` and `positive` are needed."""
        return read_settings(problems, where, data)

    def baseline(
        self, definition: MonitorDefinition, reference: Window, context: KindContext
    ) -> StoredBaseline:
        """See `Kind`: the counts of each group, and `analysis.json` of them. Raises
        `BiasInvalid` for a facet or label that the reference does not have."""
        from core.bias.analysis import analysis

        found = _report(definition, reference, context, lenient=False)
        return StoredBaseline(
            {
                "rows": found.rows,
                "labelled": found.labelled,
                "positive": found.positive,
                "groups": {bias.group.name: bias.tables.jsonable() for bias in found.groups},
                "analysis": analysis(found),
                "notes": list(found.notes),
            }
        )

    def evaluate(
        self,
        definition: MonitorDefinition,
        baseline: StoredBaseline | None,
        window: Window,
        memory: Mapping[str, Any],
        context: KindContext,
    ) -> Findings:
        """See `Kind`."""
        from core.bias.errors import BiasInvalid
        from core.monitors.kinds._bias_findings import findings

        if window.rows == 0:
            return Findings(State.INSUFFICIENT, headline="no rows")
        try:
            found = _report(definition, window, context, lenient=True)
        except BiasInvalid as error:
            return Findings(State.INSUFFICIENT, headline=error.message)
        return findings(definition, found, baseline, window.rows, memory)


def _report(
    definition: MonitorDefinition, window: Window, context: KindContext, *, lenient: bool
) -> BiasReport:
    from core.bias.arrow import column_of, columns_of
    from core.bias.report import Question, report
    from core.monitors.kinds._bias_join import joined

    settings: Settings = definition.settings
    there = set(window.schema.names)
    features = feature_columns(definition, window.schema.names, context.inputs)
    asked = {facet.column for facet in settings.facets} | {settings.group}
    own = {LABEL, PREDICTION}
    flips = features if not settings.metrics or "FT" in settings.metrics else ()
    wanted = sorted(((asked | set(flips)) - {""} | own) & there)
    columns = dict(columns_of(window.table(wanted)))
    if settings.join is not None and (absent := sorted(asked - {""} - there)):
        found = joined(settings.join, window, absent, context)
        columns |= {name: column_of(values) for name, values in found.items()}
    labels, predictions = columns.pop(LABEL, None), columns.pop(PREDICTION, None)
    question = Question(
        label=_positive(definition),
        facets=settings.facets,
        group=settings.group,
        features=flips,
        metrics=settings.metrics,
        intersections=settings.intersections,
        confidence=settings.confidence,
        minimum=settings.minimum_group,
        lenient=lenient,
    )
    return report(columns, question, labels, predictions)


def _positive(definition: MonitorDefinition) -> Condition:
    """The positive outcome, of the label as the definition calls it."""
    settings: Settings = definition.settings
    return replace(settings.positive, column=definition.label or settings.positive.column)


KIND = Bias()
