"""Attribution drift: whether the served model goes by other features than in training.

SHAP values of a sample of each window are held against those of the training rows: nDCG of the
order of the features, as SageMaker Clarify computes it, and each feature's global SHAP value,
which over the windows is the explanation of the model over time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from core.monitors.kind import (
    Findings,
    Kind,
    KindContext,
    MonitorDefinition,
    Problems,
    Reference,
    State,
    StoredBaseline,
    Window,
)
from core.monitors.kinds._attribution_settings import Settings, read_settings

if TYPE_CHECKING:
    import pyarrow as pa

    from core.attribution import Explanation

BACKGROUND = "background"


class Attribution(Kind):
    """The kind `attribution`."""

    name: ClassVar[str] = "attribution"
    reference: ClassVar[Reference] = Reference.TRAINING

    def read(self, problems: Problems, where: str, data: Mapping[str, Any]) -> Settings:
        """See `Kind`: nothing is needed."""
        return read_settings(problems, where, data)

    def baseline(
        self, definition: MonitorDefinition, reference: Window, context: KindContext
    ) -> StoredBaseline:
        """See `Kind`: the global SHAP values of the training rows, and rows of them that stand
        for what is not known. Raises `CannotExplain`."""
        import numpy as np

        from core.attribution import analysis
        from core.attribution.explanation import sample

        rows = _rows(reference, context)
        settings: Settings = definition.settings
        background = rows.take(sample(rows.num_rows, settings.background_rows, seed=1))
        found = _explain(rows, background, settings, context)
        summary = {
            "method": found.method,
            "units": found.units,
            "note": found.note,
            "features": list(found.features),
            "labels": list(found.labels),
            "importance": [found.importance(at).tolist() for at in range(len(found.labels))],
            "explained": found.rows,
            "analysis": analysis(found),
        }
        kept = np.frombuffer(_packed(background), np.uint8)
        return StoredBaseline(summary, {BACKGROUND: kept})

    def evaluate(
        self,
        definition: MonitorDefinition,
        baseline: StoredBaseline | None,
        window: Window,
        memory: Mapping[str, Any],
        context: KindContext,
    ) -> Findings:
        """See `Kind`."""
        from core.attribution import CannotExplain
        from core.monitors.kinds._attribution_findings import findings

        least = max(1, definition.window.minimum_rows)
        if window.rows < least:
            said = f"too few rows: {window.rows}, not {least}" if window.rows else "no rows"
            return Findings(State.INSUFFICIENT, headline=said)
        if baseline is None:
            return Findings(State.INSUFFICIENT, headline="no baseline to compare with")
        try:
            background = _unpacked(baseline.arrays[BACKGROUND].tobytes())
            rows = _rows(window, context)
            found = _explain(rows, background, definition.settings, context)
        except CannotExplain as error:
            return Findings(State.INSUFFICIENT, headline=error.message)
        return findings(definition.settings, baseline, found, memory)


def _rows(window: Window, context: KindContext) -> pa.Table:
    """The inputs of the rows that the model could answer."""
    from core.attribution import CannotExplain

    if not context.inputs:
        raise CannotExplain(
            "no model with named inputs is behind what is watched", "watch an endpoint"
        )
    table = window.table(context.inputs)
    return table.filter(_whole(table)) if table.num_columns else table


def _whole(table: pa.Table) -> Any:
    """Which rows have an input at all: what could not be read is nulls only."""
    import pyarrow.compute as pc

    known = [pc.is_valid(column) for column in table.columns]
    found = known[0]
    for one in known[1:]:
        found = pc.or_(found, one)
    return found


def _explain(
    rows: pa.Table, background: pa.Table, settings: Settings, context: KindContext
) -> Explanation:
    from core.attribution import Budget, CannotExplain, explain

    try:
        model = context.load_model()
    except LookupError as error:
        raise CannotExplain(str(error), "watch an endpoint") from error
    budget = Budget(settings.explained_rows, settings.background_rows, seconds=settings.seconds)
    return explain(model, rows, background, budget)


def _packed(table: pa.Table) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def _unpacked(data: bytes) -> pa.Table:
    import pyarrow as pa

    return pa.ipc.open_stream(data).read_all()


KIND = Attribution()
