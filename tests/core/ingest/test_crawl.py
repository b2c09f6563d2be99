"""Crawlers: what they find, what they propose, and what they ask about."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.domain.ingest import CrawlState
from core.errors import BadInput, ReadOnly, WrongState
from core.ingest.errors import BreakingChange, SourceUnreadable
from core.ingest.tables import dataset_name
from core.ops import Ops, open_ops
from tests.core.ingest.conftest import ROWS, RowsOf


@pytest.fixture
def land(tmp_path: Path) -> Path:
    """A folder with three tables, one of them in partitions, and things that are none."""
    root = tmp_path / "land"
    for name in ("rentals", "mixed", "events/day=2011-01-01", "events/day=2011-01-02", ".git"):
        (root / name).mkdir(parents=True)
    (root / "rentals" / "rentals-2011-01.csv").write_text(ROWS)
    (root / "rentals" / "rentals-2011-02.csv").write_text("ts,temp,cnt\n2011-02-01T00:00:00,1,2\n")
    (root / "events/day=2011-01-01" / "e.jsonl").write_text('{"id": 1}\n')
    (root / "events/day=2011-01-02" / "e.jsonl").write_text('{"id": 2, "k": "x"}\n')
    (root / "mixed" / "codes.csv").write_text("code,name\n01,x\n")
    (root / "mixed" / "stops 2.csv").write_text("stop,lat,lon\na,1.5,2.5\n")
    (root / "mixed" / "cut.csv").write_text("")
    (root / "mixed" / "readme.md").write_text("hello")
    (root / ".git" / "x.csv").write_text("a\n1\n")
    return root


def test_tables_are_found_and_made(ops: Ops, land: Path, rows_of: RowsOf) -> None:
    found = {one.dataset: one for one in ops.crawls.crawl(str(land))}
    assert sorted(found) == ["codes", "events", "rentals", "stops"]
    assert all(one.state is CrawlState.PROPOSED for one in found.values())
    assert ops.data.list() == ()
    types = {one["name"]: one["type"] for one in found["events"].found["columns"]}
    assert types == {"id": "long", "k": "string", "day": "date"}
    assert found["codes"].found["broken"][0]["uri"].endswith("cut.csv")
    assert {one.id for one in ops.crawls.list()} == {one.id for one in found.values()}
    for one in found.values():
        ops.crawls.accept(one.id)
    assert [each.name for each in ops.data.list()] == sorted(found)
    report = ops.crawls.ingest(found["events"].id)
    assert report.rows == 2
    assert sorted((r["id"], r["day"].isoformat()) for r in rows_of("events")) == [
        (1, "2011-01-01"),
        (2, "2011-01-02"),
    ]
    assert ops.crawls.ingest(found["events"].id).read == 0
    assert ops.crawls.ingest(found["rentals"].id).rows == 29
    again = ops.crawls.crawl(str(land))
    assert all(one.state is CrawlState.UNCHANGED for one in again)


def test_a_safe_change_and_one_that_breaks(ops: Ops, land: Path) -> None:
    for one in ops.crawls.crawl(str(land / "rentals")):
        ops.crawls.accept(one.id)
    new = land / "rentals" / "rentals-2011-03.csv"
    new.write_text("ts,temp,cnt,wind\n2011-03-01T00:00:00,1,2,3\n")
    (found,) = ops.crawls.crawl(str(land / "rentals"))
    assert not found.breaking and found.changes[0].text == "new column wind (long)"
    ops.crawls.accept(found.id)
    assert [column.name for column in ops.data.get("rentals").columns][-1] == "wind"
    for path in (land / "rentals").iterdir():
        path.write_text("ts,temprature,cnt,wind\n2011-03-01T00:00:00,1,2,3\n")
    (found,) = ops.crawls.crawl(str(land / "rentals"))
    assert found.breaking
    assert found.changes[0].text == "column temp seems to be called temprature now"
    with pytest.raises(BreakingChange, match="can break who reads it"):
        ops.crawls.accept(found.id)
    ops.crawls.accept(found.id, breaking=True)
    assert "temprature" in [column.name for column in ops.data.get("rentals").columns]
    with pytest.raises(WrongState, match="accepted already"):
        ops.crawls.accept(found.id)


def test_what_was_rejected_is_not_proposed_again(ops: Ops, land: Path) -> None:
    (found,) = ops.crawls.crawl(str(land / "rentals"))
    ops.crawls.reject(found.id)
    (again,) = ops.crawls.crawl(str(land / "rentals"))
    assert again.id == found.id and again.state is CrawlState.REJECTED
    with pytest.raises(BadInput, match="rejected"):
        ops.crawls.ingest(found.id)
    (land / "rentals" / "rentals-2011-03.csv").write_text("ts,temp,cnt,w\n2011-03-01,1,2,3\n")
    (third,) = ops.crawls.crawl(str(land / "rentals"))
    assert third.state is CrawlState.PROPOSED


def test_a_column_of_another_type(ops: Ops, tmp_path: Path, rows_of: RowsOf) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    pq.write_table(pa.table({"a": [1], "b": ["x"]}), folder / "1.parquet")
    (found,) = ops.crawls.crawl(str(folder), name="parts")
    ops.crawls.accept(found.id)
    ops.crawls.ingest(found.id)
    pq.write_table(pa.table({"a": ["one"], "b": ["x"]}), folder / "1.parquet")
    (found,) = ops.crawls.crawl(str(folder), name="parts")
    assert found.breaking and found.changes[0].text == "column a: long became string"
    ops.crawls.accept(found.id, breaking=True)
    assert {column.name: column.type for column in ops.data.get("parts").columns}["a"] == "string"


def test_crawls_that_cannot_be(ops: Ops, root: Path, land: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"there are 4 tables"):
        ops.crawls.crawl(str(land), name="one")
    with pytest.raises(BadInput, match="not allowed") as told:
        ops.crawls.crawl(str(land / "rentals"), name="../Up")
    assert "--name up" in told.value.hint
    (tmp_path / "bare").mkdir()
    with pytest.raises(SourceUnreadable, match="no CSV, JSON Lines or Parquet"):
        ops.crawls.crawl(str(tmp_path / "bare"))
    with open_ops(root, actor="reader", read_only=True) as reader, pytest.raises(ReadOnly):
        reader.crawls.crawl(str(land))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Rentals 2011", "rentals_2011"),
        ("../../etc", "etc"),
        ("9lives", "t_9lives"),
        ("", "t"),
        ("été", "t"),
        ("x" * 99, "x" * 63),
    ],
)
def test_names_for_datasets(text: str, name: str) -> None:
    assert dataset_name(text) == name
