"""The labelling queue in words and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from console.session import Session
from console.tables import Column, block, heading, table
from console.words import Cell, many, number, when

if TYPE_CHECKING:
    from core.domain.labelling import LabelQueue, LabelsHanded, LabelsImported, LabelTask

_STATES = {"done": "green", "open": "yellow", "disputed": "red"}


def status_text(session: Session, found: Sequence[LabelQueue]) -> str:
    """Queues, one a line, and beneath who has labelled and how far people agree."""
    if not found:
        return "no queue yet: opsdeck labels queue ENDPOINT --add 100"
    columns = [
        Column("endpoint"),
        Column("open", right=True),
        Column("claimed", right=True),
        Column("labelled", right=True),
        Column("handed on", right=True),
        Column("disputed", right=True),
        Column("skipped", right=True),
        Column("labels are", flexible=True),
    ]
    rows = [
        (
            each.endpoint, str(each.open), str(each.claimed), str(each.done), str(each.handed),
            str(each.disputed), str(each.skipped), kind_words(each),
        )
        for each in found
    ]  # fmt: skip
    parts = [table(session, columns, rows)]
    parts += [line for each in found for line in _people_lines(each)]
    return "\n".join(parts)


def kind_words(queue: LabelQueue) -> str:
    """What a label is: `numbers`, or the classes."""
    if queue.kind.value == "number":
        return "numbers"
    return "classes" + (f": {', '.join(queue.classes[:8])}" if queue.classes else "")


def _people_lines(queue: LabelQueue) -> list[str]:
    lines = []
    if queue.people:
        names = ", ".join(f"{name} {count}" for name, count in queue.people.items())
        lines.append(f"{queue.endpoint}: labelled by {names}")
    found = queue.agreement
    if found.share is not None:
        more = f", kappa {found.kappa:.2f}" if found.kappa is not None else ""
        if found.difference is not None:
            more = f", {number(found.difference)} apart in the mean"
        lines.append(
            f"{queue.endpoint}: two people agree on {100 * found.share:.0f} % of"
            f" {many(found.rows, 'row')}{more}"
        )
    return lines


def queue_text(session: Session, status: LabelQueue, tasks: Sequence[LabelTask]) -> str:
    """The rows of a queue, and how many there are by reason."""
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(status.by_reason.items()))
    head = f"{status.endpoint}: {status.open} open" + (f" ({reasons})" if reasons else "")
    if not tasks:
        return f"{head}\nnone of these; pick: opsdeck labels queue {status.endpoint} --add 100"
    columns = [
        Column("inference id"),
        Column("captured"),
        Column("state"),
        Column("answer"),
        Column("why", flexible=True),
        Column("with"),
    ]
    rows = [
        (
            each.inference_id,
            when(each.captured_at, terminal=session.terminal),
            Cell(each.state.value, _STATES.get(each.state.value, "")),
            shown(each.prediction),
            f"{each.reason.value}: {each.why}" if each.reason.value != "random" else each.why,
            _with(each),
        )
        for each in tasks
    ]
    return f"{head}\n{table(session, columns, rows)}"


def _with(task: LabelTask) -> str:
    if task.claimed_by:
        return ", ".join(task.claimed_by)
    return f"for {task.assigned_to}" if task.assigned_to else "-"


def shown(value: Any) -> str:
    """An answer or a label, short."""
    if isinstance(value, float):
        return str(number(value))
    return str(value)[:40]


def task_text(session: Session, task: LabelTask) -> str:
    """One row: why it was picked, the answer, the inputs, what has been said."""
    facts: list[tuple[str, Cell | str]] = [
        ("row", task.inference_id),
        ("state", Cell(task.state.value, _STATES.get(task.state.value, ""))),
        ("picked", f"{task.reason.value}: {task.why}"),
        ("captured", when(task.captured_at, terminal=session.terminal)),
        ("answer", f"{shown(task.prediction)} (variant {task.variant})"),
        ("asked", f"{len(task.answers)} of {task.wanted}"),
        ("label", "" if task.label is None else shown(task.label)),
        ("given to", task.assigned_to or ""),
        ("looked at by", ", ".join(task.claimed_by)),
    ]
    inputs = [(name, shown(value)) for name, value in task.inputs.items()]
    parts = [block(session, facts), "", heading(session, "inputs"), block(session, inputs)]
    if task.answers:
        said = [
            (each.actor, ("skipped" if each.value is None else shown(each.value))
             + (f": {each.comment}" if each.comment else ""))
            for each in task.answers
        ]  # fmt: skip
        parts += ["", heading(session, "said"), block(session, said)]
    return "\n".join(parts)


def said_text(task: LabelTask) -> str:
    """How a row stands after somebody has said something of it."""
    given = sum(each.value is not None for each in task.answers)
    if task.label is not None:
        return f"{task.inference_id}: {task.state.value}, label {shown(task.label)}"
    if task.state.value == "open" and given:
        return f"{task.inference_id}: open, said by {given}; another person is asked, too"
    return f"{task.inference_id}: {task.state.value}"


def imported_text(session: Session, done: LabelsImported, handed: LabelsHanded | None) -> str:
    """What a file came to; its problems, one a line."""
    blank = f", {many(done.blank, 'row')} without one stay open" if done.blank else ""
    lines = [f"{done.file}: {many(done.labelled, 'label')}{blank}"]
    lines += [f"{done.file}:{each.line}: {each.message}" for each in done.problems]
    if handed is not None:
        lines.append(handed_text(handed))
    elif not done.problems:
        lines.append("nothing was taken (--dry-run)")
    return "\n".join(lines)


def handed_text(done: LabelsHanded) -> str:
    """How many labels became the endpoint's, and where else they are."""
    if not done.labels:
        return f"{done.endpoint}: nothing to hand on (rows asked twice wait for the second)"
    more = f"; new versions of {', '.join(done.datasets)}" if done.datasets else ""
    return f"{done.endpoint}: {many(done.labels, 'label')} handed on{more}"
