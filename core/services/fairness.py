"""Whether a model treats groups of people differently: the metrics of SageMaker Clarify."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.domain.fairness import BiasGroup, BiasValue, ModelBias
from core.errors import BadInput
from core.session import Session

if TYPE_CHECKING:
    import pyarrow as pa

    from core.bias.columns import Column, Columns
    from core.bias.conditions import Condition
    from core.bias.report import GroupBias, Question
    from core.monitors.kind import LoadedModel


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
        from core.domain.monitor import Reference
        from core.services.modelrows import (
            inputs_of,
            load,
            named_rows,
            training_rows,
            version_of,
        )

        version = version_of(self._session, name, which)
        purpose = f"models bias {version.name} v{version.version}"
        rows = (
            named_rows(self._session, data, purpose)
            if data
            else training_rows(self._session, version, Reference.EVALUATION, purpose)
        )
        inputs = inputs_of(self._session, version)
        judged = _Judged(rows.table, rows.where, inputs, lambda: load(self._session, version))
        found = judged.report(question)
        if analysis is not None:
            _write(analysis, found.analysis)
        return replace(found, model=version.name, version=version.version)

    def of_model(self, path: Path, table: pa.Table, question: BiasQuestion) -> ModelBias:
        """The same of a model's folder in MLflow's format, and of rows at hand; without a name.

        Raises `ModelUnusable`, `BadInput`, `BiasInvalid`.
        """
        from core.services.modelrows import load_folder

        model = load_folder(path)
        return _Judged(table, "rows", model.inputs, lambda: model).report(question)


@dataclass(frozen=True, slots=True)
class _Judged:
    """Rows and a model for them, which is loaded only where its predictions are wanted."""

    table: pa.Table
    where: str
    inputs: tuple[str, ...]
    load: Callable[[], LoadedModel]

    def report(self, asked: BiasQuestion) -> ModelBias:
        """The answer, without the name of the model."""
        from core.bias.analysis import analysis
        from core.bias.report import report

        question = self._question(asked)
        labels = self._column(asked.label) if asked.label else None
        said = self._column(asked.prediction) if asked.prediction else self._predicted()
        found = report(self._columns(question), question, labels, said)
        return ModelBias(
            model="",
            version=0,
            data=self.where,
            label=asked.label,
            positive=found.positive,
            predictions=f"column {asked.prediction}" if asked.prediction else "the model",
            rows=found.rows,
            labelled=found.labelled,
            confidence=asked.confidence,
            groups=tuple(_group(bias) for bias in found.groups),
            notes=found.notes,
            analysis=analysis(found),
        )

    def _question(self, asked: BiasQuestion) -> Question:
        from core.bias.conditions import parse
        from core.bias.report import Question
        from core.services.modelrows import need_columns

        own = [name for name in (asked.label, asked.prediction, asked.by) if name]
        need_columns(self.table, own, self.where)
        return Question(
            label=_positive(asked),
            facets=tuple(parse(text) for text in asked.facets),
            group=asked.by,
            features=tuple(name for name in self.inputs if name in self.table.column_names),
            metrics=asked.metrics,
            intersections=asked.intersections,
            confidence=asked.confidence,
            minimum=asked.minimum,
        )

    def _columns(self, question: Question) -> Columns:
        from core.bias.arrow import columns_of

        wanted = {facet.column for facet in question.facets} | {question.group, *question.features}
        return columns_of(self.table.select(sorted(wanted & set(self.table.column_names))))

    def _column(self, name: str) -> Column:
        from core.bias.arrow import column_of

        return column_of(self.table.column(name))

    def _predicted(self) -> Column:
        from core.services.modelrows import need_columns

        if not self.table.num_rows:
            raise BadInput(f"{self.where}: there are no rows")
        need_columns(self.table, self.inputs, self.where)
        return self.load().predict(self.table)


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
