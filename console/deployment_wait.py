"""Waiting for a deployment, and the exit status that says how it went."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from console.failures import EXIT_REFUSED, EXIT_TIMED_OUT, EXIT_WAITING
from console.output import emit
from console.session import Session
from console.words import state

if TYPE_CHECKING:
    from core.domain.release import Deployment

POLL_SECONDS = 0.2


def report_deployment(
    session: Session, deployment: Deployment, said: str, *, wait: bool, timeout: float | None
) -> None:
    """Print the deployment, after waiting for it if asked; leaves by a status that tells."""
    line = f"{deployment.model} version {deployment.version} at {deployment.endpoint}"
    if not wait:
        emit(session, deployment, lambda: f"{line}: {said}")
        return
    session.say(f"{line}: {said}")
    ended = _wait(session, deployment, timeout)
    word = state(ended.status, terminal=session.terminal).text
    tail = f": {ended.message}" if ended.message else ""
    emit(session, ended, lambda: f"{line}: {word}{tail}")
    status = deployment_status(ended)
    if status:
        raise click.exceptions.Exit(status)


def _wait(session: Session, deployment: Deployment, timeout: float | None) -> Deployment:
    ops = session.ops()
    deadline = None if timeout is None else time.monotonic() + timeout
    now, shown = deployment, ""
    while not (now.status.ended or _waits_for_person(now)):
        if deadline is not None and time.monotonic() >= deadline:
            break
        time.sleep(POLL_SECONDS)
        history = ops.endpoints.get(deployment.endpoint).history
        now = next((d for d in history if d.id == deployment.id), now)
        word = f"{now.status}, {now.set_weight:g} % set"
        if word != shown and session.terminal:
            session.say(f"  {word}")
        shown = word
    return now


def _waits_for_person(deployment: Deployment) -> bool:
    return deployment.status == "paused" and deployment.next_at is None


def deployment_status(deployment: Deployment) -> int:
    """The exit status for a deployment that was waited for."""
    if deployment.status == "succeeded":
        return 0
    if deployment.status.ended:
        return EXIT_REFUSED
    return EXIT_WAITING if _waits_for_person(deployment) else EXIT_TIMED_OUT
