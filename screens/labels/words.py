"""A row that wants a label, and its queue, in lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from screens.widgets.lines import Line, Piece, fit, wrapped
from screens.words import age, number, one_line, plural

if TYPE_CHECKING:
    from core.domain.labelling import LabelQueue, LabelTask

_REASONS = {
    "uncertain": ("the model is unsure", "warn"),
    "disagreeing": ("two models disagree", "warn"),
    "drifted": ("unlike the training data", "accent"),
    "random": ("by lot", "dim"),
}
MOST_CLASSES = 9


def queue_line(queue: LabelQueue | None, actor: str) -> Line:
    """The queue in a line: what is open, what I did, how far people agree."""
    if queue is None:
        return [("  reading…", "faint")]
    line: list[Piece] = [
        ("  label ", "dim"),
        (queue.endpoint, "bold"),
        (f"   {plural(queue.open, 'row')} open", "text"),
    ]
    mine = queue.people.get(actor, 0)
    line.append((f"   {mine} by you", "ok" if mine else "faint"))
    reasons = [f"{count} {reason}" for reason, count in sorted(queue.by_reason.items())]
    line.append((f"   {', '.join(reasons)}" if reasons else "", "faint"))
    if queue.waiting:
        line.append((f"   {queue.waiting} on their way", "dim"))
    if queue.agreement.share is not None:
        line.append((f"   two agree on {100 * queue.agreement.share:.0f} %", "dim"))
    return line


def task_lines(task: LabelTask | None, trouble: str, now: float, width: int) -> Sequence[Line]:
    """One row: why it is here, what the model said, what it was asked."""
    if task is None:
        return [[], *wrapped([(f"  {trouble}" if trouble else "  reading…", "dim")], width)]
    words, style = _REASONS.get(task.reason.value, (task.reason.value, "dim"))
    why: list[Piece] = [("  picked  ", "dim"), (words, style)]
    if task.reason.value != "random":
        why.append((f": {one_line(task.why)}", "text"))
    lines: list[Line] = [
        [
            ("  row     ", "dim"),
            (task.inference_id, "text"),
            (f"   asked {age(max(0.0, now - task.captured_at))}", "faint"),
            (f"   variant {task.variant}", "faint"),
            ("   for two people" if task.wanted > 1 else "", "faint"),
        ],
        *wrapped(why, width, 10),
        [("  answer  ", "dim"), (shown(task.prediction), "bold")],
        [],
    ]
    return [*lines, *_input_lines(task, width)]


def _input_lines(task: LabelTask, width: int) -> list[Line]:
    """The inputs, in two columns where there is room."""
    cells = [(name, shown(value)) for name, value in task.inputs.items()]
    if not cells:
        return [[("  the request has no named inputs", "faint")]]
    names = min(max(len(name) for name, _ in cells), 28)
    columns = 2 if width >= 100 or (len(cells) > 14 and width >= 70) else 1
    room = (width - 2) // columns
    height = -(-len(cells) // columns)
    lines: list[Line] = []
    for row in range(height):
        line: list[Piece] = [("  ", "text")]
        for cell in cells[row::height]:
            line += [
                (fit(cell[0], names) + "  ", "dim"),
                (fit(cell[1], max(6, room - names - 4)), "text"),
                ("  ", "text"),
            ]
        lines.append(line)
    return lines


def shown(value: Any) -> str:
    """A value on one line."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, bool):
        return str(value).lower()
    return one_line(str(value))


def hint_line(queue: LabelQueue | None) -> Line:
    """What may be typed: a number, or one of the classes, which their place stands for, too."""
    if queue is None:
        return []
    if queue.kind.value == "number":
        return [("  a number; ", "faint"), ("⏎", "dim"), (" takes it", "faint"), *_KEYS]
    line: list[Piece] = [("  ", "text")]
    if not numbered(queue.classes):
        line.append((", ".join(queue.classes[:MOST_CLASSES]) or "a class", "dim"))
        return [*line, *_KEYS]
    for place, name in enumerate(queue.classes[:MOST_CLASSES], start=1):
        line += [(f"{place} ", "accent"), (f"{name}  ", "dim")]
    return [*line, *_KEYS]


_KEYS: tuple[Piece, ...] = (
    ("   tab", "dim"),
    (" skips", "faint"),
    ("   shift+tab", "dim"),
    (" undoes", "faint"),
)


def numbered(classes: Sequence[str]) -> bool:
    """Whether a digit stands for a class: not where classes are numbers themselves."""
    return bool(classes) and not any(name.isdigit() for name in classes)


def meant(text: str, queue: LabelQueue | None) -> str:
    """What somebody who typed this means: the class at that place, or one that begins so."""
    text = text.strip()
    if queue is None or queue.kind.value == "number":
        return text
    classes = queue.classes
    if numbered(classes) and text.isdigit() and 1 <= int(text) <= len(classes):
        return classes[int(text) - 1]
    if text in classes:
        return text
    begin = [name for name in classes if name.lower().startswith(text.lower())]
    return begin[0] if text and len(begin) == 1 else text
