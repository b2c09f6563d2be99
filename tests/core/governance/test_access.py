"""What people see of a dataset through the one read path."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from core.errors import BadInput
from core.governance import Access, PolicyBroken, PolicyInvalid, Refused
from tests.support.governed import PEOPLE, Memory, give, label, own

As = Callable[..., Access]


def rows(access: Access, **options: Any) -> list[dict[str, Any]]:
    return access.scan("people", **options).read_all().to_pylist()


def journal(access: Access) -> list[dict[str, Any]]:
    return access.session.reader.rows("SELECT * FROM journal WHERE action = 'data.refused'")


def test_without_grants_everybody_reads_all(access: As, memory: Memory) -> None:
    found = access("stranger").scan("people").read_all()
    assert found.num_rows == 4 and found.drop_columns("pay").equals(PEOPLE.drop_columns("pay"))
    assert found.schema == PEOPLE.schema
    access("stranger").check_write("people")
    access("stranger").check_manage("people")
    with pytest.raises(Refused, match="lay down"):
        access("stranger").check_govern("people")


def test_the_first_grant_closes_it_to_all_others(access: As) -> None:
    give(access("olga").session, "people", "ann")
    assert len(rows(access("ann"))) == 4
    for actor in ("olga", "root", "sue"):  # owner, admin, admin by group
        assert len(rows(access(actor))) == 4
        access(actor).check_govern("people")
    with pytest.raises(Refused) as refused:
        rows(access("eve"), purpose="profile")
    assert refused.value.code == "E520" and "eve" in refused.value.message
    written = journal(access("eve"))
    assert [entry["subject"] for entry in written] == ["dataset/people"]
    assert '"who":"eve"' in written[0]["detail"] and '"purpose":"profile"' in written[0]["detail"]
    with pytest.raises(Refused):
        access("ann").check_write("people")
    with pytest.raises(Refused):
        access("eve").schema("people")
    assert len(journal(access("eve"))) == 3


def test_read_only_sessions_put_refusals_on_record_too(
    space: Callable[..., Any], access: As, memory: Memory
) -> None:
    give(access("olga").session, "people", "ann")
    reading = Access(space("eve", read_only=True).session, memory)
    with pytest.raises(Refused):
        reading.scan("people")
    assert len(journal(reading)) == 1


def test_groups_everybody_and_expiry(access: As) -> None:
    session = access("olga").session
    give(session, "people", "group:analysts", columns=["id"])
    give(session, "people", "carl", expires_at=time.time() - 1)
    assert rows(access("bob"))[0] == {"id": 1}
    for actor in ("carl", "group:analysts", "*"):
        with pytest.raises(Refused):
            rows(access(actor))
    give(session, "people", "*", columns=["region"])
    assert rows(access("carl"))[0] == {"region": "EU"}
    assert rows(access("bob"))[0] == {"id": 1, "region": "EU"}


def test_an_ended_grant_does_not_open_the_dataset(access: As) -> None:
    give(access("olga").session, "people", "ann", expires_at=1.0)
    with pytest.raises(Refused):
        rows(access("ann"))


def test_columns_filters_and_masks(access: As, memory: Memory) -> None:
    give(
        access("olga").session,
        "people",
        "ann",
        columns=["id", "email", "pay", "born"],
        masks={"email": "partial:4", "id": "hash", "pay": "bucket:10", "born": "year"},
        row_filter="region = 'EU' OR region IS NULL",
    )
    seen = access("ann").scan("people").read_all()
    assert seen.schema.names == ["id", "email", "pay", "born"]
    assert seen.schema == access("ann").schema("people")
    assert seen["email"].to_pylist() == ["***.org", None, "***.net"]
    assert seen["id"].type == pa.int64() and not set(seen["id"].to_pylist()) & {1, 3, 4}
    assert seen["pay"].to_pylist()[0] == 10.0 and seen["pay"].to_pylist()[2] is None
    assert [str(day) for day in seen["born"].to_pylist()] == ["1970-01-01", "None", "2002-01-01"]
    with pytest.raises(Refused, match="region"):
        rows(access("ann"), columns=["region"])
    with pytest.raises(BadInput, match="nothing"):
        rows(access("ann"), columns=["nothing"])


def test_hashes_are_stable_and_the_same_in_every_dataset(access: As, memory: Memory) -> None:
    session = access("olga").session
    memory.tables["other"] = pa.table({"mail": ["bob@y.org", "x"], "big": pa.array([2, 9])})
    own(session, "other", schema=memory.tables["other"].schema)
    give(session, "people", "ann", masks={"email": "hash", "id": "hash"})
    give(session, "other", "ann", masks={"mail": "hash", "big": "hash"})
    here, there = rows(access("ann")), access("ann").scan("other").read_all().to_pylist()
    again = rows(access("ann"))
    assert [row["email"] for row in here] == [row["email"] for row in again]
    assert here[1]["email"] == there[0]["mail"] and here[1]["id"] == there[0]["big"]
    assert len({row["email"] for row in here}) == 4 and here[2]["email"] is None


def test_two_grants_never_add_up_to_a_cell_that_neither_gives(access: As) -> None:
    session = access("olga").session
    give(session, "people", "ann", row_filter="region = 'EU'")
    give(session, "people", "group:analysts", columns=["id", "email"], masks={"email": "redact"})
    seen = rows(access("ann"))
    assert [row["email"] for row in seen] == ["ann@x.org", "***", None, "***"]
    assert [row["region"] for row in seen] == ["EU", None, "EU", None]
    assert [row["pay"] is None for row in seen] == [False, True, False, True]


def test_a_label_masks_unless_a_grant_says_clear(access: As) -> None:
    session = access("olga").session
    label(session, "people", "email")
    seen = rows(access("ann"))
    assert seen[0]["email"] != "ann@x.org" and len(seen[0]["email"]) == 32
    assert rows(access("olga"))[0]["email"] == "ann@x.org"
    give(session, "people", "ann", masks={"email": "clear"})
    give(session, "people", "bob", columns=["email"])
    assert rows(access("ann"))[0]["email"] == "ann@x.org"
    assert len(rows(access("bob"))[0]["email"]) == 32
    label(session, "people", "", "secret")  # all of it: null is the strictest
    assert rows(access("bob"))[0]["email"] is None
    assert dict(access("olga").tags("people"))["email"] == {"pii", "secret"}


def test_where_and_limit_work_on_what_is_seen(access: As, memory: Memory) -> None:
    session = access("olga").session
    give(session, "people", "ann", masks={"email": "redact"}, row_filter="id < 4")
    assert rows(access("ann"), where="email = 'ann@x.org'") == []
    assert "email" not in str(memory.asked[-1]["where"])
    assert [row["id"] for row in rows(access("ann"), where="email = '***'")] == [1, 2]
    assert rows(access("ann"), columns=["id"], where="region = 'EU' and id > 1") == [{"id": 3}]
    assert memory.asked[-1]["where"] == "id < 4 and region = 'EU' and id > 1"
    assert len(rows(access("ann"), limit=2)) == 2
    assert memory.asked[-1]["limit"] is None, "the lake would count rows that are filtered out"
    assert len(rows(access("root"), limit=2)) == 2 and memory.asked[-1]["limit"] == 2
    with pytest.raises(PolicyInvalid, match="subquery"):
        rows(access("ann"), where="id in (select 1)")


def test_an_error_tells_nothing_of_hidden_rows(access: As) -> None:
    session = access("olga").session
    give(session, "people", "ann", row_filter="region = 'US'")
    # Rows of other regions would make this cast fail, with their value in the message.
    assert len(rows(access("ann"), where="CAST(replace(region, 'US', '1') AS INTEGER) = 1")) == 1
    give(session, "people", "bob", row_filter="CAST(email AS INTEGER) = 1")
    with pytest.raises(PolicyBroken) as broken:
        rows(access("bob"))
    assert "ann@x" not in broken.value.one_line() and broken.value.__cause__ is None


def test_a_filter_on_a_column_that_is_gone_shows_nothing(access: As) -> None:
    give(access("olga").session, "people", "ann", row_filter="country = 'FR'")
    with pytest.raises(PolicyBroken):
        rows(access("ann"))


def test_columns_that_only_an_old_snapshot_has_are_left_out(access: As, memory: Memory) -> None:
    memory.old["people"] = PEOPLE.append_column("mail", PEOPLE["email"])
    label(access("olga").session, "people", "email")
    assert "mail" not in rows(access("ann"), at="old")[0]
    assert "mail" in rows(access("olga"), at="old")[0]


def test_columns_that_differ_in_case_are_not_mixed_up(access: As, memory: Memory) -> None:
    memory.tables["people"] = PEOPLE.append_column("Email", pa.array(["open"] * 4))
    give(access("olga").session, "people", "ann", masks={"email": "null"})
    assert rows(access("ann"))[0]["Email"] == "open" and rows(access("ann"))[0]["email"] is None
    with pytest.raises(PolicyInvalid, match="no column"):
        rows(access("ann"), where="EMAIL = 'x'")


def test_actor_in_a_filter_is_who_reads(access: As) -> None:
    give(access("olga").session, "people", "*", row_filter="starts_with(email, actor())")
    assert [row["id"] for row in rows(access("ann"))] == [1]
    assert [row["id"] for row in rows(access("bob"))] == [2]
    assert [row["id"] for row in rows(access("worker"), actor="bob")] == [2]


def test_streams_are_read_only_as_far_as_they_are_wanted(access: As, memory: Memory) -> None:
    pulled = 0

    big = pa.concat_tables([PEOPLE] * 2_000).combine_chunks().to_batches()[0]

    def batches() -> Any:
        nonlocal pulled
        for _ in range(10_000):
            pulled += 1
            yield big

    memory.read = lambda *a, **k: pa.RecordBatchReader.from_batches(  # type: ignore[method-assign]
        PEOPLE.schema, batches()
    )
    give(access("olga").session, "people", "ann", masks={"email": "hash"})
    stream = access("ann").scan("people")
    assert stream.read_next_batch().num_rows > 0
    del stream
    assert pulled < 10_000


def test_derived_datasets_inherit_labels_and_closedness(access: As, memory: Memory) -> None:
    olga = access("olga")
    label(olga.session, "people", "email")
    give(olga.session, "people", "ann")
    memory.tables["derived"] = pa.table({"contact": ["a"], "n": [1]})
    own(olga.session, "derived", owner="ann", schema=memory.tables["derived"].schema)
    ann = access("ann")
    sources = {"contact": [("people", "email")], "n": [("people", "id")]}
    assert ann.inherit("derived", sources) == 1
    assert ann.inherit("derived", sources) == 0
    (kept,) = ann.policy("derived").labels
    assert (kept.column, kept.tag, kept.origin) == ("contact", "pii", "people.email")
    with pytest.raises(Refused):
        access("eve").scan("derived")
    assert ann.scan("derived").read_all().num_rows == 1
    memory.tables["third"] = pa.table({"x": ["a"]})
    own(olga.session, "third", owner="ann", schema=memory.tables["third"].schema)
    assert ann.inherit("third", {"x": [("derived", "")]}) == 1
    assert ann.policy("third").labels[0].origin == "people.email"
