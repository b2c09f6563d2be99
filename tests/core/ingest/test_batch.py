"""Files into a dataset: new ones only, each once, all or nothing."""

from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.domain.ingest import FileState, IngestState
from core.errors import BadInput, NotFound, OpsdeckError, ReadOnly, WrongState
from core.ingest.errors import BadRows, SchemaDiffers, SourceUnreadable
from core.ops import Ops, open_ops
from tests.core.ingest.conftest import ROWS, RowsOf


def test_files_come_in_once(ops: Ops, files: Path, rows_of: RowsOf) -> None:
    first = ops.ingest.ingest("bike", [str(files)], create=True)
    assert (first.rows, first.creates, first.read) == (28, True, 1)
    (files / "more.csv").write_text("ts,temp,cnt\n2012-01-01T00:00:00,1,2\n")
    second = ops.ingest.ingest("bike", [str(files / "*.csv")])
    assert {Path(one.uri).name: one.state for one in second.files} == {
        "good.csv": FileState.KNOWN,
        "more.csv": FileState.NEW,
    }
    assert second.ingest is not None and second.ingest.snapshot_id
    third = ops.ingest.ingest("bike", [str(files)])
    assert third.read == 0 and third.ingest is None
    assert len(rows_of("bike")) == 29
    done = ops.ingest.list(dataset="bike")
    assert [one.state for one in done] == [IngestState.DONE, IngestState.DONE]
    assert [one.rows for one in done] == [1, 28]


def test_a_touched_file_is_known_and_a_changed_one_is_told(ops: Ops, files: Path) -> None:
    path = files / "good.csv"
    ops.ingest.ingest("bike", [str(path)], create=True)
    os.utime(path, (1, 1))
    assert ops.ingest.ingest("bike", [str(path)]).files[0].state is FileState.KNOWN
    path.write_text(ROWS + "2012-01-01T00:00:00,1,2\n")
    report = ops.ingest.ingest("bike", [str(path)])
    assert report.files[0].state is FileState.CHANGED
    assert "changed" in report.files[0].note and report.read == 0
    again = ops.ingest.ingest("bike", [str(path)], again=True)
    assert again.files[0].state is FileState.AGAIN and again.rows == 29
    assert ops.ingest.ingest("bike", [str(path)]).files[0].state is FileState.KNOWN


def test_a_copy_is_told_and_left_out(ops: Ops, files: Path, rows_of: RowsOf) -> None:
    (files / "copy.csv").write_text(ROWS)
    report = ops.ingest.ingest("bike", [str(files)], create=True)
    assert sorted(one.state for one in report.files) == [FileState.NEW, FileState.SAME]
    assert len(rows_of("bike")) == 28


def test_an_empty_file_may_be_filled_later(ops: Ops, files: Path) -> None:
    ops.ingest.ingest("bike", [str(files)], create=True)
    path = files / "next.csv"
    path.write_text("ts,temp,cnt\n")
    assert ops.ingest.ingest("bike", [str(path)]).rows == 0
    path.write_text("ts,temp,cnt\n2012-01-01T00:00:00,1,2\n")
    assert ops.ingest.ingest("bike", [str(path)]).rows == 1


def test_a_dry_run_tells_and_keeps_nothing(ops: Ops, files: Path) -> None:
    report = ops.ingest.ingest("bike", [str(files)], create=True, dry_run=True)
    assert report.rows == 28 and report.creates and report.ingest is None
    assert [(c.name, c.type) for c in report.columns] == [
        ("ts", "timestamp"),
        ("temp", "double"),
        ("cnt", "long"),
    ]
    assert report.preview[0] == {"ts": "2011-01-01T00:00:00", "temp": "0.1", "cnt": "1"}
    assert ops.ingest.list() == () and ops.data.list() == ()


def test_a_dataset_that_is_not_there_needs_create(ops: Ops, files: Path) -> None:
    with pytest.raises(NotFound, match="no such dataset"):
        ops.ingest.ingest("bike", [str(files)])


