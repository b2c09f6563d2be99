"""The classifier two-sample test of a window, as a measurement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.domain.monitor import Measurement, State
from core.monitors.kind import INFERENCE_ID, Window
from core.monitors.kinds import _counting as counting

if TYPE_CHECKING:
    import pyarrow as pa

    from core.drift.baseline import Baseline
    from core.drift.decide import Rule

_COLUMNS = 10
_ROWS = 20
_DEFINITION = (
    "AUC of gradient-boosted trees that tell the window's rows from the baseline's, cross-fitted"
    " in 3 folds; p one-sided, against no difference"
)


def together(
    baseline: Baseline, window: Window, least: float, rule: Rule, past: Sequence[int]
) -> tuple[Measurement, list[int]]:
    """The test, and its votes with those of the windows before."""
    from core.drift.building import RowSample, encoded
    from core.drift.classifier import MOST_ROWS, tell_apart

    names = [each.name for each in baseline.columns if each.name in baseline.sample]
    judged = [each for each in baseline.columns if each.name in names and not each.note]
    sample = RowSample(2 * MOST_ROWS)
    for batch in counting.batches_of(window, [*(each.name for each in judged), INFERENCE_ID]):
        sample.add(batch)
    batches = sample.batches()
    told = None
    if window.rows >= rule.minimum_rows and judged:
        told = tell_apart(
            {each.name: baseline.sample[each.name] for each in judged},
            {each.name: encoded(each, batches) for each in judged},
            [each.name for each in judged if each.categories is not None],
            atypical=_ROWS,
        )
    if told is None:
        note = "too few rows for a classifier"
        found = Measurement(
            "c2st_auc", None, state=State.INSUFFICIENT, definition=_DEFINITION,
            detail={"note": note},
        )  # fmt: skip
        return found, list(past)
    flagged = told.p_value <= rule.q and told.auc >= least
    before = list(past)[-(rule.n - 1) :] if rule.n > 1 else []
    cast = [*before, int(flagged)]
    ids = _ids(batches)
    found = Measurement(
        metric="c2st_auc",
        value=told.auc,
        low=max(0.0, told.auc - 1.96 * told.error),
        high=min(1.0, told.auc + 1.96 * told.error),
        p_value=told.p_value,
        threshold=least,
        comparison="GreaterThanOrEqualToThreshold",
        state=State.VIOLATED if sum(cast) >= rule.m else State.OK,
        definition=f"{_DEFINITION}; AUC >= {least:g} and p <= {rule.q:g}, "
        f"{rule.m} of {rule.n} windows",
        detail={
            "rows": [told.rows_then, told.rows_now],
            "columns": [
                {"column": name, "auc_lost": round(loss, 5)}
                for name, loss in told.columns[:_COLUMNS]
            ],
            "atypical": [
                {"inference_id": ids[row], "row": row, "chance": round(chance, 4)}
                for row, chance in told.rows
            ],
        },
    )
    return found, cast


def _ids(batches: Sequence[pa.RecordBatch]) -> list[str | None]:
    """Each row's inference id, where it has one."""
    result: list[str | None] = []
    for batch in batches:
        place = batch.schema.get_field_index(INFERENCE_ID)
        result += batch.column(place).to_pylist() if place >= 0 else [None] * batch.num_rows
    return result
