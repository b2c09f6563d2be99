"""An AWS account of a few kinds that are plain functions: what the screens show is the same in
every run, and nothing is asked of a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from core.aws.account import Account
from core.aws.context import AwsContext
from core.aws.errors import AccessDenied
from core.aws.kind import (
    Chart,
    Column,
    Detail,
    Field,
    Item,
    Kind,
    Section,
    Verb,
)
from core.aws.kinds import Place
from tests.support.seed import NOW

NUMBER = "123456789012"
NAMES = ("abalone-train", "bike-demand", "churn-weekly")
STATES = (
    ("Succeeded", "ok"), ("Executing", "run"), ("Failed", "bad"), ("Stopped", "dim"),
)  # fmt: skip
done: list[tuple[str, str, Mapping[str, str]]] = []
"""What verbs have done: (verb, id, values)."""


def fixed_account(
    name: str = "ml-staging", *, environment: str = "staging", read_only: bool = False
) -> Account:
    """An account whose identity is known without being asked for."""
    context = AwsContext(name, region="eu-west-1", environment=environment)
    account = Account(context, read_only=read_only)
    arn = f"arn:aws:sts::{NUMBER}:assumed-role/ml-engineer/ann"
    account.__dict__["identity"] = {"Account": NUMBER, "Arn": arn, "UserId": "A"}
    return account


def _did(name: str) -> Callable[[Account, str, Mapping[str, str]], str]:
    def do(_account: Account, id_: str, values: Mapping[str, str]) -> str:
        done.append((name, id_, dict(values)))
        return f"{id_}: {name} has begun"

    return do


def verb(name: str, key: str, label: str, told: str, **more: object) -> Verb:
    """A verb that writes down what it was asked to do."""
    return Verb(
        name=name, key=key, label=label, help=f"{label.lower()} it",
        operations=(f"sagemaker:{name.title()}",), do=_did(name),
        consequence=lambda _account, id_, _values: (f"{id_}: {told}", "requests go on meanwhile"),
        **more,  # type: ignore[arg-type]
    )  # fmt: skip


def _pipelines(_account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    yield [
        Item(
            name, (name, f"{place + 3} steps"), "", NOW - 3600 * (place + 1), {"PipelineName": name}
        )
        for place, name in enumerate(NAMES)
    ]


def _executions(_account: Account, parent: str) -> Iterator[Sequence[Item]]:
    pipeline = parent or NAMES[0]
    arn = f"arn:aws:sagemaker:eu-west-1:{NUMBER}:pipeline/{pipeline}/execution"
    yield [
        Item(f"{arn}/x{place}", (f"x{place}", state, f"month=2012-{place + 1:02}"), tone,
             NOW - 600 * (place + 1), {"PipelineExecutionStatus": state})
        for place, (state, tone) in enumerate(STATES)
    ]  # fmt: skip


def _show(_account: Account, id_: str) -> Detail:
    name = id_.rpartition("/")[2]
    tone = {"x1": "run", "x2": "bad"}.get(name, "ok")
    lines = (
        ("status", "in service", "ok"),
        ("ARN", f"arn:aws:sagemaker:eu-west-1:{NUMBER}:thing/{name}"),
        ("role", f"arn:aws:iam::{NUMBER}:role/service-role/ml-pipelines"),
        ("why", "ClientError: the training job has failed: algorithm error", "bad"),
    )
    tags = Section("Tags", (("", "(denied: ann may not sagemaker:ListTags on *)", "bad"),))
    points = [(NOW - 60 * (30 - at), 40.0 + at % 7) for at in range(30)]
    chart = Chart("Latency", "ms", {"p50": points, "p99": [(at, v * 2) for at, v in points]})
    sections = (Section("", lines[:3] if tone == "ok" else lines), tags)
    return Detail(name, tone, sections, (chart,), raw={"Name": name, "Status": tone})


def _endpoints(_account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    rows = (
        ("bike-demand", "InService", "ok"), ("churn", "Updating", "run"),
        ("fraud-eu", "Failed", "bad"), ("pricing", "InService", "ok"),
    )  # fmt: skip
    yield [
        Item(name, (name, state, "2 × ml.m5.large"), tone, NOW - 86_400 * place, {"Name": name})
        for place, (name, state, tone) in enumerate(rows, 1)
    ]


def _alarms(_account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    arn = f"arn:aws:sts::{NUMBER}:assumed-role/ml-engineer/ann"
    raise AccessDenied(
        f"{arn} may not cloudwatch:DescribeAlarms on *",
        "the rest goes on; docs/aws.md has the policy of each role",
    )
    yield []


def _packages(_account: Account, _parent: str) -> Iterator[Sequence[Item]]:
    arn = f"arn:aws:sagemaker:eu-west-1:{NUMBER}:model-package/bike"
    yield [
        Item(f"{arn}/7", ("bike v7", "PendingManualApproval"), "wait", NOW - 300),
        Item(f"{arn}/6", ("bike v6", "Approved"), "ok", NOW - 90_000),
    ]


FIELDS = (
    Field("weight", "share of the new variant, in percent", "10", required=True),
    Field("strategy", "how", "canary", choices=("canary", "linear", "all at once")),
    Field("note", "why", ""),
)
KINDS: dict[str, Kind] = {
    "pipelines": Kind(
        "pipelines", "Pipelines", "sagemaker", "pipelines and their executions",
        (Column("pipeline", 18, 1), Column("steps", 8)), _pipelines, _show,
        ("sagemaker:ListPipelines",), child="executions",
        verbs=(verb("start", "s", "Start", "an execution starts", fields=FIELDS[2:]),),
    ),
    "executions": Kind(
        "executions", "Executions", "sagemaker", "executions of a pipeline",
        (Column("execution", 10), Column("status", 10), Column("parameters", 14, 1, drop=1)),
        _executions, _show, ("sagemaker:ListPipelineExecutions",), parent="pipelines",
        verbs=(
            verb("stop", "x", "Stop", "its jobs are stopped", dangerous=True,
                 blocked=lambda item: None if item.tone == "run" else "it has ended"),
            verb("retry", "u", "Retry", "failed steps run again"),
        ),
    ),
    "packages": Kind(
        "packages", "Model packages", "sagemaker", "versions that wait for a decision",
        (Column("package", 14, 1), Column("status", 22)), _packages, _show,
        ("sagemaker:ListModelPackages",),
        verbs=(verb("approve", "a", "Approve", "it may be deployed"),),
    ),
    "endpoints": Kind(
        "endpoints", "Endpoints", "sagemaker", "what serves",
        (Column("endpoint", 14, 1), Column("status", 12), Column("instances", 16, drop=1)),
        _endpoints, _show, ("sagemaker:ListEndpoints",),
        verbs=(
            verb("weights", "w", "Weights", "traffic moves", fields=FIELDS, dangerous=True),
            verb("rollback", "R", "Roll back", "back to the config before", back=True),
            verb("delete", "x", "Delete", "nothing answers there any more", dangerous=True,
                 typed=True),
        ),
        create=(verb("create", "", "Create", "a new endpoint", fields=FIELDS[:1]),),
        notice="Elastic Inference has ended: these endpoints run without it",
    ),
    "variants": Kind(
        "variants", "Variants", "sagemaker", "variants of all endpoints",
        (Column("variant", 14, 1), Column("status", 12)), lambda _a, _p: iter(()), _show,
        ("sagemaker:ListEndpoints",),
    ),
    "alarms": Kind(
        "alarms", "Alarms", "cloudwatch", "alarms",
        (Column("alarm", 20, 1), Column("state", 18)), _alarms, _show,
        ("cloudwatch:DescribeAlarms",),
    ),
}  # fmt: skip
MODES = {
    "pipelines": "runs", "executions": "runs", "packages": "approvals", "endpoints": "deploys",
    "variants": "deploys", "alarms": "alerts",
}  # fmt: skip
PLACES = {name: Place(f"{__name__}:{name.upper()}", mode) for name, mode in MODES.items()}


def __getattr__(name: str) -> Kind:
    found = KINDS.get(name.lower())
    if found is None:
        raise AttributeError(name)
    return found
