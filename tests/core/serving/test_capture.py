"""The capture's writer: several processes in one folder, a cap, a full disk."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.capture.reader import every
from core.domain.capture import CaptureFilter
from core.serving.process.capture import Capture, Captured
from core.serving.process.parts import alone, keep_within, list_parts, write_part
from core.serving.records import CaptureStatus

NOON = 1_760_011_200.0
CONTEXT = multiprocessing.get_context("spawn")


def one(number: int, size: int = 10, at: float | None = None, name: str = "id") -> Captured:
    text = os.urandom(size).hex()  # nothing that can be compressed away
    when = NOON + number if at is None else at
    return Captured(f"{name}-{number}", when, 1, 200, 1.0, lambda: text, [1.0], size)


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def write_many(folder: str, name: str, rounds: int, cap: int) -> None:
    """What a server process does, in a process of its own."""
    for number in range(rounds):
        capture = Capture(Path(folder), max_bytes=cap)
        for row in range(20):
            capture.add(one(number * 20 + row, 100, name=name))
        capture.close()
        assert capture.status().dropped_disk == 0, capture.status().last_error


def run_together(processes: int, folder: Path, rounds: int, cap: int) -> None:
    running = [
        CONTEXT.Process(target=write_many, args=(str(folder), f"p{n}", rounds, cap))
        for n in range(processes)
    ]
    for process in running:
        process.start()
    for process in running:
        process.join(60)
        assert process.exitcode == 0


def test_several_processes_write_to_one_folder(tmp_path: Path) -> None:
    run_together(3, tmp_path, 5, 1 << 30)
    found = [row.inference_id for row in every(tmp_path, CaptureFilter())]
    assert len(found) == len({*found}) == 300
    assert sum(part.rows or 0 for part in list_parts(tmp_path)) == 300


def test_several_processes_keep_one_cap(tmp_path: Path) -> None:
    cap = 60_000
    run_together(3, tmp_path, 8, cap)
    left, _ = keep_within(tmp_path, cap)
    assert left == sum(part.size for part in list_parts(tmp_path)) <= cap
    assert list(every(tmp_path, CaptureFilter()))
    assert not list(tmp_path.rglob("*.tmp"))


def test_what_goes_for_the_cap_is_counted(tmp_path: Path) -> None:
    for day in range(3):
        write_part(tmp_path / f"date=2025-10-0{day + 1}" / "variant=r1", [one(1), one(2)])
    capture = Capture(tmp_path, max_bytes=1)
    capture.add(one(3))
    capture.close()
    status = capture.status()
    assert (status.written, status.dropped_cap, status.dropped_disk) == (1, 6, 0)
    assert [part.rows for part in list_parts(tmp_path)] == [1], "the newest part stays"
    assert (status.cap, status.on_disk) == (1, list_parts(tmp_path)[0].size)


def test_a_smaller_cap_holds_from_the_next_part_on(tmp_path: Path) -> None:
    capture = Capture(tmp_path)
    for number in range(4):
        write_part(tmp_path / "date=2025-10-09" / "variant=r1", [one(number)])
    capture.configure(1.0, 2)
    capture.add(one(9))
    capture.close()
    assert capture.status().dropped_cap == 4
    assert [row.inference_id for row in every(tmp_path, CaptureFilter())] == ["id-9"]


def test_while_one_process_deletes_no_other_does(tmp_path: Path) -> None:
    for number in range(3):
        write_part(tmp_path / "date=2025-10-09" / "variant=r1", [one(number)])
    with alone(tmp_path) as first:
        assert first
        assert keep_within(tmp_path, 1)[1] == 0
    assert keep_within(tmp_path, 1)[1] == 2


def test_parts_that_other_processes_delete_are_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        write_part(tmp_path / "date=2025-10-09" / "variant=r1", [one(number)])
    found = list_parts(tmp_path)
    found[0].path.unlink()
    monkeypatch.setattr("core.serving.process.parts.list_parts", lambda _folder: found)
    assert keep_within(tmp_path, 1) == (found[2].size, 2)
    assert found[2].path.exists()


def test_the_sample_is_the_same_in_every_process() -> None:
    captures = [Capture(Path("/none"), rate) for rate in (0.0, 0.2, 0.2, 1.0)]
    ids = [f"id-{number}" for number in range(4000)]
    none, first, second, everything = ([c.wants(each) for each in ids] for c in captures)
    assert not any(none)
    assert all(everything)
    assert first == second
    assert 0.16 < sum(first) / len(ids) < 0.24


def test_one_request_that_cannot_be_written_costs_no_other(tmp_path: Path) -> None:
    capture = Capture(tmp_path)
    capture.add(one(1)._replace(inputs=lambda: object()))
    capture.add(one(2)._replace(outputs=object()))
    capture.add(one(3))
    capture.close()
    rows = {row.inference_id: row for row in every(tmp_path, CaptureFilter())}
    assert (rows["id-1"].inputs, rows["id-2"].outputs) == ("null", "null")
    assert len(rows) == capture.status().written == 3


def test_statuses_of_several_processes_add_up() -> None:
    together = CaptureStatus.together(
        [
            CaptureStatus(rate=0.5, written=3, dropped_full=1, on_disk=10, cap=99),
            CaptureStatus(rate=0.5, written=4, dropped_cap=2, on_disk=12, cap=99, last_error="x"),
        ]
    )
    assert (together.written, together.dropped_full, together.dropped_cap) == (7, 1, 2)
    assert (together.rate, together.on_disk, together.cap, together.last_error) == (
        0.5,
        12,
        99,
        "x",
    )
    assert CaptureStatus.together([]) == CaptureStatus()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB of our own."""
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs takes root")
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, timeout=10, check=False).returncode:
        pytest.skip("this system lets nobody mount a tmpfs")
    yield place
    subprocess.run(["umount", "-l", str(place)], timeout=10, check=True)


def test_a_full_disk_is_counted_shown_and_over(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.serving.process.capture.FLUSH_SECONDS", 0.05)
    capture = Capture(small_disk / "capture")
    capture.add(one(1))
    until(lambda: capture.status().written == 1)
    filler = small_disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as stream:
        while stream.write(b"x" * 4096):
            pass
    begun = time.perf_counter()
    for number in range(2, 12):
        capture.add(one(number, 2000))
    assert time.perf_counter() - begun < 0.5, "who answers does not wait for the disk"
    until(lambda: capture.status().dropped_disk == 10 and capture.status().last_error != "")
    assert "No space left" in capture.status().last_error
    assert [row.inference_id for row in every(capture.folder, CaptureFilter())] == ["id-1"]
    assert not list(capture.folder.rglob("*.tmp")), "nothing half written stays"
    filler.unlink()
    capture.add(one(20))
    until(lambda: capture.status().written == 2)
    assert capture.status().last_error == ""
    capture.close()
    assert capture.status().dropped_disk == 10
