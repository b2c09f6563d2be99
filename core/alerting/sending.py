"""Sending one message to one address, in a process that is cut off when it takes too long."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

from core.alerting.errors import NotificationFailed
from core.alerting.messages import Message
from core.alerting.secrets import open_address, scrub
from core.alerting.settings import Target
from core.quiet import QUIET_ENVIRONMENT

_LONGEST_ERROR = 300


def send(target: Target, message: Message) -> None:
    """Send it; returns when the address has taken it.

    Raises `SecretMissing`, and `NotificationFailed` with the reason in one line, without
    anything of the address in it.
    """
    asked = json.dumps(
        {
            "url": open_address(target),
            "title": message.title,
            "body": message.body,
            "severity": message.severity,
            "over": message.over,
        }
    )
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "core.alerting.sendchild"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that whatever it starts ends with it
        env={**os.environ, **QUIET_ENVIRONMENT},
    )
    try:
        out, err = child.communicate(asked, timeout=target.seconds)
    except subprocess.TimeoutExpired:
        _end(child)
        raise NotificationFailed(
            f"target {target.name}: no answer within {target.seconds:g} s",
            "is it up? time_limit: gives it longer",
        ) from None
    if child.returncode != 0:
        last = err.strip().splitlines()[-1:] or [f"exit status {child.returncode}"]
        raise _failed(target, last[0])
    answer = json.loads(out)
    if not answer["sent"]:
        raise _failed(target, answer["error"] or "it was refused")


def _failed(target: Target, said: str) -> NotificationFailed:
    words = " ".join(scrub(said, target).split())[:_LONGEST_ERROR]
    return NotificationFailed(f"target {target.name}: {words}")


def _end(child: subprocess.Popen[str]) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        child.kill()
    child.communicate()
