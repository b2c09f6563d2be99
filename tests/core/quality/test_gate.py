"""A batch passes the gate whole, or waits in quarantine whole."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from core.domain.alert import AlertState
from core.lake import open_lake
from core.ops import Ops
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
    rows = read_rows(ops.workspace.root / held.path)
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
