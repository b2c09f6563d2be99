"""Step Functions: stopping what waits for an answer, and redriving. moto runs the machines.

A redriven execution goes on by the definition it was started with, from the state that it did not
leave; its history goes on too. A Parallel or Map state is entered as a whole again, where AWS
runs only those of its branches that failed.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from typing import Any

from core.simulated.faults import Fault
from core.simulated.registry import operation
from core.simulated.state import Call, State

ENDED_BADLY = ("FAILED", "ABORTED", "TIMED_OUT")
REDRIVABLE_SECONDS = 14 * 86_400.0
STOP_SECONDS = 0.5
"""How long a running state is given to notice that it is to stop."""


def _execution(state: State, arn: str) -> Any:
    """moto's execution of this ARN; else its answer that there is none."""
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends

    backend = stepfunctions_parser_backends[state.account_id][state.region]
    for machine in backend.state_machines:
        for execution in machine.executions:
            if execution.execution_arn == arn:
                return execution
    raise Fault("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'", 400)


@operation("stepfunctions", "StopExecution")
def stop_execution(state: State, call: Call) -> dict[str, Any]:
    found = _execution(state, call.params["executionArn"])
    now = dt.datetime.now(tz=dt.UTC)
    if found.status == "RUNNING":
        error, cause = call.params.get("error"), call.params.get("cause")
        found.stop(stop_date=now, error=error, cause=cause)
        until = time.monotonic() + STOP_SECONDS
        while found.status == "RUNNING" and time.monotonic() < until:
            time.sleep(0.01)
        if found.status == "RUNNING":
            _abort(found, now, error, cause)
        found.error, found.cause = error, cause
    return {"stopDate": (found.stop_date or now).timestamp()}


def _abort(found: Any, now: dt.datetime, error: str | None, cause: str | None) -> None:
    """End an execution whose state waits for a token and so notices nothing."""
    from moto.stepfunctions.parser.api import ExecutionStatus, HistoryEventType
    from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext

    details = {key: value for key, value in (("error", error), ("cause", cause)) if value}
    found.exec_worker.env.event_manager.add_event(
        context=EventHistoryContext(previous_event_id=0),
        event_type=HistoryEventType.ExecutionAborted,
        event_details={"executionAbortedEventDetails": details},
    )
    found.exec_status, found.stop_date = ExecutionStatus.ABORTED, now


@operation("stepfunctions", "RedriveExecution")
def redrive_execution(state: State, call: Call) -> dict[str, Any]:
    found = _execution(state, call.params["executionArn"])
    why = _not_redrivable(state, found)
    if why:
        raise Fault("ExecutionNotRedrivable", why, 400)
    kept = state.table("stepfunctions.redrives").setdefault(found.execution_arn, {"count": 0})
    kept["count"] += 1
    kept["at"] = state.now
    _go_on(found, kept["count"])
    return {"redriveDate": state.now}


def _not_redrivable(state: State, found: Any) -> str:
    """Why an execution can't be redriven; "" where it can."""
    if found.status not in ENDED_BADLY:
        return f"Execution is {found.status} and cannot be redriven"
    if found.sm_type != "STANDARD":
        return "Execution is of an EXPRESS state machine and cannot be redriven"
    if state.now - found.start_date.timestamp() > REDRIVABLE_SECONDS:
        return "Execution is older than 14 days and cannot be redriven"
    if _left_in(found) is None:
        return "Execution has entered no state and cannot be redriven"
    return ""


def _left_in(found: Any) -> tuple[str, Any] | None:
    """The outermost state that was entered last, and its input. Names are unique in a machine."""
    outermost = json.loads(found.state_machine.definition)["States"]
    for event in reversed(found.exec_worker.env.event_manager.get_event_history()):
        details = event.get("stateEnteredEventDetails")
        if details is not None and details["name"] in outermost:
            return details["name"], json.loads(details.get("input") or "null")
    return None


def _go_on(found: Any, count: int) -> None:
    """Run an execution on, in a worker that keeps the history and the variables of the last."""
    from moto.stepfunctions.parser.api import ExecutionStatus, HistoryEventType
    from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
    from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

    left = _left_in(found)
    assert left is not None, "it was asked before"
    name, given = left
    before = found.exec_worker.env
    worker = found._get_start_execution_worker()
    definition = {**json.loads(found.state_machine.definition), "StartAt": name}

    class Again(ExecutionWorker):
        """The same execution, from a state of it on."""

        def _execution_logic(self) -> None:
            env = worker._get_evaluation_environment()
            env.event_manager, env.variable_store = before.event_manager, before.variable_store
            events = before.event_manager.get_event_history()
            env.event_history_context = EventHistoryContext(previous_event_id=_last(events))
            env.states.reset(given)
            self.env = env
            env.event_manager.add_event(
                context=env.event_history_context,
                event_type=HistoryEventType.ExecutionRedriven,
                event_details={"executionRedrivenEventDetails": {"redriveCount": count}},
            )
            AmazonStateLanguageParser.parse(json.dumps(definition))[0].eval(env)
            self._execution_communication.terminated()

    again: Any = Again(
        evaluation_details=worker._evaluation_details,
        exec_comm=worker._execution_communication,
        cloud_watch_logging_session=None,
        activity_store=worker._activity_store,
    )
    again.env = before  # until its own is there: what asks for the history finds the old one
    found.exec_worker = again
    found.exec_status, found.stop_date = ExecutionStatus.RUNNING, None
    found.error = found.cause = None
    again.start()


def _last(events: list[Any]) -> int:
    """The last event before the one that told the end, on the path that ended."""
    return int(events[-1]["previousEventId"] or events[-2]["id"]) if len(events) > 1 else 0


@operation("stepfunctions", "DescribeExecution")
def describe_execution(state: State, call: Call) -> dict[str, Any]:
    answer = call.moto()
    arn = call.params["executionArn"]
    why = _not_redrivable(state, _execution(state, arn))
    answer["redriveCount"] = 0
    answer["redriveStatus"] = "NOT_REDRIVABLE" if why else "REDRIVABLE"
    if why:
        answer["redriveStatusReason"] = why
    return {**answer, **_redriven(state, arn)}


def _redriven(state: State, arn: str) -> dict[str, Any]:
    kept = state.table("stepfunctions.redrives").get(arn)
    return {"redriveCount": kept["count"], "redriveDate": kept["at"]} if kept else {}


@operation("stepfunctions", "ListExecutions")
def list_executions(state: State, call: Call) -> dict[str, Any]:
    answer = call.moto()
    for each in answer["executions"]:
        each.update(_redriven(state, each["executionArn"]))
    return answer