@pytest.mark.parametrize("name", ["../x", "a/b", "Bike", "", "a" * 64, "a b", "x;drop"])
def test_names_with_tricks_are_refused(ops: Ops, files: Path, name: str) -> None:
    with pytest.raises(BadInput, match="not allowed"):
        ops.ingest.ingest(name, [str(files)], create=True)


def test_overwrite_replaces_and_upsert_merges(ops: Ops, files: Path, rows_of: RowsOf) -> None:
    ops.ingest.ingest("bike", [str(files)], create=True)
    part = files / "part.csv"
    part.write_text("ts,temp,cnt\n2011-01-01T00:00:00,9,900\n2012-01-01T00:00:00,1,2\n")
    ops.ingest.ingest("bike", [str(part)], mode="upsert", keys=["ts"])
    found = {row["ts"].isoformat(): row["cnt"] for row in rows_of("bike")}
    assert len(found) == 29 and found["2011-01-01T00:00:00"] == 900
    ops.ingest.ingest("bike", [str(part)], mode="overwrite")
    assert len(rows_of("bike")) == 2
    report = ops.ingest.ingest("bike", [str(files / "good.csv")])
    assert report.rows == 28  # what was replaced is not in the dataset any more


def test_columns_of_folders(ops: Ops, tmp_path: Path, rows_of: RowsOf) -> None:
    for year in ("2011", "2012"):
        folder = tmp_path / "parts" / f"year={year}" / "city=Bern%20West"
        folder.mkdir(parents=True)
        (folder / "rows.csv").write_text(f"v\n{year[-1]}\n")
    ops.ingest.ingest("parts", [str(tmp_path / "parts")], create=True)
    assert sorted((r["v"], r["year"], r["city"]) for r in rows_of("parts")) == [
        (1, 2011, "Bern West"),
        (2, 2012, "Bern West"),
    ]


def test_one_fault_and_nothing_comes_in(ops: Ops, files: Path) -> None:
    (files / "later.csv").write_text(ROWS + "2011-02-01T00:00:00,0.1\n")
    with pytest.raises(BadRows, match=r"later\.csv:30: 2 fields where the first line names 3"):
        ops.ingest.ingest("bike", [str(files)], create=True)
    assert ops.data.list() == ()
    assert not list((ops.workspace.state_dir / "ingest").glob("*"))
    (files / "later.csv").unlink()
    assert ops.ingest.ingest("bike", [str(files)], create=True).rows == 28


def test_a_bad_value_names_file_line_and_column(ops: Ops, files: Path) -> None:
    ops.ingest.ingest("bike", [str(files)], create=True)
    path = files / "bad.csv"
    path.write_text("ts,temp,cnt\n2012-01-01T00:00:00,1,2\n2012-01-02T00:00:00,warm,x\n")
    with pytest.raises(BadRows, match=r"bad\.csv:3: column cnt: 'x' is no long"):
        ops.ingest.ingest("bike", [str(path)])
    state = ops.ingest.list()[0]
    assert state.state == IngestState.FAILED and "bad.csv:3" in state.message


def test_bad_rows_can_be_kept_aside(ops: Ops, files: Path, rows_of: RowsOf) -> None:
    ops.ingest.ingest("bike", [str(files)], create=True)
    path = files / "bad.csv"
    path.write_bytes(
        b'ts,temp,cnt\n2012-01-01T00:00:00,1,2\n"2012-01-02\nT00",1,2\n2012-01-03T00:00:00,1\n'
        b"caf\xe9,1,2\n2012-01-04T00:00:00,1,2\n2012-02-30T00:00:00,1,2\n"
    )
    report = ops.ingest.ingest("bike", [str(path)], on_error="quarantine")
    assert report.rows == 2 and report.bad_rows == 4
    assert [one.line for one in report.bad] == [3, 5, 6, 8]
    kept = next((ops.workspace.state_dir / "quarantine" / "bike").glob("*.rejected.jsonl"))
    assert kept.stat().st_mode & 0o077 == 0
    assert "2 fields" in kept.read_text() and "0xe9" in kept.read_text()
    assert len(rows_of("bike")) == 30


