"""Estimated quality of a window, and how the estimate did where labels came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.modelquality import cbpe, dle
from core.modelquality.estimate import Estimate, Estimated, doubts
from core.modelquality.inputs import encode_rows, outside_rows
from core.modelquality.measuring import Quality
from core.monitors.kinds._quality_baseline import QualityBaseline
from core.monitors.kinds._quality_rows import QualityRows

MOST_ROWS = 100_000
_FEWEST = 100  # labelled rows that can show an estimate to be wrong
_SURE = 1.6  # widths of the 95 % interval: about three standard errors


def estimate_rows(
    baseline: QualityBaseline, rows: QualityRows, chosen: NDArray[Any]
) -> Mapping[str, Estimated]:
    """Estimated metrics of these rows, or of 100,000 of them, evenly spaced; empty where the
    baseline cannot estimate."""
    answers = rows.answers
    places = np.flatnonzero(chosen)
    chosen = places[:: -(-len(places) // MOST_ROWS) or 1]
    many = len(chosen)
    found: Mapping[str, Estimated] = {}
    if baseline.dle is not None:
        here = {name: values[chosen] for name, values in rows.columns.items()}
        inputs = encode_rows(baseline.inputs, here, many)
        found = dle.estimate(baseline.dle, inputs, answers.prediction[chosen])
    elif baseline.cbpe is not None and answers.score is not None:
        found = cbpe.estimate(baseline.cbpe, answers.score[chosen], answers.prediction[chosen])
    most = float("inf") if baseline.dle is not None else 1.0
    return {name: each.wider(baseline.dependence, most) for name, each in found.items()}


def estimate_window(
    baseline: QualityBaseline, rows: QualityRows, quality: Quality
) -> Estimate | None:
    """The window's estimate with all doubts, those that its labels raise included; None where
    there is nothing to estimate by."""
    usable = rows.answers.usable
    found = estimate_rows(baseline, rows, usable)
    if not found:
        return None
    columns = {name: values[usable] for name, values in rows.columns.items()}
    outside, shares = outside_rows(baseline.inputs, columns, int(usable.sum()))
    share = float(np.mean(outside)) if len(outside) else 0.0
    reference = baseline.dle.facts()["rows"] if baseline.dle else _reference(baseline)
    more = [*_missed(baseline, rows, quality), *_no_skill(baseline)]
    return Estimate(
        "DLE" if baseline.dle else "CBPE",
        min(int(usable.sum()), MOST_ROWS),
        found,
        share,
        doubts(
            reference=reference,
            outside=share,
            worst=tuple(shares),
            calibration_error=baseline.cbpe.error if baseline.cbpe else float("nan"),
            more=more,
        ),
    )


def _reference(baseline: QualityBaseline) -> int:
    return baseline.cbpe.rows if baseline.cbpe else 0


def _no_skill(baseline: QualityBaseline) -> list[str]:
    if baseline.dle is None or baseline.dle.skill["mae"] > 0:
        return []
    return ["on the reference the errors could not be told from the inputs"]


def _missed(baseline: QualityBaseline, rows: QualityRows, quality: Quality) -> list[str]:
    """That labels of this very window gave something else than was estimated of their rows."""
    if quality.rows < _FEWEST:
        return []
    found = estimate_rows(baseline, rows, rows.answers.labelled)
    for name in ("accuracy", "mae"):
        each = found.get(name)
        if each is None:
            continue
        real = quality.value(name)
        low = each.value - _SURE * (each.value - each.low)
        high = each.value + _SURE * (each.high - each.value)
        if not low <= real <= high:
            return [
                f"of the {quality.rows} labelled rows it says {name} {each.value:.4g} "
                f"({each.low:.4g} to {each.high:.4g}) where labels gave {real:.4g}"
            ]
    return []


def estimate_detail(estimate: Estimate, name: str, quality: Quality) -> dict[str, Any]:
    """What stands beside an estimated number."""
    real = quality.value(name)
    return {
        "method": estimate.method,
        "statement": estimate.statement,
        "doubts": list(estimate.doubts),
        "outside": round(estimate.outside, 6),
        "realised": real if np.isfinite(real) else None,
        "realised_rows": quality.rows,
    }
