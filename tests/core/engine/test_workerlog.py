"""The worker's log: rotated with all that goes there, and not full of the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.engine.workerlog import MAX_BYTES, Seldom, rotate_if_large
from core.errors import StateCorrupt

PROGRAM = """\
import logging, os, sys
from pathlib import Path
from core.engine import workerlog
workerlog.MAX_BYTES = 2000
workerlog.set_up(Path(sys.argv[1]))
for number in range(100):
    logging.getLogger("opsdeck.worker").info("line %d %s", number, "x" * 50)
os.write(1, b"printed\\n")
os.write(2, b"a fault\\n")
"""


def run(path: Path, out: Path) -> None:
    with out.open("ab") as log:
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(path)],
            stdout=log, stderr=log, check=True, timeout=60,
        )  # fmt: skip


def test_a_log_in_the_background_is_rotated_with_what_is_printed(tmp_path: Path) -> None:
    path = tmp_path / "worker.log"
    run(path, path)
    files = sorted(each.name for each in tmp_path.iterdir())
    assert files == ["worker.log", "worker.log.1", "worker.log.2", "worker.log.3"]
    assert all(each.stat().st_size < 2200 for each in tmp_path.iterdir())
    assert path.read_text().endswith("printed\na fault\n")
    assert "line 99 " in path.read_text()


def test_a_log_in_a_terminal_stays_there(tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "worker.log", tmp_path / "terminal"
    run(path, elsewhere)
    assert not path.exists()
    assert len(elsewhere.read_text().splitlines()) == 102


def test_a_large_log_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "warm-server.log"
    rotate_if_large(path)
    path.write_text("small")
    rotate_if_large(path)
    assert path.read_text() == "small"
    path.write_bytes(b"x" * (MAX_BYTES + 1))
    rotate_if_large(path)
    assert not path.exists()
    assert (tmp_path / "warm-server.log.1").stat().st_size == MAX_BYTES + 1


def test_what_fails_each_second_is_said_once_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("core.engine.workerlog.time.monotonic", lambda: now[0])
    seldom = Seldom()
    for second in range(150):
        now[0] = float(second)
        seldom.failed("heartbeat", ValueError("away\nfor long"))
        seldom.failed("outbox", StateCorrupt("state.db: away"))
    told = [(r.getMessage(), r.exc_info is not None) for r in caplog.records]
    assert [t for t in told if "heartbeat" in t[0]] == [
        ("heartbeat", True),
        ("heartbeat, still: ValueError: away for long", False),
        ("heartbeat, still: ValueError: away for long", False),
    ]
    assert len([t for t in told if "outbox" in t[0]]) == 3
    assert not any(trace for text, trace in told if "outbox" in text)
    seldom.worked("heartbeat")
    seldom.failed("heartbeat", ValueError("again"))
    assert caplog.records[-1].exc_info
