"""CodePipeline's stages as a ladder: what is where, what waits in front, what is closed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from core.aws.kind import Line
from core.aws.words import clock, short, tone

if TYPE_CHECKING:
    from core.aws.account import Account

SHORT = 8
_ABANDONED = "Abandoned"


def state(account: Account, pipeline: str) -> Mapping[str, Any]:
    """A pipeline's state in AWS's words."""
    found: Mapping[str, Any] = account.call("codepipeline", "get_pipeline_state", name=pipeline)
    return found


def tone_of(status: str) -> str:
    """The tone of an execution's, stage's or action's status."""
    return "bad" if status == _ABANDONED else tone(status)


def lines(told: Mapping[str, Any]) -> tuple[Line, ...]:
    """The stages with their actions, from source to production."""
    return tuple(line for stage in told.get("stageStates", ()) for line in _stage(stage))


def _stage(stage: Mapping[str, Any]) -> Iterator[Line]:
    closed = stage.get("inboundTransitionState") or {}
    waiting = stage.get("inboundExecutions") or ()
    if not closed.get("enabled", True):
        by = closed.get("lastChangedBy", "")
        who = f" by {by.rpartition('/')[2]}" if by else ""
        yield ("  ╳ closed", f"{closed.get('disabledReason', '')}{who}", "wait")
    for each in waiting:
        yield ("  ⋯ waits in front", each["pipelineExecutionId"][:SHORT], "wait")
    latest = stage.get("latestExecution") or {}
    status = latest.get("status", "not reached")
    of = latest.get("pipelineExecutionId", "")[:SHORT]
    rolled = "  (rollback)" if latest.get("type") == "ROLLBACK" else ""
    shade = tone_of(status) if latest else "dim"
    yield (stage["stageName"], f"{status}  {of}{rolled}".rstrip(), shade)
    for action in stage.get("actionStates", ()):
        yield _action(action)


def _action(action: Mapping[str, Any]) -> Line:
    latest = action.get("latestExecution")
    name = f"  {action['actionName']}"
    if not latest:
        return (name, "not reached", "dim")
    status = latest.get("status", "")
    revision = (action.get("currentRevision") or {}).get("revisionId", "")
    waits = _waits(latest)
    parts = (
        "waits for an approval" if waits else status,
        clock(latest.get("lastStatusChange")),
        revision[:SHORT] if revision else "",
        short((latest.get("errorDetails") or {}).get("message") or latest.get("summary", ""), 160),
    )
    return (name, "  ".join(part for part in parts if part), "wait" if waits else tone_of(status))


def asking(told: Mapping[str, Any]) -> str:
    """The stage in which a person is asked now; "" where nobody is."""
    for stage in told.get("stageStates", ()):
        if any(_waits(each.get("latestExecution") or {}) for each in stage["actionStates"]):
            return str(stage["stageName"])
    return ""


def _waits(latest: Mapping[str, Any]) -> bool:
    return bool(latest.get("token")) and latest.get("status") == "InProgress"


def stages_of(told: Mapping[str, Any], status: str = "") -> tuple[str, ...]:
    """The stages' names, or of those whose last execution ended so."""
    return tuple(
        each["stageName"]
        for each in told.get("stageStates", ())
        if not status or (each.get("latestExecution") or {}).get("status") == status
    )


def inside(told: Mapping[str, Any], stage: str) -> str:
    """The execution that was last in a stage; "" where none was."""
    for each in told.get("stageStates", ()):
        if each["stageName"] == stage:
            return str((each.get("latestExecution") or {}).get("pipelineExecutionId", ""))
    return ""
