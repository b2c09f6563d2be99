"""The journal: whoever edits it behind Opsdeck's back is found, by the first entry touched."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from console.main import run
from core.domain.journal import GENESIS, ChainReport, entry_hash
from core.errors import OpsdeckError
from core.reads import journal
from core.state.reading import Reader, open_reader
from core.state.store import Store
from tests.support.opened import behind, raw, write_workspace

COLUMNS = ("seq", "at", "actor", "action", "subject", "detail", "previous_hash", "hash")
ENTRIES = 12
shared = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
# PostgreSQL takes no zero byte in a text, and neither takes half a surrogate pair.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


class Journal:
    """A journal with some entries, and a way to put other rows in their place."""

    def __init__(self, url: str) -> None:
        self.url = url
        store = Store(url)
        store.migrate()
        with store.transaction("author") as tx:
            for number in range(1, ENTRIES + 1):
                tx.journal("run.request", f"run/{number}", note="naïve 漢字", n=number / 3)
        store.close()
        self.rows = [list(row) for row in raw(url, "SELECT * FROM journal ORDER BY seq")]
        self.reader: Reader = open_reader(url)

    def verify(self, rows: list[list[Any]] | None = None) -> ChainReport:
        """What verify says when these rows stand in the table."""
        mark = "?" if self.url.startswith("sqlite") else "%s"
        with behind(self.url) as connection:
            connection.execute("DELETE FROM journal")
            connection.cursor().executemany(
                f"INSERT INTO journal VALUES ({', '.join([mark] * 8)})",
                self.rows if rows is None else rows,
            )
        return journal.verify_chain(self.reader)

    def copy(self) -> list[list[Any]]:
        """The rows as they were written, to be changed."""
        return [list(row) for row in self.rows]


@pytest.fixture
def book(database_url: str) -> Iterator[Journal]:
    """A journal on either database."""
    book = Journal(database_url)
    yield book
    book.reader.close()


def test_an_untouched_chain_holds(book: Journal) -> None:
    report = book.verify()
    assert report == ChainReport(True, ENTRIES, book.rows[-1][-1])


def test_an_empty_journal_holds(tmp_path: Path) -> None:
    report = journal.verify_chain(open_reader(f"sqlite:///{tmp_path / 'none.db'}"))
    assert report == ChainReport(True, 0, GENESIS)


@shared
@given(data=st.data())
def test_a_changed_field_is_found_where_it_was_changed(book: Journal, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, ENTRIES - 1))
    column = data.draw(st.sampled_from(COLUMNS[1:]))
    rows = book.copy()
    old = rows[index][COLUMNS.index(column)]
    new = data.draw(st.floats(0, 4e9) if column == "at" else texts)
    assume(new != old)
    rows[index][COLUMNS.index(column)] = new
    report = book.verify(rows)
    assert (report.ok, report.broken_seq, report.entries) == (False, index + 1, index)
    assert report.reason


@shared
@given(index=st.integers(0, ENTRIES - 1), seq=st.integers(-50, 50))
def test_a_moved_entry_is_found(book: Journal, index: int, seq: int) -> None:
    assume(not 1 <= seq <= ENTRIES)
    rows = book.copy()
    rows[index][0] = seq
    report = book.verify(rows)
    assert not report.ok
    assert report.broken_seq == (seq if seq < 1 else index + 1)


@shared
@given(indices=st.sets(st.integers(0, ENTRIES - 1), min_size=1, max_size=5))
def test_missing_entries_are_found(book: Journal, indices: set[int]) -> None:
    report = book.verify([row for i, row in enumerate(book.rows) if i not in indices])
    last = ENTRIES - 1
    while last in indices:  # what a chain alone cannot show
        last -= 1
    inner = [index for index in indices if index < last]
    if inner:
        assert (report.ok, report.broken_seq) == (False, min(inner) + 1)
        assert report.reason == "entry is missing"
    else:
        assert report.ok
        assert report.entries == last + 1
        assert report.head != book.rows[-1][-1], "the head, kept elsewhere, shows a cut-off end"


@shared
@given(pair=st.sets(st.integers(0, ENTRIES - 1), min_size=2, max_size=2))
def test_swapped_entries_are_found(book: Journal, pair: set[int]) -> None:
    one, other = sorted(pair)
    rows = book.copy()
    rows[one][0], rows[other][0] = rows[other][0], rows[one][0]
    report = book.verify(rows)
    assert (report.ok, report.broken_seq) == (False, one + 1)


@shared
@given(index=st.integers(0, ENTRIES - 2), actor=texts)
def test_hashing_the_changed_entry_anew_breaks_the_next(
    book: Journal, index: int, actor: str
) -> None:
    assume(actor != "author")
    rows = book.copy()
    rows[index][2] = actor
    rows[index][7] = entry_hash(*rows[index][:7])
    report = book.verify(rows)
    assert (report.ok, report.broken_seq) == (False, index + 2)


@pytest.mark.parametrize("seq", [0, -1, -(2**31), ENTRIES + 1, ENTRIES + 5])
def test_an_added_entry_is_found(book: Journal, seq: int) -> None:
    forged = [seq, 1.0, "eve", "approval.approve", "approval/x", "{}", GENESIS]
    report = book.verify([*book.rows, [*forged, entry_hash(*forged)]])
    assert not report.ok
    assert report.broken_seq == min(seq, ENTRIES + 1)


@pytest.mark.parametrize("page", [1, 2, 5, ENTRIES, ENTRIES + 1])
def test_every_page_of_a_long_journal_is_read(
    book: Journal, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_PAGE", page)
    assert book.verify().entries == ENTRIES
    rows = book.copy()
    rows[ENTRIES - 1][3] = "nothing.happened"
    assert book.verify(rows).broken_seq == ENTRIES


@pytest.mark.parametrize("column", COLUMNS[1:])
@pytest.mark.parametrize("value", ["x'00ff'", "CAST(x'ff41' AS TEXT)", "7", "''", "'ünd'"])
def test_sqlite_values_of_any_kind_are_found(tmp_path: Path, column: str, value: str) -> None:
    book = Journal(f"sqlite:///{tmp_path / 'state.db'}")
    try:
        with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
            connection.execute(f"UPDATE journal SET {column} = {value} WHERE seq = 5")
            connection.commit()
        report = journal.verify_chain(book.reader)
        assert (report.ok, report.broken_seq, report.entries) == (False, 5, 4)
    finally:
        book.reader.close()


def test_audit_verify_says_so_and_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_workspace(tmp_path / "space")
    (root / ".opsdeck").mkdir()
    book = Journal(f"sqlite:///{root / '.opsdeck' / 'state.db'}")
    command = ["audit", "verify", "-w", str(root)]

    assert run(command) == 0
    out, err = capsys.readouterr()
    assert out == f"the chain holds: {ENTRIES} entries, head {book.rows[-1][-1]}\n"
    assert err == ""

    raw(book.url, "UPDATE journal SET actor = 'eve' WHERE seq IN (4, 9)")
    assert run(command) == 1
    out, err = capsys.readouterr()
    assert out == (
        "the chain is broken at entry 4: was changed after it was written"
        " (3 entries before it hold)\n"
    )
    assert run([*command, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["ok"], report["broken_seq"]) == (False, 4)
    book.reader.close()


def test_a_changed_entry_can_still_be_listed(book: Journal) -> None:
    rows = book.copy()
    rows[2][5] = "not json {"
    rows[3][5] = "[1]"
    book.verify(rows)
    listed = journal.list_entries(book.reader)
    assert [entry.seq for entry in listed] == list(range(ENTRIES, 0, -1))
    assert listed[-3].detail == {"unreadable": "not json {"}


WRITER = """
import sys
from core.state.store import Store
store = Store(sys.argv[1])
store.migrate()
for number in range(int(sys.argv[3])):
    with store.transaction(sys.argv[2]) as tx:
        tx.journal("test.write", "run/1", n=number)
