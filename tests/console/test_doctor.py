"""`opsdeck doctor`: what it finds broken, what it only warns of, and what to do about it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.console.conftest import Cli

ALL = [
    "python",
    "dependencies",
    "workspace",
    "pipelines",
    "monitors",
    "alerts",
    "state",
    "journal",
    "disk",
    "worker",
    "warm server",
    "tracking",
    "endpoints",
    "telemetry",
    "git",
]


def states(cli: Cli) -> tuple[int, dict[str, dict[str, str]]]:
    """The exit status, and every check by its name."""
    result = cli("doctor", "--json")
    return result.status, {check["name"]: check for check in result.json()["checks"]}


def test_a_new_workspace_is_well(cli: Cli, workspace: Path) -> None:
    status, checks = states(cli)
    assert status == 0
    assert list(checks) == ALL
    assert {name for name, check in checks.items() if check["state"] == "broken"} == set()
    assert checks["worker"]["state"] == "warning"
    assert checks["git"]["hint"].startswith("git init and commit")


def test_every_fault_has_a_hint(cli: Cli, seeded: Path) -> None:
    (seeded / "pipelines" / "bad.yaml").write_text("steps: []\n")
    with sqlite3.connect(seeded / ".opsdeck" / "state.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("DELETE FROM journal WHERE seq = 2")
        connection.execute("UPDATE endpoints SET status = 'in_service'")
    connection.close()
    (seeded / ".opsdeck" / "mlflow.db").write_bytes(b"nothing that MLflow wrote" * 100)
    status, checks = states(cli)
    assert status == 1
    broken = {name for name, check in checks.items() if check["state"] == "broken"}
    assert broken == {"pipelines", "state", "journal", "tracking", "endpoints"}
    for name in broken:
        assert checks[name]["message"] and checks[name]["hint"], checks[name]


def test_a_state_file_that_is_damaged(cli: Cli, workspace: Path) -> None:
    (workspace / ".opsdeck").mkdir()
    (workspace / ".opsdeck" / "state.db").write_bytes(b"garbage" * 1000)
    status, checks = states(cli)
    assert (status, checks["state"]["state"]) == (1, "broken")


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.mark.parametrize(("free", "state"), [(50, "broken"), (900, "warning"), (9_000, "ok")])
def test_room_on_the_disk(
    cli: Cli, workspace: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str
) -> None:
    usage = _Usage(10**11, 0, free * 1_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage)
    assert states(cli)[1]["disk"]["state"] == state


def test_without_git(cli: Cli, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    status, checks = states(cli)
    assert (status, checks["git"]["state"]) == (0, "warning")
    assert checks["git"]["hint"].startswith("install git")


def test_a_person_sees_what_to_do(cli: Cli, workspace: Path) -> None:
    lines = cli("doctor").out.splitlines()
    assert lines[0].split() == ["CHECK", "STATE", "FOUND", "WHAT", "TO", "DO"]
    assert len(lines) == len(ALL) + 1


def test_a_broken_file_of_monitors_is_named_with_its_line(cli: Cli, workspace: Path) -> None:
    (workspace / "monitors").mkdir()
    (workspace / "monitors" / "a.yaml").write_text("monitors:\n  m: {kind: drif, watch: x}\n")
    _, checks = states(cli)
    assert checks["monitors"]["state"] == "broken"
    assert checks["monitors"]["message"].startswith("monitors/a.yaml:2 monitors.m.kind: unknown")
