"""`opsdeck runs debug`: issues first, what cannot be told, and an exit status for scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.tracking import MetricSeries

STEPS = tuple(range(40))
TIMES = tuple(1_780_000_001_000 + step * 50 for step in STEPS)


@pytest.fixture
def overfitting(seeded: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs whose validation loss goes up while the training loss falls."""
    series = (
        MetricSeries("train_loss", STEPS, tuple(1 / (step + 1) for step in STEPS), TIMES),
        MetricSeries("val_loss", STEPS, tuple(1 + step / 10 for step in STEPS), TIMES),
    )
    monkeypatch.setattr("core.services.debugging.run_metrics", lambda *_: series)
    return seeded


def test_a_person_reads_issues_first_and_what_is_not_evaluated(cli: Any, overfitting: Path) -> None:
    result = cli("runs", "debug", "1", "--quick")
    assert result.status == 0
    lines = result.out.splitlines()
    assert lines[0].split()[:2] == ["RULE", "STATUS"]
    assert lines[1].split()[:2] == ["LossNotDecreasing", "IssuesFound"]
    assert any(line.startswith("Overfit ") and "IssuesFound" in line for line in lines)
    assert "not evaluated" in lines
    assert any(line.startswith("DeadRelu") and "tensors" in line for line in lines)


def test_a_script_gets_one_document_and_a_status(cli: Any, overfitting: Path) -> None:
    result = cli("runs", "debug", "1", "--check", "--json")
    assert result.status == 1
    told = result.json()
    assert told["run"] == 1
    assert told["complete"] is True
    by_rule = {rule["rule"]: rule for rule in told["rules"]}
    assert by_rule["Overfit"]["status"] == "IssuesFound"
    assert by_rule["Overfit"]["since_step"] == 2
    assert by_rule["Overfit"]["since_at"].endswith("Z")
    assert told["not_evaluated"]["TreeDepth"] == "no model was put out"


def test_following_tells_of_each_issue_once_and_ends_with_the_run(
    cli: Any, overfitting: Path
) -> None:
    result = cli("runs", "debug", "2", "--follow", "--quick")
    assert result.status == 0
    assert sum(line.startswith("Overfit: val_loss") for line in result.out.splitlines()) == 1
    lines = [json.loads(line) for line in
             cli("runs", "debug", "2", "--follow", "--json").out.splitlines()]  # fmt: skip
    assert {"Overfit", "LossNotDecreasing"} <= {line.get("rule") for line in lines}
    assert "not_evaluated" in lines[-1]


def test_a_run_without_metrics_and_one_that_is_not_there(cli: Any, seeded: Path) -> None:
    result = cli("runs", "debug", "1", "--check")
    assert result.status == 0
    assert "no metric was logged" in result.out
    assert cli("runs", "debug", "99").status == 3
