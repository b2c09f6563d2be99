"""A window's rows as answers with labels, inputs and times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from core.errors import OpsdeckError
from core.modelquality.inputs import column_values
from core.modelquality.pairs import Answers, Floats, read_answers
from core.modelquality.segments import columns_of
from core.modelquality.task import Task, as_names, class_name, detect, order_classes
from core.monitors.kind import (
    AT,
    LABEL,
    PREDICTION,
    SCORE,
    KindContext,
    MonitorDefinition,
    Window,
    feature_columns,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from core.monitors.kinds._quality_settings import QualitySettings

CAPTURED = "captured"
MODEL = "model"


@dataclass(frozen=True, slots=True)
class QualityRows:
    """Answers and, by name, the columns of inputs and segments. `times` are epoch seconds, None
    where the rows have none. `scores` says where they are from: `captured`, `model` or empty."""

    answers: Answers
    columns: Mapping[str, np.ndarray[Any, Any]]
    features: tuple[str, ...]
    times: Floats | None
    scores: str


def read_rows(
    definition: MonitorDefinition,
    window: Window,
    context: KindContext,
    *,
    task: Task | None = None,
    classes: Sequence[str] = (),
    scores: str | None = None,
) -> QualityRows:
    """The rows of a window. `task`, `classes` and `scores` are the baseline's; None and empty
    where they are to be found out. A prediction that the rows lack is made by the model; where
    there is none either, no row has one."""
    settings: QualitySettings = definition.settings
    names = window.schema.names
    features = feature_columns(definition, names, context.inputs)
    grouped = {name for group in columns_of(definition.segments) for name in group}
    # A model is asked with all of its inputs, those left out of the comparison included.
    asked = [name for name in names if name in {*features, *grouped, *context.inputs}]
    own = [name for name in (PREDICTION, LABEL, SCORE, AT) if name in names]
    table = window.table([*own, *asked])
    predictions = _predictions(table, context)
    labels = _column(table, LABEL)
    if task is None:
        task = _task(settings, context, labels, predictions)
    given, found = _scores(table, task, classes, settings, context, scores, labels)
    answers = read_answers(
        task,
        predictions,
        labels,
        given,
        classes=classes,
        positive=settings.positive,
        threshold=settings.probability_threshold,
    )
    times = _column(table, AT) if AT in names else None
    if times is not None and times.dtype.kind not in "fi":
        times = None
    kept = {name: column_values(table, name) for name in asked if name in {*features, *grouped}}
    found = found if answers.score is not None else ""
    return QualityRows(answers, kept, features, times, found)


def _column(table: pa.Table, name: str) -> np.ndarray[Any, Any]:
    if name in table.column_names:
        return column_values(table, name)
    return np.full(table.num_rows, None, dtype=object)


def _predictions(table: pa.Table, context: KindContext) -> np.ndarray[Any, Any]:
    if PREDICTION not in table.column_names and table.num_rows:
        model = _model(context)
        if model is not None:
            return np.asarray(model.predict(table))
    return _column(table, PREDICTION)


def _model(context: KindContext) -> Any:
    """The served model; None where there is none, or it cannot be loaded here."""
    try:
        return context.load_model()
    except (LookupError, OpsdeckError):
        return None


def _task(
    settings: QualitySettings,
    context: KindContext,
    labels: np.ndarray[Any, Any],
    predictions: np.ndarray[Any, Any],
) -> Task:
    if settings.problem_type:
        return Task(settings.problem_type)
    if context.task == "regression" and not settings.positive:
        seen = set(as_names(labels)) - {""}
        # A model with one number for an output may give a probability.
        if not (seen and seen <= {"0", "1"}):
            return Task.REGRESSION
    found = detect(labels.tolist(), predictions.tolist())
    if found is Task.REGRESSION and context.task == "classes":
        return Task.MULTICLASS
    return found


def _scores(
    table: pa.Table,
    task: Task,
    classes: Sequence[str],
    settings: QualitySettings,
    context: KindContext,
    wanted: str | None,
    labels: np.ndarray[Any, Any],
) -> tuple[Floats | None, str]:
    """Probabilities by class in the order of `classes` (of two, rows for the positive one),
    and where they are from. Only a baseline (`wanted` None) looks for what there is."""
    if task is Task.REGRESSION or not table.num_rows or wanted == "":
        return None, ""
    natural = order_classes(classes or set(as_names(labels)))
    if SCORE in table.column_names:
        found = parse_scores(_column(table, SCORE), len(natural))
        if found is not None:
            return _ordered(found, natural, natural, task, classes, settings), CAPTURED
    if wanted == CAPTURED:
        return None, ""
    model = _model(context)
    raw = None if model is None else model.scores(table)
    if raw is None:
        return None, ""
    named = tuple(class_name(each) for each in model.classes)
    if len(named) != raw.shape[1]:
        return None, ""
    return _ordered(raw, named, natural, task, classes, settings), MODEL


def _ordered(
    raw: Floats,
    named: Sequence[str],
    natural: Sequence[str],
    task: Task,
    classes: Sequence[str],
    settings: QualitySettings,
) -> Floats | None:
    """Columns put into the order of the classes; of two the positive one's alone."""
    if raw.ndim == 1:
        return raw if task is Task.BINARY else None
    order = tuple(classes) or order_classes(natural, settings.positive)
    if not set(order) <= set(named):
        return None
    places = [list(named).index(name) for name in order]
    if task is Task.BINARY:
        return raw[:, places[-1]] if len(places) == 2 else None
    return raw[:, places]


def parse_scores(column: np.ndarray[Any, Any], classes: int) -> Floats | None:
    """Scores from numbers, or from text that holds JSON: a number or a list with one for each
    class. Rows × classes, or rows where they are single numbers; None where no row has one."""
    if column.dtype.kind in "fiu":
        return column.astype(np.float64) if np.isfinite(column).any() else None
    read = [_parse(value) for value in column.tolist()]
    widths = {len(each) for each in read if each is not None}
    if widths == {1}:
        return np.array([np.nan if each is None else each[0] for each in read])
    if widths != {classes} or classes < 2:
        return None
    blank = [np.nan] * classes
    return np.array([blank if each is None else each for each in read], dtype=np.float64)


def _parse(value: Any) -> list[float] | None:
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
    listed = value if isinstance(value, list) else [value]
    if not listed or not all(
        isinstance(each, (int, float)) and not isinstance(each, bool) for each in listed
    ):
        return None
    return [float(each) for each in listed]
