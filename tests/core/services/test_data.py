"""What people can do with datasets, who may, and what is journalled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from core.errors import BadInput, NotFound
from core.governance.errors import Refused
from core.ops import Ops, open_ops


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace."""
    (tmp_path / "opsdeck.yaml").write_text(json.dumps({"name": "s", "lake": {"admins": ["root"]}}))
    return tmp_path


@pytest.fixture
def ops(root: Path) -> Iterator[Ops]:
    """It, opened by ann, with a dataset `sales` of two versions of hers."""
    with open_ops(root, actor="ann") as opened:
        opened.data.create("sales", [("id", "long!"), ("price", "decimal(10,2)")])
        opened.data.lake.append("sales", pa.table({"id": [1, 2]}), by="ann")
        yield opened


def actions(ops: Ops) -> list[str]:
    """What the journal says was done, oldest first."""
    rows = ops.session.reader.rows("SELECT action FROM journal ORDER BY seq")
    return [row["action"] for row in rows]


def test_columns_come_from_words_or_from_a_file(ops: Ops, tmp_path: Path) -> None:
    found = ops.data.get("sales")
    assert [(c.name, c.type, c.nullable) for c in found.columns] == [
        ("id", "long", False),
        ("price", "decimal(10, 2)", True),
    ]
    file = tmp_path / "rows.csv"
    file.write_text("day,count\n2026-01-01,3\n")
    like = ops.data.create("counts", like=str(file), description="a day each")
    assert [(c.name, c.type) for c in like.columns] == [("day", "date"), ("count", "long")]
    for columns, file_name in (([], None), ([("a", "int")], "x.csv")):
        with pytest.raises(BadInput, match="either"):
            ops.data.create("t", columns, like=file_name)
    with pytest.raises(BadInput, match="unknown type"):
        ops.data.create("t", [("a", "lnog")])
    with pytest.raises(BadInput, match="no such file"):
        ops.data.create("t", like=str(tmp_path / "gone.csv"))


def test_only_those_who_may_change_a_dataset_change_it(ops: Ops, root: Path) -> None:
    from core.state.lake_tables import grants

    with ops.session.change("test") as tx:
        tx.execute(
            grants.insert().values(
                id="g", dataset="sales", principal="bob", action="write", at=1.0, by="ann"
            )
        )
    with open_ops(root, actor="bob") as bob:
        bob.data.tag("sales", "bobs")
        for call in (
            lambda: bob.data.rollback("sales", "1"),
            lambda: bob.data.drop("sales", dry_run=True),
            lambda: bob.data.expire("sales", keep=1),
            lambda: bob.data.alter("sales", drop=["price"]),
        ):
            with pytest.raises(Refused):
                call()
    with open_ops(root, actor="eve") as eve, pytest.raises(Refused):
        eve.data.untag("sales", "bobs")
    assert ops.data.rollback("sales", "1").number == 1


def test_every_change_is_journalled(ops: Ops) -> None:
    ops.data.tag("sales", "v1")
    ops.data.alter("sales", add={"note": "string"}, doc={"id": "whose"})
    ops.data.rollback("sales", "1", reason="wrong")
    ops.data.drop("sales")
    ops.data.undrop("sales")

    done = [each for each in actions(ops) if each.startswith("dataset.")]
    assert done == [
        "dataset.create",
        "dataset.append",
        "dataset.tagged",
        "dataset.altered",
        "dataset.rolled_back",
        "dataset.dropped",
        "dataset.restored",
    ]
    rows = ops.session.reader.rows(
        "SELECT detail FROM journal WHERE action = 'dataset.rolled_back'"
    )
    detail = json.loads(rows[0]["detail"])
    assert (detail["to"], detail["reason"]) == ("1", "wrong")
    assert ops.audit.verify().ok


def test_what_a_rollback_would_change_is_told(ops: Ops) -> None:
    ops.data.alter("sales", add={"note": "string"})
    ops.data.lake.append("sales", pa.table({"id": [3]}), by="ann")

    plan = ops.data.rollback_preview("sales", "2")

    assert (plan.before, plan.after, plan.rows_before, plan.rows_after) == (3, 2, 3, 2)
    assert plan.columns == ("- note string",)
    assert ops.data.schema_difference("sales", "2") == ("+ note string",)
    with pytest.raises(NotFound):
        ops.data.rollback_preview("sales", "v9")


def test_a_version_is_found_by_number_id_and_name(ops: Ops) -> None:
    ops.data.tag("sales", "v1")
    found = ops.data.snapshot("sales", "v1")
    assert found.number == 2
    assert ops.data.snapshot("sales", "#2") == ops.data.snapshot("sales", found.id) == found
    assert [ref.name for ref in ops.data.refs("sales")] == ["v1"]
    with pytest.raises(NotFound, match="v2"):
        ops.data.snapshot("sales", "v2")
