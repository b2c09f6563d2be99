"""Slots, bells and log writers by themselves."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from core.engine import slots as slots_module
from core.engine.bell import Bell
from core.engine.logfiles import parse_line
from core.engine.logwriter import MAX_BYTES, MAX_LINE, TAIL_BYTES, LogWriter
from core.engine.slots import Slots


def never() -> bool:
    return False


def test_a_promise_keeps_a_slot_and_is_called_in_once() -> None:
    slots = Slots(2)
    assert slots.promise("a")
    assert slots.promise("b")
    assert not slots.promise("c")
    assert not slots.free
    with slots.held("a", never):
        assert not slots.promise("c")
    assert slots.promise("c")


def test_a_promise_that_is_withdrawn_or_lapses_gives_its_slot_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slots = Slots(1)
    assert slots.promise("a")
    slots.withdraw("a")
    assert slots.free
    assert slots.promise("b")
    monkeypatch.setattr(slots_module, "_PROMISE_SECONDS", 0.0)
    assert slots.promise("c")


def test_who_comes_without_a_promise_waits_and_no_more_enter_than_there_are_slots() -> None:
    slots, inside, most = Slots(3), [0], [0]
    lock = threading.Lock()

    def work(key: str) -> None:
        with slots.held(key, never):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            time.sleep(0.01)
            with lock:
                inside[0] -= 1

    threads = [threading.Thread(target=work, args=(str(i),)) for i in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most[0] == 3
    assert slots.free


def test_who_was_cancelled_does_not_wait() -> None:
    slots = Slots(1)
    with slots.held("a", never):
        begun = time.monotonic()
        with slots.held("b", lambda: True):
            pass
        assert time.monotonic() - begun < 1


def test_a_ring_reaches_everybody_who_listens_and_nobody_else() -> None:
    bell = Bell()
    with bell.listening("a", "b") as both, bell.listening("b") as one, bell.listening("c") as other:
        bell.ring("b")
        assert both.is_set()
        assert one.is_set()
        assert not other.is_set()
    bell.ring("b")  # nobody is left
    assert not bell._waiting


def test_a_log_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "runs" / "s.log", 2)
    lines = 40_000
    for start in range(0, lines, 1000):
        block = "".join(f"{n:07} {'x' * 992}\n" for n in range(start, start + 1000))
        log.feed("out", block.encode())
    log.close()
    path = tmp_path / "runs" / "s.log"
    assert path.stat().st_size < MAX_BYTES + TAIL_BYTES + 1000
    texts = [parse_line(raw, "s").text for raw in path.read_bytes().splitlines(keepends=True)]
    assert texts[0].startswith("0000000 ")
    assert texts[-1].startswith(f"{lines - 1:07} ")
    (gap,) = [i for i, text in enumerate(texts) if "left out" in text]
    left_out = int(texts[gap].split()[1].replace(",", ""))
    assert len(texts) - 1 + left_out == lines


def test_a_log_on_a_full_disk_says_so_and_goes_on(tmp_path: Path) -> None:
    full = tmp_path / "s.log"
    full.symlink_to("/dev/full")
    log = LogWriter(full, 1)
    log.feed("out", b"text\n")
    log.close()
    assert log.failed == "the log could not be written: No space left on device"


def test_a_log_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where a folder should be")
    log = LogWriter(tmp_path / "runs" / "s.log", 1)
    log.say("nothing")
    log.close()
    assert log.failed


def test_streams_do_not_mix_and_long_lines_are_cut(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "s.log", 1)
    log.feed("out", b"half ")
    log.feed("err", b"whole\n")
    log.feed("out", b"line\n" + b"z" * (MAX_LINE + 5))
    log.close()
    lines = [parse_line(raw, "s") for raw in (tmp_path / "s.log").read_bytes().splitlines()]
    assert [(line.stream, line.text[:9]) for line in lines] == [
        ("err", "whole"),
        ("out", "half line"),
        ("out", "z" * 9),
        ("out", "z" * 5),
    ]
