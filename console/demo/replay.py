"""Months of 2012 played again at the endpoint, with counts that come late, and orders to it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from console.demo.ledger import CheckFailed

LATE_HOURS = 72
"""Hours until a count is known."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What the client saw: `failed` had no answer or one of 500 and above."""

    hour: str = ""
    sent: int = 0
    failed: int = 0
    labels: int = 0
    variants: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    ended: bool = False
    waiting: bool = False


class Replay:
    """The example's hours from a month on, each sent once, in order. `speed` is hours of 2012 a
    second, 0 to wait."""

    def __init__(
        self, workspace: Path, endpoint: str, url: str, actor: str, *, since: str, speed: float
    ) -> None:
        command = [sys.executable, "-P", "-m", "console.demo.replayer", str(workspace), endpoint]
        command += [actor, "--url", url, "--since", since, "--speed", f"{speed:g}"]
        self.counts = Counts()
        self._process = subprocess.Popen(
            [*command, "--late", str(LATE_HOURS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # a ^C is for the console
        )
        self._error = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            if "error" in told:
                self._error = told["error"]
            else:
                self.counts = Counts(**told)

    def speed(self, hours: float) -> None:
        """Play so many hours a second from now on."""
        self._order(f"speed {hours:g}")

    def until(self, month: str, hours: float) -> None:
        """Play on to the end of a month at a speed, while other things are done."""
        self._order(f"until {month}")
        self.speed(hours)

    def play_to(self, month: str, *, timeout: float) -> Counts:
        """Play on to the end of a month, and wait there. Raises `CheckFailed`."""
        self._order(f"until {month}")
        deadline = time.monotonic() + timeout
        while not (self.counts.hour[:7] >= month and (self.counts.waiting or self.counts.ended)):
            if self._process.poll() is not None and not self.counts.ended:
                raise CheckFailed(f"the replay ended at {self.counts.hour}: {self._error}")
            if time.monotonic() > deadline:
                raise CheckFailed(f"the replay got no further than {self.counts.hour}")
            time.sleep(0.1)
        return self.counts

    def _order(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        except OSError as error:
            raise CheckFailed(f"the replay has ended: {self._error or error}") from error

    def stop(self) -> Counts:
        """End it and take its counts."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("stop\n")
            self._process.stdin.close()
        except OSError:
            pass  # it has ended by itself: its counts are there
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(2)
        return self.counts
