"""Runs and step runs, as read from the state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.domain.run import OutputRef, Run, RunStatus, StepRun, StepStatus
from core.errors import BadInput, NotFound
from core.state.reading import ESCAPED, Reader, by_id, containing

MAX_WORDS = 40
"""SQLite refuses a condition that is nested too deeply."""

_RUN_COLUMNS = (
    "r.id, r.number, r.pipeline, r.status, r.params, r.created_at, r.started_at, r.ended_at,"
    " r.requested_by, r.reason, r.message, r.parent_run_id, r.from_step, r.use_cache,"
    " r.generation, r.cancel_requested, r.git_commit, r.git_dirty, r.mlflow_run_id,"
    " (SELECT count(*) FROM step_runs s WHERE s.run_id = r.id"
    " AND s.status IN ('succeeded', 'cached', 'reused')) AS steps_done,"
    " (SELECT count(*) FROM step_runs s WHERE s.run_id = r.id) AS steps_total"
)


def list_runs(
    reader: Reader,
    *,
    limit: int = 100,
    offset: int = 0,
    pipeline: str | None = None,
    status: str | None = None,
    search: str = "",
) -> tuple[Run, ...]:
    """A page of runs, newest first."""
    where, params = _filters(pipeline, status, search)
    rows = reader.rows(
        f"SELECT {_RUN_COLUMNS} FROM runs r{where}"
        " ORDER BY r.number DESC LIMIT :limit OFFSET :offset",
        limit=limit,
        offset=offset,
        **params,
    )
    return tuple(run_of(row) for row in rows)


def count_runs(
    reader: Reader, *, pipeline: str | None = None, status: str | None = None, search: str = ""
) -> int:
    """How many runs the same filters match."""
    where, params = _filters(pipeline, status, search)
    rows = reader.rows(f"SELECT count(*) AS n FROM runs r{where}", **params)
    return int(rows[0]["n"]) if rows else 0


def counts_by_status(reader: Reader, since: float = 0.0) -> dict[str, int]:
    """How many runs made since then are in each state; open runs count at any age."""
    rows = reader.rows(
        "SELECT status, count(*) AS n FROM runs WHERE created_at >= :since"
        " OR status IN ('queued', 'running', 'waiting') GROUP BY status",
        since=since,
    )
    return {str(row["status"]): int(row["n"]) for row in rows}


def find_run(reader: Reader, ref: str) -> Run:
    """The run meant by `ref`: a number (`12`, `#12`), an id or an id's unique beginning.

    Raises `NotFound`.
    """
    wanted = ref.strip().rsplit("#", 1)[-1].strip()
    if wanted.isdecimal() and len(wanted) < 10:
        rows = reader.rows(
            f"SELECT {_RUN_COLUMNS} FROM runs r WHERE r.number = :number", number=int(wanted)
        )
    else:
        rows = by_id(reader, f"SELECT {_RUN_COLUMNS} FROM runs r", "r.id", wanted)
        if len(rows) > 1:
            raise NotFound(f"run {ref}: more than one run begins so", "give more of its id")
    if not rows:
        raise NotFound(f"run {ref}: no such run", "see: opsdeck runs list")
    return run_of(rows[0])


def step_runs(reader: Reader, run_id: str) -> tuple[StepRun, ...]:
    """The step runs of a run, in the pipeline's order."""
    rows = reader.rows("SELECT * FROM step_runs WHERE run_id = :run ORDER BY position", run=run_id)
    return tuple(step_run_of(row) for row in rows)


def spec_and_lineage(reader: Reader, run_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pipeline as the run froze it, and the run's lineage."""
    rows = reader.rows("SELECT spec, lineage FROM runs WHERE id = :run", run=run_id)
    if not rows:
        raise NotFound(f"run {run_id}: no such run", "see: opsdeck runs list")
    return json.loads(rows[0]["spec"]), json.loads(rows[0]["lineage"])


def run_of(row: Mapping[str, Any]) -> Run:
    """A row of `runs` as a record."""
    return Run(
        id=row["id"],
        number=row["number"],
        pipeline=row["pipeline"],
        status=RunStatus(row["status"]),
        params=json.loads(row["params"]),
        created_at=row["created_at"],
        requested_by=row["requested_by"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        reason=row["reason"],
        message=row["message"],
        parent_run_id=row["parent_run_id"],
        from_step=row["from_step"],
        use_cache=bool(row["use_cache"]),
        generation=row["generation"],
        cancel_requested=bool(row["cancel_requested"]),
        git_commit=row["git_commit"],
        git_dirty=bool(row["git_dirty"]),
        mlflow_run_id=row["mlflow_run_id"],
        steps_done=row.get("steps_done", 0),
        steps_total=row.get("steps_total", 0),
    )


def step_run_of(row: Mapping[str, Any]) -> StepRun:
    """A row of `step_runs` as a record."""
    return StepRun(
        run_id=row["run_id"],
        step=row["step"],
        position=row["position"],
        kind=row["kind"],
        needs=tuple(json.loads(row["needs"])),
        status=StepStatus(row["status"]),
        attempt=row["attempt"],
        max_attempts=row["max_attempts"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        cached_from=row["cached_from"],
        cache_key=row["cache_key"],
        exit_code=row["exit_code"],
        signal=row["signal"],
        cpu_seconds=row["cpu_seconds"],
        max_rss_mb=row["max_rss_mb"],
        pid=row["pid"],
        message=row["message"],
        outputs=outputs_of(row["outputs"]),
        worker_id=row["worker_id"],
    )


def outputs_of(text: str) -> tuple[OutputRef, ...]:
    """The outputs of a step run from their JSON."""
    return tuple(OutputRef(**item) for item in json.loads(text))


def _filters(pipeline: str | None, status: str | None, search: str) -> tuple[str, dict[str, Any]]:
    parts: list[str] = []
    params: dict[str, Any] = {}
    if pipeline:
        parts.append("r.pipeline = :pipeline")
        params["pipeline"] = pipeline
    if status:
        parts.append("r.status = :status")
        params["status"] = status
    words = search.lower().split()
    if len(words) > MAX_WORDS:
        raise BadInput(f"search: {len(words)} words", f"search for at most {MAX_WORDS}")
    for index, word in enumerate(words):
        key = f"w_{chr(97 + index % 26)}{chr(97 + index // 26)}"
        params[key] = containing(word)
        like = f"LIKE :{key} {ESCAPED}"
        parts.append(
            f"(lower(r.pipeline) {like} OR r.status {like}"
            f" OR lower(r.params) {like} OR lower(r.requested_by) {like}"
            f" OR ('#' || CAST(r.number AS TEXT)) {like} OR r.id {like})"
        )
    return (" WHERE " + " AND ".join(parts) if parts else ""), params
