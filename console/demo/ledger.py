"""What the demo has done so far: each step said aloud, its outcome checked and kept."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import click

from console.session import Session
from console.tables import Column, table
from core.errors import OpsdeckError

TICK_SECONDS = 0.5


@dataclass(slots=True)
class Line:
    """One step of the demo. `seconds` is wall time."""

    what: str
    outcome: str = ""
    ok: bool = False
    seconds: float = 0.0


class CheckFailed(OpsdeckError):
    """A step of the demo ended otherwise than it should have."""

    code = "E500"


@dataclass(slots=True)
class Ledger:
    """The demo's steps in order, shown while they happen."""

    session: Session
    lines: list[Line] = field(default_factory=list)

    @contextmanager
    def step(self, what: str) -> Iterator[Line]:
        """Do one step; its block sets `outcome`, and raises where that is not as it should be."""
        line = Line(what)
        self.lines.append(line)
        begun = time.monotonic()
        with self._ticking(what):
            try:
                yield line
                line.ok = True
            except OpsdeckError as error:
                line.outcome = error.one_line()
                raise
            finally:
                line.seconds = time.monotonic() - begun
        mark = "✔" if line.ok else "✘"
        self.session.say(f"{mark} {what:<42} {line.seconds:5.1f}s  {line.outcome}")

    @contextmanager
    def _ticking(self, what: str) -> Iterator[None]:
        """On a terminal, a line that shows that it is alive."""
        if self.session.json or not sys.stderr.isatty():
            self.session.say(f"… {what}")
            yield
            return
        stop = threading.Event()

        def tick() -> None:
            begun = time.monotonic()
            while not stop.wait(TICK_SECONDS):
                click.echo(f"\r… {what:<42} {time.monotonic() - begun:5.1f}s", err=True, nl=False)

        thread = threading.Thread(target=tick, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            click.echo("\r" + " " * 60 + "\r", err=True, nl=False)

    @property
    def ok(self) -> bool:
        """Whether every step's outcome was checked and right."""
        return bool(self.lines) and all(line.ok for line in self.lines)

    def text(self) -> str:
        """What happened, as a table."""
        return table(
            self.session,
            [Column(""), Column("STEP"), Column("TOOK", right=True), Column("OUTCOME")],
            [
                ("ok" if line.ok else "FAILED", line.what, f"{line.seconds:.1f}s", line.outcome)
                for line in self.lines
            ],
        )


def check(condition: bool, otherwise: str) -> None:
    """Raise `CheckFailed` with what was found where a condition does not hold."""
    if not condition:
        raise CheckFailed(otherwise, "see: opsdeck audit list")
