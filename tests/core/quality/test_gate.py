"""A batch passes the gate whole, or waits in quarantine whole."""

from __future__ import annotations

import errno
from pathlib import Path

import pyarrow as pa
import pytest

from core.domain.alert import AlertState
from core.errors import DiskFull
from core.lake import open_lake
from core.ops import Ops, open_ops
from core.quality.errors import ExpectationsInvalid
from core.quality.gate import gate
from core.quality.held import read_rows
from core.reads.quality import list_quarantine, list_validations
from tests.core.quality.conftest import rides


def ask(ops: Ops, table: pa.Table, batch: str = "b1", **more: object) -> object:
    return gate(ops.session, "rides", table, batch_id=batch, by="author", **more)  # type: ignore[arg-type]


def test_a_good_batch_passes_and_is_on_record(ops: Ops) -> None:
    verdict = ask(ops, rides(3, 100))
    assert verdict.passed and verdict.quarantine_id is None
    kept = list_validations(ops.session.reader, dataset="rides")
    assert [each.batch_id for each in kept] == ["b1"] and kept[0].passed
    assert not list_quarantine(ops.session.reader)


def test_a_dataset_without_a_file_expects_nothing(ops: Ops) -> None:
    assert gate(ops.session, "other", rides(), batch_id="x", by="author").passed


def test_a_warning_does_not_hold_a_batch(ops: Ops) -> None:
    verdict = ask(ops, rides(2, 100, cnt=[20, 900]))
    assert verdict.passed and verdict.validation.warnings == 1


def test_a_bad_batch_is_held_with_the_reasons_of_each_row(ops: Ops) -> None:
    table = rides(4, 100, cnt=[20, -1, None, 3], casual=[1, 0, 0, 5])
    verdict = ask(ops, table)
    assert not verdict.passed
    (held,) = list_quarantine(ops.session.reader)
    assert held.id == verdict.quarantine_id and (held.rows, held.bad_rows) == (4, 3)
    rows = read_rows(ops.workspace, ops.workspace.root / held.path)
    assert rows.table.equals(table) and rows.numbers == (1, 2, 3, 4)
    assert rows.reasons[0] == ()
    assert set(rows.reasons[1]) == {"cnt: ge 0", "casual riders are riders"}
    assert rows.reasons[2] == ("cnt: not missing",)
    assert rows.reasons[3] == ("casual riders are riders",)
    (alert,) = ops.alerts.list()
    assert alert.target == "dataset/rides" and alert.state is AlertState.OPEN
    assert open_lake(ops.session).dataset("rides").rows == 50
    actions = [entry.action for entry in ops.audit.list()]
    assert "quarantine.hold" in actions


def test_the_same_batch_twice_is_held_once(ops: Ops) -> None:
    first = ask(ops, rides(2, 100, cnt=[-1, 3]))
    again = ask(ops, rides(2, 100, cnt=[1, 3]))
    assert again.quarantine_id == first.quarantine_id and not again.passed
    assert len(list_quarantine(ops.session.reader)) == 1


def test_rows_that_are_in_the_dataset_already_are_not_unique(ops: Ops) -> None:
    verdict = ask(ops, rides(3, 48))
    assert not verdict.passed
    (failed,) = verdict.validation.failures
    assert failed.key == "columns.ts.unique" and failed.failed_rows == 2
    assert ask(ops, rides(3, 48), "b2", mode="upsert", keys=["ts"]).passed


def test_a_batch_whose_commit_was_not_noted_is_known_again(ops: Ops) -> None:
    batch = rides(3, 100)
    open_lake(ops.session).append("rides", batch, by="author", batch_id="b9")
    assert ask(ops, batch, "b9").passed
    assert not list_quarantine(ops.session.reader)


@pytest.mark.parametrize(
    ("table", "key"),
    [
        (rides().drop_columns(["note"]), "columns.note.required"),
        (rides(extra=[1, 2, 3]), "strict"),
        (rides(cnt=["1", "2", "3"]), "columns.cnt.dtype"),
        (rides(2, note=["toolong", "x"]), "columns.note.max_length"),
        (rides(2, note=["x9", "x"]), "columns.note.matches"),
    ],
)
def test_what_is_wrong_is_named_by_its_key(ops: Ops, table: pa.Table, key: str) -> None:
    moved = table.set_column(0, "ts", pa.array([f"later {i}" for i in range(table.num_rows)]))
    verdict = ask(ops, moved)
    assert key in [each.key for each in verdict.validation.failures]


def test_nothing_passes_a_file_that_cannot_be_read(ops: Ops, space: Path) -> None:
    (space / "expectations" / "rides.yaml").write_text("columns: {cnt: {gee: 0}}\n")
    with pytest.raises(ExpectationsInvalid, match=r"rides\.yaml:1 columns\.cnt\.gee"):
        ask(ops, rides())


def test_held_rows_of_an_encrypted_lake_are_encrypted(tmp_path: Path) -> None:
    from core.lake.encryption import make_key

    root = tmp_path / "sealed"
    (root / "expectations").mkdir(parents=True)
    (root / "expectations" / "rides.yaml").write_text("columns: {cnt: {ge: 0}}\n")
    make_key(tmp_path / "key")
    (root / "opsdeck.yaml").write_text(f"lake: {{encryption: {{key_file: {tmp_path / 'key'}}}}}\n")
    table = rides(2, cnt=[-1, 2], note=["secret", "words"])
    with open_ops(root, actor="author") as ops:
        verdict = gate(ops.session, "rides", table, batch_id="b1", by="author")
        held = ops.quality.held(str(verdict.quarantine_id))
        raw = (root / held.path).read_bytes()
        assert raw.startswith(b"age-encryption.org") and b"secret" not in raw
        assert read_rows(ops.workspace, root / held.path).table.equals(table)


def test_a_full_disk_leaves_nothing_half_done(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("core.quality.held.os.fsync", full)
        with pytest.raises(DiskFull):
            ask(ops, rides(2, 100, cnt=[-1, 3]))
    folder = ops.workspace.state_dir / "quarantine" / "rides"
    assert not list(folder.iterdir()) and not list_quarantine(ops.session.reader)
    assert not ask(ops, rides(2, 100, cnt=[-1, 3])).passed
