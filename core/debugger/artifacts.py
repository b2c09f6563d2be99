"""The rules that need what a run put out: predictions with labels, and models.

Loads a model with its own library, which takes seconds: for commands and processes aside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.debugger.evaluating import result
from core.debugger.progress import Issue
from core.domain.debugger import RuleResult
from core.domain.run import OutputRef, RunDetail
from core.errors import ModelUnusable

if TYPE_CHECKING:
    from core.modelquality.pairs import Pairs

_PREDICTIONS = ("prediction", "predictions", "predicted", "y_pred", "pred", "yhat", "y_hat")
_LABELS = ("label", "labels", "target", "y_true", "actual", "truth", "y")
_NO_ROWS = "no output holds predictions beside labels (columns such as prediction and label)"
_NO_TREES = "no model of this run tells of trees"


def evaluate_outputs(
    detail: RunDetail, state_dir: Path, load: Callable[[Path], Any]
) -> tuple[list[RuleResult], dict[str, str]]:
    """What the rules found in the run's outputs, and what the others would need. `load` loads
    the model in a folder and answers its library's own object, or raises `ModelUnusable`."""
    outputs = [(f"{step.step}.{ref.name}", ref) for step in detail.steps for ref in step.outputs]
    found: list[RuleResult] = []
    missing: dict[str, str] = {}
    ended = detail.run.status.ended
    _rows(found, missing, _named(outputs, "frame"), _targets(detail), state_dir, ended)
    _models(found, missing, _named(outputs, "model"), state_dir, load, ended)
    return found, missing


def _named(outputs: Sequence[tuple[str, OutputRef]], kind: str) -> dict[str, OutputRef]:
    return {name: ref for name, ref in outputs if ref.kind == kind}


def _targets(detail: RunDetail) -> tuple[str, str]:
    """The columns that the register step names: predictions, labels."""
    for step in detail.spec.get("steps") or ():
        options = step.get("options") if isinstance(step, Mapping) else None
        if isinstance(options, Mapping) and options.get("target"):
            return str(options.get("prediction") or ""), str(options["target"])
    return "", ""


def _rows(
    found: list[RuleResult],
    missing: dict[str, str],
    frames: Mapping[str, OutputRef],
    named: tuple[str, str],
    state_dir: Path,
    ended: bool,
) -> None:
    from core.debugger.answers import SAMPLES, class_imbalance, confused
    from core.modelquality.task import Task

    pairs = {
        name: read
        for name, ref in frames.items()
        if (read := read_pairs(state_dir / ref.path, named)) is not None
    }
    classes = {name: one for name, one in pairs.items() if one.task is not Task.REGRESSION}
    for rule, look, least, words in (
        ("ClassImbalance", class_imbalance, SAMPLES,
         "largest class over smallest above 10, or above 70 % of a class wrong, from 500 rows"),
        ("Confusion", confused, 1, "at least 90 % of a label right, at most 10 % mistaken"),
    ):  # fmt: skip
        fitting = {name: one for name, one in classes.items() if len(one) >= least}
        if fitting:
            issues = [(n, issue) for n, one in fitting.items() if (issue := look(one)) is not None]
            found.append(result(rule, issues, list(fitting), words, ended=ended))
        elif classes:
            missing[rule] = f"needs {least} rows of predictions with labels"
        else:
            missing[rule] = "the labels are quantities, not classes" if pairs else _NO_ROWS


def read_pairs(path: Path, named: tuple[str, str] = ("", "")) -> Pairs | None:
    """Predictions and labels of a Parquet file; None where it has not both, or no row of them.
    `named` are the columns that are known to hold them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from core.modelquality.inputs import column_values
    from core.modelquality.pairs import read_answers
    from core.modelquality.task import detect

    try:
        with pq.ParquetFile(path) as file:
            columns = file.schema_arrow.names
            prediction = _column(columns, named[0], _PREDICTIONS)
            label = _column(columns, named[1], _LABELS)
            if prediction is None or label is None or prediction == label:
                return None
            table = file.read([prediction, label])
    except (OSError, pa.ArrowInvalid):
        return None
    said, truth = column_values(table, prediction), column_values(table, label)
    answers = read_answers(detect(truth.tolist(), said.tolist()), said, truth)
    return answers.pairs if len(answers.pairs) else None


def _column(columns: Sequence[str], named: str, usual: Sequence[str]) -> str | None:
    if named and named in columns:
        return named
    lower = {name.lower(): name for name in columns}
    return next((lower[name] for name in usual if name in lower), None)


def _models(
    found: list[RuleResult],
    missing: dict[str, str],
    models: Mapping[str, OutputRef],
    state_dir: Path,
    load: Callable[[Path], Any],
    ended: bool,
) -> None:
    from core.debugger import trees

    deep: list[tuple[str, Issue | None]] = []
    heavy: list[tuple[str, Issue | None]] = []
    why = _NO_TREES if models else "no model was put out"
    for name, ref in models.items():
        try:
            native = load(state_dir / ref.path)
        except ModelUnusable as error:
            why = error.message
            continue
        grown = trees.depths(native)
        if grown:
            deep.append((name, trees.too_deep(grown)))
        shares = trees.importances(native)
        if len(shares) > trees.NFEATURES:
            heavy.append((name, trees.overweight(shares)))
    for rule, looked, words in (
        ("TreeDepth", deep, f"no tree deeper than {trees.DEPTH}"),
        ("FeatureImportanceOverweight", heavy,
         f"the first {trees.NFEATURES} inputs have at most {trees.THRESHOLD:.0%} of the weight"),
    ):  # fmt: skip
        if looked:
            issues = [(name, issue) for name, issue in looked if issue is not None]
            found.append(result(rule, issues, [name for name, _ in looked], words, ended=ended))
        elif rule == "TreeDepth" or why != _NO_TREES:
            missing[rule] = why
        else:
            missing[rule] = "no model of this run tells how much each of its inputs weighs"
