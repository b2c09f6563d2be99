"""Rows of a dataset that are taken into quarantine, and how they come back."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.domain.governance import Action
from core.domain.quality import QuarantineState
from core.errors import BadInput, NotAllowed, NotFound, ReadOnly, WrongState
from core.governance.errors import Refused
from core.lake import open_lake
from core.lake.lake import Lake
from core.ops import Ops, open_ops
from core.quality import holding
from core.quality.errors import ConditionInvalid, ValidationFailed
from core.quality.held import write_rows
from tests.core.quality.conftest import FILE, rides


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ops]:
    """A workspace with 50 rides, on either database."""
    config = "name: space\n"
    if request.param == "postgresql":
        config += f"database: {request.getfixturevalue('postgres_url')}\n"
    (tmp_path / "expectations").mkdir()
    (tmp_path / "expectations" / "rides.yaml").write_text(FILE)
    (tmp_path / "opsdeck.yaml").write_text(config)
    with open_ops(tmp_path, actor="author") as opened:
        lake = open_lake(opened.session)
        lake.create("rides", rides().schema, owner="author")
        lake.append("rides", rides(50), by="author", batch_id="first")
        yield opened


def times(ops: Ops) -> list[str]:
    with open_lake(ops.session) as lake:
        return sorted(row["ts"] for row in lake.read("rides").read_all().to_pylist())


def test_rows_leave_the_dataset_and_come_back_once(either: Ops) -> None:
    all_ = times(either)
    would = either.quality.preview_hold("rides", "cnt >= 15 and casual > 4")
    assert (would.rows, would.of, would.version) == (14, 50, 2)
    assert times(either) == all_ and not either.quality.quarantined()
    held = either.quality.hold("rides", "cnt >= 15 and casual > 4", "a broken counter")
    assert (held.rows, held.state, held.by) == (14, QuarantineState.HELD, "author")
    assert held.message == "a broken counter" and dict(held.reasons) == {held_where(): 14}
    assert len(times(either)) == 36
    snapshot = either.data.snapshot("rides", "3")
    assert snapshot.message == "held in quarantine: a broken counter"
    rows = either.quality.held_rows(held.id, limit=3)
    assert rows[0].values["cnt"] == 15 and rows[0].reasons == (held_where(),)
    done = either.quality.replay(held.id)
    assert done.state is QuarantineState.REPLAYED and times(either) == all_
    with pytest.raises(WrongState):
        either.quality.replay(held.id)
    assert times(either) == all_
    told = [entry.action for entry in either.audit.list(limit=20)]
    assert "quarantine.hold" in told and "quarantine.replay" in told


def held_where() -> str:
    return "cnt >= 15 and casual > 4"


@pytest.mark.parametrize(
    ("where", "error", "says"),
    [
        ("", ConditionInvalid, "empty condition"),
        ("  ", ConditionInvalid, "empty condition"),
        ("cnt >= 0", BadInput, "all of its 50 rows"),
        ("true", BadInput, "all of its 50 rows"),
        ("cnt > 99", BadInput, "none of its 50 rows"),
        ("note is null", BadInput, "none of its 50 rows"),
        ("cntt > 9", ConditionInvalid, "no column cntt"),
        ("cnt", ConditionInvalid, "not true or false"),
        ("count(*) > 1", ConditionInvalid, "count_star is not allowed"),
        ("cnt > (select 1)", ConditionInvalid, "no subquery"),
        ("cnt > 1; select 2", ConditionInvalid, "syntax error"),
        ("ts::int > 3", ConditionInvalid, "onvert"),
    ],
)
def test_what_is_no_choice_of_rows_is_refused(ops: Ops, where: str, error: Any, says: str) -> None:
    with pytest.raises(error, match=says) as found:
        ops.quality.preview_hold("rides", where)
    assert "\n" not in found.value.one_line()
    with pytest.raises(error, match=says):
        ops.quality.hold("rides", where, "why")
    assert len(times(ops)) == 50 and not list(folder(ops))


def folder(ops: Ops) -> Iterator[Path]:
    return (ops.workspace.state_dir / "quarantine").glob("*/*")


def test_a_row_where_the_condition_is_null_stays(ops: Ops) -> None:
    with open_lake(ops.session) as lake:
        lake.append("rides", rides(2, 60, note=[None, "odd"]), by="author")
    assert ops.quality.hold("rides", "note <> 'dry'", "odd ones").rows == 1
    assert len(times(ops)) == 51


def test_a_reason_and_a_dataset_are_needed(ops: Ops) -> None:
    with pytest.raises(BadInput, match="no reason"):
        ops.quality.hold("rides", "cnt > 15", " ")
    with pytest.raises(NotFound):
        ops.quality.hold("ridez", "cnt > 15", "why")


def test_who_dies_after_the_commit_has_lost_nothing(
    either: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(holding, "_record", _dies)
        with pytest.raises(KeyboardInterrupt):
            either.quality.hold("rides", "cnt > 15", "why")
    assert len(times(either)) == 43 and not either.quality.quarantined()
    assert either.quality.settle_holds("rides") == 1
    (held,) = either.quality.quarantined()
    assert (held.rows, held.message, held.by) == (7, "why", "author")
    assert either.quality.settle_holds("rides") == 0
    either.quality.replay(held.id)
    assert len(times(either)) == 50


def test_who_dies_before_the_commit_has_done_nothing(
    ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("core.lake.rewriting.put", _dies)
        with pytest.raises(KeyboardInterrupt):
            ops.quality.hold("rides", "cnt > 15", "why")
    assert len(times(ops)) == 50
    assert len(list(folder(ops))) == 1
    assert ops.quality.settle_holds("rides") == 0 and not ops.quality.quarantined(all_=True)
    monkeypatch.setattr(holding, "LEFT_SECONDS", -1.0)
    ops.quality.settle_holds("rides")
    assert not list(folder(ops))


def _dies(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_the_worker_finds_what_somebody_left(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.engine.duties import due_holds

    with monkeypatch.context() as patched:
        patched.setattr(holding, "_record", _dies)
        with pytest.raises(KeyboardInterrupt):
            ops.quality.hold("rides", "cnt > 15", "why")
    assert not due_holds(ops.session, 1e9)  # it may still be at work
    monkeypatch.setattr("core.quality.leftover.WAIT_SECONDS", -1.0)
    (task,) = due_holds(ops.session, 1e9)
    assert str(task) == "quality settle_holds rides"
    assert not due_holds(ops.session, 1e9 + 5)


def test_rows_that_come_in_between_are_held_too(ops: Ops, monkeypatch: pytest.MonkeyPatch) -> None:
    others: list[int] = []

    def writes_while_another_commits(*args: Any) -> None:
        write_rows(*args)
        if not others:
            others.append(1)
            with open_lake(ops.session) as lake:
                lake.append("rides", rides(2, 90, cnt=[900, 1]), by="author")

    monkeypatch.setattr(holding, "write_rows", writes_while_another_commits)
    held = ops.quality.hold("rides", "cnt > 15", "why")
    assert held.rows == 8 and len(times(ops)) == 44
    assert 900 in [row.values["cnt"] for row in ops.quality.held_rows(held.id)]


def test_rows_that_are_in_again_do_not_come_in_twice(ops: Ops) -> None:
    held = ops.quality.hold("rides", "cnt > 15", "why")
    ops.data.rollback("rides", "2")
    with pytest.raises(WrongState, match="put back to a version from before"):
        ops.quality.replay(held.id)
    with open_lake(ops.session) as lake:
        lake.append("rides", rides(1, 90), by="author")
    with pytest.raises(WrongState):
        ops.quality.replay(held.id)
    ops.data.rollback("rides", "3")
    ops.quality.replay(held.id)
    assert len(times(ops)) == 50


def test_what_fails_by_now_goes_back_mended_or_as_it_was(
    ops: Ops, space: Path, tmp_path: Path
) -> None:
    held = ops.quality.hold("rides", "cnt > 15", "why")
    (space / "expectations" / "rides.yaml").write_text(
        "columns: {cnt: {le: 15}}\nbatch_volume: {min_rows: 40}\n"
    )
    with pytest.raises(ValidationFailed, match="cnt: le 15") as found:
        ops.quality.replay(held.id)
    assert "batch_volume" not in found.value.message and "--as-they-were" in found.value.hint
    ops.quality.replay(held.id, as_they_were=True)
    assert len(times(ops)) == 50
    again = ops.quality.hold("rides", "cnt > 15", "why")
    ops.quality.export_held(again.id, tmp_path / "bad.csv", all_=True)
    with (tmp_path / "bad.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (tmp_path / "good.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows([row | {"cnt": "15"} for row in rows])
    ops.quality.repair(again.id, tmp_path / "good.csv")
    with pytest.raises(BadInput, match="mended"):
        ops.quality.replay(again.id, as_they_were=True)
    ops.quality.replay(again.id)
    assert len(times(ops)) == 50


def test_rows_of_a_dataset_without_expectations_are_mended(
    ops: Ops, space: Path, tmp_path: Path
) -> None:
    (space / "expectations" / "rides.yaml").unlink()
    held = ops.quality.hold("rides", "cnt > 15", "why")
    ops.quality.export_held(held.id, tmp_path / "bad.csv", all_=True)
    still, _, _ = ops.quality.repair(held.id, tmp_path / "bad.csv")
    assert still.message == ""
    ops.quality.replay(held.id)
    assert len(times(ops)) == 50


def test_a_batch_that_never_was_in_is_always_asked(ops: Ops) -> None:
    from tests.core.quality.test_quarantine import hold

    with pytest.raises(BadInput, match="never was in the dataset"):
        ops.quality.replay(hold(ops).id, as_they_were=True)


def test_who_may_hold(ops: Ops, space: Path) -> None:
    ops.governance.grant("rides", "reviewer")
    with open_ops(space, actor="reviewer") as theirs, pytest.raises(Refused):
        theirs.quality.preview_hold("rides", "cnt > 15")
    ops.governance.grant("rides", "clerk", where="cnt < 15")
    ops.governance.grant("rides", "clerk", actions=(Action.WRITE,))
    with open_ops(space, actor="clerk") as theirs, pytest.raises(NotAllowed, match="all of it"):
        theirs.quality.preview_hold("rides", "cnt > 15")
    with open_ops(space, actor="author", read_only=True) as theirs, pytest.raises(ReadOnly):
        theirs.quality.hold("rides", "cnt > 15", "why")


def test_a_view_has_its_rows_from_elsewhere(ops: Ops, space: Path) -> None:
    (space / "views").mkdir()
    (space / "views" / "busy.sql").write_text("SELECT * FROM rides WHERE cnt > 12")
    ops.views.refresh("busy")
    assert ("dataset", "busy") in ops.quality.preview_hold("rides", "cnt > 15").users
    with pytest.raises(WrongState, match="is a view"):
        ops.quality.hold("busy", "cnt > 15", "why")


def test_it_is_the_same_when_tried_again_by_the_lake(ops: Ops) -> None:
    with open_lake(ops.session) as lake:
        first = _take(lake)
        assert _take(lake).id == first.id
    assert len(times(ops)) == 43


def _take(lake: Lake) -> Any:
    import pyarrow.compute as pc

    return lake.take(
        "rides", lambda rows: pc.greater(rows["cnt"], 15), lambda _rows, _stay: None,
        by="author", batch_id="b-out",
    )  # fmt: skip
