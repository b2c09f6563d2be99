"""Changes of datasets and held batches: what each asks first, and what it tells after."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from screens.changes import equivalent
from screens.data.words import version
from screens.dialogs.confirm import Question, Signed, dialog_for
from screens.words import age, plural

if TYPE_CHECKING:
    from core.domain.dataset import Dataset, Snapshot
    from core.domain.quality import QuarantinedBatch
    from screens.working import WorkingScreen


def roll_back(screen: WorkingScreen, dataset: Dataset, to: Snapshot) -> None:
    """Ask with the consequence, then make another version the current one."""
    from core.domain.dataset import schema_difference

    deck = screen.deck
    context = replace(deck.context, dataset=dataset, snapshot=to)
    command = equivalent("data.rollback", context)
    more = (to.rows or 0) - (dataset.rows or 0)
    told = f"{more:+,} rows".replace("-", "−") if more else "as many rows"
    columns = schema_difference(dataset.columns, to.columns)
    question = Question(
        title=f"Roll back {dataset.name} to {version(to)}?",
        environment=context.environment,
        target=[
            ("dataset", f"{dataset.name}, #{dataset.number} now"),
            ("goes to", f"{version(to)}, {to.operation} by {to.by}, "
                        f"{age(deck.now() - to.at)}"),
            ("rows", f"{dataset.rows or 0:,} → {to.rows or 0:,} ({told})"),
            ("columns", "; ".join(columns) or "the same"),
        ],
        consequence="Everybody who reads it sees that version from then on. What is left behind"
        " can still be read by its number until it is expired, so this can be taken back.",
        yes="Roll back",
        command=command,
        danger=True,
    )  # fmt: skip

    def answered(signed: Signed | None) -> None:
        if signed is not None:
            screen.work(
                f"roll {dataset.name} back to #{to.number}",
                "data", "rollback", dataset.name, str(to.number),
                then=lambda _done: f"{dataset.name} is as it was at #{to.number}", command=command,
            )  # fmt: skip

    deck.push_screen(dialog_for(question), answered)


def tag(screen: WorkingScreen, dataset: Dataset, snapshot: Snapshot) -> None:
    """Ask for a name, then give it to a version."""
    from screens.dialogs.text import TextField

    context = replace(screen.deck.context, dataset=dataset, snapshot=snapshot)

    def answered(name: str | None) -> None:
        if not name:
            return
        screen.work(
            f"tag {dataset.name} #{snapshot.number}",
            "data", "tag", dataset.name, name, at=str(snapshot.number),
            then=lambda _done: f"{dataset.name} #{snapshot.number} is called {name}",
            command=equivalent("data.tag", context, tag=shlex.quote(name)),
        )  # fmt: skip

    screen.deck.push_screen(
        TextField(
            f"Tag {dataset.name} #{snapshot.number}",
            "name",
            "letters, digits, - and _; a tagged version is not expired",
            yes="Tag",
        ),
        answered,
    )


def validate(screen: WorkingScreen, dataset: Dataset) -> None:
    """Ask the current version for what is expected of it."""

    def told(found: Any) -> str:
        if found.passed:
            return f"{dataset.name}: {plural(len(found.results), 'check')}, none failed"
        failed = len(found.failures) - found.warnings
        return f"{dataset.name}: {plural(failed, 'check')} failed, c shows them"

    context = replace(screen.deck.context, dataset=dataset)
    screen.work(
        f"validate {dataset.name}", "quality", "validate", dataset.name, then=told,
        command=equivalent("data.validate", context),
    )  # fmt: skip


def replay(screen: WorkingScreen, batch: QuarantinedBatch) -> None:
    """Ask, then take a held batch in if it passes now."""
    deck = screen.deck
    context = replace(deck.context, batch=batch)
    command = equivalent("data.replay", context)
    question = Question(
        title=f"Replay batch {batch.id[:8]} into {batch.dataset}?",
        environment=context.environment,
        target=_batch(batch),
        consequence="It is asked again for what is expected by now. If it passes, it goes into"
        " the dataset as the batch that it was, once; if not, it stays here.",
        yes="Replay",
        command=command,
    )

    def answered(signed: Signed | None) -> None:
        if signed is not None:
            screen.work(
                f"replay batch {batch.id[:8]}", "quality", "replay", batch.id,
                then=lambda done: f"batch {batch.id[:8]} is in {done.dataset}", command=command,
            )  # fmt: skip

    deck.push_screen(dialog_for(question), answered)


def discard(screen: WorkingScreen, batch: QuarantinedBatch) -> None:
    """Ask why, then give a held batch up."""
    deck = screen.deck
    context = replace(deck.context, batch=batch)
    command = equivalent("data.discard", context)
    question = Question(
        title=f"Discard batch {batch.id[:8]} of {batch.dataset}?",
        environment=context.environment,
        target=_batch(batch),
        consequence="Its rows are deleted for good; why it was held stays on record.",
        yes="Discard",
        no="Keep it",
        command=command,
        danger=True,
        comment="reason",
        comment_needed=True,
    )

    def answered(signed: Signed | None) -> None:
        if signed is not None:
            screen.work(
                f"discard batch {batch.id[:8]}", "quality", "discard", batch.id, signed.comment,
                then=lambda done: f"batch {batch.id[:8]} of {done.dataset} is discarded",
                command=f"{command} --reason {shlex.quote(signed.comment)}",
            )  # fmt: skip

    dialog = dialog_for(question)
    dialog.focus_at = "#cancel"  # what is typed by mistake lands nowhere
    deck.push_screen(dialog, answered)


def export(screen: WorkingScreen, batch: QuarantinedBatch) -> None:
    """Ask where, then write a batch's bad rows to be mended."""
    from pathlib import Path

    from screens.dialogs.text import TextField

    context = replace(screen.deck.context, batch=batch)

    def answered(path: str | None) -> None:
        if not path:
            return
        target = Path(path).expanduser().absolute()
        screen.work(
            f"export batch {batch.id[:8]}", "quality", "export_held", batch.id, target,
            then=lambda count: f"{plural(count, 'row')} in {path}; mend it, then: opsdeck data"
            f" quarantine repair {batch.id[:8]} {shlex.quote(path)}",
            command=equivalent("data.export", context, path=shlex.quote(path)),
        )  # fmt: skip

    screen.deck.push_screen(
        TextField(
            f"Export bad rows of batch {batch.id[:8]}",
            "file (CSV)",
            "mend the rows in it; the command that takes it back is told after",
            value=f"{batch.dataset}-{batch.id[:8]}.csv",
            yes="Export",
        ),
        answered,
    )


def _batch(batch: QuarantinedBatch) -> list[tuple[str, str]]:
    return [
        ("batch", f"{batch.id[:8]}, {batch.state}, {plural(batch.rows, 'row')}"),
        ("bad rows", f"{batch.bad_rows:,}"),
        ("reasons", ", ".join(batch.reasons) or "none on record"),
    ]
