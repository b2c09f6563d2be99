"""A snapshot is asked as its reader sees it, and the answers are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import NotFound
from core.governance.errors import Refused
from core.lake import open_lake
from core.ops import Ops, open_ops
from core.quality.errors import NoExpectations
from core.quality.validating import validate_dataset
from tests.core.quality.conftest import rides


def test_a_snapshot_is_asked_and_the_answer_kept(ops: Ops, space: Path) -> None:
    good = validate_dataset(ops.session, "rides", run_id="r1")
    assert good.passed and good.rows == 50 and good.run_id == "r1"
    open_lake(ops.session).append("rides", rides(2, 60, cnt=[-4, 5000]), by="author")
    bad = ops.quality.validate("rides")
    assert not bad.passed and bad.failed_rows == 2
    by_key = {each.key: each for each in bad.results}
    assert by_key["columns.cnt.ge"].examples == ("-4",)
    assert by_key["columns.cnt.le"].failed_rows == 1
    assert ops.quality.validate("rides", "2").passed
    kept = ops.quality.validations("rides")
    assert [each.passed for each in kept] == [True, False, True]
    assert ops.quality.validation(bad.id) == bad
    entries = [each for each in ops.audit.list() if each.action == "quality.validate"]
    assert len(entries) == 3


def test_drift_is_from_the_snapshot_before_or_a_named_one(ops: Ops, space: Path) -> None:
    lake = open_lake(ops.session)
    lake.tag("rides", "good", at="2")
    lake.append("rides", rides(50, 200, cnt=[900] * 50), by="author")
    text = "drift: [{column: cnt, psi: 0.2, baseline: good}, {column: cnt, mean: 10%}]\n"
    (space / "expectations" / "rides.yaml").write_text(text)
    found = ops.quality.validate("rides")
    assert [each.status.value for each in found.results] == ["failed", "failed"]
    first = ops.quality.validate("rides", "2")
    assert [each.status.value for each in first.results] == ["passed", "skipped"]


def test_references_are_read_as_the_reader_may(ops: Ops, space: Path) -> None:
    lake = open_lake(ops.session)
    lake.create("hours", rides().schema, owner="author")
    lake.append("hours", rides(49), by="author")
    text = "references: [{column: ts, dataset: hours}]\n"
    (space / "expectations" / "rides.yaml").write_text(text)
    found = ops.quality.validate("rides")
    assert not found.passed and found.failed_rows == 1
    ops.governance.grant("hours", "carol")
    with open_ops(space, actor="ann") as other:
        refused = other.quality.validate("rides")
        assert not refused.passed and "may not read" in refused.results[0].message


def test_who_sees_it_masked_is_told_what_was_not_asked(ops: Ops, space: Path) -> None:
    ops.governance.grant("rides", "ann", masks={"cnt": "null"})
    with open_ops(space, actor="ann") as other:
        found = other.quality.validate("rides")
        assert found.passed and found.notes == ("cnt is masked for you",)
        assert all(e.status == "skipped" for e in found.results if e.key == "columns.cnt.ge")
    with open_ops(space, actor="bob") as other, pytest.raises(Refused):
        other.quality.validate("rides")


def test_nothing_is_kept_of_a_read_only_session(ops: Ops, space: Path) -> None:
    with open_ops(space, actor="ann", read_only=True) as other:
        assert other.quality.validate("rides").id == ""
    assert not ops.quality.validations("rides")


def test_a_dataset_without_a_file_and_one_that_is_not_there(ops: Ops, space: Path) -> None:
    with pytest.raises(NotFound):
        ops.quality.validate("nope")
    (space / "expectations" / "rides.yaml").unlink()
    with pytest.raises(NoExpectations):
        ops.quality.validate("rides")
