"""Playing the demo: for a person up to the second approval, or headless to the end."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from console.demo import decay, loop
from console.demo.ledger import Ledger
from console.demo.replay import Replay
from console.output import emit
from console.session import Session
from core.errors import BadInput, OpsdeckError, ReadOnly
from core.workspace import CONFIG_NAME

if TYPE_CHECKING:
    from core.ops import Ops

EXAMPLE = "bike-demand"
FIRST, SECOND = "2012-01", "2012-02"
WORSE, BETTER, LAST = "2012-04", "2012-06", "2012-12"
"""Months: when the quality is lost, when it is back with a new champion, when the data end."""
SLOW = 10.0
"""Hours of 2012 in a second, while nobody waits for them."""


def run_demo(session: Session, path: Path, *, headless: bool, speed: float) -> int:
    """Play the demo in the workspace at `path`, made if it is not there. `speed` is in hours of
    2012 a second.

    Without a terminal it goes on headless, and says so. Returns the exit status: 0 when
    every outcome was checked and right.
    """
    if session.read_only:
        raise ReadOnly("demo: this session is read-only", "leave out --read-only")
    root = path.expanduser().resolve()
    if not headless and not (sys.stdin.isatty() and sys.stdout.isatty()):
        session.say("no terminal: playing the whole demo without a screen")
        headless = True
    ledger = Ledger(session)
    try:
        ops = _prepare(session, ledger, root)
        if headless:
            _whole_loop(ops, ledger, speed)
        else:
            replay = _up_to_the_decision(ops, ledger)
    except OpsdeckError:
        if headless:
            _report(session, ledger, root)
        raise
    if headless:
        _report(session, ledger, root)
        return 0 if ledger.ok else 1
    return _hand_over(session, ops, replay, root, speed)


def _prepare(session: Session, ledger: Ledger, root: Path) -> Ops:
    from core.ops import open_ops

    with ledger.step("make the example workspace") as line:
        line.outcome = _make_workspace(root)
    ops = open_ops(root, actor=session.actor)
    if not any(file.name == loop.PIPELINE for file in ops.pipelines.list()):
        raise BadInput(f"{root}: not the example workspace", "name another folder for the demo")
    with ledger.step("start the worker") as line:
        worker = ops.workers.ensure(timeout=60)
        line.outcome = f"process {worker.pid}, {worker.slots} slots"
    return ops


def _make_workspace(root: Path) -> str:
    if (root / CONFIG_NAME).exists():
        return f"{root} is there already: going on with it"
    from console.starter import make_workspace

    made = make_workspace(root, EXAMPLE)
    committed = _commit(root)
    return f"{root}, {len(made)} files" + (", committed to git" if committed else "")


def _commit(root: Path) -> bool:
    """Put the workspace under version control, so that each version's lineage names a commit."""
    if shutil.which("git") is None:
        return False
    who = ["-c", "user.name=opsdeck", "-c", "user.email=opsdeck@localhost"]
    for command in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "The example"]):
        done = subprocess.run(["git", *command], cwd=root, capture_output=True, check=False)
        if done.returncode != 0:
            return False
    return True


def _up_to_the_decision(ops: Ops, ledger: Ledger) -> Replay:
    """A champion in production under traffic, and a candidate that waits for a person."""
    replay = _first(ops, ledger)
    try:
        loop.train(ops, ledger, SECOND)
    except BaseException:
        replay.stop()
        raise
    return replay


def _first(ops: Ops, ledger: Ledger) -> Replay:
    """The first model in production, and the months after it coming in."""
    loop.gather(ops, ledger)
    loop.approve(ops, ledger, loop.train(ops, ledger, FIRST), "the first model")
    url = ops.endpoints.get(loop.ENDPOINT).url
    root = ops.workspace.root
    return Replay(root, loop.ENDPOINT, url, ops.actor, since=SECOND, speed=SLOW)


def _whole_loop(ops: Ops, ledger: Ledger, speed: float) -> None:
    """Everything, decisions and rollbacks included."""
    replay = _first(ops, ledger)
    try:
        second = loop.train(ops, ledger, SECOND)
        loop.approve(ops, ledger, second, "better than the champion")
        loop.parity(ops, ledger, SECOND)
        loop.roll_back(ops, ledger)
        loop.traffic_counts(ledger, replay)
        loop.reject(ops, ledger, second)
        _decay(ops, ledger, replay, speed)
    finally:
        replay.stop()
    loop.prove(ops, ledger)
    with ledger.step("stop the worker and the endpoint") as line:
        line.outcome = _stop(ops)


def _decay(ops: Ops, ledger: Ledger, replay: Replay, speed: float) -> None:
    """Months pass: the model decays, is trained anew, and a bad candidate goes back."""
    old = ops.models.get(loop.MODEL, "champion").version
    decay.play(ledger, replay, WORSE, speed)
    decay.lost(ops, ledger)
    again = decay.retrained(ops, ledger)
    replay.until(LAST, min(speed, 3 * SLOW))  # a release takes its time: June is enough for it
    decay.released(ops, ledger, again)
    decay.play(ledger, replay, BETTER, speed)
    decay.recovered(ops, ledger)
    replay.until(LAST, min(speed, 3 * SLOW))
    decay.alarmed(ops, ledger, old)
    decay.compared(ops, ledger, old)


def _hand_over(session: Session, ops: Ops, replay: Replay, root: Path, speed: float) -> int:
    """Open the console on the approvals; when the person leaves, say how to go on."""
    from console.screen import show_console

    replay.until(LAST, min(speed, 2 * SLOW))
    try:
        show_console(ops, "approvals")
    finally:
        counts = replay.stop()
        session.say(f"{counts.sent} hours were asked meanwhile, {counts.failed} failed")
        session.say(f"the worker and the endpoint go on; open again: opsdeck -w {root}")
        session.say(f"stop them:                             opsdeck -w {root} stop")
    return 0


def _stop(ops: Ops) -> str:
    workers = ops.workers.stop()
    for endpoint in ops.endpoints.list():
        ops.endpoints.control(endpoint.name).stop()
    return f"{workers} worker and {len(ops.endpoints.list())} endpoint stopped"


def _report(session: Session, ledger: Ledger, root: Path) -> None:
    emit(
        session,
        {"workspace": root, "ok": ledger.ok, "steps": ledger.lines},
        lambda: f"\n{ledger.text()}\n",
    )
