"""Names with path tricks, settings that are wrong, a full disk, files that are damaged."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from core.errors import BadInput, ConfigInvalid, DiskFull, NotFound, ReadOnly
from core.lake.errors import LakeCorrupt, LakeUnavailable, SchemaMismatch
from core.lake.lake import Lake
from core.ops import Ops
from tests.core.lake.conftest import OpenSpace, ids, rows


@pytest.mark.parametrize(
    "name",
    ["../up", "/etc/passwd", "a/b", "A", "", "1a", "a-b", "a.b", "a" * 64, "a\n", "ü", "a\0"],
)
def test_names_that_could_be_paths_are_refused(lake: Lake, name: str) -> None:
    for call in (
        lambda: lake.create(name, rows(1).schema, owner="a"),
        lambda: lake.append(name, rows(1), by="a"),
        lambda: lake.read(name),
        lambda: lake.sweep(name),
    ):
        with pytest.raises(BadInput, match="dataset name"):
            call()


@pytest.mark.parametrize("tag", ["../x", "a/b", "12", "#3", "", "a..b", "2026-01-01", "x" * 64])
def test_tags_that_could_be_something_else_are_refused(lake: Lake, tag: str) -> None:
    lake.create("sales", rows(1).schema, owner="a")
    with pytest.raises(BadInput, match="tag or branch"):
        lake.tag("sales", tag)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"warehose": "x"}, "lake.warehose"),
        ({"catalog": "hive"}, "lake.catalog"),
        ({"catalog": "glue"}, "lake.warehouse"),
        ({"warehouse": "ftp://x"}, "lake.warehouse"),
        ({"uri": "mysql://x"}, "lake.uri"),
        ({"keep": {"snapshots": "many"}}, "lake.keep.snapshots"),
        ({"keep": {"snapshots": 0}}, "lake.keep.snapshots"),
        ({"keep": {"snaps": 3}}, "lake.keep.snaps"),
        ({"encryption": {"key": "x"}}, "lake.encryption.key"),
        ({"encryption": {"kms_key": "arn"}}, "lake.encryption.kms_key"),
        ({"encryption": "x"}, "lake.encryption"),
    ],
)
def test_settings_that_are_wrong_name_the_key(
    open_space: OpenSpace, section: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigInvalid, match=words):
        open_space(section).data.lake.read("sales")


def test_types_without_a_place_in_the_lake_are_told_and_others_converted(lake: Lake) -> None:
    with pytest.raises(BadInput, match="'u'"):
        lake.create("t", pa.schema([("u", pa.month_day_nano_interval())]), owner="a")
    with pytest.raises(BadInput, match="the same name"):
        lake.create("t", pa.schema([("a", pa.int64()), ("A", pa.int64())]), owner="a")
    with pytest.raises(BadInput, match="no columns"):
        lake.create("t", pa.schema([]), owner="a")
    table = pa.table(
        {
            "small": pa.array([1], pa.uint8()),
            "huge": pa.array([2**63], pa.uint64()),
            "word": pa.array(["x"]).dictionary_encode(),
            "nanos": pa.array([1_700_000_000_000_000_001], pa.timestamp("ns")),
            "zone": pa.array([0], pa.timestamp("s", "Europe/Berlin")),
            "nothing": pa.nulls(1),
            "list": pa.array([[1, 2]]),
            "struct": pa.array([{"a": 1, "b": "x"}]),
            "dot.ted name": [1],
        }
    )
    lake.create("t", table.schema, owner="a")
    lake.append("t", table, by="a")
    row = lake.read("t").read_all().to_pylist()[0]
    assert (row["small"], row["huge"], row["word"], row["nothing"]) == (1, 2**63, "x", None)
    assert (row["list"], row["struct"], row["dot.ted name"]) == ([1, 2], {"a": 1, "b": "x"}, 1)
    assert row["nanos"].year == 2023 and row["zone"].year == 1970
    assert lake.read("t", columns=["dot.ted name"]).read_all().num_columns == 1


def test_rows_that_lack_what_they_must_have_are_refused_whole(lake: Lake) -> None:
    schema = pa.schema([pa.field("id", pa.int64(), nullable=False), ("x", pa.float64())])
    lake.create("t", schema, owner="a")
    with pytest.raises(SchemaMismatch, match="'id'"):
        lake.append("t", pa.table({"x": [0.5]}), by="a")
    with pytest.raises(SchemaMismatch, match="missing values"):
        lake.append("t", pa.table({"id": [1, None], "x": [0.1, 0.2]}), by="a")
    assert lake.dataset("t").rows == 0
    lake.append("t", pa.table({"x": [0.5]}), by="a", evolve="any")
    assert lake.read("t").read_all().to_pylist() == [{"id": None, "x": 0.5}]


def test_a_stream_that_breaks_commits_nothing(lake: Lake, ops: Ops) -> None:
    lake.create("sales", rows(1).schema, owner="a")

    def broken() -> Iterator[pa.RecordBatch]:
        yield from rows(1, 2).to_batches()
        raise RuntimeError("the source went away")

    reader = pa.RecordBatchReader.from_batches(rows(1).schema, broken())
    with pytest.raises(RuntimeError, match="went away"):
        lake.append("sales", reader, by="a")
    assert lake.dataset("sales").number == 1
    assert ids(lake, "sales") == []


def test_an_upsert_needs_keys_that_tell_rows_apart(lake: Lake) -> None:
    lake.create("sales", rows(1).schema, owner="a")
    lake.append("sales", rows(1, 2), by="a")
    with pytest.raises(BadInput, match="keys"):
        lake.upsert("sales", rows(1), keys=[], by="a")
    with pytest.raises(BadInput, match="'nope'"):
        lake.upsert("sales", rows(1), keys=["nope"], by="a")
    with pytest.raises(BadInput, match="missing values"):
        lake.upsert("sales", pa.table({"id": [None, 1]}), keys=["id"], by="a")
    twice = pa.table({"id": [1, 1], "x": [0.7, 0.8], "s": ["old", "new"]})
    lake.upsert("sales", twice, keys=["id"], by="a")
    found = lake.read("sales", where="id = 1").read_all().to_pylist()
    assert found == [{"id": 1, "x": 0.8, "s": "new"}]


def test_a_read_only_session_changes_nothing(open_space: OpenSpace) -> None:
    lake = open_space().data.lake
    lake.create("sales", rows(1).schema, owner="a")
    reading = open_space(read_only=True)
    for call in (
        lambda: reading.data.lake.append("sales", rows(1), by="a"),
        lambda: reading.data.tag("sales", "v1"),
        lambda: reading.data.rollback("sales", "1"),
        lambda: reading.data.expire("sales", keep=1),
        lambda: reading.data.drop("sales"),
        lambda: reading.data.lake.delete("sales", "id = 1", by="a"),
    ):
        with pytest.raises(ReadOnly):
            call()
    assert reading.data.lake.read("sales").read_all().num_rows == 0


def test_a_full_disk_is_told_and_nothing_is_half_written(lake: Lake) -> None:
    lake.create("sales", rows(1).schema, owner="a")
    lake.append("sales", rows(1), by="a")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    big = pa.table({"id": range(200_000), "x": [i * 0.37 for i in range(200_000)]})
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(DiskFull):
            lake.append("sales", big, by="a")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)
    assert ids(lake, "sales") == [1]
    lake.append("sales", rows(2), by="a")
    assert ids(lake, "sales") == [1, 2]


def test_a_damaged_catalogue_and_damaged_metadata_are_told(open_space: OpenSpace) -> None:
    ops = open_space()
    ops.data.lake.create("sales", rows(1).schema, owner="a")
    ops.data.lake.close()
    metadata = next((ops.workspace.state_dir / "lake" / "warehouse").rglob("*.metadata.json"))
    kept = metadata.read_bytes()
    metadata.write_bytes(b"{ half")
    with pytest.raises(LakeCorrupt, match="damaged"):
        open_space().data.lake.read("sales")
    metadata.unlink()
    with pytest.raises(LakeCorrupt, match="missing"):
        open_space().data.lake.read("sales")
    metadata.write_bytes(kept)
    open_space().data.lake.read("sales")

    catalog = ops.workspace.state_dir / "lake" / "catalog.db"
    for each in catalog.parent.glob("catalog.db-*"):
        each.unlink()
    catalog.write_bytes(b"no database at all" * 500)
    with pytest.raises(LakeCorrupt, match="catalogue"):
        open_space().data.lake.read("sales")
    assert open_space().data.get("sales").name == "sales"  # the mirror still lists it


def test_a_warehouse_that_cannot_be_is_told(open_space: OpenSpace, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for place in (str(tmp_path / "file"), str(tmp_path / "file" / "lake"), "/proc/lake"):
        with pytest.raises(LakeUnavailable):
            open_space({"warehouse": place}).data.lake.create("t", rows(1).schema, owner="a")


def test_a_database_that_is_not_there_is_told(open_space: OpenSpace) -> None:
    lake = open_space({"uri": "postgresql://nobody@127.0.0.1:1/none"}).data.lake
    with pytest.raises(LakeUnavailable, match="catalogue") as caught:
        lake.read("sales")
    assert "\n" not in caught.value.one_line()


def test_what_was_never_there_is_not_kept_up(ops: Ops) -> None:
    with pytest.raises(NotFound):
        ops.data.keep_up("nope")


def test_a_type_that_cannot_hold_the_old_values_replaces_its_column_when_told_to(
    lake: Lake,
) -> None:
    lake.create("sales", rows(1).schema, owner="a")
    lake.append("sales", rows(1), by="a")
    words = pa.table({"id": ["two"], "x": [0.2]})
    with pytest.raises(SchemaMismatch, match="'id'"):
        lake.append("sales", words, by="a")
    lake.append("sales", words, by="a", evolve="any")
    found = lake.read("sales", columns=["x", "id"]).read_all().sort_by("x").to_pylist()
    assert found == [{"x": 0.1, "id": None}, {"x": 0.2, "id": "two"}]
    assert lake.read("sales", at="2", columns=["id"]).read_all().to_pylist() == [{"id": 1}]
    with pytest.raises(BadInput):
        lake.evolve("sales", widen={"x": pa.int32()})


@pytest.mark.parametrize(
    ("where", "hint"), [("nope > 1", "nope"), ("id >", "id >"), ("id = 'x", "id"), ("s > 1", "s")]
)
def test_bad_conditions_are_told(lake: Lake, where: str, hint: str) -> None:
    lake.create("sales", rows(1).schema, owner="a")
    with pytest.raises(BadInput, match=hint):
        lake.read("sales", where=where).read_all()
