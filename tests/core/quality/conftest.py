"""A workspace with a lake in which a dataset `rides` has expectations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from core.lake import open_lake
from core.ops import Ops, open_ops

FILE = """\
strict: true
columns:
  ts: {dtype: string, nullable: false, unique: true}
  casual: {dtype: integer, ge: 0}
  cnt: {dtype: integer, nullable: false, ge: 0, le: 1000, warn: {le: 500}}
  note: {matches: "[a-z]*", max_length: 5}
conditions:
  - {sql: casual <= cnt, name: casual riders are riders}
"""


def rides(count: int = 3, start: int = 0, **columns: Any) -> pa.Table:
    """Rows that are as expected, but for the columns given."""
    numbers = range(start, start + count)
    made = {
        "ts": [f"2012-01-01T{n:03d}" for n in numbers],
        "casual": [n % 7 for n in numbers],
        "cnt": [n % 7 + 10 for n in numbers],
        "note": ["dry"] * count,
    }
    return pa.table({**made, **columns})


@pytest.fixture
def space(tmp_path: Path) -> Path:
    """The workspace's folder."""
    root = tmp_path / "space"
    (root / "expectations").mkdir(parents=True)
    (root / "opsdeck.yaml").write_text("name: space\n")
    (root / "expectations" / "rides.yaml").write_text(FILE)
    return root


@pytest.fixture
def ops(space: Path) -> Iterator[Ops]:
    """The workspace, opened by author, with 50 good rides in it."""
    with open_ops(space, actor="author") as opened:
        lake = open_lake(opened.session)
        lake.create("rides", rides().schema, owner="author")
        lake.append("rides", rides(50), by="author", batch_id="first")
        yield opened
