"""What a window's comparison comes to: measurements, violations and a line for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.domain.monitor import Measurement, State, Violation
from core.monitors.kinds._drift_settings import DriftSettings

if TYPE_CHECKING:
    from core.drift.baseline import Baseline
    from core.drift.decide import Judged, Rule
    from core.drift.window import WindowCounts

_NAMED = 3


def measured(
    each: Judged,
    rule: Rule,
    settings: DriftSettings,
    baseline: Baseline,
    window: WindowCounts,
) -> list[Measurement]:
    """A column's numbers. Of segments only what was flagged is kept: there may be thousands."""
    from core.drift.distances import DEFINITIONS
    from core.drift.drivers import contributions

    found = each.compared
    if found.segment and not each.flagged and not each.drifts:
        return []
    decisive = _decisive(each, settings)
    result = []
    for metric, value in found.values.items():
        if metric != decisive and (metric not in settings.metrics or found.segment):
            continue
        if metric != decisive:
            definition = DEFINITIONS[metric]
            if metric in ("psi", "js") and "bins" in found.detail:
                definition += f" ({found.detail['bins']['rule']})"
            if metric == "wasserstein" and not found.exact:
                definition += "; between knots of a sketch"
            result.append(Measurement(metric, _finite(value), found.name, definition=definition))
            continue
        detail: dict[str, Any] = {**found.detail, "rows": round(found.rows)}
        detail["against"] = round(found.against)
        detail["votes"] = f"{each.votes} of the last {rule.n}"
        if each.adjusted_p is not None:
            detail["adjusted_p"] = each.adjusted_p
        if found.note:
            detail["note"] = found.note
        if (each.flagged or each.drifts) and not found.segment:
            detail["segments"] = [
                {
                    "segment": part.segment,
                    "contribution": round(part.value, 6),
                    "by_share": round(part.mix, 6),
                    "by_values": round(part.within, 6),
                    "share": [round(part.share_then, 6), round(part.share_now, 6)],
                    "at": part.at,
                }
                for part in contributions(baseline, window, found.name)[:10]
            ]
        how = "exact" if found.exact else "against a sketch of the baseline"
        season = f", {found.detail['season']}" if "season" in found.detail else ""
        result.append(
            Measurement(
                metric=metric,
                value=_finite(value),
                feature=found.name,
                segment=found.segment,
                low=found.low if metric == "ks" else None,
                high=found.high if metric == "ks" else None,
                p_value=found.p_value,
                threshold=None if found.shown_only else rule.limit(found),
                comparison="" if found.shown_only else _comparison(rule),
                state=_state(each),
                definition=f"{DEFINITIONS[metric]}; {how}{season}; {rule.words(found)}",
                detail=detail,
            )
        )
    if not found.effect_metric and not found.segment:
        result.append(_unmeasured(each))
    return result


def _unmeasured(each: Judged) -> Measurement:
    """A column that has nothing to compare: it must be seen, and say why."""
    return Measurement(
        metric="ks",
        value=None,
        feature=each.compared.name,
        state=State.INSUFFICIENT if each.insufficient else State.INFO,
        definition=each.compared.note,
        detail={"note": each.compared.note},
    )


def _decisive(each: Judged, settings: DriftSettings) -> str:
    if settings.method == "significance":
        return each.compared.effect_metric
    metric = "linf_robust" if settings.method == "robust" else "linf_simple"
    return metric if metric in each.compared.values else each.compared.effect_metric


def _comparison(rule: Rule) -> str:
    if rule.method == "significance":
        return "GreaterThanOrEqualToThreshold"
    return "GreaterThanThreshold"


def _state(each: Judged) -> State:
    if each.insufficient:
        return State.INSUFFICIENT
    if each.compared.shown_only:
        return State.INFO
    return State.VIOLATED if each.drifts else State.OK


