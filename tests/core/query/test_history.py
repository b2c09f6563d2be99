"""History and policies are the same on either database."""

from __future__ import annotations

import pytest

from core.domain.governance import CLEAR, Action, Mask
from core.domain.query import QueriedDataset
from core.governance.inherit import inherit_rows
from core.governance.policychange import end_grants, put_grant, put_label, take_label
from core.ops import Ops
from core.query import history
from core.query.errors import QueryTimeout
from core.reads.governance import read_policy
from tests.support.opened import OpenAs, database_url, open_as, ops, woken

__all__ = ["database_url", "open_as", "ops", "woken"]


def test_history(ops: Ops, open_as: OpenAs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_KEEP", 3)
    read = (QueriedDataset("rentals", "77", 2),)
    for number in range(5):
        history.record(ops.session, f"q{number}", f"SELECT {number}", read, None, number, 1.5)
    late = QueryTimeout("query: ended after 60 seconds")
    history.record(open_as("bob").session, "b", "SELECT '%_!'", (), late, None, 60_000.0)
    reader = ops.session.reader
    mine = history.past_queries(reader, actor="author")
    assert [(q.id, q.rows, q.datasets) for q in mine] == [
        (f"q{number}", number, ("rentals#2",)) for number in (4, 3, 2)
    ]
    (other,) = history.past_queries(reader, about="%_!")
    assert (other.actor, other.state, other.message) == ("bob", "limited", late.message)
    assert len(history.past_queries(reader, limit=2)) == 2


def test_policies(ops: Ops) -> None:
    session = ops.session
    with session.change("test") as tx:
        put_label(tx, "people", "email", "pii")
        assert not put_label(tx, "people", "email", "pii")
        put_grant(tx, "people", "ann", Action.READ, columns=["id"])
        put_grant(
            tx, "people", "ann", Action.READ, masks={"email": Mask("partial", 4.0), "id": CLEAR},
            row_filter="id < 3", expires_at=tx.now + 60,
        )  # fmt: skip
        put_grant(tx, "people", "ann", Action.WRITE)
    policy = read_policy(session.reader, "people")
    read, write = policy.grants
    assert (read.columns, read.row_filter) == (None, "id < 3") and write.action is Action.WRITE
    assert {name: str(mask) for name, mask in read.masks.items()} == {
        "email": "partial:4", "id": "clear",
    }  # fmt: skip
    assert inherit_rows(session, "derived", {"mail": [("people", "email")]}) == 1
    assert read_policy(session.reader, "derived").governed
    with session.change("test") as tx:
        assert end_grants(tx, "people", "ann", tuple(Action)) == ["read", "write"]
        assert end_grants(tx, "people", "ann", tuple(Action)) == []
        assert take_label(tx, "people", "email", "pii")
        assert not take_label(tx, "people", "email", "pii")
    after = read_policy(session.reader, "people")
    assert after.governed and not after.labels and not any(g.holds(1e12) for g in after.grants)
