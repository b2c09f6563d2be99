"""Readers: many threads, few connections."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from core.engine.bell import Bell
from core.state.reading import MAX_CONNECTIONS, open_reader
from core.state.store import Store
from tests.support.opened import raw

THREADS = 300


def connections(url: str) -> int:
    """How many connections of this process there are to the database, besides the store's."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///")).resolve()
        found = [os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()]
        return found.count(str(path))
    asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    return int(raw(url, asked)[0][0]) - 1  # the one that asks


def test_three_hundred_that_wait_share_a_few_connections(database_url: str) -> None:
    store = Store(database_url)
    store.migrate()
    store.close()
    reader, bell = open_reader(database_url), Bell()
    looked, go = threading.Semaphore(0), threading.Event()
    found: list[int] = []

    def wait_at_a_gate() -> None:
        with bell.listening("gate") as rung:
            found.append(len(reader.rows("SELECT 1 AS one")))
            looked.release()
            rung.wait(60)
            assert go.is_set()
            found.append(len(reader.rows("SELECT 2 AS two")))

    threads = [threading.Thread(target=wait_at_a_gate) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert looked.acquire(timeout=30)
    assert connections(database_url) <= MAX_CONNECTIONS
    go.set()
    bell.ring("gate")
    for thread in threads:
        thread.join(30)
    assert found == [1] * 2 * THREADS
    assert connections(database_url) <= MAX_CONNECTIONS, "none is left by a thread that ended"
    reader.close()
    for _ in range(100):  # a server takes its time to notice
        if connections(database_url) == 0:
            break
        time.sleep(0.05)
    assert connections(database_url) == 0


def test_a_reader_that_is_closed_while_others_read_goes_on(database_url: str) -> None:
    store = Store(database_url)
    store.migrate()
    store.close()
    reader, end = open_reader(database_url), threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not end.is_set():
                reader.rows("SELECT * FROM runs")
                reader.change_counter()
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        reader.close()
    end.set()
    for thread in threads:
        thread.join(20)
    assert not failures
    reader.close()


def test_the_counter_of_changes_is_the_same_for_all_threads(database_url: str) -> None:
    store = Store(database_url)
    store.migrate()
    reader = open_reader(database_url)
    seen: list[tuple[int, int]] = []

    def look() -> None:
        for _ in range(3):
            thread = threading.Thread(target=lambda: seen.append(reader.change_counter()))
            thread.start()
            thread.join()

    look()
    assert len(set(seen)) == 1
    with store.transaction("ada") as tx:
        tx.journal("test.write", "run/1")
    look()
    assert seen[-1] != seen[0]
    assert len(set(seen)) == 2 or not database_url.startswith("sqlite")
    store.close()
    reader.close()
