"""The kind `drift`: whether inputs, features and outputs are distributed as they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from core.monitors.kind import (
    Findings,
    KindContext,
    Measurement,
    MonitorDefinition,
    Problems,
    State,
    StoredBaseline,
    Violation,
    Window,
)
from core.monitors.kinds import _counting as counting
from core.monitors.kinds import _drift_findings as findings
from core.monitors.kinds._drift_settings import DriftSettings, read_drift

if TYPE_CHECKING:
    from core.drift.baseline import Baseline
    from core.drift.decide import Rule

MULTIVARIATE = "(all columns together)"
_NAMED = 3


class Drift(counting.CountingKind):
    """Compares each column's distribution in a window with the baseline's.

    Feature drift is diagnosis: violations are `info` unless the settings say otherwise. A column
    that has lost its values is a `warning`.
    """

    name: ClassVar[str] = "drift"

    def read(self, problems: Problems, where: str, data: Mapping[str, Any]) -> DriftSettings:
        return read_drift(problems, where, data)

    def baseline(
        self, definition: MonitorDefinition, reference: Window, context: KindContext
    ) -> StoredBaseline:
        from dataclasses import replace

        from core.drift.building import Plan, built
        from core.drift.calibrate import calibrated
        from core.drift.groups import Season

        settings: DriftSettings = definition.settings
        columns = counting.columns_of(definition, reference, context.inputs, settings.outputs)
        at = counting.time_column(reference)
        _fit(definition, reference, columns, at)
        segments = counting.segments_of(definition)
        plan = Plan(
            columns=columns,
            segments=segments,
            season=Season(settings.seasonal) if settings.seasonal else None,
            season_column=at,
            timezone=settings.timezone,
            exact_limit=settings.exact,
            sketch=settings.sketch,
        )
        names = [*columns, *segments, *([at] if settings.seasonal else [])]
        made, sample = built(lambda: counting.batches_of(reference, names), plan)
        counting.must_have_rows(definition, made.rows)
        if settings.calibrate != "off":
            told = calibrated(
                made,
                sample.batches(),
                settings.rule(definition.window.minimum_rows),
                rows=counting.usual_rows(definition, reference),
                whole=sample.whole,
                windows_a_month=counting.windows_a_month(definition, reference),
            )
            made = replace(made, calibration=told)
        return counting.stored(made, reference)

    def judge(
        self, found: counting.Counted, memory: Mapping[str, Any], context: KindContext
    ) -> Findings:
        from core.drift.compare import compare, compare_parts, compare_segments
        from core.drift.decide import judge

        made, counts = found.baseline, found.counts
        settings: DriftSettings = found.definition.settings
        rule = settings.rule(found.least, _limits(settings, made))
        compared = compare(made, counts) + compare_segments(made, counts, rule.segment_rows)
        compared += compare_parts(made, counts, rule.segment_rows)
        history = memory.get("votes", {})
        judged, votes = judge(compared, rule, history)
        whole = [each for each in judged if not each.compared.segment]
        measurements = [
            measurement
            for each in judged
            for measurement in findings.measured(each, rule, settings, made, counts)
        ]
        violations = [findings.violation(each, rule, settings) for each in judged if each.drifts]
        violations = findings.without_repeats(violations)
        violations += findings.lost(made, counts, found.least)
        if settings.multivariate:
            more, violation = _multivariate(made, found.window, settings, rule, history, votes)
            measurements += more
            violations += violation
        enough = any(not each.insufficient and each.adjusted_p is not None for each in whole)
        state = State.VIOLATED if violations else State.OK if enough else State.INSUFFICIENT
        measurements += findings.totals(whole, counts)
        return Findings(
            state=state,
            measurements=tuple(measurements),
            violations=tuple(violations),
            headline=findings.headline(state, whole, violations, counts, made, rule),
            files=counting.files_of(found, violations, context, _comparing(settings)),
            memory={"votes": votes},
        )


def _fit(definition: MonitorDefinition, reference: Window, columns: Sequence[str], at: str) -> None:
    """Raise where the reference lacks what the definition asks for."""
    from core.drift.errors import BaselineUnfit

    counting.must_have(definition, reference, "columns", definition.columns)
    parts = counting.segment_columns(definition)
    counting.must_have(definition, reference, "segments", parts)
    if not columns:
        raise BaselineUnfit(
            f"monitor {definition.name}: the rows for its baseline have no column to compare",
            "name some in columns:",
        )
    if definition.settings.seasonal and not at:
        raise BaselineUnfit(
            f"monitor {definition.name}: seasonal wants the time of each row of the baseline",
            "name the column that holds it in time:",
        )


def _limits(settings: DriftSettings, baseline: Baseline) -> Mapping[str, float] | None:
    """Effects that the baseline's own windows reach, where they are to be no drift."""
    if settings.calibrate != "raise":
        return None
    found: Mapping[str, float] = baseline.calibration.get("in_order", {}).get("greatest", {})
    return found


def _multivariate(
    baseline: Baseline,
    window: Window,
    settings: DriftSettings,
    rule: Rule,
    history: Mapping[str, Sequence[int]],
    votes: dict[str, list[int]],
) -> tuple[list[Measurement], list[Violation]]:
    from core.monitors.kinds._together import together

    past = [int(vote) for vote in history.get(MULTIVARIATE, ())]
    found, cast = together(baseline, window, settings.auc, rule, past)
    if any(cast):
        votes[MULTIVARIATE] = cast
    if found.state is not State.VIOLATED or found.value is None:
        return [found], []
    names = ", ".join(each["column"] for each in found.detail["columns"][:_NAMED])
    told = f"a classifier tells the rows from the baseline's: AUC {found.value:.3f}, by {names}"
    violation = Violation(
        "", "multivariate_drift_check", told, "c2st_auc", found.value, settings.auc,
        settings.severity,
    )  # fmt: skip
    return [found], [violation]


def _comparing(settings: DriftSettings) -> dict[str, Any]:
    """The comparison as SageMaker's constraints name it."""
    return {
        "comparison_threshold": settings.effect,
        "comparison_method": "Robust" if settings.method == "robust" else "Simple",
        "categorical_comparison_threshold": settings.category_effect,
    }


KIND = Drift()
