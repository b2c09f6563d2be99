"""A workspace whose state is filled with rows such as real work leaves, at a frozen time.

    seed_workspace(path)                     a few dozen runs, an approval, a canary under way
    seed_workspace(path, runs=100_000)       as many runs as that

Everything is written through the tables of `core.state.schema`, the journal with its real
hash chain, so that every service reads it as it would its own. Metrics are put into a small
MLflow store. Actors are roles. `NOW` is the time at which this state is.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.domain.gate import evidence_hash
from core.domain.journal import GENESIS, entry_hash
from core.state import schema
from core.state.store import Store

NOW = 1_772_460_131.0  # 2026-03-02 14:02:11 UTC
DAY = 86_400.0
PIPELINE = "bike-demand"
STEPS = ("acquire", "validate", "split", "train", "evaluate", "register", "gate", "deploy")
NEEDS: Mapping[str, tuple[str, ...]] = {
    "acquire": (),
    "validate": ("acquire",),
    "split": ("validate",),
    "train": ("split",),
    "evaluate": ("train", "split"),
    "register": ("train", "evaluate"),
    "gate": ("register", "evaluate", "validate"),
    "deploy": ("gate", "register"),
}
SECONDS = {
    "acquire": 0.8,
    "validate": 1.4,
    "split": 0.5,
    "train": 38.2,
    "evaluate": 6.1,
    "register": 2.2,
    "gate": 640.0,
    "deploy": 24.0,
}
COMMIT = "9f1c2ab47de0835b6c11f0e2a9d4c7b85e63f7a1"

_FILES = {
    "opsdeck.yaml": "name: bike-demand\nenvironment: {environment}\nworker: {{slots: 2}}\n",
    "pipelines/bike-demand.yaml": """\
name: bike-demand
description: Hourly demand for bikes.
params:
  month: "2011-03"
  seed: 7
steps:
  acquire:
    function: bike:acquire
  validate:
    function: bike:validate
