"""Playing the demo: for a person up to the second approval, or headless to the end."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from console.demo import loop
from console.demo.ledger import Ledger
from console.demo.traffic import Traffic
from console.output import emit
from console.session import Session
from core.errors import BadInput, OpsdeckError, ReadOnly
from core.workspace import CONFIG_NAME

if TYPE_CHECKING:
    from core.ops import Ops

EXAMPLE = "bike-demand"
FIRST, SECOND, LATER = "2012-01", "2012-02", "2012-03"


def run_demo(session: Session, path: Path, *, headless: bool) -> int:
    """Play the demo in the workspace at `path`, made if it is not there.

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
            _whole_loop(ops, ledger)
        else:
            traffic = _up_to_the_decision(ops, ledger)
    except OpsdeckError:
        if headless:
            _report(session, ledger, root)
        raise
    if headless:
        _report(session, ledger, root)
        return 0 if ledger.ok else 1
    return _hand_over(session, ops, traffic, root)


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


def _up_to_the_decision(ops: Ops, ledger: Ledger) -> Traffic:
    """A champion in production under traffic, and a candidate that waits for a person."""
    loop.gather(ops, ledger)
    loop.approve(ops, ledger, loop.train(ops, ledger, FIRST), "the first model")
    traffic = Traffic(ops.workspace.root, ops.endpoints.get(loop.ENDPOINT).url, LATER)
    try:
        loop.train(ops, ledger, SECOND)
    except BaseException:
        traffic.stop()
        raise
    return traffic


def _whole_loop(ops: Ops, ledger: Ledger) -> None:
    """Everything, decisions and a rollback included."""
    loop.gather(ops, ledger)
    loop.approve(ops, ledger, loop.train(ops, ledger, FIRST), "the first model")
    traffic = Traffic(ops.workspace.root, ops.endpoints.get(loop.ENDPOINT).url, LATER)
    stopped = threading.Event()
    try:
        second = loop.train(ops, ledger, SECOND)
        loop.approve(ops, ledger, second, "better than the champion")
        loop.parity(ops, ledger, LATER)
        loop.roll_back(ops, ledger)
        stopped.set()
        loop.traffic_counts(ledger, traffic)
    finally:
        if not stopped.is_set():
            traffic.stop()
    loop.reject(ops, ledger, second)
    loop.prove(ops, ledger)
    with ledger.step("stop the worker and the endpoint") as line:
        line.outcome = _stop(ops)


def _hand_over(session: Session, ops: Ops, traffic: Traffic, root: Path) -> int:
    """Open the console on the approvals; when the person leaves, say how to go on."""
    from console.screen import show_console

    try:
        show_console(ops, "approvals")
    finally:
        counts = traffic.stop()
        session.say(f"{counts.sent} requests were sent meanwhile, {counts.failed} failed")
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
