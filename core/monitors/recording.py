"""What a kind found, as it goes into rows: finite, of one line, bounded."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

from core.domain.monitor import Findings, Measurement, Violation
from core.monitors.store import finite
from core.state.monitor_tables import monitor_measurements, monitor_violations
from core.state.store import Transaction

MOST_MEASUREMENTS = 20_000


def clean(findings: Findings) -> Findings:
    """The same with nothing in it that JSON or a database would not take."""
    measured = tuple(
        replace(
            each,
            value=_number(each.value),
            low=_number(each.low),
            high=_number(each.high),
            p_value=_number(each.p_value),
            threshold=_number(each.threshold),
            detail=finite(each.detail),
        )
        for each in findings.measurements[:MOST_MEASUREMENTS]
    )
    violations = tuple(
        replace(each, value=_number(each.value), threshold=_number(each.threshold))
        for each in findings.violations
    )
    memory = None if findings.memory is None else finite(findings.memory)
    headline = one_line(findings.headline)
    return replace(
        findings, measurements=measured, violations=violations, memory=memory, headline=headline
    )


def _number(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def one_line(text: str) -> str:
    """The text on one line, of at most 500 characters."""
    return " ".join(text.split())[:500]


def put_rows(
    tx: Transaction,
    run: str,
    monitor: str,
    measured: tuple[Measurement, ...],
    violations: tuple[Violation, ...],
) -> None:
    """Put these in place of what a run had measured."""
    for table in (monitor_measurements, monitor_violations):
        tx.execute(table.delete().where(table.c.run == run))
    if measured:
        rows = [
            {
                "run": run, "place": place, "monitor": monitor, "metric": m.metric,
                "feature": m.feature, "segment": m.segment, "value": m.value, "low": m.low,
                "high": m.high, "p_value": m.p_value, "threshold": m.threshold,
                "comparison": m.comparison, "state": m.state.value, "definition": m.definition,
                "detail": json.dumps(m.detail),
            }
            for place, m in enumerate(measured)
        ]  # fmt: skip
        tx.connection.execute(monitor_measurements.insert(), rows)
    if violations:
        rows = [
            {
                "run": run, "place": place, "monitor": monitor, "feature": v.feature,
                "segment": v.segment, "check_type": v.check, "description": v.description,
                "metric": v.metric, "value": v.value, "threshold": v.threshold,
                "severity": v.severity,
            }
            for place, v in enumerate(violations)
        ]  # fmt: skip
        tx.connection.execute(monitor_violations.insert(), rows)