def test_the_schema_has_to_fit(ops: Ops, files: Path, rows_of: RowsOf) -> None:
    ops.ingest.ingest("bike", [str(files)], create=True)

    def take(text: str, **options: object) -> None:
        path = files / "other.csv"
        path.write_text(text)
        ops.ingest.ingest("bike", [str(path)], again=True, **options)  # type: ignore[arg-type]

    with pytest.raises(SchemaDiffers, match="temp seems to be called temprature") as told:
        take("ts,temprature,cnt\n2012-01-01T00:00:00,1,2\n")
    assert "--rename temprature=temp" in told.value.hint
    take("ts,temprature,cnt\n2012-01-01T00:00:00,7,2\n", rename=["temprature=temp"])
    with pytest.raises(SchemaDiffers, match="new column wind") as told:
        take("ts,temp,cnt,wind\n2012-01-02T00:00:00,1,2,3\n")
    assert "--evolve" in told.value.hint
    take("ts,temp,cnt,wind\n2012-01-02T00:00:00,1,2,3\n", evolve=True)
    with pytest.raises(SchemaDiffers, match=r"column temp .*is missing") as told:
        take("ts,cnt,wind\n2012-01-03T00:00:00,2,3\n")
    take("ts,cnt,wind\n2012-01-03T00:00:00,2,3\n", fill_missing=True)
    assert [row["temp"] for row in rows_of("bike")][-3:] != [] and len(rows_of("bike")) == 31


def test_a_parquet_of_another_schema(ops: Ops, files: Path) -> None:
    ops.ingest.ingest("bike", [str(files / "good.csv")], create=True)
    pq.write_table(pa.table({"ts": ["x"], "temp": ["hot"], "cnt": [1]}), files / "other.parquet")
    with pytest.raises(SchemaDiffers, match="column ts: timestamp became string"):
        ops.ingest.ingest("bike", [str(files / "other.parquet")])
    pq.write_table(
        pa.table(
            {
                "ts": ["01.02.2012 03:00"],
                "temp": pa.array([1.5], pa.float32()),
                "cnt": pa.array(["7"]).dictionary_encode().cast(pa.string()).cast(pa.int16()),
            }
        ),
        files / "narrow.parquet",
    )
    report = ops.ingest.ingest(
        "bike", [str(files / "narrow.parquet")], timestamps=["ts=%d.%m.%Y %H:%M"]
    )
    assert report.rows == 1


def test_files_that_disagree(ops: Ops, files: Path) -> None:
    (files / "other.csv").write_text("ts,temp,cnt\n2012-01-01T00:00:00,warm,2\n")
    with pytest.raises(SchemaDiffers, match=r"temp is double in .*good\.csv and string in"):
        ops.ingest.ingest("bike", [str(files)], create=True)
    report = ops.ingest.ingest("bike", [str(files)], create=True, types=["temp=string"])
    assert report.rows == 29


def test_several_formats_at_once(ops: Ops, tmp_path: Path) -> None:
    folder = tmp_path / "several"
    folder.mkdir()
    (folder / "a.csv").write_text("v,w\n1,x\n")
    (folder / "b.jsonl").write_text('{"v": 2.5, "w": "y"}\n{"w": {"deep": [1]}, "v": null}\n')
    pq.write_table(pa.table({"v": [3.0], "w": ["z"]}), folder / "c.parquet")
    with gzip.open(folder / "d.csv.gz", "wt") as stream:
        stream.write("w;v\nq;4\n")
    report = ops.ingest.ingest("several", [str(folder)], create=True, types=["w=string"])
    assert report.rows == 5


def test_read_only_may_look(ops: Ops, root: Path, files: Path) -> None:
    ops.data.list()
    with open_ops(root, actor="reader", read_only=True) as reader:
        with pytest.raises(ReadOnly):
            reader.ingest.ingest("bike", [str(files)], create=True)
        assert reader.ingest.ingest("bike", [str(files)], create=True, dry_run=True).rows == 28


