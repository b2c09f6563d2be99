"""What people read: aligned in a pipe, fitted to a terminal, harmless everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.session import Session
from console.tables import Column, _width, block, table
from console.words import Cell, harmless
from tests.console.conftest import Cli


class _Terminal(Session):
    """A session whose output goes to a terminal of 40 columns."""

    terminal = True


def test_lists_name_what_is_there(cli: Cli, seeded: Path) -> None:
    lines = cli("runs", "list").out.splitlines()
    assert lines[0].split() == [
        "RUN",
        "PIPELINE",
        "STATE",
        "STEPS",
        "TOOK",
        "STARTED",
        "BY",
        "PARAMETERS",
    ]
    assert [line.split()[:3] for line in lines[1:]] == [
        ["4", "hello", "waiting"],
        ["3", "hello", "cancelled"],
        ["2", "hello", "failed"],
        ["1", "hello", "succeeded"],
    ]
    assert "count=4" in lines[1]
    assert "champion=1" in cli("models", "list").out
    assert "candidate" in cli("models", "show", "demand").out
    assert "a1b2c3" in cli("approvals", "list").out
    assert "run.request" in cli("audit", "list").out
    assert "hello:numbers" in cli("pipelines", "show", "hello").out
    assert "step total failed" in cli("runs", "show", "2").out


def test_nothing_yet_says_what_to_do(cli: Cli, workspace: Path) -> None:
    assert cli("runs", "list").out == "no runs yet: opsdeck runs start PIPELINE\n"
    assert cli("runs", "list", "--search", "x").out == "no runs match\n"
    for noun in ("models", "endpoints"):
        assert cli(noun, "list").out.startswith(f"no {noun} yet: ")


def test_filters_narrow_the_list(cli: Cli, seeded: Path) -> None:
    assert len(cli("runs", "list", "--status", "failed").out.splitlines()) == 2
    assert len(cli("runs", "list", "--search", "count 3").out.splitlines()) == 2
    assert cli("runs", "list", "--pipeline", "nope").out == "no runs match\n"
    assert len(cli("audit", "list", "--before", "3").out.splitlines()) == 3


def test_an_approval_is_shown_with_its_evidence(cli: Cli, seeded: Path) -> None:
    shown = cli("approvals", "show", "a1b2c3").out
    assert "metrics, champion is version 1" in shown
    assert "-4.5 (-10.0%)" in shown
    assert "0123abcd" in shown


def test_deciding_says_what_became_of_the_request(cli: Cli, seeded: Path) -> None:
    approved = cli("approvals", "approve", "a1", "-m", "better", "--confirm", "demand")
    assert approved.out == "approval a1b2c3 of demand version 2: approved\n"
    rejected = cli("approvals", "reject", "d4", "-m", "too late", "--as", "grace")
    assert rejected.out == "approval d4e5f6 of demand version 2: rejected\n"
    assert cli("approvals", "list").out == "nothing waits for a decision\n"
    assert "grace" in cli("audit", "list", "-n", "1").out
    again = cli("approvals", "approve", "a1", "-m", "x", "--confirm", "demand")
    assert (again.status, again.err.split()[1]) == (1, "E202")


def test_a_tampered_journal_is_named(cli: Cli, seeded: Path) -> None:
    import sqlite3

    assert cli("audit", "verify").status == 0
    with sqlite3.connect(seeded / ".opsdeck" / "state.db") as connection:
        connection.execute("UPDATE journal SET actor = 'mallory' WHERE seq = 2")
    connection.close()
    result = cli("audit", "verify")
    assert result.status == 1
    assert "broken at entry 2" in result.out
    assert cli("audit", "verify", "--json").json()["broken_seq"] == 2
    assert cli("doctor").status == 1


def test_doctor_without_a_workspace(cli: Cli, tmp_path: Path) -> None:
    result = cli("-w", str(tmp_path), "doctor", "--json")
    assert result.status == 1
    states = {check["name"]: check["state"] for check in result.json()["checks"]}
    assert states == {"python": "ok", "dependencies": "ok", "workspace": "broken"}


def test_init_makes_a_workspace_that_validates(cli: Cli, tmp_path: Path) -> None:
    for example in ([], ["--example", "bike-demand"]):
        root = tmp_path / "-".join(["made", *example])
        assert cli("init", str(root), *example).status == 0
        assert cli("-w", str(root), "pipelines", "validate").status == 0
    assert (root / "data" / "SOURCES.md").exists()


def test_init_takes_back_what_it_cannot_finish(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    result = cli("init", str(tmp_path / "a" / "b"))
    assert (result.status, result.err.split()[1]) == (4, "E302")
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_gets_everything_in_columns() -> None:
    columns = [Column("name", flexible=True), Column("n", right=True)]
    text = table(Session(), columns, [("x" * 200, "1"), ("y", Cell("22", "red"))])
    assert text.splitlines() == [
        f"{'NAME':<200}   N",
        f"{'x' * 200}   1",
        f"{'y':<200}  22",
    ]


@given(
    st.lists(st.tuples(st.text(max_size=80), st.text(max_size=80)), max_size=5),
    st.integers(20, 120),
)
def test_a_terminal_is_never_overrun(rows: list[tuple[str, str]], room: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(room))
        patch.setenv("LINES", "24")
        columns = [Column("one", flexible=True), Column("two", flexible=True)]
        text = table(_Terminal(no_color=True), columns, rows)
    lines = text.split("\n")
    assert len(lines) == len(rows) + 1
    assert all(_width(line) <= room for line in lines)


@given(st.text())
def test_nothing_that_a_terminal_obeys_gets_through(text: str) -> None:
    kept = harmless(text)
    assert not any((ord(c) < 32 and c not in "\t\n") or 127 <= ord(c) < 160 for c in kept)
    assert harmless(kept) == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]52;c;ZXZpbA==\x1b\\b", "ab"),
        ("50%\rdone", "50%done"),
        ("tab\tstays", "tab\tstays"),
        ("\x9b31m", "31m"),
        ("größer ✓ 数", "größer ✓ 数"),
    ],
)
def test_escapes_are_taken_out(text: str, kept: str) -> None:
    assert harmless(text) == kept


def test_blocks_leave_out_what_is_empty() -> None:
    assert block(Session(), [("a", "1"), ("b", ""), ("long", "2")]) == "a     1\nlong  2"
