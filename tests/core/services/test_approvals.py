"""Approval requests, over a real workspace on either database."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from core.domain.gate import ApprovalStatus, evidence_hash
from core.errors import BadInput, EvidenceChanged, NotAllowed, NotFound, OpsdeckError, WrongState
from core.ops import Ops
from core.state import schema
from tests.support.opened import OpenAs, raw

EVIDENCE = {"metrics": {"mae": 40.5}, "data": {"sha256": "ab"}}


def ask(ops: Ops, name: str = "a1b2c3", **values: Any) -> str:
    """Open a request as the gate of a run does; returns its id."""
    run = ops.runs.start("chain", {})
    row = {
        "id": name,
        "gate": "gate",
        "run_id": run.id,
        "step": "gate",
        "model": "demand",
        "version": 2,
        "environment": "production",
        "status": "open",
        "evidence": json.dumps(EVIDENCE),
        "evidence_hash": evidence_hash(EVIDENCE),
        "requested_by": "author",
        "opened_at": time.time(),
        "workflow_id": f"{run.id}:gate",
        **values,
    }
    with ops.session.change("test") as tx:
        tx.execute(schema.approvals.insert().values(row))
    return name


def decided(ops: Ops) -> list[Any]:
    """What the worker was told about decisions."""
    rows = raw(
        ops.workspace.database_url, "SELECT target, payload FROM outbox WHERE kind='control'"
    )
    return [(target, json.loads(payload)) for target, payload in rows]


def test_approve(ops: Ops, open_as: OpenAs) -> None:
    ref = ask(ops)
    answer = open_as("reviewer").approvals.approve(ref, "looks right")
    assert answer.status is ApprovalStatus.APPROVED
    assert answer.decided_at is not None
    (decision,) = answer.decisions
    assert (decision.actor, decision.verdict, decision.comment) == (
        "reviewer",
        "approve",
        "looks right",
    )
    assert decision.evidence_hash == answer.evidence_hash
    ((target, payload),) = decided(ops)
    assert target.endswith(":gate")
    assert payload == {"command": "decided", "approval": ref}
    (entry,) = ops.audit.list(search="approval.approve")
    assert entry.actor == "reviewer"
    assert entry.detail["evidence_hash"] == answer.evidence_hash
    assert entry.detail["status"] == "approved"


def test_reject_says_why(ops: Ops) -> None:
    ref = ask(ops)
    for comment in ("", "  \n"):
        with pytest.raises(BadInput, match="needs a comment"):
            ops.approvals.reject(ref, comment)
    assert ops.approvals.get(ref).status is ApprovalStatus.OPEN
    answer = ops.approvals.reject(ref, "leaks the target")
    assert answer.status is ApprovalStatus.REJECTED
    assert answer.decisions[0].comment == "leaks the target"


@pytest.mark.parametrize("answer", ["approve", "reject"])
def test_the_evidence_must_be_what_was_shown(ops: Ops, answer: str) -> None:
    ref = ask(ops)
    shown = ops.approvals.get(ref).evidence_hash
    new = {**EVIDENCE, "metrics": {"mae": 99.0}}
    raw(
        ops.workspace.database_url,
        "UPDATE approvals SET evidence = ?, evidence_hash = ?",
        (json.dumps(new), evidence_hash(new)),
    )
    decide = getattr(ops.approvals, answer)
    with pytest.raises(EvidenceChanged, match="has changed since it was shown"):
        decide(ref, "fine", evidence_hash=shown)
    assert (ops.approvals.get(ref).decisions, decided(ops)) == ((), [])
    assert decide(ref, "seen", evidence_hash=evidence_hash(new)).status.ended


def test_a_requester_may_not_decide_where_the_gate_says_so(ops: Ops, open_as: OpenAs) -> None:
    ref = ask(ops, requester_may_decide=0)
    for decide in (ops.approvals.approve, ops.approvals.reject):
        with pytest.raises(NotAllowed, match="author asked for it"):
            decide(ref, "mine")
    assert open_as("reviewer").approvals.approve(ref).status is ApprovalStatus.APPROVED
    mine = ask(ops, "d4e5f6")
    assert ops.approvals.approve(mine).status is ApprovalStatus.APPROVED, "else they may"


def test_two_people_are_needed(ops: Ops, open_as: OpenAs) -> None:
    ref = ask(ops, approvals_needed=2)
    first = ops.approvals.approve(ref)
    assert (first.status, first.decided_at) == (ApprovalStatus.OPEN, None)
    assert decided(ops) == []
    for again in (ops.approvals.approve, ops.approvals.reject):
        with pytest.raises(WrongState, match="author has decided already"):
            again(ref, "again")
    second = open_as("reviewer").approvals.approve(ref)
    assert second.status is ApprovalStatus.APPROVED
    assert [decision.actor for decision in second.decisions] == ["author", "reviewer"]
    assert len(decided(ops)) == 1


def test_one_rejection_is_enough(ops: Ops, open_as: OpenAs) -> None:
    ref = ask(ops, approvals_needed=3)
    ops.approvals.approve(ref)
    assert open_as("reviewer").approvals.reject(ref, "no").status is ApprovalStatus.REJECTED
    with pytest.raises(WrongState, match="is rejected already"):
        open_as("second").approvals.approve(ref)


def test_two_people_who_approve_at_once_are_two(ops: Ops, open_as: OpenAs) -> None:
    """Neither may see only their own answer: the request would stay open for ever."""
    people = [open_as(f"person-{n}") for n in range(4)]
    for number in range(4):
        ref = ask(ops, f"at-once-{number}", approvals_needed=4)
        ready = threading.Barrier(4, timeout=20)
        faults: list[OpsdeckError] = []

        def approve(
            who: Ops,
            ref: str = ref,
            ready: threading.Barrier = ready,
            faults: list[OpsdeckError] = faults,
        ) -> None:
            ready.wait()
            try:
                who.approvals.approve(ref)
            except OpsdeckError as error:
                faults.append(error)

        threads = [threading.Thread(target=approve, args=(who,)) for who in people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not faults
        assert ops.approvals.get(ref).status is ApprovalStatus.APPROVED
    assert len(decided(ops)) == 4
    assert ops.audit.verify().ok


def test_one_of_two_opposite_answers_at_once_is_too_late(ops: Ops, open_as: OpenAs) -> None:
    ref = ask(ops)
    yes, no = open_as("reviewer"), open_as("second")
    ready = threading.Barrier(2, timeout=20)
    faults: list[OpsdeckError] = []

    def decide(who: Ops) -> None:
        ready.wait()
        try:
            (who.approvals.approve if who is yes else who.approvals.reject)(ref, "mine")
        except OpsdeckError as error:
            faults.append(error)

    threads = [threading.Thread(target=decide, args=(who,)) for who in (yes, no)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    (fault,) = faults
    assert isinstance(fault, WrongState)
    assert len(ops.approvals.get(ref).decisions) == 1


def test_an_expired_request_is_not_decided(ops: Ops) -> None:
    ref = ask(ops, expires_at=time.time() - 1)
    with pytest.raises(WrongState, match="has expired"):
        ops.approvals.approve(ref)
    assert ops.approvals.get(ref).decisions == ()
    soon = ask(ops, "d4e5f6", expires_at=time.time() + 60)
    assert ops.approvals.approve(soon).status is ApprovalStatus.APPROVED


@pytest.mark.parametrize("status", [s for s in ApprovalStatus if s.ended])
def test_what_is_no_longer_open_is_not_decided(ops: Ops, status: ApprovalStatus) -> None:
    ref = ask(ops, status=status)
    for decide in (ops.approvals.approve, ops.approvals.reject):
        with pytest.raises(WrongState, match=f"is {status} already"):
            decide(ref, "late")


def test_find_and_list(ops: Ops) -> None:
    for name, status in (("abc1", "open"), ("abc2", "approved"), ("abc", "open")):
        ask(ops, name, status=status)
    assert ops.approvals.get("abc2").id == "abc2"
    assert ops.approvals.get("abc").id == "abc", "a whole id is itself, others begin so too"
    with pytest.raises(NotFound, match="more than one request begins so"):
        ops.approvals.get("ab")
    for ref in ("zz", "", " ", "%", "_bc"):
        with pytest.raises(NotFound, match="no such request"):
            ops.approvals.get(ref)
        with pytest.raises(NotFound):
            ops.approvals.approve(ref)
    assert [a.id for a in ops.approvals.list()] == ["abc", "abc1"], "open ones, newest first"
    assert len(ops.approvals.list(status=None)) == 3
    assert len(ops.approvals.list(status=None, limit=1)) == 1
    found = ops.approvals.get("abc")
    assert (found.run_number, found.pipeline, found.evidence) == (3, "chain", EVIDENCE)


def test_a_run_that_waits_for_somebody_ends_the_wait(ops: Ops) -> None:
    ref = ask(ops)
    raw(ops.workspace.database_url, "UPDATE runs SET status = 'waiting'")
    assert ops.runs.wait("1", timeout=20).status == "waiting"
    began = time.monotonic()
    assert ops.runs.wait("1", through_gates=True, timeout=0.2).status == "waiting"
    ops.approvals.approve(ref)
    # It has been answered: the run is about to move on, and is waited for.
    assert ops.runs.wait("1", timeout=0.2).status == "waiting"
    assert time.monotonic() - began >= 0.4
