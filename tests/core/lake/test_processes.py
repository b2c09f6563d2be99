"""Several processes on one lake, and processes that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from core.lake.lake import Lake
from core.ops import Ops
from tests.core.lake.conftest import OpenSpace, ids, rows

ROOT = Path(__file__).resolve().parents[3]

APPEND = """
import sys
import pyarrow as pa
from pathlib import Path
from core.ops import open_ops
root, first, count, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
with open_ops(Path(root), actor="writer") as ops:
    for each in range(first, first + count):
        table = pa.table({"id": [each], "x": [0.5], "s": ["w"]})
        ops.data.lake.append("sales", table, by="writer", batch_id=batch or None)
"""

KILLED = """
import os, signal, sys
from pathlib import Path
import pyarrow as pa
from core.lake import lake as module
from core.ops import open_ops
root, when = sys.argv[1], sys.argv[2]
ops = open_ops(Path(root), actor="writer")
lake = ops.data.lake

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

if when == "before":
    module.commit = die
else:
    module.mirror = die
lake.append("sales", pa.table({"id": [7], "x": [0.7], "s": ["k"]}), by="writer", batch_id="b-7")
"""


def start(code: str, *args: object) -> subprocess.Popen[bytes]:
    """A Python process with this code."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *(str(each) for each in args)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def finish(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Wait for all; each must end well."""
    for process in processes:
        _, err = process.communicate(timeout=150)
        assert process.returncode == 0, err.decode()


@pytest.fixture(params=["sqlite", "postgresql"])
def space(request: pytest.FixtureRequest, open_space: OpenSpace) -> Ops:
    """A workspace with a dataset `sales`, on each database."""
    url = str(request.getfixturevalue("postgres_url")) if request.param == "postgresql" else None
    ops = open_space(database=url)
    ops.data.lake.create("sales", rows(1).schema, owner="ann")
    return ops


def test_four_processes_append_at_once_and_lose_nothing(space: Ops) -> None:
    count = 8
    finish([start(APPEND, space.workspace.root, n * count, count, "") for n in range(4)])

    assert ids(space.data.lake, "sales") == list(range(4 * count))
    versions = space.data.snapshots("sales")
    assert [each.number for each in versions] == list(range(4 * count + 1, 0, -1))
    assert versions[0].rows == 4 * count and versions[0].current


def test_processes_with_the_same_batch_commit_it_once(ops: Ops, lake: Lake) -> None:
    lake.create("sales", rows(1).schema, owner="ann")
    finish([start(APPEND, ops.workspace.root, 5, 1, "b-1") for _ in range(3)])

    assert ids(lake, "sales") == [5]
    assert len(ops.data.snapshots("sales")) == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_writer_killed_around_its_commit_neither_loses_nor_doubles(
    lake: Lake, ops: Ops, when: str
) -> None:
    lake.create("sales", rows(1).schema, owner="ann")
    process = start(KILLED, ops.workspace.root, when)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert lake.dataset("sales").rows == 0  # not mirrored in either case

    if when == "after":
        assert lake.sync("sales").rows == 1
        assert ops.data.snapshots("sales")[0].batch_id == "b-7"
    again = lake.append("sales", rows(7), by="writer", batch_id="b-7")

    assert (again.number, again.rows) == (2, 1)
    assert ids(lake, "sales") == [7]
    if when == "before":  # the files of the commit that was not are left over, and found
        assert lake.sweep("sales", older_than_hours=-1).waiting >= 1
        assert lake.sweep("sales", older_than_hours=-1, grace=0).files >= 1
        assert ids(lake, "sales") == [7]


def test_the_worker_sees_a_commit_that_was_not_mirrored(ops: Ops) -> None:
    import time

    from core.lake.due import LOOK_SECONDS, UpkeepDue

    ops.data.lake.create("sales", rows(1).schema, owner="ann")
    due, now = UpkeepDue(), time.time()
    assert due(ops.session, now) == ()
    process = start(KILLED, ops.workspace.root, "after")
    process.communicate(timeout=60)

    assert due(ops.session, now + 1) == ()  # it looks now and then only
    assert due(ops.session, now + 1 + LOOK_SECONDS) == ("sales",)
    assert ops.data.keep_up("sales")
    assert ops.data.get("sales").rows == 1
    assert due(ops.session, now + 2 + 2 * LOOK_SECONDS) == ()


def test_a_dataset_whose_maker_was_killed_is_taken_into_the_catalogue(
    ops: Ops, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    from core.lake.due import UpkeepDue

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lake, "_describe", die)
    with pytest.raises(KeyboardInterrupt):
        lake.create("sales", rows(1).schema, owner="ann", kind="captures", description="what")
    assert ops.data.list() == ()

    assert UpkeepDue()(ops.session, time.time()) == ("sales",)
    ops.data.keep_up("sales")
    found = ops.data.get("sales")
    assert (found.owner, found.kind, found.description, found.number) == (
        "ann", "captures", "what", 1,
    )  # fmt: skip
