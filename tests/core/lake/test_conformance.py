"""What a lake does, on every catalogue: SQLite, PostgreSQL, and Glue with S3 (moto over HTTP)."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from core.errors import BadInput, NotFound, WrongState
from core.lake.errors import DatasetExists, SchemaMismatch, SnapshotExpired
from core.lake.lake import Lake
from tests.core.lake.conftest import ROWS, ids, rows


@pytest.fixture
def sales(any_lake: Lake) -> Lake:
    """A lake with a dataset `sales` of three rows, in two versions."""
    any_lake.create("sales", ROWS.schema, owner="ann", description="what was sold")
    any_lake.append("sales", ROWS, by="ann", message="first")
    return any_lake


def test_created_datasets_are_empty_and_listed(any_lake: Lake) -> None:
    made = any_lake.create("sales", ROWS.schema, owner="ann", description="what was sold")

    assert (made.name, made.owner, made.rows, made.number) == ("sales", "ann", 0, 1)
    assert [(each.name, each.type) for each in made.columns] == [
        ("id", "long"),
        ("x", "double"),
        ("s", "string"),
    ]
    assert any_lake.read("sales").read_all().num_rows == 0
    with pytest.raises(DatasetExists, match="sales"):
        any_lake.create("sales", ROWS.schema, owner="ann")
    assert any_lake.ensure("sales", rows(1).schema, owner="bob").owner == "ann"


def test_rows_are_appended_read_filtered_and_travelled_to(sales: Lake) -> None:
    second = sales.append("sales", rows(4, 5), by="bob", run_id="r1", message="more")

    assert (second.number, second.rows, second.added_rows, second.by) == (3, 5, 2, "bob")
    assert ids(sales, "sales") == [1, 2, 3, 4, 5]
    assert ids(sales, "sales", at="2") == ids(sales, "sales", at="#2") == [1, 2, 3]
    assert ids(sales, "sales", where="x > 0.15 and s <> 'c'") == [2, 4, 5]
    assert sales.read("sales", columns=["s", "id"], limit=2).read_all().num_rows == 2
    assert ids(sales, "sales", at=second.parent_id) == [1, 2, 3]
    assert sales.schema("sales").names == ["id", "x", "s"]


def test_a_time_means_what_was_current_then(sales: Lake) -> None:
    time.sleep(0.01)
    then = datetime.now(UTC).isoformat()
    time.sleep(0.01)
    sales.append("sales", rows(4), by="ann")

    assert ids(sales, "sales", at=then) == [1, 2, 3]
    with pytest.raises(NotFound, match="1999"):
        sales.read("sales", at="1999-01-01")


def test_overwrite_delete_and_upsert_are_one_version_each(sales: Lake) -> None:
    upserted = sales.upsert("sales", rows(3, 4), keys=["id"], by="ann")
    assert (upserted.number, upserted.operation, upserted.rows) == (3, "upsert", 4)
    found = {row["id"]: row["s"] for row in sales.read("sales").read_all().to_pylist()}
    assert found == {1: "a", 2: "b", 3: "r3", 4: "r4"}

    deleted = sales.delete("sales", "id in (1, 4)", by="ann")
    assert (deleted.number, deleted.operation, deleted.rows) == (4, "delete", 2)
    partly = sales.overwrite("sales", rows(9), where="id = 2", by="ann")
    assert (partly.number, partly.rows) == (5, 2)
    assert ids(sales, "sales") == [3, 9]
    whole = sales.overwrite("sales", rows(7, 8), by="ann")
    assert (whole.operation, whole.rows) == ("overwrite", 2)
    assert ids(sales, "sales") == [7, 8]
    assert sales.delete("sales", "id = 99", by="ann").number == whole.number


def test_rows_are_handed_over_before_they_are_taken_out_once(sales: Lake) -> None:
    handed: list[tuple[list[int], int]] = []

    def met(found: pa.Table) -> pa.Array:
        return pc.equal(found["id"], 2)

    def keep(found: pa.Table, stay: int) -> None:
        assert ids(sales, "sales") == [1, 2, 3]
        handed.append((found["id"].to_pylist(), stay))

    taken = sales.take("sales", met, keep, by="ann", batch_id="out-1")
    assert (taken.number, taken.operation, taken.rows) == (3, "delete", 2)
    assert ids(sales, "sales") == [1, 3] and handed == [([2], 2)]
    assert sales.take("sales", met, keep, by="ann", batch_id="out-1").id == taken.id

    def refuses(_found: pa.Table, _stay: int) -> None:
        raise BadInput("not these")

    with pytest.raises(BadInput, match="not these"):
        sales.take("sales", met, refuses, by="ann", batch_id="out-2")
    assert ids(sales, "sales") == [1, 3]


def test_a_batch_is_committed_at_most_once(sales: Lake) -> None:
    first = sales.append("sales", rows(4), by="ann", batch_id="b-1")
    again = sales.append("sales", rows(4), by="ann", batch_id="b-1")

    assert again.id == first.id
    assert ids(sales, "sales") == [1, 2, 3, 4]


def test_names_keep_versions_and_cannot_be_moved(sales: Lake) -> None:
    assert sales.tag("sales", "v1", by="ann").number == 2
    assert sales.tag("sales", "v1").number == 2  # the same again
    sales.append("sales", rows(4), by="ann")
    with pytest.raises(WrongState, match="v1"):
        sales.tag("sales", "v1")
    assert ids(sales, "sales", at="v1") == [1, 2, 3]
    assert sales.snapshots("sales")[1].refs == ("v1",)

    sales.untag("sales", "v1")
    with pytest.raises(NotFound, match="v1"):
        sales.read("sales", at="v1")
    with pytest.raises(NotFound):
        sales.untag("sales", "v1")


def test_branches_are_unseen_until_published(sales: Lake) -> None:
    sales.branch("sales", "trial")
    sales.append("sales", rows(4), by="ann", branch="trial")
    assert ids(sales, "sales") == [1, 2, 3]
    assert ids(sales, "sales", at="trial") == [1, 2, 3, 4]

    sales.publish("sales", "trial")
    assert ids(sales, "sales") == [1, 2, 3, 4]
    sales.append("sales", rows(5), by="ann")
    sales.append("sales", rows(6), by="ann", branch="trial")
    with pytest.raises(WrongState, match="moved on"):
        sales.publish("sales", "trial")
    sales.unbranch("sales", "trial")
    with pytest.raises(NotFound, match="trial"):
        sales.append("sales", rows(6), by="ann", branch="trial")


def test_rollback_goes_back_and_forth(sales: Lake) -> None:
    sales.append("sales", rows(4), by="ann")
    assert sales.rollback("sales", "2", reason="wrong prices").number == 2
    assert ids(sales, "sales") == [1, 2, 3]
    assert sales.dataset("sales").number == 2
    assert sales.rollback("sales", "3").number == 3
    assert ids(sales, "sales") == [1, 2, 3, 4]


def test_columns_are_added_widened_renamed_and_dropped(sales: Lake) -> None:
    wider = pa.table({"id": [4], "y": pa.array([1], pa.int32())})
    with pytest.raises(SchemaMismatch, match="new column y"):
        sales.append("sales", wider, by="ann", evolve="refuse")
    sales.append("sales", wider, by="ann")
    sales.append("sales", pa.table({"id": [5], "y": [1 << 40]}), by="ann")
    assert {each.name: each.type for each in sales.dataset("sales").columns}["y"] == "long"

    wrong = pa.table({"id": ["six"]})
    with pytest.raises(SchemaMismatch, match="id"):
        sales.append("sales", wrong, by="ann")
    assert ids(sales, "sales") == [1, 2, 3, 4, 5]

    sales.evolve("sales", rename={"x": "price"}, drop=["s"], add={"note": pa.string()})
    assert sales.schema("sales").names == ["id", "price", "y", "note"]
    assert sales.schema("sales", at="2").names == ["id", "x", "s"]
    assert sales.read("sales", columns=["price"], where="id = 2").read_all().to_pylist() == [
        {"price": 0.2}
    ]


def test_changes_are_what_was_appended_between(sales: Lake) -> None:
    since = sales.resolve("sales")
    assert sales.changes("sales", since).read_all().num_rows == 0  # type: ignore[union-attr]
    sales.append("sales", rows(4), by="ann")
    sales.append("sales", rows(5), by="ann")
    reader = sales.changes("sales", since)
    assert reader is not None
    assert sorted(reader.read_all().column("id").to_pylist()) == [4, 5]
    until = sales.changes("sales", since, "3")
    assert until is not None and until.read_all().column("id").to_pylist() == [4]

    sales.delete("sales", "id = 1", by="ann")
    assert sales.changes("sales", since) is None
    assert sales.changes("sales", None) is None
    assert sales.changes("sales", "12345678901234567") is None


def test_compaction_changes_no_row_and_is_skipped_by_readers_of_changes(sales: Lake) -> None:
    since = sales.resolve("sales")
    for each in range(4, 10):
        sales.append("sales", rows(each), by="ann")
    before = ids(sales, "sales")

    done = sales.compact("sales", least=2)

    assert (done.files_before, done.files_after) == (7, 1)
    assert ids(sales, "sales") == before
    newest = sales.snapshots("sales")[0]
    assert (newest.operation, newest.files, newest.rows) == ("compact", 1, 9)
    reader = sales.changes("sales", since)
    assert reader is not None
    assert sorted(reader.read_all().column("id").to_pylist()) == [4, 5, 6, 7, 8, 9]


def test_expiry_keeps_what_has_a_name(sales: Lake) -> None:
    sales.tag("sales", "gold", at="2")
    for each in range(4, 9):
        sales.append("sales", rows(each), by="ann")

    plan = sales.expire("sales", keep=2, dry_run=True)
    done = sales.expire("sales", keep=2)

    assert plan.numbers == done.numbers == (1, 3, 4, 5)
    assert [(each.number, each.reason) for each in done.kept] == [(2, "tag gold")]
    assert [each.number for each in sales.snapshots("sales")] == [7, 6, 2]
    assert ids(sales, "sales", at="gold") == [1, 2, 3]
    with pytest.raises(SnapshotExpired, match="4"):
        sales.read("sales", at="4")
    assert ids(sales, "sales") == [1, 2, 3, 4, 5, 6, 7, 8]


def test_files_of_expired_versions_can_be_deleted_at_once(sales: Lake) -> None:
    sales.overwrite("sales", rows(4, 5), by="ann")

    done = sales.expire("sales", keep=1, delete_files=True)

    assert done.files > 0 and done.bytes > 0
    assert ids(sales, "sales") == [4, 5]


def test_a_sweep_deletes_only_what_is_old_and_was_seen_before(sales: Lake) -> None:
    sales.overwrite("sales", rows(4), by="ann")
    sales.expire("sales", keep=1)
    assert sales.sweep("sales").files == 0  # everything is younger than a day
    first = sales.sweep("sales", older_than_hours=-1)
    assert (first.files, first.waiting > 0) == (0, True)
    second = sales.sweep("sales", older_than_hours=-1, grace=0)
    assert second.files == first.waiting
    assert ids(sales, "sales") == [4]
    assert sales.sweep("sales", older_than_hours=-1, grace=0).files == 0


def test_a_dropped_dataset_can_come_back_or_be_made_anew(sales: Lake) -> None:
    sales.drop("sales")
    with pytest.raises(NotFound):
        sales.read("sales")
    with pytest.raises(NotFound):
        sales.dataset("sales")
    assert sales.undrop("sales").rows == 3
    assert ids(sales, "sales") == [1, 2, 3]

    sales.drop("sales", purge=True)
    with pytest.raises(NotFound, match="deleted"):
        sales.undrop("sales")
    sales.create("sales", rows(1).schema, owner="bob")
    sales.append("sales", rows(1), by="bob")
    assert ids(sales, "sales") == [1]
    assert sales.dataset("sales").owner == "bob"


def test_partitions_split_files_and_keep_rows(any_lake: Lake) -> None:
    day = datetime(2026, 1, 1)
    table = pa.table({"id": [1, 2, 3], "at": [day, day, day.replace(day=2)]})
    any_lake.create("events", table.schema, owner="ann", partition=["day(at)", "bucket(2, id)"])

    found = any_lake.append("events", table.to_reader(), by="ann")

    assert found.files == 3 or found.files == 2
    assert ids(any_lake, "events", where="at >= '2026-01-02T00:00:00'") == [3]


def test_threads_append_at_once_and_lose_nothing(sales: Lake) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(
            pool.map(lambda each: sales.append("sales", rows(each), by="ann"), range(10, 26))
        )

    assert ids(sales, "sales") == [1, 2, 3, *range(10, 26)]
    assert len({each.number for each in done}) == 16


def test_what_is_not_there_is_told(sales: Lake) -> None:
    with pytest.raises(NotFound, match="nope"):
        sales.read("nope")
    with pytest.raises(NotFound, match="v9"):
        sales.read("sales", at="v9")
    with pytest.raises(NotFound, match="99"):
        sales.read("sales", at="#99")
    with pytest.raises(BadInput, match="'idd'") as caught:
        sales.read("sales", columns=["idd"])
    assert caught.value.hint == "did you mean id?"
