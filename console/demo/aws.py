"""The demo on a simulated AWS account: the console on it, or its main things done and checked."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING

from console.contexts import need_boto3
from console.demo.ledger import CheckFailed, Ledger, check
from console.output import emit
from console.screen import Place, open_place, show
from console.session import Session
from core.aws.account import Account
from core.aws.context import AwsContext
from core.aws.errors import NoAwsExtra
from core.aws.kind import Item, Kind, Verb
from core.aws.registry import kind
from core.errors import OpsdeckError, ReadOnly
from screens.aws.backend import AwsBackend
from screens.aws.offered import name_of
from screens.switching import PASSING

if TYPE_CHECKING:
    from core.ops import Ops
    from screens.backend import Backend

NAME, REGION, SEED = "simulated", "eu-west-1", "demo"
HOUR = 3600.0
LOOK_AT = 400
"""Resources of a kind that are looked through at most."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulated account in a process of its own."""

    url: str

    def advance(self, seconds: float) -> None:
        """Move its clock on, so that what takes time is over."""
        body = json.dumps({"advance": seconds}).encode()
        request = urllib.request.Request(
            f"{self.url}/opsdeck/clock", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120):
            pass


@contextmanager
def simulation(speed: float) -> Iterator[Simulation]:
    """Start the simulated account with the demo's resources; it ends with this process."""
    need_boto3()
    if importlib.util.find_spec("moto") is None:
        raise NoAwsExtra(
            "the simulated AWS account needs moto, which is not installed",
            'install it: pip install "opsdeck[aws,aws-demo]"',
        )
    process = subprocess.Popen(
        [
            sys.executable, "-m", "core.simulated", "--seed", SEED, "--speed", f"{speed:g}",
            "--parent",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        url = process.stdout.readline().strip() if process.stdout else ""
        if not url:
            raise CheckFailed("the simulated account did not start", "see what it printed above")
        yield Simulation(url)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run_aws_demo(session: Session, *, headless: bool, speed: float) -> int:
    """Open the console on a simulated account, or play its main things without a screen.

    Returns the exit status: 0 when every outcome was checked and right.
    """
    if not headless and not (sys.stdin.isatty() and sys.stdout.isatty()):
        session.say("no terminal: playing the demo without a screen")
        headless = True
    if headless:
        return _headless(session, speed)
    session.say("starting the simulated account…")
    with simulation(speed) as simulated:
        context = AwsContext(NAME, region=REGION, endpoint_url=simulated.url, environment="aws")

        def opened(place: Place) -> Ops | Backend:
            if place[0] != NAME:
                return open_place(session, place)
            there = replace(context, region=place[1] or REGION)
            return AwsBackend(Account(there, read_only=session.read_only))

        PASSING[NAME] = context
        show(opened, (NAME, ""))
    session.say("the simulated account has ended; nothing is left of it")
    return 0


def _headless(session: Session, speed: float) -> int:
    ledger = Ledger(session)
    try:
        with simulation_step(ledger, speed) as simulated:
            _walk(simulated, ledger)
    finally:
        emit(session, {"ok": ledger.ok, "steps": ledger.lines}, lambda: f"\n{ledger.text()}\n")
    return 0 if ledger.ok else 1


@contextmanager
def simulation_step(ledger: Ledger, speed: float) -> Iterator[Simulation]:
    """The account's start as a step of the demo."""
    starting = simulation(speed)
    with ledger.step("start the simulated account") as line:
        simulated = starting.__enter__()
        line.outcome = simulated.url
    try:
        yield simulated
    finally:
        starting.__exit__(None, None, None)


def _walk(simulated: Simulation, ledger: Ledger) -> None:
    context = AwsContext(NAME, region=REGION, endpoint_url=simulated.url)
    account = Account(context)
    try:
        _runs(account, simulated, ledger)
        _approve(account, ledger)
        _roll_back(account, simulated, ledger)
        _alarm(account, ledger)
        with ledger.step("a read-only account sends no change") as line:
            line.outcome = _read_only(context)
    finally:
        account.close()


def items(account: Account, kind_name: str, parent: str = "") -> list[Item]:
    """The first resources of a kind."""
    found = kind(kind_name)
    return list(islice(chain.from_iterable(found.list(account, parent)), LOOK_AT))


def _first(account: Account, kind_name: str, fits: Callable[[Item], bool], what: str) -> Item:
    item = next((each for each in items(account, kind_name) if fits(each)), None)
    if item is None:
        raise CheckFailed(f"{kind_name}: none is {what}", f"opsdeck aws list {kind_name}")
    return item


def _now(account: Account, kind_name: str, item: Item, parent: str = "") -> Item:
    for each in items(account, kind_name, parent):
        if each.id == item.id:
            return each
    raise CheckFailed(f"{kind_name}: {item.id} is no more", f"opsdeck aws list {kind_name}")


def _verb(found: Kind, name: str) -> Verb:
    verb = found.verb(name)
    if verb is None:
        raise CheckFailed(f"{found.name}: has no verb {name}", "opsdeck aws kinds")
    return verb


def do(
    account: Account, kind_name: str, item: Item, verb_name: str, given: Mapping[str, str]
) -> str:
    """Do a verb with the defaults of what it asks for."""
    verb = _verb(kind(kind_name), verb_name)
    values = {field.name: field.default for field in verb.asked(account, item.id)}
    return verb.do(account, item.id, {**values, **given})


def _runs(account: Account, simulated: Simulation, ledger: Ledger) -> None:
    with ledger.step("list what has run") as line:
        found = items(account, "executions")
        check(bool(found), "no execution is listed")
        bad = sum(item.tone == "bad" for item in found)
        line.outcome = f"{len(found)} executions, {bad} failed"
    with ledger.step("start a pipeline and see it end") as line:
        pipeline = _first(account, "pipelines", lambda _item: True, "there")
        before = {item.id for item in items(account, "executions", pipeline.id)}
        do(account, "pipelines", pipeline, "start", {})
        new = [each for each in items(account, "executions", pipeline.id) if each.id not in before]
        check(len(new) == 1 and new[0].tone == "run", "the execution does not run")
        for _ in range(24):
            simulated.advance(HOUR)
            ended = _now(account, "executions", new[0], pipeline.id)
            if ended.tone != "run":
                break
        check(ended.tone == "ok", f"the execution is {' '.join(ended.cells)}")
        line.outcome = f"{name_of(pipeline)}: {name_of(ended)} has succeeded"


def _approve(account: Account, ledger: Ledger) -> None:
    with ledger.step("approve a model package") as line:
        package = _first(account, "packages", lambda item: item.tone == "wait", "pending")
        line.outcome = do(account, "packages", package, "approve", {"comment": "shown by the demo"})
        approved = _now(account, "packages", package)
        check(approved.tone == "ok", f"the package is {' '.join(approved.cells)}")


def _roll_back(account: Account, simulated: Simulation, ledger: Ledger) -> None:
    with ledger.step("roll an endpoint back") as line:
        verb = _verb(kind("endpoints"), "rollback")
        why_not = "none is in service"
        for item in items(account, "endpoints"):
            if item.tone != "ok" or verb.blocked(item) is not None:
                continue
            try:
                line.outcome = do(account, "endpoints", item, "rollback", {})
            except OpsdeckError as error:  # this one has nothing to go back to
                why_not = error.message
                continue
            break
        else:
            raise CheckFailed(f"no endpoint can go back: {why_not}", "opsdeck aws list endpoints")
        simulated.advance(HOUR)
        after = _now(account, "endpoints", item)
        check(after.tone == "ok", f"the endpoint is {' '.join(after.cells)}")


def _alarm(account: Account, ledger: Ledger) -> None:
    with ledger.step("an alarm is raised") as line:
        alarm = _first(account, "alarms", lambda item: item.tone == "ok", "OK")
        given = {"state": "ALARM", "reason": "shown by the demo"}
        line.outcome = do(account, "alarms", alarm, "set-state", given)
        raised = _now(account, "alarms", alarm)
        check(raised.tone == "bad", f"the alarm is {' '.join(raised.cells)}")


def _read_only(context: AwsContext) -> str:
    account = Account(context, read_only=True)
    try:
        pipeline = _first(account, "pipelines", lambda _item: True, "there")
        try:
            do(account, "pipelines", pipeline, "start", {})
        except ReadOnly:
            return "refused before it was sent"
        raise CheckFailed("a read-only account has started a pipeline")
    finally:
        account.close()
