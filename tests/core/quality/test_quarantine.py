"""What can be done with a batch that was held back, and by whom."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from core.domain.alert import AlertState
from core.domain.quality import QuarantinedBatch, QuarantineState
from core.errors import BadInput, NotAllowed, NotFound, OpsdeckError, WrongState
from core.governance.errors import Refused
from core.lake import open_lake
from core.ops import Ops, open_ops
from core.quality import quarantining
from core.quality.errors import RepairInvalid, ValidationFailed
from core.quality.gate import gate
from tests.core.quality.conftest import rides

BAD = {"cnt": [20, -1, None, 3], "casual": [1, 0, 0, 5]}


def hold(ops: Ops, table: pa.Table | None = None, batch: str = "b1") -> QuarantinedBatch:
    verdict = gate(
        ops.session,
        "rides",
        table if table is not None else rides(4, 100, **BAD),
        batch_id=batch,
        by="author",
        message="from the depot",
    )
    assert verdict.quarantine_id is not None
    return ops.quality.held(verdict.quarantine_id)


def rows(ops: Ops) -> list[dict[str, Any]]:
    with open_lake(ops.session) as lake:
        return list(lake.read("rides").read_all().to_pylist())


def mend(path: Path, out: Path, **cells: dict[str, str]) -> Path:
    """The exported file with these cells of these rows (`r2`) changed."""
    with path.open(newline="") as file:
        found = list(csv.DictReader(file))
    for row in found:
        row.update(cells.get(f"r{row['_row']}", {}))
    with out.open("w", newline="") as file:
        writer = csv.DictWriter(file, found[0].keys())
        writer.writeheader()
        writer.writerows(found)
    return out


def test_a_batch_is_mended_and_replayed_as_it_was(ops: Ops, tmp_path: Path) -> None:
    held = hold(ops)
    assert [row.number for row in ops.quality.held_rows(held.id)] == [2, 3, 4]
    assert ops.quality.export_held(held.id, tmp_path / "bad.csv") == 3
    half = mend(tmp_path / "bad.csv", tmp_path / "half.csv", r2={"cnt": "7"}, r3={"_drop": "x"})
    still, changed, dropped = ops.quality.repair(held.id, half)
    assert (changed, dropped, still.bad_rows, still.rows) == (1, 1, 1, 3)
    assert still.state is QuarantineState.REPAIRED
    with pytest.raises(ValidationFailed, match="casual riders are riders"):
        ops.quality.replay(held.id)
    assert len(rows(ops)) == 50
    assert ops.quality.held(held.id).state is QuarantineState.REPAIRED
    ops.quality.export_held(held.id, tmp_path / "rest.csv")
    whole = mend(tmp_path / "rest.csv", tmp_path / "whole.csv", r3={"cnt": "30"})
    assert ops.quality.repair(held.id, whole)[0].bad_rows == 0
    done = ops.quality.replay(held.id)
    assert done.state is QuarantineState.REPLAYED and done.decided_by == "author"
    assert len(rows(ops)) == 53
    assert sorted(row["cnt"] for row in rows(ops) if row["ts"] >= "2012-01-01T100") == [7, 20, 30]
    snapshot = ops.data.snapshot("rides", str(done.snapshot_id))
    assert (snapshot.batch_id, snapshot.message) == ("b1", "from the depot")
    assert not (ops.workspace.root / held.path).exists()
    assert ops.alerts.list(state=None)[0].state is AlertState.RESOLVED
    with pytest.raises(WrongState):
        ops.quality.replay(held.id)


def test_a_replay_that_died_after_its_commit_is_not_a_second_one(
    ops: Ops, monkeypatch: pytest.MonkeyPatch, space: Path
) -> None:
    held = hold(ops)
    (space / "expectations" / "rides.yaml").write_text("columns: {cnt: }\n")

    with monkeypatch.context() as patched:
        commit = quarantining._commit

        def commits_and_dies(*args: Any) -> str:
            commit(*args)
            raise KeyboardInterrupt

        patched.setattr(quarantining, "_commit", commits_and_dies)
        patched.setattr(quarantining, "_give_up", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            ops.quality.replay(held.id)
    assert ops.quality.held(held.id).state is QuarantineState.REPLAYING
    assert len(rows(ops)) == 54
    with pytest.raises(WrongState):
        ops.quality.discard(held.id)
    assert ops.quality.replay(held.id).state is QuarantineState.REPLAYED
    assert len(rows(ops)) == 54


def test_a_batch_can_be_given_up(ops: Ops) -> None:
    held = hold(ops)
    done = ops.quality.discard(held.id, "the sensor was broken")
    assert (done.state, done.message) == (QuarantineState.DISCARDED, "the sensor was broken")
    assert not (ops.workspace.root / held.path).exists() and len(rows(ops)) == 50
    with pytest.raises(NotFound):
        ops.quality.held_rows(held.id)
    assert not ops.quality.quarantined() and len(ops.quality.quarantined(all_=True)) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", ":1: no column _row"),
        ("_row,nix\n2,1\n", ":1: the batch has no column nix"),
        ("_row,cnt\n99,1\n", ":2: _row '99': the batch has no such row"),
        ("_row,cnt\n2,1\n2,2\n", ":3: _row 2 is there twice"),
        ("_row,cnt\n2,many\n", ":2: column cnt: 'many' is no int64"),
        ("_row,cnt\n2,1,3\n", ":2: 3 cells, 2 columns"),
        ("_row,cnt\nx,1\n", ":2: _row 'x' is no number"),
        ("", ":1: no column _row"),
    ],
)
def test_a_repaired_file_that_cannot_be_used_is_refused(
    ops: Ops, tmp_path: Path, text: str, message: str
) -> None:
    held = hold(ops)
    (tmp_path / "mended.csv").write_text(text)
    with pytest.raises(RepairInvalid, match=message.replace("'", ".")):
        ops.quality.repair(held.id, tmp_path / "mended.csv")
    assert ops.quality.held(held.id).state is QuarantineState.HELD


def test_an_export_writes_over_nothing(ops: Ops, tmp_path: Path) -> None:
    held = hold(ops)
    (tmp_path / "bad.csv").write_text("mine")
    with pytest.raises(BadInput, match="exists already"):
        ops.quality.export_held(held.id, tmp_path / "bad.csv")


def test_cells_that_were_not_touched_keep_their_values(ops: Ops, tmp_path: Path) -> None:
    table = rides(3, 100, note=["", None, "a b"], cnt=[-1, -1, -1])
    held = hold(ops, table)
    ops.quality.export_held(held.id, tmp_path / "bad.csv")
    fixed = mend(tmp_path / "bad.csv", tmp_path / "fixed.csv", r1={"cnt": "9"})
    ops.quality.repair(held.id, fixed)
    kept = [row.values["note"] for row in ops.quality.held_rows(held.id, only_bad=False)]
    assert kept == ["", None, "a b"]


def test_what_is_masked_in_the_dataset_is_masked_in_quarantine(
    ops: Ops, space: Path, tmp_path: Path
) -> None:
    held = hold(ops, rides(4, 100, **BAD, email=["a@x", "b@x", "c@x", "d@x"]))
    ops.governance.grant("rides", "ann", masks={"cnt": "null"}, where="casual < 5")
    with open_ops(space, actor="ann") as other:
        shown = other.quality.held_rows(held.id)
        assert [row.number for row in shown] == [2, 3]  # the fourth is not hers to see
        assert all(row.values["cnt"] is None for row in shown)
        assert all("email" not in row.values for row in shown)
        with pytest.raises(NotAllowed):
            other.quality.export_held(held.id, tmp_path / "bad.csv")
        with pytest.raises(Refused):
            other.quality.replay(held.id)
        found = other.quality.validations("rides")[0]
        assert not [each for each in found.results if each.examples]
    with open_ops(space, actor="bob") as other, pytest.raises(OpsdeckError):
        other.quality.held_rows(held.id)


def test_the_first_batch_of_a_dataset_makes_it_when_replayed(ops: Ops, space: Path) -> None:
    (space / "expectations" / "docks.yaml").write_text("columns: {n: {ge: 0}}\n")
    table = pa.table({"n": [1, -2]})
    verdict = gate(ops.session, "docks", table, batch_id="d1", by="author")
    assert verdict.quarantine_id is not None
    (space / "expectations" / "docks.yaml").write_text("columns: {n: {ge: -5}}\n")
    ops.quality.replay(verdict.quarantine_id)
    assert ops.data.get("docks").rows == 2
