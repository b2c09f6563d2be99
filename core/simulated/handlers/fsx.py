"""FSx for Lustre's data repository tasks, which moto lacks: PENDING, EXECUTING, SUCCEEDED."""

from __future__ import annotations

from typing import Any

from core.simulated.faults import Fault
from core.simulated.listing import Record, described, page
from core.simulated.registry import operation
from core.simulated.state import Call, State

TASKS = "fsx.data-repository-tasks"
PENDING, EXECUTING = 15.0, 120.0


@operation("fsx", "CreateDataRepositoryTask")
def create_task(state: State, call: Call) -> dict[str, Any]:
    params = dict(call.params)
    system = params["FileSystemId"]
    state.moto("fsx", "DescribeFileSystems", FileSystemIds=[system])
    ident = f"task-0{state.unique()}{state.unique()}"[:22]
    task: Record = {
        "TaskId": ident,
        "Lifecycle": "PENDING",
        "Type": params["Type"],
        "CreationTime": state.now,
        "ResourceARN": state.arn("fsx", f"task/{ident}"),
        "FileSystemId": system,
        "Paths": params.get("Paths"),
        "Report": params.get("Report"),
        "Tags": params.get("Tags"),
    }
    state.table(TASKS)[ident] = task
    task["_timer"] = state.after(PENDING, _execute, state, task)
    return described(call, {"DataRepositoryTask": task})


def _execute(state: State, task: Record) -> None:
    task.update(Lifecycle="EXECUTING", StartTime=state.now)
    task["_timer"] = state.after(EXECUTING, _end, state, task, "SUCCEEDED")


def _end(state: State, task: Record, lifecycle: str) -> None:
    task.update(Lifecycle=lifecycle, EndTime=state.now)
    task["Status"] = {"TotalCount": 0, "SucceededCount": 0, "FailedCount": 0}


@operation("fsx", "CancelDataRepositoryTask")
def cancel_task(state: State, call: Call) -> dict[str, Any]:
    task = _task(state, call.params["TaskId"])
    if task["Lifecycle"] not in ("PENDING", "EXECUTING"):
        raise Fault("DataRepositoryTaskEnded", f"The task {task['TaskId']} has ended.", 400)
    state.cancel(task["_timer"])
    task["Lifecycle"] = "CANCELING"
    task["_timer"] = state.after(PENDING, _end, state, task, "CANCELED")
    return {"Lifecycle": "CANCELING", "TaskId": task["TaskId"]}


def _task(state: State, ident: str) -> Record:
    task: Record | None = state.table(TASKS).get(ident)
    if task is None:
        raise Fault("DataRepositoryTaskNotFound", f"There is no task {ident}.", 400)
    return task


@operation("fsx", "DescribeDataRepositoryTasks")
def describe_tasks(state: State, call: Call) -> dict[str, Any]:
    found = list(state.table(TASKS).values())
    if call.params.get("TaskIds"):
        found = [_task(state, ident) for ident in call.params["TaskIds"]]
    members = {"file-system-id": "FileSystemId", "task-lifecycle": "Lifecycle"}
    for each in call.params.get("Filters") or []:
        member = members.get(each["Name"])
        if member is not None:
            found = [task for task in found if task[member] in each["Values"]]
    found.sort(key=lambda task: float(task["CreationTime"]), reverse=True)
    return described(call, page(call, "DataRepositoryTasks", found, size=100))
