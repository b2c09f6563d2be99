"""Real requests at the endpoint, from a process of their own, counted."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

RATE = 40.0
SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Counts:
    """What the client saw: `failed` had no answer or one of 500 and above."""

    sent: int
    failed: int
    variants: dict[str, int]
    errors: dict[str, int]


class Traffic:
    """The example's client, sending the hours of a month over and over until stopped."""

    def __init__(self, workspace: Path, url: str, month: str, rate: float = RATE) -> None:
        command = [sys.executable, "-m", "bike.traffic", "--url", url, "--month", month]
        command += ["--rate", str(rate), "--seconds", str(SECONDS), "--quiet"]
        self._process = subprocess.Popen(
            command,
            cwd=workspace,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def stop(self) -> Counts:
        """End it and take its counts."""
        self._process.terminate()
        try:
            out, _ = self._process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            out, _ = self._process.communicate()
        return Counts(**json.loads(out or b'{"sent":0,"failed":0,"variants":{},"errors":{}}'))
