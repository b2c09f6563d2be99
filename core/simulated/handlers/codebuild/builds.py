"""CodeBuild's builds: their phases by the clock, their logs in CloudWatch Logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers._shared import page, uid, with_token
from core.simulated.handlers.codebuild import buildspec
from core.simulated.handlers.codebuild.projects import project_of
from core.simulated.registry import operation
from core.simulated.state import Call, State

BEFORE = (("QUEUED", 1.0), ("PROVISIONING", 8.0), ("DOWNLOAD_SOURCE", 3.0))
AFTER = (("UPLOAD_ARTIFACTS", 1.0), ("FINALIZING", 1.0))
_GONE = "codebuild.timers"


def builds(state: State) -> dict[str, dict[str, Any]]:
    """The builds by id, oldest first."""
    return state.table("codebuild.builds")


@operation("codebuild", "StartBuild")
def start(state: State, call: Call) -> dict[str, Any]:
    return {"build": begin(state, project_of(state, call.params["projectName"]), call.params)}


@operation("codebuild", "RetryBuild")
def retry(state: State, call: Call) -> dict[str, Any]:
    old = _build(state, call.params.get("id", ""))
    if not old["buildComplete"]:
        raise Fault("InvalidInputException", "A build that is in progress cannot be retried", 400)
    again = dict(state.table("codebuild.overrides").get(old["id"], {}))
    return {"build": begin(state, project_of(state, old["projectName"]), again)}


def begin(state: State, project: dict[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Start a build of a project."""
    name = project["name"]
    number = sum(1 for each in builds(state).values() if each["projectName"] == name) + 1
    ident = f"{name}:{uid()}"
    source = dict(project["source"])
    if "buildspecOverride" in asked:
        source["buildspec"] = asked["buildspecOverride"]
    environment = dict(project["environment"])
    variables = {each["name"]: each for each in environment.get("environmentVariables", [])}
    variables |= {each["name"]: each for each in asked.get("environmentVariablesOverride", [])}
    environment["environmentVariables"] = list(variables.values())
    group, stream = _log_place(project, ident)
    build: dict[str, Any] = {
        "id": ident,
        "arn": state.arn("codebuild", f"build/{ident}"),
        "buildNumber": number,
        "startTime": state.now,
        "currentPhase": "QUEUED",
        "buildStatus": "IN_PROGRESS",
        "buildComplete": False,
        "projectName": name,
        "sourceVersion": asked.get("sourceVersion") or project.get("sourceVersion") or "main",
        "source": source,
        "environment": environment,
        "serviceRole": project["serviceRole"],
        "timeoutInMinutes": asked.get("timeoutInMinutesOverride") or project["timeoutInMinutes"],
        "queuedTimeoutInMinutes": project["queuedTimeoutInMinutes"],
        "encryptionKey": project["encryptionKey"],
        "initiator": "simulated",
        "phases": [
            {
                "phaseType": "SUBMITTED",
                "phaseStatus": "SUCCEEDED",
                "startTime": state.now,
                "endTime": state.now,
                "durationInSeconds": 0,
            }
        ],
        "logs": {
            "groupName": group,
            "streamName": stream,
            "deepLink": f"https://console.aws.amazon.com/cloudwatch/home?region={state.region}",
            "cloudWatchLogsArn": state.arn("logs", f"log-group:{group}:log-stream:{stream}"),
            "cloudWatchLogs": {"status": "ENABLED"},
        },
    }
    builds(state)[ident] = build
    state.table("codebuild.overrides")[ident] = dict(asked)
    values = {each["name"]: each["value"] for each in variables.values()}
    plan = [buildspec.Phase(each, seconds) for each, seconds in BEFORE]
    plan += buildspec.read(str(source.get("buildspec") or "buildspec.yml"), values)
    _phase(state, ident, plan, 0)
    return build


def _log_place(project: dict[str, Any], ident: str) -> tuple[str, str]:
    asked = project.get("logsConfig", {}).get("cloudWatchLogs", {})
    name, _, rest = ident.partition(":")
    group = asked.get("groupName") or f"/aws/codebuild/{name}"
    prefix = asked.get("streamName")
    return group, f"{prefix}/{rest}" if prefix else rest


def _phase(state: State, ident: str, plan: list[buildspec.Phase], number: int) -> None:
    """Begin phase `number` of the plan."""
    build = builds(state).get(ident)
    if build is None:
        return
    if number == len(plan):
        _finalize(state, build, "SUCCEEDED")
        return
    phase = plan[number]
    build["currentPhase"] = phase.name
    build["phases"].append({"phaseType": phase.name, "startTime": state.now})
    if phase.name not in ("QUEUED", "PROVISIONING"):
        log(state, build, [f"Entering phase {phase.name}", *phase.lines])
    timer = state.after(phase.seconds, _over, state, ident, plan, number)
    state.table(_GONE)[ident] = timer


