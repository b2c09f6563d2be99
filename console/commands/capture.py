"""`opsdeck endpoints capture`, `labels` and `logs`: what was asked, was true, was said."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.asking import confirm_yes
from console.capture_text import coverage_text, received_text, requests_text, summary_text
from console.groups import Verb
from console.moments import moment, size_of, statuses
from console.output import emit, to_json
from console.session import Session, pass_session
from console.words import harmless, when
from core.errors import BadInput
from screens.words import size

if TYPE_CHECKING:
    from core.domain.capture import CaptureFilter

FORMATS = ("sagemaker", "jsonl", "csv", "parquet")
TASKS = ("auto", "regression", "classes")
FOLLOW_SECONDS = 0.5


@click.command("capture", cls=Verb)
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("--since", metavar="TIME", help="From then on: 2026-11-21T08:30 (UTC), or 2h ago.")
@click.option("--until", metavar="TIME", help="Before then.")
@click.option("--variant", metavar="rN", help="Only this variant's.")
@click.option("--status", metavar="STATUS", help="Only these: 200, 5xx, error.")
@click.option("--id", "inference_id", metavar="ID", help="Only those of this inference id.")
@click.option("--shadow/--no-shadow", default=None, help="Only answers of shadows, or none.")
@click.option("--summary", is_flag=True, help="Show how much there is and what was dropped.")
@click.option("--rate", type=float, metavar="SHARE", help="Capture this share, 0 to 1, from now.")
@click.option("--cap", metavar="SIZE", help="Keep at most so much (500MB); the oldest goes first.")
@click.option("--export", "target", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--format", "kind", type=click.Choice(FORMATS), help="Of the export.")
@click.option("--delete", is_flag=True, help="Delete what is older than --before, with its labels.")
@click.option("--before", metavar="TIME", help="With --delete.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_session
def capture(
    session: Session,
    name: str,
    limit: int,
    since: str | None,
    until: str | None,
    variant: str | None,
    status: str | None,
    inference_id: str | None,
    shadow: bool | None,
    summary: bool,
    rate: float | None,
    cap: str | None,
    target: Path | None,
    kind: str | None,
    delete: bool,
    before: str | None,
    yes: bool,
) -> None:
    """List what the endpoint NAME was asked and answered, newest first.

    With --export: write it to files (formats: sagemaker, jsonl, csv, parquet). With --delete
    --before TIME: delete it for good. With --rate or --cap: change what is captured, at once.
    """
    asked = [
        bool(target),
        delete,
        rate is not None or cap is not None,
        summary,
    ]
    if sum(asked) > 1:
        raise BadInput(
            "--export, --delete, --rate or --cap, and --summary are different things",
            "give one of them",
        )
    if (kind is None) != (target is None):
        raise BadInput("--export DIR and --format go together", "give both")
    if delete != (before is not None):
        raise BadInput("--delete and --before TIME go together", "give both")
    wanted = _filter(since, until, variant, status, inference_id, shadow)
    if target is not None and kind is not None:
        _export(session, name, target, kind, wanted)
    elif delete:
        _delete(session, name, moment("--before", before) or 0.0, yes)
    elif rate is not None or cap is not None:
        made = session.ops().captures.configure(name, rate, size_of("--cap", cap))
        emit(session, made, lambda: summary_text(session, made))
    elif summary:
        found = session.ops().captures.summary(name)
        emit(session, found, lambda: summary_text(session, found))
    else:
        _list(session, name, wanted, limit)


def _filter(
    since: str | None,
    until: str | None,
    variant: str | None,
    status: str | None,
    inference_id: str | None,
    shadow: bool | None,
) -> CaptureFilter:
    from core.domain.capture import CaptureFilter

    if variant is not None and not (variant[:1] == "r" and variant[1:].isdigit()):
        raise BadInput(f"--variant {variant!r}: no variant", "for example: --variant r7")
    low, high = statuses("--status", status)
    return CaptureFilter(
        since=moment("--since", since),
        until=moment("--until", until),
        variant=variant,
        status_low=low,
        status_high=high,
        inference_id=inference_id,
        shadow=shadow,
    )


def _list(session: Session, name: str, wanted: CaptureFilter, limit: int) -> None:
    rows = session.ops().captures.list(name, wanted, limit)
    if not session.json and not rows:
        click.echo(f"endpoint {name}: no captured requests are like that")
        return
    emit(session, {"requests": rows}, lambda: requests_text(session, rows))


def _export(session: Session, name: str, target: Path, kind: str, wanted: CaptureFilter) -> None:
    from core.domain.capture import CaptureFormat

    done = session.ops().captures.export(name, target, CaptureFormat(kind), wanted)
    files = "1 file" if done.files == 1 else f"{done.files:,} files"
    emit(
        session,
        done,
        lambda: f"{done.rows:,} requests in {files} ({size(done.bytes)}) in {done.folder}",
    )


def _delete(session: Session, name: str, before: float, yes: bool) -> None:
    captures = session.ops().captures
    if before > time.time():
        raise BadInput("--before lies in the future", "name a time that has passed")
    if not session.ops().read_only:
        shown = when(before, terminal=False)
        confirm_yes(
            session, yes, f"what endpoint {name} captured before {shown} is deleted for good"
        )
    done = captures.delete(name, before)
    emit(
        session,
        done,
        lambda: f"deleted {done.rows:,} requests ({size(done.bytes)}) and {done.labels:,} labels",
    )


@click.command("labels", cls=Verb)
@click.argument("name")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--column", default="label", show_default=True, help="The labels' column or key.")
@click.option("--task", type=click.Choice(TASKS), default="auto", help="How answers are compared.")
@click.option("--dry-run", is_flag=True, help="Count what FILE would match; keep nothing.")
@pass_session
def labels(
    session: Session, name: str, file: Path | None, column: str, task: str, dry_run: bool
) -> None:
    """Take labels of the endpoint NAME from FILE; without FILE show what is labelled.

    FILE is CSV, JSON Lines or Parquet with the columns inference_id, label and, if wanted,
    time; or SageMaker's ground-truth JSON Lines. Labels may come before or after their
    requests; of several the latest holds.
    """
    from core.domain.capture import Task

    if file is None:
        if dry_run:
            raise BadInput("--dry-run goes with FILE", "name a file with labels")
        shown = session.ops().labels.coverage(name)
        emit(session, shown, lambda: coverage_text(session, shown))
        return
    found = session.ops().labels.receive(
        name, file, column=column, task=Task(task), dry_run=dry_run
    )
    emit(session, found, lambda: received_text(found))


@click.command("logs", cls=Verb)
@click.argument("name")
@click.option(
    "--source",
    type=click.Choice(("server", "supervisor")),
    default="server",
    show_default=True,
    help="Whose: the processes that answer, or the one that looks after them.",
)
@click.option("--tail", type=click.IntRange(0, 10_000), default=200, show_default=True)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is added, until Ctrl-C.")
@pass_session
def logs(session: Session, name: str, source: str, tail: int, follow: bool) -> None:
    """Print the log of an endpoint's processes.

    With --json one document with all lines; with --follow too, one document a line.
    """
    captures = session.ops().captures
    page = captures.logs(name, source, tail=tail)
    if not follow:
        emit(session, page, lambda: "\n".join(_shown(session, line) for line in page.lines))
        return
    while True:
        if page.gap:
            session.say("lines in between were rotated away before they were read")
        for line in page.lines:
            click.echo(
                json.dumps(to_json({"source": source, "line": line}), ensure_ascii=False)
                if session.json
                else _shown(session, line)
            )
        time.sleep(FOLLOW_SECONDS)
        page = (
            captures.logs(name, source, cursor=page.cursor)
            if page.cursor
            else captures.logs(name, source, tail=10_000)
        )


def _shown(session: Session, line: str) -> str:
    return harmless(line) if session.terminal else line


def attach(group: click.Group) -> None:
    """Make these verbs of a noun."""
    for verb in (capture, labels, logs):
        group.add_command(verb)
