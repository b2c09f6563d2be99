"""Granting, revoking and labelling, by people."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from core.domain.datalineage import NodeKind, edges_between
from core.domain.governance import Action
from core.errors import BadInput, NotFound, ReadOnly
from core.governance import Access, PolicyInvalid, Refused
from core.services.governance import GovernanceService
from core.state.edges import record_edges
from tests.support.governed import Memory, access, label, memory, space

__all__ = ["access", "memory", "space"]

Serve = Callable[..., GovernanceService]


@pytest.fixture
def serve(access: Callable[..., Access]) -> Serve:
    """The service as somebody."""

    def as_(actor: str = "olga") -> GovernanceService:
        found = access(actor)
        service = GovernanceService(found.session)
        service._access = found
        return service

    return as_


def actions(service: GovernanceService) -> list[str]:
    rows = service.access.session.reader.rows("SELECT action FROM journal ORDER BY seq")
    return [row["action"] for row in rows]


def test_granting_replacing_and_revoking(serve: Serve) -> None:
    olga = serve()
    (first,) = olga.grant("people", "ann", columns=["id", "email"], masks={"email": "partial:2"})
    assert (first.action, first.columns, str(first.masks["email"])) == (
        Action.READ, ("id", "email"), "partial:2",
    )  # fmt: skip
    (second,) = olga.grant("people", "ann", where="id < 3", seconds=60)
    assert second.columns is None and second.expires_at is not None
    assert time.time() < second.expires_at < time.time() + 61
    assert len(olga.grants("people")) == 1
    olga.grant("people", "ann", actions=[Action.WRITE])
    assert olga.revoke("people", "ann") == ("read", "write")
    with pytest.raises(BadInput, match="no such grant"):
        olga.revoke("people", "ann")
    with pytest.raises(Refused):
        serve("ann").access.scan("people")
    assert actions(olga) == [*["data.grant"] * 3, "data.revoke", "data.refused"]
    detail = olga.access.session.reader.rows("SELECT detail FROM journal WHERE seq = 2")[0]
    assert '"before":{"columns":["id","email"]' in detail["detail"]


def test_who_may_govern(serve: Serve) -> None:
    with pytest.raises(Refused):
        serve("ann").grant("people", "ann", actions=[Action.MANAGE])
    serve("root").grant("people", "ann", actions=[Action.MANAGE])
    serve("ann").grant("people", "bob")
    with pytest.raises(Refused):
        serve("bob").grant("people", "eve")
    with pytest.raises(Refused):
        serve("bob").label("people", "email", ["pii"])
    serve("olga").revoke("people", "ann")
    with pytest.raises(Refused):
        serve("ann").grant("people", "eve")


@pytest.mark.parametrize(
    ("to", "options", "error"),
    [
        ("ann", {"columns": ["nothing"]}, PolicyInvalid),
        ("ann", {"columns": []}, BadInput),
        ("ann", {"masks": {"pay": "redact"}}, PolicyInvalid),
        ("ann", {"masks": {"pay": "null"}, "columns": ["id"]}, PolicyInvalid),
        ("ann", {"where": "pay + 1"}, PolicyInvalid),
        ("ann", {"where": "born > 5"}, PolicyInvalid),
        ("ann", {"where": "id IN (SELECT 1)"}, PolicyInvalid),
        ("ann", {"where": "id = 1", "actions": [Action.WRITE]}, BadInput),
        ("ann", {"where": "id = 1", "actions": [Action.READ, Action.MANAGE]}, BadInput),
        ("ann", {"actions": []}, BadInput),
        ("ann", {"seconds": 0}, BadInput),
        ("group:nobody", {}, BadInput),
        ("a name", {}, BadInput),
        ("", {}, BadInput),
        ("'; DROP TABLE grants --", {}, BadInput),
    ],
)
def test_what_cannot_be_granted(
    serve: Serve, to: str, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        serve().grant("people", to, **options)
    assert serve().grants("people") == () and actions(serve()) == []


def test_read_only_sessions_and_unknown_datasets(
    space: Callable[..., Any], memory: Memory, serve: Serve
) -> None:
    serve()
    reading = GovernanceService(space("olga", read_only=True).session)
    for change in (
        lambda: reading.grant("people", "ann"),
        lambda: reading.revoke("people", "ann"),
        lambda: reading.label("people", "email", ["pii"]),
        lambda: reading.unlabel("people", "email", ["pii"]),
    ):
        with pytest.raises(ReadOnly):
            change()
    with pytest.raises(NotFound):
        serve().grant("nothing", "ann")


def test_labels(serve: Serve) -> None:
    olga = serve()
    olga.label("people", "email", ["pii", "contact"])
    olga.label("people", "email", ["pii"])
    olga.label("people", "", ["internal"])
    assert [(each.column, each.tag) for each in olga.labels("people")] == [
        ("", "internal"), ("email", "contact"), ("email", "pii"),
    ]  # fmt: skip
    assert [each.tag for each in olga.unlabel("people", "email", ["contact"])] == ["pii"]
    with pytest.raises(BadInput):
        olga.unlabel("people", "email", ["contact"])
    with pytest.raises(PolicyInvalid):
        olga.label("people", "mail", ["pii"])
    with pytest.raises(BadInput):
        olga.label("people", "email", ["Not A Label"])
    assert actions(olga) == [*["data.label"] * 3, "data.unlabel"]


def test_an_inherited_label_is_taken_where_it_comes_from(
    serve: Serve, access: Callable[..., Access], memory: Memory
) -> None:
    from tests.support.governed import PEOPLE, own

    session = access("olga").session
    memory.tables["mine"] = PEOPLE
    own(session, "mine", owner="ann")
    label(session, "mine", "email", origin="people.email")
    with pytest.raises(Refused):
        serve("ann").unlabel("mine", "email", ["pii"])
    serve("root").unlabel("mine", "email", ["pii"])


def test_who_can(serve: Serve) -> None:
    olga = serve()
    assert [(each.principal, each.why) for each in olga.whocan("people")] == [
        ("olga", "owner"), ("group:stewards", "admin"), ("root", "admin"), ("*", "open to all"),
    ]  # fmt: skip
    olga.label("people", "email", ["pii"])
    olga.grant("people", "group:analysts", columns=["id", "email"], where="id < 3")
    olga.grant("people", "ann", columns=["pay"], masks={"pay": "bucket:10"}, seconds=60)
    olga.grant("people", "loader", actions=[Action.WRITE])
    found = {each.principal: each for each in olga.whocan("people")}
    assert found["group:analysts"].columns == {"id": "clear", "email": "hash"}
    assert found["group:analysts"].rows == "id < 3"
    assert found["loader"].write and not found["loader"].read
    assert not (found["*"].read or found["*"].write or found["*"].manage)
    (ann,) = olga.whocan("people", ["ann"])
    assert ann.columns == {"id": "clear", "email": "hash", "pay": "bucket:10"} and ann.rows == ""
    assert ann.expires_at is not None and not ann.write
    (eve,) = olga.whocan("people", ["eve"])
    assert (eve.why, eve.read, dict(eve.columns)) == ("no grant", False, {})


def test_a_label_reaches_what_was_made_before(serve: Serve) -> None:
    olga = serve()
    edges = [
        *edges_between(
            (NodeKind.DATASET, "people"), (NodeKind.DATASET, "contacts"), "view",
            columns={"mail": ("email",), "": ("region",)},
        ),
        *edges_between((NodeKind.DATASET, "contacts"), (NodeKind.DATASET, "sheet"), "pipeline"),
        *edges_between((NodeKind.DATASET, "sheet"), (NodeKind.DATASET, "people"), "pipeline"),
    ]  # fmt: skip
    with olga.access.session.change("seed") as tx:
        record_edges(tx, edges)
    olga.label("people", "region", ["place"])  # decides about rows only
    assert olga.handed_on("people", "region") == ()
    olga.label("people", "email", ["pii"])
    found = [(each.dataset, each.column, each.tag) for each in olga.handed_on("people", "email")]
    assert found == [("contacts", "mail", "pii"), ("sheet", "", "pii")]
    assert {(each.column, each.tag) for each in olga.labels("people")} == {
        ("email", "pii"), ("region", "place"),
    }  # fmt: skip
    assert actions(olga)[-3:] == ["data.label", "data.inherit", "data.inherit"]
