"""ClassImbalance and Confusion: rules over the predictions and labels that a run put out."""

from __future__ import annotations

import numpy as np

from core.debugger.progress import Issue
from core.modelquality.confusion import confusion
from core.modelquality.pairs import Pairs

THRESHOLD_IMBALANCE = 10.0
THRESHOLD_MISPREDICTION = 0.7
SAMPLES = 500
MIN_DIAG = 0.9
MAX_OFF_DIAG = 0.1


def class_imbalance(pairs: Pairs) -> Issue | None:
    """The largest class is more than 10 times the smallest, or more than 70 % of a class is
    predicted wrong. Needs 500 rows of classes."""
    matrix = confusion(pairs)
    there = matrix.sum(axis=1)
    names = [name for name, rows in zip(pairs.classes, there, strict=True) if rows]
    counts = there[there > 0]
    right = np.diagonal(matrix)[there > 0]
    ratio = float(counts.max() / counts.min())
    wrong = 1 - right / counts
    words = []
    if ratio > THRESHOLD_IMBALANCE:
        least, most = names[int(counts.argmin())], names[int(counts.argmax())]
        words.append(f"has {ratio:.1f} times as many labels {most} as {least}")
    worst = int(wrong.argmax())
    if wrong[worst] > THRESHOLD_MISPREDICTION:
        words.append(f"predicts {wrong[worst]:.0%} of class {names[worst]} wrong")
    if not words:
        return None
    return Issue(
        None,
        None,
        " and ".join(words),
        {
            "ratio": ratio,
            "labels": {name: int(rows) for name, rows in zip(names, counts, strict=True)},
            "mispredicted": dict(zip(names, wrong.round(6).tolist(), strict=True)),
        },
    )


def confused(pairs: Pairs) -> Issue | None:
    """Confusion: of each label at least 90 % predicted right; of each prediction at most 10 %
    with any one other label.

    The documentation's formula for the diagonal divides by the sum of the whole diagonal, of
    which no two classes can both have 90 %; the share of the label's rows is meant here.
    """
    matrix = confusion(pairs).astype(np.float64)
    there, said = matrix.sum(axis=1), matrix.sum(axis=0)
    diagonal = np.divide(np.diagonal(matrix), there, out=np.ones_like(there), where=there > 0)
    off = np.divide(matrix, said[None, :], out=np.zeros_like(matrix), where=said[None, :] > 0)
    np.fill_diagonal(off, 0.0)
    words = []
    weakest = int(diagonal.argmin())
    if diagonal[weakest] < MIN_DIAG:
        words.append(f"predicts {diagonal[weakest]:.0%} of label {pairs.classes[weakest]} right")
    truth, claimed = np.unravel_index(int(off.argmax()), off.shape)
    if off[truth, claimed] > MAX_OFF_DIAG:
        words.append(
            f"{off[truth, claimed]:.0%} of what it calls {pairs.classes[claimed]} is "
            f"{pairs.classes[truth]}"
        )
    if not words:
        return None
    return Issue(
        None,
        None,
        " and ".join(words),
        {"diagonal": dict(zip(pairs.classes, diagonal.round(6).tolist(), strict=True))},
    )
