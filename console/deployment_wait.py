"""Waiting for a deployment, and the exit status that says how it went."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from console.failures import EXIT_REFUSED, EXIT_ROLLED_BACK, EXIT_TIMED_OUT, EXIT_WAITING
from console.output import emit
from console.session import Session
from console.words import harmless, state, when

if TYPE_CHECKING:
    from core.domain.release import Deployment

POLL_SECONDS = 0.2


def report_deployment(
    session: Session,
    deployment: Deployment,
    said: str,
    *,
    wait: bool,
    timeout: float | None,
    watch: bool = False,
) -> None:
    """Print the deployment, after waiting for it if asked; leaves by a status that tells.

    With `watch` each of its events is told on standard error as it comes.
    """
    line = f"{deployment.model} version {deployment.version} at {deployment.endpoint}"
    if not (wait or watch):
        emit(session, deployment, lambda: f"{line}: {said}")
        return
    session.say(f"{line}: {said}")
    ended = _wait(session, deployment, timeout, watch)
    word = state(ended.status, terminal=session.terminal).text
    tail = f": {ended.message}" if ended.message else ""
    emit(session, ended, lambda: f"{line}: {word}{tail}")
    status = deployment_status(ended)
    if status:
        raise click.exceptions.Exit(status)


def _wait(
    session: Session, deployment: Deployment, timeout: float | None, watch: bool
) -> Deployment:
    ops = session.ops()
    deadline = None if timeout is None else time.monotonic() + timeout
    now, shown, told = deployment, "", 0
    version = None
    while True:
        if watch:
            told = _tell_events(session, now, told)
        if now.status.ended or (waits_for_person(now) and not _just_promoted(now, deployment)):
            return now
        if deadline is not None and time.monotonic() >= deadline:
            return now
        time.sleep(POLL_SECONDS)
        if version == (version := ops.version()):
            continue
        now = ops.endpoints.deployment(deployment.id)
        word = f"{now.status}, {now.set_weight:g} % set"
        if word != shown and session.terminal and not watch:
            session.say(f"  {word}")
        shown = word


def _tell_events(session: Session, deployment: Deployment, told: int) -> int:
    """One line an event that has not been told; returns how many have been then."""
    for event in deployment.events[told:]:
        at = when(event.at, terminal=False)
        session.say(harmless(f"{at}  {event.kind:<12} {event.message}  ({event.actor})"))
    return len(deployment.events)


def _just_promoted(now: Deployment, before: Deployment) -> bool:
    """Whether the wait that is seen is the one that this command has ended: the worker has
    not got to it yet."""
    promoted = bool(before.events) and before.events[-1].kind in ("promote", "promote_full")
    same = now.step_index == before.step_index and now.status == before.status
    return promoted and same and len(now.events) == len(before.events)


def waits_for_person(deployment: Deployment) -> bool:
    """Whether nothing further happens until somebody says so."""
    if deployment.status == "held":
        return True
    if deployment.status != "paused" or deployment.next_at is not None:
        return False
    index = deployment.step_index
    steps = deployment.strategy
    return index >= len(steps) or steps[index].kind in ("pause", "ask")


def deployment_status(deployment: Deployment) -> int:
    """The exit status for a deployment that was waited for."""
    if deployment.status == "succeeded":
        return 0
    if deployment.status == "rolled_back":
        return EXIT_ROLLED_BACK
    if deployment.status.ended:
        return EXIT_REFUSED
    return EXIT_WAITING if waits_for_person(deployment) else EXIT_TIMED_OUT
