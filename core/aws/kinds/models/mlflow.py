"""Managed MLflow: tracking servers and serverless apps, and a workspace's use of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.aws import words
from core.aws.errors import AwsError
from core.aws.kind import Column, Detail, Field, Item, Kind, Section, Verb
from core.aws.partial import why

if TYPE_CHECKING:
    from core.aws.account import Account

_APP = ":mlflow-app/"
_UP = frozenset({"Created", "Updated", "Started", "MaintenanceComplete"})
_WINDOW = 300


def _is_app(name: str) -> bool:
    return _APP in name


def _server(server: Mapping[str, Any]) -> Item:
    status = server["TrackingServerStatus"]
    return Item(
        id=server["TrackingServerName"],
        cells=_cells(
            server["TrackingServerName"], "tracking server", status,
            server.get("MlflowVersion", ""), server["CreationTime"],
        ),
        tone=_tone(status),
        changed=words.epoch(server.get("LastModifiedTime") or server["CreationTime"]),
        raw=server,
    )  # fmt: skip


def _app(app: Mapping[str, Any]) -> Item:
    return Item(
        id=app["Arn"],
        cells=_cells(
            app["Name"], "serverless app", app["Status"], app.get("MlflowVersion", ""),
            app["CreationTime"],
        ),
        tone=_tone(app["Status"]),
        changed=words.epoch(app.get("LastModifiedTime") or app["CreationTime"]),
        raw=app,
    )  # fmt: skip


def _cells(name: str, sort: str, status: str, version: str, created: Any) -> tuple[str, ...]:
    return name, sort, status, version, words.clock(created)


def _tone(status: str) -> str:
    if status in _UP:
        return "ok"
    if status.endswith("Failed"):
        return "bad"
    return words.tone(status) if words.tone(status) != "ok" else "run"


def _list(account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    for page in account.pages("sagemaker", "list_mlflow_tracking_servers"):
        yield [_server(each) for each in page.get("TrackingServerSummaries", ())]
    try:
        for page in account.pages("sagemaker", "list_mlflow_apps"):
            yield [_app(each) for each in page.get("Summaries", ())]
    except AwsError as error:  # the servers are worth showing without them
        yield [Item("", cells=("", "serverless apps", why(error), "", ""), tone="bad")]


def _describe(account: Account, name: str) -> Any:
    if _is_app(name):
        return account.call("sagemaker", "describe_mlflow_app", Arn=name)
    name = words.last_of(name)
    return account.call("sagemaker", "describe_mlflow_tracking_server", TrackingServerName=name)


def _show(account: Account, name: str) -> Detail:
    found = _describe(account, name)
    arn = found.get("Arn") or found["TrackingServerArn"]
    status = found.get("Status") or found["TrackingServerStatus"]
    lines = words.labelled(
        found, "TrackingServerSize", "MlflowVersion", "IsActive", "ArtifactStoreUri",
        "TrackingServerUrl", "RoleArn", "KmsKeyId", "AutomaticModelRegistration",
        "ModelRegistrationMode", "AccountDefaultStatus", "WeeklyMaintenanceWindowStart",
        "TrackingServerMaintenanceStatus", "MaintenanceStatus", "CreationTime",
        "LastModifiedTime",
    )  # fmt: skip
    item = _app(found) if _is_app(arn) else _server(found)
    as_store = Section(
        "As tracking store",
        (
            "in opsdeck.yaml of a workspace:",
            f"tracking: {arn}",
            "steps reach it by the package sagemaker-mlflow, which opsdeck[aws] brings",
        ),
    )
    about = Section("MLflow", (("Status", status, item.tone), ("ARN", arn), *lines))
    return Detail(item.cells[0], item.tone, (about, as_store), item=item, raw=found)


def _open(account: Account, name: str, values: Mapping[str, str]) -> str:
    del values
    asked = {"ExpiresInSeconds": _WINDOW, "SessionExpirationDurationInSeconds": 3600}
    if _is_app(name):
        answer = account.call("sagemaker", "create_presigned_mlflow_app_url", Arn=name, **asked)
    else:
        answer = account.call(
            "sagemaker",
            "create_presigned_mlflow_tracking_server_url",
            TrackingServerName=words.last_of(name),
            **asked,
        )
    return f"open within {_WINDOW // 60} minutes: {answer['AuthorizedUrl']}"


def _start(account: Account, name: str, _values: Mapping[str, str]) -> str:
    account.call("sagemaker", "start_mlflow_tracking_server", TrackingServerName=name)
    return f"tracking server {name} is starting"


def _stop(account: Account, name: str, _values: Mapping[str, str]) -> str:
    account.call("sagemaker", "stop_mlflow_tracking_server", TrackingServerName=name)
    return f"tracking server {name} is stopping"


def _create(account: Account, _id: str, values: Mapping[str, str]) -> str:
    answer = account.call(
        "sagemaker",
        "create_mlflow_app",
        Name=values["name"],
        ArtifactStoreUri=values["artifacts"],
        RoleArn=values["role"],
    )
    return f"serverless app {answer['Arn']} is being made"


def _servers_only(item: Item) -> str | None:
    return "a serverless app neither starts nor stops" if _is_app(item.id) else None


def _stopped_only(item: Item) -> str | None:
    if item.tone == "ok":
        return "it runs already"
    return _servers_only(item)


KIND = Kind(
    name="mlflow",
    title="Managed MLflow",
    service="SageMaker",
    about="MLflow tracking servers and serverless apps.",
    columns=(
        Column("Name", 24, grow=1),
        Column("Sort", 15),
        Column("Status", 14),
        Column("MLflow", 8, drop=2),
        Column("Created", 19, drop=1),
    ),
    list=_list,
    show=_show,
    operations=(
        "sagemaker:ListMlflowTrackingServers", "sagemaker:ListMlflowApps",
        "sagemaker:DescribeMlflowTrackingServer", "sagemaker:DescribeMlflowApp",
    ),
    verbs=(
        Verb(
            "open", "s", "Address to open", "An address that opens its web page, for 5 minutes.",
            (
                "sagemaker:CreatePresignedMlflowTrackingServerUrl",
                "sagemaker:CreatePresignedMlflowAppUrl",
            ),
            _open,
            lambda _account, name, _values: (
                f"whoever has the address can open {words.last_of(name)} as you do, for 5 minutes",
            ),
        ),
        Verb(
            "start", "u", "Start", "Start a stopped tracking server; it costs by the hour.",
            ("sagemaker:StartMlflowTrackingServer",),
            _start,
            lambda _account, name, _values: (
                f"{name} starts; it is billed by the hour until it is stopped",
            ),
            blocked=_stopped_only,
        ),
        Verb(
            "stop", "x", "Stop", "Stop a tracking server; what it has stays.",
            ("sagemaker:StopMlflowTrackingServer",),
            _stop,
            lambda _account, name, _values: (
                f"{name} stops: nobody can log to it or read it until it is started again",
            ),
            dangerous=True,
            blocked=_servers_only,
        ),
    ),
    create=(
        Verb(
            "create", "n", "New serverless app", "Make a serverless MLflow app.",
            ("sagemaker:CreateMlflowApp", "iam:PassRole"),
            _create,
            lambda _account, _id, values: (
                f"a serverless app {values.get('name', '')} is made, with its artifacts in"
                f" {values.get('artifacts', '')}",
            ),
            fields=(
                Field("name", "Name", required=True),
                Field("artifacts", "Artifacts on S3", "s3://", required=True),
                Field("role", "Role's ARN", required=True),
            ),
        ),
    ),
    every=15.0,
)  # fmt: skip
