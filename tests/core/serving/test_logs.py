"""Reading logs across their rotation."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from core.serving.logs import read_on, tail


def writer(path: Path, size: int = 400, backups: int = 3) -> logging.Logger:
    handler = RotatingFileHandler(path, maxBytes=size, backupCount=backups, delay=True)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.Logger("test", logging.INFO)
    logger.addHandler(handler)
    return logger


def test_the_last_lines_reach_into_rotated_files(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    log = writer(path)
    for number in range(60):
        log.info("line %02d is this", number)
    assert path.with_name("server.log.1").exists()
    expected = [f"line {number:02d} is this" for number in range(60)]
    assert tail(path, 50).lines == expected[-50:]
    assert tail(path, 3).lines == expected[-3:]
    assert tail(path, 0).lines == []
    everything = tail(path, 1000).lines
    assert everything == expected[-len(everything) :]


def test_there_is_no_log_yet(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    found = tail(path, 5)
    assert (found.lines, found.cursor) == ([], "")
    writer(path).info("first")
    assert read_on(path, found.cursor).lines == ["first"]


def test_a_line_that_is_being_written_comes_whole(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_text("one\ntw")
    found = tail(path, 9)
    assert found.lines == ["one"]
    path.write_text("one\ntwo\n")
    again = read_on(path, found.cursor)
    assert again.lines == ["two"]
    assert read_on(path, again.cursor) == ([], again.cursor, False)


def test_what_was_rotated_away_is_said(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    log = writer(path, size=100, backups=1)
    log.info("first")
    cursor = tail(path, 9).cursor
    for number in range(50):
        log.info("line %02d is this", number)
    found = read_on(path, cursor)
    assert found.gap
    assert found.lines[-1] == "line 49 is this"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.integers(1, 50))
def test_following_loses_and_repeats_nothing(bursts: list[int], limit: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "server.log"
        log = writer(path, size=120, backups=50)
        log.info("start")
        cursor, seen, number = tail(path, 1).cursor, [], 0
        for burst in bursts:
            for _ in range(burst):
                log.info("line %d ü", number)
                number += 1
            while True:
                page = read_on(path, cursor, limit)
                cursor = page.cursor
                seen += page.lines
                assert not page.gap
                if len(page.lines) < limit:
                    break
        assert seen == [f"line {n} ü" for n in range(number)]


def test_lines_that_are_not_text(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_bytes(b"a\r\n\xff\xfe\n" + b"x" * 200_000 + b"\nlast\n")
    assert tail(path, 9).lines == ["a", "\ufffd\ufffd", "x" * 200_000, "last"]
    assert tail(path, 1).lines == ["last"]
