"""What a label may be, and whether people agree on one."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

from core.capture.labelfile import cell
from core.capture.scoring import klass
from core.domain.labelling import Agreement, LabelAnswer, LabelKind, TaskState
from core.labelling.errors import LabelRefused
from core.pipelines._report import did_you_mean

CLOSE = 0.05
"""Numbers that differ by no more than this share of the larger one are the same answer."""

MOST_ANSWERS = 3
"""So many people are asked at most where the first do not agree."""

MOST_SKIPS = 2
"""After so many people have passed a row over, it is nobody's any more."""


def kind_of(values: Iterable[Any]) -> LabelKind:
    """Numbers where all predictions are fractions by type, as `core.capture.scoring` has it."""
    known = [value for value in values if value is not None]
    plain = [value for value in known if isinstance(value, float)]
    return LabelKind.NUMBER if known and len(plain) == len(known) else LabelKind.CLASS


def checked(given: Any, kind: LabelKind, classes: Sequence[str], *, new: bool = False) -> Any:
    """A label as it is kept, from what was typed or read. `new` lets in a class that nobody has
    said yet. Raises `LabelRefused`."""
    value = cell(given) if isinstance(given, str) else given
    if value is None or value == "":
        raise LabelRefused("the label is empty", "say one, or skip the row")
    if kind is LabelKind.NUMBER:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise LabelRefused(f"the label {given!r:.60} is no number", "labels here are numbers")
        if not math.isfinite(value):
            raise LabelRefused(f"the label {given!r:.60} is not finite", "give a finite number")
        return value
    if isinstance(value, list | dict):
        raise LabelRefused(f"the label {given!r:.60} is no class", "give one word or number")
    known = {klass(each) for each in classes}
    if known and klass(value) not in known and not new:
        hint = did_you_mean(str(value), classes) or "see: opsdeck labels status"
        raise LabelRefused(f"no class {value!s:.60} so far", f"{hint} (a new one: --new)")
    return value


def agreed(answers: Sequence[LabelAnswer], wanted: int, kind: LabelKind) -> tuple[TaskState, Any]:
    """What the answers to a row come to: its state, and the label where there is one.

    Where the first two differ a third is asked; then the majority holds, of numbers the median.
    """
    values = [answer.value for answer in answers if answer.value is not None]
    skips = len(answers) - len(values)
    if len(values) < wanted:
        gone = skips >= MOST_SKIPS and not values
        return (TaskState.SKIPPED if gone else TaskState.OPEN), None
    if kind is LabelKind.NUMBER:
        return _numbers([float(value) for value in values], values)
    counts = Counter(klass(value) for value in values)
    (first, times), *others = counts.most_common()
    if len(values) == 1 or (times > len(values) / 2 and not (others and times == others[0][1])):
        return TaskState.DONE, next(value for value in values if klass(value) == first)
    return (TaskState.DISPUTED if len(values) >= MOST_ANSWERS else TaskState.OPEN), None


def _numbers(numbers: list[float], values: list[Any]) -> tuple[TaskState, Any]:
    if len(numbers) == 1:
        return TaskState.DONE, values[0]
    if all(same_number(a, b) for a, b in combinations(numbers, 2)):
        return TaskState.DONE, math.fsum(numbers) / len(numbers)
    if len(numbers) < MOST_ANSWERS:
        return TaskState.OPEN, None
    middle = sorted(numbers)[len(numbers) // 2]
    near = sum(same_number(middle, each) for each in numbers)
    return (TaskState.DONE, middle) if near >= 2 else (TaskState.DISPUTED, None)


def same_number(one: float, other: float) -> bool:
    """Whether two people mean the same number."""
    return math.isclose(one, other, rel_tol=CLOSE, abs_tol=1e-9)


def needed(answers: Sequence[LabelAnswer], wanted: int, kind: LabelKind) -> int:
    """How many further people a row needs now."""
    state, _ = agreed(answers, wanted, kind)
    if state is not TaskState.OPEN:
        return 0
    given = sum(answer.value is not None for answer in answers)
    return max(1, wanted - given)


def agreement(tasks: Iterable[Sequence[LabelAnswer]], kind: LabelKind) -> Agreement:
    """How far the first two answers to each row agree.

    Cohen's kappa (Educational and Psychological Measurement 20, 1960) with the classes' shares
    pooled over both, since the two are not the same people for every row (Scott's pi).
    """
    pairs = []
    for answers in tasks:
        values = [
            each.value for each in sorted(answers, key=lambda a: a.at) if each.value is not None
        ]
        if len(values) >= 2:
            pairs.append((values[0], values[1]))
    if not pairs:
        return Agreement()
    if kind is LabelKind.NUMBER:
        numbers = [(float(a), float(b)) for a, b in pairs]
        same = sum(same_number(a, b) for a, b in numbers) / len(numbers)
        gap = math.fsum(abs(a - b) for a, b in numbers) / len(numbers)
        return Agreement(len(pairs), same, None, gap)
    names = [(klass(a), klass(b)) for a, b in pairs]
    same = sum(a == b for a, b in names) / len(names)
    pooled = Counter(name for pair in names for name in pair)
    chance = sum((count / (2 * len(names))) ** 2 for count in pooled.values())
    kappa = None if chance >= 1 else (same - chance) / (1 - chance)
    return Agreement(len(pairs), same, kappa)


def as_json(value: Any) -> str:
    """A label as JSON text."""
    return json.dumps(value, ensure_ascii=False)
