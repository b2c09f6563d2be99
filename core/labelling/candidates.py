"""Captured requests that could be labelled, and those that are: what picking looks at."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.capture.index import looking
from core.capture.merge import merge_new
from core.capture.reader import days_for, open_part, parts_for
from core.capture.tombstone import deleted_before
from core.domain.capture import CapturedRequest, CaptureFilter
from core.serving.folder import EndpointFolder
from core.triggers.capturedrows import input_rows

MOST = 20_000
"""So many requests, the newest, are looked at."""

MOST_LABELLED = 2_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answered request of one row. `output` is its answer, `other` the shadow's, `label` is
    what turned out to be true, where that is known."""

    inference_id: str
    at: float
    variant: str
    inputs: dict[str, Any]
    output: Any
    other: Any = None
    label: Any = None


@dataclass(slots=True)
class Found:
    """What was found: `open` ones without a label, newest first, `labelled` ones, and how many
    requests of `several` rows were passed over."""

    open: list[Candidate] = field(default_factory=list)
    labelled: list[Candidate] = field(default_factory=list)
    several: int = 0


def find_candidates(folder: Path, since: float | None, queued: set[str]) -> Found:
    """Look through an endpoint's capture, newest first; those `queued` already are left out."""
    merge_new(folder)
    labels = _labels(folder)
    found, others, seen = Found(), dict[str, Any](), set[str]()
    for request in _newest(EndpointFolder(folder).capture, since):
        if request.shadow:
            others.setdefault(request.inference_id, _single(request))
            continue
        if request.inference_id in seen:
            continue
        seen.add(request.inference_id)
        _take(found, request, labels, queued)
        if len(found.open) >= MOST:
            break
    found.open = [_with_other(each, others) for each in found.open]
    return found


def _take(
    found: Found, request: CapturedRequest, labels: Mapping[str, Any], queued: set[str]
) -> None:
    rows = input_rows(request.inputs)
    if rows is None or len(rows) != 1:
        found.several += rows is not None
        return
    label = labels.get(request.inference_id)
    candidate = Candidate(
        request.inference_id, request.at, request.variant, rows[0], _single(request), label=label
    )
    if label is not None:
        if len(found.labelled) < MOST_LABELLED and not isinstance(label, list):
            found.labelled.append(candidate)
    elif request.inference_id not in queued:
        found.open.append(candidate)


def _with_other(candidate: Candidate, others: Mapping[str, Any]) -> Candidate:
    from dataclasses import replace

    other = others.get(candidate.inference_id)
    return candidate if other is None else replace(candidate, other=other)


def _labels(folder: Path) -> dict[str, Any]:
    with looking(folder) as db:
        if db is None:
            return {}
        return {row[0]: json.loads(row[1]) for row in db.execute("SELECT id, value FROM labels")}


def _newest(capture: Path, since: float | None) -> Iterator[CapturedRequest]:
    """Answered requests, the parts written last first."""
    deleted = deleted_before(capture)
    if deleted is not None:
        since = max(since or deleted, deleted)
    wanted = CaptureFilter(since=since, status_low=200, status_high=200)
    for day in reversed(days_for(capture, wanted)):
        parts = sorted(parts_for(capture, day, wanted), key=lambda p: p.written, reverse=True)
        for part in parts:
            opened = open_part(part)
            if opened is not None:
                yield from opened.requests([row for row, _ in opened.matching(wanted)])


def _single(request: CapturedRequest) -> Any:
    """The answer to a request of one row; None for anything else."""
    try:
        outputs = json.loads(request.outputs)
    except ValueError:
        return None
    if not isinstance(outputs, list) or len(outputs) != 1:
        return None
    output = outputs[0]
    return output[0] if isinstance(output, list) and len(output) == 1 else output
