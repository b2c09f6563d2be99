"""Having people label captured rows: picking, by turns, by spreadsheet, and handing on."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from core.domain.labelling import (
    LabelFileProblem,
    LabelKind,
    LabelQueue,
    LabelsHanded,
    LabelsImported,
    LabelTask,
    PickPolicy,
    TaskState,
)
from core.errors import BadInput
from core.labelling import csvfile
from core.labelling.errors import LabelFileInvalid, LabelRefused, NothingToLabel
from core.labelling.values import agreement, checked
from core.reads import labelling as _reads
from core.reads import releases as _releases
from core.services.workers import WorkersService
from core.session import Session

__all__ = ["LabellingService"]

MOST_ROWS = 10_000


class LabellingService:
    """The labelling queues of the workspace's endpoints."""

    def __init__(self, session: Session, workers: WorkersService) -> None:
        self._session = session
        self._workers = workers

    # -- reading

    def queues(self) -> tuple[LabelQueue, ...]:
        """Every endpoint's queue in numbers."""
        names = _reads.endpoints_with_queues(self._session.reader)
        return tuple(self.status(name) for name in names)

    def status(self, name: str) -> LabelQueue:
        """A queue in numbers: how many rows are where, who has labelled, how far people agree.
        Raises `NotFound` (no such endpoint)."""
        self._folder(name)
        reader = self._session.reader
        rows = _reads.counts(reader, name)
        kind, classes = self._kind(name)

        def total(state: TaskState, **only: Any) -> int:
            return sum(
                row["n"]
                for row in rows
                if row["state"] == state and all(bool(row[k]) == v for k, v in only.items())
            )

        by_reason: dict[str, int] = {}
        for row in rows:
            if row["state"] == TaskState.OPEN:
                by_reason[row["reason"]] = by_reason.get(row["reason"], 0) + row["n"]
        answers = _reads.answers_of_all(reader, name)
        return LabelQueue(
            endpoint=name,
            open=total(TaskState.OPEN),
            claimed=_reads.claimed(reader, name),
            assigned=total(TaskState.OPEN, assigned=True),
            done=total(TaskState.DONE),
            waiting=total(TaskState.DONE, handed=False),
            handed=total(TaskState.DONE, handed=True),
            disputed=total(TaskState.DISPUTED),
            skipped=total(TaskState.SKIPPED),
            dropped=total(TaskState.DROPPED),
            by_reason=by_reason,
            people=_reads.answered_by(reader, name),
            kind=kind,
            classes=classes,
            agreement=agreement(answers.values(), kind),
            last_batch=_reads.last_batch(reader, name),
        )

    def queue(
        self,
        name: str,
        *,
        states: Sequence[str] = ("open",),
        assigned_to: str | None = None,
        limit: int = 100,
    ) -> tuple[LabelTask, ...]:
        """Rows of a queue, in the order in which they are labelled. Raises `NotFound`."""
        self._folder(name)
        return _reads.list_tasks(
            self._session.reader, name, states=states, assigned_to=assigned_to, limit=limit
        )

    def get(self, name: str, inference_id: str) -> LabelTask:
        """One row; raises `NotFound`."""
        self._folder(name)
        return _reads.find_task(self._session.reader, name, inference_id)

    # -- picking

    def pick(self, name: str, policy: PickPolicy | None = None) -> LabelQueue:
        """Pick rows of captured traffic and put them into the queue. Heavy: numpy and the
        capture. Raises `NotFound`, `BadInput` (the policy), `NothingToLabel`, `ReadOnly`."""
        from core.labelling.candidates import find_candidates
        from core.labelling.picking import atypical_rows, facts_of, pick
        from core.labelling.queueing import put_batch

        self._session.refuse_when_read_only("labels queue")
        wanted = _checked(policy or PickPolicy())
        folder = self._folder(name)
        reader = self._session.reader
        since = None if wanted.since is None else time.time() - wanted.since
        found = find_candidates(folder, since, _reads.queued_ids(reader, name))
        picked = pick(found, wanted, atypical_rows(reader, name))
        if not picked:
            several = f"; {found.several} have several rows" if found.several else ""
            raise NothingToLabel(
                f"endpoint {name}: no captured request without a label to pick from{several}",
                f"see what is captured: opsdeck endpoints capture {name}",
            )
        with self._session.change("labels queue") as tx:
            put_batch(tx, name, picked, wanted, facts_of(found, picked))
        return self.status(name)

    # -- labelling

    def next(self, name: str, *, passing: Iterable[str] = ()) -> LabelTask:
        """The next row for this person, theirs for ten minutes. `passing`: not these for now.
        Raises `NothingToLabel`, `NotFound`, `ReadOnly`."""
        from core.labelling.queueing import claim_next

        self._session.refuse_when_read_only("labels label")
        self._folder(name)
        kind, _ = self._kind(name)
        with self._session.change("labels label") as tx:
            found = claim_next(tx, name, kind, passing)
        if found is None:
            raise NothingToLabel(
                f"endpoint {name}: nothing is left for {self._session.actor} to label",
                f"pick more: opsdeck labels queue {name} --add 100",
            )
        return _reads.find_task(self._session.reader, name, found)

    def release(self, name: str) -> None:
        """Give back the rows that this person is looking at. Raises `NotFound`, `ReadOnly`."""
        from core.labelling.queueing import release

        self._session.refuse_when_read_only("labels release")
        self._folder(name)
        with self._session.change("labels release") as tx:
            release(tx, name)

    def label(
        self, name: str, inference_id: str, value: Any, *, comment: str = "", new: bool = False
    ) -> LabelTask:
        """Say what is true of a row; `new` lets in a class that nobody has said yet. It becomes
        a label of the endpoint about a minute later. Raises `LabelRefused`, `NotFound`,
        `ReadOnly`."""
        self._session.refuse_when_read_only("labels label")
        self._folder(name)
        kind, classes = self._kind(name)
        return self._answer(
            name, inference_id, checked(value, kind, classes, new=new), kind, comment
        )

    def skip(self, name: str, inference_id: str, comment: str = "") -> LabelTask:
        """Leave a row to others; after two people have it is out of the queue. Raises
        `LabelRefused`, `NotFound`, `ReadOnly`."""
        self._session.refuse_when_read_only("labels skip")
        self._folder(name)
        return self._answer(name, inference_id, None, self._kind(name)[0], comment)

    def _answer(
        self, name: str, inference_id: str, value: Any, kind: LabelKind, comment: str
    ) -> LabelTask:
        from core.labelling.queueing import answer

        with self._session.change("labels label") as tx:
            state = answer(tx, name, inference_id, value, kind, comment=comment)
            tx.journal(
                "labels.skip" if value is None else "labels.label",
                f"endpoint/{name}",
                inference_id=inference_id,
                state=state.value,
            )
        return _reads.find_task(self._session.reader, name, inference_id)

    def undo(self, name: str) -> LabelTask:
        """Take back one's last label or skip; the row is one's own again. Raises
        `LabelRefused` (there is none, or it was handed on), `NotFound`, `ReadOnly`."""
        from core.labelling.queueing import undo

        self._session.refuse_when_read_only("labels undo")
        self._folder(name)
        kind, _ = self._kind(name)
        with self._session.change("labels undo") as tx:
            found = undo(tx, name, kind)
        return _reads.find_task(self._session.reader, name, found)

    def assign(
        self, name: str, person: str | None, *, rows: int = 50, ids: Sequence[str] = ()
    ) -> int:
        """Give open rows to somebody (None: back to everybody); how many. Raises `NotFound`,
        `LabelRefused`, `ReadOnly`."""
        from core.labelling.queueing import assign

        self._session.refuse_when_read_only("labels assign")
        self._folder(name)
        with self._session.change("labels assign") as tx:
            return assign(tx, name, person, rows, ids)

    def drop(self, name: str) -> int:
        """Take what is open, skipped or disputed out of the queue; how many. Labels that were
        given stay. Raises `NotFound`, `ReadOnly`."""
        from core.labelling.queueing import drop

        self._session.refuse_when_read_only("labels drop")
        self._folder(name)
        states = (TaskState.OPEN, TaskState.SKIPPED, TaskState.DISPUTED)
        with self._session.change("labels drop") as tx:
            return drop(tx, name, states)

    # -- by spreadsheet

    def export(
        self, name: str, target: Path, *, assign_to: str | None = None, limit: int = MOST_ROWS
    ) -> int:
        """Write the open rows (those of `assign_to` and of nobody, given to them then) to a CSV
        file; how many. Raises `NotFound`, `NothingToLabel`, `BadInput` (the file is there),
        `ReadOnly`."""
        self._session.refuse_when_read_only("labels export")
        tasks = [
            task
            for task in self.queue(name, limit=limit)
            if task.assigned_to in (None, assign_to) and not task.claimed_by
        ]
        if not tasks:
            raise NothingToLabel(f"endpoint {name}: no open row to export")
        try:
            with target.open("x", encoding="utf-8-sig", newline="") as file:
                file.write(csvfile.table(tasks))
        except FileExistsError:
            raise BadInput(f"{target} is there already", "name another file") from None
        except OSError as error:
            raise BadInput(f"{target}: {error.strerror or error}", "name another file") from error
        if assign_to is not None:
            self.assign(name, assign_to, ids=[task.inference_id for task in tasks])
        return len(tasks)

    def import_file(
        self, name: str, file: Path, *, new: bool = False, dry_run: bool = False
    ) -> LabelsImported:
        """Take the labels of a CSV file in; empty ones stay in the queue. All lines, or, where
        one of them cannot be taken, none: raises `LabelFileInvalid` with every problem (with
        `dry_run` they are returned). Raises `BadInput`, `NotFound`, `ReadOnly`."""
        from core.labelling.queueing import answer, open_task

        self._session.refuse_when_read_only("labels import")
        self._folder(name)
        kind, classes = self._kind(name)
        lines, problems = csvfile.read(file)
        given = [line for line in lines if line.label]
        values: dict[str, Any] = {}
        for line in given:
            try:
                values[line.inference_id] = checked(line.label, kind, classes, new=new)
            except LabelRefused as error:
                problems.append(csvfile.problem_of(line, error))
        with self._session.change("labels import") as tx:
            for line in given:
                try:
                    open_task(tx, name, line.inference_id, kind)
                except LabelRefused as error:
                    problems.append(csvfile.problem_of(line, error))
            if not problems and not dry_run:
                for line in given:
                    value = values[line.inference_id]
                    answer(
                        tx, name, line.inference_id, value, kind,
                        comment=line.comment, source=file.name,
                    )  # fmt: skip
                tx.journal("labels.import", f"endpoint/{name}", file=file.name, labels=len(given))
        found = tuple(sorted(problems, key=lambda each: each.line))
        done = LabelsImported(
            name, str(file), len(lines), len(given), len(lines) - len(given), found,
            stored=not found and not dry_run,
        )  # fmt: skip
        if found and not dry_run:
            raise _invalid(file, found)
        return done

    # -- handing on

    def hand_over(self, name: str, *, at_once: bool = False) -> LabelsHanded:
        """Make what was agreed on labels of the endpoint, and bring the augmented sets of its
        triggers up to them. Those younger than a minute wait, unless `at_once`. Heavy. Raises
        `NotFound`, `ReadOnly`, and what the lake raises."""
        from core.labelling.handing import hand_over
        from core.labelling.queueing import UNDO_SECONDS

        self._session.refuse_when_read_only("labels hand over")
        folder = self._folder(name)
        before = time.time() + (1.0 if at_once else -UNDO_SECONDS)
        labels = hand_over(self._session, name, folder, before)
        if not labels:
            return LabelsHanded(name, 0)
        from core.services.triggers import TriggersService

        triggers = TriggersService(self._session, self._workers)
        return LabelsHanded(name, labels, triggers.augment_for(name))

    def due(self, now: float | None = None) -> tuple[str, ...]:
        """Endpoints with labels to hand on: nobody has labelled for a minute, or somebody has for
        ten."""
        from core.labelling.queueing import LATE_SECONDS, UNDO_SECONDS

        at = time.time() if now is None else now
        return _reads.to_hand_over(self._session.reader, at - UNDO_SECONDS, at - LATE_SECONDS)

    # -- what is known

    def _kind(self, name: str) -> tuple[LabelKind, tuple[str, ...]]:
        """What labels of an endpoint are, as its newest picking found, and the classes."""
        batch = _reads.last_batch(self._session.reader, name)
        if batch is None:
            return LabelKind.NUMBER, ()
        kind = LabelKind(batch.detail.get("kind", LabelKind.NUMBER))
        return kind, tuple(batch.detail.get("classes", ()))

    def _folder(self, name: str) -> Path:
        _releases.find_endpoint(self._session.reader, name, history=1)
        return self._session.workspace.endpoints_dir / name


def _checked(policy: PickPolicy) -> PickPolicy:
    if not 1 <= policy.rows <= MOST_ROWS:
        raise BadInput(f"rows {policy.rows}: not between 1 and {MOST_ROWS}")
    if not 0 <= policy.twice <= 1:
        raise BadInput(f"twice {policy.twice:g}: not a share between 0 and 1")
    if any(share < 0 for share in policy.shares.values()) or sum(policy.shares.values()) <= 0:
        raise BadInput("the shares of the reasons are not all 0 or more, one of them above")
    return policy


def _invalid(file: Path, problems: Sequence[LabelFileProblem]) -> LabelFileInvalid:
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return LabelFileInvalid(
        f"{file}:{first.line}: {first.message}{more}",
        "nothing was taken; see all: opsdeck labels import --dry-run",
        tuple(problems),
    )
