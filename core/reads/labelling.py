"""The labelling queue, as read from the state."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from core.domain.labelling import LabelAnswer, LabelBatch, LabelTask, PickReason, TaskState
from core.errors import NotFound
from core.state.reading import Reader


def list_tasks(
    reader: Reader,
    endpoint: str,
    *,
    states: Sequence[str] = ("open",),
    assigned_to: str | None = None,
    limit: int = 100,
) -> tuple[LabelTask, ...]:
    """Rows of an endpoint's queue, in the order in which they are labelled."""
    marks = ", ".join(f":state_{chr(97 + place)}" for place in range(len(states)))
    given: dict[str, Any] = {f"state_{chr(97 + n)}": each for n, each in enumerate(states)}
    where = f"endpoint = :endpoint AND state IN ({marks})"
    if assigned_to is not None:
        where += " AND assigned_to = :person"
        given["person"] = assigned_to
    rows = reader.rows(
        f"SELECT * FROM label_tasks WHERE {where} ORDER BY position LIMIT :limit",
        endpoint=endpoint,
        limit=limit,
        **given,
    )
    answers, claims = _answers(reader, endpoint), _claims(reader, endpoint)
    return tuple(_task_of(row, answers, claims) for row in rows)


def find_task(reader: Reader, endpoint: str, inference_id: str) -> LabelTask:
    """One row; raises `NotFound`."""
    rows = reader.rows(
        "SELECT * FROM label_tasks WHERE endpoint = :endpoint AND inference_id = :id",
        endpoint=endpoint,
        id=inference_id,
    )
    if not rows:
        raise NotFound(
            f"{inference_id} is not in the queue of {endpoint}",
            f"see: opsdeck labels queue {endpoint}",
        )
    answers = _answers(reader, endpoint, inference_id)
    return _task_of(rows[0], answers, _claims(reader, endpoint))


def queued_ids(reader: Reader, endpoint: str) -> set[str]:
    """All that was ever picked."""
    rows = reader.rows(
        "SELECT inference_id FROM label_tasks WHERE endpoint = :endpoint", endpoint=endpoint
    )
    return {row["inference_id"] for row in rows}


def last_batch(reader: Reader, endpoint: str) -> LabelBatch | None:
    """The newest picking, which says what labels are here."""
    rows = reader.rows(
        "SELECT * FROM label_batches WHERE endpoint = :endpoint ORDER BY at DESC, id LIMIT 1",
        endpoint=endpoint,
    )
    if not rows:
        return None
    row = rows[0]
    told = {key: json.loads(row[key]) for key in ("policy", "detail")}
    return LabelBatch(**{**row, **told})


def endpoints_with_queues(reader: Reader) -> tuple[str, ...]:
    """Endpoints that have a queue, by name."""
    rows = reader.rows("SELECT DISTINCT endpoint FROM label_tasks ORDER BY endpoint")
    return tuple(row["endpoint"] for row in rows)


def to_hand_over(reader: Reader, quiet: float, late: float) -> tuple[str, ...]:
    """Endpoints with labels that have not been handed on: the last of them agreed on before the
    moment `quiet`, or the first before `late`, so that a session of labelling is one version of
    a dataset, and a long one a few."""
    rows = reader.rows(
        "SELECT endpoint FROM label_tasks WHERE state = 'done' AND handed_at IS NULL"
        " GROUP BY endpoint HAVING max(done_at) <= :quiet OR min(done_at) <= :late"
        " ORDER BY endpoint",
        quiet=quiet,
        late=late,
    )
    return tuple(row["endpoint"] for row in rows)


def answered_by(reader: Reader, endpoint: str) -> dict[str, int]:
    """How many rows each person has labelled."""
    rows = reader.rows(
        "SELECT actor, count(*) AS n FROM label_answers WHERE endpoint = :endpoint"
        " AND value IS NOT NULL GROUP BY actor ORDER BY actor",
        endpoint=endpoint,
    )
    return {row["actor"]: row["n"] for row in rows}


def answers_of_all(reader: Reader, endpoint: str) -> Mapping[str, tuple[LabelAnswer, ...]]:
    """All answers, by inference id."""
    return _answers(reader, endpoint)


def counts(reader: Reader, endpoint: str) -> list[dict[str, Any]]:
    """How many rows there are by state, reason, handed on and assigned or not."""
    return reader.rows(
        "SELECT state, reason, handed_at IS NOT NULL AS handed,"
        " assigned_to IS NOT NULL AS assigned, count(*) AS n FROM label_tasks"
        " WHERE endpoint = :endpoint GROUP BY 1, 2, 3, 4",
        endpoint=endpoint,
    )


def claimed(reader: Reader, endpoint: str) -> int:
    """How many rows somebody looks at just now."""
    return len(_claims(reader, endpoint))


def _answers(
    reader: Reader, endpoint: str, inference_id: str | None = None
) -> dict[str, tuple[LabelAnswer, ...]]:
    only = "" if inference_id is None else " AND inference_id = :id"
    given = {} if inference_id is None else {"id": inference_id}
    found: dict[str, list[LabelAnswer]] = {}
    for row in reader.rows(
        f"SELECT * FROM label_answers WHERE endpoint = :endpoint{only} ORDER BY at",
        endpoint=endpoint,
        **given,
    ):
        value = None if row["value"] is None else json.loads(row["value"])
        found.setdefault(row["inference_id"], []).append(
            LabelAnswer(row["actor"], row["at"], value, row["comment"], row["source"])
        )
    return {key: tuple(each) for key, each in found.items()}


def _claims(reader: Reader, endpoint: str) -> dict[str, tuple[tuple[str, float], ...]]:
    found: dict[str, list[tuple[str, float]]] = {}
    for row in reader.rows(
        "SELECT inference_id, actor, expires_at FROM label_claims WHERE endpoint = :endpoint"
        " AND expires_at >= :now",
        endpoint=endpoint,
        now=time.time(),
    ):
        found.setdefault(row["inference_id"], []).append((row["actor"], row["expires_at"]))
    return {key: tuple(each) for key, each in found.items()}


def _task_of(
    row: Mapping[str, Any],
    answers: Mapping[str, tuple[LabelAnswer, ...]],
    claims: Mapping[str, tuple[tuple[str, float], ...]],
) -> LabelTask:
    held = claims.get(row["inference_id"], ())
    return LabelTask(
        endpoint=row["endpoint"],
        inference_id=row["inference_id"],
        batch=row["batch_id"],
        position=row["position"],
        picked_at=row["picked_at"],
        captured_at=row["captured_at"],
        variant=row["variant"],
        reason=PickReason(row["reason"]),
        score=row["score"],
        why=row["why"],
        inputs=json.loads(row["inputs"]),
        prediction=json.loads(row["prediction"]),
        wanted=row["wanted"],
        state=TaskState(row["state"]),
        assigned_to=row["assigned_to"],
        label=None if row["label"] is None else json.loads(row["label"]),
        done_at=row["done_at"],
        handed_at=row["handed_at"],
        answers=answers.get(row["inference_id"], ()),
        claimed_by=tuple(actor for actor, _ in held),
        claimed_until=max((until for _, until in held), default=None),
    )
