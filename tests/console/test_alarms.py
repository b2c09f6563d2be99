"""`opsdeck alarms` and `opsdeck slos` as people and programs read them, on both databases."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from console.alarm_text import spark
from console.main import run
from core.alarms.keeper import Keeper
from core.domain.series import Point, Statistics
from core.ops import open_ops
from core.series import record
from core.slo.keeper import SloKeeper
from tests.support.opened import database_url, woken, write_workspace

__all__ = ["database_url", "woken"]

FILE = """\
slos:
  up: {endpoint: bike, objective: 99%, description: what was promised}
alarms:
  slow:
    metric: endpoint/bike:latency
    stat: p99
    threshold: 200
    evaluation_periods: 3
    datapoints_to_alarm: 2
    actions: [alert: critical, rollback]
    runbook: runbooks/slow.md
  bad: {rule: "ALARM(slow) OR ALARM(up-fast-burn)", actions: []}
"""


@pytest.fixture
def root(tmp_path: Path, database_url: str, woken: list[Any]) -> Path:
    root = write_workspace(tmp_path / "w", database_url)
    (root / "monitors").mkdir()
    (root / "monitors" / "bike.yaml").write_text(FILE)
    return root


def said(
    capsys: pytest.CaptureFixture[str], root: Path, *words: str, status: int = 0
) -> tuple[str, str]:
    assert run(["-w", str(root), "--as", "ana", *words]) == status
    captured = capsys.readouterr()
    return captured.out, captured.err


def work(root: Path, *latencies: float) -> None:
    """What a worker does, after so many minutes of these latencies."""
    with open_ops(root, actor="opsdeck") as ops:
        now = ops.session.reader.clock() // 60 * 60
        first = now - 60 * len(latencies)
        points = [Point("latency", first + 60 * n, v) for n, v in enumerate(latencies)]
        errors = Statistics(1000, 5, 0, 1)
        points.append(Point("errors", now - 120, statistics=errors))
        with ops.session.change("measure") as tx:
            record(tx, "endpoint/bike", points)
        SloKeeper(ops.session).look()
        Keeper(ops.session, "worker").look(max(now + 16, ops.session.reader.clock()))


def test_what_there_is_and_why(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    out, _ = said(capsys, root, "alarms", "list")
    assert out.startswith("no such alarms; make one")
    work(root, 100, 300, 400)
    out, _ = said(capsys, root, "alarms", "list", "--state", "alarm")
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["bad", "slow"]
    assert "2 of the last 3 datapoints [100, 300, 400] were greater than 200" in out
    out, _ = said(capsys, root, "alarms", "show", "slow")
    for words in (
        "endpoint/bike:latency p99 > 200, 2 of 3 × 1m", "alert: critical, rollback",
        "runbooks/slow.md", "▁▅█  400", "INSUFFICIENT_DATA → ALARM", "nothing was rolled back",
    ):  # fmt: skip
        assert words in out
    document = json.loads(said(capsys, root, "--json", "alarms", "list", "--about", "slo/up")[0])
    names = [each["name"] for each in document["alarms"]]
    assert names == ["up-fast-burn", "up-slow-burn", "up-trickle-burn"]
    assert {each["definition"]["derived_from"] for each in document["alarms"]} == {"slo/up"}
    _, err = said(capsys, root, "alarms", "show", "slw", status=3)
    assert err == "error E120 alarm slw: no such alarm (see: opsdeck alarms list)\n"


def test_stale_states_are_told_as_such(
    capsys: pytest.CaptureFixture[str], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work(root, 100)
    monkeypatch.setattr("core.reads.alarms.STALE_SECONDS", -1.0)
    out, _ = said(capsys, root, "alarms", "list")
    assert "these states are stale: last evaluated" in out
    assert "start a worker: opsdeck worker" in out


def test_trying_switching_and_the_record_of_it(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    work(root, 1, 1, 1)
    out, _ = said(capsys, root, "alarms", "test", "slow", "--seconds", "30", "-m", "to see")
    assert out.startswith("alarm slow: ALARM for 30 s, as a test; what it did:")
    _, err = said(capsys, root, "alarms", "test", "slow", status=1)
    assert "alarm slow: is being tested" in err
    _, err = said(capsys, root, "alarms", "disable", "slow", status=2)
    assert "no reason" in err
    out, _ = said(capsys, root, "alarms", "disable", "slow", "-m", "being mended")
    assert out == "alarm slow: its actions are off\n"
    out, _ = said(capsys, root, "alarms", "show", "slow")
    assert "off by ana" in out
    assert "being mended" in out
    assert "set by hand, to try it" in out
    said(capsys, root, "alarms", "enable", "slow")
    out, _ = said(capsys, root, "alarms", "history", "--kind", "config")
    assert "actions switched off: being mended" in out
    out, _ = said(capsys, root, "alarms", "history", "slow", "--kind", "test")
    assert "test: OK → ALARM" in out
    assert "ana" in out
    alerts = json.loads(said(capsys, root, "--json", "alerts", "list")[0])["alerts"]
    assert [each["title"] for each in alerts] == ["[test] slow: endpoint/bike:latency p99 > 200"]


def test_making_and_deleting_one(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    out, _ = said(
        capsys, root, "alarms", "create", "queue", "--metric", "endpoint/bike:in_flight",
        "--threshold", "50", "--datapoints", "3/5", "--missing", "breaching",
        "--action", "alert:critical", "--set", "minimum_samples=2",
    )  # fmt: skip
    assert out.startswith("monitors/alarm-queue.yaml: endpoint/bike:in_flight Average > 50, 3 of 5")
    made = json.loads(said(capsys, root, "--json", "alarms", "show", "queue")[0])["alarm"]
    assert made["definition"]["minimum_samples"] == 2
    assert made["state"] == "INSUFFICIENT_DATA"
    for words, status, told in (
        (("--metric", "endpoint/bike:x"), 2, "E621 alarms.two: no threshold"),
        (("--metric", "endpoint/bike:x", "--threshold", "1", "--datapoints", "3"), 2, "not M/N"),
        (("--rule", "ALARM(two)"), 2, "the alarm looks at itself: two → two"),
        (("--rule", "ALARM(slow"), 2, "expected “)”, found the end"),
    ):
        _, err = said(capsys, root, "alarms", "create", "two", *words, status=status)
        assert told in err
    _, err = said(capsys, root, "alarms", "create", "slow", "--rule", "TRUE", status=1)
    assert "exists already" in err
    _, err = said(capsys, root, "alarms", "delete", "slow", "--yes", status=1)
    assert "bad looks at it" in err
    _, err = said(capsys, root, "alarms", "delete", "bad", "--yes", status=1)
    assert "monitors/bike.yaml defines other things too" in err
    _, err = said(capsys, root, "alarms", "delete", "up-fast-burn", "--yes", status=1)
    assert "was made for slo/up" in err
    out, _ = said(capsys, root, "alarms", "delete", "queue", "--yes")
    assert out == "alarm queue: deleted\n"
    assert not (root / "monitors" / "alarm-queue.yaml").exists()
    out, _ = said(capsys, root, "alarms", "history", "queue")
    assert "no file defines it any more" in out


def test_objectives_and_what_is_left_of_them(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    out, _ = said(capsys, root, "slos", "list")
    assert out.startswith("no objectives; write them")
    work(root, 100)
    out, _ = said(capsys, root, "slos", "list")
    assert "99.500 %" in out
    assert "50.0 %" in out
    out, _ = said(capsys, root, "slos", "show", "up")
    for words in ("1,000, of them 5 bad", "up-fast-burn", "what was promised", "burn rate"):
        assert words in out
    document = json.loads(said(capsys, root, "--json", "slos", "show", "up")[0])
    assert (document["sli"], document["budget_left"]) == (0.995, pytest.approx(0.5))
    _, err = said(capsys, root, "slos", "show", "down", status=3)
    assert "objective down: no such objective" in err


def test_what_can_be_measured(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    out, _ = said(capsys, root, "alarms", "metrics")
    assert out.startswith("nothing has been measured yet")
    work(root, 100, 300)
    out, _ = said(capsys, root, "alarms", "metrics", "endpoint/bike")
    assert out.splitlines() == ["endpoint/bike:errors", "endpoint/bike:latency"]
    out, _ = said(capsys, root, "alarms", "metrics", "endpoint/bike:latency", "-n", "4")
    assert "300" in out
    document = json.loads(
        said(capsys, root, "--json", "alarms", "metrics", "endpoint/bike:latency",
             "--period", "window", "--stat", "p99")[0]
    )  # fmt: skip
    assert [each["value"] for each in document["datapoints"]] == [100, 300]
    _, err = said(capsys, root, "alarms", "metrics", "endpoint/bike:x", "--period", "m", status=2)
    assert "--period m" in err


def test_bars_of_odd_numbers() -> None:
    assert spark([1, None, 8, math.inf, -math.inf]) == "▁·██▁"
    assert spark([None]) == "·"
    assert spark([3, 3]) == "▁▁"
    assert spark([]) == ""


def test_a_console_that_only_looks_changes_nothing(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    work(root, 100)
    for words in (("test", "slow"), ("enable", "slow"), ("delete", "slow", "--yes")):
        assert run(["-w", str(root), "--read-only", "alarms", *words]) == 1
        assert "E200" in capsys.readouterr().err
