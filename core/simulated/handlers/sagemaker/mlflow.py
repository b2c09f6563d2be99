"""Managed MLflow: serverless apps and tracking servers, as far as their life goes."""

from __future__ import annotations

from typing import Any

from core.simulated.faults import Fault
from core.simulated.handlers.sagemaker.common import drop, find, keep, sagemaker_arn, touch
from core.simulated.listing import Record, described, select, summaries
from core.simulated.registry import operation
from core.simulated.state import Call, State

APPS, SERVERS = "sagemaker.mlflow-apps", "sagemaker.mlflow-tracking-servers"
VERSION = "3.17"
MAKING, SWITCHING = 120.0, 90.0


@operation("sagemaker", "CreateMlflowApp")
def create_app(state: State, call: Call) -> dict[str, Any]:
    params = dict(call.params)
    if any(each["Name"] == params["Name"] for each in state.table(APPS).values()):
        raise Fault("ConflictException", f"An MLflow app {params['Name']} already exists.", 400)
    arn = sagemaker_arn(state, "mlflow-app", f"app-{state.unique().upper()}")
    record = keep(
        state,
        APPS,
        arn,
        arn,
        {
            "AccountDefaultStatus": "DISABLED",
            "ModelRegistrationMode": "AutoModelRegistrationDisabled",
            **params,
            "Arn": arn,
            "Status": "Creating",
            "MlflowVersion": VERSION,
        },
    )
    state.after(MAKING, _set, state, record, {"Status": "Created"})
    return {"Arn": arn}


def _set(state: State, record: Record, changes: Record) -> None:
    touch(state, record, **changes)


def _app(state: State, call: Call) -> Record:
    arn = call.params["Arn"]
    return find(state, APPS, arn, f"MLflow app {arn} does not exist.", "ResourceNotFound")


@operation("sagemaker", "DescribeMlflowApp")
def describe_app(state: State, call: Call) -> dict[str, Any]:
    return described(call, _app(state, call))


@operation("sagemaker", "UpdateMlflowApp")
def update_app(state: State, call: Call) -> dict[str, Any]:
    record = _app(state, call)
    touch(state, record, **{k: v for k, v in call.params.items() if k != "Arn"})
    return {"Arn": record["Arn"]}


@operation("sagemaker", "DeleteMlflowApp")
def delete_app(state: State, call: Call) -> dict[str, Any]:
    record = _app(state, call)
    drop(state, APPS, record["Arn"])
    return {"Arn": record["Arn"]}


@operation("sagemaker", "ListMlflowApps")
def list_apps(state: State, call: Call) -> dict[str, Any]:
    rows = select(
        call,
        state.table(APPS).values(),
        name="Name",
        status="Status",
        equal={
            "Status": "Status",
            "MlflowVersion": "MlflowVersion",
            "AccountDefaultStatus": "AccountDefaultStatus",
        },
    )
    return summaries(call, "Summaries", rows)


@operation("sagemaker", "CreatePresignedMlflowAppUrl")
def app_url(state: State, call: Call) -> dict[str, Any]:
    record = _app(state, call)
    name = record["Arn"].rsplit("/", 1)[1]
    return {"AuthorizedUrl": f"https://{name}.mlflow.invalid/auth?authToken={state.unique()}"}


# -- tracking servers


@operation("sagemaker", "CreateMlflowTrackingServer")
def create_server(state: State, call: Call) -> dict[str, Any]:
    params = dict(call.params)
    name = str(params["TrackingServerName"])
    arn = sagemaker_arn(state, "mlflow-tracking-server", name)
    if name in state.table(SERVERS):
        raise Fault("ConflictException", f"Tracking server {name} already exists.", 400)
    record = keep(
        state,
        SERVERS,
        name,
        arn,
        {
            "TrackingServerSize": "Small",
            "MlflowVersion": VERSION,
            "AutomaticModelRegistration": False,
            **params,
            "TrackingServerArn": arn,
            "TrackingServerStatus": "Creating",
            "IsActive": "Inactive",
            "TrackingServerUrl": f"https://{name.lower()}.mlflow.invalid",
        },
    )
    state.after(MAKING, _set, state, record, {"TrackingServerStatus": "Created", **_ON})
    return {"TrackingServerArn": arn}


_ON, _OFF = {"IsActive": "Active"}, {"IsActive": "Inactive"}


def _server(state: State, call: Call) -> Record:
    name = call.params["TrackingServerName"]
    return find(state, SERVERS, name, f"Tracking server {name} does not exist.", "ResourceNotFound")


@operation("sagemaker", "DescribeMlflowTrackingServer")
def describe_server(state: State, call: Call) -> dict[str, Any]:
    return described(call, _server(state, call))


@operation("sagemaker", "StartMlflowTrackingServer", "StopMlflowTrackingServer")
def switch_server(state: State, call: Call) -> dict[str, Any]:
    record = _server(state, call)
    start = call.operation.startswith("Start")
    if (record["IsActive"] == "Active") == start or record["TrackingServerStatus"].endswith("ing"):
        status = record["TrackingServerStatus"]
        raise Fault("ConflictException", f"The tracking server is in status {status}.", 400)
    touch(state, record, TrackingServerStatus="Starting" if start else "Stopping")
    after = {"TrackingServerStatus": "Started", **_ON}
    if not start:
        after = {"TrackingServerStatus": "Stopped", **_OFF}
    state.after(SWITCHING, _set, state, record, after)
    return {"TrackingServerArn": record["TrackingServerArn"]}


@operation("sagemaker", "UpdateMlflowTrackingServer")
def update_server(state: State, call: Call) -> dict[str, Any]:
    record = _server(state, call)
    touch(state, record, **{k: v for k, v in call.params.items() if k != "TrackingServerName"})
    return {"TrackingServerArn": record["TrackingServerArn"]}


@operation("sagemaker", "DeleteMlflowTrackingServer")
def delete_server(state: State, call: Call) -> dict[str, Any]:
    record = _server(state, call)
    drop(state, SERVERS, record["TrackingServerName"])
    return {"TrackingServerArn": record["TrackingServerArn"]}


@operation("sagemaker", "ListMlflowTrackingServers")
def list_servers(state: State, call: Call) -> dict[str, Any]:
    rows = select(
        call,
        state.table(SERVERS).values(),
        name="TrackingServerName",
        status="TrackingServerStatus",
        equal={"TrackingServerStatus": "TrackingServerStatus", "MlflowVersion": "MlflowVersion"},
    )
    return summaries(call, "TrackingServerSummaries", rows)


@operation("sagemaker", "CreatePresignedMlflowTrackingServerUrl")
def server_url(state: State, call: Call) -> dict[str, Any]:
    record = _server(state, call)
    return {"AuthorizedUrl": f"{record['TrackingServerUrl']}/auth?authToken={state.unique()}"}
