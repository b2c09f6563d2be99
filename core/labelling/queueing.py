"""The queue in rows: claims that expire, answers, undoing; each in one transaction.

Nobody is shown a row that somebody else is looking at: a claim is written where the row is
chosen, and writers take turns. A claim that has expired is nobody's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from core.domain.labelling import LabelAnswer, LabelKind, PickPolicy, TaskState
from core.ids import short_id
from core.labelling.errors import LabelRefused
from core.labelling.values import agreed, as_json, needed
from core.state.store import Transaction
from core.state.trigger_tables import label_answers, label_batches, label_claims, label_tasks

if TYPE_CHECKING:
    from core.labelling.picking import Picked

CLAIM_SECONDS = 600.0
UNDO_SECONDS = 60.0
"""How long a label can be taken back before it is handed on."""

LATE_SECONDS = 600.0
"""How long one waits for those who go on labelling."""

Row = Mapping[str, Any]
T, C, A = label_tasks, label_claims, label_answers


def put_batch(
    tx: Transaction,
    endpoint: str,
    picked: Sequence[Picked],
    policy: PickPolicy,
    detail: Mapping[str, Any],
) -> str:
    """Put picked rows at the end of the queue; the batch's id. A row that is there already
    stays as it is."""
    batch = short_id()
    last = tx.row(
        sa.select(sa.func.coalesce(sa.func.max(T.c.position), 0).label("at")).where(
            T.c.endpoint == endpoint
        )
    )
    position = int(last["at"]) if last else 0
    twice = round(policy.twice * len(picked))
    rows = 0
    for number, each in enumerate(picked):
        if _task(tx, endpoint, each.candidate.inference_id) is not None:
            continue
        rows += 1
        tx.execute(
            T.insert().values(
                endpoint=endpoint,
                inference_id=each.candidate.inference_id,
                batch_id=batch,
                position=position + rows,
                picked_at=tx.now,
                captured_at=each.candidate.at,
                variant=each.candidate.variant,
                reason=each.reason,
                score=each.score,
                why=each.why,
                inputs=json.dumps(each.candidate.inputs, ensure_ascii=False),
                prediction=as_json(each.candidate.output),
                wanted=2 if number < twice else 1,
            )
        )
    told = {"rows": policy.rows, "shares": dict(policy.shares), "since": policy.since}
    tx.execute(
        label_batches.insert().values(
            id=batch,
            endpoint=endpoint,
            at=tx.now,
            by=tx.actor,
            policy=json.dumps({**told, "twice": policy.twice, "seed": policy.seed}),
            rows=rows,
            detail=json.dumps(dict(detail), ensure_ascii=False),
        )
    )
    tx.journal("labels.pick", f"endpoint/{endpoint}", batch=batch, rows=rows)
    return batch


def claim_next(
    tx: Transaction, endpoint: str, kind: LabelKind, skip: Iterable[str] = ()
) -> str | None:
    """The next row for this person, claimed for ten minutes; None where none is left. The one
    that they have claimed already comes first; `skip` are ids to pass over for now."""
    passed = set(skip)
    _forget_claims(tx)
    mine = tx.row(
        sa.select(C.c.inference_id)
        .join(T, sa.and_(T.c.endpoint == C.c.endpoint, T.c.inference_id == C.c.inference_id))
        .where(C.c.endpoint == endpoint, C.c.actor == tx.actor, T.c.state == TaskState.OPEN)
        .order_by(T.c.position)
    )
    if mine is not None and mine["inference_id"] not in passed:
        return _claim(tx, endpoint, mine["inference_id"])
    for row in tx.rows(
        sa.select(T)
        .where(
            T.c.endpoint == endpoint,
            T.c.state == TaskState.OPEN,
            sa.or_(T.c.assigned_to.is_(None), T.c.assigned_to == tx.actor),
        )
        .order_by(T.c.assigned_to.is_(None), T.c.position)
    ):
        if row["inference_id"] not in passed and not _hindered(tx, row, kind):
            return _claim(tx, endpoint, row["inference_id"])
    return None


def _forget_claims(tx: Transaction) -> None:
    tx.execute(C.delete().where(C.c.expires_at < tx.now))


def _hindered(tx: Transaction, row: Row, kind: LabelKind) -> str:
    """Why this person cannot label a row now; "" where they can."""
    answers = _answers(tx, row)
    if any(each.actor == tx.actor for each in answers):
        return f"{tx.actor} has labelled it already"
    others = tx.rows(
        sa.select(C.c.actor).where(
            C.c.endpoint == row["endpoint"],
            C.c.inference_id == row["inference_id"],
            C.c.actor != tx.actor,
            C.c.expires_at >= tx.now,
        )
    )
    if len(others) >= needed(answers, row["wanted"], kind):
        names = ", ".join(sorted(each["actor"] for each in others)) or "nobody more is asked"
        return f"{names} is labelling it just now" if others else names
    return ""


def _claim(tx: Transaction, endpoint: str, inference_id: str) -> str:
    where = (C.c.endpoint == endpoint, C.c.inference_id == inference_id, C.c.actor == tx.actor)
    values = {"claimed_at": tx.now, "expires_at": tx.now + CLAIM_SECONDS}
    if not tx.execute(C.update().where(*where).values(**values)).rowcount:
        tx.execute(
            C.insert().values(
                endpoint=endpoint, inference_id=inference_id, actor=tx.actor, **values
            )
        )
    return inference_id


def release(tx: Transaction, endpoint: str) -> None:
    """Give back what this person has claimed."""
    tx.execute(C.delete().where(C.c.endpoint == endpoint, C.c.actor == tx.actor))


def answer(
    tx: Transaction,
    endpoint: str,
    inference_id: str,
    value: Any,
    kind: LabelKind,
    *,
    comment: str = "",
    source: str = "",
) -> TaskState:
    """What this person says of a row; `value` None passes it over. Returns the row's state.
    Raises `LabelRefused` where it is not theirs to label."""
    row = open_task(tx, endpoint, inference_id, kind)
    where = (A.c.endpoint == endpoint, A.c.inference_id == inference_id, A.c.actor == tx.actor)
    tx.execute(A.delete().where(*where))
    tx.execute(
        A.insert().values(
            endpoint=endpoint,
            inference_id=inference_id,
            actor=tx.actor,
            at=tx.now,
            value=None if value is None else as_json(value),
            comment=comment,
            source=source,
        )
    )
    tx.execute(
        C.delete().where(
            C.c.endpoint == endpoint, C.c.inference_id == inference_id, C.c.actor == tx.actor
        )
    )
    return _settle(tx, row, kind)


def open_task(tx: Transaction, endpoint: str, inference_id: str, kind: LabelKind) -> Row:
    """A row that this person may label now; raises `LabelRefused`."""
    row = _task(tx, endpoint, inference_id)
    if row is None:
        raise LabelRefused(
            f"{inference_id} is not in the queue of {endpoint}",
            "labels of any request: opsdeck endpoints labels NAME FILE",
        )
    if row["state"] != TaskState.OPEN:
        raise LabelRefused(f"{inference_id} is {row['state']} already", "take the next one")
    if row["assigned_to"] not in (None, tx.actor):
        raise LabelRefused(f"{inference_id} is given to {row['assigned_to']}", "take another one")
    why = _hindered(tx, row, kind)
    if why:
        raise LabelRefused(f"{inference_id}: {why}", "take the next one")
    return row


def _settle(tx: Transaction, row: Row, kind: LabelKind) -> TaskState:
    """Bring a row's state up to its answers."""
    state, label = agreed(_answers(tx, row), row["wanted"], kind)
    tx.execute(
        T.update()
        .where(T.c.endpoint == row["endpoint"], T.c.inference_id == row["inference_id"])
        .values(
            state=state,
            label=None if label is None else as_json(label),
            done_at=None if state is TaskState.OPEN else tx.now,
        )
    )
    return state


