"""`opsdeck data expire|compact|drop|key`: keeping datasets small, and ending them."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.asking import confirm_model, confirm_yes
from console.commands.data_catalog import count_words, size_words
from console.groups import Verb
from console.output import emit
from console.session import Session, pass_session
from console.tables import Column, block, table
from console.words import many, when
from core.errors import BadInput

if TYPE_CHECKING:
    from core.domain.upkeep import Compaction, Drop, Expiry, Sweep

_AGE = re.compile(r"(\d+(?:\.\d+)?)([mhdw])")
_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def _age(text: str | None) -> float | None:
    """`7d`, `12h` as the moment so long ago."""
    if text is None:
        return None
    found = _AGE.fullmatch(text)
    if not found:
        raise BadInput(f"--older-than {text}: not a length of time", "for example: 12h, 7d, 2w")
    return time.time() - float(found[1]) * _SECONDS[found[2]]


@click.command("expire", cls=Verb)
@click.argument("name")
@click.option(
    "--keep",
    type=click.IntRange(1, 100_000),
    metavar="N",
    help="The newest N stay (default: lake.keep.snapshots, 100).",
)
@click.option("--older-than", metavar="AGE", help="Also newer ones from before then: 12h, 7d, 2w.")
@click.option(
    "--now",
    "delete_now",
    is_flag=True,
    help="Delete their files at once; readers of them are cut off.",
)
@click.option("--files", is_flag=True, help="Only delete files that no version refers to.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@pass_session
def expire(
    session: Session,
    name: str,
    keep: int | None,
    older_than: str | None,
    delete_now: bool,
    files: bool,
    yes: bool,
    dry_run: bool,
) -> None:
    """Let old versions of dataset NAME go.

    Those that are current or tagged, or that a view, a feature view, a run or a model refers
    to, stay. The worker does this by itself; here it is done now.
    """
    data = session.ops().data
    if files:
        swept = data.sweep(name, dry_run=dry_run)
        emit(session, swept, lambda: _sweep_text(swept))
        return
    before = _age(older_than)
    plan = data.expire(name, keep=keep, older_than=before, delete_files=delete_now, dry_run=True)
    if dry_run or not plan.numbers:
        emit(session, plan, lambda: _expiry_text(session, plan))
        return
    words = f"{name}: {many(len(plan.numbers), 'version')} can no longer be read afterwards"
    confirm_yes(session, yes, words)
    done = data.expire(name, keep=keep, older_than=before, delete_files=delete_now)
    emit(session, done, lambda: _expiry_text(session, done))


def _expiry_text(session: Session, done: Expiry) -> str:
    would = "would be " if done.dry_run else ""
    count = len(done.numbers)
    if not count:
        first = f"{done.dataset}: nothing to expire, {many(done.live, 'version')} can be read"
    else:
        first = (
            f"{done.dataset}: {count} version{'s' if count != 1 else ''} {would}expired"
            f" ({_ranges(done.numbers)}), {done.live} can be read"
        )
    if done.files:
        first += f"; {many(done.files, 'file')}, {size_words(done.bytes)} {would}deleted"
    if not done.kept:
        return first
    columns = [Column("kept", right=True), Column("why", flexible=True)]
    rows = [(f"#{each.number}", each.reason) for each in done.kept]
    return f"{first}\n\n{table(session, columns, rows)}"


def _ranges(numbers: tuple[int, ...]) -> str:
    """`#1 to #4, #7`."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    words = [f"#{a}" if a == b else f"#{a} to #{b}" for a, b in parts]
    return ", ".join(words[:8]) + (f" and {len(words) - 8} more" if len(words) > 8 else "")


def _sweep_text(done: Sweep) -> str:
    would = "would be " if done.dry_run else ""
    waiting = f"; {done.waiting} are too young yet" if done.waiting else ""
    files = f"{many(done.files, 'file')}, {size_words(done.bytes)}"
    return f"{done.dataset}: {files} {would}deleted{waiting}"


@click.command("compact", cls=Verb)
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Say what would be merged, and change nothing.")
@pass_session
def compact(session: Session, name: str, dry_run: bool) -> None:
    """Merge the small files of dataset NAME; its rows stay as they are."""
    done = session.ops().data.compact(name, dry_run=dry_run)
    emit(session, done, lambda: _compaction_text(done))


def _compaction_text(done: Compaction) -> str:
    if not done.files_before:
        return f"{done.dataset}: nothing to merge"
    files = f"{done.files_before} files of {size_words(done.bytes)}"
    if done.dry_run:
        return f"{done.dataset}: {files} would become {done.files_after}"
    return f"{done.dataset} #{done.snapshot}: {files} became {done.files_after}"


@click.command("drop", cls=Verb)
@click.argument("name")
@click.option("--confirm", metavar="NAME", help="The dataset's name once more.")
@click.option("--purge", is_flag=True, help="Delete its files at once: there is no way back.")
@click.option("--force", is_flag=True, help="Although something reads it.")
@click.option("--undo", is_flag=True, help="Bring back one that was dropped.")
@click.option("--dry-run", is_flag=True, help="Say what would be lost, and change nothing.")
@pass_session
def drop(
    session: Session,
    name: str,
    confirm: str | None,
    purge: bool,
    force: bool,
    undo: bool,
    dry_run: bool,
) -> None:
    """Take dataset NAME out of the lake.

    Its files stay for some days (lake.keep.dropped_days), in which --undo brings it back.
    """
    data = session.ops().data
    if undo:
        back = data.undrop(name)
        emit(session, back, lambda: f"dataset {name} is back: {count_words(back.rows)} rows")
        return
    plan = data.drop(name, purge=purge, force=force, dry_run=True)
    if dry_run:
        emit(session, plan, lambda: _drop_text(session, plan))
        return
    after = "for good" if purge else "until it is brought back"
    versions = many(plan.snapshots, "version")
    words = f"dataset {name}: {count_words(plan.rows)} rows, {versions} go {after}"
    confirm_model(session, name, confirm, words, what="dataset")
    done = data.drop(name, purge=purge, force=force)
    emit(session, done, lambda: f"dataset {name} is dropped" + _way_back(session, done))


def _way_back(session: Session, done: Drop) -> str:
    if done.until is None:
        return ", and its files are deleted"
    until = when(done.until, terminal=session.terminal)
    return f"; until {until} it can be brought back: opsdeck data drop {done.dataset} --undo"


def _drop_text(session: Session, plan: Drop) -> str:
    facts = [
        ("dataset", plan.dataset),
        ("rows", count_words(plan.rows)),
        ("size", size_words(plan.bytes)),
        ("versions", str(plan.snapshots)),
        ("names", ", ".join(plan.names)),
        ("read by", ", ".join(plan.readers)),
        ("way back", "none" if plan.until is None else "until its files are deleted"),
    ]
    return block(session, facts) + "\n\nnothing was done"


@click.command("key", cls=Verb)
@click.argument("path", type=click.Path(path_type=Path))
@pass_session
def key(session: Session, path: Path) -> None:
    """Make a key for an encrypted lake, in the new file PATH.

    Then set in opsdeck.yaml: lake: {encryption: {key_file: PATH}}. Keep a copy elsewhere:
    without it nobody can read the lake.
    """
    public = session.ops().data.make_key(path)
    document = {"path": path, "public_key": public}
    emit(session, document, lambda: f"key written to {path}\npublic part {public}")
