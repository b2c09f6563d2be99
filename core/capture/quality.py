"""How far an endpoint's requests are labelled, and how good each variant's answers were."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from core.capture.index import looking
from core.capture.scoring import REGRESSION
from core.domain.capture import ArmQuality, LabelCoverage


class Numbers(NamedTuple):
    """Metrics of predicted numbers, in the label's unit."""

    mae: float
    rmse: float
    bias: float


class Classes(NamedTuple):
    """Metrics of predicted classes; shares between 0 and 1."""

    accuracy: float
    precision: float
    recall: float
    f1: float
    average: str


def coverage(folder: Path, name: str) -> LabelCoverage:
    """What has been merged by the last time, by variant. Raises `StateCorrupt`."""
    with looking(folder) as db:
        if db is None:
            return LabelCoverage(name, 0, 0, ())
        (labels,) = db.execute("SELECT COUNT(*) FROM labels").fetchone()
        (matched,) = db.execute("SELECT COUNT(DISTINCT id) FROM answers").fetchone()
        merged = db.execute("SELECT value FROM facts WHERE key = 'merged_at'").fetchone()
        return LabelCoverage(
            name, labels, labels - matched, tuple(_arms(db)), merged[0] if merged else None
        )


def _arms(db: sqlite3.Connection) -> Iterable[ArmQuality]:
    captured = _captured(db)
    labelled = {
        (revision, shadow): (count, rows)
        for revision, shadow, count, rows in db.execute(
            "SELECT revision, shadow, COUNT(*), SUM(rows) FROM answers GROUP BY revision, shadow"
        )
    }
    for revision, shadow in sorted(captured.keys() | labelled.keys()):
        count, rows = labelled.get((revision, shadow), (0, 0))
        numbers = _numbers(db, revision, shadow)
        classes = class_metrics(
            db.execute(
                "SELECT truth, predicted, rows FROM confusion"
                " WHERE revision = ? AND shadow = ? AND rows > 0",
                (revision, shadow),
            )
        )
        yield ArmQuality(
            variant=f"r{revision}",
            revision=revision,
            shadow=bool(shadow),
            captured=captured.get((revision, shadow), 0),
            labelled=count,
            scored=rows,
            mae=numbers.mae if numbers else None,
            rmse=numbers.rmse if numbers else None,
            bias=numbers.bias if numbers else None,
            accuracy=classes.accuracy if classes else None,
            precision=classes.precision if classes else None,
            recall=classes.recall if classes else None,
            f1=classes.f1 if classes else None,
            average=classes.average if classes else "",
        )


def _captured(db: sqlite3.Connection) -> dict[tuple[int, int], int]:
    found: dict[tuple[int, int], int] = {}
    for revision, rows, shadows in db.execute(
        "SELECT revision, SUM(rows), SUM(shadows) FROM capture_parts GROUP BY revision"
    ):
        if rows:
            found[revision, 0] = rows
        if shadows:
            found[revision, 1] = shadows
    return found


def _numbers(db: sqlite3.Connection, revision: int, shadow: int) -> Numbers | None:
    rows, absolute, squared, signed = db.execute(
        "SELECT SUM(rows), SUM(absolute), SUM(squared), SUM(signed) FROM answers"
        " WHERE revision = ? AND shadow = ? AND kind = ?",
        (revision, shadow, REGRESSION),
    ).fetchone()
    if not rows:
        return None
    return Numbers(absolute / rows, math.sqrt(squared / rows), signed / rows)


def class_metrics(counts: Iterable[tuple[str, str, int]]) -> Classes | None:
    """Accuracy, precision, recall and F1 from (label, prediction, rows); None of none.

    Of the positive class where the classes are 0 and 1, else the unweighted mean over all
    classes that were labelled or predicted. What would be divided by 0 is 0.
    """
    table = list(counts)
    total = sum(rows for _, _, rows in table)
    if not total:
        return None
    right = sum(rows for truth, predicted, rows in table if truth == predicted)
    names = sorted({truth for truth, _, _ in table} | {predicted for _, predicted, _ in table})
    binary = set(names) <= {"0", "1"}
    each = [_of_class(table, name) for name in (["1"] if binary else names)]
    precision, recall, f1 = (sum(values) / len(each) for values in zip(*each, strict=True))
    return Classes(right / total, precision, recall, f1, "binary" if binary else "macro")


def _of_class(table: list[tuple[str, str, int]], name: str) -> tuple[float, float, float]:
    hits = sum(rows for truth, predicted, rows in table if truth == predicted == name)
    said = sum(rows for _, predicted, rows in table if predicted == name)
    there = sum(rows for truth, _, rows in table if truth == name)
    precision = hits / said if said else 0.0
    recall = hits / there if there else 0.0
    both = precision + recall
    return precision, recall, 2 * precision * recall / both if both else 0.0
