"""Few files of many."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.capture.compacting import GRACE_SECONDS, LEAST, compact
from core.capture.deleting import delete_before
from core.capture.labelfile import Label
from core.capture.labels import store_labels
from core.capture.merge import merge_new
from core.capture.quality import coverage
from core.capture.reader import every, newest
from core.domain.capture import CaptureFilter
from core.serving.folder import EndpointFolder
from core.serving.process.capture import Captured
from core.serving.process.parts import keep_within, list_parts

NOON = 1_760_011_200.0
ALL = CaptureFilter()
LATER = time.time() + 2 * 86_400
Request = Callable[..., Captured]
Put = Callable[..., list[Path]]


@pytest.fixture
def endpoint(tmp_path: Path, request_of: Request, put: Put) -> Path:
    """An endpoint with a past day of two variants, a request a file."""
    folder = tmp_path / "demand"
    for number in range(2 * LEAST):
        put(EndpointFolder(folder).capture, request_of(number, revision=1 + number % 2))
    return folder


def ids(capture: Path) -> list[str]:
    return sorted(row.inference_id for row in every(capture, ALL))


def test_nothing_is_lost_and_nothing_is_there_twice(endpoint: Path) -> None:
    capture = EndpointFolder(endpoint).capture
    before, first = ids(capture), newest(capture, ALL, 5)
    assert compact(capture, LATER) == 2 * LEAST
    assert ids(capture) == before
    assert newest(capture, ALL, 5) == first
    assert [part.rows for part in list_parts(capture)] == [LEAST, LEAST]
    assert len(list(capture.rglob("part-*"))) == 2 * LEAST, "who reads them still can"
    assert compact(capture, LATER) == 0
    for path in capture.rglob("compact-*"):
        os.utime(path, (LATER, LATER))
    compact(capture, LATER + GRACE_SECONDS + 1)
    assert not list(capture.rglob("part-*"))
    assert ids(capture) == before


def test_what_is_written_later_counts_too(endpoint: Path, request_of: Request, put: Put) -> None:
    capture = EndpointFolder(endpoint).capture
    compact(capture, LATER)
    put(capture, request_of(99))
    assert "id-99" in ids(capture)
    assert len(ids(capture)) == 2 * LEAST + 1


def test_young_few_or_large_files_stay(endpoint: Path, request_of: Request, put: Put) -> None:
    capture = EndpointFolder(endpoint).capture
    assert compact(capture) == 0, "written a moment ago"
    for part in list_parts(capture)[4:]:
        part.path.unlink()
    assert compact(capture, LATER) == 0
    assert compact(endpoint / "none", LATER) == 0


def test_merging_counts_nothing_twice(endpoint: Path) -> None:
    capture = EndpointFolder(endpoint).capture
    store_labels(endpoint, [Label(f"id-{n}", n + 1) for n in range(2 * LEAST)])
    merge_new(endpoint)
    before = coverage(endpoint, "demand").arms
    compact(capture, LATER)
    merge_new(endpoint)
    assert coverage(endpoint, "demand").arms == before
    assert [(arm.captured, arm.labelled) for arm in before] == [(LEAST, LEAST)] * 2


def test_deleting_from_a_compact_file_leaves_no_old_one_to_come_back(endpoint: Path) -> None:
    capture = EndpointFolder(endpoint).capture
    compact(capture, LATER)
    assert delete_before(endpoint, "demand", NOON + 3).rows == 3
    (capture / "deleted.json").unlink()  # without the tombstone: the files themselves
    assert ids(capture) == sorted(f"id-{n}" for n in range(3, 2 * LEAST))
    keep_within(capture, 1)
    assert len(list(capture.rglob("*.parquet"))) == 1


def test_a_broken_file_keeps_its_folder_as_it_is(endpoint: Path) -> None:
    capture = EndpointFolder(endpoint).capture
    list_parts(capture)[0].path.write_bytes(b"PAR1")
    before = ids(capture)
    assert compact(capture, LATER) == LEAST
    assert ids(capture) == before
