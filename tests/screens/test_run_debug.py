"""What the debugger found among the details of a run."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from core.domain.debugger import DebugReport, RuleResult, RuleStatus
from core.domain.run import Run, RunDetail, RunStatus
from screens.rundetails import detail_lines
from screens.runview import RunReader

RUN = Run(
    id="r1", number=7, pipeline="p", status=RunStatus.RUNNING, params={}, created_at=0.0,
    requested_by="ana",
)  # fmt: skip
QUIET = DebugReport(7, "p", False, (RuleResult("Overfit", RuleStatus.IN_PROGRESS, "val_loss"),))
LOUD = replace(
    QUIET,
    ended=True,
    rules=(RuleResult("Overfit", RuleStatus.ISSUES, "val_loss", "val_loss is high", 8),),
)


def text(found: DebugReport | None) -> list[str]:
    lines = detail_lines(RunDetail(RUN, ()), {}, None, 100, (), found)
    return [" ".join("".join(piece[0] for piece in line).split()) for line in lines]


def test_issues_are_told_with_since_when() -> None:
    lines = text(LOUD)
    at = lines.index("DEBUGGER")
    assert lines[at + 1 : at + 3] == [
        "Overfit since step 8: val_loss is high",
        "models, labels opsdeck runs debug 7",
    ]


def test_no_issues_are_told_too_and_nothing_where_nothing_can_be() -> None:
    assert "1 rule no issues so far" in text(QUIET)
    assert "DEBUGGER" not in text(None)
    assert "DEBUGGER" not in text(replace(QUIET, rules=()))


def test_a_run_is_looked_at_now_and_then_and_once_it_has_ended() -> None:
    asked: list[str] = []
    run = [RUN]

    def debug(ref: str, *, outputs: bool) -> DebugReport:
        assert not outputs
        asked.append(ref)
        return replace(QUIET, ended=run[0].status.ended)

    runs: Any = SimpleNamespace(
        get=lambda _: RunDetail(run[0], ()),
        metrics=lambda *_: (),
        logs=lambda *_, **__: SimpleNamespace(lines=(), cursor="", complete=True),
        debug=debug,
    )
    ops: Any = SimpleNamespace(runs=runs)
    reader = RunReader("7")
    assert reader(ops).debugged == QUIET
    reader(ops)
    assert asked == ["7"]  # not at every reading
    run[0] = replace(RUN, status=RunStatus.SUCCEEDED)
    assert reader(ops).debugged == replace(QUIET, ended=True)
    reader(ops)
    assert asked == ["7", "7"]