"""


def test_threads_and_processes_at_once_never_fork_the_chain(database_url: str) -> None:
    """The processes begin on an empty database: they also migrate it all at once."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, database_url, f"process-{n}", "30"],
            stderr=subprocess.PIPE,
        )
        for n in range(3)
    ]
    store = Store(database_url)
    store.migrate()
    faults: list[OpsdeckError] = []

    def write(actor: str) -> None:
        try:
            for number in range(30):
                with store.transaction(actor) as tx:
                    tx.journal("test.write", "run/1", n=number)
        except OpsdeckError as error:
            faults.append(error)

    threads = [threading.Thread(target=write, args=(f"thread-{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err.decode()
    store.close()
    assert not faults
    reader = open_reader(database_url)
    report = journal.verify_chain(reader)
    assert report.ok, report
    assert report.entries == 6 * 30
    for actor in ("process-0", "process-2", "thread-1"):  # each writer's own order is kept
        mine = journal.list_entries(reader, limit=1000, search=actor)
        assert [e.detail["n"] for e in reversed(mine)] == list(range(30))
    reader.close()


@settings(max_examples=60, deadline=None)
@given(
    detail=st.dictionaries(
        st.text(max_size=5).filter(lambda k: k not in ("action", "subject", "self")),
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
        max_size=4,
    )
)
def test_any_detail_comes_back_as_it_was(detail: dict[str, Any]) -> None:
    text = json.dumps(detail, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert json.loads(text) == detail
    one = entry_hash(1, 0.1, "author", "a", "b", text, GENESIS)
    assert one == entry_hash(1, 0.1, "author", "a", "b", text, GENESIS)
    assert one != entry_hash(1, 0.1, "author", "a", "b" + text, "", GENESIS), (
        "fields never run together"
    )
