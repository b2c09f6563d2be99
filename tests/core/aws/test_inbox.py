"""One suite for every inbox of approvals: the workspace's, and each source of an AWS account's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from core.aws.account import Account
from core.aws.inbox import ApprovalInbox, AwsInbox, JointInbox
from core.aws.partial import why
from core.domain.gate import Approval, ApprovalStatus, evidence_hash
from core.errors import BadInput, EvidenceChanged, NotFound, ReadOnly, WrongState
from core.ops import Ops
from core.simulated.server import SimulatedAccount
from core.state import schema
from tests.support import asking
from tests.support.opened import OpenAs, raw


@dataclass
class House:
    """An inbox, one that only reads, how a question comes into it and how its evidence changes
    (None where it can't); `later` lets happen what follows a decision."""

    inbox: ApprovalInbox
    reader: ApprovalInbox
    ask: Callable[[], str]
    change: Callable[[str], None] | None
    later: Callable[[], None] = lambda: None


def _workspace(ops: Ops, reader: Ops, number: Callable[[], int]) -> House:
    def ask() -> str:
        evidence = {"metrics": {"mae": 40.5}}
        run = ops.runs.start("chain", {})
        name = f"a{number()}b2c3"
        row = {
            "id": name, "gate": "gate", "run_id": run.id, "step": "gate", "model": "demand",
            "version": 2, "environment": "production", "status": "open",
            "evidence": json.dumps(evidence), "evidence_hash": evidence_hash(evidence),
            "requested_by": "author", "opened_at": time.time(), "workflow_id": f"{run.id}:gate",
        }  # fmt: skip
        with ops.session.change("test") as tx:
            tx.execute(schema.approvals.insert().values(row))
        return name

    def change(ref: str) -> None:
        fresh = {"metrics": {"mae": 99.0}}
        raw(
            ops.workspace.database_url,
            "UPDATE approvals SET evidence = ?, evidence_hash = ? WHERE id = ?",
            (json.dumps(fresh), evidence_hash(fresh), ref),
        )

    return House(ops.approvals, reader.approvals, ask, change)


def _versions(account: Account, aws: SimulatedAccount) -> House:
    def change(ref: str) -> None:
        asking.report(account, f"{ref.removeprefix('version:').replace('/', '-')}.json", {"mae": 1})

    return _of(account, lambda: f"version:{asking.register(account)}", change)


def _pipelines(account: Account, aws: SimulatedAccount, number: Callable[[], int]) -> House:
    def ask() -> str:
        name = f"deliver{number()}"
        return f"pipeline:{name}/Approve/decide/{asking.pipeline(account, aws, name)}"

    def change(ref: str) -> None:
        name = ref.removeprefix("pipeline:").partition("/")[0]
        found = account.call("codepipeline", "get_pipeline", name=name)["pipeline"]
        found["stages"][1]["actions"][0]["configuration"]["CustomData"] = "another model"
        account.call("codepipeline", "update_pipeline", pipeline=found)

    return _of(account, ask, change, lambda: aws.advance(60))


def _tasks(account: Account, number: Callable[[], int], *, judges: bool) -> House:
    arn = asking.machine(account, judges=judges)

    def ask() -> str:
        name = f"r{number()}"
        asking.execution(account, arn, name)
        return _until(lambda: next(
            (each.id for each in AwsInbox(account).waiting()[0] if f"/{name}/" in each.id), ""
        ))  # fmt: skip

    return _of(account, ask, None)


def _of(
    account: Account,
    ask: Callable[[], str],
    change: Callable[[str], None] | None,
    later: Callable[[], None] = lambda: None,
) -> House:
    reader = Account(account.context, read_only=True, attempts=1)
    return House(AwsInbox(account), AwsInbox(reader), ask, change, later)


def _until(found: Callable[[], Any], seconds: float = 10.0) -> Any:
    """What it gives as soon as it is anything."""
    end = time.monotonic() + seconds
    while True:
        value = found()
        if value or time.monotonic() > end:
            assert value
            return value
        time.sleep(0.05)


@pytest.fixture(params=["workspace", "versions", "pipelines", "tasks", "judged tasks"])
def house(request: pytest.FixtureRequest, tmp_path: Any) -> House:
    numbers = iter(range(100, 999))

    def number() -> int:
        return next(numbers)

    if request.param == "workspace":
        open_as: OpenAs = request.getfixturevalue("open_as")
        return _workspace(open_as("author"), open_as("author", read_only=True), number)
    account, aws = request.getfixturevalue("account"), request.getfixturevalue("aws")
    match request.param:
        case "versions":
            return _versions(account, aws)
        case "pipelines":
            return _pipelines(account, aws, number)
    return _tasks(account, number, judges=request.param == "judged tasks")


@pytest.fixture
def database_url(tmp_path: Any) -> str:
    return f"sqlite:///{tmp_path / 'state.db'}"


def test_what_is_asked_is_listed_with_its_evidence(house: House) -> None:
    ref = house.ask()
    (found,) = house.inbox.list()
    assert (found.id, found.status) == (ref, ApprovalStatus.OPEN)
    assert found.evidence
    assert found.evidence_hash == evidence_hash(found.evidence)
    assert abs(found.opened_at - time.time()) < 3600
    assert house.inbox.get(ref) == found


@pytest.mark.parametrize("approved", [True, False])
def test_a_decision_ends_it(house: House, approved: bool) -> None:
    ref, other = house.ask(), house.ask()
    seen = house.inbox.get(ref).evidence_hash
    if approved:
        house.inbox.approve(ref, "looks right", evidence_hash=seen)
    else:
        house.inbox.reject(ref, "leaks the target", evidence_hash=seen)
    house.later()
    wanted = ApprovalStatus.APPROVED if approved else ApprovalStatus.REJECTED
    assert _until(lambda: house.inbox.get(ref).status is wanted)
    assert [each.id for each in house.inbox.list()] == [other]
    for decide in (house.inbox.approve, house.inbox.reject):
        with pytest.raises(WrongState):
            decide(ref, "again")


def test_a_rejection_says_why(house: House) -> None:
    ref = house.ask()
    for comment in ("", "  "):
        with pytest.raises(BadInput, match="needs a comment"):
            house.inbox.reject(ref, comment)
    assert house.inbox.get(ref).status is ApprovalStatus.OPEN


def test_only_what_was_seen_is_decided(house: House) -> None:
    ref = house.ask()
    seen = house.inbox.get(ref).evidence_hash
    if house.change is None:
        seen = "0" * 64  # the input of an execution never changes
    else:
        house.change(ref)
    for decide in (house.inbox.approve, house.inbox.reject):
        with pytest.raises(EvidenceChanged):
            decide(ref, "fine", evidence_hash=seen)
    assert house.inbox.get(ref).status is ApprovalStatus.OPEN
    now = house.inbox.get(ref).evidence_hash
    assert house.inbox.approve(ref, "seen", evidence_hash=now)


def test_a_reader_decides_nothing(house: House) -> None:
    ref = house.ask()
    for decide in (house.reader.approve, house.reader.reject):
        with pytest.raises(ReadOnly):
            decide(ref, "no")
    assert [each.id for each in house.reader.list()] == [ref]
    assert house.inbox.get(ref).status is ApprovalStatus.OPEN


def test_what_is_not_there_is_not_found(house: House) -> None:
    ref = house.ask()
    unknown = ref[:-4] + ("f00d" if ":" not in ref else "9999")
    with pytest.raises(NotFound):
        house.inbox.get(unknown)
    with pytest.raises(NotFound):
        house.inbox.approve("nothing:of/this/kind", "yes")


def test_the_token_is_shown_nowhere(account: Account) -> None:
    arn = asking.machine(account)
    run = asking.execution(account, arn, "secret")
    _until(lambda: AwsInbox(account).waiting()[0])
    (found,) = AwsInbox(account).list()
    history = account.call("stepfunctions", "get_execution_history", executionArn=run)["events"]
    parameters = json.loads(
        next(
            each["taskScheduledEventDetails"]["parameters"]
            for each in history
            if each["type"] == "TaskScheduled"
        )
    )
    assert parameters["MessageBody"]["token"] not in json.dumps(dict(found.evidence))
    assert found.evidence["asked"]["MessageBody"] == {
        "token": "(the task's token)",
        "model": "demand/3",
    }


def test_one_source_that_is_denied_does_not_hide_the_others(
    account: Account, aws: SimulatedAccount
) -> None:
    asking.register(account)
    aws.fault("codepipeline:*", "AccessDeniedException", times=9)
    found, trouble = AwsInbox(account).waiting()
    assert [each.what for each in found] == ["demand/1"]
    assert list(trouble) == ["CodePipeline"]
    assert "codepipeline:ListPipelines" in why(trouble["CodePipeline"])
    assert [each.id for each in AwsInbox(account).list()] == ["version:demand/1"]


class _Fixed:
    """An inbox of one question."""

    def __init__(self, *found: Approval) -> None:
        self._found = found

    def list(self, *, status: str | None = "open", limit: int = 100) -> tuple[Approval, ...]:
        return self._found


def _asked(name: str, evidence: dict[str, Any]) -> Approval:
    return Approval(
        name, "gate", "01run", "gate", "demand", 3, "staging", ApprovalStatus.OPEN, evidence,
        evidence_hash(evidence), "author", 1.0, run_number=7, pipeline="train",
    )  # fmt: skip


def test_a_gate_of_a_run_that_goes_on_there_is_asked_about_once() -> None:
    own: Any = _Fixed(_asked("a1", {}))
    ours = _asked("task:release/x/3", {"asked": {"MessageBody": {"run": "bikes train #7"}}})
    other = _asked("task:release/y/3", {"asked": {"MessageBody": {"run": "cars train #7"}}})
    odd = _asked("task:release/z/3", {"asked": "text"})
    aws: Any = _Fixed(ours, other, odd)
    joint = JointInbox(own, aws, "bikes")
    assert {each.id for each in joint.list()} == {"a1", other.id, odd.id}
