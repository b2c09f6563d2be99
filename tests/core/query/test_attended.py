"""Ctrl-C ends a query at once, and the process ends as it should."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core.query.attended import attended
from core.query.sandbox import Stop

SCRIPT = """
import os, signal, threading
from core.query.attended import attended
from core.query.config import QueryLimits
from core.query.sandbox import Sandbox, Stop
stop = Stop()
sandbox = Sandbox(QueryLimits(256, 30, 1), stop)
def work():
    with sandbox.running() as connection:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        connection.execute("SELECT count(*) FROM range(20000) a, range(20000) b, range(20000) c"
                           " WHERE a.range + b.range + c.range = -1").fetchall()
try:
    attended(stop, work)
except KeyboardInterrupt:
    print("interrupted")
sandbox.close()
"""


def test_an_interruption_ends_the_query() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=25,
    )
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr


def test_what_it_returns_and_raises() -> None:
    assert attended(Stop(), lambda: 42) == 42
    with pytest.raises(ZeroDivisionError):
        attended(Stop(), lambda: 1 // 0)
    found: list[bool] = []
    main = threading.main_thread()

    def work() -> None:
        found.append(threading.current_thread() is main)

    attended(Stop(), work)
    thread = threading.Thread(target=attended, args=(Stop(), work))
    thread.start()
    thread.join(5)
    assert found == [False, False]
