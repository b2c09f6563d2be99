"""A workspace with the beginnings of a lake, and files to take in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.lake import open_lake
from core.ops import Ops, open_ops

ROWS = "ts,temp,cnt\n" + "".join(f"2011-01-{d:02d}T00:00:00,{d / 10},{d}\n" for d in range(1, 29))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace without anything in it."""
    folder = tmp_path / "space"
    folder.mkdir()
    (folder / "opsdeck.yaml").write_text("name: space\n")
    return folder


@pytest.fixture
def ops(root: Path) -> Iterator[Ops]:
    """The workspace, opened by author."""
    with open_ops(root, actor="author") as opened:
        yield opened


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with `good.csv`: 28 rows of ts, temp, cnt."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "good.csv").write_text(ROWS)
    return folder


RowsOf = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def rows_of(ops: Ops) -> RowsOf:
    """All rows of a dataset, straight from the lake."""

    def read(name: str) -> list[dict[str, Any]]:
        with open_lake(ops.session) as lake:
            found: list[dict[str, Any]] = lake.read(name).read_all().to_pylist()
            return found

    return read
