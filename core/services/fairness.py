"""Whether a model treats groups of people differently: the metrics of SageMaker Clarify."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.domain.fairness import BiasGroup, BiasValue, ModelBias
from core.domain.model import ModelVersion
from core.errors import BadInput
from core.session import Session

if TYPE_CHECKING:
    import pyarrow as pa

    from core.bias.conditions import Condition
    from core.bias.report import BiasReport, GroupBias


@dataclass(frozen=True, slots=True)
class BiasQuestion:
    """What is asked of a model and some rows.

    `facets` are `COLUMN`, `COLUMN=VALUE[,VALUE]` or `COLUMN>X`; `positive` is the value (values
    by comma) of the label that counts as positive, or `>X`. `label` is left out only where there
    are no labels: metrics of predictions remain. `prediction` names a column of predictions to
    take in place of the model's. `by` is the group variable of CDDL and CDDPL.
    """

    facets: tuple[str, ...]
    positive: str
    label: str = ""
    prediction: str = ""
    by: str = ""
    intersections: bool = False
    metrics: tuple[str, ...] = ()
    confidence: float = 0.95
    minimum: int = 30


class FairnessService:
    """Reports of bias. Heavy: it loads the model."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def report(
        self,
        name: str,
        which: str | None,
        data: str | None,
        question: BiasQuestion,
        analysis: Path | None = None,
    ) -> ModelBias:
        """The bias of a version (the champion, else the newest) in the rows of a file or of
        `dataset:NAME[@VERSION]` (else those that it was judged on), read with the actor's
        rights; `analysis` is where Clarify's analysis.json is written, if anywhere.

        Raises `NotFound`, `BadInput`, `BiasInvalid`, `ModelUnusable`, `NoBaseline`, `Refused`.
        """
        from core.bias.analysis import analysis as clarify
        from core.domain.monitor import Reference
        from core.services.modelrows import named_rows, training_rows, version_of

        version = version_of(self._session, name, which)
        purpose = f"models bias {version.name} v{version.version}"
        rows = (
            named_rows(self._session, data, purpose)
            if data
            else training_rows(self._session, version, Reference.EVALUATION, purpose)
        )
        found, by = self._judged(version, rows.table, rows.where, question)
        written = clarify(found)
        if analysis is not None:
            _write(analysis, written)
        return ModelBias(
            model=version.name,
            version=version.version,
            data=rows.where,
            label=question.label,
            positive=found.positive,
            predictions=by,
            rows=found.rows,
            labelled=found.labelled,
            confidence=question.confidence,
            groups=tuple(_group(bias) for bias in found.groups),
            notes=found.notes,
            analysis=written,
        )

    def _judged(
        self, version: ModelVersion, table: pa.Table, where: str, asked: BiasQuestion
    ) -> tuple[BiasReport, str]:
        """The report, and whose predictions it is of."""
        from core.bias.arrow import column_of, columns_of
        from core.bias.conditions import parse
        from core.bias.report import Question, report
        from core.services.modelrows import inputs_of, load, need_columns

        facets = tuple(parse(text) for text in asked.facets)
        own = [name for name in (asked.label, asked.prediction, asked.by) if name]
        need_columns(table, own, where)
        inputs = inputs_of(self._session, version)
        by = f"column {asked.prediction}" if asked.prediction else "the model"
        if asked.prediction:
            said = column_of(table.column(asked.prediction))
        elif not table.num_rows:
            raise BadInput(f"{where}: no rows")
        else:
            need_columns(table, inputs, where)
            said = load(self._session, version).predict(table)
        there = set(table.column_names)
        wanted = {facet.column for facet in facets} | {asked.by} | set(inputs)
        columns = columns_of(table.select(sorted(wanted & there)))
        question = Question(
            label=_positive(asked),
            facets=facets,
            group=asked.by,
            features=tuple(name for name in inputs if name in there),
            metrics=asked.metrics,
            intersections=asked.intersections,
            confidence=asked.confidence,
            minimum=asked.minimum,
        )
        labels = column_of(table.column(asked.label)) if asked.label else None
        return report(columns, question, labels, said), by


def _positive(asked: BiasQuestion) -> Condition:
    """The positive outcome as a condition on the label."""
    from core.bias.conditions import parse

    sign = "" if asked.positive.lstrip().startswith(">") else "="
    found = parse(f"label{sign}{asked.positive}")
    return type(found)(asked.label or "prediction", found.values, found.above)


def _group(bias: GroupBias) -> BiasGroup:
    return BiasGroup(
        name=bias.group.name,
        facet=bias.group.facet,
        value=bias.group.value,
        rows=bias.rows,
        others=bias.others,
        metrics=tuple(
            BiasValue(
                name=each.metric.name,
                description=each.metric.description,
                stage=str(each.metric.stage),
                value=each.value,
                low=each.low,
                high=each.high,
                neutral=each.metric.neutral,
                says=each.says,
                error=each.error,
                few=bool(each.note),
            )
            for each in bias.results
        ),
        few=bias.few,
    )


def _write(path: Path, document: object) -> None:
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror}") from error