def _over(state: State, ident: str, plan: list[buildspec.Phase], number: int) -> None:
    """Phase `number` is over: the next one, or the end."""
    build = builds(state).get(ident)
    if build is None:
        return
    phase = plan[number]
    _close(state, build, "FAILED" if phase.failed else "SUCCEEDED", phase)
    word = "FAILED" if phase.failed else "SUCCEEDED"
    if phase.name not in ("QUEUED", "PROVISIONING"):
        log(state, build, [f"Phase complete: {phase.name} State: {word}"])
    # As in CodeBuild, POST_BUILD still runs after a BUILD that failed.
    failed = any(each.failed for each in plan[: number + 1])
    following = plan[number + 1].name if number + 1 < len(plan) else ""
    if failed and not (phase.name == "BUILD" and following == "POST_BUILD"):
        _finalize(state, build, "FAILED")
    else:
        _phase(state, ident, plan, number + 1)


def _close(
    state: State, build: dict[str, Any], status: str, phase: buildspec.Phase | None = None
) -> None:
    last = build["phases"][-1]
    last |= {
        "phaseStatus": status,
        "endTime": state.now,
        "durationInSeconds": round(state.clock.elapsed(last["startTime"])),
    }
    if phase is not None and phase.failed:
        message = (
            f"Error while executing command: {phase.failed}. Reason: exit status {phase.status}"
        )
        last["contexts"] = [{"statusCode": "COMMAND_EXECUTION_ERROR", "message": message}]
        log(
            state,
            build,
            [f"Command did not exit successfully {phase.failed} exit status {phase.status}"],
        )


def _finalize(state: State, build: dict[str, Any], status: str) -> None:
    if status == "SUCCEEDED":
        for name, seconds in AFTER:
            build["phases"].append(
                {
                    "phaseType": name,
                    "phaseStatus": "SUCCEEDED",
                    "startTime": state.now,
                    "endTime": state.now,
                    "durationInSeconds": int(seconds),
                }
            )
    build["phases"].append({"phaseType": "COMPLETED", "startTime": state.now})
    build |= {
        "currentPhase": "COMPLETED",
        "buildStatus": status,
        "buildComplete": True,
        "endTime": state.now,
    }
    state.table(_GONE).pop(build["id"], None)


def log(state: State, build: dict[str, Any], lines: list[str]) -> None:
    """Print lines into the build's stream, as CodeBuild stamps them."""
    import datetime as dt

    from core.simulated.handlers.logs.writing import write

    stamp = dt.datetime.fromtimestamp(state.now, dt.UTC).strftime("%Y/%m/%d %H:%M:%S.%f")
    group, stream = build["logs"]["groupName"], build["logs"]["streamName"]
    write(state, group, stream, [(state.now, f"[Container] {stamp} {line}") for line in lines])


def _build(state: State, ident: str) -> dict[str, Any]:
    found = builds(state).get(ident.rpartition("build/")[2] or ident)
    if found is None:
        raise Fault(
            "ResourceNotFoundException",
            f"Build cannot be found: {state.arn('codebuild', f'build/{ident}')}",
            400,
        )
    return found


@operation("codebuild", "StopBuild")
def stop(state: State, call: Call) -> dict[str, Any]:
    build = _build(state, call.params["id"])
    if not build["buildComplete"]:
        state.cancel(state.table(_GONE).get(build["id"], -1))
        _close(state, build, "STOPPED")
        _finalize(state, build, "STOPPED")
    return {"build": build}


@operation("codebuild", "BatchGetBuilds")
def get(state: State, call: Call) -> dict[str, Any]:
    asked = {each: each.rpartition("build/")[2] or each for each in call.params["ids"]}
    return {
        "builds": [builds(state)[each] for each in asked.values() if each in builds(state)],
        "buildsNotFound": [name for name, each in asked.items() if each not in builds(state)],
    }


@operation("codebuild", "ListBuilds")
def all_of_them(state: State, call: Call) -> dict[str, Any]:
    return _ids(list(builds(state).values()), call)


@operation("codebuild", "ListBuildsForProject")
def of_project(state: State, call: Call) -> dict[str, Any]:
    name = project_of(state, call.params["projectName"])["name"]
    return _ids([each for each in builds(state).values() if each["projectName"] == name], call)


def _ids(found: list[dict[str, Any]], call: Call) -> dict[str, Any]:
    newest_first = call.params.get("sortOrder", "DESCENDING") == "DESCENDING"
    ids = [each["id"] for each in (reversed(found) if newest_first else found)]
    some, token = page(ids, call.params.get("nextToken"), None)
    return with_token({"ids": some}, token)


@operation("codebuild", "BatchDeleteBuilds")
def delete(state: State, call: Call) -> dict[str, Any]:
    gone, kept = [], []
    for ident in call.params["ids"]:
        build = builds(state).get(ident)
        if build is None or not build["buildComplete"]:
            kept.append({"id": ident, "statusCode": "BUILD_IN_PROGRESS" if build else "NOT_FOUND"})
        else:
            del builds(state)[ident]
            gone.append(build["arn"])
    return {"buildsDeleted": gone, "buildsNotDeleted": kept}