def test_a_folder_that_cannot_be_read_is_no_empty_one(
    ops: Ops, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (files / "locked").mkdir()
    listed = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("locked"):  # root, who runs some of these tests, may read all
            raise PermissionError(13, "Permission denied", path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(SourceUnreadable, match="locked: Permission denied"):
        ops.ingest.ingest("bike", [f"{files}/**/*.csv"], create=True)
    assert ops.ingest.ingest("bike", [f"{files}/*.csv"], create=True).rows == 28


@pytest.mark.parametrize(
    ("froms", "said"),
    [
        (["nosuch.csv"], "No such file"),
        (["*.nothing"], "nothing is like that"),
        (["/dev/zero"], "neither a file nor a folder"),
        (["ftp://host/x.csv"], "read from this host or s3"),
        (["s3://"], "no bucket"),
        (["a\0b"], "no file's name"),
        (["sqlite:///x.db"], "needs a query"),
    ],
)
def test_sources_that_are_none(ops: Ops, files: Path, froms: list[str], said: str) -> None:
    with pytest.raises(OpsdeckError, match=said):
        ops.ingest.ingest("bike", froms, create=True, base=files)


def test_two_at_once_take_each_file_once(
    ops: Ops, root: Path, tmp_path: Path, rows_of: RowsOf
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.csv").write_text(f"v\n{number}\n")
    ops.ingest.ingest("many", [str(folder / "0.csv")], create=True)
    refused: list[str] = []

    def take(actor: str) -> None:
        with open_ops(root, actor=actor) as mine:
            for number in range(1, 12):
                try:
                    mine.ingest.ingest("many", [str(folder / f"{number}.csv")])
                except WrongState as error:
                    refused.append(error.message)

    threads = [threading.Thread(target=take, args=(f"p{index}",)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(row["v"] for row in rows_of("many")) == list(range(12))
    assert all("another process is taking it in" in message for message in refused)


def test_where_it_came_from_is_known(ops: Ops, files: Path) -> None:
    report = ops.ingest.ingest("bike", [str(files)], create=True)
    assert report.ingest is not None
    rows = ops.session.reader.rows("SELECT * FROM lineage_edges WHERE target = 'bike'")
    assert {row["source"] for row in rows} == {str(files)}
    assert {row["target_column"] for row in rows} == {"", "ts", "temp", "cnt"}
    assert {row["snapshot_id"] for row in rows} == {report.ingest.snapshot_id}
    journal = [entry.action for entry in ops.audit.list(limit=20)]
    assert "ingest.done" in journal


def test_what_is_governed_is_not_written_by_others(ops: Ops, root: Path, files: Path) -> None:
    ops.ingest.ingest("bike", [str(files)], create=True)
    ops.governance.grant("bike", "reader")
    (files / "next.csv").write_text("ts,temp,cnt\n2012-01-01T00:00:00,1,2\n")
    with open_ops(root, actor="reader") as reader, pytest.raises(OpsdeckError, match="may not"):
        reader.ingest.ingest("bike", [str(files)])
    assert ops.ingest.ingest("bike", [str(files)]).rows == 1


def test_a_views_rows_are_not_taken_in(ops: Ops, files: Path) -> None:
    import pyarrow as pa

    ops.data.lake.create("hours", pa.schema([("v", pa.int64())]), owner="author", kind="view")
    with pytest.raises(WrongState, match="nothing can be taken into it"):
        ops.ingest.ingest("hours", [str(files)])
    with pytest.raises(WrongState, match="nothing can be taken into it"):
        ops.intakes.serve("door", "hours")


def test_on_postgresql(tmp_path: Path, files: Path, postgres_url: str) -> None:
    import io

    folder = tmp_path / "team"
    folder.mkdir()
    (folder / "opsdeck.yaml").write_text(f"name: team\ndatabase: {postgres_url}\n")
    with open_ops(folder, actor="author") as ops:
        assert ops.ingest.ingest("bike", [str(files)], create=True).rows == 28
        assert ops.ingest.ingest("bike", [str(files)]).read == 0
        row = b'{"ts": "2012-01-01T00:00:00", "cnt": 1}\n'
        assert ops.intakes.read("door", io.BytesIO(row * 3), "bike").flushed
        (found,) = ops.crawls.crawl(str(files), name="bike")
        assert found.state == "unchanged"
        assert [one.rows for one in ops.ingest.list()] == [3, 28]
        assert ops.intakes.list()[0].dataset == "bike"
        assert ops.data.get("bike").rows == 31
