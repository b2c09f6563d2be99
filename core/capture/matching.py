"""Counting what a file of labels comes to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from core.capture.index import looking
from core.capture.labelfile import Label
from core.capture.reader import open_part
from core.domain.capture import LabelsReceived
from core.serving.folder import EndpointFolder
from core.serving.process.parts import list_parts

_MANY = 500  # ids in one SQL statement


class Counting:
    """Labels, handed on; afterwards `rows` and `ids` say what went through."""

    def __init__(self, labels: Iterable[Label]) -> None:
        self._labels = labels
        self.rows = 0
        self.ids: set[str] = set()

    def __iter__(self) -> Iterator[Label]:
        for label in self._labels:
            self.rows += 1
            self.ids.add(label.inference_id)
            yield label


def labelled_ids(folder: Path, ids: set[str]) -> set[str]:
    """Which of these ids have a label that has been merged."""
    return _among(folder, ids, "labels")


def look_up(folder: Path, name: str, file: Path, labels: Iterable[Label]) -> LabelsReceived:
    """What these labels would come to; nothing is changed."""
    counted = Counting(labels)
    for _ in counted:
        pass  # counting is what reading it is for
    before = labelled_ids(folder, counted.ids)
    found = _among(folder, counted.ids, "answers")
    left = counted.ids - found
    for part in list_parts(EndpointFolder(folder).capture):
        if not left:
            break
        opened = open_part(part)
        if opened is not None:
            here = left.intersection(opened.columns(("inference_id",))["inference_id"])
            found |= here
            left -= here
    return _received(name, file, counted, before, found, stored=False)


def received(
    folder: Path, name: str, file: Path, counted: Counting, before: set[str]
) -> LabelsReceived:
    """What the labels came to that have been merged; `before` had labels already."""
    found = _among(folder, counted.ids, "answers")
    return _received(name, file, counted, before, found, stored=True)


def _received(
    name: str, file: Path, counted: Counting, before: set[str], found: set[str], *, stored: bool
) -> LabelsReceived:
    ids = len(counted.ids)
    return LabelsReceived(
        endpoint=name,
        file=str(file),
        rows=counted.rows,
        ids=ids,
        repeated=counted.rows - ids + len(before),
        matched=len(found),
        unknown=ids - len(found),
        stored=stored,
    )


def _among(folder: Path, ids: set[str], table: str) -> set[str]:
    with looking(folder) as db:
        if db is None:
            return set()
        found: set[str] = set()
        listed = list(ids)
        for start in range(0, len(listed), _MANY):
            some = listed[start : start + _MANY]
            marks = ",".join("?" * len(some))
            rows = db.execute(f"SELECT id FROM {table} WHERE id IN ({marks})", some)
            found |= {row[0] for row in rows}
        return found
