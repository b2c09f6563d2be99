"""Firing a trigger: a row in the transaction of what made it."""

from __future__ import annotations

import json

import pytest

from core.ops import Ops
from core.triggers import Cause, CauseKind, fire
from tests.support.opened import raw

CAUSE = Cause(
    CauseKind.ALARM, "alarm/demand-mae", "mae above 60 in 2 of 3", key="alarm/demand-mae@7"
)


def test_a_firing_is_a_row_and_a_line_of_the_journal(ops: Ops, database_url: str) -> None:
    with ops.session.change("test") as tx:
        firing = fire(tx, "retrain", CAUSE)
    rows = raw(database_url, "SELECT id, trigger, kind, cause_key, decision FROM trigger_firings")
    assert rows == [(firing, "retrain", "alarm", "alarm/demand-mae@7", "asked")]
    (entry,) = ops.audit.list(limit=1)
    assert (entry.action, entry.subject) == ("trigger.fire", "trigger/retrain")
    assert entry.detail["about"] == "alarm/demand-mae"


def test_the_same_cause_that_waits_already_is_counted(ops: Ops, database_url: str) -> None:
    for _ in range(3):
        with ops.session.change("test") as tx:
            fire(tx, "retrain", CAUSE)
    assert raw(database_url, "SELECT times FROM trigger_firings") == [(3,)]


def test_nothing_is_fired_where_the_transaction_is_taken_back(ops: Ops, database_url: str) -> None:
    with pytest.raises(ZeroDivisionError), ops.session.change("test") as tx:
        fire(tx, "retrain", CAUSE)
        _ = 1 / 0
    assert raw(database_url, "SELECT * FROM trigger_firings") == []


def test_evidence_keeps_no_secret_and_does_not_grow_without_end(
    ops: Ops, database_url: str
) -> None:
    with ops.session.change("test") as tx:
        fire(tx, "a", Cause(CauseKind.HAND, "x", evidence={"url": "https://me:sesame@host/"}))
        fire(tx, "b", Cause(CauseKind.HAND, "x", evidence={"many": ["x" * 100] * 1000}))
    (one,), (two,) = raw(database_url, "SELECT cause FROM trigger_firings ORDER BY trigger")
    assert "sesame" not in one
    assert len(two) < 1000
    assert json.loads(two)["subject"] == "x"