def undo(tx: Transaction, endpoint: str, kind: LabelKind) -> str:
    """Take back this person's last answer, as long as it has not been handed on; the row is
    theirs again. Returns its id; raises `LabelRefused`."""
    last = tx.row(
        sa.select(A)
        .where(A.c.endpoint == endpoint, A.c.actor == tx.actor)
        .order_by(A.c.at.desc(), A.c.inference_id.desc())
        .limit(1)
    )
    if last is None:
        raise LabelRefused(f"{tx.actor} has labelled nothing of {endpoint} yet")
    row = _task(tx, endpoint, last["inference_id"])
    assert row is not None
    if row["handed_at"] is not None:
        raise LabelRefused(
            f"{last['inference_id']} has become a label of {endpoint}",
            "label it anew: opsdeck endpoints labels takes the latest",
        )
    tx.execute(
        A.delete().where(
            A.c.endpoint == endpoint,
            A.c.inference_id == last["inference_id"],
            A.c.actor == tx.actor,
        )
    )
    _settle(tx, row, kind)
    tx.journal("labels.undo", f"endpoint/{endpoint}", inference_id=last["inference_id"])
    return _claim(tx, endpoint, last["inference_id"])


def assign(
    tx: Transaction, endpoint: str, person: str | None, rows: int, ids: Sequence[str] = ()
) -> int:
    """Give open rows to somebody (None: to nobody in particular): these, or the next so many
    that are nobody's; how many. Raises `LabelRefused` (an id that is not in the queue)."""
    if ids:
        wanted = list(ids)
        for each in wanted:
            row = _task(tx, endpoint, each)
            if row is None or row["state"] != TaskState.OPEN:
                state = "not in the queue" if row is None else row["state"]
                raise LabelRefused(f"{each} is {state}", "see: opsdeck labels queue")
    else:
        free = T.c.assigned_to.is_(None) if person is not None else T.c.assigned_to.is_not(None)
        wanted = [
            row["inference_id"]
            for row in tx.rows(
                sa.select(T.c.inference_id)
                .where(T.c.endpoint == endpoint, T.c.state == TaskState.OPEN, free)
                .order_by(T.c.position)
                .limit(rows)
            )
        ]
    for each in wanted:
        tx.execute(
            T.update()
            .where(T.c.endpoint == endpoint, T.c.inference_id == each)
            .values(assigned_to=person)
        )
    tx.journal("labels.assign", f"endpoint/{endpoint}", to=person, rows=len(wanted))
    return len(wanted)


def drop(tx: Transaction, endpoint: str, states: Sequence[TaskState]) -> int:
    """Take rows in these states out of the queue; how many."""
    done = tx.execute(
        T.update()
        .where(T.c.endpoint == endpoint, T.c.state.in_([*states]), T.c.handed_at.is_(None))
        .values(state=TaskState.DROPPED, done_at=tx.now)
    )
    tx.execute(C.delete().where(C.c.endpoint == endpoint))
    tx.journal("labels.drop", f"endpoint/{endpoint}", rows=done.rowcount)
    return int(done.rowcount)


def _task(tx: Transaction, endpoint: str, inference_id: str) -> Row | None:
    return tx.row(sa.select(T).where(T.c.endpoint == endpoint, T.c.inference_id == inference_id))


def _answers(tx: Transaction, row: Row) -> list[LabelAnswer]:
    return [
        LabelAnswer(
            each["actor"],
            each["at"],
            None if each["value"] is None else json.loads(each["value"]),
            each["comment"],
            each["source"],
        )
        for each in tx.rows(
            sa.select(A)
            .where(A.c.endpoint == row["endpoint"], A.c.inference_id == row["inference_id"])
            .order_by(A.c.at)
        )
    ]
