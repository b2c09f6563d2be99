"""From the workspace to an account and back, in one process at a real terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.console.test_terminal import Terminal

Opened = list[Terminal]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """What is to be closed after the test."""
    terminals: Opened = []
    yield terminals
    for each in terminals:
        each.close()


def shows(terminal: Terminal, text: str) -> None:
    """Wait until something new shows this."""
    terminal.until(text)
    terminal.seen = ""


def test_the_console_goes_from_one_context_to_another(
    sim: Any, seeded: Path, opened: Opened
) -> None:
    (seeded / ".opsdeck" / "stopped").touch()  # a console that only looks starts no worker
    terminal = Terminal(["--context", "sim"], seeded, LINES="24")
    opened.append(terminal)
    shows(terminal, "SIMULATED")
    terminal.type("5")
    shows(terminal, "no endpoints here")
    terminal.type(":context nope\r")
    shows(terminal, "no such context")
    terminal.type(":context workspace\r")
    shows(terminal, "worker")
    terminal.type(":context sim\r")
    shows(terminal, "SIMULATED")
    terminal.type(":region us-east-1\r")
    shows(terminal, "123456789012 us-east-1")
    terminal.type(":q\r")
    assert terminal.end() == 0
    assert "Traceback" not in terminal.seen


def test_a_context_that_cannot_be_opened_leaves_the_one_before(
    sim: Any, tmp_path: Path, opened: Opened
) -> None:
    terminal = Terminal(["--context", "sim"], tmp_path, LINES="24")  # there is no workspace
    opened.append(terminal)
    shows(terminal, "SIMULATED")
    terminal.type(":context workspace\r")
    shows(terminal, "E101")
    terminal.type("q")
    assert terminal.end() == 0
    assert "Traceback" not in terminal.seen