""",
    "bike.py": "def acquire():\n    return {}\n\n\ndef validate(acquire):\n    return acquire\n",
}


def digest(text: str) -> str:
    """A stand-in for a SHA-256: stable for a text."""
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def run_id(number: int) -> str:
    """The id of the seeded run with this number."""
    return f"01kr{number:012d}"


def seed_workspace(
    path: Path,
    *,
    now: float = NOW,
    runs: int = 40,
    environment: str = "production",
    journal: int = 0,
    story: bool = True,
) -> Path:
    """Fill a workspace at `path` and return it; `story` is the approval and the canary.

    `journal` adds so many plain entries before those of the story.
    """
    for name, text in _FILES.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.format(environment=environment) if "{env" in text else text)
    state = path / ".opsdeck"
    state.mkdir(exist_ok=True)
    store = Store(f"sqlite:///{state / 'state.db'}")
    store.migrate()
    entries = [("scheduler", "run.start", f"run/{i + 1}", {}) for i in range(journal)]
    with store.engine.begin() as db:
        last = runs - 3 if story else runs
        _bulk(db, schema.runs, _past_runs(last, now))
        _bulk(db, schema.step_runs, _past_steps(last, now))
        if story:
            _story(db, runs, now)
            entries += _story_entries(runs)
        _journal(db, entries, now)
        db.execute(
            schema.workers.insert().values(
                id="worker-1-4121-99",
                host="worker-1",
                pid=4121,
                started_at=now - 3 * 3600,
                heartbeat_at=now - 0.4,
                slots=2,
                state="running",
            )
        )
    store.close()
    if story:
        _mlflow(state / "mlflow.db", runs)
        _logs(state / "runs", runs, now)
    return path


def _bulk(db: sa.Connection, table: sa.Table, rows: Iterator[dict[str, Any]]) -> None:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == 5000:
            db.execute(table.insert(), batch)
            batch = []
    if batch:
        db.execute(table.insert(), batch)


def _status_of(number: int) -> str:
    return {7: "failed", 13: "cancelled", 23: "rejected", 31: "failed"}.get(
        number % 41, "succeeded"
    )


def _month(number: int) -> str:
    return f"{2011 + number // 12 % 2}-{number % 12 + 1:02d}"


def _began(number: int, last: int, now: float) -> float:
    return now - DAY / 3 - (last - number) * 5400.0


def _run_row(
    number: int, status: str, began: float, took: float | None, **more: Any
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": run_id(number),
        "number": number,
        "pipeline": PIPELINE if number % 5 else "data-checks",
        "status": status,
        "params": json.dumps({"month": _month(number), "seed": 7}),
        "spec": json.dumps({"name": PIPELINE, "steps": list(STEPS)}),
        "created_at": began - 0.2,
        "started_at": began,
        "ended_at": None if took is None else began + took,
        "requested_by": "scheduler" if number % 3 else "engineer",
        "reason": "",
        "message": "step train failed: exit 1" if status == "failed" else "",
        "parent_run_id": None,
        "from_step": None,
        "use_cache": 1,
        "generation": 1,
        "cancel_requested": 0,
        "git_commit": COMMIT,
        "git_dirty": 0,
        "lineage": "{}",
        "mlflow_run_id": None,
    }
    return {**row, **more}


def _past_runs(last: int, now: float) -> Iterator[dict[str, Any]]:
    for number in range(1, last + 1):
        status = _status_of(number)
        yield _run_row(number, status, _began(number, last, now), 40.0 + number % 37)


def _step_row(number: int, position: int, status: str, **more: Any) -> dict[str, Any]:
    step = STEPS[position]
    row: dict[str, Any] = {
        "run_id": run_id(number),
        "step": step,
        "position": position,
        "kind": step if step in ("register", "gate", "deploy") else "function",
        "needs": json.dumps(NEEDS[step]),
        "status": status,
        "attempt": 0 if status in ("pending", "skipped") else 1,
        "max_attempts": 2 if step == "acquire" else 1,
        "started_at": None,
        "ended_at": None,
        "cached_from": None,
        "exit_code": 0 if status == "succeeded" else None,
        "cpu_seconds": None,
        "max_rss_mb": None,
        "message": "",
        "outputs": "[]",
    }
    return {**row, **more}


def _past_steps(last: int, now: float) -> Iterator[dict[str, Any]]:
    for number in range(1, last + 1):
        status, at = _status_of(number), _began(number, last, now)
        for position in range(3):
            ended = "succeeded" if position < 2 else status
            yield _step_row(number, position, ended, started_at=at, ended_at=at + 12.0)
            at += 12.0


# the story: a champion in production, a canary, a run that trains, one that asks


def _story(db: sa.Connection, runs: int, now: float) -> None:
    training, asking, champion = runs, runs - 1, runs - 2
    _full_run(db, champion, now - 26 * 3600, upto=8, status="succeeded")
    _full_run(db, asking, now - 1500, upto=6, status="waiting", mlflow_run_id=digest("asks")[:32])
    _full_run(db, training, now - 21, upto=3, status="running", mlflow_run_id=digest("run")[:32])
    _models(db, runs, now)
    _approval(db, asking, now)
    _endpoint(db, champion, now)


def _full_run(
    db: sa.Connection, number: int, began: float, *, upto: int, status: str, **more: Any
) -> None:
    """A run of all eight steps of which `upto` have ended well."""
    rows, at = [], began
    for position, step in enumerate(STEPS):
        if position < upto:
            cached = step in ("acquire", "validate") and status == "running"
            took = 0.02 if cached else SECONDS[step]
            extra: dict[str, Any] = {"started_at": at, "ended_at": at + took}
            if not cached:
                extra |= {"cpu_seconds": took * 0.9, "max_rss_mb": 312.0 + 40 * position}
            if step == "train":
                extra["outputs"] = json.dumps(
                    [
                        {
                            "name": "model",
                            "kind": "model",
                            "digest": digest(f"model{number}"),
                            "path": f"artifacts/{digest(f'model{number}')[:12]}",
                            "size": 1_482_113,
                        }
                    ]
                )
            if step == "evaluate":
                extra["outputs"] = json.dumps(
                    [
                        {
                            "name": "metrics",
                            "kind": "json",
                            "digest": digest(f"metrics{number}"),
                            "path": f"artifacts/{digest(f'metrics{number}')[:12]}",
                            "size": 412,
                        },
                        {
                            "name": "forecast",
                            "kind": "figure",
                            "digest": digest(f"fig{number}"),
                            "path": f"artifacts/{digest(f'fig{number}')[:12]}.png",
                            "size": 88_412,
                        },
                    ]
                )
            rows.append(
                _step_row(
                    number,
                    position,
                    "cached" if cached else "succeeded",
                    cached_from=run_id(number - 1) if cached else None,
                    **extra,
                )
            )
            at += took
        elif position == upto and status in ("running", "waiting"):
            rows.append(
                _step_row(
                    number, position, status, started_at=at, pid=5120, worker_id="worker-1-4121-99"
                )
            )
        else:
            rows.append(_step_row(number, position, "pending"))
    ended = at - began if status == "succeeded" else None
    lineage = {"code": {"status": "ok", "commit": COMMIT, "branch": "main", "dirty": False}}
    db.execute(
        schema.runs.insert().values(
            _run_row(
                number,
                status,
                began,
                ended,
                pipeline=PIPELINE,
                requested_by="engineer",
                reason="monthly retraining",
                lineage=json.dumps(lineage),
                **more,
            )
        )
    )
    db.execute(schema.step_runs.insert(), rows)


def _models(db: sa.Connection, runs: int, now: float) -> None:
    metrics = (
        (1, runs - 30, {"mae": 41.27, "rmse": 63.9, "r2": 0.871, "bias": -4.11}, 40),
        (2, runs - 20, {"mae": 36.02, "rmse": 55.41, "r2": 0.9021, "bias": -2.7}, 12),
        (3, runs - 2, {"mae": 33.18, "rmse": 51.07, "r2": 0.9168, "bias": -1.92}, 1),
        (4, runs - 1, {"mae": 30.44, "rmse": 47.85, "r2": 0.9274, "bias": 2.35}, 0),
    )
    for version, number, values, days in metrics:
        db.execute(
            schema.model_versions.insert().values(
                name=PIPELINE,
                version=version,
                run_id=run_id(number),
                step="register",
                path=f"artifacts/{digest(f'model{number}')[:12]}",
                digest=digest(f"model{number}"),
                created_at=now - days * DAY - 900,
                metrics=json.dumps(values),
                approval="",
                lineage=json.dumps(_lineage(number)),
                mlflow_run_id=digest(f"ml{number}")[:32],
            )
        )
    for alias, version in (("candidate", 4), ("champion", 2), ("previous", 1)):
        db.execute(
            schema.model_aliases.insert().values(
                name=PIPELINE, alias=alias, version=version, updated_at=now - DAY
            )
        )


def _lineage(number: int) -> dict[str, Any]:
    return {
        "code": {
            "status": "ok",
            "commit": COMMIT,
            "branch": "main",
            "dirty": number % 2 == 1,
            "diff_sha256": digest(f"diff{number}") if number % 2 else "",
        },
        "data": {"raw": digest("raw")},
        "params": {"month": _month(number), "seed": 7, "iterations": 80},
        "environment": digest("environment"),
    }


SEGMENTS = [
    ("working day", "night 0-5", 126, 24.9, 8.91, 9.42),
    ("working day", "morning 6-10", 105, 231.4, 38.2, 44.75),
    ("working day", "day 11-15", 105, 205.0, 25.71, 27.03),
    ("working day", "evening 16-20", 105, 389.6, 52.66, 58.9),
    ("working day", "late 21-23", 63, 152.3, 29.4, 28.11),
    ("day off", "night 0-5", 60, 62.4, 14.02, 15.6),
    ("day off", "day 11-15", 50, 367.2, 61.3, 66.48),
    ("day off", "evening 16-20", 50, 318.8, 55.07, 55.2),
]


def evidence_of(number: int) -> dict[str, Any]:
    """The evidence of the seeded approval request, in the shape that a gate gives it."""
    metrics = {
        "rows": 744,
        "mae": 30.44,
        "rmse": 47.85,
        "r2": 0.9274,
        "bias": 2.35,
        "naive_mae": 61.2,
        "champion_mae": 36.02,
        "champion_rmse": 55.41,
        "champion_r2": 0.9021,
        "champion_bias": -2.7,
        "champion_version": "2",
    }
    comparison = [
        {
            "day": day,
            "hours": hours,
            "rows": rows,
            "mean_demand": mean,
            "candidate_mae": new,
            "champion_mae": old,
        }
        for day, hours, rows, mean, new, old in SEGMENTS
    ]
    code = _lineage(number)["code"]
    return {
        "model": PIPELINE,
        "environment": "production",
        "metrics": metrics,
        "champion": {
            "version": 2,
            "metrics": {"mae": 36.02, "rmse": 55.41, "r2": 0.9021, "bias": -2.7},
        },
        "documents": {
            "evaluate.metrics": metrics,
            "evaluate.comparison": comparison,
            "validate.data_report": {"rows": 9313, "missing_hours": 118, "mean_demand": 142.75},
        },
        "figures": {
            "evaluate.forecast": f"artifacts/{digest(f'fig{number}')[:12]}.png",
            "evaluate.error_by_hour": f"artifacts/{digest(f'err{number}')[:12]}.png",
        },
        "data": {
            "acquire.raw": digest("raw"),
            "split.train_rows": digest("train"),
            "split.holdout_rows": digest("holdout"),
        },
        "params": {"month": _month(number), "seed": 7, "iterations": 80},
        "lineage": {
            "code_sha256": digest("code"),
            "data_sha256": digest("data"),
            **code,
            "environment_sha256": digest("environment"),
        },
        "artifacts": {f"{PIPELINE} v4": digest(f"model{number}")},
    }


def _approval(db: sa.Connection, number: int, now: float) -> None:
    evidence = evidence_of(number)
    db.execute(
        schema.approvals.insert().values(
            id="4kq7m2xw",
            gate="gate",
            run_id=run_id(number),
            step="gate",
            model=PIPELINE,
            version=4,
            environment="production",
            status="open",
            evidence=json.dumps(evidence),
            evidence_hash=evidence_hash(evidence),
            requested_by="engineer",
            opened_at=now - 1440,
            expires_at=now + 13.98 * DAY,
            approvals_needed=1,
            requester_may_decide=1,
            workflow_id=f"{run_id(number)}:gate",
        )
    )
    old = evidence_of(number - 1)
    db.execute(
        schema.approvals.insert().values(
            id="8s0vjd3f",
            gate="gate",
            run_id=run_id(number - 1),
            step="gate",
            model=PIPELINE,
            version=3,
            environment="production",
            status="approved",
            evidence=json.dumps(old),
            evidence_hash=evidence_hash(old),
            requested_by="engineer",
            opened_at=now - 25.9 * 3600,
            decided_at=now - 25.7 * 3600,
            approvals_needed=1,
            requester_may_decide=1,
            workflow_id=f"{run_id(number - 1)}:gate",
        )
    )
    db.execute(
        schema.decisions.insert().values(
            approval_id="8s0vjd3f",
            actor="reviewer",
            verdict="approve",
            comment="better in every block of hours",
            evidence_hash=evidence_hash(old),
            at=now - 25.7 * 3600,
        )
    )


def _endpoint(db: sa.Connection, number: int, now: float) -> None:
    db.execute(
        schema.endpoints.insert().values(
            name=PIPELINE,
            environment="production",
            status="updating",
            host="127.0.0.1",
            port=8311,
            message="",
            created_at=now - 40 * DAY,
            updated_at=now - 95,
        )
    )
    strategy = [
        {"kind": "set_weight", "weight": 10.0, "seconds": None},
        {"kind": "pause", "weight": None, "seconds": 120.0},
        {"kind": "set_weight", "weight": 50.0, "seconds": None},
        {"kind": "pause", "weight": None, "seconds": None},
        {"kind": "set_weight", "weight": 100.0, "seconds": None},
    ]
    common = {"endpoint": PIPELINE, "model": PIPELINE, "strategy": json.dumps(strategy)}
    rows = [
        (
            "01kd0000000000d1",
            1,
            1,
            None,
            "succeeded",
            5,
            100.0,
            now - 40 * DAY,
            now - 40 * DAY + 60,
            None,
        ),
        (
            "01kd0000000000d2",
            2,
            2,
            1,
            "succeeded",
            5,
            100.0,
            now - 12 * DAY,
            now - 12 * DAY + 310,
            None,
        ),
        ("01kd0000000000d3", 3, 3, 2, "paused", 1, 10.0, now - 95, None, now + 42),
    ]
    for deployment, version, revision, before, status, step, weight, at, ended, next_at in rows:
        db.execute(
            schema.deployments.insert().values(
                id=deployment,
                version=version,
                revision=revision,
                from_revision=before,
                status=status,
                step_index=step,
                set_weight=weight,
                actor="engineer",
                reason="approved by reviewer",
                created_at=at,
                ended_at=ended,
                next_at=next_at,
                run_id=run_id(number),
                step="deploy",
                **common,
            )
        )
    for revision, version, state, weight, at in (
        (1, 1, "previous", 0.0, now - 40 * DAY),
        (2, 2, "stable", 90.0, now - 12 * DAY),
        (3, 3, "canary", 10.0, now - 95),
    ):
        db.execute(
            schema.revisions.insert().values(
                endpoint=PIPELINE,
                revision=revision,
                model=PIPELINE,
                version=version,
                state=state,
                weight=weight,
                deployment_id=f"01kd0000000000d{revision}",
                created_at=at,
            )
        )
    for at, actor, kind, message in (
        (now - 95, "engineer", "start", "v3 beside v2, five steps"),
        (now - 91, "worker", "loaded", "v3 loaded in 3.8 s, replay equal on 5 rows"),
        (now - 90, "worker", "set_weight", "10 % to v3"),
        (now - 78, "worker", "pause", "for 120 s"),
    ):
        db.execute(
            schema.deployment_events.insert().values(
                deployment_id="01kd0000000000d3", at=at, actor=actor, kind=kind, message=message
            )
        )
    db.execute(
        schema.receipts.insert().values(
            id="01krc00000000001",
            endpoint=PIPELINE,
            deployment_id="01kd0000000000d2",
            actor="on-call",
            reason="p99 above 80 ms",
            from_model=PIPELINE,
            from_version=2,
            to_model=PIPELINE,
            to_version=1,
            requests_failed=0,
            in_flight=3,
            milliseconds=41.7,
            at=now - 11 * DAY,
        )
    )


def _story_entries(runs: int) -> list[tuple[str, str, str, dict[str, Any]]]:
    return [
        ("engineer", "run.start", f"run/{runs - 2}", {"pipeline": PIPELINE}),
        ("worker-1", "model.register", f"model/{PIPELINE}", {"version": 3}),
        ("worker-1", "approval.open", "approval/8s0vjd3f", {"model": f"{PIPELINE} v3"}),
        (
            "reviewer",
            "approval.approve",
            "approval/8s0vjd3f",
            {
                "comment": "better in every block of hours",
                "environment": "production",
                "model": f"{PIPELINE} v3",
            },
        ),
        ("engineer", "run.start", f"run/{runs - 1}", {"pipeline": PIPELINE}),
        ("worker-1", "model.register", f"model/{PIPELINE}", {"version": 4}),
        ("worker-1", "approval.open", "approval/4kq7m2xw", {"model": f"{PIPELINE} v4"}),
        ("worker-1", "deployment.start", f"endpoint/{PIPELINE}", {"revision": 3}),
        ("worker-1", "deployment.set_weight", f"endpoint/{PIPELINE}", {"weight": 10}),
        ("engineer", "run.start", f"run/{runs}", {"pipeline": PIPELINE}),
    ]


def _journal(
    db: sa.Connection, entries: list[tuple[str, str, str, dict[str, Any]]], now: float
) -> None:
    rows, previous = [], GENESIS
    for seq, (actor, action, subject, detail) in enumerate(entries, 1):
        at = now - 21 - (len(entries) - seq) * 173.0
        text = json.dumps(detail, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        current = entry_hash(seq, at, actor, action, subject, text, previous)
        rows.append(
            {
                "seq": seq,
                "at": at,
                "actor": actor,
                "action": action,
                "subject": subject,
                "detail": text,
                "previous_hash": previous,
                "hash": current,
            }
        )
        previous = current
    if rows:
        db.execute(schema.journal.insert(), rows)


def _mlflow(path: Path, runs: int) -> None:
    """The two tables of MLflow's store that metric histories are read from, and their runs."""
    db = sqlite3.connect(path)
    db.executescript("""
        CREATE TABLE experiments
            (experiment_id INTEGER PRIMARY KEY, name TEXT, lifecycle_stage TEXT);
        CREATE TABLE runs (run_uuid TEXT PRIMARY KEY, name TEXT, status TEXT, start_time BIGINT,
            end_time BIGINT, lifecycle_stage TEXT, experiment_id INTEGER);
        CREATE TABLE metrics (key TEXT, value REAL, timestamp BIGINT, run_uuid TEXT, step BIGINT,
            is_nan BOOLEAN);
        CREATE TABLE latest_metrics (key TEXT, value REAL, timestamp BIGINT, step BIGINT,
            is_nan BOOLEAN, run_uuid TEXT);
        INSERT INTO experiments VALUES (1, 'bike-demand', 'active');
    """)
    for name, count in (("asks", 80), ("run", 46)):
        run = digest(name)[:32]
        db.execute("INSERT INTO runs VALUES (?, ?, 'RUNNING', 0, NULL, 'active', 1)", (run, name))
        for key, floor, slope in (("train_loss", 310.0, 14.0), ("valid_loss", 720.0, 17.0)):
            rows = [
                (
                    key,
                    round(floor + 31_000 * math.exp(-i / slope) + 60 * math.sin(i * 1.7), 3),
                    i,
                    run,
                    i,
                    0,
                )
                for i in range(count)
            ]
            db.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows)
            db.execute(
                "INSERT INTO latest_metrics VALUES (?, ?, ?, ?, 0, ?)",
                (key, rows[-1][1], count, count - 1, run),
            )
        scores = [("holdout_mae", 30.44), ("holdout_r2", 0.9274)] if name == "asks" else []
        for key, value in scores:
            db.execute("INSERT INTO metrics VALUES (?, ?, 0, ?, 0, 0)", (key, value, run))
            db.execute("INSERT INTO latest_metrics VALUES (?, ?, 0, 0, 0, ?)", (key, value, run))
    db.commit()
    db.close()


def _logs(folder: Path, runs: int, now: float) -> None:
    from core.engine.logfiles import format_line

    texts = {
        "split": [("o", "train 8612 rows, valid 957, held-out month 744")],
        "train": [
            ("o", "HistGradientBoostingRegressor max_iter=80 learning_rate=0.1"),
            *[
                (
                    "o",
                    f"iteration {i:3d}  train {31_000 * math.exp(-i / 14):.1f}"
                    f"  valid {720 + 31_000 * math.exp(-i / 17):.1f}",
                )
                for i in range(46)
            ],
            ("e", "UserWarning: feature windspeed has 2180 zeros"),
        ],
    }
    streams = {"o": "out", "e": "err", "s": "sys"}
    for number, began in ((runs, now - 21), (runs - 1, now - 1500)):
        target = folder / run_id(number)
        target.mkdir(parents=True, exist_ok=True)
        at = began + 1
        for step, lines in texts.items():
            with (target / f"{step}.log").open("wb") as file:
                file.write(format_line(at, "sys", 1, f"{step} starts, attempt 1"))
                for mark, text in lines:
                    at += 0.4
                    file.write(format_line(at, streams[mark], 1, text))
