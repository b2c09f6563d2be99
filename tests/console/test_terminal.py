"""At a real terminal and in real pipes: prompts, colours, interrupts, closed readers."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

MAIN = (
    "import sys\n"
    "import core.services.workers as workers\n"
    "workers.start_worker = lambda _: 0\n"  # these tests want no worker
    "from console.main import main\n"
    "sys.exit(main())\n"
)
PATIENCE = 30.0


class Terminal:
    """A command line at a pseudo-terminal of 80 columns."""

    def __init__(self, args: list[str], folder: Path, **environment: str) -> None:
        self._parent, child = pty.openpty()
        self.seen = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN, *args],
            stdin=child,
            stdout=child,
            stderr=child,
            cwd=folder,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that ^C interrupts
            env={**os.environ, "COLUMNS": "80", "TERM": "xterm", **environment},
        )
        os.close(child)

    def until(self, text: str) -> None:
        """Read until `text` was printed."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen:
            assert time.monotonic() < deadline, f"{text!r} did not come: {self.seen[-2000:]!r}"
            if not self._read():
                raise AssertionError(f"ended without {text!r}: {self.seen[-2000:]!r}")

    def type(self, text: str) -> None:
        """Send key presses."""
        os.write(self._parent, text.encode())

    def end(self) -> int:
        """Read to the end and say the exit status."""
        while self._read():
            pass
        return self.process.wait(timeout=PATIENCE)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._parent], [], [], PATIENCE)
        assert ready, f"nothing more came: {self.seen[-2000:]!r}"
        try:
            data = os.read(self._parent, 65536)
        except OSError:  # the other side is closed
            return False
        self.seen += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)

    def close(self) -> None:
        """Kill what is left."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=PATIENCE)
        os.close(self._parent)


Open = Callable[..., Terminal]


@pytest.fixture
def terminal(seeded: Path) -> Iterator[Open]:
    """Opens command lines at terminals, in the seeded workspace."""
    opened: list[Terminal] = []

    def start(*args: str, **environment: str) -> Terminal:
        opened.append(Terminal(list(args), seeded, **environment))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def test_states_are_glyph_word_and_colour(terminal: Open) -> None:
    shown = terminal("runs", "list")
    assert shown.end() == 0
    for sign in ("✓ succeeded", "✗ failed", "◆ waiting"):
        assert sign in shown.seen
    assert "\x1b[32m" in shown.seen


@pytest.mark.parametrize("args", [["--no-color"], []])
def test_without_colours(terminal: Open, args: list[str]) -> None:
    environment = {} if args else {"NO_COLOR": "1"}
    shown = terminal("runs", "list", *args, **environment)
    assert shown.end() == 0
    assert "\x1b[" not in shown.seen
    assert "✓ succeeded" in shown.seen


def test_a_narrow_terminal_cuts_no_state(terminal: Open) -> None:
    shown = terminal("runs", "list", "--no-color", COLUMNS="72")
    assert shown.end() == 0
    assert all(len(line) <= 72 for line in shown.seen.splitlines())
    assert "✓ succeeded" in shown.seen


def test_production_asks_for_the_models_name(terminal: Open) -> None:
    asked = terminal("approvals", "approve", "a1b2c3", "-m", "better")
    asked.until("demand version 2 goes to production")
    asked.until("Type the model's name")
    asked.type("demnad\n")
    assert asked.end() == 2
    assert "nothing was done" in asked.seen

    again = terminal("approvals", "approve", "a1b2c3", "-m", "better")
    again.until("Type the model's name")
    again.type("demand\n")
    assert again.end() == 0
    assert "approved" in again.seen


def test_elsewhere_nothing_is_asked(terminal: Open) -> None:
    shown = terminal("approvals", "approve", "d4e5f6")
    assert shown.end() == 0
    assert "Type" not in shown.seen


def test_interrupting_a_wait_leaves_the_run_alone(terminal: Open) -> None:
    waiting = terminal("runs", "wait", "4", "--through-gates")
    waiting.until("[0/1] waiting")
    waiting.type("\x03")
    assert waiting.end() == 130
    assert "run 4 goes on" in waiting.seen
    assert "Traceback" not in waiting.seen


def test_waiting_ends_by_the_state_of_the_run(seeded: Path) -> None:
    statuses = {"1": 0, "2": 1, "3": 1, "4": 6}
    for run, status in statuses.items():
        assert _run(seeded, "runs", "wait", run).returncode == status
    started = time.monotonic()
    late = _run(seeded, "runs", "wait", "4", "--through-gates", "--timeout", "0.3")
    assert late.returncode == 5
    assert "the time to wait is up" in late.stdout
    assert time.monotonic() - started < 20


def _run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *args],
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE,
    )


def test_a_reader_that_leaves_is_no_error(seeded: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "audit", "list"],
        cwd=seeded,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=PATIENCE,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_nor_is_it_one_that_leaves_the_rows_of_a_query(seeded: Path) -> None:
    """What DuckDB says of objects that outlive it is not for people."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "data", "query", "FROM range(100000)", "--format", "csv"],
        cwd=seeded,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=PATIENCE,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_full_disk_behind_the_output(seeded: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", MAIN, "runs", "list"],
            cwd=seeded,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
        )
    assert done.returncode == 4
    assert done.stderr.startswith("error E302 ")
    assert done.stderr.count("\n") == 1


def test_an_encoding_without_glyphs(terminal: Open) -> None:
    shown = terminal("runs", "list", PYTHONIOENCODING="latin-1")
    assert shown.end() == 0
    assert "? succeeded" in shown.seen


def test_following_a_log_ends_on_an_interrupt(terminal: Open) -> None:
    shown = terminal("runs", "logs", "4", "--follow")
    time.sleep(1.0)
    shown.process.send_signal(signal.SIGINT)
    assert shown.end() == 130
    assert "Traceback" not in shown.seen


def test_completion_knows_nouns_and_verbs(seeded: Path) -> None:
    for words, wanted in (("opsdeck ru", "runs"), ("opsdeck runs st", "start")):
        done = subprocess.run(
            [sys.executable, "-c", MAIN],
            cwd=seeded,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env={
                **os.environ,
                "_OPSDECK_COMPLETE": "bash_complete",
                "COMP_WORDS": words,
                "COMP_CWORD": str(len(words.split()) - 1),
            },
        )
        assert wanted in done.stdout.split(",")[-1]


def test_without_a_command_the_console_opens(terminal: Open) -> None:
    shown = terminal("--read-only", LINES="24")
    shown.until("READ-ONLY")
    shown.until("waits for approval")
    begun = time.monotonic()
    shown.type("q")
    assert shown.end() == 0
    assert time.monotonic() - begun < 10
    assert "Traceback" not in shown.seen
