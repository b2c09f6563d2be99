"""Following a run: its steps' changes on standard error while a person watches."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

import click

from console.words import duration, state

if TYPE_CHECKING:
    from core.domain.run import RunDetail, StepRun
    from core.ops import Ops

POLL_SECONDS = 0.2


class Progress:
    """Context manager that prints a line for each step that changes, from a thread of its own.

    Silent unless standard error is a terminal. A last line that is rewritten in place
    names the steps that run and for how long.
    """

    def __init__(self, ops: Ops, ref: str, *, colour: bool, quiet: bool = False) -> None:
        self._ops = ops
        self._ref = ref
        self._colour = colour
        self._seen: dict[str, str] = {}
        self._version = -1
        self._stop = threading.Event()
        self._active = sys.stderr.isatty() and not quiet
        self._thread = threading.Thread(target=self._follow, name="progress", daemon=True)

    def __enter__(self) -> Progress:
        if self._active:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._active:
            return
        self._stop.set()
        self._thread.join(timeout=5)
        self._erase()
        if error is None:
            self._show(self._ops.runs.get(self._ref))

    def _follow(self) -> None:
        from core.errors import OpsdeckError

        detail: RunDetail | None = None
        while not self._stop.wait(POLL_SECONDS):
            try:
                version = self._ops.version()
                if detail is None or version != self._version:
                    self._version = version
                    detail = self._ops.runs.get(self._ref)
            except OpsdeckError:
                return  # the waiting itself meets the same fault and reports it
            self._erase()
            self._show(detail)
            self._status_line(detail)

    def _show(self, detail: RunDetail) -> None:
        for step in detail.steps:
            line = self._line(step)
            if line and self._seen.get(step.step) != line:
                self._seen[step.step] = line
                click.echo(line, err=True, color=self._colour)

    def _line(self, step: StepRun) -> str:
        if not (step.status.ended or step.status in ("retrying", "waiting")):
            return ""
        cell = state(step.status, terminal=True)
        word = click.style(cell.text, fg=cell.colour) if self._colour else cell.text
        took = f" {duration(step.seconds)}" if step.seconds is not None else ""
        said = f"  {step.message}" if step.message else ""
        return f"  {step.step:<14} {word}{took}{said}"

    def _status_line(self, detail: RunDetail) -> None:
        now = time.time()
        running = [
            f"{step.step} {duration(max(0.0, now - step.started_at))}"
            for step in detail.steps
            if step.status == "running" and step.started_at is not None
        ]
        text = ", ".join(running) if running else str(detail.run.status)
        done = f"{detail.run.steps_done}/{detail.run.steps_total}"
        click.echo(f"\r  [{done}] {text}"[:79], err=True, nl=False)

    def _erase(self) -> None:
        click.echo("\r" + " " * 79 + "\r", err=True, nl=False)
