"""A state of another schema version is met in one line when it is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from core.errors import StateVersion
from core.ops import open_ops
from core.state.version import HEAD


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "opsdeck.yaml").write_text("name: shop\n")
    with open_ops(tmp_path) as ops:
        ops.session.store()
    return tmp_path


def stamp(workspace: Path, version: str) -> None:
    with sqlite3.connect(workspace / ".opsdeck" / "state.db") as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (version,))


def test_a_newer_state_is_refused_at_once(workspace: Path) -> None:
    stamp(workspace, "9999")
    with pytest.raises(StateVersion, match="schema 9999, this Opsdeck knows up to"):
        open_ops(workspace)


def test_an_older_state_is_not_touched_by_a_read_only_session(workspace: Path) -> None:
    stamp(workspace, "0000")
    with pytest.raises(StateVersion, match="older"):
        open_ops(workspace, read_only=True)


def test_this_version_opens(workspace: Path) -> None:
    stamp(workspace, HEAD)
    assert open_ops(workspace, read_only=True).runs.list() == ()
