"""A small workspace on SQLite or PostgreSQL in which no worker is ever started.

Runs stay queued there, and what a worker would do to them is done by the tests through the
same functions of `core.engine.runstate` that the worker uses.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from core.ops import Ops, open_ops

PIPELINE = """\
name: chain
params:
  count: 3
  note: {type: str, default: ""}
  fast: {type: bool, default: false}
  rate: {type: float, default: 0.1}
steps:
  first:
    function: work:first
  second:
    function: work:second
  third:
    function: work:third
    retries: 2
  aside:
    function: work:aside
"""
WORK = """\
def first(count):
    return {"n": count}


def second(first):
    return first


def third(second):
    return second


def aside(count):
    return {"n": count}
"""


def write_workspace(root: Path, database_url: str | None = None) -> Path:
    """The files of a workspace with one pipeline, `chain`."""
    (root / "pipelines").mkdir(parents=True)
    config = f"name: {root.name[:20]!r}\n" + (f"database: {database_url}\n" if database_url else "")
    (root / "opsdeck.yaml").write_text(config)
    (root / "pipelines" / "chain.yaml").write_text(PIPELINE)
    (root / "work.py").write_text(WORK)
    return root


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Both databases in turn; each test has its own."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'state.db'}"


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Instead of starting a worker, remember for which workspace one was wanted."""
    calls: list[Any] = []
    monkeypatch.setattr("core.services.workers.start_worker", calls.append)
    return calls


OpenAs = Callable[..., Ops]


@pytest.fixture
def open_as(tmp_path: Path, database_url: str, woken: list[Any]) -> Iterator[OpenAs]:
    """Open the workspace as somebody; everything is closed after the test."""
    root = write_workspace(tmp_path / "space", database_url)
    opened: list[Ops] = []

    def open_(actor: str = "author", *, read_only: bool = False) -> Ops:
        opened.append(open_ops(root, actor=actor, read_only=read_only))
        return opened[-1]

    yield open_
    for ops in opened:
        ops.close()


@pytest.fixture
def ops(open_as: OpenAs) -> Ops:
    """The workspace, opened by author."""
    return open_as("author")


def raw(database_url: str, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Run a statement behind Opsdeck's back (`?` marks values); returns rows, if any."""
    with behind(database_url) as connection:
        mark = "?" if isinstance(connection, sqlite3.Connection) else "%s"
        cursor = connection.execute(sql.replace("?", mark), values)
        return list(cursor.fetchall()) if cursor.description else []


@contextmanager
def behind(database_url: str) -> Iterator[Any]:
    """A connection that knows nothing of Opsdeck; commits at the end."""
    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as connection:
            yield connection
            connection.commit()
    else:
        import psycopg

        with psycopg.connect(database_url) as connection:
            yield connection
