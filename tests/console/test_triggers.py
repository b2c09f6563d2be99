"""`opsdeck triggers` as people and programs read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from console.main import run
from tests.support.opened import woken, write_workspace

__all__ = ["woken"]

GOOD = """\
triggers:
  retrain:
    description: when the error grows
    on: [{schedule: 7d}]
    pipeline: chain
    model: demand
    params: {count: 4}
    budget: {runs: 2, per: day}
"""


@pytest.fixture
def root(tmp_path: Path, woken: list[Any]) -> Path:
    root = write_workspace(tmp_path / "w")
    (root / "monitors").mkdir()
    (root / "monitors" / "chain.yaml").write_text(GOOD)
    return root


def said(
    capsys: pytest.CaptureFixture[str], root: Path, *words: str, status: int = 0
) -> tuple[str, str]:
    assert run(["-w", str(root), "--as", "ana", "triggers", *words]) == status
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_what_there_is_and_what_would_happen(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    out, _ = said(capsys, root, "list")
    assert "retrain" in out
    assert "every 7d" in out
    out, _ = said(capsys, root, "show", "retrain")
    assert "budget           2 runs a day" in out
    assert "if it fired now  a run" in out
    assert "none yet" in out
    out, _ = said(capsys, root, "check")
    assert "a run" in out


def test_firing_twice_is_busy_and_is_on_record(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    out, _ = said(capsys, root, "fire", "retrain", "-m", "a try")
    assert "accepted; a worker makes its run" in out
    out, _ = said(capsys, root, "fire", "retrain", status=1)
    assert "busy: firing" in out
    out, _ = said(capsys, root, "show", "retrain")
    assert "a try" in out
    document = json.loads(said(capsys, root, "show", "retrain", "--json")[0])
    assert [each["decision"] for each in document["firings"]] == ["busy", "accepted"]
    assert document["trigger"]["last"]["cause"]["kind"] == "hand"


def test_switching(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    said(capsys, root, "disable", "retrain", "-m", "holidays")
    out, _ = said(capsys, root, "fire", "retrain", status=1)
    assert "disabled: switched off by ana: holidays" in out
    said(capsys, root, "enable", "retrain")
    said(capsys, root, "fire", "retrain")


def test_problems_have_their_line_and_a_suggestion(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    (root / "monitors" / "chain.yaml").write_text(
        GOOD.replace("chain\n", "chian\n").replace("7d", "often")
    )
    out, _ = said(capsys, root, "check", status=1)
    assert "monitors/chain.yaml:4 triggers.retrain.on[0].schedule" in out
    (root / "monitors" / "chain.yaml").write_text(GOOD.replace("chain\n", "chian\n"))
    out, _ = said(capsys, root, "check", status=1)
    assert "chain.yaml:5 triggers.retrain.pipeline: no pipeline chian (did you mean chain?)" in out


def test_unknown_names_and_read_only(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    _, err = said(capsys, root, "show", "retrian", status=3)
    assert "did you mean retrain?" in err
    _, err = said(capsys, root, "fire", "retrain", "--read-only", status=1)
    assert "read-only" in err
    _, err = said(capsys, root, "augment", "retrain", status=2)
    assert "trigger retrain augments nothing" in err
