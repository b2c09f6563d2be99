"""Runs, their steps and their logs as text."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from console.output import emit, iso, to_json
from console.session import Session
from console.tables import Column, block, table
from console.words import Cell, duration, harmless, pairs, state, when
from core.domain.remote import SERVICE_WORDS

if TYPE_CHECKING:
    from core.domain.run import LogLine, Run, RunDetail, StepRun
    from core.domain.tuning import Trial

FOLLOW_SECONDS = 0.3
PAGE_LINES = 5_000
_MARKS = {"out": "|", "err": "!", "sys": "*"}


def runs_text(
    session: Session, runs: tuple[Run, ...], offset: int, total: int, *, filtered: bool
) -> str:
    """A table of runs and, for a person, how many more there are."""
    if not runs:
        return "no runs match" if filtered else "no runs yet: opsdeck runs start PIPELINE"
    columns = [
        Column("run", right=True),
        Column("pipeline", flexible=True),
        Column("state"),
        Column("steps"),
        Column("took", right=True),
        Column("started"),
        Column("by", flexible=True),
        Column("parameters", flexible=True),
    ]
    tty = session.terminal
    rows = [
        (
            str(run.number),
            run.pipeline,
            state(run.status, terminal=tty),
            f"{run.steps_done}/{run.steps_total}",
            duration(_took(run.started_at, run.ended_at)),
            when(run.started_at, terminal=tty),
            run.requested_by,
            pairs(run.params),
        )
        for run in runs
    ]
    shown = table(session, columns, rows)
    if tty and offset + len(runs) < total:
        shown += f"\n{len(runs)} of {total}; more with --offset {offset + len(runs)}"
    return shown


def _there(aws: Mapping[str, Any]) -> list[tuple[str, Cell | str]]:
    """Where a run in an AWS account happens."""
    if not aws:
        return []
    service = SERVICE_WORDS.get(aws["service"], aws["service"])
    return [
        ("runs on", f"{service}, {aws['context']} ({aws['region']})"),
        ("execution", str(aws["execution"])),
    ]


def _took(started: float | None, ended: float | None) -> float | None:
    if started is None:
        return None
    return max(0.0, (time.time() if ended is None else ended) - started)


def run_text(session: Session, detail: RunDetail, trials: Sequence[Trial] = ()) -> str:
    """A run's facts, its steps, and the trials of its tune steps."""
    run, tty = detail.run, session.terminal
    commit = f"{run.git_commit[:12]}{' (dirty)' * run.git_dirty}" if run.git_commit else ""
    facts: list[tuple[str, Cell | str]] = [
        ("run", f"{run.number} of {run.pipeline}"),
        ("state", state(run.status, terminal=tty)),
        ("message", run.message),
        ("parameters", pairs(run.params)),
        ("asked by", f"{run.requested_by} {when(run.created_at, terminal=tty)}"),
        ("reason", run.reason),
        ("took", duration(_took(run.started_at, run.ended_at))),
        ("repeats", _repeats(run)),
        ("cache", "" if run.use_cache else "refused"),
        ("commit", commit),
        ("id", run.id),
        ("mlflow run", run.mlflow_run_id or ""),
        *_there(detail.lineage.get("aws") or {}),
    ]
    columns = [
        Column("step"),
        Column("state"),
        Column("took", right=True),
        Column("cpu", right=True),
        Column("memory", right=True),
        Column("try"),
        Column("message", flexible=True),
    ]
    steps = table(session, columns, [_step_row(session, step) for step in detail.steps])
    shown = f"{block(session, facts)}\n\n{steps}"
    return f"{shown}\n\n{trials_text(session, trials)}" if trials else shown


def trials_text(session: Session, trials: Sequence[Trial]) -> str:
    """A table of trials; the best of a step has a mark."""
    if not trials:
        return "no trials yet"
    several = len({each.step for each in trials}) > 1
    columns = [
        *([Column("step")] if several else []),
        Column("trial", right=True),
        Column("state"),
        Column(trials[0].metric if not several else "value", right=True),
        Column("best"),
        Column("took", right=True),
        Column("values", flexible=True),
        Column("message", flexible=True),
    ]
    rows = [
        (
            *([each.step] if several else []),
            str(each.number),
            state(each.status, terminal=session.terminal),
            "-" if each.value is None else f"{each.value:.6g}",
            Cell("* best", "green") if each.best else "",
            duration(_took(each.started_at, each.ended_at)),
            pairs(each.params),
            each.message,
        )
        for each in trials
    ]
    return table(session, columns, rows)


def _repeats(run: Run) -> str:
    return f"{run.parent_run_id} from {run.from_step or 'the start'}" if run.parent_run_id else ""


def _step_row(session: Session, step: StepRun) -> tuple[Cell | str, ...]:
    return (
        step.step,
        state(step.status, terminal=session.terminal),
        duration(_took(step.started_at, step.ended_at)),
        duration(step.cpu_seconds),
        "-" if step.max_rss_mb is None else f"{step.max_rss_mb:.0f} MB",
        f"{step.attempt}/{step.max_attempts}" if step.attempt else "-",
        step.message,
    )


def log_text(session: Session, ref: str, step: str | None, *, follow: bool, times: bool) -> None:
    """Print a run's log lines, page by page; with `follow` until the run has ended."""
    ops = session.ops()
    cursor = ""
    kept: list[LogLine] = []
    while True:
        page = ops.runs.logs(ref, step, cursor=cursor, limit=PAGE_LINES)
        cursor = page.cursor
        if session.json and not follow:
            kept.extend(page.lines)
        elif page.lines:
            lines = (_line(session, x, step is not None, times) for x in page.lines)
            click.echo("\n".join(lines))
        if len(page.lines) == PAGE_LINES:
            continue
        if page.complete or not follow:
            break
        time.sleep(FOLLOW_SECONDS)
    if session.json and not follow:
        emit(session, {"lines": kept, "complete": page.complete}, str)


def _line(session: Session, line: LogLine, one_step: bool, times: bool) -> str:
    if session.json:
        return json.dumps(to_json(line), ensure_ascii=False)
    at = f"{iso(line.at)} " if times else ""
    source = "" if one_step else f"{line.step} "
    text = harmless(line.text) if session.terminal else line.text
    return f"{at}{source}{_MARKS[line.stream]} {text}"