def violation(each: Judged, rule: Rule, settings: DriftSettings) -> Violation:
    found = each.compared
    metric = _decisive(each, settings)
    value = found.values.get(metric) or 0.0
    limit = rule.limit(found)
    where = f" in {found.segment}" if found.segment else ""
    if rule.method == "significance":
        told = (
            f"{metric} {value:.3f} of {found.name}{where} (limit {limit:g}, adjusted p"
            f" {each.adjusted_p or 0.0:.1g}), in {each.votes} of the last {rule.n} windows"
        )
    else:
        told = f"Baseline drift distance: {value:.6g} exceeds threshold: {limit:g}"
    return Violation(
        feature=found.name,
        check="baseline_drift_check",
        description=told,
        metric=metric,
        value=_finite(value),
        threshold=limit,
        severity=settings.severity,
        segment=found.segment,
    )


def without_repeats(violations: Sequence[Violation]) -> list[Violation]:
    """A column that drifts as a whole is told once; its segments are in its detail."""
    whole = {each.feature for each in violations if not each.segment}
    return [each for each in violations if not each.segment or each.feature not in whole]


def lost(baseline: Baseline, window: WindowCounts, minimum_rows: int) -> list[Violation]:
    """Columns that had values and have none any more."""
    if window.rows < minimum_rows:
        return []
    result = []
    for column in baseline.columns:
        found = window.columns[column.name]
        if column.missing_share >= 0.5 or not column.rows:
            continue
        if found.absent == found.rows:
            check, told = "missing_column_check", "the column is not there any more"
        elif found.missing + found.absent >= found.rows:
            check, told = "completeness_check", "no row has a value any more"
        elif found.numbers is not None and not found.numbers.present:
            check, told = "data_type_check", "no value is a finite number any more"
        else:
            continue
        result.append(Violation(column.name, check, f"{column.name}: {told}", "missing_share", 1.0))
    return result


def totals(whole: Sequence[Judged], window: WindowCounts) -> list[Measurement]:
    able = [each for each in whole if each.adjusted_p is not None]
    drifting = sum(each.drifts for each in able)
    state = State.INFO if able else State.INSUFFICIENT
    return [
        Measurement(
            "drifted_features",
            float(drifting) if able else None,
            state=state,
            definition="columns that drift by the rule",
        ),
        Measurement(
            "drifted_share",
            drifting / len(able) if able else None,
            state=state,
            definition="columns that drift, of those that can be judged",
        ),
        Measurement("rows", float(window.rows), definition="rows of the window"),
    ]


def headline(
    state: State,
    whole: Sequence[Judged],
    violations: Sequence[Violation],
    window: WindowCounts,
    baseline: Baseline,
    rule: Rule,
) -> str:
    if state is State.INSUFFICIENT:
        if window.rows < rule.minimum_rows:
            return f"{window.rows:,} rows: below {rule.minimum_rows:,} nothing is said"
        return "no column can be judged"
    parts = [each.description for each in violations if each.check != "baseline_drift_check"]
    drifting = sorted(
        (each for each in whole if each.drifts),
        key=lambda each: -(each.compared.effect or 0.0),
    )
    segments = [each for each in violations if each.segment]
    if drifting:
        worst = ", ".join(_named(each) for each in drifting[:_NAMED])
        more = f" and {len(drifting) - _NAMED} more" if len(drifting) > _NAMED else ""
        parts.append(f"{len(drifting)} of {len(whole)} columns drift: {worst}{more}")
    elif segments:
        told = sorted({f"{each.feature} in {each.segment}" for each in segments})
        more = f" and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
        parts.append(f"drift within segments only: {', '.join(told[:_NAMED])}{more}")
    if not parts:
        parts.append(f"no drift in {len(whole)} columns")
        early = [_named(each) for each in whole if each.flagged]
        parts += [f"{', '.join(early[:_NAMED])} in this window only"] if early else []
    alerts = baseline.calibration.get("false_alerts_a_month")
    in_order = baseline.calibration.get("in_order", {}).get("false_alerts_a_month")
    expected = max((each for each in (alerts, in_order) if each is not None), default=0.0)
    if expected >= 1:
        parts.append(f"about {expected:g} false alerts a month are expected")
    return "; ".join(parts)


def _named(each: Judged) -> str:
    found = each.compared
    sign = "D" if found.effect_metric == "ks" else "TVD"
    return f"{found.name} ({sign} {found.effect or 0.0:.2f})"


def _finite(value: float | None) -> float | None:
    from core.drift.values import clean

    return clean(value)
