"""Labelled requests as rows: inputs, label and where they come from, once an inference id.

Free of leaks in time: only requests and labels that were there at one moment (`as_of`), and of
the newest requests those that are held back are left out.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.capture.index import looking
from core.capture.merge import merge_new
from core.capture.reader import days_for, open_part, parts_for
from core.capture.tombstone import deleted_before
from core.domain.capture import CapturedRequest, CaptureFilter
from core.domain.trigger import Augment
from core.serving.folder import EndpointFolder
from core.triggers.errors import AugmentFailed

FROM, ID, ROW, AT = "captured_from", "captured_id", "captured_row", "captured_at"
BY, LABELLED_AT, FOR = "captured_by", "labelled_at", "labelled_for"
PROVENANCE = (FROM, ID, ROW, AT, BY, LABELLED_AT, FOR)
"""Columns that say where a row comes from; the dataset's other rows have none of them."""


@dataclass(frozen=True, slots=True)
class Label:
    """What turned out to be true of a request (JSON value), and when that was said."""

    value: Any
    at: float


@dataclass(frozen=True, slots=True)
class Labelled:
    """One request with its label."""

    request: CapturedRequest
    label: Label


@dataclass(slots=True)
class Counted:
    """What became of labels: those of no captured request, requests that failed, labels whose
    length is not that of their request, requests held back, left out by the sample."""

    labels: int = 0
    unknown: int = 0
    failed: int = 0
    unfit: int = 0
    held_back: int = 0
    left_out: int = 0


def labels_as_of(folder: Path, as_of: float) -> dict[str, Label]:
    """The endpoint's labels that were found out and received by then, merged first."""
    merge_new(folder)
    with looking(folder) as db:
        if db is None:
            return {}
        rows = db.execute(
            "SELECT id, value, at, received FROM labels WHERE at <= ? AND received <= ?",
            (int(as_of * 1e6), int(as_of * 1e6)),
        )
        return {row[0]: Label(json.loads(row[1]), row[3] / 1e6) for row in rows}


def labelled_requests(
    folder: Path, augment: Augment, labels: Mapping[str, Label], as_of: float, counted: Counted
) -> list[Labelled]:
    """The requests to these labels that are wanted, by time; the first of each inference id."""
    counted.labels = len(labels)
    first: dict[str, Labelled] = {}
    capture = EndpointFolder(folder).capture
    for request in _requests(capture, augment, set(labels), as_of):
        known = first.get(request.inference_id)
        if known is None or request.at < known.request.at:
            first[request.inference_id] = Labelled(request, labels[request.inference_id])
    counted.unknown = len(labels) - len(first)
    good = [each for each in first.values() if each.request.status == 200]
    counted.failed = len(first) - len(good)
    kept = [each for each in good if each.request.at <= as_of - augment.hold_back]
    counted.held_back = len(good) - len(kept)
    drawn = sample(kept, augment)
    counted.left_out = len(kept) - len(drawn)
    return sorted(drawn, key=lambda each: (each.request.at, each.request.inference_id))


def _requests(
    capture: Path, augment: Augment, ids: set[str], as_of: float
) -> Iterator[CapturedRequest]:
    """The answers that were given to these ids; bodies are read of those only."""
    since = as_of - augment.since if augment.since is not None else None
    deleted = deleted_before(capture)
    if deleted is not None:
        since = max(since or deleted, deleted)
    wanted = CaptureFilter(since=since, until=as_of, shadow=False)
    for day in days_for(capture, wanted):
        for part in parts_for(capture, day, wanted):
            opened = open_part(part)
            if opened is None:
                continue
            there = opened.columns(("inference_id",))["inference_id"]
            if ids.isdisjoint(there):
                continue
            rows = [row for row, _ in opened.matching(wanted) if there[row] in ids]
            yield from opened.requests(rows)


def sample(rows: list[Labelled], augment: Augment) -> list[Labelled]:
    """At most so many: the newest, or drawn at random in such a way that a request that was
    drawn once is drawn again as long as there is room."""
    if augment.most is None or len(rows) <= augment.most:
        return rows
    if augment.draw == "newest":
        return heapq.nlargest(augment.most, rows, key=lambda each: each.request.at)
    return heapq.nsmallest(augment.most, rows, key=lambda each: _lot(each.request.inference_id))


def _lot(inference_id: str) -> bytes:
    return hashlib.sha256(inference_id.encode()).digest()


def rows_of(
    endpoint: str,
    labelled: Labelled,
    augment: Augment,
    reasons: Mapping[str, str],
    counted: Counted,
) -> Iterator[dict[str, Any]]:
    """The rows of one request, as mappings of column to value; none where label and inputs do
    not fit each other."""
    request, label = labelled.request, labelled.label
    inputs = input_rows(request.inputs)
    values = label.value if isinstance(label.value, list) else [label.value]
    if inputs is None or len(inputs) != len(values):
        counted.unfit += 1
        return
    why = reasons.get(request.inference_id, "other")
    for number, (row, value) in enumerate(zip(inputs, values, strict=True)):
        found = _columns(row, augment)
        if augment.label in found or not found.keys().isdisjoint(PROVENANCE):
            taken = next(each for each in (augment.label, *PROVENANCE) if each in found)
            raise AugmentFailed(
                f"dataset {augment.dataset}: {taken} is an input of the model, too",
                "give the input another name under columns:, or the label under label:",
            )
        yield {
            **found,
            augment.label: value,
            FROM: endpoint,
            ID: request.inference_id,
            ROW: number,
            AT: request.at,
            BY: f"{request.model}/{request.version}" if request.model else request.variant,
            LABELLED_AT: label.at,
            FOR: why,
            augment.weight_column: float(augment.weights.get(why, 1.0)),
        }


def input_rows(text: str) -> list[dict[str, Any]] | None:
    """A request's inputs row by row; None where they are no table."""
    try:
        table = json.loads(text)["dataframe_split"]
        names = [str(name) for name in table["columns"]]
        return [dict(zip(names, row, strict=True)) for row in table["data"]]
    except (ValueError, KeyError, TypeError):
        return None


def _columns(row: Mapping[str, Any], augment: Augment) -> dict[str, Any]:
    """The inputs that are kept, under their new names."""
    kept = augment.keep or tuple(row)
    renamed = {old: new for new, old in augment.columns.items()}
    return {renamed.get(name, name): row[name] for name in kept if name in row}
