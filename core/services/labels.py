"""What turned out to be true: taking labels in, and how the variants' answers compare with it."""

from __future__ import annotations

from pathlib import Path

from core.capture import matching, reporting
from core.capture.labelfile import read_labels
from core.capture.labels import store_labels
from core.capture.merge import merge_new
from core.capture.quality import coverage
from core.domain.capture import LabelCoverage, LabelsReceived, Task
from core.reads import releases as _releases
from core.session import Session


class LabelsService:
    """Ground truth of the workspace's endpoints."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def coverage(self, name: str) -> LabelCoverage:
        """How far an endpoint's requests are labelled, and each variant's metrics. Merges what
        has come first, unless the session is read-only. Raises `NotFound`, `StateBusy`."""
        folder = self._folder(name)
        if not self._session.read_only:
            merge_new(folder)
        return coverage(folder, name)

    def receive(
        self,
        name: str,
        file: Path,
        *,
        column: str = "label",
        task: Task = Task.AUTO,
        dry_run: bool = False,
    ) -> LabelsReceived:
        """Take the labels of a file: CSV, JSON Lines, Parquet, SageMaker's JSON Lines.

        With `dry_run` the file is read and its ids are looked up, and nothing is kept. Raises
        `NotFound`, `BadInput` (naming the line; then nothing is kept), `ReadOnly`, OSError.
        """
        if not dry_run:
            self._session.refuse_when_read_only("endpoints labels")
        folder = self._folder(name)
        if dry_run:
            return matching.look_up(folder, name, file, read_labels(file, column))
        counted = matching.Counting(read_labels(file, column))
        store_labels(folder, counted, task)
        before = matching.labelled_ids(folder, counted.ids)
        merge_new(folder)
        found = matching.received(folder, name, file, counted, before)
        with self._session.change("endpoints labels") as tx:
            tx.journal(
                "labels.receive",
                f"endpoint/{name}",
                file=file.name,
                rows=found.rows,
                matched=found.matched,
                unknown=found.unknown,
            )
        reporting.report(self._session.reader, folder)
        return found

    def _folder(self, name: str) -> Path:
        _releases.find_endpoint(self._session.reader, name, history=1)
        return self._session.workspace.endpoints_dir / name
