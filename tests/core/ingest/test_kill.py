"""Processes that are killed anywhere: nothing is lost, and nothing is there twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from core.domain.ingest import FileState, IngestState
from core.ops import Ops
from tests.core.ingest.conftest import RowsOf
from tests.support import dying
from tests.support.dying import Point, die_at

REPOSITORY = Path(__file__).parents[3]

KILLED_AT = {
    "before the claim": Point("core.ingest.ledger", "Ledger", "open", "before"),
    "after the claim": Point("core.ingest.ledger", "Ledger", "open", "after"),
    "while reading": Point("core.ingest.staging", "Staging", "finish", "before"),
    "before the commit": Point("core.lake.lake", "Lake", "append", "before"),
    "after the commit, before its mirror": Point("core.lake.lake", "", "mirror", "before"),
    "after the commit": Point("core.lake.lake", "Lake", "append", "after"),
    "before it is noted": Point("core.ingest.ledger", "Ledger", "done", "before"),
    "after it is noted": Point("core.ingest.ledger", "Ledger", "done", "after"),
}


@pytest.mark.parametrize("point", KILLED_AT)
def test_a_batch_that_is_killed(
    ops: Ops, root: Path, files: Path, rows_of: RowsOf, point: str
) -> None:
    ops.ingest.ingest("bike", [str(files)], create=True)
    (files / "next.csv").write_text("ts,temp,cnt\n2012-01-01T00:00:00,1,2\n")
    die_at(KILLED_AT[point], dying.ingest, root, "bike", str(files))
    report = ops.ingest.ingest("bike", [str(files)])
    assert len(rows_of("bike")) == 29
    assert all(one.state in (FileState.NEW, FileState.KNOWN) for one in report.files)
    assert ops.ingest.ingest("bike", [str(files)]).read == 0
    assert not ops.ingest.list(state="open")
    assert not list((ops.workspace.state_dir / "ingest").glob("*"))


def test_a_batch_of_a_living_process_is_left_alone(ops: Ops, files: Path) -> None:
    from core.ingest.ledger import Ledger
    from core.ingest.sources import LocalStore, find

    ops.ingest.ingest("bike", [str(files)], create=True)
    (files / "next.csv").write_text("ts,temp,cnt\n2012-01-01T00:00:00,1,2\n")
    found = find([str(files / "next.csv")], store_of=lambda _text: LocalStore())
    ledger = Ledger(ops.session, "bike")
    _, file, mark = ledger.judge(found, again=False, all_=False)[0]
    ledger.open("batch", "elsewhere", [(file, mark)])  # by this process, which lives
    report = ops.ingest.ingest("bike", [str(files)])
    assert [one.state for one in report.files] == [FileState.KNOWN, FileState.BUSY]


@pytest.mark.parametrize(
    "point",
    [
        "after the claim",
        "before the commit",
        "after the commit, before its mirror",
        "after the commit",
        "after it is noted",
    ],
)
def test_a_flush_that_is_killed(
    ops: Ops, root: Path, files: Path, rows_of: RowsOf, point: str
) -> None:
    from core.ingest.spool import Frame, Spool

    ops.ingest.ingest("bike", [str(files)], create=True)
    spool = Spool(ops.workspace.state_dir / "intakes" / "door" / "spool")
    spool.append([Frame(b'{"ts":"2012-01-01T00:00:00","temp":1,"cnt":%d}\n' % n) for n in range(9)])
    die_at(KILLED_AT[point], dying.intake, root, "door", "bike")
    assert ops.intakes.flush("door")
    assert len(rows_of("bike")) == 28 + 9
    assert ops.intakes.flush("door")
    assert len(rows_of("bike")) == 28 + 9
    states = {one.state for one in ops.ingest.list(kind="stream")}
    assert states == {IngestState.DONE}


class Door:
    """An intake's process that can be killed and started again."""

    def __init__(self, root: Path, *options: str) -> None:
        self._command = [
            sys.executable, "-m", "console.main", "-w", str(root), "--json", "data", "intake",
            "door", "--dataset", "bike", *options,
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        self.url = json.loads(self._process.stdout.readline())["url"]

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def end(self) -> int:
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(timeout=60)


def _post(
    url: str, body: bytes, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str]]:
    request = urllib.request.Request(f"{url}/records", body, headers or {}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, dict(answer.headers)
    except urllib.error.HTTPError as error:
        error.read()
        return error.code, {name.lower(): value for name, value in error.headers.items()}


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_and_nothing_doubles(
    ops: Ops, root: Path, files: Path, rows_of: RowsOf
) -> None:
    ops.ingest.ingest("bike", [str(files)], create=True)
    door = Door(root, "--flush-seconds", "0.2")
    door.start()
    acknowledged: set[int] = set()
    over = threading.Event()

    def send(first: int) -> None:
        number = first
        while not over.is_set():
            row = b'{"ts":"2012-01-01T00:00:00","temp":0,"cnt":%d}' % number
            try:  # the same record until it is taken: its key keeps it from being there twice
                status, _ = _post(door.url, row, {"Idempotency-Key": f"n{number}"})
            except (OSError, urllib.error.URLError):
                time.sleep(0.02)
                continue
            if status == 202:
                acknowledged.add(number)
                number += 4

    senders = [threading.Thread(target=send, args=(1_000_000 + n,)) for n in range(4)]
    for sender in senders:
        sender.start()
    try:
        for pause in (1.5, 0.7, 2.2, 1.1):
            time.sleep(pause)
            door.kill()
            door.start()
        time.sleep(1)
    finally:
        over.set()
        for sender in senders:
            sender.join()
    assert door.end() == 0
    found = [row["cnt"] for row in rows_of("bike") if row["cnt"] >= 1_000_000]
    assert len(found) == len(set(found)), "a record is there twice"
    assert acknowledged <= set(found), "an acknowledged record is lost"
    assert len(acknowledged) > 20
    assert len(set(found) - acknowledged) <= 4 * 5  # in flight when it was killed


@pytest.mark.slow
def test_a_flood_is_refused_and_not_lost(
    ops: Ops, root: Path, files: Path, rows_of: RowsOf
) -> None:
    ops.ingest.ingest("bike", [str(files)], create=True)
    door = Door(root, "--flush-seconds", "3600", "--max-spool", "300kB", "--max-body", "64kB")
    door.start()
    taken = [0] * 6
    statuses: set[int] = set()
    rows = b'{"ts":"2012-01-01T00:00:00","temp":0,"cnt":1}\n' * 200

    def flood(index: int) -> None:
        for _ in range(30):
            status, headers = _post(door.url, rows, {"Content-Type": "application/x-ndjson"})
            statuses.add(status)
            if status == 202:
                taken[index] += 200
            else:
                assert status == 429 and int(headers["retry-after"]) >= 1

    flooders = [threading.Thread(target=flood, args=(index,)) for index in range(6)]
    for one in flooders:
        one.start()
    for one in flooders:
        one.join()
    assert statuses == {202, 429}
    assert _post(door.url, b" " * 70_000)[0] == 413
    spool = root / ".opsdeck" / "intakes" / "door" / "spool"
    assert sum(path.stat().st_size for path in spool.iterdir()) < 400_000
    assert door.end() == 0
    assert sum(row["cnt"] == 1 and row["temp"] == 0 for row in rows_of("bike")) == sum(taken)
    assert os.listdir(spool) == []  # noqa: PTH208 - names only
