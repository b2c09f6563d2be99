"""One transaction: rows, journal and outbox are all there or none is; nobody is in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.errors import DiskFull, StateCorrupt
from core.state import schema
from core.state.reading import open_reader
from core.state.store import Store, Transaction
from tests.support.opened import raw

TABLES = ("endpoints", "journal", "outbox")


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store(database_url)
    store.migrate()
    yield store
    store.close()


def add(tx: Transaction, name: str) -> None:
    """A row, a journal entry and a message."""
    tx.execute(
        schema.endpoints.insert().values(
            name=name,
            environment="local",
            status="creating",
            host="::1",
            created_at=tx.now,
            updated_at=tx.now,
        )
    )
    tx.journal("endpoint.create", f"endpoint/{name}")
    tx.outbox("mirror", name)


def counts(store: Store) -> list[int]:
    return [raw(store.url, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES]


def test_all_is_there_after_the_commit(store: Store) -> None:
    with store.transaction("author") as tx:
        add(tx, "bike")
        assert counts(store) == [0, 0, 0], "nobody sees it before"
    assert counts(store) == [1, 1, 1]


@pytest.mark.parametrize("fault", [RuntimeError, KeyboardInterrupt])
def test_a_failure_before_the_commit_leaves_nothing(
    store: Store, fault: type[BaseException]
) -> None:
    with pytest.raises(fault), store.transaction("author") as tx:
        add(tx, "bike")
        raise fault
    assert counts(store) == [0, 0, 0]
    with store.transaction("author") as tx:
        add(tx, "bike")
    assert counts(store) == [1, 1, 1]
    assert raw(store.url, "SELECT seq FROM journal") == [(1,)], "no number is lost either"


def test_a_refused_row_leaves_nothing(store: Store) -> None:
    with store.transaction("author") as tx:
        add(tx, "bike")
    with pytest.raises(StateCorrupt), store.transaction("author") as tx:
        add(tx, "other")
        add(tx, "bike")
    assert counts(store) == [1, 1, 1]


def test_a_failing_commit_leaves_nothing(store: Store) -> None:
    """The commit itself fails, as it does where the disk is full."""

    def full(_connection: object) -> None:
        raise sa.exc.OperationalError("COMMIT", {}, Exception("database or disk is full"))

    sa.event.listen(store.engine, "commit", full)
    with pytest.raises(DiskFull, match="no room on the disk"), store.transaction("author") as tx:
        add(tx, "bike")
    sa.event.remove(store.engine, "commit", full)
    store.close()
    assert counts(store) == [0, 0, 0]


def test_what_was_checked_holds_until_the_commit(store: Store) -> None:
    """Two who both look first and then write: the second sees what the first wrote."""
    seen: list[int] = []
    inside = threading.Barrier(2, timeout=20)

    def first() -> None:
        with store.transaction("author") as tx:
            inside.wait()
            time.sleep(0.2)
            add(tx, "bike")

    def second() -> None:
        inside.wait()
        with store.transaction("reviewer") as tx:
            seen.append(len(tx.rows(sa.select(schema.endpoints))))

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert seen == [1]


def test_the_counter_changes_with_every_change(store: Store) -> None:
    reader = open_reader(store.url)
    seen = [reader.change_counter()]
    for name in ("one", "two"):
        with store.transaction("author") as tx:
            add(tx, name)
        seen.append(reader.change_counter())
    assert len(set(seen)) == 3
    reader.close()


def test_every_thread_reads_and_close_closes_all(store: Store) -> None:
    reader = open_reader(store.url)
    with store.transaction("author") as tx:
        add(tx, "bike")
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(len(reader.rows("SELECT * FROM outbox"))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    reader.close()
    assert found == [1] * 8


@pytest.mark.parametrize(
    "name", ["with space", "ünï 漢字", "what?", "100%25", "a#b&c=d", "x" * 200]
)
def test_any_folder_can_hold_the_state(tmp_path: Path, name: str) -> None:
    file = tmp_path / name / "state.db"
    store = Store(f"sqlite:///{file}")
    store.migrate()
    with store.transaction("author") as tx:
        add(tx, "bike")
    store.close()
    assert file.stat().st_size > 0
    reader = open_reader(f"sqlite:///{file}")
    assert reader.rows("SELECT name FROM endpoints") == [{"name": "bike"}]
    reader.close()
